//! `ramai.Moderation`: orders that LiveKit has no call for. JSON alone.

use super::{Call, Failure};
use axum::response::Response;
use serde::{Deserialize, Serialize};

/// The methods.
pub const METHODS: &[&str] = &["MuteAll"];

#[derive(Deserialize)]
struct MuteAll {
    room: String,
    #[serde(default)]
    except: Vec<String>,
}

#[derive(Serialize)]
struct Muted {
    muted: u32,
}

pub async fn carry_out(method: &str, call: Call) -> Result<Response, Failure> {
    Ok(match method {
        "MuteAll" => {
            let wish: MuteAll = call.json()?;
            call.may_command(&wish.room)?;
            let muted = call.order(move |rooms, order| rooms.mute_all(order, &wish.room, &wish.except)).await?;
            call.answer_json(&Muted { muted })
        }
        other => return Err(Failure::bad_route(format!("there is no method {other}"))),
    })
}
