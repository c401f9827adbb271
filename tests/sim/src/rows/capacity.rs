//! Situations in which a viewer's link bears more or less.

use super::{after, dice, somewhere};
use crate::board::{Criterion, Outcome, Plot, Row, Target};
use crate::media::camera::Video;
use crate::net::{kbit, mbit};
use crate::room::{Person, Room, Sample};
use crate::{At, MS, SECOND};
use rand::Rng;
use std::time::Duration;

/// Nothing in the way.
pub const UNLIMITED: Row = Row {
    id: "unlimited",
    situation: "unlimited link, two join at once",
    criteria: &[Criterion {
        id: "unlimited.top",
        what: "top layer reached after join",
        unit: "s",
        target: Target::AtMost(4.0),
    }],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        room.join("ana", Person::PRESENTER);
        room.join("ben", Person::VIEWER);
        somewhere(&mut room, "ana", &mut dice);
        somewhere(&mut room, "ben", &mut dice);
        room.run(8 * SECOND);
        let top = room.video("ben", "ana").reached(2, At::ZERO);
        let plot = Plot::of(&room, "unlimited link", "ben", &["ana"]);
        Outcome::of(&room, &[after(At::ZERO, top)], Some(plot))
    },
    max_seeds: u64::MAX,
};

/// A newcomer to a call of four cameras.
pub const BEGINNING: Row = Row {
    id: "beginning",
    situation: "one joins four who are in a call, with a link of 3 to 10 Mbit/s",
    criteria: &[
        Criterion {
            id: "beginning.gap",
            what: "longest gap of a picture in 5 s",
            unit: "ms",
            target: Target::AtMost(0.3),
        },
        Criterion {
            id: "beginning.first",
            what: "all four are seen after join",
            unit: "s",
            target: Target::AtMost(2.0),
        },
    ],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        let names = ["ana", "cid", "dan", "eve"];
        names.iter().for_each(|name| room.join(name, Person::PRESENTER));
        room.run(SECOND + dice.random_range(0..1_000) * MS);
        let joined = room.now();
        room.join("ben", Person::VIEWER);
        somewhere(&mut room, "ben", &mut dice);
        room.down("ben").capacity(dice.random_range(mbit(3)..mbit(10))).queue(64 * 1024);
        room.run(5 * SECOND);
        let end = room.now();
        let seen = |name: &str| room.video("ben", name).reached(0, joined);
        let all = names.map(seen).into_iter().try_fold(joined, |latest, at| at.map(|at| latest.max(at)));
        let gap = |name: &str| {
            let begins = seen(name).unwrap_or(joined);
            room.video("ben", name).longest_gap(begins, end).as_secs_f64()
        };
        let gap = names.map(gap).into_iter().fold(0.0, f64::max);
        let plot = Plot::of(&room, "one joins four", "ben", &names);
        Outcome::of(&room, &[gap, after(joined, all)], Some(plot))
    },
    max_seeds: u64::MAX,
};

/// The link shrinks and grows again.
pub const DROP: Row = Row {
    id: "drop",
    situation: "3 Mbit/s → 500 kbit/s for 20 s → 3 Mbit/s",
    criteria: &[
        Criterion { id: "drop.down", what: "down-switched", unit: "s", target: Target::AtMost(1.0) },
        Criterion { id: "drop.queue", what: "longest queue, from 2 s on", unit: "ms", target: Target::AtMost(0.25) },
        Criterion { id: "drop.freeze", what: "longest freeze", unit: "ms", target: Target::AtMost(0.5) },
        Criterion { id: "drop.back", what: "full quality again", unit: "s", target: Target::AtMost(10.0) },
    ],
    run: |seed| drop(seed, Video::Simulcast, Duration::ZERO),
    max_seeds: u64::MAX,
};

