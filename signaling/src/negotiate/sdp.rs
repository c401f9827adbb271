//! Reads an offer or answer into what negotiation needs of it, and refuses what we can't work with. `rtc-sdp` splits the
//! lines; the attributes are interpreted here. Nothing in it is trusted: sizes and counts are bounded.

use ramai_sfu::id::{Mid, Rid, Ssrc, Token};
use ramai_sfu::params::{Extension, Fingerprint, IceCredentials};
use rtc_sdp::description::media::MediaDescription;
use rtc_sdp::description::session::SessionDescription;
use std::io::Cursor;
use std::sync::Arc;

/// Largest SDP that is read, in bytes: some 150 video sections of a browser.
pub const MAX_SDP: usize = 1024 * 1024;
/// Most media sections of one description.
pub const MAX_SECTIONS: usize = 512;
/// Most payload types of one section; there are only 128.
const MAX_CODECS: usize = 128;

/// Why a description can't be used. The words go to the client and the log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Too many bytes.
    #[error("the SDP is too large")]
    TooLarge,
    /// Too many media sections.
    #[error("the SDP has too many media sections")]
    TooManySections,
    /// Not SDP.
    #[error("the SDP cannot be parsed")]
    Malformed,
    /// No media section that could be used.
    #[error("the SDP has no usable media section")]
    NoSection,
    /// `a=ice-ufrag` or `a=ice-pwd` missing or malformed.
    #[error("the SDP has no valid ICE credentials")]
    NoIce,
    /// No `a=fingerprint:sha-256`.
    #[error("the SDP has no sha-256 fingerprint")]
    NoFingerprint,
    /// A used section isn't in the BUNDLE group.
    #[error("the SDP does not bundle all media sections")]
    NoBundle,
    /// A used section has no `a=rtcp-mux`.
    #[error("the SDP does not use rtcp-mux")]
    NoRtcpMux,
    /// A section without `a=mid`, or with one that is malformed or used twice.
    #[error("the SDP has a media section without a valid unique mid")]
    BadMid,
    /// The peer insists on being the DTLS server.
    #[error("the SDP's setup role is not possible: this server is passive")]
    BadSetup,
    /// Sections vanished or changed place since the last negotiation.
    #[error("the SDP's media sections do not match the previous ones")]
    SectionsChanged,
    /// An answer to something that wasn't offered.
    #[error("the answer is for an offer that is not outstanding")]
    NotOutstanding,
}

/// What a media section carries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Media {
    /// RTP audio.
    Audio,
    /// RTP video.
    Video,
    /// SCTP data channels.
    Data,
    /// Something that we reject.
    Other,
}

/// Direction of a section from the point of view of whoever wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Direction {
    /// Both ways.
    SendRecv,
    /// It sends.
    SendOnly,
    /// It receives.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether the writer sends.
    pub fn sends(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::SendOnly)
    }

    /// The same seen from the other side.
    pub fn reversed(self) -> Self {
        match self {
            Direction::SendOnly => Direction::RecvOnly,
            Direction::RecvOnly => Direction::SendOnly,
            other => other,
        }
    }

    /// Whether the writer receives.
    pub fn receives(self) -> bool {
        matches!(self, Direction::SendRecv | Direction::RecvOnly)
    }
}

/// One payload type as a section describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// Payload type.
    pub pt: u8,
    /// Encoding name, lower case.
    pub name: String,
    /// The `a=rtpmap` value after the payload type, as written.
    pub rtpmap: String,
    /// The `a=fmtp` value after the payload type; empty if there is none.
    pub fmtp: String,
    /// `a=rtcp-fb` values.
    pub feedback: Vec<String>,
}

impl Payload {
    /// The value of a `name=value` parameter of the `a=fmtp` line.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.fmtp.split(';').find_map(|entry| {
            let (key, value) = entry.split_once('=')?;
            key.trim().eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }
}

