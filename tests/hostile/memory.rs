//! Attacks leave nothing behind: memory, threads and descriptors of the server are where they were.

use crate::scene::{ROOM, Scene, beside_a_call};
use crate::udp::{Datagrams, flood};
use futures_util::SinkExt;
use livekit_protocol::signal_request::Message as Request;
use livekit_protocol::{ClientInfo, JoinRequest, SessionDescription};
use ramai_test_support::signal::{self, Said};
use ramai_test_support::{http, token, within};
use std::time::Duration;
use tokio_tungstenite::tungstenite::Message;

/// What a round may leave: the allocator's grain and what the running call itself moves.
const GROWTH: u64 = 3 * 1024 * 1024;

/// One of everything, several times over.
async fn round(scene: &Scene, datagrams: &mut Datagrams) {
    let server = scene.server.http();
    flood(datagrams, &scene.server.media(), 6000).await;
    for i in 0..40 {
        let garbage = format!("{}\r\n\r\n", "x".repeat(100_000));
        let answer = http::raw(server, garbage.as_bytes()).await.expect("a connection");
        assert!(answer.status >= 400, "{answer:?}");
        http::get(server, &signal::v0_path("no.token.at-all")).await.expect("an answer");

        let token = token::mint(ROOM, &format!("eve-{i}"));
        let join =
            JoinRequest { client_info: Some(ClientInfo { protocol: 16, ..Default::default() }), ..Default::default() };
        let path = signal::v1_path(&token, &join);
        let mut socket = signal::connect(server, &path).await.expect("let in");
        let sdp = scene.ana.state().offer.replace("a=mid", "a=dim");
        let offer = SessionDescription { r#type: "offer".into(), sdp, id: 1, ..Default::default() };
        if i % 2 == 0 {
            signal::send(&mut socket, Request::Offer(offer)).await.expect("taken");
        }
        let _ = socket.send(Message::binary(vec![0xff; 100_000])).await;
        let closed = async { while let Ok(Said::Message(_)) = signal::receive(&mut socket).await {} };
        within("the close", closed).await.expect("a close");
    }
}

async fn within_a_minute(round: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(60), round).await.expect("a round ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_threads_and_descriptors_do_not_grow() {
    let mut scene = Scene::start().await.expect("a call to attack");
    let mut datagrams = Datagrams::new(&scene);
    // The first round warms pools and caches.
    within_a_minute(round(&scene, &mut datagrams)).await;
    let process = scene.server.process();
    let before = (process.resident_memory().expect("alive"), process.threads().expect("alive"));
    let descriptors = process.descriptors().expect("alive");
    for _ in 0..3 {
        within_a_minute(round(&scene, &mut datagrams)).await;
    }
    scene.goes_on().await;
    let process = scene.server.process();
    let after = (process.resident_memory().expect("alive"), process.threads().expect("alive"));
    println!("resident: {} KiB before, {} KiB after three rounds", before.0 / 1024, after.0 / 1024);
    assert!(after.0 < before.0 + GROWTH, "{before:?} {after:?}");
    assert_eq!(after.1, before.1);
    assert!(process.descriptors().expect("alive") <= descriptors + 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resume_of_somebody_elses_session_is_refused() {
    beside_a_call(async |scene| {
        let token = token::mint(ROOM, "eve");
        let join = JoinRequest { reconnect: true, participant_sid: scene.ana.state().sid, ..Default::default() };
        let server = scene.server.http();
        let mut socket = match signal::connect(server, &signal::v1_path(&token, &join)).await {
            Ok(socket) => socket,
            Err(ramai_test_support::Error::Refused(status, _)) if (400..500).contains(&status) => return,
            Err(error) => panic!("{error}"),
        };
        let first = within("an answer", signal::receive(&mut socket)).await.expect("an answer").expect("a message");
        let leave =
            matches!(&first, Said::Message(m) if matches!(**m, livekit_protocol::signal_response::Message::Leave(_)));
        assert!(leave, "{first:?}");
    })
    .await;
}
