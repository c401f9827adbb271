//! Stories of one subscriber: from the publisher's packets, through a track, to the bytes that it gets.

use super::*;
use crate::id::{Pt, Token, TrackId};
use crate::params::{Codec, Extension, ExtensionMap, Format, LayerParams, PublishParams};
use crate::publish::Track;
use crate::rtp::rtcp::{Rtcp, SenderReport, parse};
use crate::rtp::{Extensions, Packet, vp8};
use bytes::Bytes;
use std::collections::BTreeMap;

const MS: Duration = Duration::from_millis(1);
const OPUS: Format = Format { codec: Codec::Opus, profile: 0 };
const VP8: Format = Format { codec: Codec::Vp8, profile: 0 };

fn payload(pt: u8, format: Format, rtx: Option<u8>, red: Option<u8>) -> PayloadParams {
    PayloadParams { pt: Pt(pt), format, rtx: rtx.map(Pt), red: red.map(Pt), nack: rtx.is_some() }
}

fn track(kind: Kind, payload: PayloadParams, layers: usize) -> Track {
    let mid = Token::new("0").unwrap();
    let layers = vec![LayerParams::default(); layers];
    Track::new(TrackId(1), &PublishParams { kind, screen: false, mid, payloads: vec![payload], layers })
}

fn subscribe(kind: Kind, payload: PayloadParams) -> Subscription {
    let (ssrc, rtx_ssrc) = (Ssrc(0xaa), payload.rtx.map(|_| Ssrc(0xbb)));
    let params = SubscribeParams { mid: Token::new("7").unwrap(), ssrc, rtx_ssrc, payloads: vec![payload], own: None };
    let settings = SubscriptionSettings::default();
    Subscription::new(crate::test_epoch(), SubscriptionId(1), TransportId(1), params, settings, kind, LayerSet(0), 42)
}

fn video() -> (Track, Subscription) {
    (
        track(Kind::Video, payload(96, VP8, Some(97), None), 1),
        subscribe(Kind::Video, payload(120, VP8, Some(121), None)),
    )
}

/// A packet of VP8 with picture id and TL0PICIDX.
fn vp8_packet(layer: u8, seq: u16, ts: u32, id: u16, key: bool, start: bool) -> Packet {
    let [a, b] = id.to_be_bytes();
    let first = if start { 0x90 } else { 0x80 };
    let bytes = [first, 0xc0, 0x80 | a, b, id as u8, u8::from(!key), seq as u8, layer];
    raw(96, 10 + u32::from(layer), seq, ts, &bytes)
}

fn raw(pt: u8, ssrc: u32, seq: u16, ts: u32, payload: &[u8]) -> Packet {
    let payload = Bytes::copy_from_slice(payload);
    Packet { pt: Pt(pt), marker: true, seq, ts, ssrc: Ssrc(ssrc), extensions: Extensions::default(), payload }
}

fn extensions() -> ExtensionMap {
    let mut map = ExtensionMap::default();
    map.set(Extension::Mid, 4);
    map.set(Extension::TransportCc, 5);
    map
}

/// What the subscriber reads off the wire.
fn received(media: &Media, outgoing: &Outgoing) -> Packet {
    let mut buf = Vec::new();
    let departure = crate::rtp::write::Departure { transport_cc: 9, ..Default::default() };
    outgoing.write(media, &extensions(), &departure, &mut buf);
    Packet::parse(&buf.into(), &extensions()).unwrap()
}

#[test]
fn a_subscriber_waits_for_a_key_frame_and_asks_for_one() {
    let now = crate::test_epoch();
    let (mut track, mut sub) = video();
    assert_eq!(sub.keyframe_wanted(), None, "nothing is sent yet");
    let delta = track.handle_rtp(now, 0, false, vp8_packet(0, 1, 0, 1, false, true)).unwrap();
    assert_eq!((sub.handle_packet(now, &delta), sub.keyframe_wanted()), (None, Some(0)));
    let key = track.handle_rtp(now, 0, false, vp8_packet(0, 2, 3_000, 2, true, true)).unwrap();
    let out = received(&key, &sub.handle_packet(now, &key).unwrap());
    assert_eq!((out.pt, out.ssrc, out.extensions.mid, out.marker), (Pt(120), Ssrc(0xaa), Token::new("7"), true));
    assert_eq!((sub.keyframe_wanted(), sub.layer(), sub.handle_keyframe_request()), (None, Some(0), Some(0)));
}

