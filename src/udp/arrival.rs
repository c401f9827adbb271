//! When a datagram came. The kernel notes it as it takes it from the network, by the system's clock; a turn of the loop that was late, or long,
//! sees all that came meanwhile at once. A publisher that is told that its packets came at once, or late, sends less (docs/CONGESTION.md).

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What is older waited for no thread of ours: somebody set the clock.
const LONGEST: Duration = Duration::from_secs(1);
/// The two clocks are read at one moment if no more than this passed meanwhile: a thread may be interrupted.
const MOMENT: Duration = Duration::from_micros(100);

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
pub struct Clocks {
    /// The one that runs evenly.
    pub now: Instant,
    /// The system's, since 1970.
    system: Duration,
}

impl Clocks {
    /// Reads both.
    pub fn read() -> Self {
        let read = || (Instant::now(), SystemTime::now(), Instant::now());
        let (mut now, mut system, after) = read();
        if after - now > MOMENT {
            (now, system, _) = read();
        }
        Self { now, system: system.duration_since(UNIX_EPOCH).unwrap_or_default() }
    }

    /// When something came that the system's clock saw come at `at`; now if it doesn't tell, or was set meanwhile.
    pub fn arrival(&self, at: Option<Duration>) -> Instant {
        let age = at.and_then(|at| self.system.checked_sub(at)).filter(|age| *age <= LONGEST);
        age.and_then(|age| self.now.checked_sub(age)).unwrap_or(self.now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_came_before_it_was_taken_unless_the_clock_was_set_meanwhile() {
        let clocks = Clocks { now: Instant::now() + LONGEST, system: Duration::from_secs(1_800_000_000) };
        let after = |age: f64| clocks.now - clocks.arrival(Some(clocks.system - Duration::from_secs_f64(age)));
        assert_eq!([0.0, 0.02, 1.0].map(after), [Duration::ZERO, Duration::from_millis(20), LONGEST]);
        assert_eq!(after(3_600.0), Duration::ZERO);
        assert_eq!(clocks.arrival(Some(clocks.system + Duration::from_secs(3_600))), clocks.now);
        assert_eq!(clocks.arrival(None), clocks.now);
    }
}
