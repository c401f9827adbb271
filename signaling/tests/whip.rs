//! WHIP and WHEP over real HTTP with browsers' offers: what each status says, what the others see, and what is left at the end.

// A test panics where its story ends differently.
#![allow(clippy::unwrap_used)]

mod server;

use ramai_sfu::api::Command;
use ramai_signaling::Claims;
use server::{Answer, Server, serve, token};

/// Camera in three layers and microphone, both sendonly.
const PUBLISH: &str = include_str!("fixtures/chromium-v0-publish.sdp");
const FIREFOX_PUBLISH: &str = include_str!("fixtures/firefox-v0-publish.sdp");
/// Three audio and three video sections, all recvonly, and data channels.
const WATCH: &str = include_str!("fixtures/chromium-v1-join.sdp");

fn good(who: &str) -> String {
    token(who, |_| {}, "secret")
}

async fn post(server: &Server, path: &str, token: &str, content_type: &str, body: &str) -> Answer {
    let bearer = format!("Bearer {token}");
    server.ask("POST", path, &[("Authorization", &bearer), ("Content-Type", content_type)], body).await
}

async fn offer(server: &Server, path: &str, who: &str, sdp: &str) -> Answer {
    post(server, path, &good(who), "application/sdp", sdp).await
}

async fn delete(server: &Server, location: &str, token: &str) -> Answer {
    server.ask("DELETE", location, &[("Authorization", &format!("Bearer {token}"))], "").await
}

fn commands(server: &mut Server) -> Vec<Command> {
    std::iter::from_fn(|| server.commands.try_recv().ok()).collect()
}

