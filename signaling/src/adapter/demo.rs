//! `POST /demo/token`: a token for everyone who asks. Exists only when switched on. Who is the first to ask for a room is its host,
//! an invite decides who else only listens.

use super::State;
use crate::auth::{self, Claims, Grants, now_secs};
use crate::error::Refusal;
use crate::invite::{Place, Role};
use axum::Json;
use axum::extract::State as Extract;
use axum::extract::rejection::JsonRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use rand::Rng;
use rand::distr::{Alphanumeric, SampleString};
use serde::{Deserialize, Serialize};

/// How long such a token is good for: a long meeting, with reconnects.
const LIFETIME_SECS: u64 = 6 * 3600;
/// Longest room, name and identity, in characters.
const MAX_LEN: usize = 128;
/// By this cookie a host is known again. Scripts can't read it, and no other site makes a browser send it.
const COOKIE: &str = "ramai_demo";

#[derive(Deserialize)]
pub struct Wish {
    /// May be left out with an invite, which names it.
    room: Option<String>,
    name: String,
    identity: Option<String>,
    invite: Option<String>,
}

#[derive(Serialize)]
struct Grant {
    token: String,
    identity: String,
    room: String,
    name: String,
}

pub async fn token(
    Extract(state): Extract<State>,
    headers: HeaderMap,
    wish: Result<Json<Wish>, JsonRejection>,
) -> Response {
    let Ok(Json(wish)) = wish else {
        return refuse(StatusCode::BAD_REQUEST, "the request is not the JSON it should be");
    };
    let invite = match wish.invite.as_deref().map(|invite| Place::read(invite, &state.settings.keys)) {
        None => None,
        Some(Ok(place)) => Some(place),
        Some(Err(Refusal::TokenExpired)) => return refuse(StatusCode::FORBIDDEN, "this invite has expired"),
        Some(Err(_)) => return refuse(StatusCode::FORBIDDEN, "this invite is not valid here"),
    };
    let room = wish.room.or_else(|| invite.as_ref().map(|place| place.room.clone())).unwrap_or_default();
    let (room, name) = (room.trim().to_owned(), wish.name.trim().to_owned());
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
    if invite.as_ref().is_some_and(|place| place.room.trim() != room) {
        return refuse(StatusCode::FORBIDDEN, "this invite is for another room");
    }
    let identity = if identity.is_empty() { format!("guest-{:016x}", rand::rng().random::<u64>()) } else { identity };
    let Some((key, secret)) = state.settings.keys.first() else {
        return refuse(StatusCode::SERVICE_UNAVAILABLE, "this server has no API key to make tokens with");
    };
    let browser = browser(&headers).unwrap_or_else(|| Alphanumeric.sample_string(&mut rand::rng(), 32));
    let (about, who, known, invited) = (room.clone(), identity.clone(), browser.clone(), invite.is_some());
    let asked = state.rooms.turn(move |rooms, now, _| {
        (rooms.is_first(now, &about, &who, &known, invited), rooms.was_removed(&about, &who))
    });
    let host = match asked.await {
        Some((_, true)) => return refuse(StatusCode::FORBIDDEN, "you were removed from this room"),
        Some((host, false)) => host,
        None => return refuse(StatusCode::SERVICE_UNAVAILABLE, "the server is shutting down"),
    };
    let listens = !host && invite.is_some_and(|place| place.role == Role::Listener);
    let now = now_secs();
    let claims = Claims {
        iss: key.clone(),
        sub: identity.clone(),
        exp: now + LIFETIME_SECS,
        nbf: now,
        name: name.clone(),
        video: Grants {
            room_join: true,
            room: room.clone(),
            room_admin: host,
            can_publish: listens.then_some(false),
            can_publish_data: listens.then_some(true),
            can_update_own_metadata: Some(true),
            ..Grants::default()
        },
        ..Claims::default()
    };
    let cookie = format!("{COOKIE}={browser}; Path=/demo; HttpOnly; SameSite=Strict");
    match auth::mint(&claims, secret) {
        Some(token) => ([(header::SET_COOKIE, cookie)], Json(Grant { token, identity, room, name })).into_response(),
        None => refuse(StatusCode::INTERNAL_SERVER_ERROR, "the token could not be made"),
    }
}

/// The secret that we gave this browser.
fn browser(headers: &HeaderMap) -> Option<String> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut values = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let ours = values.find(|(name, _)| *name == COOKIE).map(|(_, value)| value);
    ours.filter(|value| value.len() == 32 && value.bytes().all(|b| b.is_ascii_alphanumeric())).map(str::to_owned)
}

fn refuse(status: StatusCode, words: &str) -> Response {
    (status, Json(serde_json::json!({ "error": words }))).into_response()
}
