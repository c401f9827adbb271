//! Who is let in when more come than can be served: newcomers take their turns, wait a little with their connection open, and
//! beyond that are told when to come back. Calls in progress go first: the less headroom the machine has, the slower the door.
//!
//! Waiting comes first because the web SDK tries an initial join just once when it is answered 503; it waits 15 s for an answer.
//! Whoever is in the room already, and comes back, isn't asked to wait.

mod bucket;

use crate::error::Refusal;
use bucket::{Bucket, Verdict};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Messages that wait for the task of all rooms: from here on it is behind.
const BACKLOG: usize = 512;
/// Newcomers that the door lets through at least while all is sent or only high layers aren't: who waits must see the queue move.
const LEAST: f64 = 0.1;
/// The busy share of a worker up to which it doesn't slow the door, and from which on it is as slow as it gets.
const EASY: f64 = 0.7;
const HARD: f64 = 0.95;
/// Level of overload from which on high layers of cameras aren't sent: that makes room, and as long as there is, people come in for it.
const LOW: u8 = 1;
const HALF: f64 = 0.5;
/// From which on cameras are taken from those who are there: fewer come in.
const CROWDED: u8 = 3;
const FEW: f64 = 0.05;
const SOME: f64 = 0.2;
/// And from which on no camera is left to be taken: only while there is room for what they will hear, and nobody while there is none.
const BARE: u8 = 5;
/// Asked so often whether the door is open again, when it's shut altogether.
const SHUT: Duration = Duration::from_secs(5);

/// How the most loaded media worker fares.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Strain {
    /// Share of the last moment that it worked.
    pub busy: f64,
    /// Level of overload, 0 is none.
    pub level: u8,
}

/// Tells the strain now.
pub type Gauge = Arc<dyn Fn() -> Strain + Send + Sync>;

/// The door. Clones are handles to the same.
#[derive(Clone)]
pub(crate) struct Admission {
    /// Newcomers in a second; 0 is without limit.
    rate: f64,
    gauge: Gauge,
    bucket: Arc<Mutex<Bucket>>,
}

impl Admission {
    /// Lets `rate` in a second, and `burst` at once; a rate of 0 is without limit.
    pub fn new(rate: u32, burst: u32, gauge: Gauge) -> Self {
        let bucket = Bucket::new(f64::from(burst.max(1)), Instant::now());
        Self { rate: f64::from(rate), gauge, bucket: Arc::new(Mutex::new(bucket)) }
    }

    /// Ends when it's the newcomer's turn. `backlog`: messages that wait for the task of all rooms.
    ///
    /// # Errors
    /// [`Refusal::Busy`] when the turn is too far away.
    pub async fn enter(&self, backlog: usize) -> Result<(), Refusal> {
        if self.rate == 0.0 {
            return Ok(());
        }
        let verdict = self.bucket().take(Instant::now(), self.rate_now(backlog), rand::random());
        match verdict {
            Verdict::Now => Ok(()),
            Verdict::After(wait) => {
                tokio::time::sleep(wait).await;
                Ok(())
            }
            Verdict::Later(when) => Err(Refusal::Busy(when.max(Duration::from_secs(1)))),
        }
    }

    /// Whether a newcomer would be let in now, without taking its turn.
    ///
    /// # Errors
    /// [`Refusal::Busy`] if not.
    pub fn look(&self, backlog: usize) -> Result<(), Refusal> {
        if self.rate == 0.0 {
            return Ok(());
        }
        match self.bucket().look(Instant::now(), self.rate_now(backlog)) {
            None => Ok(()),
            Some(when) => Err(Refusal::Busy(when.max(Duration::from_secs(1)))),
        }
    }

    fn rate_now(&self, backlog: usize) -> f64 {
        let share = headroom((self.gauge)());
        self.rate * if backlog >= BACKLOG { share.min(LEAST) } else { share }
    }

    fn bucket(&self) -> MutexGuard<'_, Bucket> {
        self.bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The share of the rate that strained workers bear. What a level lets go gives workers time, and time is what newcomers need: were the door
/// to mind the level alone, those before it would wait for the very pictures that make room for them.
fn headroom(strain: Strain) -> f64 {
    let (least, most) = match strain.level {
        BARE.. => (0.0, FEW),
        CROWDED.. => (FEW, SOME),
        LOW.. => (LEAST, HALF),
        0 => (LEAST, 1.0),
    };
    let spare = 1.0 - (strain.busy - EASY) / (HARD - EASY);
    spare.clamp(least, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_slows_with_the_workers_and_shuts_when_they_have_no_time_and_no_camera_left() {
        let at = |busy, level| headroom(Strain { busy, level });
        assert_eq!((at(0.0, 0), at(0.7, 0)), (1.0, 1.0));
        assert!((at(0.825, 0) - 0.5).abs() < 1e-9);
        assert_eq!((at(1.0, 0), at(1.0, 1), at(1.0, 2)), (LEAST, LEAST, LEAST));
        assert_eq!((at(1.0, 3), at(1.0, 4)), (FEW, FEW));
        assert_eq!((at(1.0, 5), at(1.0, 6)), (0.0, 0.0));
    }

    #[test]
    fn what_overload_lets_go_makes_room_at_the_door() {
        let calm = |level| headroom(Strain { busy: 0.6, level });
        let busy = |level| headroom(Strain { busy: 1.0, level });
        for level in 1..=6 {
            assert!(calm(level) > busy(level), "level {level}");
            assert!(calm(level) <= calm(level - 1), "level {level}: never faster than before something was let go");
        }
    }

    #[tokio::test]
    async fn a_shut_door_says_when_to_come_back_and_no_limit_is_no_door() {
        let gauge: Gauge = Arc::new(|| Strain { busy: 1.0, level: BARE });
        let door = Admission::new(10, 10, gauge.clone());
        assert!(matches!(door.look(0), Err(Refusal::Busy(_))));
        assert!(matches!(door.enter(0).await, Err(Refusal::Busy(when)) if when >= SHUT / 2));
        let open = Admission::new(0, 0, gauge);
        assert_eq!((open.look(9999), open.enter(9999).await), (Ok(()), Ok(())));
    }
}
