//! Audio for those who lose much of it: each packet carries four frames before its own (RFC 2198), built from the cache once for all
//! of them. Browsers send one frame before, which at 20% loss leaves 4% unheard; four leave 0.03%.

use crate::id::Pt;
use crate::rtp::Media;
use crate::rtp::red::{self, Earlier};
use smallvec::SmallVec;

/// Frames before a packet's own. Together with it they come to some 500 bytes.
const DEPTH: usize = 4;
/// Packets to look at for them: somewhat more, for some may never have come.
const REACH: u64 = 7;
/// A payload stays below this, so that it fits every path.
const MAX_PAYLOAD: usize = 1_100;

/// A copy of the packet with more frames before its own; `cached` finds packets by index. `None` if there are no more than it
/// carries anyway, or if it didn't come as RED: what is encrypted end to end never does, and must pass as it is.
pub(super) fn deepen<'a>(media: &'a Media, cached: impl Fn(u64) -> Option<&'a Media>) -> Option<Media> {
    let (newest, pt) = primary(media)?;
    let own = red::redundant(&media.payload);
    let mut earlier: SmallVec<[Earlier<'_>; 8]> = own.iter().copied().collect();
    for before in (1..=REACH).filter_map(|n| cached(media.index.checked_sub(n)?)) {
        if before.epoch != media.epoch || before.format != media.format {
            break;
        }
        let offset = media.ts.wrapping_sub(before.ts);
        if let Some((frame, _)) = primary(before)
            && !earlier.iter().any(|(known, _)| *known == offset)
        {
            earlier.push((offset, frame));
        }
    }
    // The newest of them, oldest first.
    earlier.sort_unstable_by_key(|(offset, _)| *offset);
    earlier.truncate(DEPTH);
    while earlier.iter().map(|(_, frame)| frame.len() + 4).sum::<usize>() + newest.len() + 1 > MAX_PAYLOAD {
        earlier.pop()?;
    }
    if earlier.len() <= own.len() {
        return None;
    }
    earlier.reverse();
    let (payload, at) = red::build(&earlier, newest, pt);
    Some(Media { payload: payload.into(), red: Some((u16::try_from(at).ok()?, pt)), ..media.clone() })
}

/// The frame of the packet itself, and the payload type that its blocks have.
fn primary(media: &Media) -> Option<(&[u8], Pt)> {
    let (at, pt) = media.red?;
    media.payload.get(usize::from(at)..).filter(|frame| !frame.is_empty()).map(|frame| (frame, pt))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::media::tests::media;

    const PT: Pt = Pt(111);

    /// A packet of a stream of 20 ms frames whose only byte is their number; `carried`: with so many frames before.
    fn packet(index: u64, carried: u64) -> Media {
        let frames: Vec<(u32, [u8; 1])> = (1..=carried).rev().map(|n| (n as u32 * 960, [(index - n) as u8])).collect();
        let earlier: Vec<Earlier<'_>> = frames.iter().map(|(offset, frame)| (*offset, &frame[..])).collect();
        let (payload, at) = red::build(&earlier, &[index as u8], PT);
        Media { ts: index as u32 * 960, payload: payload.into(), red: Some((at as u16, PT)), ..media(0, index) }
    }

    fn deepened(media: &Media, known: &[Media]) -> Option<Vec<(u32, Vec<u8>)>> {
        let deep = deepen(media, |index| known.iter().find(|media| media.index == index))?;
        assert_eq!((deep.index, deep.ts), (media.index, media.ts));
        let (at, pt) = deep.red.unwrap();
        assert_eq!((&deep.payload[usize::from(at)..], pt), (&[media.index as u8][..], PT));
        Some(red::redundant(&deep.payload).iter().map(|(offset, frame)| (*offset, frame.to_vec())).collect())
    }

    #[test]
    fn a_packet_carries_the_four_frames_before() {
        let known: Vec<Media> = (10..20).map(|index| packet(index, 1)).collect();
        let frames = deepened(&packet(20, 1), &known).unwrap();
        assert_eq!(frames, [(3_840, vec![16]), (2_880, vec![17]), (1_920, vec![18]), (960, vec![19])]);
    }

    #[test]
    fn a_frame_that_never_came_by_itself_is_taken_from_its_successor() {
        let known = [packet(16, 1), packet(17, 1), packet(18, 1)];
        let frames = deepened(&packet(20, 1), &known).unwrap();
        assert_eq!(frames, [(3_840, vec![16]), (2_880, vec![17]), (1_920, vec![18]), (960, vec![19])]);
    }

    #[test]
    fn without_more_frames_the_packet_stays_as_it_is() {
        assert_eq!(deepened(&packet(20, 1), &[]), None);
        assert_eq!(deepened(&packet(20, 4), &[packet(19, 4), packet(18, 4)]), None);
        let other = Media { epoch: 9, ..packet(18, 1) };
        assert_eq!(deepened(&packet(20, 1), &[other]), None, "another stream's");
    }

    #[test]
    fn long_frames_leave_room_for_the_newest() {
        let alone = |index, len| {
            let (payload, at) = red::build(&[], &vec![7; len], PT);
            Media { ts: index as u32 * 960, payload: payload.into(), red: Some((at as u16, PT)), ..media(0, index) }
        };
        let carried = |len| {
            let before = [alone(19, len), alone(18, len), alone(17, len), alone(16, len)];
            let deep = deepen(&alone(20, len), |index| before.iter().find(|media| media.index == index))?;
            Some(red::redundant(&deep.payload).len())
        };
        assert_eq!([100, 300, 500, 900].map(carried), [Some(4), Some(2), Some(1), None]);
    }

    #[test]
    fn what_came_as_plain_opus_stays_so() {
        let plain = |index| Media { red: None, ..packet(index, 0) };
        let known: Vec<Media> = (10..20).map(plain).collect();
        assert!(deepen(&plain(20), |index| known.iter().find(|media| media.index == index)).is_none());
    }
}
