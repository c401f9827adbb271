//! Writes dependency descriptors (AV1 RTP specification 1.0, appendix A). The first packet of a key picture carries the structure
//! with all templates, every other packet three bytes that refer to one.

use super::scalability::{KINDS, Mode, TEMPORAL};

/// Which packet of which frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// First packet of its frame.
    pub start: bool,
    /// Last packet of its frame.
    pub end: bool,
    /// Template of its frame.
    pub template: u8,
    /// Number of its frame in its stream.
    pub number: u16,
}

/// Writes a descriptor into `buf`. `structure` is that of a stream whose largest picture has that size, for the first packet of a
/// key picture.
pub fn write(place: Place, structure: Option<(Mode, u16, u16)>, buf: &mut Vec<u8>) {
    buf.clear();
    let mut bits = Bits { bytes: buf, free: 0 };
    bits.put(u32::from(place.start), 1);
    bits.put(u32::from(place.end), 1);
    bits.put(place.template.into(), 6);
    bits.put(place.number.into(), 16);
    let Some((mode, width, height)) = structure else { return };
    // A structure; all decode targets active; nothing that isn't in the templates.
    bits.put(0b10000, 5);
    write_structure(mode, width, height, &mut bits);
}

fn write_structure(mode: Mode, width: u16, height: u16, bits: &mut Bits<'_>) {
    let targets = || (0..mode.spatial()).flat_map(|s| (0..TEMPORAL).map(move |t| (s, t)));
    let templates = || (0..mode.spatial()).flat_map(|s| KINDS.into_iter().map(move |kind| (s, kind)));
    // Template ids begin at 0.
    bits.put(0, 6);
    bits.put(targets().count() as u32 - 1, 5);
    let layers: Vec<(usize, u8)> = templates().map(|(s, kind)| (s, kind.temporal())).collect();
    for pair in layers.windows(2) {
        let [(spatial, temporal), next] = pair else { continue };
        let step = if *spatial != next.0 { 2 } else { u32::from(*temporal != next.1) };
        bits.put(step, 2);
    }
    bits.put(3, 2);
    for (spatial, kind) in templates() {
        for target in targets() {
            bits.put(mode.indication(spatial, kind, target) as u32, 2);
        }
    }
    for (spatial, kind) in templates() {
        for diff in mode.frame_diffs(spatial, kind) {
            bits.put(1, 1);
            bits.put(u32::from(diff) - 1, 4);
        }
        bits.put(0, 1);
    }
    let chains = mode.spatial() as u32;
    bits.put_below(chains, targets().count() as u32 + 1);
    for (spatial, _) in targets() {
        bits.put_below(spatial as u32, chains);
    }
    for (spatial, kind) in templates() {
        for diff in mode.chain_diffs(spatial, kind) {
            bits.put(diff.into(), 4);
        }
    }
    bits.put(1, 1);
    for spatial in 0..mode.spatial() {
        let shift = mode.spatial() - 1 - spatial;
        bits.put(u32::from(width >> shift).saturating_sub(1), 16);
        bits.put(u32::from(height >> shift).saturating_sub(1), 16);
    }
}

/// Writes bits, most significant first; the last byte is filled up with zeros.
struct Bits<'a> {
    bytes: &'a mut Vec<u8>,
    /// Bits of the last byte that are still to be written.
    free: u32,
}

impl Bits<'_> {
    fn put(&mut self, value: u32, count: u32) {
        for at in (0..count).rev() {
            if self.free == 0 {
                self.bytes.push(0);
                self.free = 8;
            }
            self.free -= 1;
            if let Some(last) = self.bytes.last_mut() {
                *last |= ((value >> at & 1) as u8) << self.free;
            }
        }
    }

    /// A value below `limit` in as few bits as that needs (section A.8.1, `ns(n)`).
    fn put_below(&mut self, value: u32, limit: u32) {
        let width = u32::BITS - limit.leading_zeros();
        let short = (1 << width) - limit;
        if value < short { self.put(value, width - 1) } else { self.put(value + short, width) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::scalability::Kind;
    use super::*;
    use ramai_sfu::rtp::dependency::{Structure, frame_number};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn written(mode: Mode, place: Place, width: u16, height: u16) -> Vec<u8> {
        let mut buf = Vec::new();
        write(place, Some((mode, width, height)), &mut buf);
        buf
    }

    #[test]
    fn a_server_reads_layers_and_key_frames() {
        for mode in [Mode::L1t3, Mode::L3t3, Mode::L3t3Key] {
            let mut structure = Structure::default();
            let first = Place { start: true, end: false, template: 0, number: 0x102 };
            let key = written(mode, first, 1280, 720);
            let meta = structure.read(&key).unwrap();
            assert!(meta.keyframe && meta.start && !meta.end);
            assert_eq!(frame_number(&key), Some(0x102));
            for spatial in 0..mode.spatial() {
                for kind in KINDS {
                    let mut buf = Vec::new();
                    let template = mode.template(spatial, kind);
                    write(Place { start: false, end: true, template, number: 7 }, None, &mut buf);
                    assert_eq!(buf.len(), 3);
                    let meta = structure.read(&buf).unwrap();
                    assert_eq!((meta.spatial, meta.temporal), (spatial as u8, kind.temporal()));
                    assert!(meta.end && !meta.start && !meta.keyframe);
                }
            }
        }
    }

    /// Captured from Chromium 156 (`npm run pacing` in tests/browser): L3T3_KEY, which it sends alike with VP9 and AV1.
    #[test]
    fn a_structure_is_to_the_bit_that_of_chromium() {
        let first = Place { start: true, end: false, template: 0, number: 0x6e };
        let layered = written(Mode::L3t3Key, first, 1280, 720);
        assert_eq!(
            hex(&layered),
            "80006e80081485214eaaaaa8000600004000100002aa80a8000600004000100002a000a800060000400016d549241b5524906d54\
             923157e001974ca864330e222396eca8655304224390eca87753013f00b3027f016704ff02cf"
        );
    }

    #[test]
    fn values_below_a_limit_take_as_few_bits_as_can_be() {
        // AV1 specification, section 4.10.7: n = 5 takes two bits up to 2, three above.
        let mut buf = Vec::new();
        let mut bits = Bits { bytes: &mut buf, free: 0 };
        for value in 0..5 {
            bits.put_below(value, 5);
        }
        assert_eq!(buf, [0b0001_1011, 0b0111_0000]);
    }

    #[test]
    fn chains_lead_back_to_the_last_frame_that_must_not_be_lost() {
        let chains = |mode: Mode, spatial, kind| mode.chain_diffs(spatial, kind);
        assert_eq!(chains(Mode::L3t3Key, 2, Kind::Key), [2, 1, 1]);
        assert_eq!(chains(Mode::L3t3Key, 0, Kind::TopFirst), [3, 2, 1]);
        assert_eq!(chains(Mode::L3t3Key, 2, Kind::Base), [2, 1, 12]);
        assert_eq!(chains(Mode::L3t3, 2, Kind::Base), [2, 1, 1]);
        assert_eq!(chains(Mode::L1t3, 0, Kind::Base), [4]);
        assert_eq!(Mode::L3t3.frame_diffs(1, Kind::Middle), [6, 1]);
    }
}
