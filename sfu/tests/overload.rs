//! A call on a worker that is too slow for it, in virtual time: what goes first, what never goes, and how it comes back.

mod client;
mod plane;

use plane::{Plane, mid};
use ramai_sfu::api::{Command, Datagram};
use ramai_sfu::id::{Pt, Ssrc, SubscriptionId, TrackId};
use ramai_sfu::overload::Load;
use ramai_sfu::params::{
    Codec, Format, LayerParams, PayloadParams, PublishParams, SubscribeParams, SubscriptionSettings,
};
use ramai_sfu::rtp::rtcp::{self, Rtcp};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const FRAME: Duration = Duration::from_millis(20);
const SAMPLE: Duration = Duration::from_millis(100);
/// Packets of one frame of each camera layer.
const FRAME_PACKETS: [usize; 3] = [1, 2, 4];
/// Bytes of a payload tell the layer: this much more for each.
const STEP: usize = 100;
/// What SRTP and the header add, less than a step.
const LAYERS: u32 = 3;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum What {
    Microphone,
    Camera,
    Screen,
}

/// From whom, what, which layer: number of packets that one member got.
type Got = BTreeMap<(usize, What, usize), usize>;

/// Everybody sends a microphone and a camera of three layers to everybody; the first one also a screen.
struct Call {
    plane: Plane,
    /// Next sequence number of each stream, by SSRC.
    seqs: BTreeMap<u32, u16>,
    /// Streams whose next frame is to be a key frame.
    wanted: BTreeSet<u32>,
    speaks: Option<usize>,
    /// Packets that the thread can forward in a sample, and those that it is behind.
    capacity: f64,
    behind: f64,
    forwarded: u64,
    /// Key frame requests in each sample.
    requests: Vec<usize>,
    /// Level after each sample.
    levels: Vec<u8>,
    /// What came for each member in each sample.
    got: Vec<Vec<Got>>,
    frames: usize,
}

fn ssrc(member: usize, what: What, layer: u32) -> u32 {
    1_000 + member as u32 * 100 + what as u32 * 10 + layer
}

fn track(member: usize, what: What) -> TrackId {
    TrackId(ssrc(member, what, 0).into())
}

impl Call {
    fn new(members: usize) -> Self {
        let mut plane = Plane::new(members);
        // All microphones at once: what overload takes is to be seen apart from who is loud.
        plane.worker.set_audible(0);
        assert!(plane.connect());
        let mut call = Self {
            plane,
            seqs: BTreeMap::new(),
            wanted: BTreeSet::new(),
            speaks: None,
            capacity: f64::INFINITY,
            behind: 0.0,
            forwarded: 0,
            requests: Vec::new(),
            levels: Vec::new(),
            got: Vec::new(),
            frames: 0,
        };
        for member in 0..members {
            call.publish(member, What::Microphone, 1);
            call.publish(member, What::Camera, LAYERS);
        }
        call.publish(0, What::Screen, 1);
        call.run(Duration::from_secs(2));
        call
    }

    fn publish(&mut self, member: usize, what: What, layers: u32) {
        let codec = if what == What::Microphone { Codec::Opus } else { Codec::Vp8 };
        let payloads = vec![PayloadParams {
            pt: Pt(111),
            format: Format { codec, profile: 0 },
            rtx: None,
            red: None,
            nack: false,
        }];
        let layer = |layer| LayerParams { ssrc: Some(Ssrc(ssrc(member, what, layer))), ..LayerParams::default() };
        let params = PublishParams {
            kind: codec.kind(),
            screen: what == What::Screen,
            mid: mid(),
            payloads: payloads.clone(),
            layers: (0..layers).map(layer).collect(),
        };
        let (transport, track) = (self.plane.members[member].transport, track(member, what));
        self.plane.command(Command::Publish { transport, track, params: Box::new(params) });
        for receiver in (0..self.plane.members.len()).filter(|receiver| *receiver != member) {
            let out = ssrc(member, what, 0);
            let params =
                SubscribeParams { mid: mid(), ssrc: Ssrc(out), rtx_ssrc: None, payloads: payloads.clone(), own: None };
            self.plane.command(Command::Subscribe {
                transport: self.plane.members[receiver].transport,
                track,
                subscription: SubscriptionId(u64::from(out) * 100 + receiver as u64),
                params: Box::new(params),
                settings: SubscriptionSettings::default(),
            });
        }
    }

    fn send(&mut self, member: usize, stream: u32, first: &[u8], len: usize, level: Option<u8>) {
        let seq = self.seqs.entry(stream).or_insert(1);
        let mut packet = vec![if level.is_some() { 0x90 } else { 0x80 }, 111];
        packet.extend(seq.to_be_bytes());
        packet.extend((self.frames as u32 * 960).to_be_bytes());
        packet.extend(stream.to_be_bytes());
        if let Some(level) = level {
            // One-byte extensions (RFC 8285): id 4, one byte, padded.
            packet.extend([0xbe, 0xde, 0, 1, 4 << 4, 0x80 | level, 0, 0]);
        }
        packet.extend(first);
        packet.resize(packet.len() + len - first.len(), 0x55);
        *seq = seq.wrapping_add(1);
        let client = &mut self.plane.members[member].client;
        let (path, mut sealed) = (client.path(), client.seal_rtp(&packet));
        self.plane
            .worker
            .handle_datagram(self.plane.now, Datagram { path, came: self.plane.now, payload: &mut sealed });
    }

