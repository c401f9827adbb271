//! Session descriptions as a light client needs them (RFC 8829, RFC 8843): writes offers and answers, reads the server's.

use crate::Error;
use crate::engine::{Incoming, Kind, Remote};
use crate::media::descriptor::Codec;
use crate::media::source::LayerParams;
use ramai_sfu::params::{Extension, ExtensionMap, Fingerprint, IceCredentials};
use rustc_hash::FxHashMap;
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// Payload type of Opus in our offers.
pub const OPUS: u8 = 111;

/// The extensions of our offers. One map serves all sections of a BUNDLE group.
const EXTENSIONS: [(u8, Extension); 7] = [
    (1, Extension::Mid),
    (2, Extension::Rid),
    (3, Extension::RepairedRid),
    (4, Extension::TransportCc),
    (5, Extension::AudioLevel),
    (6, Extension::AbsSendTime),
    (7, Extension::DependencyDescriptor),
];

/// What payload types carry in our offers.
pub fn kinds() -> FxHashMap<u8, Kind> {
    let video = Codec::ALL.into_iter().map(Codec::payload_types);
    let video = video.flat_map(|(pt, rtx)| [(pt, Kind::Video), (rtx, Kind::Repair)]);
    video.chain([(OPUS, Kind::Audio)]).collect()
}

/// Which way a section of our offer flows.
#[derive(Clone, Debug)]
pub enum Flow {
    /// To us.
    Receive,
    /// From us: the track's id, and its SSRC or encodings.
    Send {
        /// `a=msid`'s track id.
        track: String,
        /// Of audio.
        ssrc: u32,
        /// Of video, lowest first; several are simulcast.
        layers: Vec<LayerParams>,
        /// Of video.
        codec: Codec,
    },
}

/// One media section of our offer; its mid is its place.
#[derive(Clone, Debug)]
pub struct Section {
    /// Video, or else audio.
    pub video: bool,
    /// Which way.
    pub flow: Flow,
}

/// Writes an offer.
pub fn offer(sections: &[Section], local: &IceCredentials, fingerprint: &Fingerprint, version: u32) -> String {
    let mids: Vec<String> = (0..sections.len()).map(|n| n.to_string()).collect();
    let mut sdp = head(version, &mids);
    for (mid, section) in mids.iter().zip(sections) {
        let kind = if section.video { "video" } else { "audio" };
        // We send one codec and take them all.
        let codecs = match &section.flow {
            _ if !section.video => Vec::new(),
            Flow::Send { codec, .. } => vec![*codec],
            Flow::Receive => Codec::ALL.to_vec(),
        };
        let formats: Vec<String> = codecs.iter().map(|c| c.payload_types()).map(|(a, b)| format!("{a} {b}")).collect();
        let formats = if section.video { formats.join(" ") } else { OPUS.to_string() };
        media(&mut sdp, kind, "UDP/TLS/RTP/SAVPF", &formats, mid, local, fingerprint, "actpass");
        for (id, extension) in EXTENSIONS {
            if section.video != (extension == Extension::AudioLevel) {
                line(&mut sdp, &format!("extmap:{id} {}", extension.uri()));
            }
        }
        line(&mut sdp, if matches!(section.flow, Flow::Receive) { "recvonly" } else { "sendonly" });
        line(&mut sdp, "rtcp-mux");
        line(&mut sdp, "rtcp-rsize");
        for codec in codecs {
            let (pt, rtx) = codec.payload_types();
            line(&mut sdp, &format!("rtpmap:{pt} {}/90000", codec.name()));
            for feedback in ["goog-remb", "transport-cc", "ccm fir", "nack", "nack pli"] {
                line(&mut sdp, &format!("rtcp-fb:{pt} {feedback}"));
            }
            if codec == Codec::Vp9 {
                line(&mut sdp, &format!("fmtp:{pt} profile-id=0"));
            }
            line(&mut sdp, &format!("rtpmap:{rtx} rtx/90000"));
            line(&mut sdp, &format!("fmtp:{rtx} apt={pt}"));
        }
        if !section.video {
            line(&mut sdp, &format!("rtpmap:{OPUS} opus/48000/2"));
            line(&mut sdp, &format!("rtcp-fb:{OPUS} transport-cc"));
            line(&mut sdp, &format!("fmtp:{OPUS} minptime=10;useinbandfec=1;usedtx=1"));
        }
        if let Flow::Send { track, ssrc, layers, .. } = &section.flow {
            sending(&mut sdp, track, *ssrc, layers);
        }
    }
    sdp
}

