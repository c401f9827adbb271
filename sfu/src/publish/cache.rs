//! The packets of one layer that subscribers may still ask for again: one cache for all of them.

use crate::rtp::Media;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a packet may be asked for: two retries over a round trip of 300 ms. Later it is too late to be played.
const MAX_AGE: Duration = Duration::from_secs(1);
/// A second of 10 Mbit/s in packets of 1,200 bytes: more than a browser's screen share sends.
const MAX_PACKETS: usize = 1_024;

/// What a newcomer's first picture may consist of: a key frame and all since. It goes out as one burst, and a newcomer's line may be
/// narrow; for more a new key frame is the shorter way.
const MAX_OPENING: usize = 64 * 1024;

/// A ring by index; holes are packets that haven't come.
#[derive(Debug, Default)]
pub(super) struct Cache {
    slots: VecDeque<Option<(Instant, Media)>>,
    /// Index of the first slot.
    base: u64,
    /// Index of the newest key frame's first packet, and the bytes of payload since.
    opening: Option<(u64, usize)>,
}

impl Cache {
    /// Puts a packet in its place and drops what became too old. A packet from before all that is kept is not taken.
    pub fn insert(&mut self, now: Instant, media: Media) {
        self.expire(now);
        if self.slots.is_empty() || media.index >= self.base + 2 * MAX_PACKETS as u64 {
            self.slots.clear();
            self.base = media.index;
        }
        let Some(at) = media.index.checked_sub(self.base) else { return };
        let at = at as usize; // below twice the most packets, see above
        if self.slots.len() <= at {
            self.slots.resize_with(at + 1, || None);
        }
        self.opening = match self.opening {
            Some((first, _)) if media.index < first => self.opening,
            _ if media.meta.keyframe => Some((media.index, media.payload.len())),
            Some((first, bytes)) => Some((first, bytes.saturating_add(media.payload.len()))),
            None => None,
        };
        if let Some(slot) = self.slots.get_mut(at) {
            *slot = Some((now, media));
        }
        while self.slots.len() > MAX_PACKETS {
            self.slots.pop_front();
            self.base += 1;
        }
    }

    /// The packet at `index`, if it is kept.
    pub fn get(&self, index: u64) -> Option<&Media> {
        let at = usize::try_from(index.checked_sub(self.base)?).ok()?;
        self.slots.get(at)?.as_ref().map(|(_, media)| media)
    }

    /// The packet at `index` is kept no longer, nor would be if it came.
    pub fn forgot(&self, index: u64) -> bool {
        index < self.base
    }

    /// The newest packet that is kept.
    pub fn newest(&self) -> Option<&Media> {
        self.slots.back()?.as_ref().map(|(_, media)| media)
    }

    /// The newest key frame and all since, if it is kept without a hole and is short enough for a newcomer to begin with.
    pub fn opening(&self) -> Option<impl Iterator<Item = &Media>> {
        let (first, _) = self.opening.filter(|(_, bytes)| *bytes <= MAX_OPENING)?;
        let at = usize::try_from(first.checked_sub(self.base)?).ok()?;
        let (_, key) = self.slots.get(at)?.as_ref()?;
        let fits = |slot: &Option<(Instant, Media)>| slot.as_ref().is_some_and(|(_, media)| media.epoch == key.epoch);
        let packets = self.slots.range(at..);
        packets.clone().all(fits).then(|| packets.flatten().map(|(_, media)| media))
    }

    fn expire(&mut self, now: Instant) {
        // A hole before the first kept packet goes with it: what would fill it is too late as well.
        while let Some(front) = self.slots.front()
            && front.as_ref().is_none_or(|(at, _)| now.saturating_duration_since(*at) > MAX_AGE)
        {
            self.slots.pop_front();
            self.base += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::media::tests::media;

    #[test]
    fn packets_are_kept_for_a_while_also_out_of_order() {
        let start = crate::test_epoch();
        let mut cache = Cache::default();
        for index in [100, 103, 101] {
            cache.insert(start, media(0, index));
        }
        assert_eq!([99, 100, 101, 102, 103].map(|i| cache.get(i).is_some()), [false, true, true, false, true]);
        cache.insert(start + MAX_AGE + Duration::from_millis(1), media(0, 104));
        assert_eq!([100, 103, 104].map(|i| cache.get(i).is_some()), [false, false, true]);
        assert_eq!(cache.slots.len(), 1);
        assert_eq!([102, 103, 104, 105].map(|i| cache.forgot(i)), [true, true, false, false]);
    }

    fn opening(cache: &Cache) -> Option<Vec<u64>> {
        cache.opening().map(|packets| packets.map(|media| media.index).collect())
    }

    #[test]
    fn a_newcomer_begins_at_the_newest_key_frame_if_nothing_is_missing_since() {
        let now = crate::test_epoch();
        let mut cache = Cache::default();
        let key = |index| {
            let mut media = media(0, index);
            media.meta.keyframe = true;
            media
        };
        cache.insert(now, media(0, 10));
        assert_eq!(opening(&cache), None);
        cache.insert(now, key(11));
        cache.insert(now, media(0, 12));
        assert_eq!(opening(&cache), Some(vec![11, 12]));
        cache.insert(now, media(0, 14));
        assert_eq!(opening(&cache), None, "13 is missing");
        cache.insert(now, media(0, 13));
        cache.insert(now, key(15));
        cache.insert(now, key(11));
        assert_eq!(opening(&cache), Some(vec![15]));
        let later = now + MAX_AGE + Duration::from_millis(1);
        cache.insert(later, media(0, 16));
        assert_eq!(opening(&cache), None, "too long ago");
        cache.insert(later, key(17));
        let mut broken = media(0, 18);
        broken.epoch += 1;
        cache.insert(later, broken);
        assert_eq!(opening(&cache), None, "the stream broke since");
        cache.insert(later, key(19));
        let mut large = media(0, 20);
        large.payload = vec![0; MAX_OPENING].into();
        cache.insert(later, large);
        assert_eq!(opening(&cache), None, "a burst of so many bytes helps nobody");
    }

    #[test]
    fn the_number_of_packets_and_jumps_are_bounded() {
        let start = crate::test_epoch();
        let mut cache = Cache::default();
        for index in 0..5_000 {
            cache.insert(start, media(0, index));
        }
        assert_eq!(cache.slots.len(), MAX_PACKETS);
        assert!(cache.get(4_999).is_some() && cache.get(4_999 - MAX_PACKETS as u64).is_none());
        cache.insert(start, media(0, 1 << 40));
        assert_eq!(cache.slots.len(), 1);
        cache.insert(start, media(0, 3));
        assert!(cache.get(3).is_none());
    }
}
