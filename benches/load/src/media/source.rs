//! A publisher: a microphone and a camera whose packets come out when they are due, and which answers NACK, PLI and FIR.
//!
//! Inputs are [`Source::poll`] at [`Source::due`], and [`Source::handle_rtcp`]. Time is nanoseconds of wall-clock time, an argument.

use super::cache::Cache;
use super::dependency::{self, Place};
use super::descriptor::{self, Codec};
use super::encoder::{Encoder, Frame, MAX_PAYLOAD, Shape};
use super::film::{Player, Reel};
use super::opus::Opus;
use super::pacer::{Pacer, Pacing};
use super::rtp::{self, Fixed};
use super::scalability::Mode;
use super::stamp::Stamp;
use super::{MS, SECOND};
use bytes::Bytes;
use ramai_sfu::id::Ssrc;
use ramai_sfu::params::{Extension, ExtensionMap};
use ramai_sfu::rtp::rtcp::{Rtcp, SenderReport};
use ramai_sfu::rtp::rtcp_write;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::VecDeque;

/// Between sender reports.
const REPORT: u64 = SECOND;
/// Simulcast layers of one picture come out of their encoders one after the other: so long after the lowest, as measured with Chromium.
const ENCODING: [u64; 3] = [0, 2 * MS, 14 * MS];
/// Key frames of one layer are at least so far apart, as in encoders.
const KEY_INTERVAL: u64 = 300 * MS;
/// Frames that may wait for the pacer; a real encoder would drop frames too.
const MAX_QUEUE: usize = 60;
/// Bytes of a film's frame in one packet.
const FILM_CUT: usize = MAX_PAYLOAD - descriptor::MAX_LEN;

/// A microphone track.
#[derive(Clone, Debug)]
pub struct AudioParams {
    /// Its media section.
    pub mid: String,
    /// Payload type of Opus.
    pub pt: u8,
    /// Its SSRC.
    pub ssrc: u32,
    /// Share of the time that is talk.
    pub talk: f64,
}

/// One encoding of a camera track.
#[derive(Clone, Copy, Debug)]
pub struct LayerParams {
    /// What it is like.
    pub shape: Shape,
    /// Its SSRC.
    pub ssrc: u32,
    /// The SSRC of its retransmissions.
    pub rtx_ssrc: u32,
}

/// A camera track.
#[derive(Clone, Debug)]
pub struct VideoParams {
    /// Its media section.
    pub mid: String,
    /// What it looks like.
    pub codec: Codec,
    /// Payload type of the codec.
    pub pt: u8,
    /// Payload type of its retransmissions.
    pub rtx: Option<u8>,
    /// Its encodings, lowest first.
    pub layers: Vec<LayerParams>,
    /// How its packets are spaced.
    pub pacing: Pacing,
    /// How the layers within each encoding hang together.
    pub mode: Mode,
    /// What the encodings show, lowest first; without, the pictures are invented.
    pub film: Vec<Reel>,
}

/// What one participant publishes.
#[derive(Clone, Debug)]
pub struct SourceParams {
    /// Its number in this run, for the stamps.
    pub publisher: u32,
    /// Of all that is random.
    pub seed: u64,
    /// Extension ids.
    pub extensions: ExtensionMap,
    /// The microphone.
    pub audio: Option<AudioParams>,
    /// The camera.
    pub video: Option<VideoParams>,
}

/// What a publisher did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Published {
    /// RTP packets, without retransmissions.
    pub packets: u64,
    /// Bytes of those, headers included, before sealing.
    pub bytes: u64,
    /// Packets asked for by NACK.
    pub nacked: u64,
    /// Packets sent again.
    pub retransmitted: u64,
    /// PLI and FIR.
    pub key_requests: u64,
    /// Key frames.
    pub key_frames: u64,
    /// Times that an encoding was switched off because nobody watched it.
    pub pauses: u64,
}

impl std::ops::AddAssign for Published {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.nacked += other.nacked;
        self.retransmitted += other.retransmitted;
        self.key_requests += other.key_requests;
        self.key_frames += other.key_frames;
        self.pauses += other.pauses;
    }
}

