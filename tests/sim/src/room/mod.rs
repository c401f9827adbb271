//! A room: the real media plane, participants around it and links between, driven by one clock of virtual time.

mod drive;
mod story;

use crate::At;
use crate::media::stamp::Stamp;
use crate::net::{Link, Shape};
use crate::oracle::Oracle;
use crate::peer::Peer;
use crate::peer::Source;
use bytes::Bytes;
use ramai_sfu::api::Event;
use ramai_sfu::id::WorkerId;
use ramai_sfu::transport::Identity;
use ramai_sfu::{Batch, Worker};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashMap};
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

pub use story::{Dial, Person};

/// How often links are looked at for plots and measurements.
pub const SAMPLE: Duration = Duration::from_millis(50);

/// What travels over a link.
#[derive(Clone)]
struct Parcel {
    to: To,
    load: Load,
    size: usize,
    /// The truth about a packet on its way to the server.
    stamp: Option<Stamp>,
}

#[derive(Clone, Copy)]
enum To {
    Server(SocketAddr),
    Peer(usize, SocketAddr),
}

#[derive(Clone)]
enum Load {
    /// As it is on the wire.
    Raw(Vec<u8>),
    /// RTP and RTCP that were opened as soon as they left the server, for the oracle.
    Rtp(Bytes),
    Rtcp(Bytes),
}

/// Who may be due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
enum Actor {
    Link(usize),
    Peer(usize),
    Server,
    Sampler,
}

/// A track that somebody publishes.
#[derive(Clone, Copy, Debug)]
struct Track {
    publisher: usize,
    source: Source,
    ssrc: u32,
    /// Since when.
    muted: Option<At>,
    published: bool,
}

/// A track sent to somebody.
#[derive(Clone, Copy, Debug)]
struct Subscription {
    id: u64,
    viewer: usize,
    track: usize,
    ssrc: u32,
    rtx: u32,
    active: bool,
    /// Since when.
    paused: Option<At>,
    /// The highest layer that has room on the way to the viewer.
    reach: u8,
}

/// A link at one moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Sample {
    /// When.
    pub at: At,
    /// How long a packet would wait.
    pub queue: Duration,
    /// Bytes that passed since the last sample.
    pub passed: u64,
    /// Bits per second.
    pub capacity: Option<u64>,
}

/// See the module. What can be said to it is in [`story`](self::Room::join).
pub struct Room {
    epoch: Instant,
    now: At,
    rng: ChaCha8Rng,
    worker: Worker,
    batch: Batch,
    peers: Vec<Peer>,
    names: HashMap<String, usize>,
    addresses: HashMap<SocketAddr, usize>,
    links: Vec<Link<Parcel>>,
    samples: Vec<Vec<Sample>>,
    passed: Vec<u64>,
    /// Up and down of each participant.
    ways: Vec<(usize, usize)>,
    watches: Vec<bool>,
    tracks: Vec<Track>,
    subscriptions: Vec<Subscription>,
    /// By viewer and SSRC, of media and retransmissions.
    by_ssrc: HashMap<(usize, u32), usize>,
    due: BTreeMap<Actor, At>,
    heap: BinaryHeap<Reverse<(At, u64, Actor)>>,
    order: u64,
    /// All that was promised and broken.
    pub oracle: Oracle,
    /// What the server told signaling.
    pub events: Vec<(At, Event)>,
    /// Key-frame requests that left the server, by the publisher's SSRC.
    pub key_requests: HashMap<u32, u32>,
    hash: u64,
    /// What happened, in words: printed with a seed.
    pub told: Vec<(At, String)>,
}

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::generate().expect("keys can be made"))
}

impl Room {
    /// An empty room. Everything random in it comes from `seed`, but for the bytes of DTLS, which nothing depends on.
    #[allow(clippy::disallowed_methods, reason = "an Instant can't be made otherwise; only differences matter")]
    pub fn new(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let epoch = Instant::now();
        let mut room = Self {
            epoch,
            now: At::ZERO,
            worker: Worker::new(epoch, WorkerId(0), identity().clone(), rng.random()),
            rng,
            batch: Batch::default(),
            peers: Vec::new(),
            names: HashMap::new(),
            addresses: HashMap::new(),
            links: Vec::new(),
            samples: Vec::new(),
            passed: Vec::new(),
            ways: Vec::new(),
            watches: Vec::new(),
            tracks: Vec::new(),
            subscriptions: Vec::new(),
            by_ssrc: HashMap::new(),
            due: BTreeMap::new(),
            heap: BinaryHeap::new(),
            order: 0,
            oracle: Oracle::default(),
            events: Vec::new(),
            key_requests: HashMap::new(),
            hash: 0xcbf2_9ce4_8422_2325,
            told: Vec::new(),
        };
        room.schedule(Actor::Sampler, Some(At::ZERO));
        room
    }

    /// The clock.
    pub fn now(&self) -> At {
        self.now
    }

    /// A number that tells whether two runs were the same: over the time, way and size of every datagram, and the head of every
    /// media packet.
    pub fn trace(&self) -> u64 {
        self.hash
    }

    fn add_link(&mut self) -> usize {
        self.links.push(Link::new(self.rng.random(), Shape::default()));
        self.samples.push(Vec::new());
        self.passed.push(0);
        self.links.len() - 1
    }

    fn note(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.hash = (self.hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}
