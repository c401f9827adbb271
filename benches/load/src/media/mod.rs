//! What publishers send: Opus-shaped and VP8-shaped packets of realistic sizes and pace, each with a [`stamp`] at its end.

pub mod cache;
pub mod opus;
pub mod rtp;
pub mod source;
pub mod stamp;
pub mod vp8;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;
