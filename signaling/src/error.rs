//! Why someone is turned away before a session exists: a status, and words that the client shows or logs.

use crate::negotiate::sdp::SdpError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use std::time::Duration;

/// A restart takes about so long.
const RESTART_SECS: u64 = 2;
/// Until somebody leaves, or a room ends.
const FULL_SECS: u64 = 10;

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
    /// The grants lack what was asked for; in words.
    #[error("the access token does not allow to {0}")]
    NotGranted(&'static str),
    /// A host allows less than the token does; in words.
    #[error("a host does not allow you to {0}")]
    NotAllowed(&'static str),
    /// The session that the request names is another participant's.
    #[error("the session is another participant's")]
    NotYours,
    /// The request names a session that isn't, or is no more.
    #[error("there is no such session")]
    NoSession,
    /// A viewer came for tracks that aren't there (yet); whose, in words.
    #[error("there is nothing to watch: {0}")]
    NothingToWatch(String),
    /// The body isn't SDP by its own word.
    #[error("the body must be application/sdp")]
    NotSdp,
    /// The SDP is malformed, too large, or lacks what every session needs.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// The SDP is fine as such, but there is nothing in it to work with; why.
    #[error("the offer cannot be used: {0}")]
    UnusableOffer(&'static str),
    /// The room has as many participants as it may.
    #[error("the room is full")]
    RoomFull,
    /// A host lets nobody new in.
    #[error("the room is locked")]
    RoomLocked,
    /// Over plain HTTP nobody can be told that it is let in now.
    #[error("the room has a waiting room, in which only clients with a WebSocket can wait")]
    WaitingRoom,
    /// A host sent this participant away after the token was made.
    #[error("you were removed from this room")]
    Removed,
    /// All rooms together have as many participants as they may.
    #[error("the server is full")]
    ServerFull,
    /// There are as many rooms as there may be.
    #[error("the server has as many rooms as it may have")]
    TooManyRooms,
    /// More come than can be let in at once; when to come back.
    #[error("too many are joining: try again in {} s", .0.as_secs_f64().ceil())]
    Busy(Duration),
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
            Refusal::NoJoinGrant
            | Refusal::WrongRoom
            | Refusal::RoomFull
            | Refusal::RoomLocked
            | Refusal::WaitingRoom
            | Refusal::Removed
            | Refusal::NotGranted(_)
            | Refusal::NotAllowed(_)
            | Refusal::NotYours => StatusCode::FORBIDDEN,
            Refusal::NoSession | Refusal::NothingToWatch(_) => StatusCode::NOT_FOUND,
            Refusal::NotSdp => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Sdp(SdpError::TooLarge) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::BadRequest(_) | Refusal::Sdp(SdpError::Malformed) => StatusCode::BAD_REQUEST,
            Refusal::Sdp(_) | Refusal::UnusableOffer(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::ShuttingDown | Refusal::ServerFull | Refusal::TooManyRooms | Refusal::Busy(_) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
        }
    }
}

impl Refusal {
    /// One word for counting.
    pub fn reason(&self) -> &'static str {
        match self {
            Refusal::NoToken => "no_token",
            Refusal::TokenUnreadable => "token_unreadable",
            Refusal::UnknownKey => "unknown_key",
            Refusal::WrongSignature => "wrong_signature",
            Refusal::TokenExpired => "token_expired",
            Refusal::TokenNotYetValid => "token_not_yet_valid",
            Refusal::NoIdentity => "no_identity",
            Refusal::NoJoinGrant => "no_join_grant",
            Refusal::WrongRoom => "wrong_room",
            Refusal::NotGranted(_) => "not_granted",
            Refusal::NotAllowed(_) => "not_allowed",
            Refusal::NotYours => "not_yours",
            Refusal::NoSession => "no_session",
            Refusal::NothingToWatch(_) => "nothing_to_watch",
            Refusal::NotSdp => "not_sdp",
            Refusal::Sdp(_) => "bad_sdp",
            Refusal::UnusableOffer(_) => "unusable_offer",
            Refusal::RoomFull => "room_full",
            Refusal::RoomLocked => "room_locked",
            Refusal::WaitingRoom => "waiting_room",
            Refusal::Removed => "removed",
            Refusal::ServerFull => "server_full",
            Refusal::TooManyRooms => "too_many_rooms",
            Refusal::Busy(_) => "busy",
            Refusal::BadRequest(_) => "bad_request",
            Refusal::ShuttingDown => "shutting_down",
        }
    }
}

impl Refusal {
    /// After how many seconds trying again may help.
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Refusal::ShuttingDown | Refusal::NothingToWatch(_) => Some(RESTART_SECS),
            Refusal::ServerFull | Refusal::TooManyRooms => Some(FULL_SECS),
            Refusal::Busy(after) => Some(after.as_secs_f64().ceil() as u64),
            _ => None,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        tracing::info!(reason = %self, status = self.status().as_u16(), "refused");
        let mut response = (self.status(), self.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("Retry-After"));
        }
        // For the layer that counts.
        response.extensions_mut().insert(self);
        response
    }
}
