//! How much may be sent again: each packet not twice within about a round trip, and all within a budget of bytes.

use std::time::{Duration, Instant};

/// Two requests for one packet closer than this are one: no round trip that matters is shorter.
const MIN_INTERVAL: Duration = Duration::from_millis(20);
/// A packet asked for again after this share of the round trip is asked for because the repeat was lost, too: the receiver's round trip
/// isn't ours, and a request that is refused costs it one more.
const PATIENCE: (u32, u32) = (3, 4);
/// Retransmissions in bytes per second: about a video stream, so that a subscriber who NACKs all at most doubles its load.
const RATE: u64 = 250_000;
/// What may be sent at once: two large key frames.
const BURST: u64 = 200_000;
/// Packets of which we remember when they were sent again: a second of heavy loss.
const REMEMBERED: usize = 128;

/// One subscription's retransmissions.
#[derive(Debug)]
pub(super) struct Budget {
    bytes: u64,
    filled: Instant,
    /// Twice at the first request already.
    twice: bool,
    created: Instant,
    /// Sequence number and when it was sent again, in ms since creation; by sequence number modulo the length. Empty until needed.
    sent: Vec<Option<(u16, u32)>>,
}

impl Budget {
    /// A full budget.
    pub fn new(now: Instant) -> Self {
        Self { bytes: BURST, filled: now, twice: false, created: now, sent: Vec::new() }
    }

    /// Whether to answer a first request twice: where many packets are lost though there is room, every tenth or twentieth repeat is lost
    /// as well, and with it the moment to show its frame.
    pub fn set_twice(&mut self, twice: bool) {
        self.twice = twice;
    }

    /// How often packet `seq` of `len` bytes may be sent again now: not at all, once, or three times where a repeat of it was lost
    /// already. A third request would come too late for most pictures, so the second answer is the one to be sure of: with 5% lost, two
    /// copies are still too few once in a few hours of a meeting. It counts as sent then.
    pub fn take(&mut self, now: Instant, rtt: Duration, seq: u16, len: usize) -> usize {
        let elapsed = now.saturating_duration_since(self.filled);
        let more = elapsed.as_millis() as u64 * RATE / 1_000;
        if more > 0 {
            self.bytes = (self.bytes.saturating_add(more)).min(BURST);
            self.filled = now;
        }
        if self.sent.is_empty() {
            self.sent.resize(REMEMBERED, None);
        }
        let ms = now.saturating_duration_since(self.created).as_millis() as u32;
        let interval = (rtt * PATIENCE.0 / PATIENCE.1).max(MIN_INTERVAL).as_millis() as u32;
        let Some(slot) = self.sent.get_mut(usize::from(seq) % REMEMBERED) else { return 0 };
        if slot.is_some_and(|(other, at)| other == seq && ms.wrapping_sub(at) < interval) {
            return 0;
        }
        let wanted = match slot {
            Some((other, _)) if *other == seq => 3,
            _ => 1 + usize::from(self.twice),
        };
        let copies = wanted.min(self.bytes as usize / len.max(1));
        if copies > 0 {
            self.bytes -= (copies * len) as u64;
            *slot = Some((seq, ms));
        }
        copies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_goes_once_in_about_a_round_trip_and_then_three_times() {
        let start = crate::test_epoch();
        let mut budget = Budget::new(start);
        let rtt = Duration::from_millis(80);
        let mut take = |ms, seq| budget.take(start + Duration::from_millis(ms), rtt, seq, 1_000);
        assert_eq!([take(0, 7), take(59, 7), take(59, 8)], [1, 0, 1]);
        // A receiver whose round trip is shorter than ours; the repeat was lost.
        assert_eq!(take(60, 7), 3);
    }

    #[test]
    fn a_storm_is_held_to_the_rate() {
        let start = crate::test_epoch();
        let mut budget = Budget::new(start);
        let mut bytes = 0;
        for n in 0..100_000u64 {
            let now = start + Duration::from_micros(100 * n);
            bytes += 1_200 * budget.take(now, Duration::ZERO, n as u16, 1_200) as u64;
        }
        let most = BURST + 10 * RATE;
        assert!(bytes <= most && bytes > most * 9 / 10, "{bytes}");
    }

    #[test]
    fn where_repeats_get_lost_as_well_two_go_at_once() {
        let start = crate::test_epoch();
        let mut budget = Budget::new(start);
        budget.set_twice(true);
        assert_eq!(budget.take(start, Duration::from_millis(80), 7, 1_000), 2);
        budget.set_twice(false);
        assert_eq!(budget.take(start, Duration::from_millis(80), 8, 1_000), 1);
    }
}
