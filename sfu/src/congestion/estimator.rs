//! How much may be sent to one receiver: the delays' rate, capped by the losses', lifted by probes.

use super::busy::Busy;
use super::feedback::{self, Malformed};
use super::history::History;
use super::loss::Loss;
use super::own::Own;
use super::probe::{self, Cluster, Probes};
use super::rate::Rate;
use super::throughput::Throughput;
use super::trend::{Trend, Usage};
use std::time::{Duration, Instant};

/// Where it begins: audio and the lowest layer of half a dozen; probes lift it within a second. What a call begins with is decided by it,
/// and lines that take less are rare: there a queue shows within a quarter of a second.
pub const START: u64 = 1_000_000;
/// Below this few packets measure coarsely.
const COARSE: u64 = 400_000;
/// ... and where less than this was found, what a probe shows isn't taken for better than it is because of the jitter: four voices take half of
/// that, and wait in every queue that a mistake makes.
const NARROW: u64 = 1_000_000;
/// It never says less: the lowest rate at which a call makes sense.
pub const LEAST: u64 = 50_000;
/// ... nor more: beyond what one receiver is ever sent.
pub const MOST: u64 = 100_000_000;
/// A probe tries at most so much more than the estimate.
const PROBE_FACTOR: f64 = 2.5;
/// ... and of those before anything showed that the link is full, by so much: what a call begins with is a guess.
const FIRST_FACTOR: f64 = 5.0;
/// ... and a little more than is wanted, so that what is wanted fits with its own peaks.
const PROBE_MARGIN: f64 = 1.4;
/// ... hardly more once a queue showed that the link is full: what a probe takes beyond its aim it takes from whoever shares the link.
/// Who has little needs the margin.
const FULL_MARGIN: f64 = 1.15;
/// ... and leaves no queue that takes longer than this, if the link takes what is estimated: who hears four voices on 500 kbit/s waited 300 ms
/// for them every few seconds.
const FULL_QUEUE: Duration = Duration::from_millis(60);
/// A probe that finds so many times what was known got on, whole or not: where the way isn't even, few are whole.
const ADVANCE: f64 = 1.3;
/// What arrives below this share of the estimate says nothing about the link.
const LIMITED: f64 = 0.7;
/// First guess of a round trip.
const FIRST_RTT: Duration = Duration::from_millis(100);
/// What is on its way for no longer than this beside a round trip isn't counted as a queue: receivers tell within 250 ms, and what is sent now
/// comes only when a short queue is gone.
const FEEDBACK: Duration = Duration::from_millis(400);
/// A wait beyond what is usual that tells of a queue, in ms; ...
const QUEUE: f64 = 50.0;
/// ... and for so long after it was told: feedback comes every 250 ms at least, and where it stops nobody knows what waits.
const FRESH: Duration = Duration::from_millis(300);
/// What is on its way then may take the link so long beside a round trip: less than any queue of a home's router holds before 500 kbit/s,
/// and long enough that it doesn't run empty before the next is told of.
const STANDING: Duration = Duration::from_millis(500);
/// So many bytes may be on their way in any case: the measure is coarse where little is sent.
const LEAST_WINDOW: f64 = 10_000.0;
/// Round trips are the least of so long, or of twice that, so that neither the wait for feedback nor a queue is in them.
const RTT_WINDOW: Duration = Duration::from_secs(5);
/// Feedback that was silent for so long tells of an outage, not of a queue: the losses in it don't count.
const OUTAGE: Duration = Duration::from_millis(1_000);

/// What the estimate rests on; for logs and plots.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct State {
    /// The estimate, bits per second.
    pub estimate: u64,
    /// What the delays allow.
    pub delays: u64,
    /// What the losses allow, if they limit.
    pub losses: Option<u64>,
    /// What arrives.
    pub arrives: Option<u64>,
    /// Share lost lately.
    pub lost: f64,
    /// What the queue on the way does.
    pub usage: Usage,
    /// Round trip.
    pub rtt: Duration,
}

/// The least of the present window, and of the one before.
#[derive(Clone, Copy, Debug)]
struct RoundTrips {
    since: Instant,
    least: Duration,
    before: Duration,
}

/// One receiver's. Inputs: [`Estimator::sent`] for every packet with a transport-wide number, [`Estimator::handle_feedback`],
/// [`Estimator::handle_remb`], [`Estimator::want`], and [`Estimator::handle_timeout`] at [`Estimator::poll_timeout`].
///
/// A receiver that never sends transport-wide feedback or REMB has no estimate and isn't limited.
#[derive(Debug)]
pub struct Estimator {
    history: History,
    trend: Trend,
    throughput: Throughput,
    busy: Busy,
    own: Own,
    rate: Rate,
    loss: Loss,
    probes: Probes,
    /// Receiver's own word, where it sends REMB and no feedback.
    remb: Option<u64>,
    /// Feedback came.
    told: Option<Instant>,
    rtt: Option<RoundTrips>,
    /// What more than the estimate would be used, bits per second.
    wanted: u64,
    malformed: u64,
    /// The rate was cut once.
    full: bool,
    /// What waits on the way waits so long beyond what is usual, in ms, as of the newest packet that is known to have come.
    waits: f64,
}

