//! The situations of the scoreboard.

mod capacity;
mod crowd;
mod loss;
mod weather;

use crate::board::Row;
use crate::net::kbit;
use crate::room::Room;
use crate::{At, MS};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

/// Every row, in the order of the scoreboard.
pub fn all() -> Vec<Row> {
    vec![
        capacity::UNLIMITED,
        capacity::BEGINNING,
        capacity::DROP,
        capacity::SLOW,
        capacity::BURST,
        capacity::SVC,
        capacity::STEADY,
        capacity::VOICES,
        loss::RANDOM,
        loss::HEAVY,
        loss::JITTER,
        capacity::SHARED,
        loss::OUTAGE,
        crowd::STORM,
        weather::REBINDING,
        weather::ROUGH,
    ]
}

/// What differs from seed to seed in a situation.
fn dice(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed ^ 0x5eed_0000_0000)
}

/// Gives somebody a one-way delay of 5 to 40 ms in each direction.
fn somewhere(room: &mut Room, name: &str, dice: &mut ChaCha8Rng) {
    let delay = Duration::from_micros(dice.random_range(5_000..40_000));
    room.both(name, |link| link.delay(delay));
}

/// Seconds from `from` to `at`; infinite if it never came to it.
fn after(from: At, at: Option<At>) -> f64 {
    at.map_or(f64::INFINITY, |at| at.saturating_sub(from).as_secs_f64())
}

/// What audio takes on a link, in bits per second: RED of 40 kbit/s doubled, with headers.
const AUDIO: u64 = kbit(110);

const _: () = assert!(AUDIO > 0 && MS.as_millis() == 1);
