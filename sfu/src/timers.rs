//! Who wants to be woken when: one enum and one table for all timers of a worker.

use crate::id::{RoomId, TrackId, TransportId};
use rustc_hash::FxHashMap;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// What may be due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(crate) enum Timer {
    /// A peer: its transport, its feedback or its reports.
    Peer(TransportId),
    /// A room: who speaks in it.
    Room(RoomId),
    /// A track: packets that wait for the rest of their frame.
    Frame(TrackId),
    /// A mirror of another worker's track: key frames to ask for.
    Mirror(TrackId),
    /// A peer: what it may be sent.
    Budget(TransportId),
}

/// The next deadline of each timer. Moving one later is free: it rides on its earlier heap entry, which re-arms itself when it
/// comes up. At most one entry of the heap counts for a timer, so the others are dropped as they come up and can't pile up.
#[derive(Default, Debug)]
pub(crate) struct Timers {
    set: FxHashMap<Timer, Deadline>,
    heap: BinaryHeap<Reverse<(Instant, Timer)>>,
}

#[derive(Debug)]
struct Deadline {
    due: Option<Instant>,
    /// The heap entry that counts; never later than `due`.
    armed: Instant,
}

impl Timers {
    /// `timer` is due at `at`, and not when it was set to before.
    pub(crate) fn set(&mut self, timer: Timer, at: Option<Instant>) {
        match (self.set.get_mut(&timer), at) {
            (Some(deadline), None) => deadline.due = None,
            (None, None) => {}
            (Some(deadline), Some(at)) if deadline.armed <= at => deadline.due = Some(at),
            (_, Some(at)) => {
                self.set.insert(timer, Deadline { due: Some(at), armed: at });
                self.heap.push(Reverse((at, timer)));
            }
        }
    }

    /// `timer` is gone.
    pub(crate) fn remove(&mut self, timer: Timer) {
        self.set.remove(&timer);
    }

    /// The next instant at which [`Timers::pop`] may have something; at times too early, never too late.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.heap.peek().map(|Reverse((at, _))| *at)
    }

    /// One timer that is due; it is no longer set.
    pub(crate) fn pop(&mut self, now: Instant) -> Option<Timer> {
        while let Some(Reverse((at, timer))) = self.heap.peek().copied() {
            if at > now {
                return None;
            }
            self.heap.pop();
            let Some(deadline) = self.set.get_mut(&timer).filter(|d| d.armed == at) else { continue };
            match deadline.due {
                Some(due) if due > now => {
                    deadline.armed = due;
                    self.heap.push(Reverse((due, timer)));
                }
                due => {
                    self.set.remove(&timer);
                    if due.is_some() {
                        return Some(timer);
                    }
                }
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_deadline_moved_later_fires_once_at_the_later_time() {
        let t0 = crate::test_epoch();
        let at = |ms| t0 + Duration::from_millis(ms);
        let mut timers = Timers::default();
        timers.set(Timer::Peer(TransportId(1)), Some(at(10)));
        timers.set(Timer::Peer(TransportId(1)), Some(at(30)));
        timers.set(Timer::Peer(TransportId(2)), Some(at(20)));
        assert_eq!(timers.pop(at(15)), None);
        assert_eq!(timers.pop(at(40)), Some(Timer::Peer(TransportId(2))));
        assert_eq!(timers.pop(at(40)), Some(Timer::Peer(TransportId(1))));
        assert_eq!((timers.pop(at(99)), timers.next()), (None, None));
    }

    #[test]
    fn a_removed_transport_never_fires() {
        let t0 = crate::test_epoch();
        let mut timers = Timers::default();
        timers.set(Timer::Peer(TransportId(1)), Some(t0));
        timers.remove(Timer::Peer(TransportId(1)));
        assert_eq!(timers.pop(t0), None);
    }

    #[test]
    fn moving_a_timer_to_and_fro_leaves_no_entries_behind() {
        let t0 = crate::test_epoch();
        let mut timers = Timers::default();
        let timer = Timer::Room(RoomId(1));
        for ms in (0..10_000).step_by(10) {
            let at = |after| Some(t0 + Duration::from_millis(ms + after));
            timers.set(timer, at(900));
            timers.set(timer, at(5));
            timers.set(timer, None);
            timers.set(timer, at(7));
            assert_eq!(timers.pop(t0 + Duration::from_millis(ms + 8)), Some(timer));
        }
        assert!(timers.heap.len() < 120, "{} entries: only those of the last 900 ms may wait", timers.heap.len());
    }
}
