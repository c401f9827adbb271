//! What one peer may be sent, and what it watches: the inputs of the allocation, gathered where its packets leave.

use super::reach::Reach;
use crate::congestion::estimator::{Estimator, MOST, START};
use crate::congestion::probe::Cluster;
use crate::id::{SubscriptionId, TrackId};
use crate::publish::bitrate::Bitrate;
use std::time::{Duration, Instant};

/// Who negotiated transport-wide numbers and tells nothing for so long after the first packet will not tell: feedback comes ten times a
/// second.
const SILENCE: Duration = Duration::from_secs(2);
/// The beginning: packets leave faster by this factor.
const BEGINNING: Duration = Duration::from_secs(2);
const FIRST: u64 = 2;

/// What limits a peer, in bits per second.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Limit {
    /// What its feedback allows.
    Estimate(u64),
    /// Its feedback is awaited.
    Start,
    /// It sends no feedback that an estimate could rest on: it didn't negotiate any, or was silent.
    Unlimited,
}

impl Limit {
    pub(super) fn bits(self) -> Option<u64> {
        match self {
            Limit::Estimate(bits) => Some(bits),
            Limit::Start => Some(START),
            Limit::Unlimited => None,
        }
    }
}

/// A video that the peer is subscribed to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Watch {
    pub(super) subscription: SubscriptionId,
    pub(super) track: TrackId,
    /// Where the subscription was among the track's; others may have left since.
    pub(super) hint: usize,
    /// What there was room for ([`Rung::place`](crate::publish::Rung::place)).
    pub(super) given: Option<(u8, u8, u8)>,
    /// What signaling was told of that.
    pub(super) reach: Reach,
    /// Less is given than wanted.
    pub(super) reduced: bool,
    /// There has been no room at all, since.
    pub(super) paused: Option<Instant>,
    /// The subscriber was told so.
    pub(super) told: bool,
}

/// One peer's. Its inputs are what is sent ([`Budget::sent`] and the counts beside it) and what the estimator is told.
#[derive(Debug)]
pub(super) struct Budget {
    pub(super) estimator: Estimator,
    pub(super) watching: Vec<Watch>,
    /// Audio and retransmissions: they are sent in any case.
    audio: Bitrate,
    again: Bitrate,
    /// When the first packet with a transport-wide number went.
    began: Option<Instant>,
    /// What limits it, as of the last feedback or allocation, in bits per second.
    pub(super) bits: Option<u64>,
    /// What was given and wanted at the last allocation.
    pub(super) given: u64,
    pub(super) wanted: u64,
    /// When that was, and when it is to be done again.
    pub(super) allotted: Option<Instant>,
    pub(super) next: Option<Instant>,
    /// Probes begun and failed, as far as the worker has counted them.
    pub(super) probes: (u64, u64),
}

/// What is the same for all packets of one flush.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    at: i64,
    probe: Option<u8>,
}

impl Budget {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            estimator: Estimator::new(now),
            watching: Vec::new(),
            audio: Bitrate::default(),
            again: Bitrate::default(),
            began: None,
            given: 0,
            wanted: 0,
            bits: None,
            allotted: None,
            next: None,
            probes: (0, 0),
        }
    }

    /// Packets go out now.
    pub(super) fn moment(&mut self, now: Instant) -> Moment {
        self.began.get_or_insert(now);
        Moment { at: self.estimator.micros(now), probe: self.estimator.cluster(now).map(|cluster| cluster.id) }
    }

    /// The packet with the estimator's next number went out. This is all that a packet costs; the sums wait for feedback.
    pub(super) fn sent(&mut self, moment: Moment, bytes: usize) {
        self.estimator.sent_at(moment.at, bytes, moment.probe);
    }

    /// So many bytes of audio went out.
    pub(super) fn sent_audio(&mut self, now: Instant, bytes: usize) {
        self.audio.add(now, bytes);
    }

    /// So many bytes were sent again.
    pub(super) fn sent_again(&mut self, now: Instant, bytes: usize) {
        self.again.add(now, bytes);
    }

    /// What limits it. `numbered`: transport-wide numbers were negotiated.
    pub(super) fn limit(&self, now: Instant, numbered: bool) -> Limit {
        let silent = self.began.is_some_and(|at| now.saturating_duration_since(at) >= SILENCE);
        match self.estimator.estimate() {
            Some(bits) => Limit::Estimate(bits),
            None if numbered && !silent => Limit::Start,
            None => Limit::Unlimited,
        }
    }

    /// What its packets are paced by, in bits per second. In the beginning, as long as nothing showed the link to be full, by more: a call
    /// begins with first pictures, which are large, and an estimate that is a guess. While a queue stands by less: the pacer is faster than that
    /// by half, and then comes down to the estimate itself.
    pub(super) fn pacing(&self, now: Instant) -> u64 {
        let begins = self.began.is_none_or(|at| now.saturating_duration_since(at) < BEGINNING);
        let factor = if begins && !self.estimator.is_full() { FIRST } else { 1 };
        let part = if self.estimator.room(now).is_some() { 2.0 / 3.0 } else { 1.0 };
        self.bits.map_or(MOST, |bits| (bits.saturating_mul(factor) as f64 * part) as u64)
    }

    /// Bytes of video that may leave now.
    pub(super) fn room(&self, now: Instant) -> usize {
        self.estimator.room(now).unwrap_or(usize::MAX)
    }

    /// All that is wanted is given, and the link takes a quarter more than that.
    pub(super) fn has_room(&self) -> bool {
        self.given >= self.wanted && self.bits.is_none_or(|bits| bits >= self.given + self.given / 4)
    }

    /// Audio takes half of what may be sent, or more.
    pub(super) fn is_mostly_audio(&self, now: Instant) -> bool {
        self.bits.is_some_and(|bits| 2 * self.audio.get(now) >= bits)
    }

    /// What goes out in any case, in bits per second.
    pub(super) fn reserve(&self, now: Instant) -> u64 {
        self.audio.get(now) + self.again.get(now)
    }

    /// What a probe lacks now.
    pub(super) fn cluster(&self, now: Instant) -> Option<Cluster> {
        self.estimator.cluster(now)
    }
}
