//! The program: reads the command line, makes the run, prints what came of it.
#![forbid(unsafe_code)]

use clap::Parser;
use ramai_load::args::Args;
use ramai_load::report::document::Document;
use ramai_load::{Error, run};
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args = Args::parse();
    match measure(&args) {
        Ok(document) if document.failures.is_empty() => ExitCode::SUCCESS,
        Ok(document) => {
            for failure in &document.failures {
                say(&format!("FAILED  {failure}"));
            }
            ExitCode::from(1)
        }
        Err(error) => {
            say(&format!("ramai-load: {error}"));
            ExitCode::from(2)
        }
    }
}

fn measure(args: &Args) -> Result<Document, Error> {
    let target = args.target()?;
    let plan = args.scenario.plan(args)?;
    // Signaling is light; the engine has a thread of its own.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let document = runtime.block_on(run::run(args, &target, plan))?;
    let json = serde_json::to_string_pretty(&document).map_err(|e| Error::Usage(e.to_string()))?;
    if args.json == Path::new("-") {
        writeln!(std::io::stdout(), "{json}")?;
    } else {
        std::fs::write(&args.json, json + "\n")?;
        summarize(&document);
    }
    Ok(document)
}

/// A few lines for people.
fn summarize(document: &Document) {
    let Document { joins, packets, latency_ms, pictures, tool, .. } = document;
    let all = packets.all;
    say(&format!(
        "joins    {} of {}, p50 {:.0} p95 {:.0} p99 {:.0} ms; first frame p50 {:.0} p99 {:.0} ms",
        joins.joined,
        joins.asked,
        joins.time_ms.p50,
        joins.time_ms.p95,
        joins.time_ms.p99,
        joins.first_frame_ms.p50,
        joins.first_frame_ms.p99
    ));
    say(&format!(
        "packets  {:.0}/s {:.1} Mbit/s; expected {} received {} lost {} duplicate {} reordered {} recovered {}",
        packets.per_second,
        packets.bits_per_second / 1e6,
        all.expected,
        all.received,
        all.lost,
        all.duplicates,
        all.reordered,
        all.recovered
    ));
    say(&format!(
        "latency  video p50 {:.2} p95 {:.2} p99 {:.2} max {:.2} ms; audio p50 {:.2} p99 {:.2} ms",
        latency_ms.video.p50,
        latency_ms.video.p95,
        latency_ms.video.p99,
        latency_ms.video.max,
        latency_ms.audio.p50,
        latency_ms.audio.p99
    ));
    say(&format!(
        "pictures {} frames, {} freezes ({:.0} ms), {} layer switches seen",
        pictures.frames, pictures.freezes, pictures.frozen_ms, document.checked.layer_switches
    ));
    if let Some(server) = document.server {
        say(&format!(
            "server   {:.1}% CPU, {:.3} us per packet, {:.2} ms per join; RSS {:.1} MiB, {:.1} KiB per participant; {} threads",
            100.0 * server.cpu_share,
            server.cpu_us_per_packet,
            server.cpu_ms_per_join,
            server.rss_end as f64 / 1_048_576.0,
            server.rss_per_participant as f64 / 1024.0,
            server.threads
        ));
    }
    say(&format!(
        "tool     {:.1}% CPU, longest round {:.1} ms, own drops {}",
        100.0 * tool.cpu_share,
        tool.longest_round_ms,
        tool.own_drops
    ));
}

fn say(line: &str) {
    // There is nobody left to tell if this fails.
    let _ = writeln!(std::io::stderr(), "{line}");
}
