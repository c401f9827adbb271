//! A participant: joins a room over the single peer connection of the protocol (v1), publishes a microphone and a camera,
//! receives everybody else's, and accounts for it in a [`State`] that tests wait on.

use crate::media::{AUDIO_INTERVAL, AUDIO_PER_FRAME, Opus, Vp8};
use crate::meter::{Arrival, Meter};
use crate::peer::{Kind, Peer, PeerEvent};
use crate::signal::{self, Said, Socket};
use crate::{Error, PATIENCE, token};
use bytes::Bytes;
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::signal_response::Message as Response;
use livekit_protocol::{
    AddTrackRequest, ClientInfo, ConnectionSettings, DataPacket, JoinRequest, LeaveRequest, ParticipantInfo,
    SessionDescription, TrackInfo, TrackSource, TrackType, UserPacket, data_packet, participant_info,
};
use prost::Message as _;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::{Interval, MissedTickBehavior, interval, sleep_until};

/// What libwebrtc gives a socket that receives video, in bytes: first pictures of several people come at once.
const RECEIVE_BUFFER: usize = 256 * 1024;
/// Media sections that a first offer has for each kind, as the JavaScript SDK does.
const FIRST_SECTIONS: u32 = 3;
/// Foreign datagrams that may wait.
const INJECTED: usize = 64;
/// Larger than any datagram we get.
const DATAGRAM: usize = 2048;

/// Who joins, and how.
#[derive(Clone, Debug)]
pub struct Join {
    identity: String,
    token: String,
    publish: bool,
}

impl Join {
    /// One who only looks and listens.
    pub fn new(room: &str, identity: &str) -> Self {
        Self { identity: identity.into(), token: token::mint(room, identity), publish: false }
    }

    /// With another token than everybody's.
    pub fn by(mut self, token: &str) -> Self {
        self.token = token.into();
        self
    }

    /// With microphone and camera.
    pub fn publishing(mut self) -> Self {
        self.publish = true;
        self
    }
}

/// How a client's stay ended.
#[derive(Clone, PartialEq, Debug)]
pub enum Ended {
    /// It left.
    Left,
    /// The server asked it to.
    Asked(LeaveRequest),
    /// The WebSocket closed; with code and reason, if the server gave them.
    SignalLost(Option<(u16, String)>),
    /// The media connection failed.
    MediaLost,
    /// A bug on one side.
    Broken(String),
}

/// What a client knows and has counted.
#[derive(Clone, Debug, Default)]
pub struct State {
    /// Own session id; empty before the join.
    pub sid: String,
    /// Media flows.
    pub connected: bool,
    /// The others, by identity.
    pub participants: BTreeMap<String, ParticipantInfo>,
    /// Own tracks that the server took.
    pub published: Vec<TrackInfo>,
    /// Packets sent of all own tracks.
    pub sent: u64,
    /// Key frames sent.
    pub keyframes_sent: u64,
    /// Key frames asked for by the server.
    pub keyframes_wanted: u64,
    /// What came in, by track.
    pub received: BTreeMap<String, Meter>,
    /// Data channels that are open.
    pub channels: Vec<String>,
    /// Messages that came over data channels.
    pub data: Vec<Bytes>,
    /// Who is heard, by session id, and how loud.
    pub speaking: BTreeMap<String, f32>,
    /// Answers applied.
    pub negotiations: u32,
    /// The last of them.
    pub answer: String,
    /// Our last offer.
    pub offer: String,
    /// Set at the end.
    pub ended: Option<Ended>,
}

impl State {
    /// What came of `identity`'s track of a source. `None` before its first packet.
    pub fn from(&self, identity: &str, source: TrackSource) -> Option<&Meter> {
        let track = self.participants.get(identity)?.tracks.iter().find(|t| t.source() == source)?;
        self.received.get(&track.sid)
    }

    /// Whole pictures of `identity`'s camera.
    pub fn frames(&self, identity: &str) -> u64 {
        self.from(identity, TrackSource::Camera).map_or(0, |m| m.frames)
    }

    /// Packets of `identity`'s microphone.
    pub fn heard(&self, identity: &str) -> u64 {
        self.from(identity, TrackSource::Microphone).map_or(0, |m| m.packets)
    }

    /// Whether `identity` is told to be speaking.
    pub fn speaks(&self, identity: &str) -> bool {
        self.participants.get(identity).is_some_and(|p| self.speaking.contains_key(&p.sid))
    }

    /// Packets missing over all tracks.
    pub fn missing(&self) -> u64 {
        self.received.values().map(Meter::missing).sum()
    }
}

