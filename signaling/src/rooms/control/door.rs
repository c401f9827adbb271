//! The room is locked or opened, and those who wait are let in.

use super::{Fault, Order};
use crate::rooms::Rooms;
use crate::rooms::room::Room;
use crate::session::{Context, Session, SessionKey};
use livekit_protocol as proto;
use proto::ParticipantInfo;
use proto::data_packet::Kind;
use serde::Serialize;

/// The topic under which everybody inside is told of [`Door`].
const TOPIC: &str = "ramai.room";

/// Who may come in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Door {
    /// Nobody new.
    pub locked: bool,
    /// Whom a host lets in.
    pub waiting_room: bool,
}

impl Rooms {
    /// How the door is.
    pub fn door(&mut self, order: &Order, name: &str) -> Result<Door, Fault> {
        self.order(order, name, |room, _| Ok(room.door()))
    }

    /// Locks it or not, puts a waiting room before it or not. What isn't said stays. Without a waiting room nobody waits any more.
    pub fn set_door(
        &mut self,
        order: &Order,
        name: &str,
        locked: Option<bool>,
        waiting_room: Option<bool>,
    ) -> Result<Door, Fault> {
        self.order(order, name, |room, cx| {
            let before = room.door();
            room.entrance.locked = locked.unwrap_or(before.locked);
            room.entrance.waiting_room = waiting_room.unwrap_or(before.waiting_room);
            let door = room.door();
            if door == before {
                return Ok(door);
            }
            let Door { locked, waiting_room } = door;
            tracing::info!(room = room.name, locked, waiting_room, "{} set who may come in", order.by);
            room.tell_of_door(cx);
            if !waiting_room {
                let waiting = |s: &&crate::session::Session| s.waiting.is_some();
                let waiting: Vec<SessionKey> = room.sessions.values().filter(waiting).map(|s| s.key).collect();
                for key in waiting {
                    room.let_in(key, cx);
                }
            }
            Ok(door)
        })
    }

    /// Lets somebody in who waits.
    pub fn admit_waiting(&mut self, order: &Order, name: &str, identity: &str) -> Result<ParticipantInfo, Fault> {
        self.order_about(order, name, identity, |room, key, cx| {
            if room.let_in(key, cx) {
                tracing::info!(room = room.name, "{} let {identity} in", order.by);
            }
            room.participant_of(key)
        })
    }
}

impl Room {
    fn door(&self) -> Door {
        Door { locked: self.entrance.locked, waiting_room: self.entrance.waiting_room }
    }

    fn tell_of_door(&mut self, cx: &mut Context<'_>) {
        self.entrance.told = true;
        self.say(Kind::Reliable, self.news_of_door(), cx);
    }

    /// Tells one whose messages arrive from now on, if there was anything to hear of before.
    pub(in crate::rooms) fn tell_one_of_door(&self, key: SessionKey, cx: &mut Context<'_>) {
        let to = self.sessions.get(&key).and_then(Session::data_transport).filter(|_| self.entrance.told);
        self.say_to(to.into_iter().collect(), Kind::Reliable, self.news_of_door(), cx);
    }

    fn news_of_door(&self) -> proto::UserPacket {
        let payload = serde_json::to_vec(&self.door()).unwrap_or_default();
        proto::UserPacket { payload, topic: Some(TOPIC.into()), ..Default::default() }
    }
}
