//! One publication: every packet of its layers comes in here, is numbered, checked, cached and made ready for all subscribers.

use super::ladder::{Ladder, Rung};
use super::layer::{Layer, Place};
use crate::id::{Pt, Ssrc, TrackId};
use crate::params::{Codec, Kind, MAX_LAYERS, PayloadParams, PublishParams};
use crate::rtp::rtcp::{ReportBlock, SenderReport};
use crate::rtp::{Clock, LayerSet, Media, Packet, frame, red, rtcp_write};
use smallvec::SmallVec;
use std::time::{Duration, Instant};

/// How often receiver reports go out: as browsers do for video.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);
/// A layer counts as switched off when others went on for so long without it. A still screen is sent once a second, so it
/// must be longer than that.
const LAYER_SILENCE: Duration = Duration::from_millis(1_200);
/// Holes right before what looks like a key frame's start may be its own first packets (H.264 sends parameter sets ahead).
const KEYFRAME_HEAD: u64 = 4;
/// What is sent of a packet beside its payload: RTP header, extensions, SRTP tag.
const PACKET_OVERHEAD: usize = 44;

/// What happened to a publication's packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Media packets taken in, retransmitted ones too.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Packets that came only as a retransmission.
    pub recovered: u64,
    /// Packets that were there before.
    pub duplicates: u64,
    /// Packets too old to be placed.
    pub too_old: u64,
    /// Padding-only packets, left out.
    pub padding: u64,
    /// Packets dropped while muted.
    pub muted: u64,
    /// Packets with a payload type that wasn't negotiated, or malformed RTX or RED.
    pub malformed: u64,
    /// Sequence numbers asked for again.
    pub nacks: u64,
    /// Key frame requests sent.
    pub plis: u64,
}

/// A published track. Its inputs are [`Track::handle_rtp`], [`Track::handle_sender_report`], [`Track::request_keyframe`] and
/// [`Track::set_muted`]; after any of them, and at [`Track::poll_timeout`], call [`Track::poll_feedback`].
#[derive(Debug)]
pub struct Track {
    id: TrackId,
    kind: Kind,
    payloads: Vec<PayloadParams>,
    layers: SmallVec<[Layer; 1]>,
    muted: bool,
    started: bool,
    next_report: Option<Instant>,
    ladder: Ladder,
    counters: Counters,
}

impl Track {
    /// A publication as negotiated.
    pub fn new(id: TrackId, params: &PublishParams) -> Self {
        let layers = params.layers.len().clamp(1, MAX_LAYERS);
        Self {
            id,
            kind: params.kind,
            payloads: params.payloads.clone(),
            layers: std::iter::repeat_with(Layer::default).take(layers).collect(),
            muted: false,
            started: false,
            next_report: None,
            ladder: Ladder::new(&params.layers),
            counters: Counters::default(),
        }
    }

    /// Its name.
    pub fn id(&self) -> TrackId {
        self.id
    }

    /// Audio or video.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// True once: when the first media packet came.
    pub fn take_started(&mut self) -> bool {
        !std::mem::replace(&mut self.started, self.counters.packets > 0) && self.started
    }

    /// While muted, media is counted and dropped.
    pub fn set_muted(&mut self, muted: bool) {
        self.muted = muted;
    }

    /// Remembers what its pictures take. To be called about once a second; `limited`: the publisher sends less than it likes.
    pub fn note_full(&mut self, limited: bool) {
        self.ladder.note_full(limited);
    }

    /// What comes of it, in bits per second over the last second.
    pub fn rate(&self, now: Instant) -> u64 {
        self.layers.iter().map(|layer| layer.rates.total(now)).sum()
    }

    /// How many encodings were negotiated.
    pub fn encodings(&self) -> usize {
        self.layers.len()
    }

