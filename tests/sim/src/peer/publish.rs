//! The sending half of a participant: sources, a pacer, retransmissions, sender reports, and a rate that follows feedback.

use crate::media::camera::{Camera, Video};
use crate::media::control::Control;
use crate::media::feedback;
use crate::media::microphone::Microphone;
use crate::media::rtp::{Rtp, ntp};
use crate::media::stamp::Stamp;
use crate::{At, MS, SECOND};
use ramai_sfu::id::Ssrc;
use ramai_sfu::rtp::rtcp::SenderReport;
use ramai_sfu::rtp::rtcp_write;
use std::collections::VecDeque;
use std::time::Duration;

/// Bursts leave at so many times the rate.
const PACE: f64 = 2.5;
/// The first sender report comes soon, so that viewers' clocks fit.
const FIRST_REPORT: Duration = Duration::from_millis(300);

/// Something to publish.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Source {
    /// A camera.
    Camera(Video),
    /// A microphone; so many frames travel along with each.
    Microphone {
        /// See RFC 2198.
        redundancy: usize,
    },
}

enum Live {
    Camera(Camera),
    Microphone(Box<Microphone>),
}

struct Planned {
    source: Source,
    track: u16,
    ssrc: u32,
    seed: u64,
    live: Option<Live>,
}

/// See the module.
pub struct Publisher {
    tracks: Vec<Planned>,
    control: Option<Control>,
    number: u16,
    paced: VecDeque<(At, Rtp, Option<Stamp>)>,
    pacer: At,
    audio: VecDeque<(Rtp, Stamp)>,
    rtcp: VecDeque<Vec<u8>>,
    next_report: At,
    /// All its numbers wrap soon after it begins: timestamps so long after.
    pub old: Option<At>,
    /// Key frames that the server asked for: SSRC and when.
    pub key_requests: Vec<(u32, At)>,
    /// Its estimate over time, bits per second.
    pub rates: Vec<(At, u64)>,
}

impl Publisher {
    /// Publishes nothing yet.
    pub fn new() -> Self {
        Self {
            tracks: Vec::new(),
            control: None,
            number: 0,
            paced: VecDeque::new(),
            pacer: At::ZERO,
            audio: VecDeque::new(),
            rtcp: VecDeque::new(),
            next_report: At::ZERO,
            old: None,
            key_requests: Vec::new(),
            rates: Vec::new(),
        }
    }

    /// Adds a track, before the participant is connected.
    pub fn add(&mut self, source: Source, track: u16, ssrc: u32, seed: u64) {
        self.tracks.push(Planned { source, track, ssrc, seed, live: None });
    }

    /// Media begins.
    pub fn start(&mut self, now: At) {
        let mut full = 0;
        for planned in &mut self.tracks {
            let Planned { source, track, ssrc, seed, .. } = *planned;
            planned.live = Some(match source {
                Source::Camera(video) => {
                    let camera = Camera::new(video, track, ssrc, now, seed);
                    full += camera.full_rate();
                    Live::Camera(camera)
                }
                Source::Microphone { redundancy } => {
                    full += 60_000;
                    Live::Microphone(Box::new(Microphone::new(track, ssrc, redundancy, now, seed)))
                }
            });
        }
        if let Some(wraps_in) = self.old {
            self.number = u16::MAX - 4_000;
            for live in self.tracks.iter_mut().filter_map(|track| track.live.as_mut()) {
                match live {
                    Live::Camera(camera) => camera.age(now, wraps_in),
                    Live::Microphone(microphone) => microphone.age(now, wraps_in),
                }
            }
        }
        self.control = Some(Control::new(now, full + full / 10));
        self.next_report = now + FIRST_REPORT;
        self.share();
    }

    /// Shares out the rate over the cameras.
    fn share(&mut self) {
        let Some(control) = &self.control else { return };
        let cameras = self.tracks.iter().filter(|track| matches!(track.live, Some(Live::Camera(_)))).count() as u64;
        for track in &mut self.tracks {
            if let Some(Live::Camera(camera)) = &mut track.live {
                camera.set_budget(control.rate() / cameras.max(1));
            }
        }
    }

    /// Whether the camera makes pictures of a layer.
    pub fn is_encoding(&self, layer: u8) -> bool {
        self.tracks.iter().any(|track| match &track.live {
            Some(Live::Camera(camera)) => camera.encodings.get(usize::from(layer)).is_some_and(|e| e.is_on()),
            _ => false,
        })
    }

    /// Of the track that begins at this SSRC no layers above this are wanted.
    pub fn want(&mut self, ssrc: u32, layer: u8) {
        for track in self.tracks.iter_mut().filter(|track| track.ssrc == ssrc) {
            if let Some(Live::Camera(camera)) = &mut track.live {
                camera.want(layer);
            }
        }
        self.share();
    }

