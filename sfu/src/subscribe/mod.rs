//! The sending half: one [`Subscription`] per track and subscriber chooses the layer, rewrites headers and answers NACKs. A [`Slot`] is a track made of several.

pub mod allocate;
pub mod appetite;
mod gaps;
pub mod importance;
mod report;
mod rewrite;
mod rtx;
mod select;
mod slot;
mod subscription;

pub use select::Fit;
pub use slot::Slot;
pub use subscription::{Counters, Subscription};
