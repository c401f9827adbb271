//! Who gets how much of what one receiver may be sent: audio whole, then a picture of everyone as far as it goes, then better
//! pictures of the most important first. docs/CONGESTION.md tells why.
//!
//! A pure function of its inputs. What it decided before is one of them: to stay costs less than to climb, so that it doesn't
//! go to and fro at the edge.

use smallvec::SmallVec;

/// Above what is sent now, a layer is begun only if so much more than its rate is there: its peaks, and a little doubt.
pub const CLIMB: f64 = 1.15;
/// The lowest layer of what is shown stays as long as so much of its rate is there: its key frame counts into the rate for a second,
/// and to pause a picture is the last resort.
const KEEP: f64 = 0.8;
/// ... and any layer, while nobody knows how much there is: to take back what was just begun needs a reason.
const KEEP_UNTRIED: f64 = 0.5;

/// One subscription as the allocation sees it.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Demand {
    /// More important ones come first; equals share.
    pub importance: u16,
    /// Bits per second of each layer that could be sent and is wanted, lowest first; `None`: the publisher doesn't send it.
    pub layers: SmallVec<[Option<u64>; 3]>,
    /// What it was given last time.
    pub given: Option<u8>,
    /// It is never paused: audio, which has one layer.
    pub always: bool,
    /// Nothing yet showed that the way is full: the budget is only what was tried.
    pub untried: bool,
}

impl Demand {
    /// What a layer takes.
    pub fn rate(&self, layer: Option<u8>) -> u64 {
        layer.and_then(|layer| *self.layers.get(usize::from(layer))?).unwrap_or(0)
    }

    /// What `layer` costs in the decision.
    fn cost(&self, layer: u8) -> u64 {
        let rate = self.rate(Some(layer));
        if self.given == Some(layer) {
            let lowest = self.next(None) == Some(layer);
            let keep = match (self.untried, lowest) {
                (true, _) => KEEP_UNTRIED,
                (false, true) => KEEP,
                (false, false) => 1.0,
            };
            return (rate as f64 * keep) as u64;
        }
        let climbs = self.given.is_none_or(|given| layer > given) && !self.always;
        if climbs { (rate as f64 * CLIMB) as u64 } else { rate }
    }

    /// The lowest layer above `layer` that is there.
    fn next(&self, layer: Option<u8>) -> Option<u8> {
        let from = layer.map_or(0, |layer| usize::from(layer) + 1);
        self.layers.iter().enumerate().skip(from).find(|(_, rate)| rate.is_some()).map(|(at, _)| at as u8)
    }

    /// The lowest layer that is there.
    pub fn lowest(&self) -> Option<u8> {
        self.next(None)
    }

    /// The highest layer that is wanted and there.
    pub fn top(&self) -> Option<u8> {
        self.layers.iter().rposition(Option::is_some).map(|at| at as u8)
    }
}

/// What was decided.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Allocation {
    /// The layer of each demand, in their order; `None`: nothing of it.
    pub layers: Vec<Option<u8>>,
    /// Bits per second of what was given.
    pub given: u64,
    /// Bits per second if all that is wanted were given; the same as `given` if it is.
    pub wanted: u64,
}

/// Divides `budget` (bits per second; `None`: no limit is known) among `demands`.
pub fn allocate(budget: Option<u64>, demands: &[Demand]) -> Allocation {
    let wanted = demands.iter().map(|d| d.rate(d.top())).sum();
    let mut layers: Vec<Option<u8>> = demands.iter().map(|d| if d.always { d.top() } else { None }).collect();
    let Some(budget) = budget else {
        let layers = demands.iter().map(Demand::top).collect();
        return Allocation { layers, given: wanted, wanted };
    };
    let mut order: Vec<usize> = (0..demands.len()).filter(|at| demands.get(*at).is_some_and(|d| !d.always)).collect();
    order.sort_by_key(|at| std::cmp::Reverse(demands.get(*at).map(|d| d.importance)));
    let audio: u64 = demands.iter().filter(|d| d.always).map(|d| d.rate(d.top())).sum();
    let mut left = budget.saturating_sub(audio);

    // A picture of everyone, the most important first. What doesn't fit makes no room for one that matters less.
    for at in &order {
        if !climb(demands, &mut layers, *at, &mut left) && demands.get(*at).is_some_and(|d| d.top().is_some()) {
            break;
        }
    }
    // Better pictures: within equals a step each in turn, the important ones to the top first.
    for group in order.chunk_by(|a, b| importance(demands, *a) == importance(demands, *b)) {
        let mut rising: Vec<usize> =
            group.iter().copied().filter(|at| layers.get(*at).is_some_and(Option::is_some)).collect();
        while !rising.is_empty() {
            rising.retain(|at| climb(demands, &mut layers, *at, &mut left));
        }
    }
    let given = demands.iter().zip(&layers).map(|(d, layer)| d.rate(*layer)).sum();
    Allocation { layers, given, wanted }
}

