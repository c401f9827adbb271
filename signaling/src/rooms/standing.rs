//! What a participant is in its room, for everybody to read: attributes that the server alone sets, and the raised hand, which
//! everybody may set of itself.

use crate::auth::Grants;
use crate::session::Session;
use livekit_protocol as proto;
use std::collections::HashMap;

/// Attributes and identities that begin so are the server's.
pub const RESERVED: &str = "ramai.";
/// `host`, `speaker` or `listener`.
const ROLE: &str = "ramai.role";
/// `1` while in the waiting room.
const WAITING: &str = "ramai.waiting";
/// When the hand was raised, in milliseconds since the epoch.
const HAND: &str = "ramai.hand";
/// Longest time that is a number of milliseconds: until the year 5138.
const HAND_DIGITS: usize = 14;

impl Grants {
    /// What whoever joins with these is in the room.
    fn role(&self) -> &'static str {
        match self {
            _ if self.room_admin => "host",
            _ if self.publish() => "speaker",
            _ => "listener",
        }
    }
}

impl Session {
    /// Whether it may give orders in the room.
    pub fn host(&self) -> bool {
        self.grants.room_admin && self.waiting.is_none()
    }

    /// Whether it is one of those whom everybody inside sees.
    pub fn listed(&self) -> bool {
        !self.grants.hidden && self.waiting.is_none()
    }

    /// Puts it in the waiting room: it keeps its grants for later and may nothing until then.
    pub fn wait(&mut self) {
        let nothing = Grants {
            can_publish: Some(false),
            can_subscribe: Some(false),
            can_publish_data: Some(false),
            can_update_own_metadata: Some(false),
            can_publish_sources: Vec::new(),
            ..self.grants.clone()
        };
        self.waiting = Some(std::mem::replace(&mut self.grants, nothing));
        self.show_standing();
    }

    /// Brings attributes and permission up to what it is and may.
    pub fn show_standing(&mut self) {
        let role = self.waiting.as_ref().unwrap_or(&self.grants).role();
        self.info.permission = Some(crate::adapter::livekit::encode::permission(&self.grants));
        self.info.attributes.insert(ROLE.into(), role.into());
        match self.waiting {
            Some(_) => self.info.attributes.insert(WAITING.into(), "1".into()),
            None => self.info.attributes.remove(WAITING),
        };
    }
}

/// Leaves out what only the server may say.
pub fn keep_free(attributes: &mut HashMap<String, String>) {
    attributes.retain(|name, _| !name.starts_with(RESERVED));
}

/// Why a participant may not set these attributes of itself, if it may not.
pub fn forbidden(attributes: &HashMap<String, String>) -> Option<&'static str> {
    let reserved = attributes.iter().filter(|(name, _)| name.starts_with(RESERVED));
    reserved.into_iter().find_map(|(name, value)| match name.as_str() {
        HAND if value.len() <= HAND_DIGITS && value.bytes().all(|b| b.is_ascii_digit()) => None,
        HAND => Some("a raised hand is a time in milliseconds, a lowered one is empty"),
        _ => Some("attributes that begin with `ramai.` are the server's"),
    })
}

/// Why a host may not set these attributes of another, if it may not: it lowers hands.
pub fn forbidden_for_hosts(attributes: &HashMap<String, String>) -> Option<&'static str> {
    let reserved = attributes.iter().filter(|(name, _)| name.starts_with(RESERVED));
    reserved.into_iter().find_map(|(name, value)| match name.as_str() {
        HAND if value.is_empty() => None,
        HAND => Some("a hand is raised by its owner"),
        _ => Some("attributes that begin with `ramai.` are the server's"),
    })
}

/// Whether this changes the hand alone; clients send name and metadata along as they are.
pub fn only_hand(update: &proto::UpdateParticipantMetadata, info: &proto::ParticipantInfo) -> bool {
    let same = |new: &str, old: &str| new.is_empty() || new == old;
    update.attributes.keys().eq([HAND]) && same(&update.name, &info.name) && same(&update.metadata, &info.metadata)
}
