//! One peer connection's wire: ICE-lite, DTLS server, SRTP and SCTP as one sans-IO state machine.
//!
//! DTLS draws its randoms and keys from the crypto provider: that is the one thing a seed doesn't replay, and should not.

mod dtls;
mod ice;
mod sctp;
pub mod srtp;

pub use dtls::{Identity, IdentityError};

use crate::api::{DisconnectReason, Path};
use crate::id::{Ssrc, TransportId};
use crate::params::{DataChannel, ExtensionMap, Fingerprint, IceCredentials, TransportParams};
use crate::transmit::Batch;
use crate::{CONNECT_TIMEOUT, ICE_TIMEOUT};
use bytes::Bytes;
use dtls::{Dtls, DtlsEvent, Keys};
use ice::Ice;
use sctp::{Sctp, SctpEvent};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

/// What a transport tells the worker.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TransportEvent {
    /// An authenticated check came from this address: the demultiplexer may now let its DTLS and media in.
    Validated(SocketAddr),
    /// ICE, DTLS and SRTP are up; media may flow both ways.
    Connected,
    /// The wire is gone. Nothing but the farewell left in [`Transport::poll_transmit`] follows.
    Disconnected(DisconnectReason),
    /// A data channel can be written to.
    ChannelOpen(DataChannel),
    /// A message came in.
    Data(DataChannel, Bytes),
}

/// Dropped input and failed output of one transport, by reason. All only grow.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// STUN that didn't parse or was no binding request or indication.
    pub stun_malformed: u64,
    /// STUN with unknown user name, wrong integrity or wrong fingerprint.
    pub stun_unauthenticated: u64,
    /// DTLS from an address without an authenticated check, malformed, or not acceptable in this state.
    pub dtls_dropped: u64,
    /// SRTP and SRTCP before there were keys.
    pub srtp_early: u64,
    /// SRTP and SRTCP too short or with a header that runs over the end.
    pub srtp_malformed: u64,
    /// SRTP and SRTCP whose tag is wrong: forged or damaged.
    pub srtp_unauthenticated: u64,
    /// SRTP and SRTCP that came before, or too late to tell.
    pub srtp_replayed: u64,
    /// SRTP and SRTCP of more sources than one transport may have.
    pub srtp_too_many_sources: u64,
    /// SCTP that couldn't be used.
    pub sctp_dropped: u64,
    /// Messages on channels that we don't know, or longer than allowed.
    pub data_dropped: u64,
    /// Messages that we didn't send because the channel's buffer was full.
    pub data_congested: u64,
}

/// Why a packet wasn't opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// There are no keys yet.
    #[error("no keys yet")]
    NotReady,
    /// Too short, wrong version, or a header that runs over the end.
    #[error("malformed packet")]
    Malformed,
    /// The tag is wrong.
    #[error("authentication failed")]
    Unauthenticated,
    /// It came before, or too late to tell.
    #[error("replayed packet")]
    Replayed,
    /// It is authentic, but its source is one more than a transport may have.
    #[error("too many sources")]
    TooManySources,
}

/// Why a packet wasn't sealed. The buffer is as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SealError {
    /// There are no keys yet.
    #[error("no keys yet")]
    NotReady,
    /// Too short, wrong version, or a header that runs over the end.
    #[error("malformed packet")]
    Malformed,
    /// The key has protected as many packets as it may (RFC 3711 section 9.2), or the cipher refused.
    #[error("cipher exhausted")]
    Exhausted,
    /// This sequence number of this SSRC was sealed already, or is too old to tell: a second packet under one nonce would give
    /// the key away. Repeat the sealed bytes, or send the payload anew over RTX.
    #[error("sequence number already sealed")]
    Reused,
}

/// Why a message wasn't sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendDataError {
    /// The channel isn't open.
    #[error("no such channel")]
    NoChannel,
    /// Longer than [`crate::api::MAX_DATA_MESSAGE`].
    #[error("message too long")]
    Size,
    /// A lossy channel's buffer is full: this message is dropped, as on the wire.
    #[error("channel congested")]
    Congested,
    /// A reliable channel's buffer is full: the peer doesn't read. The channel is closed.
    #[error("channel failed")]
    Failed,
}

