//! Accounting of one SSRC's sequence numbers: what was expected, what came, twice, late, or never; and what to ask for again.

use crate::media::MS;
use ramai_sfu::rtp::seq::Extender;
use std::collections::BTreeMap;

/// Patience before a hole is asked for, for reordering: in time ...
const REORDER: u64 = 10 * MS;
/// ... and between repeats of the question.
const RETRY: u64 = 50 * MS;
/// A hole is lost after this long: by then its frame was due.
pub const GIVE_UP: u64 = 600 * MS;
/// A lost packet that comes after all is recognised for so long, and not taken for a duplicate.
const REMEMBER: u64 = 5_000 * MS;
/// Holes kept; a jump beyond is lost at once.
const MAX_HOLES: u64 = 2_000;

/// What came of one packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrival {
    /// The next in order, or behind a new hole.
    New,
    /// It closes a hole: late by itself or after a question.
    Late,
    /// It was here before.
    Duplicate,
    /// Too old to tell.
    Ancient,
}

/// Numbers over one stream, or the sum over many.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Counts {
    /// From the first to the highest sequence number.
    pub expected: u64,
    /// Different packets that came.
    pub received: u64,
    /// Never came. Packets that may still come are counted as soon as they are given up, or at the end.
    pub lost: u64,
    /// Came again.
    pub duplicates: u64,
    /// Came after one with a higher number, without having been asked for.
    pub reordered: u64,
    /// Came by retransmission.
    pub recovered: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.expected += other.expected;
        self.received += other.received;
        self.lost += other.lost;
        self.duplicates += other.duplicates;
        self.reordered += other.reordered;
        self.recovered += other.recovered;
    }
}

#[derive(Clone, Copy, Debug)]
struct Hole {
    since: u64,
    ask_at: u64,
    asked: bool,
    lost: bool,
}

/// See the module. Time is nanoseconds.
#[derive(Debug, Default)]
pub struct Account {
    extender: Extender,
    first: Option<u64>,
    highest: u64,
    holes: BTreeMap<u64, Hole>,
    /// Below this, holes are forgotten.
    floor: u64,
    counts: Counts,
}

impl Account {
    /// Notes a packet; `again` says that it came as a retransmission. Returns its index, which never wraps.
    pub fn received(&mut self, now: u64, seq: u16, again: bool) -> (u64, Arrival) {
        let Some(first) = self.first else {
            if again {
                return (0, Arrival::Ancient);
            }
            let index = self.extender.extend(seq);
            (self.first, self.highest, self.floor) = (Some(index), index, index);
            self.counts.received += 1;
            return (index, Arrival::New);
        };
        // A retransmission never leads: what is behind the highest can't be ahead of it.
        let index = if again { self.extender.peek(seq) } else { self.extender.extend(seq) };
        if index > self.highest {
            if again {
                return (index, Arrival::Ancient);
            }
            let from = (self.highest + 1).max(index.saturating_sub(MAX_HOLES));
            self.counts.lost += from - (self.highest + 1);
            if from > self.highest + 1 {
                self.floor = self.floor.max(from);
            }
            for hole in from..index {
                self.holes.insert(hole, Hole { since: now, ask_at: now + REORDER, asked: false, lost: false });
            }
            self.highest = index;
            self.counts.received += 1;
            return (index, Arrival::New);
        }
        if index < first {
            // It started before we thought.
            if first - index > MAX_HOLES {
                return (index, Arrival::Ancient);
            }
            for hole in index + 1..first {
                self.holes.insert(hole, Hole { since: now, ask_at: now + REORDER, asked: false, lost: false });
            }
            (self.first, self.floor) = (Some(index), index);
            self.counts.received += 1;
            self.counts.reordered += 1;
            return (index, Arrival::Late);
        }
        if let Some(hole) = self.holes.remove(&index) {
            self.counts.received += 1;
            if hole.lost {
                self.counts.lost -= 1;
            }
            if again {
                self.counts.recovered += 1;
            } else {
                self.counts.reordered += 1;
            }
            return (index, Arrival::Late);
        }
        if index < self.floor {
            return (index, Arrival::Ancient);
        }
        // Two answers to one question are no fault of the line.
        if !again {
            self.counts.duplicates += 1;
        }
        (index, Arrival::Duplicate)
    }

    /// Appends the numbers to ask for now to `ask`, in order. Returns whether something was given up.
    pub fn poll(&mut self, now: u64, ask: &mut Vec<u16>) -> bool {
        let (mut gave_up, mut forget) = (false, None);
        for (index, hole) in &mut self.holes {
            if hole.lost {
                if now >= hole.since + REMEMBER {
                    forget = Some(*index);
                }
                continue;
            }
            if now >= hole.since + GIVE_UP {
                hole.lost = true;
                gave_up = true;
                self.counts.lost += 1;
            } else if now >= hole.ask_at && ask.len() < 64 {
                hole.ask_at = now + RETRY;
                hole.asked = true;
                ask.push(*index as u16);
            }
        }
        if let Some(last) = forget {
            // Holes are older the lower they are, but for those before a first packet; those may wait.
            self.holes.retain(|index, hole| *index > last || !hole.lost);
            self.floor = self.floor.max(last + 1);
        }
        gave_up
    }

