//! Stories of one subscriber who gets a part of a stream: fewer frames, or smaller ones.

use super::*;
use crate::id::{Pt, Token, TrackId};
use crate::params::{Codec, ExtensionMap, Format, LayerParams, PublishParams};
use crate::publish::Track;
use crate::rtp::write::Departure;
use crate::rtp::{Extensions, Packet, vp8, vp9};

/// Temporal layers of successive pictures, as libvpx has them, and which of them build on the lowest alone.
const PATTERN: [(u8, bool); 8] =
    [(0, false), (2, true), (1, true), (2, false), (0, false), (2, false), (1, false), (2, false)];

/// A publisher's stream on its way to one subscriber.
struct Way {
    track: Track,
    sub: Subscription,
    codec: Codec,
    now: Instant,
    seq: u16,
    /// Each packet that came out, with what it was made of.
    got: Vec<(Media, Packet)>,
}

/// A picture of one spatial layer, in so many packets.
const fn flat(packets: u16) -> [u16; 1] {
    [packets]
}

impl Way {
    fn new(codec: Codec) -> Self {
        let format = Format { codec, profile: 0 };
        let payload = PayloadParams { pt: Pt(96), format, rtx: Some(Pt(97)), red: None, nack: true };
        let (mid, kind) = (Token::new("0").unwrap(), Kind::Video);
        let publish =
            PublishParams { kind, screen: false, mid, payloads: vec![payload], layers: vec![LayerParams::default()] };
        let params =
            SubscribeParams { mid, ssrc: Ssrc(0xaa), rtx_ssrc: Some(Ssrc(0xbb)), payloads: vec![payload], own: None };
        let (now, settings) = (crate::test_epoch(), SubscriptionSettings::default());
        let sub = Subscription::new(now, SubscriptionId(1), TransportId(1), params, settings, kind, LayerSet(0), 42);
        Self { track: Track::new(TrackId(1), &publish), sub, codec, now, seq: 65_000, got: Vec::new() }
    }

    fn fit(&mut self, spatial: u8, temporal: u8) {
        self.sub.fit(Fit { paused: false, layer: 0, spatial, temporal }, false);
    }

    /// Sends the picture with this number, in so many packets of each spatial layer; the one that is `lost` is returned.
    fn picture(&mut self, number: u16, key: bool, layers: &[u16], lost: Option<usize>) -> Option<Packet> {
        let mut packets = Vec::new();
        for (spatial, count) in (0..).zip(layers) {
            for at in 0..*count {
                let (start, end) = (at == 0, at + 1 == *count);
                let last = end && usize::from(spatial) + 1 == layers.len();
                let payload = match self.codec {
                    Codec::Vp8 => vp8_payload(number, key, start),
                    _ => vp9_payload(number, key, (start, end), (spatial, layers.len())),
                };
                packets.push(Packet {
                    pt: Pt(96),
                    marker: last,
                    seq: self.seq,
                    ts: u32::from(number) * 3_000,
                    ssrc: Ssrc(5),
                    extensions: Extensions::default(),
                    payload: payload.into(),
                });
                self.seq = self.seq.wrapping_add(1);
            }
        }
        let lost = lost.map(|at| packets.remove(at));
        packets.into_iter().for_each(|packet| self.arrive(packet));
        self.now += Duration::from_millis(33);
        lost
    }

    fn arrive(&mut self, packet: Packet) {
        let Some(media) = self.track.handle_rtp(self.now, 0, false, packet) else { return };
        let Some(out) = self.sub.handle_packet(self.now, &media) else { return };
        let packet = wire(&media, &out);
        self.got.push((media, packet));
    }
}

fn wire(media: &Media, out: &Outgoing) -> Packet {
    let mut buf = Vec::new();
    out.write(media, &ExtensionMap::default(), &Departure::default(), &mut buf);
    Packet::parse(&buf.into(), &ExtensionMap::default()).unwrap()
}

fn vp8_payload(number: u16, key: bool, start: bool) -> Vec<u8> {
    let (temporal, sync) = PATTERN[usize::from(number) % 8];
    let [high, low] = (number | 0x8000).to_be_bytes();
    let layers = temporal << 6 | u8::from(sync) << 5;
    vec![0x80 | u8::from(start) << 4, 0xe0, high, low, (number / 4) as u8, layers, u8::from(!key), 7]
}

