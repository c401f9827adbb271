//! SDP in, SDP and media-plane parameters out (RFC 9429, RFC 8843). We are ICE-lite and the DTLS server, always.

pub mod answer;
pub mod codecs;
pub mod offer;
pub mod sdp;
#[cfg(test)]
mod tests;
mod write;
