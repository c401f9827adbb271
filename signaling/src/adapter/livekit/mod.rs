//! The client protocol's routes: `/rtc` (v0) and `/rtc/v1`, each with `/validate`.

pub mod encode;
mod join;
mod socket;

use super::State;
use crate::error::Refusal;
use crate::session::Dialect;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{RawQuery, State as Extract};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

type Upgrade = Result<WebSocketUpgrade, WebSocketUpgradeRejection>;

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
    let Ok(ws) = ws else {
        return Refusal::BadRequest("a WebSocket upgrade is needed here").into_response();
    };
    let (rooms, request_rate) = (state.rooms.clone(), state.settings.request_rate);
    ws.max_message_size(socket::MAX_MESSAGE)
        .max_frame_size(socket::MAX_MESSAGE)
        .read_buffer_size(socket::READ_BUFFER)
        .write_buffer_size(0)
        .on_upgrade(move |ws| socket::run(ws, rooms, join, request_rate))
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
