//! Reception statistics of one SSRC and the report block made of them (RFC 3550 sections 6.4.1, A.3 and A.8).

use crate::id::Ssrc;
use crate::rtp::Clock;
use crate::rtp::rtcp::ReportBlock;
use std::time::Instant;

/// One SSRC's counts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stats {
    ssrc: Ssrc,
    rate: u32,
    started: Instant,
    first: u64,
    highest: u64,
    received: u64,
    expected_prior: u64,
    received_prior: u64,
    /// Arrival minus timestamp of the last packet, in timestamp units.
    transit: u32,
    /// Scaled by 16.
    jitter: u32,
}

impl Stats {
    /// Starts at its first packet with extended sequence number `index`.
    pub fn new(now: Instant, ssrc: Ssrc, rate: u32, index: u64, ts: u32) -> Self {
        Self {
            ssrc,
            rate,
            started: now,
            first: index,
            highest: index,
            received: 0,
            expected_prior: 0,
            received_prior: 0,
            transit: 0u32.wrapping_sub(ts),
            jitter: 0,
        }
    }

    /// Counts a duplicate that came over the media SSRC: it makes up for a loss (RFC 3550 appendix A.3).
    pub fn duplicate(&mut self) {
        self.received += 1;
    }

    /// Counts a packet that came over the media SSRC.
    pub fn received(&mut self, now: Instant, index: u64, ts: u32) {
        self.received += 1;
        self.first = self.first.min(index);
        self.highest = self.highest.max(index);
        let arrival =
            (now.saturating_duration_since(self.started).as_micros() * u128::from(self.rate) / 1_000_000) as u32;
        let transit = arrival.wrapping_sub(ts);
        let difference = (transit.wrapping_sub(self.transit) as i32).unsigned_abs();
        self.transit = transit;
        self.jitter = self.jitter.saturating_add(difference).saturating_sub((self.jitter + 8) >> 4);
    }

    /// Packets that didn't come over the media SSRC.
    pub fn lost(&self) -> i64 {
        (self.highest - self.first + 1) as i64 - self.received as i64
    }

    /// The block for the next receiver report; starts a new interval.
    pub fn report(&mut self, now: Instant, clock: Option<Clock>) -> ReportBlock {
        let expected = self.highest - self.first + 1;
        let expected_interval = expected - self.expected_prior.min(expected);
        let received_interval = self.received - self.received_prior;
        self.expected_prior = expected;
        self.received_prior = self.received;
        let lost_interval = expected_interval.saturating_sub(received_interval);
        let fraction = (lost_interval << 8).checked_div(expected_interval).unwrap_or(0).min(255);
        let cycle_of_first = self.first >> 16;
        let (lsr, dlsr) = clock.map_or((0, 0), |clock| {
            let delay = now.saturating_duration_since(clock.at).as_micros() * 65_536 / 1_000_000;
            ((clock.ntp >> 16) as u32, delay as u32)
        });
        ReportBlock {
            ssrc: self.ssrc,
            fraction_lost: fraction as u8,
            cumulative_lost: self.lost().clamp(-0x80_0000, 0x7f_ffff) as i32,
            highest: (self.highest - (cycle_of_first << 16)) as u32,
            jitter: self.jitter >> 4,
            lsr,
            dlsr,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn loss_and_jitter_of_a_stream_with_every_fourth_packet_lost() {
        let start = crate::test_epoch();
        let mut stats = Stats::new(start, Ssrc(1), 90_000, 0x1_fff0, 0);
        for n in (0..100u64).filter(|n| n % 4 != 1) {
            // 20 ms apart in timestamps, every other packet 1 ms late: |D| is 90 ticks mostly.
            let at = start + Duration::from_millis(20 * n + n / 2 % 2);
            stats.received(at, 0x1_fff0 + n, n as u32 * 1800);
        }
        let clock = Clock { ntp: 0x1122_3344_5566_7788, rtp: 0, at: start };
        let block = stats.report(start + Duration::from_secs(2), Some(clock));
        assert_eq!(block.fraction_lost, 64);
        assert_eq!(block.cumulative_lost, 25);
        assert_eq!(block.highest, 0xfff0 + 99);
        assert_eq!((block.lsr, block.dlsr), (0x3344_5566, 2 << 16));
        assert!((20..90).contains(&block.jitter), "{}", block.jitter);
        let next = stats.report(start + Duration::from_secs(3), None);
        assert_eq!((next.fraction_lost, next.cumulative_lost, next.lsr), (0, 25, 0));
    }

    #[test]
    fn duplicates_make_the_loss_negative() {
        let start = crate::test_epoch();
        let mut stats = Stats::new(start, Ssrc(1), 48_000, 70_000, 0);
        stats.received(start, 70_000, 0);
        stats.duplicate();
        stats.received(start, 70_001, 0);
        let block = stats.report(start, None);
        assert_eq!((block.cumulative_lost, block.fraction_lost), (-1, 0));
    }
}
