//! What publishers send: invented cameras and microphones whose packets look to the server like a browser's.

pub mod camera;
pub mod control;
mod descriptor;
pub mod encoding;
pub mod feedback;
pub mod microphone;
pub mod rtp;
pub mod stamp;

/// Payload types that every simulated participant uses, media and retransmission.
pub mod pt {
    /// Opus.
    pub const OPUS: u8 = 111;
    /// Redundant Opus.
    pub const RED: u8 = 63;
    /// VP8 and its retransmission.
    pub const VP8: (u8, u8) = (96, 97);
    /// VP9 and its retransmission.
    pub const VP9: (u8, u8) = (98, 99);
}