    /// Whether [`Account::poll`] may have something to do.
    pub fn has_holes(&self) -> bool {
        !self.holes.is_empty()
    }

    /// The highest index, for receiver reports.
    pub fn highest(&self) -> u64 {
        self.highest
    }

    /// What was counted up to now; holes that are still open count as lost if `final_`.
    pub fn counts(&self, final_: bool) -> Counts {
        let mut counts = self.counts;
        counts.expected = self.first.map_or(0, |first| self.highest - first + 1);
        if final_ {
            counts.lost += self.holes.values().filter(|hole| !hole.lost).count() as u64;
        }
        counts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::seq::SliceRandom;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    fn feed(account: &mut Account, seqs: impl IntoIterator<Item = u16>) {
        for seq in seqs {
            account.received(0, seq, false);
        }
    }

    #[test]
    fn a_perfect_line_over_the_wrap() {
        let mut account = Account::default();
        feed(&mut account, (65_000..=65_535).chain(0..500));
        assert_eq!(account.counts(true), Counts { expected: 1_036, received: 1_036, ..Counts::default() });
    }

    #[test]
    fn loss_is_seen_asked_for_and_given_up() {
        let mut account = Account::default();
        feed(&mut account, [10, 11, 14]);
        let mut ask = Vec::new();
        assert!(!account.poll(REORDER - 1, &mut ask) && ask.is_empty());
        account.poll(REORDER, &mut ask);
        assert_eq!(ask, [12, 13]);
        ask.clear();
        assert_eq!(account.received(20 * MS, 12, true), (0x1_000c, Arrival::Late));
        account.poll(REORDER + RETRY, &mut ask);
        assert_eq!(ask, [13]);
        assert!(account.poll(GIVE_UP, &mut ask));
        assert_eq!(
            account.counts(false),
            Counts { expected: 5, received: 4, lost: 1, recovered: 1, ..Counts::default() }
        );
        // It comes after all.
        assert_eq!(account.received(GIVE_UP, 13, false).1, Arrival::Late);
        assert_eq!(account.counts(true).lost, 0);
    }

    #[test]
    fn duplicates_and_reordering_are_told_apart() {
        let mut account = Account::default();
        feed(&mut account, [1, 3, 2, 2, 4, 4, 1]);
        let expected = Counts { expected: 4, received: 4, duplicates: 3, reordered: 1, ..Counts::default() };
        assert_eq!(account.counts(true), expected);
        assert_eq!(account.received(0, 4, true).1, Arrival::Duplicate, "an unneeded retransmission is no fault");
        assert_eq!(account.counts(true), expected);
    }

    #[test]
    fn open_holes_are_loss_only_at_the_end() {
        let mut account = Account::default();
        feed(&mut account, [1, 3]);
        assert_eq!((account.counts(false).lost, account.counts(true).lost), (0, 1));
    }

    #[test]
    fn an_early_straggler_and_a_great_jump() {
        let mut account = Account::default();
        feed(&mut account, [100, 98]);
        assert_eq!(
            account.counts(true),
            Counts { expected: 3, received: 2, lost: 1, reordered: 1, ..Counts::default() }
        );
        feed(&mut account, [10_100]);
        let counts = account.counts(true);
        assert_eq!((counts.expected, counts.received, counts.lost), (10_003, 3, 10_000));
        assert!(account.holes.len() <= MAX_HOLES as usize + 2);
    }

    #[test]
    fn whatever_comes_the_sums_agree() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut account = Account::default();
        let (mut dropped, mut doubled) = (0, 0);
        let mut now = 0;
        for block in 0..2_000u32 {
            let mut seqs: Vec<u16> = (0..50).map(|n| (block * 50 + n) as u16).collect();
            let (first, last) = (block == 0, block == 1_999);
            seqs.retain(|s| {
                let keep = (first && *s == 0) || (last && *s as u32 % 50 == 49) || !rng.random_ratio(1, 100);
                dropped += u64::from(!keep);
                keep
            });
            if !first && !last {
                seqs[..20].shuffle(&mut rng);
            }
            for seq in seqs {
                account.received(now, seq, false);
                if rng.random_ratio(1, 200) {
                    account.received(now, seq, false);
                    doubled += 1;
                }
                now += MS;
            }
            account.poll(now, &mut Vec::new());
        }
        let counts = account.counts(true);
        assert_eq!(counts.duplicates, doubled);
        assert_eq!(counts.expected, counts.received + counts.lost);
        assert_eq!(counts.lost, dropped);
        assert!(counts.reordered > 1_000);
    }
}
