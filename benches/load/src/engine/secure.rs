//! The DTLS client (RFC 6347, RFC 5764) up to the keys of SRTP, and the certificate that all participants share.

use crate::Error;
use bytes::BytesMut;
use ramai_sfu::params::Fingerprint;
use ramai_sfu::transport::srtp::{self, Inbound, Outbound, Profile};
use rtc_crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc_dtls::config::{ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::endpoint::{Endpoint, EndpointEvent};
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use rtc_shared::TransportProtocol;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The endpoint keys associations by address; we have one of them each.
const SERVER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);
const FLIGHT_INTERVAL: Duration = Duration::from_millis(250);
/// Label of the exporter (RFC 5764 section 4.2).
const LABEL: &str = "EXTRACTOR-dtls_srtp";
/// Length of each master key.
const KEY: usize = 16;

/// What all participants of a run share: one certificate, so that a thousand joins cost no thousand keys.
#[derive(Clone)]
pub struct Identity {
    /// The cryptography.
    pub provider: Arc<dyn RTCCryptoProvider>,
    config: Arc<HandshakeConfig>,
    /// For `a=fingerprint`.
    pub fingerprint: Fingerprint,
}

impl Identity {
    /// A new self-signed certificate.
    ///
    /// # Errors
    /// If there is no cryptography for it.
    pub fn generate() -> Result<Self, Error> {
        let provider = rtc_crypto::default_provider().map_err(media)?;
        let certificate =
            Certificate::generate_self_signed(vec!["load".to_owned()], provider.crypto()).map_err(media)?;
        let der = certificate.certificate.first().ok_or_else(|| Error::Media("no certificate".into()))?;
        let digest = provider.crypto().hash(HashAlgorithm::Sha256, der).map_err(media)?;
        let digest = <[u8; 32]>::try_from(digest.as_slice()).map_err(media)?;
        let config = ConfigBuilder::default()
            .with_crypto_provider(provider.clone())
            .with_certificates(vec![certificate])
            .with_srtp_protection_profiles(vec![
                SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm,
                SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80,
            ])
            .with_extended_master_secret(ExtendedMasterSecretType::Require)
            .with_flight_interval(FLIGHT_INTERVAL)
            // A load generator has nothing to protect: it talks to the server that it was pointed at.
            .with_insecure_skip_verify(true)
            .build(true, Some(SERVER))
            .map_err(media)?;
        Ok(Self { provider, config: Arc::new(config), fingerprint: Fingerprint(digest) })
    }
}

fn media(error: impl std::fmt::Debug) -> Error {
    Error::Media(format!("{error:?}"))
}

/// The handshake of one participant. Drive it with [`Dtls::handle`] and [`Dtls::handle_timeout`]; datagrams come out of
/// [`Dtls::poll_transmit`].
pub struct Dtls {
    endpoint: Endpoint,
    identity: Identity,
    /// Our flight with the certificate went out.
    finished_sent: bool,
    /// The handshake is over.
    done: bool,
}

impl Dtls {
    /// Sends the first ClientHello.
    ///
    /// # Errors
    /// If it can't be made.
    pub fn start(identity: &Identity, now: Instant) -> Result<Self, Error> {
        let mut endpoint = Endpoint::new(SERVER, TransportProtocol::UDP, None);
        endpoint.connect(now, SERVER, identity.config.clone(), None).map_err(media)?;
        Ok(Self { endpoint, identity: identity.clone(), finished_sent: false, done: false })
    }

    /// Takes in a datagram. Returns the SRTP contexts when the handshake is complete, and whether the server said goodbye.
    ///
    /// # Errors
    /// If the handshake failed.
    pub fn handle(&mut self, now: Instant, datagram: &[u8]) -> Result<(Option<(Inbound, Outbound)>, bool), Error> {
        // The client's state machine takes a repeat of the server's flight for the answer to its own, and then never repeats that.
        if self.finished_sent && datagram.first() == Some(&22) && datagram.get(4) == Some(&0) {
            return Ok((None, false));
        }
        let events = match self.endpoint.read(now, SERVER, None, BytesMut::from(datagram)) {
            Ok(events) => events,
            Err(error) if self.done => return Err(media(error)),
            // Bad datagrams happen; a handshake that can't go on runs into its timeout.
            Err(_) => return Ok((None, false)),
        };
        let (mut contexts, mut closed) = (None, false);
        for event in events {
            match event {
                EndpointEvent::HandshakeComplete => {
                    self.done = true;
                    contexts = Some(self.contexts()?);
                }
                EndpointEvent::PeerClosed => closed = true,
                _ => {}
            }
        }
        Ok((contexts, closed))
    }

    /// When [`Dtls::handle_timeout`] is due.
    pub fn due(&self) -> Option<Instant> {
        if self.done { None } else { self.endpoint.poll_timeout(&SERVER) }
    }

    /// Repeats a flight.
    ///
    /// # Errors
    /// If the server was silent for too long.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        self.endpoint.handle_timeout(SERVER, now).map_err(media)
    }

    /// Says goodbye.
    pub fn close(&mut self, now: Instant) {
        self.endpoint.stop(now, SERVER);
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<BytesMut> {
        let message = self.endpoint.poll_transmit()?.message;
        // Its flight with the certificate begins with a handshake message that is no ClientHello.
        self.finished_sent |= message.first() == Some(&22) && message.get(4) == Some(&0) && message.get(13) != Some(&1);
        Some(message)
    }

    fn contexts(&self) -> Result<(Inbound, Outbound), Error> {
        let state = self.endpoint.get_connection_state(SERVER).ok_or_else(|| Error::Media("no DTLS state".into()))?;
        let profile = match state.srtp_protection_profile() {
            SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm => Profile::Gcm,
            SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80 => Profile::Cm,
            other => return Err(Error::Media(format!("the server chose SRTP profile {other:?}"))),
        };
        let material = state.export_keying_material(LABEL, &[], profile.keying_material_len()).map_err(media)?;
        let swapped = swap(material.as_ref()).ok_or_else(|| Error::Media("short keying material".into()))?;
        srtp::contexts(self.identity.provider.crypto(), profile, &swapped).map_err(media)
    }
}

/// The same material as the other side sees it: the contexts are made for a server, and we are the client. Client key, server key,
/// client salt, server salt becomes server key, client key, server salt, client salt.
fn swap(material: &[u8]) -> Option<Vec<u8>> {
    let (keys, salts) = material.split_at_checked(2 * KEY)?;
    let ((client_key, server_key), (client_salt, server_salt)) = (keys.split_at(KEY), salts.split_at(salts.len() / 2));
    Some([server_key, client_key, server_salt, client_salt].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_side_seals_the_other_opens() {
        let provider = rtc_crypto::default_provider().unwrap();
        for profile in [Profile::Gcm, Profile::Cm] {
            let material: Vec<u8> = (0..profile.keying_material_len() as u8).collect();
            let (mut from_client, mut to_client) = srtp::contexts(provider.crypto(), profile, &material).unwrap();
            let (mut from_server, mut to_server) =
                srtp::contexts(provider.crypto(), profile, &swap(&material).unwrap()).unwrap();
            let plain = [&[0x80, 96, 0, 1, 0, 0, 0, 0, 0, 0, 0, 5][..], b"payload"].concat();
            for (seal, open) in [(&mut to_server, &mut from_client), (&mut to_client, &mut from_server)] {
                let mut packet = plain.clone();
                seal.seal_rtp(&mut packet, 0).unwrap();
                let len = open.open_rtp(&mut packet).unwrap();
                assert_eq!(packet[..len], plain);
            }
        }
    }
}
