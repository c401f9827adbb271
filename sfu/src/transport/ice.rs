//! The responding half of ICE: a lite agent (RFC 8445 section 2.5) answers authenticated checks, follows the peer's nomination
//! and never sends a check of its own.

use super::Counters;
use crate::api::Path;
use crate::params::IceCredentials;
use rtc_crypto::RTCCryptoProvider;
use rtc_stun::attributes::{
    ATTR_FINGERPRINT, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME, AttrType,
};
use rtc_stun::error_code::{CODE_BAD_REQUEST, CODE_UNAUTHORIZED, CODE_UNKNOWN_ATTRIBUTE, ErrorCode};
use rtc_stun::fingerprint::FINGERPRINT;
use rtc_stun::integrity::MessageIntegrity;
use rtc_stun::message::{
    BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, CLASS_INDICATION, METHOD_BINDING, Message, Setter,
};
use rtc_stun::uattrs::UnknownAttributes;
use rtc_stun::xoraddr::XorMappedAddress;
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The same bound as the demultiplexer's.
const MAX_ADDRESSES: usize = 8;
/// Answers waiting between two polls. A browser with many candidates asks some dozen times in its first second.
const MAX_ANSWERS: usize = 32;
/// After a missed consent check of the slowest browser (5 s, give or take a fifth; RFC 7675 section 5.1) another path that is
/// alive is better than the nominated one.
const STALE_PATH: Duration = Duration::from_secs(8);

struct Credentials {
    /// `ours:theirs`, as the peer's checks name it.
    username: String,
    password: String,
}

impl Credentials {
    fn new(local: IceCredentials, remote: &IceCredentials) -> Self {
        Self { username: format!("{}:{}", local.ufrag, remote.ufrag), password: local.pwd }
    }
}

struct Selected {
    path: Path,
    /// By USE-CANDIDATE; else it is the best guess so far.
    nominated: bool,
    /// When the last authenticated check came over it.
    seen: Instant,
}

/// The ICE agent of one transport. Inputs are [`Ice::handle`] and [`Ice::restart`]; it owns the selected path.
pub(super) struct Ice {
    provider: Arc<dyn RTCCryptoProvider>,
    current: Credentials,
    /// Of a restart whose first check hasn't come yet.
    next: Option<Credentials>,
    /// Addresses that authenticated, oldest first.
    validated: SmallVec<[SocketAddr; 2]>,
    selected: Option<Selected>,
    answers: VecDeque<(Path, Vec<u8>)>,
}

const _: () = assert!(STALE_PATH.as_secs() < crate::ICE_TIMEOUT.as_secs());

/// What an authenticated check did.
pub(super) struct Check {
    /// Its address is new.
    pub new_address: bool,
}

impl Ice {
    pub(super) fn new(provider: Arc<dyn RTCCryptoProvider>, local: IceCredentials, remote: &IceCredentials) -> Self {
        Self {
            provider,
            current: Credentials::new(local, remote),
            next: None,
            validated: SmallVec::new(),
            selected: None,
            answers: VecDeque::new(),
        }
    }

    /// Accepts new credentials beside the old, until a check uses the new (RFC 8445 section 9). Media stays on its path meanwhile.
    pub(super) fn restart(&mut self, local: IceCredentials, remote: &IceCredentials) {
        self.next = Some(Credentials::new(local, remote));
    }

    /// Where to send.
    pub(super) fn selected_path(&self) -> Option<Path> {
        self.selected.as_ref().map(|selected| selected.path)
    }

    /// Whether an authenticated check came from there.
    pub(super) fn is_validated(&self, address: SocketAddr) -> bool {
        self.validated.contains(&address)
    }

    /// The peer sends DTLS only over a path that works for it: until nomination that is the best hint there is.
    pub(super) fn hint(&mut self, path: Path) {
        if let Some(selected) = &mut self.selected
            && !selected.nominated
        {
            selected.path = path;
        }
    }

    /// The next answer to send.
    pub(super) fn poll_answer(&mut self) -> Option<(Path, Vec<u8>)> {
        self.answers.pop_front()
    }

