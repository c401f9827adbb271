//! How participants get into a room: one small trait, one file for each way.

mod http;
mod janus;
mod livekit;
mod roster;
mod tracks;
mod whip;

use crate::Error;
use crate::engine::{Handle, Port};
use crate::media::descriptor::Codec;
use crate::media::encoder::Shape;
use crate::media::film::Reel;
use crate::media::pacer::Pacing;
use crate::media::scalability::Mode;
use crate::sdp::Description;
use crate::token::Signer;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;
use tokio::sync::oneshot;

/// Which protocol to speak.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Protocol {
    /// The client protocol over one peer connection.
    V1,
    /// The client protocol over two peer connections.
    V0,
    /// Publishers by WHIP, receivers by WHEP.
    Whip,
    /// Janus' videoroom over its HTTP API.
    Janus,
}

/// What a participant publishes.
#[derive(Clone, Debug, Default)]
pub struct Publish {
    /// Number in the run, for the stamps.
    pub number: u32,
    /// Share of the time that it talks; without, there is no microphone.
    pub talk: Option<f64>,
    /// Encodings of its camera, lowest first; empty without camera.
    pub layers: Vec<Shape>,
    /// What the camera's packets look like.
    pub codec: Codec,
    /// How they are spaced.
    pub pacing: Pacing,
    /// How the layers within each encoding hang together.
    pub mode: Mode,
    /// What the encodings show, lowest first; without, the pictures are invented.
    pub film: Vec<Reel>,
}

/// What a participant wants to receive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// Microphones at most.
    pub audible: usize,
    /// Cameras at most.
    pub visible: usize,
    /// Highest simulcast layer: 0, 1 or 2.
    pub quality: u8,
    /// Microphones come through the room's speaker slots, all of them.
    pub slots: bool,
}

impl View {
    /// Whether it wants to receive anything at all.
    pub fn wants_any(&self) -> bool {
        self.audible > 0 || self.visible > 0 || self.slots
    }
}

/// One participant of the plan.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Where.
    pub room: String,
    /// As whom.
    pub identity: String,
    /// What people call them.
    pub name: String,
    /// What it sends.
    pub publish: Option<Publish>,
    /// What it receives.
    pub view: View,
    /// All that it receives is decrypted.
    pub checked: bool,
    /// Of what it invents.
    pub seed: u64,
}

/// What all participants of a run have in common.
#[derive(Clone)]
pub struct Common {
    /// The server's host and port for signaling.
    pub server: String,
    /// The server's address, if the URL has it in numbers.
    pub host: Option<IpAddr>,
    /// Send media here instead of where the server says.
    pub via: Option<SocketAddr>,
    /// Publishers switch off what nobody watches, when the server says so.
    pub dynacast: bool,
    /// Signs tokens.
    pub signer: Signer,
    /// The engine.
    pub engine: Handle,
}

/// The participant's side of its own life.
pub struct Life {
    /// To be told once it is in: media is connected and its tracks are taken.
    pub joined: oneshot::Sender<()>,
    /// Ends when it should leave.
    pub leave: oneshot::Receiver<()>,
    /// When it set out.
    pub begun: u64,
}

/// A life in a room.
pub type Attendance = Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// One way into a room.
pub trait Dialect: Send + Sync {
    /// Joins, says so, and stays until it is told to leave, which is `Ok`. An end before that is an error.
    fn attend(&self, seat: Seat, life: Life) -> Attendance;
}

/// The dialect of a protocol.
pub fn of(protocol: Protocol, common: Common) -> Box<dyn Dialect> {
    match protocol {
        Protocol::V1 => Box::new(livekit::Livekit { common, dual: false }),
        Protocol::V0 => Box::new(livekit::Livekit { common, dual: true }),
        Protocol::Whip => Box::new(whip::Whip { common }),
        Protocol::Janus => Box::new(janus::Janus { common }),
    }
}

/// A join takes this long at most.
const PATIENCE: Duration = Duration::from_secs(20);

/// A peer connection whose remote side is known from the first description on.
struct Link {
    port: Port,
    opened: Option<oneshot::Receiver<Result<(), String>>>,
    is_open: bool,
}

impl Link {
    fn new(engine: &Handle) -> Self {
        Self { port: engine.port(), opened: None, is_open: false }
    }

    /// Begins to connect with the first description; takes the tracks of each.
    fn apply(&mut self, common: &Common, seat: &Seat, begun: u64, theirs: &Description) -> Result<(), Error> {
        if self.opened.is_none() && !self.is_open {
            let remote = theirs.remote(common.host, common.via)?;
            self.opened = Some(self.port.connect(remote, begun, seat.checked)?);
        }
        self.port.receive(theirs.extensions, theirs.kinds(), theirs.incoming())
    }

    /// Ends when the connection is up; never if it hasn't begun or is up already.
    async fn wait(&mut self) -> Result<(), Error> {
        let Some(opened) = &mut self.opened else { return std::future::pending().await };
        let result = opened.await;
        self.opened = None;
        match result {
            Ok(Ok(())) => {
                self.is_open = true;
                Ok(())
            }
            Ok(Err(why)) => Err(Error::Media(why)),
            Err(_) => Err(Error::Media("the engine has ended".into())),
        }
    }
}