/// What RTP needs of one stream, and what its sender reports tell.
#[derive(Debug)]
struct Stream {
    ssrc: u32,
    pt: u8,
    seq: u16,
    ts_base: u32,
    clock: u64,
    packets: u32,
    octets: u32,
}

impl Stream {
    fn new(ssrc: u32, pt: u8, clock: u64, rng: &mut ChaCha8Rng) -> Self {
        Self { ssrc, pt, seq: rng.random(), ts_base: rng.random(), clock, packets: 0, octets: 0 }
    }

    /// The RTP timestamp of a moment.
    fn ts(&self, since_start: u64) -> u32 {
        let ticks = u128::from(since_start) * u128::from(self.clock) / u128::from(SECOND);
        self.ts_base.wrapping_add(ticks as u32)
    }

    fn take_seq(&mut self) -> u16 {
        self.seq = self.seq.wrapping_add(1);
        self.seq
    }
}

#[derive(Debug)]
struct Microphone {
    mid: String,
    stream: Stream,
    opus: Opus,
}

#[derive(Debug)]
struct Layer {
    index: u8,
    stream: Stream,
    rtx: Option<Stream>,
    encoder: Encoder,
    /// Real pictures.
    film: Option<Player>,
    /// When the next frame is encoded ...
    next_frame: u64,
    /// ... so long after it was captured.
    encoding: u64,
    /// Somebody watches it.
    active: bool,
    /// Packets of each spatial layer so far.
    packets: [[u32; 3]; 3],
    key_at: u64,
    key_wanted: bool,
    cache: Cache,
    /// Numbers to send again.
    again: Vec<u16>,
}

/// A frame on its way out.
#[derive(Debug)]
struct Leaving {
    /// Place of its layer.
    layer: usize,
    frame: Frame,
    ts: u32,
    /// Packets that are out.
    sent: usize,
    /// Of a film.
    picture: Option<Bytes>,
}

impl Leaving {
    fn packets(&self) -> usize {
        self.picture.as_ref().map_or_else(|| self.frame.packets(), |picture| picture.len().div_ceil(FILM_CUT).max(1))
    }
}

/// See the module.
#[derive(Debug)]
pub struct Source {
    publisher: u32,
    start: u64,
    map: ExtensionMap,
    transport_seq: u16,
    microphone: Option<Microphone>,
    mid: String,
    layers: Vec<Layer>,
    /// All layers share it, as in browsers.
    pacer: Pacer,
    queue: VecDeque<Leaving>,
    next_report: u64,
    cname: String,
    counted: Published,
    pacing: Pacing,
    payload: Vec<u8>,
    descriptor: Vec<u8>,
    packet: Vec<u8>,
}

impl Source {
    /// Starts at `now`; its first packets are due within a frame's time.
    pub fn new(params: SourceParams, now: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(params.seed);
        // Publishers don't beat in time with each other.
        let offset = rng.random_range(0..33 * MS);
        let microphone = params.audio.map(|audio| Microphone {
            mid: audio.mid,
            stream: Stream::new(audio.ssrc, audio.pt, 48_000, &mut rng),
            opus: Opus::new(ChaCha8Rng::seed_from_u64(rng.random()), audio.talk, now + offset % (20 * MS)),
        });
        let (mid, mut layers) = (params.video.as_ref().map_or_else(String::new, |v| v.mid.clone()), Vec::new());
        let bitrate = params.video.iter().flat_map(|v| &v.layers).map(|l| u64::from(l.shape.bitrate)).sum();
        let pacing = params.video.as_ref().map(|v| v.pacing).unwrap_or_default();
        for (index, layer) in params.video.iter().flat_map(|v| v.layers.iter().map(move |l| (v, l))).enumerate() {
            let (video, layer) = layer;
            let several = video.layers.len() > 1;
            let encoding = ENCODING.get(index).copied().filter(|_| several).unwrap_or(0);
            layers.push(Layer {
                index: index as u8,
                stream: Stream::new(layer.ssrc, video.pt, 90_000, &mut rng),
                rtx: video.rtx.map(|pt| Stream::new(layer.rtx_ssrc, pt, 90_000, &mut rng)),
                encoder: Encoder::new(video.codec, layer.shape, video.mode, ChaCha8Rng::seed_from_u64(rng.random())),
                film: video.film.get(index).map(Reel::player),
                next_frame: now + offset + encoding,
                encoding,
                active: true,
                packets: [[0; 3]; 3],
                key_at: 0,
                key_wanted: false,
                cache: Cache::default(),
                again: Vec::new(),
            });
        }
        Self {
            publisher: params.publisher,
            start: now,
            map: params.extensions,
            transport_seq: rng.random(),
            microphone,
            mid,
            layers,
            pacer: Pacer::new(pacing, bitrate),
            queue: VecDeque::new(),
            next_report: now + REPORT / 4,
            cname: format!("load-{}", params.publisher),
            counted: Published::default(),
            pacing,
            payload: Vec::new(),
            descriptor: Vec::new(),
            packet: Vec::new(),
        }
    }

