//! How a media thread fares: the share of its time that it works, how late it is, and whether it takes in all that waits.

use ramai_sfu::overload::Load;
use std::time::{Duration, Instant};

/// Datagrams taken in one turn: enough to make long runs on the way out, few enough that the answers don't wait.
const TAKEN: usize = 1024;
/// ... but fewer if the work of a turn takes longer than this, as where each datagram goes to hundreds: what is due, commands, and the
/// look at how it goes would all wait for the end of the turn.
const LONG_TURN: Duration = Duration::from_millis(10);
/// ... and never fewer than one call brings in.
const LEAST_TAKEN: usize = 32;

/// Short enough to act before a listener notices, long enough that one turn doesn't decide.
const SAMPLE: Duration = Duration::from_millis(100);

/// Measures the turns of one thread. Its owner calls [`Meter::sleep`] before and [`Meter::wake`] after it waits for something
/// to do, and takes a sample when [`Meter::is_due`].
#[derive(Debug)]
pub struct Meter {
    /// When the sample began.
    from: Instant,
    fell_asleep: Instant,
    asleep: Duration,
    late: Duration,
    turns: u32,
    full_turns: u32,
    /// When the turn began, the rest before it not counted.
    woke: Instant,
    /// When the last rest was over.
    rested: Instant,
    limit: usize,
    /// The socket's count of losses at the last sample.
    lost: u64,
    /// All the time spent working.
    busy: Duration,
}

impl Meter {
    /// Nothing was measured yet.
    pub fn new(now: Instant) -> Self {
        Self {
            from: now,
            fell_asleep: now,
            asleep: Duration::ZERO,
            late: Duration::ZERO,
            turns: 0,
            full_turns: 0,
            woke: now,
            rested: now,
            limit: TAKEN,
            lost: 0,
            busy: Duration::ZERO,
        }
    }

    /// Datagrams that this turn may take.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The thread is about to wait. `turn`: how long turns are meant to be, for now.
    pub fn sleep(&mut self, now: Instant, turn: Duration) {
        let took = now.saturating_duration_since(self.woke);
        // Where time runs out, turns are long so that less is to do: to take less in would undo that.
        let long = LONG_TURN.max(2 * turn);
        if took > long {
            self.limit = (self.limit / 2).max(LEAST_TAKEN);
        } else if took < long / 2 {
            self.limit = (self.limit * 2).min(TAKEN);
        }
        self.fell_asleep = now;
    }

    /// Until now the thread left what came unread, for so long, to serve it together.
    pub fn rested(&mut self, now: Instant, time: Duration) {
        self.rested = now;
        self.asleep += time;
        // It was no part of the turn's work.
        self.woke += time;
    }

    /// The thread goes on. `idle`: it had nothing to do; else it only looked whether something is there. `due`: the deadline
    /// that it should have woken for at the latest.
    pub fn wake(&mut self, now: Instant, idle: bool, due: Option<Instant>) {
        if idle {
            self.asleep += now.saturating_duration_since(self.fell_asleep);
        }
        // Nothing is later than since the last sample: that one told of it. And to rest was meant.
        let since = due.map_or(now, |due| due.max(self.from).max(self.rested));
        self.late = self.late.max(now.saturating_duration_since(since));
        self.woke = now;
        self.turns += 1;
    }

    /// A turn took datagrams in; `full`: as many as it may.
    pub fn took(&mut self, full: bool) {
        self.full_turns += u32::from(full);
    }

    /// Whether a sample is due.
    pub fn is_due(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.from) >= SAMPLE
    }

    /// The sample, and the next begins. `waiting`: bytes in the socket; `lost`: datagrams lost there so far.
    pub fn sample(&mut self, now: Instant, waiting: u64, lost: u64) -> Load {
        let span = now.saturating_duration_since(self.from);
        let load = Load {
            span,
            busy: span.saturating_sub(self.asleep),
            late: self.late,
            turns: self.turns,
            full_turns: self.full_turns,
            waiting,
            lost: lost.saturating_sub(self.lost),
            relieved: false,
        };
        let busy = self.busy + load.busy;
        *self = Self { busy, lost, limit: self.limit, woke: self.woke, rested: self.rested, ..Self::new(now) };
        load
    }

    /// The time spent working so far.
    pub fn busy(&self) -> Duration {
        self.busy
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn long_turns_take_less_in() {
        let mut now = Instant::now();
        let mut meter = Meter::new(now);
        let turns = |meter: &mut Meter, now: &mut Instant, count, ms| {
            for _ in 0..count {
                meter.wake(*now, false, None);
                *now += Duration::from_millis(ms);
                meter.sleep(*now, MS);
            }
            meter.limit()
        };
        assert_eq!(turns(&mut meter, &mut now, 3, 2), 1024);
        assert_eq!(turns(&mut meter, &mut now, 2, 30), 256);
        assert_eq!(turns(&mut meter, &mut now, 9, 7), 256);
        assert_eq!(turns(&mut meter, &mut now, 9, 30), 32);
        meter.sample(now, 0, 0);
        assert_eq!(turns(&mut meter, &mut now, 1, 2), 64);
        meter.wake(now, false, None);
        meter.sleep(now + 30 * MS, 20 * MS);
        assert_eq!(meter.limit(), 64, "long, but turns are meant to be");
    }

    #[test]
    fn sleep_is_not_work_and_a_look_is() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut meter = Meter::new(start);
        meter.sleep(at(10), MS);
        meter.wake(at(40), true, Some(at(35)));
        meter.took(true);
        meter.sleep(at(60), MS);
        meter.wake(at(61), false, Some(at(100)));
        assert!(!meter.is_due(at(99)) && meter.is_due(at(100)));
        let ms = Duration::from_millis;
        let expected = Load {
            span: ms(100),
            busy: ms(70),
            late: ms(5),
            turns: 2,
            full_turns: 1,
            waiting: 9,
            lost: 4,
            relieved: false,
        };
        assert_eq!(meter.sample(at(100), 9, 4), expected);
        let next = meter.sample(at(200), 0, 5);
        assert_eq!((next.busy, next.late, next.turns, next.lost), (ms(100), ms(0), 0, 1));
        assert_eq!(meter.busy(), ms(170));
    }

    #[test]
    fn what_fell_due_in_a_rest_is_late_from_its_end_on() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut meter = Meter::new(start);
        meter.rested(at(20), Duration::from_millis(20));
        meter.sleep(at(20), MS);
        meter.wake(at(23), false, Some(at(5)));
        assert_eq!(meter.sample(at(100), 0, 0).late, Duration::from_millis(3));
    }
}
