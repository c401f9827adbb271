//! The document at the end of a run. Its field names are an interface: scripts read them.

use super::percentile::Percentiles;
use super::process::{Machine, Sample};
use crate::engine::measure::{Latency, Measured, Streams, Wire};
use crate::receive::account::Counts;
use crate::receive::stream::Checked;
use crate::scenario::Scenario;
use serde::Serialize;
use std::time::Duration;

/// How participants got in.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Joins {
    /// Who set out.
    pub asked: usize,
    /// Who got in.
    pub joined: usize,
    /// Who didn't.
    pub failed: usize,
    /// How often somebody was told to come back later, and did.
    pub turned_away: u64,
    /// Whose connection broke later.
    pub broken: u64,
    /// From setting out to media connected and tracks taken, in milliseconds.
    pub time_ms: Percentiles,
    /// From setting out to the first whole frame, in milliseconds.
    pub first_frame_ms: Percentiles,
    /// Why, most frequent first; at most a few.
    pub errors: Vec<Reason>,
}

/// Why joins failed or connections broke.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Reason {
    /// In the server's words, where it had some.
    pub why: String,
    /// How often.
    pub count: u64,
}

/// Different reasons that are kept.
const MAX_REASONS: usize = 8;

impl Joins {
    /// Notes a reason; true if it is the first of its kind.
    pub fn blame(&mut self, why: &str) -> bool {
        let fresh = !self.errors.iter().any(|reason| reason.why == why);
        if let Some(reason) = self.errors.iter_mut().find(|reason| reason.why == why) {
            reason.count += 1;
        } else if self.errors.len() < MAX_REASONS {
            self.errors.push(Reason { why: why.to_owned(), count: 1 });
        }
        self.errors.sort_by_key(|reason| std::cmp::Reverse(reason.count));
        fresh
    }

    /// All reasons in a line.
    pub fn reasons(&self) -> String {
        let all: Vec<String> = self.errors.iter().map(|r| format!("{} × {}", r.count, r.why)).collect();
        all.join("; ")
    }
}

/// RTP packets as receivers saw them.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Packets {
    /// Audio and video.
    pub all: Counts,
    /// Audio.
    pub audio: Counts,
    /// Video, without retransmissions.
    pub video: Counts,
    /// Lost for good or before the server numbered them, as a share of what was expected.
    pub loss_share: f64,
    /// Received in a second of the measured time, retransmissions included.
    pub per_second: f64,
    /// Different ones of audio among them.
    pub audio_per_second: f64,
    /// Different ones of video among them.
    pub video_per_second: f64,
    /// Bits in a second of the measured time.
    pub bits_per_second: f64,
}

/// From publisher to the arrival at the receiver's socket, in milliseconds, at receivers that decrypt.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Latencies {
    /// Audio.
    pub audio: Percentiles,
    /// Video.
    pub video: Percentiles,
}

/// Pictures.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Pictures {
    /// Whole frames.
    pub frames: u64,
    /// Those of them in a second of the measured time.
    pub per_second: f64,
    /// Times without a whole frame for more than 500 ms.
    pub freezes: u64,
    /// Their length together, in milliseconds.
    pub frozen_ms: f64,
    /// The longest time between two whole frames of any that was over in the measured time or later, in milliseconds.
    pub longest_gap_ms: f64,
    /// The longest that was over before: while people came.
    pub longest_gap_before_ms: f64,
}

/// The server's process.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Server {
    /// CPU time in the measured time, as a share of one core.
    pub cpu_share: f64,
    /// CPU time for each packet that reached a receiver, in microseconds; 0 if none did.
    pub cpu_us_per_packet: f64,
    /// CPU time for each join, in milliseconds: from before the first to the begin of the measured time, without what forwarding
    /// took meanwhile at the price above. A rough number where few join and much flows.
    pub cpu_ms_per_join: f64,
    /// Resident memory before the first join, in bytes.
    pub rss_before: u64,
    /// After the joins, in bytes.
    pub rss_joined: u64,
    /// At the end of the measured time, in bytes.
    pub rss_end: u64,
    /// Growth by the joins for each participant, in bytes.
    pub rss_per_participant: i64,
    /// Threads at the end.
    pub threads: u64,
}

/// Whether the tool itself kept up: if not, its numbers aren't the server's.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Tool {
    /// Datagrams dropped at our own sockets.
    pub own_drops: u64,
    /// Longest round of the engine's loop in the measured time, in milliseconds.
    pub longest_round_ms: f64,
    /// Our own CPU time in the measured time, as a share of one core.
    pub cpu_share: f64,
}

/// What publishers did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Publishers {
    /// Packets sent.
    pub packets: u64,
    /// Packets that the server asked for again.
    pub nacked: u64,
    /// Packets sent again.
    pub retransmitted: u64,
    /// Key frames asked for.
    pub key_requests: u64,
    /// Key frames sent.
    pub key_frames: u64,
    /// Times that a layer was switched off because nobody watched it.
    pub pauses: u64,
}

