//! The peer in the transport's tests, and the line between the two: latency, seeded loss, one clock.

#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test's own steps may fail it")]

use bytes::{Bytes, BytesMut};
use ramai_sfu::Batch;
use ramai_sfu::api::Path;
use ramai_sfu::demux::Class;
use ramai_sfu::id::TransportId;
use ramai_sfu::params::{DataChannel, ExtensionMap, Fingerprint, IceCredentials, TransportParams};
use ramai_sfu::transport::{Identity, Transport, TransportEvent};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rtc_crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc_datachannel::message::Message as Dcep;
use rtc_datachannel::message::message_channel_ack::DataChannelAck;
use rtc_datachannel::message::message_channel_open::{ChannelType, DataChannelOpen};
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint as Dtls, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_sctp::{
    Association, ClientConfig, DatagramEvent, Endpoint as SctpEndpoint, EndpointConfig, Event, Payload,
    PayloadProtocolIdentifier as Ppid, ReliabilityType, StreamEvent,
};
use rtc_shared::TransportProtocol;
use rtc_shared::marshal::{Marshal, Unmarshal};
use rtc_srtp::config::Config as SrtpConfig;
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use rtc_stun::attributes::{ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message as Stun, Setter, TransactionId};
use rtc_stun::textattrs::TextAttribute;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

pub const GCM: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm;
pub const SHA1: SrtpProtectionProfile = SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80;

const LATENCY: Duration = Duration::from_millis(10);
const CHECK_INTERVAL: Duration = Duration::from_millis(200);

fn server_address() -> SocketAddr {
    ([192, 0, 2, 1], 7882).into()
}

pub fn credentials(ufrag: &str) -> IceCredentials {
    IceCredentials { ufrag: ufrag.into(), pwd: format!("{ufrag}-password-of-22-chars") }
}

pub fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::generate().unwrap())
}

fn certificate() -> &'static Certificate {
    static CERTIFICATE: OnceLock<Certificate> = OnceLock::new();
    CERTIFICATE.get_or_init(|| {
        let provider = rtc_crypto::default_provider().unwrap();
        Certificate::generate_self_signed(vec!["client".to_owned()], provider.crypto()).unwrap()
    })
}

/// What differs between calls.
pub struct Options {
    /// Of each datagram, each way.
    pub loss: f64,
    pub seed: u64,
    pub profiles: Vec<SrtpProtectionProfile>,
    /// What the SDP said, if not the truth.
    pub fingerprint: Option<Fingerprint>,
    /// Channels that the client opens.
    pub opens: Vec<DataChannel>,
    pub we_open: Vec<DataChannel>,
    /// Before the handshake.
    pub nominates: bool,
    /// Of the client's handshake messages.
    pub mtu: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            loss: 0.0,
            seed: 1,
            profiles: vec![GCM, SHA1],
            fingerprint: None,
            opens: vec![],
            we_open: vec![],
            nominates: true,
            mtu: 1200,
        }
    }
}

struct Flying {
    at: Instant,
    to_server: bool,
    path: Path,
    bytes: Vec<u8>,
}

/// A server's transport, its client, and the line between them.
pub struct Call {
    pub server: Transport,
    pub client: Client,
    pub now: Instant,
    /// All that the server said.
    pub events: Vec<TransportEvent>,
    loss: f64,
    rng: ChaCha8Rng,
    line: VecDeque<Flying>,
}

impl Call {
    #[allow(clippy::disallowed_methods, reason = "an Instant can't be made otherwise; only differences matter")]
    pub fn new(options: Options) -> Self {
        let now = Instant::now();
        let client = Client::new(now, &options);
        let params = TransportParams {
            local: credentials("server"),
            remote: credentials("client"),
            fingerprints: vec![Fingerprint([1; 32]), options.fingerprint.unwrap_or_else(|| client.fingerprint())],
            extensions: ExtensionMap::default(),
            open_channels: options.we_open,
        };
        Self {
            server: Transport::new(now, TransportId(1), params, identity()),
            client,
            now,
            events: vec![],
            loss: options.loss,
            rng: ChaCha8Rng::seed_from_u64(options.seed),
            line: VecDeque::new(),
        }
    }

    pub fn saw(&self, event: &TransportEvent) -> bool {
        self.events.contains(event)
    }

    /// The messages that the server received.
    pub fn data(&self) -> Vec<(DataChannel, Bytes)> {
        let data = self.events.iter().filter_map(|event| match event {
            TransportEvent::Data(channel, payload) => Some((*channel, payload.clone())),
            _ => None,
        });
        data.collect()
    }

