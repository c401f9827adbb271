//! The numbering of one SSRC's packets: extends sequence numbers, tells duplicates and restarts, and renumbers so that
//! padding-only packets leave no holes.

use crate::rtp::seq::Extender;
use std::collections::VecDeque;

/// A jump forward beyond this is a restart, not loss (RFC 3550 appendix A.1).
const MAX_DROPOUT: u64 = 3_000;
/// Packets older than this below the highest are dropped: 1,024 packets are over a second of any video we expect.
const WINDOW: u64 = 1_024;
/// Places where padding was left out that we remember for late packets. Probes come seconds apart, in runs.
const MAX_GAPS: usize = 32;

/// What a sequence number means.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// A packet that wasn't there before.
    New {
        /// Extended sequence number.
        seq: u64,
        /// Position without padding; `None` for padding that is left out of the numbering.
        index: Option<u64>,
    },
    /// It was there before.
    Duplicate,
    /// Too old to tell.
    TooOld,
    /// The sender starts anew at this number; see [`Sequence::restart`].
    Restart,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Sequence {
    extender: Extender,
    /// Bit n: the packet whose extended number is n modulo the window came.
    seen: [u64; (WINDOW / 64) as usize],
    /// Padding packets left out so far.
    dropped: u64,
    /// Extended numbers of left-out padding, with the count left out before it, runs as one.
    gaps: VecDeque<Gap>,
    /// Numbers up to this can't be placed any more.
    floor: u64,
    /// The number that would confirm a restart far back.
    suspect: Option<u16>,
}

#[derive(Clone, Copy, Debug)]
struct Gap {
    first: u64,
    last: u64,
    dropped_before: u64,
}

impl Sequence {
    /// The numbering of a source whose first packet comes next. All its numbers lie above those near `above`.
    pub fn restart(above: Option<u64>) -> Self {
        Self {
            extender: above.map_or_else(Extender::default, Extender::beyond),
            seen: [0; (WINDOW / 64) as usize],
            dropped: 0,
            gaps: VecDeque::new(),
            floor: 0,
            suspect: None,
        }
    }

    /// The highest extended sequence number.
    pub fn highest(&self) -> Option<u64> {
        self.extender.highest()
    }

    /// Judges one packet and remembers it.
    pub fn accept(&mut self, seq: u16, padding_only: bool) -> Verdict {
        let extended = self.extender.peek(seq);
        let before = self.extender.highest();
        if let Some(highest) = before {
            if extended > highest + MAX_DROPOUT {
                return Verdict::Restart;
            }
            if extended + WINDOW <= highest || extended <= self.floor {
                // Two in a row far back: the sender went back to there (RFC 3550 appendix A.1).
                let confirmed = self.suspect == Some(seq) && extended + MAX_DROPOUT <= highest;
                self.suspect = Some(seq.wrapping_add(1));
                return if confirmed { Verdict::Restart } else { Verdict::TooOld };
            }
            for skipped in highest + 1..extended.min(highest + 1 + WINDOW) {
                self.mark(skipped, false);
            }
            if extended <= highest && self.mark(extended, true) {
                return Verdict::Duplicate;
            }
        }
        self.suspect = None;
        self.mark(extended, true);
        self.extender.extend(seq);
        let in_order = before.is_none_or(|highest| extended > highest);
        if padding_only && in_order {
            self.leave_out(extended);
            return Verdict::New { seq: extended, index: None };
        }
        Verdict::New { seq: extended, index: Some(extended - self.dropped_before(extended)) }
    }

    fn leave_out(&mut self, seq: u64) {
        match self.gaps.back_mut() {
            Some(gap) if gap.last + 1 == seq => gap.last = seq,
            _ => self.gaps.push_back(Gap { first: seq, last: seq, dropped_before: self.dropped }),
        }
        self.dropped += 1;
        if self.gaps.len() > MAX_GAPS
            && let Some(gap) = self.gaps.pop_front()
        {
            self.floor = gap.last;
        }
    }

    fn dropped_before(&self, seq: u64) -> u64 {
        let first_after = self.gaps.iter().rev().take_while(|gap| gap.first > seq).last();
        first_after.map_or(self.dropped, |gap| gap.dropped_before)
    }

    /// Sets the bit of a number; returns what it was.
    fn mark(&mut self, seq: u64, came: bool) -> bool {
        let at = seq % WINDOW;
        let bit = 1 << (at % 64);
        let Some(word) = self.seen.get_mut((at / 64) as usize) else { return false };
        let was = *word & bit != 0;
        *word = if came { *word | bit } else { *word & !bit };
        was
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(sequence: &mut Sequence, seq: u16, padding: bool) -> Option<u64> {
        match sequence.accept(seq, padding) {
            Verdict::New { index, .. } => index,
            other => panic!("{seq}: {other:?}"),
        }
    }

    #[test]
    fn padding_leaves_no_hole_and_late_packets_land_before_it() {
        let mut s = Sequence::restart(None);
        assert_eq!(index(&mut s, 65_533, false), Some(0x1_fffd));
        assert_eq!(index(&mut s, 65_535, true), None);
        assert_eq!(index(&mut s, 0, true), None);
        assert_eq!(index(&mut s, 1, false), Some(0x1_ffff), "two left out");
        assert_eq!(index(&mut s, 65_534, false), Some(0x1_fffe), "late, from before the padding");
        assert_eq!(index(&mut s, 3, false), Some(0x2_0001));
        assert_eq!(index(&mut s, 2, true), Some(0x2_0000), "padding that came too late to be left out");
    }

    #[test]
    fn duplicates_and_the_too_old_are_told() {
        let mut s = Sequence::restart(None);
        for seq in 0..2_000 {
            assert_eq!(index(&mut s, seq, false), Some(0x1_0000 + u64::from(seq)));
        }
        assert_eq!(s.accept(1_999, false), Verdict::Duplicate);
        assert_eq!(s.accept(1_500, false), Verdict::Duplicate);
        assert_eq!(s.accept(500, false), Verdict::TooOld);
        assert_eq!(index(&mut s, 2_100, false), Some(0x1_0000 + 2_100));
        assert_eq!(index(&mut s, 2_050, false), Some(0x1_0000 + 2_050), "a skipped number isn't a duplicate");
    }

    #[test]
    fn restarts_far_ahead_at_once_and_far_back_after_two() {
        let mut s = Sequence::restart(None);
        index(&mut s, 10_000, false);
        assert_eq!(s.accept(20_000, false), Verdict::Restart);
        assert_eq!(s.accept(100, false), Verdict::TooOld);
        assert_eq!(s.accept(101, false), Verdict::Restart);
        let mut again = Sequence::restart(s.highest());
        assert!(index(&mut again, 101, false) > s.highest());
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut s = Sequence::restart(None);
        for seq in 0..60_000u16 {
            s.accept(seq, seq % 2 == 1);
            assert!(s.gaps.len() <= MAX_GAPS);
        }
        assert_eq!(s.accept(59_900, false), Verdict::TooOld);
    }
}
