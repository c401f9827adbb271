//! What a run tells: percentiles, the server's process, progress lines, and the document at the end with its expectations.

pub mod document;
pub mod expect;
pub mod percentile;
pub mod process;
pub mod progress;