    /// What it did so far.
    pub fn counted(&self) -> Published {
        self.counted
    }

    /// Its number in this run.
    pub fn publisher(&self) -> u32 {
        self.publisher
    }

    /// Encodes only the layers that are on, lowest first; those not named stay as they are. One that is switched on again begins with a
    /// key frame, as in browsers.
    pub fn switch_layers(&mut self, on: &[bool]) {
        for (layer, on) in self.layers.iter_mut().zip(on) {
            if *on && !layer.active {
                layer.encoder.request_key();
            }
            self.counted.pauses += u64::from(layer.active && !on);
            layer.active = *on;
        }
        let active = self.layers.iter().filter(|layer| layer.active);
        let bitrate = active.map(|layer| u64::from(layer.encoder.shape().bitrate)).sum();
        self.pacer = Pacer::new(self.pacing, bitrate);
    }

    /// Sends nothing new from now on, but answers NACKs.
    pub fn hush(&mut self) {
        self.microphone = None;
        for layer in &mut self.layers {
            layer.next_frame = u64::MAX;
        }
        self.queue.clear();
    }

    /// When [`Source::poll`] has something.
    pub fn due(&self, now: u64) -> u64 {
        let layers = self.layers.iter().map(|l| if l.again.is_empty() { l.next_frame } else { now });
        let audio = self.microphone.iter().map(|m| m.opus.next());
        let paced = (!self.queue.is_empty()).then(|| self.pacer.due(now));
        layers.chain(audio).chain(paced).chain([self.next_report]).min().unwrap_or(u64::MAX)
    }

    /// Passes every packet that is due to `send`, in the clear.
    pub fn poll(&mut self, now: u64, send: &mut impl FnMut(&[u8])) {
        self.poll_audio(now, send);
        for at in 0..self.layers.len() {
            self.encode(now, at, send);
        }
        while self.pacer.due(now) <= now && self.send_next(now, send) {}
    }

    /// Appends a compound with a sender report for each stream, if they are due.
    pub fn poll_reports(&mut self, now: u64, buf: &mut Vec<u8>) {
        if now < self.next_report {
            return;
        }
        self.next_report = now + REPORT;
        let since = now - self.start;
        let streams = self.microphone.iter().map(|m| &m.stream).chain(self.layers.iter().map(|l| &l.stream));
        for stream in streams.filter(|s| s.packets > 0) {
            let report = SenderReport {
                ssrc: Ssrc(stream.ssrc),
                ntp: rtp::ntp(now),
                rtp: stream.ts(since),
                packets: stream.packets,
                octets: stream.octets,
            };
            rtcp_write::sender_report(&report, &self.cname, buf);
        }
    }

    /// Takes in one packet of a compound from the server.
    pub fn handle_rtcp(&mut self, packet: &Rtcp<'_>) {
        match packet {
            Rtcp::Pli { media } | Rtcp::Fir { media, .. } => {
                if let Some(layer) = self.layers.iter_mut().find(|l| l.stream.ssrc == media.0) {
                    self.counted.key_requests += 1;
                    layer.key_wanted = true;
                }
            }
            Rtcp::Nack { media, missing } => {
                if let Some(layer) = self.layers.iter_mut().find(|l| l.stream.ssrc == media.0) {
                    layer.again.extend(*missing);
                }
            }
            _ => {}
        }
    }

