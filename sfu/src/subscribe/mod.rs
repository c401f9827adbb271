//! The sending half: one [`Subscription`] per track and subscriber chooses the layer, rewrites headers and answers NACKs.

mod report;
mod rewrite;
mod rtx;
mod select;
mod subscription;

pub use subscription::{Counters, Subscription};
