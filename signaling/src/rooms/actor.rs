//! The one task that owns all rooms: it takes turns between sockets, media and the clock, and does what the rooms want done.

use super::effect::{Closing, ConnId, Effect, Notice};
use super::http::{HttpJoin, HttpSession};
use super::ids::Ids;
use super::outbox::{Outbound, Outbox, Pushed, is_news, outbox};
use super::{Presence, Rooms};
use crate::Settings;
use crate::adapter::livekit::encode::frame;
use crate::auth::{self, Claims};
use crate::counts::Counts;
use crate::error::Refusal;
use crate::media::{Media, MediaLink};
use crate::session::token::LIFETIME;
use crate::session::{Dialect, Join, Request};
use ramai_sfu::api::Event;
use ramai_sfu::id::WorkerId;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{mpsc, oneshot};
use tokio::time::MissedTickBehavior;

/// Messages that may wait for the task. Sockets wait when it's full.
const INBOX: usize = 4096;
const TICK: Duration = Duration::from_millis(250);
/// How long shutdown waits for sockets to close.
const FAREWELL: Duration = Duration::from_secs(2);

/// Something to do with the rooms; what it gives back says that it is done.
type Turn = Box<dyn FnOnce(&mut Rooms, Instant, i64) -> Box<dyn FnOnce() + Send> + Send>;

enum Inbox {
    Join(ConnId, Box<Join>, Outbox),
    Request(ConnId, Box<Request>),
    Closed(ConnId, Closing),
    Check(Box<Claims>, oneshot::Sender<Result<Presence, Refusal>>),
    Open(Box<HttpJoin>, oneshot::Sender<Result<HttpSession, Refusal>>),
    End(Dialect, String, Box<Claims>, oneshot::Sender<Result<(), Refusal>>),
    Turn(Turn),
    Shutdown(oneshot::Sender<()>),
}

/// The way to the task.
#[derive(Clone)]
pub struct Handle {
    inbox: mpsc::Sender<Inbox>,
    conns: Arc<AtomicU64>,
    /// What is counted.
    pub counts: Arc<Counts>,
}

impl Handle {
    /// Whether a join would be let in now, and of whom.
    pub async fn check(&self, claims: &Claims) -> Result<Presence, Refusal> {
        self.ask(|reply| Inbox::Check(Box::new(claims.clone()), reply)).await
    }

    /// Messages that wait for the task.
    pub fn backlog(&self) -> usize {
        self.inbox.max_capacity() - self.inbox.capacity()
    }

    /// Does something with the rooms in its turn, at a given time that is told also as milliseconds since the epoch. What follows from
    /// it is done when this ends; `None` when the task is gone.
    pub async fn turn<T: Send + 'static>(
        &self,
        act: impl FnOnce(&mut Rooms, Instant, i64) -> T + Send + 'static,
    ) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        let turn: Turn = Box::new(move |rooms, now, wall_ms| {
            let result = act(rooms, now, wall_ms);
            Box::new(move || drop(reply.send(result)))
        });
        self.inbox.send(Inbox::Turn(turn)).await.ok()?;
        answer.await.ok()
    }

    /// Opens a session over plain HTTP.
    pub async fn open(&self, join: HttpJoin) -> Result<HttpSession, Refusal> {
        self.ask(|reply| Inbox::Open(Box::new(join), reply)).await
    }

    /// Ends a session over plain HTTP.
    pub async fn end(&self, dialect: Dialect, resource: String, claims: Claims) -> Result<(), Refusal> {
        self.ask(|reply| Inbox::End(dialect, resource, Box::new(claims), reply)).await
    }

    async fn ask<T>(&self, question: impl FnOnce(oneshot::Sender<Result<T, Refusal>>) -> Inbox) -> Result<T, Refusal> {
        let (reply, answer) = oneshot::channel();
        if self.inbox.send(question(reply)).await.is_err() {
            return Err(Refusal::ShuttingDown);
        }
        answer.await.unwrap_or(Err(Refusal::ShuttingDown))
    }

    /// Joins or resumes; the answer is the first frame of the given channel. `None` when the task is gone.
    pub async fn join(&self, join: Box<Join>) -> Option<(ConnId, mpsc::Receiver<Outbound>)> {
        let conn = ConnId(self.conns.fetch_add(1, Ordering::Relaxed));
        let (outbox, frames) = outbox();
        self.inbox.send(Inbox::Join(conn, join, outbox)).await.ok()?;
        Some((conn, frames))
    }

    /// Hands a request over; waits while the task is busy.
    pub async fn request(&self, conn: ConnId, request: Request) {
        // Fails only when the task ended; then the socket's frames end too.
        let _ = self.inbox.send(Inbox::Request(conn, Box::new(request))).await;
    }

    /// Reports a socket's end.
    pub async fn closed(&self, conn: ConnId, how: Closing) {
        let _ = self.inbox.send(Inbox::Closed(conn, how)).await;
    }

    /// Ends when all clients were told and their sockets closed, or after a short while.
    pub async fn shutdown(&self) {
        let (done, wait) = oneshot::channel();
        if self.inbox.send(Inbox::Shutdown(done)).await.is_ok() {
            let _ = wait.await;
        }
    }
}

/// Starts the task.
pub fn spawn(settings: Arc<Settings>, media: MediaLink) -> Handle {
    let (inbox, messages) = mpsc::channel(INBOX);
    let rooms = Rooms::new(settings.clone(), Ids::from_os(), media.workers.len());
    let counts = rooms.counts.clone();
    let actor = Actor {
        settings,
        rooms,
        media: Media::new(media.workers),
        outboxes: HashMap::new(),
        behind: BTreeSet::new(),
        farewell: None,
    };
    tokio::spawn(actor.run(messages, media.events));
    Handle { inbox, conns: Arc::new(AtomicU64::new(1)), counts }
}

