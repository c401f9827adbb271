//! LiveKit's `RoomService`: what its server SDKs ask of rooms.

use super::{Call, Failure};
use axum::response::Response;
use livekit_protocol as proto;

/// The methods.
pub const METHODS: &[&str] = &[
    "CreateRoom",
    "ListRooms",
    "DeleteRoom",
    "ListParticipants",
    "GetParticipant",
    "RemoveParticipant",
    "MutePublishedTrack",
    "UpdateParticipant",
    "UpdateSubscriptions",
    "SendData",
    "UpdateRoomMetadata",
];

pub async fn carry_out(method: &str, call: Call) -> Result<Response, Failure> {
    Ok(match method {
        "CreateRoom" => {
            call.may_create()?;
            let wish: proto::CreateRoomRequest = call.message()?;
            call.answer(&call.order(|rooms, order| rooms.create_room(order, wish)).await?)
        }
        "ListRooms" => {
            call.may_list()?;
            let wish: proto::ListRoomsRequest = call.message()?;
            call.answer(&call.order(move |rooms, _| Ok(rooms.list_rooms(&wish.names))).await?)
        }
        "DeleteRoom" => {
            let wish: proto::DeleteRoomRequest = call.message()?;
            // A host could as well remove everybody.
            call.may_create().or_else(|_| call.may_command(&wish.room))?;
            call.answer(&call.order(move |rooms, order| rooms.delete_room(order, &wish.room)).await?)
        }
        "ListParticipants" => {
            let wish: proto::ListParticipantsRequest = call.message()?;
            call.may_command(&wish.room)?;
            call.answer(&call.order(move |rooms, order| rooms.list_participants(order, &wish.room)).await?)
        }
        "GetParticipant" => {
            let wish: proto::RoomParticipantIdentity = call.message()?;
            call.may_command(&wish.room)?;
            let get = call.order(move |rooms, order| rooms.get_participant(order, &wish.room, &wish.identity));
            call.answer(&get.await?)
        }
        "RemoveParticipant" => {
            let wish: proto::RoomParticipantIdentity = call.message()?;
            call.may_command(&wish.room)?;
            call.answer(&call.order(move |rooms, order| rooms.remove_participant(order, &wish)).await?)
        }
        "MutePublishedTrack" => {
            let wish: proto::MuteRoomTrackRequest = call.message()?;
            call.may_command(&wish.room)?;
            call.answer(&call.order(move |rooms, order| rooms.mute_published_track(order, &wish)).await?)
        }
        "UpdateParticipant" => {
            let wish: proto::UpdateParticipantRequest = call.message()?;
            call.may_command(&wish.room)?;
            call.answer(&call.order(|rooms, order| rooms.update_participant(order, wish)).await?)
        }
        "UpdateSubscriptions" => {
            let wish: proto::UpdateSubscriptionsRequest = call.message()?;
            call.may_command(&wish.room)?;
            call.answer(&call.order(|rooms, order| rooms.update_subscriptions(order, wish)).await?)
        }
        "SendData" => {
            let wish: proto::SendDataRequest = call.message()?;
            call.may_command(&wish.room)?;
            call.answer(&call.order(|rooms, order| rooms.send_data(order, wish)).await?)
        }
        "UpdateRoomMetadata" => {
            let wish: proto::UpdateRoomMetadataRequest = call.message()?;
            call.may_command(&wish.room)?;
            call.answer(&call.order(|rooms, order| rooms.update_room_metadata(order, wish)).await?)
        }
        other => return Err(Failure::bad_route(format!("there is no method {other}"))),
    })
}
