//! `ramai-load`: simulated participants with real ICE, DTLS and SRTP, light enough that one core holds hundreds of receivers
//! of video, and what they measured, told without flattery.
//!
//! The way of a run: [`scenario`] makes a plan of seats, [`run`] fills them over a [`dialect`], the [`engine`] (one thread, its own
//! loop over non-blocking sockets) sends what [`media`] invents and accounts for what comes in [`receive`], and [`report`] tells it.
#![forbid(unsafe_code)]

pub mod args;
pub mod dialect;
pub mod engine;
pub mod lossy;
pub mod media;
pub mod receive;
pub mod report;
pub mod run;
pub mod scenario;
pub mod sdp;
pub mod token;

/// What keeps a run or a participant from going on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Sockets and files.
    #[error(transparent)]
    Io(#[from] std::io::Error),
    /// The server answered with a refusal.
    #[error("refused with {0}: {1}")]
    Refused(u16, String),
    /// The server has no place now, and says when to come back.
    #[error("refused with 503: {words}")]
    Busy {
        /// Its `Retry-After`.
        after: std::time::Duration,
        /// Its words.
        words: String,
    },
    /// The connection for signaling failed.
    #[error("signaling: {0}")]
    Signaling(String),
    /// The other side doesn't keep to its protocol.
    #[error("protocol: {0}")]
    Protocol(String),
    /// It took too long.
    #[error("{0} took too long")]
    Late(&'static str),
    /// ICE, DTLS or SRTP.
    #[error("media: {0}")]
    Media(String),
    /// The command line asks for something that can't be.
    #[error("{0}")]
    Usage(String),
}
