//! Joining over real WebSockets: tokens, first frames, malformed input, the demo page and going down.

// A test panics where its story ends differently.
#![allow(clippy::unwrap_used)]

mod server;

use futures_util::{SinkExt, StreamExt};
use livekit_protocol as proto;
use prost::Message as _;
use proto::signal_response::Message as Notice;
use ramai_sfu::api::Command;
use ramai_signaling::Strain;
use server::{Server, serve, serve_with, token};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;
const OFFER: &str = include_str!("fixtures/chromium-v1-join.sdp");
/// The same client publishes a camera and a microphone.
const PUBLISH: &str = include_str!("fixtures/chromium-v1-publish.sdp");
const CAMERA: &str = "a68eb99e-d47c-4266-9f70-704e3b36d9eb";

fn join_request(request: &proto::JoinRequest) -> String {
    use base64::Engine;
    let wrapped = proto::WrappedJoinRequest { compression: 0, join_request: request.encode_to_vec() };
    base64::engine::general_purpose::URL_SAFE.encode(wrapped.encode_to_vec())
}

fn offer(sdp: &str, id: u32) -> proto::SessionDescription {
    proto::SessionDescription { r#type: "offer".into(), sdp: sdp.into(), id, ..Default::default() }
}

fn first_offer() -> String {
    let connection_settings = Some(proto::ConnectionSettings { auto_subscribe: true, ..Default::default() });
    join_request(&proto::JoinRequest {
        publisher_offer: Some(offer(OFFER, 1)),
        connection_settings,
        ..Default::default()
    })
}

async fn enter(server: &Server, who: &str) -> Socket {
    let url = format!(
        "ws://{}/rtc/v1?access_token={}&join_request={}",
        server.address,
        token(who, |_| {}, "secret"),
        first_offer()
    );
    connect_async(url).await.unwrap().0
}

/// The next word, tokens left out: these come when they are due.
async fn hear(socket: &mut Socket) -> Notice {
    loop {
        match hear_any(socket).await {
            Notice::RefreshToken(_) => {}
            notice => return notice,
        }
    }
}

async fn hear_any(socket: &mut Socket) -> Notice {
    let frame = tokio::time::timeout(Duration::from_secs(5), socket.next()).await.unwrap().unwrap().unwrap();
    proto::SignalResponse::decode(frame.into_data()).unwrap().message.unwrap()
}

async fn end(socket: &mut Socket) -> (u16, String) {
    loop {
        match tokio::time::timeout(Duration::from_secs(5), socket.next()).await.unwrap() {
            Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.to_string()),
            Some(Ok(_)) => {}
            other => return (0, format!("{other:?}")),
        }
    }
}

fn request(message: proto::signal_request::Message) -> Message {
    Message::binary(proto::SignalRequest { message: Some(message) }.encode_to_vec())
}

#[tokio::test]
async fn a_client_joins_and_its_wire_is_set_up() {
    let mut server = serve().await;
    let mut ana = enter(&server, "ana").await;
    assert!(matches!(hear(&mut ana).await, Notice::Join(_)));
    let Notice::Answer(answer) = hear(&mut ana).await else { panic!() };
    assert!(answer.sdp.contains("a=ice-lite"));
    assert!(matches!(server.commands.recv().await, Some(Command::AttachTransport { .. })));
    let ping = proto::Ping { timestamp: 5, rtt: 0 };
    ana.send(request(proto::signal_request::Message::PingReq(ping))).await.unwrap();
    let Notice::PongResp(pong) = hear(&mut ana).await else { panic!() };
    assert_eq!(pong.last_ping_timestamp, 5);
}

#[tokio::test]
async fn over_v0_the_server_offers() {
    let server = serve().await;
    let url = format!(
        "ws://{}/rtc?access_token={}&sdk=js&protocol=16&auto_subscribe=1",
        server.address,
        token("old", |_| {}, "secret")
    );
    let mut old = connect_async(url).await.unwrap().0;
    let Notice::Join(join) = hear(&mut old).await else { panic!() };
    assert!(join.subscriber_primary);
    assert!(matches!(hear(&mut old).await, Notice::Offer(_)));
}

