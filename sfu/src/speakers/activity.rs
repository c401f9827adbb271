//! How much one participant's sound is like speech, on three time scales: after I. Volfin and I. Cohen, "Dominant speaker
//! identification for multipoint videoconferencing", 2012, sections 3 and 4.
//!
//! The paper counts the sub-bands of a frame that stand out of the noise. What we have is one level for each frame (RFC 6464), so a
//! frame's count is how far its level stands out of the track's own noise, in steps. A medium block counts its active frames, the long
//! window its active blocks. Each count is scored by how much likelier it is with speech (binomial) than without (exponential).

use std::time::{Duration, Instant};

/// A frame: what a packet usually carries.
const FRAME: Duration = Duration::from_millis(20);
/// Longer packets than browsers' usual ones are as many frames; what is longer still is a gap (DTX).
const LONGEST_PACKET: Duration = Duration::from_millis(70);
/// Steps of a frame's count, the paper's N1, and the dB of a step.
const STEPS: u32 = 13;
const STEP_DB: u8 = 3;
/// A frame is active from this count on: 12 dB above the noise.
const ACTIVE_FRAME: u32 = 4;
/// Frames in a medium block, the paper's N2: 100 ms.
const BLOCK: usize = 5;
/// Active frames that make a block active: clicks of a keyboard don't, a syllable does.
const ACTIVE_BLOCK: u32 = 3;
/// Blocks in the long window, the paper's N3: a second.
const BLOCKS: usize = 10;
/// All that is remembered.
const FRAMES: usize = BLOCK * BLOCKS;
/// Loudness is counted in dB above digital silence from here on.
const SILENCE: u8 = 127;
/// The loudest that counts as noise: a tone that lasts is none. Before anything is known of a track, that is its noise.
const LOUDEST_FLOOR: f32 = (SILENCE - 38) as f32;
/// How fast the noise may rise, in dB for each frame: what was loud for as long as 3 s without a pause is noise.
const RISE: f32 = 0.25;

/// Scores on the three time scales; each at least [`Scores::LEAST`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Scores {
    /// Of the newest frame.
    pub immediate: f32,
    /// Of the newest block.
    pub medium: f32,
    /// Of the long window.
    pub long: f32,
    /// Active blocks in the long window.
    pub blocks: u32,
}

impl Scores {
    /// What isn't likelier with speech than without.
    pub const LEAST: f32 = 1e-7;
    /// Nothing at all.
    pub const SILENT: Self = Self { immediate: Self::LEAST, medium: Self::LEAST, long: Self::LEAST, blocks: 0 };
}

/// One participant's last second.
#[derive(Clone, Debug)]
pub(super) struct Activity {
    /// Loudness of the last frames in dB above digital silence, oldest overwritten.
    frames: [u8; FRAMES],
    next: usize,
    floor: f32,
    at: Option<Instant>,
    active_at: Option<Instant>,
}

impl Default for Activity {
    fn default() -> Self {
        Self { frames: [0; FRAMES], next: 0, floor: LOUDEST_FLOOR, at: None, active_at: None }
    }
}

impl Activity {
    /// A packet came with this level in -dBov. True if it stands out of the noise.
    pub fn observe(&mut self, now: Instant, level: u8) -> bool {
        let loud = SILENCE.saturating_sub(level);
        let elapsed = self.at.replace(now).map_or(FRAME, |at| now.saturating_duration_since(at));
        let frames = ((elapsed.as_millis() + 10) / FRAME.as_millis()).clamp(1, FRAMES as u128) as usize;
        let lasting = if elapsed <= LONGEST_PACKET { frames } else { 1 };
        (lasting..frames).for_each(|_| self.push(0));
        (0..lasting).for_each(|_| self.push(loud));
        // Digital silence, and what wasn't sent, tells nothing about a room's noise.
        if let Some(quietest) = self.frames.iter().copied().filter(|loud| *loud > 0).min() {
            self.floor = f32::from(quietest).min(self.floor + RISE * lasting as f32).min(LOUDEST_FLOOR);
        }
        let active = self.count(loud) >= ACTIVE_FRAME;
        if active {
            self.active_at = Some(now);
        }
        active
    }

