//! What publishers send: packets of the shape of Opus, VP8, VP9 or AV1, of realistic sizes and pace, each with a [`stamp`] at its end.

pub mod cache;
pub mod dependency;
pub mod descriptor;
pub mod encoder;
pub mod film;
pub mod opus;
pub mod pacer;
pub mod rtp;
pub mod scalability;
pub mod source;
pub mod stamp;

/// Nanoseconds in a second.
pub const SECOND: u64 = 1_000_000_000;
/// Nanoseconds in a millisecond.
pub const MS: u64 = 1_000_000;
