//! Picture numbering in the payload descriptors of VP8 and VP9: where the fields lie, and how to write others in their place.

/// Positions and values of PictureID and TL0PICIDX in a payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Picture {
    /// PictureID: offset in the payload, value, and whether it has 15 bits instead of 7.
    pub id: Option<(u8, u16, bool)>,
    /// TL0PICIDX: offset in the payload and value.
    pub tl0: Option<(u8, u8)>,
}

impl Picture {
    /// Reads the PictureID at `at`; returns the offset behind it.
    pub(super) fn read_id(&mut self, payload: &[u8], at: usize) -> Option<usize> {
        let first = *payload.get(at)?;
        if first & 0x80 == 0 {
            self.id = Some((at as u8, u16::from(first), false));
            return Some(at + 1);
        }
        let second = *payload.get(at + 1)?;
        self.id = Some((at as u8, u16::from_be_bytes([first & 0x7f, second]), true));
        Some(at + 2)
    }

    /// Moves the numbers on by these offsets, each within its width.
    pub fn shifted(mut self, id: u16, tl0: u8) -> Self {
        if let Some((_, value, wide)) = &mut self.id {
            *value = value.wrapping_add(id) & if *wide { 0x7fff } else { 0x7f };
        }
        if let Some((_, value)) = &mut self.tl0 {
            *value = value.wrapping_add(tl0);
        }
        self
    }

    /// Writes the numbers into a copy of the payload they were read from.
    pub fn patch(&self, payload: &mut [u8]) {
        if let Some((at, value, wide)) = self.id {
            let at = usize::from(at);
            let [high, low] = value.to_be_bytes();
            match (wide, payload.get_mut(at..)) {
                (true, Some([a, b, ..])) => (*a, *b) = (0x80 | high, low),
                (false, Some([a, ..])) => *a = low & 0x7f,
                _ => {}
            }
        }
        if let Some((at, value)) = self.tl0
            && let Some(byte) = payload.get_mut(usize::from(at))
        {
            *byte = value;
        }
    }
}
