//! The rate that the delays allow: up while the queue on the way is even, down to what arrives when it grows
//! (draft-ietf-rmcat-gcc-02 section 5.5).

use super::trend::Usage;
use std::time::{Duration, Instant};

/// Kept of what the link takes when the queue grows: what is over must drain too. The draft keeps 0.85 of an average; this is measured while
/// packets wait, so less doubt needs to be kept free.
const DECREASE: f64 = 0.9;
/// Growth a second while the link's capacity is unknown.
const INCREASE: f64 = 1.08;
/// Measurements of the capacity that differ by more standard deviations than this speak of another link.
const FAR: f64 = 3.0;
/// Weight of a new measurement of the capacity.
const CAPACITY_WEIGHT: f64 = 0.05;
/// The estimate isn't further above what arrives than this, since nothing beyond was tried.
const UNTRIED: f64 = 1.5;
const UNTRIED_MARGIN: f64 = 10_000.0;
/// Bits of a packet, for the additive increase: one more each response time.
const PACKET_BITS: f64 = 1_200.0 * 8.0;
/// Added to the round trip for the response time: how long a growing queue takes to be found.
const DETECTION: Duration = Duration::from_millis(100);
/// Least increase near the capacity, bits per second each second.
const LEAST_INCREASE: f64 = 4_000.0;

/// Average and relative variance of the capacity, as far as it is known.
#[derive(Clone, Copy, Debug)]
struct Capacity {
    average: f64,
    variance: f64,
}

impl Capacity {
    fn deviation(&self) -> f64 {
        (self.variance * self.average).sqrt()
    }
}

/// See the module. Rates are bits per second.
#[derive(Debug)]
pub struct Rate {
    rate: f64,
    capacity: Option<Capacity>,
    updated: Option<Instant>,
    decreased: Option<Instant>,
    /// The queue was found to grow, and hasn't been even since.
    holding: bool,
}

impl Rate {
    /// Starts at `rate`.
    pub fn new(rate: u64) -> Self {
        Self { rate: rate as f64, capacity: None, updated: None, decreased: None, holding: false }
    }

    /// Bits per second.
    pub fn get(&self) -> u64 {
        self.rate as u64
    }

    /// A probe found this much.
    pub fn probed(&mut self, now: Instant, rate: u64) {
        self.rate = rate as f64;
        self.updated = Some(now);
        if self.capacity.is_some_and(|c| self.rate > c.average + FAR * c.deviation()) {
            self.capacity = None;
        }
    }

    /// Takes in what the delays and the arrivals say. `rtt`: the least round trip, and the newest, queue and all. `limited`: less was sent than
    /// allowed, so the arrivals tell nothing about the link's capacity. Returns whether the rate was cut.
    pub fn update(
        &mut self,
        now: Instant,
        usage: Usage,
        arrives: Option<u64>,
        rtt: (Duration, Duration),
        limited: bool,
    ) -> bool {
        let elapsed = self.updated.replace(now).map_or(Duration::ZERO, |at| now.saturating_duration_since(at));
        let elapsed = elapsed.min(Duration::from_secs(1)).as_secs_f64();
        match usage {
            Usage::Over => return self.cut(now, arrives, rtt.1),
            // It drains: what was cut was enough.
            Usage::Under => self.holding = true,
            Usage::Normal if std::mem::take(&mut self.holding) => {}
            Usage::Normal if limited => {}
            Usage::Normal => self.grow(arrives, rtt.0, elapsed),
        }
        false
    }

    fn cut(&mut self, now: Instant, arrives: Option<u64>, rtt: Duration) -> bool {
        self.holding = true;
        // The effect of a cut shows after a round trip and a feedback.
        let wait = rtt.clamp(Duration::from_millis(10), Duration::from_millis(200)) + DETECTION;
        if self.decreased.is_some_and(|at| now.saturating_duration_since(at) < wait) {
            return false;
        }
        let Some(arrives) = arrives.map(|rate| rate as f64) else {
            self.rate /= 2.0;
            self.decreased = Some(now);
            return true;
        };
        let target = arrives * DECREASE;
        if target >= self.rate {
            return false;
        }
        self.observe(arrives);
        self.rate = target;
        self.decreased = Some(now);
        true
    }