fn sending(sdp: &mut String, track: &str, ssrc: u32, layers: &[LayerParams]) {
    line(sdp, &format!("msid:load {track}"));
    match layers {
        [] => line(sdp, &format!("ssrc:{ssrc} cname:load")),
        [only] => {
            line(sdp, &format!("ssrc-group:FID {} {}", only.ssrc, only.rtx_ssrc));
            line(sdp, &format!("ssrc:{} cname:load", only.ssrc));
            line(sdp, &format!("ssrc:{} cname:load", only.rtx_ssrc));
        }
        many => {
            let rids: Vec<&str> = many.iter().filter_map(|layer| layer.shape.rid).collect();
            for rid in &rids {
                line(sdp, &format!("rid:{rid} send"));
            }
            line(sdp, &format!("simulcast:send {}", rids.join(";")));
        }
    }
}

fn head(version: u32, mids: &[String]) -> String {
    format!(
        "v=0\r\no=- 7 {version} IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=group:BUNDLE {}\r\na=extmap-allow-mixed\r\n\
         a=msid-semantic: WMS *\r\n",
        mids.join(" ")
    )
}

#[allow(clippy::too_many_arguments, reason = "one line of an m= section each")]
fn media(
    sdp: &mut String,
    kind: &str,
    proto: &str,
    formats: &str,
    mid: &str,
    local: &IceCredentials,
    fingerprint: &Fingerprint,
    setup: &str,
) {
    let digest: Vec<String> = fingerprint.0.iter().map(|byte| format!("{byte:02X}")).collect();
    // Writing to a string can't fail.
    let _ = write!(
        sdp,
        "m={kind} 9 {proto} {formats}\r\nc=IN IP4 0.0.0.0\r\na=rtcp:9 IN IP4 0.0.0.0\r\na=ice-ufrag:{}\r\n\
         a=ice-pwd:{}\r\na=ice-options:trickle\r\na=fingerprint:sha-256 {}\r\na=setup:{setup}\r\na=mid:{mid}\r\n",
        local.ufrag,
        local.pwd,
        digest.join(":")
    );
}

fn line(sdp: &mut String, attribute: &str) {
    sdp.push_str("a=");
    sdp.push_str(attribute);
    sdp.push_str("\r\n");
}

/// One media section of the server's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Theirs {
    /// `audio`, `video` or `application`.
    pub media: String,
    /// Its name.
    pub mid: String,
    /// Port 0.
    pub rejected: bool,
    /// The server sends in it.
    pub sends: bool,
    /// Payload types with their encoding names, lower case, in order.
    pub formats: Vec<(u8, String)>,
    /// Lines about formats, extensions and feedback, for an answer to repeat.
    lines: Vec<String>,
    /// First SSRC.
    pub ssrc: Option<u32>,
    /// Its partner in `a=ssrc-group:FID`.
    pub rtx: Option<u32>,
}

/// What the server's description says.
#[derive(Clone, Debug)]
pub struct Description {
    /// Its credentials.
    pub ice: IceCredentials,
    /// Its UDP host candidates.
    pub candidates: Vec<SocketAddr>,
    /// Extension ids.
    pub extensions: ExtensionMap,
    /// Sections in order.
    pub sections: Vec<Theirs>,
}

