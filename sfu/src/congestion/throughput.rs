//! How much a receiver got a second lately, from its feedback.

use std::collections::VecDeque;

/// Span of the average, in microseconds.
const WINDOW: i64 = 500_000;
/// Less than this much of it is no measurement.
const LEAST: i64 = 150_000;

/// Sliding average over arrival times (the receiver's clock, in microseconds).
#[derive(Debug, Default)]
pub struct Throughput {
    arrivals: VecDeque<(i64, u32)>,
    bytes: u64,
}

impl Throughput {
    /// Takes in a packet that came.
    pub fn arrived(&mut self, arrival: i64, bytes: usize) {
        if let Some(&(newest, _)) = self.arrivals.back()
            && (arrival < newest - WINDOW || arrival > newest + 10 * WINDOW)
        {
            // The receiver's clock jumped.
            self.arrivals.clear();
            self.bytes = 0;
        }
        // Feedback comes many packets at a time: those of one millisecond share an entry.
        match self.arrivals.back_mut() {
            Some((at, sum)) if arrival - *at < 1_000 => *sum += bytes as u32,
            _ => self.arrivals.push_back((arrival, bytes as u32)),
        }
        self.bytes += bytes as u64;
        while let Some(&(at, sum)) = self.arrivals.front()
            && at < arrival - WINDOW
        {
            self.arrivals.pop_front();
            self.bytes -= u64::from(sum);
        }
    }

    /// Bits per second; `None` before there is enough to tell.
    pub fn rate(&self) -> Option<u64> {
        let (&(first, _), &(last, newest)) = (self.arrivals.front()?, self.arrivals.back()?);
        let span = last - first;
        if span < LEAST {
            return None;
        }
        // The newest ends the span, so its own bytes are of the next one.
        Some((self.bytes - u64::from(newest)) * 8_000_000 / span as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_steady_stream_has_its_rate_and_a_change_shows_within_half_a_second() {
        let mut throughput = Throughput::default();
        assert_eq!(throughput.rate(), None);
        for at in (0..1_000_000).step_by(10_000) {
            throughput.arrived(at, 1_250);
        }
        let rate = throughput.rate().unwrap();
        assert!((990_000..1_010_000).contains(&rate), "{rate}");
        for at in (1_000_000..1_600_000).step_by(10_000) {
            throughput.arrived(at, 625);
        }
        let rate = throughput.rate().unwrap();
        assert!((490_000..510_000).contains(&rate), "{rate}");
    }

    #[test]
    fn a_jump_of_the_clock_starts_anew() {
        let mut throughput = Throughput::default();
        for at in (0..1_000_000).step_by(10_000) {
            throughput.arrived(at, 1_250);
        }
        throughput.arrived(1 << 40, 1_250);
        assert_eq!(throughput.rate(), None);
    }
}
