//! The answering side of one peer connection: the client offers, we keep a slot per media section and answer. Serves the
//! single peer connection of v1 (both directions) and the publisher connection of v0 (client to server only).

use super::codecs;
use super::sdp::{Description, Media, SdpError, Section};
use super::write::{self, Local};
use ramai_sfu::id::{Mid, Ssrc, TrackId, TransportId};
use ramai_sfu::params::{Codec, ExtensionMap, Fingerprint, IceCredentials, PayloadParams};
use std::net::SocketAddr;

/// How we take a track in, as far as the answer shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Receive {
    /// Codec that the client asked to send.
    pub prefer: Option<Codec>,
    /// Redundant audio is wanted.
    pub red: bool,
    /// Silence suppression is wanted.
    pub dtx: bool,
    /// Stereo is wanted.
    pub stereo: bool,
}

/// How we send a track, as far as the answer or offer shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Send {
    /// Stream id of `a=msid`.
    pub stream: String,
    /// Track id of `a=msid`, the track's SID.
    pub track: String,
    /// Same for all tracks that play in sync.
    pub cname: String,
    /// SSRC of the media.
    pub ssrc: Ssrc,
    /// SSRC of retransmissions.
    pub rtx_ssrc: Option<Ssrc>,
    /// What may be sent, numbered as the subscriber wants it.
    pub payloads: Vec<PayloadParams>,
    /// The track is stereo.
    pub stereo: bool,
}

/// What a slot is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Use {
    /// Answered inactive; may be taken for sending if the client receives there.
    Idle,
    /// The client sends; the track once it is known which.
    Up(Option<TrackId>, Receive),
    /// We send this track.
    Down(TrackId),
    /// We sent here till now. The client must see it inactive once before it's used again, or it fires no `track` event.
    Draining,
    /// Data channels.
    Data,
    /// Port 0.
    Rejected,
}

/// One media section over the life of the connection.
#[derive(Clone, Debug)]
pub struct Slot {
    /// `a=mid`, once the section had one.
    pub mid: Option<Mid>,
    /// What it carries.
    pub media: Media,
    /// What it's for.
    pub usage: Use,
}

/// What an offer changed, apart from new slots.
#[derive(Debug, Default)]
pub struct Changes {
    /// Tracks that the client no longer sends.
    pub ended: Vec<TrackId>,
    /// Tracks that we sent in sections the client has closed.
    pub displaced: Vec<TrackId>,
    /// The client has new ICE credentials.
    pub ice_restart: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Answerer {
    /// The wire's name on the media plane.
    pub transport: TransportId,
    /// Our ICE credentials.
    pub local: IceCredentials,
    /// Slots in the order of the sections.
    pub slots: Vec<Slot>,
    /// Extension ids of the whole transport.
    pub extensions: ExtensionMap,
    /// The last offer; none before the first.
    pub offer: Option<Description>,
    /// The media plane knows the transport.
    pub attached: bool,
    session_id: u64,
    version: u64,
}

impl Answerer {
    /// A connection that nobody has offered yet.
    pub fn new(transport: TransportId, local: IceCredentials, session_id: u64) -> Self {
        Self {
            transport,
            local,
            slots: Vec::new(),
            extensions: ExtensionMap::default(),
            offer: None,
            attached: false,
            session_id,
            version: 0,
        }
    }