/// One peer connection's wire.
///
/// It is driven by one owner, which calls, in this order each turn:
///
/// - `handle_*` and `open_*` with what came from the socket: [`handle_stun`](Self::handle_stun),
///   [`handle_dtls`](Self::handle_dtls), [`open_rtp`](Self::open_rtp), [`open_rtcp`](Self::open_rtcp);
///   [`handle_timeout`](Self::handle_timeout) when the deadline has come;
/// - mutators with what we want: [`update`](Self::update), [`send_data`](Self::send_data), [`close`](Self::close);
/// - [`poll_event`](Self::poll_event) until `None`;
/// - [`poll_transmit`](Self::poll_transmit) once: it takes all STUN, DTLS and SCTP that waits. Media leaves by
///   [`seal_rtp`](Self::seal_rtp) and [`seal_rtcp`](Self::seal_rtcp) straight into the caller's buffer, to
///   [`selected_path`](Self::selected_path);
/// - [`poll_timeout`](Self::poll_timeout) last: every call above may move it.
///
/// Getters ([`is_connected`](Self::is_connected), [`extensions`](Self::extensions), [`counters`](Self::counters), …) may be
/// called at any time.
pub struct Transport {
    id: TransportId,
    extensions: ExtensionMap,
    /// The peer's certificate must have one of these.
    fingerprints: Vec<Fingerprint>,
    identity: Identity,
    state: State,
    ice: Ice,
    dtls: Dtls,
    srtp: Option<Box<Srtp>>,
    sctp: Sctp,
    /// When the peer last proved that it is there.
    last_valid: Instant,
    events: VecDeque<TransportEvent>,
    counters: Counters,
}

struct Srtp {
    inbound: srtp::Inbound,
    outbound: srtp::Outbound,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Since the attach, until this deadline.
    Connecting(Instant),
    Connected,
    Closed,
}

impl Transport {
    /// A transport that waits for the peer's first check. It takes no seed: a lite agent draws nothing at random, and the keys and
    /// tags of DTLS and SCTP come from their crates.
    pub fn new(now: Instant, id: TransportId, params: TransportParams, identity: &Identity) -> Self {
        Self {
            id,
            extensions: params.extensions,
            fingerprints: params.fingerprints,
            identity: identity.clone(),
            state: State::Connecting(now + CONNECT_TIMEOUT),
            ice: Ice::new(identity.provider().clone(), params.local, &params.remote),
            dtls: Dtls::new(identity),
            srtp: None,
            sctp: Sctp::new(params.open_channels),
            last_valid: now,
            events: VecDeque::new(),
            counters: Counters::default(),
        }
    }

    /// Applies a later negotiation; see [`crate::api::Command::UpdateTransport`]. `ice` is (ours, the peer's). Fingerprints are
    /// ignored once DTLS is up: the certificate was judged then, and a connection shows no other.
    pub fn update(
        &mut self,
        extensions: ExtensionMap,
        ice: Option<(IceCredentials, IceCredentials)>,
        fingerprints: Vec<Fingerprint>,
    ) {
        self.extensions = extensions;
        if let Some((local, remote)) = ice {
            self.ice.restart(local, &remote);
        }
        if matches!(self.state, State::Connecting(_)) {
            self.fingerprints = fingerprints;
        }
    }

    /// Takes in one STUN message. The answer leaves by [`Self::poll_transmit`] on the path it came on.
    pub fn handle_stun(&mut self, now: Instant, path: Path, message: &[u8]) {
        if self.is_closed() {
            return;
        }
        if let Some(check) = self.ice.handle(now, path, message, &mut self.counters) {
            self.last_valid = now;
            if check.new_address {
                tracing::debug!(transport = %self.id, remote = %path.remote, "address validated");
                self.events.push_back(TransportEvent::Validated(path.remote));
            }
        }
    }

    /// Takes in one DTLS datagram from a validated address.
    pub fn handle_dtls(&mut self, now: Instant, path: Path, datagram: &[u8]) {
        let mut events = Vec::new();
        if !self.ice.is_validated(path.remote) || !self.dtls.handle(now, datagram, &mut events) {
            self.counters.dtls_dropped += 1;
            return;
        }
        self.ice.hint(path);
        self.dtls_events(now, events);
    }

