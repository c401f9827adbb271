//! VP9 payload descriptor (RFC 9628 section 4.2).

use super::frame::{FrameMeta, Rise};
use super::media::LayerSet;
use super::picture::Picture;

/// Reads the descriptor up to the number of spatial layers, which stands at key pictures. `None` if it is cut off.
pub fn parse(payload: &[u8]) -> Option<(FrameMeta, Picture)> {
    let first = *payload.first()?;
    let flag = |bit: u8| first & bit != 0;
    let (has_id, inter_predicted, has_layers, flexible) = (flag(0x80), flag(0x40), flag(0x20), flag(0x10));
    let mut picture = Picture::default();
    // Z: no reference for higher spatial layers.
    let mut meta = FrameMeta { start: flag(0x08), end: flag(0x04), needed_above: !flag(0x01), ..FrameMeta::default() };
    let mut at = 1;
    if has_id {
        at = picture.read_id(payload, at)?;
    }
    let mut depends_on_lower = false;
    if has_layers {
        let layers = *payload.get(at)?;
        at += 1;
        meta.temporal = layers >> 5;
        if layers & 0x10 != 0 {
            // Switching up point: what follows in higher temporal layers builds on nothing older in these.
            meta.rise = Rise { from: meta.temporal, to: u8::MAX };
        }
        meta.spatial = layers >> 1 & 0x07;
        depends_on_lower = layers & 0x01 != 0;
        if !flexible {
            picture.tl0 = Some((at as u8, *payload.get(at)?));
            at += 1;
        }
    }
    // V: a scalability structure, behind the references of flexible mode, of which a key picture has none.
    if flag(0x02) && !(flexible && inter_predicted) {
        let highest = *payload.get(at)? >> 5;
        meta.spatials = (0..=highest).fold(LayerSet::default(), LayerSet::with);
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
    fn a_key_picture_tells_how_many_spatial_layers_there_are() {
        let (meta, _) = parse(&[0xaa, 0x01, 0x00, 9, 0x50]).unwrap();
        assert_eq!((meta.keyframe, meta.spatials), (true, LayerSet(0b111)));
        assert_eq!(parse(&[0xaa, 0x01, 0x00, 9]), None);
    }

    #[test]
    fn it_tells_what_other_layers_build_on_it() {
        let of = |first, layers| parse(&[first, 0x01, layers, 9]).unwrap().0;
        assert!(of(0xe8, 0x00).needed_above && !of(0xe9, 0x00).needed_above);
        assert_eq!((of(0xe8, 0x30).temporal, of(0xe8, 0x30).rise), (1, Rise { from: 1, to: u8::MAX }));
        assert_eq!(of(0xe8, 0x20).rise, Rise::default());
    }

    #[test]
    fn an_inter_predicted_frame_is_none() {
        assert!(!parse(&[0xe8, 0x01, 0x20, 9]).unwrap().0.keyframe);
        assert_eq!(parse(&[0xa0, 0x01]), None);
    }
}
