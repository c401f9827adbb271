//! One peer connection as the worker sees it: its wire, its routes in, and what waits to go out.

use super::arena::{Arena, Place};
use super::budget::{Budget, Moment};
use super::loss::Loss;
use super::pacer::Pacer;
use super::runs;
use crate::api::Path;
use crate::congestion::twcc;
use crate::id::{RoomId, Ssrc, TrackId, TransportId};
use crate::params::{ExtensionMap, Kind};
use crate::publish::Routes;
use crate::rtp::write::{self, Departure};
use crate::rtp::{Media, Outgoing};
use crate::subscribe::Subscription;
use crate::transmit::Batch;
use crate::transport::Transport;
use rustc_hash::FxHashMap;
use std::hint::black_box;
use std::ops::Range;
use std::time::Instant;

/// Reports go into one RTCP datagram up to here, so that what is added then still fits an MTU of 1,200 bytes.
const REPORTS_FULL: usize = 1_000;
/// Media packets of a kind that may wait for one peer within one turn; more than any honest turn forwards to one.
const MAX_WAITING: usize = 4096;
/// Packets that are looked at ahead: as many as a turn has for one peer in most meetings, and all of one frame have one SSRC.
const WARMED: usize = 4;
/// Of a picture that left in part less than this, in bytes, is worth finishing before a smaller one begins: about a key frame of that.
const FINISHED: usize = 6_000;
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
    /// What it may be sent.
    pub(super) budget: Budget,
    /// How much it loses.
    pub(super) loss: Loss,
    /// Video and audio apart: packets of audio are short, so one of them may end a run of video.
    video: Vec<Waiting>,
    audio: Vec<Waiting>,
    /// Packets of padding: a probe.
    padding: Vec<Outgoing>,
    /// Video that may not leave yet.
    pub(super) pacer: Pacer,
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

