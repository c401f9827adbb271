//! The way of a media packet: opened, routed, made ready once by its track, then offered to each of its subscriptions.

use super::arena::{Arena, Place};
use super::{Publication, Worker};
use crate::id::{TrackId, TransportId};
use crate::params::{Kind, MAX_LAYERS};
use crate::rtp::{Media, Packet};
use crate::timers::Timer;
use bytes::Bytes;
use smallvec::SmallVec;
use std::hint::black_box;
use std::time::Instant;

impl Worker {
    /// Takes in one SRTP packet from a validated address, which came at `came`.
    pub(super) fn handle_rtp(&mut self, now: Instant, came: Instant, from: TransportId, datagram: &mut [u8]) {
        let Some(peer) = self.peers.get_mut(&from) else { return };
        let plain = match peer.transport.open_rtp(now, datagram) {
            Ok(len) => datagram.get(..len).unwrap_or_default(),
            Err(_) => {
                self.counters.not_opened += 1;
                return;
            }
        };
        self.counters.opened += 1;
        // The one copy of a packet: cache and all subscribers share it.
        let Ok(packet) = Packet::parse(&Bytes::copy_from_slice(plain), peer.transport.extensions()) else {
            self.counters.malformed += 1;
            return;
        };
        if let Some(number) = packet.extensions.transport_cc {
            peer.arrivals.record(came, number);
            peer.last_media = packet.ssrc;
        }
        let route = peer.routes.learn(&packet);
        self.mark(from);
        let Some(route) = route else {
            self.counters.unrouted += 1;
            return;
        };
        let Some(publication) = self.tracks.get_mut(&route.track) else { return };
        let media = publication.track.handle_rtp(now, route.layer, route.rtx, packet);
        if publication.track.take_started() {
            self.events.push_back(crate::api::Event::TrackStarted { transport: from, track: route.track });
        }
        let Some(media) = media else { return };

        for media in self.hear(now, route.track, media) {
            self.relay(route.track, &media);
            self.forward(now, route.track, route.rtx, media);
        }
    }

    /// Takes a packet that was made ready, here or by another worker, on its way to the track's subscriptions on this worker; it
    /// may wait for the rest of its frame. `late`: it fills a hole.
    pub(super) fn forward(&mut self, now: Instant, track: TrackId, late: bool, media: Media) {
        let Some(publication) = self.tracks.get_mut(&track) else { return };
        let waited = publication.hold.since();
        let (layer, kind) = (media.layer, publication.track.kind());
        if publication.hold.push(now, kind, late, media) {
            self.release(now, track, layer);
        } else if waited.is_none() {
            self.holding += 1;
            self.timers.set(Timer::Frame(track), publication.hold.due());
        }
    }

    /// Offers all that waits for the rest of its frame to the subscriptions, as if it had been offered when it came.
    pub(super) fn release_all(&mut self, track: TrackId) {
        let Some(since) = self.tracks.get(&track).and_then(|publication| publication.hold.since()) else { return };
        for layer in 0..MAX_LAYERS as u8 {
            self.release(since, track, layer);
        }
    }

    /// Offers what waits of one layer to each subscription: a whole frame at a time, so that a subscriber's state is touched once
    /// for all of its packets.
    fn release(&mut self, now: Instant, track: TrackId, layer: u8) {
        let Some(publication) = self.tracks.get_mut(&track) else { return };
        let waited = publication.hold.since().is_some();
        let count = publication.hold.take(layer, &mut self.arena);
        if waited && publication.hold.is_empty() {
            self.holding -= 1;
            self.timers.set(Timer::Frame(track), None);
        }
        let kind = publication.track.kind();
        let mut wanted = false;
        // Behind the packets themselves, for those who lose many.
        let deep = if kind == Kind::Audio && self.lossy_until.is_some_and(|until| until > now) {
            publication.deepen(count, &mut self.arena)
        } else {
            SmallVec::new()
        };
        let speaker = publication.slot.as_ref().and_then(|slot| slot.speaker);
        let mut rest = publication.subscriptions.as_mut_slice();
        while let Some((subscription, others)) = rest.split_first_mut() {
            rest = others;
            if let Some(next) = rest.first() {
                // Its memory is fetched while this one is served; it is in no cache where there are hundreds.
                black_box(next.warm());
                if let Some(peer) = self.peers.get(&next.transport()) {
                    peer.warm_queue();
                }
            }
            if speaker.is_some() && speaker == subscription.params().own {
                continue;
            }
            let Some(peer) = self.peers.get_mut(&subscription.transport()) else { continue };
            if !peer.transport.is_connected() {
                continue;
            }
            let mut shown = false;
            let deepened = !deep.is_empty() && subscription.takes_red() && peer.lossy_until(now).is_some();
            for (n, (place, media)) in self.arena.newest(count + deep.len()).take(count).enumerate() {
                let deeper = deep.get(n).filter(|_| deepened).and_then(|place| Some((*place, self.arena.get(*place)?)));
                self.counters.deepened += u64::from(deeper.is_some());
                let (place, media) = deeper.unwrap_or((place, media));
                if media.meta.keyframe && peer.pacer.is_waiting() && subscription.goes_down(now, media) {
                    let (ssrc, numbers) = (subscription.ssrc(), subscription.numbers());
                    if let Some(first) = peer.take_back(&self.arena, ssrc, numbers) {
                        subscription.take_back(&first);
                    }
                }
                let Some(outgoing) = subscription.handle_packet(now, media) else {
                    self.counters.shed += u64::from(subscription.is_missed(media));
                    continue;
                };
                shown = true;
                if peer.push(kind, place, outgoing) {
                    self.counters.forwarded += 1;
                } else {
                    self.counters.not_sealed += 1;
                }
            }
            if shown {
                // Reports ride on packets: a stream that rests needs none.
                if subscription.poll_timeout().is_some_and(|at| at <= now) {
                    subscription.poll_report(now, &publication.cname, peer.rtcp_buffer());
                }
                if !std::mem::replace(&mut peer.dirty, true) {
                    self.dirty.push_back(peer.id());
                }
            }
            if let Some(layer) = subscription.keyframe_wanted() {
                publication.track.request_keyframe(layer);
                wanted = true;
            }
        }
        if wanted {
            self.mark_publisher(track);
        }
    }
}

impl Publication {
    /// Puts deeper copies of the newest `count` packets behind them into the arena, and tells where each lies. Where there is nothing
    /// more to carry the copy is the packet itself.
    fn deepen(&self, count: usize, arena: &mut Arena) -> SmallVec<[Place; 1]> {
        let deeper = |media: &Media| self.track.deepened(media).unwrap_or_else(|| media.clone());
        let copies: SmallVec<[Media; 1]> = arena.newest(count).map(|(_, media)| deeper(media)).collect();
        copies.into_iter().map(|media| arena.push(media)).collect()
    }
}
