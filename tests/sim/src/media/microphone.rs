//! A microphone before somebody who talks: Opus every 20 ms, with the frames before it along (RED, RFC 2198).

use super::pt;
use super::rtp::Rtp;
use super::stamp::Stamp;
use crate::At;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;
use std::time::Duration;

/// Between frames.
pub const FRAME: Duration = Duration::from_millis(20);
/// Bytes of a frame: 40 kbit/s.
const BYTES: usize = 100;
/// Table of contents byte: hybrid, full band, 20 ms, mono, one frame (RFC 6716 section 3.1).
const TOC: u8 = 15 << 3;

/// See the module.
pub struct Microphone {
    track: u16,
    /// SSRC.
    pub ssrc: u32,
    start: At,
    number: u32,
    redundancy: usize,
    before: VecDeque<Vec<u8>>,
    seq: u16,
    ts_offset: u32,
    level: ChaCha8Rng,
    /// Packets and bytes sent, for sender reports.
    pub counts: (u32, u32),
}

impl Microphone {
    /// Talks without a pause; `redundancy` frames before travel along with each.
    pub fn new(track: u16, ssrc: u32, redundancy: usize, start: At, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        Self {
            track,
            ssrc,
            start: start + Duration::from_micros(rng.random_range(0..20_000)),
            number: 0,
            redundancy,
            before: VecDeque::new(),
            seq: rng.random_range(0..0x8000),
            ts_offset: rng.random(),
            level: rng,
            counts: (0, 0),
        }
    }

    /// When the next packet is due.
    pub fn due(&self) -> At {
        self.start + self.number * FRAME
    }

    /// As if it had run for hours: sequence numbers and timestamps wrap soon.
    pub fn age(&mut self, now: At, wraps_in: At) {
        self.seq = u16::MAX - 1_500;
        self.ts_offset = self.ts_offset.wrapping_sub(self.timestamp(now + wraps_in));
    }

    /// The timestamp of a moment.
    pub fn timestamp(&self, at: At) -> u32 {
        self.ts_offset.wrapping_add((at.as_nanos() * 48_000 / 1_000_000_000) as u32)
    }

    /// The next packet.
    pub fn packet(&mut self) -> (Rtp, Stamp) {
        let captured = self.due();
        let stamp = Stamp {
            track: self.track,
            layer: 0,
            spatial: 0,
            temporal: 0,
            key: false,
            frame: self.number,
            packet: self.number,
            index: 0,
            count: 1,
            captured,
            refs: [None; 2],
        };
        let mut block = vec![0x55; BYTES];
        block[0] = TOC;
        stamp.write(&mut block);
        let mut payload = Vec::new();
        if self.redundancy > 0 {
            for (n, block) in self.before.iter().enumerate() {
                let offset = 960 * (self.before.len() - n) as u32;
                let word = 1 << 31 | u32::from(pt::OPUS) << 24 | offset << 10 | block.len() as u32;
                payload.extend(word.to_be_bytes());
            }
            payload.push(pt::OPUS);
            self.before.iter().for_each(|block| payload.extend_from_slice(block));
        }
        payload.extend_from_slice(&block);
        self.before.push_back(block);
        if self.before.len() > self.redundancy {
            self.before.pop_front();
        }
        let rtp = Rtp {
            pt: if self.redundancy > 0 { pt::RED } else { pt::OPUS },
            marker: self.number == 0,
            seq: self.seq,
            ts: self.timestamp(captured),
            ssrc: self.ssrc,
            level: Some(0x80 | self.level.random_range(15..40)),
            descriptor: None,
            payload,
        };
        self.seq = self.seq.wrapping_add(1);
        self.number += 1;
        self.counts = (self.counts.0 + 1, self.counts.1.wrapping_add(rtp.payload.len() as u32));
        (rtp, stamp)
    }
}

/// The stamps of all frames in a payload, oldest first.
pub fn frames(red: bool, payload: &[u8]) -> Vec<Stamp> {
    let (mut lengths, mut at) = (Vec::new(), 0);
    if red {
        while let Some(&[a, _, c, d]) = payload.get(at..at + 4)
            && a & 0x80 != 0
        {
            lengths.push(usize::from(u16::from_be_bytes([c & 0x03, d])));
            at += 4;
        }
        at += 1;
    }
    let mut stamps = Vec::new();
    for len in lengths {
        stamps.extend(payload.get(at..at + len).and_then(Stamp::read));
        at += len;
    }
    stamps.extend(payload.get(at..).and_then(Stamp::read));
    stamps
}

#[cfg(test)]
mod tests {
    use super::*;
    use ramai_sfu::rtp::red;

    #[test]
    fn each_packet_carries_the_frames_before_it() {
        let mut microphone = Microphone::new(1, 7, 2, At::ZERO, 1);
        for n in 0..5u32 {
            let (rtp, _) = microphone.packet();
            let numbers: Vec<u32> = frames(true, &rtp.payload).iter().map(|stamp| stamp.frame).collect();
            assert_eq!(numbers, (n.saturating_sub(2)..=n).collect::<Vec<_>>());
            assert_eq!(usize::from(red::primary(&rtp.payload).unwrap().0), rtp.payload.len() - BYTES);
        }
        let (plain, _) = Microphone::new(1, 7, 0, At::ZERO, 1).packet();
        assert_eq!((frames(false, &plain.payload).len(), plain.pt), (1, pt::OPUS));
    }
}