fn importance(demands: &[Demand], at: usize) -> u16 {
    demands.get(at).map_or(0, |d| d.importance)
}

/// Gives one the next layer, if it fits.
fn climb(demands: &[Demand], layers: &mut [Option<u8>], at: usize, left: &mut u64) -> bool {
    let (Some(demand), Some(layer)) = (demands.get(at), layers.get_mut(at)) else { return false };
    let Some(next) = demand.next(*layer) else { return false };
    // What its present layer took is given back.
    let held = layer.map_or(0, |layer| demand.cost(layer));
    let Some(rest) = (*left + held).checked_sub(demand.cost(next)) else { return false };
    *left = rest;
    *layer = Some(next);
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: [Option<u64>; 3] = [Some(150_000), Some(500_000), Some(1_700_000)];

    fn video(importance: u16, given: Option<u8>) -> Demand {
        Demand { importance, layers: SmallVec::from(LAYERS), given, ..Demand::default() }
    }

    fn audio() -> Demand {
        Demand {
            importance: 0,
            layers: SmallVec::from_slice(&[Some(40_000)]),
            given: Some(0),
            always: true,
            untried: false,
        }
    }

    fn layers(budget: u64, demands: &[Demand]) -> Vec<Option<u8>> {
        allocate(Some(budget), demands).layers
    }

    #[test]
    fn without_a_known_limit_all_that_is_wanted_is_given() {
        let a = allocate(None, &[audio(), video(1, None)]);
        assert_eq!((a.layers, a.given, a.wanted), (vec![Some(0), Some(2)], 1_740_000, 1_740_000));
    }

    #[test]
    fn audio_is_never_paused_and_video_is() {
        assert_eq!(layers(20_000, &[audio(), audio(), video(1, Some(0))]), [Some(0), Some(0), None]);
        assert_eq!(layers(80_000 + 150_000, &[audio(), audio(), video(1, Some(0))]), [Some(0), Some(0), Some(0)]);
    }

    #[test]
    fn everyone_gets_a_picture_before_anyone_gets_a_better_one() {
        assert_eq!(layers(700_000, &[video(1, None), video(2, None), video(1, None)]), [Some(0), Some(0), Some(0)]);
        assert_eq!(layers(400_000, &[video(1, None), video(2, None), video(1, None)]), [Some(0), Some(0), None]);
    }

    #[test]
    fn the_important_one_climbs_to_the_top_first_and_equals_climb_together() {
        assert_eq!(layers(2_400_000, &[video(1, None), video(2, None), video(1, None)]), [Some(0), Some(2), Some(0)]);
        assert_eq!(layers(1_800_000, &[video(1, None), video(1, None), video(1, None)]), [Some(1), Some(1), Some(1)]);
    }

    #[test]
    fn what_is_shown_stays_at_the_edge_where_nothing_new_would_begin() {
        assert_eq!(layers(1_700_000, &[video(1, Some(2))]), [Some(2)]);
        assert_eq!(layers(1_900_000, &[video(1, Some(1))]), [Some(1)]);
        assert_eq!(layers(1_960_000, &[video(1, Some(1))]), [Some(2)]);
        assert_eq!(layers(1_690_000, &[video(1, Some(2))]), [Some(1)]);
    }

    #[test]
    fn a_layer_that_is_not_sent_is_stepped_over_and_a_silent_track_holds_up_nobody() {
        let holes = Demand { layers: SmallVec::from_slice(&[None, Some(500_000), None]), ..video(3, None) };
        let silent = Demand { layers: SmallVec::from_slice(&[None, None, None]), ..video(9, None) };
        assert_eq!(layers(1_000_000, &[silent, holes, video(1, None)]), [None, Some(1), Some(0)]);
    }

    #[test]
    fn it_never_gives_more_than_there_is_and_says_what_is_missing() {
        for budget in (0..6_000_000).step_by(50_000) {
            let demands = [audio(), video(1, Some(0)), video(3, Some(2)), video(1, None), video(2, Some(1))];
            let a = allocate(Some(budget), &demands);
            assert!(a.given <= budget.max(40_000), "{budget}: {a:?}");
            assert_eq!(a.wanted, 4 * 1_700_000 + 40_000);
        }
    }
}
