//! All that a publication can be sent as: its spatial layers, each with its temporal ones, from the least to the best.

use super::full::Full;
use super::rates::Rates;
use crate::params::{LayerParams, MAX_LAYERS};
use crate::rtp::LayerSet;
use smallvec::SmallVec;
use std::time::{Duration, Instant};

/// It is asked for by every subscriber ten times a second, and hardly differs in between.
const FRESH: Duration = Duration::from_millis(40);
/// Temporal layers that are told apart.
const TEMPORAL: u8 = 3;
/// Of what packets hold headers take one part in so many more.
const HEADERS: u64 = 20;
/// Spatial layers that are told apart.
const SPATIAL: usize = 3;

/// One of the things that a publication can be sent as.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rung {
    /// Simulcast layer.
    pub layer: u8,
    /// Spatial layer within it (SVC).
    pub spatial: u8,
    /// Highest temporal layer.
    pub temporal: u8,
    /// Pictures per second; those with all temporal layers have `u8::MAX`: there are no more.
    pub pictures: u8,
    /// Bits per second.
    pub rate: u64,
    /// What all frames of this size take when the publisher may send what it likes ([`Upstream`](super::Upstream)), in bits per second.
    pub full: u64,
    /// Its publisher doesn't send it at this moment; the rate is what it was when it did.
    pub stopped: bool,
}

impl Rung {
    /// Its picture has the same size as that of another.
    pub fn is_as_large_as(&self, other: &Self) -> bool {
        (self.layer, self.spatial) == (other.layer, other.spatial)
    }

    /// Its place among all that a publication may ever be sent as.
    pub fn place(&self) -> (u8, u8, u8) {
        (self.layer, self.spatial, self.temporal)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    at: Option<Instant>,
    rungs: SmallVec<[Rung; 9]>,
    /// By simulcast and spatial layer.
    full: [[Full; SPATIAL]; MAX_LAYERS],
    /// By simulcast layer, as far as the publisher says; headers included.
    most: [Option<u64>; MAX_LAYERS],
}

impl Ladder {
    /// Of these simulcast layers.
    pub fn new(layers: &[LayerParams]) -> Self {
        let mut ladder = Self::default();
        for (most, layer) in ladder.most.iter_mut().zip(layers) {
            *most = layer.most.map(|most| most + most / HEADERS);
        }
        ladder
    }

    /// It has to be built anew.
    pub fn is_old(&self, now: Instant) -> bool {
        self.at.is_none_or(|at| now.saturating_duration_since(at) >= FRESH)
    }

    /// Builds it from simulcast layers, lowest first, each with its spatial layers. A temporal layer without frames is none.
    pub fn build<'a>(&mut self, now: Instant, layers: impl Iterator<Item = (u8, LayerSet, &'a Rates)>) {
        self.at = Some(now);
        self.rungs.clear();
        for (layer, spatials, rates) in layers {
            let spatials = if spatials == LayerSet::default() { spatials.with(0) } else { spatials };
            for spatial in (0..8).filter(|spatial| spatials.contains(*spatial)) {
                let (mut before, first) = (None, self.rungs.len());
                for temporal in 0..TEMPORAL {
                    let rate = rates.get(now, spatial, temporal);
                    if before != Some(rate) {
                        let pictures = rates.pictures(now, spatial, temporal);
                        self.rungs.push(Rung { layer, spatial, temporal, pictures, rate, full: 0, stopped: false });
                    }
                    before = Some(rate);
                }
                let Some(last) = self.rungs.last_mut() else { continue };
                last.pictures = u8::MAX;
                let whole = last.rate;
                let full = self.full(layer, spatial).unwrap_or(whole);
                self.rungs.iter_mut().skip(first).for_each(|rung| rung.full = full);
            }
        }
    }

    /// Adds a simulcast layer of which nothing comes at this moment; `stopped`: for so long that it isn't sent.
    pub fn silent(&mut self, layer: u8, rate: u64, stopped: bool) {
        let above = self.rungs.partition_point(|rung| rung.layer < layer);
        let full = self.full(layer, 0).unwrap_or(0).max(rate);
        let rung = Rung { layer, spatial: 0, temporal: TEMPORAL - 1, pictures: u8::MAX, rate, full, stopped };
        self.rungs.insert(above, rung);
    }

    /// Notes what each size takes, at most if the publisher is `limited`. Once a second or so.
    pub fn note_full(&mut self, limited: bool) {
        for at in 0..self.rungs.len() {
            let Some(rung) = self.rungs.get(at).copied().filter(|rung| rung.pictures == u8::MAX && !rung.stopped)
            else {
                continue;
            };
            full(&mut self.full, rung.layer, rung.spatial).note(rung.rate, limited);
        }
    }

    /// What one size takes as far as is known, and no more than its publisher says.
    fn full(&mut self, layer: u8, spatial: u8) -> Option<u64> {
        let most = self.most.get(usize::from(layer)).copied().flatten().unwrap_or(u64::MAX);
        full(&mut self.full, layer, spatial).get().map(|full| full.min(most))
    }

    /// What it was when it was built last.
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }
}

