//! Rooms are made before anybody comes, listed, described and ended.

use super::{Fault, MAX_METADATA, Order};
use crate::rooms::effect::{Effect, Notice};
use crate::rooms::room::Room;
use crate::rooms::{MAX_NAME, Rooms};
use crate::session::{Context, SessionKey};
use livekit_protocol as proto;
use proto::DisconnectReason;
use proto::leave_request::Action;
use std::collections::HashSet;
use std::time::Duration;

impl Rooms {
    /// Makes a room, or changes the one of that name. What is 0 or empty stays as it is.
    pub fn create_room(&mut self, order: &Order, wish: proto::CreateRoomRequest) -> Result<proto::Room, Fault> {
        if self.closing {
            return Err(Fault::ShuttingDown);
        }
        if wish.name.is_empty() || wish.name.len() > MAX_NAME {
            return Err(Fault::Invalid("the room needs a name of at most 256 bytes"));
        }
        if wish.metadata.len() > MAX_METADATA {
            return Err(Fault::Invalid("the metadata is longer than 64 KiB"));
        }
        if !self.names.contains_key(&wish.name) {
            if self.settings.max_rooms > 0 && self.rooms.len() >= self.settings.max_rooms {
                return Err(Fault::TooManyRooms);
            }
            let id = self.room(&wish.name, order.wall_ms);
            if let Some(room) = self.rooms.get_mut(&id) {
                room.empty_since = Some(order.now);
            }
            tracing::info!(room = wish.name, "{} made the room", order.by);
        }
        self.order(order, &wish.name, |room, cx| {
            let time = |seconds: u32| (seconds > 0).then(|| Duration::from_secs(seconds.into()));
            let options = &mut room.options;
            options.empty_timeout = time(wish.empty_timeout).or(options.empty_timeout);
            options.departure_timeout = time(wish.departure_timeout).or(options.departure_timeout);
            if wish.max_participants > 0 {
                options.max_participants = wish.max_participants as usize;
            }
            if !wish.metadata.is_empty() && wish.metadata != options.metadata {
                options.metadata = wish.metadata;
                room.tell_room(cx);
            }
            Ok(room.info(cx.settings))
        })
    }

    /// The rooms of these names, or all.
    pub fn list_rooms(&self, names: &[String]) -> proto::ListRoomsResponse {
        let names: HashSet<&String> = names.iter().collect();
        let wanted = |room: &&Room| names.is_empty() || names.contains(&room.name);
        let mut rooms: Vec<_> = self.rooms.values().filter(wanted).map(|r| r.info(&self.settings)).collect();
        rooms.sort_by(|a, b| a.name.cmp(&b.name));
        proto::ListRoomsResponse { rooms }
    }

    /// Ends a room and the session of everybody in it.
    pub fn delete_room(&mut self, order: &Order, name: &str) -> Result<proto::DeleteRoomResponse, Fault> {
        self.order(order, name, |room, cx| {
            tracing::info!(room = room.name, participants = room.sessions.len(), "{} ended the room", order.by);
            let keys: Vec<SessionKey> = room.sessions.keys().copied().collect();
            for key in keys {
                room.remove(key, DisconnectReason::RoomDeleted, Some(Action::Disconnect), cx);
            }
            Ok(())
        })?;
        if let Some(id) = self.names.remove(name) {
            self.rooms.remove(&id);
        }
        Ok(proto::DeleteRoomResponse {})
    }

    /// Describes a room anew and tells everybody in it.
    pub fn update_room_metadata(
        &mut self,
        order: &Order,
        wish: proto::UpdateRoomMetadataRequest,
    ) -> Result<proto::Room, Fault> {
        if wish.metadata.len() > MAX_METADATA {
            return Err(Fault::Invalid("the metadata is longer than 64 KiB"));
        }
        self.order(order, &wish.room, |room, cx| {
            room.options.metadata = wish.metadata;
            room.tell_room(cx);
            Ok(room.info(cx.settings))
        })
    }
}

impl Room {
    /// Tells everybody what the room is now.
    fn tell_room(&self, cx: &mut Context<'_>) {
        let conns: Vec<_> = self.conns().collect();
        let update = proto::RoomUpdate { room: Some(self.info(cx.settings)) };
        cx.out.push(Effect::Notice(conns, Box::new(Notice::RoomUpdate(update))));
    }
}
