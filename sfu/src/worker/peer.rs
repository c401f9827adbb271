//! One peer connection as the worker sees it: its wire, its routes in, and what waits to go out.

use super::arena::{Arena, Place};
use super::budget::{Budget, Moment};
use super::runs;
use crate::api::Path;
use crate::congestion::twcc;
use crate::id::{RoomId, Ssrc, TrackId, TransportId};
use crate::params::Kind;
use crate::publish::Routes;
use crate::rtp::{Media, Outgoing, write};
use crate::transmit::Batch;
use crate::transport::Transport;
use rustc_hash::FxHashMap;
use std::time::Instant;

/// Reports go into one RTCP datagram up to here, so that what is added then still fits an MTU of 1,200 bytes.
const REPORTS_FULL: usize = 1_000;
/// Media packets of a kind that may wait for one peer within one turn; more than any honest turn forwards to one.
const MAX_WAITING: usize = 4096;
/// SRTP's, of the suite that browsers prefer.
const TAG: usize = 16;
/// Padding in one packet at most (RFC 3550 section 5.1).
const MAX_PADDING: usize = 255;
/// What such a packet takes with its header and tag.
const PADDING_PACKET: usize = MAX_PADDING + 45;
/// Such packets that a probe adds to one flush at most.
const MAX_PADDING_PACKETS: usize = 64;

pub(super) struct Peer {
    pub(super) transport: Transport,
    pub(super) room: RoomId,
    /// SSRC to track, for what the peer publishes.
    pub(super) routes: Routes,
    /// What the peer publishes.
    pub(super) publishing: Vec<TrackId>,
    /// SSRC to track, for what the peer receives: media and retransmissions.
    pub(super) receiving: FxHashMap<Ssrc, TrackId>,
    /// Transport-wide sequence numbers that came in.
    pub(super) arrivals: twcc::Recorder,
    /// The SSRC of the newest media packet: feedback must name one.
    pub(super) last_media: Ssrc,
    /// Our SSRC in feedback to the peer.
    pub(super) local_ssrc: Ssrc,
    /// It is in the worker's list of those with something to send.
    pub(super) dirty: bool,
    /// More than media may wait, or a deadline may have moved. Media alone moves none, and most flushes are of media alone.
    pub(super) changed: bool,
    /// It is over: what waits is the last, then it is removed.
    pub(super) retired: bool,
    /// Datagrams of its handshake that wait for their turn.
    pub(super) handshakes_waiting: usize,
    /// What it may be sent.
    pub(super) budget: Budget,
    /// Video and audio apart: packets of audio are short, so one of them may end a run of video.
    video: Vec<Waiting>,
    audio: Vec<Waiting>,
    /// Packets of padding: a probe.
    padding: Vec<Outgoing>,
    /// Lengths of what waits, while it is written.
    lens: Vec<usize>,
    /// Sender reports that wait, a datagram each.
    reports: Vec<Vec<u8>>,
}

/// A packet that waits: where it lies, and what this peer gets differently.
type Waiting = (Place, Outgoing);

// There is one for each packet and peer, and with many peers these are the memory that a turn goes through: a cache line each.
const _: () = assert!(size_of::<Waiting>() <= 64);

impl Peer {
    pub(super) fn new(now: Instant, transport: Transport, room: RoomId, local_ssrc: Ssrc) -> Self {
        Self {
            transport,
            room,
            routes: Routes::default(),
            publishing: Vec::new(),
            receiving: FxHashMap::default(),
            arrivals: twcc::Recorder::new(now),
            last_media: Ssrc::default(),
            local_ssrc,
            dirty: false,
            changed: false,
            retired: false,
            handshakes_waiting: 0,
            budget: Budget::new(now),
            video: Vec::new(),
            audio: Vec::new(),
            padding: Vec::new(),
            lens: Vec::new(),
            reports: Vec::new(),
        }
    }

    /// Queues one media packet; false if the queue is full.
    pub(super) fn push(&mut self, kind: Kind, place: Place, packet: Outgoing) -> bool {
        let queue = match kind {
            Kind::Video => &mut self.video,
            Kind::Audio => &mut self.audio,
        };
        let fits = queue.len() < MAX_WAITING;
        if fits {
            queue.push((place, packet));
        }
        fits
    }

    /// How many packets of padding make up for so many bytes.
    pub(super) fn lacks(&self, bytes: usize) -> usize {
        (bytes / PADDING_PACKET).min(MAX_PADDING_PACKETS)
    }

    /// Queues a packet of padding.
    pub(super) fn pad(&mut self, packet: Outgoing) {
        self.padding.push(packet);
    }