    fn poll_audio(&mut self, now: u64, send: &mut impl FnMut(&[u8])) {
        let Some(microphone) = &mut self.microphone else { return };
        while microphone.opus.next() <= now {
            let ts = microphone.stream.ts(microphone.opus.next().saturating_sub(self.start));
            let audio = microphone.opus.packet();
            let stream = &mut microphone.stream;
            let seq = stream.take_seq();
            self.payload.clear();
            self.payload.resize(audio.len, 0x5a);
            Opus::fill(&mut self.payload);
            let stamp = Stamp {
                publisher: self.publisher,
                start: true,
                end: true,
                frame: stream.packets,
                packet: stream.packets,
                sent: now,
                ..Stamp::default()
            };
            stamp.write(&mut self.payload);
            self.transport_seq = self.transport_seq.wrapping_add(1);
            let level = [u8::from(audio.voice) << 7 | audio.level];
            let extensions: [(Extension, &[u8]); 3] = [
                (Extension::Mid, microphone.mid.as_bytes()),
                (Extension::TransportCc, &self.transport_seq.to_be_bytes()),
                (Extension::AudioLevel, &level),
            ];
            self.packet.clear();
            let fixed = Fixed { pt: stream.pt, marker: audio.marker, seq, ts, ssrc: stream.ssrc };
            rtp::header(&fixed, &self.map, &extensions, &mut self.packet);
            self.packet.extend_from_slice(&self.payload);
            stream.packets = stream.packets.wrapping_add(1);
            stream.octets = stream.octets.wrapping_add(self.payload.len() as u32);
            self.counted.packets += 1;
            self.counted.bytes += self.packet.len() as u64;
            send(&self.packet);
        }
    }

    /// Answers NACKs of a layer, and encodes its frames that are due.
    fn encode(&mut self, now: u64, at: usize, send: &mut impl FnMut(&[u8])) {
        let Some(layer) = self.layers.get_mut(at) else { return };
        for seq in std::mem::take(&mut layer.again) {
            self.counted.nacked += 1;
            retransmit(layer, seq, &self.mid, &self.map, &mut self.transport_seq, &mut self.packet, |packet| {
                self.counted.retransmitted += 1;
                send(packet);
            });
        }
        while layer.next_frame <= now {
            if layer.key_wanted && now >= layer.key_at + KEY_INTERVAL {
                layer.key_wanted = false;
                layer.encoder.request_key();
            }
            let ts = layer.stream.ts(layer.next_frame.saturating_sub(self.start + layer.encoding));
            layer.next_frame += layer.encoder.interval();
            if !layer.active || self.queue.len() >= MAX_QUEUE {
                continue;
            }
            loop {
                let (frame, picture) = match &mut layer.film {
                    Some(film) => {
                        let picture = film.frame(layer.encoder.wants_key());
                        (layer.encoder.given(picture.key, picture.bytes.len()), Some(picture.bytes))
                    }
                    None => (layer.encoder.frame(), None),
                };
                self.queue.push_back(Leaving { layer: at, frame, ts, sent: 0, picture });
                if frame.ends_picture {
                    if frame.key {
                        layer.key_at = now;
                        self.counted.key_frames += 1;
                    }
                    break;
                }
            }
        }
    }