    pub fn run_until_connected(&mut self, within: Duration) -> bool {
        let deadline = self.now + within;
        while self.now < deadline && !(self.server.is_connected() && self.client.is_connected()) {
            self.step(deadline);
        }
        self.server.is_connected() && self.client.is_connected()
    }

    pub fn run(&mut self, duration: Duration) {
        let deadline = self.now + duration;
        while self.now < deadline {
            self.step(deadline);
        }
    }

    pub fn restart_ice(&mut self) {
        let new = (credentials("server2"), credentials("client2"));
        let fingerprints = vec![self.client.fingerprint()];
        self.server.update(ExtensionMap::default(), Some(new), fingerprints);
        self.client.username = "server2:client2".into();
        self.client.password = credentials("server2").pwd;
    }

    /// Goes to the next thing that happens, at most to `deadline`.
    fn step(&mut self, deadline: Instant) {
        self.flush();
        let next = [self.line.front().map(|f| f.at), self.server.poll_timeout(), Some(self.client.poll_timeout())];
        self.now = next.into_iter().flatten().min().unwrap_or(deadline).clamp(self.now, deadline);
        while self.line.front().is_some_and(|flying| flying.at <= self.now) {
            let flying = self.line.pop_front().unwrap();
            if !flying.to_server {
                self.client.handle(self.now, &flying.bytes);
                continue;
            }
            match Class::of(&flying.bytes) {
                Class::Stun => self.server.handle_stun(self.now, flying.path, &flying.bytes),
                Class::Dtls => self.server.handle_dtls(self.now, flying.path, &flying.bytes),
                class => panic!("{class:?}"),
            }
        }
        self.server.handle_timeout(self.now);
        self.client.handle_timeout(self.now);
        self.flush();
    }

    fn flush(&mut self) {
        while let Some(event) = self.server.poll_event() {
            self.events.push(event);
        }
        let mut batch = Batch::default();
        self.server.poll_transmit(self.now, &mut batch);
        let from_server = batch.datagrams().map(|(path, bytes)| (false, path, bytes.to_vec()));
        let path = self.client.path();
        let from_client = self.client.transmits(self.now).into_iter().map(|bytes| (true, path, bytes));
        for (to_server, path, bytes) in from_server.chain(from_client).collect::<Vec<_>>() {
            // What was sent to where the client was doesn't reach it any more.
            let reachable = to_server || path == self.client.path();
            if reachable && !self.rng.random_bool(self.loss) {
                self.line.push_back(Flying { at: self.now + LATENCY, to_server, path, bytes });
            }
        }
    }
}

/// The peer: full ICE in its simplest form, DTLS client, SRTP, and the SCTP side that begins.
pub struct Client {
    pub address: SocketAddr,
    /// Sends and answers nothing.
    pub silent: bool,
    pub was_closed: bool,
    pub username: String,
    pub password: String,
    /// A message to send right behind its channel's OPEN.
    pub say_at_once: Option<(DataChannel, Bytes)>,
    /// All messages that came, in order.
    pub received: Vec<(DataChannel, Bytes)>,
    provider: Arc<dyn RTCCryptoProvider>,
    config: Arc<HandshakeConfig>,
    dtls: Dtls,
    dtls_started: bool,
    finished_sent: bool,
    nominates: bool,
    next_check: Instant,
    checks: u8,
    srtp: Option<(Context, Context, SrtpProtectionProfile)>,
    sctp: SctpEndpoint,
    association: Option<Association>,
    opens: Vec<DataChannel>,
    channels: Vec<(DataChannel, u16)>,
    out: Vec<Vec<u8>>,
}

