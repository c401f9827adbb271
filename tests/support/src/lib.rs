//! Whole-system tests without a browser: a real `ramai` process ([`Server`]) and real clients ([`Client`]) that speak the
//! client protocol over WebSocket and WebRTC over UDP.
//!
//! Clients stand on an implementation of WebRTC that shares nothing with the server but its cryptography. They send well-formed
//! Opus and VP8 packets of invented content and account for every packet they get.
#![forbid(unsafe_code)]

pub mod client;
pub mod exposition;
mod feedback;
pub mod http;
pub mod media;
pub mod meter;
mod peer;
mod process;
mod server;
pub mod signal;
pub mod token;

pub use client::{Client, Ended, Join, State};
pub use meter::Meter;
pub use process::{Process, udp_drops};
pub use server::{Server, free_tcp_port, free_udp_port};

use std::time::Duration;

/// What everything that is awaited must have happened within: far beyond what it takes, and below a test's patience.
pub const PATIENCE: Duration = Duration::from_secs(15);

/// What went wrong in a client or a server.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Sockets and processes.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The WebSocket. A refused upgrade is [`Error::Refused`].
    #[error(transparent)]
    WebSocket(Box<tokio_tungstenite::tungstenite::Error>),
    /// The server answered the upgrade with a status and words.
    #[error("refused: {0} {1}")]
    Refused(u16, String),
    /// WebRTC.
    #[error("WebRTC: {0}")]
    Rtc(#[from] rtc::shared::error::Error),
    /// The other side doesn't keep to the protocol.
    #[error("protocol: {0}")]
    Protocol(&'static str),
    /// It took too long.
    #[error("{0} took longer than {1:?}")]
    Late(&'static str, Duration),
}

/// Bounds a future by [`PATIENCE`].
///
/// # Errors
/// [`Error::Late`] with `what`.
pub async fn within<T>(what: &'static str, future: impl Future<Output = T>) -> Result<T, Error> {
    tokio::time::timeout(PATIENCE, future).await.map_err(|_| Error::Late(what, PATIENCE))
}
