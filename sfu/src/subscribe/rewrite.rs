//! Makes one gapless stream out of pieces of several: sequence number, timestamp, picture ids and frame numbers go on over layer
//! switches, mutes, pauses and restarts of the publisher.
//!
//! A piece is a [`Segment`]: constant offsets from the source's numbers to ours, less what was left out of it ([`Gaps`]): frames of
//! layers above what is shown. So a packet that comes late, or is asked for again, gets the numbers that it would have had, without
//! remembering packets.

use super::gaps::Gaps;
use crate::id::Ssrc;
use crate::params::Codec;
use crate::rtp::picture::Picture;
use crate::rtp::seq::newer32;
use crate::rtp::{Clock, Media, dependency};
use std::collections::VecDeque;
use std::ops::Range;
use std::time::Instant;

/// Segments that packets may still come late for, or be asked for from: more switches within the second that the cache
/// reaches back don't happen.
const MAX_SEGMENTS: usize = 8;

/// A timestamp that strays from arrival by more than so many seconds is mistaken. A publisher's own uplink may well hold packets back
/// for two or three, and then arrival is the one that is wrong.
const MAX_STRAY: u32 = 5;

/// A packet that was lost on its way here comes at most so many seconds late.
const MAX_LATE: u32 = 3;

/// A key frame that is older than what was sent by more than this part of a second shows the past.
const OUTDATED: u32 = 5;

/// Pictures that are remembered as counted: where a second of the uplink comes late, many holes fill before the rest of one does.
const MAX_COUNTED: usize = 64;

/// Packets that came late into a hole that was kept for them and turned out to be of a frame left out: so many runs of them are
/// remembered.
const MAX_BLANKS: usize = 32;

/// A run of packets of one layer, and how to renumber them.
#[derive(Debug)]
struct Segment {
    layer: u8,
    ssrc: Ssrc,
    /// First index of the source that belongs here.
    first: u64,
    /// Highest index sent so far.
    last: u64,
    /// Highest index so far, and whose frame it is of if that is left out: timestamp and spatial layer.
    seen: u64,
    skipping: Option<(u32, u8)>,
    /// Timestamps of the last pictures that were counted as left out, newest first.
    counted: VecDeque<u32>,
    gaps: Gaps,
    index_offset: u64,
    ts_offset: u32,
    id_offset: u16,
    tl0_offset: u8,
    frame_offset: u16,
}

/// A packet's outgoing numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Mapped {
    /// Extended sequence number.
    pub index: u64,
    /// RTP timestamp.
    pub ts: u32,
    /// Picture numbering.
    pub picture: Picture,
    /// Dependency descriptor's frame number, if there is a descriptor.
    pub frame: u16,
}

impl Segment {
    /// `None` if it was left out.
    fn map(&self, media: &Media) -> Option<Mapped> {
        let left_out = self.gaps.before(media.index)?;
        let frame = media.dependency_descriptor.as_deref().and_then(dependency::frame_number).unwrap_or(0);
        Some(Mapped {
            index: media.index.wrapping_add(self.index_offset).wrapping_sub(left_out.packets),
            ts: media.ts.wrapping_add(self.ts_offset),
            picture: media.picture.shifted(self.id_offset.wrapping_sub(left_out.pictures), self.tl0_offset),
            frame: frame.wrapping_add(self.frame_offset),
        })
    }

    /// Whether the picture of a packet that is left out has to be counted: VP8 numbers pictures without a gap; in VP9 the numbers say what a
    /// picture builds on.
    fn counts(&mut self, media: &Media) -> bool {
        let new = media.format.codec == Codec::Vp8 && !self.counted.contains(&media.ts);
        if new {
            self.counted.push_front(media.ts);
            self.counted.truncate(MAX_COUNTED);
        }
        new
    }

    /// The source's index of what is sent as `index`, if that is of this segment.
    fn source(&self, index: u64) -> Option<u64> {
        let source = self.gaps.source(index.wrapping_sub(self.index_offset))?;
        (self.first..=self.last).contains(&source).then_some(source)
    }

    fn holds(&self, media: &Media) -> bool {
        self.layer == media.layer && (self.first..=self.last).contains(&media.index)
    }
}

