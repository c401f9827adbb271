//! Runs rows over seeds, on as many threads as there are cores.

use super::{Outcome, Row};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A row with what came out of each seed, by seed.
pub struct Result {
    /// The row.
    pub row: Row,
    /// By seed, from the first.
    pub outcomes: Vec<Outcome>,
}

impl Result {
    /// The values of one criterion, best first, each with its seed.
    pub fn sorted(&self, criterion: usize) -> Vec<(f64, u64)> {
        let values = (0..).zip(&self.outcomes).map(|(seed, outcome)| (outcome.values[criterion], seed));
        let mut values: Vec<(f64, u64)> = values.collect();
        values.sort_by(|a, b| self.row.criteria[criterion].target.worse(a.0, b.0));
        values
    }

    /// Seeds that are in a criterion's target.
    pub fn good(&self, criterion: usize) -> usize {
        let target = self.row.criteria[criterion].target;
        self.outcomes.iter().filter(|outcome| target.holds(outcome.values[criterion])).count()
    }
}

/// Runs all.
///
/// # Panics
/// If a run panics.
pub fn run(rows: &[Row], seeds: u64, threads: usize) -> Vec<Result> {
    let jobs: Vec<(usize, u64)> =
        (0..).zip(rows).flat_map(|(n, row)| (0..seeds.min(row.max_seeds)).map(move |seed| (n, seed))).collect();
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while let Some((row, seed)) = jobs.get(next.fetch_add(1, Ordering::Relaxed)).copied() {
                    let mut outcome = (rows[row].run)(seed);
                    // One picture a row is enough, and plots are large.
                    outcome.plot = outcome.plot.filter(|_| seed == 0);
                    done.lock().expect("no run panicked").push((row, seed, outcome));
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no run panicked");
    done.sort_by_key(|(row, seed, _)| (*row, *seed));
    let mut results: Vec<Result> = rows.iter().map(|row| Result { row: *row, outcomes: Vec::new() }).collect();
    for (row, _, outcome) in done {
        results[row].outcomes.push(outcome);
    }
    results
}