/// ... with half as many pictures, twice as large.
pub const SLOW: Row = Row {
    id: "slow",
    situation: "the same with a camera of 15 pictures a second",
    criteria: &[
        Criterion { id: "slow.down", what: "down-switched", unit: "s", target: Target::AtMost(1.0) },
        Criterion { id: "slow.queue", what: "longest queue, from 2 s on", unit: "ms", target: Target::AtMost(0.25) },
        Criterion { id: "slow.freeze", what: "longest freeze", unit: "ms", target: Target::AtMost(0.5) },
        Criterion { id: "slow.back", what: "full quality again", unit: "s", target: Target::AtMost(10.0) },
    ],
    run: |seed| drop(seed, Video::Slow, Duration::ZERO),
    max_seeds: u64::MAX,
};

/// ... with one encoding that has all layers.
pub const SVC: Row = Row {
    id: "svc",
    situation: "the same with VP9 SVC (L3T3_KEY)",
    criteria: &[
        Criterion { id: "svc.queue", what: "longest queue, from 2 s on", unit: "ms", target: Target::AtMost(0.25) },
        Criterion { id: "svc.freeze", what: "longest freeze", unit: "ms", target: Target::AtMost(0.5) },
        Criterion { id: "svc.back", what: "full quality again", unit: "s", target: Target::AtMost(10.0) },
    ],
    run: |seed| {
        // It is one simulcast layer, so that can't tell when less is sent.
        let outcome = drop(seed, Video::Svc, Duration::ZERO);
        Outcome { values: outcome.values.get(1..).unwrap_or_default().to_vec(), ..outcome }
    },
    max_seeds: u64::MAX,
};

/// ... at the moment at which the publisher, who was held up, sends all that it owes.
pub const BURST: Row = Row {
    id: "burst",
    situation: "the same when a publisher of 15 pictures a second sends all of a third of a second at once",
    criteria: &[
        Criterion { id: "burst.down", what: "down-switched", unit: "s", target: Target::AtMost(1.0) },
        Criterion { id: "burst.queue", what: "longest queue, from 2 s on", unit: "ms", target: Target::AtMost(0.25) },
        Criterion { id: "burst.freeze", what: "longest freeze", unit: "ms", target: Target::AtMost(1.0) },
        Criterion { id: "burst.back", what: "full quality again", unit: "s", target: Target::AtMost(10.0) },
    ],
    run: |seed| drop(seed, Video::Slow, 333 * MS),
    max_seeds: u64::MAX,
};

/// `held`: what the publisher sends so long before the link shrinks comes in that moment.
fn drop(seed: u64, video: Video, held: Duration) -> Outcome {
    let (mut room, mut dice) = (Room::new(seed), dice(seed));
    room.join("ana", Person::PRESENTER.with(video));
    room.join("ben", Person::VIEWER);
    somewhere(&mut room, "ana", &mut dice);
    somewhere(&mut room, "ben", &mut dice);
    room.down("ben").capacity(mbit(3)).queue(64 * 1024);
    room.run(12 * SECOND + dice.random_range(0..1_000) * MS);
    if !held.is_zero() {
        room.up("ana").capacity(1_000).queue(1024 * 1024);
        room.run(held);
        room.up("ana").unlimited();
    }
    let drop = room.now();
    room.down("ben").capacity(kbit(500));
    room.run(20 * SECOND);
    let back = room.now();
    room.down("ben").capacity(mbit(3));
    room.run(15 * SECOND);
    let video = room.video("ben", "ana");
    let down = video.sent_below(2, drop).filter(|at| *at < back);
    let queue = longest(within(room.down_samples("ben"), drop + 2 * SECOND, back));
    let freeze = video.longest_gap(drop, back).as_secs_f64();
    // Who never went down didn't come back.
    let full = down.and_then(|_| video.reached(2, back));
    let plot = Plot::of(&room, "3 Mbit/s, then 500 kbit/s for 20 s", "ben", &["ana"]);
    Outcome::of(&room, &[after(drop, down), queue, freeze, after(back, full)], Some(plot))
}

