//! Who speaks in a room, from the audio levels that publishers write into their packets (RFC 6464): no audio is decoded, and it
//! works under end-to-end encryption.

use crate::api::Speaker;
use crate::id::TrackId;
use crate::rtp::AudioLevel;
use rustc_hash::FxHashMap;
use std::time::{Duration, Instant};

/// How often the list may change: more is flicker, less feels late.
const INTERVAL: Duration = Duration::from_millis(400);
/// Loudness follows speech with this time constant: it bridges syllables and lets a click pass by.
const SMOOTHING: Duration = Duration::from_millis(200);
/// A packet speaks for as long at most; longer gaps are silence (DTX sends one packet in 400 ms).
const PACKET: Duration = Duration::from_millis(40);
/// Speaking starts at -40 dBov if the sender believes that it is voice: quiet speech, well above a room's noise ...
const START_VOICE: f32 = 0.01;
/// ... and at -34 dBov if not: music and tones count too, a fan doesn't.
const START_SOUND: f32 = 0.02;
/// Once speaking, it lasts down to -46 dBov, so that the end of a sentence doesn't flicker.
const STOP: f32 = 0.005;
const _: () = assert!(STOP < START_VOICE && START_VOICE < START_SOUND);
/// Loudness must change by a step of 6 dB to be told again.
const STEP_DB: f32 = 6.0;

/// Smoothed loudness of one track.
#[derive(Clone, Copy, Debug)]
struct Loudness {
    /// Mean power, 1.0 is overload.
    power: f32,
    voice: bool,
    at: Instant,
    speaking: bool,
}

impl Loudness {
    fn observe(&mut self, now: Instant, level: AudioLevel) {
        let elapsed = now.saturating_duration_since(self.at);
        self.silence(elapsed.saturating_sub(PACKET));
        let linear = linear(level.level);
        let keep = keep(elapsed.min(PACKET));
        self.power = self.power * keep + linear * linear * (1.0 - keep);
        self.voice = level.voice;
        self.at = now;
    }

    /// Loudness (amplitude) at `now`, if nothing came since.
    fn amplitude(mut self, now: Instant) -> f32 {
        self.silence(now.saturating_duration_since(self.at).saturating_sub(PACKET));
        self.power.sqrt()
    }

    fn silence(&mut self, lasting: Duration) {
        if !lasting.is_zero() {
            self.power *= keep(lasting);
        }
    }
}

/// The share of the past that remains after `elapsed`.
fn keep(elapsed: Duration) -> f32 {
    (-elapsed.as_secs_f32() / SMOOTHING.as_secs_f32()).exp()
}

/// Amplitude of a level in -dBov; 127 is digital silence.
fn linear(level: u8) -> f32 {
    if level >= 127 { 0.0 } else { 10f32.powf(-f32::from(level) / 20.0) }
}

/// The speakers of one room. Its inputs are [`Speakers::observe`] and [`Speakers::remove`]; call [`Speakers::poll`] at
/// [`Speakers::poll_timeout`].
#[derive(Debug, Default)]
pub struct Speakers {
    tracks: FxHashMap<TrackId, Loudness>,
    /// What was told last: track and step of loudness.
    told: Vec<(i32, TrackId)>,
    next: Option<Instant>,
}

impl Speakers {
    /// A packet of an audio track came with this level.
    pub fn observe(&mut self, now: Instant, track: TrackId, level: AudioLevel) {
        let silent = Loudness { power: 0.0, voice: false, at: now.checked_sub(PACKET).unwrap_or(now), speaking: false };
        self.tracks.entry(track).or_insert(silent).observe(now, level);
        self.next.get_or_insert(now + INTERVAL);
    }

    /// The track is gone or muted.
    pub fn remove(&mut self, track: TrackId) {
        self.tracks.remove(&track);
    }

