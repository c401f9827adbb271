//! The client protocol's routes: `/rtc` (v0) and `/rtc/v1`, each with `/validate`.

mod boundary;
pub mod encode;
mod join;
mod socket;
mod websocket;

use super::State;
use crate::error::Refusal;
use crate::session::Dialect;
use axum::Router;
use axum::extract::{RawQuery, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use websocket::Handshake;

type Upgrade = Result<Handshake, Refusal>;

pub fn router() -> Router<State> {
    Router::new()
        .route("/rtc", get(v0))
        .route("/rtc/v1", get(v1))
        .route("/rtc/validate", get(validate_v0))
        .route("/rtc/v1/validate", get(validate_v1))
}

async fn v0(state: Extract<State>, query: RawQuery, headers: HeaderMap, ws: Upgrade) -> Response {
    connect(state, query, headers, ws, Dialect::Dual).await
}

async fn v1(state: Extract<State>, query: RawQuery, headers: HeaderMap, ws: Upgrade) -> Response {
    connect(state, query, headers, ws, Dialect::Single).await
}

async fn validate_v0(state: Extract<State>, query: RawQuery, headers: HeaderMap) -> Response {
    validate(state, query, headers, Dialect::Dual).await
}

async fn validate_v1(state: Extract<State>, query: RawQuery, headers: HeaderMap) -> Response {
    validate(state, query, headers, Dialect::Single).await
}

/// Upgrades to a WebSocket, if the token and the room allow it.
async fn connect(
    Extract(state): Extract<State>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    ws: Upgrade,
    dialect: Dialect,
) -> Response {
    let admitted = match join::read(&query.unwrap_or_default(), &headers, dialect, &state.settings.keys) {
        Ok(join) => state.admit(&join.claims).await.map(|()| join),
        Err(refusal) => Err(refusal),
    };
    let join = match admitted {
        // Boxed: what a task is started with stays a part of it for as long as it runs.
        Ok(join) => Box::new(join),
        Err(refusal) => return refusal.into_response(),
    };
    let (rooms, request_rate) = (state.rooms.clone(), state.settings.request_rate);
    match ws {
        Ok(handshake) => handshake.open(move |socket| socket::run(socket, rooms, join, request_rate)),
        Err(refusal) => refusal.into_response(),
    }
}

/// Tells in words why a WebSocket was or would be refused: browsers can't read that from a failed upgrade.
async fn validate(
    Extract(state): Extract<State>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    dialect: Dialect,
) -> Response {
    let admitted = match join::read(&query.unwrap_or_default(), &headers, dialect, &state.settings.keys) {
        Ok(join) => state.would_admit(&join.claims).await,
        Err(refusal) => Err(refusal),
    };
    match admitted {
        Ok(()) => {
            let mut response = (StatusCode::OK, "success").into_response();
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            response
        }
        Err(refusal) => refusal.into_response(),
    }
}
