//! One video stream at a viewer: knows which frames are complete and which can be decoded, asks for packets and key frames.
//!
//! What a frame builds on is read from its stamp; that the server's numbering would have told a browser the same is the oracle's
//! business.

use super::holes::{Arrival, Holes};
use super::log::{Shown, VideoLog};
use crate::At;
use crate::media::stamp::{FrameId, Stamp};
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

/// Without a picture for so long a viewer asks for a key frame: Chromium's limit.
const MAX_WAIT: Duration = Duration::from_secs(3);
/// While a key frame is needed, it is asked for this often.
const KEY_INTERVAL: Duration = Duration::from_millis(200);
/// Nothing is asked of a stream from which nothing came for so long.
const INACTIVE: Duration = Duration::from_secs(5);
/// Decoded frames remembered as references, and frames that wait.
const REMEMBERED: usize = 600;

struct Partial {
    stamp: Stamp,
    /// Positions that came.
    came: HashSet<u16>,
}

/// See the module.
pub struct VideoStream {
    holes: Holes,
    /// Frames that wait, by the sequence number of their first packet.
    frames: BTreeMap<u64, Partial>,
    decoded: VecDeque<FrameId>,
    /// The newest decoded frame: what is older can't be shown any more.
    newest: Option<u64>,
    /// Nothing can be decoded before a key frame comes.
    needs_key: bool,
    last_packet: Option<At>,
    /// When a packet of a key frame came last.
    last_key: Option<At>,
    last_picture: At,
    last_request: Option<At>,
    next_nack: Option<At>,
    /// What was seen.
    pub log: VideoLog,
}

/// What the viewer tells the server.
#[derive(Default, Debug)]
pub struct Wants {
    /// Sequence numbers to ask for again.
    pub nack: Vec<u16>,
    /// A key frame.
    pub key: bool,
}

impl VideoStream {
    /// Nothing came yet.
    pub fn new(now: At) -> Self {
        Self {
            holes: Holes::default(),
            frames: BTreeMap::new(),
            decoded: VecDeque::new(),
            newest: None,
            needs_key: true,
            last_packet: None,
            last_key: None,
            last_picture: now,
            last_request: None,
            next_nack: None,
            log: VideoLog::default(),
        }
    }

    /// Takes in a packet of the media stream, or one out of a retransmission. Returns whether it is new.
    pub fn handle(&mut self, now: At, seq: u16, again: bool, size: usize, stamp: Option<Stamp>) -> bool {
        self.log.count(now, size);
        self.last_packet = Some(now);
        let (arrival, too_many) = self.holes.received(now, seq, again);
        if too_many {
            self.needs_key = true;
        }
        if self.holes.has_new() {
            self.next_nack = Some(now);
        }
        let (Arrival::New(number), Some(stamp)) = (arrival, stamp) else { return arrival != Arrival::Known };
        if stamp.key && stamp.spatial == 0 {
            self.last_key = Some(now);
        }
        let first = number - u64::from(stamp.index);
        if self.newest.is_some_and(|newest| first <= newest) {
            return true;
        }
        let partial = self.frames.entry(first).or_insert_with(|| Partial { stamp, came: HashSet::new() });
        partial.came.insert(stamp.index);
        if partial.came.len() == usize::from(stamp.count) {
            self.decode(now);
        }
        while self.frames.len() > REMEMBERED {
            self.frames.pop_first();
        }
        true
    }

    /// Decodes every frame that can be, in order.
    fn decode(&mut self, now: At) {
        loop {
            let ready = self.frames.iter().find(|(_, frame)| {
                let complete = frame.came.len() == usize::from(frame.stamp.count);
                let layer = frame.stamp.layer;
                let mut refs = frame.stamp.refs.iter().flatten().map(|&frame| FrameId { layer, frame });
                complete && refs.all(|reference| self.decoded.iter().rev().any(|decoded| *decoded == reference))
            });
            let Some((&first, frame)) = ready else { return };
            let stamp = frame.stamp;
            self.frames = self.frames.split_off(&first);
            self.frames.remove(&first);
            self.decoded.push_back(stamp.frame_id());
            if self.decoded.len() > REMEMBERED {
                self.decoded.pop_front();
            }
            self.newest = Some(first);
            if stamp.key {
                self.needs_key = false;
            }
            self.last_picture = now;
            let shown = Shown {
                at: now,
                captured: stamp.captured,
                layer: stamp.layer.max(stamp.spatial),
                temporal: stamp.temporal,
                key: stamp.key,
            };
            match self.log.shown.last_mut() {
                // The same picture, sharper.
                Some(last) if last.captured == shown.captured && stamp.spatial > 0 => last.layer = shown.layer,
                _ => self.log.shown.push(shown),
            }
        }
    }