/// One media section.
#[derive(Clone, Debug)]
pub struct Section {
    /// First word of the `m=` line.
    pub media_name: String,
    /// Transport of the `m=` line.
    pub proto: String,
    /// Formats of the `m=` line; shared with its neighbour's if they are the same.
    pub formats: Arc<[String]>,
    /// What it carries; [`Media::Other`] if we can't take part in it.
    pub media: Media,
    /// Port 0 and not `a=bundle-only`.
    pub rejected: bool,
    /// `a=mid`; sections that are rejected may lack it.
    pub mid: Option<Mid>,
    /// Direction.
    pub direction: Direction,
    /// Payload types in order of preference; shared with its neighbour's if they are the same. Browsers repeat some twenty in
    /// each of their sections, and a session keeps its last offer.
    pub payloads: Arc<[Payload]>,
    /// `a=extmap` of the extensions that we understand: id, which, and its own direction (RFC 8285 section 5).
    pub extensions: Vec<(u8, Extension, Direction)>,
    /// Stream and track id of `a=msid`.
    pub msid: Option<(String, String)>,
    /// `a=rid … send` in order.
    pub send_rids: Vec<Rid>,
    /// `a=ssrc` in order of first mention.
    pub ssrcs: Vec<Ssrc>,
    /// `a=ssrc-group`: semantics and members.
    pub groups: Vec<(String, Vec<Ssrc>)>,
    /// `a=rtcp-rsize`.
    pub rtcp_rsize: bool,
    /// `a=extmap-allow-mixed` here.
    pub allow_mixed: bool,
}

/// An offer or answer.
#[derive(Clone, Debug)]
pub struct Description {
    /// The peer's ICE credentials.
    pub ice: IceCredentials,
    /// SHA-256 digests of certificates that the peer may use.
    pub fingerprints: Vec<Fingerprint>,
    /// `a=extmap-allow-mixed` for the session or all its RTP sections.
    pub allow_mixed: bool,
    /// The sections, in order.
    pub sections: Vec<Section>,
}

impl Description {
    /// Reads an offer or answer and checks that we can work with it.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        if text.len() > MAX_SDP {
            return Err(SdpError::TooLarge);
        }
        if text.lines().filter(|line| line.starts_with("m=")).count() > MAX_SECTIONS {
            return Err(SdpError::TooManySections);
        }
        let sdp = SessionDescription::unmarshal(&mut Cursor::new(text.as_bytes())).map_err(|_| SdpError::Malformed)?;
        let session =
            |key: &'static str| sdp.attributes.iter().filter(move |a| a.key == key).map(|a| a.value.as_deref());
        let bundle: Vec<Mid> = session("group")
            .flatten()
            .filter_map(|group| group.strip_prefix("BUNDLE"))
            .flat_map(|mids| mids.split_ascii_whitespace().filter_map(Token::new))
            .collect();

        let (mut ufrag, mut pwd) = (first(session("ice-ufrag")), first(session("ice-pwd")));
        let mut fingerprints: Vec<Fingerprint> = session("fingerprint").flatten().filter_map(fingerprint).collect();
        let mut setup: Vec<&str> = session("setup").flatten().collect();
        let mut sections = Vec::with_capacity(sdp.media_descriptions.len());
        let mut mids: Vec<Mid> = Vec::new();
        let mut codecs: Vec<Codecs<'_>> = Vec::new();
        for md in &sdp.media_descriptions {
            let section = section(md, &mut codecs);
            if let Some(mid) = section.mid {
                if mids.contains(&mid) {
                    return Err(SdpError::BadMid);
                }
                mids.push(mid);
            }
            if !section.rejected && section.media != Media::Other {
                let Some(mid) = section.mid else { return Err(SdpError::BadMid) };
                if !bundle.contains(&mid) {
                    return Err(SdpError::NoBundle);
                }
                if section.media != Media::Data && !md.has_attribute("rtcp-mux") {
                    return Err(SdpError::NoRtcpMux);
                }
                ufrag = ufrag.or(first(values(md, "ice-ufrag").map(Some)));
                pwd = pwd.or(first(values(md, "ice-pwd").map(Some)));
                for print in values(md, "fingerprint").filter_map(fingerprint) {
                    if !fingerprints.contains(&print) && fingerprints.len() < 8 {
                        fingerprints.push(print);
                    }
                }
                setup.extend(values(md, "setup"));
            }
            sections.push(section);
        }

        if !sections.iter().any(|s| !s.rejected && s.media != Media::Other) {
            return Err(SdpError::NoSection);
        }
        if setup.contains(&"passive") {
            return Err(SdpError::BadSetup);
        }
        if fingerprints.is_empty() {
            return Err(SdpError::NoFingerprint);
        }
        let rtp = || sections.iter().filter(|s| matches!(s.media, Media::Audio | Media::Video) && !s.rejected);
        let allow_mixed =
            session("extmap-allow-mixed").next().is_some() || (rtp().count() > 0 && rtp().all(|s| s.allow_mixed));
        Ok(Self { ice: credentials(ufrag, pwd)?, fingerprints, allow_mixed, sections })
    }
}

