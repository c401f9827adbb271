//! `ramai-sim`: runs the simulator's situations over many seeds and keeps the scoreboard.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "it is a command-line program")]

use clap::Parser;
use ramai_sim::board::{self, Ratchet, Result, Row};
use ramai_sim::rows;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Calls on bad networks in virtual time. Ends with 1 if the oracle saw what must never be, or a target was missed that was met once.
#[derive(Parser, Debug)]
struct Args {
    /// Seeds of each row, from 0 on.
    #[arg(long, default_value_t = 50)]
    seeds: u64,
    /// One row only, by its short name; the scoreboard isn't written then.
    #[arg(long)]
    row: Option<String>,
    /// One seed only, with all that the oracle has to say; needs --row. The plot goes to standard output with --plot.
    #[arg(long, requires = "row")]
    seed: Option<u64>,
    /// Print the plot of that seed as SVG.
    #[arg(long, requires = "seed")]
    plot: bool,
    /// What is met now must stay so: add it to the ratchet.
    #[arg(long)]
    keep: bool,
    /// Threads.
    #[arg(long)]
    threads: Option<usize>,
    /// Where the scoreboard and its plots go.
    #[arg(long, default_value = "docs/sim")]
    out: PathBuf,
    /// The ratchet.
    #[arg(long, default_value = "tests/sim/holds.txt")]
    holds: PathBuf,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut rows = rows::all();
    if let Some(id) = &args.row {
        rows.retain(|row| row.id == id);
    }
    match (rows.first(), args.seed) {
        (None, _) => {
            println!("there is no such row; there are: {}", names(&rows::all()));
            ExitCode::FAILURE
        }
        (Some(row), Some(seed)) => one(row, seed, args.plot),
        _ => match many(&args, &rows) {
            Ok(code) => code,
            Err(error) => {
                println!("the scoreboard can't be written: {error}");
                ExitCode::FAILURE
            }
        },
    }
}

fn names(rows: &[Row]) -> String {
    rows.iter().map(|row| row.id).collect::<Vec<_>>().join(", ")
}

/// One seed in detail.
fn one(row: &Row, seed: u64, plot: bool) -> ExitCode {
    let outcome = (row.run)(seed);
    if let (true, Some(plot)) = (plot, &outcome.plot) {
        print!("{}", board::svg(plot));
        return ExitCode::SUCCESS;
    }
    println!("{}, seed {seed}, trace {:016x}", row.situation, outcome.trace);
    for (criterion, value) in row.criteria.iter().zip(&outcome.values) {
        let met = if criterion.target.holds(*value) { "in target" } else { "out of target" };
        println!("  {}: {value:.4} {met}", criterion.what);
    }
    for (at, what) in &outcome.told {
        println!("  {:>10.4} s  {what}", at.as_secs_f64());
    }
    violations(&outcome.violations, outcome.violation_count);
    if outcome.violation_count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn violations(violations: &[ramai_sim::oracle::Violation], count: u64) {
    for violation in violations {
        println!("  {:>10.4} s  {}", violation.at.as_secs_f64(), violation.what);
    }
    if count as usize > violations.len() {
        println!("  and {} more", count as usize - violations.len());
    }
}

/// The scoreboard.
fn many(args: &Args, rows: &[Row]) -> std::io::Result<ExitCode> {
    let start = Instant::now();
    let threads = args.threads.or_else(|| std::thread::available_parallelism().ok().map(Into::into)).unwrap_or(1);
    let results = board::run(rows, args.seeds, threads);
    let real = start.elapsed().as_secs_f64();
    let simulated: f64 = results.iter().flat_map(|r| &r.outcomes).map(|outcome| outcome.time.as_secs_f64()).sum();
    let mut ratchet = Ratchet::read(&args.holds);
    let broken = ratchet.broken(&results);
    let new = ratchet.gained(&results);
    if args.keep {
        ratchet.keep(&new, &args.holds)?;
    }
    println!("{}", board::table(&results, &ratchet));
    println!(
        "{simulated:.0} s simulated in {real:.0} s on {threads} threads, {:.0} times as fast as life",
        simulated / real
    );
    if args.row.is_none() {
        write(args, &results, &ratchet)?;
    }
    if !new.is_empty() && !args.keep {
        println!("met now, keep them with ARGS=--keep: {}", new.join(", "));
    }
    let bad = complain(&results);
    if !broken.is_empty() {
        println!("met once and not any more: {}", broken.join(", "));
    }
    Ok(if bad || !broken.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn write(args: &Args, results: &[Result], ratchet: &Ratchet) -> std::io::Result<()> {
    let plots = args.out.join("plots");
    std::fs::create_dir_all(&plots)?;
    std::fs::write(args.out.join("SCOREBOARD.md"), board::markdown(results, ratchet))?;
    for result in results {
        if let Some(plot) = result.outcomes.iter().find_map(|outcome| outcome.plot.as_ref()) {
            std::fs::write(plots.join(format!("{}.svg", result.row.id)), board::svg(plot))?;
        }
    }
    Ok(())
}

/// Tells which seeds the oracle objects to; whether there are any.
fn complain(results: &[Result]) -> bool {
    let mut bad = false;
    for result in results {
        for (seed, outcome) in result.outcomes.iter().enumerate().filter(|(_, outcome)| outcome.violation_count > 0) {
            bad = true;
            println!("oracle: --row {} --seed {seed}: {} violations", result.row.id, outcome.violation_count);
            violations(&outcome.violations[..1], 1);
        }
    }
    bad
}
