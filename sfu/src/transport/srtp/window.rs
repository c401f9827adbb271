//! Packet indexes of one source: estimating them from 16 bits, and remembering which were seen.

/// Indexes remembered. RFC 3711 section 3.3.2 asks for at least 64; a retransmission without RTX comes a round trip late,
/// which at 450 packets a second (4 Mbit/s) over 500 ms is 225.
const SPAN: u64 = 1024;
const WORDS: usize = SPAN as usize / 64;

/// Indexes that were seen, of one SSRC and one direction.
#[derive(Clone, Debug)]
pub(super) struct Window {
    highest: u64,
    /// A ring of bits: index `i` has bit `i % SPAN`.
    seen: [u64; WORDS],
}

impl Window {
    /// A window that has seen `index` alone.
    pub(super) fn starting_at(index: u64) -> Self {
        let mut window = Self { highest: index, seen: [0; WORDS] };
        window.set(index, true);
        window
    }

    /// The index of the packet with sequence number `seq` (RFC 3711 section 3.3.1): the one nearest to the highest seen.
    /// `None` if that is before the first.
    pub(super) fn estimate(&self, seq: u16) -> Option<u64> {
        let difference = seq.wrapping_sub(self.highest as u16) as i16;
        self.highest.checked_add_signed(i64::from(difference))
    }

    /// Neither seen nor too old to tell.
    pub(super) fn is_new(&self, index: u64) -> bool {
        index > self.highest || (self.highest - index < SPAN && !self.get(index))
    }

    /// Remembers an index that [`Self::is_new`].
    pub(super) fn accept(&mut self, index: u64) {
        if index > self.highest {
            if index - self.highest >= SPAN {
                self.seen = [0; WORDS];
            } else {
                for skipped in self.highest + 1..index {
                    self.set(skipped, false);
                }
            }
            self.highest = index;
        }
        self.set(index, true);
    }

    fn get(&self, index: u64) -> bool {
        let bit = index % SPAN;
        self.seen.get((bit / 64) as usize).is_some_and(|word| word >> (bit % 64) & 1 == 1)
    }

    fn set(&mut self, index: u64, value: bool) {
        let bit = index % SPAN;
        if let Some(word) = self.seen.get_mut((bit / 64) as usize) {
            *word = *word & !(1 << (bit % 64)) | u64::from(value) << (bit % 64);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_goes_on_over_the_wrap_and_back_for_late_packets() {
        let mut window = Window::starting_at(65_534);
        assert_eq!(window.estimate(65_535), Some(65_535));
        assert_eq!(window.estimate(1), Some(65_537));
        window.accept(65_537);
        assert_eq!(window.estimate(65_535), Some(65_535));
        assert_eq!(window.estimate(0), Some(65_536));
        assert_eq!(Window::starting_at(3).estimate(65_535), None);
    }

    #[test]
    fn each_index_is_new_once_in_any_order() {
        let mut window = Window::starting_at(10_000);
        for index in [10_003, 10_001, 9_500, 12_000, 11_000, 11_999, 10_977] {
            assert!(window.is_new(index), "{index}");
            window.accept(index);
            assert!(!window.is_new(index), "{index}");
        }
        assert!(!window.is_new(10_976), "too old");
        assert!(window.is_new(11_001), "never seen, though its bit was another's once");
    }
}