/// A participant in a room. Dropped, it is gone without a word, like a browser tab that died.
pub struct Client {
    identity: String,
    address: SocketAddr,
    state: watch::Receiver<State>,
    leave: Option<oneshot::Sender<()>>,
    inject: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    say: mpsc::Sender<Bytes>,
    task: JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Joins and waits until media is connected, and until everything it publishes has been taken.
    ///
    /// # Errors
    /// The server's refusal, or what failed on the way.
    pub async fn join(server: SocketAddr, join: Join) -> Result<Self, Error> {
        let identity = join.identity.clone();
        let (published, socket) = (if join.publish { 2 } else { 0 }, UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?);
        socket2::SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER)?;
        let address = socket.local_addr()?;
        let (state, watched) = watch::channel(State::default());
        let (leave, left) = oneshot::channel();
        let (inject, injected) = mpsc::channel(INJECTED);
        let (say, said) = mpsc::channel(INJECTED);
        let session = Session::connect(server, &join, socket, state).await?;
        let task = tokio::spawn(session.run(left, injected, said));
        let mut client = Self { identity, address, state: watched, leave: Some(leave), inject, say, task };
        let up = |s: &State| s.ended.is_some() || (s.connected && s.published.len() == published);
        match client.wait(up).await.then(|| client.state.borrow().ended.clone()) {
            Some(None) => Ok(client),
            Some(Some(ended)) => Err(Error::Io(std::io::Error::other(format!("ended at once: {ended:?}")))),
            None => {
                eprintln!("{}: {:#?}", client.identity, *client.state.borrow());
                Err(Error::Late("the join", PATIENCE))
            }
        }
    }

    /// Its name in the room.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Where its media comes from.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it knows now.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Waits until `holds`, bounded by [`PATIENCE`].
    ///
    /// # Panics
    /// If it doesn't come to hold: a test has failed. The message has `what` and the state.
    pub async fn until(&mut self, what: &str, holds: impl FnMut(&State) -> bool) {
        let held = self.wait(holds).await;
        assert!(held, "{} waited for {what} in vain: {:#?}", self.identity, *self.state.borrow());
    }

    /// Sends any bytes from the very address that its media comes from, as somebody on the path could.
    pub async fn inject(&self, to: SocketAddr, datagram: Vec<u8>) {
        // After its end nobody sends any more.
        let _ = self.inject.send((to, datagram)).await;
    }

    /// Sends a message to everybody over the reliable data channel, which must be open.
    pub async fn say(&self, message: &str) {
        let user = UserPacket { payload: message.as_bytes().to_vec(), ..Default::default() };
        let packet = DataPacket { value: Some(data_packet::Value::User(user)), ..Default::default() };
        let _ = self.say.send(packet.encode_to_vec().into()).await;
    }

    /// Says goodbye as a client does, and waits until it's over.
    pub async fn leave(mut self) -> State {
        drop(self.leave.take());
        self.wait(|s| s.ended.is_some()).await;
        self.state()
    }

    async fn wait(&mut self, mut holds: impl FnMut(&State) -> bool) -> bool {
        matches!(tokio::time::timeout(PATIENCE, self.state.wait_for(|s| holds(s))).await, Ok(Ok(_)))
    }
}

/// The running participant: one task owns socket, WebSocket and peer connection.
struct Session {
    identity: String,
    socket: UdpSocket,
    signal: Socket,
    peer: Peer,
    state: watch::Sender<State>,
    publish: bool,
    offer_id: u32,
    /// An offer is on its way; the next must wait for its answer.
    offering: bool,
    /// There is something new to offer.
    offer_again: bool,
    tracks_added: bool,
    tracks_negotiated: bool,
    opus: Opus,
    vp8: Vp8,
    ticks: u32,
}

impl Session {
    async fn connect(
        server: SocketAddr,
        join: &Join,
        socket: UdpSocket,
        state: watch::Sender<State>,
    ) -> Result<Self, Error> {
        let now = Instant::now();
        let mut peer = Peer::new(now, socket.local_addr()?)?;
        peer.receive(Kind::Audio, FIRST_SECTIONS)?;
        peer.receive(Kind::Video, FIRST_SECTIONS)?;
        let sdp = peer.offer(now)?;
        state.send_modify(|s| s.offer.clone_from(&sdp));
        let offer = description("offer", sdp, 1);
        let request = JoinRequest {
            client_info: Some(ClientInfo { protocol: 16, ..Default::default() }),
            connection_settings: Some(ConnectionSettings { auto_subscribe: true, ..Default::default() }),
            publisher_offer: Some(offer),
            ..Default::default()
        };
        let path = signal::v1_path(&join.token, &request);
        let signal = signal::connect(server, &path).await?;
        Ok(Self {
            identity: join.identity.clone(),
            socket,
            signal,
            peer,
            state,
            publish: join.publish,
            offer_id: 1,
            offering: true,
            offer_again: false,
            tracks_added: false,
            tracks_negotiated: false,
            opus: Opus::default(),
            vp8: Vp8::default(),
            ticks: 0,
        })
    }

