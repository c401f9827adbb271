//! Who gets how much of what one receiver may be sent: audio whole, then a picture of everyone as far as it goes, then better
//! pictures of the most important first. docs/CONGESTION.md tells why.
//!
//! A pure function of its inputs. What it decided before is one of them: to stay costs less than to climb, so that it doesn't
//! go to and fro at the edge.

use crate::publish::Rung;
use smallvec::SmallVec;

/// Above what is sent now, a larger picture is begun only if so much more than its rate is there: its peaks, and a little doubt.
pub const CLIMB: f64 = 1.15;
/// ... and more frames of the same size, if so much more is there: they need no key frame, and can end with any picture. From [`WIDE`] on.
const MORE_FRAMES: f64 = 1.05;
/// Below so many pictures a second motion looks broken, and a decoder that waits for the next takes it for a line that died: such a rung is
/// taken only if there is none else.
const SMOOTH: u8 = 11;
/// ... and one that is shown counts as smooth down to so many, since cameras slow down for moments.
const STILL_SMOOTH: u8 = 8;
/// Nothing begins beside the first picture that would leave less than this, in bits per second: a line that is used to the last bit has a
/// queue now and then, and voices wait in it. ...
pub const HEADROOM: u64 = 200_000;
/// ... Where more than this may be sent it is less, and from [`WIDE`] on nothing, ...
const NARROW: u64 = 600_000;
const WIDE: u64 = 1_000_000;
/// ... unless what begins takes more than this part of all: a mistake about the way would cost as much.
const LARGE: f64 = 0.5;
/// So much of the budget may be taken by the larger pictures that begin together ([`Sharing::begin_in_turn`]).
const AT_ONCE: f64 = 0.3;
/// The least of what is shown stays as long as so much of its rate is there: its key frame counts into the rate for a second, and to
/// pause a picture is the last resort.
const KEEP: f64 = 0.8;
/// ... and anything, while nobody knows how much there is: to take back what was just begun needs a reason.
const KEEP_UNTRIED: f64 = 0.5;

/// One subscription as the allocation sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Demand {
    /// More important ones come first; equals share.
    pub importance: u16,
    /// All that could be sent and is wanted, from the least to the best.
    pub rungs: SmallVec<[Rung; 9]>,
    /// Which of them it was given last time.
    pub given: Option<usize>,
    /// What its picture takes while a larger encoding than was given goes on, until the key frame of that, in bits per second; else 0.
    pub lingers: u64,
    /// It is never paused: audio, which has one rung.
    pub always: bool,
    /// Its publisher was told to send less than it would.
    pub limited: bool,
    /// Nothing yet showed that the way is full: the budget is only what was tried.
    pub untried: bool,
}

impl Demand {
    /// What a rung takes.
    pub fn rate(&self, rung: Option<usize>) -> u64 {
        rung.and_then(|at| self.rungs.get(at)).map_or(0, |rung| rung.rate)
    }

    /// What a rung costs in the decision about so much.
    fn cost(&self, at: usize, budget: u64) -> u64 {
        let rate = |at| self.rate(Some(at)) as f64;
        let cost = match self.given {
            // What is less than it has costs no more than to stay.
            Some(given) if at < given => rate(at).min(self.stay(given)),
            Some(given) if at == given => self.stay(given),
            _ if self.always => rate(at),
            Some(given) if budget >= WIDE && self.same_size(given, at) => MORE_FRAMES * rate(at),
            _ => CLIMB * rate(at),
        };
        cost as u64
    }

    /// What it costs to go on with what was given.
    fn stay(&self, given: usize) -> f64 {
        let factor = match self.untried {
            true => KEEP_UNTRIED,
            false if given <= self.least_smooth() => KEEP,
            false => 1.0,
        };
        self.rate(Some(given)) as f64 * factor
    }

    fn same_size(&self, a: usize, b: usize) -> bool {
        self.rungs.get(a).zip(self.rungs.get(b)).is_some_and(|(a, b)| a.is_as_large_as(b))
    }

