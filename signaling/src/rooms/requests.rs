//! A client's requests that need no negotiation of their own: mute, subscriptions, settings, metadata, leaving.

use super::effect::{Effect, Notice};
use super::room::Room;
use super::{MAX_NAME, standing};
use crate::session::quality::View;
use crate::session::{Context, Request, SessionKey};
use livekit_protocol as proto;
use proto::DisconnectReason;
use proto::leave_request::Action;
use proto::request_response::{Reason, Request as About};
use proto::simulate_scenario::Scenario;
use ramai_sfu::id::TrackId;
use std::collections::BTreeSet;

/// Longest own metadata, and all attributes together, in bytes.
const MAX_METADATA: usize = 64 * 1024;

impl Room {
    pub(super) fn handle_other(&mut self, key: SessionKey, request: Request, cx: &mut Context<'_>) {
        match request {
            Request::Mute(mute) => self.mute(key, &mute, cx),
            Request::Subscription(update) => self.update_subscription(key, &update, cx),
            Request::TrackSetting(settings) => self.track_settings(key, &settings, cx),
            Request::UpdateMetadata(update) => self.update_metadata(key, update, cx),
            Request::UpdateAudioTrack(update) => self.update_track(key, &update.track_sid, cx, |info| {
                info.audio_features.clone_from(&update.features);
            }),
            Request::UpdateVideoTrack(update) => self.update_track(key, &update.track_sid, cx, |info| {
                (info.width, info.height) = (update.width, update.height);
            }),
            Request::SubscriptionPermission(permission) => self.permit(key, permission, cx),
            Request::Leave(_) => self.remove(key, DisconnectReason::ClientInitiated, None, cx),
            // We are ICE-lite: the client's checks tell its addresses. Only what isn't a candidate at all is answered.
            Request::Trickle(trickle)
                if !trickle.r#final && serde_json::from_str::<serde_json::Value>(&trickle.candidate_init).is_err() =>
            {
                self.refuse(key, 0, Reason::InvalidRequest, "the candidate is not JSON", None, cx);
            }
            Request::Simulate(simulate) => self.simulate(key, simulate.scenario, cx),
            Request::PublishDataTrackRequest(request) => {
                let about = Some(About::PublishDataTrack(request));
                self.refuse(key, 0, Reason::UnsupportedType, "data tracks are not supported", about, cx);
            }
            Request::StoreDataBlobRequest(r) => {
                self.refuse(key, r.request_id, Reason::UnsupportedType, "data blobs are not supported", None, cx);
            }
            Request::GetDataBlobRequest(r) => {
                self.refuse(key, r.request_id, Reason::UnsupportedType, "data blobs are not supported", None, cx);
            }
            // What was kept for the session is newer than what the client remembers of it; the rest is advice.
            _ => {}
        }
    }

    fn refuse(
        &self,
        key: SessionKey,
        request_id: u32,
        reason: Reason,
        words: &str,
        about: Option<About>,
        cx: &mut Context<'_>,
    ) {
        let Some(session) = self.sessions.get(&key) else { return };
        tracing::info!(room = self.name, participant = session.info.identity, reason = words, "request refused");
        cx.counts.turned_away(match reason {
            Reason::NotAllowed => "request_not_allowed",
            Reason::NotFound => "request_not_found",
            Reason::LimitExceeded => "request_limit_exceeded",
            _ => "request_invalid",
        });
        let response =
            proto::RequestResponse { request_id, reason: reason as i32, message: words.to_owned(), request: about };
        session.notify(Notice::RequestResponse(response), cx);
    }

    fn mute(&mut self, key: SessionKey, mute: &proto::MuteTrackRequest, cx: &mut Context<'_>) {
        if self.set_muted(key, &mute.sid, mute.muted, true, cx).is_none() {
            let about = Some(About::Mute(mute.clone()));
            self.refuse(key, 0, Reason::NotFound, "there is no such track", about, cx);
        }
    }

    pub(super) fn update_subscription(
        &mut self,
        key: SessionKey,
        update: &proto::UpdateSubscription,
        cx: &mut Context<'_>,
    ) {
        let Room { sessions, publications, .. } = self;
        let Some(session) = sessions.get_mut(&key) else { return };
        if update.subscribe && !session.grants.subscribe() {
            self.refuse(key, 0, Reason::NotAllowed, "you may not subscribe", None, cx);
            return;
        }
        let sids = update.participant_tracks.iter().flat_map(|p| &p.track_sids).chain(&update.track_sids);
        let mut changed: Vec<TrackId> = Vec::new();
        for sid in sids {
            match publications.find(sid) {
                Some(publication) if update.subscribe && !publication.allows(&session.info) => {
                    let notice = super::permission::update(publication, false);
                    session.notify(notice, cx);
                }
                Some(publication) if update.subscribe => {
                    session.chose(publication.track, true, publications);
                    session.subscribe(publication, cx);
                }
                Some(publication) => {
                    session.chose(publication.track, false, publications);
                    session.unsubscribe(publication.track, cx);
                    changed.push(publication.track);
                }
                None if update.subscribe => {
                    let mut response = proto::SubscriptionResponse { track_sid: sid.clone(), ..Default::default() };
                    response.set_err(proto::SubscriptionError::SeTrackNotfound);
                    session.notify(Notice::SubscriptionResponse(response), cx);
                }
                None => {}
            }
        }
        session.negotiate(publications, cx);
        for track in changed {
            self.tell_wanted(track, cx);
        }
    }

