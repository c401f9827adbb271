//! Ramai's media plane: a selective forwarding unit as one sans-IO state machine.
//!
//! It opens no socket, reads no clock and draws no randomness from the air: `now` is an argument, seeds enter at
//! construction. [`Worker`] is the whole plane of one thread; see there for how to drive it.
#![forbid(unsafe_code)]

pub mod api;
pub mod congestion;
pub mod demux;
pub mod id;
pub mod link;
pub mod overload;
pub mod params;
pub mod publish;
pub mod rtp;
pub mod speakers;
pub mod subscribe;
mod timers;
mod transmit;
pub mod transport;
mod worker;

pub use transmit::{Batch, Run};
pub use worker::{Bandwidth, Counters, Sizes, Worker};

use std::time::Duration;

/// A peer that sends nothing valid for so long is gone. Browsers check every 2.5 s; the client protocol promises others
/// that a dead tab disappears within 20 s.
pub const ICE_TIMEOUT: Duration = Duration::from_secs(15);
/// From attach to connected; clients give up after 15 s themselves.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Some instant for tests to count from. Only differences matter.
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "an Instant can't be made otherwise")]
pub(crate) fn test_epoch() -> std::time::Instant {
    std::time::Instant::now()
}