    /// When [`VideoStream::poll`] is due.
    pub fn poll_timeout(&self) -> Option<At> {
        let nack = if self.holes.any() { self.next_nack } else { None };
        let last = self.last_packet?;
        let asks = match self.needs_key {
            true => self.last_request.map_or(last, |at| at + KEY_INTERVAL),
            false => self.last_picture + MAX_WAIT,
        };
        let asks = Some(asks).filter(|at| *at < last + INACTIVE);
        [nack, asks].into_iter().flatten().min()
    }

    /// What to ask for now.
    pub fn poll(&mut self, now: At) -> Wants {
        let mut wants = Wants::default();
        if self.poll_timeout().is_none_or(|at| at > now) {
            return wants;
        }
        if self.next_nack.is_some_and(|at| at <= now) {
            let (nack, gave_up) = self.holes.poll(now);
            self.log.nacks += nack.len() as u64;
            wants.nack = nack;
            self.needs_key |= gave_up;
            self.next_nack = self.holes.any().then(|| now + super::holes::INTERVAL);
        }
        if now >= self.last_picture + MAX_WAIT {
            self.needs_key = true;
        }
        let receiving_key = self.last_key.is_some_and(|at| now < at + KEY_INTERVAL);
        let due = self.last_request.is_none_or(|at| now >= at + KEY_INTERVAL);
        if self.needs_key && due {
            self.last_request = Some(now);
            // One that is on its way needs no request; the clock runs on all the same.
            if !receiving_key {
                self.log.requests.push(now);
                wants.key = true;
            }
        }
        wants
    }

    /// Expected and received so far, and the highest number.
    pub fn counts(&self) -> (u64, u64, u64) {
        self.holes.counts()
    }

    /// Something came.
    pub fn started(&self) -> bool {
        self.last_packet.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MS, SECOND};

    fn stamp(frame: u32, key: bool, index: u16, count: u16, reference: Option<u32>) -> Stamp {
        Stamp {
            track: 0,
            layer: 0,
            spatial: 0,
            temporal: 0,
            key,
            frame,
            packet: 0,
            index,
            count,
            captured: frame * 33 * MS,
            refs: [reference, None],
        }
    }

    #[test]
    fn a_frame_is_shown_when_it_is_whole_and_what_it_builds_on_was() {
        let mut stream = VideoStream::new(At::ZERO);
        stream.handle(MS, 10, false, 1, Some(stamp(0, true, 0, 1, None)));
        stream.handle(35 * MS, 11, false, 1, Some(stamp(1, false, 0, 2, Some(0))));
        stream.handle(70 * MS, 13, false, 1, Some(stamp(2, false, 0, 1, Some(1))));
        assert_eq!(stream.log.shown.len(), 1, "the second isn't whole, the third builds on it");
        assert_eq!(stream.poll(70 * MS).nack, [12]);
        stream.handle(90 * MS, 12, true, 1, Some(stamp(1, false, 1, 2, Some(0))));
        let at: Vec<At> = stream.log.shown.iter().map(|shown| shown.at).collect();
        assert_eq!(at, [MS, 90 * MS, 90 * MS]);
        assert!(!stream.handle(91 * MS, 12, true, 1, Some(stamp(1, false, 1, 2, Some(0)))), "it was here");
    }

    #[test]
    fn without_a_picture_a_key_frame_is_asked_for() {
        let mut stream = VideoStream::new(At::ZERO);
        assert_eq!(stream.poll_timeout(), None, "nothing came: nothing is wrong");
        stream.handle(MS, 10, false, 1, Some(stamp(5, false, 0, 1, Some(4))));
        assert!(stream.poll(MS).key);
        assert!(!stream.poll(100 * MS).key);
        assert!(stream.poll(201 * MS).key);
        stream.handle(210 * MS, 11, false, 1, Some(stamp(6, true, 0, 1, None)));
        assert!(!stream.poll(500 * MS).key);
        // A frame that never gets whole.
        for n in 0..300u16 {
            let at = u32::from(n) * 10 * MS + 500 * MS;
            stream.handle(at, 12 + n, false, 1, Some(stamp(1_000, false, n, 999, None)));
            stream.poll(at);
        }
        assert_eq!(
            stream.log.requests.iter().filter(|at| **at > 300 * MS).min(),
            Some(&(3_210 * MS)),
            "after three seconds"
        );
        assert_eq!(stream.poll_timeout().filter(|at| *at > 9 * SECOND), None);
    }
}