    async fn run(
        mut self,
        left: oneshot::Receiver<()>,
        injected: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
        said: mpsc::Receiver<Bytes>,
    ) {
        let ended = self.stay(left, injected, said).await.unwrap_or_else(|error| Ended::Broken(error.to_string()));
        self.peer.close();
        let _ = self.transmit().await;
        self.state.send_modify(|s| s.ended = Some(ended));
    }

    /// The life of a participant, up to its end.
    async fn stay(
        &mut self,
        mut left: oneshot::Receiver<()>,
        mut injected: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
        mut said: mpsc::Receiver<Bytes>,
    ) -> Result<Ended, Error> {
        let mut datagram = [0; DATAGRAM];
        let mut media = ticking(AUDIO_INTERVAL);
        let mut ping = ticking(Duration::from_secs(5));
        loop {
            self.transmit().await?;
            if let Some(ended) = self.take_events() {
                return Ok(ended);
            }
            let due = self.peer.poll_timeout().unwrap_or_else(|| Instant::now() + PATIENCE);
            tokio::select! {
                _ = &mut left => {
                    // The server may have closed already: gone is gone.
                    let _ = signal::send(&mut self.signal, Request::Leave(LeaveRequest::default())).await;
                    return Ok(Ended::Left);
                }
                received = self.socket.recv_from(&mut datagram) => {
                    let (len, from) = received?;
                    let now = Instant::now();
                    self.peer.handle_datagram(now, from, datagram.get(..len).unwrap_or_default());
                    // What came together is taken together: state and timers are looked at once.
                    for _ in 0..64 {
                        let Ok((len, from)) = self.socket.try_recv_from(&mut datagram) else { break };
                        self.peer.handle_datagram(now, from, datagram.get(..len).unwrap_or_default());
                    }
                }
                () = sleep_until(due.into()) => self.peer.handle_timeout(Instant::now())?,
                said = signal::receive(&mut self.signal) => match said? {
                    Said::Message(message) => {
                        if let Some(ended) = self.hear(*message).await? {
                            return Ok(ended);
                        }
                    }
                    Said::Closed(frame) => {
                        return Ok(Ended::SignalLost(frame.map(|f| (f.code.into(), f.reason.as_str().to_owned()))));
                    }
                },
                Some((to, bytes)) = injected.recv() => {
                    self.socket.send_to(&bytes, to).await?;
                }
                Some(message) = said.recv() => self.peer.say(Instant::now(), &message)?,
                _ = media.tick(), if self.sends() => self.send_media()?,
                _ = ping.tick() => signal::send(&mut self.signal, Request::Ping(0)).await?,
            }
        }
    }

    /// Its tracks are taken, negotiated and connected. Later negotiations don't interrupt them.
    fn sends(&self) -> bool {
        let state = self.state.borrow();
        self.tracks_negotiated && state.connected && state.published.len() == 2
    }

    async fn transmit(&mut self) -> Result<(), Error> {
        while let Some((to, datagram)) = self.peer.poll_transmit() {
            // A refused port shows up here when the server has gone; ICE notices by itself.
            let _ = self.socket.send_to(&datagram, to).await;
        }
        Ok(())
    }

    fn send_media(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        self.peer.send(now, Kind::Audio, &self.opus.packet())?;
        let (mut sent, mut keyframes) = (1, 0);
        if self.ticks.is_multiple_of(AUDIO_PER_FRAME) {
            let (packets, key) = self.vp8.frame();
            for packet in &packets {
                self.peer.send(now, Kind::Video, packet)?;
            }
            (sent, keyframes) = (sent + packets.len() as u64, u64::from(key));
        }
        self.ticks = self.ticks.wrapping_add(1);
        self.state.send_modify(|s| {
            s.sent += sent;
            s.keyframes_sent += keyframes;
        });
        Ok(())
    }

    /// Applies what the peer connection reports, in one change of the state.
    fn take_events(&mut self) -> Option<Ended> {
        let mut next = self.peer.poll_event()?;
        let now = Instant::now();
        let mut ended = None;
        self.state.send_modify(|state| {
            loop {
                match next {
                    PeerEvent::Connected => state.connected = true,
                    PeerEvent::Failed => ended = Some(Ended::MediaLost),
                    PeerEvent::Rtp { track, video, packet } => {
                        state.received.entry(track).or_default().arrive(
                            now,
                            Arrival {
                                ssrc: packet.header.ssrc,
                                seq: packet.header.sequence_number,
                                timestamp: packet.header.timestamp,
                                marker: packet.header.marker,
                                payload: &packet.payload,
                                video,
                            },
                        );
                    }
                    PeerEvent::KeyframeWanted(times) => {
                        state.keyframes_wanted += u64::from(times);
                        self.vp8.request_keyframe();
                    }
                    PeerEvent::ChannelOpen(label) => state.channels.push(label),
                    PeerEvent::Data(message) => state.data.push(message),
                }
                match self.peer.poll_event() {
                    Some(event) => next = event,
                    None => break,
                }
            }
        });
        ended
    }

