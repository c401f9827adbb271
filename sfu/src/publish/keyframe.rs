//! When to ask a layer for a key frame (PLI): throttled, repeated until one comes, given up after a while.

use std::time::{Duration, Instant};

/// A key frame costs many times a delta frame, and encoders need time to make it: asking more often only makes more of them.
const INTERVAL: Duration = Duration::from_millis(500);
/// After so many unanswered requests in a row the encoder is paused or gone; a new request starts over.
const MAX_ATTEMPTS: u8 = 10;

/// One layer's key frame request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keyframe {
    wanted: bool,
    attempts: u8,
    last_sent: Option<Instant>,
}

impl Keyframe {
    /// Somebody needs one. While a request stands, more of them change nothing.
    pub fn request(&mut self) {
        if !self.wanted {
            self.wanted = true;
            self.attempts = 0;
        }
    }

    /// One came.
    pub fn arrived(&mut self) {
        self.wanted = false;
    }

    /// When [`Keyframe::poll`] will have something to send; may lie in the past.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        self.wanted.then(|| self.last_sent.map_or(now, |at| at + INTERVAL))
    }

    /// Whether to send a request now.
    pub fn poll(&mut self, now: Instant) -> bool {
        if self.deadline(now).is_none_or(|at| at > now) {
            return false;
        }
        if self.attempts >= MAX_ATTEMPTS {
            self.wanted = false;
            return false;
        }
        self.attempts += 1;
        self.last_sent = Some(now);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_storm_of_requests_becomes_one_per_interval() {
        let start = crate::test_epoch();
        let mut keyframe = Keyframe::default();
        let mut sent = 0;
        for ms in 0..1_600 {
            keyframe.request();
            sent += u32::from(keyframe.poll(start + Duration::from_millis(ms)));
        }
        assert_eq!(sent, 4);
    }

    #[test]
    fn it_is_repeated_until_one_comes_and_given_up_after_a_while() {
        let start = crate::test_epoch();
        let mut keyframe = Keyframe::default();
        keyframe.request();
        assert!(keyframe.poll(start));
        assert!(keyframe.poll(start + INTERVAL));
        keyframe.arrived();
        assert!(!keyframe.poll(start + 2 * INTERVAL));
        keyframe.request();
        let sent = (3..100).filter(|n| keyframe.poll(start + *n * INTERVAL)).count();
        assert_eq!(sent, usize::from(MAX_ATTEMPTS));
        assert_eq!(keyframe.deadline(start), None);
    }
}
