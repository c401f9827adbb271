//! One client as a state machine: requests and publications in, notices and commands out. No clock, no task, no socket.
//!
//! A [`Session`] owns the negotiation of its connections, its not yet matched tracks and its subscriptions. What concerns
//! others comes out as [`Change`]s, which the room carries on.

pub mod automatic;
pub mod downstream;
pub mod publication;
mod publications;
pub mod quality;
mod subscribers;
pub mod token;
pub mod upstream;

use crate::Settings;
use crate::auth::{Claims, Grants};
use crate::counts::Counts;
use crate::negotiate::answer::Answerer;
use crate::negotiate::offer::Offerer;
use crate::rooms::effect::{ConnId, Effect, Notice};
use crate::rooms::ids::Ids;
use crate::rooms::placement::Loads;
use livekit_protocol as proto;
use publication::{Pending, Publication};
pub use publications::Publications;
use ramai_sfu::api::Command;
use ramai_sfu::id::Ssrc;
use ramai_sfu::id::{RoomId, SubscriptionId, TrackId, TransportId, WorkerId};
use ramai_sfu::params::{Extension, SubscriptionSettings, TransportParams};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};
pub use subscribers::Subscribers;

/// What a client asks, in the client protocol's own messages; other dialects make the same ones.
pub type Request = proto::signal_request::Message;

/// A session; never reused in a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionKey(pub u64);

/// How a client negotiates, and over how many peer connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dialect {
    /// The client protocol over one, in which the client always offers (v1).
    Single,
    /// The client protocol over two: one to publish, offered by the client, and one to subscribe, offered by us (v0).
    Dual,
    /// One, offered once over plain HTTP, in which the client only publishes (RFC 9725).
    Whip,
    /// One, offered once over plain HTTP, in which the client only subscribes.
    Whep,
}

impl Dialect {
    pub const ALL: [Self; 4] = [Self::Single, Self::Dual, Self::Whip, Self::Whep];

    /// Its name for operators.
    pub fn name(self) -> &'static str {
        match self {
            Self::Single => "v1",
            Self::Dual => "v0",
            Self::Whip => "whip",
            Self::Whep => "whep",
        }
    }
}

/// A checked wish to join or to resume.
#[derive(Clone, Debug)]
pub struct Join {
    /// Who, where to and what is allowed.
    pub claims: Claims,
    /// Peer connections.
    pub dialect: Dialect,
    /// Subscribe to everything by itself.
    pub auto_subscribe: bool,
    /// SDK, browser and versions.
    pub client: proto::ClientInfo,
    /// The SID to resume.
    pub resume: Option<String>,
    /// The first offer, if it came along.
    pub offer: Option<proto::SessionDescription>,
    /// Tracks announced along.
    pub add_tracks: Vec<proto::AddTrackRequest>,
    /// Attributes set by the client itself; need the grant to update own metadata.
    pub attributes: std::collections::HashMap<String, String>,
    /// Metadata set by the client itself; needs that grant too.
    pub metadata: String,
}

/// What a session did that concerns its room.
#[derive(Debug)]
pub enum Change {
    /// A track comes in.
    Published(Box<Publication>),
    /// A track doesn't any more.
    Ended(TrackId),
    /// A track goes out to this session.
    Subscribed(TrackId),
    /// Which layers are wanted of this track may have changed.
    Wanted(TrackId),
}

/// One wanted track.
#[derive(Clone, Debug)]
pub struct Subscription {
    pub id: SubscriptionId,
    pub ssrc: Ssrc,
    pub rtx_ssrc: Ssrc,
    /// It has a media section.
    pub placed: bool,
    /// The media plane sends it.
    pub live: bool,
    /// The client can't take it; it was told.
    pub refused: bool,
    /// Of what, if it is seen.
    pub picture: Option<automatic::Picture>,
    /// What the client asked to be shown.
    pub view: quality::View,
    /// What the media plane was told last.
    pub settings: SubscriptionSettings,
    /// The highest layer that has room on the way to the client, as the media plane told; `None`: any.
    pub reach: Option<u8>,
}

/// A request for more sections, or just for another offer, that the client hasn't followed yet (v1).
#[derive(Clone, Copy, Debug)]
struct Asked {
    audio: usize,
    video: usize,
    at: Instant,
}

impl Subscription {
    /// The highest layer that is sent, or would be if the publisher sent it; `None` while nothing is.
    fn sent(&self) -> Option<u8> {
        let most = self.settings.max_spatial;
        (self.live && !self.settings.paused).then_some(self.reach.map_or(most, |reach| reach.min(most)))
    }
}

/// After so long the client is asked again.
const ASK_AGAIN: Duration = Duration::from_secs(5);

/// What session code needs of its surroundings.
pub struct Context<'a> {
    pub settings: &'a Settings,
    pub ids: &'a mut Ids,
    pub out: &'a mut Vec<Effect>,
    pub counts: &'a Counts,
    pub subscribers: &'a mut Subscribers,
    pub loads: &'a mut Loads,
    pub room: RoomId,
    pub now: Instant,
}

impl Context<'_> {
    /// Tells the workers that it concerns.
    pub fn command(&mut self, command: Command) {
        self.out.push(Effect::Command(command));
    }

    /// Brings up a wire on a worker.
    pub fn attach(&mut self, worker: WorkerId, transport: TransportId, params: TransportParams) {
        let attach = Command::AttachTransport { transport, room: self.room, params: Box::new(params) };
        self.out.push(Effect::Attach(worker, attach));
    }

    /// Our host candidates on a worker.
    pub fn candidates(&self, worker: WorkerId) -> &[std::net::SocketAddr] {
        self.settings.candidates.get(usize::from(worker.0)).map_or(&[], Vec::as_slice)
    }
}