#[test]
fn a_nack_is_answered_over_rtx_once_per_round_trip() {
    let now = crate::test_epoch();
    let (mut track, mut sub) = video();
    let mut sent = Vec::new();
    for n in 0..10u16 {
        let media =
            track.handle_rtp(now, 0, false, vp8_packet(0, 65_530u16.wrapping_add(n), 0, 5, n == 0, n == 0)).unwrap();
        let out = sub.handle_packet(now, &media).unwrap();
        sent.push((out.seq(), received(&media, &out)));
    }
    let lost = [sent[7].0, sent[8].0, sent[9].0.wrapping_add(1)];
    let mut again = Vec::new();
    for _ in 0..5 {
        let emit = |media: &Media, out: Outgoing| again.push((out.index, received(media, &out)));
        assert_eq!(sub.handle_nack(now, lost, &track, emit), None);
    }
    assert_eq!(again.len(), 2);
    for (n, ((index, rtx), (_, original))) in again.iter().zip(&sent[7..]).enumerate() {
        assert_eq!((rtx.pt, rtx.ssrc, rtx.ts), (Pt(121), Ssrc(0xbb), original.ts));
        assert_eq!(*index, again[0].0 + n as u64);
        assert_eq!(rtx.payload[..2], original.seq.to_be_bytes());
        assert_eq!(rtx.payload[2..], original.payload[..]);
    }
    let counters = sub.counters();
    assert_eq!((counters.retransmitted, counters.nack_held, counters.nack_missed), (2, 8, 5));
    sub.set(SubscriptionSettings { paused: true, max_spatial: 2, ..Default::default() });
    assert_eq!(sub.handle_nack(now + 1_000 * MS, lost, &track, |_, _| panic!("paused")), None);
}

#[test]
fn who_misses_what_is_gone_gets_a_key_frame_instead() {
    let start = crate::test_epoch();
    let (mut track, mut sub) = video();
    let mut send = |ms: u64, n: u16, key: bool| {
        let packet = vp8_packet(0, n, u32::from(n) * 3_000, n, key, true);
        let media = track.handle_rtp(start + Duration::from_millis(ms), 0, false, packet).unwrap();
        sub.handle_packet(start + Duration::from_millis(ms), &media).unwrap().seq()
    };
    let seqs = [(0, 1, true), (30, 2, false), (60, 3, true), (90, 4, false), (1_200, 5, false)];
    let seqs = seqs.map(|(ms, n, key)| send(ms, n, key));
    let mut ask = |ms, seq| sub.handle_nack(start + Duration::from_millis(ms), [seq], &track, |_, _| ());
    assert_eq!(ask(1_200, seqs[4]), None, "it is there");
    assert_eq!(ask(1_200, seqs[1]), None, "the key frame behind it came");
    assert_eq!(ask(1_200, seqs[4] + 1), None, "nothing was sent under that number");
    assert_eq!(ask(1_200, seqs[3]), Some(0));
    assert_eq!([ask(1_201, seqs[2]), ask(3_000, seqs[3])], [None, None], "asked for already");
    assert_eq!(ask(3_200, seqs[2]), Some(0), "the key frame itself");
}

#[test]
fn without_rtx_no_sequence_number_is_sealed_twice() {
    let now = crate::test_epoch();
    let mut track = track(Kind::Video, payload(96, VP8, None, None), 1);
    let mut sub = subscribe(Kind::Video, payload(120, VP8, None, None));
    let media = track.handle_rtp(now, 0, false, vp8_packet(0, 1, 0, 5, true, true)).unwrap();
    let out = sub.handle_packet(now, &media).unwrap();
    let mut again = Vec::new();
    sub.handle_nack(now, [out.seq()], &track, |_, out| again.push(out));
    assert_eq!(again, []);
}

