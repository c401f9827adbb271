//! Dependency descriptor (AV1 RTP specification 1.0, appendix A): frame boundaries and layers without looking at payload.

use super::frame::FrameMeta;
use smallvec::SmallVec;

/// Templates are numbered with six bits.
const MAX_TEMPLATES: usize = 64;

/// The layers of the newest template structure of a stream: what later packets refer to by template id.
#[derive(Clone, Debug, Default)]
pub struct Structure {
    offset: u8,
    /// (spatial, temporal) of each template.
    layers: SmallVec<[(u8, u8); 16]>,
}

/// The frame number, in the mandatory fields of every descriptor.
pub fn frame_number(descriptor: &[u8]) -> Option<u16> {
    match descriptor {
        &[_, high, low, ..] => Some(u16::from_be_bytes([high, low])),
        _ => None,
    }
}

impl Structure {
    /// Reads one descriptor. A template structure in it starts a key frame, and is remembered.
    pub fn read(&mut self, descriptor: &[u8]) -> Option<FrameMeta> {
        let &[first, _, _, ref rest @ ..] = descriptor else { return None };
        let mut meta = FrameMeta { start: first & 0x80 != 0, end: first & 0x40 != 0, ..FrameMeta::default() };
        if rest.first().is_some_and(|flags| flags & 0x80 != 0)
            && let Some(structure) = Structure::parse(rest)
        {
            *self = structure;
            meta.keyframe = meta.start;
        }
        let slot = (first & 0x3f).wrapping_sub(self.offset) & 0x3f;
        if let Some(&(spatial, temporal)) = self.layers.get(usize::from(slot)) {
            (meta.spatial, meta.temporal) = (spatial, temporal);
        }
        Some(meta)
    }

    /// The structure's head: template id offset, decode targets, then the layers of each template.
    fn parse(extended: &[u8]) -> Option<Self> {
        let mut bits = Bits { bytes: extended, at: 5 };
        let offset = bits.take(6)?;
        bits.take(5)?; // decode targets
        let (mut spatial, mut temporal) = (0, 0);
        let mut layers = SmallVec::new();
        while layers.len() < MAX_TEMPLATES {
            layers.push((spatial, temporal));
            match bits.take(2)? {
                0 => {}
                1 => temporal += 1,
                2 => (spatial, temporal) = (spatial + 1, 0),
                _ => return Some(Self { offset, layers }),
            }
        }
        None
    }
}

/// Reads bits, most significant first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    /// Up to eight bits.
    fn take(&mut self, count: usize) -> Option<u8> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.at / 8)?;
            value = value << 1 | byte >> (7 - self.at % 8) & 1;
            self.at += 1;
        }
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Start and end of frame, template 0, frame 0x0102; structure with offset 0, 1 decode target, templates (0,0) (0,1) (1,0).
    const KEY: [u8; 7] = [0xc0, 1, 2, 0x80, 0b0000_0000, 0b0110_1100, 0];

    #[test]
    fn a_template_structure_starts_a_key_frame_and_names_the_layers_after_it() {
        let mut structure = Structure::default();
        let key = structure.read(&KEY).unwrap();
        assert!(key.keyframe && key.start && key.end);
        assert_eq!(frame_number(&KEY), Some(0x102));
        assert_eq!(structure.layers.as_slice(), [(0, 0), (0, 1), (1, 0)]);
        let delta = structure.read(&[0x82, 1, 3]).unwrap();
        assert!(!delta.keyframe && delta.start && !delta.end);
        assert_eq!((delta.spatial, delta.temporal), (1, 0));
    }

    #[test]
    fn cut_off_descriptors_are_none_or_mandatory_fields_only() {
        let mut structure = Structure::default();
        assert_eq!(structure.read(&KEY[..2]), None);
        for len in 3..5 {
            assert!(!structure.read(&KEY[..len]).unwrap().keyframe);
        }
        assert_eq!(frame_number(&[1, 2]), None);
    }
}
