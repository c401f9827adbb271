//! Stories of one publication: what comes out of what the publisher sends, and what the publisher is told.

use super::*;
use crate::id::Token;
use crate::params::{Format, LayerParams};
use crate::rtp::rtcp::{Rtcp, parse};
use crate::rtp::{AudioLevel, Extensions};
use bytes::Bytes;

const MS: Duration = Duration::from_millis(1);
const FROM: Ssrc = Ssrc(1);
const KEY: &[u8] = &[0x90, 0x80, 0x80, 0x01, 0x00, 1];
const DELTA: &[u8] = &[0x90, 0x80, 0x80, 0x02, 0x01, 1];

fn video(layers: usize) -> Track {
    let format = Format { codec: Codec::Vp8, profile: 0 };
    let params = PublishParams {
        screen: false,
        kind: Kind::Video,
        mid: Token::new("0").unwrap(),
        payloads: vec![PayloadParams { pt: Pt(96), format, rtx: Some(Pt(97)), red: None, nack: true }],
        layers: vec![LayerParams::default(); layers],
    };
    Track::new(TrackId(1), &params)
}

fn audio() -> Track {
    let format = Format { codec: Codec::Opus, profile: 0 };
    let params = PublishParams {
        screen: false,
        kind: Kind::Audio,
        mid: Token::new("0").unwrap(),
        payloads: vec![PayloadParams { pt: Pt(111), format, rtx: None, red: Some(Pt(63)), nack: false }],
        layers: vec![LayerParams::default()],
    };
    Track::new(TrackId(2), &params)
}

fn packet(pt: u8, ssrc: u32, seq: u16, payload: &[u8]) -> Packet {
    Packet {
        pt: Pt(pt),
        marker: false,
        seq,
        ts: u32::from(seq) * 3000,
        ssrc: Ssrc(ssrc),
        extensions: Extensions::default(),
        payload: Bytes::copy_from_slice(payload),
    }
}

/// What the publisher is told at `now`: sequence numbers asked for, and SSRCs of key frame requests.
fn told(track: &mut Track, now: Instant) -> (Vec<u16>, Vec<u32>) {
    let mut buf = Vec::new();
    track.poll_feedback(now, FROM, &mut buf);
    assert!(buf.len() < 1_024);
    assert!(buf.is_empty() || buf[1] == 201, "a compound starts with a report");
    let (mut nacks, mut plis) = (Vec::new(), Vec::new());
    for packet in parse(&buf) {
        match packet {
            Rtcp::Nack { missing, .. } => nacks.extend(missing),
            Rtcp::Pli { media } => plis.push(media.0),
            _ => {}
        }
    }
    (nacks, plis)
}

#[test]
fn media_is_made_ready_and_kept_for_those_who_ask_again() {
    let now = crate::test_epoch();
    let mut track = video(1);
    assert!(!track.take_started());
    let first = track.handle_rtp(now, 0, false, packet(96, 5, 65_535, KEY)).unwrap();
    assert!(first.meta.keyframe && track.take_started() && !track.take_started());
    let second = track.handle_rtp(now, 0, false, packet(96, 5, 0, DELTA)).unwrap();
    assert_eq!((second.index, second.epoch), (first.index + 1, first.epoch));
    assert_eq!(track.cached(0, first.index), Some(&first));
    assert_eq!(track.handle_rtp(now, 0, false, packet(96, 5, 0, DELTA)), None);
    assert_eq!(track.handle_rtp(now, 0, false, packet(100, 5, 1, DELTA)), None);
    let counters = track.counters();
    assert_eq!((counters.packets, counters.duplicates, counters.malformed), (2, 1, 1));
}

