//! The offering side of one peer connection: the subscriber connection of v0, over which we send. One negotiation at a time;
//! what changes meanwhile waits. Sections that fell idle are used again for the next track of their kind.

use super::answer::{Send, sending_lines};
use super::codecs;
use super::sdp::{Description, Direction, Media, SdpError};
use super::write::{self, Local};
use ramai_sfu::id::{Mid, Pt, Token, TrackId, TransportId};
use ramai_sfu::params::{Codec, Extension, ExtensionMap, Fingerprint, Format, IceCredentials, PayloadParams};
use std::net::SocketAddr;

/// Our extension ids (RFC 8285); mid must be there for BUNDLE, the rest serves congestion control and playout.
const EXTENSIONS: [(u8, Extension); 6] = [
    (1, Extension::Mid),
    (2, Extension::TransportCc),
    (3, Extension::AbsSendTime),
    (4, Extension::VideoOrientation),
    (5, Extension::PlayoutDelay),
    (6, Extension::DependencyDescriptor),
];
const AUDIO_EXTENSIONS: [Extension; 3] = [Extension::Mid, Extension::TransportCc, Extension::AbsSendTime];
/// Dynamic payload types: the usual range, then the one that RFC 3551 leaves unassigned and rtcp-mux allows.
const DYNAMIC: [std::ops::RangeInclusive<u8>; 2] = [96..=127, 35..=63];
const OPUS: Pt = Pt(111);
const RED: Pt = Pt(63);

/// What a slot is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Use {
    /// Offered inactive; free after the answer to that.
    Draining,
    /// Free.
    Idle,
    /// We send this track.
    Down(TrackId),
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    media: Media,
    usage: Use,
}

/// What an answer says about one track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The client takes it, with these formats.
    Taken(TrackId, Mid, Vec<PayloadParams>),
    /// The client doesn't.
    Refused(TrackId),
}

/// An offer to send.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Its id, which the answer repeats.
    pub id: u32,
    /// Its text.
    pub sdp: String,
    /// Which section carries which track.
    pub mapping: Vec<(Mid, TrackId)>,
}

/// See the module.
#[derive(Debug)]
pub struct Offerer {
    /// The wire's name on the media plane.
    pub transport: TransportId,
    /// Our ICE credentials.
    pub local: IceCredentials,
    /// The client's, after its first answer.
    pub remote: Option<IceCredentials>,
    /// Extension ids after the last answer.
    pub extensions: ExtensionMap,
    /// The media plane knows the transport.
    pub attached: bool,
    /// Something changed since the last offer.
    pub dirty: bool,
    /// Id of the offer that isn't answered yet.
    outstanding: Option<u32>,
    last_id: u32,
    slots: Vec<Slot>,
    numbers: Vec<(Format, Pt, Option<Pt>)>,
    session_id: u64,
    version: u64,
}

impl Offerer {
    /// A connection whose first offer, with data channels, is due.
    pub fn new(transport: TransportId, local: IceCredentials, session_id: u64) -> Self {
        Self {
            transport,
            local,
            remote: None,
            extensions: ExtensionMap::default(),
            attached: false,
            dirty: true,
            outstanding: None,
            last_id: 0,
            slots: vec![Slot { media: Media::Data, usage: Use::Idle }],
            numbers: Vec::new(),
            session_id,
            version: 0,
        }
    }

    /// Gives a track a section, a free one if there is any.
    pub fn add(&mut self, track: TrackId, media: Media) {
        let usage = Use::Down(track);
        match self.slots.iter_mut().find(|s| s.media == media && s.usage == Use::Idle) {
            Some(slot) => slot.usage = usage,
            None => self.slots.push(Slot { media, usage }),
        }
        self.dirty = true;
    }

    /// Takes a track's section away.
    pub fn remove(&mut self, track: TrackId) {
        for slot in &mut self.slots {
            if slot.usage == Use::Down(track) {
                slot.usage = Use::Draining;
                self.dirty = true;
            }
        }
    }

    /// New ICE credentials in the next offer, which no longer waits for an answer that may have been lost.
    pub fn restart_ice(&mut self, local: IceCredentials) {
        self.local = local;
        self.outstanding = None;
        self.dirty = true;
    }

    /// Our numbering of a publication's formats.
    pub fn number(&mut self, formats: &[PayloadParams]) -> Vec<PayloadParams> {
        formats.iter().filter_map(|p| self.number_one(p)).collect()
    }

    fn number_one(&mut self, theirs: &PayloadParams) -> Option<PayloadParams> {
        let format = theirs.format;
        let known = self.numbers.iter().find(|(f, ..)| *f == format).copied();
        let (_, pt, rtx) = match known {
            Some(known) => known,
            None if format.codec == Codec::Opus => (format, OPUS, None),
            None => {
                let taken = |pt: u8| {
                    Pt(pt) == OPUS
                        || Pt(pt) == RED
                        || self.numbers.iter().any(|(_, a, b)| a.0 == pt || *b == Some(Pt(pt)))
                };
                let mut free = DYNAMIC.into_iter().flatten().filter(|pt| !taken(*pt)).map(Pt);
                (format, free.next()?, free.next())
            }
        };
        if known.is_none() {
            self.numbers.push((format, pt, rtx));
        }
        let red = (format.codec == Codec::Opus && theirs.red.is_some()).then_some(RED);
        Some(PayloadParams { pt, format, rtx, red, nack: true })
    }

