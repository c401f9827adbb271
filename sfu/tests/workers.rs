//! A room over two workers: a packet is decrypted once, on the publisher's worker, and each worker sends it to its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod house;

use house::{House, TRACK, nack, payload, pli};
use ramai_sfu::Sizes;
use ramai_sfu::api::Command;
use ramai_sfu::id::{SubscriptionId, WorkerId};
use std::time::Duration;

const ANA: usize = 0;
const FRAME: Duration = Duration::from_millis(40);

/// Ana publishes on worker 0; a viewer sits beside her, and two on worker 1.
fn house() -> House {
    let mut house = House::new(&[0, 0, 1, 1]);
    house.publish(ANA);
    house.link(ANA, 1);
    for viewer in 1..4 {
        house.watch(viewer);
    }
    house
}

/// What ten frames look like, of which the first is a key frame.
fn ten_frames(house: &mut House, first: u16) -> Vec<Vec<u8>> {
    let mut sent = Vec::new();
    for n in 0..10u16 {
        house.send(ANA, first + n, n == 0, &[n as u8; 100]);
        let mut frame = vec![u8::from(n != 0)];
        frame.extend([n as u8; 100]);
        sent.push(frame);
        house.pass(FRAME);
    }
    sent
}

#[test]
fn the_picture_reaches_viewers_on_both_workers_and_is_decrypted_once() {
    let mut house = house();
    let sent = ten_frames(&mut house, 100);
    for viewer in 1..4 {
        let numbers: Vec<u16> = house.guests[viewer].rtp.iter().map(|p| u16::from_be_bytes([p[2], p[3]])).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
        assert_eq!(house.guests[viewer].payloads(), sent, "viewer {viewer}");
    }
    let (home, mirror) = (house.workers[0].counters(), house.workers[1].counters());
    assert_eq!((home.opened, home.relayed, home.forwarded), (10, 10, 10));
    assert_eq!((mirror.opened, mirror.mirrored, mirror.forwarded), (0, 10, 20));
    assert_eq!((home.stale_envelopes, mirror.stale_envelopes), (0, 0));
}

#[test]
fn what_a_viewer_misses_comes_from_its_own_worker() {
    let mut house = house();
    let sent = ten_frames(&mut house, 100);
    let viewer = 2;
    let fifth = u16::from_be_bytes(house.guests[viewer].rtp[4][2..4].try_into().unwrap());
    let before = house.workers[0].counters();
    house.guests[viewer].rtp.clear();
    let lost = nack(house.guests[viewer].ssrc(), fifth);
    house.report(viewer, &lost);
    let [again] = house.guests[viewer].rtp.as_slice() else { panic!("{:?}", house.guests[viewer].rtp) };
    assert_eq!(again[8..12], house.guests[viewer].rtx_ssrc().to_be_bytes());
    assert_eq!(payload(again)[..2], fifth.to_be_bytes());
    assert_eq!(payload(again)[3..], sent[4]);
    assert_eq!(house.workers[0].counters(), before, "the home has no part in it");
}

#[test]
fn many_wishes_for_a_key_frame_become_one_in_half_a_second() {
    let mut house = house();
    ten_frames(&mut house, 100);
    house.pass(Duration::from_millis(500));
    house.guests[ANA].plis();
    for _ in 0..4 {
        for viewer in 1..4 {
            let wish = pli(house.guests[viewer].ssrc());
            house.report(viewer, &wish);
        }
        house.pass(Duration::from_millis(100));
    }
    assert_eq!(house.guests[ANA].plis(), 1);
    // Unanswered it is repeated; answered, it is at rest on both workers.
    house.pass(Duration::from_millis(200));
    assert_eq!(house.guests[ANA].plis(), 1);
    house.send(ANA, 110, true, b"at last");
    house.pass(Duration::from_secs(3));
    assert_eq!(house.guests[ANA].plis(), 0);
}

#[test]
fn a_viewer_who_comes_late_begins_with_what_is_kept_on_either_worker() {
    let mut house = House::new(&[0, 0, 1, 1]);
    house.publish(ANA);
    let sent = ten_frames(&mut house, 100);
    // Her screen stands still from now on.
    house.pass(Duration::from_secs(5));
    house.guests[ANA].plis();
    house.link(ANA, 1);
    for viewer in [1, 2, 3] {
        house.watch(viewer);
        assert_eq!(house.guests[viewer].payloads(), sent, "viewer {viewer}");
    }
    assert_eq!((house.workers[0].counters().openings, house.workers[1].counters().openings), (1, 2));
    house.send(ANA, 110, false, b"delta");
    for viewer in [1, 2, 3] {
        assert_eq!(house.guests[viewer].payloads(), [b"\x01delta"], "viewer {viewer}");
    }
    assert_eq!(house.guests[ANA].plis(), 0, "nobody had to ask");
}

