//! A bottleneck with a drop-tail queue, a sender that keeps to its estimator and a receiver that sends transport-wide feedback:
//! nothing else, in virtual time.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use ramai_sfu::congestion::estimator::{Estimator, START};
use ramai_sfu::congestion::feedback;
use ramai_sfu::congestion::history::History;
use ramai_sfu::congestion::probe::Cluster;
use ramai_sfu::congestion::twcc::Recorder;
use ramai_sfu::id::Ssrc;
use rtc_interceptor::{BandwidthEstimator, Gcc, PacketReport};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// What decides how much is sent.
pub trait Control {
    fn next_number(&self) -> u16;
    fn sent(&mut self, now: Instant, bytes: usize, probe: Option<u8>);
    fn feedback(&mut self, now: Instant, raw: &[u8]);
    fn estimate(&self) -> u64;
    fn cluster(&self, _now: Instant) -> Option<Cluster> {
        None
    }
    fn tick(&mut self, _now: Instant, _wanted: u64) {}
}

impl Control for Estimator {
    fn next_number(&self) -> u16 {
        self.next_number()
    }
    fn sent(&mut self, now: Instant, bytes: usize, probe: Option<u8>) {
        self.sent(now, bytes, probe);
    }
    fn feedback(&mut self, now: Instant, raw: &[u8]) {
        self.handle_feedback(now, raw).unwrap();
    }
    fn estimate(&self) -> u64 {
        self.estimate().unwrap_or(START)
    }
    fn cluster(&self, now: Instant) -> Option<Cluster> {
        self.cluster(now)
    }
    fn tick(&mut self, now: Instant, wanted: u64) {
        self.handle_timeout(now);
        self.want(now, wanted);
    }
}

/// The library's, fed as its own interceptor would.
pub struct Library {
    gcc: Gcc,
    history: History,
    begin: Instant,
    id: u64,
}

impl Library {
    pub fn new(now: Instant) -> Self {
        Self { gcc: Gcc::new(START as f64, 50_000.0, 100_000_000.0), history: History::new(now), begin: now, id: 0 }
    }
}

impl Control for Library {
    fn next_number(&self) -> u16 {
        self.history.next_number()
    }
    fn sent(&mut self, now: Instant, bytes: usize, _probe: Option<u8>) {
        self.history.sent(self.history.micros(now), bytes, None);
    }
    fn feedback(&mut self, now: Instant, raw: &[u8]) {
        let mut reports = Vec::new();
        feedback::read(raw, |arrival| {
            let Some(sent) = self.history.learn(now, arrival.number, arrival.at.is_some()) else { return };
            self.id += 1;
            reports.push(PacketReport {
                ssrc: 1,
                id: self.id,
                rtp_sequence_number: arrival.number,
                is_twcc: true,
                twcc_sequence_number: arrival.number,
                size: sent.bytes,
                arrived: arrival.at.is_some(),
                departure: self.begin + Duration::from_micros(sent.at as u64),
                arrival: arrival.at.map(|at| Duration::from_micros(at as u64)),
                ecn: Default::default(),
            });
        })
        .unwrap();
        self.gcc.on_reports(now, &reports);
    }
    fn estimate(&self) -> u64 {
        self.gcc.target_bitrate() as u64
    }
}

/// See the module.
pub struct Link<C> {
    pub now: Instant,
    /// Bits per second.
    pub capacity: u64,
    /// Each way.
    pub delay: Duration,
    /// Up to so much more for each packet, at random.
    pub jitter: Duration,
    /// Longest wait in the queue.
    pub queue: Duration,
    /// Lose every n-th packet.
    pub lose: Option<u64>,
    pub control: C,
    /// Of the last run.
    pub worst_queue: Duration,
    /// Bytes that came in the last run.
    pub delivered: u64,
    free: Instant,
    arriving: VecDeque<(Instant, u16)>,
    feedback: VecDeque<(Instant, Vec<u8>)>,
    recorder: Recorder,
    budget: f64,
    sent: u64,
    random: u64,
}