/// What is needed while one peer's packets are written. One serves all peers, so that it stays in the CPU's cache: what each peer has for
/// itself has left it when its turn comes, where there are hundreds.
#[derive(Default)]
pub(super) struct Scratch {
    /// Lengths of what waits.
    lens: Vec<usize>,
    /// The order in which it leaves.
    order: runs::Order,
    /// The thread is short of time: longer runs are worth some padding.
    pub(super) pressed: bool,
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
            loss: Loss::default(),
            video: Vec::new(),
            audio: Vec::new(),
            padding: Vec::new(),
            pacer: Pacer::default(),
            reports: Vec::new(),
        }
    }

    /// Reads what a flush will need. With hundreds of peers none of it is in the CPU's cache; read while another peer is served, all of it
    /// is fetched at the same time, where the flush itself would wait for one piece after the other.
    pub(super) fn warm(&self) {
        let queued = self.video.iter().chain(&self.audio).take(WARMED);
        let windows = queued.fold(0, |sum, (_, packet)| sum ^ self.transport.warm(packet.ssrc));
        black_box((windows, self.budget.estimator.warm(), self.pacer.is_waiting()));
    }

    /// Reads what [`Self::push`] will need, and whether it will come to that.
    pub(super) fn warm_queue(&self) {
        black_box((self.transport.is_connected(), self.video.len(), self.audio.len(), self.dirty));
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

    /// Takes back what waits of these numbers of a stream, from its end on as far as nothing of it left: a smaller picture begins, and these
    /// would only stand in its way. What left in part is finished if little of it is missing. Returns the first packet of what was taken
    /// back, if there is any.
    #[cold]
    pub(super) fn take_back(&mut self, arena: &Arena, ssrc: Ssrc, numbers: Range<u64>) -> Option<Media> {
        let queued = |packet: &Outgoing| packet.ssrc == ssrc && packet.osn.is_none();
        let in_turn = self.video.iter().filter(|(_, packet)| queued(packet));
        let in_turn = in_turn.filter_map(|(place, packet)| Some((packet.index, arena.get(*place)?)));
        let mut waiting: Vec<(u64, &Media)> = self.pacer.waiting(ssrc).chain(in_turn).collect();
        waiting.sort_unstable_by_key(|(index, _)| std::cmp::Reverse(*index));
        let without_hole = numbers.rev().zip(&waiting).take_while(|(wanted, (index, _))| wanted == index).count();
        waiting.truncate(without_hole);
        waiting.reverse();
        let (_, oldest) = waiting.first()?;
        if !oldest.meta.start {
            let rest = waiting.iter().take_while(|(_, media)| media.ts == oldest.ts);
            let (packets, missing) = rest.fold((0, 0), |(n, sum), (_, media)| (n + 1, sum + media.payload.len()));
            if missing < FINISHED {
                waiting.drain(..packets);
            }
        }
        let (first, media) = waiting.first().map(|(index, media)| (*index, (*media).clone()))?;
        self.video.retain(|(_, packet)| !queued(packet) || packet.index < first);
        self.pacer.retain(|packet| !queued(packet) || packet.index < first);
        Some(media)
    }

    /// A receiver report told a share lost, in 1/256.
    pub(super) fn lost(&mut self, now: Instant, fraction: u8) {
        self.loss.reported(now, fraction);
    }

    /// So many packets were asked for again.
    pub(super) fn asked_again(&mut self, now: Instant, count: u32) {
        self.loss.asked(now, count, self.budget.estimator.next_number());
    }

    /// Until when it is taken to lose much, if it does.
    pub(super) fn lossy_until(&self, now: Instant) -> Option<Instant> {
        self.loss.high_until(now)
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
        self.pacer.retain(|_| false);
        (self.video.drain(..).len() + self.audio.drain(..).len()) as u64
    }

    /// Writes and seals the media that waits; returns how many packets were lost on the way.
    pub(super) fn flush_media(
        &mut self,
        now: Instant,
        arena: &Arena,
        abs_send_time: u32,
        scratch: &mut Scratch,
        batch: &mut Batch,
    ) -> u64 {
        if self.video.is_empty() && self.audio.is_empty() && self.padding.is_empty() && !self.pacer.is_waiting() {
            return 0;
        }
        let Some(path) = self.transport.selected_path() else { return self.drop_media() };
        let playout_delay =
            self.loss.playout_delay(now, || (self.budget.estimator.rtt(), self.budget.estimator.jitter()));
        let departure = Departure { transport_cc: 0, abs_send_time, playout_delay };
        let way = Way { path, extensions: *self.transport.extensions(), departure, moment: self.budget.moment(now) };
        let mut lost = 0;
        scratch.lens.clear();
        let waiting = self.video.iter().chain(&self.audio);
        scratch
            .lens
            .extend(waiting.map(|(place, packet)| {
                arena.get(*place).map_or(0, |m| packet.len(m, &way.extensions, &way.departure))
            }));
        let (video, audio) = scratch.lens.split_at_checked(self.video.len()).unwrap_or_default();
        if !audio.is_empty() {
            self.budget.sent_audio(now, audio.iter().map(|len| len + TAG).sum());
        }
        if (self.budget.bits.is_some() || self.pacer.is_waiting())
            && !self.pacer.passes(now, self.budget.pacing(now), video.iter().sum(), self.budget.room(now))
        {
            return self.flush_paced(now, arena, &way, scratch, batch);
        }
        let (video, audio) = (&self.video, &self.audio);
        let waiting = video.iter().chain(audio).zip(&scratch.lens);
        let padding = if scratch.pressed && self.budget.has_room() { runs::MUCH } else { runs::LITTLE };
        scratch.order.arrange(waiting.map(|((_, packet), len)| (packet.ssrc, *len)), padding);
        for (at, len) in scratch.order.iter() {
            let found = match at.checked_sub(video.len()) {
                None => video.get(at),
                Some(at) => audio.get(at),
            };
            let Some((place, packet)) = found else { continue };
            let sent = match arena.get(*place) {
                Some(media) => way.send(&mut self.transport, &mut self.budget, media, packet, len, batch),
                None => 0,
            };
            lost += u64::from(sent == 0);
            if packet.osn.is_some() {
                self.budget.sent_again(now, sent);
            }
        }
        self.video.clear();
        self.audio.clear();
        if !self.padding.is_empty() {
            self.flush_padding(&way, batch);
        }
        lost
    }

    /// The same, when there is more than may leave at once: audio and retransmissions go, video as much as may.
    #[cold]
    fn flush_paced(&mut self, now: Instant, arena: &Arena, way: &Way, scratch: &mut Scratch, batch: &mut Batch) -> u64 {
        let mut lost = 0;
        let mut leaving: Vec<(Media, Outgoing)> = Vec::new();
        for ((place, packet), len) in self.video.drain(..).zip(&scratch.lens) {
            match arena.get(place) {
                Some(media) if packet.osn.is_some() => {
                    self.pacer.spend(*len);
                    self.budget.sent_again(now, *len);
                    leaving.push((media.clone(), packet));
                }
                Some(media) => lost += u64::from(!self.pacer.push(media.clone(), packet, *len)),
                None => lost += 1,
            }
        }
        let mut room = self.budget.room(now);
        leaving.extend(std::iter::from_fn(|| self.pacer.pop(&mut room)));
        leaving.extend(self.audio.drain(..).filter_map(|(place, packet)| Some((arena.get(place)?.clone(), packet))));
        scratch.lens.clear();
        scratch.lens.extend(leaving.iter().map(|(media, packet)| packet.len(media, &way.extensions, &way.departure)));
        runs::equalise(&mut scratch.lens, runs::LITTLE);
        for ((media, packet), len) in leaving.iter().zip(&scratch.lens) {
            let sent = way.send(&mut self.transport, &mut self.budget, media, packet, *len, batch);
            lost += u64::from(sent == 0);
        }
        self.flush_padding(way, batch);
        lost
    }

    /// Writes and seals the padding that waits.
    fn flush_padding(&mut self, way: &Way, batch: &mut Batch) {
        let empty = Media::empty();
        for packet in self.padding.drain(..) {
            let len = packet.len(&empty, &way.extensions, &way.departure) + MAX_PADDING;
            way.send(&mut self.transport, &mut self.budget, &empty, &packet, len, batch);
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

/// What is the same for all packets of one flush.
struct Way {
    path: Path,
    extensions: ExtensionMap,
    /// But for the number.
    departure: Departure,
    moment: Moment,
}

impl Way {
    /// Writes one packet, padded to `len`, and seals it; returns how many bytes that were, zero if it couldn't be.
    fn send(
        &self,
        transport: &mut Transport,
        budget: &mut Budget,
        media: &Media,
        packet: &Outgoing,
        len: usize,
        batch: &mut Batch,
    ) -> usize {
        let departure = Departure { transport_cc: budget.estimator.next_number(), ..self.departure };
        let mut sealed = 0;
        batch.push(self.path, |buf| {
            let start = buf.len();
            packet.write(media, &self.extensions, &departure, buf);
            write::pad(buf, start, len);
            match transport.seal_rtp(buf, start) {
                Ok(()) => sealed = buf.len() - start,
                Err(_) => buf.truncate(start),
            }
        });
        if sealed > 0 {
            budget.sent(self.moment, sealed);
        }
        sealed
    }
}
