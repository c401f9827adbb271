//! Which packets of a layer to ask its publisher for again, and when (RFC 4585 section 6.2).

use smallvec::SmallVec;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Reordering that we wait for before we believe in loss: in time ...
const REORDER_DELAY: Duration = Duration::from_millis(10);
/// ... and in packets that came since, whichever is first.
const REORDER_PACKETS: u64 = 3;
/// Retries, then the packet is given up: by then its frame is too late.
const MAX_TRIES: u8 = 6;
/// Holes that we keep track of. More at once means an outage, which a key frame mends cheaper.
const MAX_MISSING: usize = 400;
/// Sequence numbers asked for in one RTCP packet: at worst 4 bytes each, so that a few layers' NACKs fit one datagram.
pub(super) const MAX_PER_POLL: usize = 48;
/// The first guess of the round trip.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// Retries aren't closer than this, however near the publisher is: it needs time to answer.
const MIN_RETRY: Duration = Duration::from_millis(20);
/// Nor further apart than this.
const MAX_RETRY: Duration = Duration::from_millis(400);

#[derive(Clone, Copy, Debug)]
struct Missing {
    due: Instant,
    tries: u8,
    asked: Option<Instant>,
}

/// The holes of one SSRC.
#[derive(Debug)]
pub(super) struct Nack {
    highest: u64,
    missing: BTreeMap<u64, Missing>,
    next: Option<Instant>,
    rtt: Duration,
}

impl Nack {
    /// Starts after the first packet, numbered `seq`.
    pub fn new(seq: u64) -> Self {
        Self { highest: seq, missing: BTreeMap::new(), next: None, rtt: INITIAL_RTT }
    }

    /// Notes a packet. Returns false if there are too many holes: then all are forgotten and only a key frame helps.
    pub fn received(&mut self, now: Instant, seq: u64) -> bool {
        if seq <= self.highest {
            if let Some(Missing { tries: 1, asked: Some(at), .. }) = self.missing.remove(&seq) {
                // Only an answer to a single question tells the round trip (Karn's rule).
                let sample = now.saturating_duration_since(at);
                self.rtt = (self.rtt * 7 + sample) / 8;
            }
            return true;
        }
        let holes = (seq - self.highest - 1) as usize;
        let bearable = self.missing.len().saturating_add(holes) <= MAX_MISSING;
        if bearable {
            for hole in self.highest + 1..seq {
                self.missing.insert(hole, Missing { due: now + REORDER_DELAY, tries: 0, asked: None });
            }
        } else {
            self.missing.clear();
        }
        self.highest = seq;
        // What is far enough behind now needs no more patience.
        for (_, hole) in self.missing.range_mut(..seq.saturating_sub(REORDER_PACKETS) + 1).rev() {
            if hole.tries > 0 || hole.due <= now {
                break;
            }
            hole.due = now;
        }
        self.next = self.missing.values().map(|hole| hole.due).min();
        bearable
    }

    /// Holes before `seq` matter no more: a key frame starts there.
    pub fn forget_before(&mut self, seq: u64) {
        self.missing = self.missing.split_off(&seq);
    }

    /// When [`Nack::poll`] will have something.
    pub fn deadline(&self) -> Option<Instant> {
        if self.missing.is_empty() { None } else { self.next }
    }

    /// The numbers to ask for now, ascending; and whether one was given up.
    pub fn poll(&mut self, now: Instant) -> (SmallVec<[u16; MAX_PER_POLL]>, bool) {
        let mut ask = SmallVec::new();
        let mut gave_up = false;
        if self.deadline().is_none_or(|at| at > now) {
            return (ask, gave_up);
        }
        let retry = (self.rtt + self.rtt / 4).clamp(MIN_RETRY, MAX_RETRY);
        self.missing.retain(|seq, hole| {
            if hole.due > now || ask.len() >= MAX_PER_POLL {
                return true;
            }
            if hole.tries >= MAX_TRIES {
                gave_up = true;
                return false;
            }
            hole.tries += 1;
            hole.asked = Some(now);
            hole.due = now + retry;
            ask.push(*seq as u16);
            true
        });
        self.next = self.missing.values().map(|hole| hole.due).min();
        (ask, gave_up)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn reordering_is_waited_for_and_loss_is_asked_for_until_given_up() {
        let start = crate::test_epoch();
        let mut nack = Nack::new(10);
        nack.received(start, 12);
        assert!(nack.poll(start).0.is_empty());
        nack.received(start + MS, 11);
        assert_eq!(nack.deadline(), None, "it was only late");

        nack.received(start, 14);
        let mut asked = 0;
        let mut gave_up = false;
        for ms in 0..2_000 {
            let (seqs, gone) = nack.poll(start + ms * MS);
            asked += seqs.len();
            gave_up |= gone;
        }
        assert_eq!((asked, gave_up, nack.deadline()), (usize::from(MAX_TRIES), true, None));
    }

    #[test]
    fn packets_that_came_since_end_the_patience() {
        let start = crate::test_epoch();
        let mut nack = Nack::new(10);
        nack.received(start, 12);
        nack.received(start, 13);
        assert!(nack.poll(start).0.is_empty());
        nack.received(start, 14);
        assert_eq!(nack.poll(start).0.as_slice(), [11]);
        nack.received(start + 30 * MS, 11);
        assert!(nack.rtt < INITIAL_RTT, "the answer told the round trip");
    }

    #[test]
    fn an_outage_is_left_to_a_key_frame() {
        let start = crate::test_epoch();
        let mut nack = Nack::new(10);
        assert!(nack.received(start, 20));
        assert!(!nack.received(start, 20 + MAX_MISSING as u64));
        assert_eq!(nack.deadline(), None);
        nack.received(start, 500);
        nack.forget_before(500);
        assert_eq!(nack.deadline(), None);
    }

    #[test]
    fn one_poll_asks_for_a_bounded_number_and_the_rest_follows() {
        let start = crate::test_epoch();
        let mut nack = Nack::new(0);
        nack.received(start, 101);
        let at = start + REORDER_DELAY;
        let (first, second, third) = (nack.poll(at).0, nack.poll(at).0, nack.poll(at).0);
        assert_eq!((first.len(), second.len(), third.len()), (MAX_PER_POLL, MAX_PER_POLL, 4));
        assert_eq!((first[0], second[0], third[3]), (1, 49, 100));
    }
}