    fn push(&mut self, loud: u8) {
        if let Some(frame) = self.frames.get_mut(self.next) {
            *frame = loud;
        }
        self.next = (self.next + 1) % FRAMES;
    }

    /// When it stood out of its noise last.
    pub fn active_at(&self) -> Option<Instant> {
        self.active_at
    }

    /// The scores at `now`; frames that didn't come are silent.
    pub fn scores(&self, now: Instant) -> Scores {
        let gone = self.at.map_or(FRAMES, |at| {
            let missing = now.saturating_duration_since(at).as_millis() / FRAME.as_millis();
            // The newest packet itself lasts for a frame.
            (missing as usize).saturating_sub(1).min(FRAMES)
        });
        let newest_first = |n: usize| {
            let back = n.checked_sub(gone)?;
            let at = (self.next + FRAMES - 1).checked_sub(back)? % FRAMES;
            self.frames.get(at).map(|loud| self.count(*loud))
        };
        let active = |n: usize| newest_first(n).is_some_and(|count| count >= ACTIVE_FRAME);
        let block = |number: usize| (number * BLOCK..(number + 1) * BLOCK).filter(|n| active(*n)).count() as u32;
        let blocks = (0..BLOCKS).filter(|number| block(*number) >= ACTIVE_BLOCK).count() as u32;
        Scores {
            immediate: score(newest_first(0).unwrap_or(0), STEPS, 0.78),
            medium: score(block(0), BLOCK as u32, 24.0),
            long: score(blocks, BLOCKS as u32, 47.0),
            blocks,
        }
    }

    /// How far a loudness stands out of the noise, in steps.
    fn count(&self, loud: u8) -> u32 {
        ((f32::from(loud) - self.floor).max(0.0) as u32 / u32::from(STEP_DB)).min(STEPS)
    }
}

/// The log of how much likelier `count` of `of` is with speech than without: binomial with 1/2 against exponential with `rate`
/// (the paper's equation 5).
fn score(count: u32, of: u32, rate: f32) -> f32 {
    let choose = |k: u32| (0..k).map(|n| ((of - n) as f32 / (n + 1) as f32).ln()).sum::<f32>();
    let speech = choose(count.min(of)) + of as f32 * 0.5f32.ln();
    let silence = rate.ln() - rate * count as f32;
    (speech - silence).max(Scores::LEAST)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds levels, one for each 20 ms; returns when the last came.
    fn feed(activity: &mut Activity, mut now: Instant, levels: impl IntoIterator<Item = u8>) -> Instant {
        for level in levels {
            now += FRAME;
            activity.observe(now, level);
        }
        now
    }

    #[test]
    fn each_scale_has_its_own_memory() {
        let mut activity = Activity::default();
        let now = feed(&mut activity, crate::test_epoch(), [90; 50].into_iter().chain([25; 50]));
        let speaking = activity.scores(now);
        assert_eq!(speaking.blocks, 10);
        let now = feed(&mut activity, now, [90; 5]);
        let pausing = activity.scores(now);
        assert_eq!((pausing.immediate, pausing.medium), (Scores::LEAST, Scores::LEAST));
        assert_eq!(pausing.blocks, 9);
        let now = feed(&mut activity, now, [90; 45]);
        assert_eq!(activity.scores(now), Scores::SILENT);
    }

    #[test]
    fn what_lasts_is_noise_unless_it_is_loud() {
        for (level, blocks) in [(45, 0), (20, 10)] {
            let mut activity = Activity::default();
            let now = feed(&mut activity, crate::test_epoch(), [level; 250]);
            assert_eq!(activity.scores(now).blocks, blocks, "-{level} dBov");
        }
    }

    #[test]
    fn who_sends_nothing_is_silent_and_long_packets_count_for_their_length() {
        let mut activity = Activity::default();
        let start = crate::test_epoch();
        for n in 0..17 {
            activity.observe(start + 3 * n * FRAME, 25);
        }
        let now = start + 48 * FRAME;
        assert!(activity.scores(now).blocks >= 9, "{:?}", activity.scores(now));
        assert_eq!(activity.scores(now + Duration::from_millis(540)).blocks, 5);
        assert_eq!(activity.scores(now + Duration::from_secs(2)), Scores::SILENT);
    }
}
