//! The DTLS server of one transport (RFC 6347, RFC 5764): handshake, SRTP keys, and application data for SCTP.
//!
//! Its randomness is the crypto provider's own: keys must not be foreseeable, so no seed reaches them.

mod identity;
mod record;

pub use identity::{Identity, IdentityError};

use super::srtp::Profile;
use crate::params::Fingerprint;
use bytes::BytesMut;
use identity::{FLIGHT_INTERVAL, digest};
use record::HelloBuffer;
use rtc_crypto::SecretVec;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_shared::error::Error;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// The endpoint keys associations by address, but a peer's address changes: it gets this one, always.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// Handshake fragments that one association may send us, repeats included: a browser's handshake is about 10. The state
/// machine keeps what it can't use yet.
const MAX_FRAGMENTS: usize = 384;
/// Bytes in datagrams with handshake records, likewise; a browser's handshake is about 4 KiB.
const MAX_HANDSHAKE_BYTES: usize = 64 * 1024;
/// Before the handshake is done the state machine keeps records of the next epoch, too.
const MAX_EARLY_DATAGRAMS: usize = 256;

/// How much later than [`FLIGHT_INTERVAL`] each repeat of our flight goes out. The state machine gives up at the eighth, which
/// at its constant pace would be two seconds after the first: too soon for a phone on a bad line. There is no ninth here; a
/// peer that is still silent then runs into [`crate::CONNECT_TIMEOUT`].
const EXTRA_WAIT: [Duration; 7] = [
    Duration::ZERO,
    Duration::ZERO,
    Duration::ZERO,
    Duration::from_millis(250),
    Duration::from_millis(750),
    Duration::from_millis(1750),
    Duration::from_millis(3750),
];

/// What DTLS tells the transport.
pub(super) enum DtlsEvent {
    /// The handshake is done; the peer's certificate still has to be judged.
    Connected(Keys),
    /// Decrypted application data.
    Data(BytesMut),
    /// The peer said close_notify.
    Closed,
    /// It is over, for a reason that is worth a log line only.
    Failed(String),
}

/// What the handshake yielded.
pub(super) struct Keys {
    pub fingerprint: Fingerprint,
    pub profile: Profile,
    /// See [`Profile::keying_material_len`].
    pub material: SecretVec,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Handshaking,
    Connected,
    Closed,
}

/// The DTLS server. Inputs are [`Dtls::handle`], [`Dtls::handle_timeout`] and [`Dtls::write`].
pub(super) struct Dtls {
    endpoint: Endpoint,
    identity: Identity,
    state: State,
    hello: HelloBuffer,
    /// The profile was chosen, the association exists.
    started: bool,
    /// Our flight with the ServerHello went out. From then on a ClientHello is only an echo, and one that would stop the
    /// timer for good that repeats the flight.
    server_hello_out: bool,
    repeats: usize,
    early_datagrams: usize,
    handshake_fragments: usize,
    handshake_bytes: usize,
    transmits: VecDeque<BytesMut>,
}

impl Dtls {
    pub(super) fn new(identity: &Identity) -> Self {
        Self {
            endpoint: Endpoint::new(PEER, TransportProtocol::UDP, None),
            identity: identity.clone(),
            state: State::Handshaking,
            hello: HelloBuffer::default(),
            started: false,
            server_hello_out: false,
            repeats: 0,
            early_datagrams: 0,
            handshake_fragments: 0,
            handshake_bytes: 0,
            transmits: VecDeque::new(),
        }
    }

    /// Takes in one datagram. Returns false if it was dropped.
    pub(super) fn handle(&mut self, now: Instant, datagram: &[u8], events: &mut Vec<DtlsEvent>) -> bool {
        let Some(summary) = record::inspect(datagram) else { return false };
        if self.state == State::Closed || !self.charge(&summary, datagram.len()) {
            return false;
        }
        let Some(message_seq) = summary.client_hello else {
            if !self.started {
                return false;
            }
            self.read(now, datagram, events);
            return true;
        };
        if self.server_hello_out {
            return false;
        }
        let Some(datagrams) = self.hello.push(message_seq, datagram) else { return true };
        if !self.started {
            let profile = record::choose_profile(&datagrams, message_seq);
            tracing::debug!(?profile, "DTLS starts");
            self.endpoint.set_server_config(Some(self.identity.config(profile)));
            self.started = true;
        }
        for datagram in datagrams {
            self.read(now, &datagram, events);
        }
        true
    }

