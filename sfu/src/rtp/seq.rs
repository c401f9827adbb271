//! Wrapping sequence numbers and timestamps: comparison and extension to 64 bits.

/// Whether `a` comes after `b` on the circle of 16 bits.
pub fn newer16(a: u16, b: u16) -> bool {
    a != b && a.wrapping_sub(b) < 0x8000
}

/// Whether `a` comes after `b` on the circle of 32 bits.
pub fn newer32(a: u32, b: u32) -> bool {
    a != b && a.wrapping_sub(b) < 0x8000_0000
}

/// Unwraps 16-bit sequence numbers into 64-bit indices that never wrap.
///
/// The first number lands in cycle 1, so that stragglers from before it still have an index.
#[derive(Clone, Copy, Debug)]
pub struct Extender {
    highest: Option<u64>,
    first_cycle: u64,
}

impl Default for Extender {
    fn default() -> Self {
        Self { highest: None, first_cycle: 1 }
    }
}

impl Extender {
    /// An extender whose first number gets an index clear of every one near `index`: for a source that started anew.
    pub fn beyond(index: u64) -> Self {
        Self { highest: None, first_cycle: (index >> 16) + 2 }
    }

    /// The index nearest to the highest seen, without remembering it.
    pub fn peek(&self, seq: u16) -> u64 {
        match self.highest {
            None => self.first_cycle << 16 | u64::from(seq),
            Some(highest) => {
                let ahead = i64::from(seq.wrapping_sub(highest as u16) as i16);
                highest.saturating_add_signed(ahead)
            }
        }
    }

    /// The index of `seq`; remembered if it is the highest.
    pub fn extend(&mut self, seq: u16) -> u64 {
        let index = self.peek(seq);
        self.highest = Some(self.highest.map_or(index, |h| h.max(index)));
        index
    }

    /// The highest index seen.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_holds_over_the_wrap() {
        assert!(newer16(0, 65_535) && !newer16(65_535, 0) && !newer16(7, 7));
        assert!(newer32(3, u32::MAX - 3) && !newer32(u32::MAX - 3, 3));
    }

    #[test]
    fn indices_grow_over_the_wrap_and_stragglers_stay_behind() {
        let mut e = Extender::default();
        assert_eq!(e.extend(65_534), 0x1_fffe);
        assert_eq!(e.extend(1), 0x2_0001);
        assert_eq!(e.extend(65_535), 0x1_ffff);
        assert_eq!(e.highest(), Some(0x2_0001));
    }

    #[test]
    fn a_straggler_from_before_the_first_packet_has_an_index() {
        let mut e = Extender::default();
        assert_eq!(e.extend(0), 0x1_0000);
        assert_eq!(e.extend(65_535), 0xffff);
    }
}
