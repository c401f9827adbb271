//! Calls on bad networks in virtual time: the real media plane ([`ramai_sfu::Worker`]) between modelled links, encoders and
//! receivers. One seed, one run: the same seed does the same, to the nanosecond.
//!
//! [`room::Room`] is what a story talks to; [`net`] has the links, [`peer`] the participants, [`media`] what they send and
//! [`receive`] what they make of what comes; [`oracle`] judges every packet that leaves the server.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "an instrument that can't go on has failed, and says so")]

pub mod board;
pub mod media;
pub mod net;
pub mod oracle;
pub mod peer;
pub mod receive;
pub mod room;
pub mod rows;

use std::time::Duration;

/// A moment of a run: time since it began.
pub type At = Duration;
/// A millisecond.
pub const MS: Duration = Duration::from_millis(1);
/// A second.
pub const SECOND: Duration = Duration::from_secs(1);