impl Estimator {
    /// Nothing was sent yet.
    pub fn new(now: Instant) -> Self {
        Self {
            history: History::new(now),
            trend: Trend::default(),
            throughput: Throughput::default(),
            busy: Busy::default(),
            own: Own::default(),
            rate: Rate::new(START),
            loss: Loss::default(),
            probes: Probes::default(),
            remb: None,
            told: None,
            rtt: None,
            wanted: 0,
            malformed: 0,
            full: false,
            waits: 0.0,
        }
    }

    /// The transport-wide number of the next packet.
    pub fn next_number(&self) -> u16 {
        self.history.next_number()
    }

    /// Reads what [`Estimator::sent_at`] will need, before it is needed.
    pub fn warm(&self) -> usize {
        self.history.warm()
    }

    /// The packet with [`Estimator::next_number`] goes out; `probe`: as [`Estimator::cluster`] said.
    pub fn sent(&mut self, now: Instant, bytes: usize, probe: Option<u8>) {
        self.sent_at(self.micros(now), bytes, probe);
    }

    /// The same, for many packets of one moment: `at` is [`Estimator::micros`] of it.
    pub fn sent_at(&mut self, at: i64, bytes: usize, probe: Option<u8>) {
        if probe.is_some() {
            self.probes.sent(at, bytes);
        }
        self.history.sent(at, bytes, probe);
    }

    /// Microseconds since it began.
    pub fn micros(&self, now: Instant) -> i64 {
        self.history.micros(now)
    }

    /// Something showed that the link takes no more than is estimated, about: a queue, losses, or a probe. Until then the estimate
    /// is only what was tried.
    pub fn is_full(&self) -> bool {
        self.full
            || self.loss.cap().is_some()
            || self.probes.counts().1 > 0
            || self.told.is_none() && self.remb.is_some()
    }

    /// What may be sent, in bits per second; `None`: nobody knows.
    pub fn estimate(&self) -> Option<u64> {
        match (self.told, self.remb) {
            (None, remb) => remb,
            (Some(_), _) => Some(self.capped()),
        }
    }

    /// What to fill up with padding now, each packet marked with its id.
    pub fn cluster(&self, now: Instant) -> Option<Cluster> {
        self.probes.cluster(now)
    }

    /// So much would be sent if it could; zero: all that is wanted is sent.
    pub fn want(&mut self, now: Instant, wanted: u64) {
        self.wanted = wanted;
        self.probe(now);
    }

    /// No feedback came for a second: that is an outage.
    pub fn is_silent(&self, now: Instant) -> bool {
        self.told.is_some_and(|at| now.saturating_duration_since(at) > OUTAGE)
    }

    /// Takes in transport-wide feedback, header included.
    ///
    /// # Errors
    /// If it is malformed; what could be read of it counts.
    pub fn handle_feedback(&mut self, now: Instant, packet: &[u8]) -> Result<(), Malformed> {
        let silent = self.is_silent(now);
        self.told = Some(now);
        if silent {
            self.probes.begin_anew();
        }
        let (history, trend, throughput) = (&mut self.history, &mut self.trend, &mut self.throughput);
        let (loss, probes, rate) = (&mut self.loss, &mut self.probes, &mut self.rate);
        let (busy, own, waits) = (&mut self.busy, &mut self.own, &mut self.waits);
        let mut newest = None;
        let read = feedback::read(packet, |arrival| {
            let Some(sent) = history.learn(now, arrival.number, arrival.at.is_some()) else { return };
            if !silent {
                loss.told(arrival.at.is_some());
            }
            let behind = own.sent(sent.at, sent.bytes, rate.get());
            let Some(at) = arrival.at else { return };
            newest = newest.max(Some(sent.at));
            let wait = trend.arrived(sent.at, at, behind);
            *waits = wait;
            busy.arrived(at, sent.bytes, wait);
            throughput.arrived(at, sent.bytes);
            let shown = sent.probe.and_then(|id| probes.arrived(now, id, sent.at, at, sent.bytes));
            // A probe that found less than is known already found nothing new.
            if let Some(outcome) = shown
                && outcome.rate > rate.get()
            {
                if outcome.rate as f64 > ADVANCE * rate.get() as f64 {
                    probes.advanced(now);
                }
                rate.probed(now, outcome.rate);
            }
        });
        let newest = newest.map_or(FIRST_RTT, |newest| self.round_trip(now, newest));
        let arrives = self.throughput.rate();
        let limited = arrives.is_none_or(|arrives| (arrives as f64) < LIMITED * self.rate.get() as f64);
        // What a growing queue lets through is what the link takes; on average less may have been sent. One that is gone by now was a
        // frame's.
        let (usage, taken) = match (self.trend.usage(), self.busy.rate()) {
            (Usage::Over, None) => (Usage::Under, arrives),
            (Usage::Over, busy) => (Usage::Over, busy),
            (usage, _) => (usage, arrives),
        };
        if self.rate.update(now, usage, taken, (self.rtt(), newest), limited) {
            self.probes.congested(now, self.rate.get() as f64 / self.wanted.max(1) as f64);
            self.full = true;
        }
        self.rate.clamp(LEAST, MOST);
        self.loss.update(now, self.rate.get(), arrives);
        self.probe(now);
        read.inspect_err(|_| self.malformed += 1)
    }

