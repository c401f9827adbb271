//! Which codecs of a section we forward, and how they are numbered there.

use super::sdp::{Media, Payload, Section};
use ramai_sfu::id::Pt;
use ramai_sfu::params::{Codec, Format, LayerParams, MAX_LAYERS, PayloadParams};

/// Feedback that we understand, in the words of `a=rtcp-fb`.
const FEEDBACK: [&str; 5] = ["nack", "nack pli", "ccm fir", "transport-cc", "goog-remb"];

/// The feedback lines of `payload` that we take part in.
pub fn feedback(payload: &Payload) -> impl Iterator<Item = &str> {
    payload.feedback.iter().map(String::as_str).filter(|fb| FEEDBACK.contains(fb))
}

/// The codec and its profile behind a payload type, if we forward it.
pub fn format_of(payload: &Payload) -> Option<Format> {
    let number = |name, default| payload.parameter(name).map_or(Some(default), |v| v.parse::<u32>().ok());
    let (codec, profile) = match payload.name.as_str() {
        "opus" => (Codec::Opus, 0),
        "vp8" => (Codec::Vp8, 0),
        // Profiles 1 and 3 are 4:4:4 and the like: no browser decodes them everywhere.
        "vp9" => (Codec::Vp9, number("profile-id", 0).filter(|p| matches!(p, 0 | 2))?),
        "av1" => (Codec::Av1, number("profile", 0).filter(|p| *p == 0)?),
        "h264" => {
            let mode = number("packetization-mode", 0).filter(|m| *m <= 1)?;
            let level = payload.parameter("profile-level-id").unwrap_or("42000a");
            let idc_iop = u32::from_str_radix(level.get(..4)?, 16).ok()?;
            (Codec::H264, mode << 16 | idc_iop)
        }
        _ => return None,
    };
    Some(Format { codec, profile })
}

/// The codecs of a section that we forward, in its order but for `prefer`, which comes first.
/// RED is named only with `red`. An RTP stream that we can't retransmit is still forwarded.
pub fn understood(section: &Section, prefer: Option<Codec>, red: bool) -> Vec<PayloadParams> {
    let mut all: Vec<PayloadParams> = Vec::new();
    for payload in section.payloads.iter() {
        let Some(format) = format_of(payload) else { continue };
        let fits = match section.media {
            Media::Audio => format.codec == Codec::Opus,
            Media::Video => format.codec != Codec::Opus,
            _ => false,
        };
        if !fits || all.iter().any(|p| p.format == format) {
            continue;
        }
        let of = |name: &str, test: &dyn Fn(&Payload) -> bool| {
            section.payloads.iter().find(|p| p.name == name && test(p)).map(|p| Pt(p.pt))
        };
        let rtx = of("rtx", &|p| p.parameter("apt").and_then(|v| v.parse::<u8>().ok()) == Some(payload.pt));
        let wraps = |p: &Payload| p.fmtp.split('/').all(|pt| pt.trim().parse() == Ok(payload.pt));
        all.push(PayloadParams {
            pt: Pt(payload.pt),
            format,
            rtx,
            red: if red && format.codec == Codec::Opus { of("red", &wraps) } else { None },
            nack: payload.feedback.iter().any(|fb| fb == "nack"),
        });
    }
    // A stable sort: the client's order stays within each rank.
    all.sort_by_key(|p| rank(p.format, prefer));
    all
}

/// Low is better. Constrained baseline with packetization mode 1 is the H.264 that every browser decodes.
fn rank(format: Format, prefer: Option<Codec>) -> u8 {
    const CONSTRAINED_BASELINE: u32 = 1 << 16 | 0x42e0;
    let preferred = prefer.is_none_or(|codec| codec == format.codec);
    match (preferred, format.codec, format.profile) {
        (true, Codec::H264, CONSTRAINED_BASELINE) => 0,
        (true, Codec::H264, _) => 1,
        (true, ..) => 0,
        (false, ..) => 2,
    }
}

/// The numbering of `publication`'s formats at a subscriber. Empty unless what the publisher really sends, its first format,
/// can be taken.
pub fn common(publication: &[PayloadParams], subscriber: &[PayloadParams]) -> Vec<PayloadParams> {
    let shared: Vec<PayloadParams> = publication
        .iter()
        .filter_map(|theirs| subscriber.iter().find(|ours| ours.format == theirs.format))
        .copied()
        .collect();
    match (publication.first(), shared.first()) {
        (Some(sent), Some(first)) if sent.format == first.format => shared,
        _ => Vec::new(),
    }
}

/// The layers that a sending section declares, lowest first. `quality` gives a rid's place where the client named it.
pub fn layers(section: &Section, quality: impl Fn(&str) -> Option<i32>) -> Vec<LayerParams> {
    if !section.send_rids.is_empty() {
        let mut rids = section.send_rids.clone();
        // The SDKs' own names, lowest first, unless the client said otherwise.
        let place = |rid: &str| quality(rid).or(["q", "h", "f"].iter().position(|r| *r == rid).map(|p| p as i32));
        rids.sort_by_key(|rid| place(rid.as_str()).unwrap_or(i32::MAX));
        rids.truncate(MAX_LAYERS);
        return rids.into_iter().map(|rid| LayerParams { rid: Some(rid), ..LayerParams::default() }).collect();
    }
    let partner = |ssrc| {
        section.groups.iter().find_map(|(semantics, members)| match members.as_slice() {
            [first, second] if semantics == "FID" && *first == ssrc => Some(*second),
            _ => None,
        })
    };
    let simulcast = section.groups.iter().find(|(semantics, members)| semantics == "SIM" && !members.is_empty());
    let primaries: Vec<_> = match simulcast {
        Some((_, members)) => members.iter().take(MAX_LAYERS).copied().collect(),
        None => section.ssrcs.iter().take(1).copied().collect(),
    };
    if primaries.is_empty() {
        return vec![LayerParams::default()];
    }
    primaries
        .into_iter()
        .map(|ssrc| LayerParams { ssrc: Some(ssrc), rtx_ssrc: partner(ssrc), ..LayerParams::default() })
        .collect()
}

/// The codec behind a name as the SDKs write it: `vp8` or `video/VP8`.
pub fn codec_of_name(name: &str) -> Option<Codec> {
    match name.rsplit('/').next().unwrap_or("").to_ascii_lowercase().as_str() {
        "opus" | "red" => Some(Codec::Opus),
        "vp8" => Some(Codec::Vp8),
        "vp9" => Some(Codec::Vp9),
        "h264" => Some(Codec::H264),
        "av1" => Some(Codec::Av1),
        _ => None,
    }
}

/// Media type of a codec, as the SDKs compare it.
pub fn mime(codec: Codec) -> &'static str {
    match codec {
        Codec::Opus => "audio/opus",
        Codec::Vp8 => "video/VP8",
        Codec::Vp9 => "video/VP9",
        Codec::H264 => "video/H264",
        Codec::Av1 => "video/AV1",
    }
}
