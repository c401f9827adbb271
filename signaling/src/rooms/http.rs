//! Sessions over plain HTTP (WHIP and WHEP): one offer, one answer, and a URL by which the session is ended. There is no socket
//! to tell them anything, so they live as long as their media connection.

use super::Rooms;
use super::room::Room;
use crate::auth::Claims;
use crate::error::Refusal;
use crate::negotiate::codecs;
use crate::negotiate::sdp::Description;
use crate::session::downstream::media_of;
use crate::session::publication::Publication;
use crate::session::{Context, Dialect, Join, Session};
use livekit_protocol as proto;
use proto::DisconnectReason;
use ramai_sfu::id::TrackId;
use std::time::Instant;

/// A checked wish to publish or to watch.
pub struct HttpJoin {
    /// Who, and which tracks are published.
    pub join: Join,
    /// The offer, narrowed to the dialect's direction.
    pub offer: Description,
    /// Identities whose tracks are watched, in this order; empty is everybody. WHEP alone.
    pub watch: Vec<String>,
}

/// A session that was opened.
#[derive(Debug)]
pub struct HttpSession {
    /// Last part of its URL; whoever knows it still needs the token to end it.
    pub resource: String,
    /// Names the ICE session (RFC 9725 section 4.3.1), without quotes.
    pub etag: String,
    /// The answer's SDP.
    pub answer: String,
}

impl Rooms {
    /// Lets a WHIP or WHEP client in and answers its offer. Nothing has changed when it's refused.
    pub fn open(&mut self, now: Instant, wall_ms: i64, wish: HttpJoin) -> Result<HttpSession, Refusal> {
        let HttpJoin { join, offer, watch } = wish;
        let name = &join.claims.video.room;
        self.check(now, &join.claims)?;
        let room = self.names.get(name).and_then(|id| self.rooms.get(id));
        if room.is_some_and(|room| room.makes_wait(&join.claims, now)) {
            return Err(Refusal::WaitingRoom);
        }
        if let Some(grants) = room.map(|room| room.grants_for(&join.claims)) {
            match join.dialect {
                Dialect::Whip if !grants.publish() => return Err(Refusal::NotAllowed("publish")),
                Dialect::Whep if !grants.subscribe() => return Err(Refusal::NotAllowed("subscribe")),
                _ => {}
            }
        }
        let watched = match (join.dialect, room) {
            (Dialect::Whep, Some(room)) => room.watchable(&join.claims.sub, &watch, &offer)?,
            (Dialect::Whep, None) => return Err(nobody()),
            _ => Vec::new(),
        };
        let resource = self.ids.secret();
        let opened = self.admit(now, wall_ms, None, &join, |room, mut session, cx| {
            session.resource = Some(resource);
            room.open(session, &join, offer, &watched, cx)
        });
        opened.unwrap_or(Err(Refusal::NoSession))
    }

    /// Ends the session of that URL, if it is the token holder's own.
    pub fn end(&mut self, now: Instant, dialect: Dialect, resource: &str, claims: &Claims) -> Result<(), Refusal> {
        let (id, key) = *self.resources.get(resource).ok_or(Refusal::NoSession)?;
        let room = self.rooms.get(&id).ok_or(Refusal::NoSession)?;
        let session = room.sessions.get(&key).filter(|s| s.dialect == dialect).ok_or(Refusal::NoSession)?;
        if room.name != claims.video.room || session.info.identity != claims.sub {
            return Err(Refusal::NotYours);
        }
        self.within(id, now, |room, cx| room.remove(key, DisconnectReason::ClientInitiated, None, cx));
        Ok(())
    }
}

impl Room {
    /// The tracks that `identity` would get, in order; an error if there is none, or none that the offer has a section for.
    fn watchable(&self, identity: &str, watch: &[String], offer: &Description) -> Result<Vec<TrackId>, Refusal> {
        let viewer = proto::ParticipantInfo { identity: identity.to_owned(), ..Default::default() };
        let of = |p: &Publication| self.sessions.get(&p.publisher).map_or("", |s| s.info.identity.as_str());
        // Whoever watches under a publisher's identity takes its place, and its tracks are gone.
        let open: Vec<&Publication> =
            self.publications.values().filter(|p| p.allows(&viewer) && of(p) != identity).collect();
        let mut tracks: Vec<&Publication> = Vec::new();
        for name in watch {
            let before = tracks.len();
            tracks.extend(open.iter().filter(|p| of(p) == name));
            if tracks.len() == before {
                return Err(Refusal::NothingToWatch(format!("{name} publishes no track")));
            }
        }
        if watch.is_empty() {
            tracks = open.into_iter().filter(|p| self.publications.by_itself(p)).collect();
        }
        if tracks.is_empty() {
            return Err(nobody());
        }
        let fits = |p: &&Publication| {
            let mut sections =
                offer.sections.iter().filter(|s| s.media == media_of(p.kind()) && s.direction.receives());
            sections.any(|s| !codecs::common(&p.payloads, &codecs::understood(s, None, true)).is_empty())
        };
        if !tracks.iter().any(fits) {
            return Err(Refusal::UnusableOffer("no section of it can take any of the tracks"));
        }
        Ok(tracks.into_iter().map(|p| p.track).collect())
    }

    fn open(
        &mut self,
        session: Session,
        join: &Join,
        offer: Description,
        watched: &[TrackId],
        cx: &mut Context<'_>,
    ) -> Result<HttpSession, Refusal> {
        let key = session.key;
        let (resource, etag) = (session.resource.clone().unwrap_or_default(), session.upstream.local.ufrag.clone());
        self.open_slots_if_due(session.worker, cx);
        self.enter(session, cx);
        let answered = self.with(key, cx, |session, publications, cx| {
            for request in join.add_tracks.iter().cloned() {
                session.add_track(request, publications, cx);
            }
            for publication in watched.iter().filter_map(|track| publications.get(track)) {
                session.subscribe(publication, cx);
            }
            let answered = session.answer(offer, publications, cx);
            // There won't be another offer for what found no section in this one.
            let left: Vec<TrackId> =
                session.subscriptions.iter().filter(|(_, s)| !s.placed).map(|(track, _)| *track).collect();
            for track in left {
                session.unsubscribe(track, cx);
            }
            answered
        });
        match answered {
            Some(Ok((answer, changes))) => {
                self.apply(key, changes, cx);
                Ok(HttpSession { resource, etag, answer: answer.sdp })
            }
            Some(Err(error)) => {
                self.remove(key, DisconnectReason::JoinFailure, None, cx);
                Err(error.into())
            }
            None => Err(Refusal::NoSession),
        }
    }
}

fn nobody() -> Refusal {
    Refusal::NothingToWatch("nobody publishes in this room".into())
}
