//! Overload as the thread loop would report it, in virtual time.

use super::*;

const SAMPLE: Duration = Duration::from_millis(100);

fn load(share: f64, late_ms: u64) -> Load {
    Load {
        span: SAMPLE,
        busy: SAMPLE.mul_f64(share),
        late: Duration::from_millis(late_ms),
        turns: 10,
        full_turns: 0,
        waiting: 0,
        lost: 0,
        relieved: false,
    }
}

/// A thread with a queue before it: what it has to do depends on what it lets go.
struct Thread {
    overload: Overload,
    now: Instant,
    /// Work that waits, in samples' worth of time.
    queue: f64,
    changes: Vec<(Duration, u8)>,
    start: Instant,
}

impl Thread {
    fn new() -> Self {
        let now = crate::test_epoch();
        Self { overload: Overload::default(), now, queue: 0.0, changes: Vec::new(), start: now }
    }

    /// Runs for a while; `demand` gives the work that comes in one sample, 1.0 being all that can be done, by level.
    fn run(&mut self, time: Duration, demand: impl Fn(u8) -> f64) {
        let end = self.now + time;
        while self.now < end {
            self.now += SAMPLE;
            let work = self.queue + demand(self.overload.level().get());
            self.queue = (work - 1.0).max(0.0);
            let late = if work < 1.0 { 2 } else { 30 };
            let sample = Load { waiting: (self.queue * 5e5) as u64, ..load(work.min(1.0), late) };
            if let Some(change) = self.overload.handle(self.now, sample) {
                self.changes.push((self.now - self.start, change.to.get()));
            }
        }
    }
}

#[test]
fn a_busy_thread_that_keeps_up_lets_nothing_go() {
    let mut thread = Thread::new();
    thread.run(Duration::from_secs(60), |_| 0.99);
    assert_eq!(thread.changes, []);
}

#[test]
fn a_late_turn_without_need_is_the_systems_doing_and_lets_nothing_go() {
    let mut overload = Overload::default();
    let start = crate::test_epoch();
    for n in 0..100 {
        assert_eq!(overload.handle(start + n * SAMPLE, load(0.5, 300)), None);
    }
}

#[test]
fn a_short_burst_is_sat_out_and_a_long_one_is_not() {
    let mut thread = Thread::new();
    thread.run(Duration::from_millis(200), |_| 1.3);
    thread.run(Duration::from_secs(5), |_| 0.5);
    assert_eq!(thread.changes, []);
    thread.run(Duration::from_millis(1_000), |_| 1.3);
    assert!(!thread.changes.is_empty());
}

#[test]
fn it_goes_up_until_it_fits_and_comes_back_when_it_is_over() {
    let mut thread = Thread::new();
    let relief = |level: u8| [2.0, 1.6, 1.2, 0.8, 0.5, 0.2, 0.1][usize::from(level)];
    thread.run(Duration::from_secs(4), relief);
    assert!((3..=4).contains(&thread.overload.level().get()), "{:?}", thread.changes);
    assert!(thread.changes.iter().all(|(at, _)| *at < Duration::from_secs(4)), "{:?}", thread.changes);
    thread.run(Duration::from_secs(20), |level| relief(level) / 10.0);
    assert_eq!(thread.overload.level(), Level::default(), "{:?}", thread.changes);
    assert!(thread.overload.times().iter().all(|time| *time < Duration::from_secs(20)));
    assert_eq!(thread.overload.times().iter().sum::<Duration>(), Duration::from_secs(24));
}

