//! `ramai.Moderation`: orders that LiveKit has no call for. JSON alone.

use super::{Call, Failure};
use crate::invite::{Place, Role};
use axum::response::Response;
use serde::{Deserialize, Serialize};

/// The methods.
pub const METHODS: &[&str] = &["GetRoom", "SetRoom", "MuteAll", "Admit", "Invite"];
/// How long an invite is good for if nobody says, and at most, in seconds: a day, and a month.
const INVITE_SECS: u64 = 24 * 3600;
const MAX_INVITE_SECS: u64 = 31 * 24 * 3600;

#[derive(Deserialize)]
struct GetRoom {
    room: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SetRoom {
    room: String,
    locked: Option<bool>,
    waiting_room: Option<bool>,
}

#[derive(Deserialize)]
struct Admit {
    room: String,
    identity: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Invite {
    room: String,
    role: Role,
    ttl_seconds: Option<u64>,
}

#[derive(Serialize)]
struct Invited {
    invite: String,
}

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
        "GetRoom" => {
            let wish: GetRoom = call.json()?;
            call.may_command(&wish.room)?;
            call.answer_json(&call.order(move |rooms, order| rooms.door(order, &wish.room)).await?)
        }
        "SetRoom" => {
            let wish: SetRoom = call.json()?;
            call.may_command(&wish.room)?;
            let set = call.order(move |rooms, order| rooms.set_door(order, &wish.room, wish.locked, wish.waiting_room));
            call.answer_json(&set.await?)
        }
        "Admit" => {
            let wish: Admit = call.json()?;
            call.may_command(&wish.room)?;
            let admit = call.order(move |rooms, order| rooms.admit_waiting(order, &wish.room, &wish.identity));
            call.answer_json(&admit.await?)
        }
        "Invite" => {
            let wish: Invite = call.json()?;
            call.may_command(&wish.room)?;
            let ttl = wish.ttl_seconds.unwrap_or(INVITE_SECS);
            if ttl == 0 || ttl > MAX_INVITE_SECS {
                return Err(Failure::invalid("an invite is good for a second at least and 31 days at most"));
            }
            let place = Place { room: wish.room, role: wish.role };
            let invite = call.sign(place, ttl).ok_or_else(|| Failure::invalid("the invite cannot be signed"))?;
            call.answer_json(&Invited { invite })
        }
        "MuteAll" => {
            let wish: MuteAll = call.json()?;
            call.may_command(&wish.room)?;
            let muted = call.order(move |rooms, order| rooms.mute_all(order, &wish.room, &wish.except)).await?;
            call.answer_json(&Muted { muted })
        }
        other => return Err(Failure::bad_route(format!("there is no method {other}"))),
    })
}
