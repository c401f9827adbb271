//! A speaker slot: one stream into which the packets of whoever speaks there are put, one speaker after the other.
//!
//! To those who receive it it is a track like any other, so nothing is negotiated when speakers change: towards its source a slot is a
//! subscription that is given another track, towards its subscribers the publisher of one SSRC, one line of sequence numbers and one
//! clock.

use super::rewrite::Rewriter;
use crate::id::{Ssrc, TrackId};
use crate::rtp::{Clock, LayerSet, Media};
use std::time::Instant;

/// Any moment will do: a slot has no camera with which it could be in sync. NTP seconds, in the upper half.
const NTP_BEGIN: u64 = 4_000_000_000 << 32;

/// See the module. Its only input is [`Slot::fill`].
#[derive(Debug)]
pub struct Slot {
    rewriter: Rewriter,
    ssrc: Ssrc,
    /// The track that speaks, and its epoch.
    source: Option<(TrackId, u32)>,
    /// Grows with each change of the source: who receives the slot begins anew behind what it was sent.
    epoch: u32,
    begin: Instant,
    clock: Option<Clock>,
    switches: u64,
}

impl Slot {
    /// An empty slot. `ssrc` is its name as a source; nobody is told.
    pub fn new(now: Instant, ssrc: Ssrc) -> Self {
        let (rewriter, clock) = (Rewriter::new(1, 0), None);
        Self { rewriter, ssrc, source: None, epoch: 0, begin: now, clock, switches: 0 }
    }

    /// How often the speaker changed.
    pub fn switches(&self) -> u64 {
        self.switches
    }

    /// A packet of `track`, which speaks in this slot now: what it is as a packet of the slot's. `None` if it comes too late, or begins
    /// nothing.
    pub fn fill(&mut self, now: Instant, track: TrackId, media: Media) -> Option<Media> {
        // Wall clocks of different people have nothing to do with each other: when packets come decides what time it is.
        let media = Media { clock: None, ..media };
        let source = Some((track, media.epoch));
        if self.source != source {
            if media.payload.is_empty() {
                return None;
            }
            if self.source.is_none_or(|(before, _)| before != track) {
                self.rewriter.restart();
                self.switches += 1;
            }
            self.rewriter.switch(now, media.format.codec.clock_rate(), &media);
            self.source = source;
            self.epoch = self.epoch.wrapping_add(1);
        }
        let mapped = self.rewriter.forward(now, &media)?;
        let clock = *self.clock.get_or_insert_with(|| {
            let since = now.saturating_duration_since(self.begin);
            let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
            Clock { ntp: NTP_BEGIN.wrapping_add(since.as_secs() << 32 | fraction), rtp: mapped.ts, at: now }
        });
        Some(Media {
            layer: 0,
            epoch: self.epoch,
            index: mapped.index,
            ssrc: self.ssrc,
            ts: mapped.ts,
            clock: Some(clock),
            live: LayerSet::default().with(0),
            ..media
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::media::tests::media;
    use std::time::Duration;

    const FRAME: Duration = Duration::from_millis(20);
    const ANA: TrackId = TrackId(1);
    const BEN: TrackId = TrackId(2);

    #[test]
    fn speakers_follow_each_other_in_one_line_of_numbers_and_time() {
        let start = crate::test_epoch();
        let mut slot = Slot::new(start, Ssrc(9));
        let mut came = Vec::new();
        for n in 0..30u32 {
            let (track, index) = if (10..20).contains(&n) { (BEN, 70_000) } else { (ANA, 500) };
            let mut packet = media(0, index + u64::from(n));
            packet.ssrc = Ssrc(track.0 as u32);
            came.extend(slot.fill(start + FRAME * n, track, packet));
        }
        assert!(came.iter().all(|media| media.ssrc == Ssrc(9)));
        let (indexes, times): (Vec<u64>, Vec<u32>) = came.iter().map(|media| (media.index, media.ts)).unzip();
        assert_eq!(indexes, (1..31).collect::<Vec<_>>());
        assert!(times.windows(2).all(|pair| pair[1] == pair[0] + 960), "{times:?}");
        let epochs: Vec<u32> = came.iter().map(|media| media.epoch).collect();
        assert_eq!((epochs[9], epochs[10], epochs[19], epochs[20]), (1, 2, 2, 3));
        assert_eq!(slot.switches(), 3);
    }

    #[test]
    fn what_is_late_keeps_its_place_and_what_came_before_the_turn_has_none() {
        let start = crate::test_epoch();
        let mut slot = Slot::new(start, Ssrc(9));
        let mut fill = |track, index| slot.fill(start, track, media(0, index)).map(|media| media.index);
        assert_eq!(fill(ANA, 500), Some(1));
        assert_eq!(fill(ANA, 502), Some(3));
        assert_eq!(fill(ANA, 501), Some(2));
        assert_eq!(fill(BEN, 502), Some(4));
        assert_eq!(fill(BEN, 501), None, "of before the turn");
    }
}
