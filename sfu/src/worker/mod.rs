//! The whole media plane of one thread as one state machine: it sequences, its parts decide.

mod allot;
mod arena;
mod budget;
mod commands;
mod feedback;
mod handshakes;
mod hear;
mod link;
mod loss;
mod media;
mod opening;
mod pace;
mod pacer;
mod padding;
mod peer;
mod reach;
mod runs;
mod shed;
mod slots;
mod upstream;

use crate::api::{Datagram, DisconnectReason, Event};
use crate::demux::{Class, Demux};
use crate::id::{RoomId, SubscriptionId, TrackId, TransportId, WorkerId};
use crate::link::Outbox;
use crate::overload::Level;
use crate::params::DataChannel;
use crate::publish::{Hold, Track, Upstream};
use crate::speakers::{self, Heard, Speakers};
use crate::subscribe::Subscription;
use crate::timers::{Timer, Timers};
use crate::transmit::Batch;
use crate::transport::{Identity, TransportEvent};
pub use allot::Bandwidth;
use arena::Arena;
use handshakes::Handshakes;
use hear::Gate;
use link::Link;
use pace::Pace;
use padding::Padding;
use peer::{Peer, Scratch};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rustc_hash::FxHashMap;
use shed::{Shedding, Voices};
use slots::{Filled, Slots};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Events that may wait for signaling before messages are dropped. Events that carry state are always kept; their number is
/// bounded by that of transports, tracks and rooms.
const MAX_WAITING_EVENTS: usize = 4096;

/// Bytes in one batch: it stays in the CPU's cache from the seal to the kernel's copy, and the first peers needn't wait for the
/// last.
const FULL_BATCH: usize = 192 * 1024;

/// Dropped input by reason, and what was done. All only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Datagrams that came in.
    pub received: u64,
    /// Datagrams that were no STUN, DTLS, RTP or RTCP (RFC 7983).
    pub unknown_class: u64,
    /// Datagrams from addresses without an authenticated check, and STUN for nobody here.
    pub unknown_source: u64,
    /// SRTP and SRTCP that could not be opened; the transport's own counters tell why.
    pub not_opened: u64,
    /// Authentic packets that are no RTP inside.
    pub malformed: u64,
    /// Authentic RTP that belongs to no published track.
    pub unrouted: u64,
    /// RTP packets that were authenticated and decrypted.
    pub opened: u64,
    /// RTP packets given to subscribers.
    pub forwarded: u64,
    /// Audio packets sent with more frames before their own than they came with, for receivers that lose many.
    pub deepened: u64,
    /// Audio packets of microphones that weren't among the loudest of their room, and went no further.
    pub gated: u64,
    /// Times that another speaker was put into a speaker slot.
    pub slot_switches: u64,
    /// First pictures given from what was kept, without asking the publisher.
    pub openings: u64,
    /// Packets for a subscriber that could not be sealed or had no path.
    pub not_sealed: u64,
    /// Times that a publisher was told how much to send at most.
    pub limits_told: u64,
    /// Transport-wide feedback and REMB that receivers sent.
    pub bandwidth_feedback: u64,
    /// Transport-wide feedback that made no sense, or ended early.
    pub malformed_feedback: u64,
    /// Probes begun: whether the way to a receiver takes more.
    pub probes: u64,
    /// Probes that found it full, or learned nothing.
    pub probes_failed: u64,
    /// Packets of padding sent for them.
    pub padding: u64,
    /// Times that a subscriber was told that there is no room for a video.
    pub streams_paused: u64,
    /// Packets handed to other workers, counted for each.
    pub relayed: u64,
    /// Packets of other workers' tracks, taken in for subscribers here.
    pub mirrored: u64,
    /// What other workers said about tracks that aren't here (any more, or yet).
    pub stale_envelopes: u64,
    /// Packets that subscribers wanted and didn't get, for the worker can't keep up.
    pub shed: u64,
    /// Commands about something that was closed already.
    pub stale_commands: u64,
    /// Datagrams of handshakes for which there was no place in the queue.
    pub handshakes_dropped: u64,
    /// Messages that couldn't be given to signaling or to a data channel.
    pub data_dropped: u64,
}

