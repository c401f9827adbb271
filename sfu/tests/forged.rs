//! A million forged packets from a participant's own address leave the heap where it was, and its media still flows.

mod client;
mod plane;

use plane::{Plane, packet};
use ramai_sfu::api::{Datagram, Path};
use ramai_sfu::params::Codec;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use std::alloc::System;
use std::time::Duration;

#[global_allocator]
static HEAP: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const FORGED: usize = 1_000_000;
/// Packets of one turn of the worker.
const TURN: usize = 500;
/// What may remain: not a thousandth of a byte for each packet.
const REMAINS: isize = 1000;

/// RTP or RTCP with a header that would pass, and noise behind it. Returns its length.
fn forge(rng: &mut ChaCha8Rng, buf: &mut [u8; 200]) -> usize {
    // Header and the first bytes behind it are new each time; the rest is noise from before.
    rng.fill_bytes(&mut buf[..24]);
    if rng.random() {
        (buf[0], buf[1]) = (0x80, 111);
    } else {
        (buf[0], buf[1]) = (0x80, rng.random_range(200..207));
    }
    rng.random_range(40..200)
}

/// Feeds `count` forged packets from addresses of `path`'s choosing, with turns of the worker between them.
fn attack(plane: &mut Plane, rng: &mut ChaCha8Rng, count: usize, mut path: impl FnMut(&mut ChaCha8Rng) -> Path) {
    let mut buf = [0; 200];
    rng.fill_bytes(&mut buf);
    for i in 0..count {
        let len = forge(rng, &mut buf);
        let path = path(rng);
        plane.worker.handle_datagram(plane.now, Datagram { path, came: plane.now, payload: &mut buf[..len] });
        if i % TURN == 0 {
            plane.now += Duration::from_millis(1);
            plane.settle();
        }
    }
}

/// Ana's next packets reach Ben, in order and unharmed.
fn media_flows(plane: &mut Plane, seqs: std::ops::Range<u16>) {
    plane.members[1].media.clear();
    for seq in seqs.clone() {
        let mut sealed = plane.members[0].client.seal_rtp(&packet(seq, format!("genuine {seq}").as_bytes()));
        let path = plane.members[0].client.path();
        plane.worker.handle_datagram(plane.now, Datagram { path, came: plane.now, payload: &mut sealed });
        plane.settle();
    }
    let ben = &mut plane.members[1];
    let opened: Vec<Vec<u8>> = std::mem::take(&mut ben.media).iter().map(|p| ben.client.open_rtp(p)).collect();
    assert_eq!(opened.len(), seqs.len());
    for (seq, packet) in seqs.zip(opened) {
        assert!(packet.ends_with(format!("genuine {seq}").as_bytes()));
    }
}

/// Bytes on the heap more than at the start of `region`.
fn grown(region: &Region<'_, System>) -> isize {
    let change = region.change();
    change.bytes_allocated as isize - change.bytes_deallocated as isize
}

// One test, for the counting allocator serves the whole process.
#[test]
fn a_million_forged_packets_leave_the_heap_where_it_was() {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut plane = Plane::new(2);
    assert!(plane.connect());
    plane.publish(Codec::Opus);
    media_flows(&mut plane, 65_500..65_510);
    let ana = plane.members[0].client.path();
    // Buffers that keep their memory have it after this.
    attack(&mut plane, &mut rng, 10_000, |_| ana);

    // First show that the measure can fail.
    let region = Region::new(HEAP);
    let ballast = vec![1u8; 2 * REMAINS as usize];
    assert!(grown(&region) > REMAINS);
    drop(ballast);

    let region = Region::new(HEAP);
    let before = plane.worker.counters();
    attack(&mut plane, &mut rng, FORGED, |_| ana);
    let after = plane.worker.counters();
    assert!(grown(&region) < REMAINS, "{} bytes remain of forgeries from a participant's address", grown(&region));
    assert_eq!(after.not_opened - before.not_opened, FORGED as u64);
    assert_eq!(after.forwarded, before.forwarded);
    media_flows(&mut plane, 65_510..65_520);

    let region = Region::new(HEAP);
    attack(&mut plane, &mut rng, FORGED / 4, |rng| Path {
        remote: (rng.random::<[u8; 4]>(), rng.random()).into(),
        local: None,
    });
    assert!(grown(&region) < REMAINS, "{} bytes remain of strangers' packets", grown(&region));
    media_flows(&mut plane, 65_520..65_530);
}
