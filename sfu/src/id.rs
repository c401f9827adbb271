//! Newtypes for every identifier of the media plane. They live on the ground floor, so that they make no import circles.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(/// One room on the media plane; chosen by signaling, never reused in a process.
    RoomId(u64));
id!(/// One peer connection's wire (ICE, DTLS, SRTP, SCTP); chosen by signaling, never reused in a process.
    TransportId(u64));
id!(/// One published track (all its simulcast layers); chosen by signaling, never reused in a process.
    TrackId(u64));
id!(/// One track sent to one transport; chosen by signaling, never reused in a process.
    SubscriptionId(u64));
id!(/// RTP synchronisation source (RFC 3550 section 3).
    Ssrc(u32));
id!(/// RTP payload type, 7 bits.
    Pt(u8));
id!(/// A media worker: its index is also the offset of its UDP port from the base port.
    WorkerId(u16));

/// A short ASCII token of SDP (`a=mid`, `a=rid`) that also travels in RTP header extensions: at most 16 bytes, kept inline.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Token {
    len: u8,
    bytes: [u8; 16],
}

impl Token {
    /// The token of `text`, or `None` if it is empty, longer than 16 bytes or not printable ASCII.
    pub fn new(text: &str) -> Option<Self> {
        Self::from_bytes(text.as_bytes())
    }

    /// The token of raw extension bytes; see [`Token::new`].
    pub fn from_bytes(raw: &[u8]) -> Option<Self> {
        if raw.is_empty() || !raw.iter().all(u8::is_ascii_graphic) {
            return None;
        }
        let mut bytes = [0; 16];
        bytes.get_mut(..raw.len())?.copy_from_slice(raw);
        Some(Self { len: raw.len() as u8, bytes })
    }

    /// The token's bytes, never empty but for [`Token::default`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len).min(16)]
    }

    /// The token as text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or("")
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// `a=mid` of a media section (RFC 8843).
pub type Mid = Token;
/// `a=rid` of a simulcast layer (RFC 8852).
pub type Rid = Token;