/// Several cameras through one bottleneck of constant width.
pub const STEADY: Row = Row {
    id: "steady",
    situation: "steady state: four cameras through one bottleneck of 1.5 to 4 Mbit/s",
    criteria: &[
        Criterion {
            id: "steady.used",
            what: "capacity used by what came in time",
            unit: "%",
            target: Target::AtLeast(0.85),
        },
        Criterion { id: "steady.queue", what: "standing queue (median)", unit: "ms", target: Target::AtMost(0.05) },
    ],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        let names = ["ana", "cid", "dan", "eve"];
        names.iter().for_each(|name| room.join(name, Person::PRESENTER));
        room.join("ben", Person::VIEWER);
        somewhere(&mut room, "ben", &mut dice);
        let capacity = dice.random_range(kbit(1_500)..mbit(4));
        room.down("ben").capacity(capacity).queue(64 * 1024);
        let (from, to) = (15 * SECOND, 35 * SECOND);
        room.run(to);
        let steady = within(room.down_samples("ben"), from, to);
        let passed: u64 = steady.iter().map(|sample| sample.passed).sum();
        // What comes too late, or had to be sent again, is no use.
        let in_time = names.map(|name| room.video("ben", name).in_time(from, to)).iter().sum::<f64>() / 4.0;
        let used = in_time * passed as f64 * 8.0 / (to - from).as_secs_f64() / capacity as f64;
        let mut queues: Vec<_> = steady.iter().map(|sample| sample.queue).collect();
        queues.sort();
        let standing = queues.get(queues.len() / 2).map_or(0.0, |queue| queue.as_secs_f64());
        let plot = Plot::of(&room, "four cameras through one bottleneck", "ben", &names);
        Outcome::of(&room, &[used, standing], Some(plot))
    },
    max_seeds: u64::MAX,
};

/// Voices on a line that has hardly room for pictures.
pub const VOICES: Row = Row {
    id: "voices",
    situation: "four voices and four cameras on a line of 500 kbit/s to 1 Mbit/s",
    criteria: &[Criterion {
        id: "voices.heard",
        what: "audio frames heard, of the voice heard least",
        unit: "%",
        target: Target::AtLeast(0.99),
    }],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        let names = ["ana", "cid", "dan", "eve"];
        names.iter().for_each(|name| room.join(name, Person::PRESENTER));
        room.join("ben", Person::VIEWER);
        somewhere(&mut room, "ben", &mut dice);
        room.down("ben").capacity(dice.random_range(kbit(500)..mbit(1))).queue(32 * 1024);
        room.run(28 * SECOND);
        let heard = |name: &str| room.audio("ben", name).heard(8 * SECOND, 27 * SECOND);
        let least = names.map(heard).into_iter().fold(1.0, f64::min);
        let plot = Plot::of(&room, "voices on a narrow line", "ben", &names);
        Outcome::of(&room, &[least], Some(plot))
    },
    max_seeds: u64::MAX,
};

/// Two viewers behind one link.
pub const SHARED: Row = Row {
    id: "shared",
    situation: "competing subscriber on the same link of 2 to 3 Mbit/s",
    criteria: &[Criterion {
        id: "shared.fair",
        what: "larger share over 30 s",
        unit: "×",
        target: Target::AtMost(1.5),
    }],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        room.join("ana", Person::PRESENTER);
        room.join("ben", Person::VIEWER);
        somewhere(&mut room, "ben", &mut dice);
        room.down("ben").capacity(dice.random_range(mbit(2)..mbit(3))).queue(64 * 1024);
        room.run(dice.random_range(3_000..8_000) * MS);
        room.join("cid", Person::VIEWER);
        room.share_down("ben", "cid");
        let from = room.now() + 5 * SECOND;
        room.run(35 * SECOND);
        let (a, b) = (room.video("ben", "ana").rate(from, room.now()), room.video("cid", "ana").rate(from, room.now()));
        let plot = Plot::of(&room, "two viewers behind one link", "ben", &["ana"]);
        Outcome::of(&room, &[a.max(b) / a.min(b).max(1.0)], Some(plot))
    },
    max_seeds: u64::MAX,
};

fn within(samples: &[Sample], from: At, to: At) -> Vec<Sample> {
    samples.iter().filter(|sample| (from..to).contains(&sample.at)).copied().collect()
}

fn longest(samples: Vec<Sample>) -> f64 {
    samples.iter().map(|sample| sample.queue).max().unwrap_or_default().as_secs_f64()
}