    /// The layers that the publisher sends at this moment: those that had packets, but for those that fell silent while
    /// others went on.
    pub fn live(&self) -> LayerSet {
        let newest = self.layers.iter().filter_map(|layer| layer.last_media).max();
        let live = |layer: &Layer| match (layer.last_media, newest) {
            (Some(last), Some(newest)) => newest.saturating_duration_since(last) < LAYER_SILENCE,
            _ => false,
        };
        (0..).zip(&self.layers).filter(|(_, l)| live(l)).fold(LayerSet::default(), |set, (i, _)| set.with(i))
    }

    /// Takes in an authenticated packet of `layer`; `rtx`: it came on the retransmission SSRC. Returns it made ready for
    /// subscribers, unless it is a duplicate, padding, or dropped.
    pub fn handle_rtp(&mut self, now: Instant, layer: u8, rtx: bool, packet: Packet) -> Option<Media> {
        let at = usize::from(layer);
        let Some((packet, payload)) = self.unwrap_rtx(at, rtx, packet) else {
            self.counters.malformed += 1;
            return None;
        };
        let Some(packet) = packet else {
            self.counters.padding += 1;
            return None;
        };
        let live = self.layers.get_mut(at)?;
        self.next_report.get_or_insert(now + REPORT_INTERVAL);
        let epoch = live.epoch;
        let place = live.place(now, payload.format.codec.clock_rate(), &packet, rtx);
        let restarted = live.epoch != epoch;
        let (seq, index) = match place {
            Place::At(seq, index) => (seq, index),
            Place::Duplicate => {
                self.counters.duplicates += 1;
                return None;
            }
            Place::TooOld => {
                self.counters.too_old += 1;
                return None;
            }
        };
        if self.muted {
            live.broken = true;
            self.counters.muted += 1;
            return None;
        }
        if std::mem::take(&mut live.broken) && !restarted {
            live.epoch = live.epoch.wrapping_add(1);
            if let Some(stream) = &mut live.stream {
                stream.nack = super::nack::Nack::new(seq);
            }
        }
        if payload.nack && !live.stream.as_mut()?.nack.received(now, seq) {
            live.keyframe.request();
        }
        let Some(index) = index else {
            self.counters.padding += 1;
            return None;
        };
        let is_red = payload.red == Some(packet.pt);
        let red = if is_red && !packet.payload.is_empty() {
            let Some(primary) = red::primary(&packet.payload) else {
                self.counters.malformed += 1;
                return None;
            };
            Some(primary)
        } else {
            None
        };
        self.counters.packets += 1;
        self.counters.bytes += packet.payload.len() as u64;
        self.counters.recovered += u64::from(rtx);
        let media = self.ready(now, at, index, seq, payload, red, packet)?;
        self.layers.get_mut(at)?.cache.insert(now, media.clone());
        Some(media)
    }

    /// Takes a packet out of RTX (RFC 4588 section 4). `None`: makes no sense; no packet inside: padding for probing.
    fn unwrap_rtx(&self, layer: usize, rtx: bool, mut packet: Packet) -> Option<(Option<Packet>, PayloadParams)> {
        if !rtx {
            let payload = self.payload(|p| p.pt == packet.pt || p.red == Some(packet.pt))?;
            return Some((Some(packet), payload));
        }
        let payload = self.payload(|p| p.rtx == Some(packet.pt))?;
        if packet.payload.is_empty() {
            return Some((None, payload));
        }
        let &[high, low, ..] = &packet.payload[..] else { return None };
        packet.seq = u16::from_be_bytes([high, low]);
        packet.pt = payload.pt;
        packet.payload = packet.payload.slice(2..);
        packet.ssrc = self.layers.get(layer)?.stream.as_ref()?.ssrc;
        Some((Some(packet), payload))
    }

    fn payload(&self, matches: impl Fn(&PayloadParams) -> bool) -> Option<PayloadParams> {
        self.payloads.iter().copied().find(matches)
    }

