//! The tracks of a room, found by id, by SID and by publisher without looking at all of them.

use super::SessionKey;
use super::publication::{Part, Publication};
use ramai_sfu::id::TrackId;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// See the module. SID and publisher of a publication never change.
#[derive(Default)]
pub struct Publications {
    tracks: BTreeMap<TrackId, Publication>,
    by_publisher: HashMap<SessionKey, BTreeSet<TrackId>>,
    by_sid: HashMap<String, TrackId>,
    /// The room hears through speaker slots.
    slots: bool,
}

impl Publications {
    /// A track comes in.
    pub fn insert(&mut self, publication: Publication) {
        let track = publication.track;
        self.by_publisher.entry(publication.publisher).or_default().insert(track);
        self.by_sid.insert(publication.info.sid.clone(), track);
        self.tracks.insert(track, publication);
    }

    /// A track is gone.
    pub fn remove(&mut self, track: TrackId) -> Option<Publication> {
        let publication = self.tracks.remove(&track)?;
        self.by_sid.remove(&publication.info.sid);
        if let Some(tracks) = self.by_publisher.get_mut(&publication.publisher) {
            tracks.remove(&track);
            if tracks.is_empty() {
                self.by_publisher.remove(&publication.publisher);
            }
        }
        Some(publication)
    }

    /// By id.
    pub fn get(&self, track: &TrackId) -> Option<&Publication> {
        self.tracks.get(track)
    }

    /// By id, to change it.
    pub fn get_mut(&mut self, track: &TrackId) -> Option<&mut Publication> {
        self.tracks.get_mut(track)
    }

    /// By SID.
    pub fn find(&self, sid: &str) -> Option<&Publication> {
        self.tracks.get(self.by_sid.get(sid)?)
    }

    /// A publisher's own, by SID, to change it.
    pub fn own_mut(&mut self, publisher: SessionKey, sid: &str) -> Option<&mut Publication> {
        self.tracks.get_mut(self.by_sid.get(sid)?).filter(|p| p.publisher == publisher)
    }

    /// All of one publisher, oldest first.
    pub fn of(&self, publisher: SessionKey) -> impl Iterator<Item = &Publication> {
        self.by_publisher.get(&publisher).into_iter().flatten().filter_map(|track| self.tracks.get(track))
    }

    /// The room hears through speaker slots from now on, or no longer.
    pub fn through_slots(&mut self, slots: bool) {
        self.slots = slots;
    }

    /// Whether a track is subscribed to by itself, by whoever wants everything. A microphone that slots carry isn't, unless its
    /// publisher says who may hear it: slots are for everybody.
    pub fn by_itself(&self, publication: &Publication) -> bool {
        !self.slots || publication.part != Part::Slotted || publication.allowed.is_some()
    }

    /// What a newcomer is subscribed to: all that is heard and seen by itself if it wants `everything`, and slots in any case.
    pub fn automatic(&self, everything: bool) -> impl Iterator<Item = &Publication> {
        self.tracks.values().filter(move |p| p.part == Part::Slot || everything && self.by_itself(p))
    }

    /// All who publish anything.
    pub fn publishers(&self) -> impl Iterator<Item = SessionKey> {
        self.by_publisher.keys().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tracks.len()
    }

    /// All, oldest first.
    pub fn values(&self) -> impl Iterator<Item = &Publication> {
        self.tracks.values()
    }
}
