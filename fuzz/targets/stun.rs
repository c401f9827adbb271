//! STUN (RFC 8489) as a transport and the demultiplexer see it: as it comes, and, since hardly any random message is
//! authentic, with its integrity and fingerprint made right.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ramai_fuzz::{UFRAG, authentic, datagrams, drain, path, transport};
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
