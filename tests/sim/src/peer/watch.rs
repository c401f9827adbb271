//! The receiving half of a participant: streams, and what they tell the server: NACK, PLI, receiver reports, transport-wide feedback.

use crate::At;
use crate::media::pt;
use crate::media::stamp::Stamp;
use crate::receive::audio::AudioStream;
use crate::receive::report::Reporter;
use crate::receive::video::VideoStream;
use ramai_sfu::congestion::twcc::Recorder;
use ramai_sfu::id::Ssrc;
use ramai_sfu::rtp::Packet;
use ramai_sfu::rtp::rtcp_write;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// Our SSRC in feedback.
const LOCAL: Ssrc = Ssrc(1);

enum Kind {
    Video(Box<VideoStream>),
    Audio(Box<AudioStream>),
}

struct Stream {
    kind: Kind,
    reporter: Reporter,
}

/// See the module.
pub struct Viewer {
    epoch: Instant,
    /// By media SSRC.
    streams: BTreeMap<u32, Stream>,
    /// Media SSRC by that of its retransmissions.
    repairs: BTreeMap<u32, u32>,
    arrivals: Recorder,
    last_media: u32,
    next_report: At,
    rng: ChaCha8Rng,
    out: VecDeque<Vec<u8>>,
    /// Packets on SSRCs that nobody announced.
    pub strangers: u64,
}

impl Viewer {
    /// Watches nothing yet.
    pub fn new(epoch: Instant, now: At, seed: u64) -> Self {
        Self {
            epoch,
            streams: BTreeMap::new(),
            repairs: BTreeMap::new(),
            arrivals: Recorder::new(epoch + now),
            last_media: 0,
            next_report: At::MAX,
            rng: ChaCha8Rng::seed_from_u64(seed),
            out: VecDeque::new(),
            strangers: 0,
        }
    }

    /// Reports begin.
    pub fn start(&mut self, now: At) {
        self.next_report = now + self.report_interval();
    }

    /// Expects a track on these SSRCs.
    pub fn add(&mut self, now: At, video: bool, ssrc: u32, rtx: u32) {
        let kind = match video {
            true => Kind::Video(Box::new(VideoStream::new(now))),
            false => Kind::Audio(Box::default()),
        };
        self.streams.insert(ssrc, Stream { kind, reporter: Reporter::default() });
        self.repairs.insert(rtx, ssrc);
    }

    /// The video stream on an SSRC.
    pub fn video(&self, ssrc: u32) -> Option<&VideoStream> {
        match &self.streams.get(&ssrc)?.kind {
            Kind::Video(stream) => Some(stream),
            Kind::Audio(_) => None,
        }
    }

    /// The same, to note what the server sent.
    pub fn video_mut(&mut self, ssrc: u32) -> Option<&mut VideoStream> {
        match &mut self.streams.get_mut(&ssrc)?.kind {
            Kind::Video(stream) => Some(stream),
            Kind::Audio(_) => None,
        }
    }

    /// The audio stream on an SSRC.
    pub fn audio(&self, ssrc: u32) -> Option<&AudioStream> {
        match &self.streams.get(&ssrc)?.kind {
            Kind::Audio(stream) => Some(stream),
            Kind::Video(_) => None,
        }
    }

    /// Takes in a packet. Returns SSRC and sequence number of the media packet that it is or repairs, if that is new.
    pub fn handle_rtp(&mut self, now: At, size: usize, packet: &Packet) -> Option<(u32, u16)> {
        if let Some(number) = packet.extensions.transport_cc {
            self.arrivals.record(self.epoch + now, number);
        }
        let repaired = self.repairs.get(&packet.ssrc.0).copied();
        let ssrc = repaired.unwrap_or(packet.ssrc.0);
        let Some(stream) = self.streams.get_mut(&ssrc) else {
            self.strangers += 1;
            return None;
        };
        self.last_media = ssrc;
        let (seq, payload) = match repaired {
            None => (packet.seq, &packet.payload[..]),
            // Padding for probing.
            Some(_) if packet.payload.len() < 2 => return None,
            Some(_) => (u16::from_be_bytes([packet.payload[0], packet.payload[1]]), &packet.payload[2..]),
        };
        match &mut stream.kind {
            Kind::Video(video) => {
                let stamp = Stamp::read(payload);
                video.handle(now, seq, repaired.is_some(), size, stamp).then_some((ssrc, seq))
            }
            Kind::Audio(audio) => {
                audio.handle(now, seq, packet.pt.0 == pt::RED, payload);
                None
            }
        }
    }

    /// Notes a sender report.
    pub fn sender_report(&mut self, now: At, ssrc: u32, ntp: u64) {
        if let Some(stream) = self.streams.get_mut(&ssrc) {
            stream.reporter.sender_report(now, ntp);
        }
    }

    /// When [`Viewer::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<At> {
        let streams = self.streams.values().filter_map(|stream| match &stream.kind {
            Kind::Video(video) => video.poll_timeout(),
            Kind::Audio(_) => None,
        });
        let arrivals = self.arrivals.poll_timeout().map(|at| at.saturating_duration_since(self.epoch));
        streams.chain(arrivals).chain([self.next_report]).min()
    }

    /// Writes what is due.
    pub fn handle_timeout(&mut self, now: At) {
        let mut feedback = Vec::new();
        for (ssrc, stream) in &mut self.streams {
            let Kind::Video(video) = &mut stream.kind else { continue };
            let wants = video.poll(now);
            // A compound that fits a datagram; more is asked for with the next.
            for asked in wants.nack.chunks(150) {
                rtcp_write::nack(LOCAL, Ssrc(*ssrc), asked.iter().copied(), &mut feedback);
            }
            if wants.key {
                rtcp_write::pli(LOCAL, Ssrc(*ssrc), &mut feedback);
            }
        }
        self.send(&feedback, &[]);
        let mut arrivals = Vec::new();
        while self.arrivals.poll(self.epoch + now, LOCAL, Ssrc(self.last_media), &mut arrivals) {
            self.send(&std::mem::take(&mut arrivals), &[]);
        }
        if now >= self.next_report {
            self.next_report = now + self.report_interval();
            let blocks: Vec<_> = self
                .streams
                .iter_mut()
                .filter_map(|(ssrc, stream)| {
                    let counts = match &stream.kind {
                        Kind::Video(video) => video.started().then(|| video.counts()),
                        Kind::Audio(audio) => audio.started().then(|| audio.counts()),
                    };
                    Some(stream.reporter.block(now, *ssrc, counts?))
                })
                .collect();
            for blocks in blocks.chunks(rtcp_write::MAX_BLOCKS) {
                self.send(&[], blocks);
            }
        }
    }

    fn report_interval(&mut self) -> Duration {
        Duration::from_millis(self.rng.random_range(500..1_500))
    }

    /// Queues a compound: a report first, feedback behind it.
    fn send(&mut self, feedback: &[u8], blocks: &[ramai_sfu::rtp::rtcp::ReportBlock]) {
        if feedback.is_empty() && blocks.is_empty() {
            return;
        }
        let mut compound = Vec::new();
        rtcp_write::receiver_report(LOCAL, blocks, &mut compound);
        compound.extend_from_slice(feedback);
        self.out.push_back(compound);
    }

    /// The next compound to seal and send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        self.out.pop_front()
    }
}
