//! Packet indexes of one source: estimating them from 16 bits, and remembering which were seen.

/// Indexes remembered. RFC 3711 section 3.3.2 asks for at least 64; a retransmission without RTX comes a round trip late,
/// which at 450 packets a second (4 Mbit/s) over 500 ms is 225.
const SPAN: u64 = 1024;
const WORDS: usize = SPAN as usize / 64;

/// Indexes that were seen, of one SSRC and one direction.
///
/// Packets hardly ever come out of order, so what those in order need lies together: a peer that receives fifty streams has fifty
/// windows, and each packet touches another one.
#[derive(Clone, Debug)]
pub(super) struct Window {
    highest: u64,
    /// The 64 indexes among which the highest is, a bit each.
    newest: u64,
    /// The [`SPAN`] before these, a ring: index `i` is in word `i / 64 % WORDS`.
    older: Box<[u64; WORDS]>,
}

const _: () = assert!(size_of::<(u32, Window)>() <= 32);

impl Window {
    /// A window that has seen `index` alone.
    pub(super) fn starting_at(index: u64) -> Self {
        Self { highest: index, newest: bit(index), older: Box::default() }
    }

    /// The highest index seen.
    pub(super) fn highest(&self) -> u64 {
        self.highest
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
        let (block, last) = (index / 64, self.highest / 64);
        if block < last {
            *self.word(block) |= bit(index);
            return;
        }
        if block > last {
            *self.word(last) = self.newest;
            self.newest = 0;
            // What was skipped was not seen; once round is all there is.
            (last + 1..block).take(WORDS).for_each(|skipped| *self.word(skipped) = 0);
        }
        self.newest |= bit(index);
        self.highest = self.highest.max(index);
    }

    fn get(&self, index: u64) -> bool {
        let block = index / 64;
        let word = if block == self.highest / 64 { self.newest } else { self.older[place(block)] };
        word & bit(index) != 0
    }

    fn word(&mut self, block: u64) -> &mut u64 {
        &mut self.older[place(block)]
    }
}

fn bit(index: u64) -> u64 {
    1 << (index % 64)
}

/// Below [`WORDS`].
fn place(block: u64) -> usize {
    (block % WORDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_chacha::ChaCha8Rng;

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

    #[test]
    fn it_remembers_what_a_set_would_over_the_whole_span() {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let (mut window, mut seen) = (Window::starting_at(5_000), std::collections::BTreeSet::from([5_000]));
        for _ in 0..20_000 {
            let highest = *seen.last().unwrap();
            let index = match rng.random_range(0..100) {
                0 => highest + rng.random_range(1..3_000),
                1..40 => highest + rng.random_range(1..4),
                _ => highest - rng.random_range(0..1_100),
            };
            let known = index + SPAN > highest && !seen.contains(&index);
            assert_eq!(window.is_new(index), known, "{index} after {highest}");
            if known {
                window.accept(index);
                seen.insert(index);
            }
        }
    }
}
