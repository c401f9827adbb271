//! The load generator against a real server: it gets in, its numbers are right, and it sees what a bad line does.
//!
//! The server is the `ramai` beside this test's own build, or the one that `RAMAI_BIN` names; without it the tests say so and end.

#![allow(clippy::expect_used, reason = "a test's own steps may fail it")]

use clap::Parser;
use ramai_load::args::Args;
use ramai_load::lossy::{Faults, Proxy};
use ramai_load::report::document::Document;
use ramai_load::run;
use ramai_test_support::Server;
use std::path::PathBuf;

/// The server's program, where it was built.
fn program() -> Option<PathBuf> {
    let beside = || {
        let own = std::env::current_exe().ok()?;
        Some(own.parent()?.parent()?.join("ramai"))
    };
    let program = std::env::var_os("RAMAI_BIN").map(PathBuf::from).or_else(beside).filter(|path| path.exists());
    if program.is_none() {
        eprintln!("skipped: there is no server; `cargo build` makes it, or RAMAI_BIN names it");
    }
    program
}

/// A short run against `server` with more arguments.
async fn load(server: &Server, more: &[&str]) -> Document {
    let (url, pid) = (format!("http://{}", server.http()), server.process().id().to_string());
    let fixed = ["ramai-load", "--url", &url, "--server-pid", &pid, "--quiet", "--settle", "1s"];
    let short: &[&str] = if more.contains(&"--duration") { &[] } else { &["--duration", "3s"] };
    let args = Args::parse_from(fixed.iter().chain(short).chain(more));
    let target = args.target().expect("a target");
    let plan = args.scenario.plan(&args).expect("a plan");
    run::run(&args, &target, plan).await.expect("a run")
}

async fn server() -> Option<Server> {
    Some(Server::start(program()?, &[]).await.expect("a server"))
}

const MEETING: [&str; 6] = ["--scenario", "meeting", "--participants", "3", "--check-share", "1"];
const STRICT: [&str; 8] = [
    "--expect-loss-below",
    "0.004",
    "--expect-duplicates-below",
    "0.002",
    "--expect-disorder-below",
    "0.004",
    "--expect-latency-p99-below",
    "45",
];

#[tokio::test(flavor = "multi_thread")]
async fn three_meet_in_each_dialect_and_everything_arrives() {
    let Some(server) = server().await else { return };
    for dialect in ["v1", "v0"] {
        let document = load(&server, &[&MEETING[..], &["--dialect", dialect], &STRICT].concat()).await;
        assert_eq!(document.failures, Vec::<String>::new(), "{dialect}: {document:#?}");
        assert_eq!((document.joins.joined, document.joins.failed), (3, 0));
        // Each receives two microphones and two cameras, each camera with its best layer.
        assert_eq!((document.streams.negotiated, document.streams.silent), (12, 0));
        let frames = document.pictures.frames as f64 / 6.0;
        assert!(
            (85.0..=160.0).contains(&frames),
            "{dialect}: {frames} frames of each camera in 3 to 5 seconds at 30/s"
        );
        assert_eq!(document.pictures.freezes, 0);
        assert_eq!(document.checked.packets, document.packets.all.received, "all were decrypted");
        assert!(document.server.is_some_and(|s| s.cpu_us_per_packet > 0.0 && s.rss_end > 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_in_order_breaks_nothing() {
    let Some(server) = server().await else { return };
    let coming_and_going = ["--scenario", "churn", "--participants", "3", "--duration", "14s", "--check-share", "1"];
    let document = load(&server, &coming_and_going).await;
    assert_eq!(document.failures, Vec::<String>::new(), "{document:#?}");
    assert!(document.joins.joined > 3 && document.pictures.freezes == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broadcast_goes_in_by_whip_and_out_by_whep() {
    let Some(server) = server().await else { return };
    let one_to_three = ["--dialect", "whip", "--participants", "3", "--check-share", "1"];
    let document = load(&server, &[&one_to_three[..], &STRICT].concat()).await;
    assert_eq!(document.failures, Vec::<String>::new(), "{document:#?}");
    assert_eq!((document.joins.joined, document.streams.negotiated, document.streams.silent), (4, 6, 0));
    assert!(document.pictures.frames > 3 * 85 && document.pictures.freezes == 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_codecs_are_taken_for_what_they_look_like() {
    let Some(server) = server().await else { return };
    for codec in ["vp9", "av1"] {
        let document = load(&server, &[&MEETING[..], &["--codec", codec], &STRICT].concat()).await;
        assert_eq!(document.failures, Vec::<String>::new(), "{codec}: {document:#?}");
        // From the lowest layer to the best, once for each camera at each receiver.
        assert!(document.pictures.frames > 6 * 85 && document.pictures.freezes == 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_drops_doubles_or_delays_is_caught() {
    let Some(server) = server().await else { return };
    let faults = Faults { seed: 1, ..Faults::default() };
    let cases = [
        (Faults { drop: 0.01, ..faults }, "disorder"),
        (Faults { duplicate: 0.01, ..faults }, "duplicates"),
        (Faults { delay_ms: 50, ..faults }, "latency"),
    ];
    for (faults, word) in cases {
        let proxy = Proxy::start(0, server.media()[0], faults).await.expect("a proxy");
        let via = proxy.address.to_string();
        let document = load(&server, &[&MEETING[..], &["--media-via", &via], &STRICT].concat()).await;
        assert!(document.failures.iter().any(|f| f.contains(word)), "{word}: {document:#?}");
        // Only that: what isn't wrong isn't reported.
        let loss = document.failures.iter().filter(|f| f.starts_with("loss")).count();
        assert_eq!(document.failures.len() - loss, 1, "{word}: {:?}", document.failures);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_is_told_why() {
    let Some(server) = server().await else { return };
    let document = load(&server, &["--participants", "1", "--api-secret", "wrong"]).await;
    assert_eq!(document.joins.failed, 2);
    assert!(document.failures[0].contains("401"), "{:?}", document.failures);
}
