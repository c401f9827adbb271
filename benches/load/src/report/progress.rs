//! One line for each second of a run, for people or for programs.

use super::document::Moment;
use super::percentile::Percentiles;
use crate::engine::measure::Latency;
use crate::receive::account::Counts;
use std::fmt::Write;

/// Writes a line from the counters now and a second before.
pub fn line(second: u64, joined: usize, failed: usize, now: &Moment, before: &Moment, latency: &Latency) -> String {
    let wire = |m: &Moment| m.measured.wire;
    let packets = wire(now).packets.saturating_sub(wire(before).packets);
    let bits = 8 * wire(now).bytes.saturating_sub(wire(before).bytes);
    let lost = now.measured.audio.lost + now.measured.video.lost + now.measured.checked.skipped;
    let video = Percentiles::of_histogram(if latency.video.is_empty() { &latency.audio } else { &latency.video });
    let mut line = format!("{second:4} s  in {joined}");
    // Writing to a string can't fail.
    if failed > 0 {
        let _ = write!(line, " (failed {failed})");
    }
    let _ = write!(
        line,
        "  {:7.1} kpps {:7.1} Mbit/s  lost {lost}  freezes {}  p50 {:.2} p99 {:.2} ms",
        packets as f64 / 1e3,
        bits as f64 / 1e6,
        now.measured.frames.freezes,
        video.p50,
        video.p99
    );
    if let (Some(to), Some(from)) = (now.server, before.server) {
        let cpu = to.cpu_since(&from);
        let _ = write!(line, "  server {:3.0}% {} MiB", cpu as f64 / 1e7, to.rss >> 20);
    }
    if let (Some(to), Some(from)) = (now.own, before.own) {
        let _ = write!(line, "  load {:3.0}%", to.cpu_since(&from) as f64 / 1e7);
    }
    line
}

/// One second of a run. Its field names are an interface, like the document's.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
pub struct Second {
    /// From the beginning of the run.
    pub second: u64,
    /// Participants that are in.
    pub joined: usize,
    /// Joins that failed so far.
    pub failed: usize,
    /// RTP packets received in this second.
    pub packets: u64,
    /// Of those expected in this second, the share that was given up as lost or skipped.
    pub loss_share: f64,
    /// Freezes so far.
    pub freezes: u64,
    /// Of the measured time so far, in milliseconds.
    pub latency_p99_ms: f64,
    /// The server's CPU time, as a share of one core.
    pub server_cpu_share: f64,
    /// The server's resident memory in bytes.
    pub server_rss: u64,
    /// Our own CPU time, as a share of one core.
    pub own_cpu_share: f64,
}

/// Fewer packets in a second say nothing about loss.
const ENOUGH: u64 = 100;

impl Second {
    /// From the counters now and a second before.
    pub fn new(second: u64, joined: usize, failed: usize, now: &Moment, before: &Moment, latency: &Latency) -> Self {
        let all = |m: &Moment| {
            let mut all: Counts = m.measured.audio;
            all += m.measured.video;
            (all.expected, all.lost + m.measured.checked.skipped)
        };
        let ((expected, lost), (expected_before, lost_before)) = (all(now), all(before));
        let expected = expected.saturating_sub(expected_before);
        let lost = lost.saturating_sub(lost_before);
        let cpu = |to: Option<super::process::Sample>, from: Option<super::process::Sample>| {
            to.zip(from).map_or(0.0, |(to, from)| to.cpu_since(&from) as f64 / 1e9)
        };
        let video = Percentiles::of_histogram(&latency.video).p99;
        Self {
            second,
            joined,
            failed,
            packets: now.measured.wire.packets.saturating_sub(before.measured.wire.packets),
            loss_share: if expected < ENOUGH { 0.0 } else { lost as f64 / expected as f64 },
            freezes: now.measured.frames.freezes,
            latency_p99_ms: video.max(Percentiles::of_histogram(&latency.audio).p99),
            server_cpu_share: cpu(now.server, before.server),
            server_rss: now.server.map_or(0, |server| server.rss),
            own_cpu_share: cpu(now.own, before.own),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loss_is_that_of_the_second() {
        let moment = |expected, lost| {
            let mut moment = Moment::default();
            moment.measured.video = Counts { expected, lost, ..Counts::default() };
            moment
        };
        let latency = Latency::new().unwrap();
        let share = |now, before| Second::new(2, 1, 0, &now, &before, &latency).loss_share;
        assert_eq!(share(moment(2_000, 550), moment(1_000, 500)), 0.05);
        assert_eq!(share(moment(1_050, 550), moment(1_000, 500)), 0.0, "too few to tell");
    }
}
