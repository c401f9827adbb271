//! Calls that must work, told as stories.

use ramai_sfu::api::Event;
use ramai_sfu::params::SubscriptionSettings;
use ramai_sim::media::camera::Video;
use ramai_sim::net::{kbit, mbit};
use ramai_sim::room::{Person, Room};
use ramai_sim::{At, MS, SECOND};

/// Nothing that must never be was.
fn no_violations(room: &Room) {
    let words: Vec<_> = room.oracle.violations().iter().map(|v| format!("{:?} {}", v.at, v.what)).collect();
    assert!(words.is_empty(), "{words:#?}");
}

#[test]
fn two_people_see_and_hear_each_other_over_a_good_line() {
    let mut room = Room::new(1);
    room.join("ana", Person::FULL);
    room.join("ben", Person::FULL);
    assert!(room.expect_video("ana", "ben", SECOND) && room.expect_video("ben", "ana", SECOND));
    room.run(10 * SECOND);
    let now = room.now();
    let video = room.video("ana", "ben");
    assert!(video.longest_gap(At::ZERO, now) < 100 * MS, "layers come up without a hitch");
    assert!((1_500_000.0..1_900_000.0).contains(&video.rate(5 * SECOND, now)));
    assert_eq!((room.audio("ana", "ben").heard(2 * SECOND, now - SECOND), video.in_time(2 * SECOND, now)), (1.0, 1.0));
    no_violations(&room);
}

#[test]
fn svc_is_shown_in_full() {
    let mut room = Room::new(2);
    room.join("ana", Person::FULL.with(Video::Svc));
    room.join("ben", Person::VIEWER);
    room.run(6 * SECOND);
    let video = room.video("ben", "ana");
    assert!(video.reached(2, At::ZERO).is_some_and(|at| at < 3 * SECOND));
    // It begins with the lowest spatial layer, and the key picture with which the others come takes 110 ms at the pace of its estimate.
    let gap = video.longest_gap(At::ZERO, room.now());
    assert!(gap < 150 * MS, "{gap:?}");
    no_violations(&room);
}

#[test]
fn a_small_picture_is_sent_where_a_small_one_is_wanted() {
    let mut room = Room::new(3);
    room.join("ana", Person::PRESENTER);
    room.join("ben", Person::VIEWER);
    room.run(4 * SECOND);
    room.wants("ben", "ana", SubscriptionSettings { paused: false, max_spatial: 0, ..Default::default() });
    room.run(3 * SECOND);
    assert!(room.video("ben", "ana").within(5 * SECOND, room.now()).all(|shown| shown.layer == 0));
    room.wants("ben", "ana", SubscriptionSettings { paused: true, max_spatial: 0, ..Default::default() });
    room.run(2 * SECOND);
    assert_eq!(room.video("ben", "ana").within(8 * SECOND, room.now()).count(), 0);
    room.wants("ben", "ana", SubscriptionSettings::default());
    let from = room.now();
    room.run(2 * SECOND);
    assert!(room.video("ben", "ana").reached(2, from).is_some_and(|at| at < from + SECOND));
    no_violations(&room);
}

#[test]
fn who_left_is_sent_nothing() {
    let mut room = Room::new(4);
    for name in ["ana", "ben", "cid"] {
        room.join(name, Person::FULL);
    }
    room.run(3 * SECOND);
    room.leave("ben");
    room.run(3 * SECOND);
    assert!(room.video("cid", "ana").next(5 * SECOND).is_some());
    no_violations(&room);
}

#[test]
fn a_publisher_on_a_poor_uplink_sends_what_it_bears() {
    let mut room = Room::new(5);
    room.join("ana", Person::PRESENTER);
    room.join("ben", Person::VIEWER);
    room.up("ana").capacity(kbit(900));
    // At 19 s it tries the next layer, as it must, and that doesn't fit.
    room.run(18 * SECOND);
    let settled = |at: At| (4 * SECOND..14 * SECOND).contains(&at);
    let mut rates = room.published_rates("ana").iter().filter(|(at, _)| settled(*at));
    assert!(rates.all(|(_, rate)| *rate < mbit(1)), "it backed off, and grows slowly since");
    let video = room.video("ben", "ana");
    assert!(video.longest_gap(5 * SECOND, room.now()) < 500 * MS, "{:?}", video.longest_gap(5 * SECOND, room.now()));
    no_violations(&room);
}

