//! The engine: one thread that drives the media of all participants of a run over non-blocking sockets.
//!
//! [`Engine::start`] returns a [`Handle`]. A [`Port`] of it is one peer connection: [`Port::connect`] brings it up,
//! [`Port::receive`] and [`Port::publish`] tell what flows, dropping it says goodbye. [`Handle::snapshot`] reads all counters.
//!
//! The loop wakes once in a millisecond, does what is due and drains every socket that has something. Arrival times are the
//! kernel's, so that this rhythm doesn't show in any latency.

mod ice;
pub mod measure;
mod peer;
mod secure;
mod socket;

pub use secure::Identity;

use crate::Error;
use crate::media::source::{Source, SourceParams};
use measure::{Latency, Measured};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use peer::{Opened, Peer, Setup};
use ramai_sfu::params::{ExtensionMap, IceCredentials};
use rustc_hash::{FxHashMap, FxHashSet};
use socket::Receiver;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::oneshot;

/// The loop's rhythm.
const ROUND: Duration = Duration::from_millis(1);
/// Batches read from one socket before the next has its turn.
const BATCHES: usize = 4;
/// Sockets asked for at once.
const EVENTS: usize = 1024;

/// What a payload type carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Audio.
    Audio,
    /// Video.
    Video,
    /// Retransmissions of video (RFC 4588).
    Repair,
}

/// The server's end of a peer connection.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Where it receives.
    pub address: SocketAddr,
    /// Its ICE credentials.
    pub ice: IceCredentials,
}

/// A track that the server sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Incoming {
    /// Video, or else audio.
    pub video: bool,
    /// Its SSRC.
    pub ssrc: u32,
    /// The SSRC of its retransmissions.
    pub rtx: Option<u32>,
}

/// Wall clock and monotonic clock, tied together at one moment. Arrivals come in wall-clock time from the kernel, timers of
/// DTLS want instants. The engine ties them anew in each round, so that they don't drift apart over hours.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: u64,
    instant: Instant,
}

impl Clock {
    /// Ties them together now.
    #[must_use]
    pub fn new() -> Self {
        Self { wall: Self::now(), instant: Instant::now() }
    }

