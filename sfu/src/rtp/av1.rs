//! AV1 aggregation header (AV1 RTP specification 1.0, section 4.4).

use super::frame::FrameMeta;

/// What can be seen of the frame without a dependency descriptor: the N bit marks the first packet of a coded video sequence,
/// which starts with a key frame. Where Z is clear the packet doesn't go on with an OBU of the packet before.
pub fn parse(payload: &[u8]) -> Option<FrameMeta> {
    let header = *payload.first()?;
    let continued = header & 0x80 != 0;
    let new_sequence = header & 0x08 != 0;
    Some(FrameMeta { keyframe: new_sequence && !continued, start: !continued, ..FrameMeta::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_n_bit_starts_a_key_frame() {
        assert!(parse(&[0x18, 0x0a]).unwrap().keyframe);
        assert!(!parse(&[0x10, 0x32]).unwrap().keyframe);
        assert!(!parse(&[0x98]).unwrap().keyframe);
        assert_eq!(parse(&[]), None);
    }
}
