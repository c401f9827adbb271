//! Who is subscribed to each track, and up to which layer, kept in step so that no change of one subscription costs a look at
//! everybody in the room.

use super::SessionKey;
use ramai_sfu::id::TrackId;
use ramai_sfu::params::MAX_LAYERS;
use std::collections::{BTreeMap, HashMap};

/// The subscribers of all tracks. Sessions keep it in step with their own [`Subscription`](super::Subscription)s.
#[derive(Default)]
pub struct Subscribers(HashMap<TrackId, Audience>);

/// Those of one track.
#[derive(Default)]
struct Audience {
    /// With the highest layer that is sent to each; `None` while nothing is.
    members: BTreeMap<SessionKey, Option<u8>>,
    /// How many are sent each layer at most.
    by_layer: [usize; MAX_LAYERS],
}

impl Audience {
    fn set(&mut self, key: SessionKey, layer: Option<u8>) {
        let old = self.members.insert(key, layer).flatten();
        self.count(old, |n| n.saturating_sub(1));
        self.count(layer, |n| n + 1);
    }

    fn count(&mut self, layer: Option<u8>, change: impl FnOnce(usize) -> usize) {
        if let Some(count) = layer.and_then(|layer| self.by_layer.get_mut(usize::from(layer))) {
            *count = change(*count);
        }
    }
}

impl Subscribers {
    /// A session subscribes, or is sent other layers than before: `layer` at most, or nothing.
    pub fn set(&mut self, track: TrackId, key: SessionKey, layer: Option<u8>) {
        self.0.entry(track).or_default().set(key, layer);
    }

    /// A session is no longer subscribed.
    pub fn remove(&mut self, track: TrackId, key: SessionKey) {
        let Some(audience) = self.0.get_mut(&track) else { return };
        audience.set(key, None);
        audience.members.remove(&key);
        if audience.members.is_empty() {
            self.0.remove(&track);
        }
    }

    /// All of a track, in the order in which they came into the room.
    pub fn of(&self, track: TrackId) -> Vec<SessionKey> {
        self.0.get(&track).map_or_else(Vec::new, |audience| audience.members.keys().copied().collect())
    }

    /// Whether a track has any, sent something or not.
    pub fn has(&self, track: TrackId) -> bool {
        self.0.contains_key(&track)
    }

    /// The highest layer that anybody is sent.
    pub fn top(&self, track: TrackId) -> Option<u8> {
        let top = self.0.get(&track)?.by_layer.iter().rposition(|count| *count > 0)?;
        u8::try_from(top).ok()
    }

    /// Whether it knows of nobody.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_layer_follows_those_who_watch() {
        let (track, ana, ben) = (TrackId(1), SessionKey(1), SessionKey(2));
        let mut subscribers = Subscribers::default();
        subscribers.set(track, ana, None);
        assert_eq!((subscribers.has(track), subscribers.top(track)), (true, None), "subscribed, but nothing is sent");
        subscribers.set(track, ana, Some(2));
        subscribers.set(track, ben, Some(0));
        assert_eq!(subscribers.top(track), Some(2));
        subscribers.set(track, ana, Some(1));
        assert_eq!(subscribers.top(track), Some(1));
        subscribers.remove(track, ana);
        subscribers.remove(track, ana);
        assert_eq!((subscribers.top(track), subscribers.of(track)), (Some(0), vec![ben]));
        subscribers.remove(track, ben);
        assert!(subscribers.is_empty());
    }
}