    /// Takes an offer over: slots follow its sections, whose number and order may only grow. Nothing changes on an error.
    pub fn take(&mut self, offer: Description) -> Result<Changes, SdpError> {
        if offer.sections.len() < self.slots.len() {
            return Err(SdpError::SectionsChanged);
        }
        for (slot, section) in self.slots.iter().zip(&offer.sections) {
            let recycled = slot.usage == Use::Rejected;
            let same_mid = slot.mid == section.mid || section.mid.is_none() || slot.mid.is_none();
            if !recycled && (!same_mid || (slot.media != section.media && !section.rejected)) {
                return Err(SdpError::SectionsChanged);
            }
        }
        let mut changes = Changes::default();
        for (index, section) in offer.sections.iter().enumerate() {
            if index == self.slots.len() {
                self.slots.push(Slot { mid: section.mid, media: section.media, usage: Use::Idle });
            }
            let Some(slot) = self.slots.get_mut(index) else { continue };
            slot.mid = section.mid.or(slot.mid);
            slot.media = section.media;
            let usage = std::mem::replace(&mut slot.usage, Use::Idle);
            slot.usage = next_use(usage, section, &mut changes);
        }
        self.extensions = ExtensionMap::default();
        self.extensions.allow_mixed = offer.allow_mixed;
        for (id, extension, _) in offer.sections.iter().filter(|s| !s.rejected).flat_map(|s| &s.extensions) {
            self.extensions.set(*extension, *id);
        }
        changes.ice_restart = self.offer.as_ref().is_some_and(|old| old.ice != offer.ice);
        self.offer = Some(offer);
        Ok(changes)
    }

    /// The section that a slot stands for, in the last offer.
    pub fn section(&self, slot: usize) -> Option<&Section> {
        self.offer.as_ref()?.sections.get(slot)
    }

    /// Free slots of a kind in which the client receives.
    pub fn free(&self, media: Media) -> impl Iterator<Item = usize> {
        self.slots.iter().enumerate().filter_map(move |(index, slot)| {
            let receives = self.section(index).is_some_and(|s| s.direction.receives() && !s.rejected);
            (slot.media == media && slot.usage == Use::Idle && receives).then_some(index)
        })
    }

    /// Ends the use of a slot for `track`; it can be used again after the next answer.
    pub fn release(&mut self, track: TrackId) {
        for slot in &mut self.slots {
            if slot.usage == Use::Down(track) {
                slot.usage = Use::Draining;
            }
        }
    }

    /// A track that came in is no longer taken. Its slot waits for an offer that shows what the client makes of it.
    pub fn stop(&mut self, track: TrackId) {
        for slot in &mut self.slots {
            if matches!(slot.usage, Use::Up(Some(up), _) if up == track) {
                slot.usage = Use::Idle;
            }
        }
    }