    fn dtls_events(&mut self, now: Instant, events: Vec<DtlsEvent>) {
        for event in events {
            match event {
                DtlsEvent::Connected(keys) => self.connect(now, &keys),
                DtlsEvent::Data(packet) if self.is_connected() => {
                    let mut events = Vec::new();
                    self.sctp.handle(now, packet.freeze(), &mut self.counters, &mut events);
                    self.sctp_events(now, events);
                }
                DtlsEvent::Data(_) => self.counters.sctp_dropped += 1,
                DtlsEvent::Closed => self.disconnect(now, DisconnectReason::Closed),
                DtlsEvent::Failed(reason) => {
                    tracing::debug!(transport = %self.id, reason, "DTLS failed");
                    self.disconnect(now, DisconnectReason::Handshake);
                }
            }
        }
    }

    /// Judges the certificate; nothing of the peer is believed before.
    fn connect(&mut self, now: Instant, keys: &Keys) {
        if !matches!(self.state, State::Connecting(_)) {
            return;
        }
        if !self.fingerprints.contains(&keys.fingerprint) {
            self.disconnect(now, DisconnectReason::Fingerprint);
            return;
        }
        match srtp::contexts(self.identity.provider().crypto(), keys.profile, keys.material.as_ref()) {
            Ok((inbound, outbound)) => {
                tracing::debug!(transport = %self.id, profile = ?keys.profile, "connected");
                self.srtp = Some(Box::new(Srtp { inbound, outbound }));
                self.state = State::Connected;
                self.last_valid = now;
                self.events.push_back(TransportEvent::Connected);
            }
            Err(error) => {
                tracing::debug!(transport = %self.id, %error, "no SRTP keys");
                self.disconnect(now, DisconnectReason::Handshake);
            }
        }
    }

    fn sctp_events(&mut self, now: Instant, events: Vec<SctpEvent>) {
        self.events.extend(events.into_iter().map(|event| match event {
            SctpEvent::Open(channel) => TransportEvent::ChannelOpen(channel),
            SctpEvent::Data(channel, payload) => TransportEvent::Data(channel, payload),
        }));
        while let Some(packet) = self.sctp.poll_transmit() {
            self.dtls.write(now, &packet);
        }
    }

    fn disconnect(&mut self, now: Instant, reason: DisconnectReason) {
        if !self.is_closed() {
            tracing::debug!(transport = %self.id, ?reason, "disconnected");
            self.state = State::Closed;
            self.srtp = None;
            self.dtls.close(now);
            self.events.push_back(TransportEvent::Disconnected(reason));
        }
    }

    /// Authenticates and decrypts one SRTP packet where it lies; returns the length of the plain RTP packet at its front.
    /// On an error its bytes are spoiled.
    pub fn open_rtp(&mut self, now: Instant, packet: &mut [u8]) -> Result<usize, OpenError> {
        let opened = self.srtp.as_mut().ok_or(OpenError::NotReady).and_then(|srtp| srtp.inbound.open_rtp(packet));
        self.opened(now, opened)
    }

    /// Authenticates and decrypts one compound SRTCP packet where it lies; returns the length of the plain packet at its front.
    /// On an error its bytes are spoiled.
    pub fn open_rtcp(&mut self, now: Instant, packet: &mut [u8]) -> Result<usize, OpenError> {
        let opened = self.srtp.as_mut().ok_or(OpenError::NotReady).and_then(|srtp| srtp.inbound.open_rtcp(packet));
        self.opened(now, opened)
    }

    fn opened(&mut self, now: Instant, opened: Result<usize, OpenError>) -> Result<usize, OpenError> {
        match &opened {
            Ok(_) => self.last_valid = now,
            Err(OpenError::NotReady) => self.counters.srtp_early += 1,
            Err(OpenError::Malformed) => self.counters.srtp_malformed += 1,
            Err(OpenError::Unauthenticated) => self.counters.srtp_unauthenticated += 1,
            Err(OpenError::Replayed) => self.counters.srtp_replayed += 1,
            Err(OpenError::TooManySources) => self.counters.srtp_too_many_sources += 1,
        }
        opened
    }

