//! A session's publishing half: announced tracks, the client's offers, matching of the two.

use super::publication::{Part, Pending, Publication};
use super::{Change, Context, Dialect, Publications, Session, same_extensions};
use crate::adapter::livekit::encode::source_name;
use crate::negotiate::answer::{Send, Use};
use crate::negotiate::codecs;
use crate::negotiate::sdp::{Description, Media, SdpError};
use crate::rooms::effect::Notice;
use livekit_protocol as proto;
use proto::request_response::{Reason, Request as About};
use ramai_sfu::api::Command;
use ramai_sfu::id::TrackId;
use ramai_sfu::params::{IceCredentials, PublishParams, TransportParams};
use std::collections::BTreeMap;

/// Tracks that may wait for their media section, and longest client id.
pub const MAX_PENDING: usize = 32;
const MAX_CID: usize = 256;

impl Session {
    /// `AddTrack`: checks it, answers it, and publishes if its section is already there.
    pub fn add_track(
        &mut self,
        request: proto::AddTrackRequest,
        publications: &Publications,
        cx: &mut Context<'_>,
    ) -> Vec<Change> {
        if let Err((reason, words)) = self.may_add(&request, publications, cx.settings.max_tracks) {
            tracing::info!(participant = self.info.identity, reason = words, "track refused");
            cx.counts.turned_away(if reason == Reason::NotAllowed { "track_not_allowed" } else { "track_invalid" });
            let response = proto::RequestResponse {
                reason: reason as i32,
                message: words.to_owned(),
                request: Some(About::AddTrack(request)),
                ..Default::default()
            };
            self.notify(Notice::RequestResponse(response), cx);
            return Vec::new();
        }
        let pending = match self.pending.iter().find(|p| p.cid == request.cid) {
            Some(known) => known.clone(),
            None => {
                let new = Pending::new(cx.ids.track(), cx.ids.sid("TR_"), &request);
                self.pending.push(new.clone());
                new
            }
        };
        let response = proto::TrackPublishedResponse { cid: request.cid, track: Some(pending.info) };
        self.notify(Notice::TrackPublished(response), cx);
        self.match_tracks(cx)
    }

    fn may_add(
        &self,
        request: &proto::AddTrackRequest,
        publications: &Publications,
        most: usize,
    ) -> Result<(), (Reason, &'static str)> {
        if !self.grants.publish() {
            return Err((Reason::NotAllowed, "you may not publish"));
        }
        if !self.grants.publish_source(source_name(request.source())) {
            return Err((Reason::NotAllowed, "you may not publish this source"));
        }
        if !matches!(request.r#type(), proto::TrackType::Audio | proto::TrackType::Video) {
            return Err((Reason::UnsupportedType, "only audio and video tracks can be published"));
        }
        if !request.sid.is_empty() {
            return Err((Reason::UnsupportedType, "a second codec for a track is not supported"));
        }
        if request.cid.is_empty() || request.cid.len() > MAX_CID || request.name.len() > MAX_CID {
            return Err((Reason::InvalidRequest, "the track's cid or name is empty or too long"));
        }
        let mine = publications.of(self.key).count();
        if self.pending.len() + mine >= most.min(MAX_PENDING) {
            return Err((Reason::LimitExceeded, "too many tracks"));
        }
        Ok(())
    }

    /// An announced track is muted or not. The track, if there is one.
    pub fn mute_pending(&mut self, sid: &str, muted: bool) -> Option<proto::TrackInfo> {
        let pending = self.pending.iter_mut().find(|p| p.info.sid == sid)?;
        pending.info.muted = muted;
        Some(pending.info.clone())
    }

    /// The client's offer: slots, tracks and subscriptions follow it, and it is answered.
    pub fn handle_offer(
        &mut self,
        offer: &proto::SessionDescription,
        publications: &Publications,
        cx: &mut Context<'_>,
    ) -> Result<Vec<Change>, SdpError> {
        let description = Description::parse(&offer.sdp)?;
        let (answer, changes) = self.answer(description, publications, cx)?;
        self.notify(Notice::Answer(proto::SessionDescription { id: offer.id, ..answer }), cx);
        self.ask_for_offer(publications, cx);
        Ok(changes)
    }

