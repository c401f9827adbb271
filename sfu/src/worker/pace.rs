//! How long input may lie unread: under load a short rest lets packets pile up, so that one turn serves many and each peer's
//! packets leave as one run. A worker that runs out of time rests longer before it lets video go: some milliseconds more are noticed by
//! nobody, a missing picture is.

use crate::overload::Load;
use std::time::{Duration, Instant};

/// Over this the rate is measured.
const WINDOW: Duration = Duration::from_millis(20);
/// Packets forwarded in a second from which on every turn rests: a tenth of what a core takes.
const BUSY: u64 = 10_000;
/// ... from which on it rests while the rest of a frame is awaited.
const WAITING: u64 = 1_000;
/// A turn's length under load. With what the turn itself takes it stays below 2 ms for nearly all packets.
const BUSY_TURN: Duration = Duration::from_millis(1);
/// A turn's length while a frame is incomplete: its packets come within this.
const WAITING_TURN: Duration = Duration::from_micros(250);
/// A turn's length when time runs out: a packet of each voice comes within it, and half a dozen frames in a large meeting.
const LONGEST_TURN: Duration = Duration::from_millis(20);
/// The share of time spent working from which on turns grow. Above it a burst makes packets wait for longer than the turn is.
const SHORT_OF_TIME: f64 = 0.75;
/// ... and below which they shrink. Shorter turns take more time, so there is room between the two.
const TIME_TO_SPARE: f64 = 0.5;

/// Measures the rate of forwarded packets and says how long a turn shall be.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    forwarded: u64,
    /// Packets in a second, in the last whole window.
    rate: u64,
    /// A turn's length under load, for now.
    busy_turn: Duration,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, forwarded: 0, rate: 0, busy_turn: BUSY_TURN }
    }

    /// The length of a turn that began at `now`. `forwarded` is the count of all packets so far; `holding`: packets wait for the
    /// rest of their frame.
    pub(super) fn turn(&mut self, now: Instant, forwarded: u64, holding: bool) -> Duration {
        let elapsed = now.saturating_duration_since(self.since);
        if elapsed >= WINDOW {
            let packets = u128::from(forwarded.saturating_sub(self.forwarded));
            self.rate = (packets * 1_000_000 / elapsed.as_micros().max(1)) as u64;
            (self.since, self.forwarded) = (now, forwarded);
        }
        match self.rate {
            BUSY.. => self.busy_turn,
            WAITING.. if holding => WAITING_TURN,
            _ => Duration::ZERO,
        }
    }

    /// Takes in how the thread fared: turns grow fast, within half a second, and shrink slowly. `shedding`: some video isn't sent for
    /// want of time, and comes back first. Tells whether turns grew.
    pub(super) fn handle_load(&mut self, load: &Load, shedding: bool) -> bool {
        let (before, share) = (self.busy_turn, load.share());
        if share >= SHORT_OF_TIME {
            self.busy_turn = (self.busy_turn * 2).min(LONGEST_TURN);
        } else if share < TIME_TO_SPARE && !shedding {
            self.busy_turn = (self.busy_turn * 15 / 16).max(BUSY_TURN);
        }
        self.busy_turn > before
    }

    /// A turn's length under load.
    pub(super) fn busy_turn(&self) -> Duration {
        self.busy_turn
    }

    /// Turns are longer than they should be, for time runs out.
    pub(super) fn is_pressed(&self) -> bool {
        self.busy_turn > BUSY_TURN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_grow_with_load_and_shrink_again() {
        let start = crate::test_epoch();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::new(start);
        assert_eq!(pace.turn(at(0), 0, true), Duration::ZERO);
        assert_eq!(pace.turn(at(20), 40, false), Duration::ZERO, "2,000 packets a second leave at once");
        assert_eq!(pace.turn(at(21), 42, true), WAITING_TURN);
        assert_eq!(pace.turn(at(40), 40 + 300, false), BUSY_TURN, "15,000 a second");
        assert_eq!(pace.turn(at(1_000), 345, true), Duration::ZERO, "five in a second");
    }

    #[test]
    fn a_worker_short_of_time_rests_longer_and_goes_back_when_there_is_some() {
        let mut pace = Pace::new(crate::test_epoch());
        let mut fares = |percent: u64, samples, shedding| {
            let (span, busy) = (Duration::from_millis(100), Duration::from_millis(percent));
            for _ in 0..samples {
                pace.handle_load(&Load { span, busy, ..Load::default() }, shedding);
            }
            (pace.busy_turn(), pace.is_pressed())
        };
        assert_eq!(fares(70, 10, false), (BUSY_TURN, false));
        assert_eq!(fares(85, 2, false), (4 * BUSY_TURN, true));
        assert_eq!(fares(100, 10, true), (LONGEST_TURN, true));
        assert_eq!(fares(70, 10, false), (LONGEST_TURN, true), "that was the longer turns' doing");
        assert_eq!(fares(40, 60, true), (LONGEST_TURN, true), "video comes back first");
        assert_eq!(fares(40, 60, false), (BUSY_TURN, false));
    }
}