/// See the module. Its inputs are [`Rewriter::switch`], [`Rewriter::forward`], [`Rewriter::skip`] and [`Rewriter::take_back`].
#[derive(Debug)]
pub(super) struct Rewriter {
    /// Oldest first; the last is the present one.
    segments: VecDeque<Segment>,
    next_index: u64,
    /// From this number on there is no hole.
    unbroken: u64,
    /// The newest packet's timestamp and when it was first reached.
    newest: Option<(u32, Instant)>,
    first_ts: u32,
    last_id: Option<u16>,
    last_tl0: Option<u8>,
    last_frame: Option<u16>,
    /// Layer, first and last index of packets that go out without payload.
    blanks: VecDeque<(u8, u64, u64)>,
    /// Our line between wall clock and timestamps, by the newest sender report of any segment's source.
    clock: Option<Clock>,
}

impl Rewriter {
    /// A stream that starts at these numbers; `seq` must be at least 1. It should be below 2^15, so that the receiver can't
    /// miss the first wrap (RFC 3711 section 3.3.1).
    pub fn new(seq: u16, ts: u32) -> Self {
        Self {
            segments: VecDeque::new(),
            next_index: seq.into(),
            unbroken: seq.into(),
            newest: None,
            first_ts: ts,
            last_id: None,
            last_tl0: None,
            last_frame: None,
            blanks: VecDeque::new(),
            clock: None,
        }
    }

    /// Reads what [`Rewriter::forward`] will need, before it is needed.
    pub fn warm(&self) -> u64 {
        self.segments.back().map_or(0, |segment| segment.last)
    }

    /// The source is another from now on; our stream goes on.
    pub fn restart(&mut self) {
        self.segments.clear();
        self.clock = None;
    }

    /// Begins a segment with this packet, right behind what was sent.
    pub fn switch(&mut self, now: Instant, rate: u32, media: &Media) {
        let ts = self.timestamp_at_switch(now, rate, media);
        let (id, tl0) = (media.picture.id, media.picture.tl0);
        let frame = media.dependency_descriptor.as_deref().and_then(dependency::frame_number);
        let id_offset = match (self.last_id, id) {
            (Some(last), Some((_, id, _))) => last.wrapping_add(1).wrapping_sub(id),
            _ => 0,
        };
        let tl0_offset = match (self.last_tl0, tl0) {
            (Some(last), Some((_, tl0))) => last.wrapping_add(1).wrapping_sub(tl0),
            _ => 0,
        };
        let frame_offset = match (self.last_frame, frame) {
            (Some(last), Some(frame)) => last.wrapping_add(1).wrapping_sub(frame),
            _ => 0,
        };
        self.unbroken = self.next_index;
        if self.segments.len() >= MAX_SEGMENTS {
            self.segments.pop_front();
        }
        self.segments.push_back(Segment {
            layer: media.layer,
            ssrc: media.ssrc,
            first: media.index,
            last: media.index,
            seen: media.index,
            skipping: None,
            counted: VecDeque::new(),
            gaps: Gaps::default(),
            index_offset: self.next_index.wrapping_sub(media.index),
            ts_offset: ts.wrapping_sub(media.ts),
            id_offset,
            tl0_offset,
            frame_offset,
        });
        self.set_clock(media.clock, ts.wrapping_sub(media.ts));
    }

    /// The numbers of a packet of the present source. `None` if it is older than the switch and no older segment holds it.
    pub fn forward(&mut self, now: Instant, media: &Media) -> Option<Mapped> {
        let segment = self.segments.back_mut()?;
        if media.index < segment.first || media.layer != segment.layer {
            return self.late(media, false);
        }
        let mapped = segment.map(media)?;
        segment.last = segment.last.max(media.index);
        if media.index >= segment.seen {
            (segment.seen, segment.skipping) = (media.index, None);
        }
        let ts_offset = segment.ts_offset;
        self.set_clock(media.clock, ts_offset);
        if mapped.index >= self.next_index {
            if mapped.index > self.next_index {
                // A packet behind the hole stays, or nobody would know that it is one.
                self.unbroken = mapped.index + 1;
            }
            self.next_index = mapped.index + 1;
            if let Some((_, id, _)) = mapped.picture.id {
                self.last_id = Some(id);
            }
            if let Some((_, tl0)) = mapped.picture.tl0 {
                self.last_tl0 = Some(tl0);
            }
            if media.dependency_descriptor.is_some() {
                self.last_frame = Some(mapped.frame);
            }
        }
        if self.newest.is_none_or(|(ts, _)| newer32(mapped.ts, ts)) {
            self.newest = Some((mapped.ts, now));
        }
        Some(mapped)
    }

