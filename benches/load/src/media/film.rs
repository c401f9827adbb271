//! Real pictures instead of invented ones, for who looks at a run with a browser: VP8 films in IVF files, played over and over.
//!
//! A folder holds `<actor>-<height>.ivf`; the heights of one actor are the simulcast layers of a camera. Packets of a film carry no
//! stamp, since decoders would take it for picture data.

use super::encoder::{CAMERA, Shape};
use crate::Error;
use bytes::Bytes;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// One layer of a film.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reel {
    /// What it is like; the bitrate is that of the file.
    pub shape: Shape,
    frames: Arc<[Picture]>,
}

/// An encoded frame.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Picture {
    /// Decoders can begin with it.
    pub key: bool,
    /// The VP8 bitstream.
    pub bytes: Bytes,
}

/// The films of a folder, by actor: all layers of each, lowest first.
///
/// # Errors
/// If there is none, or a file isn't what it should be.
pub fn load(folder: &Path) -> Result<Vec<Vec<Reel>>, Error> {
    let mut actors: BTreeMap<String, Vec<Reel>> = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_stem().and_then(|n| n.to_str()).and_then(|n| n.rsplit_once('-'));
        let (Some((actor, height)), Some("ivf")) = (name, path.extension().and_then(|e| e.to_str())) else { continue };
        let bad = |why: &str| Error::Usage(format!("{}: {why}", path.display()));
        let shape = CAMERA.iter().find(|shape| shape.height.to_string() == height);
        let shape = shape.ok_or_else(|| bad("a camera has no layer of this height"))?;
        let reel = Reel::read(&Bytes::from(std::fs::read(&path)?), *shape).ok_or_else(|| bad("no VP8 in IVF"))?;
        actors.entry(actor.to_owned()).or_default().push(reel);
    }
    if actors.is_empty() {
        return Err(Error::Usage(format!("no film (<actor>-<height>.ivf) in {}", folder.display())));
    }
    let mut films: Vec<Vec<Reel>> = actors.into_values().collect();
    for reels in &mut films {
        reels.sort_by_key(|reel| reel.shape.height);
    }
    Ok(films)
}

impl Reel {
    /// An IVF file: a header of 32 bytes, and 12 bytes before each frame. It has to begin with a key frame.
    fn read(file: &Bytes, shape: Shape) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(file.get(at..at + 4)?.try_into().ok()?));
        if file.get(..4)? != b"DKIF" || file.get(8..12)? != b"VP80" {
            return None;
        }
        let fps = word(16)?.checked_div(word(20)?).filter(|fps| (1..=60).contains(fps))?;
        let mut frames = Vec::new();
        let mut at = 32;
        while let Some(len) = word(at) {
            let begin = at + 12;
            let end = begin.checked_add(len as usize)?;
            let first = file.get(begin..end)?.first()?;
            // The frame tag's lowest bit is 0 in key frames (RFC 6386 section 9.1).
            frames.push(Picture { key: first & 1 == 0, bytes: file.slice(begin..end) });
            at = end;
        }
        frames.first().filter(|first| first.key)?;
        let bytes: usize = frames.iter().map(|frame| frame.bytes.len()).sum();
        let bitrate = bytes as u64 * 8 * u64::from(fps) / frames.len() as u64;
        Some(Self { shape: Shape { fps, bitrate: u32::try_from(bitrate).ok()?, ..shape }, frames: frames.into() })
    }

    /// One of these frames, for tests.
    #[cfg(test)]
    pub fn of(shape: Shape, frames: &[Picture]) -> Self {
        Self { shape, frames: frames.into() }
    }

    /// A way through it, from the beginning.
    pub fn player(&self) -> Player {
        Player { frames: self.frames.clone(), next: 0 }
    }
}

/// Plays a reel over and over.
#[derive(Debug)]
pub struct Player {
    frames: Arc<[Picture]>,
    next: usize,
}

impl Player {
    /// The next frame; with `key`, the next key frame.
    pub fn frame(&mut self, key: bool) -> Picture {
        if key {
            let ahead = self.frames.iter().skip(self.next).position(|frame| frame.key);
            self.next = ahead.map_or(0, |ahead| self.next + ahead);
        }
        let frame = self.frames.get(self.next).cloned();
        self.next = if self.next + 1 < self.frames.len() { self.next + 1 } else { 0 };
        // Reels aren't empty.
        frame.unwrap_or(Picture { key: false, bytes: Bytes::new() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ivf(frames: &[&[u8]]) -> Bytes {
        let mut file = b"DKIF\0\0\x20\0VP80".to_vec();
        file.extend([64, 1, 180, 0]);
        file.extend(15_u32.to_le_bytes());
        file.extend(1_u32.to_le_bytes());
        file.extend([0; 8]);
        for frame in frames {
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend([0; 8]);
            file.extend_from_slice(frame);
        }
        file.into()
    }

    #[test]
    fn a_film_goes_round_and_jumps_to_key_frames() {
        let reel = Reel::read(&ivf(&[&[0x10, 1], &[0x11, 2], &[0x10, 3], &[0x11, 4]]), CAMERA[0]).unwrap();
        // Eight bytes at 15 frames a second.
        assert_eq!((reel.shape.fps, reel.shape.bitrate, reel.shape.height), (15, 240, 180));
        let mut player = reel.player();
        let mut seen = |key| player.frame(key).bytes[1];
        assert_eq!([seen(false), seen(false), seen(false), seen(false), seen(false)], [1, 2, 3, 4, 1]);
        assert_eq!([seen(true), seen(false), seen(false)], [3, 4, 1]);
        assert_eq!([seen(true), seen(true)], [3, 1]);
    }

    #[test]
    fn what_is_no_film_is_refused() {
        let cut = ivf(&[&[0x10, 1], &[0x11, 2]]);
        assert!(Reel::read(&cut.slice(..cut.len() - 1), CAMERA[0]).is_none());
        assert!(Reel::read(&ivf(&[]), CAMERA[0]).is_none());
        assert!(Reel::read(&ivf(&[&[0x11, 2]]), CAMERA[0]).is_none(), "it begins with a delta frame");
        assert!(Reel::read(&ivf(&[&[]]), CAMERA[0]).is_none());
        assert!(Reel::read(&Bytes::from_static(b"DKIF"), CAMERA[0]).is_none());
    }
}
