//! Judges a document by what was expected of the run.

use super::document::Document;
use crate::args::Expect;
use crate::scenario::Scenario;

/// The failures, in words; none is success.
pub fn judge(document: &Document, expect: &Expect) -> Vec<String> {
    let mut failures = Vec::new();
    let mut below = |what: &str, found: f64, limit: Option<f64>, unit: &str| {
        if let Some(limit) = limit
            && found >= limit
        {
            failures.push(format!("{what}: {found:.6}{unit}, expected below {limit}{unit}"));
        }
    };
    let all = document.packets.all;
    let expected = all.expected.max(1) as f64;
    below("loss", document.packets.loss_share, expect.expect_loss_below, "");
    let twice = (all.duplicates + document.checked.repeated) as f64;
    below("duplicates", twice / expected, expect.expect_duplicates_below, "");
    below("disorder", (all.reordered + all.recovered) as f64 / expected, expect.expect_disorder_below, "");
    let latency = document.latency_ms.video.p99.max(document.latency_ms.audio.p99);
    below("latency p99", latency, expect.expect_latency_p99_below, " ms");
    below("join p95", document.joins.time_ms.p95, expect.expect_join_p95_below, " ms");
    below("freezes", document.pictures.freezes as f64, expect.expect_freezes_below.map(|n| n as f64), "");
    let gap = document.pictures.longest_gap_ms.max(document.pictures.longest_gap_before_ms);
    below("longest gap in a picture", gap, expect.expect_gap_below, " ms");
    if let Some(server) = document.server {
        below("server CPU per packet", server.cpu_us_per_packet, expect.expect_cpu_below, " us");
        let growth = (server.rss_end as f64 - server.rss_joined as f64) / f64::from(1 << 20);
        below("server memory growth", growth, expect.expect_growth_below, " MiB");
    } else if expect.expect_cpu_below.is_some() || expect.expect_growth_below.is_some() {
        failures.push("the server's process is gone or was not named (--server-pid)".into());
    }
    let measured = document.latency_ms.video.samples + document.latency_ms.audio.samples;
    if expect.expect_latency_p99_below.is_some() && measured == 0 {
        failures.push("no latency was measured: nobody decrypts (--check-share), or nothing came".into());
    }
    let joins = &document.joins;
    if joins.failed as f64 > expect.allow_failed_joins * joins.asked as f64 {
        failures.push(format!("{} of {} joins failed: {}", joins.failed, joins.asked, joins.reasons()));
    }
    if joins.broken > 0 {
        failures.push(format!("{} connections broke: {}", joins.broken, joins.reasons()));
    }
    if all.received == 0 && document.scenario != Scenario::Idle {
        failures.push("nothing was received".into());
    }
    if document.tool.own_drops > 0 {
        let drops = document.tool.own_drops;
        failures.push(format!("this tool was too slow: {drops} datagrams were dropped at its own sockets"));
    }
    let streams = document.streams;
    let silent = streams.silent + if expect.allow_unheard { 0 } else { streams.unheard };
    if silent > 0 {
        failures.push(format!("{silent} of {} tracks never flowed", streams.negotiated));
    }
    if document.checked.damaged + document.wire.unopened > 0 {
        let (damaged, unopened) = (document.checked.damaged, document.wire.unopened);
        failures.push(format!("{damaged} packets were damaged and {unopened} could not be authenticated"));
    }
    failures
}

#[cfg(test)]
mod tests {
    use super::super::document::{Joins, Material, Moment};
    use super::super::process::Sample;
    use super::*;
    use crate::engine::measure::{Latency, Measured, Wire};
    use crate::receive::account::Counts;
    use std::time::Duration;

