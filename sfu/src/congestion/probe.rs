//! Whether the link takes more: for a few tens of milliseconds packets go out at a higher rate, and how they arrive tells.

use std::time::{Duration, Instant};

/// How long a probe sends, on an even way ...
pub const DURATION: Duration = Duration::from_millis(40);
/// ... and where the way isn't even, longer by so many times its jitter, at most this.
const PER_JITTER: f64 = 4.0;
const MAX_DURATION: Duration = Duration::from_millis(150);
/// What came later than it was sent by this many times the jitter may have done so by chance; but by no more than this share of
/// the whole.
const BY_CHANCE: f64 = 2.0;
const MOST_BY_CHANCE: f64 = 0.4;
/// What packets wait for each other is jitter too; so much of it isn't counted, in microseconds.
const OWN: f64 = 6_000.0;
/// How often what is missing is filled up meanwhile.
pub const STEP: Duration = Duration::from_millis(5);
/// Fewer packets than this show nothing, however slow the probe.
const LEAST_PACKETS: u32 = 5;
/// Feedback must come within this, on top of the round trip.
const PATIENCE: Duration = Duration::from_millis(500);
/// This share of the packets must have arrived.
const ARRIVED: f64 = 0.8;
/// A link that gives less than this share of what was sent is full: then what arrived is a little too much.
const SATURATED: f64 = 0.9;
/// What is kept of it.
const KEPT: f64 = 0.95;
/// Between probes that succeed; and after failures, doubled each time up to the last, which is longer by the share that one has of what is
/// wanted: two who share a link and wait alike would probe in the same moment for ever, and each see the other's probe.
const NEXT: Duration = Duration::from_millis(100);
const BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_millis(2_500);
/// What a probe found, and the link didn't hold for so long, was somebody else's: the next waits longer, doubled each time up to the
/// last. Two who share a link would take it from each other for ever.
const HELD: Duration = Duration::from_secs(8);
const RELAPSE: Duration = Duration::from_secs(4);
const MAX_RELAPSE: Duration = Duration::from_secs(8);

/// That wait is for who has at least this share of what is wanted. Who has less waits so much less: of two who share a link, the one who
/// lost must not also be the one who waits.
const ENOUGH: f64 = 0.5;

/// How long a probe takes where the jitter is this, in ms.
pub fn length(jitter: f64) -> Duration {
    (DURATION + Duration::from_secs_f64((PER_JITTER * jitter).max(0.0) / 1_000.0)).min(MAX_DURATION)
}

/// What is to be sent now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cluster {
    /// Its packets are marked with it.
    pub id: u8,
    /// Bits per second.
    pub rate: u64,
    /// Bytes that are missing by now.
    pub owed: usize,
}

/// What a probe showed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// Bits per second that the link took.
    pub rate: u64,
    /// It took all that was sent.
    pub whole: bool,
}

#[derive(Clone, Copy, Debug, Default)]
struct Span {
    first: Option<(i64, usize)>,
    last: Option<(i64, usize)>,
    bytes: usize,
    packets: u32,
}

impl Span {
    fn add(&mut self, at: i64, bytes: usize) {
        if self.first.is_none_or(|(first, _)| at < first) {
            self.first = Some((at, bytes));
        }
        if self.last.is_none_or(|(last, _)| at >= last) {
            self.last = Some((at, bytes));
        }
        self.bytes += bytes;
        self.packets += 1;
    }

    /// Bits per second, without the bytes of the packet at the open end.
    fn rate(&self, without: Option<(i64, usize)>) -> Option<f64> {
        let ((first, _), (last, _)) = (self.first?, self.last?);
        let (span, (_, open)) = (last - first, without?);
        (span > 0).then(|| self.bytes.saturating_sub(open) as f64 * 8e6 / span as f64)
    }
}

#[derive(Clone, Copy, Debug)]
struct Running {
    id: u8,
    rate: u64,
    since: Instant,
    until: Instant,
    deadline: Instant,
    /// In microseconds.
    jitter: f64,
    sent: Span,
    sent_arrived: Span,
    arrived: Span,
}

/// See the module. [`Probes::start`] begins one; while [`Probes::cluster`] has it, all that is sent is marked, and padding fills
/// its rate.
#[derive(Debug, Default)]
pub struct Probes {
    running: Option<Running>,
    next_id: u8,
    not_before: Option<Instant>,
    failures: u32,
    /// The least that there was of what is wanted since the last one began.
    share: f64,
    /// When one last found more, and how often that didn't hold.
    found: Option<Instant>,
    relapses: u32,
    /// Begun, and found that the link takes no more.
    counts: (u64, u64),
}