    /// Now, in nanoseconds of wall-clock time.
    pub fn now() -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
    }

    /// An instant in nanoseconds.
    pub fn nanos(&self, at: Instant) -> u64 {
        let after = at.saturating_duration_since(self.instant).as_nanos() as u64;
        let before = self.instant.saturating_duration_since(at).as_nanos() as u64;
        self.wall.saturating_add(after).saturating_sub(before)
    }

    /// Nanoseconds as an instant.
    pub fn instant(&self, nanos: u64) -> Instant {
        match nanos.checked_sub(self.wall) {
            Some(after) => self.instant + Duration::from_nanos(after),
            None => self.instant.checked_sub(Duration::from_nanos(self.wall - nanos)).unwrap_or(self.instant),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

enum Command {
    Connect { id: u64, local: IceCredentials, remote: Remote, begun: u64, checked: bool, opened: Opened },
    Receive { id: u64, extensions: ExtensionMap, kinds: FxHashMap<u8, Kind>, streams: Vec<Incoming> },
    Publish { id: u64, params: Box<SourceParams> },
    Layers { id: u64, on: Vec<bool> },
    Leaving { id: u64 },
    Close { id: u64 },
    Restart,
    Hush,
    Snapshot { last: bool, answer: oneshot::Sender<(Measured, Latency)> },
}

/// The way to a running engine; clones are the same. The engine ends when the last is gone.
#[derive(Clone)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    ids: Arc<AtomicU64>,
    /// What all peers show.
    pub identity: Identity,
}

/// One peer connection; dropped, it is closed.
pub struct Port {
    handle: Handle,
    id: u64,
    /// Our ICE credentials, for the SDP.
    pub local: IceCredentials,
}

/// See the module.
pub struct Engine {
    epoll: Epoll,
    commands: mpsc::Receiver<Command>,
    identity: Identity,
    clock: Clock,
    peers: FxHashMap<u64, (u64, Peer)>,
    receiver: Receiver,
    /// The kernel may hand over several datagrams as one.
    gro: bool,
    latency: Latency,
    /// Sums over peers that are gone.
    past: Measured,
    longest_round: u64,
    /// Since when publishers send nothing more.
    hushed: Option<u64>,
    /// Peers whose connection ended in this round.
    failed: Vec<u64>,
}

impl Engine {
    /// Starts the thread; with `gro`, sockets take runs of datagrams as one.
    ///
    /// # Errors
    /// If there is no cryptography, no epoll or no thread.
    pub fn start(gro: bool) -> Result<(Handle, JoinHandle<()>), Error> {
        let (commands, receiver) = mpsc::channel();
        let identity = Identity::generate()?;
        let handle = Handle { commands, ids: Arc::new(AtomicU64::new(1)), identity: identity.clone() };
        let (epoll, latency) =
            (Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(std::io::Error::from)?, Latency::new()?);
        let thread = std::thread::Builder::new().name("load-engine".into()).spawn(move || {
            let mut engine = Engine {
                epoll,
                commands: receiver,
                identity,
                clock: Clock::new(),
                peers: FxHashMap::default(),
                // Its control buffers hold raw pointers: it is made where it stays.
                receiver: Receiver::new(gro),
                gro,
                latency,
                past: Measured::default(),
                longest_round: 0,
                hushed: None,
                failed: Vec::new(),
            };
            engine.run();
        })?;
        Ok((handle, thread))
    }

    fn run(&mut self) {
        let mut events = vec![EpollEvent::empty(); EVENTS];
        let mut next = Instant::now();
        loop {
            next = (next + ROUND).max(Instant::now());
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            let begun = Instant::now();
            loop {
                match self.commands.try_recv() {
                    Ok(command) => self.command(command),
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return,
                }
            }
            self.judge_failures();
            self.clock = Clock::new();
            let now = Clock::now();
            for (due, peer) in self.peers.values_mut() {
                if *due <= now {
                    peer.tick(now, &self.clock, self.hushed.is_some());
                    *due = peer.due(now, &self.clock);
                }
            }
            self.drain(&mut events);
            self.longest_round = self.longest_round.max(begun.elapsed().as_nanos() as u64);
        }
    }

    /// Who failed in the last round, and hadn't said by the end of it that it was about to leave: the server's goodbye may come before
    /// that was read.
    fn judge_failures(&mut self) {
        for id in std::mem::take(&mut self.failed) {
            let Some((_, peer)) = self.peers.get_mut(&id) else { continue };
            if let Some(why) = peer.take_failure() {
                self.past.broken += 1;
                self.past.broken_why.get_or_insert(why);
            }
        }
    }

    /// Reads every socket that has something.
    fn drain(&mut self, events: &mut [EpollEvent]) {
        // An interrupted call is made again in the next round.
        let ready = self.epoll.wait(events, EpollTimeout::ZERO).unwrap_or(0);
        for event in events.iter().take(ready) {
            let Some((due, peer)) = self.peers.get_mut(&event.data()) else { continue };
            let socket = peer.socket.clone();
            let now = Clock::now();
            for _ in 0..BATCHES {
                let (clock, latency) = (&self.clock, &mut self.latency);
                let read = self.receiver.receive(&socket, now, |at, datagram| {
                    peer.handle(now, at, clock, datagram, latency);
                });
                // Errors are a refused port: the server is gone, which silence tells as well.
                if read.unwrap_or(0) < socket::BATCH {
                    break;
                }
            }
            *due = (*due).min(peer.due(now, &self.clock));
            if peer.has_failed() {
                self.failed.push(event.data());
            }
        }
    }

    fn command(&mut self, command: Command) {
        let now = Clock::now();
        match command {
            Command::Connect { id, local, remote, begun, checked, opened } => {
                let any: IpAddr = match remote.address {
                    SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
                    SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
                };
                let socket = socket::open((any, 0).into(), self.gro).and_then(|socket| {
                    socket.connect(remote.address)?;
                    self.epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, id))?;
                    Ok(socket)
                });
                match socket {
                    Ok(socket) => {
                        let identity = self.identity.clone();
                        let setup =
                            Setup { socket: Arc::new(socket), identity, local, remote, begun, checked, id, opened };
                        self.peers.insert(id, (0, Peer::new(now, setup)));
                    }
                    Err(error) => drop(opened.send(Err(error.to_string()))),
                }
            }
            Command::Receive { id, extensions, kinds, streams } => {
                if let Some((_, peer)) = self.peers.get_mut(&id) {
                    peer.receive(extensions, kinds, &streams);
                }
            }
            Command::Publish { id, params } => {
                if let Some((due, peer)) = self.peers.get_mut(&id) {
                    peer.publish(Source::new(*params, now));
                    *due = 0;
                }
            }
            Command::Layers { id, on } => {
                if let Some((_, peer)) = self.peers.get_mut(&id) {
                    peer.switch_layers(&on);
                }
            }
            Command::Leaving { id } => {
                if let Some((_, peer)) = self.peers.get_mut(&id) {
                    peer.leaving();
                }
            }
            Command::Close { id } => {
                let alive = self.alive();
                if let Some((_, mut peer)) = self.peers.remove(&id) {
                    peer.measure(now, &|publisher| alive.contains(&publisher), true, &mut self.past);
                    self.past.streams = measure::Streams::default();
                    peer.close(&self.clock, now);
                    // Closing the socket would take it out of the poll as well; this says so.
                    let _ = self.epoll.delete(&peer.socket);
                }
            }
            Command::Restart => {
                self.latency.restart();
                self.longest_round = 0;
                self.past.frames.restart();
                self.peers.values_mut().for_each(|(_, peer)| peer.restart());
            }
            Command::Hush => self.hushed = Some(now),
            Command::Snapshot { last, answer } => {
                let now = self.hushed.unwrap_or(now);
                let alive = self.alive();
                let mut measured = self.past.clone();
                for (_, peer) in self.peers.values() {
                    peer.measure(now, &|publisher| alive.contains(&publisher), last, &mut measured);
                }
                measured.peers = self.peers.len();
                measured.own_drops = self.own_drops();
                measured.longest_round = self.longest_round;
                let _ = answer.send((measured, self.latency.clone()));
            }
        }
    }

    /// Publishers that send now.
    fn alive(&self) -> FxHashSet<u32> {
        self.peers.values().filter_map(|(_, peer)| peer.publishes()).collect()
    }

    /// What the kernel dropped for want of room in our receive buffers, by its table of sockets.
    fn own_drops(&self) -> u64 {
        let ports: FxHashSet<u16> =
            self.peers.values().filter_map(|(_, peer)| Some(peer.socket.local_addr().ok()?.port())).collect();
        ["/proc/net/udp", "/proc/net/udp6"]
            .iter()
            .filter_map(|path| std::fs::read_to_string(path).ok())
            .flat_map(|table| table.lines().skip(1).filter_map(|line| drops(line, &ports)).collect::<Vec<u64>>())
            .sum()
    }
}

