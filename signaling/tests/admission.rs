//! The door over real HTTP: who has to come back is told when, on every way in; whoever is inside already isn't kept out.

// A test panics where its story ends differently.
#![allow(clippy::unwrap_used)]

mod server;

use ramai_signaling::{Gauge, Strain};
use server::{Answer, Server, serve_with, token};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use tokio_tungstenite::connect_async;

const ANYTHING: [(&str, &str); 1] = [("Content-Type", "application/sdp")];

/// A server with one more turn than it takes for Ana, whose overload the test decides.
async fn house(change: impl FnOnce(&mut ramai_signaling::Settings)) -> (Server, Arc<AtomicU8>) {
    let level = Arc::new(AtomicU8::new(0));
    let gauge: Gauge = {
        let level = level.clone();
        Arc::new(move || {
            let level = level.load(Ordering::Relaxed);
            Strain { busy: if level == 0 { 0.0 } else { 1.0 }, level }
        })
    };
    let settings = |settings: &mut ramai_signaling::Settings| {
        (settings.join_rate, settings.join_burst, settings.max_participants) = (50, 50, 0);
        change(settings);
    };
    (serve_with(settings, gauge).await, level)
}

fn url(server: &Server, who: &str, more: &str) -> String {
    format!("ws://{}/rtc?access_token={}&sdk=js&protocol=16{more}", server.address, token(who, |_| {}, "secret"))
}

fn refused(answer: &Answer, words: &str) {
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(answer.body.contains(words), "{}", answer.body);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
}

#[tokio::test]
async fn every_way_in_says_when_to_come_back_and_those_inside_are_not_kept_out() {
    let (server, level) = house(|_| {}).await;
    let (ana, _) = connect_async(url(&server, "ana", "")).await.unwrap();
    level.store(5, Ordering::Relaxed);
    let ben = token("ben", |_| {}, "secret");
    for path in ["/rtc", "/rtc/validate"] {
        refused(&server.get(&format!("{path}?access_token={ben}")).await, "too many are joining");
    }
    let packed = "EgA";
    for path in ["/rtc/v1", "/rtc/v1/validate"] {
        let answer = server.get(&format!("{path}?access_token={ben}&join_request={packed}")).await;
        refused(&answer, "too many are joining");
    }
    for path in ["/whip", "/whep"] {
        let bearer = format!("Bearer {ben}");
        let headers = [ANYTHING[0], ("Authorization", bearer.as_str())];
        refused(&server.ask("POST", path, &headers, "v=0\r\n").await, "too many are joining");
    }
    let error = connect_async(url(&server, "ben", "")).await.unwrap_err().to_string();
    assert!(error.contains("503"), "{error}");
    // Whoever is wrong for another reason is told that, not to come back.
    assert_eq!(server.get(&format!("/rtc/validate?access_token={}", token("ben", |_| {}, "other"))).await.status, 401);
    // Ana's line broke: she is still in the room, and comes back.
    connect_async(url(&server, "ana", "&reconnect=1&sid=PA_any")).await.unwrap();
    connect_async(url(&server, "ana", "")).await.unwrap();
    drop(ana);
    level.store(0, Ordering::Relaxed);
    connect_async(url(&server, "ben", "")).await.unwrap();
    let refused = server.signaling.counts().snapshot().refused;
    assert!(refused.iter().any(|(reason, count)| *reason == "busy" && *count == 7), "{refused:?}");
}

#[tokio::test]
async fn a_queue_moves_before_anybody_is_sent_away() {
    let (server, _) = house(|settings| settings.join_burst = 5).await;
    let mut came = tokio::task::JoinSet::new();
    for n in 0..40 {
        came.spawn(connect_async(url(&server, &format!("p{n}"), "")));
    }
    // 35 wait for their turns at 50 a second: nobody is refused.
    while let Some(joined) = came.join_next().await {
        joined.unwrap().unwrap();
    }
    assert!(server.signaling.counts().snapshot().refused.is_empty());
}

#[tokio::test]
async fn a_full_server_and_too_many_rooms_have_their_own_words() {
    let (server, _) = house(|settings| (settings.max_rooms, settings.max_total_participants) = (1, 2)).await;
    let (_ana, _) = connect_async(url(&server, "ana", "")).await.unwrap();
    let elsewhere = token("ben", |claims| claims.video.room = "other".into(), "secret");
    refused(&server.get(&format!("/rtc/validate?access_token={elsewhere}")).await, "as many rooms");
    let (_ben, _) = connect_async(url(&server, "ben", "")).await.unwrap();
    let cai = token("cai", |_| {}, "secret");
    refused(&server.get(&format!("/rtc/validate?access_token={cai}")).await, "the server is full");
}
