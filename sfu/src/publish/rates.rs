//! Bits per second of one encoding by spatial and temporal layer: what sending a part of it to somebody costs. And which spatial layers
//! it has.

use super::bitrate::Bitrate;
use crate::rtp::seq::newer32;
use crate::rtp::{FrameMeta, LayerSet};
use smallvec::SmallVec;
use std::time::Instant;

/// Spatial layers, and temporal ones, that are told apart; browsers have three of each. What is above counts as the highest.
const MOST: u8 = 3;
/// A spatial layer is gone when so many pictures came without it; an encoder may leave it out of a few.
const GONE: u32 = 8;

/// Frames of one kind.
#[derive(Clone, Copy, Debug)]
struct Cell {
    spatial: u8,
    temporal: u8,
    /// Higher spatial layers need them too.
    shared: bool,
    rate: Bitrate,
    /// Counts a byte for each picture.
    pictures: Bitrate,
}

/// See the module. Its input is [`Rates::add`].
#[derive(Debug, Default)]
pub(super) struct Rates {
    cells: SmallVec<[Cell; 1]>,
}

impl Rates {
    /// Takes in a packet of `bytes`.
    pub fn add(&mut self, now: Instant, meta: &FrameMeta, bytes: usize) {
        let (spatial, temporal) = (meta.spatial.min(MOST - 1), meta.temporal.min(MOST - 1));
        let shared = meta.needed_above;
        let same = |cell: &Cell| (cell.spatial, cell.temporal, cell.shared) == (spatial, temporal, shared);
        let at = self.cells.iter().position(same).unwrap_or_else(|| {
            self.cells.push(Cell { spatial, temporal, shared, rate: Bitrate::default(), pictures: Bitrate::default() });
            self.cells.len() - 1
        });
        if let Some(cell) = self.cells.get_mut(at) {
            cell.rate.add(now, bytes);
            if meta.start {
                cell.pictures.add(now, 1);
            }
        }
    }

    /// What it costs to send `spatial` with all temporal layers up to `temporal`, with what these build on.
    pub fn get(&self, now: Instant, spatial: u8, temporal: u8) -> u64 {
        let needed = |cell: &&Cell| {
            cell.temporal <= temporal && (cell.spatial == spatial || cell.shared && cell.spatial < spatial)
        };
        self.cells.iter().filter(needed).map(|cell| cell.rate.get(now)).sum()
    }

    /// What comes of it.
    pub fn total(&self, now: Instant) -> u64 {
        self.cells.iter().map(|cell| cell.rate.get(now)).sum()
    }

    /// Pictures per second of `spatial` in all temporal layers up to `temporal`.
    pub fn pictures(&self, now: Instant, spatial: u8, temporal: u8) -> u8 {
        let among = |cell: &&Cell| cell.temporal <= temporal && cell.spatial == spatial;
        let bits: u64 = self.cells.iter().filter(among).map(|cell| cell.pictures.get(now)).sum();
        u8::try_from((bits + 4) / 8).unwrap_or(u8::MAX)
    }
}

/// The spatial layers of a stream whose pictures don't tell: those that came with one of the last pictures.
#[derive(Debug, Default)]
pub(super) struct Spatials {
    ts: Option<u32>,
    picture: u32,
    /// The picture that each came with last.
    last: [Option<u32>; MOST as usize],
}

impl Spatials {
    /// Takes in a packet of the picture with timestamp `ts`; returns the layers that there are.
    pub fn seen(&mut self, ts: u32, meta: &FrameMeta) -> LayerSet {
        if self.ts.is_none_or(|newest| newer32(ts, newest)) {
            self.ts = Some(ts);
            self.picture = self.picture.wrapping_add(1);
        }
        let picture = self.picture;
        if meta.spatials != LayerSet::default() {
            // It does tell.
            for (at, last) in (0..).zip(&mut self.last) {
                *last = meta.spatials.contains(at).then_some(picture);
            }
        } else if let Some(last) = self.last.get_mut(usize::from(meta.spatial)) {
            *last = Some(picture);
        }
        let is_there = |last: &Option<u32>| last.is_some_and(|last| picture.wrapping_sub(last) < GONE);
        let there = (0..).zip(&self.last).filter(|(_, last)| is_there(last));
        there.fold(LayerSet::default(), |set, (at, _)| set.with(at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn meta(spatial: u8, temporal: u8, needed_above: bool) -> FrameMeta {
        FrameMeta { spatial, temporal, needed_above, ..FrameMeta::default() }
    }

    #[test]
    fn a_layer_costs_its_own_frames_and_those_it_builds_on() {
        let (start, mut rates) = (crate::test_epoch(), Rates::default());
        for n in 0..100 {
            let now = start + Duration::from_millis(10) * n;
            rates.add(now, &meta(0, 0, n == 50), 100);
            rates.add(now, &meta(0, 1, false), 200);
            rates.add(now, &meta(1, 0, false), 400);
            rates.add(now, &meta(1, 1, false), 800);
        }
        let kbit = |spatial, temporal| rates.get(start + Duration::from_secs(1), spatial, temporal) / 1_000;
        assert!((75..=81).contains(&kbit(0, 0)) && (230..=242).contains(&kbit(0, 2)), "{} {}", kbit(0, 0), kbit(0, 2));
        // Of the layer below one frame in a hundred.
        assert!((310..=322).contains(&kbit(1, 0)) && (940..=962).contains(&kbit(1, 1)), "{}", kbit(1, 0));
    }

    #[test]
    fn a_layer_that_is_left_out_for_long_is_gone_and_a_key_picture_tells_at_once() {
        let mut spatials = Spatials::default();
        let all = FrameMeta { spatials: LayerSet(0b111), ..FrameMeta::default() };
        assert_eq!(spatials.seen(1, &all), LayerSet(0b111));
        for ts in 2..9 {
            assert_eq!(spatials.seen(ts, &meta(0, 0, false)).contains(2), ts < 9, "{ts}");
        }
        assert_eq!(spatials.seen(9, &meta(0, 0, false)), LayerSet(0b001));
        assert_eq!(spatials.seen(9, &meta(1, 0, false)), LayerSet(0b011));
        assert_eq!(spatials.seen(10, &FrameMeta { spatials: LayerSet(1), ..all }), LayerSet(1));
    }
}
