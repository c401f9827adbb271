//! Whether the queue on the way to a receiver grows, from how send and arrival times drift apart: groups of packets, a line
//! fitted through their delays, and a threshold that adapts (draft-ietf-rmcat-gcc-02 sections 5.2 to 5.4; the line instead of the
//! Kalman filter as browsers have it since 2016).

use std::collections::VecDeque;

/// Packets sent within this time are one group, in microseconds.
const GROUP: i64 = 5_000;
/// Packets that come so close together after a wait are one group too: something on the way let them go at once.
const BURST: i64 = 5_000;
/// The longest such burst.
const MAX_BURST: i64 = 100_000;
/// Groups that the line is fitted through.
const WINDOW: usize = 20;
/// Weight of the past in the smoothed delay.
const SMOOTHING: f64 = 0.9;
/// The slope is a pure number; this brings it to the scale of the threshold (ms).
const GAIN: f64 = 4.0;
/// Groups after which the trend is trusted in full.
const MAX_DELTAS: f64 = 60.0;
/// First threshold, and its bounds, in ms.
const THRESHOLD: f64 = 12.5;
const MIN_THRESHOLD: f64 = 6.0;
const MAX_THRESHOLD: f64 = 600.0;
/// How fast the threshold follows the trend up and down, per ms.
const UP: f64 = 0.0087;
const DOWN: f64 = 0.039;
/// Trends this far above the threshold are jumps of the route, not of the queue.
const MAX_ADAPT: f64 = 15.0;
/// The trend must be above the threshold for so long, in ms, before it counts.
const OVERUSE_TIME: f64 = 10.0;
/// A queue that costs less than this above what is usual, in ms, is jitter: packets that wait for each other in a radio or a
/// scheduler.
const LEAST_QUEUE: f64 = 25.0;
/// More than this isn't usual, in ms: a queue that stands must not become the rule.
const MOST_USUAL: f64 = 50.0;
/// Weight of a group in what is usual: a second or so.
const USUAL_WEIGHT: f64 = 0.02;
/// A wait of so much above what is usual, in ms, and of so many times the jitter, is a queue without a line fitted through it, ...
const LONG_WAIT: f64 = 50.0;
const JITTERS: f64 = 3.0;
/// ... if it lasts for so long, in microseconds, and doesn't shrink by more than this, in ms: what a radio held back comes at once.
const LASTING: i64 = 15_000;
const SHRINKS: f64 = 5.0;
/// The shortest way is that of so long, in microseconds; clocks drift and routes change.
const BASE_WINDOW: i64 = 10_000_000;
/// A gap in arrivals beyond this means that the receiver's clock jumped, in microseconds.
const CLOCK_JUMP: i64 = 3_000_000;

/// What the queue on the way does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Usage {
    /// It is even.
    #[default]
    Normal,
    /// It grows.
    Over,
    /// It drains.
    Under,
}

#[derive(Clone, Copy, Debug)]
struct Group {
    first_sent: i64,
    sent: i64,
    first_arrival: i64,
    arrival: i64,
}

/// See the module. Its input is [`Trend::arrived`]; times are microseconds.
#[derive(Debug)]
pub struct Trend {
    current: Option<Group>,
    previous: Option<Group>,
    /// Arrival (ms since the first) and smoothed delay (ms) of the last groups.
    points: VecDeque<(f64, f64)>,
    origin: i64,
    deltas: f64,
    accumulated: f64,
    smoothed: f64,
    threshold: f64,
    last_update: Option<i64>,
    last_trend: f64,
    over_for: Option<f64>,
    over_count: u32,
    usage: Usage,
    base: Base,
    /// Smoothed wait above the shortest way, in ms.
    queue: f64,
    /// What it is when all is well, the mean difference from that, and after how many groups.
    usual: f64,
    deviation: f64,
    groups: f64,
    /// Since when packets wait long, and how long the first of them did.
    long: Option<(i64, f64)>,
    /// Of the newest packet, in ms.
    above: f64,
}

/// The shortest way (arrival less sending, the clocks' difference included) of the present window and of the one before.
#[derive(Clone, Copy, Debug, Default)]
struct Base {
    since: i64,
    present: Option<i64>,
    before: Option<i64>,
}

