//! Calls between real clients through a real server: who sees and hears whom, who comes and who goes.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and may say what it measured"
)]

use livekit_protocol::TrackSource;
use ramai_test_support::{Client, Ended, Join, Server, State, within};

async fn server() -> Server {
    Server::start(env!("CARGO_BIN_EXE_ramai"), &[]).await.expect("a server")
}

async fn join(server: &Server, identity: &str) -> Client {
    Client::join(server.http(), Join::new("den", identity).publishing()).await.expect("a join")
}

/// Waits until `client` sees and hears `other`, from a key frame on, without a gap.
async fn sees_and_hears(client: &mut Client, other: &str) {
    client.until(other, |s| s.frames(other) >= 10 && s.heard(other) >= 20).await;
    let state = client.state();
    for source in [TrackSource::Camera, TrackSource::Microphone] {
        let meter = state.from(other, source).expect("received");
        assert_eq!((meter.missing(), meter.duplicates, meter.discontinuities), (0, 0, 0), "{source:?} {meter:?}");
        assert_eq!((meter.ssrcs.len(), meter.malformed), (1, 0));
    }
    assert!(state.from(other, TrackSource::Camera).is_some_and(|m| m.keyframes > 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_see_and_hear_each_other_in_any_order_of_coming_and_going() {
    let server = server().await;
    let names = ["ana", "ben", "cai", "dee", "eli"];
    let mut clients = Vec::new();
    for name in names {
        clients.push(join(&server, name).await);
    }
    for client in &mut clients {
        let own = client.identity().to_owned();
        for other in names.into_iter().filter(|n| **n != own) {
            sees_and_hears(client, other).await;
        }
    }
    let ben = clients.remove(1);
    assert_eq!(ben.leave().await.ended, Some(Ended::Left));
    for client in &mut clients {
        client.until("ben's departure", |s| !s.participants.contains_key("ben")).await;
    }
    let mut fay = join(&server, "fay").await;
    for other in ["ana", "cai", "dee", "eli"] {
        sees_and_hears(&mut fay, other).await;
    }
    for client in &mut clients {
        sees_and_hears(client, "fay").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_viewer_gets_a_key_frame_at_once_and_publishers_are_not_flooded_with_requests() {
    let server = server().await;
    let mut ana = join(&server, "ana").await;
    ana.until("her camera running", |s| s.sent > 100).await;
    let asked = ana.state().keyframes_wanted;
    let mut ben = Client::join(server.http(), Join::new("den", "ben")).await.expect("a join");
    sees_and_hears(&mut ben, "ana").await;
    let asked = ana.state().keyframes_wanted - asked;
    assert!((1..=3).contains(&asked), "{asked} key frames were asked for");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_under_the_same_name_replaces_the_old_self() {
    let server = server().await;
    let mut ana = join(&server, "ana").await;
    let mut old = join(&server, "ben").await;
    let mut new = join(&server, "ben").await;
    old.until("its end", |s| s.ended.is_some()).await;
    sees_and_hears(&mut new, "ana").await;
    sees_and_hears(&mut ana, "ben").await;
    assert_eq!(ana.state().participants.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_room_over_two_workers_is_one_room_to_those_in_it() {
    let spread = ["--worker-streams", "1"];
    let mut server =
        Server::start_with_workers(env!("CARGO_BIN_EXE_ramai"), 2, &spread).await.expect("a server with two workers");
    let names = ["ana", "ben", "cai", "dee"];
    let mut clients = Vec::new();
    for name in names {
        clients.push(join(&server, name).await);
    }
    let workers: Vec<usize> =
        (0..2).map(|n| server.process().log().matches(&format!("worker={n} dialect")).count()).collect();
    assert_eq!(workers, [2, 2], "who joined where:\n{}", server.process().log());
    for client in &mut clients {
        let own = client.identity().to_owned();
        for other in names.into_iter().filter(|n| **n != own) {
            sees_and_hears(client, other).await;
        }
        // All speak, whichever worker hears them.
        let all = |s: &State| names.iter().filter(|n| **n != own).all(|n| s.speaks(n));
        client.until("everybody speaking", all).await;
        client.until("its channel", |s| s.channels.iter().any(|c| c == "_reliable")).await;
    }
    clients[0].say("hello on all floors").await;
    for client in &mut clients[1..] {
        client.until("ana's words", |s| s.data.iter().any(|d| contains(d, b"hello on all floors"))).await;
    }
    // One of each worker goes; who comes finds the rest.
    for _ in 0..2 {
        let gone = clients.remove(1);
        assert_eq!(gone.leave().await.ended, Some(Ended::Left));
    }
    for client in &mut clients {
        client.until("the departures", |s| s.participants.len() == 1 && !s.speaks("ben")).await;
    }
    let mut fay = join(&server, "fay").await;
    for other in ["ana", "dee"] {
        sees_and_hears(&mut fay, other).await;
    }
    for client in &mut clients {
        sees_and_hears(client, "fay").await;
    }
    for client in clients {
        client.leave().await;
    }
    fay.leave().await;
    server.process().terminate().expect("a signal");
    within("the end", server.process_mut().ended()).await.expect("an end").expect("a status");
    let log = server.process().log();
    let ends: Vec<&str> = log.lines().filter(|line| line.contains("media worker ends")).collect();
    assert_eq!(ends.len(), 2, "{log}");
    for line in ends {
        assert!(!line.contains("mirrored: 0,") && !line.contains("relayed: 0,"), "media crossed both ways: {line}");
        assert!(line.contains("relays_dropped=0"), "{line}");
    }
}

fn contains(message: &[u8], words: &[u8]) -> bool {
    message.windows(words.len()).any(|window| window == words)
}
