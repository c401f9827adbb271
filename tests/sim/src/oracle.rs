//! The oracle: watches every packet that leaves the server, with its truth, and notes what must never be.
//!
//! For each stream to each viewer: sequence numbers are used once, and a hole stands for a packet that was lost on its way to the
//! server, so that it can be filled; a frame is sent only if what it builds on was; layers change at key frames only; timestamps go
//! with the camera's clock, also over switches; picture numbers go on as the codec wants it; a picture ends with the marker. For each viewer: transport-wide numbers go up by one,
//! and nothing comes that isn't subscribed to, is paused or muted.

use crate::At;
use crate::media::encoding::FPS;
use crate::media::stamp::{FrameId, Stamp};
use ramai_sfu::rtp::seq::{Extender, newer32};
use ramai_sfu::rtp::{Packet, vp8, vp9};
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::time::Duration;

/// Packets of a stream that are remembered.
const REMEMBERED: usize = 4_096;
/// A switch may move the line of timestamps and camera time by so much; more would be seen as lips out of step for long.
const MAX_STEP: f64 = 0.5;
/// Words kept of a run.
const MAX_KEPT: usize = 20;

/// Something that must never be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Violation {
    /// When.
    pub at: At,
    /// What, with names.
    pub what: String,
}

/// One packet that leaves the server.
pub struct Egress<'a> {
    /// Which stream, in words.
    pub stream: &'a str,
    /// Viewer and media SSRC.
    pub key: (usize, u32),
    /// The packet in the clear.
    pub packet: &'a Packet,
    /// Sequence number and payload: out of the retransmission, if it is one.
    pub seq: u16,
    /// See `seq`.
    pub payload: &'a [u8],
    /// It is a retransmission.
    pub again: bool,
    /// Its truth; none in audio and before the viewer has keys.
    pub stamp: Option<Stamp>,
}

#[derive(Default)]
struct Stream {
    extender: Extender,
    /// By extended number: truth, when it was first sent, and whether under that number itself.
    sent: BTreeMap<u64, (Stamp, At, bool)>,
    frames: HashSet<FrameId>,
    order: VecDeque<FrameId>,
    newest: Option<Newest>,
    /// What was sent before the viewer had keys can't be told: until a key frame, what frames build on may be among it.
    blind: bool,
    /// The first number that could be told.
    first: Option<u64>,
}

#[derive(Clone, Copy)]
struct Newest {
    number: u64,
    stamp: Stamp,
    ts: u32,
    picture: Option<(u16, u16)>,
    tl0: Option<u8>,
    marker: bool,
}

/// See the module.
#[derive(Default)]
pub struct Oracle {
    streams: HashMap<(usize, u32), Stream>,
    transport: HashMap<usize, u16>,
    /// Frames that reached the server: how many packets are still missing.
    arrived: HashMap<(u16, FrameId), HashSet<u16>>,
    arrival_order: VecDeque<(u16, FrameId)>,
    violations: Vec<Violation>,
    /// How many there were; only the first are kept.
    pub count: u64,
}

impl Oracle {
    /// What must never be and was, first ones first.
    pub fn violations(&self) -> &[Violation] {
        &self.violations
    }

    /// Notes a violation.
    pub fn accuse(&mut self, at: At, what: String) {
        self.count += 1;
        if self.violations.len() < MAX_KEPT {
            self.violations.push(Violation { at, what });
        }
    }

    /// A packet reached the server.
    pub fn ingress(&mut self, stamp: &Stamp) {
        let key = (stamp.track, stamp.frame_id());
        if !self.arrived.contains_key(&key) {
            self.arrival_order.push_back(key);
            if self.arrival_order.len() > REMEMBERED {
                self.arrival_order.pop_front().map(|old| self.arrived.remove(&old));
            }
        }
        self.arrived.entry(key).or_insert_with(|| (0..stamp.count).collect()).remove(&stamp.index);
    }

    /// A viewer's path or wire is new: transport-wide numbers may begin anywhere.
    pub fn transport_number(&mut self, at: At, viewer: usize, name: &str, number: u16) {
        if let Some(last) = self.transport.insert(viewer, number)
            && number != last.wrapping_add(1)
        {
            self.accuse(at, format!("transport-wide number {number} after {last} to {name}"));
        }
    }

    /// When the media packet with this number was first sent.
    pub fn sent_at(&self, key: (usize, u32), seq: u16) -> Option<At> {
        let stream = self.streams.get(&key)?;
        stream.sent.get(&stream.extender.peek(seq)).map(|(_, at, _)| *at)
    }