#[test]
fn red_passes_where_both_have_it_and_is_unwrapped_where_not() {
    let now = crate::test_epoch();
    let mut track = track(Kind::Audio, payload(111, OPUS, None, Some(63)), 1);
    let red = [0x80 | 111, 0, 0, 2, 111, 1, 2, 7, 8];
    let media = track.handle_rtp(now, 0, false, raw(63, 1, 1, 0, &red)).unwrap();
    let got = |payload| {
        let mut sub = subscribe(Kind::Audio, payload);
        let p = received(&media, &sub.handle_packet(now, &media).unwrap());
        (p.pt.0, p.payload.to_vec())
    };
    assert_eq!(got(payload(111, OPUS, None, Some(64))), (64, red.to_vec()));
    let mut renumbered = red;
    (renumbered[0], renumbered[4]) = (0x80 | 100, 100);
    assert_eq!(got(payload(100, OPUS, None, Some(64))), (64, renumbered.to_vec()));
    assert_eq!(got(payload(100, OPUS, None, None)), (100, vec![7, 8]));
    let plain = track.handle_rtp(now, 0, false, raw(111, 1, 2, 960, &[9])).unwrap();
    let out = subscribe(Kind::Audio, payload(100, OPUS, None, Some(64))).handle_packet(now, &plain).unwrap();
    assert_eq!(out.pt, Pt(100));
}

#[test]
fn a_codec_that_the_subscriber_does_not_take_is_counted_and_dropped() {
    let now = crate::test_epoch();
    let (mut track, _) = video();
    let mut sub = subscribe(Kind::Video, payload(120, Format { codec: Codec::Vp9, profile: 0 }, None, None));
    let media = track.handle_rtp(now, 0, false, vp8_packet(0, 1, 0, 5, true, true)).unwrap();
    assert_eq!(sub.handle_packet(now, &media), None);
    assert_eq!((sub.counters().unmatched, sub.layer()), (1, None));
}

#[test]
fn audio_and_video_of_one_publisher_keep_their_common_clock() {
    let start = crate::test_epoch();
    let (mut video, mut see) = video();
    let mut audio = track(Kind::Audio, payload(111, OPUS, None, None), 1);
    let mut hear = subscribe(Kind::Audio, payload(111, OPUS, None, None));
    let v = video.handle_rtp(start, 0, false, vp8_packet(0, 1, 500, 1, true, true)).unwrap();
    let shown = see.handle_packet(start, &v).unwrap();
    let mut buf = Vec::new();
    assert!(!see.poll_report(start, "ana", &mut buf), "none before the publisher's first");

    // One wall clock; the reports come at different moments and with different delays.
    let ntp = |ms: u64| (ms << 32) / 1_000;
    let report = |ntp, rtp| SenderReport { ssrc: Ssrc(10), ntp, rtp, packets: 0, octets: 0 };
    video.handle_sender_report(start + 30 * MS, 0, &report(ntp(5_000), 500));
    audio.handle_sender_report(start + 310 * MS, 0, &report(ntp(5_250), 70_000));
    let v = video.handle_rtp(start + 320 * MS, 0, false, vp8_packet(0, 2, 9_500, 2, false, true)).unwrap();
    see.handle_packet(start + 320 * MS, &v).unwrap();
    let a = audio.handle_rtp(start + 320 * MS, 0, false, raw(111, 10, 1, 70_000, &[1])).unwrap();
    let heard = hear.handle_packet(start + 320 * MS, &a).unwrap();

    let line = |sub: &mut Subscription| {
        let mut buf = Vec::new();
        assert!(sub.poll_report(start + 400 * MS, "ana", &mut buf));
        let Some(Rtcp::SenderReport(report, _)) = parse(&buf).next() else { panic!() };
        report
    };
    let (seen, told) = (line(&mut see), line(&mut hear));
    // Wall clock in ms of a timestamp by the subscriber's reckoning.
    let wall = |r: SenderReport, ts: u32, rate: f64| {
        r.ntp as f64 / 2f64.powi(32) * 1_000.0 + f64::from(ts.wrapping_sub(r.rtp) as i32) * 1_000.0 / rate
    };
    assert!((wall(seen, shown.ts, 90_000.0) - 5_000.0).abs() < 0.1);
    assert!((wall(told, heard.ts, 48_000.0) - 5_250.0).abs() < 0.1);
    assert_eq!((seen.ssrc, seen.packets), (Ssrc(0xaa), 2));
    assert!(see.poll_timeout().is_some_and(|at| at > start + 400 * MS));
}

#[test]
fn the_mid_travels_until_the_receiver_reports() {
    let now = crate::test_epoch();
    let (mut track, mut sub) = video();
    let media = track.handle_rtp(now, 0, false, vp8_packet(0, 1, 0, 1, true, true)).unwrap();
    assert!(sub.handle_packet(now, &media).unwrap().mid.is_some());
    let block =
        ReportBlock { ssrc: Ssrc(0xaa), fraction_lost: 0, cumulative_lost: 0, highest: 0, jitter: 0, lsr: 0, dlsr: 0 };
    sub.handle_report(now, &block);
    let media = track.handle_rtp(now, 0, false, vp8_packet(0, 2, 0, 1, false, true)).unwrap();
    assert!(sub.handle_packet(now, &media).unwrap().mid.is_none());
}

