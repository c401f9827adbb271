//! Ramai's signaling: tokens, rooms, sessions and WebRTC negotiation behind one axum router.
//!
//! [`start`] brings up the one task that owns all rooms and gives a [`Signaling`]; its [`Signaling::router`] speaks the
//! client protocol, WHIP and WHEP, and serves the demo page. The media plane is reached through [`MediaLink`] alone: commands go in, events
//! come out; no media socket is known here.
#![forbid(unsafe_code)]
// The protocol's deprecated fields are what older clients still read and write.
#![allow(deprecated)]

mod adapter;
mod admission;
mod assets;
mod auth;
mod counts;
mod error;
mod invite;
mod media;
mod negotiate;
mod rooms;
mod session;

pub use admission::{Gauge, Strain};
pub use assets::{Asset, Assets};
pub use auth::{Claims, Grants, mint};
pub use counts::{Counts, Snapshot};
pub use error::Refusal;
pub use media::{Door, MediaLink};
/// What offers and answers are read with; public for the fuzz targets.
pub use negotiate::sdp::{Description, SdpError};

use ramai_sfu::params::Fingerprint;
use rooms::actor::{self, Handle};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// What signaling must be told at the start.
#[derive(Clone)]
pub struct Settings {
    /// API keys and their secrets; tokens are checked against them.
    pub keys: Vec<(String, String)>,
    /// Host candidates to announce, by worker. One list for each of [`MediaLink::workers`].
    pub candidates: Vec<Vec<SocketAddr>>,
    /// SHA-256 of the DTLS certificate that all workers share.
    pub fingerprint: Fingerprint,
    /// Whether `POST /demo/token` gives a token to everyone who asks.
    pub demo_tokens: bool,
    /// Streams that one room is sent by one worker before newcomers go to another: a track sent to one participant is one, and so is
    /// the participant. 0: a room never spreads.
    pub worker_streams: usize,
    /// Participants that one room takes; 0 is without limit.
    pub max_participants: usize,
    /// Microphones of a room that are heard at once, as the media workers were told; 0 is all.
    pub audible: usize,
    /// Participants from which on a room hears through speaker slots, as many as are heard at once; 0 is never.
    pub speaker_slots_from: usize,
    /// Cameras, and as many screens, that a client which subscribes to everything is sent without asking; 0 is all.
    pub auto_subscribe_videos: usize,
    /// Participants of all rooms together; 0 is without limit.
    pub max_total_participants: usize,
    /// Rooms at a time; 0 is without limit.
    pub max_rooms: usize,
    /// Tracks that one participant may publish.
    pub max_tracks: usize,
    /// Bytes of data messages that one participant may send in a second, for long.
    pub data_rate: u32,
    /// Requests that one client may send in a second, for long; ten times as many at once.
    pub request_rate: u32,
    /// Newcomers let in in a second, for long; 0 is without limit. Fewer while media workers are busy.
    pub join_rate: u32,
    /// And at once.
    pub join_burst: u32,
    /// Whether an order may unmute somebody's track, not only mute it.
    pub remote_unmute: bool,
    /// How long a room stays known after its last participant left.
    pub empty_timeout: Duration,
    /// How long a participant whose WebSocket was cut, not closed, is kept for a resume. Others see them meanwhile.
    pub resume_timeout: Duration,
    /// Named to clients as the region; may be empty.
    pub region: String,
}

impl Settings {
    /// Settings with the usual limits; keys, candidates and fingerprint are the caller's.
    pub fn new(keys: Vec<(String, String)>, candidates: Vec<Vec<SocketAddr>>, fingerprint: Fingerprint) -> Self {
        Self {
            keys,
            candidates,
            fingerprint,
            demo_tokens: false,
            worker_streams: 500,
            max_participants: 0,
            audible: 5,
            speaker_slots_from: 50,
            auto_subscribe_videos: 50,
            max_total_participants: 0,
            max_rooms: 0,
            max_tracks: session::upstream::MAX_PENDING,
            data_rate: 8 * 1024 * 1024,
            request_rate: 100,
            join_rate: 0,
            join_burst: 1,
            remote_unmute: false,
            empty_timeout: Duration::from_secs(60),
            resume_timeout: Duration::from_secs(15),
            region: String::new(),
        }
    }
}

impl std::fmt::Debug for Settings {
    /// Leaves the secrets out.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings")
            .field("keys", &self.keys.iter().map(|(key, _)| key).collect::<Vec<_>>())
            .field("candidates", &self.candidates)
            .field("max_participants", &self.max_participants)
            .finish_non_exhaustive()
    }
}

/// The running signaling. Clones are handles to the same.
#[derive(Clone)]
pub struct Signaling {
    state: adapter::State,
}

/// Starts the task that owns the rooms. Must be called inside a tokio runtime.
///
/// `assets` gives a file of the demo page by its path without leading slash; `""` is the page itself.
pub fn start(settings: Settings, media: MediaLink, assets: Assets) -> Signaling {
    let settings = Arc::new(settings);
    let admission = admission::Admission::new(settings.join_rate, settings.join_burst, media.strain.clone());
    let rooms: Handle = actor::spawn(settings.clone(), media);
    Signaling { state: adapter::State { settings, rooms, admission, assets } }
}

impl Signaling {
    /// Every HTTP and WebSocket route.
    pub fn router(&self) -> axum::Router {
        adapter::router(self.state.clone())
    }

    /// What is counted, now and later.
    pub fn counts(&self) -> Arc<Counts> {
        self.state.rooms.counts.clone()
    }

    /// Tells all clients that the server goes (they will reconnect), closes their sockets and ends when that is on its way.
    /// New joins are refused from now on.
    pub async fn shutdown(&self) {
        self.state.rooms.shutdown().await;
    }
}
