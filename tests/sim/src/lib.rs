//! Calls on bad networks in virtual time.
#![forbid(unsafe_code)]
pub mod net;
use std::time::Duration;
/// A moment of a run: time since it began.
pub type At = Duration;
/// A millisecond.
pub const MS: Duration = Duration::from_millis(1);
/// A second.
pub const SECOND: Duration = Duration::from_secs(1);
