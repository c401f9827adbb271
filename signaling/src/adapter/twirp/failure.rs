//! Why a call failed, in Twirp's words: an HTTP status, and JSON with a code and a message whatever the request's own format.

use crate::error::Refusal;
use crate::rooms::control::Fault;
use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::fmt;

/// The codes of Twirp's specification that are used here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Code {
    BadRoute,
    FailedPrecondition,
    InvalidArgument,
    Malformed,
    NotFound,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
}

/// See the module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Failure {
    code: Code,
    words: String,
}

impl Failure {
    /// There is no such method, or it is asked for in a way that isn't served.
    pub fn bad_route(words: impl Into<String>) -> Self {
        Self { code: Code::BadRoute, words: words.into() }
    }

    /// The body isn't what the method takes.
    pub fn malformed(words: impl Into<String>) -> Self {
        Self { code: Code::Malformed, words: words.into() }
    }

    /// It is, but says nothing that makes sense.
    pub fn invalid(words: impl Into<String>) -> Self {
        Self { code: Code::InvalidArgument, words: words.into() }
    }

    /// The token lacks this grant, in words.
    pub fn not_granted(words: impl Into<String>) -> Self {
        Self { code: Code::PermissionDenied, words: words.into() }
    }

    /// The server goes down.
    pub fn unavailable() -> Self {
        Self { code: Code::Unavailable, words: Fault::ShuttingDown.to_string() }
    }

    /// The code as it is sent.
    pub fn code(&self) -> &'static str {
        match self.code {
            Code::BadRoute => "bad_route",
            Code::FailedPrecondition => "failed_precondition",
            Code::InvalidArgument => "invalid_argument",
            Code::Malformed => "malformed",
            Code::NotFound => "not_found",
            Code::PermissionDenied => "permission_denied",
            Code::ResourceExhausted => "resource_exhausted",
            Code::Unauthenticated => "unauthenticated",
            Code::Unavailable => "unavailable",
        }
    }

    fn status(&self) -> StatusCode {
        match self.code {
            Code::BadRoute | Code::NotFound => StatusCode::NOT_FOUND,
            Code::FailedPrecondition => StatusCode::PRECONDITION_FAILED,
            Code::InvalidArgument | Code::Malformed => StatusCode::BAD_REQUEST,
            Code::PermissionDenied => StatusCode::FORBIDDEN,
            Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Code::Unauthenticated => StatusCode::UNAUTHORIZED,
            Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let code = match fault {
            Fault::NoRoom | Fault::NoParticipant | Fault::NoTrack => Code::NotFound,
            Fault::RemoteUnmute => Code::FailedPrecondition,
            Fault::GiverRemoved | Fault::NotAllowed(_) => Code::PermissionDenied,
            Fault::Invalid(_) => Code::InvalidArgument,
            Fault::TooManyRooms => Code::ResourceExhausted,
            Fault::ShuttingDown => Code::Unavailable,
        };
        Self { code, words: fault.to_string() }
    }
}

impl From<Refusal> for Failure {
    /// What is wrong with a token.
    fn from(refusal: Refusal) -> Self {
        let code = match refusal.status() {
            StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            _ => Code::PermissionDenied,
        };
        Self { code, words: refusal.to_string() }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "code": self.code(), "msg": self.words });
        (self.status(), Json(body)).into_response()
    }
}
