//! What the rooms want done; the actor does it.

use crate::auth::Claims;
use bytes::Bytes;
use livekit_protocol as proto;
use ramai_sfu::api::Command;
use ramai_sfu::id::WorkerId;

/// One WebSocket; never reused in a process.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ConnId(pub u64);

/// What clients are told, in the client protocol's own messages.
pub type Notice = proto::signal_response::Message;

/// Something to do outside.
#[derive(Debug)]
pub enum Effect {
    /// Tell clients.
    Notice(Vec<ConnId>, Box<Notice>),
    /// Give one client what is encoded already, whole: the roster's pages.
    Frames(ConnId, Vec<Bytes>),
    /// Give one client a token that says this, good from now on ([`crate::session::token::LIFETIME`]).
    Token(ConnId, Box<Claims>),
    /// Close a WebSocket after what was sent before.
    Close(ConnId),
    /// Bring up a wire on a media worker: [`Command::AttachTransport`].
    Attach(WorkerId, Command),
    /// Ask those media workers of whose transports, tracks or subscriptions it tells.
    Command(Command),
}

/// How a WebSocket ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Closing {
    /// The page went away (close code 1001).
    GoingAway,
    /// Closed in an orderly way without having left. The client may come back at once.
    Closed,
    /// Cut off, silent for too long, or too slow.
    Cut,
}
