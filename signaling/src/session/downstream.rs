//! A session's subscribing half: which tracks it wants, where they find a media section, what is shown of them.
//!
//! In v1 sections come with the client's offers; when something must change we ask for another offer. In v0 we offer.

use super::publication::Publication;
use super::quality::View;
use super::{Asked, Change, Context, Dialect, Publications, Session, Subscription, same_extensions};
use crate::negotiate::answer::{Send, Use};
use crate::negotiate::codecs;
use crate::negotiate::offer::{Offer, Verdict};
use crate::negotiate::sdp::{Description, Media, SdpError};
use crate::rooms::effect::Notice;
use livekit_protocol as proto;
use ramai_sfu::api::Command;
use ramai_sfu::id::{Mid, SubscriptionId, TrackId};
use ramai_sfu::params::{DataChannel, Kind, PayloadParams, SubscribeParams, TransportParams};
use std::collections::BTreeMap;

impl Session {
    /// Wants a track from now on. Negotiation starts with [`Session::negotiate`].
    pub fn subscribe(&mut self, publication: &Publication, cx: &mut Context<'_>) {
        if !self.grants.subscribe()
            || publication.publisher == self.key
            || !publication.allows(&self.info)
            || self.subscriptions.contains_key(&publication.track)
        {
            return;
        }
        let subscription = Subscription {
            id: cx.ids.subscription(),
            ssrc: cx.ids.ssrc(),
            rtx_ssrc: cx.ids.ssrc(),
            placed: false,
            live: false,
            refused: false,
            picture: publication.picture(),
            view: View::default(),
            settings: View::default().settings(publication),
            reach: None,
        };
        self.subscriptions.insert(publication.track, subscription);
        cx.subscribers.set(publication.track, self.key, None);
        cx.loads.add(cx.room, self.worker);
        if let Some(downstream) = &mut self.downstream {
            downstream.add(publication.track, media_of(publication.kind()));
            downstream.number(&publication.payloads);
            if let Some(subscription) = self.subscriptions.get_mut(&publication.track) {
                subscription.placed = true;
            }
        }
    }

    /// No longer wants a track, or it's gone.
    pub fn unsubscribe(&mut self, track: TrackId, cx: &mut Context<'_>) {
        let Some(subscription) = self.subscriptions.remove(&track) else { return };
        cx.subscribers.remove(track, self.key);
        cx.loads.remove(cx.room, self.worker, 1);
        if subscription.live {
            cx.command(Command::Unsubscribe { subscription: subscription.id });
        }
        match &mut self.downstream {
            Some(downstream) => downstream.remove(track),
            None => self.upstream.release(track),
        }
    }

    /// Starts whatever negotiation is due.
    pub fn negotiate(&mut self, publications: &Publications, cx: &mut Context<'_>) {
        // Who missed news of the room may not know the tracks.
        if self.behind.is_some() {
            return;
        }
        match self.dialect {
            Dialect::Single => self.ask_for_offer(publications, cx),
            Dialect::Dual => self.send_offer(publications, cx),
            // Plain HTTP has one offer and one answer.
            Dialect::Whip | Dialect::Whep => {}
        }
    }

    /// The client shows a track differently.
    pub fn show(
        &mut self,
        track: TrackId,
        view: View,
        publication: &Publication,
        cx: &mut Context<'_>,
    ) -> Option<Change> {
        let subscription = self.subscriptions.get_mut(&track)?;
        subscription.view = view;
        let settings = view.settings(publication);
        if settings == subscription.settings {
            return None;
        }
        subscription.settings = settings;
        cx.subscribers.set(track, self.key, subscription.sent());
        if subscription.live {
            cx.command(Command::UpdateSubscription { subscription: subscription.id, settings });
        }
        Some(Change::Wanted(track))
    }

    /// Which layers have room on the way to the client changed.
    pub fn reaches(
        &mut self,
        track: TrackId,
        id: SubscriptionId,
        layer: Option<u8>,
        cx: &mut Context<'_>,
    ) -> Option<Change> {
        // It may have unsubscribed and subscribed anew since.
        let subscription = self.subscriptions.get_mut(&track).filter(|subscription| subscription.id == id)?;
        subscription.reach = layer;
        cx.subscribers.set(track, self.key, subscription.sent());
        Some(Change::Wanted(track))
    }

    /// How a placed track goes out; none if it isn't placed or the client lacks the codec.
    pub(super) fn sending(&self, publication: &Publication) -> Option<Send> {
        let subscription = self.subscriptions.get(&publication.track).filter(|s| s.placed && !s.refused)?;
        let payloads = match self.dialect {
            Dialect::Single | Dialect::Whip | Dialect::Whep => {
                let slot = self.upstream.slots.iter().position(|s| s.usage == Use::Down(publication.track))?;
                let red = publication.payloads.first().is_some_and(|p| p.red.is_some());
                codecs::common(&publication.payloads, &codecs::understood(self.upstream.section(slot)?, None, red))
            }
            Dialect::Dual => Vec::new(),
        };
        if self.dialect != Dialect::Dual && payloads.is_empty() {
            return None;
        }
        let stream = if self.sync_streams { publication.stream() } else { &publication.info.sid };
        let stereo = publication.info.stereo;
        Some(Send {
            stream: format!("{}|{stream}", publication.publisher_sid),
            track: publication.info.sid.clone(),
            cname: format!("{}-{}", publication.publisher_sid, publication.stream()),
            ssrc: subscription.ssrc,
            rtx_ssrc: (publication.kind() == Kind::Video).then_some(subscription.rtx_ssrc),
            payloads,
            stereo,
        })
    }