    /// Sends the next packet that waits; false if there is none.
    fn send_next(&mut self, now: u64, send: &mut impl FnMut(&[u8])) -> bool {
        let Some(leaving) = self.queue.front_mut() else { return false };
        let (frame, ts, this) = (leaving.frame, leaving.ts, leaving.sent);
        let layer = self.layers.get_mut(leaving.layer);
        leaving.sent += 1;
        let last = leaving.sent >= leaving.packets();
        let picture = leaving.picture.clone();
        if last {
            self.queue.pop_front();
        }
        let Some(layer) = layer else { return true };
        self.payload.clear();
        self.descriptor.clear();
        let shape = layer.encoder.shape();
        if let Some(picture) = picture {
            self.payload.extend(descriptor::vp8_descriptor(&frame, this == 0));
            self.payload.extend_from_slice(picture.chunks(FILM_CUT).nth(this).unwrap_or_default());
        } else {
            self.payload.resize(frame.packet_len(this), 0xa5);
            layer.encoder.fill(&frame, this, &mut self.payload);
            let stamp = Stamp {
                publisher: self.publisher,
                video: true,
                layer: layer.index,
                spatial: frame.spatial,
                temporal: frame.temporal,
                key: frame.key,
                start: this == 0,
                end: last,
                frame: frame.number,
                packet: 0,
                sent: now,
            };
            let packets = layer.packets.get_mut(usize::from(frame.spatial));
            let packets = packets.and_then(|packets| packets.get_mut(usize::from(frame.temporal)));
            let packet = packets.map_or(0, |packets| std::mem::replace(packets, packets.wrapping_add(1)));
            Stamp { packet, ..stamp }.write(&mut self.payload);
            let place = Place { start: this == 0, end: last, template: frame.template, number: frame.frame_number };
            let whole = (layer.encoder.mode(), shape.width, shape.height);
            let structure = (frame.key && frame.spatial == 0 && this == 0).then_some(whole);
            dependency::write(place, structure, &mut self.descriptor);
        }
        let seq = layer.stream.take_seq();
        let marker = last && frame.ends_picture;
        layer.cache.put(seq, ts, marker, &self.descriptor, &self.payload);
        self.transport_seq = self.transport_seq.wrapping_add(1);
        let rid = shape.rid.unwrap_or_default();
        let transport_seq = self.transport_seq.to_be_bytes();
        let time = rtp::abs_send_time(now);
        let extensions: [(Extension, &[u8]); 5] = [
            (Extension::Mid, self.mid.as_bytes()),
            (Extension::Rid, rid.as_bytes()),
            (Extension::TransportCc, &transport_seq),
            (Extension::AbsSendTime, &time),
            (Extension::DependencyDescriptor, &self.descriptor),
        ];
        self.packet.clear();
        let fixed = Fixed { pt: layer.stream.pt, marker, seq, ts, ssrc: layer.stream.ssrc };
        rtp::header(&fixed, &self.map, &extensions, &mut self.packet);
        self.packet.extend_from_slice(&self.payload);
        layer.stream.packets = layer.stream.packets.wrapping_add(1);
        layer.stream.octets = layer.stream.octets.wrapping_add(self.payload.len() as u32);
        self.counted.packets += 1;
        self.counted.bytes += self.packet.len() as u64;
        self.pacer.sent(now, self.packet.len());
        send(&self.packet);
        true
    }
}

/// Sends a packet again (RFC 4588), if it is still known and RTX was negotiated.
fn retransmit(
    layer: &mut Layer,
    seq: u16,
    mid: &str,
    map: &ExtensionMap,
    transport_seq: &mut u16,
    buf: &mut Vec<u8>,
    send: impl FnOnce(&[u8]),
) {
    let (Some(rtx), Some(sent)) = (&mut layer.rtx, layer.cache.get(seq)) else { return };
    *transport_seq = transport_seq.wrapping_add(1);
    let rid = layer.encoder.shape().rid.unwrap_or_default();
    let extensions: [(Extension, &[u8]); 4] = [
        (Extension::DependencyDescriptor, &sent.descriptor),
        (Extension::Mid, mid.as_bytes()),
        (Extension::RepairedRid, rid.as_bytes()),
        (Extension::TransportCc, &transport_seq.to_be_bytes()),
    ];
    buf.clear();
    let fixed = Fixed { pt: rtx.pt, marker: sent.marker, seq: rtx.take_seq(), ts: sent.ts, ssrc: rtx.ssrc };
    rtp::header(&fixed, map, &extensions, buf);
    buf.extend(seq.to_be_bytes());
    buf.extend_from_slice(&sent.payload);
    send(buf);
}

#[cfg(test)]
mod tests {
    use super::super::encoder::CAMERA;
    use super::super::film::Picture;
    use super::*;
    use bytes::Bytes;
    use ramai_sfu::rtp::{Packet, rtcp};
    use std::collections::BTreeMap;

    fn source(pacing: Pacing) -> Source {
        Source::new(params(pacing), 0)
    }

