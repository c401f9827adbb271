//! Bits per second of one layer: what sending it to somebody costs.

use std::time::{Duration, Instant};

/// The average spans so many buckets; a second, so that a key frame doesn't look like a better layer.
const BUCKETS: usize = 8;
const BUCKET: Duration = Duration::from_millis(125);

/// A sliding average. Its input is [`Bitrate::add`].
#[derive(Clone, Copy, Debug, Default)]
pub struct Bitrate {
    /// Bytes; the newest is at `at`.
    buckets: [u32; BUCKETS],
    at: usize,
    /// When the newest bucket began.
    since: Option<Instant>,
    /// Buckets that have been filled, the newest not counted.
    filled: usize,
}

impl Bitrate {
    /// Takes in `bytes`.
    pub fn add(&mut self, now: Instant, bytes: usize) {
        self.turn(now);
        if let Some(bucket) = self.buckets.get_mut(self.at) {
            *bucket = bucket.saturating_add(u32::try_from(bytes).unwrap_or(u32::MAX));
        }
    }

    /// Bits per second over the last second, or as long as there was something; zero if there was nothing yet.
    pub fn get(&self, now: Instant) -> u64 {
        let mut up_to_now = *self;
        up_to_now.turn(now);
        let Some(since) = up_to_now.since else { return 0 };
        let newest = now.saturating_duration_since(since);
        let span = BUCKET * up_to_now.filled as u32 + newest;
        // At the very beginning a burst would look like a torrent.
        let span = span.max(2 * BUCKET);
        let bytes: u64 = up_to_now.buckets.iter().map(|b| u64::from(*b)).sum();
        (bytes as f64 * 8.0 / span.as_secs_f64()) as u64
    }

    fn turn(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        if now < since + BUCKET {
            return;
        }
        let steps = now.saturating_duration_since(since).as_micros() / BUCKET.as_micros();
        for _ in 0..steps.min(BUCKETS as u128) {
            self.at = (self.at + 1) % BUCKETS;
            if let Some(bucket) = self.buckets.get_mut(self.at) {
                *bucket = 0;
            }
        }
        self.filled = (self.filled + steps.min(BUCKETS as u128) as usize).min(BUCKETS - 1);
        self.since = Some(since + BUCKET * u32::try_from(steps).unwrap_or(u32::MAX));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of 1,250 bytes each 10 ms: a megabit.
    fn feed(bitrate: &mut Bitrate, from: Instant, packets: u32) -> Instant {
        for n in 0..packets {
            bitrate.add(from + Duration::from_millis(10) * n, 1_250);
        }
        from + Duration::from_millis(10) * packets
    }

    #[test]
    fn a_steady_layer_has_its_rate_soon_and_for_long() {
        let mut bitrate = Bitrate::default();
        let start = crate::test_epoch();
        assert_eq!(bitrate.get(start), 0);
        for packets in [50, 100, 6_000] {
            let mut bitrate = Bitrate::default();
            let now = feed(&mut bitrate, start, packets);
            let rate = bitrate.get(now);
            assert!((950_000..1_050_000).contains(&rate), "{packets}: {rate}");
        }
        bitrate.add(start, 1_250);
        assert!(bitrate.get(start) < 50_000, "one packet is no torrent");
    }

    #[test]
    fn a_layer_that_stops_fades_within_a_second() {
        let mut bitrate = Bitrate::default();
        let end = feed(&mut bitrate, crate::test_epoch(), 300);
        assert!(bitrate.get(end + Duration::from_millis(500)) < 600_000);
        assert_eq!(bitrate.get(end + Duration::from_secs(2)), 0);
        assert_eq!(bitrate.get(end + Duration::from_secs(100_000)), 0);
    }
}
