//! Divides what each peer may be sent among the videos that it watches: ten times a second where there is less than is wanted, and at
//! once when the estimate falls. docs/CONGESTION.md tells why.

use super::budget::{Limit, Watch};
use super::reach::Reach;
use super::{Publication, Room, Worker};
use crate::api::Event;
use crate::congestion::probe;
use crate::id::{SubscriptionId, TrackId, TransportId};
use crate::overload::Level;
use crate::params::{Extension, Kind};
use crate::publish::{FEW, Rung};
use crate::subscribe::allocate::{Allocation, CLIMB, Demand, HEADROOM, allocate};
use crate::subscribe::appetite::{Appetite, appetites, line};
use crate::subscribe::importance::Reasons;
use crate::subscribe::{Fit, Subscription};
use crate::timers::Timer;
use smallvec::SmallVec;
use std::time::{Duration, Instant};

/// Between two allocations of a peer that gets less than it wants; layers' rates and speakers change meanwhile.
const SHORT: Duration = Duration::from_millis(100);
/// ... and of one that gets all.
const LONG: Duration = Duration::from_millis(500);
/// What is shown may exceed what there is by this factor until a lower layer's key frame comes; more would be a queue by then.
const TOLERATED: f64 = 1.25;
/// What just began has no rate yet: it counts with so much, in bits per second, of which no camera sends less.
const GUESS: u64 = 100_000;
/// The subscriber is told of a stream without room after so long: in the first moments of a call there is none for most.
const TELL_AFTER: Duration = Duration::from_millis(750);

/// What one peer and all others may be sent, for the metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Bandwidth {
    /// Peers that have an estimate.
    pub estimated: usize,
    /// The sum of these, in bits per second.
    pub estimates: u64,
    /// The lowest of them.
    pub lowest: u64,
    /// Peers that are sent media without a limit, for they tell nothing of its fate.
    pub unlimited: usize,
    /// Videos for which there is no room.
    pub paused: usize,
    /// Videos with less than is wanted of them, these included.
    pub reduced: usize,
}

impl Worker {
    /// A peer watches another video from now on, which has no room yet.
    pub(super) fn watch(&mut self, now: Instant, id: TransportId, subscription: SubscriptionId, track: TrackId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let watch = Watch {
            subscription,
            track,
            hint: 0,
            given: None,
            reach: Reach::default(),
            reduced: false,
            paused: None,
            told: false,
        };
        peer.budget.watching.push(watch);
        self.allot_soon(now, id);
    }

    /// What a peer may be sent is divided anew in this turn, or a little later if that was just done.
    pub(super) fn allot_soon(&mut self, now: Instant, id: TransportId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let soon = peer.budget.allotted.map_or(now, |at| now.max(at + SHORT));
        peer.budget.next = Some(peer.budget.next.map_or(soon, |at| at.min(soon)));
        self.set_budget_timer(now, id);
    }

    /// A peer's feedback came.
    pub(super) fn estimated(&mut self, now: Instant, id: TransportId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let budget = &mut peer.budget;
        if budget.watching.is_empty() {
            return;
        }
        let bits = budget.estimator.estimate();
        budget.bits = bits;
        // Too little for what is sent can't wait.
        if budget.next.is_none() || bits.is_some_and(|bits| bits < budget.given) {
            budget.next = Some(now);
        }
        self.set_budget_timer(now, id);
    }