/// See the module.
pub struct Session {
    pub key: SessionKey,
    /// As others see it; `tracks` is empty here, the room fills it in.
    pub info: proto::ParticipantInfo,
    /// What it may now.
    pub grants: Grants,
    /// What it may once it is let in, while it is in the waiting room.
    pub waiting: Option<Grants>,
    /// None while the WebSocket is gone, and where there never is any: such a session lives as long as its wire.
    pub conn: Option<ConnId>,
    /// Last part of the URL by which a session over plain HTTP is known.
    pub resource: Option<String>,
    /// Of the token with which it can come back.
    pub renewal: token::Renewal,
    /// Since when it has not heard all that happens in the room.
    pub behind: Option<Instant>,
    /// When a session without WebSocket ends.
    pub ends_at: Option<Instant>,
    pub dialect: Dialect,
    /// Where its wires live, for good.
    pub worker: WorkerId,
    pub auto_subscribe: bool,
    pub upstream: Answerer,
    pub downstream: Option<Offerer>,
    pub subscriptions: BTreeMap<TrackId, Subscription>,
    /// Tracks that its client sent away: it gets them no more without asking.
    declined: BTreeSet<TrackId>,
    /// Wires that are up.
    pub connected: BTreeSet<TransportId>,
    /// Highest sequence of reliable data taken from this client.
    pub last_sequence: u32,
    /// Whom this client lets subscribe to its tracks; everybody, if it never said.
    pub permission: Option<proto::SubscriptionPermission>,
    pub data_budget: crate::rooms::data::Budget,
    /// Tracks that are announced and have no media section yet.
    pub pending: Vec<Pending>,
    asked: Option<Asked>,
    sync_streams: bool,
}

impl Session {
    /// A client that just joined; nothing is negotiated.
    pub fn new(
        key: SessionKey,
        conn: Option<ConnId>,
        join: &Join,
        info: proto::ParticipantInfo,
        worker: WorkerId,
        cx: &mut Context<'_>,
    ) -> Self {
        let upstream = Answerer::new(cx.ids.transport(), cx.ids.ice(), cx.ids.session());
        let downstream =
            (join.dialect == Dialect::Dual).then(|| Offerer::new(cx.ids.transport(), cx.ids.ice(), cx.ids.session()));
        let js = join.client.sdk() == proto::client_info::Sdk::Js;
        let firefox = join.client.browser.to_ascii_lowercase().contains("firefox");
        Self {
            key,
            info,
            grants: join.claims.video.clone(),
            waiting: None,
            conn,
            resource: None,
            renewal: token::Renewal::new(&join.claims, cx.now),
            behind: None,
            ends_at: None,
            dialect: join.dialect,
            worker,
            auto_subscribe: join.auto_subscribe,
            upstream,
            downstream,
            subscriptions: BTreeMap::new(),
            declined: BTreeSet::new(),
            connected: BTreeSet::new(),
            last_sequence: 0,
            permission: None,
            data_budget: crate::rooms::data::Budget::new(cx.settings.data_rate, cx.now),
            pending: Vec::new(),
            asked: None,
            // Tracks that share a stream are played in sync. Clients that don't find a track by its mid need the track's
            // SID as stream id instead.
            sync_streams: join.dialect == Dialect::Whep || js && (join.dialect == Dialect::Single || !firefox),
        }
    }

    /// Says something to the client, if it's there.
    pub fn notify(&self, notice: Notice, cx: &mut Context<'_>) {
        if let Some(conn) = self.conn {
            cx.out.push(Effect::Notice(vec![conn], Box::new(notice)));
        }
    }

    /// The wires that this session may have on the media plane.
    pub fn transports(&self) -> impl Iterator<Item = TransportId> {
        std::iter::once(self.upstream.transport).chain(self.downstream.as_ref().map(|d| d.transport))
    }

    /// Where data for this client is sent, once that wire is up and it isn't waiting any more.
    pub fn data_transport(&self) -> Option<TransportId> {
        if self.waiting.is_some() {
            return None;
        }
        let transport = self.downstream.as_ref().map_or(self.upstream.transport, |d| d.transport);
        self.connected.contains(&transport).then_some(transport)
    }

    /// The wire without which the client doesn't count as connected.
    pub fn primary(&self) -> TransportId {
        self.downstream.as_ref().map_or(self.upstream.transport, |d| d.transport)
    }

    /// Closes the wires.
    pub fn close(&mut self, cx: &mut Context<'_>) {
        let attached = self.upstream.attached.then_some(self.upstream.transport);
        let down = self.downstream.as_ref().filter(|d| d.attached).map(|d| d.transport);
        for transport in attached.into_iter().chain(down) {
            cx.command(Command::CloseTransport { transport });
        }
    }

    /// Forgets a wire that the media plane has already removed.
    pub fn detached(&mut self, transport: TransportId) {
        self.connected.remove(&transport);
        if self.upstream.transport == transport {
            self.upstream.attached = false;
        }
        if let Some(down) = self.downstream.as_mut().filter(|d| d.transport == transport) {
            down.attached = false;
        }
    }

    /// What is due by time alone.
    pub fn tick(&mut self, publications: &Publications, cx: &mut Context<'_>) {
        if self.asked.is_some_and(|asked| cx.now.duration_since(asked.at) >= ASK_AGAIN) {
            self.asked = None;
            self.ask_for_offer(publications, cx);
        }
        self.renew_token(cx);
    }
}

/// Whether two maps number the extensions alike.
fn same_extensions(a: &ramai_sfu::params::ExtensionMap, b: &ramai_sfu::params::ExtensionMap) -> bool {
    a.allow_mixed == b.allow_mixed && Extension::ALL.iter().all(|e| a.id(*e) == b.id(*e))
}
