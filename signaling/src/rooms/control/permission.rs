//! What a participant may is changed while it is in the room: what it may no longer ends at once, here, whatever its client does.

use crate::adapter::livekit::encode;
use crate::auth::Grants;
use crate::rooms::effect::Notice;
use crate::rooms::room::Room;
use crate::session::{Context, SessionKey};
use livekit_protocol as proto;
use ramai_sfu::id::TrackId;

impl Grants {
    /// The same holder's, with this permission, which is whole.
    pub(in crate::rooms) fn permitted(self, permission: &proto::ParticipantPermission) -> Grants {
        Grants {
            can_publish: Some(permission.can_publish),
            can_subscribe: Some(permission.can_subscribe),
            can_publish_data: Some(permission.can_publish_data),
            can_publish_sources: permission.can_publish_sources().map(|s| encode::source_name(s).to_owned()).collect(),
            can_update_own_metadata: Some(permission.can_update_metadata),
            hidden: permission.hidden,
            recorder: permission.recorder,
            ..self
        }
    }
}

impl Room {
    /// The participant may this from now on, and nothing else.
    pub(super) fn set_permission(
        &mut self,
        key: SessionKey,
        permission: &proto::ParticipantPermission,
        cx: &mut Context<'_>,
    ) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let before = session.waiting.as_ref().unwrap_or(&session.grants);
        let grants = before.clone().permitted(permission);
        if let Some(later) = &mut session.waiting {
            *later = grants;
            session.renewal.hurry(cx.now);
            session.show_standing();
            return self.announce(key, true, cx);
        }
        self.set_grants(key, grants, cx);
    }

    /// The same by grants.
    pub(in crate::rooms) fn set_grants(&mut self, key: SessionKey, grants: Grants, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let before = std::mem::replace(&mut session.grants, grants);
        session.renewal.hurry(cx.now);
        session.show_standing();
        let (sees, hides) = (session.grants.subscribe(), session.grants.hidden && !before.hidden);
        self.end_forbidden(key, cx);
        if hides {
            self.announce_hiding(key, cx);
        }
        // The client hears what it may before anything follows from it.
        self.announce(key, true, cx);
        if sees != before.subscribe() {
            if sees { self.open_ears(key, cx) } else { self.close_ears(key, cx) }
        }
    }

    /// Ends tracks that may no longer be published, announced ones too.
    fn end_forbidden(&mut self, key: SessionKey, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        let grants = session.grants.clone();
        let forbidden = |info: &proto::TrackInfo| !grants.publish_source(encode::source_name(info.source()));
        session.pending.retain(|pending| !forbidden(&pending.info));
        let ended: Vec<(TrackId, String)> = self
            .publications
            .values()
            .filter(|p| p.publisher == key && forbidden(&p.info))
            .map(|p| (p.track, p.info.sid.clone()))
            .collect();
        for (track, track_sid) in ended {
            if let Some(session) = self.sessions.get_mut(&key) {
                session.upstream.stop(track);
                session.notify(Notice::TrackUnpublished(proto::TrackUnpublishedResponse { track_sid }), cx);
            }
            self.unpublish(track, cx);
        }
    }

    fn close_ears(&mut self, key: SessionKey, cx: &mut Context<'_>) {
        let tracks: Vec<TrackId> =
            self.sessions.get(&key).map(|s| s.subscriptions.keys().copied().collect()).unwrap_or_default();
        self.with(key, cx, |session, publications, cx| {
            for track in &tracks {
                session.unsubscribe(*track, cx);
            }
            session.negotiate(publications, cx);
        });
        for track in tracks {
            self.tell_wanted(track, cx);
        }
    }

    fn open_ears(&mut self, key: SessionKey, cx: &mut Context<'_>) {
        // It must have heard of the tracks that it is about to take.
        self.tell(cx);
        self.subscribe_by_itself(key, cx);
        self.with(key, cx, |session, publications, cx| session.negotiate(publications, cx));
    }
}
