//! DTLS datagrams (RFC 6347) before any key is agreed, from one peer, with time going by between them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ramai_fuzz::{check, datagrams, drain, path, transport};
use ramai_sfu::Batch;
use std::time::{Duration, Instant};

fuzz_target!(|input: &[u8]| {
    let mut now = Instant::now();
    let mut transport = transport(now);
    check(&mut transport, now, path(1));
    let mut batch = Batch::default();
    for datagram in datagrams(input) {
        transport.handle_dtls(now, path(1), datagram);
        drain(&mut transport, now, &mut batch);
        now += Duration::from_millis(60);
    }
    assert!(!transport.is_connected(), "nobody proved to hold a certificate");
    let mut packet = [0x80; 64];
    assert!(transport.open_rtp(now, &mut packet).is_err(), "no key, no media");
});