/// One of so many spatial layers, which build on each other at key pictures only.
fn vp9_payload(number: u16, key: bool, (start, end): (bool, bool), (spatial, count): (u8, usize)) -> Vec<u8> {
    let (temporal, _) = PATTERN[usize::from(number) % 8];
    let [high, low] = (number | 0x8000).to_be_bytes();
    let structure = start && key && spatial == 0;
    // I, P, L, B, E, V, Z.
    let flags = [true, !key, true, false, start, end, structure, !key || usize::from(spatial) + 1 == count];
    let flags = flags.into_iter().fold(0, |sum, flag| sum << 1 | u8::from(flag));
    let layers = temporal << 5 | u8::from(temporal < 2) << 4 | spatial << 1 | u8::from(key && spatial > 0);
    vec![flags, high, low, layers, (number / 4) as u8, (count as u8 - 1) << 5]
}

/// Sequence number, picture id, TL0PICIDX and temporal layer of what came, relative to the first.
fn numbers(way: &Way) -> Vec<(u16, u16, u8, u8)> {
    let read = |(media, packet): &(Media, Packet)| {
        let (meta, picture) = match media.format.codec {
            Codec::Vp8 => vp8::parse(&packet.payload).unwrap(),
            _ => vp9::parse(&packet.payload).unwrap(),
        };
        (packet.seq, picture.id.unwrap().1, picture.tl0.unwrap().1, meta.temporal)
    };
    let all: Vec<_> = way.got.iter().filter(|(_, packet)| !packet.payload.is_empty()).map(read).collect();
    let (seq, id, tl0, _) = all[0];
    let from = |(s, i, t, temporal): &(u16, u16, u8, u8)| {
        (s.wrapping_sub(seq), i.wrapping_sub(id) & 0x7fff, t.wrapping_sub(tl0), *temporal)
    };
    all.iter().map(from).collect()
}

#[test]
fn every_other_frame_is_left_out_and_all_numbers_close_up() {
    let mut way = Way::new(Codec::Vp8);
    way.fit(0, 1);
    for number in 0..8 {
        way.picture(number, number == 0, &flat(2), None);
    }
    let expected = [
        (0, 0, 0, 0),
        (1, 0, 0, 0),
        (2, 1, 0, 1),
        (3, 1, 0, 1),
        (4, 2, 1, 0),
        (5, 2, 1, 0),
        (6, 3, 1, 1),
        (7, 3, 1, 1),
    ];
    assert_eq!(numbers(&way), expected);
    assert_eq!(way.sub.keyframe_wanted(), None);
}

#[test]
fn frames_begin_again_only_where_they_build_on_nothing_that_was_left_out_and_end_with_any_picture() {
    let mut way = Way::new(Codec::Vp8);
    let temporals = |way: &mut Way, from: u16| {
        way.got.clear();
        for number in from..from + 8 {
            way.picture(number, number == 0, &flat(1), None);
        }
        numbers(way).iter().map(|(.., temporal)| *temporal).collect::<Vec<_>>()
    };
    way.fit(0, 0);
    assert_eq!(temporals(&mut way, 0), [0, 0]);
    way.fit(0, 2);
    // 1 begins with its sync frame; 2 has missed its own, and waits for the next.
    assert_eq!(temporals(&mut way, 8), [0, 1, 0, 1]);
    assert_eq!(temporals(&mut way, 16), [0, 2, 1, 2, 0, 2, 1, 2]);
    way.picture(24, false, &flat(1), None);
    way.fit(0, 0);
    assert_eq!(temporals(&mut way, 25), [0, 0]);
}

#[test]
fn a_lost_packet_keeps_its_number_and_one_of_a_frame_that_is_left_out_has_none() {
    let mut way = Way::new(Codec::Vp8);
    way.fit(0, 1);
    way.picture(0, true, &flat(1), None);
    // Amid a frame that is left out: nobody will miss it.
    let amid = way.picture(1, false, &flat(3), Some(1)).unwrap();
    let shown = way.picture(2, false, &flat(3), Some(1)).unwrap();
    // The last of a frame that is left out: it could be the first of the next.
    let last = way.picture(3, false, &flat(2), Some(1)).unwrap();
    way.picture(4, false, &flat(1), None);
    assert_eq!(numbers(&way).iter().map(|(seq, ..)| *seq).collect::<Vec<_>>(), [0, 1, 3, 5]);
    for packet in [amid, last, shown] {
        way.arrive(packet);
    }
    let all: Vec<_> = way.got.iter().map(|(_, packet)| (packet.seq - way.got[0].1.seq, packet.payload.len())).collect();
    assert_eq!(all[4..], [(4, 0), (2, 8)], "what isn't shown fills its place empty");
    assert_eq!(numbers(&way).iter().map(|(_, id, ..)| *id).collect::<Vec<_>>(), [0, 1, 1, 2, 1]);
    // All can be asked for again, and are the same.
    let (track, first) = (&way.track, way.got[0].1.seq);
    let mut again = Vec::new();
    let asked = (0..6).map(|n| first + n);
    way.sub.handle_nack(way.now, asked, track, |media, out| {
        again.push((
            u16::from_be_bytes([wire(media, &out).payload[0], wire(media, &out).payload[1]]),
            wire(media, &out).payload.slice(2..),
        ))
    });
    let mut sent: Vec<_> = way.got.iter().map(|(_, packet)| (packet.seq, packet.payload.clone())).collect();
    sent.sort_by_key(|(seq, _)| *seq);
    assert_eq!(again, sent);
}

