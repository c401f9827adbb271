//! How much of each video's largest picture one receiver's line could take, if the publisher made it that large: layers are steps of a
//! factor of three, lines are not. [`Upstream`](crate::publish::Upstream) tells the publisher. docs/CONGESTION.md tells why.

use super::allocate::{CLIMB, Demand, headroom};
use crate::publish::Rung;
use std::cmp::Reverse;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Nobody limits a publisher for a lack that is younger.
const PATIENCE: Duration = Duration::from_secs(2);
/// Who had room for the largest picture counts as one who has for so long, or others behind the same address would take it meanwhile.
const HOPE: Duration = Duration::from_secs(20);
/// So much of what may be sent is given to pictures whose size follows it; the rest is for their peaks.
const USED: f64 = 0.95;
/// What a picture takes at most is only known of the past: there is room for all of it where there is for so much more.
const MORE: f64 = 1.4;
/// A size that isn't shown yet is made a little smaller than what fits, so that it fits also in the moment when it begins.
const BEGIN: f64 = 1.05;
/// What there is room for then is averaged over so many allocations, ten of which are a second.
const SMOOTH: u64 = 10;
/// Who has room for so much of the least may hope: there is mostly more than one knows.
const HARDLY: f64 = 0.92;
/// What isn't sent any more is asked for again where there is more room than it takes at least.
const AGAIN: f64 = 1.2;
/// Encoders give a picture up for a smaller one below so much of its full rate; Chromium's minimum for each size is 35% of it.
const LEAST: f64 = 0.45;
/// ... and it takes at least so many times what the picture below it takes.
const LARGER: f64 = 1.1;

/// What one receiver could take of one video.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Appetite {
    /// Simulcast and spatial layer of the largest picture that is sent and wanted: this is about that.
    pub size: (u8, u8),
    /// What it takes with all its frames, in bits per second, ...
    pub rate: u64,
    /// ... and would if its publisher sent what it likes.
    pub full: u64,
    /// So much of it there is room for; less than [`Appetite::least`] is none.
    pub could: u64,
    /// What the picture below it takes, in bits per second.
    pub below: u64,
    /// It is shown.
    pub shown: bool,
    /// What of the video is shown takes so much.
    pub given: u64,
    /// Whose line: those behind one address mostly share it.
    pub line: Option<IpAddr>,
    /// The highest simulcast layer that could be made to fit, whether it is sent or not.
    pub reach: u8,
    /// A larger one isn't sent because it had no room here.
    pub gave_up: bool,
}

impl Appetite {
    /// So much that nothing needs to be limited.
    pub fn all(&self) -> u64 {
        (self.full as f64 * MORE) as u64
    }

    /// The least that the picture can be made.
    pub fn least(&self) -> u64 {
        least(self.full, self.below) as u64
    }

    /// There is room for it, or hardly any lacks.
    pub fn fits(&self) -> bool {
        self.shown || self.could as f64 >= least(self.full, self.below) * HARDLY
    }

    /// Of what isn't shown the room is averaged: it goes up and down with everything else.
    fn smoothed(self, before: Self) -> Self {
        match !self.shown && !before.shown && before.size == self.size && before.rate > 0 {
            true => Self { could: before.could - before.could / SMOOTH + self.could / SMOOTH, ..self },
            false => self,
        }
    }

    fn of(demand: &Demand) -> Option<Self> {
        let top = demand.rungs.iter().rfind(|rung| !rung.stopped)?;
        let smaller = |rung: &&Rung| (rung.layer, rung.spatial) < (top.layer, top.spatial);
        Some(Self {
            size: (top.layer, top.spatial),
            rate: top.rate,
            full: top.full,
            could: 0,
            line: None,
            reach: 0,
            shown: false,
            given: 0,
            below: demand.rungs.iter().rfind(smaller).map_or(0, |rung| rung.rate),
            gave_up: demand.rungs.last().is_some_and(|rung| rung.stopped),
        })
    }
}

/// One subscription's over time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remembered {
    appetite: Appetite,
    /// Since when something that is wanted on its line has no room, if it has none.
    short: Option<Instant>,
    /// When there was room for the picture last, and how much.
    hope: Option<(Instant, Appetite)>,
}

impl Remembered {
    /// The first one.
    pub fn new(now: Instant, appetite: Appetite, short: bool) -> Self {
        let mut first = Self { appetite: Appetite::default(), short: None, hope: None };
        first.set(now, appetite, short);
        first
    }

    /// As of the last allocation; `short`: something of all that is wanted on this line had no room.
    pub fn set(&mut self, now: Instant, appetite: Appetite, short: bool) {
        self.appetite = appetite.smoothed(self.appetite);
        self.short = short.then(|| self.short.unwrap_or(now));
        if self.appetite.fits() {
            self.hope = Some((now, self.appetite));
        }
    }

