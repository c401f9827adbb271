//! What a packet is to its frame: from the dependency descriptor where there is one, else from the payload descriptor, since
//! under end-to-end encryption payloads are opaque.

use super::dependency::Structure;
use super::media::LayerSet;
use super::packet::Packet;
use super::picture::Picture;
use super::{av1, h264, vp8, vp9};
use crate::params::Codec;

/// A packet's place in its frame and the frame's layers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FrameMeta {
    /// This packet starts a key frame: a decoder may begin here.
    pub keyframe: bool,
    /// First packet of a frame.
    pub start: bool,
    /// Last packet of a frame.
    pub end: bool,
    /// Temporal layer.
    pub temporal: u8,
    /// Spatial layer within the stream (SVC), not the simulcast layer.
    pub spatial: u8,
    /// Higher spatial layers of the same picture build on it.
    pub needed_above: bool,
    /// Who may begin to take higher temporal layers here.
    pub rise: Rise,
    /// Spatial layers that the stream has at this moment.
    pub spatials: LayerSet,
}

/// From a frame with one on, who takes temporal layers up to `from` may take all up to `to`. Elsewhere what is above `from` may build on
/// what wasn't taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rise {
    /// So much must have been taken.
    pub from: u8,
    /// So much may be; zero where no layer begins.
    pub to: u8,
}

/// Reads a packet of `codec`. `structure` is the dependency structure of the same stream. A payload that makes no sense yields a
/// packet amid a frame, never a key frame.
pub fn inspect(codec: Codec, packet: &Packet, structure: &mut Structure) -> (FrameMeta, Picture) {
    let payload = &packet.payload[..];
    let (from_payload, picture) = match codec {
        Codec::Opus => (Some(FrameMeta { start: true, end: true, ..FrameMeta::default() }), None),
        Codec::Vp8 => vp8::parse(payload).unzip(),
        Codec::Vp9 => vp9::parse(payload).unzip(),
        Codec::H264 => (h264::parse(payload), None),
        Codec::Av1 => (av1::parse(payload), None),
    };
    let described = packet.extensions.dependency_descriptor.as_deref().and_then(|d| structure.read(d));
    let mut meta = described.or(from_payload).unwrap_or_default();
    meta.end |= packet.marker && codec != Codec::Opus;
    (meta, picture.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{Pt, Ssrc};
    use crate::rtp::{Extensions, red};
    use bytes::Bytes;
    use rand::{Rng, SeedableRng};

    fn packet(payload: &[u8], descriptor: Option<&[u8]>) -> Packet {
        let dependency_descriptor = descriptor.map(Bytes::copy_from_slice);
        let extensions = Extensions { dependency_descriptor, ..Extensions::default() };
        let payload = Bytes::copy_from_slice(payload);
        Packet { pt: Pt(96), marker: false, seq: 0, ts: 0, ssrc: Ssrc(1), extensions, payload }
    }

    #[test]
    fn the_descriptor_is_believed_before_the_payload() {
        let mut structure = Structure::default();
        let key_frame_by_payload = [0x90, 0x80, 0x01, 0x00];
        let (meta, picture) = inspect(Codec::Vp8, &packet(&key_frame_by_payload, Some(&[0x80, 0, 1])), &mut structure);
        assert!(meta.start && !meta.keyframe);
        assert!(picture.id.is_some(), "the numbering is read all the same");
        assert!(inspect(Codec::Vp8, &packet(&key_frame_by_payload, None), &mut structure).0.keyframe);
    }

    #[test]
    fn random_payloads_never_panic() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(6);
        let mut structure = Structure::default();
        for _ in 0..30_000 {
            let mut payload = vec![0; rng.random_range(0..24)];
            rng.fill(&mut payload[..]);
            let mut descriptor = vec![0; rng.random_range(0..24)];
            rng.fill(&mut descriptor[..]);
            let packet = packet(&payload, rng.random::<bool>().then_some(&descriptor[..]));
            for codec in [Codec::Opus, Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
                let (_, picture) = inspect(codec, &packet, &mut structure);
                picture.shifted(rng.random(), rng.random()).patch(&mut payload);
            }
            if let Some((at, _)) = red::primary(&payload) {
                assert!(usize::from(at) <= payload.len());
            }
            red::renumber(&mut payload, Pt(1));
            assert_eq!(payload.len(), packet.payload.len());
        }
    }
}
