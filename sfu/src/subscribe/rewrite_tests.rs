//! Stories of rewriting, and random ones against an oracle.

use super::*;
use crate::rtp::media::tests::media;
use bytes::Bytes;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Duration;

const RATE: u32 = 90_000;
const MS: Duration = Duration::from_millis(1);

/// A packet with everything that is renumbered.
fn packet(layer: u8, index: u64, ts: u32, id: u16) -> Media {
    let mut m = media(layer, index);
    m.ts = ts;
    m.picture = Picture { id: Some((2, id & 0x7fff, true)), tl0: Some((4, id as u8)) };
    let [a, b] = id.to_be_bytes();
    m.dependency_descriptor = Some(Bytes::copy_from_slice(&[0xc0, a, b]));
    m
}

#[test]
fn the_first_packet_gets_our_first_numbers_and_the_rest_follow() {
    let now = crate::test_epoch();
    let mut r = Rewriter::new(100, 7_000);
    assert_eq!(r.forward(now, &packet(0, 5, 0, 0)), None, "nothing was chosen yet");
    let first = packet(0, 500, u32::MAX - 10, 0x7fff);
    r.switch(now, RATE, &first);
    let a = r.forward(now, &first).unwrap();
    assert_eq!((a.index, a.ts), (100, 7_000));
    let b = r.forward(now, &packet(0, 503, 20, 0)).unwrap();
    assert_eq!((b.index, b.ts), (103, 7_031));
    let late = r.forward(now, &packet(0, 501, u32::MAX, 0x7fff)).unwrap();
    assert_eq!((late.index, late.ts), (101, 7_010));
    assert_eq!(r.forward(now, &packet(0, 499, 0, 0)), None, "older than the switch");
}

#[test]
fn a_switch_goes_on_where_the_old_layer_ended() {
    let now = crate::test_epoch();
    let mut r = Rewriter::new(100, 7_000);
    for n in 0..10 {
        let p = packet(0, 500 + u64::from(n), n * 3_000, 40 + n as u16);
        if n == 0 {
            r.switch(now, RATE, &p);
        }
        r.forward(now, &p);
    }
    let key = packet(1, 9_000, 77, 9);
    r.switch(now + 33 * MS, RATE, &key);
    let out = r.forward(now + 33 * MS, &key).unwrap();
    assert_eq!(out.index, 110);
    assert_eq!(out.ts, 7_000 + 9 * 3_000 + 33 * 90, "by arrival");
    assert_eq!(out.picture.id.map(|i| i.1), Some(50));
    assert_eq!(out.picture.tl0.map(|i| i.1), Some(50));
    assert_eq!(out.frame, 50);
}

/// Ten pictures of two packets, from number 100 on.
fn pictures(now: Instant) -> (Rewriter, Vec<Media>) {
    let mut r = Rewriter::new(100, 7_000);
    let mut packets = Vec::new();
    for n in 0..20u16 {
        let mut p = packet(0, 500 + u64::from(n), u32::from(n / 2) * 3_000, 40 + n / 2);
        (p.meta.start, p.meta.end) = (n % 2 == 0, n % 2 == 1);
        packets.push(p);
    }
    r.switch(now, RATE, &packets[0]);
    for p in &packets {
        r.forward(now, p);
    }
    (r, packets)
}

#[test]
fn what_was_taken_back_gives_its_numbers_to_what_begins_instead() {
    let now = crate::test_epoch();
    // From the beginning of a picture, and from amid one, of which the receiver has the rest.
    for (from, picture) in [(14, 47), (15, 48)] {
        let (mut r, packets) = pictures(now);
        assert_eq!(r.numbers(), 100..120);
        assert_eq!(r.take_back(&packets[from]), 20 - from as u64);
        let key = packet(1, 9_000, 77, 9);
        r.switch(now, RATE, &key);
        let out = r.forward(now, &key).unwrap();
        assert_eq!((out.index, out.frame), (100 + from as u64, picture));
        assert_eq!(out.picture.id.map(|i| i.1), Some(picture));
        assert_eq!(out.picture.tl0.map(|i| u16::from(i.1)), Some(picture));
        assert!(newer32(out.ts, 7_000 + 9 * 3_000), "time goes on");
        assert_eq!(r.locate(100 + from as u16), Some((1, 9_000)));
        assert_eq!(r.locate(99 + from as u16), Some((0, 499 + from as u64)));
        assert_eq!(r.late(&packets[from], false), None, "it has no number any more");
    }
}