#[test]
fn a_lost_packet_is_asked_for_and_comes_back_over_rtx() {
    let now = crate::test_epoch();
    let mut track = video(1);
    assert_eq!(track.handle_rtp(now, 0, true, packet(97, 6, 1, &[0, 10, 1])), None, "media SSRC isn't known yet");
    track.handle_rtp(now, 0, false, packet(96, 5, 10, KEY));
    let after = track.handle_rtp(now, 0, false, packet(96, 5, 12, DELTA)).unwrap();
    assert_eq!(told(&mut track, now), (vec![], vec![]));
    let due = track.poll_timeout(now).unwrap();
    assert!(due <= now + 10 * MS);
    assert_eq!(told(&mut track, due), (vec![11], vec![]));
    let mut payload = vec![0, 11];
    payload.extend_from_slice(DELTA);
    let recovered = track.handle_rtp(now, 0, true, packet(97, 6, 100, &payload)).unwrap();
    assert_eq!((recovered.index, recovered.ssrc, &recovered.payload[..]), (after.index - 1, Ssrc(5), DELTA));
    assert_eq!(track.handle_rtp(now, 0, true, packet(97, 6, 101, &payload)), None, "sent as a probe");
    assert_eq!(track.handle_rtp(now, 0, true, packet(97, 6, 102, &[])), None, "padding");
    assert_eq!(track.handle_rtp(now, 0, true, packet(97, 6, 103, &[1])), None, "cut off");
    let c = track.counters();
    assert_eq!((c.recovered, c.duplicates, c.padding, c.malformed), (1, 1, 1, 2));
}

#[test]
fn what_never_comes_back_ends_in_a_key_frame_request() {
    let start = crate::test_epoch();
    let mut track = video(1);
    track.handle_rtp(start, 0, false, packet(96, 5, 10, KEY));
    track.handle_rtp(start, 0, false, packet(96, 5, 12, DELTA));
    let mut plis = 0;
    for ms in 0..1_200 {
        plis += told(&mut track, start + ms * MS).1.len();
    }
    assert!((1..=2).contains(&plis), "{plis}");
}

#[test]
fn padding_only_packets_leave_no_hole() {
    let now = crate::test_epoch();
    let mut track = video(1);
    let a = track.handle_rtp(now, 0, false, packet(96, 5, 10, KEY)).unwrap();
    for seq in 11..20 {
        assert_eq!(track.handle_rtp(now, 0, false, packet(96, 5, seq, &[])), None);
    }
    let b = track.handle_rtp(now, 0, false, packet(96, 5, 20, DELTA)).unwrap();
    assert_eq!(b.index, a.index + 1);
    assert_eq!(told(&mut track, now + 100 * MS).0, Vec::<u16>::new());
}

#[test]
fn a_storm_of_requests_makes_two_plis_a_second_on_each_layer() {
    let start = crate::test_epoch();
    let mut track = video(3);
    for layer in 0..3u8 {
        track.handle_rtp(start, layer, false, packet(96, 5 + u32::from(layer), 10, DELTA));
    }
    let mut plis = Vec::new();
    for ms in 0..1_000 {
        for _ in 0..100 {
            track.request_keyframe(0);
            track.request_keyframe(2);
            track.request_keyframe(200);
        }
        plis.extend(told(&mut track, start + ms * MS).1);
    }
    assert_eq!(plis, [5, 7, 5, 7]);
    track.handle_rtp(start, 0, false, packet(96, 5, 11, KEY));
    assert_eq!(told(&mut track, start + 2_000 * MS).1, [7], "layer 0 got its key frame");
}

#[test]
fn while_muted_nothing_passes_and_after_it_a_key_frame_is_needed() {
    let now = crate::test_epoch();
    let mut track = video(1);
    let before = track.handle_rtp(now, 0, false, packet(96, 5, 10, KEY)).unwrap();
    track.set_muted(true);
    assert_eq!(track.handle_rtp(now, 0, false, packet(96, 5, 11, DELTA)), None);
    track.set_muted(false);
    let after = track.handle_rtp(now, 0, false, packet(96, 5, 13, DELTA)).unwrap();
    assert_eq!((after.epoch, after.ssrc), (before.epoch + 1, before.ssrc));
    assert_eq!(told(&mut track, now + 100 * MS).0, Vec::<u16>::new(), "what was lost meanwhile isn't missed");
    track.set_muted(true);
    track.set_muted(false);
    let next = track.handle_rtp(now, 0, false, packet(96, 5, 14, DELTA)).unwrap();
    assert_eq!(next.epoch, after.epoch, "nothing was dropped");
}