    /// Takes in the receiver's own estimate, in bits per second.
    pub fn handle_remb(&mut self, rate: u64) {
        self.remb = Some(rate.clamp(LEAST, MOST));
    }

    /// When [`Estimator::handle_timeout`] has something to do.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.told.and_then(|_| self.probes.poll_timeout()).filter(|_| self.wanted > self.capped())
    }

    /// Ends probes that brought nothing, begins those that are due.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.probes.expire(now);
        self.probe(now);
    }

    /// What it rests on.
    pub fn state(&self) -> State {
        State {
            estimate: self.estimate().unwrap_or(MOST),
            delays: self.rate.get(),
            losses: self.loss.cap(),
            arrives: self.throughput.rate(),
            lost: self.loss.share(),
            usage: self.trend.usage(),
            rtt: self.rtt(),
        }
    }

    /// Probes begun, and those of them that failed.
    pub fn probes(&self) -> (u64, u64) {
        self.probes.counts()
    }

    /// Bytes on their way.
    pub fn in_flight(&self) -> usize {
        self.history.in_flight()
    }

    /// Bytes that may leave now where a queue stands on the way: more would only make it longer, or be dropped at its end. What waits here
    /// instead comes no later, as long as the queue doesn't run empty. `None`: no queue is known of.
    pub fn room(&self, now: Instant) -> Option<usize> {
        self.told.filter(|at| self.waits > QUEUE && now.saturating_duration_since(*at) < FRESH)?;
        let takes = self.busy.rate()? as f64 / 8.0;
        let window = (takes * (self.rtt() + STANDING).as_secs_f64()).max(LEAST_WINDOW);
        Some((window as usize).saturating_sub(self.in_flight()))
    }

    /// Bits on their way, and `bytes` that wait here, beyond what the link takes until their feedback comes: they stand in a queue.
    pub fn backlog(&self, bytes: usize) -> u64 {
        if self.trend.usage() != Usage::Over {
            return 0;
        }
        let usual = self.capped() as f64 * (self.rtt() + FEEDBACK).as_secs_f64();
        ((self.in_flight() + bytes) as f64 * 8.0 - usual).max(0.0) as u64
    }

    /// Round trip, at least.
    pub fn rtt(&self) -> Duration {
        self.rtt.map_or(FIRST_RTT, |window| window.least.min(window.before))
    }

    /// How much the way takes longer or shorter than usual without a queue, on average.
    pub fn jitter(&self) -> Duration {
        Duration::from_secs_f64(self.trend.jitter().max(0.0) / 1_000.0)
    }

    fn capped(&self) -> u64 {
        self.loss.cap().unwrap_or(MOST).min(self.rate.get()).clamp(LEAST, MOST)
    }

    /// Takes in when the newest packet that a feedback tells of was sent; returns how long ago that is: a round trip, queue and all.
    fn round_trip(&mut self, now: Instant, newest: i64) -> Duration {
        let sample = Duration::from_micros(u64::try_from(self.history.micros(now) - newest).unwrap_or(0));
        match &mut self.rtt {
            Some(window) if now.saturating_duration_since(window.since) < RTT_WINDOW => {
                window.least = window.least.min(sample);
            }
            window => {
                let before = window.map_or(sample, |window| window.least);
                *window = Some(RoundTrips { since: now, least: sample, before });
            }
        }
        sample
    }

    fn probe(&mut self, now: Instant) {
        let estimate = self.capped();
        let calm = self.trend.usage() == Usage::Normal && self.loss.cap().is_none();
        if self.told.is_none() || !calm || self.wanted <= estimate || !self.probes.may_start(now) {
            return;
        }
        let length = probe::length(self.trend.jitter());
        let known = self.full && estimate >= COARSE;
        let factor = match known {
            true => (1.0 + FULL_QUEUE.as_secs_f64() / length.as_secs_f64()).min(PROBE_FACTOR),
            false if self.is_full() => PROBE_FACTOR,
            false => FIRST_FACTOR,
        };
        let margin = if known { FULL_MARGIN } else { PROBE_MARGIN };
        let most = estimate as f64 * factor;
        let rate = (self.wanted as f64 * margin).min(most) as u64;
        let jitter = if known && estimate < NARROW { 0.0 } else { self.trend.jitter() };
        // Where voices wait for what probes do the wait stays: the longer it is, the more the next one tries.
        let share = if estimate < NARROW { 0.0 } else { estimate as f64 / self.wanted as f64 };
        self.probes.start(now, rate, length, self.rtt(), jitter, share);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_that_tells_nothing_is_not_limited_and_remb_is_believed() {
        let mut estimator = Estimator::new(crate::test_epoch());
        assert_eq!(estimator.estimate(), None);
        estimator.handle_remb(700_000);
        assert_eq!(estimator.estimate(), Some(700_000));
    }
}
