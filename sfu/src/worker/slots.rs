//! Speaker slots of a large room: one worker, their home, puts whoever holds a seat into the slot of the same number. Other workers
//! hand it the loudest of their publishers, and mirror the slots like any other track.

use super::hear::Passing;
use super::link::Link;
use super::{Publication, Worker};
use crate::api::Event;
use crate::id::{RoomId, Ssrc, TrackId, TransportId, WorkerId};
use crate::link::Envelope;
use crate::params::PublishParams;
use crate::publish::Track;
use crate::rtp::Media;
use crate::speakers::Speakers;
use crate::subscribe::Slot;
use crate::timers::Timer;
use std::time::{Duration, Instant};

/// How often it is told who is in which slot: names over a loudspeaker, not the lights of an equalizer.
const TOLD: Duration = Duration::from_secs(1);

/// Where a room's slots are.
pub(super) enum Slots {
    /// Here: their tracks, by seat.
    Here(Home),
    /// On that worker.
    At(WorkerId),
}

/// What their home knows.
#[derive(Default)]
pub(super) struct Home {
    tracks: Vec<TrackId>,
    /// Who was told to be in each, and when.
    told: Vec<Option<TrackId>>,
    told_at: Option<Instant>,
}

/// A publication that is a slot.
pub(super) struct Filled {
    /// At its home.
    slot: Option<Slot>,
    /// The transport of who speaks in it: whoever publishes there doesn't hear itself.
    pub(super) speaker: Option<TransportId>,
}

impl Home {
    /// Who is in each slot, if that is to be told.
    fn poll(&mut self, now: Instant, speakers: &Speakers) -> Option<Vec<Option<TrackId>>> {
        let due = self.told_at.is_none_or(|told| now.saturating_duration_since(told) >= TOLD);
        let seated = speakers.seated();
        if !due || seated == self.told {
            return None;
        }
        self.told_at = Some(now);
        self.told.clone_from(&seated);
        Some(seated)
    }
}

impl Worker {
    /// The room hears through slots from now on.
    pub(super) fn open_slots(
        &mut self,
        now: Instant,
        room: RoomId,
        home: WorkerId,
        publisher: TransportId,
        tracks: &[TrackId],
        params: &PublishParams,
    ) -> Option<()> {
        let (level, audible) = (self.level(), self.audible);
        let entry = self.rooms.entry(room).or_insert_with(|| super::Room::new(audible));
        if entry.slots.is_some() || tracks.iter().any(|track| self.tracks.contains_key(track)) {
            tracing::error!(room = room.0, "the room has slots already");
            return None;
        }
        entry.speakers.set_audible(tracks.len());
        if home != self.id {
            entry.slots = Some(Slots::At(home));
            return Some(());
        }
        entry.slots = Some(Slots::Here(Home { tracks: tracks.to_vec(), ..Home::default() }));
        for track in tracks {
            let mut publication =
                Publication::new(Track::new(*track, params), room, publisher, false, level, Link::default());
            let slot = Some(Slot::new(now, Ssrc(track.0 as u32)));
            publication.slot = Some(Box::new(Filled { slot, speaker: None }));
            self.tracks.insert(*track, publication);
        }
        Some(())
    }

    /// The room has no slots any more.
    pub(super) fn close_slots(&mut self, room: RoomId) -> Option<()> {
        let entry = self.rooms.get_mut(&room)?;
        let slots = entry.slots.take()?;
        entry.speakers.set_audible(self.audible);
        if let Slots::Here(home) = slots {
            for track in home.tracks {
                self.unpublish(track)?;
            }
        }
        self.forget_if_empty(room);
        Some(())
    }

    pub(super) fn keep_from_slots(&mut self, track: TrackId, kept: bool) -> Option<()> {
        let publication = self.tracks.get_mut(&track)?;
        publication.kept_from_slots = kept;
        if let Some(room) = self.rooms.get_mut(&publication.room).filter(|_| kept) {
            room.speakers.remove(track);
        }
        Some(())
    }

