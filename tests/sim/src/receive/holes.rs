//! Which packets of a stream are missing and when to ask for them: as Chromium's NACK module does, in outline.

use crate::At;
use ramai_sfu::rtp::seq::Extender;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// How often repeats are looked for.
pub const INTERVAL: Duration = Duration::from_millis(20);
/// Before an answer told better.
const INITIAL_RTT: Duration = Duration::from_millis(100);
const MAX_TRIES: u8 = 10;
/// More holes than this are left to a key frame.
const MAX_HOLES: usize = 1_000;
/// Packets remembered to tell duplicates.
const REMEMBERED: u64 = 4_096;

#[derive(Clone, Copy, Debug)]
struct Hole {
    asked: Option<At>,
    tries: u8,
}

/// What a packet is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// New, with its extended number.
    New(u64),
    /// It was here before, or is too old to tell.
    Known,
}

/// See the module.
#[derive(Debug)]
pub struct Holes {
    extender: Extender,
    highest: Option<u64>,
    holes: BTreeMap<u64, Hole>,
    seen: VecDeque<bool>,
    rtt: Duration,
    /// First number, packets that came, for receiver reports.
    first: u64,
    received: u64,
}

impl Default for Holes {
    fn default() -> Self {
        Self {
            extender: Extender::default(),
            highest: None,
            holes: BTreeMap::new(),
            seen: VecDeque::new(),
            rtt: INITIAL_RTT,
            first: 0,
            received: 0,
        }
    }
}

impl Holes {
    /// Notes a packet; `again`: it came as a retransmission. The second value says that there are too many holes.
    pub fn received(&mut self, now: At, seq: u16, again: bool) -> (Arrival, bool) {
        let number = self.extender.peek(seq);
        let Some(highest) = self.highest else {
            if again {
                return (Arrival::Known, false);
            }
            self.extender.extend(seq);
            (self.first, self.highest, self.received) = (number, Some(number), 1);
            self.seen.push_back(true);
            return (Arrival::New(number), false);
        };
        if number > highest {
            self.extender.extend(seq);
            for hole in highest + 1..number {
                self.holes.insert(hole, Hole { asked: None, tries: 0 });
                self.seen.push_back(false);
            }
            self.seen.push_back(true);
            while self.seen.len() as u64 > REMEMBERED {
                self.seen.pop_front();
            }
            self.highest = Some(number);
        } else {
            let back = (highest - number) as usize;
            let at = self.seen.len().checked_sub(back + 1);
            match at.and_then(|at| self.seen.get_mut(at)) {
                Some(seen) if !*seen => *seen = true,
                _ => return (Arrival::Known, false),
            }
            if let Some(Hole { asked: Some(at), tries: 1 }) = self.holes.remove(&number) {
                self.rtt = (self.rtt * 7 + now.saturating_sub(at)) / 8;
            }
        }
        self.received += u64::from(!again);
        let too_many = self.holes.len() > MAX_HOLES;
        if too_many {
            self.holes.clear();
        }
        (Arrival::New(number), too_many)
    }

    /// The numbers to ask for now; and whether one was given up.
    pub fn poll(&mut self, now: At) -> (Vec<u16>, bool) {
        let (mut ask, mut gave_up) = (Vec::new(), false);
        self.holes.retain(|number, hole| {
            if hole.asked.is_some_and(|at| now < at + self.rtt.max(INTERVAL)) {
                return true;
            }
            if hole.tries >= MAX_TRIES {
                gave_up = true;
                return false;
            }
            (hole.tries, hole.asked) = (hole.tries + 1, Some(now));
            ask.push(*number as u16);
            true
        });
        (ask, gave_up)
    }

    /// A hole that nobody asked for yet.
    pub fn has_new(&self) -> bool {
        self.holes.values().next_back().is_some_and(|hole| hole.asked.is_none())
    }

    /// Holes are open.
    pub fn any(&self) -> bool {
        !self.holes.is_empty()
    }

    /// Holes matter no more: what comes next is a key frame.
    pub fn forget(&mut self) {
        self.holes.clear();
    }

    /// Expected and received so far, and the highest number, for receiver reports.
    pub fn counts(&self) -> (u64, u64, u64) {
        let highest = self.highest.unwrap_or(0);
        (highest + 1 - self.first, self.received, highest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MS;

    #[test]
    fn holes_are_asked_for_until_they_fill_or_are_given_up() {
        let mut holes = Holes::default();
        holes.received(At::ZERO, 65_534, false);
        holes.received(At::ZERO, 1, false);
        assert_eq!(holes.poll(At::ZERO).0, [65_535, 0]);
        assert!(holes.poll(50 * MS).0.is_empty());
        assert!(matches!(holes.received(60 * MS, 0, true).0, Arrival::New(_)));
        assert_eq!(holes.received(61 * MS, 0, true).0, Arrival::Known);
        assert_eq!(holes.poll(100 * MS).0, [65_535], "the round trip was shorter than thought");
        let gave_up = (1..20).any(|n| holes.poll(n * 200 * MS).1);
        assert!(gave_up && !holes.any());
        assert_eq!(holes.counts(), (4, 2, 0x2_0001));
    }
}
