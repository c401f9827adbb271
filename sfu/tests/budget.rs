//! What limits the videos that one receiver is sent, in the whole worker: its feedback, its silence, and what it is told of it.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(dead_code, reason = "the plane is shared with other tests")]

mod client;
mod plane;

use plane::{Plane, packet};
use ramai_sfu::api::{Command, Datagram, Event};
use ramai_sfu::id::SubscriptionId;
use ramai_sfu::params::{Codec, SubscriptionSettings};
use std::time::Duration;

/// A camera of 800 kbit/s that sends key frames only, and one who watches.
struct Call {
    plane: Plane,
    seq: u16,
    /// Packets of a frame, of which there are 50 in a second.
    burst: usize,
}

impl Call {
    fn new(numbered: bool) -> Self {
        let mut plane = Plane::new(2);
        assert!(plane.connect());
        if numbered {
            plane.number(1);
        }
        plane.publish(Codec::Vp8);
        Self { plane, seq: 0, burst: 2 }
    }

    /// Lets the camera run; returns how many of its packets, 100 in a second if nothing else is said, came to the watcher.
    fn run(&mut self, time: Duration) -> usize {
        let end = self.plane.now + time;
        let before = self.plane.members[1].media.len();
        let mut payload = vec![0; 1_000];
        payload[..4].copy_from_slice(&[0x10, 0, 0x9d, 0x01]);
        while self.plane.now < end {
            for _ in 0..self.burst {
                let sealed = self.plane.members[0].client.seal_rtp(&packet(self.seq, &payload));
                self.seq += 1;
                self.send(0, sealed);
            }
            self.plane.pass(Duration::from_millis(20));
        }
        self.plane.members[1].media.len() - before
    }

    fn send(&mut self, from: usize, mut sealed: Vec<u8>) {
        let (now, path) = (self.plane.now, self.plane.members[from].client.path());
        self.plane.worker.handle_datagram(now, Datagram { path, came: now, payload: &mut sealed });
    }

    /// The watcher's own estimate (draft-alvestrand-rmcat-remb-03), behind an empty report.
    fn remb(&mut self, bits: u32) {
        let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, 1, 0x8f, 206, 0, 5, 0, 0, 0, 1, 0, 0, 0, 0];
        compound.extend(b"REMB");
        // One SSRC; the mantissa in units of 64.
        compound.extend((1 << 24 | 6 << 18 | bits >> 6).to_be_bytes());
        compound.extend([0, 0, 3, 233]);
        let sealed = self.plane.members[1].client.seal_rtcp(&compound);
        self.send(1, sealed);
    }

    fn told(&self) -> Vec<bool> {
        let states = self.plane.events.iter().filter_map(|event| match event {
            Event::StreamState { paused, .. } => Some(*paused),
            _ => None,
        });
        states.collect()
    }
}

#[test]
fn who_negotiated_no_feedback_is_sent_all() {
    let mut call = Call::new(false);
    assert_eq!(call.run(Duration::from_secs(2)), 200);
    let bandwidth = call.plane.worker.bandwidth(call.plane.now);
    assert_eq!((bandwidth.unlimited, bandwidth.estimated, bandwidth.reduced), (1, 0, 0));
}

#[test]
fn who_negotiated_feedback_and_sends_none_is_held_to_the_start_for_two_seconds() {
    let mut call = Call::new(true);
    // 4 Mbit/s are more than the three times 1 Mbit/s that everybody begins with.
    call.burst = 10;
    assert!(call.run(Duration::from_secs(2)) < 1_000);
    call.run(Duration::from_secs(1));
    assert_eq!(call.run(Duration::from_secs(2)), 1_000);
    assert_eq!(call.plane.worker.bandwidth(call.plane.now).unlimited, 1);
}

#[test]
fn a_video_without_room_stops_and_comes_back_and_the_subscriber_is_told() {
    let mut call = Call::new(false);
    call.run(Duration::from_secs(2));
    call.remb(100_000);
    call.run(Duration::from_millis(100));
    assert_eq!(call.run(Duration::from_secs(2)), 0);
    assert_eq!(call.told(), [true]);
    let bandwidth = call.plane.worker.bandwidth(call.plane.now);
    assert_eq!((bandwidth.estimated, bandwidth.paused, bandwidth.unlimited), (1, 1, 0));
    call.remb(2_000_000);
    call.run(Duration::from_secs(1));
    assert_eq!(call.run(Duration::from_secs(2)), 200);
    assert_eq!(call.told(), [true, false]);
    assert_eq!(call.plane.worker.bandwidth(call.plane.now).paused, 0);
}

#[test]
fn feedback_that_makes_no_sense_is_counted_and_limits_nobody() {
    let mut call = Call::new(true);
    // A count of statuses beyond what the packet holds.
    let mut compound = vec![0x80, 201, 0, 1, 0, 0, 0, 1, 0x8f, 205, 0, 4, 0, 0, 0, 1, 0, 0, 0, 2];
    compound.extend([0, 0, 0x10, 0, 0, 0, 0, 0]);
    let sealed = call.plane.members[1].client.seal_rtcp(&compound);
    call.send(1, sealed);
    assert_eq!(call.plane.worker.counters().malformed_feedback, 1);
    call.run(Duration::from_secs(4));
}

#[test]
fn a_first_video_larger_than_what_one_starts_with_is_begun_nevertheless() {
    let mut call = Call::new(true);
    let paused = |paused| Command::UpdateSubscription {
        subscription: SubscriptionId(1),
        settings: SubscriptionSettings { paused, ..SubscriptionSettings::default() },
    };
    call.plane.command(paused(true));
    // By now it is known what the camera takes.
    assert_eq!(call.run(Duration::from_secs(3)), 0);
    call.plane.command(paused(false));
    assert!(call.run(Duration::from_secs(1)) > 50, "without a packet there would never be feedback");
}