/// A bad network between publisher and us, simulcast, padding, mutes, pauses and changes of mind: what the subscriber ends up
/// with is one stream without duplicates, whose frames are in order and whose holes all are real losses.
#[test]
fn random_calls_make_one_stream() {
    use rand::seq::SliceRandom;
    for seed in 0..10 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut now = crate::test_epoch();
        let mut track = track(Kind::Video, payload(96, VP8, Some(97), None), 3);
        let mut sub = subscribe(Kind::Video, payload(120, VP8, Some(121), None));
        let mut seqs = [65_000u16, 30_000, 1];
        let offsets: [u32; 3] = rng.random();
        let mut got: BTreeMap<u64, Packet> = BTreeMap::new();
        let mut switches = 0;
        let mut shown = None;
        let (mut paused, mut muted, mut starving, mut longest) = (false, false, 0, 0);
        for frame in 0..3_000u32 {
            let before = got.len();
            now += 33 * MS;
            if rng.random_ratio(1, 60) {
                paused = rng.random_ratio(1, 5);
                sub.set(SubscriptionSettings { paused, max_spatial: rng.random_range(0..3), ..Default::default() });
            }
            if rng.random_ratio(1, 200) {
                muted = rng.random_ratio(1, 5);
                track.set_muted(muted);
            }
            let mut flight: Vec<(u8, Packet)> = Vec::new();
            for layer in 0..3u8 {
                let key = rng.random_ratio(1, 10) || frame == 0;
                let ts = offsets[usize::from(layer)].wrapping_add(frame * 2_970);
                let seq = &mut seqs[usize::from(layer)];
                for n in 0..rng.random_range(1..5) {
                    flight.push((layer, vp8_packet(layer, *seq, ts, frame as u16, key, n == 0)));
                    *seq = seq.wrapping_add(1);
                }
                if rng.random_ratio(1, 20) {
                    flight.push((layer, raw(96, 10 + u32::from(layer), *seq, ts, &[])));
                    *seq = seq.wrapping_add(1);
                }
            }
            // Reordering within a frame, 2% loss, 2% duplicates; the first of a layer comes first.
            if rng.random_ratio(1, 5) {
                flight.shuffle(&mut rng);
            }
            for (layer, packet) in flight {
                if rng.random_ratio(1, 50) {
                    continue;
                }
                let copies = if rng.random_ratio(1, 50) { 2 } else { 1 };
                for _ in 0..copies {
                    let Some(media) = track.handle_rtp(now, layer, false, packet.clone()) else { continue };
                    let Some(out) = sub.handle_packet(now, &media) else { continue };
                    if sub.layer() != shown {
                        shown = sub.layer();
                        switches += 1;
                    }
                    assert!(got.insert(out.index, received(&media, &out)).is_none(), "seed {seed}: sent twice");
                }
            }
            let mut buf = Vec::new();
            track.poll_feedback(now, Ssrc(1), &mut buf);
            starving = if paused || muted || got.len() > before { 0 } else { starving + 1 };
            longest = longest.max(starving);
        }
        assert!(longest < 60, "seed {seed}: no picture for {longest} frames");
        assert!(switches > 10, "seed {seed}: {switches}");
        let (first, last) = (*got.keys().next().unwrap(), *got.keys().last().unwrap());
        let holes = (last - first + 1) as usize - got.len();
        assert!(holes < got.len() / 20, "seed {seed}: {holes} holes in {}", got.len());
        let mut before: Option<(u32, u16)> = None;
        for packet in got.values().filter(|p| !p.payload.is_empty()) {
            let id = vp8::parse(&packet.payload).unwrap().1.id.unwrap().1;
            if let Some((ts, last_id)) = before {
                let (step, ids) = (packet.ts.wrapping_sub(ts), id.wrapping_sub(last_id) & 0x7fff);
                assert!(
                    step == 0 && ids == 0 || step > 0 && step < 90 * 90_000 && ids > 0 && ids < 2_000,
                    "{step} {ids}"
                );
            }
            before = Some((packet.ts, id));
        }
    }
}
