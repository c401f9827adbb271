//! All rooms of the process as one state machine: clients' requests and media events in, effects out. The actor owns it.

pub mod actor;
mod catch_up;
pub mod control;
pub mod data;
mod departure;
mod dynacast;
pub mod effect;
mod entrance;
mod first;
pub mod http;
pub mod ids;
mod lasting;
mod lately;
mod options;
pub mod outbox;
mod pages;
mod permission;
pub mod placement;
mod requests;
mod revoked;
pub mod room;
mod roster;
mod slots;
mod speakers;
pub mod standing;
mod streams;
#[cfg(test)]
mod tests;
mod tracks;
mod waiting;

use crate::Settings;
use crate::auth::Claims;
use crate::counts::Counts;
use crate::error::Refusal;
use crate::session::{Context, Join, Request, Session, SessionKey, Subscribers};
use effect::{Closing, ConnId, Effect, Notice};
use first::First;
use ids::Ids;
use livekit_protocol as proto;
use placement::Loads;
use proto::DisconnectReason;
use proto::leave_request::Action;
use proto::participant_info::State;
use ramai_sfu::api::Event;
use ramai_sfu::id::{RoomId, TransportId, WorkerId};
use ramai_sfu::params::DataChannel;
use room::Room;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

/// What somebody who wants in is to its room.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Presence {
    /// In it already.
    Inside,
    /// A newcomer.
    New,
}

/// Longest room name and identity, in bytes.
const MAX_NAME: usize = 256;

/// The inputs are `join`, `handle_*` and `tick`; effects gather in [`Rooms::take_effects`].
pub struct Rooms {
    settings: Arc<Settings>,
    ids: Ids,
    rooms: HashMap<RoomId, Room>,
    names: HashMap<String, RoomId>,
    conns: HashMap<ConnId, (RoomId, SessionKey)>,
    transports: HashMap<TransportId, (RoomId, SessionKey)>,
    /// Sessions over plain HTTP by their URL's last part.
    resources: HashMap<String, (RoomId, SessionKey)>,
    /// Hosts of rooms made by the demo page, by the room's name.
    firsts: HashMap<String, First>,
    workers: usize,
    subscribers: Subscribers,
    loads: Loads,
    out: Vec<Effect>,
    /// What is counted.
    pub counts: Arc<Counts>,
    closing: bool,
}

impl Rooms {
    pub fn new(settings: Arc<Settings>, ids: Ids, workers: usize) -> Self {
        Self {
            settings,
            ids,
            rooms: HashMap::new(),
            names: HashMap::new(),
            conns: HashMap::new(),
            transports: HashMap::new(),
            resources: HashMap::new(),
            firsts: HashMap::new(),
            workers,
            subscribers: Subscribers::default(),
            loads: Loads::new(workers),
            out: Vec::new(),
            counts: Arc::default(),
            closing: false,
        }
    }

