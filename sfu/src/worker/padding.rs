//! How much padding a worker sends in all: when hundreds join at once, all of their probes together must not be what overloads it.

use std::time::{Duration, Instant};

/// Bytes in a second: some 13,000 packets, a few percent of what a core sends.
const RATE: u64 = 4_000_000;
/// ... of which so much may leave at once: the first probes of a hundred who join together.
const BURST: u64 = 400_000;

/// A bucket of bytes that fills with time.
#[derive(Debug)]
pub(super) struct Padding {
    tokens: u64,
    filled: Instant,
}

impl Padding {
    pub(super) fn new(now: Instant) -> Self {
        Self { tokens: BURST, filled: now }
    }

    /// How many of `bytes` may be sent now; they count as sent.
    pub(super) fn take(&mut self, now: Instant, bytes: usize) -> usize {
        let elapsed = now.saturating_duration_since(self.filled).min(Duration::from_secs(1));
        let more = RATE * elapsed.as_micros() as u64 / 1_000_000;
        if more > 0 {
            self.tokens = (self.tokens + more).min(BURST);
            self.filled = now;
        }
        let taken = self.tokens.min(bytes as u64);
        self.tokens -= taken;
        taken as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_probes_together_stay_below_the_rate() {
        let start = crate::test_epoch();
        let mut padding = Padding::new(start);
        let sent: usize = (0..10_000).map(|n| padding.take(start + Duration::from_millis(1) * n, 50_000)).sum();
        let most = (BURST + 10 * RATE) as usize;
        assert!(sent <= most && sent > most * 99 / 100, "{sent}");
    }
}
