//! Whole frames and freezes of one video stream: a viewer sees a frame when all of it came and the frames it builds on did, too.

use crate::media::MS;
use std::collections::BTreeMap;

/// Without a whole frame for longer, the picture stands still.
pub const FREEZE: u64 = 500 * MS;
/// Packets that wait behind a hole.
const MAX_WAITING: usize = 2_000;

/// What there is to know of a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Part {
    /// Marker bit: last of its frame.
    pub last: bool,
    /// First packet of a key frame. `None` if the packet wasn't decrypted: then every frame is taken for one to start with, so that
    /// freezes come out too few, never too many.
    pub key_start: Option<bool>,
    /// When it came, in nanoseconds.
    pub at: u64,
}

/// What was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Seen {
    /// Whole frames that could be decoded.
    pub frames: u64,
    /// Gaps over [`FREEZE`].
    pub freezes: u64,
    /// Their length together, in nanoseconds.
    pub frozen: u64,
    /// The longest gap between two whole frames since the measured time began, in nanoseconds.
    pub longest: u64,
    /// And the longest that was over by then.
    pub longest_before: u64,
}

impl std::ops::AddAssign for Seen {
    fn add_assign(&mut self, other: Self) {
        self.frames += other.frames;
        self.freezes += other.freezes;
        self.frozen += other.frozen;
        self.longest = self.longest.max(other.longest);
        self.longest_before = self.longest_before.max(other.longest_before);
    }
}

