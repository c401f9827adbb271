//! A frame's packets leave together: the worker waits for the rest of a frame, a moment at most, and what leaves together has one
//! length. On one virtual clock, with a real client on the other side.
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot go on has failed")]

mod client;
mod plane;

use bytes::Bytes;
use plane::{Plane, packet};
use ramai_sfu::api::{Command, Datagram};
use ramai_sfu::id::TrackId;
use ramai_sfu::params::{Codec, Extension, ExtensionMap};
use ramai_sfu::publish::HOLD;
use ramai_sfu::rtp::Packet;
use std::time::Duration;

/// Between packets of a burst.
const GAP: Duration = Duration::from_micros(20);
/// Between frames.
const FRAME: Duration = Duration::from_millis(33);

/// Ana's VP8 camera and Ben, who watches it.
struct Call {
    plane: Plane,
    seq: u16,
    /// What Ana sent, in order.
    sent: Vec<Vec<u8>>,
    /// What Ben got, opened, and the length of each datagram.
    got: Vec<(Packet, usize)>,
}

impl Call {
    /// A call in which one whole frame, a key frame, has arrived: the worker knows by it that Ana sends in bursts.
    fn new() -> Self {
        let mut plane = Plane::new(2);
        assert!(plane.connect());
        plane.publish(Codec::Vp8);
        let mut call = Self { plane, seq: 0, sent: Vec::new(), got: Vec::new() };
        for n in 0..3 {
            call.send(n == 0, n == 2, 900);
        }
        assert_eq!(call.got.len(), 3);
        call.plane.now += FRAME;
        call
    }

    /// Sends one packet and lets the worker have its turn.
    fn send(&mut self, start: bool, end: bool, len: usize) {
        let mut payload = vec![if start { 0x10 } else { 0 }, self.seq.min(1) as u8, 2, 0, 0x9d, 1, 0x2a, 1, 2, 3, 4];
        payload.resize(len, self.seq as u8 | 1);
        let mut plain = packet(self.seq, &payload);
        plain[1] |= u8::from(end) << 7;
        let ana = &mut self.plane.members[0].client;
        let (path, mut sealed) = (ana.path(), ana.seal_rtp(&plain));
        self.plane
            .worker
            .handle_datagram(self.plane.now, Datagram { path, came: self.plane.now, payload: &mut sealed });
        self.seq += 1;
        self.sent.push(payload);
        self.arrive();
        self.plane.now += GAP;
    }

    /// Takes what has come for Ben.
    fn arrive(&mut self) {
        self.plane.settle();
        let mut map = ExtensionMap::default();
        map.set(Extension::Mid, 1);
        map.set(Extension::TransportCc, 3);
        let ben = &mut self.plane.members[1];
        for sealed in std::mem::take(&mut ben.media) {
            let plain = Bytes::from(ben.client.open_rtp(&sealed));
            self.got.push((Packet::parse(&plain, &map).unwrap(), sealed.len()));
        }
    }

    /// Everything that was sent has come, in order and without a gap, and is what it was.
    fn assert_all_came(&self) {
        let payloads: Vec<_> = self.got.iter().map(|(packet, _)| packet.payload.to_vec()).collect();
        assert!(payloads == self.sent, "{} of {} came, or they changed", payloads.len(), self.sent.len());
        let first = self.got[0].0.seq;
        for (n, (packet, _)) in self.got.iter().enumerate() {
            assert_eq!(packet.seq, first.wrapping_add(n as u16));
        }
    }
}

#[test]
fn a_frame_waits_for_its_last_packet_and_then_goes_at_once() {
    let mut call = Call::new();
    call.send(true, false, 900);
    call.send(false, false, 900);
    assert_eq!(call.got.len(), 3, "two of three packets show nobody a picture");
    call.send(false, true, 900);
    assert_eq!(call.got.len(), 6);
    call.assert_all_came();
}

#[test]
fn a_frame_whose_end_is_late_waits_no_longer_than_the_hold() {
    let mut call = Call::new();
    let began = call.plane.now;
    call.send(true, false, 900);
    call.plane.now = began + HOLD - Duration::from_micros(1);
    call.arrive();
    assert_eq!(call.got.len(), 3);
    let deadline = call.plane.worker.poll_timeout().unwrap();
    assert!(deadline <= began + HOLD, "the worker asks to be called in time");
    call.plane.now = began + HOLD;
    call.arrive();
    assert_eq!(call.got.len(), 4);
    call.send(false, true, 900);
    call.assert_all_came();
}

#[test]
fn packets_that_differ_by_a_byte_leave_with_one_length() {
    let mut call = Call::new();
    for (n, len) in [899, 899, 900, 900, 400].into_iter().enumerate() {
        call.send(n == 0, n == 4, len);
    }
    let lens: Vec<usize> = call.got[3..].iter().map(|(_, len)| *len).collect();
    assert_eq!(lens[..4], [lens[3]; 4]);
    assert_eq!(lens[3] - lens[4], 500);
    call.assert_all_came();
}

#[test]
fn what_waits_is_not_lost_when_its_track_ends() {
    let mut call = Call::new();
    call.send(true, false, 900);
    call.send(false, false, 900);
    call.plane.command(Command::Unpublish { track: TrackId(1) });
    call.arrive();
    call.assert_all_came();
}
