//! One direction of a link: a drop-tail queue, a bottleneck that passes exactly its capacity, then a line with delay, jitter, loss,
//! reordering and duplication.
//!
//! Its inputs are [`Link::send`] and the setters; at [`Link::poll_timeout`] call [`Link::poll`] until it returns `None`.

use super::loss::{Loss, Losses};
use crate::At;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

/// Bits are passed in units of this many parts, so that capacity times nanoseconds is a whole number of them.
const PARTS: u64 = 1_000_000_000;

/// What a link is like; every part may change at any time.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shape {
    /// Bits per second, headers included; `None` passes everything at once.
    pub capacity: Option<u64>,
    /// Bytes that may wait, the one on its way not counted. More is dropped (drop-tail).
    pub queue: usize,
    /// From the bottleneck to the other end.
    pub delay: Duration,
    /// Extra delay of each packet: half-normal with this standard deviation, cut at twice of it. Order is kept, so packets behind
    /// a late one come together with it, as over Wi-Fi.
    pub jitter: Duration,
    /// What the line loses.
    pub loss: Loss,
    /// Share of packets that are overtaken: they come [`Shape::late_by`] later, and order isn't kept for them.
    pub reorder: f64,
    /// See [`Shape::reorder`].
    pub late_by: Duration,
    /// Share of packets that come twice.
    pub duplicate: f64,
    /// Nothing passes.
    pub down: bool,
}

impl Default for Shape {
    fn default() -> Self {
        Self {
            capacity: None,
            queue: 64 * 1024,
            delay: Duration::from_millis(20),
            jitter: Duration::ZERO,
            loss: Loss::default(),
            reorder: 0.0,
            late_by: Duration::from_millis(15),
            duplicate: 0.0,
            down: false,
        }
    }
}

/// What went through so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Traffic {
    /// Bytes given to the link.
    pub offered: u64,
    /// Bytes that passed the bottleneck.
    pub passed: u64,
    /// Packets that found the queue full.
    pub overflowed: u64,
    /// Packets that the line lost, outages included.
    pub lost: u64,
}

struct Waiting<T> {
    size: usize,
    item: T,
}

/// See the module.
pub struct Link<T> {
    shape: Shape,
    rng: ChaCha8Rng,
    losses: Losses,
    /// The first is on its way through the bottleneck.
    queue: VecDeque<Waiting<T>>,
    queued: usize,
    /// Parts of bits that the first still needs.
    left: u64,
    /// Up to when the bottleneck has worked.
    clock: At,
    flying: BinaryHeap<Reverse<(At, u64)>>,
    /// Those in `flying`, by number modulo length; few, so a search by number is quick.
    items: VecDeque<(u64, Option<T>)>,
    number: u64,
    last_arrival: At,
    traffic: Traffic,
}

impl<T: Clone> Link<T> {
    /// A link whose randomness comes from `seed`.
    pub fn new(seed: u64, shape: Shape) -> Self {
        Self {
            shape,
            rng: ChaCha8Rng::seed_from_u64(seed),
            losses: Losses::new(shape.loss),
            queue: VecDeque::new(),
            queued: 0,
            left: 0,
            clock: At::ZERO,
            flying: BinaryHeap::new(),
            items: VecDeque::new(),
            number: 0,
            last_arrival: At::ZERO,
            traffic: Traffic::default(),
        }
    }

    /// What it is like now.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// Changes it from now on; what waits is passed at the new capacity.
    pub fn reshape(&mut self, now: At, change: impl FnOnce(&mut Shape)) {
        self.work(now);
        change(&mut self.shape);
        self.losses.loss = self.shape.loss;
        self.work(now);
    }

    /// What went through so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// How long a packet sent now would wait for those before it.
    pub fn queue_delay(&mut self, now: At) -> Duration {
        self.work(now);
        let Some(capacity) = self.shape.capacity.filter(|c| *c > 0) else { return Duration::ZERO };
        let behind = self.queued.saturating_sub(self.queue.front().map_or(0, |first| first.size)) as u128 * 8;
        let parts = behind * u128::from(PARTS) + u128::from(self.left);
        Duration::from_nanos((parts / u128::from(capacity)) as u64)
    }

