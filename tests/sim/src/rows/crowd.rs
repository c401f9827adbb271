//! Situations in which many are there.

use super::dice;
use crate::board::{Criterion, Outcome, Row, Target};
use crate::media::camera::Video;
use crate::room::{Person, Room};
use crate::{At, MS, SECOND};
use rand::Rng;

const VIEWERS: u32 = 300;

/// Everybody comes at once.
pub const STORM: Row = Row {
    id: "storm",
    situation: "300 join within 5 s",
    criteria: &[
        Criterion {
            id: "storm.requests",
            what: "key-frame requests per layer",
            unit: "",
            target: Target::AtMost(10.0),
        },
        Criterion {
            id: "storm.picture",
            what: "slowest first picture after join",
            unit: "s",
            target: Target::AtMost(2.0),
        },
    ],
    run: |seed| {
        let (mut room, mut dice) = (Room::new(seed), dice(seed));
        room.join("ana", Person { microphone: None, ..Person::PRESENTER }.with(Video::Small));
        room.run(3 * SECOND);
        let begin = room.now();
        let mut joins: Vec<u32> = (0..VIEWERS).map(|_| dice.random_range(0..5_000)).collect();
        joins.sort_unstable();
        for (n, join) in joins.iter().enumerate() {
            let wait = (begin + *join * MS).saturating_sub(room.now());
            room.run(wait);
            let name = format!("v{n}");
            room.join(&name, Person::VIEWER);
            super::somewhere(&mut room, &name, &mut dice);
        }
        room.run((begin + 8 * SECOND).saturating_sub(room.now()));
        let mut requests = [0.0f64; 3];
        for (layer, at) in room.requests_at("ana") {
            if at >= begin {
                requests[usize::from(layer)] += 1.0;
            }
        }
        let slowest = joins.iter().enumerate().map(|(n, join)| {
            let first = room.video(&format!("v{n}"), "ana").first();
            super::after(begin + *join * MS, first)
        });
        let slowest = slowest.fold(0.0, f64::max);
        let _ = At::ZERO;
        Outcome::of(&room, &[requests.into_iter().fold(0.0, f64::max), slowest], None)
    },
    // Three hundred handshakes a run.
    max_seeds: 50,
};