impl Probes {
    /// How many were begun, and how many of them failed.
    pub fn counts(&self) -> (u64, u64) {
        self.counts
    }

    /// There was an outage, and what is found behind it may be another link: the next one needn't wait for what failed before.
    pub fn begin_anew(&mut self) {
        let counts = (self.counts.0, self.counts.1 + u64::from(self.running.is_some()));
        *self = Self { next_id: self.next_id, counts, ..Self::default() };
    }

    /// Whether one may begin.
    pub fn may_start(&self, now: Instant) -> bool {
        self.running.is_none() && self.not_before.is_none_or(|at| at <= now)
    }

    /// When [`Probes::may_start`] or [`Probes::expire`] changes by itself.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.running.map(|running| running.deadline).or(self.not_before)
    }

    /// Begins to probe for `rate`, for as long as [`length`] says; `jitter` in ms. `share`: what there is of what is wanted, as far as it counts.
    pub fn start(&mut self, now: Instant, rate: u64, duration: Duration, rtt: Duration, jitter: f64, share: f64) {
        let id = self.next_id;
        self.counts.0 += 1;
        self.share = share;
        self.next_id = (id + 1) % 128;
        self.running = Some(Running {
            id,
            rate,
            since: now,
            until: now + duration,
            deadline: now + duration + rtt + PATIENCE,
            jitter: jitter * 1_000.0,
            sent: Span::default(),
            sent_arrived: Span::default(),
            arrived: Span::default(),
        });
    }

    /// What is to be filled up with padding at this moment.
    pub fn cluster(&self, now: Instant) -> Option<Cluster> {
        let running = self.running.as_ref().filter(|r| now < r.until || r.sent.packets < LEAST_PACKETS)?;
        let elapsed = now.saturating_duration_since(running.since) + STEP;
        let due = running.rate as f64 / 8.0 * elapsed.as_secs_f64();
        let owed = (due as usize).saturating_sub(running.sent.bytes);
        Some(Cluster { id: running.id, rate: running.rate, owed })
    }

    /// A packet of the cluster was sent; time in microseconds, as everywhere below.
    pub fn sent(&mut self, at: i64, bytes: usize) {
        if let Some(running) = &mut self.running {
            running.sent.add(at, bytes);
        }
    }

    /// A packet of probe `id` came. Returns what the probe showed, once enough came.
    pub fn arrived(&mut self, now: Instant, id: u8, sent: i64, arrival: i64, bytes: usize) -> Option<Outcome> {
        let running = self.running.as_mut().filter(|r| r.id == id)?;
        running.sent_arrived.add(sent, bytes);
        running.arrived.add(arrival, bytes);
        let over = now >= running.until && running.sent.packets >= LEAST_PACKETS;
        if !over || f64::from(running.arrived.packets) < ARRIVED * f64::from(running.sent.packets) {
            return None;
        }
        let running = self.running.take()?;
        let outcome = running.outcome();
        let good = outcome.is_some_and(|outcome| outcome.whole);
        if good {
            if self.found.is_some_and(|at| now.saturating_duration_since(at) >= HELD) {
                self.relapses = 0;
            }
            self.found = Some(now);
        }
        self.counts.1 += u64::from(!good);
        self.ended(now, good);
        outcome
    }

    /// Gives up on one that brought nothing. Returns whether it did.
    pub fn expire(&mut self, now: Instant) -> bool {
        let over = self.running.is_some_and(|running| now >= running.deadline);
        if over {
            self.running = None;
            self.counts.1 += 1;
            self.ended(now, false);
        }
        over
    }

    /// What the last one found was much more than was known, if not all: the next needn't wait long.
    pub fn advanced(&mut self, now: Instant) {
        self.failures = self.failures.min(1).saturating_sub(1);
        self.not_before = self.not_before.min(Some(now + BACKOFF / 2));
    }

    /// The link is full: a probe would only do harm. `share`: what there is of what is wanted.
    pub fn congested(&mut self, now: Instant, share: f64) {
        self.counts.1 += u64::from(self.running.take().is_some());
        self.share = self.share.min(share);
        self.ended(now, false);
        if self.found.take().is_some_and(|at| now.saturating_duration_since(at) < HELD) {
            self.relapses += 1;
            let wait = (RELAPSE * 2u32.pow((self.relapses - 1).min(8))).min(MAX_RELAPSE);
            let wait = wait.mul_f64((share / ENOUGH).min(1.0));
            self.not_before = self.not_before.max(Some(now + wait));
        }
    }

    fn ended(&mut self, now: Instant, good: bool) {
        self.failures = if good { 0 } else { self.failures.saturating_add(1) };
        let wait = match self.failures {
            0 => NEXT,
            n @ 1..=3 => BACKOFF * 2u32.pow(n - 1),
            _ => MAX_BACKOFF.mul_f64(1.0 + self.share),
        };
        self.not_before = Some(now + wait);
    }
}

