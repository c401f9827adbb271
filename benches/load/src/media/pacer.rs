//! When the packets of a publisher's cameras go out: as browsers do it, which was measured (see the README), or evenly spaced.
//!
//! Browsers let a debt of bytes grow that flows off at a multiple of the bitrate. Packets go out back to back until the debt is worth
//! [`BURST`] of time; then all of it has to flow off before the next. So a frame goes out at once if it isn't very large.

use super::{MS, SECOND};

/// How packets are spaced.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Pacing {
    /// As Chromium and Firefox: a frame at once, 40 ms' worth at most.
    #[default]
    Burst,
    /// One by one, at 2.5 times the bitrate.
    Smooth,
}

/// So much time's worth goes out at once.
const BURST: u64 = 40 * MS;

/// See the module. Time is nanoseconds.
#[derive(Debug)]
pub struct Pacer {
    /// Bytes in a second that flow off.
    rate: u64,
    burst: u64,
    /// When the debt is gone.
    free: u64,
}

impl Pacer {
    /// For so many bits in a second together.
    pub fn new(pacing: Pacing, bitrate: u64) -> Self {
        // Tenths: what was measured of browsers, and what libwebrtc is said to do.
        let (factor, burst) = match pacing {
            Pacing::Burst => (20, BURST),
            Pacing::Smooth => (25, 0),
        };
        Self { rate: (bitrate * factor / 80).max(1), burst, free: 0 }
    }

    /// When the next packet may go out, if one waits at `now`.
    pub fn due(&self, now: u64) -> u64 {
        if self.free.saturating_sub(now) < self.burst { now } else { self.free }
    }

    /// A packet of so many bytes went out.
    pub fn sent(&mut self, now: u64, bytes: usize) {
        self.free = self.free.max(now) + bytes as u64 * SECOND / self.rate;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When each of `count` packets of 1,180 bytes goes out that are ready at 0.
    fn times(pacing: Pacing, count: usize) -> Vec<u64> {
        let mut pacer = Pacer::new(pacing, 1_700_000);
        let mut now = 0;
        (0..count)
            .map(|_| {
                now = pacer.due(now);
                pacer.sent(now, 1_180);
                now
            })
            .collect()
    }

    #[test]
    fn a_frame_goes_out_at_once_and_a_large_one_in_bursts_of_forty_milliseconds() {
        assert_eq!(times(Pacing::Burst, 10), [0; 10]);
        let large = times(Pacing::Burst, 33);
        let first = large.iter().filter(|at| **at == 0).count();
        // Chromium 156 sent 14 to 16 of its key frames' 33 packets, and the next 43 ms later.
        assert!((14..=16).contains(&first), "{large:?}");
        let next = large[first];
        assert!((40 * MS..45 * MS).contains(&next), "{large:?}");
        assert_eq!(large[first..2 * first], vec![next; first]);
    }

    #[test]
    fn evenly_they_are_two_milliseconds_apart() {
        let times = times(Pacing::Smooth, 5);
        assert!(times.windows(2).all(|w| (2 * MS..3 * MS).contains(&(w[1] - w[0]))), "{times:?}");
    }

    #[test]
    fn a_debt_is_forgiven_with_time() {
        let mut pacer = Pacer::new(Pacing::Burst, 1_700_000);
        pacer.sent(0, 100_000);
        assert!(pacer.due(MS) > 200 * MS);
        assert_eq!(pacer.due(SECOND), SECOND);
    }
}
