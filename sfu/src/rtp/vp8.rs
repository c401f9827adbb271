//! VP8 payload descriptor (RFC 7741 section 4.2).

use super::frame::{FrameMeta, Rise};
use super::picture::Picture;

/// Reads the descriptor and the first bit of the VP8 payload header. `None` if it is cut off.
pub fn parse(payload: &[u8]) -> Option<(FrameMeta, Picture)> {
    let first = *payload.first()?;
    let mut picture = Picture::default();
    let (mut temporal, mut sync) = (0, false);
    let mut at = 1;
    if first & 0x80 != 0 {
        let flags = *payload.get(1)?;
        at = 2;
        if flags & 0x80 != 0 {
            at = picture.read_id(payload, at)?;
        }
        if flags & 0x40 != 0 {
            picture.tl0 = Some((at as u8, *payload.get(at)?));
            at += 1;
        }
        if flags & 0x30 != 0 {
            // TID is meant only with the T bit; the byte is there with T or K.
            let byte = *payload.get(at)?;
            if flags & 0x20 != 0 {
                temporal = byte >> 6;
                sync = byte & 0x20 != 0;
            }
            at += 1;
        }
    }
    // Start of VP8 partition, and that is the first: start of a frame.
    let start = first & 0x10 != 0 && first & 0x07 == 0;
    let header = *payload.get(at)?;
    // The inverse key frame flag P is clear on key frames (RFC 6386 section 9.1).
    let keyframe = start && header & 0x01 == 0;
    // With the layer sync bit Y it builds on the lowest temporal layer alone.
    let rise = if sync { Rise { from: temporal.saturating_sub(1), to: temporal } } else { Rise::default() };
    let meta = FrameMeta { keyframe, start, temporal, rise, ..FrameMeta::default() };
    Some((meta, picture))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_with_long_picture_id() {
        // X S PID=0; I L T; M + 15 bits = 0x1234; TL0PICIDX 7; TID 2; payload header with P=0
        let mut payload = [0x90, 0xe0, 0x92, 0x34, 7, 0x80, 0x10, 0x02];
        let (meta, picture) = parse(&payload).unwrap();
        assert!(meta.keyframe && meta.start);
        assert_eq!(meta.temporal, 2);
        assert_eq!(picture, Picture { id: Some((2, 0x1234, true)), tl0: Some((4, 7)) });
        picture.shifted(0x7fff, 255).patch(&mut payload);
        assert_eq!(payload, [0x90, 0xe0, 0x92, 0x33, 6, 0x80, 0x10, 0x02]);
    }

    #[test]
    fn a_frame_with_the_sync_bit_begins_its_temporal_layer() {
        let rise = |tid_and_y| parse(&[0x90, 0x20, tid_and_y, 0x01]).unwrap().0.rise;
        assert_eq!(rise(0x60), Rise { from: 0, to: 1 });
        assert_eq!(rise(0xa0), Rise { from: 1, to: 2 });
        assert_eq!([rise(0x40), rise(0x00), rise(0x20)], [Rise::default(); 3]);
    }

    #[test]
    fn a_short_picture_id_keeps_its_width() {
        let mut payload = [0x90, 0x80, 0x7f, 0x01];
        let (meta, picture) = parse(&payload).unwrap();
        assert!(meta.start && !meta.keyframe);
        picture.shifted(1, 0).patch(&mut payload);
        assert_eq!(payload[2], 0);
    }

    #[test]
    fn a_later_partition_starts_no_frame() {
        assert_eq!(parse(&[0x11, 0x00]).map(|p| (p.0.start, p.0.keyframe)), Some((false, false)));
        assert_eq!(parse(&[0x80, 0xf0, 0x80]), None);
        assert_eq!(parse(&[]), None);
    }
}
