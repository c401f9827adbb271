//! When a worker can't keep up: how much of the video it lets go, step by step, and how it comes back. Audio is never let go.
//!
//! The thread that drives the worker measures itself and hands in a [`Load`] about ten times a second. A worker is overloaded
//! when it has no time left *and* it shows: its turns are late, more waits than a turn can take, or the kernel drops packets. Being
//! busy alone is no trouble, for longer batches cost less. Out of that comes a [`Level`], which says what each subscription gets
//! at most ([`Level::cap`]).
//!
//! It rises fast, after a quarter of a second of overload, and falls slowly: one level after 2 s with time to spare. A level that comes back soon
//! after it was left was left too early, so the next try waits twice as long, up to a minute: at the edge that is one short
//! relapse a minute, not a flicker.

use crate::id::SubscriptionId;
use crate::params::SubscriptionSettings;
use std::fmt;
use std::time::{Duration, Instant};

/// No time left: the thread hardly ever slept.
const BUSY: f64 = 0.9;
/// Time to spare: what the next lower level adds may fit.
const CALM: f64 = 0.7;
const _: () = assert!(CALM < BUSY);
/// A deadline missed by so long is noticed: the server shall add less than 20 ms.
const LATE: Duration = Duration::from_millis(20);
/// The backlog grows fast: two levels at once.
const VERY_LATE: Duration = Duration::from_millis(100);
const MUCH_WAITS: u64 = 1 << 20;
/// Packets are lost, or will be in a moment, and with them audio, which waits in the same queue: three levels at once.
const FAR_TOO_LATE: Duration = Duration::from_millis(400);
const TOO_MUCH_WAITS: u64 = 4 << 20;
/// Time of overload, that without counted against it, until the level rises: a burst of key frames is shorter.
const PERSISTENT: Duration = Duration::from_millis(250);
/// ... of which one sample counts so much at most: a single stall of the system is long, but over.
const COUNTED: Duration = Duration::from_millis(100);
/// How long a new level may take to show: a lower layer begins with a key frame. After that,
/// what still waits is no reason to go on as long as it gets less.
const SETTLE: Duration = Duration::from_millis(400);
/// Calm for so long, and the level falls.
const PATIENCE: Duration = Duration::from_secs(2);
/// ... and for so long at most, after relapses.
const MAX_PATIENCE: Duration = Duration::from_secs(60);
/// Overload so soon after the level fell was caused by that.
const RELAPSE: Duration = Duration::from_secs(10);
const _: () = assert!(SETTLE.as_nanos() < PATIENCE.as_nanos() && PATIENCE.as_nanos() < RELAPSE.as_nanos());

/// How a worker's thread fared since the last time.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Load {
    /// The time that this is about.
    pub span: Duration,
    /// Of that, not spent waiting for something to do.
    pub busy: Duration,
    /// The longest that a deadline was missed by.
    pub late: Duration,
    /// Turns of the loop.
    pub turns: u32,
    /// Of these, those that took in as many datagrams as a turn may: more was waiting.
    pub full_turns: u32,
    /// Bytes that wait in the socket at the end of it.
    pub waiting: u64,
    /// Datagrams that were lost in the socket for want of room, either way.
    pub lost: u64,
    /// Turns have just become longer, which saves time; how much isn't known yet.
    pub relieved: bool,
}

impl Load {
    /// Share of the time that was spent working, 0.0 to 1.0.
    pub fn share(&self) -> f64 {
        if self.span.is_zero() { 0.0 } else { (self.busy.as_secs_f64() / self.span.as_secs_f64()).min(1.0) }
    }

    fn is_over(&self) -> bool {
        self.share() >= BUSY
            && (self.late >= LATE || self.lost > 0 || (self.full_turns > 0 && self.full_turns * 2 >= self.turns))
    }

    /// How many levels it takes at once.
    fn steps(&self) -> u8 {
        if self.lost > 0 || self.late >= FAR_TOO_LATE || self.waiting >= TOO_MUCH_WAITS {
            3
        } else if self.late >= VERY_LATE || self.waiting >= MUCH_WAITS {
            2
        } else {
            1
        }
    }

    /// Catching up: what was done is enough, it only has to show.
    fn is_better_than(&self, before: &Load) -> bool {
        let less = self.waiting < before.waiting || self.late < before.late;
        self.lost == 0 && less && self.waiting <= before.waiting && self.late <= before.late
    }

    fn is_calm(&self) -> bool {
        self.share() < CALM && self.lost == 0
    }
}

/// How much is let go, 0 (nothing) to [`Level::MAX`]. Each level lets go what those below it do, and more.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Level(u8);

/// What a subscription carries, as far as that matters for what is let go first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Content {
    /// Never let go.
    Audio,
    /// A camera; whether its owner speaks, or did a moment ago.
    Camera {
        /// See there.
        speaking: bool,
    },
    /// A screen: what the call is about, where there is one.
    Screen,
}

impl Level {
    /// All video is let go.
    pub const MAX: Self = Self(6);
    /// All levels.
    pub const COUNT: usize = Self::MAX.0 as usize + 1;

    /// As a number.
    pub fn get(self) -> u8 {
        self.0
    }

