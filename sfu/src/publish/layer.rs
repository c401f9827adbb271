//! One simulcast layer of a publication: its SSRC's numbering, statistics, holes, cache and clock.

use super::cache::Cache;
use super::keyframe::Keyframe;
use super::nack::Nack;
use super::rates::{Rates, Spatials};
use super::sequence::{Sequence, Verdict};
use super::stats::Stats;
use crate::id::Ssrc;
use crate::rtp::dependency::Structure;
use crate::rtp::{Clock, FrameMeta, LayerSet, Packet};
use std::time::{Duration, Instant};

/// What is measured so long after the last packet is too little.
const FADING: Duration = Duration::from_millis(150);

/// A layer, before and after its SSRC is known.
#[derive(Debug, Default)]
pub(super) struct Layer {
    pub stream: Option<Stream>,
    pub cache: Cache,
    pub keyframe: Keyframe,
    /// Newest sender report, with its SSRC: it may come before the first packet.
    clock: Option<(Ssrc, Clock)>,
    /// When media came last, padding not counted.
    pub last_media: Option<Instant>,
    /// What it costs to send it to somebody.
    pub rates: Rates,
    /// ... in bits per second, while it was sent.
    pub known: u64,
    /// Its spatial layers (SVC).
    pub spatials: LayerSet,
    /// Grows at every break.
    pub epoch: u32,
    /// Packets were dropped while muted: the next one is behind a break.
    pub broken: bool,
}

/// What belongs to one SSRC.
#[derive(Debug)]
pub(super) struct Stream {
    pub ssrc: Ssrc,
    pub sequence: Sequence,
    pub stats: Stats,
    pub nack: Nack,
    pub structure: Structure,
    pub spatials: Spatials,
}

/// A packet's place in its layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Place {
    /// New, at this extended sequence number and, unless it is padding left out, this index.
    At(u64, Option<u64>),
    /// It was there before.
    Duplicate,
    /// Too old to tell.
    TooOld,
}

impl Layer {
    /// Numbers a packet; a new SSRC or a jump begins a new stream and a new epoch. `over_rtx`: it came as a retransmission.
    pub fn place(&mut self, now: Instant, rate: u32, packet: &Packet, over_rtx: bool) -> Place {
        let padding_only = packet.payload.is_empty();
        let verdict = match &mut self.stream {
            Some(stream) if stream.ssrc == packet.ssrc => stream.sequence.accept(packet.seq, padding_only),
            _ => Verdict::Restart,
        };
        let place = match verdict {
            Verdict::New { seq, index } => Place::At(seq, index),
            Verdict::Duplicate => Place::Duplicate,
            Verdict::TooOld => Place::TooOld,
            Verdict::Restart => {
                let above = self.stream.as_ref().and_then(|stream| stream.sequence.highest());
                let mut sequence = Sequence::restart(above);
                let Verdict::New { seq, index } = sequence.accept(packet.seq, padding_only) else {
                    return Place::TooOld;
                };
                self.epoch = self.epoch.wrapping_add(1);
                self.stream = Some(Stream {
                    ssrc: packet.ssrc,
                    sequence,
                    stats: Stats::new(now, packet.ssrc, rate, seq, packet.ts),
                    nack: Nack::new(seq),
                    structure: Structure::default(),
                    spatials: Spatials::default(),
                });
                Place::At(seq, index)
            }
        };
        if let (Some(stream), false) = (&mut self.stream, over_rtx) {
            match place {
                Place::At(seq, _) => stream.stats.received(now, seq, packet.ts),
                Place::Duplicate => stream.stats.duplicate(),
                Place::TooOld => {}
            }
        }
        place
    }

    /// A media packet is made ready; `bytes` is what sending it costs.
    pub fn count(&mut self, now: Instant, meta: &FrameMeta, bytes: usize) {
        self.last_media = Some(now);
        self.spatials = meta.spatials;
        self.rates.add(now, meta, bytes);
    }

    /// Notes what sending it costs, for when it is stopped. False if nothing came for so long that what is measured fades.
    pub fn remember(&mut self, now: Instant) -> bool {
        let measured = self.last_media.is_some_and(|at| now.saturating_duration_since(at) < FADING);
        if measured {
            self.known = self.rates.get(now, 0, u8::MAX);
        }
        measured
    }

    /// The newest sender report of the present SSRC.
    pub fn clock(&self) -> Option<Clock> {
        let (ssrc, clock) = self.clock?;
        self.stream.as_ref().is_some_and(|stream| stream.ssrc == ssrc).then_some(clock)
    }

    /// Takes in a sender report. One of another SSRC (that of RTX, or the next) doesn't displace the present one's.
    pub fn set_clock(&mut self, ssrc: Ssrc, clock: Clock) {
        if self.clock().is_none() || self.stream.as_ref().is_some_and(|stream| stream.ssrc == ssrc) {
            self.clock = Some((ssrc, clock));
        }
    }
}
