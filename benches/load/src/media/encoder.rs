//! One encoding of a camera: invented frames whose sizes vary around the bitrate, three temporal layers, one spatial layer or three,
//! key frames when asked for. How they look in packets is the [`descriptor`]'s.

use super::descriptor::{self, Codec};
use super::scalability::{Kind, Mode};
use super::{SECOND, stamp};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Largest payload of a packet, as browsers cut them.
pub const MAX_PAYLOAD: usize = 1_160;
/// A key frame is so many times an average frame.
const KEY_SIZE: f64 = 6.0;
/// What share of the average size successive pictures take; they sum up to 4.
const TURN: [f64; 4] = [1.7, 0.55, 1.2, 0.55];
/// What share of a picture each of three spatial layers takes.
const SPATIAL: [f64; 3] = [0.08, 0.24, 0.68];

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

/// The simulcast layers of a 720p camera, lowest first, with the bitrates and frame rates that LiveKit's client asks the browser for.
pub const CAMERA: [Shape; 3] = [
    Shape { rid: Some("q"), width: 320, height: 180, bitrate: 160_000, fps: 20 },
    Shape { rid: Some("h"), width: 640, height: 360, bitrate: 450_000, fps: 20 },
    Shape { rid: Some("f"), width: 1280, height: 720, bitrate: 1_700_000, fps: 30 },
];

/// One frame to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Frame {
    /// Of a key picture.
    pub key: bool,
    /// Temporal layer.
    pub temporal: u8,
    /// Spatial layer within the encoding.
    pub spatial: u8,
    /// The last of its picture.
    pub ends_picture: bool,
    /// It builds on the lower spatial layer of its picture.
    pub on_lower: bool,
    /// Some spatial layer above may build on it.
    pub for_higher: bool,
    /// Number of its dependency template.
    pub template: u8,
    /// Number of its picture in this encoding.
    pub number: u32,
    /// Number of the frame in this encoding, which wraps.
    pub frame_number: u16,
    /// Payload bytes of all its packets.
    pub size: usize,
    /// Number of the picture, 15 bits.
    pub picture_id: u16,
    /// Number of the picture of the lowest temporal layer.
    pub tl0: u8,
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
        (self.size / packets + extra).max(descriptor::MAX_LEN + stamp::LEN)
    }
}

/// The encoder of one layer.
#[derive(Debug)]
pub struct Encoder {
    codec: Codec,
    shape: Shape,
    mode: Mode,
    rng: ChaCha8Rng,
    number: u32,
    frame_number: u16,
    /// Spatial layer of the next frame.
    spatial: usize,
    /// The picture on its way: its kind, its size.
    picture: (Kind, f64),
    phase: usize,
    picture_id: u16,
    tl0: u8,
    key_wanted: bool,
}

impl Encoder {
    /// Starts with a key frame.
    pub fn new(codec: Codec, shape: Shape, mode: Mode, mut rng: ChaCha8Rng) -> Self {
        let (picture_id, tl0) = (rng.random_range(0..0x8000), rng.random());
        Self {
            codec,
            shape,
            mode,
            rng,
            number: 0,
            frame_number: 0,
            spatial: 0,
            picture: (Kind::Key, 0.0),
            phase: 0,
            picture_id,
            tl0,
            key_wanted: true,
        }
    }

    /// The next picture will be a key picture (after PLI or FIR).
    pub fn request_key(&mut self) {
        self.key_wanted = true;
    }

    /// Nanoseconds from frame to frame.
    pub fn interval(&self) -> u64 {
        SECOND / u64::from(self.shape.fps.max(1))
    }

    /// How its layers hang together.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What it encodes.
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// The next frame.
    pub fn frame(&mut self) -> Frame {
        if self.spatial == 0 {
            self.begin_picture();
        }
        let (spatial, (kind, size)) = (self.spatial, self.picture);
        let several = self.mode.spatial() > 1;
        let share = SPATIAL.get(spatial).copied().filter(|_| several).unwrap_or(1.0);
        let ends_picture = spatial + 1 == self.mode.spatial();
        self.spatial = if ends_picture { 0 } else { spatial + 1 };
        self.frame_number = self.frame_number.wrapping_add(1);
        Frame {
            key: kind == Kind::Key,
            temporal: kind.temporal(),
            spatial: spatial as u8,
            ends_picture,
            on_lower: self.mode.on_lower(spatial, kind),
            for_higher: !ends_picture && self.mode.on_lower(spatial + 1, kind),
            template: self.mode.template(spatial, kind),
            number: self.number,
            frame_number: self.frame_number,
            size: ((size * share) as usize).max(descriptor::MAX_LEN + stamp::LEN),
            picture_id: self.picture_id,
            tl0: self.tl0,
        }
    }