    /// A peer's budget has something due.
    pub(super) fn handle_budget(&mut self, now: Instant, id: TransportId) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.retired) else { return };
        peer.budget.estimator.handle_timeout(now);
        if peer.budget.next.is_some_and(|at| at <= now) {
            self.allot(now, id);
        }
        self.probe(now, id);
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let released = peer.pacer.due(peer.budget.pacing(now)).is_some_and(|at| at <= now);
        if released && !std::mem::replace(&mut peer.dirty, true) {
            self.dirty.push_back(id);
        }
        self.set_budget_timer(now, id);
    }

    pub(super) fn set_budget_timer(&mut self, now: Instant, id: TransportId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let budget = &mut peer.budget;
        let probes = budget.estimator.probes();
        let (begun, failed) = std::mem::replace(&mut budget.probes, probes);
        self.counters.probes += probes.0 - begun;
        self.counters.probes_failed += probes.1 - failed;
        let probing = budget.cluster(now).map(|_| now + probe::STEP);
        // A probe that could begin but for the queue on the way begins with an allocation.
        let estimator = budget.estimator.poll_timeout().filter(|at| *at > now);
        let released = peer.pacer.due(budget.pacing(now)).filter(|at| *at > now);
        let due = [budget.next, probing, estimator, released].into_iter().flatten().min();
        self.timers.set(Timer::Budget(id), due);
    }

    fn allot(&mut self, now: Instant, id: TransportId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let numbered = peer.transport.extensions().id(Extension::TransportCc).is_some();
        let limit = peer.budget.limit(now, numbered);
        let reserve = peer.budget.reserve(now);
        // Who was never short shares no line that is.
        let full = peer.budget.estimator.is_full();
        let line = peer.transport.selected_path().filter(|_| full).map(|path| line(path.remote.ip()));
        let room = self.rooms.get(&peer.room);
        let budget = &mut peer.budget;
        let tracks = &mut self.tracks;
        budget.watching.retain(|watch| tracks.contains_key(&watch.track));
        let mut demands: Vec<Demand> =
            budget.watching.iter_mut().map(|watch| demand(now, watch, tracks.get_mut(&watch.track), room)).collect();
        budget.bits = limit.bits();
        let bits = budget.bits.map(|bits| bits.saturating_sub(reserve));
        let untried = !budget.estimator.is_full();
        demands.iter_mut().for_each(|demand| demand.untried = untried);
        let Allocation { mut rungs, given, wanted } =
            allocate(bits, budget.estimator.backlog(peer.pacer.bytes()), &demands);
        if untried {
            let single = |watch: &Watch| tracks.get(&watch.track).is_some_and(|p| p.track.encodings() == 1);
            let singles: Vec<bool> = budget.watching.iter().map(single).collect();
            go_on(&demands, &singles, &mut rungs);
        }
        if limit == Limit::Start && rungs.iter().all(Option::is_none) {
            try_one(&demands, &mut rungs);
        }
        let appetites = match budget.watching.len() {
            0..=FEW => appetites(bits, given, &demands, &rungs),
            _ => Vec::new(),
        };
        let shown: u64 = demands.iter().zip(&rungs).map(|(demand, rung)| shown_at_first(demand, *rung)).sum();
        let urgent = bits.is_some_and(|bits| shown as f64 > bits as f64 * TOLERATED);
        (budget.given, budget.wanted) = (given + reserve, wanted + reserve);
        // What is missing has to fit as a climb; what is given may not have been tried.
        let (climb, headroom) = if wanted > given { (CLIMB, HEADROOM) } else { (1.0, 0) };
        budget.estimator.want(now, (wanted as f64 * climb) as u64 + headroom + reserve);
        budget.allotted = Some(now);
        budget.next = match limit {
            _ if budget.watching.is_empty() => None,
            // Nothing changes before feedback comes.
            Limit::Unlimited => None,
            _ if wanted > given || limit == Limit::Start => Some(now + SHORT),
            _ => Some(now + LONG),
        };
        let mut changed: Vec<TrackId> = Vec::new();
        for (at, ((watch, demand), rung)) in budget.watching.iter_mut().zip(&demands).zip(rungs).enumerate() {
            let Some(publication) = tracks.get_mut(&watch.track) else { continue };
            // Who can't be told how much to send has layers of fixed size.
            let able = publication.upstream.is_able();
            let fitting = publication.upstream.fitting();
            let Some(subscription) = find(publication, watch) else { continue };
            watch.given = rung.and_then(|at| demand.rungs.get(at)).map(Rung::place);
            watch.reduced = demand.top() != rung;
            let no_room = rung.is_none() && demand.top().is_some();
            let fit = match rung {
                Some(rung) if bits.is_some() => fit(demand, rung),
                None if no_room => Fit::NONE,
                // What begins to be sent before the next allocation begins low.
                None if bits.is_some() => Fit::LOWEST,
                _ => Fit::default(),
            };
            if subscription.fit(fit, urgent) {
                changed.push(watch.track);
            }
            let short = wanted > given && !untried;
            let appetite =
                appetites.get(at).copied().flatten().filter(|_| able).map(|appetite| Appetite { line, ..appetite });
            let reach = appetite.map_or(0, |appetite| appetite.reach).max(fitting);
            subscription.set_appetite(now, appetite, short);
            let layer = |rung: Option<usize>| rung.and_then(|at| demand.rungs.get(at)).map_or(0, |rung| rung.layer);
            if demand.top().is_some()
                && let Some(layer) = watch.reach.decided(now, layer(rung).max(reach), layer(demand.top()))
            {
                let (subscription, track) = (watch.subscription, watch.track);
                self.events.push_back(Event::Reach { transport: id, track, subscription, layer });
            }
            watch.paused = if no_room { Some(watch.paused.unwrap_or(now)) } else { None };
            let lasts = watch.paused.is_some_and(|since| now.saturating_duration_since(since) >= TELL_AFTER);
            if watch.told != (lasts || no_room && watch.told) {
                watch.told = !watch.told;
                self.counters.streams_paused += u64::from(watch.told);
                let (subscription, track, paused) = (watch.subscription, watch.track, watch.told);
                self.events.push_back(Event::StreamState { transport: id, track, subscription, paused });
            }
        }
        for track in changed {
            self.begin_pictures(now, track);
        }
    }

    /// Queues the padding that a probe lacks now.
    fn probe(&mut self, now: Instant, id: TransportId) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        let Some(cluster) = peer.budget.cluster(now).filter(|_| peer.transport.is_connected()) else { return };
        // Who can't keep up asks for nothing more.
        let owed = if self.shedding.overload.level() > Level::default() { 0 } else { cluster.owed };
        let lacks = peer.lacks(self.padding.take(now, owed));
        for at in 0..peer.budget.watching.len() {
            let Some(watch) = peer.budget.watching.get_mut(at) else { break };
            let Some(publication) = self.tracks.get_mut(&watch.track) else { continue };
            // Who wants nothing of it is sent nothing of it.
            let wanted = find(publication, watch).filter(|subscription| subscription.demand().is_some());
            let Some(source) = wanted.filter(|subscription| subscription.params().rtx_ssrc.is_some()) else { continue };
            self.counters.padding += lacks as u64;
            (0..lacks).map_while(|_| source.padding()).for_each(|padding| peer.pad(padding));
            break;
        }
        if !std::mem::replace(&mut peer.dirty, true) {
            self.dirty.push_back(id);
        }
    }

    /// What peers may be sent. Looks at each.
    pub fn bandwidth(&self, now: Instant) -> Bandwidth {
        let mut all = Bandwidth::default();
        for peer in self.peers.values().filter(|peer| !peer.budget.watching.is_empty()) {
            let budget = &peer.budget;
            let numbered = peer.transport.extensions().id(Extension::TransportCc).is_some();
            match budget.limit(now, numbered) {
                Limit::Estimate(bits) => {
                    all.lowest = if all.estimated == 0 { bits } else { all.lowest.min(bits) };
                    all.estimated += 1;
                    all.estimates += bits;
                }
                Limit::Start => {}
                Limit::Unlimited => all.unlimited += 1,
            }
            all.paused += budget.watching.iter().filter(|watch| watch.paused.is_some()).count();
            all.reduced += budget.watching.iter().filter(|watch| watch.reduced).count();
        }
        all
    }
}