impl Running {
    fn outcome(&self) -> Option<Outcome> {
        // The last packet's own bytes take no time on the sending side, the first one's none on the receiving side.
        let sent = self.sent_arrived.rate(self.sent_arrived.last)?;
        let length = |span: Span| span.first.zip(span.last).map_or(0, |((first, _), (last, _))| last - first) as f64;
        let chance = (BY_CHANCE * (self.jitter - OWN).max(0.0)).min(MOST_BY_CHANCE * length(self.arrived));
        let longer = length(self.arrived) / (length(self.arrived) - chance).max(1.0);
        let arrived = self.arrived.rate(self.arrived.first).map_or(f64::INFINITY, |rate| rate * longer);
        let whole = arrived >= SATURATED * sent;
        let rate = if whole { sent.min(arrived) } else { arrived * KEPT };
        Some(Outcome { rate: rate as u64, whole })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sends a probe at `rate` through a link of `capacity`; the outcome.
    fn probe(rate: u64, capacity: u64, lose: usize) -> Option<Outcome> {
        let now = crate::test_epoch();
        let mut probes = Probes::default();
        probes.start(now, rate, DURATION, Duration::from_millis(50), 0.0, 0.0);
        let id = probes.cluster(now).unwrap().id;
        let gap = 1_000 * 8 * 1_000_000 / rate as i64;
        let sends: Vec<i64> = (0..).map(|n| n * gap).take_while(|at| *at < 40_000).collect();
        sends.iter().for_each(|at| probes.sent(*at, 1_000));
        let (mut free, mut outcome) = (0, None);
        for (n, at) in sends.iter().enumerate() {
            free = free.max(*at) + 1_000 * 8 * 1_000_000 / capacity as i64;
            if n >= lose {
                let done = probes.arrived(now + Duration::from_millis(100), id, *at, 9_000_000 + free, 1_000);
                outcome = outcome.or(done);
            }
        }
        outcome
    }

    #[test]
    fn a_free_link_shows_the_rate_and_a_full_one_its_capacity() {
        let free = probe(2_000_000, 1_000_000_000, 0).unwrap();
        assert!(free.whole && (1_850_000..2_100_000).contains(&free.rate), "{free:?}");
        let full = probe(2_000_000, 1_000_000, 0).unwrap();
        assert!(!full.whole && (900_000..1_000_000).contains(&full.rate), "{full:?}");
    }

    #[test]
    fn who_lost_all_of_a_shared_link_tries_again_soon_and_who_has_most_of_it_does_not() {
        let start = crate::test_epoch();
        let waits = [0.05, 0.5, 1.0].map(|share| {
            let (mut probes, mut now) = (Probes::default(), start);
            // What is found is lost again, three times.
            for _ in 0..3 {
                probes.found = Some(now);
                now += Duration::from_secs(1);
                probes.congested(now, share);
            }
            (probes.poll_timeout().unwrap() - now).as_millis()
        });
        assert!(waits[0] <= 2_500 && waits[1] > 7_500 && waits[2] == 8_000, "{waits:?}");
    }

    #[test]
    fn a_probe_that_is_mostly_lost_shows_nothing_and_the_next_waits_longer_each_time() {
        assert_eq!(probe(2_000_000, 1_000_000_000, 5), None);
        assert_eq!(waits(0.0), [500, 1_000, 2_000, 2_500, 2_500]);
    }

    #[test]
    fn two_who_share_a_link_and_have_not_the_same_of_it_do_not_probe_in_the_same_moment_for_ever() {
        assert_eq!([waits(0.25), waits(0.5)].map(|waits| waits[4]), [3_125, 3_750]);
    }

    /// What follows after each of five failures, in ms.
    fn waits(share: f64) -> Vec<u128> {
        let mut now = crate::test_epoch();
        let mut probes = Probes::default();
        let mut waits = Vec::new();
        for _ in 0..5 {
            probes.start(now, 1_000_000, DURATION, Duration::ZERO, 0.0, share);
            now = probes.poll_timeout().unwrap();
            assert!(probes.expire(now));
            let next = probes.poll_timeout().unwrap();
            waits.push((next - now).as_millis());
            assert!(!probes.may_start(now) && probes.may_start(next));
            now = next;
        }
        waits
    }
}
