//! Who has the floor: a participant takes it over once its speech outweighs that of who has it on all three time scales (Volfin and
//! Cohen 2012, section 5), so a cough, a click or a word of agreement doesn't.

use super::activity::Scores;
use crate::id::TrackId;

/// By how much, as the log of the ratio of scores: the paper's C1, C2 and C3.
const IMMEDIATE: f32 = 3.0;
const MEDIUM: f32 = 2.0;
const LONG: f32 = 0.0;
/// ... and so many tenths of a second it must have spoken within the last. A cough is a third of one.
const LEAST_BLOCKS: u32 = 4;

/// Keeps who has it. It stays with who spoke last until somebody else takes it.
#[derive(Debug, Default)]
pub(super) struct Dominant {
    current: Option<TrackId>,
}

impl Dominant {
    /// Who has it.
    pub fn current(&self) -> Option<TrackId> {
        self.current
    }

    /// It's gone with its track.
    pub fn remove(&mut self, track: TrackId) {
        self.current = self.current.filter(|current| *current != track);
    }

    /// Decides anew. `scores` are of all who made themselves heard lately; true if somebody else has it now.
    pub fn decide(&mut self, scores: &[(TrackId, Scores)]) -> bool {
        let of = |track| scores.iter().find(|(id, _)| Some(*id) == track).map_or(Scores::SILENT, |(_, scores)| *scores);
        let held = of(self.current);
        let ratio = |ours: f32, theirs: f32| (ours / theirs).ln();
        let challengers = scores.iter().filter(|(track, scores)| {
            Some(*track) != self.current
                && scores.blocks >= LEAST_BLOCKS
                && ratio(scores.immediate, held.immediate) > IMMEDIATE
                && ratio(scores.medium, held.medium) > MEDIUM
                && ratio(scores.long, held.long) > LONG
        });
        // Of several the one that spoke most; of equals the one that is known longer.
        let strongest = challengers.max_by(|(a, x), (b, y)| {
            let by = x.long.total_cmp(&y.long).then(x.medium.total_cmp(&y.medium));
            by.then(b.cmp(a))
        });
        let Some((track, _)) = strongest else { return false };
        self.current = Some(*track);
        true
    }
}