    /// What is to be done since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.out)
    }

    /// Whether whoever has this checked token would be let into its room now. Resuming and taking over need no free place.
    pub fn check(&self, now: Instant, claims: &Claims) -> Result<(), Refusal> {
        let (name, identity) = (&claims.video.room, &claims.sub);
        if self.closing || self.workers == 0 {
            return Err(Refusal::ShuttingDown);
        }
        if name.len() > MAX_NAME || identity.len() > MAX_NAME {
            return Err(Refusal::BadRequest("the room's name or the identity is too long"));
        }
        if identity.starts_with(standing::RESERVED) {
            return Err(Refusal::BadRequest("identities that begin with `ramai.` are the server's"));
        }
        let (settings, room) = (&self.settings, self.names.get(name).and_then(|id| self.rooms.get(id)));
        let inside = room.is_some_and(|room| room.by_identity(identity).is_some());
        let total = settings.max_total_participants;
        if total > 0 && !inside && self.count().1 >= total {
            return Err(Refusal::ServerFull);
        }
        let Some(room) = room else {
            let full = settings.max_rooms > 0 && self.rooms.len() >= settings.max_rooms;
            return if full { Err(Refusal::TooManyRooms) } else { Ok(()) };
        };
        if room.revoked(identity, claims.nbf) {
            return Err(Refusal::Removed);
        }
        room.refuses(claims, now)?;
        let limit = room.limit(settings);
        if limit > 0 && room.sessions.len() >= limit && !inside {
            return Err(Refusal::RoomFull);
        }
        Ok(())
    }

    /// The same, with whether it is in the room already: it comes back then.
    pub fn presence(&self, now: Instant, claims: &Claims) -> Result<Presence, Refusal> {
        self.check(now, claims)?;
        let room = self.names.get(&claims.video.room).and_then(|id| self.rooms.get(id));
        let inside = room.is_some_and(|room| room.by_identity(&claims.sub).is_some());
        Ok(if inside { Presence::Inside } else { Presence::New })
    }

    /// A WebSocket wants to join or resume. `wall_ms` is the time since the epoch.
    pub fn join(&mut self, now: Instant, wall_ms: i64, conn: ConnId, join: &Join) {
        let claims = &join.claims;
        if let Err(refusal) = self.check(now, claims) {
            self.counts.refused(&refusal);
            tracing::info!(room = claims.video.room, participant = claims.sub, reason = %refusal, "join refused");
            let reason = match refusal {
                Refusal::ShuttingDown => DisconnectReason::ServerShutdown,
                _ => DisconnectReason::JoinFailure,
            };
            return self.turn_away(conn, reason, Action::Disconnect);
        }
        if let Some(sid) = &join.resume {
            return self.resume(now, conn, &claims.video.room, &claims.sub, sid);
        }
        self.admit(now, wall_ms, Some(conn), join, |room, session, cx| room.join(session, join, cx));
    }

    /// Brings a checked client into its room, which is made if need be, instead of an older one of the same identity.
    fn admit<R>(
        &mut self,
        now: Instant,
        wall_ms: i64,
        conn: Option<ConnId>,
        join: &Join,
        enter: impl FnOnce(&mut Room, Session, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let claims = &join.claims;
        let id = self.room(&claims.video.room, wall_ms);
        self.counts.joined(join.dialect);
        let key = SessionKey(self.ids.key());
        let info = self.participant_info(join, wall_ms);
        let worker = self.place(id);
        if let Some(conn) = conn {
            self.conns.insert(conn, (id, key));
        }
        let (transports, result) = self.within(id, now, |room, cx| {
            let waits = room.makes_wait(claims, now);
            if let Some(old) = room.by_identity(&claims.sub) {
                room.remove(old, DisconnectReason::DuplicateIdentity, Some(Action::Disconnect), cx);
            }
            tracing::info!(
                room = room.name,
                participant = claims.sub,
                %worker,
                dialect = ?join.dialect,
                sdk = join.client.sdk().as_str_name(),
                sdk_version = join.client.version,
                browser = join.client.browser,
                waits,
                "participant joined"
            );
            let mut session = Session::new(key, conn, join, info, worker, cx);
            session.grants = room.grants_for(claims);
            if waits {
                session.wait();
            } else {
                session.show_standing();
            }
            let transports: Vec<_> = session.transports().collect();
            (transports, enter(room, session, cx))
        })?;
        let session = self.rooms.get(&id).and_then(|room| room.sessions.get(&key));
        if let Some(session) = session {
            self.transports.extend(transports.into_iter().map(|transport| (transport, (id, key))));
            self.resources.extend(session.resource.iter().map(|resource| (resource.clone(), (id, key))));
        }
        Some(result)
    }

    fn resume(&mut self, now: Instant, conn: ConnId, name: &str, identity: &str, sid: &str) {
        let found = self.names.get(name).copied().and_then(|id| {
            let room = self.rooms.get(&id)?;
            let session = room.sessions.get(&room.by_identity(identity)?).filter(|s| s.info.sid == sid)?;
            Some((id, session.key))
        });
        let Some((id, key)) = found else {
            tracing::info!(room = name, participant = identity, "resume of an unknown session");
            return self.turn_away(conn, DisconnectReason::StateMismatch, Action::Reconnect);
        };
        tracing::info!(room = name, participant = identity, "participant resumed");
        self.conns.insert(conn, (id, key));
        self.within(id, now, |room, cx| room.resume(key, conn, cx));
    }

    fn turn_away(&mut self, conn: ConnId, reason: DisconnectReason, action: Action) {
        let notice = crate::adapter::livekit::encode::leave(reason, action);
        self.out.push(Effect::Notice(vec![conn], Box::new(notice)));
        self.out.push(Effect::Close(conn));
    }

    /// The room of that name, made if there is none.
    fn room(&mut self, name: &str, wall_ms: i64) -> RoomId {
        if let Some(id) = self.names.get(name) {
            return *id;
        }
        let (id, sid) = (self.ids.room(), self.ids.sid("RM_"));
        tracing::info!(room = name, "room opened");
        self.rooms.insert(id, Room::new(sid, name.to_owned(), wall_ms));
        self.names.insert(name.to_owned(), id);
        id
    }

    fn participant_info(&mut self, join: &Join, wall_ms: i64) -> proto::ParticipantInfo {
        let claims = &join.claims;
        let own = claims.video.update_own_metadata();
        let mut attributes = claims.attributes.clone();
        if own {
            attributes.extend(join.attributes.iter().map(|(k, v)| (k.clone(), v.clone())));
        }
        standing::keep_free(&mut attributes);
        let metadata = if own && !join.metadata.is_empty() { &join.metadata } else { &claims.metadata };
        proto::ParticipantInfo {
            sid: self.ids.sid("PA_"),
            identity: claims.sub.clone(),
            state: State::Joined as i32,
            metadata: metadata.clone(),
            joined_at: wall_ms / 1000,
            joined_at_ms: wall_ms,
            name: claims.name.clone(),
            region: self.settings.region.clone(),
            attributes,
            client_protocol: join.client.client_protocol,
            capabilities: join.client.capabilities.clone(),
            ..Default::default()
        }
    }

    fn within<R>(&mut self, id: RoomId, now: Instant, f: impl FnOnce(&mut Room, &mut Context<'_>) -> R) -> Option<R> {
        let room = self.rooms.get_mut(&id)?;
        let mut cx = Context {
            settings: &self.settings,
            ids: &mut self.ids,
            out: &mut self.out,
            counts: &self.counts,
            subscribers: &mut self.subscribers,
            loads: &mut self.loads,
            room: id,
            now,
        };
        let result = f(room, &mut cx);
        for gone in room.gone.drain(..) {
            for transport in gone.transports {
                self.transports.remove(&transport);
            }
            if let Some(resource) = gone.resource {
                self.resources.remove(&resource);
            }
            // A WebSocket that a resume replaced says itself when it ends.
            if let Some(conn) = gone.conn {
                self.conns.remove(&conn);
            }
        }
        Some(result)
    }

    /// A request from a client that joined; others are ignored.
    pub fn handle_request(&mut self, now: Instant, conn: ConnId, request: Request) {
        if let Some((id, key)) = self.conns.get(&conn).copied() {
            self.within(id, now, |room, cx| {
                let identity = room.sessions.get(&key).map_or("", |s| s.info.identity.as_str()).to_owned();
                let span = tracing::info_span!("request", room = room.name, participant = identity);
                span.in_scope(|| room.handle(key, request, cx));
            });
        }
    }

    /// A WebSocket ended.
    pub fn handle_closed(&mut self, now: Instant, conn: ConnId, how: Closing) {
        if let Some((id, key)) = self.conns.remove(&conn) {
            self.within(id, now, |room, cx| room.closed(key, conn, how, cx));
        }
    }

    /// A media worker says something.
    pub fn handle_event(&mut self, now: Instant, worker: WorkerId, event: Event) {
        let of = |transport: &TransportId| self.transports.get(transport).copied();
        match event {
            Event::Connected { transport } => {
                if let Some((id, key)) = of(&transport) {
                    self.within(id, now, |room, cx| room.connected(key, transport, cx));
                }
            }
            Event::Disconnected { transport, reason } => {
                if let Some((id, key)) = of(&transport) {
                    tracing::info!(%transport, ?reason, "media connection ended");
                    self.within(id, now, |room, cx| room.disconnected(key, transport, cx));
                }
            }
            Event::Data { transport, channel, payload } => {
                if let Some((id, key)) = of(&transport) {
                    self.within(id, now, |room, cx| room.handle_data(key, channel, &payload, cx));
                }
            }
            Event::Speakers { room, speakers, dominant } => {
                self.within(room, now, |room, cx| room.speakers(worker, speakers, dominant, cx));
            }
            Event::Slots { room, speakers } => {
                self.within(room, now, |room, cx| room.slots_filled(&speakers, cx));
            }
            Event::StreamState { transport, track, subscription, paused } => {
                if let Some((id, key)) = of(&transport) {
                    self.within(id, now, |room, cx| room.stream_state(key, track, subscription, paused, cx));
                }
            }
            Event::Reach { transport, track, subscription, layer } => {
                if let Some((id, key)) = of(&transport) {
                    self.within(id, now, |room, cx| room.reaches(key, track, subscription, layer, cx));
                }
            }
            Event::ChannelOpen { transport, channel: DataChannel::Reliable } => {
                if let Some((id, key)) = of(&transport) {
                    self.within(id, now, |room, cx| room.tell_one_of_door(key, cx));
                }
            }
            Event::TrackStarted { transport, track } => {
                if let Some((id, _)) = of(&transport) {
                    self.within(id, now, |room, cx| room.track_started(track, cx));
                }
            }
            Event::ChannelOpen { .. } => {}
        }
    }

    /// What is due by time alone; call it four times a second.
    pub fn tick(&mut self, now: Instant) {
        let ids: Vec<RoomId> = self.rooms.keys().copied().collect();
        for id in ids {
            self.within(id, now, |room, cx| room.tick(cx));
        }
        let (names, settings) = (&mut self.names, &self.settings);
        self.rooms.retain(|_, room| {
            let keep = !room.expired(settings, now);
            if !keep {
                tracing::info!(room = room.name, "room closed");
                names.remove(&room.name);
            }
            keep
        });
        self.forget_firsts(now);
    }

    /// Tells everybody to come back to the server that follows, and lets nobody in any more.
    pub fn shutdown(&mut self, now: Instant) {
        self.closing = true;
        let ids: Vec<RoomId> = self.rooms.keys().copied().collect();
        for id in ids {
            self.within(id, now, |room, cx| {
                let conns: Vec<ConnId> = room.sessions.values().filter_map(|s| s.conn).collect();
                let leave: Notice =
                    crate::adapter::livekit::encode::leave(DisconnectReason::ServerShutdown, Action::Reconnect);
                cx.out.push(Effect::Notice(conns.clone(), Box::new(leave)));
                cx.out.extend(conns.into_iter().map(Effect::Close));
                for session in room.sessions.values_mut() {
                    session.close(cx);
                }
            });
        }
        self.rooms.clear();
        self.names.clear();
        self.conns.clear();
        self.transports.clear();
        self.resources.clear();
        self.subscribers = Subscribers::default();
        self.loads = Loads::new(self.workers);
    }

    /// Rooms and participants now, for the log.
    pub fn count(&self) -> (usize, usize) {
        (self.rooms.len(), self.rooms.values().map(|room| room.sessions.len()).sum())
    }
}
