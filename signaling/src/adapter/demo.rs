//! `POST /demo/token`: a token for everyone who asks. Exists only when switched on.

use super::State;
use crate::auth::{self, Claims, Grants};
use axum::Json;
use axum::extract::State as Extract;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rand::Rng;
use serde::{Deserialize, Serialize};
use std::time::{SystemTime, UNIX_EPOCH};

/// How long such a token is good for: a long meeting, with reconnects.
const LIFETIME_SECS: u64 = 6 * 3600;
/// Longest room, name and identity, in characters.
const MAX_LEN: usize = 128;

#[derive(Deserialize)]
pub struct Wish {
    room: String,
    name: String,
    identity: Option<String>,
}

#[derive(Serialize)]
struct Grant {
    token: String,
    identity: String,
    room: String,
    name: String,
}

pub async fn token(Extract(state): Extract<State>, wish: Result<Json<Wish>, JsonRejection>) -> Response {
    let Ok(Json(wish)) = wish else {
        return refuse(StatusCode::BAD_REQUEST, "the request is not the JSON it should be");
    };
    let (room, name) = (wish.room.trim().to_owned(), wish.name.trim().to_owned());
    let identity = wish.identity.unwrap_or_default().trim().to_owned();
    let plain = |s: &str| s.chars().count() <= MAX_LEN && !s.chars().any(char::is_control);
    if room.is_empty() || !plain(&room) {
        return refuse(StatusCode::BAD_REQUEST, "the room needs a name of at most 128 characters");
    }
    if name.is_empty() || !plain(&name) {
        return refuse(StatusCode::BAD_REQUEST, "you need a name of at most 128 characters");
    }
    if !plain(&identity) {
        return refuse(StatusCode::BAD_REQUEST, "the identity may have at most 128 characters");
    }
    let identity = if identity.is_empty() { format!("guest-{:016x}", rand::rng().random::<u64>()) } else { identity };
    let Some((key, secret)) = state.settings.keys.first() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "this server has no API key to make tokens with");
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let claims = Claims {
        iss: key.clone(),
        sub: identity.clone(),
        exp: now + LIFETIME_SECS,
        nbf: now,
        name: name.clone(),
        video: Grants { room_join: true, room: room.clone(), can_update_own_metadata: Some(true), ..Grants::default() },
        ..Claims::default()
    };
    match auth::mint(&claims, secret) {
        Some(token) => Json(Grant { token, identity, room, name }).into_response(),
        None => refuse(StatusCode::INTERNAL_SERVER_ERROR, "the token could not be made"),
    }
}

fn refuse(status: StatusCode, words: &str) -> Response {
    (status, Json(serde_json::json!({ "error": words }))).into_response()
}
