//! The one place that reads the clocks. The media plane gets its time from here as an argument.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// From the NTP epoch (1900) to the Unix epoch (1970), RFC 5905 section 6.
const NTP_TO_UNIX: Duration = Duration::from_secs(2_208_988_800);

/// A monotonic instant and the wall clock at the same moment. Everything after it is reckoned from the monotonic clock, so that
/// a step of the wall clock never shows in sender reports: they stay a straight line.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    instant: Instant,
    /// Since the NTP epoch.
    ntp: Duration,
}

impl Clock {
    /// Reads both clocks.
    pub fn start() -> Self {
        Self::at(Instant::now(), SystemTime::now())
    }

    /// A pair read elsewhere. A wall clock before 1970 counts as 1970.
    pub fn at(instant: Instant, wall: SystemTime) -> Self {
        let unix = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { instant, ntp: NTP_TO_UNIX.saturating_add(unix) }
    }

    /// The monotonic clock now.
    pub fn now(&self) -> Instant {
        Instant::now()
    }

    /// The instant that this clock was started at.
    pub fn epoch(&self) -> Instant {
        self.instant
    }

    /// Time since the NTP epoch at `instant`, for sender reports.
    pub fn ntp(&self, instant: Instant) -> Duration {
        match instant.checked_duration_since(self.instant) {
            Some(after) => self.ntp.saturating_add(after),
            None => self.ntp.saturating_sub(self.instant.saturating_duration_since(instant)),
        }
    }

    /// The same as a 64-bit NTP timestamp: seconds and 2⁻³² of a second, modulo 2³² seconds (RFC 3550 section 4).
    pub fn ntp_timestamp(&self, instant: Instant) -> u64 {
        let ntp = self.ntp(instant);
        let seconds = ntp.as_secs() & u64::from(u32::MAX);
        let fraction = (u64::from(ntp.subsec_nanos()) << 32) / 1_000_000_000;
        seconds << 32 | fraction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ntp_counts_from_1900_and_in_binary_fractions() {
        let start = Instant::now();
        let clock = Clock::at(start, UNIX_EPOCH);
        assert_eq!(clock.ntp_timestamp(start), 2_208_988_800 << 32);
        assert_eq!(clock.ntp_timestamp(start + Duration::from_millis(1_500)), 2_208_988_801 << 32 | 1 << 31);
    }

    #[test]
    fn an_instant_before_the_start_is_earlier_too() {
        let start = Instant::now() + Duration::from_secs(10);
        let clock = Clock::at(start, UNIX_EPOCH + Duration::from_secs(100));
        assert_eq!(clock.ntp(start - Duration::from_secs(1)), NTP_TO_UNIX + Duration::from_secs(99));
    }

    #[test]
    fn the_era_of_2036_wraps_instead_of_overflowing() {
        let start = Instant::now();
        let clock = Clock::at(start, UNIX_EPOCH + Duration::from_secs(u64::from(u32::MAX) + 1) - NTP_TO_UNIX);
        assert_eq!(clock.ntp_timestamp(start + Duration::from_secs(3)), 3 << 32);
    }
}
