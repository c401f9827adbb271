//! Receiver reports (RFC 3550 section 6.4.2).

use crate::At;
use ramai_sfu::id::Ssrc;
use ramai_sfu::rtp::rtcp::ReportBlock;

/// What reports on one stream need.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reporter {
    /// Middle bits of the newest sender report's NTP time, and when it came.
    last_report: Option<(u32, At)>,
    before: (u64, u64),
}

impl Reporter {
    /// Notes a sender report.
    pub fn sender_report(&mut self, now: At, ntp: u64) {
        self.last_report = Some(((ntp >> 16) as u32, now));
    }

    /// The block about `ssrc`, whose counts are these: expected, received, highest number.
    pub fn block(&mut self, now: At, ssrc: u32, (expected, received, highest): (u64, u64, u64)) -> ReportBlock {
        let (new, came) = (expected - self.before.0, received.saturating_sub(self.before.1));
        self.before = (expected, received);
        let fraction = (new.saturating_sub(came) * 256).checked_div(new).unwrap_or(0).min(255);
        let (lsr, dlsr) = self
            .last_report
            .map_or((0, 0), |(lsr, at)| (lsr, (now.saturating_sub(at).as_micros() * 65_536 / 1_000_000) as u32));
        ReportBlock {
            ssrc: Ssrc(ssrc),
            fraction_lost: fraction as u8,
            cumulative_lost: (expected as i64 - received as i64) as i32,
            // The extender's first cycle is 1, RFC 3550's is 0.
            highest: (highest - (1 << 16)) as u32,
            jitter: 0,
            lsr,
            dlsr,
        }
    }
}
