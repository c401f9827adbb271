//! What an engine measured, as sums over all its peers.

use crate::media::source::Published;
use crate::receive::account::Counts;
use crate::receive::frames::Seen;
use crate::receive::stream::Checked;
use hdrhistogram::Histogram;

/// Counters of packets as they came.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Wire {
    /// RTP packets received, every one.
    pub packets: u64,
    /// Their bytes.
    pub bytes: u64,
    /// RTCP compounds received.
    pub rtcp: u64,
    /// Datagrams that are nothing of ours.
    pub malformed: u64,
    /// Packets of payload types or SSRCs that weren't negotiated.
    pub unknown: u64,
    /// Packets that could not be authenticated.
    pub unopened: u64,
    /// Packets of padding alone.
    pub padding: u64,
    /// Sends that failed on our side.
    pub send_errors: u64,
    /// Sequence numbers that we asked for again.
    pub nacked: u64,
}

impl std::ops::AddAssign for Wire {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.bytes += other.bytes;
        self.rtcp += other.rtcp;
        self.malformed += other.malformed;
        self.unknown += other.unknown;
        self.unopened += other.unopened;
        self.padding += other.padding;
        self.send_errors += other.send_errors;
        self.nacked += other.nacked;
    }
}

/// Tracks that should be coming in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Streams {
    /// Announced by the server and not withdrawn.
    pub negotiated: u64,
    /// Of those, cameras without a single packet.
    pub silent: u64,
    /// And microphones.
    pub unheard: u64,
}

/// Sums at one moment.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// As it came.
    pub wire: Wire,
    /// Of audio streams.
    pub audio: Counts,
    /// Of video streams.
    pub video: Counts,
    /// Of video streams.
    pub frames: Seen,
    /// Of decrypted packets.
    pub checked: Checked,
    /// Tracks now.
    pub streams: Streams,
    /// Of publishers.
    pub published: Published,
    /// Peers that exist now.
    pub peers: usize,
    /// Connections that broke after they had been up, with the first reason.
    pub broken: u64,
    /// The first of their reasons.
    pub broken_why: Option<String>,
    /// Datagrams that the kernel dropped because we were too slow to read them.
    pub own_drops: u64,
    /// Longest time that the loop took for one round, in nanoseconds: if it is long, numbers are ours and not the server's.
    pub longest_round: u64,
}

/// Times, in nanoseconds.
#[derive(Clone, Debug)]
pub struct Latency {
    /// From publisher to arrival, audio.
    pub audio: Histogram<u64>,
    /// From publisher to arrival, video.
    pub video: Histogram<u64>,
    /// From the beginning of a join to its first whole frame.
    pub first_frames: Vec<u64>,
}

/// Latencies up to a minute, to three digits.
const HIGHEST: u64 = 60_000_000_000;

impl Latency {
    /// Nothing yet.
    ///
    /// # Errors
    /// If the histograms can't be made.
    pub fn new() -> Result<Self, crate::Error> {
        let histogram = || Histogram::new_with_max(HIGHEST, 3).map_err(|e| crate::Error::Usage(e.to_string()));
        Ok(Self { audio: histogram()?, video: histogram()?, first_frames: Vec::new() })
    }

    pub(super) fn record(&mut self, video: bool, nanos: u64) {
        let histogram = if video { &mut self.video } else { &mut self.audio };
        histogram.saturating_record(nanos.max(1));
    }

    pub(super) fn first_frame(&mut self, nanos: u64) {
        self.first_frames.push(nanos);
    }

    /// Forgets latencies measured so far, but not first frames.
    pub(super) fn restart(&mut self) {
        self.audio.reset();
        self.video.reset();
    }
}