/// How much there is at a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sizes {
    /// Peer connections, also those that aren't connected yet.
    pub peers: usize,
    /// Tracks at home here, and mirrors of others.
    pub tracks: usize,
    /// Tracks sent to peers.
    pub subscriptions: usize,
    /// Rooms with somebody in them.
    pub rooms: usize,
}

/// One thread's share of the media plane.
///
/// Its owner calls, each turn and with one `now`:
///
/// - `handle_*`: [`handle_command`](Self::handle_command), [`handle_envelopes`](Self::handle_envelopes) and
///   [`handle_datagram`](Self::handle_datagram) for all that waits, then [`handle_timeout`](Self::handle_timeout);
/// - [`poll_letter`](Self::poll_letter) until `None`, and gives the letters to the other workers;
/// - [`flush`](Self::flush) until it returns false, and sends each batch;
/// - [`poll_event`](Self::poll_event) until `None`;
/// - [`turn`](Self::turn), and if the turn took less than that, leaves what comes unread for the rest of it;
/// - [`poll_timeout`](Self::poll_timeout), and sleeps until then or until there is input.
///
/// Input may be forged or malformed: it is counted in [`counters`](Self::counters) and dropped.
pub struct Worker {
    id: WorkerId,
    identity: Identity,
    rng: ChaCha8Rng,
    /// Zero of `abs-send-time`.
    epoch: Instant,
    demux: Demux,
    peers: FxHashMap<TransportId, Peer>,
    tracks: FxHashMap<TrackId, Publication>,
    /// Which track a subscription belongs to.
    subscriptions: FxHashMap<SubscriptionId, TrackId>,
    rooms: FxHashMap<RoomId, Room>,
    timers: Timers,
    handshakes: Handshakes,
    /// Peers with something to send, each once.
    dirty: VecDeque<TransportId>,
    /// The packets that wait in these peers.
    arena: Arena,
    scratch: Scratch,
    /// Publications with packets that wait for the rest of their frame.
    holding: usize,
    pace: Pace,
    padding: Padding,
    /// Mirrors whose home may have to be asked for key frames.
    asking: Vec<TrackId>,
    /// Until then some peer loses so much that audio is made safer for it.
    lossy_until: Option<Instant>,
    outbox: Outbox,
    events: VecDeque<Event>,
    shedding: Shedding,
    /// How many of a room are heard at once.
    audible: usize,
    counters: Counters,
}

/// A track, at home here or mirrored, with those who get it.
struct Publication {
    track: Track,
    room: RoomId,
    /// The publisher's, which may be another worker's.
    transport: TransportId,
    subscriptions: Vec<Subscription>,
    /// Video of a screen, or its sound.
    screen: bool,
    /// The level of overload that its subscriptions are at.
    level: Level,
    /// Canonical name of the publisher's streams (RFC 3550 section 6.5.1).
    cname: String,
    /// Packets that wait for the rest of their frame.
    hold: Hold,
    /// Whether it is loud enough; not asked where it isn't for everybody.
    gate: Gate,
    kept_from_slots: bool,
    /// It is a speaker slot.
    slot: Option<Box<Filled>>,
    link: Link,
    /// What its publisher is told to send at most.
    upstream: Upstream,
}

impl Publication {
    fn new(track: Track, room: RoomId, transport: TransportId, screen: bool, level: Level, link: Link) -> Self {
        let cname = format!("ramai-{transport}");
        let (subscriptions, hold, gate) = (Vec::new(), Hold::default(), Gate::default());
        Self {
            track,
            room,
            transport,
            subscriptions,
            screen,
            level,
            cname,
            hold,
            gate,
            kept_from_slots: false,
            slot: None,
            link,
            upstream: Upstream::default(),
        }
    }
}

/// What the media plane knows of a room.
struct Room {
    transports: usize,
    speakers: Speakers,
    voices: Voices,
    /// It hears through speaker slots.
    slots: Option<Slots>,
}

impl Room {
    fn new(audible: usize) -> Self {
        Self { transports: 0, speakers: Speakers::new(audible), voices: Voices::default(), slots: None }
    }
}

