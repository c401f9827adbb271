//! Situations for the oracle's sake: everything happens, and no packet may be wrong.

use super::{after, dice, somewhere};
use crate::board::{Criterion, Outcome, Plot, Row, Target};
use crate::media::camera::Video;
use crate::net::kbit;
use crate::room::{Person, Room};
use crate::{MS, SECOND};
use ramai_sfu::params::SubscriptionSettings;
use rand::Rng;

/// The NAT before a viewer forgets.
pub const REBINDING: Row = Row {
    id: "rebinding",
    situation: "NAT rebinding of a viewer",
    criteria: &[Criterion {
        id: "rebinding.freeze",
        what: "longest freeze",
        unit: "s",
        // Until the browser's next check; they are 2.5 s apart.
        target: Target::AtMost(3.5),
    }],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        room.join("ana", Person::PRESENTER);
        room.join("ben", Person::FULL);
        somewhere(&mut room, "ben", &mut dice);
        room.run(8 * SECOND + dice.random_range(0..2_500) * MS);
        let at = room.now();
        room.rebind("ben");
        room.run(15 * SECOND);
        let video = room.video("ben", "ana");
        let gap = video.longest_gap(at, room.now()).as_secs_f64();
        Outcome::of(&room, &[gap], Some(Plot::of(&room, "NAT rebinding", "ben", &["ana"])))
    },
    max_seeds: u64::MAX,
};

/// What may happen, by number; the last two are the same.
const EVENTS: [&str; 13] = [
    "loss down",
    "loss up",
    "bursts down",
    "bursts up",
    "capacity down",
    "capacity up",
    "wild",
    "rebinding",
    "settings",
    "settings",
    "mute",
    "leave",
    "calm",
];

/// Random people on random lines to whom random things happen, then calm.
pub const ROUGH: Row = Row {
    id: "rough",
    situation: "rough weather: random lines and random events for 20 s, then calm",
    criteria: &[Criterion {
        id: "rough.picture",
        what: "slowest picture after the calm began",
        unit: "s",
        target: Target::AtMost(4.0),
    }],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        let names = ["ana", "ben", "cid"];
        for name in names {
            let video = if dice.random_ratio(1, 3) { Video::Svc } else { Video::Simulcast };
            room.join(name, Person::FULL.with(video));
            somewhere(&mut room, name, &mut dice);
        }
        room.join("dan", Person::FULL.with(Video::Small));
        let mut dan = true;
        for _ in 0..20 {
            room.run(dice.random_range(500..1_500) * MS);
            let (name, other) = (names[dice.random_range(0..3)], names[dice.random_range(0..3)]);
            let share = dice.random_range(0.0..0.2);
            let event = dice.random_range(0..13);
            room.tell(format!("{} {name} {other} {share:.3}", EVENTS[event]));
            match event {
                0 => drop(room.down(name).lose(share)),
                1 => drop(room.up(name).lose(share)),
                2 => drop(room.down(name).lose_in_bursts(share, 12.0)),
                3 => drop(room.up(name).lose_in_bursts(share, 12.0)),
                4 => drop(room.down(name).capacity(kbit(dice.random_range(200..5_000)))),
                5 => drop(room.up(name).capacity(kbit(dice.random_range(200..5_000)))),
                6 => room.both(name, |link| link.jitter(20 * MS).reorder(share / 4.0).duplicate(share / 4.0)),
                7 => room.rebind(name),
                8 | 9 if name != other => {
                    let settings = SubscriptionSettings {
                        paused: dice.random_ratio(1, 4),
                        max_spatial: dice.random_range(0..3),
                        ..Default::default()
                    };
                    room.tell(format!("{settings:?}"));
                    room.wants(name, other, settings);
                }
                10 => {
                    let muted = dice.random();
                    room.tell(format!("{muted}"));
                    room.mute_camera(name, muted);
                }
                11 if dan => {
                    room.leave("dan");
                    dan = false;
                }
                _ => room.both(name, |link| link.lose(0.0).jitter(crate::At::ZERO).unlimited()),
            }
        }
        for name in names {
            room.both(name, |link| {
                link.lose(0.0).lose_in_bursts(0.0, 1.0).jitter(crate::At::ZERO).reorder(0.0).duplicate(0.0).unlimited()
            });
            room.mute_camera(name, false);
            for other in names.into_iter().filter(|other| *other != name) {
                room.wants(name, other, SubscriptionSettings::default());
            }
        }
        let calm = room.now();
        room.run(8 * SECOND);
        let (mut slowest, mut told) = (0.0f64, Vec::new());
        for (viewer, publisher) in names.into_iter().flat_map(|v| names.map(|p| (v, p))).filter(|(v, p)| v != p) {
            let video = room.video(viewer, publisher);
            let (gap, next) = (video.longest_gap(calm + 4 * SECOND, room.now()), video.next(calm));
            told.push(format!("{viewer} sees {publisher} after {:.3} s, then a gap of {gap:?}", after(calm, next)));
            if gap > 500 * MS {
                let requests: Vec<_> = video.requests.iter().filter(|at| **at >= calm).collect();
                let layers: Vec<_> = video.layers.iter().filter(|(at, _)| *at >= calm).collect();
                let last = video.shown.last();
                told.push(format!("  last {last:?}, asked for key frames at {requests:?}, layers sent {layers:?}"));
                told.push(format!("  {publisher} was asked: {:?}", room.requests_at(publisher)));
            }
            slowest = slowest.max(if gap <= 500 * MS { after(calm, next) } else { f64::INFINITY });
        }
        told.into_iter().for_each(|what| room.tell(what));
        Outcome::of(&room, &[slowest], Some(Plot::of(&room, "rough weather", "ben", &["ana", "cid"])))
    },
    max_seeds: u64::MAX,
};
