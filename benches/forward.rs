//! The hot path: sealing one packet, writing one header, and one packet through the whole media plane to N subscribers. Packets
//! are 1,200 bytes; no socket and no kernel is in it.
//!
//! `cargo bench --bench forward`, or with a filter behind `--`.
#![allow(clippy::expect_used, missing_docs, reason = "a bench that can't be set up has nothing to measure")]

#[path = "../sfu/tests/client/mod.rs"]
mod client;
#[path = "../sfu/tests/plane/mod.rs"]
mod plane;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use plane::{Plane, packet};
use ramai_sfu::id::{Pt, Ssrc, Token};
use ramai_sfu::params::{Codec, Extension, ExtensionMap, Format};
use ramai_sfu::rtp::picture::Picture;
use ramai_sfu::rtp::write::{Departure, Outgoing, Patch};
use ramai_sfu::rtp::{FrameMeta, LayerSet, Media};
use ramai_sfu::transport::srtp::{Profile, contexts};
use rtc_srtp::context::Context;
use rtc_srtp::protection_profile::ProtectionProfile;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// RTP header and payload.
const PACKET: usize = 1200;
const KEY: [u8; 16] = [1; 16];
const SALT: [u8; 12] = [2; 12];

fn plain() -> Vec<u8> {
    packet(0, &[7; PACKET - 12])
}

fn set_seq(packet: &mut [u8], seq: u16) {
    packet[2..4].copy_from_slice(&seq.to_be_bytes());
}

fn seal(c: &mut Criterion) {
    let provider = rtc_crypto::default_provider().expect("there is one");
    let mut group = c.benchmark_group("seal");
    group.throughput(Throughput::Elements(1));

    let material = [KEY.as_slice(), &KEY, &SALT, &SALT].concat();
    let (_, mut ours) = contexts(provider.crypto(), Profile::Gcm, &material).expect("long enough");
    let (mut buf, mut seq, plain) = (Vec::with_capacity(2 * PACKET), 0u16, plain());
    group.bench_function("ours", |b| {
        b.iter(|| {
            seq = seq.wrapping_add(1);
            buf.clear();
            buf.extend_from_slice(&plain);
            set_seq(&mut buf, seq);
            ours.seal_rtp(&mut buf, 0).expect("a new number");
            black_box(&buf);
        });
    });

    let profile = ProtectionProfile::AeadAes128Gcm;
    let mut theirs = Context::new(&KEY, &SALT, profile, None, None, provider.crypto()).expect("good keys");
    let (mut packet, mut seq) = (plain.clone(), 0u16);
    group.bench_function("rtc-srtp", |b| {
        b.iter(|| {
            seq = seq.wrapping_add(1);
            set_seq(&mut packet, seq);
            black_box(theirs.encrypt_rtp(&packet).expect("a new number"));
        });
    });
    group.finish();
}

fn write(c: &mut Criterion) {
    let mut map = ExtensionMap::default();
    for (extension, id) in [(Extension::Mid, 1), (Extension::AbsSendTime, 2), (Extension::TransportCc, 3)] {
        map.set(extension, id);
    }
    let outgoing = Outgoing {
        ssrc: Ssrc(1),
        pt: Pt(96),
        index: 7,
        ts: 9000,
        ends: false,
        mid: Token::new("0"),
        frame: 0,
        osn: None,
        patch: Patch::None,
        skip: 0,
    };
    let media = Media {
        layer: 0,
        epoch: 1,
        index: 1,
        ssrc: Ssrc(2),
        ts: 1,
        marker: true,
        format: Format { codec: Codec::Opus, profile: 0 },
        red: None,
        audio_level: None,
        video_orientation: None,
        playout_delay: None,
        dependency_descriptor: None,
        meta: FrameMeta::default(),
        picture: Picture::default(),
        payload: Bytes::from(vec![7; PACKET - 12]),
        clock: None,
        live: LayerSet::default(),
    };
    let departure = Departure { transport_cc: 5, abs_send_time: 6, playout_delay: None };
    let mut buf = Vec::with_capacity(2 * PACKET);
    c.bench_function("write", |b| {
        b.iter(|| {
            buf.clear();
            black_box(outgoing.write(&media, &map, &departure, &mut buf));
        });
    });
}

/// Everything from the sealed packet that came in to the sealed packets that go out; time for each packet out.
fn forward(c: &mut Criterion) {
    let mut group = c.benchmark_group("forward");
    group.sample_size(20);
    for subscribers in [10, 100, 500, 1_000] {
        let mut plane = Plane::new(subscribers + 1);
        assert!(plane.connect());
        plane.publish(Codec::Opus);
        let (mut seq, expected) = (0u16, subscribers * PACKET);
        group.throughput(Throughput::Elements(subscribers as u64));
        group.bench_with_input(BenchmarkId::from_parameter(subscribers), &subscribers, |b, _| {
            b.iter_custom(|iterations| {
                let mut spent = Duration::ZERO;
                for _ in 0..iterations {
                    seq = seq.wrapping_add(1);
                    plane.now += Duration::from_micros(100);
                    let mut sealed = plane.members[0].client.seal_rtp(&packet(seq, &[7; PACKET - 12]));
                    let start = Instant::now();
                    let out = plane.forward(0, &mut sealed);
                    spent += start.elapsed();
                    assert!(out >= expected, "{out} bytes came out");
                    // Keeps ICE and timers content, outside the measure.
                    if seq.is_multiple_of(1000) {
                        plane.pass(Duration::from_millis(20));
                    }
                }
                spent
            });
        });
    }
    group.finish();
}

criterion_group!(benches, seal, write, forward);
criterion_main!(benches);