    /// Reads what [`Self::seal_rtp`] will need for a packet of this SSRC, before it is needed.
    pub fn warm(&self, ssrc: Ssrc) -> u64 {
        self.srtp.as_ref().map_or(0, |srtp| srtp.outbound.warm(ssrc.0))
    }

    /// Seals the RTP packet `buf[start..]` in place and appends the tag.
    pub fn seal_rtp(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), SealError> {
        self.srtp.as_mut().ok_or(SealError::NotReady)?.outbound.seal_rtp(buf, start)
    }

    /// Seals the compound RTCP packet `buf[start..]` in place and appends tag and index.
    pub fn seal_rtcp(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), SealError> {
        self.srtp.as_mut().ok_or(SealError::NotReady)?.outbound.seal_rtcp(buf, start)
    }

    /// Queues one message on a data channel.
    pub fn send_data(&mut self, now: Instant, channel: DataChannel, payload: &Bytes) -> Result<(), SendDataError> {
        if !self.is_connected() {
            return Err(SendDataError::NoChannel);
        }
        let sent = self.sctp.send(now, channel, payload);
        if matches!(sent, Err(SendDataError::Congested | SendDataError::Failed)) {
            self.counters.data_congested += 1;
        }
        self.sctp_events(now, Vec::new());
        sent
    }

    /// Says goodbye (DTLS close_notify). No event follows; what [`Self::poll_transmit`] gives next is the last.
    pub fn close(&mut self, now: Instant) {
        self.state = State::Closed;
        self.srtp = None;
        self.events.clear();
        self.dtls.close(now);
    }

    /// The transport's name.
    pub fn id(&self) -> TransportId {
        self.id
    }

    /// The negotiated header extension ids.
    pub fn extensions(&self) -> &ExtensionMap {
        &self.extensions
    }

    /// Where media goes: the nominated path, or until there is one, the best guess among the validated.
    pub fn selected_path(&self) -> Option<Path> {
        self.ice.selected_path()
    }

    /// Its handshake isn't done yet.
    pub fn is_connecting(&self) -> bool {
        matches!(self.state, State::Connecting(_))
    }

    /// ICE, DTLS and SRTP are up and not yet closed.
    pub fn is_connected(&self) -> bool {
        self.state == State::Connected
    }

    /// The transport is over; nothing brings it back.
    pub fn is_closed(&self) -> bool {
        self.state == State::Closed
    }

    /// What was dropped, by reason.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<TransportEvent> {
        self.events.pop_front()
    }

    /// Appends all STUN, DTLS and SCTP datagrams that wait to `batch`.
    pub fn poll_transmit(&mut self, _now: Instant, batch: &mut Batch) {
        while let Some((path, answer)) = self.ice.poll_answer() {
            batch.push(path, |buf| buf.extend_from_slice(&answer));
        }
        // There is a path if anything waits: DTLS speaks only when spoken to, and that only over validated ones.
        if let Some(path) = self.ice.selected_path() {
            while let Some(datagram) = self.dtls.poll_transmit() {
                batch.push(path, |buf| buf.extend_from_slice(&datagram));
            }
        }
    }

    /// When [`Self::handle_timeout`] must be called, if nothing else happens. `None` once closed.
    pub fn poll_timeout(&self) -> Option<Instant> {
        let (deadline, other) = match self.state {
            State::Connecting(deadline) => (deadline, self.dtls.poll_timeout()),
            State::Connected => (self.last_valid + ICE_TIMEOUT, self.sctp.poll_timeout()),
            State::Closed => return None,
        };
        Some(other.map_or(deadline, |other| other.min(deadline)))
    }

    /// Does what is due at `now`. Early calls do no harm.
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.state {
            State::Connecting(deadline) if now >= deadline => self.disconnect(now, DisconnectReason::Timeout),
            State::Connecting(_) => {
                let mut events = Vec::new();
                self.dtls.handle_timeout(now, &mut events);
                self.dtls_events(now, events);
            }
            State::Connected if now >= self.last_valid + ICE_TIMEOUT => {
                self.disconnect(now, DisconnectReason::Timeout);
            }
            State::Connected => {
                let mut events = Vec::new();
                self.sctp.handle_timeout(now, &mut self.counters, &mut events);
                self.sctp_events(now, events);
            }
            State::Closed => {}
        }
    }
}
