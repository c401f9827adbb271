//! A client that missed news of the room, because it read too slowly or was cut off for a while, gets the room as it is: who
//! left, who is here, who speaks. Until then nothing is negotiated with it: it may not have heard of the tracks.

use super::Rooms;
use super::effect::{ConnId, Effect, Notice};
use super::pages::PER_PAGE;
use super::room::Room;
use crate::session::{Context, SessionKey};
use livekit_protocol as proto;
use proto::DisconnectReason;
use proto::leave_request::Action;
use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

/// The first news that a client misses happened in the turn before this is noticed. What is told twice does no harm.
const TURN: Duration = Duration::from_secs(1);

impl Rooms {
    /// A client reads more slowly than its room changes: it is told nothing of the room until [`Rooms::caught_up`].
    pub fn fell_behind(&mut self, now: Instant, conn: ConnId) {
        let Some((id, key)) = self.conns.get(&conn).copied() else { return };
        self.counts.fell_behind();
        self.within(id, now, |room, cx| {
            let Some(session) = room.sessions.get_mut(&key) else { return };
            session.behind = cx.now.checked_sub(TURN).or(Some(cx.now));
            tracing::info!(
                room = room.name,
                participant = session.info.identity,
                "client reads too slowly for the room"
            );
        });
    }

    /// It has read all that waited for it.
    pub fn caught_up(&mut self, now: Instant, conn: ConnId) {
        let Some((id, key)) = self.conns.get(&conn).copied() else { return };
        self.within(id, now, |room, cx| {
            let Some(since) = room.sessions.get_mut(&key).and_then(|session| session.behind.take()) else { return };
            if room.catch_up(key, since, cx) {
                room.with(key, cx, |session, publications, cx| session.negotiate(publications, cx));
            }
        });
    }
}

impl Room {
    /// Tells a client all that it may have missed since then. False if that isn't known any more, and it has to begin anew.
    pub(super) fn catch_up(&mut self, key: SessionKey, since: Instant, cx: &mut Context<'_>) -> bool {
        if !self.lately.reaches(since) {
            self.remove(key, DisconnectReason::StateMismatch, Some(Action::Reconnect), cx);
            return false;
        }
        if self.sessions.get(&key).is_some_and(|s| s.waiting.is_some()) {
            self.remind(key, cx);
            return true;
        }
        let room = self.info(cx.settings);
        let pages = self.pages(0);
        let Some((session, conn)) = self.sessions.get(&key).and_then(|s| Some((s, s.conn?))) else { return false };
        // Who came back under the same identity is on a page, and clients know participants by identity.
        let gone = self.lately.departures(since, session.host()).filter(|p| !self.identities.contains_key(&p.identity));
        let gone: Vec<_> = gone.collect();
        for participants in gone.chunks(PER_PAGE) {
            session.notify(Notice::Update(proto::ParticipantUpdate { participants: participants.into() }), cx);
        }
        cx.out.push(Effect::Frames(conn, pages));
        self.tell_of_slots(session, cx);
        self.tell_of_waiting(session, cx);
        if session.grants.hidden {
            let participants = vec![self.participant(session)];
            session.notify(Notice::Update(proto::ParticipantUpdate { participants }), cx);
        }
        let speakers = self.speakers_since(since);
        if !speakers.is_empty() {
            session.notify(Notice::SpeakersChanged(proto::SpeakersChanged { speakers }), cx);
        }
        session.notify(Notice::RoomUpdate(proto::RoomUpdate { room: Some(room) }), cx);
        true
    }

    /// Who speaks, and who doesn't any more.
    fn speakers_since(&self, since: Instant) -> Vec<proto::SpeakerInfo> {
        let speaking = self.speaking.iter().filter_map(|(key, level)| {
            let sid = self.sessions.get(key)?.info.sid.clone();
            Some(proto::SpeakerInfo { sid, level: *level, active: true })
        });
        let mut all: Vec<proto::SpeakerInfo> = speaking.collect();
        let known: HashSet<String> = all.iter().map(|speaker| speaker.sid.clone()).collect();
        let silent: BTreeSet<&String> = self.lately.silent(since).filter(|sid| !known.contains(*sid)).collect();
        all.extend(silent.into_iter().map(|sid| proto::SpeakerInfo { sid: sid.clone(), ..Default::default() }));
        all
    }
}
