//! Orders what waits for one peer and cuts it into runs of equal datagrams, which the socket sends as one message each (UDP GSO).
//!
//! Encoders cut a frame into packets that differ by a byte or two; RTP padding makes them equal. Frames of one packet, as thumbnails
//! are, differ by more: but the last datagram of a run may be shorter than the others, so the long before the short makes at
//! least pairs of them. A message costs the kernel some 2,700 ns beside 300 ns for each datagram in it, a few bytes of padding nothing.

use crate::id::Ssrc;
use crate::transmit::MAX_SEGMENTS;
use smallvec::SmallVec;
use std::cmp::Reverse;

/// The most padding that one datagram gets: 3% of a video packet.
pub(super) const LITTLE: usize = 32;
/// ... where time runs out and the way to the peer has room: all that RTP can carry. Some of a thumbnail's size, and a message less.
pub(super) const MUCH: usize = 255;

/// More than so many packets of one turn leave in the order in which they came: they make runs without help, and looking for each one's
/// stream would take long.
const MAX_ORDERED: usize = 64;

/// The order in which the packets of one turn leave for one peer, and how long each becomes. It keeps its memory.
#[derive(Default)]
pub(super) struct Order {
    places: Vec<Place>,
    lens: Vec<usize>,
}

/// One packet.
struct Place {
    /// Where it stood.
    at: u16,
    /// The length of the first packet of its stream.
    rank: u16,
    ssrc: Ssrc,
}

impl Order {
    /// Orders packets, told by stream and length: streams with long packets first, the packets of each stream as they stood. None
    /// gets more than `padding` bytes.
    pub(super) fn arrange(&mut self, packets: impl Iterator<Item = (Ssrc, usize)>, padding: usize) {
        self.places.clear();
        self.lens.clear();
        for (at, (ssrc, len)) in packets.enumerate() {
            let known = if at < MAX_ORDERED { self.places.iter().rev().find(|place| place.ssrc == ssrc) } else { None };
            let rank = known.map_or(len as u16, |place| place.rank);
            self.places.push(Place { at: at as u16, rank, ssrc });
            self.lens.push(len);
        }
        if (2..=MAX_ORDERED).contains(&self.places.len()) && !self.places.is_sorted_by_key(|place| Reverse(place.rank))
        {
            self.places.sort_by_key(|place| Reverse(place.rank));
            let lens: SmallVec<[usize; MAX_ORDERED]> = SmallVec::from_slice(&self.lens);
            for (len, place) in self.lens.iter_mut().zip(&self.places) {
                *len = lens.get(usize::from(place.at)).copied().unwrap_or_default();
            }
        }
        equalise(&mut self.lens, padding);
    }

    /// Where each packet stood, and the length that it shall have.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, usize)> {
        self.places.iter().map(|place| usize::from(place.at)).zip(self.lens.iter().copied())
    }
}

/// Raises each length to what its datagram shall have, none by more than `padding` and none above the longest in its run.
/// A datagram that ends a run stays as it is: only the last of a run may be shorter.
pub(super) fn equalise(lens: &mut [usize], padding: usize) {
    let mut rest = lens;
    while let Some(first) = rest.first() {
        let (mut low, mut high) = (*first, *first);
        let mut count = 1;
        for len in rest.iter().take(MAX_SEGMENTS).skip(1) {
            let (lower, higher) = (low.min(*len), high.max(*len));
            if higher - lower > padding {
                break;
            }
            (low, high) = (lower, higher);
            count += 1;
        }
        let (run, after) = rest.split_at_mut(count);
        let tail = count < MAX_SEGMENTS && after.first().is_some_and(|len| *len < high);
        let padded = if tail { count } else { count - 1 };
        run.iter_mut().take(padded).for_each(|len| *len = high);
        rest = after.get_mut(usize::from(tail)..).unwrap_or_default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn equalised<const N: usize>(mut lens: [usize; N]) -> [usize; N] {
        equalise(&mut lens, LITTLE);
        lens
    }

    #[test]
    fn nearly_equal_datagrams_become_equal_and_a_shorter_one_ends_them() {
        assert_eq!(equalised([999, 999, 1_000, 1_000]), [1_000; 4]);
        assert_eq!(equalised([1_000, 1_000, 999]), [1_000, 1_000, 999], "the last of a run needs no padding");
        assert_eq!(equalised([1_000, 999, 120]), [1_000, 1_000, 120]);
        assert_eq!(equalised([1_000, 999, 120, 125, 130]), [1_000, 1_000, 120, 130, 130]);
    }

    #[test]
    fn with_much_padding_frames_of_many_sizes_leave_as_one() {
        let mut lens = [1_000, 900, 760, 700, 120];
        equalise(&mut lens, MUCH);
        assert_eq!(lens, [1_000, 1_000, 1_000, 700, 120]);
    }

    #[test]
    fn what_differs_by_more_is_left_alone() {
        assert_eq!(equalised([500, 1_000, 1_033]), [500, 1_000, 1_033]);
        assert_eq!(equalised([]), []);
    }

    fn arranged(packets: &[(u32, usize)]) -> Vec<(usize, usize)> {
        let mut order = Order::default();
        order.arrange(packets.iter().map(|(ssrc, len)| (Ssrc(*ssrc), *len)), LITTLE);
        order.iter().collect()
    }

    #[test]
    fn the_long_go_before_the_short_so_that_frames_of_one_packet_leave_in_pairs() {
        let frames = [(1, 300), (2, 800), (3, 500), (4, 640)];
        assert_eq!(arranged(&frames), [(1, 800), (3, 640), (2, 500), (0, 300)]);
    }

    #[test]
    fn the_packets_of_a_stream_stay_in_order_also_the_short_ones() {
        let streams = [(1, 400), (2, 1_000), (2, 1_000), (2, 300), (1, 1_000), (3, 120)];
        assert_eq!(arranged(&streams), [(1, 1_000), (2, 1_000), (3, 300), (0, 400), (4, 1_000), (5, 120)]);
    }

    #[test]
    fn what_is_too_much_to_be_ordered_leaves_as_it_came() {
        let many: Vec<(u32, usize)> = (0..200).map(|n| (n, 100 * n as usize)).collect();
        assert!(arranged(&many).iter().enumerate().all(|(at, (place, _))| at == *place));
    }

    #[test]
    fn the_longest_run_is_what_the_kernel_takes() {
        let mut lens = vec![1_000; MAX_SEGMENTS];
        lens.extend([999, 1_001]);
        equalise(&mut lens, LITTLE);
        assert_eq!(lens[MAX_SEGMENTS..], [1_001, 1_001]);
    }
}
