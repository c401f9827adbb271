//! The first bytes of video payloads as the codecs' RTP formats want them, over invented content.

use super::encoder::{Frame, Shape};
use super::scalability::Mode;

/// A video codec that we can look like.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, clap::ValueEnum)]
pub enum Codec {
    /// RFC 7741, with three temporal layers.
    #[default]
    Vp8,
    /// RFC 9628 in non-flexible mode, with three temporal layers and one spatial or three.
    Vp9,
    /// AV1 RTP specification 1.0, one OBU for each frame, over its packets; one spatial layer or three.
    Av1,
}

/// No payload begins with more of ours.
pub const MAX_LEN: usize = 24;

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
pub fn write(codec: Codec, mode: Mode, shape: &Shape, frame: &Frame, index: usize) -> Vec<u8> {
    let (start, end) = (index == 0, index + 1 == frame.packets());
    match codec {
        Codec::Vp8 => vp8(shape, frame, start),
        Codec::Vp9 => vp9(mode, shape, frame, start, end),
        Codec::Av1 => av1(mode, shape, frame, start, end),
    }
}

/// The VP8 payload descriptor (RFC 7741 section 4.2), before a real bitstream or an invented one.
pub fn vp8_descriptor(frame: &Frame, start: bool) -> [u8; 6] {
    let [high, low] = frame.picture_id.to_be_bytes();
    // X, S, partition 0; I, L, T; 15 bits of picture id; TL0PICIDX; TID and Y.
    let sync = u8::from(frame.temporal > 0) << 5;
    [0x80 | u8::from(start) << 4, 0xe0, 0x80 | high, low, frame.tl0, frame.temporal << 6 | sync]
}

fn vp8(shape: &Shape, frame: &Frame, start: bool) -> Vec<u8> {
    let mut head = vp8_descriptor(frame, start).to_vec();
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

fn vp9(mode: Mode, shape: &Shape, frame: &Frame, start: bool, end: bool) -> Vec<u8> {
    let [high, low] = frame.picture_id.to_be_bytes();
    let scalability = start && frame.key && frame.spatial == 0;
    // I, P, L, B, E, V, Z.
    let flags = 0x80
        | u8::from(!frame.key) << 6
        | 0x20
        | u8::from(start) << 3
        | u8::from(end) << 2
        | u8::from(scalability) << 1
        | u8::from(mode.spatial() > 1 && !frame.for_higher);
    // TID, U, SID, D.
    let switch = u8::from(frame.temporal > 0) << 4;
    let layers = frame.temporal << 5 | switch | frame.spatial << 1 | u8::from(frame.on_lower);
    let mut head = vec![flags, 0x80 | high, low, layers, frame.tl0];
    if scalability {
        // The spatial layers with their sizes, no picture group.
        let spatial = mode.spatial() as u8;
        head.push((spatial - 1) << 5 | 1 << 4);
        for layer in 0..spatial {
            head.extend((shape.width >> (spatial - 1 - layer)).to_be_bytes());
            head.extend((shape.height >> (spatial - 1 - layer)).to_be_bytes());
        }
    }
    head
}

fn av1(mode: Mode, shape: &Shape, frame: &Frame, start: bool, end: bool) -> Vec<u8> {
    const SEQUENCE_HEADER: u8 = 1 << 3;
    const FRAME: u8 = 6 << 3;
    /// The OBU header goes on with the frame's layers.
    const EXTENDED: u8 = 1 << 2;
    let (z, y) = (u8::from(!start) << 7, u8::from(!end) << 6);
    if !start {
        return vec![z | y | 1 << 4];
    }
    let mut head = if frame.key && frame.spatial == 0 {
        // W, N. Two elements: a sequence header with its length before, and the frame, which ends the packet.
        let [a, b] = shape.width.to_be_bytes();
        let [c, d] = shape.height.to_be_bytes();
        vec![y | 2 << 4 | 1 << 3, 6, SEQUENCE_HEADER, 0, a, b, c, d]
    } else {
        vec![y | 1 << 4]
    };
    if mode.spatial() > 1 {
        head.extend([FRAME | EXTENDED, frame.temporal << 5 | frame.spatial << 3]);
    } else {
        head.push(FRAME);
    }
    head
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
        read_back(Codec::Vp8, Theirs::Vp8, Mode::L1t3);
        for mode in [Mode::L1t3, Mode::L3t3, Mode::L3t3Key] {
            read_back(Codec::Vp9, Theirs::Vp9, mode);
            read_back(Codec::Av1, Theirs::Av1, mode);
        }
    }

    fn read_back(codec: Codec, theirs: Theirs, mode: Mode) {
        let mut encoder = Encoder::new(codec, CAMERA[2], mode, ChaCha8Rng::seed_from_u64(1));
        let mut last = None;
        for n in 0..200 * mode.spatial() {
            let picture = n / mode.spatial();
            if n == 77 * mode.spatial() {
                encoder.request_key();
            }
            let frame = encoder.frame();
            assert_eq!(frame.key, picture == 0 || picture == 77);
            for index in 0..frame.packets() {
                let mut payload = vec![0x55; frame.packet_len(index)];
                encoder.fill(&frame, index, &mut payload);
                assert!(write(codec, mode, &CAMERA[2], &frame, index).len() <= MAX_LEN);
                let (start, end) = (index == 0, index + 1 == frame.packets());
                let packet = Packet {
                    pt: Pt(96),
                    marker: end && frame.ends_picture,
                    seq: 0,
                    ts: 0,
                    ssrc: Ssrc(1),
                    extensions: Extensions::default(),
                    payload: Bytes::from(payload),
                };
                let (meta, read) = frame::inspect(theirs, &packet, &mut Structure::default());
                // AV1's aggregation header tells the end of a picture only, by the marker.
                let end = end && (codec != Codec::Av1 || frame.ends_picture);
                let key = start && frame.key && frame.spatial == 0;
                assert_eq!((meta.keyframe, meta.start, meta.end), (key, start, end), "{codec:?} {mode:?} {n}");
                if codec != Codec::Av1 {
                    assert_eq!((meta.temporal, meta.spatial), (frame.temporal, frame.spatial));
                    let (_, id, wide) = read.id.unwrap();
                    assert!(wide && read.tl0.is_some());
                    let begins = start && frame.spatial == 0;
                    assert!(last.is_none_or(|l: u16| (l + u16::from(begins)) & 0x7fff == id));
                    last = Some(id);
                }
            }
        }
    }
}