    fn grow(&mut self, arrives: Option<u64>, rtt: Duration, elapsed: f64) {
        let arrives = arrives.map(|rate| rate as f64);
        if let (Some(capacity), Some(arrives)) = (self.capacity, arrives)
            && arrives > capacity.average + FAR * capacity.deviation()
        {
            self.capacity = None;
        }
        let grown = match self.capacity {
            Some(_) => {
                let response = (rtt + DETECTION).as_secs_f64();
                self.rate + (PACKET_BITS / response).max(LEAST_INCREASE) * elapsed
            }
            None => self.rate * INCREASE.powf(elapsed),
        };
        let most = arrives.map_or(f64::INFINITY, |arrives| arrives * UNTRIED + UNTRIED_MARGIN);
        self.rate = grown.min(most.max(self.rate));
    }

    fn observe(&mut self, arrives: f64) {
        let capacity = self.capacity.get_or_insert(Capacity { average: arrives, variance: 0.4 * arrives.sqrt() });
        if (arrives - capacity.average).abs() > FAR * capacity.deviation() {
            *capacity = Capacity { average: arrives, variance: 0.4 * arrives.sqrt() };
            return;
        }
        capacity.average += CAPACITY_WEIGHT * (arrives - capacity.average);
        let error = arrives - capacity.average;
        let normalised = error * error / capacity.average.max(1.0);
        capacity.variance += CAPACITY_WEIGHT * (normalised - capacity.variance);
        // From a quarter of a percent at a megabit to a few: neither blind nor jumpy.
        capacity.variance = capacity.variance.clamp(400.0, 2_500.0);
    }

    /// Keeps it within bounds.
    pub fn clamp(&mut self, least: u64, most: u64) {
        self.rate = self.rate.clamp(least as f64, most as f64);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RTT: Duration = Duration::from_millis(50);
    const RTTS: (Duration, Duration) = (RTT, RTT);

    fn run(rate: &mut Rate, from: Instant, seconds: u64, usage: Usage, arrives: impl Fn(u64) -> u64, limited: bool) {
        for step in 0..seconds * 10 {
            let now = from + Duration::from_millis(step * 100);
            rate.update(now, usage, Some(arrives(rate.get())), RTTS, limited);
        }
    }

    #[test]
    fn a_growing_queue_cuts_to_below_what_arrives_and_once_a_response_time() {
        let now = crate::test_epoch();
        let mut rate = Rate::new(3_000_000);
        assert!(rate.update(now, Usage::Over, Some(500_000), RTTS, false));
        assert_eq!(rate.get(), 450_000);
        assert!(!rate.update(now + RTT, Usage::Over, Some(400_000), RTTS, false));
        assert!(rate.update(now + 4 * RTT, Usage::Over, Some(400_000), RTTS, false));
    }

    #[test]
    fn unused_allowance_does_not_grow_and_used_one_does() {
        let now = crate::test_epoch();
        let mut rate = Rate::new(300_000);
        run(&mut rate, now, 10, Usage::Normal, |_| 100_000, true);
        assert_eq!(rate.get(), 300_000);
        run(&mut rate, now + Duration::from_secs(10), 10, Usage::Normal, |sent| sent, false);
        assert!(rate.get() > 600_000, "{}", rate.get());
    }

    #[test]
    fn near_the_known_capacity_it_grows_by_a_packet_each_response_time() {
        let now = crate::test_epoch();
        let mut rate = Rate::new(2_000_000);
        rate.update(now, Usage::Over, Some(1_000_000), RTTS, false);
        run(&mut rate, now + RTT, 1, Usage::Under, |_| 1_000_000, false);
        let before = rate.get();
        run(&mut rate, now + Duration::from_secs(1), 1, Usage::Normal, |sent| sent, false);
        let grown = rate.get() - before;
        assert!((40_000..80_000).contains(&grown), "{grown}: 9,600 bits each 150 ms");
    }
}