    /// A frame of VP8: payload descriptor, and the inverse key frame flag.
    fn picture(&mut self, member: usize, stream: u32, packets: usize, len: usize) {
        let key = self.wanted.remove(&stream);
        for packet in 0..packets {
            let first = if packet == 0 { [0x10, u8::from(!key)] } else { [0x00, 0x55] };
            self.send(member, stream, &first, len, None);
        }
    }

    /// 20 ms of everybody's media.
    fn frame(&mut self) {
        self.frames += 1;
        for member in 0..self.plane.members.len() {
            let level = if self.speaks == Some(member) { 10 } else { 127 };
            self.send(member, ssrc(member, What::Microphone, 0), &[], STEP / 2, Some(level));
            if self.frames.is_multiple_of(2) {
                for (layer, packets) in (0..).zip(FRAME_PACKETS) {
                    let len = STEP * (layer as usize + 1);
                    self.picture(member, ssrc(member, What::Camera, layer), packets, len);
                }
            }
        }
        if self.frames.is_multiple_of(10) {
            self.picture(0, ssrc(0, What::Screen, 0), 2, STEP);
        }
        self.plane.settle();
    }

    /// Lets time pass; the thread reports itself as its capacity makes it.
    fn run(&mut self, time: Duration) {
        let end = self.plane.now + time;
        while self.plane.now < end {
            for _ in 0..SAMPLE.as_millis() / FRAME.as_millis() {
                self.frame();
                self.plane.pass(FRAME);
            }
            let forwarded = self.plane.worker.counters().forwarded;
            let work = self.behind + (forwarded - self.forwarded) as f64;
            self.forwarded = forwarded;
            self.behind = (work - self.capacity).max(0.0);
            let over = work >= self.capacity;
            let load = Load {
                span: SAMPLE,
                busy: SAMPLE.mul_f64((work / self.capacity).min(1.0)),
                late: Duration::from_millis(if over { 30 } else { 1 }),
                turns: 10,
                full_turns: 0,
                waiting: (self.behind * 1200.0) as u64,
                lost: 0,
                relieved: false,
            };
            self.plane.worker.handle_load(self.plane.now, load);
            self.plane.settle();
            self.collect();
        }
    }

    fn collect(&mut self) {
        let (mut requests, mut got) = (0, Vec::new());
        for member in &mut self.plane.members {
            for sealed in member.feedback.drain(..) {
                let compound = member.client.open_rtcp(&sealed);
                for packet in rtcp::parse(&compound) {
                    if let Rtcp::Pli { media } = packet {
                        requests += 1;
                        self.wanted.insert(media.0);
                    }
                }
            }
            let mut mine = Got::new();
            for sealed in member.media.drain(..) {
                let stream = u32::from_be_bytes([sealed[8], sealed[9], sealed[10], sealed[11]]) - 1_000;
                let what = [What::Microphone, What::Camera, What::Screen][stream as usize / 10 % 10];
                *mine.entry((stream as usize / 100, what, sealed.len() / STEP)).or_default() += 1;
            }
            got.push(mine);
        }
        self.requests.push(requests);
        self.got.push(got);
        self.levels.push(self.plane.worker.level().get());
    }

    /// Packets that all members got in a sample.
    fn sum(&self, sample: usize, matches: impl Fn(What, usize) -> bool) -> usize {
        let all = self.got[sample].iter().flatten();
        all.filter(|((_, what, layer), _)| matches(*what, *layer)).map(|(_, count)| count).sum()
    }

    /// Forwarded in the last sample.
    fn demand(&self) -> f64 {
        self.sum(self.got.len() - 1, |_, _| true) as f64
    }

    /// Overload until a level is reached, then neither too much to do nor time to spare.
    fn hold(&mut self, level: u8) {
        self.capacity = 1.0;
        for _ in 0..100 {
            if self.levels.last() == Some(&level) {
                break;
            }
            // A small backlog: one level at a time.
            self.behind = 0.0;
            self.run(SAMPLE);
        }
        // What is let go is let go at once; only lower layers wait for a key frame.
        (self.capacity, self.behind) = (f64::INFINITY, 0.0);
        self.run(SAMPLE);
        self.capacity = self.demand() / 0.8;
        self.run(Duration::from_secs(4));
        assert_eq!(self.levels.last(), Some(&level));
    }

    fn everybody_is_heard_in_every_sample(&self, from: usize) {
        let n = self.plane.members.len();
        for sample in from..self.got.len() {
            let heard = self.sum(sample, |what, _| what == What::Microphone);
            assert_eq!(heard, n * (n - 1) * 5, "sample {sample}, level {}", self.levels[sample]);
        }
    }
}

