//! Calls that must work, told as stories.

use ramai_sim::net::kbit;
use ramai_sim::room::{Person, Room};
use ramai_sim::{At, MS, SECOND};

#[test]
fn two_people_see_and_hear_each_other_over_a_good_line() {
    let mut room = Room::new(1);
    room.join("ana", Person::FULL);
    room.join("ben", Person::FULL);
    assert!(room.expect_video("ana", "ben", 2 * SECOND) && room.expect_video("ben", "ana", 2 * SECOND));
    room.run(10 * SECOND);
    let now = room.now();
    println!("{:?} {:?}", room.connected("ana"), room.video("ana", "ben").first());
    println!("top layer: {:?}", room.video("ana", "ben").reached(2, At::ZERO));
    println!("gap {:?}", room.video("ana", "ben").longest_gap(At::ZERO, now));
    println!("rate {:?}", room.video("ana", "ben").rate(5 * SECOND, now));
    println!("heard {:?}", room.audio("ana", "ben").heard(2 * SECOND, now - SECOND));
    println!("in time {:?}", room.video("ana", "ben").in_time(2 * SECOND, now));
    println!("requests {:?}", room.requests_at("ana"));
    println!("rates {:?}", room.published_rates("ana").iter().step_by(5).take(10).collect::<Vec<_>>());
    for violation in room.oracle.violations() {
        println!("{:?} {}", violation.at, violation.what);
    }
    assert_eq!(room.oracle.count, 0);
    let _ = (kbit(1), MS);
}

#[test]
fn the_same_seed_is_the_same_run() {
    let trace = |seed| {
        let mut room = Room::new(seed);
        room.join("ana", Person::FULL);
        room.join("ben", Person::FULL);
        room.down("ben").capacity(kbit(900)).jitter(10 * MS).lose(0.03);
        room.run(6 * SECOND);
        room.trace()
    };
    assert_eq!(trace(7), trace(7));
    assert_ne!(trace(7), trace(8));
}
