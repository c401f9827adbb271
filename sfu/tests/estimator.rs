//! Bandwidth estimation on a modelled link: ours, and the library's beside it.
//!
//! `cargo test -p ramai-sfu --test estimator -- --nocapture beside` prints the comparison that docs/CONGESTION.md shows.
#![allow(clippy::print_stdout, reason = "the comparison is read")]

mod link;

use link::{Control, Library, Link};
use ramai_sfu::congestion::estimator::Estimator;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn on_a_free_link_the_wanted_rate_is_reached_within_two_seconds() {
    let mut link = Link::new(100_000_000, Estimator::new);
    link.run(2 * SECOND, 2_000_000);
    assert!(link.control.estimate() >= Some(2_000_000), "{:?}", link.control.state());
}

#[test]
fn a_bottleneck_is_used_and_its_queue_stays_short() {
    let mut link = Link::new(1_000_000, Estimator::new);
    link.run(20 * SECOND, 5_000_000);
    link.run(20 * SECOND, 5_000_000);
    let used = link.rate(20 * SECOND);
    assert!(used > 850_000.0, "{used} {:?}", link.control.state());
    assert!(link.worst_queue < Duration::from_millis(250), "{:?}", link.worst_queue);
}

#[test]
fn a_link_that_shrinks_is_followed_within_a_second_and_one_that_grows_within_ten() {
    let mut link = Link::new(3_000_000, Estimator::new);
    link.run(10 * SECOND, 2_000_000);
    assert!(link.control.estimate() >= Some(1_900_000), "{:?}", link.control.state());
    link.capacity = 500_000;
    link.run(SECOND, 2_000_000);
    assert!(link.control.estimate() < Some(600_000), "{:?}", link.control.state());
    link.run(2 * SECOND, 2_000_000);
    link.run(10 * SECOND, 2_000_000);
    assert!(link.worst_queue < Duration::from_millis(250), "{:?}", link.worst_queue);
    link.capacity = 3_000_000;
    link.run(10 * SECOND, 2_000_000);
    assert!(link.control.estimate() >= Some(1_900_000), "{:?}", link.control.state());
}

#[test]
fn where_a_queue_stands_no_more_may_be_on_its_way_than_the_link_takes_in_a_moment() {
    let mut link = Link::new(3_000_000, Estimator::new);
    link.run(10 * SECOND, 2_000_000);
    assert_eq!(link.control.room(link.now), None, "nothing waits");
    link.capacity = 500_000;
    let queued = (0..50).find_map(|_| {
        link.run(Duration::from_millis(10), 2_000_000);
        link.control.room(link.now)
    });
    // Half a second, and the round trip of 50 ms, of 500 kbit/s.
    let most = 34_375;
    let held = queued.map(|room| room + link.control.in_flight());
    assert!(held.is_some_and(|held| (most * 9 / 10..=most * 11 / 10).contains(&held)), "{queued:?}");
    let silent = link.now + Duration::from_millis(300);
    assert_eq!(link.control.room(silent), None, "without feedback nobody knows what waits");
    link.run(5 * SECOND, 100_000);
    assert_eq!(link.control.room(link.now), None, "it is gone");
}

#[test]
fn five_percent_of_random_loss_leave_the_rate_alone() {
    let mut link = Link::new(3_000_000, Estimator::new);
    link.lose = Some(20);
    link.run(20 * SECOND, 2_000_000);
    assert!(link.control.estimate() >= Some(1_900_000), "{:?}", link.control.state());
}

#[test]
fn jitter_of_thirty_milliseconds_is_no_reason_to_step_down() {
    let mut link = Link::new(10_000_000, Estimator::new);
    link.jitter = Duration::from_millis(30);
    link.run_layers(5 * SECOND);
    link.run_layers(60 * SECOND);
    assert!(link.rate(60 * SECOND) > 1_690_000.0, "{} {:?}", link.rate(60 * SECOND), link.control.state());
}

#[test]
fn after_heavy_loss_the_rate_is_back_within_two_seconds() {
    let mut link = Link::new(3_000_000, Estimator::new);
    link.run(5 * SECOND, 1_700_000);
    link.lose = Some(4);
    link.run(10 * SECOND, 1_700_000);
    assert!(link.control.estimate() < Some(1_600_000), "{:?}", link.control.state());
    link.lose = None;
    link.run(2 * SECOND, 1_700_000);
    assert!(link.control.estimate() >= Some(1_650_000), "{:?}", link.control.state());
}

/// What the comparison looks at.
#[derive(Debug)]
struct Figures {
    /// Seconds until the top layer goes out on a free link.
    to_top: Option<f64>,
    /// Seconds from 3 Mbit/s to 500 kbit/s until the estimate is below 600 kbit/s.
    down: Option<f64>,
    /// Worst wait in the queue from two seconds after that.
    queue_ms: f64,
    /// Seconds until the top layer is back, from when the link is.
    back: Option<f64>,
    /// Bits per second that come through at 5% random loss, of 1.7 million wanted.
    lossy: f64,
    /// With 30 ms of jitter.
    jittery: f64,
}

fn until<C: Control>(link: &mut Link<C>, done: impl Fn(u64) -> bool) -> Option<f64> {
    let step = Duration::from_millis(50);
    (0..600).find_map(|n| {
        let there = done(link.control.estimate());
        if !there {
            link.run_layers(step);
        }
        there.then(|| f64::from(n) * step.as_secs_f64())
    })
}

fn figures<C: Control>(new: impl Fn(std::time::Instant) -> C) -> Figures {
    let mut link = Link::new(3_000_000, &new);
    let to_top = until(&mut link, |estimate| estimate >= 1_700_000);
    link.run_layers(5 * SECOND);
    link.capacity = 500_000;
    let down = until(&mut link, |estimate| estimate < 600_000);
    link.run_layers(2 * SECOND);
    link.run_layers(20 * SECOND);
    let queue_ms = link.worst_queue.as_secs_f64() * 1e3;
    link.capacity = 3_000_000;
    let back = until(&mut link, |estimate| estimate >= 1_700_000);
    let mut link = Link::new(3_000_000, &new);
    link.lose = Some(20);
    link.run_layers(10 * SECOND);
    link.run_layers(30 * SECOND);
    let lossy = link.rate(30 * SECOND);
    let mut link = Link::new(10_000_000, &new);
    link.jitter = Duration::from_millis(30);
    link.run_layers(10 * SECOND);
    link.run_layers(30 * SECOND);
    Figures { to_top, down, queue_ms, back, lossy, jittery: link.rate(30 * SECOND) }
}

#[test]
fn ours_beside_the_librarys() {
    let (ours, library) = (figures(Estimator::new), figures(Library::new));
    println!("ours    {ours:?}\nlibrary {library:?}");
    let within = |seconds: Option<f64>, most: f64| seconds.is_some_and(|s| s <= most);
    assert!(within(ours.to_top, 4.0) && within(ours.down, 1.0) && within(ours.back, 10.0), "{ours:?}");
    assert!(ours.queue_ms <= 50.0 && ours.lossy > 1_500_000.0 && ours.jittery > 1_650_000.0, "{ours:?}");
    assert!(library.to_top.is_none_or(|s| s > 4.0), "the library reaches the top by itself now: look at it again");
}