    /// A media packet leaves the server. Returns whether it is the first under its number.
    pub fn egress(&mut self, at: At, egress: &Egress<'_>) -> bool {
        let mut stream = self.streams.remove(&egress.key).unwrap_or_default();
        let first = match egress.stamp {
            Some(stamp) => self.judge(at, &mut stream, egress, stamp),
            None => {
                if !egress.again {
                    stream.extender.extend(egress.seq);
                    (stream.newest, stream.blind) = (None, true);
                }
                true
            }
        };
        self.streams.insert(egress.key, stream);
        first
    }

    fn judge(&mut self, at: At, stream: &mut Stream, egress: &Egress<'_>, stamp: Stamp) -> bool {
        let name = egress.stream;
        let number = stream.extender.peek(egress.seq);
        if let Some((before, _, itself)) = stream.sent.get_mut(&number) {
            // What waited for the rest of its frame may have been asked for and repeated before it went.
            if !egress.again && std::mem::replace(itself, true) {
                self.accuse(at, format!("{name}: number {} was used twice", egress.seq));
            } else if *before != stamp {
                self.accuse(at, format!("{name}: number {} was {before:?} and comes again as {stamp:?}", egress.seq));
            }
            return false;
        }
        match stream.newest {
            Some(newest) if number <= newest.number => self.fills(at, stream, name, number, stamp),
            Some(_) if egress.again => {
                self.accuse(at, format!("{name}: number {} comes again but was never reached", egress.seq));
                return false;
            }
            Some(newest) => {
                self.follows(at, stream, name, number, newest, stamp, egress.packet);
                self.advance(at, stream, egress, number, stamp);
            }
            None => {
                let begins = stamp.key && stamp.spatial == 0 && stamp.index == 0;
                if !begins && !stream.blind {
                    self.accuse(at, format!("{name}: begins amid a picture: {stamp:?}"));
                }
                self.advance(at, stream, egress, number, stamp);
            }
        }
        stream.blind &= !(stamp.key && stamp.spatial == 0);
        if !stream.blind {
            self.builds_on(at, stream, name, number, stamp);
        }
        stream.first.get_or_insert(number);
        stream.sent.insert(number, (stamp, at, !egress.again));
        if stream.sent.len() > REMEMBERED {
            stream.sent.pop_first();
        }
        if stream.frames.insert(stamp.frame_id()) {
            stream.order.push_back(stamp.frame_id());
            if stream.order.len() > REMEMBERED {
                stream.order.pop_front().map(|old| stream.frames.remove(&old));
            }
        }
        true
    }

    /// A late packet stands where it belongs between its neighbours.
    fn fills(&mut self, at: At, stream: &Stream, name: &str, number: u64, stamp: Stamp) {
        let below = stream.sent.range(..number).next_back();
        let above = stream.sent.range(number..).next();
        for (other, (neighbour, _, _)) in below.into_iter().chain(above) {
            if neighbour.frame_id() == stamp.frame_id() {
                let apart = i64::from(stamp.index) - i64::from(neighbour.index);
                if number as i64 - *other as i64 != apart {
                    self.accuse(at, format!("{name}: {stamp:?} fills a hole {apart} off its frame's {neighbour:?}"));
                }
            } else if neighbour.layer == stamp.layer && (*other < number) != (neighbour.packet < stamp.packet) {
                self.accuse(at, format!("{name}: {stamp:?} fills a hole out of order beside {neighbour:?}"));
            }
        }
    }

    /// The newest packet goes on from the one before, so that holes can be filled and nothing but what is left out is missing.
    #[allow(clippy::too_many_arguments, reason = "each is its own kind of thing, and there is one caller")]
    fn follows(&mut self, at: At, _: &Stream, name: &str, number: u64, newest: Newest, stamp: Stamp, packet: &Packet) {
        let step = (number - newest.number) as i64;
        let before = newest.stamp;
        let starts = stamp.key && stamp.spatial == 0;
        if stamp.layer != before.layer {
            if !starts || stamp.index != 0 || step != 1 {
                self.accuse(at, format!("{name}: switches amid a picture or with a hole of {}: {stamp:?}", step - 1));
            }
        } else {
            let source = i64::from(stamp.packet) - i64::from(before.packet);
            let same = stamp.frame == before.frame;
            // The rest of the frame before, if it isn't cut off by a key frame, and this frame's head.
            let tail = if starts { 0 } else { i64::from(before.count - 1 - before.index) };
            let least = if same { source } else { 1 + tail + i64::from(stamp.index) };
            if !(least..=source).contains(&step) {
                let words = format!("{least} to {source} numbers on from {before:?}");
                self.accuse(at, format!("{name}: {stamp:?} should be {words}, is {step}"));
            }
        }
        let ended = before.index + 1 == before.count && before.captured != stamp.captured;
        // One that a key frame cuts off has no end.
        if step == 1 && ended && !starts && !newest.marker {
            self.accuse(at, format!("{name}: {before:?} was the last of its picture and bore no marker"));
        }
        let camera = stamp.captured.as_secs_f64() - before.captured.as_secs_f64();
        let line = f64::from(packet.ts.wrapping_sub(newest.ts) as i32) / 90_000.0;
        let same_picture = stamp.captured == before.captured && stamp.layer == before.layer;
        let fits = if same_picture { packet.ts == newest.ts } else { newer32(packet.ts, newest.ts) };
        if !fits || (line - camera).abs() > MAX_STEP {
            self.accuse(at, format!("{name}: timestamp goes {line:.3} s on, the camera's clock {camera:.3} s"));
        }
    }