    /// Takes in one STUN message; `Some` if it was a check by the peer.
    pub(super) fn handle(&mut self, now: Instant, path: Path, bytes: &[u8], counters: &mut Counters) -> Option<Check> {
        let mut message = Message::new();
        // Trailing bytes would let the FINGERPRINT be computed over something else than was parsed.
        if message.unmarshal_binary(bytes).is_err() || bytes.len() != 20 + message.length as usize {
            counters.stun_malformed += 1;
            return None;
        }
        if message.typ.method == METHOD_BINDING && message.typ.class == CLASS_INDICATION {
            return None; // A keepalive (RFC 8445 section 11): it proves nothing and asks for nothing.
        }
        if message.typ != BINDING_REQUEST {
            counters.stun_malformed += 1;
            return None;
        }
        if message.contains(ATTR_FINGERPRINT) && FINGERPRINT.check(&message).is_err() {
            counters.stun_unauthenticated += 1;
            return None;
        }
        let username = message.get(ATTR_USERNAME).unwrap_or_default();
        let is_next = self.next.as_ref().is_some_and(|next| next.username.as_bytes() == username);
        if !is_next && self.current.username.as_bytes() != username {
            // No answer: whoever doesn't know the name gets no reflector out of us.
            counters.stun_unauthenticated += 1;
            return None;
        }
        let password = match &self.next {
            Some(next) if is_next => next.password.clone(),
            _ => self.current.password.clone(),
        };
        if !message.contains(ATTR_MESSAGE_INTEGRITY) {
            counters.stun_unauthenticated += 1;
            self.refuse(path, &message, CODE_BAD_REQUEST, None);
            return None;
        }
        if MessageIntegrity::check(&mut message, password.as_bytes(), self.provider.crypto()).is_err() {
            counters.stun_unauthenticated += 1;
            self.refuse(path, &message, CODE_UNAUTHORIZED, None);
            return None;
        }
        let unknown = unknown_attributes(&message);
        if !unknown.0.is_empty() {
            counters.stun_malformed += 1;
            self.refuse(path, &message, CODE_UNKNOWN_ATTRIBUTE, Some(unknown));
            return None;
        }
        if is_next && let Some(next) = self.next.take() {
            tracing::debug!("ICE restart is in use");
            self.current = next;
        }
        self.answer(path, &message, password);
        self.select(now, path, message.contains(ATTR_USE_CANDIDATE));
        Some(Check { new_address: self.remember(path.remote) })
    }

    fn remember(&mut self, address: SocketAddr) -> bool {
        if self.validated.contains(&address) {
            return false;
        }
        if self.validated.len() >= MAX_ADDRESSES {
            self.validated.remove(0);
        }
        self.validated.push(address);
        true
    }

    fn select(&mut self, now: Instant, path: Path, use_candidate: bool) {
        match &mut self.selected {
            Some(selected) if selected.path == path => {
                selected.seen = now;
                selected.nominated |= use_candidate;
            }
            // A rebound NAT shows as checks from a new address while the old falls silent; not every browser repeats
            // USE-CANDIDATE on them.
            Some(selected) if !use_candidate && now.saturating_duration_since(selected.seen) < STALE_PATH => {}
            previous => {
                if let Some(previous) = previous
                    && previous.path != path
                {
                    tracing::debug!(from = %previous.path.remote, to = %path.remote, use_candidate, "path switched");
                }
                self.selected = Some(Selected { path, nominated: use_candidate, seen: now });
            }
        }
    }

    fn answer(&mut self, path: Path, request: &Message, password: String) {
        // Dual-stack sockets show IPv4 peers as mapped IPv6; the peer must get back what it is.
        let ip = path.remote.ip().to_canonical();
        let address = XorMappedAddress { ip, port: path.remote.port() };
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(password, self.provider.crypto());
        let mut response = Message::new();
        let setters: [Box<dyn Setter + '_>; 5] = [
            Box::new(BINDING_SUCCESS),
            Box::new(request.transaction_id),
            Box::new(address),
            Box::new(integrity),
            Box::new(FINGERPRINT),
        ];
        if response.build(&setters).is_ok() {
            drop(setters);
            self.queue(path, response.raw);
        }
    }

