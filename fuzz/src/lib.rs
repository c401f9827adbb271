//! What the fuzz targets share: a transport to feed, extension maps to parse by, and ways to cut one input into several.
#![forbid(unsafe_code)]

use hmac::{Hmac, Mac};
use ramai_sfu::Batch;
use ramai_sfu::api::Path;
use ramai_sfu::id::TransportId;
use ramai_sfu::params::{Extension, ExtensionMap, Fingerprint, IceCredentials, TransportParams};
use ramai_sfu::transport::{Identity, Transport};
use std::sync::OnceLock;
use std::time::Instant;

/// Our ICE user name fragment.
pub const UFRAG: &str = "ramaiufrag";
/// Our ICE password: what a peer's checks are authenticated by.
pub const PASSWORD: &str = "ramaipasswordramaipassword";
/// The peer's ICE user name fragment.
pub const PEER_UFRAG: &str = "peer";

/// Both kinds of extension ids that negotiation comes to: all within one byte's header, and mixed with some beyond.
pub fn extension_maps() -> [ExtensionMap; 2] {
    let mut one_byte = ExtensionMap::default();
    let mut mixed = ExtensionMap::default();
    mixed.allow_mixed = true;
    for (id, extension) in (1..).zip(Extension::ALL) {
        one_byte.set(extension, id);
        mixed.set(extension, id * 20);
    }
    [one_byte, mixed]
}

/// A fresh transport. The certificate is made once: it costs more than all the rest.
pub fn transport(now: Instant) -> Transport {
    Transport::new(now, TransportId(1), transport_params(), identity())
}

/// The certificate of all transports.
pub fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| Identity::generate().expect("the crypto provider works"))
}

/// What would have been negotiated.
pub fn transport_params() -> TransportParams {
    let credentials = |ufrag: &str, pwd: &str| IceCredentials { ufrag: ufrag.to_owned(), pwd: pwd.to_owned() };
    TransportParams {
        local: credentials(UFRAG, PASSWORD),
        remote: credentials(PEER_UFRAG, "peerpasswordpeerpassword"),
        fingerprints: vec![Fingerprint([7; 32])],
        extensions: extension_maps()[0],
        open_channels: Vec::new(),
    }
}

/// A peer's path; `last` tells peers apart.
pub fn path(last: u8) -> Path {
    Path { remote: ([192, 0, 2, last], 5000).into(), local: None }
}

/// Lets a peer pass its connectivity check (RFC 8445 section 7.3), without which a transport doesn't answer it. The answer is
/// taken out.
pub fn check(transport: &mut Transport, now: Instant, from: Path) {
    let mut request = vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];
    let user = format!("{UFRAG}:{PEER_UFRAG}");
    request.extend_from_slice(&[0, 6, 0, user.len() as u8]);
    request.extend_from_slice(user.as_bytes());
    request.resize(request.len().next_multiple_of(4), 0);
    // PRIORITY, ICE-CONTROLLING, USE-CANDIDATE.
    request.extend_from_slice(&[
        0, 0x24, 0, 4, 0x6e, 0, 0x1e, 0xff, 0x80, 0x2a, 0, 8, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0x25, 0, 0,
    ]);
    transport.handle_stun(now, from, &authentic(&request));
    let mut batch = Batch::default();
    drain(transport, now, &mut batch);
    assert!(!batch.is_empty() && transport.selected_path() == Some(from), "an authentic check is answered");
}

/// Takes all that a transport has to say, and does what it is due to do, so that its output is searched as well.
pub fn drain(transport: &mut Transport, now: Instant, batch: &mut Batch) {
    transport.poll_transmit(now, batch);
    while transport.poll_event().is_some() {}
    if transport.poll_timeout().is_some_and(|at| at <= now) {
        transport.handle_timeout(now);
    }
}

/// Cuts an input into datagrams: two bytes of length before each.
pub fn datagrams(mut input: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (len, rest) = input.split_first_chunk::<2>()?;
        let (datagram, rest) = rest.split_at(usize::from(u16::from_be_bytes(*len)).min(rest.len()));
        input = rest;
        Some(datagram)
    })
}

/// Gives a message the length it has, a magic cookie, MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 sections 14.5 and 14.7).
pub fn authentic(message: &[u8]) -> Vec<u8> {
    let mut message = message.to_vec();
    message.resize(message.len().max(20).next_multiple_of(4), 0);
    message.truncate(1200);
    message[4..8].copy_from_slice(&0x2112_a442u32.to_be_bytes());
    set_length(&mut message, 24);
    let mut hmac = Hmac::<sha1::Sha1>::new_from_slice(PASSWORD.as_bytes()).expect("any length of key will do");
    hmac.update(&message);
    let integrity = hmac.finalize().into_bytes();
    message.extend_from_slice(&[0x00, 0x08, 0, 20]);
    message.extend_from_slice(&integrity);
    set_length(&mut message, 8);
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&message) ^ 0x5354_554e;
    message.extend_from_slice(&[0x80, 0x28, 0, 4]);
    message.extend_from_slice(&checksum.to_be_bytes());
    message
}

/// The length so far, with what will follow.
fn set_length(message: &mut [u8], follows: usize) {
    let len = (message.len() - 20 + follows) as u16;
    message[2..4].copy_from_slice(&len.to_be_bytes());
}