    #[allow(clippy::too_many_arguments, reason = "each is its own kind of thing, and there is one caller")]
    fn ready(
        &mut self,
        now: Instant,
        at: usize,
        index: u64,
        seq: u64,
        payload: PayloadParams,
        red: Option<(u16, Pt)>,
        packet: Packet,
    ) -> Option<Media> {
        let layer = self.layers.get_mut(at)?;
        let stream = layer.stream.as_mut()?;
        let (mut meta, picture) = frame::inspect(payload.format.codec, &packet, &mut stream.structure);
        if self.kind == Kind::Video {
            meta.spatials = stream.spatials.seen(packet.ts, &meta);
        }
        if meta.keyframe && payload.format.codec != Codec::Opus {
            layer.keyframe.arrived();
            stream.nack.forget_before(seq.saturating_sub(KEYFRAME_HEAD));
        }
        layer.count(now, &meta, packet.payload.len() + PACKET_OVERHEAD);
        let set = self.live();
        let layer = self.layers.get_mut(at)?;
        Some(Media {
            layer: at as u8,
            epoch: layer.epoch,
            index,
            ssrc: packet.ssrc,
            ts: packet.ts,
            marker: packet.marker,
            format: payload.format,
            red,
            audio_level: packet.extensions.audio_level,
            video_orientation: packet.extensions.video_orientation,
            playout_delay: packet.extensions.playout_delay,
            dependency_descriptor: packet.extensions.dependency_descriptor,
            meta,
            picture,
            payload: packet.payload,
            clock: layer.clock(),
            live: set,
        })
    }

    /// Takes in a packet that the same track, at home on another worker, has made ready: this is its mirror.
    pub fn handle_ready(&mut self, now: Instant, media: Media) {
        let Some(layer) = self.layers.get_mut(usize::from(media.layer)) else { return };
        self.counters.packets += 1;
        self.counters.bytes += media.payload.len() as u64;
        layer.count(now, &media.meta, media.payload.len() + PACKET_OVERHEAD);
        if media.meta.keyframe && media.format.codec != Codec::Opus {
            layer.keyframe.arrived();
        }
        layer.cache.insert(now, media);
    }

    /// The layers to ask the home of a mirror for a key frame of, now.
    pub fn poll_requests(&mut self, now: Instant) -> SmallVec<[u8; MAX_LAYERS]> {
        (0..).zip(&mut self.layers).filter_map(|(at, layer)| layer.keyframe.poll(now).then_some(at)).collect()
    }

    /// When [`Track::poll_requests`] has something to say; may lie in the past.
    pub fn requests_due(&self, now: Instant) -> Option<Instant> {
        self.layers.iter().filter_map(|layer| layer.keyframe.deadline(now)).min()
    }

    /// All that it can be sent as at this moment, and what that costs; as of some tens of milliseconds ago at most. Layers that were sent
    /// before are among it, marked.
    pub fn ladder(&mut self, now: Instant) -> &[Rung] {
        if self.ladder.is_old(now) {
            let live = self.live();
            let several = self.layers.len() > 1;
            let measured = (0..).zip(&mut self.layers).filter_map(|(at, layer)| layer.remember(now).then_some(at));
            let measured = measured.fold(LayerSet::default(), LayerSet::with);
            let is_measured = |at| live.contains(at) && (measured.contains(at) || !several);
            let layers = (0..).zip(&self.layers).filter(|(at, _)| is_measured(*at));
            self.ladder.build(now, layers.map(|(at, layer)| (at, layer.spatials, &layer.rates)));
            let silent = (0..).zip(&self.layers).filter(|(at, layer)| !is_measured(*at) && layer.known > 0);
            silent.for_each(|(at, layer)| self.ladder.silent(at, layer.known, !live.contains(at)));
        }
        self.ladder.rungs()
    }

    /// A packet that subscribers may ask for again.
    pub fn cached(&self, layer: u8, index: u64) -> Option<&Media> {
        self.layers.get(usize::from(layer))?.cache.get(index)
    }

