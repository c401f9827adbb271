//! Writes the lines that our offers and answers have in common.

use super::sdp::{Direction, Payload, fingerprint_text};
use ramai_sfu::id::{Mid, Pt};
use ramai_sfu::params::{Extension, Fingerprint, IceCredentials, PayloadParams};
use rtc_sdp::description::common::{Address, Attribute, ConnectionInformation};
use rtc_sdp::description::media::{MediaDescription, MediaName, RangedPort};
use rtc_sdp::description::session::{Origin, SessionDescription, TimeDescription, Timing};
use std::net::SocketAddr;

/// What describes our side of one transport.
#[derive(Clone, Copy)]
pub struct Local<'a> {
    pub ice: &'a IceCredentials,
    pub fingerprint: &'a Fingerprint,
    pub candidates: &'a [SocketAddr],
    /// `passive` in answers, `actpass` in offers (RFC 9429 section 5.2.1).
    pub setup: &'a str,
    pub session_id: u64,
    pub version: u64,
}

/// Adds `a=key` or `a=key:value`.
pub fn attribute(md: &mut MediaDescription, key: &str, value: impl Into<Option<String>>) {
    md.attributes.push(Attribute::new(key.to_owned(), value.into()));
}

/// A section without any attribute but the connection line.
pub fn section(name: &str, proto: &str, formats: Vec<String>, port: u16) -> MediaDescription {
    MediaDescription {
        media_name: MediaName {
            media: name.to_owned(),
            port: RangedPort { value: port as isize, range: None },
            protos: proto.split('/').map(str::to_owned).collect(),
            formats,
        },
        media_title: None,
        connection_information: Some(ConnectionInformation {
            network_type: "IN".into(),
            address_type: "IP4".into(),
            address: Some(Address { address: "0.0.0.0".into(), ttl: None, range: None }),
        }),
        bandwidth: Vec::new(),
        encryption_key: None,
        attributes: Vec::new(),
    }
}

/// Adds ICE, DTLS and the mid. The candidates are in the section that tags the BUNDLE group, where browsers read them.
pub fn transport(md: &mut MediaDescription, local: &Local<'_>, mid: Mid, with_candidates: bool) {
    attribute(md, "mid", mid.to_string());
    attribute(md, "ice-ufrag", local.ice.ufrag.clone());
    attribute(md, "ice-pwd", local.ice.pwd.clone());
    attribute(md, "fingerprint", format!("sha-256 {}", fingerprint_text(local.fingerprint)));
    attribute(md, "setup", local.setup.to_owned());
    if with_candidates {
        for (index, address) in local.candidates.iter().enumerate() {
            // RFC 8445 section 5.1.2.1: host type preference 126, component 1; earlier ones are preferred.
            let priority = (126u32 << 24) | ((65_535 - index.min(65_535) as u32) << 8) | 255;
            let candidate = format!("{} 1 udp {priority} {} {} typ host", index + 1, address.ip(), address.port());
            attribute(md, "candidate", candidate);
        }
        attribute(md, "end-of-candidates", None);
    }
}

/// Adds the SCTP lines of a data section.
pub fn data(md: &mut MediaDescription) {
    attribute(md, "sctp-port", "5000".to_owned());
    attribute(md, "max-message-size", ramai_sfu::api::MAX_DATA_MESSAGE.to_string());
}

/// Adds `a=extmap`.
pub fn extension(md: &mut MediaDescription, id: u8, extension: Extension, direction: Direction) {
    let direction = match direction {
        Direction::SendRecv => "",
        Direction::SendOnly => "/sendonly",
        Direction::RecvOnly => "/recvonly",
        Direction::Inactive => "/inactive",
    };
    attribute(md, "extmap", format!("{id}{direction} {}", extension.uri()));
}

/// Adds one codec with its RTX and RED. `fmtp` may be empty.
pub fn codec(md: &mut MediaDescription, params: &PayloadParams, rtpmap: &str, fmtp: &str, feedback: &[&str]) {
    let clock = params.format.codec.clock_rate();
    let mut format = |pt: Pt| md.media_name.formats.push(pt.to_string());
    if let Some(red) = params.red {
        format(red);
    }
    format(params.pt);
    if let Some(rtx) = params.rtx {
        format(rtx);
    }
    if let Some(red) = params.red {
        attribute(md, "rtpmap", format!("{red} red/48000/2"));
        attribute(md, "fmtp", format!("{red} {pt}/{pt}", pt = params.pt));
    }
    attribute(md, "rtpmap", format!("{} {rtpmap}", params.pt));
    for fb in feedback {
        attribute(md, "rtcp-fb", format!("{} {fb}", params.pt));
    }
    if !fmtp.is_empty() {
        attribute(md, "fmtp", format!("{} {fmtp}", params.pt));
    }
    if let Some(rtx) = params.rtx {
        attribute(md, "rtpmap", format!("{rtx} rtx/{clock}"));
        attribute(md, "fmtp", format!("{rtx} apt={}", params.pt));
    }
}

/// The `a=fmtp` of Opus: in-band correction always, silence suppression and stereo as the track wants.
pub fn opus_fmtp(dtx: bool, stereo: bool) -> String {
    let mut fmtp = String::from("minptime=10;useinbandfec=1");
    if dtx {
        fmtp.push_str(";usedtx=1");
    }
    if stereo {
        fmtp.push_str(";stereo=1;sprop-stereo=1");
    }
    fmtp
}

/// A video `a=fmtp` as the peer wrote it, without its private hints.
pub fn echoed_fmtp(payload: &Payload) -> String {
    let kept: Vec<&str> =
        payload.fmtp.split(';').map(str::trim).filter(|p| !p.is_empty() && !p.starts_with("x-google-")).collect();
    kept.join(";")
}

/// The whole description.
pub fn session(local: &Local<'_>, allow_mixed: bool, bundle: &[Mid], media: Vec<MediaDescription>) -> String {
    let mut group = String::from("BUNDLE");
    for mid in bundle {
        group.push(' ');
        group.push_str(mid.as_str());
    }
    let mut attributes = vec![Attribute::new("group".into(), Some(group)), Attribute::new("ice-lite".into(), None)];
    if allow_mixed {
        attributes.push(Attribute::new("extmap-allow-mixed".into(), None));
    }
    attributes.push(Attribute::new("msid-semantic".into(), Some(" WMS *".into())));
    SessionDescription {
        version: 0,
        origin: Origin {
            username: "-".into(),
            session_id: local.session_id,
            session_version: local.version,
            network_type: "IN".into(),
            address_type: "IP4".into(),
            unicast_address: "127.0.0.1".into(),
        },
        session_name: "-".into(),
        session_information: None,
        uri: None,
        email_address: None,
        phone_number: None,
        connection_information: None,
        bandwidth: Vec::new(),
        time_descriptions: vec![TimeDescription {
            timing: Timing { start_time: 0, stop_time: 0 },
            repeat_times: Vec::new(),
        }],
        time_zones: Vec::new(),
        encryption_key: None,
        attributes,
        media_descriptions: media,
    }
    .marshal()
}
