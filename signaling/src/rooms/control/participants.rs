//! Participants are listed, changed and removed.

use super::{Fault, MAX_METADATA, Order};
use crate::rooms::room::Room;
use crate::rooms::{MAX_NAME, Rooms, standing};
use crate::session::SessionKey;
use livekit_protocol as proto;
use proto::leave_request::Action;
use proto::{DisconnectReason, ParticipantInfo};

impl Rooms {
    /// Everybody in a room, also those whom the others don't see.
    pub fn list_participants(&mut self, order: &Order, name: &str) -> Result<proto::ListParticipantsResponse, Fault> {
        self.order(order, name, |room, _| Ok(proto::ListParticipantsResponse { participants: room.everybody() }))
    }

    /// One of them.
    pub fn get_participant(&mut self, order: &Order, name: &str, identity: &str) -> Result<ParticipantInfo, Fault> {
        self.order_about(order, name, identity, |room, key, _| room.participant_of(key))
    }

    /// Sends a participant away. Its token lets it in no more; one that is made later does.
    pub fn remove_participant(
        &mut self,
        order: &Order,
        wish: &proto::RoomParticipantIdentity,
    ) -> Result<proto::RemoveParticipantResponse, Fault> {
        self.order_about(order, &wish.room, &wish.identity, |room, key, cx| {
            tracing::info!(room = room.name, "{} removed {}", order.by, wish.identity);
            let before = u64::try_from(wish.revoke_token_ts).ok().filter(|before| *before > 0);
            room.revoke(&wish.identity, before.unwrap_or(order.next_second()));
            room.remove(key, DisconnectReason::ParticipantRemoved, Some(Action::Disconnect), cx);
            Ok(proto::RemoveParticipantResponse {})
        })
    }

    /// Changes what is known of a participant and what it may. What is empty stays as it is, but for the permission, which is whole.
    pub fn update_participant(
        &mut self,
        order: &Order,
        wish: proto::UpdateParticipantRequest,
    ) -> Result<ParticipantInfo, Fault> {
        self.order_about(order, &wish.room, &wish.identity, |room, key, cx| {
            room.describe(key, &wish)?;
            match &wish.permission {
                Some(permission) => {
                    let (publish, subscribe) = (permission.can_publish, permission.can_subscribe);
                    tracing::info!(room = room.name, publish, subscribe, "{} set what {} may", order.by, wish.identity);
                    room.remember(&wish.identity, order.next_second(), permission);
                    room.set_permission(key, permission, cx);
                }
                None => room.announce(key, true, cx),
            }
            if let Some(session) = room.sessions.get_mut(&key) {
                session.renewal.hurry(cx.now);
            }
            room.participant_of(key)
        })
    }
}

impl Room {
    pub(super) fn participant_of(&self, key: SessionKey) -> Result<ParticipantInfo, Fault> {
        self.sessions.get(&key).map(|session| self.participant(session)).ok_or(Fault::NoParticipant)
    }

    /// Name, metadata and attributes, all of them or none.
    fn describe(&mut self, key: SessionKey, wish: &proto::UpdateParticipantRequest) -> Result<(), Fault> {
        let session = self.sessions.get_mut(&key).ok_or(Fault::NoParticipant)?;
        if let Some(words) = standing::forbidden_for_hosts(&wish.attributes) {
            return Err(Fault::NotAllowed(words));
        }
        let mut attributes = session.info.attributes.clone();
        for (name, value) in &wish.attributes {
            if value.is_empty() {
                attributes.remove(name);
            } else {
                attributes.insert(name.clone(), value.clone());
            }
        }
        let size: usize = attributes.iter().map(|(k, v)| k.len() + v.len()).sum();
        if size > MAX_METADATA || wish.metadata.len() > MAX_METADATA || wish.name.len() > MAX_NAME {
            return Err(Fault::Invalid("name, metadata or attributes are too long"));
        }
        let info = &mut session.info;
        info.attributes = attributes;
        if !wish.name.is_empty() {
            info.name.clone_from(&wish.name);
        }
        if !wish.metadata.is_empty() {
            info.metadata.clone_from(&wish.metadata);
        }
        Ok(())
    }
}
