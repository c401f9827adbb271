//! Who is heard: a few seats, held by the loudest. Whoever speaks up where somebody rests is heard from that very packet on; where all
//! seats talk one must be clearly louder, and a seat that falls silent is kept until somebody wants it. So nothing flickers, and as long
//! as there are no more microphones than seats all of them are heard, silence and all.

use crate::id::TrackId;
use std::time::{Duration, Instant};

/// A seat whose holder was silent for so long is free for the next who speaks: longer than the pause within a sentence.
const REST: Duration = Duration::from_secs(1);
/// Where all seats talk the newcomer must be louder by this factor: 6 dB.
const LOUDER: f32 = 2.0;
/// A seat's loudness fades with this time constant: one who talks keeps it between words.
const FADING: Duration = Duration::from_secs(1);

/// A packet's loudness, as far as seats are concerned.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sound {
    /// The smoothed amplitude of its track.
    pub amplitude: f32,
    /// It stands out of the track's own noise.
    pub active: bool,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    track: TrackId,
    /// At `at`.
    strength: f32,
    at: Instant,
    /// When it was no silence last.
    active_at: Instant,
}

impl Seat {
    fn new(now: Instant, track: TrackId, sound: Sound) -> Self {
        Self { track, strength: sound.amplitude, at: now, active_at: now }
    }

    fn strength(&self, now: Instant) -> f32 {
        let fading = now.saturating_duration_since(self.at).as_secs_f32() / FADING.as_secs_f32();
        self.strength * (-fading).exp()
    }

    fn rests(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.active_at) >= REST
    }
}

/// See the module. Its inputs are [`Seats::offer`] and [`Seats::remove`].
#[derive(Debug, Default)]
pub(super) struct Seats {
    seats: Vec<Option<Seat>>,
}

impl Seats {
    /// So many, from now on. Whoever sits beyond has lost the seat.
    pub fn resize(&mut self, seats: usize) {
        self.seats.resize(seats, None);
    }

    /// Who holds each.
    pub fn holders(&self) -> impl Iterator<Item = Option<TrackId>> {
        self.seats.iter().map(|seat| seat.map(|seat| seat.track))
    }

    /// The seat that a track holds.
    pub fn of(&self, track: TrackId) -> Option<usize> {
        self.seats.iter().position(|seat| seat.is_some_and(|seat| seat.track == track))
    }

    /// A packet came: the seat in which its track is heard, if it is. Looks at each seat once, however many tracks there are.
    pub fn offer(&mut self, now: Instant, track: TrackId, sound: Sound) -> Option<usize> {
        if let Some(at) = self.of(track) {
            let seat = self.seats.get_mut(at)?.as_mut()?;
            seat.strength = seat.strength(now).max(sound.amplitude);
            seat.at = now;
            if sound.active {
                seat.active_at = now;
            }
            return Some(at);
        }
        let at = self.place(now, sound)?;
        *self.seats.get_mut(at)? = Some(Seat::new(now, track, sound));
        Some(at)
    }

    /// A seat for who has none.
    fn place(&self, now: Instant, sound: Sound) -> Option<usize> {
        if let Some(free) = self.seats.iter().position(Option::is_none) {
            return Some(free);
        }
        if !sound.active {
            return None;
        }
        let held = || self.seats.iter().enumerate().filter_map(|(at, seat)| Some((at, seat.as_ref()?)));
        // Who was silent the longest goes first.
        if let Some((at, _)) = held().filter(|(_, seat)| seat.rests(now)).min_by_key(|(_, seat)| seat.active_at) {
            return Some(at);
        }
        let (at, weakest) = held().min_by(|(_, a), (_, b)| a.strength(now).total_cmp(&b.strength(now)))?;
        (sound.amplitude > LOUDER * weakest.strength(now)).then_some(at)
    }

    /// The track is gone or muted.
    pub fn remove(&mut self, track: TrackId) {
        if let Some(seat) = self.of(track).and_then(|at| self.seats.get_mut(at)) {
            *seat = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAME: Duration = Duration::from_millis(20);
    const SILENT: Sound = Sound { amplitude: 0.0001, active: false };

    fn loud(amplitude: f32) -> Sound {
        Sound { amplitude, active: true }
    }

    fn seats(count: usize) -> Seats {
        let mut seats = Seats::default();
        seats.resize(count);
        seats
    }

    #[test]
    fn with_no_more_than_there_are_seats_all_are_heard_even_in_silence() {
        let (now, mut seats) = (crate::test_epoch(), seats(3));
        for n in 0..100u32 {
            for track in 0..3 {
                assert!(seats.offer(now + FRAME * n, TrackId(track), SILENT).is_some());
            }
        }
    }

    #[test]
    fn who_speaks_up_takes_the_seat_that_was_silent_the_longest_at_once() {
        let (now, mut seats) = (crate::test_epoch(), seats(2));
        seats.offer(now, TrackId(1), loud(0.1));
        seats.offer(now + 10 * FRAME, TrackId(2), loud(0.1));
        let later = now + 2 * REST;
        assert_eq!(seats.offer(later, TrackId(3), SILENT), None);
        assert_eq!(seats.offer(later, TrackId(3), loud(0.02)), Some(0));
        assert_eq!(seats.offer(later, TrackId(1), SILENT), None);
        assert_eq!(seats.offer(later, TrackId(2), SILENT), Some(1), "kept, for nobody wants it");
    }

    #[test]
    fn where_all_talk_only_the_clearly_louder_is_let_in() {
        let (mut now, mut seats) = (crate::test_epoch(), seats(2));
        let mut last = [None; 3];
        for n in 0..200 {
            now += FRAME;
            // The third talks as loud, then shouts.
            let third = if n < 100 { 0.1 } else { 0.4 };
            for (track, amplitude) in [(0, 0.1), (1, 0.12), (2, third)] {
                last[track] = seats.offer(now, TrackId(track as u64), loud(amplitude));
            }
            assert_eq!(last[2].is_some(), n >= 100, "{n}");
        }
        assert_eq!(last, [None, Some(1), Some(0)], "instead of the softest");
    }

    #[test]
    fn who_leaves_frees_the_seat() {
        let (now, mut seats) = (crate::test_epoch(), seats(1));
        seats.offer(now, TrackId(1), loud(0.1));
        seats.remove(TrackId(1));
        assert_eq!(seats.offer(now, TrackId(2), SILENT), Some(0));
        assert_eq!(seats.holders().collect::<Vec<_>>(), [Some(TrackId(2))]);
    }
}