    /// One message of the server.
    async fn hear(&mut self, message: Response) -> Result<Option<Ended>, Error> {
        match message {
            Response::Join(join) => {
                self.state.send_modify(|s| {
                    s.sid = join.participant.map(|p| p.sid).unwrap_or_default();
                    s.participants = join.other_participants.into_iter().map(|p| (p.identity.clone(), p)).collect();
                });
                if self.publish {
                    self.add_tracks().await?;
                }
            }
            Response::Answer(answer) => {
                if answer.id != self.offer_id {
                    return Err(Error::Protocol("an answer to no offer of ours"));
                }
                self.offering = false;
                self.peer.answer(Instant::now(), answer.sdp.clone())?;
                self.state.send_modify(|s| {
                    s.negotiations += 1;
                    s.answer = answer.sdp;
                });
                self.tracks_negotiated |= self.tracks_added && !self.offer_again;
                if self.offer_again {
                    self.offer().await?;
                }
            }
            Response::MediaSectionsRequirement(more) => {
                self.peer.receive(Kind::Audio, more.num_audios)?;
                self.peer.receive(Kind::Video, more.num_videos)?;
                self.offer().await?;
            }
            Response::TrackPublished(published) => {
                self.state.send_modify(|s| s.published.extend(published.track));
            }
            Response::Update(update) => {
                self.state.send_modify(|s| {
                    for participant in update.participants.into_iter().filter(|p| p.identity != self.identity) {
                        if participant.state() == participant_info::State::Disconnected {
                            s.participants.remove(&participant.identity);
                        } else {
                            s.participants.insert(participant.identity.clone(), participant);
                        }
                    }
                });
            }
            Response::SpeakersChanged(changed) => {
                self.state.send_modify(|s| {
                    for speaker in changed.speakers {
                        if speaker.active {
                            s.speaking.insert(speaker.sid, speaker.level);
                        } else {
                            s.speaking.remove(&speaker.sid);
                        }
                    }
                });
            }
            Response::Leave(leave) => return Ok(Some(Ended::Asked(leave))),
            Response::Offer(_) => return Err(Error::Protocol("an offer in v1")),
            _ => {}
        }
        Ok(None)
    }

    async fn add_tracks(&mut self) -> Result<(), Error> {
        // Unique in the room is enough: the server gives out SSRCs of its own.
        let seed = u32::from(self.socket.local_addr()?.port()) << 8;
        let tracks = [
            (Kind::Audio, TrackType::Audio, TrackSource::Microphone, 1, (0, 0)),
            (Kind::Video, TrackType::Video, TrackSource::Camera, 2, (640, 360)),
        ];
        for (kind, r#type, source, ssrc, (width, height)) in tracks {
            let cid = format!("{}-{}", self.identity, source.as_str_name().to_lowercase());
            self.peer.publish(kind, &cid, seed | ssrc)?;
            let request = AddTrackRequest {
                cid,
                name: source.as_str_name().to_lowercase(),
                r#type: r#type.into(),
                source: source.into(),
                width,
                height,
                ..Default::default()
            };
            signal::send(&mut self.signal, Request::AddTrack(request)).await?;
        }
        self.tracks_added = true;
        self.offer().await
    }

    /// Offers now, or once the offer that is on its way has been answered.
    async fn offer(&mut self) -> Result<(), Error> {
        self.offer_again = self.offering;
        if self.offering {
            return Ok(());
        }
        self.offering = true;
        self.offer_id += 1;
        let sdp = self.peer.offer(Instant::now())?;
        self.state.send_modify(|s| s.offer.clone_from(&sdp));
        let offer = description("offer", sdp, self.offer_id);
        signal::send(&mut self.signal, Request::Offer(offer)).await
    }
}

fn description(r#type: &str, sdp: String, id: u32) -> SessionDescription {
    SessionDescription { r#type: r#type.into(), sdp, id, ..Default::default() }
}

/// A clock that makes up for no missed ticks by a burst.
fn ticking(period: Duration) -> Interval {
    let mut clock = interval(period);
    clock.set_missed_tick_behavior(MissedTickBehavior::Delay);
    clock
}
