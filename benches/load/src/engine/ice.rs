//! The controlling half of ICE against a server: authenticated checks with USE-CANDIDATE until one is answered, then one every
//! two seconds as keep-alive and consent (RFC 8445, RFC 7675). Answers the checks of servers that aren't lite.

use crate::Error;
use crate::media::{MS, SECOND};
use ramai_sfu::params::IceCredentials;
use rtc_crypto::RTCCryptoProvider;
use rtc_stun::attributes::{ATTR_ICE_CONTROLLING, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{BINDING_REQUEST, BINDING_SUCCESS, Message, Setter, TransactionId};
use rtc_stun::textattrs::TextAttribute;
use rtc_stun::xoraddr::XorMappedAddress;
use std::net::SocketAddr;
use std::sync::Arc;

/// Between checks until one is answered: the pace of browsers.
const FAST: u64 = 50 * MS;
/// Between checks afterwards.
const SLOW: u64 = 2 * SECOND;
/// Type preference of a peer-reflexive candidate (RFC 8445 section 5.1.2.2).
const PRIORITY: u32 = 110 << 24 | 0xff_ff << 8 | 0xff;

/// See the module.
pub struct Ice {
    provider: Arc<dyn RTCCryptoProvider>,
    username: String,
    remote_password: String,
    local_password: String,
    next: u64,
    count: u64,
    tie_breaker: u64,
    /// A check was answered: the way is open.
    pub open: bool,
}

impl Ice {
    /// Begins at once.
    pub fn new(provider: Arc<dyn RTCCryptoProvider>, local: &IceCredentials, remote: &IceCredentials, id: u64) -> Self {
        Self {
            provider,
            username: format!("{}:{}", remote.ufrag, local.ufrag),
            remote_password: remote.pwd.clone(),
            local_password: local.pwd.clone(),
            next: 0,
            count: 0,
            // As great as can be: a server that isn't lite and thinks itself controlling gives way (RFC 8445 section 7.3.1.1).
            tie_breaker: u64::MAX - id,
            open: false,
        }
    }

    /// When the next check is due.
    pub fn due(&self) -> u64 {
        self.next
    }

    /// A check, if one is due.
    ///
    /// # Errors
    /// If the message can't be built.
    pub fn poll(&mut self, now: u64) -> Result<Option<Vec<u8>>, Error> {
        if now < self.next {
            return Ok(None);
        }
        self.next = now + if self.open { SLOW } else { FAST };
        self.count += 1;
        let mut id = [0; 12];
        let (head, tail) = id.split_at_mut(4);
        head.copy_from_slice(&(self.tie_breaker as u32).to_be_bytes());
        tail.copy_from_slice(&self.count.to_be_bytes());
        let mut message = Message::new();
        let failed = |e: rtc_shared::error::Error| Error::Media(e.to_string());
        message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId(id))]).map_err(failed)?;
        TextAttribute::new(ATTR_USERNAME, self.username.clone()).add_to(&mut message).map_err(failed)?;
        message.add(ATTR_PRIORITY, &PRIORITY.to_be_bytes());
        message.add(ATTR_USE_CANDIDATE, &[]);
        message.add(ATTR_ICE_CONTROLLING, &self.tie_breaker.to_be_bytes());
        MessageIntegrity::new_short_term_integrity_with_provider(self.remote_password.clone(), self.provider.crypto())
            .add_to(&mut message)
            .map_err(failed)?;
        FINGERPRINT.add_to(&mut message).map_err(failed)?;
        Ok(Some(message.raw))
    }

    /// Takes in a STUN message from `remote`; returns the answer to a check.
    pub fn handle(&mut self, now: u64, remote: SocketAddr, datagram: &[u8]) -> Option<Vec<u8>> {
        let mut message = Message::new();
        message.unmarshal_binary(datagram).ok()?;
        if message.typ == BINDING_SUCCESS {
            if !self.open {
                self.open = true;
                self.next = now + SLOW;
            }
            return None;
        }
        if message.typ != BINDING_REQUEST {
            return None;
        }
        MessageIntegrity::check(&mut message, self.local_password.as_bytes(), self.provider.crypto()).ok()?;
        let mut answer = Message::new();
        let address = XorMappedAddress { ip: remote.ip(), port: remote.port() };
        answer.build(&[Box::new(BINDING_SUCCESS), Box::new(message.transaction_id), Box::new(address)]).ok()?;
        MessageIntegrity::new_short_term_integrity_with_provider(self.local_password.clone(), self.provider.crypto())
            .add_to(&mut answer)
            .ok()?;
        FINGERPRINT.add_to(&mut answer).ok()?;
        Some(answer.raw)
    }
}
