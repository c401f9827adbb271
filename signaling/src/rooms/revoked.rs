//! Tokens that let nobody in any more: those that were made before their holder was removed from the room.

use super::room::Room;
use std::collections::BTreeMap;

/// So many identities a room remembers; those whose tokens are oldest are forgotten first, for tokens end by themselves.
const MAX: usize = 10_000;

/// By identity: before which second a token must have become valid to be refused.
#[derive(Default)]
pub(super) struct Revoked(BTreeMap<String, u64>);

impl Room {
    /// Refuses that identity's tokens of before that second.
    pub(super) fn revoke(&mut self, identity: &str, before: u64) {
        let revoked = &mut self.revoked.0;
        revoked.insert(identity.to_owned(), before);
        if revoked.len() > MAX
            && let Some(oldest) =
                revoked.iter().min_by_key(|(_, before)| **before).map(|(identity, _)| identity.clone())
        {
            revoked.remove(&oldest);
        }
    }

    /// Whether a token that became valid in that second is refused.
    pub(super) fn revoked(&self, identity: &str, not_before: u64) -> bool {
        self.revoked.0.get(identity).is_some_and(|before| not_before < *before)
    }
}
