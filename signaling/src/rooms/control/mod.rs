//! Orders about a room from outside it: from an application's server, or from a host by its own token. Each is one method of
//! [`Rooms`] that is carried out at once or says what is in the way; who may give it was checked before.

mod data;
pub mod door;
mod lifecycle;
mod participants;
mod permission;
mod tracks;

use super::Rooms;
use super::room::Room;
use crate::session::{Context, SessionKey};
use std::fmt;
use std::time::Instant;

/// Longest metadata of a room or participant, and all attributes of one together, in bytes.
const MAX_METADATA: usize = 64 * 1024;

/// Who gives an order, and when.
#[derive(Clone, Debug)]
pub struct Order {
    /// Whose name the log tells.
    pub by: By,
    /// The time of the order.
    pub now: Instant,
    /// The same since the epoch, in milliseconds.
    pub wall_ms: i64,
}

impl Order {
    /// The second from which on tokens are newer than it: tokens tell theirs in whole seconds, and in its own are both.
    fn next_second(&self) -> u64 {
        u64::try_from(self.wall_ms / 1000).unwrap_or(0) + 1
    }
}

/// Whose order it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum By {
    /// Somebody's own token.
    Host {
        /// Its `sub`.
        identity: String,
        /// Its `nbf`, in seconds: tokens older than their holder's removal give no orders.
        not_before: u64,
    },
    /// An application's server, by a token that names nobody.
    Key(String),
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            By::Host { identity, .. } => write!(f, "host {identity}"),
            By::Key(key) => write!(f, "API key {key}"),
        }
    }
}

/// Why an order isn't carried out.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Fault {
    /// No room of that name is open.
    #[error("requested room does not exist")]
    NoRoom,
    /// Nobody of that identity is in the room.
    #[error("participant does not exist")]
    NoParticipant,
    /// The participant has no such track.
    #[error("track does not exist")]
    NoTrack,
    /// A microphone or camera is opened by its owner alone, unless the configuration says otherwise.
    #[error("remote unmute is not enabled on this server")]
    RemoteUnmute,
    /// The giver was removed from the room after its token was made.
    #[error("the giver of the order was removed from this room")]
    GiverRemoved,
    /// What is asked may not be done to this participant; why.
    #[error("{0}")]
    NotAllowed(&'static str),
    /// The order itself makes no sense; why.
    #[error("{0}")]
    Invalid(&'static str),
    /// There are as many rooms as there may be.
    #[error("the server has as many rooms as it may have")]
    TooManyRooms,
    /// The server goes down.
    #[error("the server is shutting down")]
    ShuttingDown,
}

impl Rooms {
    /// Carries out an order in the room of that name.
    fn order<R>(
        &mut self,
        order: &Order,
        name: &str,
        carry_out: impl FnOnce(&mut Room, &mut Context<'_>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        let id = *self.names.get(name).ok_or(Fault::NoRoom)?;
        let done = self.within(id, order.now, |room, cx| {
            if let By::Host { identity, not_before } = &order.by
                && room.revoked(identity, *not_before)
            {
                return Err(Fault::GiverRemoved);
            }
            carry_out(room, cx)
        });
        done.unwrap_or(Err(Fault::NoRoom))
    }

    /// The same about one participant.
    fn order_about<R>(
        &mut self,
        order: &Order,
        name: &str,
        identity: &str,
        carry_out: impl FnOnce(&mut Room, SessionKey, &mut Context<'_>) -> Result<R, Fault>,
    ) -> Result<R, Fault> {
        self.order(order, name, |room, cx| {
            let key = room.by_identity(identity).ok_or(Fault::NoParticipant)?;
            carry_out(room, key, cx)
        })
    }
}
