//! One encoding as VP8 sends it: valid payload descriptors (RFC 7741) over invented content, frame sizes that vary around
//! the bitrate, three temporal layers, key frames when asked for.

use super::{SECOND, stamp};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Largest payload of a packet, as browsers cut them.
pub const MAX_PAYLOAD: usize = 1_160;
/// X, S, partition 0; I, L, T; 15 bits of picture id; TL0PICIDX; TID.
const DESCRIPTOR: usize = 6;
/// Frame tag, start code and size of a key frame (RFC 6386 section 9.1).
const KEY_HEADER: usize = 10;
/// A key frame is so many times an average frame.
const KEY_SIZE: f64 = 6.0;
/// Temporal layers of successive frames, and what share of the average size each takes; they sum up to 4.
const PATTERN: [(u8, f64); 4] = [(0, 1.7), (2, 0.55), (1, 1.2), (2, 0.55)];

/// What an encoding is like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shape {
    /// `a=rid`, with simulcast.
    pub rid: Option<&'static str>,
    /// Pixels.
    pub width: u16,
    /// Pixels.
    pub height: u16,
    /// Bits per second on average.
    pub bitrate: u32,
    /// Frames per second.
    pub fps: u32,
}

/// The simulcast layers of a 720p camera, lowest first, with the bitrates that browsers give them.
pub const CAMERA: [Shape; 3] = [
    Shape { rid: Some("q"), width: 320, height: 180, bitrate: 150_000, fps: 30 },
    Shape { rid: Some("h"), width: 640, height: 360, bitrate: 500_000, fps: 30 },
    Shape { rid: Some("f"), width: 1280, height: 720, bitrate: 1_700_000, fps: 30 },
];

/// One frame to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// A key frame.
    pub key: bool,
    /// Temporal layer.
    pub temporal: u8,
    /// Number in this encoding.
    pub number: u32,
    /// Payload bytes of all its packets.
    pub size: usize,
    picture_id: u16,
    tl0: u8,
}

impl Frame {
    /// Packets of the frame.
    pub fn packets(&self) -> usize {
        self.size.div_ceil(MAX_PAYLOAD).max(1)
    }

    /// Payload length of one packet: nearly equal cuts, as browsers make them.
    pub fn packet_len(&self, index: usize) -> usize {
        let packets = self.packets();
        let extra = usize::from(index < self.size % packets);
        (self.size / packets + extra).max(DESCRIPTOR + KEY_HEADER + stamp::LEN)
    }
}

/// The encoder of one layer.
#[derive(Debug)]
pub struct Vp8 {
    shape: Shape,
    rng: ChaCha8Rng,
    number: u32,
    phase: usize,
    picture_id: u16,
    tl0: u8,
    key_wanted: bool,
}

impl Vp8 {
    /// Starts with a key frame.
    pub fn new(shape: Shape, mut rng: ChaCha8Rng) -> Self {
        let (picture_id, tl0) = (rng.random_range(0..0x8000), rng.random());
        Self { shape, rng, number: 0, phase: 0, picture_id, tl0, key_wanted: true }
    }

    /// The next frame will be a key frame (after PLI or FIR).
    pub fn request_key(&mut self) {
        self.key_wanted = true;
    }

    /// Nanoseconds from frame to frame.
    pub fn interval(&self) -> u64 {
        SECOND / u64::from(self.shape.fps.max(1))
    }

    /// What it encodes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The next frame.
    pub fn frame(&mut self) -> Frame {
        let key = std::mem::take(&mut self.key_wanted);
        if key {
            self.phase = 0;
        }
        let (temporal, share) = PATTERN.get(self.phase).copied().unwrap_or((0, 1.0));
        self.phase = (self.phase + 1) % PATTERN.len();
        let average = f64::from(self.shape.bitrate) / 8.0 / f64::from(self.shape.fps.max(1));
        let size = average * if key { KEY_SIZE } else { share } * self.rng.random_range(0.75..1.25);
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        if temporal == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
        let number = self.number;
        self.number = self.number.wrapping_add(1);
        let size = (size as usize).max(DESCRIPTOR + KEY_HEADER + stamp::LEN);
        Frame { key, temporal, number, size, picture_id: self.picture_id, tl0: self.tl0 }
    }

    /// Writes descriptor and payload header of packet `index` of a frame; the rest of the payload stays as it is.
    pub fn fill(&self, frame: &Frame, index: usize, payload: &mut [u8]) {
        let start = index == 0;
        let [high, low] = frame.picture_id.to_be_bytes();
        let sync = u8::from(frame.temporal > 0) << 5;
        let mut head = vec![0x80 | u8::from(start) << 4, 0xe0, 0x80 | high, low, frame.tl0, frame.temporal << 6 | sync];
        if start {
            // Frame tag: inverse key frame flag, version 0, shown, size of the first partition.
            let first_partition = (frame.size as u32 / 4) & 0x7_ffff;
            let [a, b, c, _] = (u32::from(!frame.key) | 1 << 4 | first_partition << 5).to_le_bytes();
            head.extend([a, b, c]);
            if frame.key {
                head.extend([0x9d, 0x01, 0x2a]);
                head.extend(self.shape.width.to_le_bytes());
                head.extend(self.shape.height.to_le_bytes());
            }
        }
        if let Some(place) = payload.get_mut(..head.len()) {
            place.copy_from_slice(&head);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ramai_sfu::rtp::vp8::parse;
    use rand::SeedableRng;

    fn encoder() -> Vp8 {
        Vp8::new(CAMERA[2], ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn the_bitrate_is_kept_and_frames_differ() {
        let mut vp8 = encoder();
        let sizes: Vec<usize> = (0..3000).map(|_| vp8.frame().size).collect();
        let rate = sizes.iter().sum::<usize>() as f64 * 8.0 / 100.0;
        assert!((1_600_000.0..1_800_000.0).contains(&rate), "{rate}");
        assert!(sizes.iter().max() > sizes.iter().min().map(|m| m * 4).as_ref());
    }

    #[test]
    fn a_receiver_reads_key_frames_starts_and_numbers() {
        let mut vp8 = encoder();
        let mut last = None;
        for n in 0..200 {
            if n == 77 {
                vp8.request_key();
            }
            let frame = vp8.frame();
            assert_eq!(frame.key, n == 0 || n == 77);
            let mut sum = 0;
            for index in 0..frame.packets() {
                let mut payload = vec![0x55; frame.packet_len(index)];
                assert!(payload.len() <= MAX_PAYLOAD);
                sum += payload.len();
                vp8.fill(&frame, index, &mut payload);
                let (meta, picture) = parse(&payload).unwrap();
                assert_eq!((meta.start, meta.keyframe), (index == 0, index == 0 && frame.key));
                assert_eq!(meta.temporal, frame.temporal);
                let (_, id, wide) = picture.id.unwrap();
                assert!(wide && picture.tl0.is_some());
                if index == 0 {
                    assert!(last.is_none_or(|l: u16| (l + 1) & 0x7fff == id));
                    last = Some(id);
                }
            }
            assert_eq!(sum, frame.size);
        }
    }
}
