//! RTCP both ways: what peers say of our streams and of theirs, and what we tell them, once a turn.

use super::{Worker, upstream};
use crate::congestion::trend::Usage;
use crate::id::{Ssrc, TrackId, TransportId};
use crate::rtp::rtcp::{self, Blocks, Rtcp};
use crate::rtp::rtcp_write;
use crate::subscribe::Subscription;
use crate::timers::Timer;
use crate::transmit::Batch;
use std::time::Instant;

/// Retransmissions that one compound may cause: more is a flood, not a loss.
const MAX_NACKS: usize = 256;
/// There is room for a second copy of what is sent again if this much more than what is sent has room: what is lost without a queue is hardly ever
/// more than a tenth. On a link that was full once, probes go no further than 1.15 times what is wanted.
const ROOM: f64 = 1.1;

impl Worker {
    /// Takes in one SRTCP packet from a validated address.
    pub(super) fn handle_rtcp(&mut self, now: Instant, from: TransportId, datagram: &mut [u8]) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let compound = match peer.transport.open_rtcp(now, datagram) {
            Ok(len) => datagram.get(..len).unwrap_or_default(),
            Err(_) => {
                self.counters.not_opened += 1;
                return;
            }
        };
        for packet in rtcp::parse(compound) {
            match packet {
                Rtcp::SenderReport(report, blocks) => {
                    let route = self.peers.get(&from).and_then(|peer| peer.routes.get(report.ssrc));
                    if let Some(route) = route.filter(|route| !route.rtx)
                        && let Some(publication) = self.tracks.get_mut(&route.track)
                    {
                        publication.track.handle_sender_report(now, route.layer, &report);
                    }
                    self.reports(now, from, blocks);
                }
                Rtcp::ReceiverReport(blocks) => self.reports(now, from, blocks),
                Rtcp::Nack { media, missing } => self.retransmit(now, from, media, missing.take(MAX_NACKS)),
                Rtcp::Pli { media } | Rtcp::Fir { media, .. } => self.picture_lost(from, media),
                Rtcp::TransportCc(raw) => {
                    self.counters.bandwidth_feedback += 1;
                    let Some(peer) = self.peers.get_mut(&from) else { continue };
                    if peer.budget.estimator.is_silent(now) {
                        peer.loss.outage(now);
                    }
                    if peer.budget.estimator.handle_feedback(now, raw).is_err() {
                        self.counters.malformed_feedback += 1;
                    }
                    let state = peer.budget.estimator.state();
                    if state.usage == Usage::Over || peer.budget.estimator.room(now).is_some() {
                        peer.loss.queued(now, peer.budget.is_mostly_audio(now));
                    }
                    peer.loss.told(now, (state.lost * 256.0) as u32);
                    self.lossy_until = self.lossy_until.max(peer.lossy_until(now));
                    self.estimated(now, from);
                }
                Rtcp::Remb(bits) => {
                    self.counters.bandwidth_feedback += 1;
                    let Some(peer) = self.peers.get_mut(&from) else { continue };
                    peer.budget.estimator.handle_remb(bits);
                    self.estimated(now, from);
                }
                // A track ends by signaling.
                Rtcp::Bye(_) => {}
            }
        }
        self.mark(from);
    }

    fn reports(&mut self, now: Instant, from: TransportId, blocks: Blocks<'_>) {
        for block in blocks {
            if let Some(peer) = self.peers.get_mut(&from) {
                peer.lost(now, block.fraction_lost);
                self.lossy_until = self.lossy_until.max(peer.lossy_until(now));
            }
            if let Some((_, subscription)) = self.received_by(from, block.ssrc) {
                subscription.handle_report(now, &block);
            }
        }
    }

    fn retransmit(&mut self, now: Instant, from: TransportId, media: Ssrc, missing: impl Iterator<Item = u16>) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let Some(received) = peer.receiving.get_mut(&media) else { return };
        let id = received.track;
        let Some(publication) = self.tracks.get_mut(&id) else { return };
        let (track, subscriptions) = (&publication.track, &mut publication.subscriptions);
        let kind = track.kind();
        let Some(subscription) = received.find(subscriptions, from, media) else { return };
        let budget = &peer.budget;
        let roomy = budget.bits.is_none_or(|bits| bits as f64 > budget.given as f64 * ROOM);
        subscription.set_sure(roomy && peer.loss.is_some(now));
        let arena = &mut self.arena;
        let mut count = 0;
        let missing = missing.inspect(|_| count += 1);
        let lost = subscription.handle_nack(now, missing, track, |media, outgoing| {
            _ = peer.push(kind, arena.push(media.clone()), outgoing);
        });
        peer.asked_again(now, count);
        self.lossy_until = self.lossy_until.max(peer.lossy_until(now));
        if let Some(layer) = lost {
            publication.track.request_keyframe(layer);
            self.mark_publisher(id);
        }
    }

    fn picture_lost(&mut self, from: TransportId, media: Ssrc) {
        let Some((track, subscription)) = self.received_by(from, media) else { return };
        let layer = subscription.handle_keyframe_request();
        if let (Some(layer), Some(publication)) = (layer, self.tracks.get_mut(&track)) {
            publication.track.request_keyframe(layer);
            self.mark_publisher(track);
        }
    }

    /// The subscription that a peer receives on an SSRC.
    fn received_by(&mut self, peer: TransportId, ssrc: Ssrc) -> Option<(TrackId, &mut Subscription)> {
        let received = self.peers.get_mut(&peer)?.receiving.get_mut(&ssrc)?;
        let subscriptions = &mut self.tracks.get_mut(&received.track)?.subscriptions;
        Some((received.track, received.find(subscriptions, peer, ssrc)?))
    }

    /// Sends all that waits for one peer, and sets its timer.
    pub(super) fn flush_peer(&mut self, now: Instant, id: TransportId, batch: &mut Batch) {
        let abs_send_time = abs_send_time(now.saturating_duration_since(self.epoch));
        let Some(peer) = self.peers.get_mut(&id) else { return };
        peer.dirty = false;
        let mut next = None;
        let changed = std::mem::take(&mut peer.changed);
        if changed {
            // First of all: the end of a handshake brings the keys for the media behind it.
            peer.transport.poll_transmit(now, batch);
        }
        let mut paced = false;
        if peer.transport.is_connected() {
            self.counters.not_sealed += peer.flush_media(now, &self.arena, abs_send_time, &mut self.scratch, batch);
            paced = peer.pacer.is_waiting();
            peer.flush_reports(batch);
        } else {
            self.counters.not_sealed += peer.drop_media();
        }
        if paced {
            self.set_budget_timer(now, id);
        }
        if !changed {
            return;
        }
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if peer.transport.is_connected() {
            if peer.arrivals.poll_timeout().is_some_and(|at| at <= now) {
                let from = peer.local_ssrc;
                let mut feedback = Vec::new();
                peer.arrivals.poll(now, from, peer.last_media, &mut feedback);
                peer.flush_rtcp(batch, |buf| buf.extend_from_slice(&feedback));
            }
            for index in 0..peer.publishing.len() {
                let Some(track) = peer.publishing.get(index).copied() else { continue };
                let limit = upstream::limit(now, &mut self.tracks, &peer.publishing, track);
                let Some(publication) = self.tracks.get_mut(&track) else { continue };
                if publication.track.poll_timeout(now).is_some_and(|at| at <= now) {
                    let from = peer.local_ssrc;
                    self.counters.limits_told += u64::from(limit.is_some());
                    let media = peer.last_media;
                    peer.flush_rtcp(batch, |buf| {
                        publication.track.poll_feedback(now, from, buf);
                        if let Some(bits) = limit {
                            rtcp_write::remb(from, &[media], bits, buf);
                        }
                    });
                }
                next = [next, publication.track.poll_timeout(now)].into_iter().flatten().min();
            }
        }
        if peer.retired {
            self.peers.remove(&id);
            self.timers.remove(Timer::Peer(id));
            self.timers.remove(Timer::Budget(id));
            return;
        }
        let next = [next, peer.poll_timeout()].into_iter().flatten().min();
        self.timers.set(Timer::Peer(id), next);
    }
}

/// `abs-send-time`: 24 bits, 6.18 fixed point seconds, wrapping every 64 s.
fn abs_send_time(since: std::time::Duration) -> u32 {
    let fraction = u64::from(since.subsec_nanos()) << 18;
    (((since.as_secs() << 18) | (fraction / 1_000_000_000)) & 0xff_ffff) as u32
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn abs_send_time_is_six_bits_of_seconds_and_eighteen_of_fraction() {
        assert_eq!(abs_send_time(Duration::from_millis(1_500)), 3 << 17);
        assert_eq!(abs_send_time(Duration::from_secs(64)), 0);
    }
}