    fn params(pacing: Pacing) -> SourceParams {
        let mut extensions = ExtensionMap::default();
        for (id, extension) in Extension::ALL.into_iter().enumerate() {
            extensions.set(extension, id as u8 + 1);
        }
        let layers = CAMERA.iter().zip(1..).map(|(shape, n)| LayerParams { shape: *shape, ssrc: n, rtx_ssrc: 10 + n });
        SourceParams {
            publisher: 3,
            seed: 1,
            extensions,
            audio: Some(AudioParams { mid: "0".into(), pt: 111, ssrc: 9, talk: 1.0 }),
            video: Some(VideoParams {
                mid: "1".into(),
                codec: Codec::Vp8,
                pt: 96,
                rtx: Some(97),
                layers: layers.collect(),
                pacing,
                mode: Mode::L1t3,
                film: Vec::new(),
            }),
        }
    }

    /// All packets up to `until`, each with when it was sent.
    fn run(source: &mut Source, from: u64, until: u64) -> Vec<(u64, Packet)> {
        let mut out = Vec::new();
        let mut now = from;
        let map = source.map;
        while now < until {
            source.poll(now, &mut |raw| {
                out.push((now, Packet::parse(&Bytes::copy_from_slice(raw), &map).unwrap()));
            });
            now += MS;
        }
        out
    }

    #[test]
    fn ten_seconds_of_a_camera_and_a_microphone() {
        let mut source = source(Pacing::Burst);
        let packets = run(&mut source, 0, 10 * SECOND);
        let mut by_ssrc: BTreeMap<u32, Vec<&Packet>> = BTreeMap::new();
        for (at, packet) in &packets {
            let stamp = Stamp::read(&packet.payload).unwrap();
            assert_eq!((stamp.publisher, stamp.sent), (3, *at));
            by_ssrc.entry(packet.ssrc.0).or_default().push(packet);
        }
        assert_eq!(by_ssrc.keys().copied().collect::<Vec<_>>(), [1, 2, 3, 9]);
        assert!((498..=500).contains(&by_ssrc[&9].len()));
        for (ssrc, rid, each) in [(1, "q", 200), (2, "h", 200), (3, "f", 300)] {
            let layer = &by_ssrc[&ssrc];
            assert!(layer.iter().all(|p| p.extensions.rid.unwrap().as_str() == rid));
            assert!(layer.windows(2).all(|w| w[1].seq == w[0].seq.wrapping_add(1)));
            let frames = layer.iter().filter(|p| p.marker).count();
            assert!((each - 3..=each).contains(&frames), "{rid}: {frames}");
            assert_eq!(layer.iter().filter(|p| Stamp::read(&p.payload).unwrap().key).filter(|p| p.marker).count(), 1);
        }
        let mut transport: Vec<u16> = packets.iter().map(|(_, p)| p.extensions.transport_cc.unwrap()).collect();
        transport.dedup();
        assert_eq!(transport.len(), packets.len());
    }

    #[test]
    fn a_frame_leaves_at_once_or_evenly_spaced() {
        let spread = |pacing| {
            let packets = run(&mut source(pacing), 0, 10 * SECOND);
            let mut frames: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
            for (at, packet) in packets.iter().filter(|(_, p)| p.ssrc.0 == 3) {
                frames.entry(packet.ts).or_insert((*at, *at)).1 = *at;
            }
            let mut times: Vec<u64> = frames.values().map(|(first, last)| last - first).collect();
            times.sort_unstable();
            times[times.len() / 2]
        };
        assert_eq!(spread(Pacing::Burst), 0);
        assert!(spread(Pacing::Smooth) > 4 * MS);
    }

    #[test]
    fn a_layer_that_nobody_watches_falls_silent_and_comes_back_with_a_key_frame() {
        let mut source = source(Pacing::Burst);
        run(&mut source, 0, SECOND);
        source.switch_layers(&[true, true, false]);
        let without = run(&mut source, SECOND + 100 * MS, 2 * SECOND);
        let ssrcs: std::collections::BTreeSet<u32> = without.iter().map(|(_, p)| p.ssrc.0).collect();
        assert_eq!(ssrcs, [1, 2, 9].into());
        source.switch_layers(&[true, true, true]);
        let with = run(&mut source, 2 * SECOND, 3 * SECOND);
        let (_, first) = with.iter().find(|(_, p)| p.ssrc.0 == 3).unwrap();
        assert!(Stamp::read(&first.payload).is_some_and(|s| s.key && s.start));
        assert_eq!(source.counted().pauses, 1);
    }

