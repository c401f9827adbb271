//! The certificate that all transports of a process show, and the two DTLS configurations built on it.

use super::super::srtp::Profile;
use crate::params::Fingerprint;
use rtc_crypto::{HashAlgorithm, RTCCryptoProvider};
use rtc_dtls::cipher_suite::CipherSuiteId;
use rtc_dtls::config::{ClientAuthType, ConfigBuilder, ExtendedMasterSecretType, HandshakeConfig};
use rtc_dtls::crypto::Certificate;
use rtc_dtls::extension::extension_use_srtp::SrtpProtectionProfile;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How soon a lost flight is repeated at first. A second, the crate's default, would be half of a join.
pub(super) const FLIGHT_INTERVAL: Duration = Duration::from_millis(250);

/// A self-signed ECDSA P-256 certificate with its key (RFC 8827 section 6.5). Made once per process and shared: clones are cheap.
#[derive(Clone)]
pub struct Identity {
    shared: Arc<Shared>,
}

struct Shared {
    provider: Arc<dyn RTCCryptoProvider>,
    fingerprint: Fingerprint,
    gcm: Arc<HandshakeConfig>,
    cm: Arc<HandshakeConfig>,
}

/// The identity couldn't be made: the crypto provider refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("cannot make a DTLS identity: {0}")]
pub struct IdentityError(String);

impl IdentityError {
    fn of(error: impl fmt::Display) -> Self {
        Self(error.to_string())
    }
}

impl Identity {
    /// Generates a key and its certificate, with the system's randomness.
    ///
    /// # Errors
    /// If there is no crypto provider or it can't make the key.
    pub fn generate() -> Result<Self, IdentityError> {
        let provider = rtc_crypto::default_provider().map_err(IdentityError::of)?;
        let certificate = Certificate::generate_self_signed(vec!["ramai".to_owned()], provider.crypto())
            .map_err(IdentityError::of)?;
        let der = certificate.certificate.first().ok_or_else(|| IdentityError("no certificate".into()))?;
        let fingerprint = digest(provider.as_ref(), der).ok_or_else(|| IdentityError("no SHA-256".into()))?;
        let gcm = config(&provider, &certificate, SrtpProtectionProfile::Srtp_Aead_Aes_128_Gcm)?;
        let cm = config(&provider, &certificate, SrtpProtectionProfile::Srtp_Aes128_Cm_Hmac_Sha1_80)?;
        Ok(Self { shared: Arc::new(Shared { provider, fingerprint, gcm, cm }) })
    }

    /// The certificate's SHA-256 digest, for `a=fingerprint`.
    pub fn fingerprint(&self) -> Fingerprint {
        self.shared.fingerprint
    }

    pub(in crate::transport) fn provider(&self) -> &Arc<dyn RTCCryptoProvider> {
        &self.shared.provider
    }

    pub(super) fn config(&self, profile: Profile) -> Arc<HandshakeConfig> {
        match profile {
            Profile::Gcm => self.shared.gcm.clone(),
            Profile::Cm => self.shared.cm.clone(),
        }
    }
}

impl fmt::Debug for Identity {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("fingerprint", &self.shared.fingerprint).finish_non_exhaustive()
    }
}

/// The SHA-256 digest of a certificate.
pub(super) fn digest(provider: &dyn RTCCryptoProvider, der: &[u8]) -> Option<Fingerprint> {
    let digest = provider.crypto().hash(HashAlgorithm::Sha256, der).ok()?;
    digest.try_into().ok().map(Fingerprint)
}

fn config(
    provider: &Arc<dyn RTCCryptoProvider>,
    certificate: &Certificate,
    profile: SrtpProtectionProfile,
) -> Result<Arc<HandshakeConfig>, IdentityError> {
    let config = ConfigBuilder::default()
        .with_crypto_provider(provider.clone())
        .with_certificates(vec![certificate.clone()])
        .with_cipher_suites(vec![
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_Aes_128_Gcm_Sha256,
            CipherSuiteId::Tls_Ecdhe_Ecdsa_With_ChaCha20_Poly1305_Sha256,
        ])
        .with_srtp_protection_profiles(vec![profile])
        // The peer must prove that it holds its certificate's key; whose it is, the digest in its SDP tells us.
        .with_client_auth(ClientAuthType::RequireAnyClientCert)
        // It binds the keys to the whole transcript, hellos and certificates (RFC 7627). The state machine doesn't compare
        // what the client's Finished says, so nothing less would do. Every browser has it.
        .with_extended_master_secret(ExtendedMasterSecretType::Require)
        .with_flight_interval(FLIGHT_INTERVAL)
        // A client's setting; as a server it only spares us a set of root certificates.
        .with_insecure_skip_verify(true)
        .build(false, None)
        .map_err(IdentityError::of)?;
    Ok(Arc::new(config))
}
