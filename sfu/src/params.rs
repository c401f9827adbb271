//! What signaling negotiated, as plain values: the media plane sees no SDP and no protobuf.

use crate::id::{Mid, Pt, Rid, Ssrc, TransportId};

/// Audio or video.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Kind {
    /// Audio.
    Audio,
    /// Video, camera or screen.
    Video,
}

/// The codecs we forward. RTX and RED are wrappers and are named beside the codec they wrap.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Codec {
    /// Opus (RFC 7587).
    Opus,
    /// VP8 (RFC 7741).
    Vp8,
    /// VP9 (RFC 9628).
    Vp9,
    /// H.264 (RFC 6184).
    H264,
    /// AV1 (AV1 RTP specification 1.0).
    Av1,
}

impl Codec {
    /// RTP clock rate in Hz.
    pub const fn clock_rate(self) -> u32 {
        match self {
            Codec::Opus => 48_000,
            _ => 90_000,
        }
    }

    /// Audio or video.
    pub const fn kind(self) -> Kind {
        match self {
            Codec::Opus => Kind::Audio,
            _ => Kind::Video,
        }
    }
}

/// A codec with what must match for a decoder of one party to take the other party's packets unchanged.
/// Two formats are interchangeable exactly if they are equal.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Format {
    /// The codec.
    pub codec: Codec,
    /// VP9 `profile-id`, AV1 `profile`; for H.264 `packetization-mode << 16 | profile_idc << 8 | profile-iop`; else 0.
    pub profile: u32,
}

/// How one codec is numbered on one transport.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PayloadParams {
    /// Payload type of the codec itself.
    pub pt: Pt,
    /// The codec.
    pub format: Format,
    /// Payload type of its retransmissions (RFC 4588), if negotiated.
    pub rtx: Option<Pt>,
    /// Payload type of its redundancy wrapper (RFC 2198, `audio/red`), if negotiated.
    pub red: Option<Pt>,
    /// Whether generic NACK was negotiated (RFC 4585).
    pub nack: bool,
}

/// RTP header extensions that we understand.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[repr(usize)]
pub enum Extension {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`
    Mid = 0,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`
    Rid,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`
    RepairedRid,
    /// `http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01`
    TransportCc,
    /// `urn:ietf:params:rtp-hdrext:ssrc-audio-level`
    AudioLevel,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time`
    AbsSendTime,
    /// `urn:3gpp:video-orientation`
    VideoOrientation,
    /// `http://www.webrtc.org/experiments/rtp-hdrext/playout-delay`
    PlayoutDelay,
    /// `https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension`
    DependencyDescriptor,
}

impl Extension {
    /// Every extension, in the order of its discriminant.
    pub const ALL: [Extension; 9] = [
        Extension::Mid,
        Extension::Rid,
        Extension::RepairedRid,
        Extension::TransportCc,
        Extension::AudioLevel,
        Extension::AbsSendTime,
        Extension::VideoOrientation,
        Extension::PlayoutDelay,
        Extension::DependencyDescriptor,
    ];

    /// The URI that names it in `a=extmap` (RFC 8285).
    pub const fn uri(self) -> &'static str {
        match self {
            Extension::Mid => "urn:ietf:params:rtp-hdrext:sdes:mid",
            Extension::Rid => "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id",
            Extension::RepairedRid => "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id",
            Extension::TransportCc => "http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
            Extension::AudioLevel => "urn:ietf:params:rtp-hdrext:ssrc-audio-level",
            Extension::AbsSendTime => "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
            Extension::VideoOrientation => "urn:3gpp:video-orientation",
            Extension::PlayoutDelay => "http://www.webrtc.org/experiments/rtp-hdrext/playout-delay",
            Extension::DependencyDescriptor => {
                "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
            }
        }
    }

    /// The extension of an `a=extmap` URI, if we understand it.
    pub fn from_uri(uri: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|e| e.uri() == uri)
    }
}

/// The extension ids of one transport. Ids are unique over a BUNDLE group (RFC 8843 section 16.2), so one map serves all its
/// media sections.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct ExtensionMap {
    ids: [u8; 9],
    /// `a=extmap-allow-mixed` was negotiated: two-byte headers may be used (RFC 8285 section 6).
    pub allow_mixed: bool,
}

impl ExtensionMap {
    /// Sets the id (1 to 255, without 15 in one-byte headers) of `extension`; 0 removes it.
    pub fn set(&mut self, extension: Extension, id: u8) {
        self.ids[extension as usize] = id;
    }

    /// The id of `extension`, if negotiated.
    pub fn id(&self, extension: Extension) -> Option<u8> {
        match self.ids[extension as usize] {
            0 => None,
            id => Some(id),
        }
    }