    /// When to poll next; none while nothing is heard of anybody.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// The whole list, loudest first, if it changed; at most once in 400 ms.
    pub fn poll(&mut self, now: Instant) -> Option<Vec<Speaker>> {
        self.next.filter(|at| *at <= now)?;
        let mut heard: Vec<(i32, TrackId, f32)> = Vec::new();
        for (track, loudness) in &mut self.tracks {
            let level = loudness.amplitude(now);
            let start = if loudness.voice { START_VOICE } else { START_SOUND };
            loudness.speaking = level >= if loudness.speaking { STOP } else { start };
            if loudness.speaking {
                heard.push(((20.0 * level.log10() / STEP_DB).round() as i32, *track, level.min(1.0)));
            }
        }
        // Loudest first, by steps: who is about as loud keeps an order.
        heard.sort_unstable_by_key(|(step, track, _)| (-step, *track));
        // Goes on while packets come or somebody still has to fall silent.
        let newest = self.tracks.values().map(|l| l.at).max();
        let active = !heard.is_empty() || newest.is_some_and(|at| now.saturating_duration_since(at) < 2 * INTERVAL);
        self.next = active.then(|| now + INTERVAL);
        let told: Vec<(i32, TrackId)> = heard.iter().map(|(step, track, _)| (*step, *track)).collect();
        if told == self.told {
            return None;
        }
        self.told = told;
        Some(heard.into_iter().map(|(_, track, level)| Speaker { track, level }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);

    /// Lets each of the tracks sound at its level for a while; returns what was told.
    fn play(s: &mut Speakers, now: &mut Instant, millis: u64, levels: &[(u64, u8, bool)]) -> Vec<Vec<u64>> {
        let mut told = Vec::new();
        for _ in 0..millis / 20 {
            *now += FRAME;
            for (track, level, voice) in levels {
                s.observe(*now, TrackId(*track), AudioLevel { level: *level, voice: *voice });
            }
            told.extend(s.poll(*now).map(|list| list.iter().map(|s| s.track.0).collect()));
        }
        told
    }

    #[test]
    fn a_tone_counts_as_speaking_and_silence_ends_it() {
        let mut now = crate::test_epoch();
        let mut s = Speakers::default();
        for tone in [20, 3, 0] {
            let told = play(&mut s, &mut now, 1_000, &[(1, tone, false), (2, 127, false)]);
            assert!(!told.is_empty() && told.iter().all(|list| *list == [1]), "-{tone} dBov: {told:?}");
            assert_eq!(play(&mut s, &mut now, 3_000, &[(1, 127, false), (2, 90, false)]).last(), Some(&vec![]));
        }
    }

    #[test]
    fn the_loudest_comes_first_and_small_changes_are_not_told() {
        let mut now = crate::test_epoch();
        let mut s = Speakers::default();
        let told = play(&mut s, &mut now, 2_000, &[(1, 36, true), (2, 12, true), (3, 50, true), (4, 37, false)]);
        assert_eq!(told.last(), Some(&vec![2, 1]));
        assert!(play(&mut s, &mut now, 2_000, &[(1, 35, true), (2, 13, true)]).is_empty());
    }

    #[test]
    fn who_stops_sending_falls_silent() {
        let mut now = crate::test_epoch();
        let mut s = Speakers::default();
        play(&mut s, &mut now, 1_000, &[(1, 10, true)]);
        let mut told = None;
        while let Some(at) = s.poll_timeout() {
            told = s.poll(at).or(told);
        }
        assert_eq!(told, Some(vec![]));
    }

    #[test]
    fn who_is_removed_is_told_as_gone() {
        let mut now = crate::test_epoch();
        let mut s = Speakers::default();
        play(&mut s, &mut now, 1_000, &[(1, 10, true), (2, 20, true)]);
        s.remove(TrackId(1));
        assert_eq!(play(&mut s, &mut now, 400, &[(2, 20, true)]), [vec![2]]);
        s.remove(TrackId(2));
        assert_eq!(s.poll(now + INTERVAL), Some(vec![]));
        assert_eq!(s.poll_timeout(), None);
    }

    #[test]
    fn a_click_is_no_speech() {
        let mut now = crate::test_epoch();
        let mut s = Speakers::default();
        play(&mut s, &mut now, 300, &[(1, 127, false)]);
        play(&mut s, &mut now, 20, &[(1, 30, false)]);
        assert!(play(&mut s, &mut now, 1_000, &[(1, 127, false)]).is_empty());
    }
}