/// The drops of one line of the kernel's table, if the port is one of ours.
fn drops(line: &str, ports: &FxHashSet<u16>) -> Option<u64> {
    let mut fields = line.split_ascii_whitespace();
    let (_, port) = fields.nth(1)?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    if ports.contains(&port) { fields.last()?.parse().ok() } else { None }
}

impl Handle {
    /// A new peer connection with credentials of its own.
    pub fn port(&self) -> Port {
        let id = self.ids.fetch_add(1, Ordering::Relaxed);
        let secret: [u8; 16] = rand::random();
        let secret: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        Port {
            handle: self.clone(),
            id,
            local: IceCredentials { ufrag: format!("l{id:07x}"), pwd: format!("{secret:0<24}") },
        }
    }

    /// All counters, and times since the last [`Handle::restart`]. With `last`, packets that are still missing are counted as lost.
    ///
    /// # Errors
    /// If the engine has ended.
    pub async fn snapshot(&self, last: bool) -> Result<(Measured, Latency), Error> {
        let (answer, answered) = oneshot::channel();
        self.send(Command::Snapshot { last, answer })?;
        answered.await.map_err(|_| Error::Media("the engine has ended".into()))
    }

    /// Forgets latencies, and tells gaps in pictures so far apart: what matters begins now.
    ///
    /// # Errors
    /// If the engine has ended.
    pub fn restart(&self) -> Result<(), Error> {
        self.send(Command::Restart)
    }

    /// All publishers stop sending media, so that what is under way can arrive before the last count.
    ///
    /// # Errors
    /// If the engine has ended.
    pub fn hush(&self) -> Result<(), Error> {
        self.send(Command::Hush)
    }

    fn send(&self, command: Command) -> Result<(), Error> {
        self.commands.send(command).map_err(|_| Error::Media("the engine has ended".into()))
    }
}

impl Port {
    /// The engine's certificate and time.
    pub fn engine(&self) -> &Handle {
        &self.handle
    }

    /// Brings the connection up. `begun` is when the join began (see [`Clock::now`]); `checked` that all it receives is decrypted.
    ///
    /// # Errors
    /// If the engine has ended. How it went comes out of the receiver.
    pub fn connect(
        &self,
        remote: Remote,
        begun: u64,
        checked: bool,
    ) -> Result<oneshot::Receiver<Result<(), String>>, Error> {
        let (opened, result) = oneshot::channel();
        let local = self.local.clone();
        self.handle.send(Command::Connect { id: self.id, local, remote, begun, checked, opened })?;
        Ok(result)
    }

    /// What may come in from now on, all of it.
    ///
    /// # Errors
    /// If the engine has ended.
    pub fn receive(
        &self,
        extensions: ExtensionMap,
        kinds: FxHashMap<u8, Kind>,
        streams: Vec<Incoming>,
    ) -> Result<(), Error> {
        self.handle.send(Command::Receive { id: self.id, extensions, kinds, streams })
    }

    /// The participant is about to leave: from now on it is no failure if the server closes the connection.
    ///
    /// # Errors
    /// If the engine has ended.
    pub fn leaving(&self) -> Result<(), Error> {
        self.handle.send(Command::Leaving { id: self.id })
    }

    /// Which encodings of what is published are sent, lowest first; those not named stay as they are.
    ///
    /// # Errors
    /// If the engine has ended.
    pub fn switch_layers(&self, on: Vec<bool>) -> Result<(), Error> {
        self.handle.send(Command::Layers { id: self.id, on })
    }

    /// What is sent from now on.
    ///
    /// # Errors
    /// If the engine has ended.
    pub fn publish(&self, params: SourceParams) -> Result<(), Error> {
        self.handle.send(Command::Publish { id: self.id, params: Box::new(params) })
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        // An engine that has ended has closed it.
        let _ = self.handle.send(Command::Close { id: self.id });
    }
}