fn first<'a>(mut values: impl Iterator<Item = Option<&'a str>>) -> Option<String> {
    values.next().flatten().map(|v| v.trim().to_owned())
}

fn values<'a>(md: &'a MediaDescription, key: &'a str) -> impl Iterator<Item = &'a str> {
    md.attributes.iter().filter(move |a| a.key == key).filter_map(|a| a.value.as_deref())
}

/// ICE credentials of the lengths and characters of RFC 8839 section 5.4.
fn credentials(ufrag: Option<String>, pwd: Option<String>) -> Result<IceCredentials, SdpError> {
    let valid = |s: &str| s.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_' | b'='));
    match (ufrag, pwd) {
        (Some(ufrag), Some(pwd))
            if (4..=256).contains(&ufrag.len()) && (22..=256).contains(&pwd.len()) && valid(&ufrag) && valid(&pwd) =>
        {
            Ok(IceCredentials { ufrag, pwd })
        }
        _ => Err(SdpError::NoIce),
    }
}

/// The digest of `sha-256 AB:CD:…`.
fn fingerprint(value: &str) -> Option<Fingerprint> {
    let (algorithm, digest) = value.trim().split_once(' ')?;
    if !algorithm.eq_ignore_ascii_case("sha-256") {
        return None;
    }
    let mut bytes = [0; 32];
    let mut parts = digest.trim().split(':');
    for byte in &mut bytes {
        let part = parts.next().filter(|p| p.len() == 2)?;
        *byte = u8::from_str_radix(part, 16).ok()?;
    }
    parts.next().is_none().then_some(Fingerprint(bytes))
}

/// `AB:CD:…`
pub fn fingerprint_text(fingerprint: &Fingerprint) -> String {
    fingerprint.0.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(":")
}

fn section<'a>(md: &'a MediaDescription, known: &mut Vec<Codecs<'a>>) -> Section {
    let proto = md.media_name.protos.join("/");
    let media = match (md.media_name.media.as_str(), proto.as_str()) {
        ("audio", "UDP/TLS/RTP/SAVPF") => Media::Audio,
        ("video", "UDP/TLS/RTP/SAVPF") => Media::Video,
        ("application", "UDP/DTLS/SCTP") if md.media_name.formats.iter().any(|f| f == "webrtc-datachannel") => {
            Media::Data
        }
        _ => Media::Other,
    };
    let has = |key| md.has_attribute(key);
    let direction = if has("sendonly") {
        Direction::SendOnly
    } else if has("recvonly") {
        Direction::RecvOnly
    } else if has("inactive") {
        Direction::Inactive
    } else {
        Direction::SendRecv
    };
    let mut ssrcs: Vec<Ssrc> = Vec::new();
    for ssrc in values(md, "ssrc").filter_map(|v| v.split_ascii_whitespace().next()?.parse().ok()).map(Ssrc) {
        if !ssrcs.contains(&ssrc) && ssrcs.len() < 16 {
            ssrcs.push(ssrc);
        }
    }
    let groups = values(md, "ssrc-group")
        .take(8)
        .filter_map(|v| {
            let mut words = v.split_ascii_whitespace();
            let semantics = words.next()?.to_owned();
            Some((semantics, words.take(16).filter_map(|w| w.parse().ok()).map(Ssrc).collect()))
        })
        .collect();
    // `- track` and `stream track`; a browser without streams writes the first.
    let msid = values(md, "msid").next().and_then(|v| {
        let (stream, track) = v.split_once(' ')?;
        Some((stream.to_owned(), track.trim().to_owned()))
    });
    let (formats, payloads) = codecs(md, media, known);
    Section {
        media_name: md.media_name.media.clone(),
        formats,
        media,
        rejected: md.media_name.port.value == 0 && !has("bundle-only"),
        mid: values(md, "mid").next().and_then(|m| Token::new(m.trim())),
        direction,
        payloads,
        extensions: extensions(md),
        msid,
        send_rids: values(md, "rid")
            .filter_map(|v| {
                let mut words = v.split_ascii_whitespace();
                let rid = Token::new(words.next()?)?;
                (words.next() == Some("send")).then_some(rid)
            })
            .take(8)
            .collect(),
        ssrcs,
        groups,
        rtcp_rsize: has("rtcp-rsize"),
        allow_mixed: has("extmap-allow-mixed"),
        proto,
    }
}

