//! The estimator on a link of its own: packets out, feedback back, nothing else.

use super::*;
use crate::congestion::twcc::Recorder;
use crate::id::Ssrc;
use std::collections::VecDeque;

/// A bottleneck with a drop-tail queue and the same delay each way.
struct Link {
    now: Instant,
    capacity: u64,
    delay: Duration,
    /// Longest wait in the queue.
    queue: Duration,
    free: Instant,
    arriving: VecDeque<(Instant, u16)>,
    feedback: VecDeque<(Instant, Vec<u8>)>,
    recorder: Recorder,
    estimator: Estimator,
    budget: f64,
    /// Lose every n-th packet.
    lose: Option<u64>,
    sent: u64,
    worst_queue: Duration,
    delivered: u64,
}

const PACKET: usize = 1_200;
const STEP: Duration = Duration::from_millis(1);

impl Link {
    fn new(capacity: u64) -> Self {
        let now = crate::test_epoch();
        Self {
            now,
            capacity,
            delay: Duration::from_millis(25),
            queue: Duration::from_millis(500),
            free: now,
            arriving: VecDeque::new(),
            feedback: VecDeque::new(),
            recorder: Recorder::new(now),
            estimator: Estimator::new(now),
            budget: 0.0,
            lose: None,
            sent: 0,
            worst_queue: Duration::ZERO,
            delivered: 0,
        }
    }

    fn send(&mut self, probe: Option<u8>) {
        let number = self.estimator.next_number();
        self.estimator.sent(self.now, PACKET, probe);
        self.sent += 1;
        let waits = self.free.saturating_duration_since(self.now);
        if waits > self.queue || self.lose.is_some_and(|n| self.sent.is_multiple_of(n)) {
            return;
        }
        self.worst_queue = self.worst_queue.max(waits);
        self.free = self.free.max(self.now) + Duration::from_secs_f64(PACKET as f64 * 8.0 / self.capacity as f64);
        self.arriving.push_back((self.free + self.delay, number));
    }

    /// Sends as much as the estimate allows, but not more than `most`, for so long.
    fn run(&mut self, time: Duration, most: u64) {
        (self.worst_queue, self.delivered) = (Duration::ZERO, 0);
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            let cluster = self.estimator.cluster(self.now);
            let estimate = self.estimator.estimate().unwrap_or(START);
            let rate = cluster.map_or(most.min(estimate), |cluster| cluster.rate);
            self.budget = (self.budget + rate as f64 / 8.0 * STEP.as_secs_f64()).min(4.0 * PACKET as f64);
            while self.budget >= PACKET as f64 {
                self.budget -= PACKET as f64;
                self.send(cluster.map(|cluster| cluster.id));
            }
            while let Some((at, number)) = self.arriving.front().copied().filter(|(at, _)| *at <= self.now) {
                self.arriving.pop_front();
                self.delivered += PACKET as u64;
                self.recorder.record(at, number);
            }
            let mut raw = Vec::new();
            if self.recorder.poll(self.now, Ssrc(1), Ssrc(2), &mut raw) {
                self.feedback.push_back((self.now + self.delay, raw));
            }
            while let Some((_, raw)) = self.feedback.pop_front_if(|(at, _)| *at <= self.now) {
                self.estimator.handle_feedback(self.now, &raw).unwrap();
            }
            self.estimator.handle_timeout(self.now);
            self.estimator.want(self.now, if most > estimate { most } else { 0 });
        }
    }

    fn rate(&self, time: Duration) -> f64 {
        self.delivered as f64 * 8.0 / time.as_secs_f64()
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn on_a_free_link_the_wanted_rate_is_reached_within_two_seconds() {
    let mut link = Link::new(100_000_000);
    link.run(2 * SECOND, 2_000_000);
    assert!(link.estimator.estimate() >= Some(2_000_000), "{:?}", link.estimator.state());
}

#[test]
fn a_bottleneck_is_used_and_its_queue_stays_short() {
    let mut link = Link::new(1_000_000);
    link.run(20 * SECOND, 5_000_000);
    link.run(20 * SECOND, 5_000_000);
    let used = link.rate(20 * SECOND);
    assert!(used > 850_000.0, "{used} {:?}", link.estimator.state());
    assert!(link.worst_queue < Duration::from_millis(250), "{:?}", link.worst_queue);
}

#[test]
fn a_link_that_shrinks_is_followed_within_a_second_and_one_that_grows_within_ten() {
    let mut link = Link::new(3_000_000);
    link.run(10 * SECOND, 2_000_000);
    assert!(link.estimator.estimate() >= Some(1_900_000), "{:?}", link.estimator.state());
    link.capacity = 500_000;
    link.run(SECOND, 2_000_000);
    assert!(link.estimator.estimate() < Some(600_000), "{:?}", link.estimator.state());
    link.run(2 * SECOND, 2_000_000);
    link.run(10 * SECOND, 2_000_000);
    assert!(link.worst_queue < Duration::from_millis(250), "{:?}", link.worst_queue);
    link.capacity = 3_000_000;
    link.run(10 * SECOND, 2_000_000);
    assert!(link.estimator.estimate() >= Some(1_900_000), "{:?}", link.estimator.state());
}

#[test]
fn five_percent_of_random_loss_leave_the_rate_alone() {
    let mut link = Link::new(3_000_000);
    link.lose = Some(20);
    link.run(20 * SECOND, 2_000_000);
    assert!(link.estimator.estimate() >= Some(1_900_000), "{:?}", link.estimator.state());
}

#[test]
fn after_heavy_loss_the_rate_is_back_within_two_seconds() {
    let mut link = Link::new(3_000_000);
    link.run(5 * SECOND, 1_700_000);
    link.lose = Some(4);
    link.run(10 * SECOND, 1_700_000);
    assert!(link.estimator.estimate() < Some(1_600_000), "{:?}", link.estimator.state());
    link.lose = None;
    link.run(2 * SECOND, 1_700_000);
    assert!(link.estimator.estimate() >= Some(1_650_000), "{:?}", link.estimator.state());
}

#[test]
fn a_receiver_that_tells_nothing_is_not_limited_and_remb_is_believed() {
    let now = crate::test_epoch();
    let mut estimator = Estimator::new(now);
    assert_eq!(estimator.estimate(), None);
    estimator.handle_remb(700_000);
    assert_eq!(estimator.estimate(), Some(700_000));
}
