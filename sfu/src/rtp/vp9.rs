//! VP9 payload descriptor (RFC 9628 section 4.2).

use super::frame::FrameMeta;
use super::picture::Picture;

/// Reads the descriptor up to the layer indices. `None` if it is cut off.
pub fn parse(payload: &[u8]) -> Option<(FrameMeta, Picture)> {
    let first = *payload.first()?;
    let flag = |bit: u8| first & bit != 0;
    let (has_id, inter_predicted, has_layers, flexible) = (flag(0x80), flag(0x40), flag(0x20), flag(0x10));
    let mut picture = Picture::default();
    let mut meta = FrameMeta { start: flag(0x08), end: flag(0x04), ..FrameMeta::default() };
    let mut at = 1;
    if has_id {
        at = picture.read_id(payload, at)?;
    }
    let mut depends_on_lower = false;
    if has_layers {
        let layers = *payload.get(at)?;
        at += 1;
        meta.temporal = layers >> 5;
        meta.spatial = layers >> 1 & 0x07;
        depends_on_lower = layers & 0x01 != 0;
        if !flexible {
            picture.tl0 = Some((at as u8, *payload.get(at)?));
        }
    }
    meta.keyframe = meta.start && !inter_predicted && meta.spatial == 0 && !depends_on_lower;
    Some((meta, picture))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_starts_at_the_lowest_spatial_layer() {
        let base = parse(&[0xa8, 0x81, 0x02, 0x00, 9, 0]).unwrap();
        assert!(base.0.keyframe && base.0.start && !base.0.end);
        assert_eq!(base.1, Picture { id: Some((1, 0x102, true)), tl0: Some((4, 9)) });
        let upper = parse(&[0xac, 0x81, 0x02, 0x03, 9, 0]).unwrap();
        assert!(!upper.0.keyframe && upper.0.end);
        assert_eq!(upper.0.spatial, 1);
    }

    #[test]
    fn an_inter_predicted_frame_is_none() {
        assert!(!parse(&[0xe8, 0x01, 0x20, 9]).unwrap().0.keyframe);
        assert_eq!(parse(&[0xa0, 0x01]), None);
    }
}
