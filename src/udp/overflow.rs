//! Datagrams that the kernel dropped since our receive buffer was full (`SO_RXQ_OVFL`, `socket(7)`): counted, and told once for
//! each burst.

use std::time::{Duration, Instant};

/// A burst is over after so long without a loss.
const QUIET: Duration = Duration::from_secs(1);
/// A burst that doesn't end is told as often.
const LONGEST: Duration = Duration::from_secs(10);
const _: () = assert!(QUIET.as_nanos() < LONGEST.as_nanos());

/// The kernel's counter, followed.
#[derive(Debug, Default)]
pub struct Overflow {
    /// What the kernel said last: a counter of 32 bits that wraps.
    counter: u32,
    total: u64,
    burst: Option<Burst>,
}

/// Losses close to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Burst {
    /// Datagrams lost.
    pub lost: u64,
    /// When the first loss was seen, and the last.
    pub from: Instant,
    /// See `from`.
    pub to: Instant,
}

impl Overflow {
    /// All that was lost so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// A datagram came with the kernel's counter.
    pub fn saw(&mut self, now: Instant, counter: u32) {
        let lost = u64::from(counter.wrapping_sub(self.counter));
        self.counter = counter;
        if lost == 0 {
            return;
        }
        self.total += lost;
        let burst = self.burst.get_or_insert(Burst { lost: 0, from: now, to: now });
        burst.lost += lost;
        burst.to = now;
    }

    /// The burst to tell now: one that is over, or has lasted long.
    pub fn poll(&mut self, now: Instant) -> Option<Burst> {
        let due = |burst: &mut Burst| {
            now.saturating_duration_since(burst.to) >= QUIET || now.saturating_duration_since(burst.from) >= LONGEST
        };
        self.burst.take_if(due)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_once_when_it_is_over() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut overflow = Overflow::default();
        overflow.saw(at(0), 0);
        assert_eq!(overflow.poll(at(5_000)), None);
        overflow.saw(at(0), 3);
        overflow.saw(at(500), 10);
        overflow.saw(at(600), 10);
        assert_eq!(overflow.poll(at(1_400)), None);
        assert_eq!(overflow.poll(at(1_500)), Some(Burst { lost: 10, from: at(0), to: at(500) }));
        assert_eq!(overflow.poll(at(9_000)), None);
        assert_eq!(overflow.total(), 10);
    }

    #[test]
    fn a_loss_that_goes_on_is_told_now_and_then() {
        let start = Instant::now();
        let mut overflow = Overflow::default();
        let told = (1..=250).filter(|n| {
            let now = start + Duration::from_millis(u64::from(*n) * 100);
            overflow.saw(now, *n);
            overflow.poll(now).is_some()
        });
        assert_eq!(told.count(), 2);
    }

    #[test]
    fn the_kernels_counter_may_wrap() {
        let now = Instant::now();
        let mut overflow = Overflow::default();
        overflow.saw(now, u32::MAX);
        overflow.saw(now, 4);
        assert_eq!(overflow.total(), u64::from(u32::MAX) + 5);
    }
}
