//! Seeds that once showed something wrong, by name. `ramai-sim --row … --seed …` tells the whole story of one.

#![allow(clippy::expect_used, reason = "a test that can't go on has failed")]

use ramai_sim::rows;

/// Runs one seed of a row; nothing that must never be may have been.
fn seed(row: &str, seed: u64) -> Vec<f64> {
    let row = rows::all().into_iter().find(|r| r.id == row).expect("there is such a row");
    let outcome = (row.run)(seed);
    let words: Vec<_> = outcome.violations.iter().map(|v| format!("{:?} {}", v.at, v.what)).collect();
    assert_eq!(outcome.violation_count, 0, "{words:#?}");
    outcome.values
}

/// A publisher's uplink held packets back for over a second; a layer switch then took arrival for truth, and lips were 1.4 s off.
#[test]
fn a_full_uplink_keeps_lips_in_step_over_layer_switches() {
    seed("rough", 24);
}
