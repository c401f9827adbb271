//! Tracks over several workers: the home hands each packet over once, the mirror gives it to its own subscribers.

use super::{Publication, Worker};
use crate::id::{RoomId, TrackId, TransportId, WorkerId};
use crate::link::{Envelope, Letter};
use crate::params::{Kind, MAX_LAYERS, PublishParams};
use crate::publish::Track;
use crate::rtp::Media;
use crate::timers::Timer;
use smallvec::SmallVec;
use std::time::Instant;

/// Where a publication's packets come from and where else they go.
#[derive(Default)]
pub(super) struct Link {
    /// None: they come from the publisher; else this is a mirror, and they come from that worker.
    pub(super) home: Option<WorkerId>,
    /// Workers that hold a mirror of it.
    relays: SmallVec<[WorkerId; 4]>,
}

impl Link {
    /// Workers that hold a mirror of it.
    pub(super) fn relays(&self) -> &[WorkerId] {
        &self.relays
    }
}

impl Worker {
    /// Takes in what another worker said in one turn.
    pub fn handle_envelopes(&mut self, now: Instant, envelopes: impl IntoIterator<Item = Envelope>) {
        for envelope in envelopes {
            let taken = match envelope {
                Envelope::Media { track, media } => self.handle_mirrored(now, track, media),
                Envelope::KeyframeWanted { track, layer } => self.keyframe_wanted(track, layer),
                Envelope::Voice { room, track, speaker, media } => {
                    self.handle_voice(now, (room, track, speaker), &media)
                }
                Envelope::Slot { track, speaker, media } => self.handle_slot(now, track, speaker, media),
                Envelope::Speaking { room, transports } => {
                    self.rooms.get_mut(&room).map(|room| room.voices.set(now, transports))
                }
            };
            if taken.is_none() {
                self.counters.stale_envelopes += 1;
            }
        }
    }

    /// All that another worker shall be told after this turn; none when all was given out. Call it after the input of a turn and
    /// before [`Worker::flush`], so that the others can work meanwhile.
    pub fn poll_letter(&mut self, now: Instant) -> Option<Letter> {
        for track in std::mem::take(&mut self.asking) {
            self.ask_home(now, track);
        }
        self.outbox.pop()
    }

    pub(super) fn mirror(
        &mut self,
        track: TrackId,
        room: RoomId,
        publisher: TransportId,
        home: WorkerId,
        params: &PublishParams,
    ) -> Option<()> {
        if self.tracks.contains_key(&track) {
            tracing::error!(track = track.0, "track is here already, not mirrored");
            return None;
        }
        let link = Link { home: Some(home), ..Link::default() };
        let publication =
            Publication::new(Track::new(track, params), room, publisher, params.screen, self.level(), link);
        self.tracks.insert(track, publication);
        Some(())
    }

    pub(super) fn set_relay(&mut self, track: TrackId, to: WorkerId, on: bool) -> Option<()> {
        let publication = self.tracks.get_mut(&track)?;
        let relays = &mut publication.link.relays;
        if !on {
            relays.retain(|worker| *worker != to);
        } else if to != self.id && !relays.contains(&to) {
            relays.push(to);
            // Viewers there can't ask for a key frame before they know which layers there are; a still screen would let them wait
            // for a second. Audio has nothing to ask for.
            if let Some(newest) = publication.track.newest().filter(|_| publication.track.kind() == Kind::Video) {
                let openings = || (0..MAX_LAYERS as u8).filter_map(|layer| publication.track.opening(layer)).flatten();
                let among = openings().any(|media| (media.layer, media.index) == (newest.layer, newest.index));
                for media in openings().chain((!among).then_some(newest)) {
                    self.outbox.push(to, Envelope::Media { track, media: media.clone() });
                }
            }
        }
        Some(())
    }

    /// Hands a packet of a track that is at home here to the workers that mirror it.
    pub(super) fn relay(&mut self, track: TrackId, media: &Media) {
        let Some(publication) = self.tracks.get(&track) else { return };
        for to in &publication.link.relays {
            self.counters.relayed += 1;
            self.outbox.push(*to, Envelope::Media { track, media: media.clone() });
        }
    }

    fn handle_mirrored(&mut self, now: Instant, track: TrackId, media: Media) -> Option<()> {
        let publication = self.tracks.get_mut(&track).filter(|publication| publication.link.home.is_some())?;
        self.counters.mirrored += 1;
        publication.track.handle_ready(now, media.clone());
        for media in self.hear(now, track, media) {
            self.forward(now, track, false, media);
        }
        self.ask_home(now, track);
        Some(())
    }

    fn keyframe_wanted(&mut self, track: TrackId, layer: u8) -> Option<()> {
        let publication = self.tracks.get_mut(&track).filter(|publication| publication.link.home.is_none())?;
        publication.track.request_keyframe(layer);
        self.mark_publisher(track);
        Some(())
    }

    /// A track's feedback may have to go out at the end of this turn: to its publisher, or to its home.
    pub(super) fn mark_publisher(&mut self, track: TrackId) {
        let Some(publication) = self.tracks.get(&track) else { return };
        if publication.link.home.is_some() {
            self.asking.push(track);
        } else {
            self.mark(publication.transport);
        }
    }

    /// Passes a mirror's wishes for key frames on, as far as they are due.
    fn ask_home(&mut self, now: Instant, track: TrackId) {
        let Some(publication) = self.tracks.get_mut(&track) else { return };
        let Some(home) = publication.link.home else { return };
        for layer in publication.track.poll_requests(now) {
            self.outbox.push(home, Envelope::KeyframeWanted { track, layer });
        }
        self.timers.set(Timer::Mirror(track), publication.track.requests_due(now));
    }
}
