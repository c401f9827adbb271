//! What WHIP and WHEP have in common: an SDP offer posted with a bearer token, a session with a URL of its own, its end by
//! DELETE, and CORS for players on other sites.

use super::State;
use crate::auth::{self, Claims};
use crate::error::Refusal;
use crate::negotiate::codecs;
use crate::negotiate::sdp::{Description, MAX_SDP, Media, SdpError, Section};
use crate::rooms::http::HttpJoin;
use crate::session::{Dialect, Join};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, FromRequest, Path, Request, State as Extract};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, delete};
use livekit_protocol as proto;
use std::time::Duration;

const SDP: &str = "application/sdp";
/// An offer is a few kilobytes; whoever takes longer for it doesn't mean it.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// What scripts of other sites may read of our answers.
const EXPOSED: &str = "Location, ETag, Link";

/// The endpoint, with `join` for its POST, and its sessions' URLs.
pub fn router(endpoint: &'static str, dialect: Dialect, join: MethodRouter<State>) -> Router<State> {
    let leave = move |Extract(state): Extract<State>, Path(resource): Path<String>, headers: HeaderMap| async move {
        let claims = claims(&state, &headers)?;
        state.rooms.end(dialect, resource, claims).await.map(|()| StatusCode::OK)
    };
    Router::new()
        .route(endpoint, join.options(|| preflight("POST, OPTIONS")).fallback(not_allowed))
        .route(
            &format!("{endpoint}/{{session}}"),
            delete(leave).options(|| preflight("DELETE, OPTIONS")).fallback(not_allowed),
        )
        .layer(DefaultBodyLimit::max(MAX_SDP))
        .layer(map_response(readable_everywhere))
}

/// Checks the token alone: whoever has none gets nothing read.
pub fn claims(state: &State, headers: &HeaderMap) -> Result<Claims, Refusal> {
    auth::verify(auth::bearer(headers), &state.settings.keys)
}

/// Reads the body.
pub async fn offer(request: Request) -> Result<Description, Refusal> {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
    if !content_type.split(';').next().is_some_and(|t| t.trim().eq_ignore_ascii_case(SDP)) {
        return Err(Refusal::NotSdp);
    }
    let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await;
    let body =
        body.map_err(|_| Refusal::BadRequest("the body takes too long"))?.map_err(|rejection| {
            match rejection.status() {
                StatusCode::PAYLOAD_TOO_LARGE => Refusal::Sdp(SdpError::TooLarge),
                _ => Refusal::BadRequest("the body cannot be read"),
            }
        })?;
    let text = std::str::from_utf8(&body).map_err(|_| SdpError::Malformed)?;
    Ok(Description::parse(text)?)
}

/// Whether a section carries what we forward, in whatever direction.
pub fn usable(section: &Section) -> bool {
    matches!(section.media, Media::Audio | Media::Video)
        && !section.rejected
        && !codecs::understood(section, None, false).is_empty()
}

/// A wish to join in one of the two dialects.
pub fn wish(claims: Claims, dialect: Dialect, add_tracks: Vec<proto::AddTrackRequest>) -> Join {
    Join {
        claims,
        dialect,
        auto_subscribe: false,
        client: proto::ClientInfo::default(),
        resume: None,
        offer: None,
        add_tracks,
        attributes: std::collections::HashMap::new(),
        metadata: String::new(),
    }
}

/// Opens the session; 201 with the answer and its URL.
pub async fn open(state: &State, endpoint: &str, join: HttpJoin) -> Result<Response, Refusal> {
    let session = state.rooms.open(join).await?;
    let headers = [
        (header::CONTENT_TYPE, SDP.to_owned()),
        (header::LOCATION, format!("{endpoint}/{}", session.resource)),
        (header::ETAG, format!("\"{}\"", session.etag)),
    ];
    Ok((StatusCode::CREATED, headers, session.answer).into_response())
}

/// Answers OPTIONS, whether a browser asks before the request itself or a client wants to know what is taken here.
async fn preflight(methods: &'static str) -> Response {
    let headers = [
        (header::ALLOW, methods),
        (header::HeaderName::from_static("accept-post"), SDP),
        (header::ACCESS_CONTROL_ALLOW_METHODS, methods),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, "Authorization, Content-Type, If-Match"),
        (header::ACCESS_CONTROL_MAX_AGE, "86400"),
    ];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// RFC 9725 section 4.3 wants 405 for PATCH where neither trickle ICE nor ICE restarts are supported.
async fn not_allowed(method: Method) -> Response {
    let words = match method {
        Method::PATCH => "sessions cannot be changed: trickle ICE and ICE restarts are not supported here",
        _ => "POST an offer to the endpoint, DELETE the session's own URL",
    };
    (StatusCode::METHOD_NOT_ALLOWED, words).into_response()
}

/// The token comes in a header that a page must know to set, never in a cookie: any site may ask.
async fn readable_everywhere(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    response
}
