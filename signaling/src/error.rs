//! Why someone is turned away before a session exists: a status, and words that the client shows or logs.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// A refusal over HTTP. The text is for people; 401 and 403 are final for clients.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No token at all.
    #[error("no access token was given")]
    NoToken,
    /// The token isn't a JWT that we could read.
    #[error("the access token cannot be read")]
    TokenUnreadable,
    /// Signed for an API key that we don't have.
    #[error("the access token is of an API key that this server does not know")]
    UnknownKey,
    /// The signature is not by that key's secret.
    #[error("the access token has a wrong signature")]
    WrongSignature,
    /// Too late.
    #[error("the access token has expired")]
    TokenExpired,
    /// Too early.
    #[error("the access token is not valid yet")]
    TokenNotYetValid,
    /// The token says no identity.
    #[error("the access token names no identity")]
    NoIdentity,
    /// No `roomJoin` or no room in the grants.
    #[error("the access token does not allow to join a room")]
    NoJoinGrant,
    /// Asked for another room than the token's.
    #[error("the access token is for another room")]
    WrongRoom,
    /// The room has as many participants as it may.
    #[error("the room is full")]
    RoomFull,
    /// The request itself is malformed; with the reason.
    #[error("bad request: {0}")]
    BadRequest(&'static str),
    /// The server is going down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl Refusal {
    /// The HTTP status: 401 for what is wrong with the token, 403 for what it doesn't allow.
    pub fn status(&self) -> StatusCode {
        match self {
            Refusal::NoToken
            | Refusal::TokenUnreadable
            | Refusal::UnknownKey
            | Refusal::WrongSignature
            | Refusal::TokenExpired
            | Refusal::TokenNotYetValid
            | Refusal::NoIdentity => StatusCode::UNAUTHORIZED,
            // Room full is 403, not 503: clients retry on 503 but show a 403's words to the person.
            Refusal::NoJoinGrant | Refusal::WrongRoom | Refusal::RoomFull => StatusCode::FORBIDDEN,
            Refusal::BadRequest(_) => StatusCode::BAD_REQUEST,
            Refusal::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::info!(reason = %self, status = self.status().as_u16(), "refused");
        let mut response = (self.status(), self.to_string()).into_response();
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        response
    }
}
