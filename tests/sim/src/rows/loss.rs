//! Situations in which a viewer's line loses, delays or breaks.

use super::{after, dice, somewhere};
use crate::board::{Criterion, Outcome, Plot, Row, Target};
use crate::room::{Person, Room};
use crate::{MS, SECOND};
use ramai_sfu::api::Event;
use rand::Rng;

/// Random loss over a long way.
pub const RANDOM: Row = Row {
    id: "loss",
    situation: "5 % random loss, 100 ms round trip, one minute",
    criteria: &[
        Criterion { id: "loss.freeze", what: "longest freeze", unit: "ms", target: Target::AtMost(0.3) },
        Criterion {
            id: "loss.in-time",
            what: "packets there within 300 ms",
            unit: "%",
            target: Target::AtLeast(0.995),
        },
    ],
    run: |seed| {
        let mut room = Room::new(seed);
        room.join("ana", Person::PRESENTER);
        room.join("ben", Person::VIEWER);
        room.both("ben", |link| link.delay(50 * MS));
        room.down("ben").lose(0.05);
        room.run(64 * SECOND);
        let (video, from, to) = (room.video("ben", "ana"), 3 * SECOND, 63 * SECOND);
        let values = [video.longest_gap(from, to).as_secs_f64(), video.in_time(from, to)];
        Outcome::of(&room, &values, Some(Plot::of(&room, "5 % random loss, 100 ms round trip", "ben", &["ana"])))
    },
    max_seeds: u64::MAX,
};

/// Ten seconds that are nearly unusable.
pub const HEAVY: Row = Row {
    id: "heavy-loss",
    situation: "20 % random loss for 10 s, 60 ms round trip",
    criteria: &[
        Criterion {
            id: "heavy-loss.audio",
            what: "audio frames heard (RED)",
            unit: "%",
            target: Target::AtLeast(0.99),
        },
        Criterion { id: "heavy-loss.video", what: "video recovered", unit: "s", target: Target::AtMost(2.0) },
    ],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        room.join("ana", Person::PRESENTER);
        room.join("ben", Person::VIEWER);
        room.both("ben", |link| link.delay(30 * MS));
        room.run(10 * SECOND + dice.random_range(0..1_000) * MS);
        let from = room.now();
        room.down("ben").lose(0.2);
        room.run(10 * SECOND);
        let to = room.now();
        room.down("ben").lose(0.0);
        room.run(10 * SECOND);
        let video = room.video("ben", "ana");
        // Recovered is who never stands still again.
        let stays = video.longest_gap(to + 2 * SECOND, room.now()) <= 500 * MS;
        let recovered = if stays { after(to, video.next(to)) } else { f64::INFINITY };
        let plot = Plot::of(&room, "20 % random loss for 10 s", "ben", &["ana"]);
        Outcome::of(&room, &[room.audio("ben", "ana").heard(from, to), recovered], Some(plot))
    },
    max_seeds: u64::MAX,
};

/// Packets wander, but there is room for all.
pub const JITTER: Row = Row {
    id: "jitter",
    situation: "jitter of 30 ms, no congestion",
    criteria: &[
        Criterion { id: "jitter.down", what: "down-switches in 30 s", unit: "", target: Target::AtMost(0.0) },
        Criterion { id: "jitter.top", what: "top layer reached after join", unit: "s", target: Target::AtMost(4.0) },
    ],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        room.join("ana", Person::PRESENTER);
        room.join("ben", Person::VIEWER);
        somewhere(&mut room, "ben", &mut dice);
        room.down("ben").jitter(30 * MS);
        room.run(40 * SECOND);
        let video = room.video("ben", "ana");
        let downs = video.down_switches(8 * SECOND, 38 * SECOND) as f64;
        let top = after(crate::At::ZERO, video.reached(2, crate::At::ZERO));
        Outcome::of(&room, &[downs, top], Some(Plot::of(&room, "jitter of 30 ms", "ben", &["ana"])))
    },
    max_seeds: u64::MAX,
};

/// Nothing passes for a while.
pub const OUTAGE: Row = Row {
    id: "outage",
    situation: "outage of 5 s, both ways",
    criteria: &[
        Criterion {
            id: "outage.picture",
            what: "picture after the link is back",
            unit: "s",
            target: Target::AtMost(1.0),
        },
        Criterion { id: "outage.reconnects", what: "reconnects", unit: "", target: Target::AtMost(0.0) },
    ],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        room.join("ana", Person::PRESENTER);
        room.join("ben", Person::VIEWER);
        somewhere(&mut room, "ana", &mut dice);
        somewhere(&mut room, "ben", &mut dice);
        room.run(8 * SECOND + dice.random_range(0..2_000) * MS);
        room.both("ben", |link| link.outage(true));
        room.run(5 * SECOND);
        let back = room.now();
        room.both("ben", |link| link.outage(false));
        room.run(8 * SECOND);
        let gone = room.events.iter().filter(|(_, event)| matches!(event, Event::Disconnected { .. })).count();
        let picture = room.video("ben", "ana").next(back);
        let plot = Plot::of(&room, "outage of 5 s", "ben", &["ana"]);
        Outcome::of(&room, &[after(back, picture), gone as f64], Some(plot))
    },
    max_seeds: u64::MAX,
};
