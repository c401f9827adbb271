//! Tokens that let nobody in: each refusal has its status and its words, the same at the upgrade and at `/validate`.

use crate::scene::beside_a_call;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use livekit_protocol::JoinRequest;
use ramai_test_support::token::{DEV_SECRET, claims, sign};
use ramai_test_support::{Error, http, signal};
use serde_json::{Value, json};

/// Claims with one thing changed.
fn with(pointer: &str, value: Value) -> Value {
    let mut claims = claims("den", "eve");
    *claims.pointer_mut(pointer).expect("a claim that is there") = value;
    claims
}

fn tokens() -> Vec<(&'static str, String, u16, &'static str)> {
    let good = sign(&claims("den", "eve"), DEV_SECRET);
    let (head, tail) = good.rsplit_once('.').expect("three parts");
    let none = URL_SAFE_NO_PAD.encode(json!({ "alg": "none", "typ": "JWT" }).to_string());
    let body = URL_SAFE_NO_PAD.encode(claims("den", "eve").to_string());
    let signed = |claims: &Value| sign(claims, DEV_SECRET);
    vec![
        ("none at all", String::new(), 401, "no access token"),
        ("no JWT", "x".repeat(300), 401, "cannot be read"),
        ("too long", format!("{head}{}.{tail}", "A".repeat(40_000)), 401, "cannot be read"),
        ("signed with another secret", sign(&claims("den", "eve"), "another secret"), 401, "wrong signature"),
        ("signature cut off", format!("{head}."), 401, ""),
        ("algorithm none", format!("{none}.{body}."), 401, ""),
        ("algorithm none, signed", format!("{none}.{body}.{tail}"), 401, ""),
        ("of an unknown key", signed(&with("/iss", json!("stranger"))), 401, "does not know"),
        ("expired", signed(&with("/exp", json!(1_600_000_000))), 401, "expired"),
        ("without expiry", signed(&with("/exp", Value::Null)), 401, ""),
        ("without identity", signed(&with("/sub", json!(""))), 401, "identity"),
        ("without the grant", signed(&with("/video", json!({ "room": "den" }))), 403, "not allow to join"),
        ("without a room", signed(&with("/video", json!({ "roomJoin": true }))), 403, "not allow to join"),
        ("grants of the wrong shape", signed(&with("/video", json!("all"))), 401, "cannot be read"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_tokens_are_refused_in_words() {
    beside_a_call(async |scene| {
        let server = scene.server.http();
        let join = JoinRequest::default();
        for (what, token, status, words) in tokens() {
            let paths = [signal::v1_path(&token, &join), signal::v0_path(&token)];
            for path in paths {
                match signal::connect(server, &path).await {
                    Err(Error::Refused(got, text)) => {
                        assert!(got == status && text.contains(words), "{what}: {got} {text}")
                    }
                    other => panic!("a token {what}: {other:?}"),
                }
                let validate = path.replacen('?', "/validate?", 1);
                let answer = http::get(server, &validate).await.expect("an answer");
                assert!(answer.status == status && answer.body.contains(words), "{what}: {answer:?}");
                assert!(answer.head.to_lowercase().contains("access-control-allow-origin: *"), "{what}: {answer:?}");
            }
        }
        assert!(!scene.server.process().log().contains("eyJ"), "a token is in the log");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_token_is_for_its_own_room_only_and_needs_a_join_request() {
    beside_a_call(async |scene| {
        let server = scene.server.http();
        let token = sign(&claims("den", "eve"), DEV_SECRET);
        for (path, status, words) in [
            (format!("{}&room=quiet", signal::v0_path(&token)), 403, "another room"),
            (format!("/rtc/v1?access_token={token}"), 400, "join_request is missing"),
            (format!("/rtc/v1?access_token={token}&join_request=%00"), 400, "join_request"),
            (format!("/rtc/v1?access_token={token}&join_request=AAAA"), 400, "join_request"),
        ] {
            match signal::connect(server, &path).await {
                Err(Error::Refused(got, text)) => {
                    assert!(got == status && text.contains(words), "{path}: {got} {text}")
                }
                other => panic!("{path}: {other:?}"),
            }
        }
        let answer = http::get(server, &signal::v0_path(&token)).await.expect("an answer");
        assert!(answer.status == 400 && answer.body.contains("WebSocket"), "{answer:?}");
    })
    .await;
}