impl Description {
    /// Reads a description.
    ///
    /// # Errors
    /// If what is needed isn't there.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let (mut ufrag, mut pwd) = (None, None);
        let mut candidates = Vec::new();
        let mut extensions = ExtensionMap::default();
        let mut sections: Vec<Theirs> = Vec::new();
        for line in text.lines().map(str::trim_end) {
            if let Some(media) = line.strip_prefix("m=") {
                let mut words = media.split(' ');
                let media = words.next().unwrap_or_default().to_owned();
                let rejected = words.next() == Some("0");
                sections.push(Theirs { media, rejected, sends: true, ..Theirs::default() });
                continue;
            }
            let Some(attribute) = line.strip_prefix("a=") else { continue };
            let (key, value) = attribute.split_once(':').unwrap_or((attribute, ""));
            match key {
                "ice-ufrag" if ufrag.is_none() => ufrag = Some(value.to_owned()),
                "ice-pwd" if pwd.is_none() => pwd = Some(value.to_owned()),
                "candidate" => candidates.extend(candidate(value)),
                "extmap" => {
                    let mut words = value.split(' ');
                    let id = words.next().and_then(|id| id.split('/').next()?.parse().ok());
                    if let (Some(id), Some(extension)) = (id, words.next().and_then(Extension::from_uri)) {
                        extensions.set(extension, id);
                    }
                }
                _ => {}
            }
            if let Some(section) = sections.last_mut() {
                section.attribute(key, value, attribute);
            }
        }
        candidates.dedup();
        let missing = |what: &str| Error::Protocol(format!("the server's SDP has no {what}"));
        let ice = IceCredentials {
            ufrag: ufrag.ok_or_else(|| missing("ice-ufrag"))?,
            pwd: pwd.ok_or_else(|| missing("ice-pwd"))?,
        };
        Ok(Self { ice, candidates, extensions, sections })
    }

    /// Where to send: `via` if given, else the candidate with the address of the server's URL, else the first.
    ///
    /// # Errors
    /// If there is no candidate.
    pub fn remote(&self, host: Option<IpAddr>, via: Option<SocketAddr>) -> Result<Remote, Error> {
        let same = self.candidates.iter().find(|c| Some(c.ip()) == host);
        let address = via.or(same.copied()).or(self.candidates.first().copied());
        let address = address.ok_or_else(|| Error::Protocol("the server has no UDP candidate".into()))?;
        Ok(Remote { address, ice: self.ice.clone() })
    }

    /// The tracks that it sends.
    pub fn incoming(&self) -> Vec<Incoming> {
        let sending = self.sections.iter().filter(|s| s.sends && !s.rejected);
        sending.filter_map(|s| Some(Incoming { video: s.media == "video", ssrc: s.ssrc?, rtx: s.rtx })).collect()
    }

    /// What its payload types carry.
    pub fn kinds(&self) -> FxHashMap<u8, Kind> {
        let formats = self.sections.iter().flat_map(|s| s.formats.iter().map(move |f| (s.media == "video", f)));
        formats
            .map(|(video, (pt, name))| {
                let kind = if video { Kind::Video } else { Kind::Audio };
                (*pt, if name == "rtx" { Kind::Repair } else { kind })
            })
            .collect()
    }

    /// An answer that takes all that is offered. Data channels are taken in name only, because a server may have nothing else to
    /// offer at first: nothing answers its SCTP.
    pub fn answer(&self, local: &IceCredentials, fingerprint: &Fingerprint, version: u32) -> String {
        let mids: Vec<String> = self.sections.iter().filter(|s| !s.rejected).map(|s| s.mid.clone()).collect();
        let mut sdp = head(version, &mids);
        for section in &self.sections {
            let data = section.media == "application";
            let proto = if data { "UDP/DTLS/SCTP" } else { "UDP/TLS/RTP/SAVPF" };
            if section.rejected {
                let _ = write!(sdp, "m={} 0 {proto} 0\r\nc=IN IP4 0.0.0.0\r\na=mid:{}\r\n", section.media, section.mid);
                continue;
            }
            if data {
                media(
                    &mut sdp,
                    &section.media,
                    proto,
                    "webrtc-datachannel",
                    &section.mid,
                    local,
                    fingerprint,
                    "active",
                );
                line(&mut sdp, "sctp-port:5000");
                continue;
            }
            let formats: Vec<String> = section.formats.iter().map(|(pt, _)| pt.to_string()).collect();
            media(&mut sdp, &section.media, proto, &formats.join(" "), &section.mid, local, fingerprint, "active");
            for attribute in &section.lines {
                line(&mut sdp, attribute);
            }
            line(&mut sdp, if section.sends { "recvonly" } else { "inactive" });
            line(&mut sdp, "rtcp-mux");
            line(&mut sdp, "rtcp-rsize");
        }
        sdp
    }
}

impl Theirs {
    fn attribute(&mut self, key: &str, value: &str, whole: &str) {
        match key {
            "mid" => self.mid = value.to_owned(),
            "recvonly" | "inactive" => self.sends = false,
            "rtpmap" => {
                let (pt, name) = value.split_once(' ').unwrap_or((value, ""));
                let name = name.split('/').next().unwrap_or_default().to_ascii_lowercase();
                self.formats.extend(pt.parse().ok().map(|pt| (pt, name)));
                self.lines.push(whole.to_owned());
            }
            "fmtp" | "rtcp-fb" => self.lines.push(whole.to_owned()),
            "extmap" if value.split(' ').nth(1).and_then(Extension::from_uri).is_some() => {
                self.lines.push(whole.to_owned());
            }
            "ssrc" if self.ssrc.is_none() => self.ssrc = value.split(' ').next().and_then(|s| s.parse().ok()),
            "ssrc-group" => {
                let members: Vec<u32> = value.split(' ').skip(1).filter_map(|s| s.parse().ok()).collect();
                if let (true, [first, second]) = (value.starts_with("FID "), members.as_slice()) {
                    (self.ssrc, self.rtx) = (Some(*first), Some(*second));
                }
            }
            _ => {}
        }
    }
}