    /// Takes in a packet of `size` bytes.
    pub fn send(&mut self, now: At, size: usize, item: T) {
        self.work(now);
        self.traffic.offered += size as u64;
        if self.shape.capacity.is_none() && self.queue.is_empty() {
            self.traffic.passed += size as u64;
            self.fly(now, item);
            return;
        }
        let waiting = self.queued.saturating_sub(self.queue.front().map_or(0, |first| first.size));
        if !self.queue.is_empty() && waiting + size > self.shape.queue {
            self.traffic.overflowed += 1;
            return;
        }
        if self.queue.is_empty() {
            self.left = size as u64 * 8 * PARTS;
        }
        self.queue.push_back(Waiting { size, item });
        self.queued += size;
    }

    /// When something comes out next.
    pub fn poll_timeout(&self) -> Option<At> {
        let passes = match (self.queue.front(), self.shape.capacity) {
            (None, _) | (_, Some(0)) => None,
            (Some(_), None) => Some(self.clock),
            (Some(_), Some(capacity)) => Some(self.clock + Duration::from_nanos(self.left.div_ceil(capacity))),
        };
        let arrives = self.flying.peek().map(|Reverse((at, _))| *at);
        [passes, arrives].into_iter().flatten().min()
    }

    /// The next packet that came out by now.
    pub fn poll(&mut self, now: At) -> Option<T> {
        self.work(now);
        let Reverse((_, number)) = *self.flying.peek().filter(|Reverse((at, _))| *at <= now)?;
        self.flying.pop();
        let first = self.items.front().map_or(0, |(n, _)| *n);
        let item = self.items.get_mut((number - first) as usize).and_then(|(_, item)| item.take());
        while self.items.front().is_some_and(|(_, item)| item.is_none()) {
            self.items.pop_front();
        }
        item
    }

    /// Passes what the bottleneck could since it last worked.
    fn work(&mut self, now: At) {
        while let Some(first) = self.queue.front() {
            let size = first.size;
            let done = match self.shape.capacity {
                None => self.clock,
                Some(capacity) => {
                    let time = now.saturating_sub(self.clock).as_nanos() as u64;
                    let could = capacity.saturating_mul(time);
                    if could < self.left {
                        self.left -= could;
                        break;
                    }
                    let needs = self.left.div_ceil(capacity.max(1));
                    // What the last nanosecond could have passed more goes to the next one.
                    let credit = needs * capacity - self.left;
                    let next = self.queue.get(1).map_or(0, |next| next.size as u64 * 8 * PARTS);
                    self.left = next.saturating_sub(credit);
                    self.clock + Duration::from_nanos(needs)
                }
            };
            self.clock = self.clock.max(done);
            self.queued -= size;
            self.traffic.passed += size as u64;
            if let Some(Waiting { item, .. }) = self.queue.pop_front() {
                self.fly(done, item);
            }
        }
        self.clock = self.clock.max(now);
    }

    fn fly(&mut self, from: At, item: T) {
        let lost = self.losses.next(&mut self.rng);
        if lost || self.shape.down {
            self.traffic.lost += 1;
            return;
        }
        let due = from + self.shape.delay + self.jitter();
        let at = if self.shape.reorder > 0.0 && self.rng.random_bool(self.shape.reorder) {
            due + self.shape.late_by
        } else {
            self.last_arrival = self.last_arrival.max(due);
            self.last_arrival
        };
        if self.shape.duplicate > 0.0 && self.rng.random_bool(self.shape.duplicate) {
            self.put(at, item.clone());
        }
        self.put(at, item);
    }

    fn put(&mut self, at: At, item: T) {
        self.flying.push(Reverse((at, self.number)));
        self.items.push_back((self.number, Some(item)));
        self.number += 1;
    }

    fn jitter(&mut self) -> Duration {
        if self.shape.jitter.is_zero() {
            return Duration::ZERO;
        }
        loop {
            // Box and Muller.
            let (a, b): (f64, f64) = (self.rng.random_range(f64::EPSILON..1.0), self.rng.random());
            let sigmas = ((-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()).abs();
            if sigmas <= 2.0 {
                return self.shape.jitter.mul_f64(sigmas);
            }
        }
    }
}