    /// A good run of a second: 10,000 packets expected, all came within 2 ms.
    fn good() -> Material {
        let video = Counts { expected: 10_000, received: 10_000, ..Counts::default() };
        let wire = Wire { packets: 10_000, bytes: 10_000_000, ..Wire::default() };
        let measured = Measured { video, wire, ..Measured::default() };
        let mut latency = Latency::new().unwrap();
        latency.video.record_n(2_000_000, 10_000).unwrap();
        let sample = |ms: u64, mib: u64| Some(Sample { ticks: ms * 1_000_000, exact: 0, threads: 4, rss: mib << 20 });
        Material {
            command: String::new(),
            scenario: Scenario::Broadcast,
            allow_unheard: false,
            span: Duration::from_secs(1),
            before: Moment { server: sample(0, 20), ..Moment::default() },
            begin: Moment { server: sample(100, 30), ..Moment::default() },
            end: Moment { server: sample(110, 30), measured: measured.clone(), ..Moment::default() },
            last: measured,
            latency,
            joins: Joins { asked: 100, joined: 100, ..Joins::default() },
        }
    }

    fn strict() -> Expect {
        Expect {
            expect_loss_below: Some(0.005),
            expect_duplicates_below: Some(0.005),
            expect_disorder_below: Some(0.005),
            expect_latency_p99_below: Some(20.0),
            expect_join_p95_below: Some(1000.0),
            expect_freezes_below: Some(1),
            expect_cpu_below: Some(1.5),
            expect_growth_below: Some(5.0),
            expect_gap_below: Some(300.0),
            allow_unheard: false,
            allow_failed_joins: 0.0,
        }
    }

    fn failures(change: impl FnOnce(&mut Material)) -> Vec<String> {
        let mut material = good();
        change(&mut material);
        judge(&Document::new(material), &strict())
    }

    #[test]
    fn a_good_run_passes_with_the_right_numbers() {
        assert_eq!(failures(|_| {}), Vec::<String>::new());
        let server = Document::new(good()).server.unwrap();
        assert_eq!((server.cpu_us_per_packet, server.cpu_ms_per_join), (1.0, 1.0));
        assert_eq!(server.rss_per_participant, (10 << 20) / 100);
    }

    #[test]
    fn each_fault_is_named() {
        let one = |change: fn(&mut Material), word: &str| {
            let found = failures(change);
            assert!(found.len() == 1 && found[0].contains(word), "{word}: {found:?}");
        };
        one(|m| m.last.video.lost = 100, "loss");
        one(|m| m.last.checked.skipped = 100, "loss");
        one(|m| m.last.checked.unheard = 100, "loss");
        assert_eq!(failures(|m| (m.last.checked.unheard, m.allow_unheard) = (100, true)), Vec::<String>::new());
        one(|m| m.last.video.duplicates = 100, "duplicates");
        one(|m| m.last.checked.repeated = 100, "duplicates");
        one(|m| m.last.video.recovered = 100, "disorder");
        one(|m| m.latency.video.record_n(50_000_000, 200).unwrap(), "latency");
        one(|m| m.joins.time_ms.p95 = 1500.0, "join");
        one(|m| m.last.frames.freezes = 1, "freezes");
        one(|m| m.end.server.as_mut().unwrap().ticks += 10_000_000, "CPU");
        one(|m| m.end.server.as_mut().unwrap().rss += 6 << 20, "memory");
        one(|m| m.end.server = None, "gone");
        one(|m| m.joins.failed = 1, "joins failed");
        let full = |m: &mut Material| {
            m.joins.failed = 3;
            for why in ["refused with 403: the room is full", "ICE got no answer", "refused with 403: the room is full"]
            {
                m.joins.blame(why);
            }
        };
        one(full, "3 of 100 joins failed: 2 × refused with 403: the room is full; 1 × ICE got no answer");
        one(|m| m.last.broken = 1, "broke");
        one(|m| m.last.video = Counts::default(), "nothing");
        let idle = failures(|m| (m.scenario, m.last.video) = (Scenario::Idle, Counts::default()));
        assert_eq!(idle, Vec::<String>::new());
        one(|m| m.end.measured.own_drops = 1, "too slow");
        one(|m| m.last.streams.silent = 1, "never flowed");
        one(|m| m.last.streams.unheard = 1, "never flowed");
        one(|m| m.last.frames.longest = 301_000_000, "longest gap");
        one(|m| m.last.checked.damaged = 1, "damaged");
    }
}