    /// A frame whose content comes from elsewhere: no temporal layers, each builds on the one before.
    pub fn given(&mut self, key: bool, size: usize) -> Frame {
        self.key_wanted = false;
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.number = self.number.wrapping_add(1);
        self.frame_number = self.frame_number.wrapping_add(1);
        self.tl0 = self.tl0.wrapping_add(1);
        Frame {
            key,
            temporal: 0,
            spatial: 0,
            ends_picture: true,
            on_lower: false,
            for_higher: false,
            template: 0,
            number: self.number,
            frame_number: self.frame_number,
            size,
            picture_id: self.picture_id,
            tl0: self.tl0,
        }
    }

    /// Whether [`Encoder::request_key`] was called since the last frame.
    pub fn wants_key(&self) -> bool {
        self.key_wanted
    }

    fn begin_picture(&mut self) {
        let key = std::mem::take(&mut self.key_wanted);
        if key {
            self.phase = 0;
        }
        let kind = Kind::at(self.phase, key);
        let share = TURN.get(self.phase).copied().unwrap_or(1.0);
        self.phase = (self.phase + 1) % TURN.len();
        let average = f64::from(self.shape.bitrate) / 8.0 / f64::from(self.shape.fps.max(1));
        self.picture = (kind, average * if key { KEY_SIZE } else { share } * self.rng.random_range(0.75..1.25));
        self.picture_id = (self.picture_id + 1) & 0x7fff;
        self.number = self.number.wrapping_add(1);
        if kind.temporal() == 0 {
            self.tl0 = self.tl0.wrapping_add(1);
        }
    }

    /// Writes descriptor and payload header of packet `index` of a frame; the rest of the payload stays as it is.
    pub fn fill(&self, frame: &Frame, index: usize, payload: &mut [u8]) {
        let head = descriptor::write(self.codec, self.mode, &self.shape, frame, index);
        if let Some(place) = payload.get_mut(..head.len()) {
            place.copy_from_slice(&head);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn encoder() -> Encoder {
        Encoder::new(Codec::Vp8, CAMERA[2], Mode::L1t3, ChaCha8Rng::seed_from_u64(1))
    }

    #[test]
    fn the_bitrate_is_kept_and_frames_differ() {
        let mut encoder = encoder();
        let sizes: Vec<usize> = (0..3000).map(|_| encoder.frame().size).collect();
        let rate = sizes.iter().sum::<usize>() as f64 * 8.0 / 100.0;
        assert!((1_600_000.0..1_800_000.0).contains(&rate), "{rate}");
        assert!(sizes.iter().max() > sizes.iter().min().map(|m| m * 4).as_ref());
    }

    #[test]
    fn a_picture_in_spatial_layers_is_as_large_as_one_without() {
        let mut encoder = Encoder::new(Codec::Vp9, CAMERA[2], Mode::L3t3Key, ChaCha8Rng::seed_from_u64(1));
        let frames: Vec<Frame> = (0..9_000).map(|_| encoder.frame()).collect();
        let rate = frames.iter().map(|f| f.size).sum::<usize>() as f64 * 8.0 / 100.0;
        assert!((1_600_000.0..1_800_000.0).contains(&rate), "{rate}");
        for picture in frames.chunks(3) {
            assert!(picture.iter().enumerate().all(|(n, f)| usize::from(f.spatial) == n && f.ends_picture == (n == 2)));
            assert!(
                picture
                    .iter()
                    .all(|f| (f.number, f.temporal, f.key) == (picture[0].number, picture[0].temporal, picture[0].key))
            );
            assert!(picture.iter().all(|f| f.on_lower == (f.key && f.spatial > 0)));
        }
    }

    #[test]
    fn packets_of_a_frame_are_nearly_equal_and_sum_up() {
        let mut encoder = encoder();
        for _ in 0..100 {
            let frame = encoder.frame();
            let lens: Vec<usize> = (0..frame.packets()).map(|n| frame.packet_len(n)).collect();
            assert_eq!(lens.iter().sum::<usize>(), frame.size);
            assert!(lens.iter().all(|len| *len <= MAX_PAYLOAD && len.abs_diff(lens[0]) <= 1));
        }
    }
}
