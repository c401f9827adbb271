//! What an operator sees of a call, and what nobody else does: a real server is scraped while people talk.
#![allow(clippy::expect_used, reason = "a test that cannot go on has failed")]

use ramai_test_support::exposition::{self, Samples};
use ramai_test_support::{Client, Join, Process, Server, free_tcp_port, http, within};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;

async fn scrape(address: SocketAddr) -> Samples {
    let answer = http::get(address, "/metrics").await.expect("an answer");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.head.contains("text/plain; version=0.0.4"), "{}", answer.head);
    exposition::read(&answer.body).expect("the text format")
}

/// Scrapes until it holds: what a worker tells is up to 0.1 s old, or 0.5 s where it sleeps.
async fn until(address: SocketAddr, what: &'static str, holds: impl Fn(&Samples) -> bool) -> Samples {
    let all = async {
        loop {
            let samples = scrape(address).await;
            if holds(&samples) {
                return samples;
            }
        }
    };
    within(what, all).await.expect("it holds")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_numbers_tell_of_a_call() {
    let server = Server::start(env!("CARGO_BIN_EXE_ramai"), &[]).await.expect("a server");
    let own = server.http();
    let idle = until(own, "the worker's first numbers", |s| {
        s["ramai_worker_overload_seconds_total{worker=\"0\",level=\"0\"}"] > 0.0
    })
    .await;
    assert_eq!((idle["ramai_participants"], idle["ramai_websockets"]), (0.0, 0.0));
    assert_eq!(idle["ramai_worker_forwarded_packets_total{worker=\"0\"}"], 0.0);

    let mut ana = Client::join(own, Join::new("den", "ana").publishing()).await.expect("a join");
    let mut ben = Client::join(own, Join::new("den", "ben").publishing()).await.expect("a join");
    ana.until("ben", |s| s.frames("ben") >= 10).await;
    ben.until("ana", |s| s.frames("ana") >= 10).await;
    let call = until(own, "both in the numbers", |s| s["ramai_participants"] == 2.0).await;
    let worker = |name: &str| call[&format!("ramai_worker_{name}{{worker=\"0\"}}")];
    assert_eq!((call["ramai_rooms"], call["ramai_websockets"], call["ramai_websockets_opened_total"]), (1.0, 2.0, 2.0));
    assert_eq!(call["ramai_joins_total{protocol=\"v1\"}"], 2.0);
    assert_eq!((worker("transports"), worker("rooms")), (2.0, 1.0));
    assert_eq!((worker("tracks"), worker("subscriptions")), (4.0, 4.0));
    assert_eq!((worker("overload_level"), worker("shed_subscriptions")), (0.0, 0.0));
    assert!(worker("busy_seconds_total") > 0.0 && worker("busy_share") < 1.0);
    assert!(worker("sent_packets_total") >= worker("forwarded_packets_total"), "reports and handshakes come on top");
    assert!(call["process_resident_memory_bytes"] > 1e6 && call["process_threads"] >= 2.0);

    let before = worker("forwarded_packets_total");
    until(own, "more packets", |s| s["ramai_worker_forwarded_packets_total{worker=\"0\"}"] > before + 50.0).await;

    // Whoever is turned away is counted by reason.
    let refused = http::get(own, "/rtc/validate?access_token=nonsense").await.expect("an answer");
    assert_eq!(refused.status, 401);
    let after = scrape(own).await;
    assert_eq!(after["ramai_refused_total{reason=\"token_unreadable\"}"], 1.0);

    ana.leave().await;
    ben.leave().await;
    until(own, "everybody's departure", |s| s["ramai_participants"] == 0.0 && s["ramai_websockets"] == 0.0).await;
    until(own, "closed transports", |s| s["ramai_worker_transports{worker=\"0\"}"] == 0.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_not_for_the_public() {
    let (port, metrics) = (free_tcp_port().expect("a port"), free_tcp_port().expect("a port"));
    let metrics = SocketAddr::from((Ipv4Addr::LOCALHOST, metrics));
    let args: Vec<String> = [
        ["--bind", "127.0.0.1"],
        ["--port", &port.to_string()],
        ["--udp-bind", "127.0.0.1"],
        ["--udp-base-port", "0"],
        ["--workers", "2"],
        ["--keys", "app:0123456789abcdef0123456789abcdef"],
        ["--metrics-bind", &metrics.to_string()],
    ]
    .concat()
    .into_iter()
    .map(str::to_owned)
    .collect();
    let mut server = Process::start(Path::new(env!("CARGO_BIN_EXE_ramai")), &args, &[]).expect("it starts");
    assert!(within("the start", server.logged("ready:")).await.expect("a start"));
    let public = http::get((Ipv4Addr::LOCALHOST, port).into(), "/metrics").await.expect("an answer");
    assert_eq!(public.status, 404, "{public:?}");
    let samples = scrape(metrics).await;
    assert!(samples.contains_key("ramai_worker_transports{worker=\"1\"}"), "{samples:?}");
    // Nothing else is served there.
    assert_eq!(http::get(metrics, "/health").await.expect("an answer").status, 404);
    server.terminate().expect("alive");
    assert!(within("the end", server.ended()).await.expect("an end").expect("a status").success());
}
