//! The sending half: one [`Subscription`] per track and subscriber chooses the layer, rewrites headers and answers NACKs.

pub mod allocate;
mod gaps;
mod report;
mod rewrite;
mod rtx;
mod select;
mod subscription;

pub use select::Fit;
pub use subscription::{Counters, Subscription};
