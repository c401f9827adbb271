//! The oracle can fail: every kind of mistake that a server could make is seen, and a good stream isn't accused.

use super::*;
use crate::MS;
use crate::media::encoding::{Encoding, Format};
use crate::media::rtp::extensions;
use bytes::Bytes;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const KEY: (usize, u32) = (1, 7);

/// A packet as a server would send it on.
#[derive(Clone)]
struct Out {
    seq: u16,
    ts: u32,
    payload: Vec<u8>,
    again: bool,
    marker: bool,
}

/// Packets of some pictures of two simulcast layers, as their publisher sends them.
fn pictures(layer: u8, from: u32, count: u32) -> Vec<Out> {
    let mut encoding = Encoding::new(Format::Vp8, 0, layer, 100, ChaCha8Rng::seed_from_u64(1));
    encoding.set_rate(500_000, 1);
    let pictures = (from..from + count).flat_map(|n| encoding.picture(n * 33 * MS));
    // One clock for all layers.
    pictures
        .map(|(rtp, stamp)| {
            let ts = (stamp.captured.as_millis() * 90) as u32;
            Out { seq: stamp.packet as u16, ts, payload: rtp.payload, again: false, marker: rtp.marker }
        })
        .collect()
}

/// What the oracle says of a stream whose packets all reached the server.
fn judge(reached: &[Out], sent: &[Out]) -> Vec<String> {
    let mut oracle = Oracle::default();
    for packet in reached {
        oracle.ingress(&Stamp::read(&packet.payload).unwrap());
    }
    for (n, packet) in sent.iter().enumerate() {
        let rtp = crate::media::rtp::Rtp {
            pt: crate::media::pt::VP8.0,
            marker: packet.marker,
            seq: packet.seq,
            ts: packet.ts,
            ssrc: 7,
            level: None,
            descriptor: None,
            payload: packet.payload.clone(),
        };
        let parsed = Packet::parse(&Bytes::from(rtp.write(n as u16)), &extensions()).unwrap();
        let stamp = Stamp::read(&packet.payload);
        let egress = Egress {
            stream: "video",
            key: KEY,
            packet: &parsed,
            seq: packet.seq,
            payload: &packet.payload,
            again: packet.again,
            stamp,
        };
        oracle.egress(At::ZERO, &egress);
    }
    oracle.violations().iter().map(|violation| violation.what.clone()).collect()
}

fn frame(packet: &Out) -> Stamp {
    Stamp::read(&packet.payload).unwrap()
}

/// All packets of one frame go, and the numbers close up; `picture` renumbers the pictures, too.
fn without(frame_number: u32, packets: &[Out], picture: bool) -> Vec<Out> {
    let gone = packets.iter().filter(|p| frame(p).frame == frame_number).count() as u16;
    let kept = packets.iter().filter(|p| frame(p).frame != frame_number).cloned();
    kept.map(|mut packet| {
        if frame(&packet).frame > frame_number {
            packet.seq -= gone;
            if picture {
                let (_, picture) = vp8::parse(&packet.payload).unwrap();
                picture.shifted(0x7fff, 0).patch(&mut packet.payload);
            }
        }
        packet
    })
    .collect()
}

#[test]
fn a_good_stream_is_not_accused() {
    let all = pictures(0, 0, 60);
    assert!(judge(&all, &all).is_empty());
}

#[test]
fn temporal_layers_may_be_left_out_if_all_numbers_close_up() {
    let all = pictures(0, 0, 12);
    let top = frame(all.iter().find(|p| frame(p).frame == 5).unwrap());
    assert_eq!(top.temporal, 2);
    assert!(judge(&all, &without(5, &all, true)).is_empty());
    assert!(judge(&all, &without(5, &all, false))[0].contains("picture"), "a browser would wait for it");
}

#[test]
fn a_picture_that_does_not_end_is_seen() {
    let mut all = pictures(0, 0, 12);
    all.iter_mut().filter(|p| frame(p).frame == 5).for_each(|packet| packet.marker = false);
    assert!(judge(&all, &all)[0].contains("no marker"), "a browser would wait for the rest");
}