    /// Notes the newest packet, and that its picture's numbers follow the last one's.
    fn advance(&mut self, at: At, stream: &mut Stream, egress: &Egress<'_>, number: u64, stamp: Stamp) {
        stream.extender.extend(egress.seq);
        let vp9 = egress.packet.pt.0 == crate::media::pt::VP9.0;
        let picture = match egress.packet.pt.0 {
            pt if pt == crate::media::pt::VP8.0 => vp8::parse(egress.payload).map(|(_, picture)| picture),
            pt if pt == crate::media::pt::VP9.0 => vp9::parse(egress.payload).map(|(_, picture)| picture),
            _ => None,
        };
        let id = picture.and_then(|p| p.id).map(|(_, id, wide)| (id, if wide { 0x7fff } else { 0x7f }));
        let tl0 = picture.and_then(|p| p.tl0).map(|(_, tl0)| tl0);
        if let Some(newest) = stream.newest.filter(|newest| number == newest.number + 1) {
            let name = egress.stream;
            let step = u16::from(newest.stamp.captured != stamp.captured || newest.stamp.layer != stamp.layer);
            // VP8 has no gaps; VP9 says by the numbers what a picture builds on, so what is left out leaves one.
            let time = stamp.captured.saturating_sub(newest.stamp.captured).as_secs_f64();
            let source = (time * f64::from(FPS)).round() as u16;
            let fits = |before: u16, mask, id| {
                let is = |step| id == before.wrapping_add(step) & mask;
                if vp9 { is(source) || stamp.key && is(step) } else { is(step) }
            };
            if let (Some((before, mask)), Some((id, _))) = (newest.picture, id)
                && !fits(before, mask, id)
            {
                let words = format!("picture {id} after {before}, {step} expected ({source} in VP9)");
                self.accuse(at, format!("{name}: {words}: {stamp:?}"));
            }
            let step = if stamp.temporal == 0 { step as u8 } else { 0 };
            // A key frame of VP9 may come after pictures none of which was shown.
            if let (Some(before), Some(tl0)) = (newest.tl0, tl0)
                && tl0 != before.wrapping_add(step)
                && !(vp9 && stamp.key)
            {
                self.accuse(at, format!("{name}: TL0PICIDX {tl0} after {before}, {step} expected: {stamp:?}"));
            }
        }
        stream.newest =
            Some(Newest { number, stamp, ts: egress.packet.ts, picture: id, tl0, marker: egress.packet.marker });
    }

    /// What a frame builds on was sent before, or a hole is kept for it, or it never reached the server whole.
    fn builds_on(&mut self, at: At, stream: &Stream, name: &str, number: u64, stamp: Stamp) {
        // What was sent before the viewer could open anything isn't known; it may be sent again.
        if stream.first.is_some_and(|first| number < first) || stream.frames.contains(&stamp.frame_id()) {
            return;
        }
        for frame in stamp.refs.iter().flatten() {
            let reference = FrameId { layer: stamp.layer, frame: *frame };
            if stream.frames.contains(&reference) || stream.sent.is_empty() {
                continue;
            }
            let whole = self.arrived.get(&(stamp.track, reference)).is_some_and(HashSet::is_empty);
            let first =
                stream.sent.first_key_value().map_or(number, |(first, _)| *first).max(number.saturating_sub(600));
            let holes = (number - first) as usize - stream.sent.range(first..number).count();
            if whole && holes == 0 {
                self.accuse(at, format!("{name}: {stamp:?} builds on {reference:?}, which was held back"));
            }
        }
    }

    /// A stream ended: a later one under the same SSRC begins anew.
    pub fn forget(&mut self, key: (usize, u32)) {
        self.streams.remove(&key);
    }
}

/// How long what was sent may take to be in time.
pub const IN_TIME: Duration = Duration::from_millis(300);

#[cfg(test)]
#[path = "oracle_tests.rs"]
mod tests;