impl Worker {
    /// An empty plane. `seed` feeds everything random in it but DTLS's and SCTP's own.
    pub fn new(now: Instant, id: WorkerId, identity: Identity, seed: u64) -> Self {
        Self {
            id,
            identity,
            rng: ChaCha8Rng::seed_from_u64(seed),
            epoch: now,
            demux: Demux::default(),
            peers: FxHashMap::default(),
            tracks: FxHashMap::default(),
            subscriptions: FxHashMap::default(),
            rooms: FxHashMap::default(),
            timers: Timers::default(),
            handshakes: Handshakes::default(),
            dirty: VecDeque::new(),
            arena: Arena::default(),
            scratch: Scratch::default(),
            holding: 0,
            pace: Pace::new(now),
            padding: Padding::new(now),
            asking: Vec::new(),
            lossy_until: None,
            outbox: Outbox::default(),
            events: VecDeque::new(),
            shedding: Shedding::default(),
            audible: speakers::AUDIBLE,
            counters: Counters::default(),
        }
    }

    /// Lets so many of a room be heard at once, the loudest; 0: all. A room with slots hears as many as it has.
    pub fn set_audible(&mut self, audible: usize) {
        self.audible = audible;
        let rooms = self.rooms.values_mut().filter(|room| room.slots.is_none());
        rooms.for_each(|room| room.speakers.set_audible(audible));
    }

    /// Its name.
    pub fn id(&self) -> WorkerId {
        self.id
    }

    /// How many peers, tracks, subscriptions and rooms there are.
    pub fn sizes(&self) -> Sizes {
        let (peers, tracks) = (self.peers.len(), self.tracks.len());
        Sizes { peers, tracks, subscriptions: self.subscriptions.len(), rooms: self.rooms.len() }
    }

    /// What was dropped and done.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Takes in one datagram. It is decrypted where it lies.
    pub fn handle_datagram(&mut self, now: Instant, datagram: Datagram<'_>) {
        self.counters.received += 1;
        let Datagram { path, came, payload } = datagram;
        let class = Class::of(payload);
        if class == Class::Unknown {
            self.counters.unknown_class += 1;
            return;
        }
        let Some(id) = self.demux.route(path.remote, class, payload) else {
            self.counters.unknown_source += 1;
            return;
        };
        let Some(peer) = self.peers.get_mut(&id) else { return };
        match class {
            Class::Rtp => self.handle_rtp(now, came, id, payload),
            Class::Rtcp => self.handle_rtcp(now, id, payload),
            Class::Stun => {
                peer.transport.handle_stun(now, path, payload);
                self.transport_events(now, id);
            }
            Class::Dtls => self.handle_dtls(now, id, path, payload),
            Class::Unknown => {}
        }
    }

    /// Does what is due, and a bounded part of the handshakes that wait.
    pub fn handle_timeout(&mut self, now: Instant) {
        self.handle_handshakes(now);
        while let Some(timer) = self.timers.pop(now) {
            match timer {
                Timer::Peer(id) => {
                    if let Some(peer) = self.peers.get_mut(&id) {
                        peer.transport.handle_timeout(now);
                        self.transport_events(now, id);
                    }
                }
                Timer::Room(id) => self.look_at_speakers(now, id),
                Timer::Frame(track) => self.release_all(track),
                Timer::Mirror(track) => self.asking.push(track),
                Timer::Budget(id) => self.handle_budget(now, id),
            }
        }
    }

