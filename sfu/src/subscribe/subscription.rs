//! One track sent to one subscriber.

use super::appetite::{Appetite, Remembered};
use super::report::Reports;
use super::rewrite::{Mapped, Rewriter};
use super::rtx::Budget;
use super::select::{Fit, Selector, Verdict};
use crate::id::{Ssrc, SubscriptionId, TransportId};
use crate::params::{Kind, PayloadParams, SubscribeParams, SubscriptionSettings};
use crate::publish::Track;
use crate::rtp::rtcp::ReportBlock;
use crate::rtp::write::Patch;
use crate::rtp::{LayerSet, Media, Outgoing, rtcp_write};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use std::time::{Duration, Instant};

/// Key frames for one subscriber who misses what is gone are asked for no more often: on a line that holds packets back for so long they
/// would be late as well, and everybody else pays for them.
const DESPAIR: Duration = Duration::from_secs(2);

/// What was sent, and what wasn't.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counters {
    /// Packets sent on the media SSRC.
    pub packets: u64,
    /// Their payload bytes.
    pub bytes: u64,
    /// Packets sent again.
    pub retransmitted: u64,
    /// Requested packets that were no longer (or never) there.
    pub nack_missed: u64,
    /// Requested packets held back by the budget.
    pub nack_held: u64,
    /// Packets in a format that the subscriber doesn't take.
    pub unmatched: u64,
}

/// A subscription. Its inputs are [`Subscription::handle_packet`], the subscriber's feedback and [`Subscription::set`]; after
/// them, and once after [`Subscription::new`], ask [`Subscription::keyframe_wanted`] and pass it on to the track.
#[derive(Debug)]
pub struct Subscription {
    id: SubscriptionId,
    transport: TransportId,
    params: SubscribeParams,
    selector: Selector,
    rewriter: Rewriter,
    budget: Budget,
    reports: Reports,
    /// How what came last is numbered: what comes next hardly ever differs.
    payload: Option<PayloadParams>,
    /// Clock rate of what is sent.
    rate: u32,
    next_rtx: u64,
    /// The newest key frame that was sent: its layer, and the source's index of its first packet.
    key: Option<(u8, u64)>,
    /// When one was asked for because what the subscriber misses is gone.
    despaired: Option<Instant>,
    /// The receiver hasn't reported on our SSRC yet: packets carry the mid.
    announce: bool,
    /// What the subscriber's line could take of it. Few have one.
    appetite: Option<Box<Remembered>>,
    counters: Counters,
}

