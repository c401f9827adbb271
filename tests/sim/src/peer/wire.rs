//! A participant's wire: the controlling half of ICE, a DTLS client and SRTP, all real, so that the server under test is driven as
//! by a browser.

use crate::{At, MS, SECOND};
use bytes::BytesMut;
use ramai_sfu::params::{Fingerprint, IceCredentials};
use ramai_sfu::transport::srtp::{self, Inbound, Outbound, Profile};
use rtc_crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use rtc_stun::attributes::{ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId};
use rtc_stun::textattrs::TextAttribute;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Between checks until one is answered: the pace of browsers.
const FAST: Duration = Duration::from_millis(50);
/// Between checks afterwards.
const SLOW: Duration = Duration::from_millis(2_500);
/// The DTLS endpoint keys associations by address; there is one.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
const PRIORITY: u32 = 110 << 24 | 0xff_ff << 8 | 0xff;

/// What all simulated participants share: one certificate, so that three hundred joins cost no three hundred keys.
struct Shared {
    provider: Arc<dyn RTCCryptoProvider>,
    config: Arc<HandshakeConfig>,
    fingerprint: Fingerprint,
}

fn shared() -> &'static Shared {
    static SHARED: OnceLock<Shared> = OnceLock::new();
    SHARED.get_or_init(|| {
        let provider = rtc_crypto::default_provider().expect("a crypto provider is built in");
        let certificate =
            Certificate::generate_self_signed(vec!["sim".to_owned()], provider.crypto()).expect("keys can be made");
        let digest = provider.crypto().hash(HashAlgorithm::Sha256, &certificate.certificate[0]).expect("SHA-256");
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider.clone())
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(vec![SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_flight_interval(250 * MS)
            .with_insecure_skip_verify(true)
            .build(true, Some(SERVER))
            .expect("the configuration is constant");
        Shared {
            provider,
            config: Arc::new(config),
            fingerprint: Fingerprint(digest.try_into().expect("SHA-256 has 32 bytes")),
        }
    })
}

/// The digest of every participant's certificate.
pub fn fingerprint() -> Fingerprint {
    shared().fingerprint
}

/// See the module. Inputs are [`Wire::handle`] and [`Wire::handle_timeout`]; datagrams come out of [`Wire::poll_transmit`].
pub struct Wire {
    epoch: Instant,
    username: String,
    password: String,
    next_check: At,
    checks: u64,
    answered: bool,
    dtls: Option<Endpoint>,
    finished_sent: bool,
    srtp: Option<(Inbound, Outbound)>,
    out: Vec<Vec<u8>>,
}

impl Wire {
    /// Starts checking at once. `local` are the participant's credentials, `remote` the server's.
    pub fn new(epoch: Instant, now: At, local: &IceCredentials, remote: &IceCredentials) -> Self {
        Self {
            epoch,
            username: format!("{}:{}", remote.ufrag, local.ufrag),
            password: remote.pwd.clone(),
            next_check: now,
            checks: 0,
            answered: false,
            dtls: None,
            finished_sent: false,
            srtp: None,
            out: Vec::new(),
        }
    }

    /// There are keys: media can be sealed and opened.
    pub fn is_connected(&self) -> bool {
        self.srtp.is_some()
    }

