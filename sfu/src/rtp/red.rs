//! Redundant audio (RFC 2198): find the blocks, renumber them for a subscriber, and put frames together to a payload.

use crate::id::Pt;
use smallvec::SmallVec;
use std::ops::Range;

/// More blocks than any sender makes; browsers send at most a handful.
const MAX_BLOCKS: usize = 16;

/// Header of a redundant block: 14 bits of timestamp offset, 10 bits of length.
const MAX_OFFSET: u32 = (1 << 14) - 1;
const MAX_BLOCK: usize = (1 << 10) - 1;

/// A frame before the newest: how many ticks before, and its bytes.
pub type Earlier<'a> = (u32, &'a [u8]);

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

/// The redundant blocks, oldest first as they stand. Empty if the headers don't fit the payload.
pub fn redundant(payload: &[u8]) -> SmallVec<[Earlier<'_>; 4]> {
    let mut found: SmallVec<[(u32, Range<usize>); 4]> = SmallVec::new();
    let (mut at, mut data) = (0, 0);
    for _ in 0..MAX_BLOCKS {
        match payload.get(at..) {
            Some([first, ..]) if first & 0x80 == 0 => {
                let start = at + 1;
                let block = |(offset, range): (u32, Range<usize>)| {
                    Some((offset, payload.get(start + range.start..start + range.end)?))
                };
                return found.into_iter().filter_map(block).collect();
            }
            Some([_, a, b, c, ..]) => {
                let len = usize::from(u16::from_be_bytes([b & 0x03, *c]));
                found.push((u32::from(*a) << 6 | u32::from(b >> 2), data..data + len));
                (at, data) = (at + 4, data + len);
            }
            _ => break,
        }
    }
    SmallVec::new()
}

/// Puts a payload together: `earlier` frames, oldest first, and the newest. Frames that don't fit a header are left out. Every block
/// gets the payload type `pt`. Returns it with the place where the primary block starts.
pub fn build(earlier: &[Earlier<'_>], newest: &[u8], pt: Pt) -> (Vec<u8>, usize) {
    let fits = |(offset, bytes): &&Earlier<'_>| {
        (1..=MAX_OFFSET).contains(offset) && !bytes.is_empty() && bytes.len() <= MAX_BLOCK
    };
    let blocks = || earlier.iter().filter(fits);
    let mut out = Vec::with_capacity(blocks().map(|(_, bytes)| 4 + bytes.len()).sum::<usize>() + 1 + newest.len());
    for (offset, bytes) in blocks() {
        let word = offset << 10 | bytes.len() as u32;
        let [_, a, b, c] = word.to_be_bytes();
        out.extend([0x80 | pt.0, a, b, c]);
    }
    out.push(pt.0 & 0x7f);
    blocks().for_each(|(_, bytes)| out.extend_from_slice(bytes));
    let primary = out.len();
    out.extend_from_slice(newest);
    (out, primary)
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
    fn what_is_put_together_is_found_again() {
        let long = [9; MAX_BLOCK + 1];
        let frames: [Earlier<'_>; 5] =
            [(3_000, &long), (2_880, &[1, 2]), (1_920, &[]), (960, &[3]), (MAX_OFFSET + 1, &[4])];
        let (built, at) = build(&frames, &[7, 8, 9], Pt(111));
        assert_eq!(primary(&built), Some((at as u16, Pt(111))));
        assert_eq!(built[at..], [7, 8, 9]);
        assert_eq!(redundant(&built)[..], [(2_880, &[1, 2][..]), (960, &[3][..])]);
        assert_eq!(redundant(&RED)[..], [(960, &[1, 2][..])]);
        assert!(redundant(&RED[..6]).is_empty() && redundant(&[0xff; 64]).is_empty() && redundant(&[]).is_empty());
        assert_eq!(build(&[], &[5], Pt(111)), (vec![111, 5], 1));
    }

    #[test]
    fn blocks_are_renumbered() {
        let mut red = RED;
        renumber(&mut red, Pt(100));
        assert_eq!((red[0], red[4], &red[5..]), (0x80 | 100, 100, &RED[5..]));
    }
}