fn find<'a>(publication: &'a mut Publication, watch: &mut Watch) -> Option<&'a mut Subscription> {
    let all = &mut publication.subscriptions;
    if all.get(watch.hint).is_none_or(|s| s.id() != watch.subscription) {
        watch.hint = all.iter().position(|s| s.id() == watch.subscription)?;
    }
    all.get_mut(watch.hint)
}

/// Where nothing fits what one begins with, as a single layer of a screen, the most important is begun nevertheless: without a packet there
/// is no feedback, and without feedback nothing would ever fit.
fn try_one(demands: &[Demand], rungs: &mut [Option<usize>]) {
    let able = demands.iter().zip(rungs).filter(|(demand, _)| demand.top().is_some());
    if let Some((_, rung)) = able.max_by_key(|(demand, _)| demand.importance) {
        *rung = Some(0);
    }
}

/// A video of one encoding, which has no smaller one to fall to, goes on once it began, until the link is found to be full.
fn go_on(demands: &[Demand], singles: &[bool], rungs: &mut [Option<usize>]) {
    for ((demand, single), rung) in demands.iter().zip(singles).zip(rungs) {
        if rung.is_none() && *single && demand.given.is_some() && demand.top().is_some() {
            *rung = Some(0);
        }
    }
}

/// What is sent of a video until the key frame of what was decided comes. Within one encoding less is sent from the next picture on.
fn shown_at_first(demand: &Demand, decided: Option<usize>) -> u64 {
    let at_once = |less: &usize| demand.given.is_some_and(|given| *less < given && demand.same_encoding(*less, given));
    demand.rate(decided.filter(at_once).or(demand.given))
}

