//! The scoreboard: rows of situations with what is measured in them and the targets, run over many seeds.

mod plot;
mod print;
mod ratchet;
mod run;

pub use plot::{Plot, svg};
pub use print::{markdown, table};
pub use ratchet::Ratchet;
pub use run::{Result, run};

use crate::oracle::Violation;
use crate::room::Room;
use std::time::Duration;

/// What a value must be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Target {
    /// Not more.
    AtMost(f64),
    /// Not less.
    AtLeast(f64),
}

impl Target {
    /// Whether `value` is good.
    pub fn holds(self, value: f64) -> bool {
        match self {
            Target::AtMost(most) => value <= most,
            Target::AtLeast(least) => value >= least,
        }
    }

    /// Puts values in order from good to bad.
    pub fn worse(self, a: f64, b: f64) -> std::cmp::Ordering {
        match self {
            Target::AtMost(_) => a.total_cmp(&b),
            Target::AtLeast(_) => b.total_cmp(&a),
        }
    }
}

/// One measurement of a row.
#[derive(Clone, Copy, Debug)]
pub struct Criterion {
    /// Short name, unique over all rows: what the ratchet remembers.
    pub id: &'static str,
    /// What is measured.
    pub what: &'static str,
    /// `s`, `ms`, `%` or nothing.
    pub unit: &'static str,
    /// What it must be.
    pub target: Target,
}

/// One situation.
#[derive(Clone, Copy)]
pub struct Row {
    /// Short name.
    pub id: &'static str,
    /// The situation in words.
    pub situation: &'static str,
    /// What is measured, in the order of [`Outcome::values`].
    pub criteria: &'static [Criterion],
    /// Runs one seed.
    pub run: fn(u64) -> Outcome,
    /// At most so many seeds, where a run is long.
    pub max_seeds: u64,
}

/// What came out of one seed.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// As many as the row has criteria; infinite or zero where it never came to it.
    pub values: Vec<f64>,
    /// What must never be and was.
    pub violations: Vec<Violation>,
    /// How many there were.
    pub violation_count: u64,
    /// Tells whether two runs were the same.
    pub trace: u64,
    /// Simulated time.
    pub time: Duration,
    /// Rate, queue and layer over time.
    pub plot: Option<Plot>,
    /// What happened, in words.
    pub told: Vec<(Duration, String)>,
}

impl Outcome {
    /// What a room tells when its story is over.
    pub fn of(room: &Room, values: &[f64], plot: Option<Plot>) -> Self {
        Self {
            values: values.to_vec(),
            violations: room.oracle.violations().to_vec(),
            violation_count: room.oracle.count,
            trace: room.trace(),
            time: room.now(),
            plot,
            told: room.told.clone(),
        }
    }
}