    /// What its picture takes for a moment beyond a rung that is less than it has: until a key frame, if that is of another encoding.
    fn ending(&self, rung: Option<usize>) -> u64 {
        let Some(rung) = rung else { return 0 };
        let given = self.given.filter(|given| !self.same_encoding(*given, rung));
        self.rate(given).max(self.lingers).saturating_sub(self.rate(Some(rung)))
    }

    /// What all that is wanted of it takes, when its publisher sends what it likes.
    fn wanted(&self) -> u64 {
        self.rungs.last().map_or(0, |rung| if self.limited { rung.rate.max(rung.full) } else { rung.rate })
    }

    /// The best that is wanted and there.
    pub fn top(&self) -> Option<usize> {
        self.rungs.len().checked_sub(1)
    }

    /// Going from one to the other needs no key frame of another encoding.
    pub fn same_encoding(&self, a: usize, b: usize) -> bool {
        self.rungs.get(a).zip(self.rungs.get(b)).is_some_and(|(a, b)| a.layer == b.layer)
    }

    /// A larger picture begins whole; with fewer frames it goes on, if it doesn't fit any more.
    fn may_begin(&self, at: usize) -> bool {
        let Some(rung) = self.rungs.get(at) else { return false };
        let size = |rung: &Rung| (rung.layer, rung.spatial);
        let reached = self.given.and_then(|given| self.rungs.get(given)).map(size).or(self.rungs.first().map(size));
        rung.pictures == u8::MAX || reached.is_some_and(|reached| size(rung) <= reached)
    }

    fn is_smooth(&self, at: usize) -> bool {
        let enough = if self.given == Some(at) { STILL_SMOOTH } else { SMOOTH };
        self.rungs.get(at).is_some_and(|rung| rung.pictures >= enough)
    }

    /// The first with enough pictures a second.
    fn least_smooth(&self) -> usize {
        (0..self.rungs.len()).find(|at| self.is_smooth(*at)).unwrap_or(0)
    }
}

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Allocation {
    /// The rung of each demand, in their order; `None`: nothing of it.
    pub rungs: Vec<Option<usize>>,
    /// Bits per second of what was given.
    pub given: u64,
    /// Bits per second if all that is wanted were given; the same as `given` if it is.
    pub wanted: u64,
}

/// How a picture may get better.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Better {
    /// In any way.
    Any,
    /// By what has enough pictures a second.
    Smooth,
    /// ... of the smallest size.
    Smallest,
}

/// Divides `budget` (bits per second; `None`: no limit is known) among `demands`. `backlog`: bits that stand in a queue on the way and have
/// to leave first; better pictures wait for that, but nobody loses the last one.
pub fn allocate(budget: Option<u64>, backlog: u64, demands: &[Demand]) -> Allocation {
    let wanted = demands.iter().map(Demand::wanted).sum();
    let Some(budget) = budget else {
        let rungs = demands.iter().map(Demand::top).collect();
        let given = demands.iter().map(|d| d.rate(d.top())).sum();
        return Allocation { rungs, given, wanted };
    };
    let audio: u64 = demands.iter().filter(|d| d.always).map(|d| d.rate(d.top())).sum();
    let mut sharing = Sharing {
        demands,
        rungs: demands.iter().map(|d| if d.always { d.top() } else { None }).collect(),
        budget,
        left: budget.saturating_sub(audio),
        taken: audio,
        shown: false,
    };
    let mut order: Vec<usize> = (0..demands.len()).filter(|at| demands.get(*at).is_some_and(|d| !d.always)).collect();
    // Of equals, who is shown comes before who isn't.
    let is_shown = |at: usize| demands.get(at).is_some_and(|demand| demand.given.is_some());
    order.sort_by_key(|at| std::cmp::Reverse((importance(demands, *at), is_shown(*at))));

    // A picture of everyone, the most important first. What doesn't fit makes no room for one that matters less.
    for at in &order {
        let shown = sharing.climb(*at, Better::Smooth) || sharing.climb(*at, Better::Any);
        if !shown && demands.get(*at).is_some_and(|d| d.top().is_some()) {
            break;
        }
    }
    sharing.left = sharing.left.saturating_sub(backlog);
    // In full motion.
    sharing.climb_together(&order, Better::Smallest);
    // Larger pictures: within equals a step each in turn, the important ones to the top first.
    for group in order.chunk_by(|a, b| importance(demands, *a) == importance(demands, *b)) {
        sharing.climb_together(group, Better::Smooth);
    }
    sharing.begin_in_turn(&order);
    Allocation { rungs: sharing.rungs, given: sharing.taken, wanted }
}

