//! The scoreboard as text.

use super::{Criterion, Ratchet, Result, Target};
use std::fmt::Write;

/// The scoreboard as it is kept in the repository. Nothing in it depends on the machine.
pub fn markdown(results: &[Result], ratchet: &Ratchet) -> String {
    let mut text = String::from(
        "# Scoreboard of the simulator\n\nWritten by `make sim`; no number here was typed by hand. Every row is run over the seeds told; \
         a target is met if it is for every seed.\nWhat once was met must stay so (`tests/sim/holds.txt`). What the situations are is in \
         `tests/sim/src/rows/`; how to read them in [README.md](README.md).\n\n\
         | situation | measured | target | median | worst (seed) | seeds in target | |\n|---|---|--:|--:|--:|--:|---|\n",
    );
    for result in results {
        for (n, criterion) in result.row.criteria.iter().enumerate() {
            let cells = cells(result, n, criterion, ratchet);
            let situation = if n == 0 { result.row.situation } else { "" };
            let _ = writeln!(text, "| {situation} | {} | {} |", criterion.what, cells.join(" | "));
        }
    }
    let plots: Vec<_> = results.iter().filter(|r| r.outcomes.iter().any(|o| o.plot.is_some())).collect();
    if !plots.is_empty() {
        text.push_str("\nRate, queue and layer over time, for the first seed of each row:\n\n");
        for result in plots {
            let _ = writeln!(text, "![{}](plots/{}.svg)", result.row.situation, result.row.id);
        }
    }
    text
}

/// The scoreboard for a terminal.
pub fn table(results: &[Result], ratchet: &Ratchet) -> String {
    let mut text = String::new();
    for result in results {
        let _ = writeln!(text, "{}", result.row.situation);
        for (n, criterion) in result.row.criteria.iter().enumerate() {
            let [target, median, worst, good, state] = cells(result, n, criterion, ratchet);
            let _ =
                writeln!(text, "  {:<44} {target:>9}  {median:>9}  {worst:>15}  {good:>7}  {state}", criterion.what);
        }
    }
    text
}

fn cells(result: &Result, n: usize, criterion: &Criterion, ratchet: &Ratchet) -> [String; 5] {
    let sorted = result.sorted(n);
    let (target, value) = match criterion.target {
        Target::AtMost(value) => ("≤", value),
        Target::AtLeast(value) => ("≥", value),
    };
    let number = |value: f64| if value.is_finite() { format(value, criterion.unit) } else { "never".to_owned() };
    let worst = sorted.last().map_or(String::new(), |(value, seed)| format!("{} ({seed})", number(*value)));
    let median = sorted.get(sorted.len() / 2).map_or(String::new(), |(value, _)| number(*value));
    let good = result.good(n);
    let state = match (good == sorted.len(), ratchet.holds(criterion.id)) {
        (true, _) => "holds",
        (false, true) => "**broken**",
        (false, false) => "not yet",
    };
    [
        format!("{target} {}", format(value, criterion.unit)),
        median,
        worst,
        format!("{good}/{}", sorted.len()),
        state.to_owned(),
    ]
}

fn format(value: f64, unit: &str) -> String {
    match unit {
        "%" => format!("{:.1} %", value * 100.0),
        "s" => format!("{value:.2} s"),
        "ms" => format!("{:.0} ms", value * 1_000.0),
        "×" => format!("{value:.2} ×"),
        _ => format!("{value:.0}"),
    }
}
