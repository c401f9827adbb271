//! What viewers do with what comes: accounting and NACK, frames, and what they would see and hear.

pub mod audio;
pub mod holes;
pub mod log;
pub mod report;
pub mod video;
