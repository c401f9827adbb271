//! One call: its token is checked first, then its body read, in JSON or protobuf; the answer has the same format.

use super::Failure;
use crate::adapter::State;
use crate::auth::now_secs;
use crate::auth::{self, Claims};
use crate::invite::Place;
use crate::rooms::Rooms;
use crate::rooms::control::{By, Fault, Order};
use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use prost::Message;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/protobuf";
/// A call is a few kilobytes; whoever takes longer for it doesn't mean it.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Format {
    Json,
    Protobuf,
}

/// See the module.
pub struct Call {
    state: State,
    claims: Claims,
    format: Format,
    body: Bytes,
}

impl Call {
    /// Nothing of the body is read for whoever has no token.
    pub async fn read(state: State, request: Request) -> Result<Self, Failure> {
        let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or("");
        let format = match content_type.split(';').next().unwrap_or("").trim() {
            JSON => Format::Json,
            PROTOBUF => Format::Protobuf,
            other => {
                return Err(Failure::bad_route(format!("the Content-Type is {other:?}, not {JSON} or {PROTOBUF}")));
            }
        };
        let claims: Claims = auth::authenticate(auth::bearer(request.headers()), &state.settings.keys)?;
        let body = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, &())).await;
        let body =
            body.map_err(|_| Failure::malformed("the body takes too long"))?.map_err(|rejection| {
                match rejection.status() {
                    StatusCode::PAYLOAD_TOO_LARGE => Failure::invalid("the body is larger than 512 KiB"),
                    _ => Failure::malformed("the body cannot be read"),
                }
            })?;
        Ok(Self { state, claims, format, body })
    }

    /// What is asked, as a message of the protocol's.
    pub fn message<Q: Message + Default + DeserializeOwned>(&self) -> Result<Q, Failure> {
        match self.format {
            Format::Json => self.json(),
            Format::Protobuf => Q::decode(self.body.clone())
                .map_err(|e| Failure::malformed(format!("the body is not the method's message: {e}"))),
        }
    }

    /// What is asked, where there is JSON alone.
    pub fn json<Q: DeserializeOwned>(&self) -> Result<Q, Failure> {
        if self.format != Format::Json {
            return Err(Failure::bad_route(format!("this method takes {JSON} alone")));
        }
        serde_json::from_slice(&self.body)
            .map_err(|e| Failure::malformed(format!("the body is not the method's JSON: {e}")))
    }

    /// The token must allow to give orders in that room.
    pub fn may_command(&self, room: &str) -> Result<(), Failure> {
        let grants = &self.claims.video;
        if !grants.room_admin {
            return Err(Failure::not_granted("the access token does not allow to give orders in a room (roomAdmin)"));
        }
        if room.is_empty() || grants.room != room {
            return Err(Failure::not_granted("the access token is for another room"));
        }
        Ok(())
    }

    /// The token must allow to make rooms.
    pub fn may_create(&self) -> Result<(), Failure> {
        let words = "the access token does not allow to make or end rooms (roomCreate)";
        self.claims.video.room_create.then_some(()).ok_or_else(|| Failure::not_granted(words))
    }

    /// The token must allow to list rooms.
    pub fn may_list(&self) -> Result<(), Failure> {
        let words = "the access token does not allow to list rooms (roomList)";
        self.claims.video.room_list.then_some(()).ok_or_else(|| Failure::not_granted(words))
    }

    /// Has an order carried out; it is when this ends, by the media plane too.
    pub async fn order<A: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Rooms, &Order) -> Result<A, Fault> + Send + 'static,
    ) -> Result<A, Failure> {
        let by = match self.claims.sub.as_str() {
            "" => By::Key(self.claims.iss.clone()),
            identity => By::Host { identity: identity.to_owned(), not_before: self.claims.nbf },
        };
        let done = self.state.rooms.turn(|rooms, now, wall_ms| order(rooms, &Order { by, now, wall_ms })).await;
        Ok(done.ok_or_else(Failure::unavailable)??)
    }

    /// Signs an invite with the token's own key.
    pub fn sign(&self, place: Place, ttl: u64) -> Option<String> {
        place.sign(&self.claims.iss, now_secs() + ttl, &self.state.settings.keys)
    }

    /// The answer, in the format of the question.
    pub fn answer<A: Message + Serialize>(&self, answer: &A) -> Response {
        match self.format {
            Format::Json => self.answer_json(answer),
            Format::Protobuf => ([(header::CONTENT_TYPE, PROTOBUF)], answer.encode_to_vec()).into_response(),
        }
    }

    /// The answer where there is JSON alone.
    pub fn answer_json(&self, answer: &impl Serialize) -> Response {
        axum::Json(answer).into_response()
    }
}