/// The limit that lets a subscription show a rung. With all the frames there are it leaves those out that begin later to be told apart.
fn fit(demand: &Demand, at: usize) -> Fit {
    let Some(rung) = demand.rungs.get(at) else { return Fit::LOWEST };
    let last = demand.rungs.get(at + 1).is_none_or(|next| !next.is_as_large_as(rung));
    let fit = Fit::from(*rung);
    if last { Fit { temporal: u8::MAX, ..fit } } else { fit }
}

/// What is wanted of one video.
fn demand(now: Instant, watch: &mut Watch, publication: Option<&mut Publication>, room: Option<&Room>) -> Demand {
    let Some(publication) = publication.filter(|publication| publication.track.kind() == Kind::Video) else {
        return Demand::default();
    };
    let speaks = room.is_some_and(|room| room.voices.heard(now, publication.transport));
    let screen = publication.screen;
    let subscription = find(publication, watch);
    let shown = subscription.as_ref().and_then(|subscription| subscription.layer());
    let most = subscription.as_ref().map_or(0, |subscription| subscription.most_wanted());
    let priority = subscription.as_ref().map_or(0, |subscription| subscription.priority());
    let Some((layer, spatial)) = subscription.and_then(|subscription| subscription.demand()) else {
        return Demand::default();
    };
    // What began between two allocations is there to stay like what was given: a first picture that stops at once is worse than none.
    let given = watch.given.or(shown.map(|layer| (layer, 0, 0)));
    // What is only not sent because it had no room is wanted like what is.
    let reach = watch.reach;
    let there = |rung: &&Rung| match rung.stopped {
        true => rung.layer <= most && reach.gave_up(rung.layer),
        false => rung.layer <= layer && rung.spatial <= spatial,
    };
    let mut rungs: SmallVec<[Rung; 9]> = publication.track.ladder(now).iter().filter(there).copied().collect();
    let top = rungs.last().map_or(layer, |rung| rung.layer).max(spatial);
    let importance = Reasons { priority, screen, top, speaks }.importance();
    if given.is_none() {
        rungs.iter_mut().for_each(|rung| rung.rate = rung.rate.max(GUESS >> (2 - rung.temporal.min(2))));
    }
    // What it had may not be there any more.
    let given = given.and_then(|place| rungs.iter().rposition(|rung| rung.place() <= place));
    let layer = given.and_then(|at| rungs.get(at)).map(|rung| rung.layer);
    let larger = shown.filter(|shown| layer.is_some_and(|given| given < *shown));
    let lingers = larger.and_then(|shown| rungs.iter().rfind(|rung| rung.layer == shown)).map_or(0, |rung| rung.rate);
    let limited = publication.upstream.is_limited(now);
    Demand { importance, rungs, given, lingers, limited, ..Demand::default() }
}