    /// The next offer, if one is due and none is outstanding.
    /// `send` describes a track; without it the section is inactive.
    pub fn offer(
        &mut self,
        fingerprint: &Fingerprint,
        candidates: &[SocketAddr],
        send: impl Fn(TrackId) -> Option<Send>,
    ) -> Option<Offer> {
        if !self.dirty || self.outstanding.is_some() {
            return None;
        }
        self.dirty = false;
        self.version += 1;
        self.last_id += 1;
        self.outstanding = Some(self.last_id);
        let local = Local {
            ice: &self.local,
            fingerprint,
            candidates,
            setup: "actpass",
            session_id: self.session_id,
            version: self.version,
        };
        let mut bundle = Vec::new();
        let mut mapping = Vec::new();
        let mut media = Vec::new();
        for (index, slot) in self.slots.iter().enumerate() {
            let Some(mid) = mid_of(index) else { continue };
            let (name, proto) = match slot.media {
                Media::Audio => ("audio", "UDP/TLS/RTP/SAVPF"),
                Media::Video => ("video", "UDP/TLS/RTP/SAVPF"),
                _ => ("application", "UDP/DTLS/SCTP"),
            };
            let mut md = write::section(name, proto, Vec::new(), 9);
            write::transport(&mut md, &local, mid, bundle.is_empty());
            bundle.push(mid);
            if slot.media == Media::Data {
                md.media_name.formats.push("webrtc-datachannel".into());
                write::data(&mut md);
            } else {
                let down = match slot.usage {
                    Use::Down(track) => send(track).inspect(|_| mapping.push((mid, track))),
                    _ => None,
                };
                rtp_section(&mut md, slot.media, down.as_ref(), &self.numbers);
            }
            media.push(md);
        }
        Some(Offer { id: self.last_id, sdp: write::session(&local, true, &bundle, media), mapping })
    }

    /// Takes the client's answer. An answer to an old offer is an error; `id` 0 (older clients) means the outstanding one.
    pub fn answer(&mut self, id: u32, answer: &Description) -> Result<Vec<Verdict>, SdpError> {
        match self.outstanding {
            Some(expected) if id == 0 || id == expected => self.outstanding = None,
            _ => return Err(SdpError::NotOutstanding),
        }
        self.extensions = ExtensionMap::default();
        self.extensions.allow_mixed = answer.allow_mixed;
        for (id, extension, _) in answer.sections.iter().filter(|s| !s.rejected).flat_map(|s| &s.extensions) {
            self.extensions.set(*extension, *id);
        }
        let mut verdicts = Vec::new();
        for (index, section) in answer.sections.iter().enumerate() {
            let (Some(slot), Some(mid)) = (self.slots.get_mut(index), mid_of(index)) else { break };
            match slot.usage {
                Use::Draining => slot.usage = Use::Idle,
                Use::Down(track) => {
                    let payloads = codecs::understood(section, None, true);
                    if section.rejected || !section.direction.receives() || payloads.is_empty() {
                        verdicts.push(Verdict::Refused(track));
                    } else {
                        verdicts.push(Verdict::Taken(track, mid, payloads));
                    }
                }
                Use::Idle => {}
            }
        }
        Ok(verdicts)
    }
}

/// Our mids are the indexes of the sections.
fn mid_of(index: usize) -> Option<Mid> {
    Token::new(&index.to_string())
}

fn rtp_section(
    md: &mut rtc_sdp::description::media::MediaDescription,
    media: Media,
    down: Option<&Send>,
    numbers: &[(Format, Pt, Option<Pt>)],
) {
    write::attribute(md, "extmap-allow-mixed", None);
    for (id, extension) in EXTENSIONS {
        if media == Media::Video || AUDIO_EXTENSIONS.contains(&extension) {
            write::extension(md, id, extension, Direction::SendRecv);
        }
    }
    write::attribute(md, if down.is_some() { "sendonly" } else { "inactive" }, None);
    write::attribute(md, "rtcp-mux", None);
    write::attribute(md, "rtcp-rsize", None);
    // An inactive section still needs a codec line; any that the connection knows will do.
    let idle: Vec<PayloadParams> = numbers
        .iter()
        .filter(|(format, ..)| (format.codec == Codec::Opus) == (media == Media::Audio))
        .take(1)
        .map(|(format, pt, rtx)| PayloadParams { pt: *pt, format: *format, rtx: *rtx, red: None, nack: true })
        .collect();
    for params in down.map_or(idle.as_slice(), |d| d.payloads.as_slice()) {
        let (rtpmap, fmtp) = codec_lines(params.format, down.is_some_and(|d| d.stereo));
        let feedback: &[&str] = match media {
            Media::Audio => &["nack", "transport-cc"],
            _ => &["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"],
        };
        write::codec(md, params, rtpmap, &fmtp, feedback);
    }
    if let Some(send) = down {
        sending_lines(md, send);
    }
}

/// `a=rtpmap` and `a=fmtp` of a format in our own words.
fn codec_lines(format: Format, stereo: bool) -> (&'static str, String) {
    match format.codec {
        Codec::Opus => ("opus/48000/2", write::opus_fmtp(false, stereo)),
        Codec::Vp8 => ("VP8/90000", String::new()),
        Codec::Vp9 => ("VP9/90000", format!("profile-id={}", format.profile)),
        Codec::Av1 => ("AV1/90000", format!("profile={}", format.profile)),
        Codec::H264 => (
            "H264/90000",
            // Level 3.1 in name only: asymmetry is allowed, so senders and receivers may go above it.
            format!(
                "level-asymmetry-allowed=1;packetization-mode={};profile-level-id={:04x}1f",
                format.profile >> 16,
                format.profile & 0xffff
            ),
        ),
    }
}
