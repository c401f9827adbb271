//! Redundant audio (RFC 2198): find the primary block, and renumber the blocks for a subscriber.

use crate::id::Pt;

/// More blocks than any sender makes; browsers send at most a handful.
const MAX_BLOCKS: usize = 16;

/// The primary (newest) block: where it starts in the payload, and its payload type. `None` if the headers don't fit the
/// payload.
pub fn primary(payload: &[u8]) -> Option<(u16, Pt)> {
    let mut at = 0;
    let mut redundant = 0;
    for _ in 0..MAX_BLOCKS {
        let first = *payload.get(at)?;
        if first & 0x80 == 0 {
            let start = at + 1 + redundant;
            return (start <= payload.len()).then_some((u16::try_from(start).ok()?, Pt(first)));
        }
        let &[_, _, b, c] = payload.get(at..at + 4)? else { return None };
        redundant += usize::from(u16::from_be_bytes([b & 0x03, c]));
        at += 4;
    }
    None
}

/// Gives every block of a copied payload the payload type `pt`.
pub fn renumber(payload: &mut [u8], pt: Pt) {
    let mut at = 0;
    for _ in 0..MAX_BLOCKS {
        let Some(first) = payload.get_mut(at) else { return };
        let more = *first & 0x80;
        *first = more | pt.0 & 0x7f;
        if more == 0 {
            return;
        }
        at += 4;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One redundant block of 2 bytes, 960 ticks older, then the primary; payload type 111.
    const RED: [u8; 10] = [0x80 | 111, 0x0f, 0x00, 0x02, 111, 1, 2, 7, 8, 9];

    #[test]
    fn the_primary_block_is_the_last() {
        assert_eq!(primary(&RED), Some((7, Pt(111))));
        assert_eq!(primary(&[111, 5]), Some((1, Pt(111))));
    }

    #[test]
    fn headers_that_do_not_fit_are_refused() {
        assert_eq!(primary(&RED[..6]), None);
        assert_eq!(primary(&[0xff; 64]), None);
        assert_eq!(primary(&[]), None);
    }

    #[test]
    fn blocks_are_renumbered() {
        let mut red = RED;
        renumber(&mut red, Pt(100));
        assert_eq!((red[0], red[4], &red[5..]), (0x80 | 100, 100, &RED[5..]));
    }
}
