//! One room: its sessions, its tracks, and what each hears of the others.

use super::effect::{Closing, Effect, Notice};
use super::lately::Lately;
use super::pages::Pages;
use super::roster::Roster;
use crate::negotiate::sdp::SdpError;
use crate::session::{Change, Context, Dialect, Join, Publications, Request, Session, SessionKey};
use livekit_protocol as proto;
use proto::DisconnectReason;
use proto::leave_request::Action;
use proto::participant_info::State;
use ramai_sfu::api::{Command, Speaker};
use ramai_sfu::id::{TrackId, TransportId, WorkerId};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// Trust a client that closed its WebSocket in an orderly way to come back within so long, or it left.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

/// What was sent so long before a line was found to be cut may not have arrived: the longest silence that a client is allowed.
const ON_THE_WAY: Duration = Duration::from_secs(15);

/// A session that is gone, for the maps above the room.
pub struct Gone {
    pub conn: Option<super::effect::ConnId>,
    pub transports: Vec<TransportId>,
    pub resource: Option<String>,
}

/// See the module.
pub struct Room {
    pub sid: String,
    pub name: String,
    pub created_ms: i64,
    pub sessions: BTreeMap<SessionKey, Session>,
    /// Who has which identity.
    pub(super) identities: HashMap<String, SessionKey>,
    pub publications: Publications,
    pub gone: Vec<Gone>,
    pub empty_since: Option<Instant>,
    /// The last word of each worker on who is heard among its publishers.
    pub(super) heard: BTreeMap<WorkerId, Vec<Speaker>>,
    pub(super) speaking: BTreeMap<SessionKey, f32>,
    pub(super) roster: Roster,
    /// Those who were told to others.
    pub(super) pages: Pages,
    pub(super) lately: Lately,
}

impl Room {
    pub fn new(sid: String, name: String, created_ms: i64) -> Self {
        Self {
            sid,
            name,
            created_ms,
            sessions: BTreeMap::new(),
            identities: HashMap::new(),
            publications: Publications::default(),
            gone: Vec::new(),
            empty_since: None,
            heard: BTreeMap::new(),
            speaking: BTreeMap::new(),
            roster: Roster::default(),
            pages: Pages::default(),
            lately: Lately::default(),
        }
    }

    /// The session of an identity.
    pub fn by_identity(&self, identity: &str) -> Option<SessionKey> {
        self.identities.get(identity).copied()
    }

    /// The room as clients are told of it.
    pub fn info(&self, settings: &crate::Settings) -> proto::Room {
        proto::Room {
            sid: self.sid.clone(),
            name: self.name.clone(),
            empty_timeout: settings.empty_timeout.as_secs() as u32,
            max_participants: settings.max_participants as u32,
            creation_time: self.created_ms / 1000,
            creation_time_ms: self.created_ms,
            enabled_codecs: crate::adapter::livekit::encode::enabled_codecs(),
            num_participants: self.pages.len() as u32,
            ..Default::default()
        }
    }

    /// A session is one of the room's from now on; nobody was told yet.
    pub(super) fn enter(&mut self, session: Session, cx: &mut Context<'_>) {
        self.tell_before(&session.info.identity, cx);
        self.empty_since = None;
        cx.loads.add(cx.room, session.worker);
        self.identities.insert(session.info.identity.clone(), session.key);
        self.sessions.insert(session.key, session);
    }

    /// Lets a checked client in.
    pub fn join(&mut self, session: Session, join: &Join, cx: &mut Context<'_>) {
        let key = session.key;
        self.enter(session, cx);
        // The first page goes with the first message, for clients that look who is there when they are in.
        let others = self.pages.first().filter_map(|other| Some(self.participant(self.sessions.get(&other)?)));
        let others = others.collect();
        let more = self.pages(1);
        let Some(session) = self.sessions.get(&key) else { return };
        let response = crate::adapter::livekit::encode::join_response(
            self.info(cx.settings),
            self.participant(session),
            others,
            join.dialect == Dialect::Dual,
            cx.settings,
        );
        session.notify(Notice::Join(response), cx);
        cx.out.extend(session.conn.map(|conn| Effect::Frames(conn, more)));
        self.announce(key, false, cx);
        for track in join.add_tracks.iter().cloned() {
            self.handle(key, Request::AddTrack(track), cx);
        }
        if join.auto_subscribe {
            self.subscribe_to_all(key, cx);
        }
        if let Some(offer) = join.offer.clone() {
            self.handle(key, Request::Offer(offer), cx);
        }
        self.with(key, cx, |session, publications, cx| session.negotiate(publications, cx));
    }

