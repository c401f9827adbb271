//! Which transport a datagram belongs to: by its sender's address once an authenticated check came from there, else, for
//! STUN alone, by the user name.

use crate::id::TransportId;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::net::SocketAddr;

/// What a datagram is, by its first bytes (RFC 7983, and RFC 5761 section 4 for RTP and RTCP).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// First byte 0 to 3.
    Stun,
    /// First byte 20 to 63.
    Dtls,
    /// First byte 128 to 191, payload type byte not of RTCP.
    Rtp,
    /// First byte 128 to 191, packet type 192 to 223.
    Rtcp,
    /// Nothing of ours, or empty.
    Unknown,
}

impl Class {
    /// The class of a datagram.
    pub fn of(datagram: &[u8]) -> Self {
        match datagram {
            [0..=3, ..] => Class::Stun,
            [20..=63, ..] => Class::Dtls,
            [128..=191, 192..=223, ..] => Class::Rtcp,
            [128..=191, ..] => Class::Rtp,
            _ => Class::Unknown,
        }
    }
}

/// Addresses one transport may have at a time: a browser's candidates on a handful of interfaces, and a few of a roaming phone.
const MAX_ADDRESSES: usize = 8;
/// Our ufrags one transport may have at a time: one, and a new one while an ICE restart is under way.
const MAX_UFRAGS: usize = 2;
/// RFC 8839 section 5.4.
const MAX_UFRAG_LEN: usize = 256;

#[derive(Default)]
struct Keys {
    /// Oldest first.
    addresses: SmallVec<[SocketAddr; 1]>,
    /// Oldest first.
    ufrags: SmallVec<[Box<str>; 1]>,
}

/// The demultiplexer of one socket. Nothing a stranger sends changes it: only [`Demux::register`] and [`Demux::validated`]
/// do, the latter after an authenticated check.
#[derive(Default)]
pub struct Demux {
    /// The default, seeded hasher would draw from the air; Fx is fine because only authenticated peers choose keys.
    by_address: FxHashMap<SocketAddr, TransportId>,
    by_ufrag: FxHashMap<Box<str>, TransportId>,
    keys: FxHashMap<TransportId, Keys>,
}

impl Demux {
    /// Lets checks to `ufrag` (ours) through to a transport. The third ufrag of one transport replaces its oldest.
    /// Returns false and changes nothing if another transport has it.
    pub fn register(&mut self, transport: TransportId, ufrag: &str) -> bool {
        match self.by_ufrag.get(ufrag) {
            Some(owner) => return *owner == transport,
            None => self.by_ufrag.insert(ufrag.into(), transport),
        };
        let keys = self.keys.entry(transport).or_default();
        keys.ufrags.push(ufrag.into());
        if keys.ufrags.len() > MAX_UFRAGS {
            let oldest = keys.ufrags.remove(0);
            self.by_ufrag.remove(&oldest);
        }
        true
    }

    /// Lets DTLS and media of `address` through to a transport, after [`crate::transport::TransportEvent::Validated`].
    /// The ninth address of one transport replaces its oldest; an address that was another's changes hands, for the
    /// authenticated check is newer than that one's. Unregistered transports are ignored.
    pub fn validated(&mut self, transport: TransportId, address: SocketAddr) {
        let Some(keys) = self.keys.get_mut(&transport) else { return };
        keys.addresses.retain(|a| *a != address);
        keys.addresses.push(address);
        if keys.addresses.len() > MAX_ADDRESSES {
            let oldest = keys.addresses.remove(0);
            if self.by_address.get(&oldest) == Some(&transport) {
                self.by_address.remove(&oldest);
            }
        }
        if let Some(previous) = self.by_address.insert(address, transport)
            && previous != transport
            && let Some(keys) = self.keys.get_mut(&previous)
        {
            keys.addresses.retain(|a| *a != address);
        }
    }

    /// Forgets a transport with all its addresses and ufrags.
    pub fn remove(&mut self, transport: TransportId) {
        let Some(keys) = self.keys.remove(&transport) else { return };
        for address in keys.addresses {
            self.by_address.remove(&address);
        }
        for ufrag in keys.ufrags {
            self.by_ufrag.remove(&ufrag);
        }
    }

    /// The transport a datagram belongs to. A check goes by its user name, because it may come from a new address; everything
    /// else by its address.
    pub fn route(&self, remote: SocketAddr, class: Class, datagram: &[u8]) -> Option<TransportId> {
        match class {
            Class::Unknown => None,
            Class::Stun => match local_ufrag(datagram) {
                Some(ufrag) => self.by_ufrag.get(ufrag).copied(),
                None => self.by_address.get(&remote).copied(),
            },
            Class::Dtls | Class::Rtp | Class::Rtcp => self.by_address.get(&remote).copied(),
        }
    }