/// The codecs of a section that was read already.
struct Codecs<'a> {
    md: &'a MediaDescription,
    media: Media,
    formats: Arc<[String]>,
    payloads: Arc<[Payload]>,
}

/// Different lists of codecs that are compared with: one for audio, one for video, and those of the sections that a client
/// publishes in.
const MAX_KNOWN: usize = 4;

/// Formats and payload types of a section, read or, if an earlier section says the same, shared with that.
fn codecs<'a>(md: &'a MediaDescription, media: Media, known: &mut Vec<Codecs<'a>>) -> (Arc<[String]>, Arc<[Payload]>) {
    fn lines(md: &MediaDescription) -> impl Iterator<Item = (&str, Option<&str>)> {
        let about = |key: &str| matches!(key, "rtpmap" | "fmtp" | "rtcp-fb");
        md.attributes.iter().filter(move |a| about(&a.key)).map(|a| (a.key.as_str(), a.value.as_deref()))
    }
    let same = |k: &&Codecs<'_>| k.media == media && *k.formats == *md.media_name.formats && lines(k.md).eq(lines(md));
    if let Some(k) = known.iter().find(same) {
        return (k.formats.clone(), k.payloads.clone());
    }
    let formats: Arc<[String]> = md.media_name.formats.clone().into();
    let payloads: Arc<[Payload]> =
        if matches!(media, Media::Audio | Media::Video) { payloads(md).into() } else { Arc::default() };
    if known.len() < MAX_KNOWN {
        known.push(Codecs { md, media, formats: formats.clone(), payloads: payloads.clone() });
    }
    (formats, payloads)
}

fn payloads(md: &MediaDescription) -> Vec<Payload> {
    let of = |key: &'static str| {
        values(md, key).filter_map(|v| {
            let (pt, rest) = v.split_once(' ')?;
            Some((pt.trim(), rest.trim()))
        })
    };
    let formats = md.media_name.formats.iter().take(MAX_CODECS);
    formats
        .filter_map(|format| {
            let pt: u8 = format.parse().ok().filter(|pt| *pt < 128)?;
            let (_, rtpmap) = of("rtpmap").find(|(p, _)| p == format)?;
            let name = rtpmap.split('/').next().unwrap_or("").to_ascii_lowercase();
            let fmtp = of("fmtp").find(|(p, _)| p == format).map_or("", |(_, v)| v).to_owned();
            let feedback = of("rtcp-fb").filter(|(p, _)| p == format || *p == "*").map(|(_, v)| v.to_owned()).collect();
            Some(Payload { pt, name, rtpmap: rtpmap.to_owned(), fmtp, feedback })
        })
        .collect()
}

fn extensions(md: &MediaDescription) -> Vec<(u8, Extension, Direction)> {
    let mut found: Vec<(u8, Extension, Direction)> = Vec::new();
    for value in values(md, "extmap") {
        let mut words = value.split_ascii_whitespace();
        let (id, direction) = words.next().map_or(("", ""), |w| w.split_once('/').unwrap_or((w, "")));
        let direction = match direction {
            "sendonly" => Direction::SendOnly,
            "recvonly" => Direction::RecvOnly,
            "inactive" => Direction::Inactive,
            _ => Direction::SendRecv,
        };
        let id = id.parse::<u8>().ok().filter(|id| *id != 0 && *id != 15);
        let extension = words.next().and_then(Extension::from_uri);
        if let (Some(id), Some(extension)) = (id, extension)
            && !found.iter().any(|(i, e, _)| *i == id || *e == extension)
        {
            found.push((id, extension, direction));
        }
    }
    found
}
