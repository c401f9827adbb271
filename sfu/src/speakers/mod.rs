//! Who speaks in a room, who has the floor and who is let through, from the audio levels that publishers write into their packets
//! (RFC 6464): no audio is decoded, and it works under end-to-end encryption. docs/HEARING.md tells why it is as it is.

mod activity;
mod dominant;
mod loudness;
mod seats;

use crate::api::Speaker;
use crate::id::{TrackId, TransportId};
use crate::rtp::AudioLevel;
use activity::{Activity, Scores};
use dominant::Dominant;
use loudness::Loudness;
use rustc_hash::FxHashMap;
use seats::{Seats, Sound};
use std::time::{Duration, Instant};

/// How many of a room are heard at once, unless told otherwise: more voices than people can follow.
pub const AUDIBLE: usize = 5;
/// How often it is decided who has the floor.
const DECISION: Duration = Duration::from_millis(100);
/// How often the list may change, unless the floor does: more is flicker, less feels late.
const INTERVAL: Duration = Duration::from_millis(400);
/// Who made no sound for so long takes no part in the decision: the longest of its time scales.
const LATELY: Duration = Duration::from_millis(1_100);
/// Who sent nothing for so long is forgotten; a pause in speech with DTX has a packet each 400 ms.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// Speaking starts at -40 dBov if the sender believes that it is voice: quiet speech, well above a room's noise ...
const START_VOICE: f32 = 0.01;
/// ... and at -34 dBov if not: music and tones count too, a fan doesn't.
const START_SOUND: f32 = 0.02;
/// Once speaking, it lasts down to -46 dBov, so that the end of a sentence doesn't flicker.
const STOP: f32 = 0.005;
const _: () = assert!(STOP < START_VOICE && START_VOICE < START_SOUND);
/// Loudness must change by a step of 6 dB to be told again.
const STEP_DB: f32 = 6.0;

/// What is known of one microphone.
#[derive(Debug)]
struct Voice {
    /// The transport that publishes it.
    owner: TransportId,
    loudness: Loudness,
    activity: Activity,
    speaking: bool,
}

/// The list as it is told.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct Heard {
    /// Who speaks: the one who has the floor first, then the loudest.
    pub speakers: Vec<Speaker>,
    /// Who has the floor, also while it pauses.
    pub dominant: Option<TrackId>,
}

/// The speakers of one room. Its inputs are [`Speakers::observe`] and [`Speakers::remove`]; call [`Speakers::poll`] at
/// [`Speakers::poll_timeout`].
#[derive(Debug)]
pub struct Speakers {
    voices: FxHashMap<TrackId, Voice>,
    /// None: everybody is let through.
    seats: Option<Seats>,
    dominant: Dominant,
    /// What was told last: track and step of loudness, and who had the floor.
    told: (Vec<(i32, TrackId)>, Option<TrackId>),
    told_at: Option<Instant>,
    next: Option<Instant>,
    scores: Vec<(TrackId, Scores)>,
}

impl Speakers {
    /// A room in which nobody spoke yet, and so many are let through; 0: all.
    pub fn new(audible: usize) -> Self {
        let mut speakers = Self {
            voices: FxHashMap::default(),
            seats: None,
            dominant: Dominant::default(),
            told: (Vec::new(), None),
            told_at: None,
            next: None,
            scores: Vec::new(),
        };
        speakers.set_audible(audible);
        speakers
    }

    /// Lets so many through from now on; 0: all.
    pub fn set_audible(&mut self, audible: usize) {
        if audible == 0 {
            self.seats = None;
        } else {
            self.seats.get_or_insert_default().resize(audible);
        }
    }

    /// A packet of an audio track came with this level. The seat in which it is let through, if it is: seat 0 where all are.
    pub fn observe(&mut self, now: Instant, track: TrackId, owner: TransportId, level: AudioLevel) -> Option<usize> {
        let sound = self.note(now, track, owner, level);
        match &mut self.seats {
            Some(seats) => seats.offer(now, track, sound),
            None => Some(0),
        }
    }

    /// The same of a track that needs no seat.
    pub(crate) fn note(&mut self, now: Instant, track: TrackId, owner: TransportId, level: AudioLevel) -> Sound {
        let voice = self.voices.entry(track).or_insert_with(|| Voice {
            owner,
            loudness: Loudness::silent(now),
            activity: Activity::default(),
            speaking: false,
        });
        voice.loudness.observe(now, level);
        let active = voice.activity.observe(now, level.level);
        self.next.get_or_insert(now + DECISION);
        Sound { amplitude: voice.loudness.amplitude(now), active }
    }

    /// The track is gone or muted.
    pub fn remove(&mut self, track: TrackId) {
        self.voices.remove(&track);
        self.dominant.remove(track);
        if let Some(seats) = &mut self.seats {
            seats.remove(track);
        }
    }

    /// The seat that a track holds, if it is let through; seat 0 where all are.
    pub fn seat(&self, track: TrackId) -> Option<usize> {
        self.seats.as_ref().map_or(Some(0), |seats| seats.of(track))
    }

    /// Who holds each seat.
    pub fn seated(&self) -> Vec<Option<TrackId>> {
        self.seats.iter().flat_map(Seats::holders).collect()
    }

    /// The transport that publishes a track that was heard lately.
    pub fn owner(&self, track: TrackId) -> Option<TransportId> {
        self.voices.get(&track).map(|voice| voice.owner)
    }

