//! One encoder with one SSRC: invented frames whose sizes vary around a bitrate, temporal layers, spatial layers where it is SVC, key
//! frames when asked for, and a cache for retransmissions.

use super::descriptor;
use super::rtp::Rtp;
use super::stamp::{self, Stamp};
use crate::At;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::time::Duration;

/// Frames per second of a camera, if nothing else is said.
pub const FPS: u32 = 30;
/// Largest payload of a packet, as browsers cut them.
const MAX_PAYLOAD: usize = 1_160;
/// A key frame is so many times an average frame.
const KEY_SIZE: f64 = 6.0;
/// What a key frame cost too much is saved over the next frames: so much of an average frame on each.
const SAVING: f64 = 0.3;
/// Temporal layers of successive frames, and what share of the average size each takes; they sum up to 4.
const PATTERN: [(u8, f64); 4] = [(0, 1.7), (2, 0.55), (1, 1.2), (2, 0.55)];
/// Shares of the bitrate of three spatial layers.
const SPATIAL: [f64; 3] = [0.1, 0.25, 0.65];
/// How long a sent packet can be asked for again.
const CACHED: Duration = Duration::from_millis(1_500);

/// How frames become payloads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// VP8 with three temporal layers.
    Vp8,
    /// VP9 with three temporal layers, and three spatial ones that build on each other at key frames only (L3T3_KEY).
    Vp9Svc,
}

/// One frame of one spatial layer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Frame {
    /// A key frame, or a layer of a key picture.
    pub key: bool,
    /// Spatial layer.
    pub spatial: u8,
    /// Temporal layer.
    pub temporal: u8,
    /// Number in this encoding.
    pub number: u32,
    /// Number of the picture, 15 bits.
    pub picture_id: u16,
    /// Number of the picture of the lowest temporal layer.
    pub tl0: u8,
    refs: [Option<u32>; 2],
    /// Of its own spatial layer it builds on the lowest temporal layer alone.
    pub sync: bool,
}

/// What a spatial layer may still build on.
#[derive(Clone, Copy, Debug, Default)]
struct Lineage {
    base: Option<u32>,
    middle: Option<u32>,
}

/// See the module.
pub struct Encoding {
    format: Format,
    track: u16,
    layer: u8,
    /// SSRC of media.
    pub ssrc: u32,
    /// SSRC of retransmissions.
    pub rtx_ssrc: u32,
    /// Frames per second.
    fps: u32,
    /// Bits per second to make; 0 is off.
    bitrate: u64,
    spatial_layers: u8,
    rng: ChaCha8Rng,
    number: u32,
    packet: u32,
    phase: usize,
    picture_id: u16,
    tl0: u8,
    lineage: [Lineage; 3],
    key_wanted: bool,
    /// Bytes that key frames took over their share.
    debt: f64,
    seq: u16,
    rtx_seq: u16,
    ts_offset: u32,
    sent: VecDeque<(At, Rtp)>,
    /// Packets and bytes sent, for sender reports.
    pub counts: (u32, u32),
}

impl Encoding {
    /// An encoder that is off.
    pub fn new(format: Format, track: u16, layer: u8, ssrc: u32, mut rng: ChaCha8Rng) -> Self {
        Self {
            format,
            track,
            layer,
            ssrc,
            rtx_ssrc: ssrc + 5,
            fps: FPS,
            bitrate: 0,
            spatial_layers: 1,
            number: 0,
            packet: 0,
            phase: 0,
            picture_id: rng.random_range(0..0x8000),
            tl0: rng.random(),
            lineage: [Lineage::default(); 3],
            key_wanted: true,
            debt: 0.0,
            seq: rng.random_range(0..0x8000),
            rtx_seq: rng.random_range(0..0x8000),
            ts_offset: rng.random(),
            sent: VecDeque::new(),
            counts: (0, 0),
            rng,
        }
    }

    /// With so many frames per second.
    pub fn with_fps(self, fps: u32) -> Self {
        Self { fps, ..self }
    }

    /// As if it had run for hours: sequence numbers, picture ids and timestamps wrap soon.
    pub fn age(&mut self, now: At, wraps_in: At) {
        (self.seq, self.rtx_seq, self.picture_id, self.tl0) =
            (u16::MAX - 3_000, u16::MAX - 20, 0x7fff - 1_000, u8::MAX - 9);
        self.ts_offset = self.ts_offset.wrapping_sub(self.timestamp(now + wraps_in));
    }

