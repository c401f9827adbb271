//! Tracks are muted for others, and others are subscribed to them.

use super::{Fault, Order};
use crate::rooms::Rooms;
use crate::rooms::effect::Notice;
use crate::rooms::room::Room;
use crate::session::{Context, Dialect, SessionKey};
use livekit_protocol as proto;
use proto::{TrackInfo, TrackSource, TrackType};
use std::collections::HashSet;

impl Rooms {
    /// Mutes a track in the media plane and tells its publisher, who may unmute it by itself.
    pub fn mute_published_track(
        &mut self,
        order: &Order,
        wish: &proto::MuteRoomTrackRequest,
    ) -> Result<proto::MuteRoomTrackResponse, Fault> {
        self.order_about(order, &wish.room, &wish.identity, |room, key, cx| {
            let session = room.sessions.get(&key).ok_or(Fault::NoParticipant)?;
            // An encoder has no button of its own, and sends all the time anyway.
            if !wish.muted && !cx.settings.remote_unmute && session.dialect != Dialect::Whip {
                return Err(Fault::RemoteUnmute);
            }
            let track = room.mute_for(key, &wish.track_sid, wish.muted, cx).ok_or(Fault::NoTrack)?;
            let done = if wish.muted { "muted" } else { "unmuted" };
            tracing::info!(room = room.name, "{} {done} {}'s {}", order.by, wish.identity, what(&track));
            Ok(proto::MuteRoomTrackResponse { track: Some(track) })
        })
    }

    /// Mutes all microphones but those of some. Returns how many were open.
    pub fn mute_all(&mut self, order: &Order, name: &str, except: &[String]) -> Result<u32, Fault> {
        let except: HashSet<&String> = except.iter().collect();
        self.order(order, name, |room, cx| {
            let open: Vec<(SessionKey, String)> = room
                .sessions
                .values()
                .filter(|s| !except.contains(&s.info.identity))
                .flat_map(|s| room.tracks_of(s.key).map(move |info| (s.key, info)))
                .filter(|(_, info)| !info.muted && is_voice(info))
                .map(|(key, info)| (key, info.sid.clone()))
                .collect();
            for (key, sid) in &open {
                room.mute_for(*key, sid, true, cx);
            }
            tracing::info!(room = room.name, microphones = open.len(), "{} muted everybody", order.by);
            Ok(u32::try_from(open.len()).unwrap_or(u32::MAX))
        })
    }

    /// Subscribes a participant to tracks, or ends its subscriptions.
    pub fn update_subscriptions(
        &mut self,
        order: &Order,
        wish: proto::UpdateSubscriptionsRequest,
    ) -> Result<proto::UpdateSubscriptionsResponse, Fault> {
        self.order_about(order, &wish.room, &wish.identity, |room, key, cx| {
            let session = room.sessions.get(&key).ok_or(Fault::NoParticipant)?;
            if wish.subscribe && !session.grants.subscribe() {
                return Err(Fault::NotAllowed("the participant may not subscribe"));
            }
            if session.conn.is_none() && session.resource.is_some() {
                return Err(Fault::NotAllowed("the participant came over plain HTTP and has one answer for good"));
            }
            let update = proto::UpdateSubscription {
                track_sids: wish.track_sids,
                subscribe: wish.subscribe,
                participant_tracks: wish.participant_tracks,
            };
            room.update_subscription(key, &update, cx);
            Ok(proto::UpdateSubscriptionsResponse {})
        })
    }
}

impl Room {
    /// Mutes or unmutes a track that is published or announced, and tells its publisher and the others.
    fn mute_for(&mut self, key: SessionKey, sid: &str, muted: bool, cx: &mut Context<'_>) -> Option<TrackInfo> {
        self.tracks_of(key).find(|info| info.sid == sid)?;
        // Nothing else: a client that hears of its own track as muted, and hasn't muted it yet, tells us that it isn't.
        if let Some(session) = self.sessions.get(&key) {
            session.notify(Notice::Mute(proto::MuteTrackRequest { sid: sid.to_owned(), muted }), cx);
        }
        self.set_muted(key, sid, muted, false, cx)
    }

    /// Published and announced tracks of a participant.
    fn tracks_of(&self, key: SessionKey) -> impl Iterator<Item = &TrackInfo> {
        let published = self.publications.of(key).map(|p| &p.info);
        let pending = self.sessions.get(&key).into_iter().flat_map(|s| s.pending.iter().map(|p| &p.info));
        published.chain(pending)
    }
}

/// A microphone, or what doesn't say that it is something else. The sound of a shared screen is what is being shown.
fn is_voice(track: &TrackInfo) -> bool {
    track.r#type() == TrackType::Audio && track.source() != TrackSource::ScreenShareAudio
}

/// A track in the words of a log.
fn what(track: &TrackInfo) -> &'static str {
    match track.source() {
        TrackSource::Camera => "camera",
        TrackSource::Microphone => "microphone",
        TrackSource::ScreenShare => "screen",
        TrackSource::ScreenShareAudio => "screen's sound",
        TrackSource::Unknown => "track",
    }
}