    /// v1 and WHEP: gives waiting tracks free sections of the offer at hand, first wanted first. Returns those that got one.
    pub(super) fn place(&mut self, publications: &Publications, cx: &mut Context<'_>) -> Vec<TrackId> {
        let mut waiting: Vec<TrackId> =
            self.subscriptions.iter().filter(|(_, s)| !s.placed && !s.refused).map(|(track, _)| *track).collect();
        waiting.sort_by_key(|track| self.subscriptions.get(track).map(|s| s.id));
        let mut placed = Vec::new();
        for track in waiting {
            let Some(publication) = publications.get(&track) else { continue };
            let Some(index) = self.upstream.free(media_of(publication.kind())).next() else { continue };
            let fits = self.upstream.section(index).is_some_and(|section| {
                !codecs::common(&publication.payloads, &codecs::understood(section, None, true)).is_empty()
            });
            if !fits {
                self.refuse(track, publications, cx);
                continue;
            }
            if let (Some(slot), Some(subscription)) =
                (self.upstream.slots.get_mut(index), self.subscriptions.get_mut(&track))
            {
                slot.usage = Use::Down(track);
                subscription.placed = true;
                placed.push(track);
            }
        }
        placed
    }

    /// The client closed the section we sent in.
    pub(super) fn displaced(&mut self, track: TrackId, cx: &mut Context<'_>) {
        if let Some(subscription) = self.subscriptions.get_mut(&track) {
            subscription.placed = false;
            if std::mem::take(&mut subscription.live) {
                cx.subscribers.set(track, self.key, None);
                cx.command(Command::Unsubscribe { subscription: subscription.id });
                // The name is used up with that.
                subscription.id = cx.ids.subscription();
            }
        }
    }

    /// The client can't take the track's codec: says so once and doesn't try again.
    fn refuse(&mut self, track: TrackId, publications: &Publications, cx: &mut Context<'_>) {
        let Some(publication) = publications.get(&track) else { return };
        if let Some(subscription) = self.subscriptions.get_mut(&track) {
            subscription.refused = true;
        }
        tracing::info!(track = publication.info.sid, codec = publication.info.mime_type, "subscriber lacks the codec");
        let mut response =
            proto::SubscriptionResponse { track_sid: publication.info.sid.clone(), ..Default::default() };
        response.set_err(proto::SubscriptionError::SeCodecUnsupported);
        self.notify(Notice::SubscriptionResponse(response), cx);
    }

    /// Tells the media plane to send.
    pub(super) fn go_live(
        &mut self,
        track: TrackId,
        send: Option<&Send>,
        publications: &Publications,
        cx: &mut Context<'_>,
    ) -> Option<Change> {
        let send = send?;
        let mid = self.upstream.slots.iter().find(|s| s.usage == Use::Down(track))?.mid?;
        self.send_to(track, mid, send.payloads.clone(), publications, cx)
    }

    fn send_to(
        &mut self,
        track: TrackId,
        mid: Mid,
        payloads: Vec<PayloadParams>,
        publications: &Publications,
        cx: &mut Context<'_>,
    ) -> Option<Change> {
        let publication = publications.get(&track)?;
        let (transport, own) = (self.primary(), Some(self.upstream.transport));
        let subscription = self.subscriptions.get_mut(&track).filter(|s| !s.live)?;
        subscription.live = true;
        subscription.reach = None;
        subscription.settings = subscription.view.settings(publication);
        cx.subscribers.set(track, self.key, subscription.sent());
        let rtx_ssrc = (payloads.iter().any(|p| p.rtx.is_some())).then_some(subscription.rtx_ssrc);
        let params = Box::new(SubscribeParams { mid, ssrc: subscription.ssrc, rtx_ssrc, payloads, own });
        let (subscription, settings) = (subscription.id, subscription.settings);
        cx.command(Command::Subscribe { transport, track, subscription, params, settings });
        Some(Change::Subscribed(track))
    }

    /// v1: an offer came; what we had asked for is settled if it brought the sections.
    pub(super) fn offered(&mut self, before: (usize, usize)) {
        let after = self.sections();
        if self.asked.is_some_and(|a| after.0 >= before.0 + a.audio && after.1 >= before.1 + a.video) {
            self.asked = None;
        }
    }