    /// Whether the peer may still send so much.
    fn charge(&mut self, summary: &record::Summary, len: usize) -> bool {
        if self.state == State::Handshaking {
            self.early_datagrams += 1;
        }
        if summary.handshake_fragments > 0 {
            self.handshake_fragments += summary.handshake_fragments;
            self.handshake_bytes += len;
        }
        self.early_datagrams <= MAX_EARLY_DATAGRAMS
            && (summary.handshake_fragments == 0
                || self.handshake_fragments <= MAX_FRAGMENTS && self.handshake_bytes <= MAX_HANDSHAKE_BYTES)
    }

    fn read(&mut self, now: Instant, datagram: &[u8], events: &mut Vec<DtlsEvent>) {
        if self.state == State::Closed {
            return;
        }
        let was_connected = self.state == State::Connected;
        let result = self.endpoint.read(now, PEER, None, BytesMut::from(datagram));
        self.drain();
        match result {
            Ok(messages) => {
                for message in messages {
                    self.event(message, events);
                }
            }
            // Afterwards only an authenticated alert ends it; before, any refusal does.
            Err(Error::ErrAlertFatalOrClose) => self.fail("fatal alert".into(), events),
            Err(error) if !was_connected => self.fail(error.to_string(), events),
            Err(error) => tracing::debug!(%error, "DTLS record dropped"),
        }
    }

    fn event(&mut self, message: EndpointEvent, events: &mut Vec<DtlsEvent>) {
        match message {
            EndpointEvent::HandshakeComplete => match self.keys() {
                Ok(keys) => {
                    self.state = State::Connected;
                    events.push(DtlsEvent::Connected(keys));
                }
                Err(reason) => self.fail(reason.into(), events),
            },
            EndpointEvent::ApplicationData(data) if self.state == State::Connected => {
                events.push(DtlsEvent::Data(data))
            }
            EndpointEvent::PeerClosed => {
                self.state = State::Closed;
                events.push(DtlsEvent::Closed);
            }
            _ => {}
        }
    }

    fn fail(&mut self, reason: String, events: &mut Vec<DtlsEvent>) {
        if self.state != State::Closed {
            self.state = State::Closed;
            events.push(DtlsEvent::Failed(reason));
        }
    }

    fn keys(&self) -> Result<Keys, &'static str> {
        const LABEL: &str = "EXTRACTOR-dtls_srtp";
        let state = self.endpoint.get_connection_state(PEER).ok_or("no association")?;
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Cm,
            _ => return Err("no SRTP profile negotiated"),
        };
        let certificate = state.peer_certificates.first().ok_or("no certificate")?;
        let fingerprint = digest(self.identity.provider().as_ref(), certificate).ok_or("no SHA-256")?;
        let material = state
            .export_keying_material(LABEL, &[], profile.keying_material_len())
            .map_err(|_| "no keying material")?;
        Ok(Keys { fingerprint, profile, material })
    }

    /// Sends application data. Does nothing unless connected.
    pub(super) fn write(&mut self, now: Instant, data: &[u8]) {
        if self.state == State::Connected && self.endpoint.write(now, PEER, data).is_ok() {
            self.drain();
        }
    }

    /// Says close_notify, if there is anyone to say it to.
    pub(super) fn close(&mut self, now: Instant) {
        if self.state != State::Closed {
            self.state = State::Closed;
            self.endpoint.stop(now, PEER);
            self.drain();
        }
    }

    /// The next datagram to send.
    pub(super) fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.transmits.pop_front()
    }

    /// When our flight is repeated.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        if self.state != State::Handshaking || !self.server_hello_out {
            return None;
        }
        let extra = EXTRA_WAIT.get(self.repeats)?;
        self.endpoint.poll_timeout(&PEER).map(|at| at + *extra)
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, events: &mut Vec<DtlsEvent>) {
        if self.poll_timeout().is_some_and(|at| at <= now) {
            self.repeats += 1;
            let result = self.endpoint.handle_timeout(PEER, now);
            self.drain();
            if let Err(error) = result {
                self.fail(error.to_string(), events);
            }
        }
    }

    fn drain(&mut self) {
        while let Some(transmit) = self.endpoint.poll_transmit() {
            self.server_hello_out |= record::inspect(&transmit.message).is_some_and(|summary| summary.server_hello);
            self.transmits.push_back(transmit.message);
        }
    }
}

const _: () = assert!(FLIGHT_INTERVAL.as_millis() * 8 < crate::CONNECT_TIMEOUT.as_millis());