    /// Sets the bitrate, and how many spatial layers it is for. What was off begins with a key frame.
    pub fn set_rate(&mut self, bitrate: u64, spatial_layers: u8) {
        if self.bitrate == 0 || spatial_layers > self.spatial_layers {
            self.key_wanted = true;
        }
        (self.bitrate, self.spatial_layers) = (bitrate, spatial_layers);
    }

    /// Whether it makes frames.
    pub fn is_on(&self) -> bool {
        self.bitrate > 0
    }

    /// The next frame will be a key frame.
    pub fn request_key(&mut self) {
        self.key_wanted = true;
    }

    /// The timestamp of a moment.
    pub fn timestamp(&self, at: At) -> u32 {
        self.ts_offset.wrapping_add((at.as_nanos() * 90_000 / 1_000_000_000) as u32)
    }

    /// The packets of one picture.
    pub fn picture(&mut self, now: At) -> Vec<(Rtp, Stamp)> {
        if self.bitrate == 0 {
            return Vec::new();
        }
        let key = std::mem::take(&mut self.key_wanted);
        if key {
            self.phase = 0;
            self.lineage = [Lineage::default(); 3];
        }
        let (temporal, share) = PATTERN[self.phase];
        self.phase = (self.phase + 1) % PATTERN.len();
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        if temporal == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        let average = self.bitrate as f64 / 8.0 / f64::from(self.fps);
        let saved = self.debt.min(average * SAVING);
        self.debt -= saved;
        if key {
            self.debt = average * (KEY_SIZE - share);
        }
        let size = average * if key { KEY_SIZE } else { share } * self.rng.random_range(0.75..1.25) - saved;
        let layers = self.spatial_layers;
        let whole: f64 = SPATIAL[..usize::from(layers)].iter().sum();
        let mut packets = Vec::new();
        for spatial in 0..layers {
            let part = if layers == 1 { 1.0 } else { SPATIAL[usize::from(spatial)] / whole };
            let frame = self.frame(key, spatial, temporal);
            self.packetize(now, &frame, (size * part) as usize, spatial + 1 == layers, &mut packets);
        }
        packets
    }

    fn frame(&mut self, key: bool, spatial: u8, temporal: u8) -> Frame {
        let number = self.number;
        self.number += 1;
        let lineage = &mut self.lineage[usize::from(spatial)];
        let own = match temporal {
            0 | 1 => lineage.base,
            _ => lineage.middle.or(lineage.base),
        };
        let lower = (key && spatial > 0).then(|| number - 1);
        let sync = temporal > 0 && own == lineage.base;
        match temporal {
            0 => *lineage = Lineage { base: Some(number), middle: None },
            1 => lineage.middle = Some(number),
            _ => {}
        }
        let refs = [own, lower];
        Frame { key, spatial, temporal, number, picture_id: self.picture_id, tl0: self.tl0, refs, sync }
    }

    fn packetize(&mut self, now: At, frame: &Frame, size: usize, last: bool, packets: &mut Vec<(Rtp, Stamp)>) {
        let size = size.max(descriptor::MAX_LEN + stamp::LEN);
        let count = size.div_ceil(MAX_PAYLOAD);
        for index in 0..count {
            let (start, end) = (index == 0, index + 1 == count);
            let head = match self.format {
                Format::Vp8 => descriptor::vp8(frame, start),
                Format::Vp9Svc => descriptor::vp9(frame, self.spatial_layers, start, end),
            };
            let len = (size / count + usize::from(index < size % count)).max(descriptor::MAX_LEN + stamp::LEN);
            let mut payload = head;
            payload.resize(len, 0x55);
            let stamp = Stamp {
                track: self.track,
                layer: self.layer,
                spatial: frame.spatial,
                temporal: frame.temporal,
                key: frame.key,
                frame: frame.number,
                packet: self.packet,
                index: index as u16,
                count: count as u16,
                captured: now,
                refs: frame.refs,
            };
            stamp.write(&mut payload);
            self.packet += 1;
            let pt = match self.format {
                Format::Vp8 => super::pt::VP8.0,
                Format::Vp9Svc => super::pt::VP9.0,
            };
            let rtp = Rtp {
                pt,
                marker: end && last,
                seq: self.seq,
                ts: self.timestamp(now),
                ssrc: self.ssrc,
                level: None,
                descriptor: None,
                payload,
            };
            self.seq = self.seq.wrapping_add(1);
            self.counts = (self.counts.0 + 1, self.counts.1.wrapping_add(len as u32));
            self.sent.push_back((now, rtp.clone()));
            packets.push((rtp, stamp));
        }
        while self.sent.front().is_some_and(|(at, _)| *at + CACHED < now) {
            self.sent.pop_front();
        }
    }

