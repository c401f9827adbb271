//! The receiving half: one [`Track`] per publication, and per transport one [`Routes`] from SSRCs to tracks.

pub mod bitrate;
mod cache;
mod full;
mod hold;
mod keyframe;
mod ladder;
mod layer;
mod nack;
mod rates;
mod redundancy;
mod routes;
mod sequence;
mod sharing;
mod stats;
mod track;
mod upstream;

pub use hold::{HOLD, Hold};
pub use ladder::Rung;
pub use routes::{Route, Routes};
pub use track::{Counters, Track};
pub use upstream::{FEW, Upstream};