impl Seen {
    /// The measured time begins.
    pub fn restart(&mut self) {
        self.longest_before = self.longest_before.max(std::mem::take(&mut self.longest));
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Frames {
    /// The index that comes next in order.
    next: Option<u64>,
    /// Packets behind a hole.
    waiting: BTreeMap<u64, Part>,
    /// A hole was left behind: nothing counts until the end of its frame, or a key frame.
    broken: Broken,
    /// When the last whole frame was there.
    last_frame: Option<u64>,
    /// The latest time that we were told: what waited behind a hole is seen when that closes.
    clock: u64,
    seen: Seen,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Broken {
    #[default]
    No,
    /// In the middle of a frame.
    Frame,
    /// Frames come whole but build on one that isn't there.
    Reference,
}

impl Frames {
    /// Takes in a packet by its index; duplicates do no harm.
    pub fn packet(&mut self, index: u64, part: Part) {
        let next = *self.next.get_or_insert(index);
        self.clock = self.clock.max(part.at);
        if index == next {
            self.step(part);
            self.next = Some(index + 1);
            self.drain();
        } else if index > next {
            self.waiting.insert(index, part);
            if self.waiting.len() > MAX_WAITING {
                self.skip(part.at);
            }
        }
    }

    /// Holes won't be filled any more: goes on behind them.
    pub fn skip(&mut self, now: u64) {
        self.clock = self.clock.max(now);
        let Some(first) = self.waiting.keys().next().copied() else { return };
        self.broken = Broken::Frame;
        self.next = Some(first);
        self.drain();
    }

    /// The measured time begins. A gap that goes on counts whole.
    pub fn restart(&mut self) {
        self.seen.restart();
    }

    /// First whole frame, if one came.
    pub fn has_frame(&self) -> bool {
        self.last_frame.is_some()
    }

    /// What was seen up to `now`. If the stream should still be flowing, a gap that goes on counts.
    pub fn seen(&self, now: u64, flowing: bool) -> Seen {
        let mut seen = self.seen;
        if let (true, Some(last)) = (flowing, self.last_frame) {
            let gap = now.saturating_sub(last);
            seen.longest = seen.longest.max(gap);
            if gap > FREEZE {
                seen.freezes += 1;
                seen.frozen += gap;
            }
        }
        seen
    }

    fn drain(&mut self) {
        while let Some(next) = self.next
            && let Some(part) = self.waiting.remove(&next)
        {
            self.step(part);
            self.next = Some(next + 1);
        }
        // What came before a skip.
        if let Some(next) = self.next {
            self.waiting = self.waiting.split_off(&next);
        }
    }

    fn step(&mut self, part: Part) {
        if part.key_start == Some(true) {
            self.broken = Broken::No;
        }
        if !part.last {
            return;
        }
        match self.broken {
            Broken::No => self.frame(),
            Broken::Frame if part.key_start.is_none() => self.broken = Broken::No,
            Broken::Frame => self.broken = Broken::Reference,
            Broken::Reference => {}
        }
    }

    fn frame(&mut self) {
        let at = self.clock;
        self.seen.frames += 1;
        if let Some(last) = self.last_frame {
            let gap = at.saturating_sub(last);
            self.seen.longest = self.seen.longest.max(gap);
            if gap > FREEZE {
                self.seen.freezes += 1;
                self.seen.frozen += gap;
            }
        }
        self.last_frame = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames of three packets, 33 ms apart, from frame `from` to `to`.
    fn play(frames: &mut Frames, range: std::ops::Range<u64>, keys: &[u64], lost: &[u64], checked: bool) {
        for frame in range {
            for n in 0..3 {
                let index = frame * 3 + n;
                let key_start = checked.then_some(n == 0 && keys.contains(&frame));
                if !lost.contains(&index) {
                    frames.packet(index, Part { last: n == 2, key_start, at: frame * 33 * MS });
                }
            }
        }
    }

    #[test]
    fn a_steady_picture_has_no_freeze() {
        let mut frames = Frames::default();
        play(&mut frames, 0..300, &[0], &[], true);
        assert_eq!(frames.seen(300 * 33 * MS, true), Seen { frames: 300, longest: 33 * MS, ..Seen::default() });
    }

    #[test]
    fn a_gap_is_a_freeze_of_its_length() {
        let mut frames = Frames::default();
        play(&mut frames, 0..30, &[0], &[], true);
        frames.packet(90, Part { last: true, key_start: Some(false), at: 29 * 33 * MS + 700 * MS });
        let expected = Seen { frames: 31, freezes: 1, frozen: 700 * MS, longest: 700 * MS, ..Seen::default() };
        assert_eq!(frames.seen(0, false), expected);
    }

    #[test]
    fn gaps_before_the_measured_time_are_told_apart() {
        let mut frames = Frames::default();
        let mut frame = |number: u64, ms: u64| {
            frames.packet(number, Part { last: true, key_start: Some(number == 0), at: ms * MS });
            // It begins with the third frame.
            if number == 2 {
                frames.restart();
            }
        };
        [0, 400, 433, 533].into_iter().zip(0..).for_each(|(ms, number)| frame(number, ms));
        let seen = frames.seen(533 * MS, true);
        assert_eq!((seen.longest_before / MS, seen.longest / MS), (400, 100));
    }

    #[test]
    fn a_picture_that_stands_at_the_end_is_frozen_only_if_it_should_move() {
        let mut frames = Frames::default();
        play(&mut frames, 0..2, &[0], &[], true);
        assert_eq!(frames.seen(33 * MS + 501 * MS, true).freezes, 1);
        assert_eq!(frames.seen(33 * MS + 501 * MS, false).freezes, 0);
        assert_eq!(frames.seen(33 * MS + 499 * MS, true).freezes, 0);
    }

    #[test]
    fn an_incomplete_frame_is_none_and_after_it_a_key_frame_is_needed() {
        let mut frames = Frames::default();
        play(&mut frames, 0..30, &[0], &[31], true);
        assert_eq!(frames.seen(0, false).frames, 10, "all wait behind the hole");
        frames.skip(29 * 33 * MS);
        play(&mut frames, 30..60, &[40], &[], true);
        let seen = frames.seen(0, false);
        assert_eq!(seen.frames, 10 + 20);
        assert_eq!((seen.freezes, seen.frozen), (1, 31 * 33 * MS));
    }

    #[test]
    fn without_decryption_freezes_are_never_too_many() {
        let mut frames = Frames::default();
        play(&mut frames, 0..20, &[], &[31], false);
        frames.skip(19 * 33 * MS);
        play(&mut frames, 20..60, &[40], &[], false);
        assert_eq!(frames.seen(0, false), Seen { frames: 59, longest: 330 * MS, ..Seen::default() });
    }

    #[test]
    fn a_hole_that_is_filled_in_time_costs_nothing() {
        let mut frames = Frames::default();
        play(&mut frames, 0..12, &[0], &[31], true);
        frames.packet(31, Part { last: false, key_start: Some(false), at: 11 * 33 * MS });
        assert_eq!(frames.seen(0, false), Seen { frames: 12, longest: 66 * MS, ..Seen::default() });
    }
}