/// The entry of one size; what is above the table counts as its last.
fn full(table: &mut [[Full; SPATIAL]; MAX_LAYERS], layer: u8, spatial: u8) -> &mut Full {
    &mut table[usize::from(layer).min(MAX_LAYERS - 1)][usize::from(spatial).min(SPATIAL - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::FrameMeta;

    #[test]
    fn every_layer_has_a_rung_for_each_of_its_temporal_layers() {
        let now = crate::test_epoch();
        let rates = |temporals: u8| {
            let mut rates = Rates::default();
            for temporal in 0..temporals {
                rates.add(now, &FrameMeta { temporal, start: true, ..FrameMeta::default() }, 1_000);
                rates.add(now, &FrameMeta { temporal, ..FrameMeta::default() }, 1_000);
            }
            rates
        };
        let (mut ladder, low, high) = (Ladder::default(), rates(1), rates(3));
        ladder.build(now, [(0, LayerSet::default(), &low), (2, LayerSet(1), &high)].into_iter());
        let places: Vec<_> = ladder.rungs().iter().map(|rung| (rung.place(), rung.pictures)).collect();
        let expected = [((0, 0, 0), u8::MAX), ((2, 0, 0), 4), ((2, 0, 1), 8), ((2, 0, 2), u8::MAX)];
        assert_eq!(places, expected);
        assert!(ladder.rungs().windows(2).skip(1).all(|pair| pair[0].rate < pair[1].rate));
        assert!(!ladder.is_old(now) && ladder.is_old(now + FRESH));
        let full = |ladder: &Ladder| ladder.rungs().last().map(|rung| rung.full);
        let whole = full(&ladder);
        ladder.note_full(false);
        assert_eq!(full(&ladder), whole);
        // No more than its publisher says, headers included.
        let says = |most| LayerParams { most, ..LayerParams::default() };
        let mut told = Ladder::new(&[says(None), says(None), says(Some(4_000))]);
        told.build(now, [(0, LayerSet::default(), &low), (2, LayerSet(1), &high)].into_iter());
        told.note_full(false);
        told.build(now, [(0, LayerSet::default(), &low), (2, LayerSet(1), &high)].into_iter());
        let fulls: Vec<_> = told.rungs().iter().map(|rung| (rung.layer, rung.full)).collect();
        assert_eq!([fulls[0], fulls[3]], [(0, told.rungs()[0].rate), (2, 4_200)]);
        assert!(whole > Some(4_200));
        ladder.silent(1, 7, true);
        let stopped: Vec<_> = ladder.rungs().iter().map(|rung| (rung.layer, rung.stopped)).collect();
        assert_eq!(stopped, [(0, false), (1, true), (2, false), (2, false), (2, false)]);
    }
}