    fn track_settings(&mut self, key: SessionKey, settings: &proto::UpdateTrackSettings, cx: &mut Context<'_>) {
        let view = View::new(settings);
        let Room { sessions, publications, .. } = self;
        let Some(session) = sessions.get_mut(&key) else { return };
        let sids: BTreeSet<&String> = settings.track_sids.iter().collect();
        let tracks: Vec<TrackId> = sids
            .into_iter()
            .filter_map(|sid| publications.find(sid))
            .filter_map(|p| session.show(p.track, view, p, cx).map(|_| p.track))
            .collect();
        for track in tracks {
            self.tell_wanted(track, cx);
        }
    }

    fn update_metadata(&mut self, key: SessionKey, update: proto::UpdateParticipantMetadata, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let id = update.request_id;
        let size: usize = update.attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
        let hand = session.waiting.is_none() && standing::only_hand(&update, &session.info);
        let words = match standing::forbidden(&update.attributes) {
            None if hand || session.grants.update_own_metadata() => None,
            None => Some("you may not change your own metadata"),
            words => words,
        };
        if let Some(words) = words {
            let about = Some(About::UpdateMetadata(update));
            return self.refuse(key, id, Reason::NotAllowed, words, about, cx);
        }
        if update.metadata.len() > MAX_METADATA || size > MAX_METADATA || update.name.len() > MAX_NAME {
            return self.refuse(key, id, Reason::LimitExceeded, "name, metadata or attributes are too long", None, cx);
        }
        let info = &mut session.info;
        // Empty means "as it is": clients send only what they change.
        if !update.name.is_empty() {
            info.name.clone_from(&update.name);
        }
        if !update.metadata.is_empty() {
            info.metadata.clone_from(&update.metadata);
        }
        for (name, value) in &update.attributes {
            if value.is_empty() {
                info.attributes.remove(name);
            } else {
                info.attributes.insert(name.clone(), value.clone());
            }
        }
        let total: usize = info.attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
        if total > MAX_METADATA {
            for name in update.attributes.keys() {
                info.attributes.remove(name);
            }
            return self.refuse(key, id, Reason::LimitExceeded, "the attributes are too long", None, cx);
        }
        let response = proto::RequestResponse {
            request_id: id,
            reason: Reason::Ok as i32,
            request: Some(About::UpdateMetadata(update)),
            ..Default::default()
        };
        session.renewal.hurry(cx.now);
        session.notify(Notice::RequestResponse(response), cx);
        self.announce(key, true, cx);
    }

    fn update_track(
        &mut self,
        key: SessionKey,
        sid: &str,
        cx: &mut Context<'_>,
        change: impl FnOnce(&mut proto::TrackInfo),
    ) {
        if let Some(publication) = self.publications.own_mut(key, sid) {
            change(&mut publication.info);
            self.announce(key, true, cx);
        }
    }

    /// Client developers' way to try what their code does. It concerns nobody but the one who asks.
    fn simulate(&mut self, key: SessionKey, scenario: Option<Scenario>, cx: &mut Context<'_>) {
        use crate::adapter::livekit::encode::leave;
        match scenario {
            Some(Scenario::NodeFailure(_)) => self.remove(key, DisconnectReason::SignalClose, None, cx),
            Some(Scenario::ServerLeave(_)) => {
                self.remove(key, DisconnectReason::ServerShutdown, Some(Action::Disconnect), cx);
            }
            Some(Scenario::LeaveRequestFullReconnect(_)) => {
                self.remove(key, DisconnectReason::UnknownReason, Some(Action::Reconnect), cx);
            }
            Some(Scenario::Migration(_)) => {
                if let Some(session) = self.sessions.get_mut(&key) {
                    session.notify(leave(DisconnectReason::Migration, Action::Resume), cx);
                }
            }
            Some(Scenario::DisconnectSignalOnResume(_) | Scenario::DisconnectSignalOnResumeNoMessages(_)) => {
                if let Some(conn) = self.sessions.get_mut(&key).and_then(|s| s.conn) {
                    cx.out.push(Effect::Close(conn));
                }
            }
            _ => {}
        }
    }
}