impl Base {
    /// Takes in a packet's way; returns how much longer it was than the shortest.
    fn above(&mut self, sent: i64, way: i64) -> i64 {
        if sent - self.since > BASE_WINDOW {
            (self.since, self.before, self.present) = (sent, self.present, None);
        }
        let present = self.present.map_or(way, |least| least.min(way));
        self.present = Some(present);
        way - self.before.map_or(present, |least| least.min(present))
    }
}

impl Default for Trend {
    fn default() -> Self {
        Self {
            current: None,
            previous: None,
            points: VecDeque::with_capacity(0),
            origin: 0,
            deltas: 0.0,
            accumulated: 0.0,
            smoothed: 0.0,
            threshold: THRESHOLD,
            last_update: None,
            last_trend: 0.0,
            over_for: None,
            over_count: 0,
            usage: Usage::Normal,
            base: Base::default(),
            queue: 0.0,
            usual: 0.0,
            deviation: 0.0,
            groups: 0.0,
            long: None,
            above: 0.0,
        }
    }
}

impl Trend {
    /// What the queue does, as of the last packet.
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// How much the way takes longer or shorter than usual without a queue, on average, in ms.
    pub fn jitter(&self) -> f64 {
        self.deviation
    }

    /// Takes in a packet that came: when it was sent (our clock), when it came (theirs), and how long it had to wait behind others of
    /// ours, in ms. Returns how much longer it took than that and what is usual without a queue, in ms.
    pub fn arrived(&mut self, sent: i64, arrival: i64, behind: f64) -> f64 {
        let whole = self.base.above(sent, arrival - sent) as f64 / 1_000.0;
        let above = (whole - behind).max(0.0);
        self.above = above;
        self.queue = SMOOTHING * self.queue + (1.0 - SMOOTHING) * above;
        self.group(sent, arrival);
        let wait = above - self.usual;
        if wait < LONG_WAIT + JITTERS * self.deviation {
            self.long = None;
        } else {
            let (since, first) = *self.long.get_or_insert((arrival, wait));
            if arrival - since >= LASTING {
                self.usage = if wait >= first - SHRINKS { Usage::Over } else { self.usage };
                self.long = Some((arrival, wait));
            }
        }
        wait
    }

    fn get_used_to(&mut self, above: f64) {
        if self.usage != Usage::Normal || above > 2.0 * MOST_USUAL {
            return;
        }
        self.groups += 1.0;
        let weight = USUAL_WEIGHT.max(1.0 / self.groups);
        self.usual += weight * (above - self.usual);
        self.usual = self.usual.min(MOST_USUAL);
        self.deviation += weight * ((above - self.usual).abs() - self.deviation);
    }

    fn group(&mut self, sent: i64, arrival: i64) {
        let Some(group) = &mut self.current else {
            self.current = Some(Group { first_sent: sent, sent, first_arrival: arrival, arrival });
            return;
        };
        if sent < group.first_sent {
            // Reordered on the way: it would turn the order of groups round.
            return;
        }
        let gap = arrival - group.arrival;
        if gap.abs() > CLOCK_JUMP {
            *self = Self { threshold: self.threshold, usage: self.usage, ..Self::default() };
            self.current = Some(Group { first_sent: sent, sent, first_arrival: arrival, arrival });
            return;
        }
        let drained = gap - (sent - group.sent) < 0 && gap <= BURST && arrival - group.first_arrival < MAX_BURST;
        if sent - group.first_sent <= GROUP || drained {
            group.sent = group.sent.max(sent);
            group.arrival = group.arrival.max(arrival);
            return;
        }
        let done = *group;
        self.current = Some(Group { first_sent: sent, sent, first_arrival: arrival, arrival });
        if let Some(previous) = self.previous.replace(done) {
            self.grouped(done.sent - previous.sent, done.arrival - previous.arrival, done.arrival);
        }
    }

    fn grouped(&mut self, sent_delta: i64, arrival_delta: i64, arrival: i64) {
        if arrival_delta < 0 {
            return;
        }
        if self.points.is_empty() {
            self.origin = arrival;
        }
        let ms = |micros: i64| micros as f64 / 1_000.0;
        self.get_used_to(self.above);
        self.deltas = (self.deltas + 1.0).min(MAX_DELTAS);
        self.accumulated += ms(arrival_delta) - ms(sent_delta);
        self.smoothed = SMOOTHING * self.smoothed + (1.0 - SMOOTHING) * self.accumulated;
        self.points.push_back((ms(arrival - self.origin), self.smoothed));
        if self.points.len() > WINDOW {
            self.points.pop_front();
        }
        let slope = if self.points.len() == WINDOW { slope(&self.points) } else { None };
        if let Some(slope) = slope {
            self.detect(slope, ms(sent_delta), arrival);
        }
    }