    /// What a subscription gets at most. Where half of the cameras are let go, the subscription's own number decides which: so it
    /// stays the same from one moment to the next, and falls alike on all participants and on rooms of any shape.
    pub fn cap(self, content: Content, subscription: SubscriptionId) -> SubscriptionSettings {
        let upto = |max_spatial| SubscriptionSettings { paused: false, max_spatial, ..Default::default() };
        let (paused, all) = (
            SubscriptionSettings { paused: true, max_spatial: 0, ..Default::default() },
            SubscriptionSettings::default(),
        );
        match (content, self.0) {
            (Content::Audio, _) | (_, 0) | (Content::Screen, 1..=4) => all,
            (Content::Screen, 5) => upto(0),
            (Content::Camera { .. }, 1) => upto(1),
            (Content::Camera { .. }, 2) | (Content::Camera { speaking: true }, 3..=4) => upto(0),
            (Content::Camera { .. }, 3) if is_even(subscription) => upto(0),
            (Content::Camera { .. } | Content::Screen, _) => paused,
        }
    }

    /// What the level depends on beside itself: who speaks.
    pub fn asks_who_speaks(self) -> bool {
        matches!(self.0, 3..=4)
    }

    fn up(self, steps: u8) -> Self {
        Self(self.0.saturating_add(steps).min(Self::MAX.0))
    }

    fn down(self) -> Self {
        Self(self.0.saturating_sub(1))
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0 => "everything is sent",
            1 => "cameras without their highest layer",
            2 => "cameras at their lowest layer",
            3 => "no camera of every other one who doesn't speak",
            4 => "cameras of speakers only",
            5 => "no cameras, screens at their lowest layer",
            _ => "audio only",
        })
    }
}

/// Numbers are given in turn, often one for audio and one for video: mixed first, or all cameras might have even ones.
fn is_even(id: SubscriptionId) -> bool {
    id.0.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 63 == 0
}

/// The level changed.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Change {
    /// Before.
    pub from: Level,
    /// From now on.
    pub to: Level,
    /// The sample that decided.
    pub load: Load,
}

impl Change {
    /// Less must be sent at once: there is no time to wait for a lower layer's key frame, which would come through the same queue.
    pub fn is_urgent(&self) -> bool {
        self.to > self.from && self.load.steps() > 1
    }
}

/// Decides on the level. Its one input is [`Overload::handle`].
#[derive(Debug)]
pub struct Overload {
    level: Level,
    /// Time of overload, less that without.
    over: Duration,
    /// The sample before.
    before: Load,
    calm_since: Option<Instant>,
    /// How long it must be calm.
    patience: Duration,
    rose: Option<Instant>,
    fell: Option<Instant>,
    /// Time spent in each level.
    times: [Duration; Level::COUNT],
    changes: u64,
}

impl Default for Overload {
    fn default() -> Self {
        Self {
            level: Level::default(),
            over: Duration::ZERO,
            before: Load::default(),
            calm_since: None,
            patience: PATIENCE,
            rose: None,
            fell: None,
            times: [Duration::ZERO; Level::COUNT],
            changes: 0,
        }
    }
}

impl Overload {
    /// The level in force.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Time spent in each level so far.
    pub fn times(&self) -> [Duration; Level::COUNT] {
        self.times
    }

    /// How often the level changed.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Takes in a sample; tells if the level changed.
    pub fn handle(&mut self, now: Instant, load: Load) -> Option<Change> {
        if let Some(time) = self.times.get_mut(usize::from(self.level.0)) {
            *time += load.span;
        }
        let since = |at: Option<Instant>| at.map(|at| now.saturating_duration_since(at));
        let before = std::mem::replace(&mut self.before, load);
        if load.is_over() {
            self.calm_since = None;
            if load.is_better_than(&before) || (load.relieved && load.steps() == 1) {
                return None;
            }
            if since(self.rose).is_some_and(|since| since < SETTLE) {
                return None;
            }
            self.over += load.span.min(COUNTED);
            if self.over < PERSISTENT || self.level == Level::MAX {
                return None;
            }
            if since(self.fell).is_some_and(|since| since < RELAPSE) {
                self.patience = (self.patience * 2).min(MAX_PATIENCE);
            }
            self.rose = Some(now);
            self.fell = None;
            return Some(self.change(self.level.up(load.steps()), load));
        }
        self.over = self.over.saturating_sub(load.span);
        if !load.is_calm() || self.level == Level::default() {
            self.calm_since = None;
            return None;
        }
        let calm = now.saturating_duration_since(*self.calm_since.get_or_insert(now));
        if calm < self.patience {
            return None;
        }
        if since(self.rose).is_some_and(|since| since > 2 * MAX_PATIENCE) {
            self.patience = PATIENCE;
        }
        self.fell = Some(now);
        Some(self.change(self.level.down(), load))
    }

    fn change(&mut self, to: Level, load: Load) -> Change {
        let from = std::mem::replace(&mut self.level, to);
        self.over = Duration::ZERO;
        self.calm_since = None;
        self.changes += 1;
        Change { from, to, load }
    }
}

#[cfg(test)]
#[path = "overload_tests.rs"]
mod tests;
