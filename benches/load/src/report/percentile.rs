//! Percentiles by the nearest rank: always a value that was measured, never one in between.

use hdrhistogram::Histogram;
use serde::Serialize;

/// A distribution in milliseconds.
#[derive(Clone, Copy, PartialEq, Debug, Default, Serialize)]
pub struct Percentiles {
    /// How many values there were.
    pub samples: u64,
    /// Half are at most this.
    pub p50: f64,
    /// 95 of 100 are at most this.
    pub p95: f64,
    /// 99 of 100 are at most this.
    pub p99: f64,
    /// The greatest.
    pub max: f64,
}

const NANOS: f64 = 1_000_000.0;

impl Percentiles {
    /// Of values in nanoseconds, in any order.
    pub fn of(mut nanos: Vec<u64>) -> Self {
        nanos.sort_unstable();
        let at = |share: f64| {
            let rank = (share * nanos.len() as f64).ceil().max(1.0) as usize;
            nanos.get(rank - 1).map_or(0.0, |v| *v as f64 / NANOS)
        };
        Self { samples: nanos.len() as u64, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) }
    }

    /// Of a histogram in nanoseconds.
    pub fn of_histogram(histogram: &Histogram<u64>) -> Self {
        let at =
            |share: f64| if histogram.is_empty() { 0.0 } else { histogram.value_at_quantile(share) as f64 / NANOS };
        Self { samples: histogram.len(), p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1.0) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn nearest_ranks() {
        let p = Percentiles::of((1..=100).rev().map(|n| n * MS).collect());
        assert_eq!(p, Percentiles { samples: 100, p50: 50.0, p95: 95.0, p99: 99.0, max: 100.0 });
        let p = Percentiles::of(vec![7 * MS]);
        assert_eq!((p.p50, p.p99, p.max), (7.0, 7.0, 7.0));
        let p = Percentiles::of(vec![3 * MS, MS]);
        assert_eq!((p.p50, p.p95), (1.0, 3.0));
        assert_eq!(Percentiles::of(vec![]), Percentiles::default());
    }

    #[test]
    fn a_histogram_says_the_same_to_three_digits() {
        let mut histogram = Histogram::<u64>::new_with_max(60_000 * MS, 3).unwrap();
        for n in 1..=1000 {
            histogram.record(n * MS).unwrap();
        }
        let (exact, rough) =
            (Percentiles::of((1..=1000).map(|n| n * MS).collect()), Percentiles::of_histogram(&histogram));
        for (a, b) in [(exact.p50, rough.p50), (exact.p95, rough.p95), (exact.p99, rough.p99), (exact.max, rough.max)] {
            assert!((a - b).abs() / a < 0.002, "{a} {b}");
        }
    }
}