#[test]
fn a_viewer_who_comes_long_after_the_key_frame_gets_one_by_asking() {
    let mut house = House::new(&[0, 0, 1]);
    house.publish(ANA);
    house.watch(1);
    ten_frames(&mut house, 100);
    house.pass(Duration::from_millis(1_500));
    // What was kept is too old by now, and goes.
    house.send(ANA, 110, false, b"delta");
    house.guests[ANA].plis();
    house.link(ANA, 1);
    house.watch(2);
    assert_eq!(house.guests[ANA].plis(), 1, "asked at once, though her screen may stand still");
    house.send(ANA, 111, false, b"of no use yet");
    house.send(ANA, 112, true, b"key");
    house.send(ANA, 113, false, b"delta");
    assert_eq!(house.guests[2].payloads(), [b"\0key".to_vec(), b"\x01delta".to_vec()]);
    assert_eq!(house.guests[1].payloads().len(), 14);
}

#[test]
fn the_two_ends_may_come_in_any_order() {
    let mut house = House::new(&[0, 1]);
    house.publish(ANA);
    // Media is under way before the mirror is: the two workers' commands have no order between them.
    house.command(0, Command::Relay { track: TRACK, to: WorkerId(1), on: true });
    house.send(ANA, 100, true, b"too early");
    assert_eq!(house.workers[1].counters().stale_envelopes, 1);
    house.link(ANA, 1);
    house.watch(1);
    house.send(ANA, 101, false, b"delta");
    assert_eq!(house.guests[ANA].plis(), 1);
    house.send(ANA, 102, true, b"key");
    assert_eq!(house.guests[1].payloads(), [b"\0key".to_vec()]);
}

#[test]
fn while_muted_nothing_crosses_and_then_a_key_frame_begins() {
    let mut house = house();
    ten_frames(&mut house, 100);
    house.command(0, Command::MuteTrack { track: TRACK, muted: true });
    house.send(ANA, 110, false, b"not for you");
    house.command(0, Command::MuteTrack { track: TRACK, muted: false });
    assert_eq!(house.workers[1].counters().mirrored, 10);
    for viewer in 1..4 {
        house.guests[viewer].payloads();
    }
    house.send(ANA, 111, false, b"builds on what nobody saw");
    house.send(ANA, 112, true, b"key");
    for viewer in 1..4 {
        assert_eq!(house.guests[viewer].payloads(), [b"\0key".to_vec()], "viewer {viewer}");
    }
}

#[test]
fn when_the_last_viewer_goes_nothing_crosses_and_nothing_is_left() {
    let mut house = house();
    ten_frames(&mut house, 100);
    house.command(1, Command::Unsubscribe { subscription: SubscriptionId(2) });
    let transport = house.guests[3].transport;
    house.command(1, Command::CloseTransport { transport });
    house.settle();
    assert_eq!(house.workers[1].sizes(), Sizes { peers: 1, tracks: 1, subscriptions: 0, rooms: 1 });
    house.command(1, Command::Unpublish { track: TRACK });
    house.send(ANA, 110, false, b"crosses in vain");
    house.command(0, Command::Relay { track: TRACK, to: WorkerId(1), on: false });
    house.send(ANA, 111, false, b"stays at home");
    assert_eq!(house.workers[1].sizes(), Sizes { peers: 1, tracks: 0, subscriptions: 0, rooms: 1 });
    let (home, mirror) = (house.workers[0].counters(), house.workers[1].counters());
    assert_eq!((home.relayed, mirror.mirrored, mirror.stale_envelopes), (11, 10, 1));
    assert_eq!((home.stale_commands, mirror.stale_commands), (0, 0));
}

#[test]
fn when_the_publisher_goes_both_workers_forget_the_track() {
    let mut house = house();
    ten_frames(&mut house, 100);
    let transport = house.guests[ANA].transport;
    house.command(0, Command::CloseTransport { transport });
    // Viewers' wishes meanwhile find nobody.
    house.pass(Duration::from_secs(1));
    let wish = pli(house.guests[2].ssrc());
    house.report(2, &wish);
    assert_eq!(house.workers[0].counters().stale_envelopes, 1);
    house.command(1, Command::Unpublish { track: TRACK });
    house.report(2, &wish);
    house.pass(Duration::from_secs(1));
    assert_eq!(house.workers[0].sizes(), Sizes { peers: 1, tracks: 0, subscriptions: 0, rooms: 1 });
    assert_eq!(house.workers[1].sizes(), Sizes { peers: 2, tracks: 0, subscriptions: 0, rooms: 1 });
    for viewer in 1..4 {
        let transport = house.guests[viewer].transport;
        let worker = house.guests[viewer].worker;
        house.command(worker, Command::CloseTransport { transport });
    }
    // Timers of what is gone come up once more, and then never.
    house.pass(Duration::from_secs(20));
    for worker in &house.workers {
        assert_eq!((worker.sizes(), worker.poll_timeout()), (Sizes::default(), None));
    }
}
