//! The outside: HTTP and WebSocket routes.

mod demo;
mod http;
pub mod livekit;
mod twirp;
pub mod whep;
pub mod whip;

use crate::Settings;
use crate::admission::Admission;
use crate::assets::{self, Assets};
use crate::auth::Claims;
use crate::error::Refusal;
use crate::rooms::Presence;
use crate::rooms::actor::Handle;
use axum::Router;
use axum::extract::{DefaultBodyLimit, OriginalUri, State as Extract};
use axum::http::{HeaderMap, StatusCode};
use axum::middleware::map_response_with_state;
use axum::response::Response;
use axum::routing::{get, post};
use std::sync::Arc;

/// Largest request body, in bytes, where nothing larger is said.
const MAX_BODY: usize = 16 * 1024;

/// What every route needs.
#[derive(Clone)]
pub struct State {
    pub settings: Arc<Settings>,
    pub rooms: Handle,
    pub admission: Admission,
    pub assets: Assets,
}

impl State {
    /// Ends when whoever holds this token may come in: what is refused for good is refused at once, newcomers take their turns, and
    /// those who are in the room already come back without waiting.
    pub async fn admit(&self, claims: &Claims) -> Result<(), Refusal> {
        match self.rooms.check(claims).await? {
            Presence::Inside => Ok(()),
            Presence::New => self.admission.enter(self.rooms.backlog()).await,
        }
    }

    /// The same as an answer, without waiting and without taking a turn.
    pub async fn would_admit(&self, claims: &Claims) -> Result<(), Refusal> {
        match self.rooms.check(claims).await? {
            Presence::Inside => Ok(()),
            Presence::New => self.admission.look(self.rooms.backlog()),
        }
    }
}

/// All routes.
pub fn router(state: State) -> Router {
    let mut router = Router::new()
        .route("/health", get(|| async { (StatusCode::OK, "ok") }))
        .route("/", get(page))
        .route("/r/{*room}", get(page))
        .merge(livekit::router())
        .merge(whip::router())
        .merge(whep::router())
        .merge(twirp::router());
    if state.settings.demo_tokens {
        router = router.route("/demo/token", post(demo::token));
    }
    let counted = map_response_with_state(state.clone(), count);
    router.fallback(file).layer(counted).layer(DefaultBodyLimit::max(MAX_BODY)).with_state(state)
}

/// Counts refusals.
async fn count(Extract(state): Extract<State>, response: Response) -> Response {
    if let Some(refusal) = response.extensions().get::<Refusal>() {
        state.rooms.counts.refused(refusal);
    }
    response
}

async fn page(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    assets::respond((state.assets)(""), &headers)
}

async fn file(Extract(state): Extract<State>, OriginalUri(uri): OriginalUri, headers: HeaderMap) -> Response {
    let path = uri.path().trim_start_matches('/');
    let asset = if path.is_empty() { None } else { (state.assets)(path) };
    assets::respond(asset, &headers)
}