    /// When [`Self::handle_timeout`] must be called, if nothing else happens; at times too early, never too late.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let waiting = (!self.dirty.is_empty()).then_some(self.epoch);
        [waiting, self.handshakes_wait_since(), self.timers.next()].into_iter().flatten().min()
    }

    /// Appends what waits to be sent to `batch`, peer by peer, until about [`FULL_BATCH`] bytes are in it; true if more waits.
    pub fn flush(&mut self, now: Instant, batch: &mut Batch) -> bool {
        // What a peer has to send never makes another one dirty, so this ends.
        while batch.len() < FULL_BATCH
            && let Some(id) = self.dirty.pop_front()
        {
            if let Some(next) = self.dirty.front().and_then(|next| self.peers.get(next)) {
                next.warm();
            }
            self.flush_peer(now, id, batch);
        }
        // Whoever waits is dirty.
        if self.dirty.is_empty() {
            self.arena.clear();
        }
        !self.dirty.is_empty()
    }

    /// How long the turn that began at `now` should be: under load what comes meanwhile is better served together, and each peer
    /// gets its packets as one run. At most a millisecond, 20 where the thread runs out of time; zero with little load.
    pub fn turn(&mut self, now: Instant) -> Duration {
        self.pace.turn(now, self.counters.forwarded, self.holding > 0)
    }

    /// How long turns are under load, for now: more than a millisecond where the thread runs out of time.
    pub fn busy_turn(&self) -> Duration {
        self.pace.busy_turn()
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Whether [`Self::poll_event`] has something.
    pub fn has_events(&self) -> bool {
        !self.events.is_empty()
    }

    /// Says goodbye to every peer; [`Self::flush`] sends it.
    pub fn close(&mut self, now: Instant) {
        let all: Vec<TransportId> = self.peers.keys().copied().collect();
        for id in all {
            self.close_transport(now, id);
        }
    }

    /// Takes what a transport has to say after input or a timeout.
    fn transport_events(&mut self, now: Instant, id: TransportId) {
        self.mark(id);
        while let Some(event) = self.peers.get_mut(&id).and_then(|peer| peer.transport.poll_event()) {
            match event {
                TransportEvent::Validated(address) => self.demux.validated(id, address),
                TransportEvent::Connected => self.connected(now, id),
                TransportEvent::Disconnected(reason) => self.disconnected(id, reason),
                TransportEvent::ChannelOpen(channel) => {
                    self.events.push_back(Event::ChannelOpen { transport: id, channel });
                }
                TransportEvent::Data(channel, payload) => self.data(id, channel, payload),
            }
        }
    }

    fn connected(&mut self, now: Instant, id: TransportId) {
        tracing::debug!(transport = id.0, "connected");
        self.events.push_back(Event::Connected { transport: id });
        let Some(peer) = self.peers.get(&id) else { return };
        let tracks: Vec<TrackId> = peer.receiving.values().map(|received| received.track).collect();
        for track in tracks {
            self.begin_pictures(now, track);
        }
    }

    fn disconnected(&mut self, id: TransportId, reason: DisconnectReason) {
        let counters = self.peers.get(&id).map(|peer| *peer.transport.counters());
        tracing::debug!(transport = id.0, ?reason, ?counters, "transport ended");
        self.events.push_back(Event::Disconnected { transport: id, reason });
        self.retire(id);
    }

    fn data(&mut self, transport: TransportId, channel: DataChannel, payload: bytes::Bytes) {
        if self.events.len() >= MAX_WAITING_EVENTS {
            self.counters.data_dropped += 1;
            if self.counters.data_dropped.is_power_of_two() {
                tracing::warn!(dropped = self.counters.data_dropped, "signaling is behind, data messages dropped");
            }
            return;
        }
        self.events.push_back(Event::Data { transport, channel, payload });
    }

    fn look_at_speakers(&mut self, now: Instant, id: RoomId) {
        let Some(room) = self.rooms.get_mut(&id) else { return };
        let heard = room.speakers.poll(now);
        self.timers.set(Timer::Room(id), room.speakers.poll_timeout());
        // The home of the slots knows more, and tells.
        if matches!(room.slots, Some(Slots::At(_))) {
            return;
        }
        let whole = room.slots.is_some();
        let mut speaking = None;
        if let Some(Heard { mut speakers, mut dominant }) = heard {
            let owners: Vec<_> = speakers.iter().filter_map(|speaker| room.speakers.owner(speaker.track)).collect();
            room.voices.set(now, owners.clone());
            speaking = Some(owners);
            if !whole {
                // Of its own publishers alone: the others' workers tell of theirs.
                let ours = |track: &TrackId| self.tracks.get(track).is_some_and(|p| p.link.home.is_none());
                speakers.retain(|speaker| ours(&speaker.track));
                dominant = dominant.filter(ours);
            }
            self.events.push_back(Event::Speakers { room: id, speakers, dominant });
        }
        self.look_at_slots(now, id, speaking.as_deref());
    }

    /// Forgets a room that nobody is in and that has no slots.
    fn forget_if_empty(&mut self, id: RoomId) {
        if self.rooms.get(&id).is_some_and(|room| room.transports == 0 && room.slots.is_none()) {
            self.rooms.remove(&id);
            self.timers.remove(Timer::Room(id));
        }
    }

    /// Notes that a peer has something to send, or a deadline that moved.
    fn mark(&mut self, id: TransportId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.changed = true;
        if !std::mem::replace(&mut peer.dirty, true) {
            self.dirty.push_back(id);
        }
    }
}