    /// The numbers that could be [taken back](Rewriter::take_back): the newest of the present segment, with no hole among them that is to be
    /// filled.
    pub fn numbers(&self) -> Range<u64> {
        self.unbroken..self.next_index
    }

    /// From this packet on nothing of the present segment left, if its number is one of [`Rewriter::numbers`]: what begins next has these.
    /// Returns how many there are.
    pub fn take_back(&mut self, first: &Media) -> u64 {
        let Some(segment) = self.segments.back_mut().filter(|segment| segment.holds(first)) else { return 0 };
        let Some(mapped) = segment.map(first).filter(|mapped| mapped.index >= self.unbroken) else { return 0 };
        // A picture that left in part has its number; one that didn't leaves it to the next.
        let behind = u16::from(first.meta.start);
        let behind_base = if first.meta.temporal == 0 { behind as u8 } else { 0 };
        self.last_id = mapped.picture.id.map(|(_, id, _)| id.wrapping_sub(behind)).or(self.last_id);
        self.last_tl0 = mapped.picture.tl0.map(|(_, tl0)| tl0.wrapping_sub(behind_base)).or(self.last_tl0);
        self.last_frame = self.last_frame.map(|_| mapped.frame.wrapping_sub(behind));
        segment.last = first.index.saturating_sub(1);
        if first.index == segment.first {
            self.segments.pop_back();
        }
        std::mem::replace(&mut self.next_index, mapped.index).saturating_sub(mapped.index)
    }

    /// A packet of the present source is left out, and its number with it. What is missing before it keeps its numbers, for it may have
    /// to be sent; if it comes and needn't be, it fills its place without payload: then these are its numbers.
    pub fn skip(&mut self, media: &Media) -> Option<Mapped> {
        let segment = self.segments.back_mut().filter(|segment| segment.layer == media.layer)?;
        if media.index < segment.first {
            return None;
        }
        if media.index > segment.seen {
            let frame = (media.ts, media.meta.spatial);
            // What is missing amid a frame that is left out is of that frame.
            let first = if segment.skipping == Some(frame) { segment.seen + 1 } else { media.index };
            let picture = segment.counts(media);
            segment.gaps.add(first, media.index, picture);
            (segment.seen, segment.skipping) = (media.index, Some(frame));
            return None;
        }
        if media.index > segment.last {
            // Nothing behind it was sent yet.
            let picture = segment.counts(media);
            segment.gaps.insert(media.index, picture);
            return None;
        }
        let mapped = segment.map(media)?;
        self.blank(media);
        Some(mapped)
    }

    fn blank(&mut self, media: &Media) {
        let index = media.index;
        let touched = self.blanks.iter_mut().find(|(layer, first, last)| {
            *layer == media.layer && index + 1 >= *first && index <= last.saturating_add(1)
        });
        if let Some((_, first, last)) = touched {
            (*first, *last) = ((*first).min(index), (*last).max(index));
            return;
        }
        if self.blanks.len() >= MAX_BLANKS {
            self.blanks.pop_front();
        }
        self.blanks.push_back((media.layer, index, index));
    }

    /// It went out, or would have, without payload.
    pub fn is_blank(&self, media: &Media) -> bool {
        let within =
            |(layer, first, last): &(u8, u64, u64)| *layer == media.layer && (*first..=*last).contains(&media.index);
        self.blanks.iter().any(within)
    }

    /// The numbers of a packet that fills a hole in an older segment; without payload where frames were left out of that, for nobody
    /// knows any more which. `ended`: the present segment is an older one as well, since nothing more is shown of it.
    pub fn late(&mut self, media: &Media, ended: bool) -> Option<Mapped> {
        let segment = self.segments.iter().rev().skip(usize::from(!ended)).find(|segment| segment.holds(media))?;
        let (mapped, partial) = (segment.map(media)?, !segment.gaps.is_empty());
        if partial {
            self.blank(media);
        }
        Some(mapped)
    }