    /// The same for an offer that was read already; whoever calls hands the answer over.
    pub fn answer(
        &mut self,
        description: Description,
        publications: &Publications,
        cx: &mut Context<'_>,
    ) -> Result<(proto::SessionDescription, Vec<Change>), SdpError> {
        let sections_before = self.sections();
        let old_prints = self.upstream.offer.as_ref().map(|o| o.fingerprints.clone());
        let old_extensions = self.upstream.extensions;
        let changes = self.upstream.take(description)?;
        let mut out: Vec<Change> = changes.ended.into_iter().map(Change::Ended).collect();
        for track in changes.displaced {
            self.displaced(track, cx);
        }
        if changes.ice_restart {
            self.upstream.local = cx.ids.ice();
        }
        self.attach_upstream(old_prints, &old_extensions, changes.ice_restart, cx);
        out.extend(self.match_tracks(cx));

        let mut fresh = Vec::new();
        if self.dialect != Dialect::Dual {
            self.offered(sections_before);
            fresh = self.place(publications, cx);
        }
        let sends: BTreeMap<TrackId, Send> = self
            .subscriptions
            .iter()
            .filter(|(_, subscription)| subscription.placed)
            .filter_map(|(track, _)| Some((*track, self.sending(publications.get(track)?)?)))
            .collect();
        let mut mid_to_track_id = std::collections::HashMap::new();
        for slot in &self.upstream.slots {
            if let (Use::Down(track), Some(mid)) = (&slot.usage, slot.mid)
                && let Some(send) = sends.get(track)
            {
                mid_to_track_id.insert(mid.to_string(), send.track.clone());
            }
        }
        let qualities: BTreeMap<TrackId, Vec<proto::VideoLayer>> = out
            .iter()
            .filter_map(|change| match change {
                Change::Published(p) => Some((p.track, p.info.layers.clone())),
                _ => None,
            })
            .chain(publications.of(self.key).map(|p| (p.track, p.info.layers.clone())))
            .collect();
        let quality =
            |track: TrackId, rid: &str| qualities.get(&track)?.iter().find(|l| l.rid == rid).map(|l| l.quality);
        let candidates = cx.candidates(self.worker);
        let sdp = self.upstream.answer(&cx.settings.fingerprint, candidates, |t| sends.get(&t).cloned(), quality);
        for track in fresh {
            out.extend(self.go_live(track, sends.get(&track), publications, cx));
        }
        let answer = proto::SessionDescription { r#type: "answer".into(), sdp, mid_to_track_id, ..Default::default() };
        Ok((answer, out))
    }

    fn attach_upstream(
        &mut self,
        old_prints: Option<Vec<ramai_sfu::params::Fingerprint>>,
        old_extensions: &ramai_sfu::params::ExtensionMap,
        ice_restart: bool,
        cx: &mut Context<'_>,
    ) {
        let Some(offer) = &self.upstream.offer else { return };
        let extensions = self.upstream.extensions;
        let (local, remote): (IceCredentials, IceCredentials) = (self.upstream.local.clone(), offer.ice.clone());
        let fingerprints = offer.fingerprints.clone();
        let transport = self.upstream.transport;
        if !self.upstream.attached {
            self.upstream.attached = true;
            let params = TransportParams { local, remote, fingerprints, extensions, open_channels: Vec::new() };
            cx.attach(self.worker, transport, params);
        } else if ice_restart
            || old_prints.as_ref() != Some(&fingerprints)
            || !same_extensions(&extensions, old_extensions)
        {
            let ice = ice_restart.then(|| Box::new((local, remote)));
            cx.command(Command::UpdateTransport { transport, extensions, ice, fingerprints });
        }
    }

    /// Brings announced tracks and sections in which the client sends together.
    fn match_tracks(&mut self, cx: &mut Context<'_>) -> Vec<Change> {
        let mut out = Vec::new();
        for index in 0..self.upstream.slots.len() {
            let Some((pending, publication, params)) = self.match_slot(index) else { continue };
            let track = pending.track;
            let transport = self.upstream.transport;
            cx.command(Command::Publish { transport, track, params: Box::new(params) });
            if publication.info.muted {
                cx.command(Command::MuteTrack { track, muted: true });
            }
            out.push(Change::Published(Box::new(publication)));
        }
        out
    }

    /// The announced track of an unmatched slot, taken out of the waiting ones.
    fn match_slot(&mut self, index: usize) -> Option<(Pending, Publication, PublishParams)> {
        let slot = self.upstream.slots.get(index)?;
        let (Use::Up(None, _), Some(mid)) = (&slot.usage, slot.mid) else { return None };
        let section = self.upstream.section(index)?;
        let cid = section.msid.as_ref().map(|(_, track)| track.as_str());
        let kind = match slot.media {
            Media::Audio => ramai_sfu::params::Kind::Audio,
            Media::Video => ramai_sfu::params::Kind::Video,
            _ => return None,
        };
        let position =
            self.pending.iter().position(|p| p.kind() == kind && Some(p.cid.as_str()) == cid).or_else(|| {
                // Some clients write another id into the SDP. Then the kind decides, among tracks no other section names.
                let named = |cid: &str| {
                    let sections = self.upstream.offer.iter().flat_map(|o| &o.sections);
                    sections.filter_map(|s| s.msid.as_ref()).any(|(_, track)| track == cid)
                };
                self.pending.iter().position(|p| p.kind() == kind && !named(&p.cid))
            })?;
        let pending = self.pending.get(position)?.clone();
        let payloads = codecs::understood(section, pending.receive.prefer, pending.receive.red);
        let mut layers = codecs::layers(section, |rid| pending.quality_of(rid));
        pending.tell_most(&mut layers);
        use proto::TrackSource as S;
        let screen = matches!(pending.info.source(), S::ScreenShare | S::ScreenShareAudio);
        let params = PublishParams { kind, screen, mid, payloads: payloads.clone(), layers: layers.clone() };
        let levels =
            section.extensions.iter().any(|(_, extension, _)| *extension == ramai_sfu::params::Extension::AudioLevel);
        let part =
            if kind == ramai_sfu::params::Kind::Audio && !screen && levels { Part::Slotted } else { Part::Itself };
        let publication = pending.clone().publish(self.key, self.info.sid.clone(), mid, payloads, &layers, part);
        self.pending.remove(position);
        if let Some(slot) = self.upstream.slots.get_mut(index) {
            slot.usage = Use::Up(Some(pending.track), pending.receive);
        }
        Some((pending, publication, params))
    }

    /// Audio and video sections of the last offer in which the client receives.
    pub(super) fn sections(&self) -> (usize, usize) {
        let count = |media| {
            let offered = self.upstream.offer.iter().flat_map(|o| &o.sections);
            offered.filter(|s| s.media == media && s.direction.receives() && !s.rejected).count()
        };
        (count(Media::Audio), count(Media::Video))
    }
}
