//! Tokens of the demo page: who makes a room is its host, an invite decides what others are, and a host's token gives orders.

// A test panics where its story ends differently.
#![allow(clippy::unwrap_used)]

mod server;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ramai_signaling::Claims;
use serde_json::{Value, json};
use server::{Answer, Server, serve};

/// A browser that asks for tokens and keeps cookies.
#[derive(Default)]
struct Browser {
    cookie: String,
}

impl Browser {
    async fn ask(&mut self, server: &Server, wish: Value) -> Answer {
        let headers = [("Content-Type", "application/json"), ("Cookie", self.cookie.as_str())];
        let answer = server.ask("POST", "/demo/token", &headers, &wish.to_string()).await;
        let set = answer.header("set-cookie");
        if !set.is_empty() {
            assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
            self.cookie = set.split(';').next().unwrap().to_owned();
        }
        answer
    }

    async fn token(&mut self, server: &Server, who: &str, invite: Option<&str>) -> (String, Claims) {
        let mut wish = json!({ "room": "den", "name": who, "identity": who });
        if let Some(invite) = invite {
            wish["invite"] = invite.into();
        }
        let answer = self.ask(server, wish).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        let token = body["token"].as_str().unwrap().to_owned();
        let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
        (token, serde_json::from_slice(&claims).unwrap())
    }
}

async fn moderate(server: &Server, method: &str, token: &str, body: Value) -> (u16, Value) {
    let bearer = format!("Bearer {token}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let answer = server.ask("POST", &format!("/twirp/ramai.Moderation/{method}"), &headers, &body.to_string()).await;
    (answer.status, serde_json::from_str(&answer.body).unwrap())
}

#[tokio::test]
async fn who_makes_a_room_is_its_host_and_known_again_by_its_browser() {
    let server = serve().await;
    let (mut ana, mut ben) = (Browser::default(), Browser::default());
    assert!(ana.token(&server, "ana", None).await.1.video.room_admin);
    let (_, second) = ben.token(&server, "ben", None).await;
    assert!(!second.video.room_admin && second.video.publish());
    assert!(ana.token(&server, "ana", None).await.1.video.room_admin, "after a reload");
    assert!(!ben.token(&server, "ana", None).await.1.video.room_admin, "an identity is no secret");
    assert!(!Browser::default().token(&server, "ana", None).await.1.video.room_admin);
}

#[tokio::test]
async fn an_invite_decides_the_role() {
    let server = serve().await;
    let (mut ana, mut ben) = (Browser::default(), Browser::default());
    let (host, _) = ana.token(&server, "ana", None).await;
    let (status, made) = moderate(&server, "Invite", &host, json!({ "room": "den", "role": "listener" })).await;
    assert_eq!(status, 200, "{made}");
    let listener = made["invite"].as_str().unwrap().to_owned();
    let claims = ben.token(&server, "ben", Some(&listener)).await.1;
    assert!(!claims.video.publish() && claims.video.subscribe() && claims.video.publish_data(), "it may write");
    let (_, made) = moderate(&server, "Invite", &host, json!({ "room": "den", "role": "speaker" })).await;
    let claims = ben.token(&server, "ben", made["invite"].as_str()).await.1;
    assert!(claims.video.publish() && !claims.video.room_admin);
    assert!(ana.token(&server, "ana", Some(&listener)).await.1.video.room_admin, "a host who tries its own link");

    // The invite names the room, and is for no other.
    let answer = ben.ask(&server, json!({ "name": "ben", "invite": listener })).await;
    assert!(answer.status == 200 && answer.body.contains(r#""room":"den""#), "{}", answer.body);
    let answer = ben.ask(&server, json!({ "name": "ben", "room": "other", "invite": listener })).await;
    assert!(answer.status == 403 && answer.body.contains("another room"), "{}", answer.body);
    let answer = ben.ask(&server, json!({ "name": "ben", "room": "den", "invite": "nonsense" })).await;
    assert!(answer.status == 403 && answer.body.contains("not valid"), "{}", answer.body);
    let answer = ben.ask(&server, json!({ "name": "ben", "room": "den", "invite": host })).await;
    assert!(answer.status == 403 && answer.body.contains("not valid"), "{}", answer.body);
}

#[tokio::test]
async fn a_host_moderates_and_nobody_else() {
    let server = serve().await;
    let (host, _) = Browser::default().token(&server, "ana", None).await;
    let (speaker, _) = Browser::default().token(&server, "ben", None).await;
    let room = json!({ "room": "den" });
    // Nobody has come yet.
    let (status, answer) = moderate(&server, "GetRoom", &host, room.clone()).await;
    assert_eq!((status, &answer["code"]), (404, &json!("not_found")));
    let app = server::token("", |c| c.video.room_create = true, "secret");
    let headers = [("Authorization", &*format!("Bearer {app}")), ("Content-Type", "application/json")];
    let made = server.ask("POST", "/twirp/livekit.RoomService/CreateRoom", &headers, r#"{"name":"den"}"#).await;
    assert_eq!(made.status, 200, "{}", made.body);

    let open = json!({ "locked": false, "waitingRoom": false });
    assert_eq!(moderate(&server, "GetRoom", &host, room.clone()).await, (200, open));
    let wish = json!({ "room": "den", "waitingRoom": true });
    let waiting = json!({ "locked": false, "waitingRoom": true });
    assert_eq!(moderate(&server, "SetRoom", &host, wish).await, (200, waiting.clone()));
    assert_eq!(moderate(&server, "GetRoom", &host, room.clone()).await, (200, waiting));
    assert_eq!(moderate(&server, "MuteAll", &host, room.clone()).await, (200, json!({ "muted": 0 })));
    let nobody = json!({ "room": "den", "identity": "cem" });
    assert_eq!(moderate(&server, "Admit", &host, nobody.clone()).await.0, 404);
    let long = json!({ "room": "den", "role": "listener", "ttlSeconds": 1_000_000_000 });
    let (status, answer) = moderate(&server, "Invite", &host, long.clone()).await;
    assert_eq!((status, &answer["code"]), (400, &json!("invalid_argument")));
    let boss = json!({ "room": "den", "role": "host" });
    assert_eq!(moderate(&server, "Invite", &host, boss).await.1["code"], json!("malformed"));

    for (method, wish) in
        [("GetRoom", room.clone()), ("SetRoom", room.clone()), ("MuteAll", room), ("Admit", nobody), ("Invite", long)]
    {
        let (status, answer) = moderate(&server, method, &speaker, wish).await;
        assert_eq!((status, &answer["code"]), (403, &json!("permission_denied")), "{method}");
    }
}

#[tokio::test]
async fn a_locked_room_says_so_to_whoever_asks_first() {
    let server = serve().await;
    let app = server::token("", |c| (c.video.room_create, c.video.room_admin) = (true, true), "secret");
    let bearer = format!("Bearer {app}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    server.ask("POST", "/twirp/livekit.RoomService/CreateRoom", &headers, r#"{"name":"r"}"#).await;
    let locked = moderate(&server, "SetRoom", &app, json!({ "room": "r", "locked": true })).await;
    assert_eq!(locked.0, 200, "{}", locked.1);
    let ben = server::token("ben", |_| {}, "secret");
    let refused = server.get(&format!("/rtc/validate?access_token={ben}")).await;
    assert_eq!((refused.status, refused.body.as_str()), (403, "the room is locked"));
    let host = server::token("ana", |c| c.video.room_admin = true, "secret");
    assert_eq!(server.get(&format!("/rtc/validate?access_token={host}")).await.status, 200);
}