    /// What it is lately; room for all, as long as it isn't known for some seconds that there is none.
    pub fn get(&self, now: Instant) -> Appetite {
        let lasts = |since: Instant| now.saturating_duration_since(since) >= PATIENCE;
        let appetite = self.appetite;
        if !self.short.is_some_and(lasts) {
            return Appetite { could: appetite.all(), ..appetite };
        }
        let hopes = self.hope.is_some_and(|(at, hope)| {
            let fits = Appetite { full: appetite.full, ..hope }.fits();
            hope.size == appetite.size && fits && now.saturating_duration_since(at) < HOPE
        });
        let could = if hopes { appetite.could.max(appetite.least()) } else { appetite.could };
        Appetite { could, ..appetite }
    }
}

/// The least of a picture that takes `full` by itself, over one that takes `below`: what takes hardly more than that is no larger picture, and
/// while an encoder begins nobody knows what it will take.
fn least(full: u64, below: u64) -> f64 {
    (full as f64 * LEAST).max(below as f64 * LARGER)
}

/// The line behind an address: of IPv6 a household has at least a /64 (RFC 6177).
pub fn line(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
        v4 => v4,
    }
}

/// What there is room for: `rungs` was given of `demands` and takes `given` of `budget` in all (bits per second; `None`: no limit is known).
/// `None` for those of which nothing is sent or wanted.
pub fn appetites(
    budget: Option<u64>,
    given: u64,
    demands: &[Demand],
    rungs: &[Option<usize>],
) -> Vec<Option<Appetite>> {
    let mut all: Vec<Option<Appetite>> = demands.iter().map(Appetite::of).collect();
    let Some(budget) = budget else {
        all.iter_mut().flatten().for_each(|appetite| appetite.could = appetite.all());
        return all;
    };
    for ((appetite, demand), rung) in all.iter_mut().zip(demands).zip(rungs) {
        let (Some(appetite), Some(rung)) = (appetite, rung.and_then(|at| demand.rungs.get(at))) else { continue };
        appetite.shown = (rung.layer, rung.spatial) == appetite.size;
        appetite.given = rung.rate;
    }
    let free = follow(budget, given, demands, &mut all);
    begin(budget, free, demands, &mut all);
    all
}

fn importance(demands: &[Demand], at: usize) -> Reverse<u16> {
    Reverse(demands.get(at).map_or(0, |demand| demand.importance))
}

/// Pictures that are shown follow what there is: all get smaller together, or the most important and least of them larger first. Returns what
/// that leaves.
fn follow(budget: u64, given: u64, demands: &[Demand], all: &mut [Option<Appetite>]) -> f64 {
    let mut shown: Vec<(usize, &mut Appetite)> =
        all.iter_mut().enumerate().filter_map(|(at, appetite)| Some((at, appetite.as_mut()?))).collect();
    shown.retain(|(_, appetite)| appetite.shown);
    shown.sort_by_key(|(at, appetite)| (importance(demands, *at), appetite.rate));
    let sum: u64 = shown.iter().map(|(_, appetite)| appetite.rate).sum();
    // With all frames, which some may not have.
    let lacks: u64 = shown.iter().map(|(_, appetite)| appetite.rate.saturating_sub(appetite.given)).sum();
    let mut left = budget as f64 * USED - (given + lacks) as f64;
    let mut free = budget as f64 - given as f64;
    for (_, appetite) in shown {
        appetite.reach = appetite.size.0;
        let rate = appetite.rate as f64;
        if left < 0.0 {
            appetite.could = (rate + left * rate / sum as f64).max(0.0) as u64;
            continue;
        }
        let more = left.min(appetite.all().saturating_sub(appetite.rate) as f64);
        appetite.could = appetite.rate + more as u64;
        let taken = more.min(appetite.full.saturating_sub(appetite.rate) as f64);
        left -= taken;
        free -= taken;
    }
    free
}

