//! Real browsers' descriptions, and what hostile ones do.

use super::answer::Answerer;
use super::codecs;
use super::sdp::{Description, Direction, MAX_SDP, Media, SdpError};
use ramai_sfu::id::TransportId;
use ramai_sfu::params::{Codec, Extension, Fingerprint, IceCredentials};

const FIXTURES: [&str; 8] = [
    include_str!("../../tests/fixtures/chromium-v1-join.sdp"),
    include_str!("../../tests/fixtures/chromium-v1-publish.sdp"),
    include_str!("../../tests/fixtures/chromium-v0-publish.sdp"),
    include_str!("../../tests/fixtures/chromium-v0-answer.sdp"),
    include_str!("../../tests/fixtures/firefox-v1-join.sdp"),
    include_str!("../../tests/fixtures/firefox-v1-publish.sdp"),
    include_str!("../../tests/fixtures/firefox-v0-publish.sdp"),
    include_str!("../../tests/fixtures/firefox-v0-answer.sdp"),
];
const PUBLISH: &str = FIXTURES[1];

fn answerer() -> Answerer {
    let ice = IceCredentials { ufrag: "ours".into(), pwd: "ours-ours-ours-ours-ours".into() };
    Answerer::new(TransportId(1), ice, 1)
}

fn answer(offer: &str) -> String {
    let mut answerer = answerer();
    answerer.take(Description::parse(offer).unwrap()).unwrap();
    answerer.answer(&Fingerprint([1; 32]), &[], |_| None, |_, _| None)
}

#[test]
fn every_browser_is_understood() {
    for text in FIXTURES {
        let description = Description::parse(text).unwrap();
        assert!(description.sections.iter().all(|s| s.media != Media::Other && !s.rejected));
        for section in description.sections.iter().filter(|s| s.media != Media::Data) {
            let understood = codecs::understood(section, None, true);
            assert!(!understood.is_empty());
            let video = section.media == Media::Video;
            assert!(!video || understood.iter().all(|p| p.rtx.is_some() && p.nack), "{understood:?}");
        }
    }
}

#[test]
fn an_answer_keeps_numbers_order_and_count_of_the_offer() {
    for offer in FIXTURES {
        let text = answer(offer);
        let ours = Description::parse(&text.replace("a=setup:passive", "a=setup:active")).unwrap();
        let theirs = Description::parse(offer).unwrap();
        assert_eq!(ours.sections.len(), theirs.sections.len());
        for (ours, theirs) in ours.sections.iter().zip(&theirs.sections) {
            assert_eq!((ours.mid, ours.media), (theirs.mid, theirs.media));
            assert!(ours.payloads.iter().all(|p| theirs.payloads.iter().any(|t| (t.pt, &t.name) == (p.pt, &p.name))));
            assert!(ours.extensions.iter().all(|(i, e, _)| theirs.extensions.iter().any(|(j, f, _)| (i, e) == (j, f))));
            let expected =
                if theirs.direction == Direction::SendOnly { Direction::RecvOnly } else { Direction::Inactive };
            assert!(ours.media == Media::Data || ours.direction == expected);
        }
    }
}

#[test]
fn simulcast_is_answered_layer_by_layer() {
    for offer in [FIXTURES[1], FIXTURES[2], FIXTURES[5], FIXTURES[6]] {
        let text = answer(offer);
        assert!(text.contains("a=simulcast:recv q;h;f\r\n"), "{text}");
        assert!(text.contains("a=rid:q recv\r\n"));
        assert!(text.contains("a=extmap-allow-mixed"));
    }
}

#[test]
fn older_simulcast_by_ssrc_group_is_read_too() {
    let at = PUBLISH.find("a=mid:7").unwrap();
    let (head, tail) = PUBLISH.split_at(at);
    let tail: String =
        tail.split_inclusive("\r\n").filter(|l| !l.starts_with("a=rid") && !l.starts_with("a=simulcast")).collect();
    let groups = "a=mid:7\r\na=ssrc-group:SIM 1 2 3\r\na=ssrc-group:FID 1 11\r\na=ssrc-group:FID 2 12\r\na=ssrc-group:FID 3 13\r\na=ssrc:1 cname:x\r\n";
    let description = Description::parse(&format!("{head}{}", tail.replacen("a=mid:7\r\n", groups, 1))).unwrap();
    let layers = codecs::layers(&description.sections[7], |_| None);
    let pairs: Vec<_> = layers.iter().map(|l| (l.ssrc.unwrap().0, l.rtx_ssrc.unwrap().0)).collect();
    assert_eq!(pairs, [(1, 11), (2, 12), (3, 13)]);
}

