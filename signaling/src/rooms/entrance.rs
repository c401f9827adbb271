//! The room's door: open, locked, or with a waiting room before it. Whoever belongs inside passes: hosts, those who are in, and
//! those who were in a moment ago, for a reload or a dead spot is no reason to be shut out.

use super::room::Room;
use crate::auth::Claims;
use crate::error::Refusal;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// So long somebody who left still belongs inside.
const RETURN: Duration = Duration::from_secs(120);

/// See the module.
#[derive(Default)]
pub struct Entrance {
    /// Newcomers are refused.
    pub locked: bool,
    /// Newcomers wait until a host lets them in.
    pub waiting_room: bool,
    /// Those inside were told of a change.
    pub told: bool,
    /// Until when who left may come back, by identity. Kept only while it matters.
    left: BTreeMap<String, Instant>,
}

impl Entrance {
    /// Somebody who was inside left.
    pub fn left(&mut self, identity: &str, now: Instant) {
        if self.locked || self.waiting_room {
            self.left.insert(identity.to_owned(), now + RETURN);
        }
    }

    /// Somebody was sent away.
    pub fn removed(&mut self, identity: &str) {
        self.left.remove(identity);
    }

    /// Forgets whom it needs to know no longer.
    pub fn tick(&mut self, now: Instant) {
        self.left.retain(|_, until| now < *until);
    }
}

impl Room {
    fn belongs_inside(&self, claims: &Claims, now: Instant) -> bool {
        let in_room = || {
            let session = self.by_identity(&claims.sub).and_then(|key| self.sessions.get(&key));
            session.is_some_and(|session| session.waiting.is_none())
        };
        let was_in = || self.entrance.left.get(&claims.sub).is_some_and(|until| now < *until);
        claims.video.room_admin || in_room() || was_in()
    }

    /// Whether the door is shut to whoever has this token.
    pub(super) fn refuses(&self, claims: &Claims, now: Instant) -> Result<(), Refusal> {
        match self.entrance.locked && !self.belongs_inside(claims, now) {
            true => Err(Refusal::RoomLocked),
            false => Ok(()),
        }
    }

    /// Whether that one has to wait.
    pub(super) fn makes_wait(&self, claims: &Claims, now: Instant) -> bool {
        self.entrance.waiting_room && !self.belongs_inside(claims, now)
    }
}
