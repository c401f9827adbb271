//! Speech as Opus sends it: 20 ms packets while someone talks, one in 400 ms while nobody does (DTX), with audio levels.

use super::{MS, SECOND, stamp};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Between packets while talking.
pub const FRAME: u64 = 20 * MS;
/// Between packets in silence.
const DTX: u64 = 400 * MS;
/// Payload bytes while talking: 40 kbit/s.
const TALK_BYTES: usize = 100;
/// Table of contents byte: hybrid, full band, 20 ms, mono, one frame (RFC 6716 section 3.1).
const TOC: u8 = 15 << 3;
/// Length of an average turn.
const TURN: f64 = 3.0;

/// One packet to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Audio {
    /// Payload length in bytes.
    pub len: usize,
    /// First of a talk spurt: the marker bit (RFC 7587 section 4.2).
    pub marker: bool,
    /// Loudness in -dBov, 127 is silence.
    pub level: u8,
    /// Voice, for the level's V bit.
    pub voice: bool,
}

/// A microphone before somebody who talks a given share of the time.
#[derive(Debug)]
pub struct Opus {
    rng: ChaCha8Rng,
    share: f64,
    talking: bool,
    turn_ends: u64,
    next: u64,
}

impl Opus {
    /// `share` of the time is talk, in turns of 3 s on average; 1.0 never pauses.
    pub fn new(mut rng: ChaCha8Rng, share: f64, now: u64) -> Self {
        let talking = rng.random_bool(share.clamp(0.0, 1.0));
        let mut opus = Self { rng, share, talking, turn_ends: now, next: now };
        opus.turn_ends = now + opus.turn();
        opus
    }

    /// When the next packet is due.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// The next packet, at or after [`Opus::next`].
    pub fn packet(&mut self) -> Audio {
        let before = self.talking;
        if self.next >= self.turn_ends {
            self.talking = if self.share >= 1.0 { true } else { self.share > 0.0 && !self.talking };
            self.turn_ends = self.next + self.turn();
        }
        self.next += if self.talking { FRAME } else { DTX };
        let marker = self.talking && !before;
        match self.talking {
            true => Audio { len: TALK_BYTES, marker, level: self.rng.random_range(15..40), voice: true },
            false => Audio { len: 1 + stamp::LEN, marker, level: 127, voice: false },
        }
    }

    /// Fills a payload; its end is the stamp's.
    pub fn fill(payload: &mut [u8]) {
        if let Some(first) = payload.first_mut() {
            *first = TOC;
        }
    }

    /// A random length of the state that we are in, so that the share comes out in the long run.
    fn turn(&mut self) -> u64 {
        let mean = match self.talking {
            true => TURN,
            false => TURN * (1.0 - self.share) / self.share.max(0.01),
        };
        let uniform: f64 = self.rng.random_range(0.05..1.0);
        ((-uniform.ln() * mean).max(0.2) * SECOND as f64) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn minute(share: f64) -> Vec<Audio> {
        let mut opus = Opus::new(ChaCha8Rng::seed_from_u64(1), share, 0);
        std::iter::from_fn(|| (opus.next() < 600 * SECOND).then(|| opus.packet())).collect()
    }

    #[test]
    fn constant_talk_is_fifty_packets_a_second() {
        let packets = minute(1.0);
        assert_eq!(packets.len(), 30_000);
        assert!(packets.iter().all(|p| p.len == 100 && p.voice && p.level < 127));
    }

    #[test]
    fn turns_come_and_go_and_each_begins_with_a_marker() {
        let packets = minute(0.3);
        let talk = packets.iter().filter(|p| p.voice).count() as f64 * 0.02 / 600.0;
        assert!((0.2..0.4).contains(&talk), "{talk}");
        let begins = packets.windows(2).filter(|w| !w[0].voice && w[1].voice).count();
        let markers = packets.iter().skip(1).filter(|p| p.marker).count();
        assert!(begins > 20 && begins == markers, "{begins} {markers}");
    }

    #[test]
    fn who_never_talks_sends_what_dtx_sends() {
        let packets = minute(0.0);
        assert_eq!(packets.len(), 1_500);
        assert!(packets.iter().all(|p| p.level == 127 && !p.marker));
    }
}
