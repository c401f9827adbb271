//! What somebody costs who only listens, and hears nothing: memory of a real server, by real participants.
//!
//! The server is the `ramai` beside this test's own build, or the one that `RAMAI_BIN` names; without it the test says so and ends.

#![allow(clippy::expect_used, reason = "a test's own steps may fail it")]

use clap::Parser;
use ramai_load::args::Args;
use ramai_load::run;
use ramai_test_support::Server;
use std::path::{Path, PathBuf};

/// The budget, in bytes: WebSocket, session, ICE, DTLS, SRTP, and subscriptions to the speaker slots and one microphone.
const BUDGET: u64 = 64 * 1024;
const FEW: u64 = 60;
const MANY: u64 = 250;

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

/// Resident memory of a fresh server with so many listeners in a room where one microphone is silent.
async fn resident(program: &Path, listeners: u64) -> u64 {
    let server = Server::start(program, &[]).await.expect("a server");
    let (url, pid) = (format!("http://{}", server.http()), server.process().id().to_string());
    let number = listeners.to_string();
    let args = Args::parse_from([
        "ramai-load",
        "--url",
        &url,
        "--server-pid",
        &pid,
        "--quiet",
        "--check-share",
        "0",
        "--participants",
        &number,
        "--layers",
        "0",
        "--talk",
        "0",
        "--visible",
        "0",
        "--join-rate",
        "50",
        "--settle",
        "1s",
        "--duration",
        "2s",
    ]);
    let target = args.target().expect("a target");
    let plan = args.scenario.plan(&args).expect("a plan");
    let document = run::run(&args, &target, plan).await.expect("a run");
    assert_eq!(
        (document.joins.joined as u64, document.joins.failed),
        (listeners + 1, 0),
        "{:?}",
        document.joins.errors
    );
    document.server.expect("the server's numbers").rss_joined
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_participant_is_within_its_memory_budget() {
    let Some(program) = program() else { return };
    // The difference of two: what a server needs for the first of all is not theirs.
    let (few, many) = (resident(&program, FEW).await, resident(&program, MANY).await);
    let each = many.saturating_sub(few) / (MANY - FEW);
    eprintln!("{each} bytes each; {few} with {FEW}, {many} with {MANY}");
    assert!(each <= BUDGET, "{each} bytes each; {few} with {FEW}, {many} with {MANY}");
}
