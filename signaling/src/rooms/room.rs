//! One room: its sessions, its tracks, and what each hears of the others.

use super::effect::{ConnId, Effect, Notice};
use super::entrance::Entrance;
use super::lasting::Lasting;
use super::lately::Lately;
use super::options::Options;
use super::pages::Pages;
use super::revoked::Revoked;
use super::roster::Roster;
use super::slots::Slots;
use super::speakers::Heard;
use crate::negotiate::sdp::SdpError;
use crate::session::{Change, Context, Dialect, Join, Publications, Request, Session, SessionKey};
use livekit_protocol as proto;
use proto::DisconnectReason;
use proto::leave_request::Action;
use proto::participant_info::State;
use ramai_sfu::id::{TrackId, TransportId, WorkerId};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

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
    /// Somebody has been in it.
    pub entered: bool,
    pub options: Options,
    pub entrance: Entrance,
    pub(super) revoked: Revoked,
    pub(super) lasting: Lasting,
    /// The last word of each worker on who is heard among its publishers.
    pub(super) heard: BTreeMap<WorkerId, Heard>,
    /// The track that has the floor, also while it pauses.
    pub(super) floor: Option<TrackId>,
    pub(super) speaking: BTreeMap<SessionKey, f32>,
    pub(super) roster: Roster,
    /// Through which it hears, if it is large.
    pub(super) slots: Option<Slots>,
    /// Those who were told to others.
    pub(super) pages: Pages,
    pub(super) lately: Lately,
    /// Tracks that began, and when they count as settled; oldest first.
    pub(super) settling: VecDeque<(Instant, TrackId)>,
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
            entered: false,
            options: Options::default(),
            entrance: Entrance::default(),
            revoked: Revoked::default(),
            lasting: Lasting::default(),
            heard: BTreeMap::new(),
            floor: None,
            speaking: BTreeMap::new(),
            roster: Roster::default(),
            slots: None,
            pages: Pages::default(),
            lately: Lately::default(),
            settling: VecDeque::new(),
        }
    }

    /// The session of an identity.
    pub fn by_identity(&self, identity: &str) -> Option<SessionKey> {
        self.identities.get(identity).copied()
    }

    /// A session is one of the room's from now on; nobody was told yet.
    pub(super) fn enter(&mut self, session: Session, cx: &mut Context<'_>) {
        self.tell_before(&session.info.identity, cx);
        (self.empty_since, self.entered) = (None, true);
        cx.loads.add(cx.room, session.worker);
        self.identities.insert(session.info.identity.clone(), session.key);
        self.sessions.insert(session.key, session);
    }

    /// Lets a checked client in.
    pub fn join(&mut self, session: Session, join: &Join, cx: &mut Context<'_>) {
        let key = session.key;
        self.open_slots_if_due(session.worker, cx);
        self.enter(session, cx);
        // The first page goes with the first message, for clients that look who is there when they are in.
        let (mut others, mut more) = (Vec::new(), Vec::new());
        if self.sessions.get(&key).is_some_and(|s| s.waiting.is_none()) {
            let first = self.pages.first().filter_map(|other| Some(self.participant(self.sessions.get(&other)?)));
            others = self.slots_participant().into_iter().chain(first).collect();
            more = self.pages(1);
        }
        if self.sessions.get(&key).is_some_and(Session::listed) {
            self.pages.touch(key);
        }
        let Some(session) = self.sessions.get(&key) else { return };
        let response = crate::adapter::livekit::encode::join_response(
            self.info_for(session, cx.settings),
            self.participant(session),
            others,
            join.dialect == Dialect::Dual,
            cx.settings,
        );
        session.notify(Notice::Join(response), cx);
        cx.out.extend(session.conn.map(|conn| Effect::Frames(conn, more)));
        self.tell_of_waiting(session, cx);
        self.announce(key, false, cx);
        for track in join.add_tracks.iter().cloned() {
            self.handle(key, Request::AddTrack(track), cx);
        }
        self.subscribe_by_itself(key, cx);
        if let Some(offer) = join.offer.clone() {
            self.handle(key, Request::Offer(offer), cx);
        }
        self.with(key, cx, |session, publications, cx| session.negotiate(publications, cx));
    }

    /// The client is back on a new WebSocket; its wires still stand.
    pub fn resume(&mut self, key: SessionKey, conn: ConnId, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if let Some(old) = session.conn.replace(conn) {
            cx.out.push(Effect::Close(old));
        }
        session.ends_at = None;
        session.renewal.hurry(cx.now);
        let reconnect = crate::adapter::livekit::encode::reconnect_response(session.last_sequence, cx.settings);
        session.notify(Notice::Reconnect(reconnect), cx);
        // What was on its way when the line was cut may be lost, too.
        let since = session.behind.take().and_then(|since| since.checked_sub(ON_THE_WAY)).unwrap_or(cx.now);
        if !self.catch_up(key, since, cx) {
            return;
        }
        self.with(key, cx, |session, publications, cx| session.restart_downstream(publications, cx));
    }

    /// Subscribes a newcomer to what it gets without asking.
    pub(super) fn subscribe_by_itself(&mut self, key: SessionKey, cx: &mut Context<'_>) {
        self.with(key, cx, |session, publications, cx| {
            for publication in publications.automatic(session.auto_subscribe) {
                session.subscribe_unasked(publication, cx);
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

    /// A wire is up.
    pub fn connected(&mut self, key: SessionKey, transport: TransportId, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.connected.insert(transport);
        if session.primary() == transport && session.info.state() != State::Active {
            session.info.set_state(State::Active);
            self.announce(key, true, cx);
        }
    }

    /// What is due by time alone.
    pub fn tick(&mut self, cx: &mut Context<'_>) {
        self.entrance.tick(cx.now);
        let ended = |s: &&Session| s.ends_at.is_some_and(|at| at <= cx.now);
        let ended: Vec<SessionKey> = self.sessions.values().filter(ended).map(|s| s.key).collect();
        for key in ended {
            self.remove(key, DisconnectReason::SignalClose, None, cx);
        }
        self.settle(cx);
        self.tell(cx);
        self.lately.prune(cx.now);
        let Room { sessions, publications, .. } = self;
        for session in sessions.values_mut() {
            session.tick(publications, cx);
        }
    }
}
