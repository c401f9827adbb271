//! The packets on their way to one receiver: what was sent when, until its feedback tells their fate.

use std::collections::VecDeque;
use std::time::Instant;

/// Packets remembered: two seconds of 10 Mbit/s. Feedback about older ones comes too late to mean anything.
const MAX_PACKETS: usize = 2_048;
/// Microseconds after which a fate no longer matters.
const MAX_AGE: u32 = 5_000_000;

/// A packet whose fate became known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sent {
    /// When it was sent, in microseconds since the history began.
    pub at: i64,
    /// Bytes of UDP payload.
    pub bytes: usize,
    /// The probe it belonged to.
    pub probe: Option<u8>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fate {
    Unknown,
    Lost,
    Received,
}

/// One packet, in few bytes, since there is one for each packet in flight to each receiver.
#[derive(Clone, Copy, Debug)]
struct Slot {
    /// Microseconds since the history began, wrapping: what is remembered spans seconds.
    at: u32,
    bytes: u16,
    probe: Option<u8>,
    fate: Fate,
}

const _: () = assert!(size_of::<Slot>() <= 12);

/// See the module. Its inputs are [`History::sent`] and [`History::learn`].
#[derive(Debug)]
pub struct History {
    created: Instant,
    /// Ascending by number without gaps; the last has `next - 1`.
    slots: VecDeque<Slot>,
    next: u16,
    /// Packets that are newer than any whose fate is known, and their bytes.
    untold: usize,
    in_flight: usize,
}

impl History {
    /// Nothing was sent yet.
    pub fn new(now: Instant) -> Self {
        Self { created: now, slots: VecDeque::new(), next: 0, untold: 0, in_flight: 0 }
    }

    /// Microseconds since it began.
    pub fn micros(&self, now: Instant) -> i64 {
        now.saturating_duration_since(self.created).as_micros() as i64
    }

    /// The transport-wide sequence number that the next packet gets.
    pub fn next_number(&self) -> u16 {
        self.next
    }

    /// Reads what [`History::sent`] will need, before it is needed.
    pub fn warm(&self) -> usize {
        [self.slots.back(), self.slots.front()].into_iter().flatten().map(|slot| usize::from(slot.bytes)).sum()
    }

    /// Bytes on their way: of all that is newer than the newest packet whose fate is known. What is older and untold is so because its
    /// feedback was lost.
    pub fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Notes that the packet with [`History::next_number`] goes out at [`History::micros`] of now.
    pub fn sent(&mut self, at: i64, bytes: usize, probe: Option<u8>) {
        let at = at as u32;
        while let Some(front) = self.slots.front().copied()
            && (self.slots.len() >= MAX_PACKETS || front.fate == Fate::Received || at.wrapping_sub(front.at) > MAX_AGE)
        {
            self.slots.pop_front();
            if self.untold > self.slots.len() {
                self.untold -= 1;
                self.in_flight = self.in_flight.saturating_sub(front.bytes.into());
            }
        }
        let bytes = u16::try_from(bytes).unwrap_or(u16::MAX);
        self.in_flight += usize::from(bytes);
        self.untold += 1;
        self.slots.push_back(Slot { at, bytes, probe, fate: Fate::Unknown });
        self.next = self.next.wrapping_add(1);
    }

    /// Takes in what the receiver says of packet `number`; returns it if that is news. What was said to be lost may come yet.
    pub fn learn(&mut self, now: Instant, number: u16, received: bool) -> Option<Sent> {
        let behind = usize::from(self.next.wrapping_sub(number));
        let at = self.slots.len().checked_sub(behind).filter(|_| behind > 0)?;
        let micros = self.micros(now);
        let slot = self.slots.get_mut(at)?;
        let before = *slot;
        let fate = if received { Fate::Received } else { Fate::Lost };
        if before.fate == fate || before.fate == Fate::Received {
            return None;
        }
        slot.fate = fate;
        while self.slots.len() - self.untold <= at
            && let Some(passed) = self.slots.get(self.slots.len() - self.untold)
        {
            self.untold -= 1;
            self.in_flight = self.in_flight.saturating_sub(passed.bytes.into());
        }
        let age = (micros as u32).wrapping_sub(before.at);
        Some(Sent { at: micros - i64::from(age), bytes: before.bytes.into(), probe: before.probe })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_fate_is_news_once_and_late_arrivals_correct_a_loss() {
        let start = crate::test_epoch();
        let at = |ms| start + Duration::from_millis(ms);
        let mut history = History::new(start);
        for ms in 0..3 {
            history.sent(history.micros(at(ms)), 1_000, (ms == 1).then_some(4));
        }
        assert_eq!((history.next_number(), history.in_flight()), (3, 3_000));
        assert_eq!(history.learn(at(50), 1, true), Some(Sent { at: 1_000, bytes: 1_000, probe: Some(4) }));
        assert_eq!(history.learn(at(50), 1, true), None);
        assert!(history.learn(at(50), 2, false).is_some());
        assert!(history.learn(at(60), 2, true).is_some(), "it came after all");
        assert_eq!(
            (history.learn(at(60), 2, false), history.in_flight()),
            (None, 0),
            "what is older than news isn't on its way any more"
        );
        assert_eq!((history.learn(at(60), 3, true), history.learn(at(60), 60_000, true)), (None, None));
    }

    #[test]
    fn numbers_wrap_and_memory_is_bounded() {
        let start = crate::test_epoch();
        let mut history = History::new(start);
        for n in 0..70_000 {
            history.sent(n, 100, None);
        }
        assert!(history.slots.len() <= MAX_PACKETS);
        assert_eq!(history.in_flight(), history.slots.len() * 100);
        let last = history.next_number().wrapping_sub(1);
        assert_eq!(history.learn(start + Duration::from_secs(1), last, true).map(|s| s.at), Some(69_999));
        history.sent(9_000_000, 100, None);
        assert_eq!(history.slots.len(), 1, "what is older than five seconds is forgotten");
    }
}
