//! Key frame detection in H.264 payloads (RFC 6184 section 5).

use super::frame::FrameMeta;

const IDR: u8 = 5;
const SPS: u8 = 7;
const STAP_A: u8 = 24;
const FU_A: u8 = 28;
const FU_B: u8 = 29;

/// What can be seen of the frame: a key frame starts with its parameter sets, or with an IDR slice where they are sent apart.
/// The end of a frame is the RTP marker.
pub fn parse(payload: &[u8]) -> Option<FrameMeta> {
    let kind = payload.first()? & 0x1f;
    let (start, keyframe) = match kind {
        STAP_A => {
            let mut units = aggregated(payload.get(1..)?);
            (true, units.any(|unit| unit == IDR || unit == SPS))
        }
        FU_A | FU_B => {
            let header = *payload.get(1)?;
            let start = header & 0x80 != 0;
            // Any part of a fragmented IDR could be taken for its start: only the one with the S bit is.
            (start, start && header & 0x1f == IDR)
        }
        _ => (true, kind == IDR || kind == SPS),
    };
    Some(FrameMeta { keyframe, start, ..FrameMeta::default() })
}

/// The types of the NAL units in an aggregation packet.
fn aggregated(mut rest: &[u8]) -> impl Iterator<Item = u8> {
    std::iter::from_fn(move || {
        let (&[a, b], units) = rest.split_first_chunk::<2>()?;
        let len = usize::from(u16::from_be_bytes([a, b]));
        let kind = units.first()? & 0x1f;
        rest = units.get(len.max(1)..)?;
        Some(kind)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_frames_start_with_parameter_sets_or_an_idr_slice() {
        let keyframe = |p: &[u8]| parse(p).unwrap().keyframe;
        assert!(keyframe(&[0x67, 1, 2, 3]), "SPS alone");
        assert!(keyframe(&[0x78, 0, 2, 0x67, 1, 0, 1, 0x68]), "STAP-A with SPS and PPS");
        assert!(keyframe(&[0x7c, 0x85, 9]), "first fragment of an IDR slice");
        assert!(!keyframe(&[0x7c, 0x05, 9]), "later fragment");
        assert!(!keyframe(&[0x41, 9]) && !keyframe(&[0x7c, 0x81, 9]), "P slices");
        assert!(!keyframe(&[0x78, 0, 9, 0x41]), "STAP-A that lies about a length");
        assert_eq!(parse(&[]), None);
    }
}
