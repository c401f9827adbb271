//! STUN (RFC 8489) as a transport and the demultiplexer see it: as it comes, and, since hardly any random message is
//! authentic, with its integrity and fingerprint made right.
#![no_main]

use hmac::{Hmac, Mac};
use libfuzzer_sys::fuzz_target;
use ramai_fuzz::{PASSWORD, UFRAG, datagrams, drain, path, transport};
use ramai_sfu::Batch;
use ramai_sfu::demux::{Class, Demux};
use ramai_sfu::id::TransportId;
use std::time::{Duration, Instant};

fuzz_target!(|input: &[u8]| {
    let mut now = Instant::now();
    let mut transport = transport(now);
    let mut demux = Demux::default();
    demux.register(TransportId(1), UFRAG);
    let mut batch = Batch::default();
    for message in datagrams(input) {
        let Some((kind, message)) = message.split_first() else { continue };
        let message = if kind & 1 == 0 { message.to_vec() } else { authentic(message) };
        let from = path(kind >> 4);
        let class = Class::of(&message);
        let target = demux.route(from.remote, class, &message);
        assert!(target.is_none() || class == Class::Stun, "a stranger's address reached a transport without STUN");
        transport.handle_stun(now, from, &message);
        drain(&mut transport, now, &mut batch);
        now += Duration::from_millis(u64::from(*kind));
    }
    // An answer for each request at most, and none much longer than a request can be: no amplifier.
    assert!(batch.len() <= 256 * (input.len() / 3 + 1), "{} bytes out for {} in", batch.len(), input.len());
});

/// Gives a message the length it has, MESSAGE-INTEGRITY and FINGERPRINT (RFC 8489 sections 14.5 and 14.7).
fn authentic(message: &[u8]) -> Vec<u8> {
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