    /// Which source packet had (or would have had) the outgoing sequence number: layer and index.
    pub fn locate(&self, seq: u16) -> Option<(u8, u64)> {
        let behind = (self.next_index as u16).wrapping_sub(seq);
        let index = self.next_index.checked_sub(behind.into())?;
        self.segments.iter().rev().find_map(|segment| Some((segment.layer, segment.source(index)?)))
    }

    /// The numbers of a packet that is sent again.
    pub fn again(&self, media: &Media) -> Option<Mapped> {
        self.segments.iter().rev().find(|segment| segment.holds(media)).and_then(|segment| segment.map(media))
    }

    /// Nothing was left out of the segment that a packet is of.
    pub fn is_whole(&self, media: &Media) -> bool {
        self.segments.iter().rev().find(|segment| segment.holds(media)).is_none_or(|segment| segment.gaps.is_empty())
    }

    /// Our line between wall clock and timestamps, at the moment of the source's newest sender report.
    pub fn clock(&self) -> Option<Clock> {
        self.clock
    }

    fn set_clock(&mut self, source: Option<Clock>, ts_offset: u32) {
        if let Some(clock) = source {
            self.clock = Some(Clock { rtp: clock.rtp.wrapping_add(ts_offset), ..clock });
        }
    }

    /// Whether a packet that would begin a segment was captured long before what was sent already: the viewer would go back in time, and
    /// lips would be late by as much until the next switch. `resumes`: nothing is shown at the moment. Then what is older by more than
    /// the network ever held a packet back isn't late: the publisher's numbers began anew.
    pub fn is_outdated(&self, now: Instant, rate: u32, media: &Media, resumes: bool) -> bool {
        let passed = |segment: &Segment| segment.layer == media.layer && media.index <= segment.last;
        // What a segment went past has numbers there, and may be asked for under these.
        if self.segments.iter().any(passed) {
            return true;
        }
        let Some((newest, at)) = self.newest else { return false };
        let by_arrival = by_arrival(now, rate, newest, at);
        let ts = self.timestamp_by_clock(by_arrival, rate, media);
        let behind = |ts: u32| newest.wrapping_sub(ts);
        ts.is_some_and(|ts| {
            newer32(newest, ts.wrapping_add(rate / OUTDATED)) && !(resumes && behind(ts) > MAX_LATE * rate)
        })
    }

    /// The outgoing timestamp of the packet that begins a segment: always after the newest.
    ///
    /// Best is the offset that its SSRC had before; then the one at which both layers' sender reports agree on the wall clock;
    /// else arrival decides. What strays from arrival by over [`MAX_STRAY`] is mistaken.
    fn timestamp_at_switch(&self, now: Instant, rate: u32, media: &Media) -> u32 {
        let Some((newest, at)) = self.newest else { return self.first_ts };
        let by_arrival = by_arrival(now, rate, newest, at);
        let ts = self.timestamp_by_clock(by_arrival, rate, media).unwrap_or(by_arrival);
        if newer32(ts, newest) { ts } else { newest.wrapping_add(1) }
    }

    /// The outgoing timestamp of a source's packet, as clocks tell it: see [`Rewriter::timestamp_at_switch`].
    fn timestamp_by_clock(&self, by_arrival: u32, rate: u32, media: &Media) -> Option<u32> {
        let by_ssrc =
            self.segments.iter().rev().find(|s| s.ssrc == media.ssrc).map(|s| media.ts.wrapping_add(s.ts_offset));
        let by_reports = || {
            let (old, new) = (self.clock()?, media.clock?);
            let later = (i128::from(new.ntp.wrapping_sub(old.ntp) as i64) * i128::from(rate)) >> 32;
            let same_moment = old.rtp.wrapping_add(later as u32);
            Some(media.ts.wrapping_sub(new.rtp).wrapping_add(same_moment))
        };
        let plausible = |ts: &u32| (ts.wrapping_sub(by_arrival) as i32).unsigned_abs() <= MAX_STRAY * rate;
        by_ssrc.filter(plausible).or_else(|| by_reports().filter(plausible))
    }
}

/// The timestamp that a packet would have by when it came.
fn by_arrival(now: Instant, rate: u32, newest: u32, at: Instant) -> u32 {
    let elapsed = now.saturating_duration_since(at).as_micros() * u128::from(rate) / 1_000_000;
    newest.wrapping_add(elapsed as u32)
}

#[cfg(test)]
#[path = "rewrite_tests.rs"]
mod tests;
