//! Which layers of a video ever have room on the way to one subscriber: nobody shall encode what never fits.

use std::time::{Duration, Instant};

/// What had no room for so long is not asked of the publisher any more. To ask for it again takes no time, but the encoder begins with a
/// key frame, so it shall not come and go with each cloud over the line.
const PATIENCE: Duration = Duration::from_secs(10);

/// One subscription's. Its input is [`Reach::decided`].
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Reach {
    /// The highest simulcast layer that signaling was told to have room; `None`: any.
    told: Option<u8>,
    /// Since when less was given than that, and the most since.
    less: Option<(Instant, u8)>,
}

impl Reach {
    /// Whether a layer may be missing because signaling was told that it has no room here.
    pub(super) fn gave_up(&self, layer: u8) -> bool {
        self.told.is_some_and(|told| layer > told)
    }

    /// There is room for `given`, and `wanted` is the highest layer that could be sent and is wanted. If that is news for signaling it is
    /// returned: the highest layer that has room, or `None` for any.
    pub(super) fn decided(&mut self, now: Instant, given: u8, wanted: u8) -> Option<Option<u8>> {
        let told = self.told;
        if given >= wanted {
            *self = Self::default();
        } else if told.is_some_and(|told| given > told) {
            *self = Self { told: Some(given), less: None };
        } else if told.is_some_and(|told| given == told) {
            self.less = None;
        } else {
            let (since, most) = self.less.unwrap_or((now, given));
            self.less = Some((since, most.max(given)));
            if now.saturating_duration_since(since) >= PATIENCE {
                *self = Self { told: Some(most.max(given)), less: None };
            }
        }
        (self.told != told).then_some(self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides ten times a second for so many seconds; returns what was told, and when.
    fn decide(reach: &mut Reach, from: u64, seconds: u64, given: u8, wanted: u8) -> Vec<(u64, Option<u8>)> {
        let at = |tenths| crate::test_epoch() + Duration::from_millis(100) * tenths as u32;
        let tenths = from * 10..(from + seconds) * 10;
        tenths.filter_map(|t| Some((t / 10, reach.decided(at(t), given, wanted)?))).collect()
    }

    #[test]
    fn what_never_fits_is_given_up_after_a_while_and_asked_for_at_once_when_it_does() {
        let mut reach = Reach::default();
        assert_eq!(decide(&mut reach, 0, 9, 0, 2), []);
        assert!(!reach.gave_up(2));
        assert_eq!(decide(&mut reach, 9, 20, 0, 2), [(10, Some(0))]);
        assert!(reach.gave_up(1) && reach.gave_up(2) && !reach.gave_up(0));
        assert_eq!(decide(&mut reach, 29, 20, 1, 2), [(29, Some(1))]);
        assert_eq!(decide(&mut reach, 49, 20, 2, 2), [(49, None)]);
        assert!(!reach.gave_up(2));
    }

    #[test]
    fn what_fits_now_and_then_is_kept() {
        let mut reach = Reach::default();
        for round in 0..10 {
            assert_eq!(decide(&mut reach, round * 10, 9, 0, 2), []);
            assert_eq!(decide(&mut reach, round * 10 + 9, 1, 2, 2), []);
        }
        // The most that fitted in that time counts.
        assert_eq!(decide(&mut reach, 100, 5, 0, 2), []);
        assert_eq!(decide(&mut reach, 105, 1, 1, 2), []);
        assert_eq!(decide(&mut reach, 106, 8, 0, 2), [(110, Some(1))]);
    }

    #[test]
    fn who_wants_less_misses_nothing() {
        let mut reach = Reach::default();
        decide(&mut reach, 0, 11, 0, 2);
        assert_eq!(decide(&mut reach, 11, 1, 0, 0), [(11, None)]);
        assert_eq!(decide(&mut reach, 12, 30, 0, 0), []);
    }
}