pub const PACKET: usize = 1_200;
const STEP: Duration = Duration::from_millis(1);
/// Bits per second of the layers that may be sent.
pub const LAYERS: [u64; 3] = [150_000, 500_000, 1_700_000];

impl<C: Control> Link<C> {
    #[allow(clippy::disallowed_methods, reason = "an Instant can't be made otherwise; only differences matter")]
    pub fn new(capacity: u64, control: impl FnOnce(Instant) -> C) -> Self {
        let now = Instant::now();
        Self {
            now,
            capacity,
            delay: Duration::from_millis(25),
            jitter: Duration::ZERO,
            queue: Duration::from_millis(500),
            lose: None,
            control: control(now),
            worst_queue: Duration::ZERO,
            delivered: 0,
            free: now,
            arriving: VecDeque::new(),
            feedback: VecDeque::new(),
            recorder: Recorder::new(now),
            budget: 0.0,
            sent: 0,
            random: 1,
        }
    }

    fn send(&mut self, probe: Option<u8>) {
        let number = self.control.next_number();
        self.control.sent(self.now, PACKET, probe);
        self.sent += 1;
        let waits = self.free.saturating_duration_since(self.now);
        if waits > self.queue || self.lose.is_some_and(|n| self.sent.is_multiple_of(n)) {
            return;
        }
        self.worst_queue = self.worst_queue.max(waits);
        self.free = self.free.max(self.now) + Duration::from_secs_f64(PACKET as f64 * 8.0 / self.capacity as f64);
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let jitter = self.jitter.mul_f64((self.random >> 40) as f64 / (1u64 << 24) as f64);
        let at = self.free + self.delay + jitter;
        // Jitter doesn't reorder here.
        let at = self.arriving.back().map_or(at, |(last, _)| at.max(*last));
        self.arriving.push_back((at, number));
    }

    /// Sends for so long as much as the estimate allows, up to `most`.
    pub fn run(&mut self, time: Duration, most: u64) {
        self.steps(time, |estimate| (most.min(estimate), if most > estimate { most } else { 0 }));
    }

    /// Sends for so long the best of [`LAYERS`] that the estimate allows: what a forwarding unit can do.
    pub fn run_layers(&mut self, time: Duration) {
        self.steps(time, |estimate| {
            let best = LAYERS.iter().rposition(|rate| *rate <= estimate);
            let next = best.map_or(0, |at| at + 1);
            (best.map_or(0, |at| LAYERS[at]), LAYERS.get(next).copied().unwrap_or(0))
        });
    }

    fn steps(&mut self, time: Duration, choose: impl Fn(u64) -> (u64, u64)) {
        (self.worst_queue, self.delivered) = (Duration::ZERO, 0);
        let end = self.now + time;
        while self.now < end {
            self.now += STEP;
            let cluster = self.control.cluster(self.now);
            let (rate, wanted) = choose(self.control.estimate());
            let rate = cluster.map_or(rate, |cluster| cluster.rate);
            self.budget = (self.budget + rate as f64 / 8.0 * STEP.as_secs_f64()).min(4.0 * PACKET as f64);
            while self.budget >= PACKET as f64 {
                self.budget -= PACKET as f64;
                self.send(cluster.map(|cluster| cluster.id));
            }
            while let Some((at, number)) = self.arriving.pop_front_if(|(at, _)| *at <= self.now) {
                self.delivered += PACKET as u64;
                self.recorder.record(at, number);
            }
            let mut raw = Vec::new();
            if self.recorder.poll(self.now, Ssrc(1), Ssrc(2), &mut raw) {
                self.feedback.push_back((self.now + self.delay, raw));
            }
            while let Some((_, raw)) = self.feedback.pop_front_if(|(at, _)| *at <= self.now) {
                self.control.feedback(self.now, &raw);
            }
            self.control.tick(self.now, wanted);
        }
    }

    /// Bits per second that came through in the last run of this length.
    pub fn rate(&self, time: Duration) -> f64 {
        self.delivered as f64 * 8.0 / time.as_secs_f64()
    }
}