    /// Takes in transport-wide feedback.
    pub fn handle_feedback(&mut self, now: At, packet: &[u8]) {
        let Some(control) = &mut self.control else { return };
        control.feedback(now, &feedback::read(packet));
        self.rates.push((now, control.rate()));
        self.share();
    }

    /// The server says how much to send at most (REMB).
    pub fn handle_limit(&mut self, bits: u64) {
        let Some(control) = &mut self.control else { return };
        control.limit(bits);
        self.share();
    }

    /// Sends again what the server misses.
    pub fn handle_nack(&mut self, now: At, ssrc: u32, missing: impl Iterator<Item = u16>) {
        let encoding = self.tracks.iter_mut().find_map(|track| match &mut track.live {
            Some(Live::Camera(camera)) => camera.encodings.iter_mut().find(|encoding| encoding.ssrc == ssrc),
            _ => None,
        });
        let Some(encoding) = encoding else { return };
        for seq in missing {
            if let Some((rtp, stamp)) = encoding.again(seq) {
                self.paced.push_front((now, rtp, Some(stamp)));
            }
        }
    }

    /// Makes a key frame.
    pub fn handle_pli(&mut self, now: At, ssrc: u32) {
        self.key_requests.push((ssrc, now));
        for track in &mut self.tracks {
            if let Some(Live::Camera(camera)) = &mut track.live {
                camera.encodings.iter_mut().filter(|encoding| encoding.ssrc == ssrc).for_each(|e| e.request_key());
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: At) {
        let rate = self.control.as_ref().map_or(0.0, |control| control.rate() as f64);
        for track in &mut self.tracks {
            match &mut track.live {
                Some(Live::Camera(camera)) if camera.due() <= now => {
                    for (rtp, stamp) in camera.picture() {
                        self.pacer = self.pacer.max(now);
                        let bits = rtp.payload.len() as f64 * 8.0;
                        self.paced.push_back((self.pacer, rtp, Some(stamp)));
                        self.pacer += Duration::from_secs_f64(bits / (PACE * rate.max(300_000.0)));
                    }
                }
                Some(Live::Microphone(microphone)) if microphone.due() <= now => {
                    self.audio.push_back(microphone.packet());
                }
                _ => {}
            }
        }
        if self.next_report <= now {
            self.next_report = now + SECOND;
            self.report(now);
        }
    }

    fn report(&mut self, now: At) {
        let mut compound = Vec::new();
        let mut put = |ssrc: u32, rtp: u32, (packets, octets): (u32, u32)| {
            let report = SenderReport { ssrc: Ssrc(ssrc), ntp: ntp(now), rtp, packets, octets };
            rtcp_write::sender_report(&report, "sim", &mut compound);
        };
        for track in &self.tracks {
            match &track.live {
                Some(Live::Camera(camera)) => {
                    for encoding in camera.encodings.iter().filter(|encoding| encoding.is_on()) {
                        put(encoding.ssrc, encoding.timestamp(now), encoding.counts);
                    }
                }
                Some(Live::Microphone(mic)) => put(mic.ssrc, mic.timestamp(now), mic.counts),
                None => {}
            }
        }
        if !compound.is_empty() {
            self.rtcp.push_back(compound);
        }
    }

    /// When [`Publisher::handle_timeout`] or [`Publisher::poll_rtp`] has something to do.
    pub fn poll_timeout(&self) -> Option<At> {
        let sources = self.tracks.iter().filter_map(|track| match &track.live {
            Some(Live::Camera(camera)) => Some(camera.due()),
            Some(Live::Microphone(microphone)) => Some(microphone.due()),
            None => None,
        });
        let report = (!self.tracks.is_empty()).then_some(self.next_report);
        sources.chain(self.paced.front().map(|(at, _, _)| *at)).chain(report).min()
    }

    /// The next compound to seal and send.
    pub fn poll_rtcp(&mut self) -> Option<Vec<u8>> {
        self.rtcp.pop_front()
    }

    /// The next packet to seal and send, audio first.
    pub fn poll_rtp(&mut self, now: At) -> Option<(Vec<u8>, Option<Stamp>)> {
        let (rtp, stamp) = match self.audio.pop_front() {
            Some((rtp, _)) => (rtp, None),
            None => {
                self.paced.front().filter(|(at, _, _)| *at <= now)?;
                let (_, rtp, stamp) = self.paced.pop_front()?;
                (rtp, stamp)
            }
        };
        let bytes = rtp.write(self.number);
        if let Some(control) = &mut self.control {
            control.sent(now, self.number, bytes.len());
        }
        self.number = self.number.wrapping_add(1);
        Some((bytes, stamp))
    }
}

const _: () = assert!(FIRST_REPORT.as_millis() < 1_000 && MS.as_millis() == 1);