    /// Writes the answer to the last offer. `send` describes a track of [`Use::Down`]; without it the section is inactive.
    /// Slots that drained are idle afterwards.
    pub fn answer(
        &mut self,
        fingerprint: &Fingerprint,
        candidates: &[SocketAddr],
        send: impl Fn(TrackId) -> Option<Send>,
        quality: impl Fn(TrackId, &str) -> Option<i32>,
    ) -> String {
        self.version += 1;
        let local = Local {
            ice: &self.local,
            fingerprint,
            candidates,
            setup: "passive",
            session_id: self.session_id,
            version: self.version,
        };
        let Some(offer) = &self.offer else { return String::new() };
        let mut bundle: Vec<Mid> = Vec::new();
        let mut media = Vec::new();
        for (slot, section) in self.slots.iter().zip(&offer.sections) {
            let (Some(mid), false) = (slot.mid, slot.usage == Use::Rejected) else {
                let mut md = write::section(&section.media_name, &section.proto, section.formats.to_vec(), 0);
                if let Some(mid) = section.mid {
                    write::attribute(&mut md, "mid", mid.to_string());
                }
                media.push(md);
                continue;
            };
            let mut md = write::section(&section.media_name, &section.proto, Vec::new(), 9);
            write::transport(&mut md, &local, mid, bundle.is_empty());
            bundle.push(mid);
            if slot.media == Media::Data {
                md.media_name.formats = section.formats.to_vec();
                write::data(&mut md);
            } else {
                let down = match &slot.usage {
                    Use::Down(track) => send(*track),
                    _ => None,
                };
                rtp_section(&mut md, slot, section, down.as_ref(), offer.allow_mixed, &quality);
            }
            media.push(md);
        }
        let text = write::session(&local, offer.allow_mixed, &bundle, media);
        for slot in &mut self.slots {
            if slot.usage == Use::Draining {
                slot.usage = Use::Idle;
            }
        }
        text
    }
}

/// Where an offered section leads from what its slot was used for.
fn next_use(usage: Use, section: &Section, changes: &mut Changes) -> Use {
    let sends = section.direction.sends();
    let next = match section.media {
        _ if section.rejected => Use::Rejected,
        Media::Other => Use::Rejected,
        Media::Data => Use::Data,
        // A section in which we couldn't take part at all has no codec of ours.
        _ if codecs::understood(section, None, false).is_empty() => Use::Rejected,
        _ if sends => match usage {
            Use::Up(track, receive) => Use::Up(track, receive),
            _ => Use::Up(None, Receive { dtx: true, red: true, ..Receive::default() }),
        },
        _ if section.direction.receives() => match usage {
            Use::Down(track) => Use::Down(track),
            Use::Draining => Use::Draining,
            _ => Use::Idle,
        },
        _ => Use::Idle,
    };
    match usage_track(&usage) {
        (Some(track), _) if !matches!(next, Use::Up(..)) => changes.ended.push(track),
        (_, Some(track)) if !matches!(next, Use::Down(_)) => changes.displaced.push(track),
        _ => {}
    }
    next
}

/// The track that came in and the one that went out.
fn usage_track(usage: &Use) -> (Option<TrackId>, Option<TrackId>) {
    match usage {
        Use::Up(track, _) => (*track, None),
        Use::Down(track) => (None, Some(*track)),
        _ => (None, None),
    }
}

fn rtp_section(
    md: &mut rtc_sdp::description::media::MediaDescription,
    slot: &Slot,
    section: &Section,
    down: Option<&Send>,
    allow_mixed: bool,
    quality: impl Fn(TrackId, &str) -> Option<i32>,
) {
    let receive = match &slot.usage {
        Use::Up(_, receive) => *receive,
        _ => Receive { dtx: true, red: true, ..Receive::default() },
    };
    let direction = match (&slot.usage, down) {
        (Use::Up(..), _) => "recvonly",
        (Use::Down(_), Some(_)) => "sendonly",
        _ => "inactive",
    };
    if allow_mixed {
        write::attribute(md, "extmap-allow-mixed", None);
    }
    for (id, extension, direction) in &section.extensions {
        write::extension(md, *id, *extension, direction.reversed());
    }
    write::attribute(md, direction, None);
    write::attribute(md, "rtcp-mux", None);
    if section.rtcp_rsize {
        write::attribute(md, "rtcp-rsize", None);
    }
    for params in codecs::understood(section, receive.prefer, receive.red) {
        let Some(payload) = section.payloads.iter().find(|p| p.pt == params.pt.0) else { continue };
        let fmtp = match params.format.codec {
            Codec::Opus => write::opus_fmtp(receive.dtx, receive.stereo || down.is_some_and(|d| d.stereo)),
            _ => write::echoed_fmtp(payload),
        };
        let feedback: Vec<&str> = codecs::feedback(payload).collect();
        write::codec(md, &params, &payload.rtpmap, &fmtp, &feedback);
    }
    if let (Use::Up(track, _), false) = (&slot.usage, section.send_rids.is_empty()) {
        let rids: Vec<String> = codecs::layers(section, |rid| track.and_then(|t| quality(t, rid)))
            .iter()
            .filter_map(|layer| Some(layer.rid?.to_string()))
            .collect();
        for rid in &rids {
            write::attribute(md, "rid", format!("{rid} recv"));
        }
        write::attribute(md, "simulcast", format!("recv {}", rids.join(";")));
    }
    if let Some(send) = down {
        sending_lines(md, send);
    }
}

/// The lines by which the client knows what we send: stream, track, SSRCs.
pub(super) fn sending_lines(md: &mut rtc_sdp::description::media::MediaDescription, send: &Send) {
    write::attribute(md, "msid", format!("{} {}", send.stream, send.track));
    if let Some(rtx) = send.rtx_ssrc {
        write::attribute(md, "ssrc-group", format!("FID {} {rtx}", send.ssrc));
    }
    for ssrc in std::iter::once(send.ssrc).chain(send.rtx_ssrc) {
        write::attribute(md, "ssrc", format!("{ssrc} cname:{}", send.cname));
        write::attribute(md, "ssrc", format!("{ssrc} msid:{} {}", send.stream, send.track));
    }
}