    /// The retransmission of a packet, if it is still there.
    pub fn again(&mut self, seq: u16) -> Option<(Rtp, Stamp)> {
        let first = self.sent.front()?.1.seq;
        let (_, rtp) = self.sent.get(usize::from(seq.wrapping_sub(first)))?;
        let stamp = Stamp::read(&rtp.payload)?;
        self.rtx_seq = self.rtx_seq.wrapping_add(1);
        Some((rtp.again(rtp.pt + 1, self.rtx_ssrc, self.rtx_seq), stamp))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MS, SECOND};
    use bytes::Bytes;
    use ramai_sfu::params::Codec;
    use ramai_sfu::rtp::{Packet, dependency::Structure, frame};
    use rand::SeedableRng;
    use std::collections::HashSet;

    fn encoding(format: Format, rate: u64, layers: u8) -> Encoding {
        let mut encoding = Encoding::new(format, 1, 0, 1000, ChaCha8Rng::seed_from_u64(1));
        encoding.set_rate(rate, layers);
        encoding
    }

    #[test]
    fn the_bitrate_is_kept_also_over_key_frames() {
        for (format, layers) in [(Format::Vp8, 1), (Format::Vp9Svc, 3)] {
            let mut encoding = encoding(format, 1_700_000, layers);
            let mut bytes = 0;
            for n in 0..3_000 {
                if n % 150 == 0 {
                    encoding.request_key();
                }
                bytes += encoding.picture(n * 33 * MS).iter().map(|(rtp, _)| rtp.payload.len()).sum::<usize>();
            }
            let rate = bytes * 8 / 100;
            assert!((1_550_000..1_850_000).contains(&rate), "{format:?}: {rate}");
        }
    }

    #[test]
    fn the_server_reads_what_the_stamp_says_and_every_frame_builds_on_one_before() {
        for (format, codec, layers) in [(Format::Vp8, Codec::Vp8, 1), (Format::Vp9Svc, Codec::Vp9, 3)] {
            let mut encoding = encoding(format, 900_000, layers);
            let mut frames = HashSet::new();
            for n in 0..60u32 {
                if n == 33 {
                    encoding.request_key();
                }
                for (rtp, stamp) in encoding.picture(n * 33 * MS) {
                    let packet = Packet::parse(&Bytes::from(rtp.write(0)), &crate::media::rtp::extensions()).unwrap();
                    let (meta, _) = frame::inspect(codec, &packet, &mut Structure::default());
                    let start = stamp.index == 0;
                    assert_eq!(meta.start, start);
                    assert_eq!(meta.keyframe, start && stamp.key && stamp.spatial == 0, "{format:?} {n}");
                    assert_eq!((meta.spatial, meta.temporal), (stamp.spatial, stamp.temporal));
                    assert!(stamp.refs.iter().flatten().all(|frame| frames.contains(frame)));
                    assert_eq!(stamp.refs == [None; 2], stamp.key && stamp.spatial == 0);
                    if stamp.index + 1 == stamp.count {
                        frames.insert(stamp.frame);
                    }
                }
            }
        }
    }

    #[test]
    fn a_packet_can_be_sent_again_for_a_while() {
        let mut encoding = encoding(Format::Vp8, 500_000, 1);
        let (rtp, stamp) = encoding.picture(At::ZERO)[0].clone();
        let (again, same) = encoding.again(rtp.seq).unwrap();
        assert_eq!((again.ssrc, same, &again.payload[2..]), (encoding.rtx_ssrc, stamp, &rtp.payload[..]));
        encoding.picture(SECOND + CACHED);
        assert!(encoding.again(rtp.seq).is_none());
    }
}