    fn detect(&mut self, slope: f64, sent_delta: f64, arrival: i64) {
        let trend = self.deltas * slope * GAIN;
        if trend > self.threshold {
            // The first time, it may have been so for half of the interval.
            let over_for = self.over_for.map_or(sent_delta / 2.0, |over| over + sent_delta);
            self.over_for = Some(over_for);
            self.over_count += 1;
            if over_for > OVERUSE_TIME
                && self.over_count > 1
                && trend >= self.last_trend
                && self.queue > self.usual + LEAST_QUEUE
            {
                (self.over_for, self.over_count) = (Some(0.0), 0);
                self.usage = Usage::Over;
            }
        } else {
            (self.over_for, self.over_count) = (None, 0);
            self.usage = if trend < -self.threshold { Usage::Under } else { Usage::Normal };
        }
        self.last_trend = trend;
        self.adapt(trend, arrival);
    }

    fn adapt(&mut self, trend: f64, arrival: i64) {
        let last = self.last_update.replace(arrival).unwrap_or(arrival);
        if trend.abs() > self.threshold + MAX_ADAPT {
            return;
        }
        let rate = if trend.abs() < self.threshold { DOWN } else { UP };
        let elapsed = ((arrival - last) as f64 / 1_000.0).min(100.0);
        self.threshold += rate * (trend.abs() - self.threshold) * elapsed;
        self.threshold = self.threshold.clamp(MIN_THRESHOLD, MAX_THRESHOLD);
    }
}

/// Least squares.
fn slope(points: &VecDeque<(f64, f64)>) -> Option<f64> {
    let n = points.len() as f64;
    let (x, y) = points.iter().fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let (above, below) =
        points.iter().fold((0.0, 0.0), |(a, b), p| (a + (p.0 - x) * (p.1 - y), b + (p.0 - x) * (p.0 - x)));
    (below > 0.0).then(|| above / below)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    /// Sends a packet every 10 ms for `seconds` over a way whose delay (in microseconds) is `delay(now)`; returns the share of
    /// packets after which it was `usage`.
    fn share(trend: &mut Trend, from: i64, seconds: i64, usage: Usage, mut delay: impl FnMut(i64) -> i64) -> f64 {
        let mut hits = 0;
        let steps = seconds * 100;
        for step in 0..steps {
            let sent = from + step * 10_000;
            trend.arrived(sent, 7_000_000 + sent + delay(sent - from), 0.0);
            hits += i64::from(trend.usage() == usage);
        }
        hits as f64 / steps as f64
    }

    #[test]
    fn an_even_way_is_normal_and_a_growing_queue_is_found_within_a_third_of_a_second() {
        let mut trend = Trend::default();
        assert_eq!(share(&mut trend, 0, 10, Usage::Normal, |_| 30_000), 1.0);
        // 20% more than the link takes: the delay grows by 0.2 s each second.
        let over = share(&mut trend, 10_000_000, 1, Usage::Over, |t| 30_000 + t / 5);
        assert!(over > 0.66, "{over}");
        let under = share(&mut trend, 11_000_000, 1, Usage::Under, |t| 230_000 - t / 5);
        assert!(under > 0.4, "{under}");
    }

    #[test]
    fn jitter_of_thirty_milliseconds_is_no_congestion() {
        let mut trend = Trend::default();
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let over = share(&mut trend, 0, 120, Usage::Over, |_| 30_000 + rng.random_range(0..30_000));
        assert_eq!(over, 0.0);
    }

    #[test]
    fn a_receivers_clock_that_jumps_or_drifts_does_no_harm() {
        let mut trend = Trend::default();
        share(&mut trend, 0, 5, Usage::Normal, |_| 0);
        let over = share(&mut trend, 5_000_000, 5, Usage::Over, |_| 100_000_000);
        let drift = share(&mut trend, 10_000_000, 60, Usage::Over, |t| 100_000_000 + t / 5_000);
        assert_eq!((over, drift), (0.0, 0.0));
    }
}