    /// Answers with an error, but never with more bytes than were asked with: a spoofed request must not amplify.
    fn refuse(&mut self, path: Path, request: &Message, code: ErrorCode, unknown: Option<UnknownAttributes>) {
        let mut response = Message::new();
        let mut setters: Vec<Box<dyn Setter>> =
            vec![Box::new(BINDING_ERROR), Box::new(request.transaction_id), Box::new(code)];
        if let Some(unknown) = unknown {
            setters.push(Box::new(unknown));
        }
        setters.push(Box::new(FINGERPRINT));
        if response.build(&setters).is_ok() && response.raw.len() <= request.raw.len() {
            self.queue(path, response.raw);
        }
    }

    fn queue(&mut self, path: Path, answer: Vec<u8>) {
        if self.answers.len() < MAX_ANSWERS {
            self.answers.push_back((path, answer));
        }
    }
}

/// Attributes that must be understood (RFC 8489 section 14) and are not.
fn unknown_attributes(message: &Message) -> UnknownAttributes {
    const KNOWN: [AttrType; 4] = [ATTR_USERNAME, ATTR_MESSAGE_INTEGRITY, ATTR_PRIORITY, ATTR_USE_CANDIDATE];
    let types = message.attributes.0.iter().map(|attribute| attribute.typ);
    UnknownAttributes(types.filter(|t| t.0 < 0x8000 && !KNOWN.contains(t)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rtc_stun::error_code::ErrorCodeAttribute;
    use rtc_stun::message::{Getter, TransactionId};
    use rtc_stun::textattrs::TextAttribute;

    fn credentials(ufrag: &str) -> IceCredentials {
        IceCredentials { ufrag: ufrag.into(), pwd: format!("password-of-{ufrag}-long-enough") }
    }

    fn path(port: u16) -> Path {
        Path { remote: ([192, 0, 2, 7], port).into(), local: None }
    }

    struct Story {
        ice: Ice,
        counters: Counters,
        now: Instant,
    }

    impl Story {
        fn new() -> Self {
            let provider = rtc_crypto::default_provider().unwrap();
            let ice = Ice::new(provider, credentials("ours"), &credentials("theirs"));
            Self { ice, counters: Counters::default(), now: crate::test_epoch() }
        }

        fn check(&mut self, port: u16, username: &str, password: &str, extra: Option<AttrType>) -> Option<Check> {
            let provider = rtc_crypto::default_provider().unwrap();
            let mut message = Message::new();
            message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId([9; 12]))]).unwrap();
            TextAttribute::new(ATTR_USERNAME, username.into()).add_to(&mut message).unwrap();
            message.add(ATTR_PRIORITY, &[0, 0, 0, 1]);
            if let Some(extra) = extra {
                message.add(extra, &[]);
            }
            let integrity =
                MessageIntegrity::new_short_term_integrity_with_provider(password.into(), provider.crypto());
            integrity.add_to(&mut message).unwrap();
            FINGERPRINT.add_to(&mut message).unwrap();
            self.ice.handle(self.now, path(port), &message.raw, &mut self.counters)
        }

        fn good(&mut self, port: u16, nominate: bool) -> Option<Check> {
            let password = credentials("ours").pwd;
            self.check(port, "ours:theirs", &password, nominate.then_some(ATTR_USE_CANDIDATE))
        }

        fn answer(&mut self) -> Option<(u16, Message)> {
            let (path, bytes) = self.ice.poll_answer()?;
            let mut message = Message::new();
            message.unmarshal_binary(&bytes).unwrap();
            Some((path.remote.port(), message))
        }

        fn selected(&self) -> Option<u16> {
            self.ice.selected_path().map(|path| path.remote.port())
        }
    }

    #[test]
    fn a_check_is_answered_on_its_path_with_its_address_and_our_integrity() {
        let mut story = Story::new();
        assert!(story.good(1000, false).unwrap().new_address);
        let (port, mut answer) = story.answer().unwrap();
        assert_eq!((port, answer.typ), (1000, BINDING_SUCCESS));
        let mut address = XorMappedAddress::default();
        address.get_from(&answer).unwrap();
        assert_eq!(SocketAddr::new(address.ip, address.port), path(1000).remote);
        let provider = rtc_crypto::default_provider().unwrap();
        MessageIntegrity::check(&mut answer, credentials("ours").pwd.as_bytes(), provider.crypto()).unwrap();
        FINGERPRINT.check(&answer).unwrap();
        assert!(!story.good(1000, false).unwrap().new_address);
    }

    #[test]
    fn the_first_valid_path_serves_until_one_is_nominated() {
        let mut story = Story::new();
        story.good(1, false);
        story.good(2, false);
        assert_eq!(story.selected(), Some(1));
        story.ice.hint(path(2));
        assert_eq!(story.selected(), Some(2));
        story.good(3, true);
        assert_eq!(story.selected(), Some(3));
        story.good(1, false);
        story.ice.hint(path(1));
        assert_eq!(story.selected(), Some(3));
        story.good(4, true);
        assert_eq!(story.selected(), Some(4), "roaming");
    }

    #[test]
    fn a_live_path_replaces_a_nominated_one_that_fell_silent() {
        let mut story = Story::new();
        story.good(1, true);
        story.now += STALE_PATH / 2;
        story.good(2, false);
        assert_eq!(story.selected(), Some(1));
        story.now += STALE_PATH / 2;
        story.good(2, false);
        assert_eq!(story.selected(), Some(2));
    }

    #[test]
    fn strangers_get_no_answer_and_wrong_passwords_a_401() {
        let mut story = Story::new();
        assert!(story.check(1, "ours:stranger", "x", None).is_none());
        assert!(story.answer().is_none());
        assert!(story.check(1, "ours:theirs", "wrong", None).is_none());
        let (_, answer) = story.answer().unwrap();
        let mut code = ErrorCodeAttribute::default();
        code.get_from(&answer).unwrap();
        assert!(answer.typ == BINDING_ERROR && code.code == CODE_UNAUTHORIZED);
        assert_eq!(story.counters.stun_unauthenticated, 2);
        assert_eq!(story.selected(), None);
        assert!(!story.ice.is_validated(path(1).remote));
    }

    #[test]
    fn an_attribute_that_must_be_understood_is_refused_by_name() {
        let mut story = Story::new();
        let password = credentials("ours").pwd;
        assert!(story.check(1, "ours:theirs", &password, Some(AttrType(0x7777))).is_none());
        let (_, answer) = story.answer().unwrap();
        let mut code = ErrorCodeAttribute::default();
        code.get_from(&answer).unwrap();
        assert!(code.code == CODE_UNKNOWN_ATTRIBUTE);
    }

    #[test]
    fn after_a_restart_both_credentials_work_until_the_new_are_used() {
        let mut story = Story::new();
        story.good(1, true);
        story.ice.restart(credentials("new"), &credentials("theirs2"));
        assert!(story.good(1, true).is_some());
        assert!(story.check(2, "new:theirs2", &credentials("new").pwd, Some(ATTR_USE_CANDIDATE)).is_some());
        assert_eq!(story.selected(), Some(2));
        assert!(story.good(1, true).is_none());
        assert_eq!(story.selected(), Some(2));
    }

    #[test]
    fn no_damaged_check_panics_or_passes() {
        let mut story = Story::new();
        let mut whole = Message::new();
        whole.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId([9; 12]))]).unwrap();
        TextAttribute::new(ATTR_USERNAME, "ours:theirs".into()).add_to(&mut whole).unwrap();
        whole.add(ATTR_MESSAGE_INTEGRITY, &[]);
        whole.add(ATTR_FINGERPRINT, &[1, 2, 3, 4]);
        for len in 0..=whole.raw.len() {
            for at in 0..len {
                let mut bytes = whole.raw[..len].to_vec();
                bytes[at] ^= 0xff;
                assert!(story.ice.handle(story.now, path(1), &bytes, &mut story.counters).is_none());
            }
        }
    }
}