    /// Transports registered.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// No transport is registered.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }
}

/// Our half of a STUN message's USERNAME (`ours:theirs`, RFC 8445 section 7.2.2), found without parsing the rest.
fn local_ufrag(message: &[u8]) -> Option<&str> {
    /// RFC 8489 section 14.3.
    const USERNAME: u16 = 0x0006;
    let mut rest = message.get(20..)?;
    while let [t0, t1, l0, l1, tail @ ..] = rest {
        let len = usize::from(u16::from_be_bytes([*l0, *l1]));
        if u16::from_be_bytes([*t0, *t1]) == USERNAME {
            let name = tail.get(..len)?;
            let end = name.iter().position(|b| *b == b':')?;
            return std::str::from_utf8(name.get(..end.min(MAX_UFRAG_LEN))?).ok();
        }
        rest = tail.get(len.next_multiple_of(4)..)?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: TransportId = TransportId(1);
    const BEN: TransportId = TransportId(2);

    fn address(port: u16) -> SocketAddr {
        ([192, 0, 2, 1], port).into()
    }

    fn check(username: &str) -> Vec<u8> {
        let mut m = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42];
        m.extend([7; 12]);
        m.extend([0x80, 0x22, 0, 3, b'a', b'b', b'c', 0]);
        m.extend([0, 6, 0, username.len() as u8]);
        m.extend(username.as_bytes());
        m.resize(m.len().next_multiple_of(4), 0);
        m
    }

    #[test]
    fn first_bytes_tell_the_class() {
        for (bytes, class) in [
            (&[][..], Class::Unknown),
            (&[0, 1], Class::Stun),
            (&[4], Class::Unknown),
            (&[22, 254], Class::Dtls),
            (&[64], Class::Unknown),
            (&[128, 96], Class::Rtp),
            (&[128, 224], Class::Rtp),
            (&[144, 200], Class::Rtcp),
            (&[191], Class::Rtp),
            (&[192, 200], Class::Unknown),
        ] {
            assert_eq!(Class::of(bytes), class, "{bytes:?}");
        }
    }

    #[test]
    fn checks_go_by_user_name_and_the_rest_by_validated_address() {
        let mut demux = Demux::default();
        assert!(demux.register(ANA, "ana"));
        assert!(!demux.register(BEN, "ana"));
        assert_eq!(demux.route(address(1), Class::Stun, &check("ana:x")), Some(ANA));
        assert_eq!(demux.route(address(1), Class::Stun, &check("ben:x")), None);
        assert_eq!(demux.route(address(1), Class::Rtp, &[128, 96]), None);
        demux.validated(ANA, address(1));
        assert_eq!(demux.route(address(1), Class::Rtp, &[128, 96]), Some(ANA));
        demux.remove(ANA);
        assert_eq!(demux.route(address(1), Class::Rtp, &[128, 96]), None);
        assert_eq!(demux.route(address(1), Class::Stun, &check("ana:x")), None);
        assert!(demux.is_empty() && demux.by_address.is_empty() && demux.by_ufrag.is_empty());
    }

    #[test]
    fn an_address_that_changes_hands_stays_with_its_new_owner() {
        let mut demux = Demux::default();
        demux.register(ANA, "ana");
        demux.register(BEN, "ben");
        demux.validated(ANA, address(1));
        demux.validated(BEN, address(1));
        demux.remove(ANA);
        assert_eq!(demux.route(address(1), Class::Dtls, &[22]), Some(BEN));
    }

    #[test]
    fn addresses_and_ufrags_of_one_transport_are_bounded() {
        let mut demux = Demux::default();
        for n in 0..5 {
            demux.register(ANA, &format!("ana{n}"));
        }
        for port in 1..=100 {
            demux.validated(ANA, address(port));
        }
        assert_eq!((demux.by_address.len(), demux.by_ufrag.len()), (MAX_ADDRESSES, MAX_UFRAGS));
        assert_eq!(demux.route(address(100), Class::Rtp, &[]), Some(ANA));
        assert_eq!(demux.route(address(92), Class::Rtp, &[]), None);
    }

    #[test]
    fn no_prefix_of_a_check_panics() {
        let whole = check("a-rather-long-user-fragment:with-its-peer");
        let demux = Demux::default();
        for end in 0..whole.len() {
            assert_eq!(demux.route(address(1), Class::Stun, &whole[..end]), None);
        }
    }
}
