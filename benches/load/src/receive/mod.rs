//! What receivers make of what comes in: [`account`] of sequence numbers, [`frames`] and freezes, and the [`stream`] that holds both
//! and asks for what is missing.

pub mod account;
pub mod frames;
pub mod stream;
