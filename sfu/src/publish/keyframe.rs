//! When to ask a layer for a key frame (PLI): throttled, the more the longer the asking goes on, repeated until one comes, given up
//! after a while.

use std::time::{Duration, Instant};

/// A key frame costs many times a delta frame, and encoders need time to make it: asking more often only makes more of them.
const INTERVAL: Duration = Duration::from_millis(500);
/// While hundreds join, somebody asks all the time, and everybody else pays for each key frame with a worse picture: so the
/// interval grows by a quarter each time, up to here. A newcomer's wait grows with it, half of it on average.
const LONGEST_INTERVAL: Duration = Duration::from_secs(1);
/// After so many unanswered requests in a row the encoder is paused or gone; a new request starts over.
const MAX_ATTEMPTS: u8 = 10;

/// One layer's key frame request.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Keyframe {
    wanted: bool,
    attempts: u8,
    /// When it was asked last, and how long not to ask again.
    last_sent: Option<(Instant, Duration)>,
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
        self.wanted.then(|| self.last_sent.map_or(now, |(at, interval)| at + interval))
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
        let interval = match self.last_sent {
            Some((at, before)) if now.saturating_duration_since(at) < 2 * before => before * 5 / 4,
            _ => INTERVAL,
        };
        self.last_sent = Some((now, interval.min(LONGEST_INTERVAL)));
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When requests go out of a stretch of time in which somebody asks every millisecond.
    fn storm(keyframe: &mut Keyframe, from: Instant, length_ms: u64) -> Vec<u64> {
        let asked = |ms: &u64| {
            keyframe.request();
            keyframe.poll(from + Duration::from_millis(*ms))
        };
        (0..length_ms).filter(asked).collect()
    }

    #[test]
    fn a_storm_of_requests_becomes_one_per_interval_which_grows() {
        let start = crate::test_epoch();
        let mut keyframe = Keyframe::default();
        assert_eq!(storm(&mut keyframe, start, 5_000), [0, 500, 1_125, 1_907, 2_884, 3_884, 4_884]);
        let calm = start + Duration::from_secs(20);
        assert_eq!(storm(&mut keyframe, calm, 1_000), [0, 500], "it starts over after a calm");
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