    /// Where to append a sender report that shall go out with the next flush.
    pub(super) fn rtcp_buffer(&mut self) -> &mut Vec<u8> {
        if self.reports.last().is_none_or(|last| last.len() > REPORTS_FULL) {
            self.reports.push(Vec::new());
        }
        let last = self.reports.len() - 1;
        &mut self.reports[last]
    }

    /// Seals the sender reports that wait.
    pub(super) fn flush_reports(&mut self, batch: &mut Batch) {
        for report in std::mem::take(&mut self.reports) {
            self.flush_rtcp(batch, |buf| buf.extend_from_slice(&report));
        }
    }

    /// Drops the media that waits; returns how many packets that were.
    pub(super) fn drop_media(&mut self) -> u64 {
        self.padding.clear();
        (self.video.drain(..).len() + self.audio.drain(..).len()) as u64
    }

    /// Writes and seals the media that waits; returns how many packets were lost on the way.
    pub(super) fn flush_media(&mut self, now: Instant, arena: &Arena, abs_send_time: u32, batch: &mut Batch) -> u64 {
        if self.video.is_empty() && self.audio.is_empty() && self.padding.is_empty() {
            return 0;
        }
        let Some(path) = self.transport.selected_path() else { return self.drop_media() };
        let extensions = *self.transport.extensions();
        let moment = self.budget.moment(now);
        let mut lost = 0;
        self.lens.clear();
        let waiting = self.video.iter().chain(&self.audio);
        self.lens.extend(waiting.map(|(place, packet)| arena.get(*place).map_or(0, |m| packet.len(m, &extensions))));
        if !self.audio.is_empty() {
            let audio = self.lens.get(self.video.len()..).unwrap_or_default().iter().map(|len| len + TAG).sum();
            self.budget.sent_audio(now, audio);
        }
        runs::equalise(&mut self.lens);
        for ((place, packet), len) in self.video.drain(..).chain(self.audio.drain(..)).zip(&self.lens) {
            let Some(media) = arena.get(place) else {
                lost += 1;
                continue;
            };
            let number = self.budget.estimator.next_number();
            let transport = &mut self.transport;
            let mut sealed = 0;
            batch.push(path, |buf| {
                let start = buf.len();
                packet.write(media, &extensions, number, abs_send_time, buf);
                write::pad(buf, start, *len);
                match transport.seal_rtp(buf, start) {
                    Ok(_) => sealed = buf.len() - start,
                    Err(_) => buf.truncate(start),
                }
            });
            if sealed > 0 {
                self.budget.sent(moment, sealed);
            } else {
                lost += 1;
            }
            if packet.osn.is_some() {
                self.budget.sent_again(now, sealed);
            }
        }
        if !self.padding.is_empty() {
            self.flush_padding(moment, path, abs_send_time, batch);
        }
        lost
    }

    /// Writes and seals the padding that waits.
    #[cold]
    fn flush_padding(&mut self, moment: Moment, path: Path, abs_send_time: u32, batch: &mut Batch) {
        let extensions = *self.transport.extensions();
        let empty = Media::empty();
        for packet in std::mem::take(&mut self.padding) {
            let number = self.budget.estimator.next_number();
            let transport = &mut self.transport;
            let mut sealed = 0;
            batch.push(path, |buf| {
                let start = buf.len();
                let header = packet.write(&empty, &extensions, number, abs_send_time, buf);
                write::pad(buf, start, header + MAX_PADDING);
                match transport.seal_rtp(buf, start) {
                    Ok(_) => sealed = buf.len() - start,
                    Err(_) => buf.truncate(start),
                }
            });
            if sealed > 0 {
                self.budget.sent(moment, sealed);
                self.budget.padding += sealed as u64;
            }
        }
    }

    /// Seals the compound RTCP packet that `write` appends, if any.
    pub(super) fn flush_rtcp(&mut self, batch: &mut Batch, write: impl FnOnce(&mut Vec<u8>)) {
        let Some(path) = self.transport.selected_path() else { return };
        let transport = &mut self.transport;
        batch.push(path, |buf| {
            let start = buf.len();
            write(buf);
            if buf.len() > start && transport.seal_rtcp(buf, start).is_err() {
                buf.truncate(start);
            }
        });
    }

    /// The next moment at which this peer needs a turn, but for its tracks' feedback.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        [self.transport.poll_timeout(), self.arrivals.poll_timeout()].into_iter().flatten().min()
    }

    pub(super) fn id(&self) -> TransportId {
        self.transport.id()
    }
}
