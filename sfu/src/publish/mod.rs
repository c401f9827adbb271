//! The receiving half: one [`Track`] per publication, and per transport one [`Routes`] from SSRCs to tracks.

pub mod bitrate;
mod cache;
mod keyframe;
mod layer;
mod nack;
mod routes;
mod sequence;
mod stats;
mod track;

pub use routes::{Route, Routes};
pub use track::{Counters, Track};
