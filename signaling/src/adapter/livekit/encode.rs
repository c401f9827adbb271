//! The larger messages of the client protocol, filled in.

use super::socket::{PING_INTERVAL, PING_TIMEOUT};
use crate::Settings;
use crate::auth::Grants;
use crate::rooms::effect::Notice;
use bytes::Bytes;
use livekit_protocol as proto;
use prost::Message;
use proto::leave_request::Action;
use proto::{DisconnectReason, TrackSource};

/// Features of clients hang on it: RPC needs 1.8.0, simulcast of SVC codecs more than 1.13.6. It is what we are compatible
/// with, not our own version.
const COMPATIBLE: &str = "1.13.7";
/// From 18 on clients use data channels with pre-negotiated ids.
const PROTOCOL: i32 = 16;

fn server_info(settings: &Settings) -> proto::ServerInfo {
    proto::ServerInfo {
        edition: proto::server_info::Edition::Standard as i32,
        version: COMPATIBLE.into(),
        protocol: PROTOCOL,
        region: settings.region.clone(),
        debug_info: concat!("ramai ", env!("CARGO_PKG_VERSION")).into(),
        ..Default::default()
    }
}

/// Codecs that may be published, for rooms and clients.
pub fn enabled_codecs() -> Vec<proto::Codec> {
    ["audio/opus", "audio/red", "video/VP8", "video/VP9", "video/H264", "video/AV1", "video/rtx"]
        .map(|mime| proto::Codec { mime: mime.into(), fmtp_line: String::new() })
        .into()
}

/// One frame for a WebSocket.
pub fn frame(notice: Notice) -> Bytes {
    Bytes::from(proto::SignalResponse { message: Some(notice) }.encode_to_vec())
}

/// The first message of a session.
pub fn join_response(
    room: proto::Room,
    participant: proto::ParticipantInfo,
    other_participants: Vec<proto::ParticipantInfo>,
    dual: bool,
    settings: &Settings,
) -> proto::JoinResponse {
    proto::JoinResponse {
        room: Some(room),
        participant: Some(participant),
        other_participants,
        server_version: COMPATIBLE.into(),
        server_region: settings.region.clone(),
        subscriber_primary: dual,
        ping_interval: PING_INTERVAL,
        ping_timeout: PING_TIMEOUT,
        server_info: Some(server_info(settings)),
        // We inject no frames; the trailer tells end-to-end encrypting clients which ones would be ours.
        sif_trailer: b"ramai-sif".to_vec(),
        enabled_publish_codecs: enabled_codecs(),
        ..Default::default()
    }
}

/// The first message of a resumed session.
pub fn reconnect_response(last_message_seq: u32, settings: &Settings) -> proto::ReconnectResponse {
    proto::ReconnectResponse { server_info: Some(server_info(settings)), last_message_seq, ..Default::default() }
}

/// Tells a client that its session ends here, and what to do then.
pub fn leave(reason: DisconnectReason, action: Action) -> Notice {
    Notice::Leave(proto::LeaveRequest {
        can_reconnect: action != Action::Disconnect,
        reason: reason as i32,
        action: action as i32,
        ..Default::default()
    })
}

/// Sources by their names in tokens.
const SOURCES: [(&str, TrackSource); 4] = [
    ("camera", TrackSource::Camera),
    ("microphone", TrackSource::Microphone),
    ("screen_share", TrackSource::ScreenShare),
    ("screen_share_audio", TrackSource::ScreenShareAudio),
];

/// A source's name in tokens.
pub fn source_name(source: TrackSource) -> &'static str {
    SOURCES.iter().find(|(_, known)| *known == source).map_or("unknown", |(name, _)| name)
}

/// Grants as clients are told of them.
pub fn permission(grants: &Grants) -> proto::ParticipantPermission {
    let source = |name: &String| SOURCES.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
    proto::ParticipantPermission {
        can_subscribe: grants.subscribe(),
        can_publish: grants.publish(),
        can_publish_data: grants.publish_data(),
        can_publish_sources: grants.can_publish_sources.iter().filter_map(source).map(|(_, s)| *s as i32).collect(),
        hidden: grants.hidden,
        recorder: grants.recorder,
        can_update_metadata: grants.update_own_metadata(),
        ..Default::default()
    }
}
