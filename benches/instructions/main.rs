//! One packet through the whole media plane to N subscribers, for an instruction counter: `scripts/instructions.sh` runs this under
//! callgrind and has it count `counted` alone. Handshakes and the clients' own crypto are no part of that.
//!
//! `instructions SUBSCRIBERS PACKETS` prints how many datagrams came out while it counted; `instructions features` prints what the
//! crypto can choose from on the CPU that it sees, which under valgrind is a lesser one.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    missing_docs,
    reason = "a bench that can't be set up has nothing to measure"
)]

#[path = "../../sfu/tests/client/mod.rs"]
mod client;
#[path = "../../sfu/tests/plane/mod.rs"]
mod plane;

use plane::{Plane, packet};
use ramai_sfu::params::Codec;
use std::hint::black_box;
use std::time::Duration;

/// RTP header and payload.
const PACKET: usize = 1200;
/// Between packets: 10,000 a second, so that no timer is due before the end.
const INTERVAL: Duration = Duration::from_micros(100);

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    if args == ["features"] {
        println!("{}", features().join(" "));
        return;
    }
    if args.contains(&"--bench") {
        println!("instructions are counted by scripts/instructions.sh");
        return;
    }
    let [subscribers, packets] = args[..] else {
        println!("usage: instructions SUBSCRIBERS PACKETS");
        std::process::exit(2);
    };
    let subscribers: usize = subscribers.parse().expect("a number of subscribers");
    let packets: u16 = packets.parse().expect("a number of packets below 65,536");

    let mut plane = Plane::new(subscribers + 1);
    assert!(plane.connect(), "all connect");
    plane.publish(Codec::Opus);
    // As many before as are counted: buffers grow to their size, and the first packet's work is done.
    for seq in 0..packets {
        let mut sealed = next(&mut plane, seq);
        plane.forward(0, &mut sealed);
    }
    let (mut bytes, mut size) = (0, 0);
    for seq in packets..2 * packets {
        let mut sealed = next(&mut plane, seq);
        let out = counted(&mut plane, &mut sealed);
        assert!(out >= subscribers * PACKET, "{out} bytes came out");
        (bytes, size) = (bytes + out, out / subscribers);
    }
    println!("{}", bytes / size.max(1));
}

/// What is counted. A function by itself in every build, since the counter knows it by its name.
#[inline(never)]
fn counted(plane: &mut Plane, sealed: &mut [u8]) -> usize {
    black_box(plane.forward(0, black_box(sealed)))
}

fn next(plane: &mut Plane, seq: u16) -> Vec<u8> {
    plane.now += INTERVAL;
    plane.members[0].client.seal_rtp(&packet(seq, &[7; PACKET - 12]))
}

/// Those that decide which AES-GCM and SHA code runs.
#[cfg(target_arch = "x86_64")]
fn features() -> Vec<&'static str> {
    macro_rules! found {
        ($($name:tt)*) => { [$(($name, std::is_x86_feature_detected!($name))),*] };
    }
    let all = found!("aes" "pclmulqdq" "movbe" "avx" "avx2" "avx512f" "vaes" "vpclmulqdq" "sha");
    all.into_iter().filter_map(|(name, found)| found.then_some(name)).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn features() -> Vec<&'static str> {
    Vec::new()
}
