//! Invites: signed words of a host that whoever has them may come into a room as a speaker or as a listener. They are no access
//! tokens; who gives out tokens takes them into account.

use crate::auth;
use crate::error::Refusal;
use serde::{Deserialize, Serialize};

/// What an invited participant will be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// It may publish.
    Speaker,
    /// It only listens, and writes.
    Listener,
}

/// See the module. The form is a JWT's, so that it is signed and ends as tokens do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Invite {
    iss: String,
    exp: u64,
    invite: Place,
}

/// Where to, as what.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// The room's name.
    pub room: String,
    /// The role there.
    pub role: Role,
}

impl Place {
    /// Signs it with that key until `exp`, in seconds since the epoch. `None` if there is no such key.
    pub fn sign(self, key: &str, exp: u64, keys: &[(String, String)]) -> Option<String> {
        let (iss, secret) = keys.iter().find(|(name, _)| name == key)?;
        auth::mint(&Invite { iss: iss.clone(), exp, invite: self }, secret)
    }

    /// Reads an invite of ours that hasn't ended.
    ///
    /// # Errors
    /// As with access tokens; it is none.
    pub fn read(invite: &str, keys: &[(String, String)]) -> Result<Self, Refusal> {
        auth::authenticate::<Invite>(invite, keys).map(|invite| invite.invite)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Claims, Grants, mint, verify};

    const FAR: u64 = 10_000_000_000;

    fn keys() -> Vec<(String, String)> {
        vec![("key".into(), "secret".into())]
    }

    fn place() -> Place {
        Place { room: "r".into(), role: Role::Listener }
    }

    #[test]
    fn an_invite_says_where_and_as_what() {
        let invite = place().sign("key", FAR, &keys()).unwrap();
        assert_eq!(Place::read(&invite, &keys()), Ok(place()));
        assert_eq!(place().sign("other", FAR, &keys()), None);
    }

    #[test]
    fn it_ends_and_cannot_be_forged() {
        let old = place().sign("key", 1_000, &keys()).unwrap();
        assert_eq!(Place::read(&old, &keys()), Err(Refusal::TokenExpired));
        let forged = place().sign("key", FAR, &[("key".into(), "guess".into())]).unwrap();
        assert_eq!(Place::read(&forged, &keys()), Err(Refusal::WrongSignature));
    }

    #[test]
    fn it_is_no_token_and_a_token_is_no_invite() {
        let invite = place().sign("key", FAR, &keys()).unwrap();
        assert_eq!(verify(&invite, &keys()).unwrap_err(), Refusal::NoJoinGrant);
        let video = Grants { room_join: true, room: "r".into(), room_admin: true, ..Grants::default() };
        let claims = Claims { iss: "key".into(), sub: "ana".into(), exp: FAR, video, ..Claims::default() };
        assert_eq!(Place::read(&mint(&claims, "secret").unwrap(), &keys()), Err(Refusal::TokenUnreadable));
    }
}