/// Everything up to and with the next word that `wanted` finds something in.
async fn hear_until<T>(socket: &mut Socket, mut wanted: impl FnMut(Notice) -> Option<T>) -> T {
    loop {
        if let Some(found) = wanted(hear(socket).await) {
            return found;
        }
    }
}

#[tokio::test]
async fn who_takes_what_comes_is_sent_a_few_cameras_of_many_and_more_when_it_asks() {
    let many = |settings: &mut ramai_signaling::Settings| {
        (settings.max_participants, settings.auto_subscribe_videos) = (0, 1);
    };
    let server = serve_with(many, Arc::new(Strain::default)).await;
    let (mut cameras, mut publishers) = (Vec::new(), Vec::new());
    for who in ["ana", "ben", "cai"] {
        let mut socket = enter(&server, who).await;
        let mut camera = proto::AddTrackRequest { cid: CAMERA.into(), ..Default::default() };
        camera.set_type(proto::TrackType::Video);
        camera.set_source(proto::TrackSource::Camera);
        socket.send(request(proto::signal_request::Message::AddTrack(camera))).await.unwrap();
        socket.send(request(proto::signal_request::Message::Offer(offer(PUBLISH, 2)))).await.unwrap();
        let published = hear_until(&mut socket, |notice| match notice {
            Notice::TrackPublished(published) => published.track,
            _ => None,
        });
        cameras.push(published.await.sid);
        publishers.push(socket);
    }
    let mut naive = enter(&server, "naive").await;
    let sent = |notice| match notice {
        Notice::Answer(answer) => Some(answer.mid_to_track_id.into_values().collect::<Vec<_>>()),
        _ => None,
    };
    assert_eq!(hear_until(&mut naive, sent).await, cameras[..1]);

    let more = proto::UpdateSubscription { track_sids: cameras.clone(), subscribe: true, ..Default::default() };
    naive.send(request(proto::signal_request::Message::Subscription(more))).await.unwrap();
    let asked = |notice| if let Notice::MediaSectionsRequirement(asked) = notice { Some(asked) } else { None };
    hear_until(&mut naive, asked).await;
    naive.send(request(proto::signal_request::Message::Offer(offer(OFFER, 2)))).await.unwrap();
    let mut all = hear_until(&mut naive, sent).await;
    all.sort();
    cameras.sort();
    assert_eq!(all, cameras);
}

#[tokio::test]
async fn a_refused_token_says_why_on_validate_and_upgrade() {
    let server = serve().await;
    let expired = token("ana", |c| c.exp = 1_000, "secret");
    let forged = token("ana", |_| {}, "guess");
    let idle = token("ana", |c| c.video.room_join = false, "secret");
    for (token, status, words) in [
        (&expired, 401, "expired"),
        (&forged, 401, "wrong signature"),
        (&idle, 403, "not allow to join"),
        (&String::new(), 401, "no access token"),
    ] {
        for path in ["/rtc/validate", "/rtc/v1/validate"] {
            let got = server.get(&format!("{path}?access_token={token}&join_request={}", first_offer())).await;
            assert_eq!((got.status, got.header("access-control-allow-origin")), (status, "*"));
            assert!(got.body.contains(words), "{}", got.body);
        }
        let url = format!("ws://{}/rtc?access_token={token}", server.address);
        assert!(connect_async(url).await.is_err());
    }
    let good = token("ana", |_| {}, "secret");
    let got = server.get(&format!("/rtc/v1/validate?access_token={good}&join_request={}", first_offer())).await;
    assert_eq!(got.status, 200);
    let got = server.get(&format!("/rtc/v1/validate?access_token={good}&join_request=!!")).await;
    assert!(got.status == 400 && got.body.contains("base64url"), "{}", got.body);
}

