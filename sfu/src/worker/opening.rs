//! A newcomer's first picture: from what the track keeps where that can be decoded, else by asking its publisher for a key frame.

use super::Worker;
use super::arena::Place;
use crate::id::TrackId;
use crate::params::MAX_LAYERS;
use smallvec::SmallVec;
use std::time::Instant;

impl Worker {
    /// Gives subscriptions that never showed anything the newest key frame and all since, if the track keeps that; for all others that need
    /// a key frame its publisher is asked. To be called whenever a track's subscriptions may need one.
    pub(super) fn begin_pictures(&mut self, now: Instant, track: TrackId) {
        // What waits for the rest of its frame is kept as well, and must not come twice.
        self.release_all(track);
        let Some(publication) = self.tracks.get_mut(&track) else { return };
        let (source, kind) = (&publication.track, publication.track.kind());
        // By layer, once for all who begin now.
        let mut openings: [Option<SmallVec<[Place; 32]>>; MAX_LAYERS] = Default::default();
        let mut wanted: SmallVec<[u8; MAX_LAYERS]> = SmallVec::new();
        for subscription in &mut publication.subscriptions {
            let Some(layer) = subscription.keyframe_wanted() else { continue };
            // Who was shown something already would see the past again.
            let opening = source.opening(layer).filter(|_| subscription.counters().packets == 0);
            let (Some(packets), Some(opening)) = (opening, openings.get_mut(usize::from(layer))) else {
                wanted.push(layer);
                continue;
            };
            // Who isn't connected gets it then.
            let Some(peer) = self.peers.get_mut(&subscription.transport()) else { continue };
            if !peer.transport.is_connected() {
                continue;
            }
            let arena = &mut self.arena;
            let places = opening.get_or_insert_with(|| packets.map(|media| arena.push(media.clone())).collect());
            let mut shown = false;
            for place in places.iter() {
                let Some(media) = self.arena.get(*place) else { continue };
                let Some(outgoing) = subscription.handle_packet(now, media) else { continue };
                shown = true;
                if peer.push(kind, *place, outgoing) {
                    self.counters.forwarded += 1;
                } else {
                    self.counters.not_sealed += 1;
                }
            }
            self.counters.openings += u64::from(shown);
            if !std::mem::replace(&mut peer.dirty, true) {
                self.dirty.push_back(peer.id());
            }
        }
        for layer in wanted {
            publication.track.request_keyframe(layer);
        }
        self.mark_publisher(track);
    }
}