fn importance(demands: &[Demand], at: usize) -> u16 {
    demands.get(at).map_or(0, |d| d.importance)
}

/// What has to be left free of `budget` by what begins and takes `rate`.
pub(super) fn headroom(budget: u64, rate: u64) -> u64 {
    if rate as f64 > budget as f64 * LARGE {
        return HEADROOM;
    }
    HEADROOM * (WIDE - budget.clamp(NARROW, WIDE)) / (WIDE - NARROW)
}

/// An allocation under way.
struct Sharing<'a> {
    demands: &'a [Demand],
    rungs: Vec<Option<usize>>,
    budget: u64,
    /// What is left of the budget by what rungs cost in the decision, ...
    left: u64,
    /// ... and what they take.
    taken: u64,
    /// Somebody has a picture.
    shown: bool,
}

impl Sharing<'_> {
    /// Lets all that are shown climb in turn, the lowest first, as long as one can. What they have they keep before anything begins: equals
    /// would swap places else, by chance, for a key frame each.
    fn climb_together(&mut self, order: &[usize], better: Better) {
        let shown = |at: &usize| self.rungs.get(*at).is_some_and(Option::is_some);
        let shown: Vec<usize> = order.iter().copied().filter(shown).collect();
        for holds in [true, false] {
            let mut rising = shown.clone();
            while let Some(lowest) = rising.iter().map(|at| self.rung(*at)).min() {
                let waits = |sharing: &Self, at| sharing.rung(at) > lowest;
                rising.retain(|at| waits(self, *at) || (!holds || self.is_below_given(*at)) && self.climb(*at, better));
            }
        }
    }

    fn rung(&self, at: usize) -> Option<usize> {
        self.rungs.get(at).copied().flatten()
    }

    /// It has less than it was given last time.
    fn is_below_given(&self, at: usize) -> bool {
        let given = self.demands.get(at).and_then(|demand| demand.given);
        self.rung(at) < given
    }

    /// Gives one the next rung, if it fits.
    fn climb(&mut self, at: usize, better: Better) -> bool {
        let (Some(demand), Some(rung)) = (self.demands.get(at), self.rungs.get_mut(at)) else { return false };
        let from = rung.map_or(0, |rung| rung + 1);
        let fits = |next: &usize| match better {
            Better::Any => true,
            Better::Smooth => demand.is_smooth(*next) && demand.may_begin(*next),
            Better::Smallest => demand.is_smooth(*next) && demand.same_size(0, *next),
        };
        let Some(next) = (from..demand.rungs.len()).find(fits) else { return false };
        // What its present rung took is given back.
        let held = rung.map_or(0, |rung| demand.cost(rung, self.budget));
        let Some(rest) = (self.left + held).checked_sub(demand.cost(next, self.budget)) else { return false };
        let taken = self.taken - demand.rate(*rung) + demand.rate(Some(next));
        let begins = demand.given.is_none_or(|given| next > given) && !demand.always && self.shown;
        // What costs less to stay than it takes makes no room for others.
        let free = if demand.untried { 0 } else { headroom(self.budget, demand.rate(Some(next))) };
        if begins && (taken > self.budget || rest < free) {
            return false;
        }
        (self.left, self.taken, self.shown) = (rest, taken, true);
        *rung = Some(next);
        true
    }

    /// A larger picture begins with a key frame, which takes as much as all of a fifth of a second; many at once would be a queue. So together
    /// only begins what takes [`AT_ONCE`] of the budget, or one alone; the others wait for the next allocation. And all wait for what ends, if
    /// there is no room for both: it goes on until the key frame of what replaces it.
    fn begin_in_turn(&mut self, order: &[usize]) {
        let (mut left, mut begun) = ((self.budget as f64 * AT_ONCE) as u64, false);
        let ending: u64 = self.demands.iter().zip(&self.rungs).map(|(demand, rung)| demand.ending(*rung)).sum();
        for at in order {
            let (Some(demand), Some(rung)) = (self.demands.get(*at), self.rungs.get_mut(*at)) else { continue };
            let (Some(given), Some(next)) = (demand.given, *rung) else { continue };
            if next <= given || demand.same_encoding(given, next) {
                continue;
            }
            let rate = demand.rate(*rung);
            let waits = ending > 0 && self.taken + ending > self.budget;
            if waits || begun && rate > left {
                *rung = Some(given);
                self.taken = self.taken - rate + demand.rate(*rung);
            } else {
                (left, begun) = (left.saturating_sub(rate), true);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZES: [u64; 3] = [150_000, 500_000, 1_700_000];

    /// Simulcast without temporal layers.
    fn video(importance: u16, given: Option<usize>) -> Demand {
        let rung = |(layer, rate)| Rung { layer, rate, pictures: u8::MAX, ..Rung::default() };
        let rungs = (0..).zip(SIZES).map(rung).collect();
        Demand { importance, rungs, given, ..Demand::default() }
    }

    /// ... and with three, of 40, 60 and 100% of the rate, of a camera with 30 pictures a second.
    fn smooth(importance: u16, given: Option<usize>) -> Demand {
        let shares = [(0, 40, 7), (1, 60, 15), (2, 100, u8::MAX)];
        let rung = |layer, rate, (temporal, share, pictures)| Rung {
            layer,
            spatial: 0,
            temporal,
            pictures,
            rate: rate * share / 100,
            full: rate,
            stopped: false,
        };
        let size = |(layer, rate)| shares.map(|share| rung(layer, rate, share));
        Demand { importance, rungs: (0..).zip(SIZES).flat_map(size).collect(), given, ..Demand::default() }
    }

    fn audio() -> Demand {
        let rungs = SmallVec::from_slice(&[Rung { rate: 40_000, pictures: u8::MAX, ..Rung::default() }]);
        Demand { rungs, given: Some(0), always: true, ..Demand::default() }
    }

    fn rungs(budget: u64, demands: &[Demand]) -> Vec<Option<usize>> {
        allocate(Some(budget), 0, demands).rungs
    }

    #[test]
    fn without_a_known_limit_all_that_is_wanted_is_given() {
        let a = allocate(None, 0, &[audio(), video(1, None)]);
        assert_eq!((a.rungs, a.given, a.wanted), (vec![Some(0), Some(2)], 1_740_000, 1_740_000));
    }

    #[test]
    fn audio_is_never_paused_and_video_is() {
        assert_eq!(rungs(20_000, &[audio(), audio(), video(1, Some(0))]), [Some(0), Some(0), None]);
        assert_eq!(rungs(80_000 + 150_000, &[audio(), audio(), video(1, Some(0))]), [Some(0), Some(0), Some(0)]);
    }

    #[test]
    fn everyone_gets_a_picture_before_anyone_gets_a_better_one() {
        assert_eq!(rungs(800_000, &[video(1, None), video(2, None), video(1, None)]), [Some(0), Some(0), Some(0)]);
        assert_eq!(rungs(600_000, &[video(1, None), video(2, None), video(1, None)]), [Some(0), Some(0), None]);
    }

    #[test]
    fn the_important_one_climbs_to_the_top_first_and_equals_climb_together() {
        assert_eq!(rungs(2_600_000, &[video(1, None), video(2, None), video(1, None)]), [Some(0), Some(2), Some(0)]);
        assert_eq!(rungs(2_000_000, &[video(1, None), video(1, None), video(1, None)]), [Some(1), Some(1), Some(1)]);
    }

    #[test]
    fn what_is_shown_stays_at_the_edge_where_nothing_new_would_begin() {
        assert_eq!(rungs(1_700_000, &[video(1, Some(2))]), [Some(2)]);
        assert_eq!(rungs(2_150_000, &[video(1, Some(1))]), [Some(1)]);
        assert_eq!(rungs(2_160_000, &[video(1, Some(1))]), [Some(2)]);
        assert_eq!(rungs(1_690_000, &[video(1, Some(2))]), [Some(1)]);
        // More frames of the same size cost less of that.
        assert_eq!(rungs(1_980_000, &[smooth(1, Some(7))]), [Some(7)]);
        assert_eq!(rungs(1_990_000, &[smooth(1, Some(7))]), [Some(8)]);
    }

    #[test]
    fn fewer_frames_come_before_no_picture_and_more_before_a_larger_one() {
        assert_eq!(
            rungs(240_000, &[smooth(1, Some(2)), smooth(1, Some(2)), smooth(1, Some(2))]),
            [Some(1), Some(1), Some(0)]
        );
        // Who speaks has to wait for the others' motion.
        assert_eq!(rungs(500_000, &[smooth(2, Some(2)), smooth(1, Some(2)), smooth(1, Some(2))]), [Some(2); 3]);
    }

    #[test]
    fn what_has_too_few_pictures_is_for_those_alone_who_would_get_none() {
        // 7 pictures a second of the large one would fit.
        assert_eq!(rungs(900_000, &[smooth(1, None)]), [Some(5)]);
        assert_eq!(rungs(1_200_000, &[smooth(1, None)]), [Some(5)]);
        assert_eq!(rungs(1_200_000, &[smooth(1, Some(8))]), [Some(7)]);
        assert_eq!(rungs(80_000, &[smooth(1, None)]), [Some(0)]);
        // A camera that slows down for a moment stays as it is.
        let mut slow = smooth(1, Some(7));
        slow.rungs[7].pictures = STILL_SMOOTH;
        assert_eq!(rungs(1_200_000, &[slow.clone()]), [Some(7)]);
        slow.rungs[7].pictures -= 1;
        assert_eq!(rungs(1_200_000, &[slow]), [Some(5)]);
    }

    #[test]
    fn what_stands_in_a_queue_leaves_before_anything_better_begins() {
        let after = |backlog| allocate(Some(700_000), backlog, &[video(1, Some(2)), video(1, Some(2))]).rungs;
        assert_eq!(after(0), [Some(1), Some(0)]);
        assert_eq!(after(300_000), [Some(0), Some(0)]);
        assert_eq!(after(3_000_000), [Some(0), Some(0)], "nobody loses the last picture");
    }

    #[test]
    fn what_begins_leaves_room_for_voices_but_the_first_picture_needs_none() {
        assert_eq!(rungs(180_000, &[video(1, None), video(1, None)]), [Some(0), None]);
        assert_eq!(rungs(500_000, &[video(1, None), video(1, None)]), [Some(0), None]);
        assert_eq!(rungs(550_000, &[video(1, None), video(1, None)]), [Some(0), Some(0)]);
        assert_eq!(rungs(300_000, &[video(1, Some(0)), video(1, Some(0))]), [Some(0), Some(0)], "nor what goes on");
    }

    #[test]
    fn on_a_wide_way_what_is_small_beside_it_needs_no_room_left_free() {
        let third = |budget| rungs(budget, &[video(1, Some(1)), video(1, Some(1)), video(1, Some(0))]);
        assert_eq!(third(1_580_000), [Some(1), Some(1), Some(1)]);
        assert_eq!(third(1_570_000), [Some(1), Some(1), Some(0)]);
        // The top layer takes more than a third of this.
        let top = |budget| rungs(budget, &[video(1, Some(1)), video(1, Some(1))]);
        assert_eq!([top(2_650_000), top(2_660_000)], [[Some(1), Some(1)], [Some(2), Some(1)]]);
    }

    #[test]
    fn of_equals_who_has_least_climbs_first() {
        assert_eq!(rungs(2_300_000, &[video(1, Some(1)), video(1, Some(0))]), [Some(1), Some(1)]);
    }

    #[test]
    fn equals_do_not_swap_places() {
        // Either may have the large picture, and there is room for one.
        for budget in (2_200_000..3_000_000).step_by(50_000) {
            assert_eq!(rungs(budget, &[video(1, Some(1)), video(1, Some(2))]), [Some(1), Some(2)], "{budget}");
        }
        for budget in (130_000..300_000).step_by(10_000) {
            assert_eq!(rungs(budget, &[video(1, None), video(1, Some(0))]), [None, Some(0)], "{budget}");
        }
        // But who matters more takes it: the other ends, and then it begins.
        assert_eq!(rungs(2_700_000, &[video(2, Some(1)), video(1, Some(2))]), [Some(1), Some(1)]);
        assert_eq!(rungs(2_700_000, &[video(2, Some(1)), video(1, Some(1))]), [Some(2), Some(1)]);
    }

    #[test]
    fn what_begins_together_takes_a_third_and_the_others_follow() {
        let mut given = [Some(0); 8];
        let mut steps = 0;
        while given != [Some(2); 8] {
            let next = rungs(20_000_000, &given.map(|given| video(1, given)));
            let begun = next.iter().zip(given).filter(|(next, given)| **next != *given).count();
            assert!((1..=3).contains(&begun), "{given:?} {next:?}");
            given = next.try_into().unwrap();
            steps += 1;
        }
        assert_eq!(steps, 3);
        // One begins however large it is.
        assert_eq!(rungs(2_200_000, &[video(1, Some(0))]), [Some(2)]);
    }

    #[test]
    fn who_takes_the_large_picture_waits_until_the_other_has_ended() {
        let other = |given, lingers| Demand { lingers, ..video(1, given) };
        assert_eq!(rungs(2_700_000, &[video(2, Some(1)), other(Some(2), 1_700_000)]), [Some(1), Some(1)]);
        assert_eq!(rungs(2_700_000, &[video(2, Some(1)), other(Some(1), 1_700_000)]), [Some(1), Some(1)]);
        assert_eq!(rungs(2_700_000, &[video(2, Some(1)), other(Some(1), 500_000)]), [Some(2), Some(1)]);
        // Fewer frames of the same one begin with any picture, and a pause at once.
        let large = smooth(1, Some(8));
        assert_eq!([Some(5), Some(7), None].map(|rung| large.ending(rung)), [1_200_000, 0, 0]);
        assert_eq!(
            rungs(4_000_000, &[video(2, Some(1)), other(Some(1), 1_700_000)]),
            [Some(2), Some(1)],
            "room for both"
        );
    }

    #[test]
    fn what_is_kept_for_less_than_it_takes_makes_no_room_for_others() {
        let untried = |given| Demand { untried: true, ..video(1, given) };
        assert_eq!(rungs(2_000_000, &[untried(Some(2)), untried(Some(0))]), [Some(2), Some(0)]);
        assert_eq!(rungs(2_300_000, &[untried(Some(2)), untried(Some(0))]), [Some(2), Some(1)]);
    }

    #[test]
    fn a_silent_track_holds_up_nobody() {
        let silent = Demand { rungs: SmallVec::new(), ..video(9, None) };
        assert_eq!(rungs(1_000_000, &[silent, video(3, None), video(1, None)]), [None, Some(1), Some(0)]);
    }

    #[test]
    fn it_never_gives_more_than_there_is_and_says_what_is_missing() {
        for budget in (0..6_000_000).step_by(50_000) {
            let demands = [audio(), video(1, Some(0)), smooth(3, Some(8)), video(1, None), smooth(2, Some(4))];
            let a = allocate(Some(budget), 0, &demands);
            // What is kept of the least at the edge is the one exception.
            assert!(a.given <= budget.max(40_000) + 60_000, "{budget}: {a:?}");
            assert_eq!(a.wanted, 4 * 1_700_000 + 40_000);
        }
    }
}
