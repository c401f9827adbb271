//! What one size of a video takes when its publisher may send what it likes.

use smallvec::SmallVec;

/// It is the middle one of the rates of so many seconds: the first has a key frame in it, which doubles it, and encoders begin with more than
/// what they are to take.
const SECONDS: usize = 5;
/// More by one part in so many is more.
const CLEARLY: u64 = 8;

/// See the module. Its input is [`Full::note`], once a second.
#[derive(Clone, Debug, Default)]
pub(super) struct Full {
    /// In bits per second, the oldest first.
    rates: SmallVec<[u64; SECONDS]>,
}

impl Full {
    /// It took so much in the last second, in bits; while its publisher is `limited` that counts only if it is clearly more than what is known.
    pub fn note(&mut self, rate: u64, limited: bool) {
        if rate == 0 || limited && self.get().is_some_and(|known| rate < known + known / CLEARLY) {
            return;
        }
        if self.rates.len() == SECONDS {
            self.rates.remove(0);
        }
        self.rates.push(rate);
    }

    /// Bits per second; of two in the middle the lower. `None`: nothing was sent yet.
    pub fn get(&self) -> Option<u64> {
        let mut sorted = self.rates.clone();
        sorted.sort_unstable();
        sorted.get(sorted.len().saturating_sub(1) / 2).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(rates: &[u64]) -> Option<u64> {
        let mut full = Full::default();
        rates.iter().for_each(|rate| full.note(*rate, false));
        full.get()
    }

    #[test]
    fn a_key_frame_and_what_an_encoder_begins_with_count_for_a_second_or_two() {
        assert_eq!(known(&[]), None);
        // What Chromium sent of a camera of 1.7 Mbit/s, in kbit/s.
        let began = [3_474, 2_160, 1_469, 1_644, 1_651];
        let after: Vec<_> = (1..=5).filter_map(|seconds| known(&began[..seconds])).collect();
        assert_eq!(after, [3_474, 2_160, 2_160, 1_644, 1_651]);
    }

    #[test]
    fn a_limit_makes_it_no_less_and_what_is_more_nevertheless_counts() {
        let mut full = Full::default();
        full.note(500, false);
        (0..9).for_each(|_| full.note(300, true));
        assert_eq!(full.get(), Some(500));
        (0..2).for_each(|_| full.note(900, true));
        assert_eq!(full.get(), Some(900));
    }
}
