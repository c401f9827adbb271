//! The first bytes of video payloads as the codecs' RTP formats want them, over invented content.

use super::encoder::{Frame, Shape};

/// A video codec that we can look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Codec {
    /// RFC 7741, with three temporal layers.
    #[default]
    Vp8,
    /// RFC 9628 in non-flexible mode, with three temporal layers and one spatial.
    Vp9,
    /// AV1 RTP specification 1.0, one OBU of a frame over its packets.
    Av1,
}

/// No payload begins with more of ours.
pub const MAX_LEN: usize = 20;

impl Codec {
    /// Encoding name in SDP.
    pub fn name(self) -> &'static str {
        match self {
            Codec::Vp8 => "VP8",
            Codec::Vp9 => "VP9",
            Codec::Av1 => "AV1",
        }
    }

    /// Payload types of the codec and its retransmissions in our offers.
    pub fn payload_types(self) -> (u8, u8) {
        match self {
            Codec::Vp8 => (96, 97),
            Codec::Vp9 => (98, 99),
            Codec::Av1 => (45, 46),
        }
    }

    /// Every codec.
    pub const ALL: [Codec; 3] = [Codec::Vp8, Codec::Vp9, Codec::Av1];
}

/// What packet `index` of `frame` begins with.
pub fn write(codec: Codec, shape: &Shape, frame: &Frame, index: usize) -> Vec<u8> {
    let (start, end) = (index == 0, index + 1 == frame.packets());
    match codec {
        Codec::Vp8 => vp8(shape, frame, start),
        Codec::Vp9 => vp9(shape, frame, start, end),
        Codec::Av1 => av1(shape, frame, start, end),
    }
}

fn vp8(shape: &Shape, frame: &Frame, start: bool) -> Vec<u8> {
    let [high, low] = frame.picture_id.to_be_bytes();
    // X, S, partition 0; I, L, T; 15 bits of picture id; TL0PICIDX; TID and Y.
    let sync = u8::from(frame.temporal > 0) << 5;
    let mut head = vec![0x80 | u8::from(start) << 4, 0xe0, 0x80 | high, low, frame.tl0, frame.temporal << 6 | sync];
    if start {
        // Frame tag (RFC 6386 section 9.1): inverse key frame flag, version 0, shown, size of the first partition.
        let first_partition = (frame.size as u32 / 4) & 0x7_ffff;
        let [a, b, c, _] = (u32::from(!frame.key) | 1 << 4 | first_partition << 5).to_le_bytes();
        head.extend([a, b, c]);
        if frame.key {
            head.extend([0x9d, 0x01, 0x2a]);
            head.extend(shape.width.to_le_bytes());
            head.extend(shape.height.to_le_bytes());
        }
    }
    head
}

fn vp9(shape: &Shape, frame: &Frame, start: bool, end: bool) -> Vec<u8> {
    let [high, low] = frame.picture_id.to_be_bytes();
    let scalability = start && frame.key;
    // I, P, L, B, E, V.
    let flags = 0x80
        | u8::from(!frame.key) << 6
        | 0x20
        | u8::from(start) << 3
        | u8::from(end) << 2
        | u8::from(scalability) << 1;
    // TID, U, SID 0, D 0.
    let layers = frame.temporal << 5 | u8::from(frame.temporal > 0) << 4;
    let mut head = vec![flags, 0x80 | high, low, layers, frame.tl0];
    if scalability {
        // One spatial layer with its size, no picture group.
        head.push(1 << 4);
        head.extend(shape.width.to_be_bytes());
        head.extend(shape.height.to_be_bytes());
    }
    head
}

fn av1(shape: &Shape, frame: &Frame, start: bool, end: bool) -> Vec<u8> {
    const SEQUENCE_HEADER: u8 = 1 << 3;
    const FRAME: u8 = 6 << 3;
    let (z, y) = (u8::from(!start) << 7, u8::from(!end) << 6);
    match (start, frame.key) {
        // Two elements: a sequence header with its length before, and the frame, which ends the packet.
        (true, true) => {
            let [a, b] = shape.width.to_be_bytes();
            let [c, d] = shape.height.to_be_bytes();
            vec![y | 2 << 4 | 1 << 3, 6, SEQUENCE_HEADER, 0, a, b, c, d, FRAME]
        }
        (true, false) => vec![y | 1 << 4, FRAME],
        (false, _) => vec![z | y | 1 << 4],
    }
}

#[cfg(test)]
mod tests {
    use super::super::encoder::{CAMERA, Encoder};
    use super::*;
    use bytes::Bytes;
    use ramai_sfu::id::{Pt, Ssrc};
    use ramai_sfu::params::Codec as Theirs;
    use ramai_sfu::rtp::dependency::Structure;
    use ramai_sfu::rtp::{Extensions, Packet, frame};
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn a_server_reads_key_frames_starts_ends_and_numbers() {
        for (codec, theirs) in [(Codec::Vp8, Theirs::Vp8), (Codec::Vp9, Theirs::Vp9), (Codec::Av1, Theirs::Av1)] {
            let mut encoder = Encoder::new(codec, CAMERA[2], ChaCha8Rng::seed_from_u64(1));
            let mut last = None;
            for n in 0..200 {
                if n == 77 {
                    encoder.request_key();
                }
                let frame = encoder.frame();
                assert_eq!(frame.key, n == 0 || n == 77);
                for index in 0..frame.packets() {
                    let mut payload = vec![0x55; frame.packet_len(index)];
                    encoder.fill(&frame, index, &mut payload);
                    assert!(write(codec, &CAMERA[2], &frame, index).len() <= MAX_LEN);
                    let end = index + 1 == frame.packets();
                    let packet = Packet {
                        pt: Pt(96),
                        marker: end,
                        seq: 0,
                        ts: 0,
                        ssrc: Ssrc(1),
                        extensions: Extensions::default(),
                        payload: Bytes::from(payload),
                    };
                    let (meta, picture) = frame::inspect(theirs, &packet, &mut Structure::default());
                    let start = index == 0;
                    assert_eq!(
                        (meta.keyframe, meta.start, meta.end),
                        (start && frame.key, start, end),
                        "{codec:?} {n}"
                    );
                    if codec != Codec::Av1 {
                        assert_eq!(meta.temporal, frame.temporal);
                        let (_, id, wide) = picture.id.unwrap();
                        assert!(wide && picture.tl0.is_some());
                        assert!(!start || last.is_none_or(|l: u16| (l + 1) & 0x7fff == id));
                        last = Some(id);
                    }
                }
            }
        }
    }
}