#[test]
fn a_whole_segment_may_be_taken_back_and_nothing_beyond_a_hole() {
    let now = crate::test_epoch();
    let (mut r, _) = pictures(now);
    let key = packet(1, 9_000, 77, 9);
    r.switch(now, RATE, &key);
    r.forward(now, &key);
    assert_eq!((r.numbers(), r.take_back(&packet(0, 519, 0, 49))), (120..121, 0), "another segment's");
    let first = Media { meta: crate::rtp::FrameMeta { start: true, ..key.meta }, ..key };
    assert_eq!(r.take_back(&first), 1);
    let lower = packet(2, 70, 5, 5);
    r.switch(now, RATE, &lower);
    let out = r.forward(now, &lower).unwrap();
    assert_eq!((out.index, out.frame, out.picture.id.map(|i| i.1)), (120, 50, Some(50)));
    // 72 is missing and may have to be sent.
    let behind = [packet(2, 71, 5, 5), packet(2, 73, 5, 5), packet(2, 74, 5, 5)];
    behind.iter().for_each(|p| _ = r.forward(now, p));
    assert_eq!(r.numbers(), 124..125);
    assert_eq!((r.take_back(&behind[1]), r.take_back(&behind[2])), (0, 1));
    assert_eq!(r.locate(122), Some((2, 72)));
}

#[test]
fn a_picture_that_is_left_out_counts_once_however_late_the_rest_of_it_comes() {
    let now = crate::test_epoch();
    let mut r = Rewriter::new(100, 7_000);
    // Each picture has two packets; of twelve only the first and the last are shown.
    let packet = |index: u16| {
        let mut packet = packet(0, 500 + u64::from(index), u32::from(index / 2) * 3_000, 40 + index / 2);
        packet.format.codec = Codec::Vp8;
        packet
    };
    r.switch(now, RATE, &packet(0));
    for index in [0, 1] {
        r.forward(now, &packet(index));
    }
    // All but the last halves of two were lost at first, and are repaired; one of these is the last to be whole.
    let lost = [20].into_iter().chain((2..18).rev()).chain([18]);
    for index in [19, 21] {
        r.skip(&packet(index));
    }
    lost.for_each(|index| assert_eq!(r.skip(&packet(index)), None));
    let last = r.forward(now, &packet(22)).unwrap();
    assert_eq!((last.index, last.picture.id.map(|id| id.1)), (102, Some(41)));
}

#[test]
fn holes_of_the_old_layer_can_still_be_filled() {
    let now = crate::test_epoch();
    let mut r = Rewriter::new(1, 0);
    let first = packet(0, 500, 0, 0);
    r.switch(now, RATE, &first);
    r.forward(now, &first);
    r.forward(now, &packet(0, 502, 0, 0));
    let key = packet(1, 9_000, 0, 0);
    r.switch(now, RATE, &key);
    r.forward(now, &key);
    assert_eq!(r.late(&packet(0, 501, 0, 0), false).map(|m| m.index), Some(2));
    assert_eq!(r.late(&packet(0, 503, 0, 0), false), None, "behind the switch");
    assert_eq!(r.late(&packet(1, 9_000, 0, 0), false), None, "it is shown");
    assert!(r.late(&packet(1, 9_000, 0, 0), true).is_some(), "it was shown");
    assert_eq!(
        [1, 2, 3, 4, 5, 0].map(|seq| r.locate(seq)),
        [Some((0, 500)), Some((0, 501)), Some((0, 502)), Some((1, 9_000)), None, None]
    );
}