    #[test]
    fn a_film_is_shown_as_it_is_and_begins_anew_when_asked() {
        let frame = |key: bool, len: usize| Picture {
            key,
            bytes: (0..len).map(|n| if n == 0 { u8::from(!key) } else { (n % 251) as u8 }).collect(),
        };
        let film = [frame(true, 3_000), frame(false, 20), frame(false, 1_200)];
        let mut params = params(Pacing::Burst);
        if let Some(video) = &mut params.video {
            video.layers.truncate(1);
            video.film = vec![Reel::of(CAMERA[0], &film)];
        }
        let mut source = Source::new(params, 0);
        let shown = |packets: &[(u64, Packet)]| {
            let mut frames: Vec<(u32, Vec<u8>)> = Vec::new();
            for packet in packets.iter().map(|(_, p)| p).filter(|p| p.ssrc.0 == 1) {
                let start = packet.payload[0] & 0x10 != 0;
                if start {
                    frames.push((packet.ts, Vec::new()));
                }
                let (ts, whole) = frames.last_mut().unwrap();
                assert_eq!((*ts, packet.extensions.dependency_descriptor.is_none()), (packet.ts, true));
                whole.extend(&packet.payload[6..]);
            }
            frames.into_iter().map(|(_, whole)| whole).collect::<Vec<_>>()
        };
        let first = shown(&run(&mut source, 0, 230 * MS));
        assert!(first.len() >= 4);
        for (frame, pictured) in first.iter().zip(film.iter().cycle()) {
            assert_eq!(*frame, pictured.bytes);
        }
        let mut wire = Vec::new();
        rtcp_write::pli(Ssrc(1), Ssrc(1), &mut wire);
        let before = source.counted().key_frames;
        rtcp::parse(&wire).for_each(|packet| source.handle_rtcp(&packet));
        assert_eq!(shown(&run(&mut source, SECOND, SECOND + 60 * MS))[0], film[0].bytes);
        assert!(source.counted().key_frames > before);
    }

    #[test]
    fn requests_are_answered() {
        let mut source = source(Pacing::Burst);
        let before = run(&mut source, 0, SECOND);
        let lost = before.iter().map(|(_, p)| p).rfind(|p| p.ssrc.0 == 3).unwrap().clone();
        let mut wire = Vec::new();
        rtcp_write::nack(Ssrc(1), Ssrc(3), [lost.seq], &mut wire);
        rtcp_write::pli(Ssrc(1), Ssrc(2), &mut wire);
        for packet in rtcp::parse(&wire) {
            source.handle_rtcp(&packet);
        }
        let after = run(&mut source, SECOND, SECOND + 100 * MS);
        let rtx = after.iter().map(|(_, p)| p).find(|p| p.pt.0 == 97).unwrap();
        assert_eq!((rtx.ssrc.0, rtx.extensions.repaired_rid.unwrap().as_str()), (13, "f"));
        assert_eq!(rtx.payload[..2], lost.seq.to_be_bytes());
        assert_eq!(rtx.payload[2..], lost.payload);
        let keys: Vec<u32> = after
            .iter()
            .filter(|(_, p)| p.pt.0 == 96 && Stamp::read(&p.payload).is_some_and(|s| s.key && s.start))
            .map(|(_, p)| p.ssrc.0)
            .collect();
        assert_eq!(keys, [2], "only the layer that was asked for");
        let counted = source.counted();
        assert_eq!((counted.nacked, counted.retransmitted, counted.key_requests), (1, 1, 1));
    }

    #[test]
    fn reports_tell_of_every_stream() {
        let mut source = source(Pacing::Burst);
        run(&mut source, 0, SECOND);
        let mut wire = Vec::new();
        source.poll_reports(SECOND, &mut wire);
        let reports: Vec<u32> = rtcp::parse(&wire)
            .filter_map(|p| match p {
                Rtcp::SenderReport(report, _) => Some(report.ssrc.0),
                _ => None,
            })
            .collect();
        assert_eq!(reports, [9, 1, 2, 3]);
        wire.clear();
        source.poll_reports(SECOND + MS, &mut wire);
        assert!(wire.is_empty());
    }
}
