//! Publishers say who may subscribe to their tracks; whoever may no longer is cut off at once.

use super::effect::Notice;
use super::room::Room;
use crate::session::publication::Publication;
use crate::session::{Context, SessionKey};
use livekit_protocol as proto;
use ramai_sfu::api::Command;
use ramai_sfu::id::TrackId;
use std::collections::BTreeSet;

/// Tells a subscriber what it may.
pub fn update(publication: &Publication, allowed: bool) -> Notice {
    Notice::SubscriptionPermissionUpdate(proto::SubscriptionPermissionUpdate {
        participant_sid: publication.publisher_sid.clone(),
        track_sid: publication.info.sid.clone(),
        allowed,
    })
}

impl Room {
    /// Identities and SIDs that may subscribe to a track of that publisher; `None` is everybody.
    pub(super) fn allowed(&self, publisher: SessionKey, track: &str) -> Option<BTreeSet<String>> {
        let permission = self.sessions.get(&publisher)?.permission.as_ref().filter(|p| !p.all_participants)?;
        let covers = |p: &&proto::TrackPermission| p.all_tracks || p.track_sids.iter().any(|sid| sid == track);
        let names = permission.track_permissions.iter().filter(covers);
        Some(
            names
                .flat_map(|p| [&p.participant_identity, &p.participant_sid])
                .filter(|n| !n.is_empty())
                .cloned()
                .collect(),
        )
    }

    /// A publisher's new wish, for the tracks it has and those to come.
    pub(super) fn permit(
        &mut self,
        publisher: SessionKey,
        permission: proto::SubscriptionPermission,
        cx: &mut Context<'_>,
    ) {
        // Whoever may subscribe from now on must have heard of the tracks.
        self.tell(cx);
        let Some(session) = self.sessions.get_mut(&publisher) else { return };
        session.permission = Some(permission);
        let mine = self.publications.of(publisher);
        let tracks: Vec<(TrackId, String)> = mine.map(|p| (p.track, p.info.sid.clone())).collect();
        for (track, sid) in tracks {
            let allowed = self.allowed(publisher, &sid);
            self.apply_permission(track, allowed, cx);
        }
    }

    fn apply_permission(&mut self, track: TrackId, allowed: Option<BTreeSet<String>>, cx: &mut Context<'_>) {
        let Room { sessions, publications, roster, .. } = self;
        let Some(publication) = publications.get_mut(&track) else { return };
        let before =
            Publication { allowed: std::mem::replace(&mut publication.allowed, allowed), ..publication.clone() };
        let Some(publication) = publications.get(&track) else { return };
        if before.allowed.is_some() != publication.allowed.is_some() {
            cx.command(Command::KeepFromSlots { track, kept: publication.allowed.is_some() });
        }
        let (by_itself, by_itself_before) = (publications.by_itself(publication), publications.by_itself(&before));
        for session in sessions.values_mut().filter(|s| s.key != publication.publisher) {
            let (may, might) = (publication.allows(&session.info), before.allows(&session.info));
            if may != might {
                session.notify(update(publication, may), cx);
            } else if by_itself == by_itself_before {
                continue;
            }
            if !may || !by_itself && by_itself_before {
                let had = session.subscriptions.contains_key(&track);
                session.unsubscribe(track, cx);
                if had {
                    session.subscribe_instead(publication, publications, roster.unsaid(), cx);
                }
            } else if session.auto_subscribe && by_itself {
                session.subscribe_unasked(publication, cx);
            }
            session.negotiate(publications, cx);
        }
        self.tell_apart(cx);
        self.tell_wanted(track, cx);
    }
}
