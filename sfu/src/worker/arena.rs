//! The packets of one turn that wait to be sent: each lies here once, and what waits for a peer only names it.

use crate::rtp::Media;

/// Packets from when they are offered to subscriptions until all that wait for them are flushed.
#[derive(Default)]
pub(super) struct Arena {
    packets: Vec<Media>,
    /// The first packet's number. Numbers run on over turns, so that none is taken for another turn's packet.
    first: u32,
}

/// A packet's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Place(u32);

impl Arena {
    /// Takes one in.
    pub(super) fn push(&mut self, packet: Media) -> Place {
        let place = self.place(self.packets.len());
        self.packets.push(packet);
        place
    }

    /// The newest `count` packets with their places, oldest first.
    pub(super) fn newest(&self, count: usize) -> impl Iterator<Item = (Place, &Media)> {
        let from = self.packets.len().saturating_sub(count);
        self.packets.iter().enumerate().skip(from).map(|(at, media)| (self.place(at), media))
    }

    /// The packet, unless it was forgotten.
    pub(super) fn get(&self, place: Place) -> Option<&Media> {
        self.packets.get(place.0.wrapping_sub(self.first) as usize)
    }

    /// Forgets all, keeps the memory.
    pub(super) fn clear(&mut self) {
        self.first = self.place(self.packets.len()).0;
        self.packets.clear();
    }

    fn place(&self, at: usize) -> Place {
        Place(self.first.wrapping_add(at as u32))
    }
}

impl Extend<Media> for Arena {
    fn extend<T: IntoIterator<Item = Media>>(&mut self, packets: T) {
        self.packets.extend(packets);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::media::tests::media;

    #[test]
    fn packets_are_found_until_they_are_forgotten_and_never_mistaken() {
        // Numbers that wrap soon.
        let mut arena = Arena { first: u32::MAX - 3, ..Arena::default() };
        for turn in 0..5 {
            let alone = arena.push(media(0, turn));
            arena.extend((1..3).map(|n| media(0, turn + 10 * n)));
            let newest: Vec<_> = arena.newest(2).map(|(place, media)| (place, media.index)).collect();
            assert_eq!(newest.iter().map(|(_, index)| *index).collect::<Vec<_>>(), [turn + 10, turn + 20]);
            assert!(newest.iter().all(|(place, index)| arena.get(*place).is_some_and(|media| media.index == *index)));
            assert_eq!(arena.get(alone).map(|media| media.index), Some(turn));
            arena.clear();
            arena.push(media(0, 99));
            assert!(arena.get(alone).is_none() && newest.iter().all(|(place, _)| arena.get(*place).is_none()));
            arena.clear();
        }
    }
}
