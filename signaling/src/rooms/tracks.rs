//! What becomes of the tracks of a room: they come, are subscribed to, and go.

use super::effect::Notice;
use super::room::Room;
use crate::session::{Change, Context, SessionKey};
use livekit_protocol as proto;
use ramai_sfu::api::Command;
use ramai_sfu::id::TrackId;
use ramai_sfu::params::Kind;

impl Room {
    /// Carries on what a session did.
    pub(super) fn apply(&mut self, key: SessionKey, changes: Vec<Change>, cx: &mut Context<'_>) {
        let (mut published, mut announce) = (Vec::new(), false);
        for change in changes {
            match change {
                Change::Published(publication) => {
                    tracing::info!(
                        room = self.name,
                        participant = publication.publisher_sid,
                        track = publication.info.sid,
                        codec = publication.info.mime_type,
                        layers = publication.layers,
                        "track published"
                    );
                    published.push(publication.track);
                    let mut publication = publication;
                    publication.allowed = self.allowed(key, &publication.info.sid);
                    if publication.allowed.is_some() {
                        cx.command(Command::KeepFromSlots { track: publication.track, kept: true });
                    }
                    self.publications.insert(*publication);
                    announce = true;
                }
                Change::Ended(track) => {
                    self.unpublish(track, cx);
                    announce = true;
                }
                Change::Subscribed(track) => {
                    self.slot_is_live(key, track, cx);
                    self.first_subscription(track, cx);
                    self.tell_wanted(track, cx);
                }
                Change::Wanted(track) => self.tell_wanted(track, cx),
            }
        }
        if !published.is_empty() {
            self.tell_apart(cx);
        }
        self.note_published(&published);
        if announce {
            self.announce(key, true, cx);
        }
        // Whoever takes all that is published has subscribed by now.
        for track in published {
            self.tell_wanted(track, cx);
        }
    }

    /// A track is gone: for its subscribers, then for the media plane.
    pub(super) fn unpublish(&mut self, track: TrackId, cx: &mut Context<'_>) {
        let Some(publication) = self.publications.remove(track) else { return };
        tracing::info!(room = self.name, track = publication.info.sid, "track unpublished");
        let Room { sessions, publications, roster, .. } = self;
        for key in cx.subscribers.of(track) {
            let Some(session) = sessions.get_mut(&key) else { continue };
            session.unsubscribe(track, cx);
            session.subscribe_instead(&publication, publications, roster.unsaid(), cx);
            session.negotiate(publications, cx);
        }
        cx.command(Command::Unpublish { track });
        if publication.kind() == Kind::Audio {
            self.tell_apart(cx);
        }
    }

    /// A track that is published or announced is muted or not, in the media plane and for all who know of it; for its publisher
    /// only if `own`.
    pub(super) fn set_muted(
        &mut self,
        key: SessionKey,
        sid: &str,
        muted: bool,
        own: bool,
        cx: &mut Context<'_>,
    ) -> Option<proto::TrackInfo> {
        let Some(publication) = self.publications.own_mut(key, sid) else {
            return self.sessions.get_mut(&key)?.mute_pending(sid, muted);
        };
        let changes = publication.info.muted != muted;
        publication.info.muted = muted;
        let info = publication.info.clone();
        if changes {
            cx.command(Command::MuteTrack { track: publication.track, muted });
            self.announce(key, own, cx);
        }
        Some(info)
    }

    fn first_subscription(&mut self, track: TrackId, cx: &mut Context<'_>) {
        let Some(publication) = self.publications.get_mut(&track).filter(|p| !p.seen) else { return };
        publication.seen = true;
        let notice = Notice::TrackSubscribed(proto::TrackSubscribed { track_sid: publication.info.sid.clone() });
        if let Some(publisher) = self.sessions.get(&publication.publisher) {
            publisher.notify(notice, cx);
        }
    }
}
