//! How a media thread fares: the share of its time that it works, how late it is, and whether it takes in all that waits.

use ramai_sfu::overload::Load;
use std::time::{Duration, Instant};

/// Datagrams taken in one turn: enough to make long runs on the way out, few enough that the answers don't wait.
const TAKEN: usize = 512;
/// ... but fewer if turns get longer than this, as where each datagram goes to hundreds: what is due, commands, and the look at
/// how it goes would all wait for the end of the turn.
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
    /// When the turn began.
    woke: Instant,
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
            limit: TAKEN,
            lost: 0,
            busy: Duration::ZERO,
        }
    }

    /// Datagrams that this turn may take.
    pub fn limit(&self) -> usize {
        self.limit
    }

    /// The thread is about to wait.
    pub fn sleep(&mut self, now: Instant) {
        let took = now.saturating_duration_since(self.woke);
        if took > LONG_TURN {
            self.limit = (self.limit / 2).max(LEAST_TAKEN);
        } else if took < LONG_TURN / 2 {
            self.limit = (self.limit * 2).min(TAKEN);
        }
        self.fell_asleep = now;
    }

    /// The thread goes on. `idle`: it had nothing to do; else it only looked whether something is there. `due`: the deadline
    /// that it should have woken for at the latest.
    pub fn wake(&mut self, now: Instant, idle: bool, due: Option<Instant>) {
        if idle {
            self.asleep += now.saturating_duration_since(self.fell_asleep);
        }
        // Nothing is later than since the last sample: that one told of it.
        let since = due.map_or(now, |due| due.max(self.from));
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
        };
        let busy = self.busy + load.busy;
        *self = Self { busy, lost, limit: self.limit, woke: self.woke, ..Self::new(now) };
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

    #[test]
    fn long_turns_take_less_in() {
        let mut now = Instant::now();
        let mut meter = Meter::new(now);
        let turns = |meter: &mut Meter, now: &mut Instant, count, ms| {
            for _ in 0..count {
                meter.wake(*now, false, None);
                *now += Duration::from_millis(ms);
                meter.sleep(*now);
            }
            meter.limit()
        };
        assert_eq!(turns(&mut meter, &mut now, 3, 2), 512);
        assert_eq!(turns(&mut meter, &mut now, 2, 30), 128);
        assert_eq!(turns(&mut meter, &mut now, 9, 7), 128);
        assert_eq!(turns(&mut meter, &mut now, 9, 30), 32);
        meter.sample(now, 0, 0);
        assert_eq!(turns(&mut meter, &mut now, 1, 2), 64);
    }

    #[test]
    fn sleep_is_not_work_and_a_look_is() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut meter = Meter::new(start);
        meter.sleep(at(10));
        meter.wake(at(40), true, Some(at(35)));
        meter.took(true);
        meter.sleep(at(60));
        meter.wake(at(61), false, Some(at(100)));
        assert!(!meter.is_due(at(99)) && meter.is_due(at(100)));
        let ms = Duration::from_millis;
        let expected = Load { span: ms(100), busy: ms(70), late: ms(5), turns: 2, full_turns: 1, waiting: 9, lost: 4 };
        assert_eq!(meter.sample(at(100), 9, 4), expected);
        let next = meter.sample(at(200), 0, 5);
        assert_eq!((next.busy, next.late, next.turns, next.lost), (ms(100), ms(0), 0, 1));
        assert_eq!(meter.busy(), ms(170));
    }
}