#[test]
fn a_new_ssrc_and_a_jump_begin_a_new_epoch_above_all_indices() {
    let now = crate::test_epoch();
    let mut track = video(1);
    let mut last = track.handle_rtp(now, 0, false, packet(96, 5, 10, KEY)).unwrap();
    for (ssrc, seq) in [(6, 9), (6, 30_000), (7, 29_000)] {
        let next = track.handle_rtp(now, 0, false, packet(96, ssrc, seq, KEY)).unwrap();
        assert!(next.epoch == last.epoch + 1 && next.index > last.index);
        last = next;
    }
}

#[test]
fn a_layer_that_falls_silent_while_others_go_on_is_not_live() {
    let start = crate::test_epoch();
    let mut track = video(3);
    assert_eq!(track.live(), LayerSet(0));
    for layer in 0..3u8 {
        track.handle_rtp(start, layer, false, packet(96, 5 + u32::from(layer), 10, KEY));
    }
    assert_eq!(track.live(), LayerSet(0b111));
    let later = start + 10_000 * MS;
    assert_eq!(track.live(), LayerSet(0b111), "a still screen: all are silent");
    let media = track.handle_rtp(later, 0, false, packet(96, 5, 11, DELTA)).unwrap();
    assert_eq!(media.live, LayerSet(0b001));
    track.handle_rtp(later, 2, false, packet(96, 7, 11, DELTA));
    assert_eq!(track.live(), LayerSet(0b101));
}

#[test]
fn reports_say_what_came_and_when_the_last_sender_report_did() {
    let start = crate::test_epoch();
    let mut track = video(1);
    for seq in [10, 11, 13, 14] {
        track.handle_rtp(start, 0, false, packet(96, 5, seq, KEY));
    }
    let report = SenderReport { ssrc: Ssrc(5), ntp: 0xaaaa_bbbb_cccc_dddd, rtp: 7, packets: 0, octets: 0 };
    track.handle_sender_report(start, 0, &report);
    let media = track.handle_rtp(start, 0, false, packet(96, 5, 15, KEY)).unwrap();
    assert_eq!(media.clock.map(|c| (c.ntp, c.rtp)), Some((report.ntp, 7)));
    let mut buf = Vec::new();
    track.poll_feedback(start + 1_000 * MS, FROM, &mut buf);
    let Some(Rtcp::ReceiverReport(mut blocks)) = parse(&buf).next() else { panic!() };
    let block = blocks.next().unwrap();
    assert_eq!((block.ssrc, block.highest, block.cumulative_lost), (Ssrc(5), 15, 1));
    assert_eq!((block.lsr, block.dlsr), (0xbbbb_cccc, 65_536));
}

#[test]
fn red_is_recognised_and_its_primary_block_found() {
    let now = crate::test_epoch();
    let mut track = audio();
    let mut p = packet(63, 5, 1, &[0x80 | 111, 0, 0, 2, 111, 1, 2, 7, 8]);
    p.extensions.audio_level = Some(AudioLevel { voice: true, level: 30 });
    let media = track.handle_rtp(now, 0, false, p).unwrap();
    assert_eq!((media.red, media.format.codec), (Some((7, Pt(111))), Codec::Opus));
    assert_eq!(media.audio_level.map(|l| l.level), Some(30));
    assert_eq!(track.handle_rtp(now, 0, false, packet(63, 5, 2, &[0xff])), None);
    assert_eq!(track.handle_rtp(now, 0, false, packet(111, 5, 3, &[9])).unwrap().red, None);
    track.request_keyframe(0);
    assert!(told(&mut track, now + 500 * MS).1.is_empty(), "audio has no key frames");
}

#[test]
fn wild_packets_never_panic_and_stay_bounded() {
    use rand::{Rng, SeedableRng};
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
    let start = crate::test_epoch();
    let mut track = video(3);
    for n in 0..50_000u32 {
        let mut payload = vec![0; rng.random_range(0..12)];
        rng.fill(&mut payload[..]);
        let mut p = packet(rng.random_range(95..99), rng.random_range(1..4), rng.random(), &payload);
        p.ts = rng.random();
        let mut descriptor = vec![0; rng.random_range(0..12)];
        rng.fill(&mut descriptor[..]);
        p.extensions.dependency_descriptor = Some(descriptor.into());
        let now = start + n * MS;
        track.handle_rtp(now, rng.random_range(0..5), rng.random(), p);
        told(&mut track, now);
    }
}
