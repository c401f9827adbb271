//! What overload does to subscriptions: caps are put on at once, and taken off a few tracks at a time.

use super::{Publication, Room, Worker};
use crate::id::{TrackId, TransportId};
use crate::overload::{Change, Content, Level, Load, Overload};
use crate::params::Kind;
use rustc_hash::FxHashMap;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Who fell silent keeps the camera that speakers keep for so long: in a conversation people take turns.
const SPOKE: Duration = Duration::from_secs(10);
/// Tracks get back what they had in so many samples, a second or so: each needs a key frame, and all at once would be the next
/// overload.
const RESTORE: usize = 10;
/// How often, in samples, it is looked at who speaks.
const LOOK: u32 = 5;

/// The state of letting go.
#[derive(Default)]
pub(super) struct Shedding {
    pub(super) overload: Overload,
    /// Tracks that may have more again.
    restoring: VecDeque<TrackId>,
    per_sample: usize,
    samples: u32,
}

/// Who speaks in a room, and did a moment ago.
#[derive(Default)]
pub(super) struct Voices {
    now: Vec<TransportId>,
    before: FxHashMap<TransportId, Instant>,
}

impl Voices {
    /// These speak from now on.
    pub(super) fn set(&mut self, now: Instant, speaking: Vec<TransportId>) {
        self.before.retain(|_, at| now.saturating_duration_since(*at) < SPOKE);
        for id in std::mem::replace(&mut self.now, speaking) {
            self.before.insert(id, now);
        }
    }

    pub(super) fn heard(&self, now: Instant, id: TransportId) -> bool {
        let lately = |at: &Instant| now.saturating_duration_since(*at) < SPOKE;
        self.now.contains(&id) || self.before.get(&id).is_some_and(lately)
    }
}

impl Worker {
    /// Takes in how the thread fared; to be called about ten times a second, or as often as it wakes.
    pub fn handle_load(&mut self, now: Instant, mut load: Load) {
        let shedding = self.level() > Level::default() || !self.shedding.restoring.is_empty();
        load.relieved = self.pace.handle_load(&load, shedding);
        self.scratch.pressed = self.pace.is_pressed();
        let change = self.shedding.overload.handle(now, load);
        let level = self.level();
        if let Some(change) = change {
            tell(&change);
            let mut tracks: Vec<TrackId> = self.tracks.keys().copied().collect();
            // In an order of its own, so that the same run goes the same way again.
            tracks.sort_unstable();
            self.shedding.restoring.clear();
            if change.to > change.from {
                tracks.into_iter().for_each(|track| self.shed(now, track, level, change.is_urgent()));
            } else {
                self.shedding.per_sample = tracks.len().div_ceil(RESTORE);
                self.shedding.restoring.extend(tracks);
            }
            return;
        }
        for _ in 0..self.shedding.per_sample {
            let Some(track) = self.shedding.restoring.pop_front() else { break };
            self.shed(now, track, level, false);
        }
        self.shedding.samples = self.shedding.samples.wrapping_add(1);
        if level.asks_who_speaks() && self.shedding.samples.is_multiple_of(LOOK) {
            let tracks: Vec<(TrackId, Level)> = self.tracks.iter().map(|(id, p)| (*id, p.level)).collect();
            tracks.into_iter().for_each(|(track, level)| self.shed(now, track, level, false));
        }
    }

    /// The level of overload.
    pub fn level(&self) -> Level {
        self.shedding.overload.level()
    }

    /// Overload so far.
    pub fn overload(&self) -> &Overload {
        &self.shedding.overload
    }

    /// Subscriptions that get less than their subscribers want. Looks at each, if there may be one.
    pub fn shed_subscriptions(&self) -> usize {
        if self.level() == Level::default() && self.shedding.restoring.is_empty() {
            return 0;
        }
        let publications = self.tracks.values();
        publications.flat_map(|publication| &publication.subscriptions).filter(|s| s.is_capped()).count()
    }

    /// Puts a level's caps on a track's subscriptions. `urgent`: what is above them isn't shown until a lower layer's key frame
    /// comes, but no more.
    fn shed(&mut self, now: Instant, track: TrackId, level: Level, urgent: bool) {
        let Some(publication) = self.tracks.get_mut(&track) else { return };
        publication.level = level;
        let content = publication.content(now, self.rooms.get(&publication.room));
        let mut changed = false;
        for subscription in &mut publication.subscriptions {
            changed |= subscription.cap(level.cap(content, subscription.id()), urgent);
        }
        if changed {
            self.begin_pictures(now, track);
        }
    }
}

impl Publication {
    /// What it carries.
    pub(super) fn content(&self, now: Instant, room: Option<&Room>) -> Content {
        match self.track.kind() {
            Kind::Audio => Content::Audio,
            Kind::Video if self.screen => Content::Screen,
            Kind::Video => {
                Content::Camera { speaking: room.is_some_and(|room| room.voices.heard(now, self.transport)) }
            }
        }
    }
}

fn tell(change: &Change) {
    let Change { from, to, load } = *change;
    let Load { late, turns, full_turns, lost, .. } = load;
    let busy_percent = (load.share() * 100.0).round();
    if to > from {
        tracing::warn!(
            from = from.get(),
            level = to.get(),
            busy_percent,
            ?late,
            turns,
            full_turns,
            lost,
            "overloaded: {to}"
        );
    } else {
        tracing::info!(from = from.get(), level = to.get(), busy_percent, ?late, "less load: {to}");
    }
}