#[tokio::test]
async fn a_full_room_is_said_in_words() {
    let server = serve().await;
    let (mut ana, mut ben) = (enter(&server, "ana").await, enter(&server, "ben").await);
    hear(&mut ana).await;
    hear(&mut ben).await;
    let token = token("cem", |_| {}, "secret");
    let got = server.get(&format!("/rtc/validate?access_token={token}")).await;
    assert!(got.status == 403 && got.body.contains("the room is full"), "{}", got.body);
}

#[tokio::test]
async fn malformed_frames_end_only_the_socket_they_came_on() {
    let server = serve().await;
    let mut ana = enter(&server, "ana").await;
    hear(&mut ana).await;
    hear(&mut ana).await;
    for (frame, code) in [
        (Message::text("{\"offer\":{}}"), 1003),
        (Message::binary(vec![0xff; 64]), 1007),
        (Message::binary(vec![0; 3 * 1024 * 1024]), 1009),
    ] {
        let mut bad = enter(&server, "bad").await;
        hear(&mut bad).await;
        bad.send(frame).await.ok();
        let (got, words) = end(&mut bad).await;
        // An oversize frame may be cut off before the farewell can be read.
        assert!(got == code || (code == 1009 && got == 0), "{got} {words}");
    }
    let garbage =
        proto::SessionDescription { r#type: "offer".into(), sdp: "\u{0}nonsense".into(), ..Default::default() };
    ana.send(request(proto::signal_request::Message::Offer(garbage))).await.unwrap();
    loop {
        match hear(&mut ana).await {
            Notice::RequestResponse(response) => break assert!(response.message.contains("SDP")),
            Notice::Update(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn the_page_and_its_tokens_are_served() {
    let server = serve().await;
    for path in ["/", "/r/some-room"] {
        let got = server.get(path).await;
        assert!(got.status == 200 && got.body.contains("<!doctype html>"));
    }
    assert_eq!(server.get("/health").await.status, 200);
    assert_eq!(server.get("/assets/none.js").await.status, 404);
    let post =
        async |body: &str| server.ask("POST", "/demo/token", &[("Content-Type", "application/json")], body).await;
    let got = post(r#"{"room":"r","name":"Ana"}"#).await;
    assert!(got.status == 200 && got.body.contains("\"token\":\"ey"), "{}", got.body);
    let got = post(r#"{"room":"","name":"Ana"}"#).await;
    assert!(got.status == 400 && got.body.contains("\"error\""), "{}", got.body);
}

#[tokio::test]
async fn going_down_tells_clients_to_come_back() {
    let server = serve().await;
    let mut ana = enter(&server, "ana").await;
    hear(&mut ana).await;
    hear(&mut ana).await;
    server.signaling.shutdown().await;
    let Notice::Leave(leave) = hear(&mut ana).await else { panic!() };
    assert_eq!(leave.reason(), proto::DisconnectReason::ServerShutdown);
    assert_eq!(leave.action(), proto::leave_request::Action::Reconnect);
    assert_eq!(end(&mut ana).await.0, 1000);
}

#[tokio::test]
async fn a_client_is_given_a_token_with_which_it_can_come_back() {
    let server = serve().await;
    let mut ana = enter(&server, "ana").await;
    let refreshed = loop {
        if let Notice::RefreshToken(token) = hear_any(&mut ana).await {
            break token;
        }
    };
    assert_ne!(refreshed, token("ana", |_| {}, "secret"));
    drop(ana);
    let url = format!("ws://{}/rtc?access_token={refreshed}&sdk=js&protocol=16", server.address);
    let (mut back, _) = connect_async(url).await.unwrap();
    let Notice::Join(join) = hear(&mut back).await else { panic!() };
    assert_eq!(join.participant.unwrap().identity, "ana");
}