#[test]
fn high_layers_go_first_and_audio_always_flows_until_all_is_well_again() {
    let mut call = Call::new(6);
    let whole = call.demand();
    assert!(
        call.sum(call.got.len() - 1, |what, layer| what == What::Camera && layer == 3) > 0,
        "{:?}",
        call.got.last()
    );
    let start = call.got.len();
    call.capacity = whole * 0.6;
    call.run(Duration::from_secs(8));
    let settled = call.got.len() - 1;
    assert!(call.demand() < call.capacity, "{} of {} at level {}", call.demand(), call.capacity, call.levels[settled]);
    // It went no further than it had to: cameras are still seen, at their lowest layer.
    assert!((1..=3).contains(&call.levels[settled]), "{:?}", &call.levels[start..]);
    assert!(call.sum(settled, |what, layer| what == What::Camera && layer == 1) > 0);
    assert_eq!(call.sum(settled, |what, layer| what == What::Camera && layer == 3), 0);
    assert!(call.plane.worker.counters().shed > 0 && call.plane.worker.shed_subscriptions() > 0);
    // High layers were gone before any camera was.
    let cameras = |sample: usize| {
        let of = |(member, what, _): &(usize, What, usize)| (*what == What::Camera).then_some(*member);
        call.got[sample].iter().map(|got| got.keys().filter_map(of).collect::<BTreeSet<_>>().len()).sum::<usize>()
    };
    let all = cameras(start - 1);
    let fewer = (start..=settled).find(|sample| cameras(*sample) < all);
    let high = (start..=settled).rev().find(|sample| call.sum(*sample, |_, layer| layer == 3) > 0);
    assert!(fewer.is_none_or(|fewer| high < Some(fewer)), "high layers until {high:?}, cameras gone from {fewer:?}");

    // Less than even the lowest layers need, more than audio does.
    call.capacity = whole * 0.36;
    call.run(Duration::from_secs(10));
    assert!(call.demand() < call.capacity);
    call.capacity = whole * 2.0;
    call.run(Duration::from_secs(60));
    assert_eq!((call.levels.last(), call.plane.worker.shed_subscriptions()), (Some(&0), 0));
    assert_eq!(call.demand(), whole);
    call.everybody_is_heard_in_every_sample(start);
}

#[test]
fn what_comes_back_comes_a_little_at_a_time() {
    let mut call = Call::new(12);
    let whole = call.demand();
    call.capacity = whole / 100.0;
    call.run(Duration::from_secs(5));
    assert_eq!(call.levels.last(), Some(&6));
    assert_eq!(call.demand(), 12.0 * 11.0 * 5.0, "audio, and nothing else");
    let low = call.requests.len();
    call.capacity = f64::INFINITY;
    call.run(Duration::from_secs(30));
    assert_eq!((call.levels.last(), call.demand()), (Some(&0), whole));
    // 25 tracks in ten samples are three in each, each with one layer.
    let most = call.requests[low..].iter().max();
    assert!(most <= Some(&3), "{:?}", &call.requests[low..]);
    call.everybody_is_heard_in_every_sample(0);
}

#[test]
fn who_speaks_is_seen_longer_and_the_screen_longest() {
    let mut call = Call::new(5);
    call.speaks = Some(3);
    call.run(Duration::from_secs(3));
    call.hold(4);
    let seen = |got: &Got| got.keys().filter(|(_, what, _)| *what == What::Camera).map(|key| key.0).collect::<Vec<_>>();
    let cameras: Vec<Vec<usize>> = call.got.last().unwrap().iter().map(seen).collect();
    assert_eq!(cameras, [vec![3], vec![3], vec![3], vec![], vec![3]]);
    let screens = |call: &Call| {
        (call.got.len() - 10..call.got.len()).map(|s| call.sum(s, |what, _| what == What::Screen)).sum::<usize>()
    };
    assert_eq!(screens(&call), 4 * 2 * 5, "a second of the screen to four others");
    // Another one speaks, and is seen.
    call.speaks = Some(1);
    call.run(Duration::from_secs(2));
    let cameras: Vec<Vec<usize>> = call.got.last().unwrap().iter().map(seen).collect();
    assert!(cameras[0].contains(&1) && cameras[3].contains(&1), "{cameras:?}");
}

#[test]
fn load_at_the_edge_does_not_flap() {
    let mut call = Call::new(3);
    let whole = call.demand();
    let start = call.levels.len();
    // Without the highest layers it fits with time to spare; with them it doesn't.
    call.capacity = whole * 0.95;
    call.run(Duration::from_secs(180));
    let changes: Vec<usize> =
        (start + 1..call.levels.len()).filter(|sample| call.levels[*sample] != call.levels[sample - 1]).collect();
    assert!(changes.len() <= 16, "{changes:?}");
    let last_minute = changes.iter().filter(|sample| **sample > call.levels.len() - 600).count();
    assert!(last_minute <= 4, "{changes:?}");
    call.everybody_is_heard_in_every_sample(start);
}
