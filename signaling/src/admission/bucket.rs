//! The token bucket of the door. Turns are given out ahead of time, up to a bound; whoever would wait longer is told a time of
//! its own to come back, one after the other, so that those who do don't meet the same crowd again.

use super::SHUT;
use std::time::{Duration, Instant};

/// A newcomer waits so long at most with its connection open: well below the 15 s after which SDKs give up.
const PATIENCE: Duration = Duration::from_secs(8);
/// Nobody is told to stay away longer.
const LONGEST: Duration = Duration::from_secs(50);
/// Times to come back vary by this share, so that clients with equal clocks don't come in step.
const JITTER: f64 = 0.25;

/// What becomes of a newcomer.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Verdict {
    /// Come in.
    Now,
    /// Its turn comes after this.
    After(Duration),
    /// Come back after this.
    Later(Duration),
}

/// See the module.
pub(super) struct Bucket {
    burst: f64,
    /// Turns left; below 0: turns given out ahead.
    left: f64,
    /// Those who were told to come back and, by what they were told, aren't yet.
    away: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub fn new(burst: f64, now: Instant) -> Self {
        Self { burst, left: burst, away: 0.0, at: now }
    }

    /// A newcomer takes its turn. `rate`: turns in a second, now; `random`: from 0 to 1.
    pub fn take(&mut self, now: Instant, rate: f64, random: f64) -> Verdict {
        match self.look(now, rate) {
            None => {
                self.left -= 1.0;
                if self.left >= 0.0 { Verdict::Now } else { Verdict::After(seconds(-self.left / rate)) }
            }
            Some(when) => {
                self.away += 1.0;
                Verdict::Later(when.mul_f64(1.0 + JITTER * (2.0 * random - 1.0)))
            }
        }
    }

    /// When a newcomer had to come back, if it had to.
    pub fn look(&mut self, now: Instant, rate: f64) -> Option<Duration> {
        let gained = now.saturating_duration_since(self.at).as_secs_f64() * rate;
        self.at = now;
        self.left = (self.left + gained).min(self.burst);
        self.away = (self.away - gained).max(0.0);
        if rate <= 0.0 {
            return Some(SHUT);
        }
        let waits = (1.0 - self.left).max(0.0) / rate;
        // The queue has drained by then as far as it must for this one, after those who were sent away before.
        let later = (waits - PATIENCE.as_secs_f64() + self.away / rate).max(1.0);
        (waits > PATIENCE.as_secs_f64()).then(|| seconds(later).min(LONGEST))
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    /// `count` come within `within`, evenly, and come back when they're told to. When each was let in, in milliseconds, and
    /// how often somebody was sent away.
    fn storm(count: u64, within: u64, rate: f64, burst: f64, seed: u64) -> (Vec<u64>, usize) {
        let start = Instant::now();
        let mut random = StdRng::seed_from_u64(seed);
        let mut bucket = Bucket::new(burst, start);
        let mut coming: BinaryHeap<Reverse<u64>> = (0..count).map(|n| Reverse(n * within / count)).collect();
        let (mut entered, mut refused) = (Vec::new(), 0);
        while let Some(Reverse(ms)) = coming.pop() {
            match bucket.take(start + Duration::from_millis(ms), rate, random.random()) {
                Verdict::Now => entered.push(ms),
                Verdict::After(wait) => entered.push(ms + wait.as_millis() as u64),
                Verdict::Later(when) => {
                    refused += 1;
                    coming.push(Reverse(ms + when.as_millis() as u64));
                }
            }
        }
        entered.sort_unstable();
        (entered, refused)
    }

    #[test]
    fn few_do_not_notice_the_door() {
        let (entered, refused) = storm(500, 10_000, 100.0, 200.0, 1);
        assert_eq!((entered.len(), refused), (500, 0));
        assert!(entered.iter().zip(0..).all(|(at, n)| *at == n * 20), "each at once");
    }

    #[test]
    fn a_storm_over_the_limit_is_in_within_a_minute_and_never_faster_than_the_rate() {
        for seed in 0..20 {
            let (entered, refused) = storm(2000, 10_000, 40.0, 40.0, seed);
            let last = *entered.last().unwrap();
            assert_eq!(entered.len(), 2000);
            // At 40 a second 2,000 take 49 s at best.
            assert!(last < 60_000, "seed {seed}: the last came in after {last} ms");
            assert!(refused < 2 * 2000, "seed {seed}: sent away {refused} times, twice each at most on average");
            for (n, at) in entered.iter().enumerate() {
                let allowed = 40.0 + 40.0 * *at as f64 / 1000.0 + 1.0;
                assert!(n as f64 <= allowed, "seed {seed}: {n} were in after {at} ms");
            }
        }
    }
}
