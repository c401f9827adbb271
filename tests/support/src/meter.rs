//! Accounts for what arrives of one track: every sequence number once, every frame whole, every timestamp in order.

use crate::media::vp8_head;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Arrivals that are remembered to tell a late packet from a second copy.
const WINDOW: u64 = 1024;

/// What came of one track. All counters only grow.
#[derive(Clone, Default)]
pub struct Meter {
    /// Different packets with payload.
    pub packets: u64,
    /// Payload bytes.
    pub bytes: u64,
    /// Second copies.
    pub duplicates: u64,
    /// Packets that came after one with a higher sequence number.
    pub reordered: u64,
    /// Whole video frames: from the start bit to the marker, nothing missing.
    pub frames: u64,
    /// Key frames among them.
    pub keyframes: u64,
    /// Video packets whose payload descriptor can't be read.
    pub malformed: u64,
    /// Timestamps that went back, or picture ids that didn't go on by one with whole frames.
    pub discontinuities: u64,
    /// Longest time between two packets.
    pub longest_silence: Duration,
    /// Different SSRCs seen; more than one means the server broke its promise.
    pub ssrcs: BTreeSet<u32>,
    last_at: Option<Instant>,
    first: Option<u64>,
    highest: u64,
    seen: BTreeSet<u64>,
    last_timestamp: Option<u32>,
    frame: Option<Partial>,
    last_picture: Option<u16>,
}

/// A video frame on its way in.
#[derive(Clone, Copy, Debug)]
struct Partial {
    timestamp: u32,
    next: u64,
    key: bool,
    picture: Option<u16>,
}

/// What a meter reads of a packet.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<'a> {
    /// SSRC.
    pub ssrc: u32,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp.
    pub timestamp: u32,
    /// Marker bit.
    pub marker: bool,
    /// Payload without padding.
    pub payload: &'a [u8],
    /// Payload is VP8.
    pub video: bool,
}

impl std::fmt::Debug for Meter {
    /// The counters, in one line.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} packets, {} missing, {} duplicates, {} reordered, {} frames, {} key frames, {} malformed, {} discontinuities, \
             {} SSRCs, longest silence {:?}",
            self.packets,
            self.missing(),
            self.duplicates,
            self.reordered,
            self.frames,
            self.keyframes,
            self.malformed,
            self.discontinuities,
            self.ssrcs.len(),
            self.longest_silence
        )
    }
}

impl Meter {
    /// Takes one packet in.
    pub fn arrive(&mut self, now: Instant, packet: Arrival<'_>) {
        if let Some(last) = self.last_at.replace(now) {
            self.longest_silence = self.longest_silence.max(now.saturating_duration_since(last));
        }
        self.ssrcs.insert(packet.ssrc);
        let index = self.index(packet.seq);
        self.first = Some(self.first.map_or(index, |first| first.min(index)));
        if !self.seen.insert(index) {
            self.duplicates += 1;
            return;
        }
        self.packets += 1;
        self.bytes += packet.payload.len() as u64;
        if index < self.highest {
            self.reordered += 1;
        } else {
            self.highest = index;
            self.seen = self.seen.split_off(&index.saturating_sub(WINDOW));
            if self.last_timestamp.is_some_and(|last| packet.timestamp.wrapping_sub(last) > u32::MAX / 2) {
                self.discontinuities += 1;
            }
            self.last_timestamp = Some(packet.timestamp);
        }
        if packet.video && !packet.payload.is_empty() {
            self.video(index, packet);
        }
    }

    /// Sequence numbers between the first and the highest that never came.
    pub fn missing(&self) -> u64 {
        self.first.map_or(0, |first| (self.highest - first + 1).saturating_sub(self.packets))
    }

    /// The sequence number, counted on over its wraps.
    fn index(&self, seq: u16) -> u64 {
        // Room below the first packet, for one that was overtaken.
        let Some(_) = self.first else { return (1 << 16) | u64::from(seq) };
        let step = seq.wrapping_sub(self.highest as u16) as i16;
        self.highest.saturating_add_signed(i64::from(step))
    }

    fn video(&mut self, index: u64, packet: Arrival<'_>) {
        let Some(head) = vp8_head(packet.payload) else {
            self.malformed += 1;
            return;
        };
        let frame = match self.frame.take() {
            _ if head.start => {
                Partial { timestamp: packet.timestamp, next: index, key: head.key, picture: head.picture }
            }
            Some(frame) => frame,
            None => return,
        };
        if frame.next != index || frame.timestamp != packet.timestamp || frame.picture != head.picture {
            return;
        }
        if !packet.marker {
            self.frame = Some(Partial { next: index + 1, ..frame });
            return;
        }
        self.frames += 1;
        self.keyframes += u64::from(frame.key);
        if let (Some(last), Some(picture)) = (self.last_picture, frame.picture)
            && picture != (last + 1) & 0x7fff
            && self.missing() == 0
        {
            self.discontinuities += 1;
        }
        self.last_picture = frame.picture.or(self.last_picture);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Vp8;

    fn audio(seq: u16) -> Arrival<'static> {
        Arrival { ssrc: 1, seq, timestamp: u32::from(seq) * 960, marker: false, payload: b"x", video: false }
    }

    #[test]
    fn loss_copies_and_disorder_are_told_apart_over_a_wrap() {
        let mut meter = Meter::default();
        for seq in [65_533, 65_534, 0, 65_535, 0, 3] {
            meter.arrive(Instant::now(), Arrival { timestamp: 0, ..audio(seq) });
        }
        assert_eq!((meter.packets, meter.duplicates, meter.reordered, meter.missing()), (5, 1, 1, 2));
        assert_eq!(meter.discontinuities, 0);
    }

    #[test]
    fn a_frame_counts_only_whole() {
        let (mut meter, mut source, mut seq) = (Meter::default(), Vp8::default(), 7u16);
        for frame in 0..3 {
            for (i, packet) in source.frame().0.into_iter().enumerate() {
                seq += 1;
                if (frame, i) != (1, 1) {
                    let (timestamp, marker) = (packet.timestamp, packet.marker);
                    meter.arrive(
                        Instant::now(),
                        Arrival { ssrc: 1, seq, timestamp, marker, payload: &packet.payload, video: true },
                    );
                }
            }
        }
        assert_eq!((meter.frames, meter.keyframes, meter.missing(), meter.discontinuities), (2, 1, 1, 0));
    }

    #[test]
    fn a_timestamp_that_goes_back_is_noticed() {
        let mut meter = Meter::default();
        meter.arrive(Instant::now(), audio(10));
        meter.arrive(Instant::now(), Arrival { timestamp: 5, ..audio(11) });
        assert_eq!(meter.discontinuities, 1);
    }
}
