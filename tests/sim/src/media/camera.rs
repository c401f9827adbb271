//! A camera: its encodings, and which of them the publisher's bandwidth bears.

use super::encoding::{Encoding, FPS, Format};
use super::rtp::Rtp;
use super::stamp::Stamp;
use crate::At;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// How a camera is sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Video {
    /// VP8, three layers of 150, 500 and 1,700 kbit/s.
    Simulcast,
    /// The same with 15 pictures a second instead of 30, each twice as large: a camera in the dark, or a busy machine.
    Slow,
    /// VP9 with three spatial and three temporal layers (L3T3_KEY), 2 Mbit/s.
    Svc,
    /// VP8, three layers of 30, 90 and 300 kbit/s: for rooms whose size is the point.
    Small,
}

impl Video {
    fn fps(self) -> u32 {
        if self == Video::Slow { FPS / 2 } else { FPS }
    }

    /// Its encodings, lowest first; `None`: it is a single one with layers in it.
    fn simulcast(self) -> Option<[Range; 3]> {
        match self {
            Video::Simulcast | Video::Slow => Some(SIMULCAST),
            Video::Small => Some(SMALL),
            Video::Svc => None,
        }
    }

    /// What it says of its encodings, as the SDKs do: what each takes at most, in bits per second.
    pub fn says(self) -> Vec<Option<u64>> {
        self.simulcast().map_or(vec![None], |ranges| ranges.map(|range| Some(range.full)).to_vec())
    }
}

/// Least and full bitrate of a layer.
#[derive(Clone, Copy, Debug)]
struct Range {
    least: u64,
    full: u64,
}

/// The least is Chromium's for these sizes: told to send 1.5 Mbit/s at most, it sent its largest picture with 604 kbit/s.
const SIMULCAST: [Range; 3] = [
    Range { least: 50_000, full: 150_000 },
    Range { least: 150_000, full: 500_000 },
    Range { least: 600_000, full: 1_700_000 },
];
const SMALL: [Range; 3] = [
    Range { least: 10_000, full: 30_000 },
    Range { least: 30_000, full: 90_000 },
    Range { least: 100_000, full: 300_000 },
];
const SVC_FULL: u64 = 2_000_000;
/// From these bitrates on, SVC has one, two and three spatial layers.
const SVC_LEAST: [u64; 3] = [50_000, 200_000, 600_000];

/// See the module.
pub struct Camera {
    video: Video,
    /// Lowest layer first.
    pub encodings: Vec<Encoding>,
    start: At,
    frames: u32,
    /// The highest layer that is wanted.
    wanted: u8,
}

impl Camera {
    /// A camera whose SSRCs begin at `ssrc`; it has no bandwidth yet.
    pub fn new(video: Video, track: u16, ssrc: u32, start: At, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (format, layers) = match video {
            Video::Simulcast | Video::Slow | Video::Small => (Format::Vp8, 3),
            Video::Svc => (Format::Vp9Svc, 1),
        };
        // Cameras aren't in step with each other.
        let start = start + Duration::from_micros(rng.random_range(0..33_000));
        let encodings = (0..layers)
            .map(|layer| {
                let rng = ChaCha8Rng::seed_from_u64(rng.random());
                Encoding::new(format, track, layer, ssrc + u32::from(layer), rng).with_fps(video.fps())
            })
            .collect();
        Self { video, encodings, start, frames: 0, wanted: u8::MAX }
    }

    /// As if it had run for hours.
    pub fn age(&mut self, now: At, wraps_in: At) {
        self.encodings.iter_mut().for_each(|encoding| encoding.age(now, wraps_in));
    }

    /// When the next picture is due.
    pub fn due(&self) -> At {
        self.start + Duration::from_nanos(u64::from(self.frames) * 1_000_000_000 / u64::from(self.video.fps()))
    }

    /// Most that it sends, in bits per second.
    pub fn full_rate(&self) -> u64 {
        self.video.simulcast().map_or(SVC_FULL, |ranges| ranges.iter().map(|range| range.full).sum())
    }

    /// Layers above this one aren't wanted any more, as signaling says (dynacast); takes effect with the next budget.
    pub fn want(&mut self, layer: u8) {
        self.wanted = layer;
    }

    /// Shares out what the publisher may send: lower layers first, as browsers do.
    pub fn set_budget(&mut self, mut budget: u64) {
        let Some(ranges) = self.video.simulcast() else {
            let layers = SVC_LEAST.iter().filter(|least| budget >= **least).count().max(1);
            self.encodings[0].set_rate(budget.min(SVC_FULL), layers as u8);
            return;
        };
        for ((layer, encoding), range) in (0..).zip(&mut self.encodings).zip(ranges) {
            if layer > self.wanted {
                encoding.set_rate(0, 1);
                continue;
            }
            // What is off comes on only if it can stay.
            let least = if encoding.is_on() { range.least } else { range.least * 5 / 4 };
            let rate = if budget >= least { budget.min(range.full) } else { 0 };
            encoding.set_rate(rate, 1);
            budget -= rate;
        }
    }

    /// The packets of the next picture, of all encodings.
    pub fn picture(&mut self) -> Vec<(Rtp, Stamp)> {
        let now = self.due();
        self.frames += 1;
        self.encodings.iter_mut().flat_map(|encoding| encoding.picture(now)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_come_and_go_with_the_budget() {
        let mut camera = Camera::new(Video::Simulcast, 1, 100, At::ZERO, 1);
        let mut on = |budget| {
            camera.set_budget(budget);
            camera.encodings.iter().filter(|encoding| encoding.is_on()).count()
        };
        assert_eq!([100_000, 400_000, 900_000, 1_390_000, 1_260_000].map(&mut on), [1, 2, 2, 2, 2]);
        assert_eq!([1_410_000, 1_260_000, 1_240_000, 3_000_000].map(on), [3, 3, 2, 3]);
    }
}
