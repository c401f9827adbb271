//! One peer connection as the worker sees it: its wire, its routes in, and what waits to go out.

use super::arena::{Arena, Place};
use super::loss::Loss;
use super::runs;
use crate::congestion::twcc;
use crate::id::{RoomId, Ssrc, TrackId, TransportId};
use crate::params::Kind;
use crate::publish::Routes;
use crate::rtp::{Outgoing, write};
use crate::subscribe::Subscription;
use crate::transmit::Batch;
use crate::transport::Transport;
use rustc_hash::FxHashMap;
use std::time::Instant;

/// Reports go into one RTCP datagram up to here, so that what is added then still fits an MTU of 1,200 bytes.
const REPORTS_FULL: usize = 1_000;
/// Media packets of a kind that may wait for one peer within one turn; more than any honest turn forwards to one.
const MAX_WAITING: usize = 4096;

pub(super) struct Peer {
    pub(super) transport: Transport,
    pub(super) room: RoomId,
    /// SSRC to track, for what the peer publishes.
    pub(super) routes: Routes,
    /// What the peer publishes.
    pub(super) publishing: Vec<TrackId>,
    /// SSRC to track, for what the peer receives: media and retransmissions.
    pub(super) receiving: FxHashMap<Ssrc, Received>,
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
    next_transport_cc: u16,
    /// How much it loses.
    loss: Loss,
    /// Video and audio apart: packets of audio are short, so one of them may end a run of video.
    video: Vec<Waiting>,
    audio: Vec<Waiting>,
    /// What waits in the order in which it leaves, while it is written.
    order: runs::Order,
    /// Sender reports that wait, a datagram each.
    reports: Vec<Vec<u8>>,
}

/// A track that a peer receives.
pub(super) struct Received {
    pub(super) track: TrackId,
    /// Where in the track's subscriptions the peer's was when it was last looked for. Others may have left since.
    at: usize,
}

impl Received {
    pub(super) fn new(track: TrackId) -> Self {
        Self { track, at: 0 }
    }

    /// The peer's subscription among the track's. A track may have a thousand, and each reports once a second or more.
    pub(super) fn find<'a>(
        &mut self,
        subscriptions: &'a mut [Subscription],
        peer: TransportId,
        ssrc: Ssrc,
    ) -> Option<&'a mut Subscription> {
        let mine = |s: &Subscription| s.transport() == peer && s.ssrc() == ssrc;
        if !subscriptions.get(self.at).is_some_and(mine) {
            self.at = subscriptions.iter().position(mine)?;
        }
        subscriptions.get_mut(self.at)
    }
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
            next_transport_cc: 0,
            loss: Loss::default(),
            video: Vec::new(),
            audio: Vec::new(),
            order: runs::Order::default(),
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

    /// A receiver report told a share lost, in 1/256.
    pub(super) fn lost(&mut self, now: Instant, fraction: u8) {
        self.loss.reported(now, fraction);
    }

    /// So many packets were asked for again.
    pub(super) fn asked_again(&mut self, now: Instant, count: u32) {
        self.loss.asked(now, count, self.next_transport_cc);
    }

    /// Until when it is taken to lose much, if it does.
    pub(super) fn lossy_until(&self, now: Instant) -> Option<Instant> {
        self.loss.high_until(now)
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
        (self.video.drain(..).len() + self.audio.drain(..).len()) as u64
    }

    /// Writes and seals the media that waits; returns how many packets were lost on the way.
    pub(super) fn flush_media(&mut self, arena: &Arena, abs_send_time: u32, batch: &mut Batch) -> u64 {
        let Some(path) = self.transport.selected_path() else { return self.drop_media() };
        let extensions = *self.transport.extensions();
        let mut lost = 0;
        let (video, audio) = (&self.video, &self.audio);
        let waiting = || video.iter().chain(audio);
        self.order.arrange(
            waiting().map(|(place, packet)| {
                (packet.ssrc, arena.get(*place).map_or(0, |media| packet.len(media, &extensions)))
            }),
        );
        for (at, len) in self.order.iter() {
            let found = match at.checked_sub(video.len()) {
                None => video.get(at),
                Some(at) => audio.get(at),
            };
            let Some((packet, media)) = found.and_then(|(place, packet)| Some((packet, arena.get(*place)?))) else {
                lost += 1;
                continue;
            };
            let number = self.next_transport_cc;
            let transport = &mut self.transport;
            let mut sealed = false;
            batch.push(path, |buf| {
                let start = buf.len();
                packet.write(media, &extensions, number, abs_send_time, buf);
                write::pad(buf, start, len);
                sealed = transport.seal_rtp(buf, start).is_ok();
                if !sealed {
                    buf.truncate(start);
                }
            });
            if sealed {
                self.next_transport_cc = number.wrapping_add(1);
            } else {
                lost += 1;
            }
        }
        self.video.clear();
        self.audio.clear();
        lost
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