#[test]
fn the_codec_that_the_client_wants_comes_first() {
    let description = Description::parse(PUBLISH).unwrap();
    for codec in [Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
        let understood = codecs::understood(&description.sections[7], Some(codec), false);
        assert_eq!(understood[0].format.codec, codec);
    }
    let audio = codecs::understood(&description.sections[8], None, true);
    assert_eq!((audio[0].pt.0, audio[0].red.map(|r| r.0)), (111, Some(63)));
    assert!(codecs::understood(&description.sections[8], None, false)[0].red.is_none());
}

#[test]
fn a_codec_that_is_really_sent_must_be_taken() {
    let description = Description::parse(PUBLISH).unwrap();
    let sent = codecs::understood(&description.sections[7], Some(Codec::H264), false);
    let fox = Description::parse(FIXTURES[4]).unwrap();
    let takes = codecs::understood(&fox.sections[3], None, false);
    assert!(codecs::common(&sent, &takes).is_empty(), "that Firefox has no H.264");
    let sent = codecs::understood(&description.sections[7], Some(Codec::Vp8), false);
    let shared = codecs::common(&sent, &takes);
    assert_eq!((shared[0].format.codec, shared[0].pt.0), (Codec::Vp8, 120));
}

#[test]
fn an_offer_without_what_we_need_says_what_lacks() {
    let refused = |from: &str, to: &str| Description::parse(&PUBLISH.replace(from, to)).unwrap_err();
    assert_eq!(refused("a=fingerprint:sha-256", "a=fingerprint:sha-1"), SdpError::NoFingerprint);
    assert_eq!(refused("a=ice-ufrag:", "a=x:"), SdpError::NoIce);
    assert_eq!(refused("a=ice-pwd:", "a=ice-pwd:\"<"), SdpError::NoIce);
    assert_eq!(refused("a=group:BUNDLE", "a=group:LS"), SdpError::NoBundle);
    assert_eq!(refused("a=rtcp-mux\r\n", ""), SdpError::NoRtcpMux);
    assert_eq!(refused("a=mid:7", "a=mid:0"), SdpError::BadMid);
    assert_eq!(refused("a=setup:actpass", "a=setup:passive"), SdpError::BadSetup);
    assert_eq!(refused("v=0", "v=1"), SdpError::Malformed);
    assert_eq!(refused("UDP/", "TCP/"), SdpError::NoSection);
    assert_eq!(Description::parse(&"a".repeat(MAX_SDP + 1)).unwrap_err(), SdpError::TooLarge);
    assert_eq!(Description::parse(&"m=\r\n".repeat(5_000)).unwrap_err(), SdpError::TooManySections);
}

#[test]
fn sections_may_only_grow() {
    let mut answerer = answerer();
    answerer.take(Description::parse(PUBLISH).unwrap()).unwrap();
    assert_eq!(answerer.take(Description::parse(FIXTURES[0]).unwrap()).unwrap_err(), SdpError::SectionsChanged);
    let swapped = FIXTURES[1].replace("a=mid:0\r\n", "a=mid:9\r\n").replace("BUNDLE 0", "BUNDLE 9");
    assert_eq!(answerer.take(Description::parse(&swapped).unwrap()).unwrap_err(), SdpError::SectionsChanged);
    assert_eq!(answerer.slots.len(), 9, "and nothing changed");
}

#[test]
fn what_we_cannot_take_part_in_is_rejected_and_the_rest_goes_on() {
    let strange = PUBLISH.replacen("m=audio", "m=text", 1);
    let text = answer(&strange.replacen("BUNDLE 0 ", "BUNDLE ", 1));
    assert!(text.contains("m=text 0 "));
    assert!(text.contains("a=group:BUNDLE 1 2 3 4 5 6 7 8"));
}

#[test]
fn extension_ids_are_gathered_over_the_bundle() {
    let mut answerer = answerer();
    answerer.take(Description::parse(PUBLISH).unwrap()).unwrap();
    for extension in Extension::ALL {
        assert!(answerer.extensions.id(extension).is_some(), "{extension:?}");
    }
    assert!(answerer.extensions.allow_mixed);
}

#[test]
fn mutilated_descriptions_never_panic() {
    // A fixed linear congruential generator: each run sees the same thousand mutilations.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    for round in 0..1_000 {
        let mut bytes = FIXTURES[round % FIXTURES.len()].as_bytes().to_vec();
        for _ in 0..=random(12) {
            let at = random(bytes.len());
            match random(4) {
                0 => bytes[at] = random(256) as u8,
                1 => bytes.truncate(at.max(1)),
                2 => drop(bytes.drain(at..(at + random(40)).min(bytes.len()))),
                _ => bytes.insert(at, b":;=/ \r\n-9"[random(9)]),
            }
            if bytes.is_empty() {
                bytes.push(b'v');
            }
        }
        if let Ok(description) = Description::parse(&String::from_utf8_lossy(&bytes)) {
            let mut answerer = answerer();
            if answerer.take(description).is_ok() {
                answerer.answer(&Fingerprint([1; 32]), &[], |_| None, |_, _| None);
            }
        }
    }
}
