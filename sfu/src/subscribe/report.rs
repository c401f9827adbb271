//! Sender reports of one subscription, and the round trip that the answers tell (RFC 3550 section 6.4.1).

use crate::id::Ssrc;
use crate::rtp::Clock;
use crate::rtp::rtcp::{ReportBlock, SenderReport};
use std::time::{Duration, Instant};

/// As browsers send them for video.
const INTERVAL: Duration = Duration::from_secs(1);
/// Before the first answer: a usual round trip between continents' halves.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// A longer one is a mistake of the peer's arithmetic.
const MAX_RTT: Duration = Duration::from_secs(5);

/// When and what to report.
#[derive(Debug)]
pub(super) struct Reports {
    next: Option<Instant>,
    /// Middle bits of the NTP time of recent reports and when they went: the answer may be to the one before.
    sent: [Option<(u32, Instant)>; 2],
    rtt: Duration,
    fraction_lost: u8,
}

impl Reports {
    /// Nothing is reported until something was sent.
    pub fn new() -> Self {
        Self { next: None, sent: [None; 2], rtt: INITIAL_RTT, fraction_lost: 0 }
    }

    /// A packet goes out: starts reporting as soon as there is a clock, at once where the source changed.
    pub fn on_packet(&mut self, now: Instant, clock: bool, switched: bool) {
        if clock && (switched || self.next.is_none()) {
            self.next = Some(now);
        }
    }

    /// When the next is due.
    pub fn deadline(&self) -> Option<Instant> {
        self.next
    }

    /// The report due now. `clock` is our line of wall clock and timestamps; both go on from it by the time passed since,
    /// so the receiver sees exactly the publisher's line.
    pub fn poll(
        &mut self,
        now: Instant,
        ssrc: Ssrc,
        clock: Option<(Clock, u32)>,
        sent: (u64, u64),
    ) -> Option<SenderReport> {
        self.next.filter(|at| *at <= now)?;
        self.next = clock.map(|_| now + INTERVAL);
        let (clock, rate) = clock?;
        let elapsed = now.saturating_duration_since(clock.at);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        let ntp = clock.ntp.wrapping_add(elapsed.as_secs() << 32 | fraction);
        let ticks = (elapsed.as_nanos() * u128::from(rate) + 500_000_000) / 1_000_000_000;
        self.sent = [Some(((ntp >> 16) as u32, now)), self.sent[0]];
        let rtp = clock.rtp.wrapping_add(ticks as u32);
        Some(SenderReport { ssrc, ntp, rtp, packets: sent.0 as u32, octets: sent.1 as u32 })
    }

    /// Takes in the receiver's block about us.
    pub fn answered(&mut self, now: Instant, block: &ReportBlock) {
        self.fraction_lost = block.fraction_lost;
        let sent = self.sent.iter().flatten().find(|(lsr, _)| *lsr == block.lsr && block.lsr != 0);
        if let Some((_, at)) = sent {
            let held = Duration::from_micros(u64::from(block.dlsr) * 1_000_000 / 65_536);
            let rtt = now.saturating_duration_since(*at).saturating_sub(held);
            if rtt <= MAX_RTT {
                self.rtt = (self.rtt * 3 + rtt) / 4;
            }
        }
    }

    /// Smoothed round trip to the subscriber.
    pub fn rtt(&self) -> Duration {
        self.rtt
    }

    /// Share lost in the last interval, in 1/256.
    pub fn fraction_lost(&self) -> u8 {
        self.fraction_lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_line_is_the_publishers_line() {
        let start = crate::test_epoch();
        let mut reports = Reports::new();
        assert_eq!(reports.poll(start, Ssrc(1), None, (0, 0)), None);
        reports.on_packet(start, false, true);
        assert_eq!(reports.deadline(), None, "none before the publisher's first");
        reports.on_packet(start, true, false);
        let clock = Clock { ntp: 10 << 32, rtp: u32::MAX - 89_999, at: start };
        let report =
            reports.poll(start + Duration::from_millis(1_500), Ssrc(1), Some((clock, 90_000)), (3, 4)).unwrap();
        assert_eq!(report.ntp, 11 << 32 | 0x8000_0000);
        assert_eq!(report.rtp, 45_000);
        assert_eq!((report.packets, report.octets), (3, 4));
        assert_eq!(reports.deadline(), Some(start + Duration::from_millis(2_500)));
    }

    #[test]
    fn the_answer_tells_the_round_trip() {
        let start = crate::test_epoch();
        let mut reports = Reports::new();
        reports.on_packet(start, true, true);
        let clock = Clock { ntp: 0x1_2345_0000_0000, rtp: 0, at: start };
        let report = reports.poll(start, Ssrc(1), Some((clock, 90_000)), (0, 0)).unwrap();
        let block = ReportBlock {
            ssrc: Ssrc(1),
            fraction_lost: 9,
            cumulative_lost: 0,
            highest: 0,
            jitter: 0,
            lsr: (report.ntp >> 16) as u32,
            dlsr: 65_536 / 2,
        };
        for _ in 0..50 {
            reports.answered(start + Duration::from_millis(520), &block);
        }
        assert!(reports.rtt().abs_diff(Duration::from_millis(20)) < Duration::from_millis(1));
        assert_eq!(reports.fraction_lost(), 9);
    }
}
