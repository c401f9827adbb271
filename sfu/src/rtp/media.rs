//! What crosses from a publication to its subscriptions: one packet made ready once, read by all.

use super::extension::AudioLevel;
use super::frame::FrameMeta;
use super::picture::Picture;
use crate::id::{Pt, Ssrc};
use crate::params::{Codec, Format};
use bytes::Bytes;
use std::time::Instant;

/// One media packet of a publication: authenticated, no duplicate, out of its retransmission wrapper.
#[derive(Clone, PartialEq, Debug)]
pub struct Media {
    /// Simulcast layer, lowest spatial first.
    pub layer: u8,
    /// Grows at every break of the layer (new SSRC, sequence jump, unmute after dropped packets): decoding can't go on
    /// over it without a keyframe.
    pub epoch: u32,
    /// Position in the layer: the extended sequence number without padding-only packets. Unique per layer, never reused;
    /// a hole is a packet that was lost or is late.
    pub index: u64,
    /// The publisher's SSRC: packets of one SSRC share one timestamp clock.
    pub ssrc: Ssrc,
    /// The publisher's RTP timestamp.
    pub ts: u32,
    /// Marker bit.
    pub marker: bool,
    /// Codec of the (primary) payload.
    pub format: Format,
    /// If the payload is wrapped in RED (RFC 2198): where the primary block starts and the publisher's payload type of it.
    pub red: Option<(u16, Pt)>,
    /// Loudness.
    pub audio_level: Option<AudioLevel>,
    /// Video orientation.
    pub video_orientation: Option<u8>,
    /// Playout delay.
    pub playout_delay: Option<[u8; 3]>,
    /// Dependency descriptor.
    pub dependency_descriptor: Option<Bytes>,
    /// What the packet is to its frame.
    pub meta: FrameMeta,
    /// Picture id and TL0PICIDX of VP8 and VP9.
    pub picture: Picture,
    /// The payload; empty if a padding-only packet came too late to be left out of the numbering.
    pub payload: Bytes,
    /// Newest sender report of the layer, if there was one.
    pub clock: Option<Clock>,
    /// Layers that the publisher sends at this moment.
    pub live: LayerSet,
}

impl Media {
    /// A packet of nothing: what padding is written from.
    pub fn empty() -> Self {
        Self {
            layer: 0,
            epoch: 0,
            index: 0,
            ssrc: Ssrc(0),
            ts: 0,
            marker: false,
            format: Format { codec: Codec::Vp8, profile: 0 },
            red: None,
            audio_level: None,
            video_orientation: None,
            playout_delay: None,
            dependency_descriptor: None,
            meta: FrameMeta::default(),
            picture: Picture::default(),
            payload: Bytes::new(),
            clock: None,
            live: LayerSet::default(),
        }
    }
}

/// A layer's line between wall clock and RTP timestamps, from its newest sender report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// The publisher's wall clock, NTP format (32.32 fixed point seconds).
    pub ntp: u64,
    /// The RTP timestamp of the same moment.
    pub rtp: u32,
    /// When the report came.
    pub at: Instant,
}

/// A set of simulcast layers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LayerSet(pub u8);

impl LayerSet {
    /// With `layer` in it. Layers above 7 don't exist.
    pub fn with(self, layer: u8) -> Self {
        Self(self.0 | 1u8.checked_shl(layer.into()).unwrap_or(0))
    }

    /// Whether `layer` is in it.
    pub fn contains(self, layer: u8) -> bool {
        self.0 & 1u8.checked_shl(layer.into()).unwrap_or(0) != 0
    }

    /// The highest layer that isn't above `max`; if there is none, the lowest of all.
    pub fn best(self, max: u8) -> Option<u8> {
        let below = self.0 & (0xff >> (7 - max.min(7)));
        match (below, self.0) {
            (_, 0) => None,
            (0, all) => Some(all.trailing_zeros() as u8),
            (below, _) => Some(7 - below.leading_zeros() as u8),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An Opus packet of 20 ms at `index`.
    pub(crate) fn media(layer: u8, index: u64) -> Media {
        Media {
            layer,
            epoch: 1,
            index,
            ssrc: Ssrc(1000 + u32::from(layer)),
            ts: (index as u32).wrapping_mul(960),
            marker: false,
            format: Format { codec: Codec::Opus, profile: 0 },
            red: None,
            audio_level: None,
            video_orientation: None,
            playout_delay: None,
            dependency_descriptor: None,
            meta: FrameMeta::default(),
            picture: Picture::default(),
            payload: Bytes::from_static(b"opus"),
            clock: None,
            live: LayerSet::default().with(layer),
        }
    }

    #[test]
    fn the_best_layer_is_the_next_lower_one_that_is_sent() {
        let set = LayerSet::default().with(0).with(2);
        assert_eq!([0, 1, 2, 7].map(|max| set.best(max)), [Some(0), Some(0), Some(2), Some(2)]);
        assert_eq!(LayerSet::default().best(2), None);
        assert_eq!(LayerSet::default().with(1).best(0), Some(1), "something is better than nothing");
    }
}
