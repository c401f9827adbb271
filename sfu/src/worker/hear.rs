//! The way of a microphone's packet to those who hear it: how loud it is decides whether it goes on at all.
//!
//! What is held back costs nothing further: no subscriber's state is touched. When its track is let through again, the stream of each
//! subscriber goes on without a gap, as after a mute: the packets' epoch says that there was a break.

use super::{Publication, Worker};
use crate::id::TrackId;
use crate::params::Kind;
use crate::rtp::Media;
use crate::timers::Timer;
use smallvec::SmallVec;
use std::time::Instant;

/// Packets from before the one that made a track loud enough: the beginning of its first sound is softer than the rest.
const PRE_ROLL: u64 = 3;

/// Packets that go on: one, or more where a track is let through again.
pub(super) type Passing = SmallVec<[Media; 1]>;

/// Whether a track is let through, and since when it isn't.
#[derive(Default)]
pub(super) struct Gate {
    /// The first packet that was held back.
    closed_from: Option<u64>,
    /// How often it was closed.
    closed: u32,
}

impl Gate {
    /// Takes in a packet and whether its track is audible; what goes on of it and those before it. `cached` finds these by index.
    fn pass<'a>(&mut self, audible: bool, mut media: Media, cached: impl Fn(u64) -> Option<&'a Media>) -> Passing {
        match (self.closed_from, audible) {
            (None, true) => {}
            // It fills a hole in what was let through.
            (Some(from), _) if media.index < from => {}
            (None, false) => {
                self.closed_from = Some(media.index);
                return Passing::new();
            }
            (Some(_), false) => return Passing::new(),
            (Some(from), true) => {
                self.closed_from = None;
                self.closed = self.closed.wrapping_add(1);
                let first = media.index.saturating_sub(PRE_ROLL).max(from);
                let before =
                    (first..media.index).filter_map(cached).filter(|before| before.epoch == media.epoch).cloned();
                let mut passing: Passing = before.collect();
                passing.push(media);
                passing.iter_mut().for_each(|media| media.epoch = media.epoch.wrapping_add(self.closed));
                return passing;
            }
        }
        media.epoch = media.epoch.wrapping_add(self.closed);
        Passing::from_buf([media])
    }
}

impl Worker {
    /// Notes how loud a track is, and lets through what shall be heard of it. Who negotiated no levels can't be judged, and is always
    /// heard; so is what isn't a microphone. Mirrors are judged as well: each worker lets the loudest of all through that reach it.
    pub(super) fn hear(&mut self, now: Instant, track: TrackId, media: Media) -> Passing {
        let Some(publication) = self.tracks.get_mut(&track) else { return Passing::new() };
        let Some(level) = media.audio_level.filter(|_| publication.is_gated()) else {
            return Passing::from_buf([media]);
        };
        let (room_id, speaker) = (publication.room, publication.transport);
        let Some(room) = self.rooms.get_mut(&room_id) else { return Passing::from_buf([media]) };
        if room.slots.is_some() && publication.link.home.is_some() {
            // Its home has judged it for the slots.
            return Passing::from_buf([media]);
        }
        if publication.kept_from_slots {
            room.speakers.note(now, track, speaker, level);
            return Passing::from_buf([media]);
        }
        let seat = room.speakers.observe(now, track, speaker, level);
        self.timers.set(Timer::Room(room_id), room.speakers.poll_timeout());
        let layer = media.layer;
        let passing = publication.gate.pass(seat.is_some(), media, |index| publication.track.cached(layer, index));
        self.counters.gated += u64::from(passing.is_empty());
        self.speak(now, (room_id, track, speaker), seat, &passing);
        passing
    }
}

impl Publication {
    /// It is a microphone.
    fn is_gated(&self) -> bool {
        self.track.kind() == Kind::Audio && !self.screen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::media::tests::media;

    /// Feeds packets by index; returns index and epoch of what goes on.
    fn pass(gate: &mut Gate, audible: bool, index: u64) -> Vec<(u64, u32)> {
        let cache: Vec<Media> = (0..index).map(|index| media(0, index)).collect();
        let passing = gate.pass(audible, media(0, index), |index| cache.get(index as usize));
        passing.iter().map(|media| (media.index, media.epoch)).collect()
    }

    #[test]
    fn what_made_it_loud_goes_on_at_once_with_what_was_right_before() {
        let mut gate = Gate::default();
        assert_eq!(pass(&mut gate, true, 0), [(0, 1)]);
        for index in 1..10 {
            assert_eq!(pass(&mut gate, false, index), []);
        }
        assert_eq!(pass(&mut gate, true, 10), [(7, 2), (8, 2), (9, 2), (10, 2)]);
        assert_eq!(pass(&mut gate, true, 11), [(11, 2)]);
    }

    #[test]
    fn nothing_goes_on_twice_after_a_short_silence() {
        let mut gate = Gate::default();
        assert_eq!(pass(&mut gate, true, 0), [(0, 1)]);
        assert_eq!(pass(&mut gate, false, 1), []);
        assert_eq!(pass(&mut gate, true, 2), [(1, 2), (2, 2)]);
    }

    #[test]
    fn what_was_heard_in_part_is_still_mended() {
        let mut gate = Gate::default();
        for index in [0, 2] {
            assert_eq!(pass(&mut gate, true, index), [(index, 1)]);
        }
        assert_eq!(pass(&mut gate, false, 3), []);
        assert_eq!(pass(&mut gate, false, 1), [(1, 1)]);
        assert_eq!(pass(&mut gate, false, 4), []);
    }
}