/// The whole.
#[derive(Clone, Debug, Serialize)]
pub struct Document {
    /// Version of this tool.
    pub version: &'static str,
    /// The command line, without secrets.
    pub command: String,
    /// What happened.
    pub scenario: Scenario,
    /// Where it ran.
    pub machine: Machine,
    /// Measured time in seconds.
    pub seconds: f64,
    /// Peer connections at the end.
    pub connections: usize,
    /// See there.
    pub joins: Joins,
    /// See there.
    pub packets: Packets,
    /// See there.
    pub latency_ms: Latencies,
    /// See there.
    pub pictures: Pictures,
    /// Of decrypted packets.
    pub checked: Checked,
    /// Tracks at the end.
    pub streams: Streams,
    /// See there.
    pub publishers: Publishers,
    /// Raw counters.
    pub wire: Wire,
    /// If its process was named.
    pub server: Option<Server>,
    /// See there.
    pub tool: Tool,
    /// Expectations that failed; empty is success.
    pub failures: Vec<String>,
}

/// Counters at one moment, with the processes'.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    /// The engine's counters.
    pub measured: Measured,
    /// The server's process.
    pub server: Option<Sample>,
    /// Our own.
    pub own: Option<Sample>,
}

/// What a document is made from.
pub struct Material {
    /// See [`Document::command`].
    pub command: String,
    /// What happened.
    pub scenario: Scenario,
    /// Microphones that the server leaves out are no loss.
    pub allow_unheard: bool,
    /// Between `begin` and `end`.
    pub span: Duration,
    /// Before the first join.
    pub before: Moment,
    /// Begin of the measured time.
    pub begin: Moment,
    /// Its end.
    pub end: Moment,
    /// After all that was under way has arrived.
    pub last: Measured,
    /// In the measured time.
    pub latency: Latency,
    /// How they went, without times to the first frame.
    pub joins: Joins,
}

impl Document {
    /// Puts it together; expectations are judged later.
    pub fn new(material: Material) -> Self {
        let Material { command, scenario, allow_unheard, span, before, begin, end, last, latency, mut joins } =
            material;
        let seconds = span.as_secs_f64().max(0.001);
        let packets = end.measured.wire.packets - begin.measured.wire.packets;
        let early = begin.measured.wire.packets;
        let bytes = end.measured.wire.bytes - begin.measured.wire.bytes;
        let mut all = last.audio;
        all += last.video;
        let unheard = if allow_unheard { 0 } else { last.checked.unheard };
        let lost = (all.lost + last.checked.skipped + unheard) as f64;
        joins.first_frame_ms = Percentiles::of(latency.first_frames.clone());
        joins.broken = last.broken;
        if let Some(why) = &last.broken_why {
            joins.blame(why);
        }
        let share = |from: Option<Sample>, to: Option<Sample>| {
            let cpu = to.zip(from).map_or(0, |(to, from)| to.cpu_since(&from));
            (cpu, cpu as f64 / 1e9 / seconds)
        };
        let server = end.server.zip(begin.server).zip(before.server).map(|((end, begin), before)| {
            let (cpu, cpu_share) = share(Some(begin), Some(end));
            let people = joins.joined.max(1);
            let price = if packets == 0 { 0.0 } else { cpu as f64 / packets as f64 };
            let joining = begin.cpu_since(&before) as f64 - price * early as f64;
            Server {
                cpu_share,
                cpu_us_per_packet: price / 1e3,
                cpu_ms_per_join: joining.max(0.0) / 1e6 / people as f64,
                rss_before: before.rss,
                rss_joined: begin.rss,
                rss_end: end.rss,
                rss_per_participant: (begin.rss as i64 - before.rss as i64) / people as i64,
                threads: end.threads,
            }
        });
        Self {
            version: env!("CARGO_PKG_VERSION"),
            command,
            scenario,
            machine: Machine::read(),
            seconds,
            connections: end.measured.peers,
            joins,
            packets: Packets {
                all,
                audio: last.audio,
                video: last.video,
                loss_share: lost / (all.expected.max(1)) as f64,
                per_second: packets as f64 / seconds,
                audio_per_second: (end.measured.audio.received - begin.measured.audio.received) as f64 / seconds,
                video_per_second: (end.measured.video.received - begin.measured.video.received) as f64 / seconds,
                bits_per_second: 8.0 * bytes as f64 / seconds,
            },
            latency_ms: Latencies {
                audio: Percentiles::of_histogram(&latency.audio),
                video: Percentiles::of_histogram(&latency.video),
            },
            pictures: Pictures {
                frames: last.frames.frames,
                per_second: (end.measured.frames.frames - begin.measured.frames.frames) as f64 / seconds,
                freezes: last.frames.freezes,
                frozen_ms: last.frames.frozen as f64 / 1e6,
                longest_gap_ms: last.frames.longest as f64 / 1e6,
                longest_gap_before_ms: last.frames.longest_before as f64 / 1e6,
            },
            checked: last.checked,
            streams: last.streams,
            publishers: Publishers {
                packets: last.published.packets,
                nacked: last.published.nacked,
                retransmitted: last.published.retransmitted,
                key_requests: last.published.key_requests,
                key_frames: last.published.key_frames,
                pauses: last.published.pauses,
            },
            wire: last.wire,
            server,
            tool: Tool {
                own_drops: end.measured.own_drops,
                longest_round_ms: end.measured.longest_round as f64 / 1e6,
                cpu_share: share(begin.own, end.own).1,
            },
            failures: Vec::new(),
        }
    }
}