#[test]
fn a_frame_whose_reference_was_held_back_is_seen() {
    let all = pictures(0, 0, 12);
    let words = judge(&all, &without(4, &all, true));
    assert!(words.iter().any(|what| what.contains("held back")), "{words:?}");
}

#[test]
fn a_reference_that_was_lost_on_the_way_to_the_server_is_no_fault() {
    let all = pictures(0, 0, 12);
    let came: Vec<Out> = all.iter().filter(|p| frame(p).frame != 4).cloned().collect();
    assert!(judge(&came, &came).is_empty(), "its numbers are kept free");
}

#[test]
fn a_number_used_twice_and_a_hole_that_nothing_fills_are_seen() {
    let all = pictures(0, 0, 12);
    let mut twice = all.clone();
    twice.insert(9, all[8].clone());
    assert!(judge(&all, &twice)[0].contains("used twice"));
    let mut hole = all.clone();
    hole[10..].iter_mut().for_each(|packet| packet.seq += 1);
    assert!(judge(&all, &hole)[0].contains("should be"));
}

#[test]
fn a_retransmission_of_something_else_is_seen() {
    let all = pictures(0, 0, 12);
    let mut sent = all.clone();
    sent.push(Out { again: true, ..all[5].clone() });
    assert!(judge(&all, &sent).is_empty());
    sent.push(Out { seq: all[5].seq, again: true, ..all[6].clone() });
    assert!(judge(&all, &sent)[0].contains("comes again as"));
}

#[test]
fn a_switch_begins_with_a_whole_key_frame_on_the_next_number() {
    let (low, high) = (pictures(0, 0, 4), pictures(1, 4, 4));
    let all = [&low[..], &high[..]].concat();
    let next = low.len() as u16;
    // The picture numbers of the other layer begin elsewhere, so they go on from the first layer's.
    let id = |packet: &Out| vp8::parse(&packet.payload).unwrap().1;
    let (last, first) = (id(low.last().unwrap()), id(&high[0]));
    let offset = last.id.unwrap().1.wrapping_add(1).wrapping_sub(first.id.unwrap().1);
    let tl0 = last.tl0.unwrap().1.wrapping_add(1).wrapping_sub(first.tl0.unwrap().1);
    let moved = |by: u16, skip: usize| {
        let high = high.iter().skip(skip).cloned().map(|mut packet| {
            packet.seq = packet.seq - skip as u16 + next + by;
            id(&packet).shifted(offset, tl0).patch(&mut packet.payload);
            packet
        });
        low.iter().cloned().chain(high).collect::<Vec<_>>()
    };
    assert!(judge(&all, &moved(0, 0)).is_empty(), "{:?}", judge(&all, &moved(0, 0)));
    assert!(judge(&all, &moved(2, 0))[0].contains("hole of 2"));
    assert!(judge(&all, &moved(0, 1))[0].contains("switches amid"));
}

#[test]
fn a_clock_that_jumps_or_stands_is_seen() {
    let all = pictures(0, 0, 12);
    for jump in [90_000i32, -90_000] {
        let mut jumps = all.clone();
        jumps[12..].iter_mut().for_each(|packet| packet.ts = packet.ts.wrapping_add_signed(jump));
        assert!(judge(&all, &jumps)[0].contains("timestamp"));
    }
    let mut stands = all.clone();
    stands.iter_mut().for_each(|packet| packet.ts = 5);
    assert!(judge(&all, &stands)[0].contains("timestamp"));
}

#[test]
fn transport_numbers_go_up_by_one() {
    let mut oracle = Oracle::default();
    [65_534, 65_535, 0, 1].into_iter().for_each(|number| oracle.transport_number(At::ZERO, 0, "ana", number));
    assert_eq!(oracle.count, 0);
    oracle.transport_number(At::ZERO, 0, "ana", 3);
    assert_eq!(oracle.count, 1);
}