#[test]
fn of_spatial_layers_one_is_shown_with_what_it_builds_on_and_its_pictures_end() {
    let mut way = Way::new(Codec::Vp9);
    way.fit(1, 2);
    for number in 0..4 {
        way.picture(number, number == 0, &[1, 2, 3], None);
    }
    let spatial: Vec<u8> = way.got.iter().map(|(media, _)| media.meta.spatial).collect();
    assert_eq!(spatial, [0, 1, 1, 1, 1, 1, 1, 1, 1]);
    let seqs = numbers(&way).iter().map(|(seq, ..)| *seq).collect::<Vec<_>>();
    assert_eq!(seqs, (0..9).collect::<Vec<_>>());
    let markers: Vec<bool> = way.got.iter().map(|(_, packet)| packet.marker).collect();
    assert_eq!(markers, [false, false, true, false, true, false, true, false, true]);
}

#[test]
fn numbers_of_vp9_pictures_say_what_they_build_on_and_keep_their_gaps() {
    let mut way = Way::new(Codec::Vp9);
    way.fit(0, 0);
    for number in 0..9 {
        way.picture(number, number == 0, &[1], None);
    }
    assert_eq!(numbers(&way), [(0, 0, 0, 0), (1, 4, 1, 0), (2, 8, 2, 0)]);
}

#[test]
fn another_spatial_layer_begins_with_a_key_picture() {
    let mut way = Way::new(Codec::Vp9);
    way.fit(1, 2);
    way.picture(0, true, &[1, 1, 1], None);
    assert_eq!(way.sub.keyframe_wanted(), None);
    for (spatial, from) in [(2, 1), (0, 4)] {
        way.picture(from, false, &[1, 1, 1], None);
        way.fit(spatial, 2);
        assert_eq!(way.sub.keyframe_wanted(), Some(0));
        way.got.clear();
        way.picture(from + 1, false, &[1, 1, 1], None);
        assert!(way.got.iter().all(|(media, _)| media.meta.spatial != spatial), "not yet");
        way.got.clear();
        way.picture(from + 2, true, &[1, 1, 1], None);
        assert_eq!(way.got.len(), usize::from(spatial) + 1);
        assert_eq!(way.sub.keyframe_wanted(), None);
    }
}

/// The publisher gives up its upper layers with a key picture whose head was lost: until it comes again, what there is of the lowest is left out.
#[test]
fn a_late_head_of_a_key_picture_with_fewer_layers_is_not_sent_without_its_tail() {
    let mut way = Way::new(Codec::Vp9);
    way.picture(0, true, &[1; 3], None);
    way.picture(1, false, &[1; 3], None);
    let shown = way.got.len();
    let head = way.picture(2, true, &flat(3), Some(0)).unwrap();
    way.picture(3, false, &flat(1), None);
    way.arrive(head);
    way.picture(4, false, &flat(1), None);
    let sent: Vec<_> =
        way.got[shown..].iter().map(|(media, _)| (media.ts / 3_000, media.index, media.meta.spatial)).collect();
    assert_eq!(sent, [], "nothing goes on without the rest");
    assert_eq!(way.sub.keyframe_wanted(), Some(0));
    way.picture(5, true, &flat(3), None);
    assert_eq!(way.got.iter().filter(|(media, _)| media.ts == 5 * 3_000).count(), 3);
}

/// A key picture that brings more layers again came without its head, which alone tells of them: the lowest is shown, and ends.
#[test]
fn a_key_picture_whose_head_is_late_ends_with_what_is_shown_of_it() {
    let mut way = Way::new(Codec::Vp9);
    way.picture(0, true, &flat(1), None);
    way.picture(1, false, &flat(1), None);
    let shown = way.got.len();
    let head = way.picture(2, true, &[2, 1, 1], Some(0)).unwrap();
    way.arrive(head);
    way.picture(3, false, &flat(3), None);
    let sent = way.got[shown..].iter().filter(|(media, _)| media.ts == 2 * 3_000);
    let sent: Vec<_> = sent.map(|(media, packet)| (media.meta.spatial, media.meta.start, packet.marker)).collect();
    assert_eq!(sent, [(0, false, true), (0, true, false)]);
}