    /// It was a packet of the track, or might have come to be one, and is too old to be asked for.
    pub fn forgot(&self, layer: u8, index: u64) -> bool {
        self.layers.get(usize::from(layer)).is_some_and(|layer| layer.cache.forgot(index))
    }

    /// What a newcomer's picture of `layer` may begin with: the newest key frame and all since, if that is kept whole and is
    /// short. While muted nothing.
    pub fn opening(&self, layer: u8) -> Option<impl Iterator<Item = &Media>> {
        let shown = self.kind == Kind::Video && !self.muted;
        self.layers.get(usize::from(layer)).filter(|_| shown)?.cache.opening()
    }

    /// A copy of an audio packet with more frames before its own than it came with, for those who lose many.
    pub fn deepened(&self, media: &Media) -> Option<Media> {
        super::redundancy::deepen(media, |index| self.cached(media.layer, index))
    }

    /// The newest packet, while it is kept.
    pub fn newest(&self) -> Option<&Media> {
        self.layers.iter().max_by_key(|layer| layer.last_media)?.cache.newest()
    }

    /// Takes in a sender report about the media SSRC of `layer`.
    pub fn handle_sender_report(&mut self, now: Instant, layer: u8, report: &SenderReport) {
        if let Some(layer) = self.layers.get_mut(usize::from(layer)) {
            layer.set_clock(report.ssrc, Clock { ntp: report.ntp, rtp: report.rtp, at: now });
        }
    }

    /// A subscriber needs a key frame of `layer`. May be called as often as one likes: what goes out is throttled.
    pub fn request_keyframe(&mut self, layer: u8) {
        if self.kind == Kind::Video
            && let Some(layer) = self.layers.get_mut(usize::from(layer))
        {
            layer.keyframe.request();
        }
    }

    /// When [`Track::poll_feedback`] has something to say; may lie in the past.
    pub fn poll_timeout(&self, now: Instant) -> Option<Instant> {
        let layers = self.layers.iter().filter_map(|layer| {
            let stream = layer.stream.as_ref()?;
            let keyframe = if self.muted { None } else { layer.keyframe.deadline(now) };
            [stream.nack.deadline(), keyframe].into_iter().flatten().min()
        });
        layers.chain(self.next_report).min()
    }

    /// The next feedback has a receiver report.
    pub fn is_report_due(&self, now: Instant) -> bool {
        self.next_report.is_some_and(|at| at <= now)
    }

    /// Appends the RTCP that the publisher shall get now: receiver report, NACK, PLI; as a compound that starts with a report.
    /// `from` is our SSRC. Appends at most about 1 KiB.
    pub fn poll_feedback(&mut self, now: Instant, from: Ssrc, buf: &mut Vec<u8>) {
        if self.next_report.is_some_and(|at| at <= now) {
            self.next_report = Some(now + REPORT_INTERVAL);
            let blocks: SmallVec<[ReportBlock; MAX_LAYERS]> = self
                .layers
                .iter_mut()
                .filter_map(|layer| {
                    let clock = layer.clock();
                    Some(layer.stream.as_mut()?.stats.report(now, clock))
                })
                .collect();
            rtcp_write::receiver_report(from, &blocks, buf);
        }
        let start = |buf: &mut Vec<u8>| {
            if buf.is_empty() {
                rtcp_write::receiver_report(from, &[], buf);
            }
        };
        for layer in &mut self.layers {
            let Some(stream) = &mut layer.stream else { continue };
            let (ask, gave_up) = stream.nack.poll(now);
            if !ask.is_empty() {
                start(buf);
                self.counters.nacks += ask.len() as u64;
                rtcp_write::nack(from, stream.ssrc, ask, buf);
            }
            if gave_up && self.kind == Kind::Video {
                layer.keyframe.request();
            }
            if !self.muted && layer.keyframe.poll(now) {
                start(buf);
                self.counters.plis += 1;
                rtcp_write::pli(from, stream.ssrc, buf);
            }
        }
    }
}

#[cfg(test)]
#[path = "track_tests.rs"]
mod tests;
