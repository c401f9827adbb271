//! What a host set somebody's permission to outlasts its session: who was silenced isn't heard again by a reload, and who was asked
//! to speak may go on after a dead spot. It ends with the room.

use super::room::Room;
use crate::auth::{Claims, Grants};
use livekit_protocol as proto;
use std::collections::BTreeMap;

/// So many a room remembers; the oldest are forgotten first.
const MAX: usize = 10_000;

/// By identity: the second from which on tokens are newer than the order, and the whole permission.
#[derive(Default)]
pub(super) struct Lasting(BTreeMap<String, (u64, proto::ParticipantPermission)>);

impl Room {
    /// Remembers an order.
    pub(super) fn remember(&mut self, identity: &str, second: u64, permission: &proto::ParticipantPermission) {
        let lasting = &mut self.lasting.0;
        lasting.insert(identity.to_owned(), (second, permission.clone()));
        if lasting.len() > MAX
            && let Some(oldest) = lasting.iter().min_by_key(|(_, (at, _))| *at).map(|(identity, _)| identity.clone())
        {
            lasting.remove(&oldest);
        }
    }

    /// What whoever has this token may. A token that is newer than the order may say less, but not more.
    pub(super) fn grants_for(&self, claims: &Claims) -> Grants {
        let token = &claims.video;
        match self.lasting.0.get(&claims.sub) {
            None => token.clone(),
            Some((second, permission)) if claims.nbf < *second => token.clone().permitted(permission),
            Some((_, permission)) => token.both(&token.clone().permitted(permission)),
        }
    }
}

impl Grants {
    /// What both allow.
    fn both(&self, other: &Grants) -> Grants {
        let sources: Vec<String> = match (&self.can_publish_sources[..], &other.can_publish_sources[..]) {
            ([], sources) | (sources, []) => sources.to_vec(),
            (own, other) => own.iter().filter(|s| other.iter().any(|o| o.eq_ignore_ascii_case(s))).cloned().collect(),
        };
        // No sources in common is none, while an empty list is all.
        let limited = !self.can_publish_sources.is_empty() && !other.can_publish_sources.is_empty();
        Grants {
            can_publish: Some(self.publish() && other.publish() && !(limited && sources.is_empty())),
            can_subscribe: Some(self.subscribe() && other.subscribe()),
            can_publish_data: Some(self.publish_data() && other.publish_data()),
            can_publish_sources: sources,
            can_update_own_metadata: Some(self.update_own_metadata() && other.update_own_metadata()),
            hidden: self.hidden || other.hidden,
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(sources: &[&str]) -> Grants {
        Grants { can_publish_sources: sources.iter().map(|s| (*s).to_owned()).collect(), ..Grants::default() }
    }

    #[test]
    fn sources_in_common_are_what_both_allow() {
        let both = only(&["camera", "microphone"]).both(&only(&["MICROPHONE", "screen_share"]));
        assert!(both.publish_source("microphone") && !both.publish_source("camera"));
        assert!(only(&[]).both(&only(&["camera"])).publish_source("camera"));
        assert!(!only(&[]).both(&only(&["camera"])).publish_source("microphone"));
        assert!(!only(&["camera"]).both(&only(&["microphone"])).publish(), "nothing in common is nothing");
    }
}
