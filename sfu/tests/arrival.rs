//! What a publisher is told of when its packets came: when they did, however late and however many at once they are read.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot go on has failed")]
#![allow(dead_code, reason = "the plane is shared with other tests")]

mod client;
mod plane;

use plane::{PUBLISHED, Plane};
use ramai_sfu::api::Datagram;
use ramai_sfu::params::Codec;
use rtc_rtcp::packet::unmarshal;
use rtc_rtcp::transport_feedbacks::transport_layer_cc::TransportLayerCc;
use std::time::Duration;

const MS: Duration = Duration::from_millis(1);

/// A packet with a transport-wide number (RFC 8285 section 4.2, one-byte header).
fn numbered(seq: u16) -> Vec<u8> {
    let mut packet = vec![0x90, 111];
    packet.extend(seq.to_be_bytes());
    packet.extend([0; 4]);
    packet.extend(PUBLISHED.to_be_bytes());
    packet.extend([0xbe, 0xde, 0, 1, 3 << 4 | 1]);
    packet.extend(seq.to_be_bytes());
    packet.extend([0, 0x10, 0, 0x9d, 1]);
    packet
}

#[test]
fn packets_that_waited_to_be_read_are_reported_as_they_came() {
    let mut plane = Plane::new(1);
    assert!(plane.connect());
    plane.number(0);
    plane.publish(Codec::Vp8);

    // A turn is 30 ms late, and finds all of a probe.
    let began = plane.now;
    plane.now += 30 * MS;
    for (seq, after) in [0, 3, 5, 20, 21].into_iter().enumerate() {
        let ana = &mut plane.members[0].client;
        let (path, mut payload) = (ana.path(), ana.seal_rtp(&numbered(seq as u16)));
        plane.worker.handle_datagram(plane.now, Datagram { path, came: began + after * MS, payload: &mut payload });
    }
    plane.members[0].feedback.clear();
    plane.pass(100 * MS);

    let ana = &mut plane.members[0];
    let sealed = std::mem::take(&mut ana.feedback);
    let told = sealed.iter().find_map(|sealed| {
        let packets = unmarshal(&mut &ana.client.open_rtcp(sealed)[..]).unwrap();
        packets.iter().find_map(|packet| packet.as_any().downcast_ref::<TransportLayerCc>().cloned())
    });
    let deltas = told.unwrap().recv_deltas;
    // The first counts from the feedback's own zero; in microseconds.
    let between: Vec<i64> = deltas[1..].iter().map(|delta| delta.delta).collect();
    assert_eq!(between, [3_000, 2_000, 15_000, 1_000]);
}