/// The address of a UDP host candidate (RFC 8839 section 5.1).
fn candidate(value: &str) -> Option<SocketAddr> {
    let words: Vec<&str> = value.split(' ').collect();
    let [_, "1", transport, _, ip, port, "typ", "host", ..] = words.as_slice() else { return None };
    transport.eq_ignore_ascii_case("udp").then_some(())?;
    Some(SocketAddr::new(ip.parse().ok()?, port.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::encoder::CAMERA;

    fn local() -> IceCredentials {
        IceCredentials { ufrag: "ours".into(), pwd: "ours-ours-ours-ours-ours".into() }
    }

    #[test]
    fn an_offer_says_what_each_section_is_for() {
        let layers =
            CAMERA.iter().zip(1..).map(|(s, n)| LayerParams { shape: *s, ssrc: n, rtx_ssrc: n + 10 }).collect();
        let sections = [
            Section {
                video: false,
                flow: Flow::Send { track: "mic".into(), ssrc: 7, layers: vec![], codec: Codec::Vp8 },
            },
            Section { video: true, flow: Flow::Send { track: "cam".into(), ssrc: 0, layers, codec: Codec::Vp8 } },
            Section { video: true, flow: Flow::Receive },
        ];
        let text = offer(&sections, &local(), &Fingerprint([0xab; 32]), 2);
        assert!(text.contains("a=group:BUNDLE 0 1 2\r\n") && text.contains("a=simulcast:send q;h;f\r\n"));
        assert!(text.contains("a=ssrc:7 cname:load\r\n") && text.contains("a=msid:load cam\r\n"));
        // The reader reads both sides' descriptions.
        let read = Description::parse(&text).unwrap();
        let sends: Vec<bool> = read.sections.iter().map(|s| s.sends).collect();
        assert_eq!((read.sections.len(), sends), (3, vec![true, true, false]));
        for (id, extension) in EXTENSIONS {
            assert_eq!(read.extensions.id(extension), Some(id));
        }
        assert_eq!(read.kinds(), kinds());
    }

    #[test]
    fn a_servers_offer_is_read_and_answered() {
        let text = "v=0\r\na=ice-lite\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:0\r\na=ice-ufrag:them\r\n\
            a=ice-pwd:secret\r\na=candidate:1 1 udp 2130706431 10.0.0.1 7882 typ host\r\n\
            a=candidate:2 1 udp 2130706175 127.0.0.1 7882 typ host\r\na=candidate:3 1 tcp 1 10.0.0.1 9 typ host\r\n\
            m=video 9 UDP/TLS/RTP/SAVPF 98 99\r\na=mid:1\r\na=sendonly\r\na=extmap:3 urn:ietf:params:rtp-hdrext:sdes:mid\r\n\
            a=extmap:4 urn:x\r\na=rtpmap:98 VP8/90000\r\na=rtcp-fb:98 nack\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\n\
            a=ssrc-group:FID 5 6\r\na=ssrc:5 cname:x\r\n";
        let read = Description::parse(text).unwrap();
        assert_eq!(read.incoming(), [Incoming { video: true, ssrc: 5, rtx: Some(6) }]);
        let at = |host: Option<&str>, via: Option<&str>| {
            read.remote(host.map(|h| h.parse().unwrap()), via.map(|v| v.parse().unwrap())).unwrap().address.to_string()
        };
        assert_eq!(at(Some("127.0.0.1"), None), "127.0.0.1:7882");
        assert_eq!(at(Some("9.9.9.9"), None), "10.0.0.1:7882");
        assert_eq!(at(None, Some("127.0.0.1:5000")), "127.0.0.1:5000");
        let answer = read.answer(&local(), &Fingerprint([1; 32]), 1);
        assert!(answer.contains("m=application 9 UDP/DTLS/SCTP ") && answer.contains("a=group:BUNDLE 0 1\r\n"));
        assert!(answer.contains("m=video 9 UDP/TLS/RTP/SAVPF 98 99\r\n") && answer.contains("a=recvonly\r\n"));
        assert!(answer.contains("a=setup:active") && answer.contains("a=fmtp:99 apt=98") && !answer.contains("urn:x"));
    }

    #[test]
    fn what_lacks_is_named() {
        assert!(Description::parse("v=0\r\na=ice-ufrag:x\r\n").unwrap_err().to_string().contains("ice-pwd"));
        let read = Description::parse("a=ice-ufrag:x\r\na=ice-pwd:y\r\n").unwrap();
        assert!(read.remote(None, None).unwrap_err().to_string().contains("candidate"));
    }
}