impl Client {
    pub fn new(now: Instant, options: &Options) -> Self {
        let provider = rtc_crypto::default_provider().unwrap();
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider.clone())
            .with_certificates(vec![certificate().clone()])
            .with_srtp_protection_profiles(options.profiles.clone())
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_flight_interval(Duration::from_millis(250))
            .with_insecure_skip_verify(true)
            .with_mtu(options.mtu)
            .build(true, Some(server_address()))
            .unwrap();
        let address = ([198, 51, 100, 7], 5004).into();
        Self {
            address,
            silent: false,
            was_closed: false,
            username: "server:client".into(),
            password: credentials("server").pwd,
            say_at_once: None,
            received: vec![],
            provider,
            config: Arc::new(config),
            dtls: Dtls::new(address, TransportProtocol::UDP, None),
            dtls_started: false,
            finished_sent: false,
            nominates: options.nominates,
            next_check: now,
            checks: 0,
            srtp: None,
            sctp: SctpEndpoint::new(address, TransportProtocol::UDP, Arc::new(EndpointConfig::new()), None),
            association: None,
            opens: options.opens.clone(),
            channels: vec![],
            out: vec![],
        }
    }

    pub fn path(&self) -> Path {
        Path { remote: self.address, local: None }
    }

    pub fn fingerprint(&self) -> Fingerprint {
        let digest = self.provider.crypto().hash(HashAlgorithm::Sha256, &certificate().certificate[0]).unwrap();
        Fingerprint(digest.try_into().unwrap())
    }

    pub fn is_connected(&self) -> bool {
        self.srtp.is_some()
    }

    pub fn profile(&self) -> SrtpProtectionProfile {
        self.srtp.as_ref().unwrap().2
    }

    pub fn use_old_credentials(&mut self) {
        self.username = "server:client".into();
        self.password = credentials("server").pwd;
    }

    pub fn seal_rtp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.srtp.as_mut().unwrap().0.encrypt_rtp(packet).unwrap().to_vec()
    }

    pub fn seal_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.srtp.as_mut().unwrap().0.encrypt_rtcp(packet).unwrap().to_vec()
    }

    pub fn open_rtp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.srtp.as_mut().unwrap().1.decrypt_rtp(packet).unwrap().to_vec()
    }

    pub fn open_rtcp(&mut self, packet: &[u8]) -> Vec<u8> {
        self.srtp.as_mut().unwrap().1.decrypt_rtcp(packet).unwrap().to_vec()
    }

    pub fn close(&mut self, now: Instant) {
        self.dtls.close(now).unwrap();
    }

    pub fn poll_timeout(&self) -> Instant {
        let dtls = self.dtls.poll_timeout(&server_address());
        let sctp = self.association.as_ref().and_then(|a| a.poll_timeout());
        [Some(self.next_check), dtls, sctp].into_iter().flatten().min().unwrap()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        if now >= self.next_check {
            self.next_check = now + CHECK_INTERVAL;
            self.check();
        }
        let _ = self.dtls.handle_timeout(server_address(), now);
        if let Some(association) = &mut self.association
            && association.poll_timeout().is_some_and(|at| at <= now)
        {
            association.handle_timeout(now);
        }
    }

    fn check(&mut self) {
        self.checks = self.checks.wrapping_add(1);
        let mut message = Stun::new();
        message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId([self.checks; 12]))]).unwrap();
        TextAttribute::new(ATTR_USERNAME, self.username.clone()).add_to(&mut message).unwrap();
        message.add(ATTR_PRIORITY, &[1, 2, 3, 4]);
        if self.nominates || self.is_connected() {
            message.add(ATTR_USE_CANDIDATE, &[]);
        }
        let password = self.password.clone();
        MessageIntegrity::new_short_term_integrity_with_provider(password, self.provider.crypto())
            .add_to(&mut message)
            .unwrap();
        FINGERPRINT.add_to(&mut message).unwrap();
        self.out.push(message.raw);
    }

    pub fn handle(&mut self, now: Instant, datagram: &[u8]) {
        match Class::of(datagram) {
            _ if self.silent => {}
            Class::Stun => {
                let mut message = Stun::new();
                message.unmarshal_binary(datagram).unwrap();
                if message.typ == BINDING_SUCCESS && !self.dtls_started {
                    self.dtls_started = true;
                    self.dtls.connect(now, server_address(), self.config.clone(), None).unwrap();
                }
            }
            // The crate's client takes a repeat of the server's flight for an answer to its own, and then never repeats that;
            // a browser would. It repeats it by its timer if it doesn't see it.
            Class::Dtls if self.finished_sent && datagram[0] == 22 && datagram[4] == 0 => {}
            Class::Dtls => {
                let events = self.dtls.read(now, server_address(), None, BytesMut::from(datagram)).unwrap_or_default();
                for event in events {
                    match event {
                        EndpointEvent::HandshakeComplete => self.connected(now),
                        EndpointEvent::ApplicationData(data) => self.handle_sctp(now, data.freeze()),
                        EndpointEvent::PeerClosed => self.was_closed = true,
                        _ => {}
                    }
                }
            }
            class => panic!("{class:?}"),
        }
    }

    fn connected(&mut self, now: Instant) {
        let state = self.dtls.get_connection_state(server_address()).unwrap();
        let negotiated = state.srtp_protection_profile();
        let profile =
            if negotiated == GCM { ProtectionProfile::AeadAes128Gcm } else { ProtectionProfile::Aes128CmHmacSha1_80 };
        let mut config = SrtpConfig { profile, ..Default::default() };
        let len = config.keying_material_len();
        let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], len).unwrap();
        config.set_session_keys_from_keying_material(material.as_ref(), true).unwrap();
        let keys = config.keys;
        let context =
            |key: &[u8], salt: &[u8]| Context::new(key, salt, profile, None, None, self.provider.crypto()).unwrap();
        self.srtp = Some((
            context(&keys.local_master_key, &keys.local_master_salt),
            context(&keys.remote_master_key, &keys.remote_master_salt),
            negotiated,
        ));
        let (_, association) = self.sctp.connect(now, ClientConfig::default(), server_address()).unwrap();
        self.association = Some(association);
    }

    fn handle_sctp(&mut self, now: Instant, packet: Bytes) {
        let Some(association) = &mut self.association else { return };
        if let Some((_, DatagramEvent::AssociationEvent(event))) = self.sctp.handle(now, server_address(), None, packet)
        {
            association.handle_event(event);
        }
        while let Some(event) = self.association.as_mut().and_then(|a| a.poll()) {
            match event {
                Event::Connected => self.open(now),
                Event::Stream(StreamEvent::Readable { id }) => self.read(now, id),
                _ => {}
            }
        }
    }

    fn open(&mut self, now: Instant) {
        let association = self.association.as_mut().unwrap();
        for (kind, id) in self.opens.clone().into_iter().zip((0..).step_by(2)) {
            let reliable = kind == DataChannel::Reliable;
            let open = Dcep::DataChannelOpen(DataChannelOpen {
                channel_type: if reliable {
                    ChannelType::Reliable
                } else {
                    ChannelType::PartialReliableRexmitUnordered
                },
                priority: 0,
                reliability_parameter: 0,
                label: kind.label().into(),
                protocol: vec![],
            });
            let mut stream = association.open_stream(id, Ppid::Binary).unwrap();
            stream.write_sctp(now, &open.marshal().unwrap().freeze(), Ppid::Dcep).unwrap();
            if let Some((at_once, payload)) = &self.say_at_once
                && *at_once == kind
            {
                stream.write_sctp(now, payload, Ppid::String).unwrap();
            }
            if !reliable {
                stream.set_reliability_params(true, ReliabilityType::Rexmit, 0).unwrap();
            }
            self.channels.push((kind, id));
        }
    }

    fn read(&mut self, now: Instant, id: u16) {
        let association = self.association.as_mut().unwrap();
        let mut stream = association.stream(id).unwrap();
        while let Ok(Some(chunks)) = stream.read_sctp() {
            let mut payload = chunks.to_payload(1 << 20).unwrap().freeze();
            if chunks.ppi == Ppid::Dcep {
                if let Dcep::DataChannelOpen(open) = Dcep::unmarshal(&mut payload).unwrap() {
                    let kind = DataChannel::from_label(std::str::from_utf8(&open.label).unwrap()).unwrap();
                    let reliable = open.channel_type == ChannelType::Reliable;
                    assert_eq!((reliable, id % 2), (kind == DataChannel::Reliable, 1));
                    let ack = Dcep::DataChannelAck(DataChannelAck).marshal().unwrap().freeze();
                    stream.write_sctp(now, &ack, Ppid::Dcep).unwrap();
                    self.channels.push((kind, id));
                }
                continue;
            }
            if chunks.ppi == Ppid::BinaryEmpty {
                payload.clear();
            }
            let (kind, _) = self.channels.iter().find(|(_, stream)| *stream == id).unwrap();
            self.received.push((*kind, payload));
        }
    }

    pub fn send(&mut self, now: Instant, kind: DataChannel, payload: &Bytes) {
        let (_, id) = *self.channels.iter().find(|(channel, _)| *channel == kind).unwrap();
        let mut stream = self.association.as_mut().unwrap().stream(id).unwrap();
        let (payload, ppid) = match payload.is_empty() {
            true => (Bytes::from_static(&[0]), Ppid::BinaryEmpty),
            false => (payload.clone(), Ppid::Binary),
        };
        stream.write_sctp(now, &payload, ppid).unwrap();
    }

    pub fn transmits(&mut self, now: Instant) -> Vec<Vec<u8>> {
        if let Some(association) = &mut self.association {
            while let Some(transmit) = association.poll_transmit(now) {
                if let Payload::RawEncode(packets) = transmit.message {
                    for packet in packets {
                        let _ = self.dtls.write(now, server_address(), &packet);
                    }
                }
            }
        }
        while let Some(transmit) = self.dtls.poll_transmit() {
            // Its flight with the certificate: it begins with a message that is no hello.
            let message = transmit.message.get(13);
            self.finished_sent |= transmit.message[0] == 22 && transmit.message[4] == 0 && message != Some(&1);
            self.out.push(transmit.message.to_vec());
        }
        let out = std::mem::take(&mut self.out);
        if self.silent { vec![] } else { out }
    }
}