struct Actor {
    settings: Arc<Settings>,
    rooms: Rooms,
    media: Media,
    outboxes: HashMap<ConnId, Outbox>,
    /// Clients that miss news of their room.
    behind: BTreeSet<ConnId>,
    farewell: Option<(oneshot::Sender<()>, Instant)>,
}

impl Actor {
    async fn run(mut self, mut messages: mpsc::Receiver<Inbox>, mut events: mpsc::Receiver<(WorkerId, Event)>) {
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut media = true;
        loop {
            tokio::select! {
                message = messages.recv() => match message {
                    Some(message) => self.handle(message),
                    None => return,
                },
                event = events.recv(), if media => match event {
                    Some((worker, event)) => {
                        self.media.note(&event);
                        self.rooms.handle_event(Instant::now(), worker, event);
                    }
                    None => media = false,
                },
                _ = tick.tick() => {
                    self.catch_up();
                    self.rooms.tick(Instant::now());
                    self.rooms.counts.population(self.rooms.count());
                }
            }
            self.perform();
            self.media.flush();
            let over = |at: &Instant| self.outboxes.is_empty() || Instant::now() >= *at;
            if self.farewell.as_ref().is_some_and(|(_, at)| over(at))
                && let Some((done, _)) = self.farewell.take()
            {
                let _ = done.send(());
            }
        }
    }

    fn handle(&mut self, message: Inbox) {
        let now = Instant::now();
        match message {
            Inbox::Join(conn, join, outbox) => {
                self.outboxes.insert(conn, outbox);
                self.rooms.join(now, wall_ms(), conn, &join);
            }
            Inbox::Open(join, reply) => {
                let opened = self.rooms.open(now, wall_ms(), *join);
                // The media plane knows the wire before the client can.
                self.perform();
                let _ = reply.send(opened);
            }
            Inbox::End(dialect, resource, claims, reply) => {
                let _ = reply.send(self.rooms.end(now, dialect, &resource, &claims));
            }
            Inbox::Request(conn, request) => self.rooms.handle_request(now, conn, *request),
            Inbox::Closed(conn, how) => {
                self.outboxes.remove(&conn);
                self.rooms.handle_closed(now, conn, how);
            }
            Inbox::Check(claims, reply) => {
                let _ = reply.send(self.rooms.presence(now, &claims));
            }
            Inbox::Turn(turn) => {
                let done = turn(&mut self.rooms, now, wall_ms());
                self.perform();
                done();
            }
            Inbox::Shutdown(done) => {
                let (rooms, participants) = self.rooms.count();
                tracing::info!(rooms, participants, "telling clients that the server goes");
                self.rooms.shutdown(now);
                self.farewell = Some((done, now + FAREWELL));
            }
        }
    }

    /// Does what the rooms want done; cutting off a slow client may make more of it.
    fn perform(&mut self) {
        loop {
            let effects = self.rooms.take_effects();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Attach(worker, command) => self.media.attach(worker, command),
                    Effect::Command(command) => self.media.command(command),
                    Effect::Close(conn) => self.push(conn, |outbox| outbox.push(Outbound::Close)),
                    Effect::Notice(conns, notice) => {
                        let news = is_news(&notice);
                        let frame = frame(*notice);
                        for conn in conns {
                            self.push(conn, |outbox| match news {
                                true => outbox.push_news(frame.clone()),
                                false => outbox.push(Outbound::Frame(frame.clone())),
                            });
                        }
                    }
                    Effect::Token(conn, claims) => self.give_token(conn, *claims),
                    Effect::Frames(conn, frames) => {
                        for frame in frames {
                            self.push(conn, |outbox| outbox.push(Outbound::Frame(frame)));
                        }
                    }
                }
            }
        }
    }

    fn push(&mut self, conn: ConnId, push: impl FnOnce(&mut Outbox) -> Pushed) {
        let Some(outbox) = self.outboxes.get_mut(&conn) else { return };
        match push(outbox) {
            Pushed::Queued | Pushed::Missed => {}
            Pushed::Behind => {
                self.behind.insert(conn);
                self.rooms.fell_behind(Instant::now(), conn);
            }
            Pushed::Lost => {
                // Dropping the sender ends the socket after what it still has.
                tracing::warn!(conn = conn.0, "client reads too slowly, cut off");
                self.rooms.counts.cut_off();
                self.outboxes.remove(&conn);
                self.rooms.handle_closed(Instant::now(), conn, Closing::Cut);
            }
        }
    }

    fn give_token(&mut self, conn: ConnId, claims: Claims) {
        let now = u64::try_from(wall_ms() / 1000).unwrap_or(0);
        let claims = Claims { nbf: now, exp: now + LIFETIME.as_secs(), ..claims };
        let secret = self.settings.keys.iter().find(|(key, _)| *key == claims.iss);
        if let Some(token) = secret.and_then(|(_, secret)| auth::mint(&claims, secret)) {
            let frame = frame(Notice::RefreshToken(token));
            self.push(conn, |outbox| outbox.push(Outbound::Frame(frame)));
        }
    }

    /// Gives those who have read all that waited what they missed.
    fn catch_up(&mut self) {
        let Self { behind, outboxes, rooms, .. } = self;
        behind.retain(|conn| {
            let Some(outbox) = outboxes.get_mut(conn) else { return false };
            let caught_up = outbox.caught_up();
            if caught_up {
                rooms.caught_up(Instant::now(), *conn);
            }
            !caught_up
        });
    }
}

fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}