#[test]
fn what_reaches_nobody_is_not_encoded_and_comes_back_with_the_line() {
    let mut room = Room::new(11);
    room.join("ana", Person::PRESENTER);
    room.join("ben", Person::VIEWER);
    room.down("ben").capacity(kbit(500)).queue(64 * 1024);
    room.run(20 * SECOND);
    let sent = |room: &Room| (0..3).map(|layer| room.is_encoding("ana", layer)).collect::<Vec<_>>();
    assert_eq!(sent(&room), [true, false, false], "the others were asked for, and never fitted");
    room.down("ben").capacity(mbit(4));
    let wide = room.now();
    room.run(10 * SECOND);
    assert_eq!(sent(&room), [true, true, true]);
    let full = room.video("ben", "ana").reached(2, wide).map(|at| at - wide);
    assert!(full.is_some_and(|took| took < 10 * SECOND), "{full:?}");
    // Who comes later, with a better line, gets all.
    room.down("ben").capacity(kbit(500));
    room.run(20 * SECOND);
    let late = room.now();
    room.join("cid", Person::VIEWER);
    room.run(5 * SECOND);
    assert!(room.video("cid", "ana").reached(2, late).is_some());
    no_violations(&room);
}

#[test]
fn on_a_narrow_link_voices_come_first_and_what_has_no_room_is_told_and_comes_back() {
    let mut room = Room::new(7);
    let names = ["ana", "cid", "dan", "eve"];
    names.iter().for_each(|name| room.join(name, Person::PRESENTER));
    room.join("ben", Person::VIEWER);
    // Four voices with RED take 440 kbit/s of it, and a picture with a quarter of its frames 64: there is one of each.
    room.down("ben").capacity(kbit(750)).queue(32 * 1024);
    room.run(20 * SECOND);
    let seen =
        |room: &Room| names.iter().filter(|n| room.video("ben", n).rate(room.now() - SECOND, room.now()) > 0.0).count();
    assert!((1..=4).contains(&seen(&room)), "{} cameras", seen(&room));
    for name in names {
        let heard = room.audio("ben", name).heard(8 * SECOND, room.now() - SECOND);
        assert!(heard > 0.99, "{name} is heard, {heard}");
    }
    let told = |room: &Room| {
        let states = room.events.iter().filter_map(|(_, event)| match event {
            Event::StreamState { track, paused, .. } => Some((*track, *paused)),
            _ => None,
        });
        states.collect::<std::collections::BTreeMap<_, _>>()
    };
    // For none of them any more.
    room.down("ben").capacity(kbit(470));
    room.run(10 * SECOND);
    assert!(told(&room).values().any(|paused| *paused), "{:?}", told(&room));
    room.down("ben").unlimited();
    room.run(10 * SECOND);
    assert_eq!(seen(&room), 4);
    assert!(told(&room).values().all(|paused| !paused), "{:?}", told(&room));
    assert!(names.iter().all(|name| room.video("ben", name).rate(room.now() - SECOND, room.now()) > 1_300_000.0));
    no_violations(&room);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let trace = |seed| {
        let mut room = Room::new(seed);
        room.join("ana", Person::FULL);
        room.join("ben", Person::FULL.with(Video::Svc));
        room.down("ben").capacity(kbit(900)).jitter(10 * MS).lose(0.03);
        room.run(6 * SECOND);
        room.trace()
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}

#[test]
fn hours_in_a_call_change_nothing() {
    const WRAP: At = At::from_secs(30);
    const LENGTH: At = At::from_secs(420);
    let mut room = Room::new(7);
    for name in ["ana", "ben"] {
        room.join(name, Person::FULL);
        // Timestamps wrap after half a minute. So do sequence numbers, transport-wide ones and picture ids, and again while the call
        // goes on; indices for encryption count on.
        room.is_old(name, WRAP);
    }
    room.run(10 * SECOND);
    // A line that loses some: also what is asked for again is found on both sides of a wrap.
    room.down("ben").lose(0.01);
    room.run(LENGTH);
    let end = room.now() - SECOND;
    for (viewer, publisher) in [("ana", "ben"), ("ben", "ana")] {
        let video = room.video(viewer, publisher);
        assert!(video.longest_gap(5 * SECOND, end) < 400 * MS, "{viewer}: {:?}", video.longest_gap(5 * SECOND, end));
        assert!(room.audio(viewer, publisher).heard(5 * SECOND, end) > 0.999);
    }
    no_violations(&room);
}