#[test]
fn the_further_behind_the_larger_the_step() {
    let much = |waiting| Load { waiting, ..load(1.0, 30) };
    for (sample, steps) in [
        (load(1.0, 30), 1),
        (load(1.0, 150), 2),
        (load(1.0, 500), 3),
        (much(1 << 19), 1),
        (much(2 << 20), 2),
        (much(8 << 20), 3),
    ] {
        let mut overload = Overload::default();
        // One long stall is not enough.
        let long = Load { span: 9 * SAMPLE, busy: 9 * SAMPLE, ..sample };
        let now = crate::test_epoch();
        assert_eq!((overload.handle(now, long), overload.handle(now + SAMPLE, long)), (None, None));
        let change = overload.handle(now + 2 * SAMPLE, long).unwrap();
        assert_eq!((change.to.get(), change.is_urgent()), (steps, steps > 1), "{sample:?}");
    }
}

#[test]
fn load_at_the_edge_does_not_flap() {
    let mut thread = Thread::new();
    // What the lower level adds never fits.
    thread.run(Duration::from_secs(600), |level| if level == 0 { 1.1 } else { 0.6 });
    let late: Vec<_> = thread.changes.iter().filter(|(at, _)| *at > Duration::from_secs(120)).collect();
    assert!(late.len() <= 18, "{} changes in eight minutes: {late:?}", late.len());
    let first: Vec<_> = thread.changes.iter().filter(|(at, _)| *at < Duration::from_secs(120)).collect();
    assert!(first.len() <= 14, "{first:?}");
    let time = thread.overload.times()[0];
    assert!(time < Duration::from_secs(20), "{time:?} of overload in ten minutes");
}

#[test]
fn what_the_kernel_drops_counts_only_where_time_is_short() {
    let start = crate::test_epoch();
    for (share, expected) in [(0.5, 0), (1.0, 3)] {
        let mut overload = Overload::default();
        for n in 0..4 {
            overload.handle(start + n * SAMPLE, Load { lost: 5, ..load(share, 0) });
        }
        assert_eq!(overload.level().get(), expected);
    }
}

#[test]
fn each_level_lets_go_no_less_than_the_one_below_and_audio_never_goes() {
    let levels: Vec<Level> = (0..=Level::MAX.0).map(Level).collect();
    let rank = |cap: SubscriptionSettings| if cap.paused { 0 } else { 1 + cap.max_spatial };
    for id in (0..100).map(SubscriptionId) {
        for content in [Content::Camera { speaking: false }, Content::Camera { speaking: true }, Content::Screen] {
            let ranks: Vec<u8> = levels.iter().map(|level| rank(level.cap(content, id))).collect();
            assert!(ranks.is_sorted_by(|a, b| a >= b), "{content:?} {ranks:?}");
            assert_eq!((ranks[0], ranks[6]), (3, 0));
        }
        assert!(levels.iter().all(|level| level.cap(Content::Audio, id) == SubscriptionSettings::default()));
        let at = |level: usize, content| rank(levels[level].cap(content, id));
        let (quiet, speaks) = (Content::Camera { speaking: false }, Content::Camera { speaking: true });
        assert_eq!((at(4, quiet), at(4, speaks), at(4, Content::Screen)), (0, 1, 3));
        assert_eq!((at(5, speaks), at(5, Content::Screen)), (0, 1));
    }
    for step in [1, 2, 3] {
        let paused = (0..1000)
            .filter(|n| Level(3).cap(Content::Camera { speaking: false }, SubscriptionId(n * step)).paused)
            .count();
        assert!((400..600).contains(&paused), "{paused} of 1,000 where numbers go by {step}");
    }
}

#[test]
fn longer_turns_are_given_time_to_help_before_video_is_let_go() {
    let start = crate::test_epoch();
    let sample = Load {
        span: Duration::from_millis(100),
        busy: Duration::from_millis(98),
        late: Duration::from_millis(30),
        ..Load::default()
    };
    let rises = |relieved_for: u64| {
        let mut overload = Overload::default();
        let mut at = |n: u64| {
            let load = Load { relieved: n < relieved_for, ..sample };
            overload.handle(start + load.span * n as u32, load).is_some()
        };
        (0..20).find(|n| at(*n))
    };
    assert_eq!(rises(0), Some(2));
    assert_eq!(rises(5), Some(7));
}