#[tokio::test]
async fn an_encoder_publishes_and_leaves() {
    for sdp in [PUBLISH, FIREFOX_PUBLISH] {
        let mut server = serve().await;
        let created = offer(&server, "/whip", "cam", sdp).await;
        assert_eq!((created.status, created.header("content-type")), (201, "application/sdp"), "{}", created.body);
        assert_eq!(created.body.matches("a=recvonly").count(), 2, "{}", created.body);
        assert!(created.body.contains("a=simulcast:recv q;h;f") && created.body.contains("a=setup:passive"));
        let etag = created.header("etag");
        assert!(etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'));
        assert_eq!(created.header("access-control-allow-origin"), "*");
        assert_eq!(created.header("access-control-expose-headers"), "Location, ETag, Link");
        let wire = commands(&mut server);
        assert!(
            matches!(
                wire.as_slice(),
                [Command::AttachTransport { .. }, Command::Publish { .. }, Command::Publish { .. }]
            ),
            "{wire:?}"
        );

        let location = created.header("location");
        assert!(location.strip_prefix("/whip/").unwrap().len() >= 32);
        assert_eq!(delete(&server, location, &token("cam", |_| {}, "guess")).await.status, 401);
        assert_eq!(delete(&server, location, "").await.status, 401);
        assert_eq!(delete(&server, location, &good("ana")).await.status, 403);
        let elsewhere = token("cam", |c| c.video.room = "other".into(), "secret");
        assert_eq!(delete(&server, location, &elsewhere).await.status, 403);
        assert_eq!(delete(&server, &location.replace("whip", "whep"), &good("cam")).await.status, 404);
        assert!(commands(&mut server).is_empty());
        assert_eq!(delete(&server, location, &good("cam")).await.status, 200);
        let left = commands(&mut server);
        assert_eq!(left.iter().filter(|c| matches!(c, Command::Unpublish { .. })).count(), 2);
        assert!(matches!(left.last(), Some(Command::CloseTransport { .. })));
        assert_eq!(delete(&server, location, &good("cam")).await.status, 404);
    }
}

#[tokio::test]
async fn a_player_watches_and_leaves() {
    let mut server = serve().await;
    offer(&server, "/whip", "cam", PUBLISH).await;
    commands(&mut server);
    let created = offer(&server, "/whep?participants=cam", "tv", WATCH).await;
    assert_eq!(created.status, 201, "{}", created.body);
    assert_eq!(created.body.matches("a=sendonly").count(), 2);
    assert_eq!(created.body.matches("a=inactive").count(), 4);
    let subscribed = commands(&mut server);
    assert_eq!(subscribed.iter().filter(|c| matches!(c, Command::Subscribe { .. })).count(), 2);
    let location = created.header("location");
    assert!(location.starts_with("/whep/"));
    assert_eq!(delete(&server, location, &good("tv")).await.status, 200);
    assert!(matches!(commands(&mut server).as_slice(), [Command::CloseTransport { .. }]));
}

#[tokio::test]
async fn each_refusal_has_its_status_and_words() {
    let server = serve().await;
    let sdp = "application/sdp";
    let deny = |change: fn(&mut Claims)| token("cam", change, "secret");
    let large = "a".repeat(2 * 1024 * 1024);
    let good = good("cam");
    let no_ice = PUBLISH.replace("a=ice-ufrag", "a=x");
    for (path, token, content_type, body, status, words) in [
        ("/whip", "", sdp, PUBLISH, 401, "no access token"),
        ("/whep", "", sdp, WATCH, 401, "no access token"),
        ("/whip", &deny(|c| c.exp = 1_000), sdp, PUBLISH, 401, "expired"),
        ("/whip", &deny(|c| c.video.can_publish = Some(false)), sdp, PUBLISH, 403, "allow to publish"),
        ("/whip", &deny(|c| c.video.can_publish_sources = vec!["camera".into()]), sdp, PUBLISH, 403, "microphone"),
        ("/whep", &deny(|c| c.video.can_subscribe = Some(false)), sdp, WATCH, 403, "allow to subscribe"),
        ("/whip", &deny(|c| c.video.room = "x".repeat(300)), sdp, PUBLISH, 400, "too long"),
        ("/whip", &good, "text/plain", PUBLISH, 415, "application/sdp"),
        ("/whip", &good, sdp, &large, 413, "too large"),
        ("/whip", &good, sdp, "hello", 400, "cannot be parsed"),
        ("/whip", &good, sdp, "", 400, ""),
        ("/whip", &good, sdp, &no_ice, 422, "ICE credentials"),
        ("/whip", &good, sdp, WATCH, 422, "no section of it sends"),
        ("/whep", &good, sdp, PUBLISH, 422, "no section of it receives"),
        ("/whep", &good, sdp, WATCH, 404, "nobody publishes"),
        ("/whep?participants=ana", &good, sdp, WATCH, 404, "nobody publishes"),
    ] {
        let got = post(&server, path, token, content_type, body).await;
        assert_eq!(got.status, status, "{path} {words}: {}", got.body);
        assert!(got.body.contains(words), "{words}: {}", got.body);
        assert_eq!(got.header("access-control-allow-origin"), "*");
        assert_eq!(got.header("www-authenticate") == "Bearer", status == 401);
        assert_eq!(got.header("retry-after") == "2", status == 404);
    }
}

#[tokio::test]
async fn a_full_room_lets_no_encoder_in_but_the_one_that_comes_back() {
    let mut server = serve().await;
    assert_eq!(offer(&server, "/whip", "cam", PUBLISH).await.status, 201);
    assert_eq!(offer(&server, "/whep", "tv", WATCH).await.status, 201);
    let full = offer(&server, "/whip", "late", PUBLISH).await;
    assert!(full.status == 403 && full.body.contains("full"), "{}", full.body);
    commands(&mut server);
    assert_eq!(offer(&server, "/whip", "cam", PUBLISH).await.status, 201);
    let closed = commands(&mut server).iter().filter(|c| matches!(c, Command::CloseTransport { .. })).count();
    assert_eq!(closed, 1, "the older session of the same identity");
}

#[tokio::test]
async fn what_can_be_done_where_is_told() {
    let server = serve().await;
    let location = offer(&server, "/whip", "cam", PUBLISH).await.header("location").to_owned();
    for (path, methods) in [("/whip", "POST"), ("/whep", "POST"), (location.as_str(), "DELETE")] {
        let asked =
            server.ask("OPTIONS", path, &[("Origin", "http://a"), ("Access-Control-Request-Method", "POST")], "").await;
        assert_eq!((asked.status, asked.header("accept-post")), (204, "application/sdp"));
        assert!(asked.header("access-control-allow-methods").contains(methods));
        assert!(asked.header("access-control-allow-headers").contains("Authorization"));
        assert_eq!(asked.header("access-control-allow-origin"), "*");
        for method in ["GET", "PUT", "PATCH"] {
            let refused = server.ask(method, path, &[], "").await;
            assert_eq!(refused.status, 405);
            assert!(refused.header("allow").contains(methods), "{}", refused.header("allow"));
            assert_eq!(refused.body.contains("trickle"), method == "PATCH");
        }
    }
}

#[tokio::test]
async fn a_server_going_down_says_when_to_come_back() {
    let server = serve().await;
    server.signaling.shutdown().await;
    let refused = offer(&server, "/whip", "cam", PUBLISH).await;
    assert_eq!((refused.status, refused.header("retry-after")), (503, "2"));
}
