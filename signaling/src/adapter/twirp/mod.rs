//! `POST /twirp/<service>/<method>`: orders to rooms, as LiveKit's server SDKs send them ([`room_service`]), and those that it has no
//! call for ([`moderation`]). docs/MODERATION.md tells each.

mod call;
mod failure;
mod moderation;
mod room_service;

use super::State;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Path, Request, State as Extract};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use call::Call;
use failure::Failure;

const ROOM_SERVICE: &str = "livekit.RoomService";
const MODERATION: &str = "ramai.Moderation";
/// Largest request, in bytes: the largest data message, which JSON makes a third longer.
const MAX_BODY: usize = 512 * 1024;

pub fn router() -> Router<State> {
    Router::new()
        .route("/twirp/{service}/{method}", post(serve).options(preflight).fallback(wrong_method))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(map_response(readable_everywhere))
}

async fn serve(
    Extract(state): Extract<State>,
    Path((service, method)): Path<(String, String)>,
    request: Request,
) -> Response {
    let counts = state.rooms.counts.clone();
    let known = match service.as_str() {
        ROOM_SERVICE => room_service::METHODS.iter().find(|known| **known == method),
        MODERATION => moderation::METHODS.iter().find(|known| **known == method),
        _ => None,
    };
    let answered = match known {
        Some(method) => carry_out(state, &service, method, request).await,
        None => Err(Failure::bad_route(format!("there is no method {method} of {service}"))),
    };
    let known = known.copied().unwrap_or("unknown");
    counts.ordered(known, answered.as_ref().map_or_else(Failure::code, |_| "ok"));
    answered.unwrap_or_else(|failure| {
        tracing::info!(method = known, code = failure.code(), reason = %failure, "order refused");
        failure.into_response()
    })
}

async fn carry_out(state: State, service: &str, method: &str, request: Request) -> Result<Response, Failure> {
    let call = Call::read(state, request).await?;
    match service {
        MODERATION => moderation::carry_out(method, call).await,
        _ => room_service::carry_out(method, call).await,
    }
}

/// The token comes in a header that a page must know to set, never in a cookie: a page of any site may ask.
async fn preflight() -> Response {
    let headers = [
        (header::ALLOW, "POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_METHODS, "POST, OPTIONS"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, X-Livekit-Request-Id"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

async fn wrong_method(method: Method) -> Response {
    Failure::bad_route(format!("{method} is not understood here, orders come by POST")).into_response()
}

async fn readable_everywhere(mut response: Response) -> Response {
    response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}