#[test]
fn sender_reports_align_layers_whatever_their_arrival() {
    let now = crate::test_epoch();
    // Layer 0: timestamp 0 is second 100. Layer 1: timestamp 500,000 is second 101.
    let clock = |second: u64, rtp| Some(Clock { ntp: second << 32, rtp, at: now });
    let mut r = Rewriter::new(1, 1_000_000);
    let mut low = packet(0, 1, 90_000, 0);
    low.clock = clock(100, 0);
    r.switch(now, RATE, &low);
    r.forward(now, &low);
    // Captured 40 ms later, but 300 ms under way.
    let mut high = packet(1, 1, 500_000 + 3_600, 0);
    high.clock = clock(101, 500_000);
    r.switch(now + 340 * MS, RATE, &high);
    let out = r.forward(now + 340 * MS, &high).unwrap();
    assert_eq!(out.ts, 1_000_000 + 3_600);
    // Our line is the same whichever layer tells it.
    let line = r.clock().unwrap();
    assert_eq!((line.ntp, line.rtp), (101 << 32, 1_000_000));
    // The same frame on the other layer again: time doesn't stand still, nor go back.
    let mut again = packet(0, 2, 90_000 + 3_600, 0);
    again.clock = clock(100, 0);
    r.switch(now + 341 * MS, RATE, &again);
    assert_eq!(r.forward(now + 341 * MS, &again).map(|m| m.ts), Some(1_000_000 + 3_601));
}

#[test]
fn a_full_uplink_does_not_move_the_clock() {
    let now = crate::test_epoch();
    let mut r = Rewriter::new(1, 0);
    let low = packet(0, 1, 90_000, 0);
    r.switch(now, RATE, &low);
    r.forward(now, &low);
    let high = packet(1, 1, 0, 0);
    r.switch(now + 100 * MS, RATE, &high);
    assert_eq!(r.forward(now + 100 * MS, &high).map(|m| m.ts), Some(9_000));
    // Captured a second after the first, but under way for two and a half more.
    let again = packet(0, 2, 180_000, 0);
    r.switch(now + 3_500 * MS, RATE, &again);
    assert_eq!(r.forward(now + 3_500 * MS, &again).map(|m| m.ts), Some(90_000));
}

#[test]
fn a_key_frame_from_the_past_is_known() {
    let now = crate::test_epoch();
    let clock = Some(Clock { ntp: 5 << 32, rtp: 0, at: now });
    let mut r = Rewriter::new(1, 0);
    let of = |layer, ts| Media { clock, ..packet(layer, 1, ts, 0) };
    assert!(!r.is_outdated(now, RATE, &of(1, 0), false), "nothing was sent yet");
    r.switch(now, RATE, &of(0, 90_000));
    r.forward(now, &of(0, 90_000));
    assert_eq!([71_000, 73_000, 99_000].map(|ts| r.is_outdated(now, RATE, &of(1, ts), true)), [true, false, false]);
    assert!(!r.is_outdated(now, RATE, &packet(1, 1, 0, 0), false), "no clock tells");
}

#[test]
fn a_key_frame_that_a_segment_went_past_begins_no_other() {
    let now = crate::test_epoch();
    let mut r = Rewriter::new(1, 0);
    for (layer, index) in [(0, 10), (0, 14), (1, 5)] {
        let p = packet(layer, index, 0, 0);
        if index != 14 {
            r.switch(now, RATE, &p);
        }
        r.forward(now, &p);
    }
    // It was lost on its way here, and sent again.
    assert!(r.is_outdated(now, RATE, &packet(0, 12, 0, 0), false));
    assert!(!r.is_outdated(now, RATE, &packet(0, 15, 0, 0), false));
}

