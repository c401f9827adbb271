//! Orders over real HTTP: who may give them, in which formats, and what each mistake is told.

// A test panics where its story ends differently.
#![allow(clippy::unwrap_used)]

mod server;

use ramai_signaling::Claims;
use server::{Answer, Server, serve, token};

/// A token that orders in room `r` come with.
fn host() -> String {
    token("ana", |c| c.video.room_admin = true, "secret")
}

/// A token of an application's server, with every grant it may have.
fn app(change: impl FnOnce(&mut Claims)) -> String {
    let all = |c: &mut Claims| {
        let grants = &mut c.video;
        (grants.room_join, grants.room_admin, grants.room_create, grants.room_list) = (false, true, true, true);
        change(c);
    };
    token("", all, "secret")
}

async fn call(server: &Server, method: &str, token: &str, body: &str) -> Answer {
    post(server, &format!("/twirp/livekit.RoomService/{method}"), token, "application/json", body).await
}

async fn post(server: &Server, path: &str, token: &str, content_type: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    server.ask("POST", path, &[("Authorization", &bearer), ("Content-Type", content_type)], body).await
}

#[tokio::test]
async fn a_room_lives_and_ends_by_json() {
    let server = serve().await;
    let app = app(|_| {});
    let made = call(&server, "CreateRoom", &app, r#"{"name":"r","emptyTimeout":60,"metadata":"m"}"#).await;
    assert_eq!((made.status, made.header("content-type")), (200, "application/json"), "{}", made.body);
    assert!(made.body.contains(r#""name":"r""#) && made.body.contains(r#""sid":"RM_"#), "{}", made.body);
    let listed = call(&server, "ListRooms", &app, "{}").await;
    assert!(listed.status == 200 && listed.body.contains(r#""metadata":"m""#), "{}", listed.body);
    let listed = call(&server, "ListRooms", &app, r#"{"names":["other"]}"#).await;
    assert_eq!((listed.status, listed.body.as_str()), (200, "{}"));
    let empty = call(&server, "ListParticipants", &app, r#"{"room":"r"}"#).await;
    assert_eq!((empty.status, empty.body.as_str()), (200, "{}"));
    assert_eq!(call(&server, "DeleteRoom", &app, r#"{"room":"r"}"#).await.status, 200);
    assert_eq!(call(&server, "DeleteRoom", &app, r#"{"room":"r"}"#).await.status, 404);
}

#[tokio::test]
async fn protobuf_is_answered_with_protobuf() {
    let server = serve().await;
    // `CreateRoomRequest { name: "r" }`.
    let path = "/twirp/livekit.RoomService/CreateRoom";
    let made = post(&server, path, &app(|_| {}), "application/protobuf", "\n\u{1}r").await;
    assert_eq!((made.status, made.header("content-type")), (200, "application/protobuf"));
    assert!(made.body.contains("RM_"));
}

#[tokio::test]
async fn each_mistake_has_its_code_and_status() {
    let server = serve().await;
    let host = host();
    let speaker = token("ben", |_| {}, "secret");
    let listener = token("cem", |c| c.video.can_publish = Some(false), "secret");
    let elsewhere = token("ana", |c| (c.video.room_admin, c.video.room) = (true, "other".into()), "secret");
    let forged = token("ana", |c| c.video.room_admin = true, "guess");
    let expired = token("ana", |c| (c.video.room_admin, c.exp) = (true, 1_000), "secret");
    let in_r = r#"{"room":"r"}"#;
    let about_ben = r#"{"room":"r","identity":"ben"}"#;
    call(&server, "CreateRoom", &app(|_| {}), r#"{"name":"r"}"#).await;
    for (method, token, body, status, code, words) in [
        ("ListParticipants", "", in_r, 401, "unauthenticated", "no access token"),
        ("ListParticipants", &forged, in_r, 401, "unauthenticated", "wrong signature"),
        ("ListParticipants", &expired, in_r, 401, "unauthenticated", "expired"),
        ("ListParticipants", "nonsense", in_r, 401, "unauthenticated", "cannot be read"),
        ("ListParticipants", &speaker, in_r, 403, "permission_denied", "roomAdmin"),
        ("ListParticipants", &elsewhere, in_r, 403, "permission_denied", "another room"),
        ("ListParticipants", &host, "{}", 403, "permission_denied", "another room"),
        ("RemoveParticipant", &speaker, about_ben, 403, "permission_denied", "roomAdmin"),
        ("RemoveParticipant", &listener, about_ben, 403, "permission_denied", "roomAdmin"),
        ("RemoveParticipant", &host, about_ben, 404, "not_found", "participant"),
        ("UpdateParticipant", &listener, about_ben, 403, "permission_denied", "roomAdmin"),
        ("MutePublishedTrack", &listener, about_ben, 403, "permission_denied", "roomAdmin"),
        ("CreateRoom", &host, r#"{"name":"x"}"#, 403, "permission_denied", "roomCreate"),
        ("DeleteRoom", &listener, in_r, 403, "permission_denied", "roomAdmin"),
        ("ListRooms", &host, "{}", 403, "permission_denied", "roomList"),
        ("CreateRoom", &app(|_| {}), r#"{"name":""}"#, 400, "invalid_argument", "name"),
        ("ListParticipants", &host, "", 400, "malformed", "JSON"),
        ("ListParticipants", &host, "[]", 400, "malformed", "JSON"),
        ("ListParticipants", &host, r#"{"room":7}"#, 400, "malformed", "JSON"),
        ("ListParticipants", &host, r#"{"room":"r"} tail"#, 400, "malformed", "JSON"),
        ("DropAllTables", &host, "{}", 404, "bad_route", "DropAllTables"),
    ] {
        let got = call(&server, method, token, body).await;
        assert_eq!(got.status, status, "{method} {body}: {}", got.body);
        assert!(got.body.contains(&format!(r#""code":"{code}""#)) && got.body.contains(words), "{}", got.body);
        assert_eq!((got.header("content-type"), got.header("access-control-allow-origin")), ("application/json", "*"));
    }
    let outcomes = server.signaling.counts().snapshot().orders;
    assert!(outcomes.contains(&("RemoveParticipant", "permission_denied", 2)), "{outcomes:?}");
    assert!(outcomes.contains(&("CreateRoom", "ok", 1)) && outcomes.contains(&("unknown", "bad_route", 1)));
}

#[tokio::test]
async fn what_is_no_call_at_all_is_told_so() {
    let server = serve().await;
    let host = host();
    let path = "/twirp/livekit.RoomService/ListParticipants";
    let text = post(&server, path, &host, "text/plain", "{}").await;
    assert!(text.status == 404 && text.body.contains("bad_route") && text.body.contains("text/plain"), "{}", text.body);
    let binary = post(&server, path, &host, "application/protobuf", "\u{7f}\u{7f}\u{7f}").await;
    assert!(binary.status == 400 && binary.body.contains("malformed"), "{}", binary.body);
    let other = post(&server, "/twirp/livekit.Egress/ListEgress", &host, "application/json", "{}").await;
    assert!(other.status == 404 && other.body.contains("bad_route"), "{}", other.body);
    let got = server.get(path).await;
    assert!(got.status == 404 && got.body.contains("POST"), "{} {}", got.status, got.body);
    let large = format!(r#"{{"room":"r","data":"{}"}}"#, "A".repeat(600 * 1024));
    let large = call(&server, "SendData", &host, &large).await;
    assert!(large.status == 400 && large.body.contains("512 KiB"), "{} {}", large.status, large.body);
}

#[tokio::test]
async fn a_page_of_another_site_may_ask() {
    let server = serve().await;
    let asked = [("Origin", "https://app.example"), ("Access-Control-Request-Method", "POST")];
    let answer = server.ask("OPTIONS", "/twirp/livekit.RoomService/SendData", &asked, "").await;
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (204, "*"));
    assert!(answer.header("access-control-allow-headers").contains("Authorization"));
}

#[tokio::test]
async fn a_server_going_down_takes_no_orders() {
    let server = serve().await;
    server.signaling.shutdown().await;
    let refused = call(&server, "CreateRoom", &app(|_| {}), r#"{"name":"r"}"#).await;
    assert!(refused.status == 503 && refused.body.contains("unavailable"), "{} {}", refused.status, refused.body);
}
