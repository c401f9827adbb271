//! How much a publisher sends: follows the server's transport-wide feedback, as a browser would in outline. Delay that grows makes it
//! back off, heavy loss too, else it grows: fast until the first trouble, slowly afterwards.

use super::feedback::Fate;
use crate::At;
use std::collections::VecDeque;
use std::time::Duration;

const START: f64 = 300_000.0;
const LEAST: f64 = 50_000.0;
/// Packets remembered until their fate is told.
const REMEMBERED: usize = 8_192;
/// A queue longer than this is overuse; shorter than half of it, there is room.
const OVERUSE: i64 = 60_000;
/// After a step down the effect must show before the next.
const SETTLE: Duration = Duration::from_millis(400);
/// Loss that isn't random any more.
const LOSS: f64 = 0.10;
/// While it is limited it learns of no more than this many times that, and forgets nothing: when a limit of 1.5 Mbit/s ended after 20 s,
/// Chromium knew of 3.1, and after one of 1.2 of 5.7, as before it.
const UNPROVED: f64 = 1.5;
/// The shortest transit is looked for over so long.
const WINDOW: Duration = Duration::from_secs(10);

/// See the module.
pub struct Control {
    sent: VecDeque<(u16, At, usize)>,
    rate: f64,
    ceiling: f64,
    /// What the server lets it send at most (REMB).
    limit: f64,
    ramping: bool,
    /// Shortest transit, in microseconds between two clocks, of this window and the last.
    shortest: [i64; 2],
    window_ends: At,
    settled: At,
    last: At,
    loss: f64,
    /// Delivered bytes by when they were told.
    delivered: VecDeque<(At, usize)>,
}

impl Control {
    /// Starts at 300 kbit/s and never goes beyond `ceiling`, in bits per second.
    pub fn new(now: At, ceiling: u64) -> Self {
        Self {
            sent: VecDeque::new(),
            rate: START.min(ceiling as f64),
            ceiling: ceiling as f64,
            limit: f64::MAX,
            ramping: true,
            shortest: [i64::MAX; 2],
            window_ends: now + WINDOW,
            settled: now,
            last: now,
            loss: 0.0,
            delivered: VecDeque::new(),
        }
    }

    /// Bits per second.
    pub fn rate(&self) -> u64 {
        self.rate.min(self.limit) as u64
    }

    /// The server says how much to send at most.
    pub fn limit(&mut self, bits: u64) {
        self.limit = bits as f64;
    }

    /// Notes a packet.
    pub fn sent(&mut self, now: At, number: u16, size: usize) {
        self.sent.push_back((number, now, size));
        if self.sent.len() > REMEMBERED {
            self.sent.pop_front();
        }
    }

    /// Takes in feedback.
    pub fn feedback(&mut self, now: At, fates: &[Fate]) {
        if now >= self.window_ends {
            self.shortest = [i64::MAX, self.shortest[0]];
            self.window_ends = now + WINDOW;
        }
        let (mut transit, mut came, mut lost) = (0i64, 0i64, 0);
        for (number, arrival) in fates {
            let first = self.sent.front().map_or(0, |(number, _, _)| *number);
            let Some((_, at, size)) = self.sent.get(usize::from(number.wrapping_sub(first))) else { continue };
            match arrival {
                Some(arrival) => {
                    let took = arrival - at.as_micros() as i64;
                    self.shortest[0] = self.shortest[0].min(took);
                    transit += took;
                    came += 1;
                    self.delivered.push_back((now, *size));
                }
                None => lost += 1,
            }
        }
        while self.delivered.front().is_some_and(|(at, _)| *at + Duration::from_millis(500) < now) {
            self.delivered.pop_front();
        }
        if came == 0 {
            return;
        }
        let share = f64::from(lost) / (f64::from(lost) + came as f64);
        self.loss += (share - self.loss) * 0.2;
        let queue = transit / came - self.shortest[0].min(self.shortest[1]);
        let passed = now.saturating_sub(self.last).as_secs_f64().min(0.5);
        self.last = now;
        if now < self.settled {
            return;
        }
        if queue > OVERUSE {
            let delivered = self.delivered.iter().map(|(_, size)| size * 8).sum::<usize>() as f64 * 2.0;
            self.rate = 0.85 * self.rate.min(delivered.max(LEAST));
            (self.ramping, self.settled) = (false, now + SETTLE);
        } else if self.loss > LOSS {
            self.rate *= 1.0 - 0.5 * self.loss;
            (self.ramping, self.settled) = (false, now + SETTLE);
        } else if queue < OVERUSE / 2 && self.rate < UNPROVED * self.limit {
            // While it ramps up a browser probes: about twice in half a second.
            let growth: f64 = if self.ramping { 8.0 } else { 1.08 };
            self.rate *= growth.powf(passed);
        }
        self.rate = self.rate.clamp(LEAST, self.ceiling);
    }
}