    /// A microphone that is published here is let through, or not: `seat`. In a room with slots it goes on into its slot.
    pub(super) fn speak(
        &mut self,
        now: Instant,
        (room, track, speaker): (RoomId, TrackId, TransportId),
        seat: Option<usize>,
        passing: &Passing,
    ) {
        let (Some(seat), Some(entry)) = (seat, self.rooms.get(&room)) else { return };
        match &entry.slots {
            None => {}
            Some(Slots::Here(home)) => {
                if let Some(slot) = home.tracks.get(seat).copied() {
                    self.fill(now, slot, track, speaker, passing);
                }
            }
            Some(Slots::At(home)) => {
                self.counters.relayed += 1;
                let media = passing.clone();
                self.outbox.push(*home, Envelope::Voice { room, track, speaker, media });
            }
        }
    }

    /// Another worker's microphone, one of the loudest there.
    pub(super) fn handle_voice(
        &mut self,
        now: Instant,
        (room, track, speaker): (RoomId, TrackId, TransportId),
        passing: &Passing,
    ) -> Option<()> {
        let entry = self.rooms.get_mut(&room).filter(|entry| matches!(entry.slots, Some(Slots::Here(_))))?;
        let level = passing.last()?.audio_level?;
        self.counters.mirrored += 1;
        let seat = entry.speakers.observe(now, track, speaker, level);
        self.timers.set(Timer::Room(room), entry.speakers.poll_timeout());
        self.counters.gated += u64::from(seat.is_none());
        self.speak(now, (room, track, speaker), seat, passing);
        Some(())
    }

    fn fill(&mut self, now: Instant, slot: TrackId, track: TrackId, speaker: TransportId, passing: &Passing) {
        for media in passing {
            let Some(publication) = self.tracks.get_mut(&slot) else { return };
            let Some(filled) = &mut publication.slot else { return };
            let Some(source) = &mut filled.slot else { return };
            let before = source.switches();
            let Some(media) = source.fill(now, track, media.clone()) else { continue };
            self.counters.slot_switches += source.switches() - before;
            filled.speaker = Some(speaker);
            publication.track.handle_ready(now, media.clone());
            for to in publication.link.relays() {
                self.counters.relayed += 1;
                self.outbox.push(*to, Envelope::Slot { track: slot, speaker, media: media.clone() });
            }
            self.forward(now, slot, false, media);
        }
    }

    /// A slot's next packet, for subscribers here.
    pub(super) fn handle_slot(
        &mut self,
        now: Instant,
        slot: TrackId,
        speaker: TransportId,
        media: Media,
    ) -> Option<()> {
        let publication = self.tracks.get_mut(&slot).filter(|publication| publication.link.home.is_some())?;
        self.counters.mirrored += 1;
        let filled = publication.slot.get_or_insert_with(|| Box::new(Filled { slot: None, speaker: None }));
        filled.speaker = Some(speaker);
        publication.track.handle_ready(now, media.clone());
        self.forward(now, slot, false, media);
        Some(())
    }

    /// Tells who is in which slot, and the other workers whose camera matters most.
    pub(super) fn look_at_slots(&mut self, now: Instant, room: RoomId, speaking: Option<&[TransportId]>) {
        let Some(entry) = self.rooms.get_mut(&room) else { return };
        let Some(Slots::Here(home)) = &mut entry.slots else { return };
        if let Some(speakers) = home.poll(now, &entry.speakers) {
            self.events.push_back(Event::Slots { room, speakers });
        }
        let (Some(speaking), Some(first)) = (speaking, home.tracks.first()) else { return };
        // Whoever has anybody of the room hears the slots.
        let Some(publication) = self.tracks.get(first) else { return };
        for to in publication.link.relays() {
            self.outbox.push(*to, Envelope::Speaking { room, transports: speaking.into() });
        }
    }
}
