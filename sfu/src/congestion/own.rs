//! How long a packet waits behind those that we sent right before it. A camera's pictures come in bursts that a link takes its time for;
//! that is no queue that somebody has to yield to.

/// More isn't explained by what we send, in ms: beyond the estimate more may be sent for a while.
const MOST: f64 = 60.0;
/// ... nor than this for each megabit a second: on a narrow line pictures are small, and voices share it.
const EACH: f64 = 25.0;
/// What waits is forgotten in about so long, in ms: a burst passes, and who sends all that is estimated would explain a queue for ever.
const MEMORY: f64 = 250.0;

/// A model of the link that takes what is estimated. Its input is [`Own::sent`].
#[derive(Debug, Default)]
pub struct Own {
    /// Bytes that still wait there.
    backlog: f64,
    at: i64,
}

impl Own {
    /// A packet was sent at this microsecond to a link of `rate` bits per second; returns how long it waits behind others, in ms.
    pub fn sent(&mut self, at: i64, bytes: usize, rate: u64) -> f64 {
        let rate = rate.max(1) as f64 / 8e3;
        let passed = (at - self.at).max(0) as f64 / 1e3;
        self.at = self.at.max(at);
        self.backlog = (self.backlog - passed * rate).max(0.0) * (1.0 - passed / MEMORY).max(0.0);
        let wait = self.backlog / rate;
        self.backlog = (self.backlog + bytes as f64).min(MOST.min(EACH * rate / 125.0) * rate);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_waits_for_itself_and_what_comes_after_it_does_not() {
        let mut own = Own::default();
        // Each takes 4 ms of a link of two megabits.
        let waits: Vec<f64> = (0..5).map(|n| own.sent(n * 1_000, 1_000, 2_000_000).round()).collect();
        assert_eq!(waits, [0.0, 3.0, 6.0, 9.0, 12.0]);
        assert_eq!(own.sent(40_000, 1_000, 2_000_000), 0.0);
        let last = (0..1_000).map(|n| own.sent(50_000 + n, 1_000, 2_000_000)).last();
        assert!(last.is_some_and(|wait| wait <= 2.0 * EACH && wait > 1.9 * EACH), "{last:?}");
        // All that the link takes, for a second.
        let last = (0..250).map(|n| own.sent(60_000 + n * 4_000, 1_000, 2_000_000)).last();
        assert!(last.is_some_and(|wait| wait < 2.0), "{last:?}");
    }
}
