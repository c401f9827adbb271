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
    // Far above what a busy machine adds, and far below what the slow line does.
    "--expect-latency-p99-below",
    "900",
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
        (Faults { delay_ms: 1_000, ..faults }, "latency"),
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
async fn spatial_layers_of_one_stream_arrive_as_whole_pictures() {
    let Some(server) = server().await else { return };
    for (codec, mode) in [("vp9", "L3T3_KEY"), ("av1", "L3T3_KEY"), ("vp9", "L3T3")] {
        let document = load(&server, &[&MEETING[..], &["--codec", codec, "--svc", mode], &STRICT].concat()).await;
        assert_eq!(document.failures, Vec::<String>::new(), "{codec} {mode}: {document:#?}");
        assert_eq!(document.streams.negotiated, 12);
        let frames = document.pictures.frames as f64 / 6.0;
        assert!((85.0..=160.0).contains(&frames), "{codec} {mode}: {frames} pictures of each camera");
        assert_eq!((document.pictures.freezes, document.checked.layer_switches), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn layers_that_nobody_watches_are_not_sent_unless_told_to() {
    let Some(server) = server().await else { return };
    let low = ["--participants", "2", "--quality", "0", "--check-share", "1"];
    let followed = load(&server, &low).await;
    let ignored = load(&server, &[&low[..], &["--no-dynacast"]].concat()).await;
    for document in [&followed, &ignored] {
        assert_eq!(document.failures, Vec::<String>::new(), "{document:#?}");
        assert!(document.pictures.frames > 2 * 55);
    }
    assert!(followed.publishers.pauses >= 2 && ignored.publishers.pauses == 0);
    // 50 packets of sound and some 30 of the lowest layer in a second, or 220 more of the others.
    assert!(followed.publishers.packets * 2 < ignored.publishers.packets, "{followed:#?} {ignored:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_idle_are_connected_and_receive_nothing() {
    let Some(server) = server().await else { return };
    for dialect in ["v1", "v0"] {
        let document = load(&server, &["--scenario", "idle", "--participants", "10", "--dialect", dialect]).await;
        assert_eq!(document.failures, Vec::<String>::new(), "{dialect}: {document:#?}");
        assert_eq!((document.joins.joined, document.packets.all.received), (10, 0));
        assert!(document.connections >= 10);
        assert!(document.server.is_some_and(|s| s.cpu_ms_per_join > 0.0 && s.cpu_us_per_packet == 0.0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_room_is_told_with_how_many_it_refused() {
    let Some(program) = program() else { return };
    let server = Server::start(program, &["--max-participants", "3"]).await.expect("a server");
    let document = load(&server, &["--participants", "6"]).await;
    assert_eq!((document.joins.joined, document.joins.failed), (3, 4));
    let expected = "4 of 7 joins failed: 4 × refused with 403: the room is full";
    assert!(document.failures.iter().any(|f| f == expected), "{:?}", document.failures);
}

/// The proxy as a process of its own, so that it can be the server whose memory is watched. It ends when dropped.
struct Hoarder {
    process: std::process::Child,
    address: String,
}

impl Hoarder {
    fn start(server: &Server, faults: &[&str]) -> Self {
        let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_lossy"))
            .args(["--server", &server.media()[0].to_string()])
            .args(faults)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the proxy");
        let mut address = String::new();
        let out = process.stdout.take().expect("its output");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut address).expect("its address");
        Self { process, address: address.trim().to_owned() }
    }
}

impl Drop for Hoarder {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The program itself against `server`, its media through a proxy whose memory is watched: exit code and what it says.
fn watched(server: &Server, faults: &[&str], more: &[&str]) -> (Option<i32>, String) {
    let proxy = Hoarder::start(server, faults);
    let (url, pid) = (format!("http://{}", server.http()), proxy.process.id().to_string());
    let ran = std::process::Command::new(env!("CARGO_BIN_EXE_ramai-load"))
        .args(["--url", &url, "--media-via", &proxy.address, "--server-pid", &pid, "--quiet"])
        .args(MEETING)
        .args(more)
        .output()
        .expect("the load generator");
    (ran.status.code(), String::from_utf8_lossy(&ran.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_leaks_is_caught_and_one_that_does_not_is_not() {
    let Some(server) = server().await else { return };
    // Six cameras of 1.7 Mbit/s pass through it: what it keeps grows by more than a MiB in a second.
    let expect = ["--settle", "2s", "--duration", "5s", "--expect-growth-below", "2"];
    let (code, said) = watched(&server, &["--leak"], &expect);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILED  server memory growth") && said.matches("FAILED").count() == 1, "{said}");
    let (code, said) = watched(&server, &[], &expect);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_ends_early_where_too_much_is_lost_and_says_so() {
    let Some(server) = server().await else { return };
    let begun = std::time::Instant::now();
    let (code, said) = watched(&server, &["--drop", "0.4"], &["--duration", "60s", "--abort-loss", "0.02"]);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("FAILED  ended early: in second"), "{said}");
    assert!(begun.elapsed().as_secs() < 30);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_soak_in_small_keeps_memory_and_people() {
    let Some(server) = server().await else { return };
    let live = std::env::temp_dir().join(format!("ramai-load-soak-{}.jsonl", std::process::id()));
    let path = live.to_string_lossy().into_owned();
    let small = ["--scenario", "soak", "--participants", "6", "--stay", "4s", "--duration", "25s", "--live", &path];
    let expect =
        ["--expect-growth-below", "8", "--check-share", "1", "--visible", "2", "--quality", "0", "--allow-unheard"];
    let document = load(&server, &[&small[..], &expect].concat()).await;
    assert_eq!(document.failures, Vec::<String>::new(), "{document:#?}");
    assert!(document.joins.joined > 6 + 20, "people came and went: {}", document.joins.joined);
    let lines = std::fs::read_to_string(&live).expect("live lines");
    let seconds: Vec<serde_json::Value> =
        lines.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect();
    assert!(seconds.len() >= 25 && seconds.iter().skip(5).all(|s| s["packets"].as_u64() > Some(0)), "{lines}");
    let _ = std::fs::remove_file(&live);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_refused_is_told_why() {
    let Some(server) = server().await else { return };
    let document = load(&server, &["--participants", "1", "--api-secret", "wrong"]).await;
    assert_eq!(document.joins.failed, 2);
    assert!(document.failures[0].contains("401"), "{:?}", document.failures);
}