    /// v1: asks for another offer, with more sections where they run short, if something waits for one.
    pub(super) fn ask_for_offer(&mut self, publications: &Publications, cx: &mut Context<'_>) {
        // Before its first offer a client has nothing to add sections to; and one request at a time.
        if self.dialect != Dialect::Single || self.upstream.offer.is_none() || self.asked.is_some() {
            return;
        }
        let waiting = |kind| {
            let tracks = self.subscriptions.iter().filter(|(_, s)| !s.placed && !s.refused);
            tracks.filter(|(t, _)| publications.get(t).is_some_and(|p| p.kind() == kind)).count()
        };
        let (audio, video) = (waiting(Kind::Audio), waiting(Kind::Video));
        let draining = self.upstream.slots.iter().any(|s| s.usage == Use::Draining);
        if audio + video == 0 && !draining {
            return;
        }
        let audio = audio.saturating_sub(self.upstream.free(Media::Audio).count());
        let video = video.saturating_sub(self.upstream.free(Media::Video).count());
        self.asked = Some(Asked { audio, video, at: cx.now });
        let requirement = proto::MediaSectionsRequirement { num_audios: audio as u32, num_videos: video as u32 };
        self.notify(Notice::MediaSectionsRequirement(requirement), cx);
    }

    /// v0: the next offer of the subscriber connection, if one is due.
    fn send_offer(&mut self, publications: &Publications, cx: &mut Context<'_>) {
        let mut sends: BTreeMap<TrackId, Send> = self
            .subscriptions
            .keys()
            .filter_map(|track| Some((*track, self.sending(publications.get(track)?)?)))
            .collect();
        let Some(downstream) = &mut self.downstream else { return };
        for (track, send) in &mut sends {
            if let Some(publication) = publications.get(track) {
                send.payloads = downstream.number(&publication.payloads);
            }
        }
        let offer = downstream.offer(&cx.settings.fingerprint, cx.candidates(self.worker), |t| sends.get(&t).cloned());
        let Some(Offer { id, sdp, mapping }) = offer else { return };
        let mid_to_track_id = mapping
            .into_iter()
            .filter_map(|(mid, track)| Some((mid.to_string(), sends.get(&track)?.track.clone())))
            .collect();
        let offer = proto::SessionDescription { r#type: "offer".into(), sdp, id, mid_to_track_id };
        self.notify(Notice::Offer(offer), cx);
    }

    /// v0: the client's answer to our offer.
    pub fn handle_answer(
        &mut self,
        answer: &proto::SessionDescription,
        publications: &Publications,
        cx: &mut Context<'_>,
    ) -> Result<Vec<Change>, SdpError> {
        let description = Description::parse(&answer.sdp)?;
        let Some(downstream) = &mut self.downstream else { return Err(SdpError::NotOutstanding) };
        let old_extensions = downstream.extensions;
        let verdicts = downstream.answer(answer.id, &description)?;
        let (transport, extensions) = (downstream.transport, downstream.extensions);
        let (local, remote) = (downstream.local.clone(), description.ice.clone());
        let fingerprints = description.fingerprints.clone();
        if !downstream.attached {
            downstream.attached = true;
            let open_channels = vec![DataChannel::Reliable, DataChannel::Lossy];
            let params = TransportParams { local, remote, fingerprints, extensions, open_channels };
            cx.attach(self.worker, transport, params);
        } else {
            let restarted = downstream.remote.as_ref() != Some(&description.ice);
            if restarted || !same_extensions(&extensions, &old_extensions) {
                let ice = restarted.then(|| Box::new((local, remote)));
                cx.command(Command::UpdateTransport { transport, extensions, ice, fingerprints });
            }
        }
        downstream.remote = Some(description.ice);
        let mut out = Vec::new();
        for verdict in verdicts {
            match verdict {
                Verdict::Taken(track, mid, theirs) => {
                    let Some(publication) = publications.get(&track) else { continue };
                    let payloads = codecs::common(&publication.payloads, &theirs);
                    if payloads.is_empty() {
                        self.refuse_offered(track, publications, cx);
                    } else {
                        out.extend(self.send_to(track, mid, payloads, publications, cx));
                    }
                }
                Verdict::Refused(track) => self.refuse_offered(track, publications, cx),
            }
        }
        self.send_offer(publications, cx);
        Ok(out)
    }

    fn refuse_offered(&mut self, track: TrackId, publications: &Publications, cx: &mut Context<'_>) {
        // Whoever unsubscribed meanwhile needs no word about codecs.
        if self.subscriptions.contains_key(&track) {
            self.refuse(track, publications, cx);
        }
        if let Some(downstream) = &mut self.downstream {
            downstream.remove(track);
        }
    }

    /// v0: the client came back on a new WebSocket; the subscriber connection's ICE starts anew.
    pub fn restart_downstream(&mut self, publications: &Publications, cx: &mut Context<'_>) {
        let ice = cx.ids.ice();
        if let Some(downstream) = &mut self.downstream {
            downstream.restart_ice(ice);
        }
        self.asked = None;
        self.negotiate(publications, cx);
    }
}

/// The section kind of a track kind.
pub fn media_of(kind: Kind) -> Media {
    match kind {
        Kind::Audio => Media::Audio,
        Kind::Video => Media::Video,
    }
}