/// The first of those whose largest picture isn't shown may begin with what is left, the rest wait for it.
fn begin(budget: u64, mut free: f64, demands: &[Demand], all: &mut [Option<Appetite>]) {
    let mut order: Vec<usize> = (0..all.len()).collect();
    let shown = |at: usize| all.get(at).copied().flatten().is_some_and(|appetite| appetite.shown);
    order.sort_by_key(|at| (importance(demands, *at), shown(*at), *at));
    for at in order {
        let (Some(Some(appetite)), Some(demand)) = (all.get_mut(at), demands.get(at)) else { continue };
        // Of what is shown only something larger that isn't sent any more may begin.
        if appetite.shown && !appetite.gave_up {
            continue;
        }
        let room = (free + appetite.given as f64).max(0.0);
        let kept = if demand.untried { 0 } else { headroom(budget, (room / CLIMB) as u64) };
        let could = ((room - kept as f64) / CLIMB / BEGIN).max(0.0);
        if !appetite.shown {
            appetite.could = (could as u64).min(appetite.all());
        }
        let below = |size: u8| demand.rungs.iter().rfind(|rung| rung.layer < size).map_or(0, |rung| rung.rate);
        let fits =
            |rung: &&Rung| could >= least(rung.full, below(rung.layer)) * if rung.stopped { AGAIN } else { HARDLY };
        let reach = demand.rungs.iter().rfind(fits).map_or(0, |rung| rung.layer);
        appetite.reach = appetite.reach.max(reach);
        if !appetite.shown && appetite.fits() || appetite.reach > appetite.size.0 {
            free = 0.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use smallvec::SmallVec;

    /// A camera of three layers, the highest of which takes `top` now and 1.7 Mbit/s by itself.
    fn camera(top: u64) -> Demand {
        let rung = |(layer, rate, full)| Rung { layer, rate, full, pictures: u8::MAX, ..Rung::default() };
        let rungs: SmallVec<_> =
            [(0, 150_000, 150_000), (1, 500_000, 500_000), (2, top, 1_700_000)].into_iter().map(rung).collect();
        Demand { rungs, ..Demand::default() }
    }

    fn could(budget: u64, demands: &[Demand], rungs: &[Option<usize>]) -> Vec<u64> {
        let given = demands.iter().zip(rungs).map(|(demand, rung)| demand.rate(*rung)).sum();
        appetites(Some(budget), given, demands, rungs).into_iter().map(|appetite| appetite.unwrap().could).collect()
    }

    #[test]
    fn what_is_shown_follows_the_line_and_what_is_not_begins_with_some_room_left() {
        assert_eq!(could(1_200_000, &[camera(900_000)], &[Some(2)]), [1_140_000]);
        assert_eq!(could(1_200_000, &[camera(1_300_000)], &[Some(2)]), [1_140_000]);
        let begins = could(1_200_000, &[camera(1_700_000)], &[Some(1)]);
        assert!((820_000..830_000).contains(&begins[0]), "{begins:?}");
        // It must be known that there is room for more than it takes.
        assert_eq!(could(2_000_000, &[camera(1_700_000)], &[Some(2)]), [1_900_000]);
        assert_eq!(could(9_000_000, &[camera(1_700_000)], &[Some(2)]), [2_380_000]);
    }

    #[test]
    fn of_two_that_are_shown_the_smaller_grows_first_and_both_shrink() {
        let two = [camera(1_200_000), camera(800_000)];
        assert_eq!(could(2_400_000, &two, &[Some(2); 2]), [1_200_000, 1_080_000]);
        assert_eq!(could(1_800_000, &two, &[Some(2); 2]), [1_026_000, 684_000]);
    }

    #[test]
    fn one_begins_at_a_time_and_only_with_what_makes_a_picture() {
        let two = [camera(1_700_000), camera(1_700_000)];
        let all = appetites(Some(2_000_000), 1_000_000, &two, &[Some(1); 2]);
        let fits: Vec<_> = all.iter().flatten().map(|appetite| (appetite.fits(), appetite.reach)).collect();
        assert_eq!(fits, [(true, 2), (false, 1)]);
        let none = appetites(Some(1_100_000), 1_000_000, &two, &[Some(1); 2]);
        assert!(none.iter().flatten().all(|appetite| !appetite.fits() && appetite.reach == 1));
    }

    #[test]
    fn what_was_given_up_is_in_reach_again_where_there_is_more_room_than_it_takes_at_least() {
        let mut stopped = camera(1_700_000);
        stopped.rungs.iter_mut().skip(1).for_each(|rung| rung.stopped = true);
        let reach = |budget| {
            let one = appetites(Some(budget), 150_000, &[stopped.clone()], &[Some(0)])[0].unwrap();
            (one.size, one.gave_up, one.reach)
        };
        assert_eq!([400_000, 600_000, 1_000_000, 1_400_000].map(reach).map(|(_, _, reach)| reach), [0, 1, 1, 2]);
        assert_eq!(reach(600_000), ((0, 0), true, 1));
    }

    #[test]
    fn a_lack_counts_after_a_while_and_room_that_there_was_for_longer() {
        let one = |could| Appetite { size: (2, 0), rate: 1_700_000, full: 1_700_000, could, ..Appetite::default() };
        let at = |seconds| crate::test_epoch() + Duration::from_secs(1) * seconds;
        let mut remembered = Remembered::new(at(0), one(900_000), true);
        assert_eq!([0, 1, 2].map(|n| remembered.get(at(n)).could), [2_380_000, 2_380_000, 900_000]);
        // From one allocation to the next it hardly changes.
        remembered.set(at(2), one(100_000), true);
        assert_eq!(remembered.get(at(2)).could, 820_000);
        (0..20).for_each(|_| remembered.set(at(3), one(100_000), true));
        assert_eq!(remembered.get(at(3)).could, one(0).least());
        assert!(remembered.get(at(30)).could < 250_000, "that was too long ago");
        remembered.set(at(31), one(100_000), false);
        assert_eq!(remembered.get(at(60)).could, 2_380_000);
    }

    #[test]
    fn a_line_is_an_address_or_the_network_of_a_household() {
        let line = |address: &str| line(address.parse().unwrap()).to_string();
        assert_eq!(line("192.0.2.7"), "192.0.2.7");
        assert_eq!(line("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