    /// When to poll next; none while nothing is heard of anybody.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.next
    }

    /// The whole list, if it changed: at most once in 400 ms, but when the floor changes at once.
    pub fn poll(&mut self, now: Instant) -> Option<Heard> {
        self.next.filter(|at| *at <= now)?;
        self.scores.clear();
        let lately =
            |voice: &Voice| voice.activity.active_at().is_some_and(|at| now.saturating_duration_since(at) < LATELY);
        let active = self.voices.iter().filter(|(_, voice)| lately(voice));
        self.scores.extend(active.map(|(track, voice)| (*track, voice.activity.scores(now))));
        let changed = self.dominant.decide(&self.scores);
        let due = self.told_at.is_none_or(|told| now.saturating_duration_since(told) >= INTERVAL);
        if !changed && !due {
            self.next = Some(now + DECISION);
            return None;
        }
        self.told_at = Some(now);
        self.list(now)
    }

    fn list(&mut self, now: Instant) -> Option<Heard> {
        let mut heard: Vec<(i32, Speaker)> = Vec::new();
        for (track, voice) in &mut self.voices {
            let level = voice.loudness.amplitude(now);
            let start = if voice.loudness.voice { START_VOICE } else { START_SOUND };
            voice.speaking = level >= if voice.speaking { STOP } else { start };
            if voice.speaking {
                let speaker = Speaker { track: *track, level: level.min(1.0) };
                heard.push(((20.0 * level.log10() / STEP_DB).round() as i32, speaker));
            }
        }
        self.voices.retain(|_, voice| now.saturating_duration_since(voice.loudness.at) < FORGOTTEN);
        let dominant = self.dominant.current();
        // Loudest first, by steps: who is about as loud keeps an order.
        heard.sort_unstable_by_key(|(step, speaker)| (Some(speaker.track) != dominant, -step, speaker.track));
        // Goes on while packets come or somebody still has to fall silent.
        let newest = self.voices.values().map(|voice| voice.loudness.at).max();
        let active = !heard.is_empty() || newest.is_some_and(|at| now.saturating_duration_since(at) < 2 * INTERVAL);
        self.next = active.then(|| now + DECISION);
        let told = (heard.iter().map(|(step, speaker)| (*step, speaker.track)).collect(), dominant);
        if told == self.told {
            return None;
        }
        self.told = told;
        Some(Heard { speakers: heard.into_iter().map(|(_, speaker)| speaker).collect(), dominant })
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
                s.observe(*now, TrackId(*track), TransportId(*track), AudioLevel { level: *level, voice: *voice });
            }
            told.extend(s.poll(*now).map(|heard| heard.speakers.iter().map(|s| s.track.0).collect()));
        }
        told
    }

    #[test]
    fn a_tone_counts_as_speaking_and_silence_ends_it() {
        let mut now = crate::test_epoch();
        let mut s = Speakers::new(AUDIBLE);
        for tone in [20, 3, 0] {
            let told = play(&mut s, &mut now, 1_000, &[(1, tone, false), (2, 127, false)]);
            assert!(!told.is_empty() && told.iter().all(|list| *list == [1]), "-{tone} dBov: {told:?}");
            assert_eq!(play(&mut s, &mut now, 3_000, &[(1, 127, false), (2, 90, false)]).last(), Some(&vec![]));
        }
    }

    #[test]
    fn the_loudest_comes_first_and_small_changes_are_not_told() {
        let mut now = crate::test_epoch();
        let mut s = Speakers::new(AUDIBLE);
        let told = play(&mut s, &mut now, 2_000, &[(1, 36, true), (2, 12, true), (3, 50, true), (4, 37, false)]);
        assert_eq!(told.last(), Some(&vec![2, 1]));
        assert!(play(&mut s, &mut now, 2_000, &[(1, 35, true), (2, 13, true)]).is_empty());
    }

    #[test]
    fn who_stops_sending_falls_silent() {
        let mut now = crate::test_epoch();
        let mut s = Speakers::new(AUDIBLE);
        play(&mut s, &mut now, 1_000, &[(1, 10, true)]);
        let mut told = None;
        while let Some(at) = s.poll_timeout() {
            told = s.poll(at).or(told);
        }
        assert_eq!(told.map(|heard| heard.speakers), Some(vec![]));
    }

    #[test]
    fn who_is_removed_is_told_as_gone() {
        let mut now = crate::test_epoch();
        let mut s = Speakers::new(AUDIBLE);
        play(&mut s, &mut now, 1_000, &[(1, 10, true), (2, 20, true)]);
        s.remove(TrackId(1));
        assert_eq!(play(&mut s, &mut now, 400, &[(2, 20, true)]), [vec![2]]);
        s.remove(TrackId(2));
        assert_eq!(s.poll(now + INTERVAL), Some(Heard::default()));
        assert_eq!(s.poll_timeout(), None);
    }

    #[test]
    fn a_click_is_no_speech() {
        let mut now = crate::test_epoch();
        let mut s = Speakers::new(AUDIBLE);
        play(&mut s, &mut now, 300, &[(1, 127, false)]);
        play(&mut s, &mut now, 20, &[(1, 30, false)]);
        assert!(play(&mut s, &mut now, 1_000, &[(1, 127, false)]).is_empty());
    }
}
