//! Who is host of a room that is made by the demo page: the first that asks for a token for it. It is known again by a secret
//! that its browser keeps, because identities can be read by all.

use super::Rooms;
use std::time::{Duration, Instant};

/// So long a room is kept for its first, who got a token and hasn't come yet.
const KEPT: Duration = Duration::from_secs(120);
/// So many rooms are kept; beyond that nobody becomes host of a new one.
const MAX: usize = 10_000;

/// The first of one room.
pub(super) struct First {
    identity: String,
    secret: String,
    asked: Instant,
}

impl Rooms {
    /// Whether a demo token makes that identity the host of that room. `secret` is what its browser keeps; `invited` never makes
    /// one, but leaves one what it is.
    pub fn is_first(&mut self, now: Instant, name: &str, identity: &str, secret: &str, invited: bool) -> bool {
        let full = self.firsts.len() >= MAX;
        match self.firsts.get_mut(name) {
            Some(first) => {
                let known = first.identity == identity && first.secret == secret;
                if known {
                    first.asked = now;
                }
                known
            }
            None if invited || self.names.contains_key(name) || full => false,
            None => {
                let first = First { identity: identity.to_owned(), secret: secret.to_owned(), asked: now };
                self.firsts.insert(name.to_owned(), first);
                true
            }
        }
    }

    /// Whether a host sent that identity away from that room. Whoever gives a token to everyone who asks must not undo it.
    pub fn was_removed(&self, name: &str, identity: &str) -> bool {
        self.names.get(name).and_then(|id| self.rooms.get(id)).is_some_and(|room| room.revoked(identity, 0))
    }

    /// Forgets the firsts of rooms that are gone, or that nobody came to.
    pub(super) fn forget_firsts(&mut self, now: Instant) {
        let names = &self.names;
        self.firsts.retain(|name, first| names.contains_key(name) || now.saturating_duration_since(first.asked) < KEPT);
    }
}