    /// The extension behind `id`, if we know it.
    pub fn extension(&self, id: u8) -> Option<Extension> {
        if id == 0 {
            return None;
        }
        Extension::ALL.into_iter().find(|e| self.ids[*e as usize] == id)
    }
}

/// One side's ICE credentials (RFC 8839 section 5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct IceCredentials {
    /// `a=ice-ufrag`
    pub ufrag: String,
    /// `a=ice-pwd`
    pub pwd: String,
}

impl std::fmt::Debug for IceCredentials {
    /// Names the ufrag only: the password must not reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceCredentials").field("ufrag", &self.ufrag).finish_non_exhaustive()
    }
}

/// SHA-256 digest of a DTLS certificate (`a=fingerprint:sha-256`, RFC 8122).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Fingerprint(pub [u8; 32]);

/// A data channel of the client protocol. Each transport has at most one of a kind.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DataChannel {
    /// `_reliable`: ordered, retransmitted until it arrives.
    Reliable,
    /// `_lossy`: unordered, never retransmitted.
    Lossy,
    /// `_data_track`: unordered, never retransmitted.
    Track,
}

impl DataChannel {
    /// Every kind.
    pub const ALL: [DataChannel; 3] = [DataChannel::Reliable, DataChannel::Lossy, DataChannel::Track];

    /// The label it is opened with (RFC 8832).
    pub const fn label(self) -> &'static str {
        match self {
            DataChannel::Reliable => "_reliable",
            DataChannel::Lossy => "_lossy",
            DataChannel::Track => "_data_track",
        }
    }

    /// The kind behind a label.
    pub fn from_label(label: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.label() == label)
    }
}

/// What it takes to bring up one peer connection's wire. We are ICE-lite and the DTLS server, always.
#[derive(Clone, Debug)]
pub struct TransportParams {
    /// Our credentials; `ufrag` is unique in the process and the key of demultiplexing.
    pub local: IceCredentials,
    /// The peer's credentials.
    pub remote: IceCredentials,
    /// The peer's certificate must have one of these digests.
    pub fingerprints: Vec<Fingerprint>,
    /// Extension ids on this transport.
    pub extensions: ExtensionMap,
    /// Data channels that we open ourselves once SCTP is up (dual peer connection); others the peer opens.
    pub open_channels: Vec<DataChannel>,
}

/// One simulcast layer of a publication, lowest spatial layer first. A single encoding is one layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LayerParams {
    /// `a=rid`, with simulcast.
    pub rid: Option<Rid>,
    /// `a=ssrc`, where the offer names it.
    pub ssrc: Option<Ssrc>,
    /// The `a=ssrc-group:FID` partner, where the offer names it.
    pub rtx_ssrc: Option<Ssrc>,
    /// What its encoder takes at most, in bits per second without headers, where the publisher says so.
    pub most: Option<u64>,
}

/// One published track.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublishParams {
    /// Audio or video.
    pub kind: Kind,
    /// Video of a screen: when not all can be sent, cameras go first. Or its sound, which is no microphone: it is heard always.
    pub screen: bool,
    /// The media section it comes in on.
    pub mid: Mid,
    /// The codecs the publisher may send, in order of preference.
    pub payloads: Vec<PayloadParams>,
    /// The layers, lowest spatial layer first; at least one, at most [`MAX_LAYERS`].
    pub layers: Vec<LayerParams>,
}

/// Simulcast layers a publication may have.
pub const MAX_LAYERS: usize = 3;

/// How one track is sent to one subscriber.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SubscribeParams {
    /// The media section it goes out on.
    pub mid: Mid,
    /// The SSRC we announced for it.
    pub ssrc: Ssrc,
    /// The SSRC we announced for its retransmissions.
    pub rtx_ssrc: Option<Ssrc>,
    /// The codecs the subscriber takes, with its numbering.
    pub payloads: Vec<PayloadParams>,
    /// The transport over which the subscriber publishes: its own voice is left out of a speaker slot.
    pub own: Option<TransportId>,
}

/// What a subscriber wants to be shown of a track.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SubscriptionSettings {
    /// Nothing is sent while paused.
    pub paused: bool,
    /// Highest spatial layer wanted: 0, 1 or 2. A layer that the publisher doesn't send is replaced by the next lower that it does.
    pub max_spatial: u8,
    /// What the subscriber gives room to first: 1 before 2 and so on, and all of them before 0, which leaves it to the allocation.
    /// Only a wish: as a limit it means nothing.
    pub priority: u8,
}

impl Default for SubscriptionSettings {
    fn default() -> Self {
        Self { paused: false, max_spatial: MAX_LAYERS as u8 - 1, priority: 0 }
    }
}