impl Subscription {
    /// A subscription as negotiated. `live` is what the track sends now; `seed` decides the first sequence numbers and timestamp.
    #[allow(clippy::too_many_arguments, reason = "each is its own kind of thing, and there is one caller")]
    pub fn new(
        now: Instant,
        id: SubscriptionId,
        transport: TransportId,
        params: SubscribeParams,
        settings: SubscriptionSettings,
        kind: Kind,
        live: LayerSet,
        seed: u64,
    ) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        // Below 2^15: see Rewriter::new.
        let (seq, rtx) = (rng.random_range(1..0x8000), rng.random_range(1..0x8000));
        Self {
            id,
            transport,
            params,
            selector: Selector::new(kind, settings, live),
            rewriter: Rewriter::new(seq, rng.random()),
            budget: Budget::new(now),
            reports: Reports::new(),
            payload: None,
            rate: 0,
            next_rtx: rtx,
            key: None,
            despaired: None,
            announce: true,
            appetite: None,
            counters: Counters::default(),
        }
    }

    /// Its name.
    pub fn id(&self) -> SubscriptionId {
        self.id
    }

    /// To whom.
    pub fn transport(&self) -> TransportId {
        self.transport
    }

    /// The SSRC of its media.
    pub fn ssrc(&self) -> Ssrc {
        self.params.ssrc
    }

    /// What was negotiated.
    pub fn params(&self) -> &SubscribeParams {
        &self.params
    }

    /// What happened so far.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The layer shown at this moment.
    pub fn layer(&self) -> Option<u8> {
        self.selector.shown()
    }

    /// Smoothed round trip to the subscriber, from its receiver reports.
    pub fn rtt(&self) -> Duration {
        self.reports.rtt()
    }

    /// Share lost in the last report interval, in 1/256.
    pub fn fraction_lost(&self) -> u8 {
        self.reports.fraction_lost()
    }

    /// Changes what is shown.
    pub fn set(&mut self, settings: SubscriptionSettings) {
        self.selector.set(settings);
    }

    /// Limits what is shown, whatever is asked for; true if that changed anything. The default is no limit. A layer above it is
    /// shown until the next lower begins, or not at all from now on if it is urgent.
    pub fn cap(&mut self, cap: SubscriptionSettings, urgent: bool) -> bool {
        self.selector.cap(cap, urgent)
    }

    /// Shows no more than there is room for on the way to the subscriber; true if that changed anything. The default is room for all.
    /// `urgent` is as in [`Subscription::cap`].
    pub fn fit(&mut self, room: Fit, urgent: bool) -> bool {
        self.selector.fit(room, urgent)
    }

    /// The simulcast and spatial layer to be shown if there is room for them; `None` if nothing shall be shown at all.
    pub fn demand(&self) -> Option<(u8, u8)> {
        self.selector.demand()
    }

    /// The highest layer to be shown if there is room for it, whether the publisher sends it or not.
    pub fn most_wanted(&self) -> u8 {
        self.selector.most_wanted()
    }

    /// What the line could take of it, as of the last allocation, and whether something of all that is wanted on this line had no room; `None`:
    /// that doesn't matter to its publisher, or nothing is wanted of it.
    pub fn set_appetite(&mut self, now: Instant, appetite: Option<Appetite>, short: bool) {
        match (appetite, &mut self.appetite) {
            (Some(appetite), Some(remembered)) => remembered.set(now, appetite, short),
            (Some(appetite), none) => *none = Some(Box::new(Remembered::new(now, appetite, short))),
            (None, appetite) => *appetite = None,
        }
    }

    /// What the line could take of it, as far as that matters to its publisher.
    pub fn appetite(&self, now: Instant) -> Option<Appetite> {
        self.appetite.as_ref().map(|remembered| remembered.get(now))
    }

    /// The priority that the subscriber gave it, 1 the highest; 0: none.
    pub fn priority(&self) -> u8 {
        self.selector.priority()
    }

    /// A packet without payload, to be filled up with padding: it asks the link whether it takes more, and goes over RTX, so that no
    /// number of the media is used up.
    pub fn padding(&mut self) -> Option<Outgoing> {
        let ssrc = self.params.rtx_ssrc?;
        let payload = self.payload.or_else(|| self.params.payloads.iter().copied().find(|p| p.rtx.is_some()))?;
        let index = self.next_rtx;
        let outgoing = Outgoing {
            ssrc,
            pt: payload.rtx?,
            index,
            ts: 0,
            ends: false,
            mid: Some(self.params.mid),
            frame: 0,
            osn: None,
            patch: Patch::None,
            skip: 0,
        };
        self.next_rtx += 1;
        Some(outgoing)
    }

    /// Whether the limit keeps something from the subscriber.
    pub fn is_capped(&self) -> bool {
        self.selector.is_capped()
    }

    /// Whether a packet that wasn't sent would have been without the limit.
    pub fn is_missed(&self, media: &Media) -> bool {
        self.selector.is_missed(media)
    }

    /// Reads what [`Subscription::handle_packet`] will need, before it is needed.
    pub fn warm(&self) -> u64 {
        self.rewriter.warm() ^ self.counters.packets
    }

    /// Takes in any packet of the track; returns what this subscriber gets of it, if anything.
    pub fn handle_packet(&mut self, now: Instant, media: &Media) -> Option<Outgoing> {
        let verdict = self.selector.judge(media);
        if verdict == Verdict::Skip {
            return self.skip(media);
        }
        let late = match verdict {
            Verdict::Drop if self.selector.paused() => return None,
            Verdict::Drop => Some(self.rewriter.late(media, self.selector.shown().is_none())?),
            _ => None,
        };
        let Some(payload) = self.payload(media) else {
            self.counters.unmatched += 1;
            return None;
        };
        let mapped = match verdict {
            // It was lost on its way here and comes too late: what is shown goes on, and another one is asked for.
            Verdict::Switch if self.is_outdated(now, media) => None,
            Verdict::Switch => {
                self.rate = media.format.codec.clock_rate();
                self.rewriter.switch(now, self.rate, media);
                self.selector.switched(media);
                self.rewriter.forward(now, media)
            }
            Verdict::Forward => self.rewriter.forward(now, media),
            Verdict::Skip | Verdict::Drop => late,
        }?;
        if media.meta.keyframe && self.key.is_none_or(|(layer, index)| layer != media.layer || index < media.index) {
            self.key = Some((media.layer, media.index));
        }
        let outgoing = self.outgoing(media, mapped, &payload);
        self.reports.on_packet(now, self.rewriter.clock().is_some(), verdict == Verdict::Switch);
        self.counters.packets += 1;
        self.counters.bytes += outgoing.payload(media).len() as u64;
        Some(outgoing)
    }

    /// Whether this packet begins a smaller picture than is shown.
    pub fn goes_down(&mut self, now: Instant, media: &Media) -> bool {
        let smaller = self.selector.last_shown().is_some_and(|shown| media.layer < shown);
        smaller && self.selector.judge(media) == Verdict::Switch && !self.is_outdated(now, media)
    }

    /// The sequence numbers, extended, of which [`Subscription::take_back`] may take the last back.
    pub fn numbers(&self) -> Range<u64> {
        self.rewriter.numbers()
    }

    /// From this packet on nothing of what is shown was sent after all, and something else begins: its numbers are given anew.
    pub fn take_back(&mut self, first: &Media) {
        self.counters.packets = self.counters.packets.saturating_sub(self.rewriter.take_back(first));
    }

    fn is_outdated(&self, now: Instant, media: &Media) -> bool {
        let rate = media.format.codec.clock_rate();
        self.rewriter.is_outdated(now, rate, media, self.selector.shown().is_none())
    }

    /// Leaves a packet out. One that was awaited by mistake fills its place without payload.
    fn skip(&mut self, media: &Media) -> Option<Outgoing> {
        let mapped = self.rewriter.skip(media)?;
        let payload = self.payload(media)?;
        let outgoing = self.outgoing(media, mapped, &payload);
        self.counters.packets += 1;
        Some(outgoing)
    }

    /// The subscriber takes RED, as far as is known: what came last was of a format for which it was negotiated.
    pub fn takes_red(&self) -> bool {
        self.payload.is_some_and(|payload| payload.red.is_some())
    }

    /// The layer of which a key frame is needed to go on, as long as it is.
    pub fn keyframe_wanted(&self) -> Option<u8> {
        self.selector.keyframe_wanted()
    }

    /// The subscriber lost the picture (PLI or FIR): the layer to ask a key frame of.
    pub fn handle_keyframe_request(&self) -> Option<u8> {
        self.selector.shown_or_wanted()
    }

    /// Whether what is asked for is sent twice at once: the way loses much, and has room.
    pub fn set_sure(&mut self, sure: bool) {
        self.budget.set_twice(sure);
    }

    /// The subscriber misses packets of what the track sent. What may be sent again goes to `emit` with it, over RTX (RFC 4588). Without RTX
    /// nothing is: a second packet under one sequence number would be a second one under one SRTP nonce.
    ///
    /// Returns the layer to ask a key frame of, if the picture can't go on without: what is missing is not kept any more. The subscriber
    /// would find out by itself, but browsers take three seconds for that.
    pub fn handle_nack<'a>(
        &mut self,
        now: Instant,
        missing: impl IntoIterator<Item = u16>,
        track: &'a Track,
        mut emit: impl FnMut(&'a Media, Outgoing),
    ) -> Option<u8> {
        let rtx_ssrc = self.params.rtx_ssrc.filter(|_| !self.selector.paused())?;
        let mut lost = None;
        for seq in missing {
            let place = self.rewriter.locate(seq);
            let found = place.and_then(|(layer, index)| track.cached(layer, index));
            lost =
                lost.or(place.filter(|(layer, index)| track.forgot(*layer, *index) && self.is_needed(*layer, *index)));
            let prepared = found.and_then(|media| {
                let payload = self.payload(media)?;
                let outgoing = self.outgoing(media, self.rewriter.again(media)?, &payload);
                // RTX wraps the codec's own payload type, not RED's.
                (outgoing.pt == payload.pt).then_some((media, payload.rtx?, outgoing))
            });
            let Some((media, pt, mut outgoing)) = prepared else {
                self.counters.nack_missed += 1;
                continue;
            };
            let copies = self.budget.take(now, self.reports.rtt(), seq, outgoing.payload(media).len());
            self.counters.nack_held += u64::from(copies == 0);
            if !self.selector.shows(media).unwrap_or_else(|| self.rewriter.is_whole(media)) {
                (outgoing.patch, outgoing.skip) = (Patch::None, u16::MAX);
            }
            outgoing.osn = Some(outgoing.seq());
            outgoing.ssrc = rtx_ssrc;
            outgoing.pt = pt;
            outgoing.mid = Some(self.params.mid);
            for _ in 0..copies {
                self.counters.retransmitted += 1;
                outgoing.index = self.next_rtx;
                self.next_rtx += 1;
                emit(media, outgoing);
            }
        }
        let asked = self.despaired.is_some_and(|at| now.saturating_duration_since(at) < DESPAIR);
        let (layer, _) = lost.filter(|_| !asked)?;
        self.despaired = Some(now);
        Some(layer)
    }

    /// Whether the picture that is shown may build on a packet.
    fn is_needed(&self, layer: u8, index: u64) -> bool {
        self.selector.shown() == Some(layer) && self.key.is_some_and(|key| key.0 == layer && index >= key.1)
    }

    /// Takes in the subscriber's report block about our media SSRC.
    pub fn handle_report(&mut self, now: Instant, block: &ReportBlock) {
        self.announce = false;
        self.reports.answered(now, block);
    }

    /// When [`Subscription::poll_report`] will have something; may lie in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        if self.selector.paused() { None } else { self.reports.deadline() }
    }

    /// Appends the sender report that is due, with an SDES. Returns whether there was one. There is none before the publisher's
    /// first.
    pub fn poll_report(&mut self, now: Instant, cname: &str, buf: &mut Vec<u8>) -> bool {
        if self.selector.paused() {
            return false;
        }
        let clock = self.rewriter.clock().map(|clock| (clock, self.rate));
        let sent = (self.counters.packets, self.counters.bytes);
        let Some(report) = self.reports.poll(now, self.params.ssrc, clock, sent) else { return false };
        rtcp_write::sender_report(&report, cname, buf);
        true
    }

    fn payload(&mut self, media: &Media) -> Option<PayloadParams> {
        if self.payload.is_none_or(|payload| payload.format != media.format) {
            self.payload = self.params.payloads.iter().copied().find(|p| p.format == media.format);
        }
        self.payload
    }

    fn outgoing(&self, media: &Media, mapped: Mapped, payload: &PayloadParams) -> Outgoing {
        let (pt, patch, skip) = match (media.red, payload.red) {
            (Some((_, primary)), Some(red)) => {
                let patch = if primary == payload.pt { Patch::None } else { Patch::Red(payload.pt) };
                (red, patch, 0)
            }
            (Some((at, _)), None) => (payload.pt, Patch::None, at),
            (None, _) => {
                let same = mapped.picture == media.picture || media.payload.is_empty();
                (payload.pt, if same { Patch::None } else { Patch::Picture(mapped.picture) }, 0)
            }
        };
        let blank = self.rewriter.is_blank(media);
        let (patch, skip) = if blank { (Patch::None, u16::MAX) } else { (patch, skip) };
        Outgoing {
            ssrc: self.params.ssrc,
            pt,
            index: mapped.index,
            ts: mapped.ts,
            ends: self.selector.ends_picture(media),
            mid: self.announce.then_some(self.params.mid),
            frame: mapped.frame,
            osn: None,
            patch,
            skip,
        }
    }
}

#[cfg(test)]
#[path = "subscription_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "layers_tests.rs"]
mod layers_tests;
