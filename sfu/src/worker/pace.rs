//! How long input may lie unread: under load a short rest lets packets pile up, so that one turn serves many and each peer's
//! packets leave as one run.

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

/// Measures the rate of forwarded packets and says how long a turn shall be.
#[derive(Debug)]
pub(super) struct Pace {
    since: Instant,
    forwarded: u64,
    /// Packets in a second, in the last whole window.
    rate: u64,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, forwarded: 0, rate: 0 }
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
            BUSY.. => BUSY_TURN,
            WAITING.. if holding => WAITING_TURN,
            _ => Duration::ZERO,
        }
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
}