#[test]
fn reports_that_make_no_sense_are_not_believed() {
    let now = crate::test_epoch();
    let mut r = Rewriter::new(1, 0);
    let mut low = packet(0, 1, 0, 0);
    low.clock = Some(Clock { ntp: 5 << 32, rtp: 0, at: now });
    r.switch(now, RATE, &low);
    r.forward(now, &low);
    let mut high = packet(1, 1, 0, 0);
    high.clock = Some(Clock { ntp: 99_999 << 32, rtp: 0, at: now });
    r.switch(now + 100 * MS, RATE, &high);
    assert_eq!(r.forward(now + 100 * MS, &high).map(|m| m.ts), Some(9_000));
}

#[test]
fn after_a_mute_of_the_same_source_its_clock_goes_on() {
    let now = crate::test_epoch();
    let mut r = Rewriter::new(1, 0);
    let before = packet(0, 1, 0, 0);
    r.switch(now, RATE, &before);
    r.forward(now, &before);
    let after = packet(0, 400, 900_000, 300);
    r.switch(now + 10_020 * MS, RATE, &after);
    let out = r.forward(now + 10_020 * MS, &after).unwrap();
    assert_eq!((out.index, out.ts, out.frame), (2, 900_000, 1));
}

#[test]
fn another_track_in_its_place_goes_on_without_a_gap() {
    let now = crate::test_epoch();
    let mut r = Rewriter::new(1, 0);
    let before = packet(0, 1, 0, 0);
    r.switch(now, RATE, &before);
    r.forward(now, &before);
    r.restart();
    assert_eq!(r.locate(1), None, "the old track's packets are gone");
    let after = packet(0, 1, 12_345, 77);
    r.switch(now + 1_000 * MS, RATE, &after);
    let out = r.forward(now + 1_000 * MS, &after).unwrap();
    assert_eq!((out.index, out.ts, out.frame), (2, 90_000, 1));
}

/// One simulated layer that yields frames in order.
struct Source {
    layer: u8,
    index: u64,
    ts: u32,
    id: u16,
}

#[test]
fn random_switches_over_wraps_make_one_gapless_stream() {
    for seed in 0..20 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut now = crate::test_epoch();
        let mut r = Rewriter::new(rng.random_range(1..0x8000), rng.random());
        let mut sources: Vec<Source> = (0..3)
            .map(|layer| Source { layer, index: rng.random_range(60_000..70_000), ts: rng.random(), id: rng.random() })
            .collect();
        let mut current = None;
        let (mut last, mut ids): (Option<Mapped>, Option<u16>) = (None, None);
        for _ in 0..5_000 {
            now += 33 * MS;
            let pause = rng.random_ratio(1, 100);
            let choice = if rng.random_ratio(1, 10) || pause { None } else { current };
            for s in &mut sources {
                s.ts = s.ts.wrapping_add(2_970);
                s.id = s.id.wrapping_add(1);
            }
            if pause {
                now += Duration::from_millis(rng.random_range(0..5_000));
            }
            let source = choice.unwrap_or_else(|| rng.random_range(0..3));
            let switch = current != Some(source) || choice.is_none();
            current = Some(source);
            let s = &mut sources[source];
            for n in 0..rng.random_range(1..4u16) {
                let p = packet(s.layer, s.index, s.ts, s.id);
                s.index += 1;
                if n == 0 && switch {
                    r.switch(now, RATE, &p);
                }
                let out = r.forward(now, &p).unwrap();
                if let Some(last) = last {
                    assert_eq!(out.index, last.index + 1, "consecutive");
                    let step = out.ts.wrapping_sub(last.ts);
                    assert!(if n == 0 { (1..=9 * RATE).contains(&step) } else { step == 0 }, "seed {seed}: {step}");
                }
                let id = out.picture.id.unwrap().1;
                if n == 0 {
                    assert!(ids.is_none_or(|before| id == (before + 1) & 0x7fff), "seed {seed}");
                }
                assert_eq!(out.frame & 0x7fff, id);
                ids = Some(id);
                assert_eq!(r.locate(out.index as u16), Some((p.layer, p.index)));
                assert_eq!(r.again(&p), Some(out));
                last = Some(out);
            }
        }
    }
}
