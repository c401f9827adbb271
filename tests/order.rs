//! Orders among real clients that don't follow them: their clients go on sending and asking, and the server sees to it alone.
#![allow(clippy::expect_used, reason = "a test that cannot go on has failed")]

use livekit_protocol::TrackSource;
use ramai_test_support::{Client, Ended, Error, Join, Server, State, http, token};

const ROOM: &str = "den";
/// Packets that ben sends while ana must hear none: a second's worth and more.
const MANY: u64 = 100;

async fn server() -> Server {
    Server::start(env!("CARGO_BIN_EXE_ramai"), &[]).await.expect("a server")
}

async fn join(server: &Server, identity: &str) -> Client {
    Client::join(server.http(), Join::new(ROOM, identity).publishing()).await.expect("a join")
}

/// An order of ana's, who is the host.
async fn order(server: &Server, method: &str, more: &str) -> http::Answer {
    let body = format!(r#"{{"room":"{ROOM}"{more}}}"#);
    http::order(server.http(), method, &token::mint_host(ROOM, "ana"), &body).await.expect("an answer")
}

async fn obeyed(server: &Server, method: &str, more: &str) {
    let answer = order(server, method, more).await;
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// Waits until `client` has sent so much more.
async fn goes_on_sending(client: &mut Client) {
    let before = client.state().sent;
    client.until("its own packets", |s| s.sent >= before + MANY).await;
}

fn sid(client: &Client, source: TrackSource) -> String {
    client.state().published.iter().find(|t| t.source() == source).expect("a track").sid.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_who_was_muted_whatever_it_sends() {
    let server = server().await;
    let (mut ana, mut ben) = (join(&server, "ana").await, join(&server, "ben").await);
    ana.until("ben", |s| s.frames("ben") >= 10 && s.heard("ben") >= 20).await;
    let muted = |source| format!(r#","identity":"ben","trackSid":"{}","muted":true"#, sid(&ben, source));
    let (microphone, camera) = (muted(TrackSource::Microphone), muted(TrackSource::Camera));
    obeyed(&server, "livekit.RoomService/MutePublishedTrack", &microphone).await;
    // What was under way arrives; then ben, who takes no notice, is seen and not heard.
    goes_on_sending(&mut ben).await;
    let before = ana.state();
    goes_on_sending(&mut ben).await;
    ana.until("ben's picture", |s| s.frames("ben") >= before.frames("ben") + 10).await;
    assert_eq!(ana.state().heard("ben"), before.heard("ben"));
    obeyed(&server, "livekit.RoomService/MutePublishedTrack", &camera).await;
    goes_on_sending(&mut ben).await;
    let before = ana.state().frames("ben");
    goes_on_sending(&mut ben).await;
    assert_eq!(ana.state().frames("ben"), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_no_longer_publish_is_not_forwarded_and_who_is_removed_is_gone() {
    let server = server().await;
    let (mut ana, mut ben) = (join(&server, "ana").await, join(&server, "ben").await);
    ana.until("ben", |s| s.frames("ben") >= 10).await;
    let permission = r#","identity":"ben","permission":{"canSubscribe":true}"#;
    obeyed(&server, "livekit.RoomService/UpdateParticipant", permission).await;
    ana.until("ben without tracks", |s| s.participants["ben"].tracks.is_empty()).await;
    goes_on_sending(&mut ben).await;
    let packets = |client: &Client| client.state().received.values().map(|m| m.packets).sum::<u64>();
    let before = packets(&ana);
    goes_on_sending(&mut ben).await;
    assert_eq!(packets(&ana), before);
    let heard = ben.state().heard("ana");
    ben.until("ana, whom it may still hear", |s| s.heard("ana") > heard).await;

    obeyed(&server, "livekit.RoomService/RemoveParticipant", r#","identity":"ben""#).await;
    ben.until("the end", |s| matches!(s.ended, Some(Ended::Asked(_)))).await;
    let again = Client::join(server.http(), Join::new(ROOM, "ben")).await.err();
    assert!(matches!(&again, Some(Error::Refused(403, words)) if words.contains("removed")), "{again:?}");
}

fn words(state: &State) -> Vec<String> {
    state.data.iter().map(|message| String::from_utf8_lossy(message).into_owned()).collect()
}

fn has_word(state: &State, word: &str) -> bool {
    words(state).iter().any(|heard| heard.contains(word))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_gets_neither_roster_nor_media_nor_messages() {
    let server = server().await;
    let mut ana = Client::join(server.http(), Join::new(ROOM, "ana").by(&token::mint_host(ROOM, "ana")).publishing())
        .await
        .expect("a join");
    // News of the room come over it.
    ana.until("its channels", |s| !s.channels.is_empty()).await;
    obeyed(&server, "ramai.Moderation/SetRoom", r#","waitingRoom":true"#).await;
    let mut cem = Client::join(server.http(), Join::new(ROOM, "cem")).await.expect("a join");
    cem.until("its channels", |s| !s.channels.is_empty()).await;
    ana.until("who waits", |s| s.participants.contains_key("cem")).await;
    ana.say("among ourselves").await;
    cem.say("hello?").await;
    goes_on_sending(&mut ana).await;
    let outside = cem.state();
    assert!(outside.participants.is_empty() && outside.received.is_empty() && outside.data.is_empty(), "{outside:?}");

    obeyed(&server, "ramai.Moderation/Admit", r#","identity":"cem""#).await;
    cem.until("ana", |s| s.frames("ana") >= 10 && s.heard("ana") >= 20).await;
    ana.say("welcome").await;
    // Messages are in order: had there been others before, they were here.
    cem.until("a word", |s| has_word(s, "welcome")).await;
    let news = |words: &[String]| words.iter().filter(|word| word.contains("ramai.room")).count();
    let heard = words(&cem.state());
    assert!(news(&heard) == 1 && heard.len() == 2, "how the door is, and the welcome: {heard:?}");
    cem.say("thanks").await;
    ana.until("a word", |s| has_word(s, "thanks")).await;
    let heard = words(&ana.state());
    assert!(news(&heard) > 0 && heard.len() == news(&heard) + 1, "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_room_is_shut_over_every_protocol() {
    let server = server().await;
    let _ana = join(&server, "ana").await;
    obeyed(&server, "ramai.Moderation/SetRoom", r#","locked":true"#).await;
    let refused = Client::join(server.http(), Join::new(ROOM, "dee")).await;
    assert!(matches!(refused, Err(Error::Refused(..))), "{:?}", refused.err());
    let bearer = token::mint(ROOM, "cam");
    let offer = include_str!("../signaling/tests/fixtures/chromium-v0-publish.sdp");
    let request = format!(
        "POST /whip HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/sdp\r\n\
         Authorization: Bearer {bearer}\r\nContent-Length: {}\r\n\r\n{offer}",
        offer.len()
    );
    let answer = http::raw(server.http(), request.as_bytes()).await.expect("an answer");
    assert_eq!((answer.status, answer.body.as_str()), (403, "the room is locked"));
}