    /// The client is back on a new WebSocket; its wires still stand.
    pub fn resume(&mut self, key: SessionKey, conn: super::effect::ConnId, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if let Some(old) = session.conn.replace(conn) {
            cx.out.push(Effect::Close(old));
        }
        session.ends_at = None;
        let reconnect = crate::adapter::livekit::encode::reconnect_response(session.last_sequence, cx.settings);
        session.notify(Notice::Reconnect(reconnect), cx);
        // What was on its way when the line was cut may be lost, too.
        let since = session.behind.take().and_then(|since| since.checked_sub(ON_THE_WAY)).unwrap_or(cx.now);
        if !self.catch_up(key, since, cx) {
            return;
        }
        self.with(key, cx, |session, publications, cx| session.restart_downstream(publications, cx));
    }

    fn subscribe_to_all(&mut self, key: SessionKey, cx: &mut Context<'_>) {
        self.with(key, cx, |session, publications, cx| {
            for publication in publications.values() {
                session.subscribe(publication, cx);
            }
        });
    }

    pub(super) fn with<R>(
        &mut self,
        key: SessionKey,
        cx: &mut Context<'_>,
        f: impl FnOnce(&mut Session, &Publications, &mut Context<'_>) -> R,
    ) -> Option<R> {
        let session = self.sessions.get_mut(&key)?;
        Some(f(session, &self.publications, cx))
    }

    /// One request of a client's.
    pub fn handle(&mut self, key: SessionKey, request: Request, cx: &mut Context<'_>) {
        match request {
            Request::Offer(offer) => {
                let changes = self.with(key, cx, |s, p, cx| s.handle_offer(&offer, p, cx));
                self.negotiated(key, changes, cx);
            }
            Request::Answer(answer) => {
                let changes = self.with(key, cx, |s, p, cx| s.handle_answer(&answer, p, cx));
                self.negotiated(key, changes, cx);
            }
            Request::AddTrack(request) => {
                let changes = self.with(key, cx, |s, p, cx| s.add_track(request, p, cx));
                self.apply(key, changes.unwrap_or_default(), cx);
            }
            other => self.handle_other(key, other, cx),
        }
    }

    fn negotiated(&mut self, key: SessionKey, result: Option<Result<Vec<Change>, SdpError>>, cx: &mut Context<'_>) {
        match result {
            None => {}
            Some(Ok(changes)) => self.apply(key, changes, cx),
            Some(Err(SdpError::NotOutstanding)) => tracing::debug!("answer to an old offer ignored"),
            Some(Err(error)) => {
                let Some(session) = self.sessions.get(&key) else { return };
                tracing::warn!(reason = %error, room = self.name, participant = session.info.identity, "SDP refused");
                let mut response = proto::RequestResponse { message: error.to_string(), ..Default::default() };
                response.set_reason(proto::request_response::Reason::InvalidRequest);
                session.notify(Notice::RequestResponse(response), cx);
                // Whoever has no connection yet would wait for it in vain; a running call goes on without the change.
                if !session.upstream.attached {
                    self.remove(key, DisconnectReason::JoinFailure, Some(Action::Disconnect), cx);
                }
            }
        }
    }

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
                    self.publications.insert(*publication);
                    announce = true;
                }
                Change::Ended(track) => {
                    self.unpublish(track, cx);
                    announce = true;
                }
                Change::Subscribed(track) => {
                    self.first_subscription(track, cx);
                    self.tell_wanted(track, cx);
                }
                Change::Wanted(track) => self.tell_wanted(track, cx),
            }
        }
        self.note_published(published);
        if announce {
            self.announce(key, true, cx);
        }
    }

    /// A track is gone: for its subscribers, then for the media plane.
    fn unpublish(&mut self, track: TrackId, cx: &mut Context<'_>) {
        let Some(publication) = self.publications.remove(track) else { return };
        tracing::info!(room = self.name, track = publication.info.sid, "track unpublished");
        let Room { sessions, publications, .. } = self;
        for key in cx.subscribers.of(track) {
            let Some(session) = sessions.get_mut(&key) else { continue };
            session.unsubscribe(track, cx);
            session.negotiate(publications, cx);
        }
        cx.command(Command::Unpublish { track });
    }

    fn first_subscription(&mut self, track: TrackId, cx: &mut Context<'_>) {
        let Some(publication) = self.publications.get_mut(&track).filter(|p| !p.seen) else { return };
        publication.seen = true;
        let notice = Notice::TrackSubscribed(proto::TrackSubscribed { track_sid: publication.info.sid.clone() });
        if let Some(publisher) = self.sessions.get(&publication.publisher) {
            publisher.notify(notice, cx);
        }
    }

    /// Takes a session out: its tracks, its wires, its WebSocket. `action` is what its client is told to do, if anything.
    pub fn remove(&mut self, key: SessionKey, reason: DisconnectReason, action: Option<Action>, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get(&key) else { return };
        let identity = session.info.identity.clone();
        tracing::info!(room = self.name, participant = identity, reason = reason.as_str_name(), "participant left");
        if let Some(action) = action {
            session.notify(crate::adapter::livekit::encode::leave(reason, action), cx);
        }
        let tracks: Vec<TrackId> = self.publications.of(key).map(|p| p.track).collect();
        for track in tracks {
            self.unpublish(track, cx);
        }
        let Some(mut session) = self.sessions.remove(&key) else { return };
        session.close(cx);
        if let Some(conn) = session.conn {
            cx.out.push(Effect::Close(conn));
        }
        for track in session.subscriptions.keys() {
            cx.subscribers.remove(*track, key);
            self.tell_wanted(*track, cx);
        }
        cx.loads.remove(cx.room, session.worker, 1 + session.subscriptions.len());
        if self.identities.get(&identity) == Some(&key) {
            self.identities.remove(&identity);
        }
        self.speaking.remove(&key);
        let resource = session.resource.take();
        self.gone.push(Gone { conn: session.conn, transports: session.transports().collect(), resource });
        if !session.grants.hidden {
            self.announce_departure(key, session.info, reason, cx);
        }
        if self.sessions.is_empty() {
            self.empty_since = Some(cx.now);
        }
    }

    /// A session's WebSocket ended.
    pub fn closed(&mut self, key: SessionKey, conn: super::effect::ConnId, how: Closing, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key).filter(|s| s.conn == Some(conn)) else { return };
        session.conn = None;
        // Without a wire there is nothing to resume.
        let wait = match how {
            Closing::GoingAway => Duration::ZERO,
            _ if session.connected.is_empty() => Duration::ZERO,
            Closing::Closed => RETURN_TIMEOUT.min(cx.settings.resume_timeout),
            Closing::Cut => cx.settings.resume_timeout,
        };
        tracing::debug!(room = self.name, participant = session.info.identity, ?how, ?wait, "signal connection ended");
        if wait.is_zero() {
            self.remove(key, DisconnectReason::SignalClose, None, cx);
        } else {
            session.ends_at = Some(cx.now + wait);
            session.behind = session.behind.or(Some(cx.now));
        }
    }

    /// A wire is up.
    pub fn connected(&mut self, key: SessionKey, transport: TransportId, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.connected.insert(transport);
        if session.primary() == transport && session.info.state() != State::Active {
            session.info.set_state(State::Active);
            self.announce(key, true, cx);
        }
    }

    /// A wire is gone; the client has to start anew.
    pub fn disconnected(&mut self, key: SessionKey, transport: TransportId, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.detached(transport);
        self.remove(key, DisconnectReason::MediaFailure, Some(Action::Reconnect), cx);
    }

    /// What is due by time alone.
    pub fn tick(&mut self, cx: &mut Context<'_>) {
        let ended = |s: &&Session| s.ends_at.is_some_and(|at| at <= cx.now);
        let ended: Vec<SessionKey> = self.sessions.values().filter(ended).map(|s| s.key).collect();
        for key in ended {
            self.remove(key, DisconnectReason::SignalClose, None, cx);
        }
        self.tell(cx);
        self.lately.prune(cx.now);
        let Room { sessions, publications, .. } = self;
        for session in sessions.values_mut() {
            session.tick(publications, cx);
        }
    }
}
