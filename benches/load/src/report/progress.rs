//! One line for each second of a run.

use super::document::Moment;
use super::percentile::Percentiles;
use crate::engine::measure::Latency;
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
