//! What was left out of a stream on purpose, so that the receiver's numbers have no gap there.

use std::collections::VecDeque;

/// Runs that are remembered: a packet comes late or is asked for within a second, in which hardly more frames are left out.
const MAX_RUNS: usize = 64;

/// So much was left out before some packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct LeftOut {
    /// Packets.
    pub packets: u64,
    /// Pictures that count.
    pub pictures: u16,
}

/// Packets in a row, and what was left out up to their end.
#[derive(Clone, Copy, Debug)]
struct Run {
    first: u64,
    last: u64,
    sum: LeftOut,
}

/// See the module. Its input is [`Gaps::add`]; indices are the source's.
#[derive(Debug, Default)]
pub(super) struct Gaps {
    /// Ascending.
    runs: VecDeque<Run>,
    /// The end of what was forgotten, and the sum up to there.
    forgotten: Option<(u64, LeftOut)>,
}

impl Gaps {
    /// Leaves out `first` to `last`, which is behind all before; `picture`: a picture that counts begins there.
    pub fn add(&mut self, first: u64, last: u64, picture: bool) {
        let mut sum = self.all();
        sum.packets += last - first + 1;
        sum.pictures = sum.pictures.wrapping_add(picture.into());
        match self.runs.back_mut() {
            Some(run) if run.last + 1 == first => (run.last, run.sum) = (last, sum),
            _ => self.runs.push_back(Run { first, last, sum }),
        }
        if self.runs.len() > MAX_RUNS {
            self.forgotten = self.runs.pop_front().map(|run| (run.last, run.sum));
        }
    }

    /// Leaves out one more among or before the last runs; nothing behind it may have been numbered yet.
    pub fn insert(&mut self, index: u64, picture: bool) {
        if self.before(index).is_none() {
            return;
        }
        let at = self.runs.partition_point(|run| run.first < index);
        let before = at.checked_sub(1).and_then(|at| self.runs.get(at)).map(|run| run.sum);
        let mut sum = before.or(self.forgotten.map(|(_, sum)| sum)).unwrap_or_default();
        let more = |sum: &mut LeftOut| {
            sum.packets += 1;
            sum.pictures = sum.pictures.wrapping_add(picture.into());
        };
        more(&mut sum);
        self.runs.range_mut(at..).for_each(|run| more(&mut run.sum));
        self.runs.insert(at, Run { first: index, last: index, sum });
        if self.runs.len() > MAX_RUNS {
            self.forgotten = self.runs.pop_front().map(|run| (run.last, run.sum));
        }
    }

    /// What was left out before the packet at `index`; `None` if it was itself, or that was forgotten.
    pub fn before(&self, index: u64) -> Option<LeftOut> {
        for run in self.runs.iter().rev() {
            if index > run.last {
                return Some(run.sum);
            }
            if index >= run.first {
                return None;
            }
        }
        match self.forgotten {
            Some((last, sum)) => (index > last).then_some(sum),
            None => Some(LeftOut::default()),
        }
    }

    /// The index of the packet whose index less what was left out before it is `index`.
    pub fn source(&self, index: u64) -> Option<u64> {
        for run in self.runs.iter().rev() {
            let source = index.wrapping_add(run.sum.packets);
            if source > run.last && source >= index {
                return Some(source);
            }
        }
        match self.forgotten {
            Some((last, sum)) => Some(index.wrapping_add(sum.packets)).filter(|source| *source > last),
            None => Some(index),
        }
    }

    /// Nothing was left out.
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    fn all(&self) -> LeftOut {
        let forgotten = || self.forgotten.map(|(_, sum)| sum);
        self.runs.back().map(|run| run.sum).or_else(forgotten).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_that_is_sent_is_found_by_its_number_and_none_that_is_left_out_has_one() {
        // Of each three, the third; of the first 1,000, the first 808 are too long ago.
        let mut gaps = Gaps::default();
        for index in 0..1_000 {
            if index % 3 == 2 {
                gaps.add(index, index, true);
            }
        }
        let mut number = None;
        for index in 0..1_010u64 {
            let before = gaps.before(index);
            let sent = (index >= 1_000 || index % 3 != 2) && index > 806;
            assert_eq!(before.is_some(), sent, "{index}");
            let Some(before) = before else { continue };
            assert_eq!(u64::from(before.pictures), before.packets);
            assert!(number.replace(index - before.packets).is_none_or(|number| number + 1 == index - before.packets));
            assert_eq!(gaps.source(index - before.packets), Some(index));
        }
        assert_eq!(gaps.source(100), None);
    }

    #[test]
    fn what_comes_late_before_anything_behind_it_was_sent_is_left_out_too() {
        let mut gaps = Gaps::default();
        gaps.add(2, 3, true);
        gaps.add(6, 6, true);
        gaps.insert(5, true);
        gaps.insert(5, true);
        assert_eq!([4, 5, 7].map(|index| gaps.before(index).map(|sum| sum.packets)), [Some(2), None, Some(4)]);
        assert_eq!([2, 3].map(|number| gaps.source(number)), [Some(4), Some(7)]);
        assert_eq!(gaps.before(7).map(|sum| sum.pictures), Some(3));
    }

    #[test]
    fn runs_that_touch_are_one_and_nothing_left_out_changes_nothing() {
        let mut gaps = Gaps::default();
        assert_eq!((gaps.before(7), gaps.source(7)), (Some(LeftOut::default()), Some(7)));
        for index in 10..1_000 {
            gaps.add(index, index, index == 10);
        }
        assert_eq!(gaps.runs.len(), 1);
        assert_eq!(gaps.before(9), Some(LeftOut::default()));
        assert_eq!(gaps.before(1_000), Some(LeftOut { packets: 990, pictures: 1 }));
        assert_eq!((gaps.source(9), gaps.source(10)), (Some(9), Some(1_000)));
    }
}