    /// When [`Wire::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> At {
        let dtls = self.dtls.as_ref().filter(|_| self.srtp.is_none()).and_then(|dtls| dtls.poll_timeout(&SERVER));
        let dtls = dtls.map(|at| at.saturating_duration_since(self.epoch));
        self.next_check.min(dtls.unwrap_or(At::MAX))
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: At) {
        if now >= self.next_check {
            self.next_check = now + if self.answered { SLOW } else { FAST };
            self.check();
        }
        if let Some(dtls) = &mut self.dtls {
            let _ = dtls.handle_timeout(SERVER, self.epoch + now);
        }
    }

    /// Takes in STUN or DTLS.
    pub fn handle(&mut self, now: At, datagram: &[u8]) {
        if datagram.first().is_some_and(|first| *first < 4) {
            let mut message = Message::new();
            if message.unmarshal_binary(datagram).is_ok() && message.typ == BINDING_SUCCESS && !self.answered {
                self.answered = true;
                self.next_check = now + SLOW;
                let mut dtls = Endpoint::new(SERVER, TransportProtocol::UDP, None);
                dtls.connect(self.epoch + now, SERVER, shared().config.clone(), None).expect("a first handshake");
                self.dtls = Some(dtls);
            }
            return;
        }
        // The crate's client takes a repeat of the server's flight for an answer to its own, and then never repeats that.
        if self.finished_sent && datagram.first() == Some(&22) && datagram.get(4) == Some(&0) {
            return;
        }
        let Some(dtls) = &mut self.dtls else { return };
        let events = dtls.read(self.epoch + now, SERVER, None, BytesMut::from(datagram)).unwrap_or_default();
        if events.iter().any(|event| matches!(event, EndpointEvent::HandshakeComplete)) {
            let state = dtls.get_connection_state(SERVER).expect("it is complete");
            let len = Profile::Gcm.keying_material_len();
            let material = state.export_keying_material("EXTRACTOR-dtls_srtp", &[], len).expect("it is complete");
            let contexts = srtp::contexts(shared().provider.crypto(), Profile::Gcm, &swapped(material.as_ref()));
            self.srtp = Some(contexts.expect("GCM is built in"));
        }
    }

    /// The next datagram of ICE or DTLS to send.
    pub fn poll_transmit(&mut self) -> Option<Vec<u8>> {
        while let Some(transmit) = self.dtls.as_mut().and_then(|dtls| dtls.poll_transmit()) {
            let message = transmit.message;
            // Its flight with the certificate begins with a handshake message that is no hello.
            self.finished_sent |= message[0] == 22 && message[4] == 0 && message.get(13) != Some(&1);
            self.out.push(message.to_vec());
        }
        if self.out.is_empty() { None } else { Some(self.out.remove(0)) }
    }

    /// Seals RTP for the server; false before there are keys.
    pub fn seal_rtp(&mut self, packet: &mut Vec<u8>) -> bool {
        self.srtp.as_mut().is_some_and(|(_, out)| out.seal_rtp(packet, 0).is_ok())
    }

    /// Seals RTCP for the server; false before there are keys.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>) -> bool {
        self.srtp.as_mut().is_some_and(|(_, out)| out.seal_rtcp(packet, 0).is_ok())
    }

    /// Opens RTP of the server in place.
    pub fn open_rtp(&mut self, packet: &mut Vec<u8>) -> bool {
        let Some((inbound, _)) = &mut self.srtp else { return false };
        inbound.open_rtp(packet).map(|len| packet.truncate(len)).is_ok()
    }

    /// Opens RTCP of the server in place.
    pub fn open_rtcp(&mut self, packet: &mut Vec<u8>) -> bool {
        let Some((inbound, _)) = &mut self.srtp else { return false };
        inbound.open_rtcp(packet).map(|len| packet.truncate(len)).is_ok()
    }

    fn check(&mut self) {
        self.checks += 1;
        let mut id = [0; 12];
        id[4..].copy_from_slice(&self.checks.to_be_bytes());
        let mut message = Message::new();
        let built = message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId(id))]);
        built.expect("a binding request");
        TextAttribute::new(ATTR_USERNAME, self.username.clone()).add_to(&mut message).expect("a short name");
        message.add(ATTR_PRIORITY, &PRIORITY.to_be_bytes());
        message.add(ATTR_USE_CANDIDATE, &[]);
        let crypto = shared().provider.crypto();
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(self.password.clone(), crypto);
        integrity.add_to(&mut message).expect("HMAC");
        FINGERPRINT.add_to(&mut message).expect("a checksum");
        self.out.push(message.raw);
    }
}

/// The keying material as the other side sees it: contexts are made for a server, and we are the client.
fn swapped(material: &[u8]) -> Vec<u8> {
    let (keys, salts) = material.split_at(32);
    let ((client_key, server_key), (client_salt, server_salt)) = (keys.split_at(16), salts.split_at(salts.len() / 2));
    [server_key, client_key, server_salt, client_salt].concat()
}

const _: () = assert!(SLOW.as_millis() < SECOND.as_millis() * 5);
