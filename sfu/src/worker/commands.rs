//! What signaling asks, carried out.

use super::link::Link;
use super::peer::{Peer, Received};
use super::{Publication, Room, Worker};
use crate::api::Command;
use crate::id::{RoomId, Ssrc, SubscriptionId, TrackId, TransportId};
use crate::params::{Extension, Kind, PublishParams, SubscribeParams, SubscriptionSettings, TransportParams};
use crate::publish::Track;
use crate::subscribe::{Fit, Subscription};
use crate::timers::Timer;
use crate::transport::Transport;
use rand::Rng;
use std::time::Instant;

impl Worker {
    /// Carries out one command.
    pub fn handle_command(&mut self, now: Instant, command: Command) {
        let done = match command {
            Command::AttachTransport { transport, room, params } => self.attach(now, transport, room, *params),
            Command::UpdateTransport { transport, extensions, ice, fingerprints } => {
                self.mark(transport);
                self.peers.get_mut(&transport).map(|peer| {
                    if let Some(ice) = &ice
                        && !self.demux.register(transport, &ice.0.ufrag)
                    {
                        tracing::error!(transport = transport.0, "ufrag is taken, ICE restart is impossible");
                    }
                    peer.transport.update(extensions, ice.map(|ice| *ice), fingerprints);
                })
            }
            Command::CloseTransport { transport } => self.close_transport(now, transport),
            Command::Publish { transport, track, params } => self.publish(transport, track, &params),
            Command::Unpublish { track } => self.unpublish(track),
            Command::Mirror { track, room, publisher, home, params } => {
                self.mirror(track, room, publisher, home, &params)
            }
            Command::Relay { track, to, on } => self.set_relay(track, to, on),
            Command::OpenSlots { room, home, publisher, tracks, params } => {
                self.open_slots(now, room, home, publisher, &tracks, &params)
            }
            Command::CloseSlots { room } => self.close_slots(room),
            Command::KeepFromSlots { track, kept } => self.keep_from_slots(track, kept),
            Command::MuteTrack { track, muted } => self.mute(track, muted),
            Command::Subscribe { transport, track, subscription, params, settings } => {
                self.subscribe(now, transport, track, subscription, *params, settings)
            }
            Command::UpdateSubscription { subscription, settings } => self.settings(now, subscription, settings),
            Command::Unsubscribe { subscription } => self.unsubscribe(subscription),
            Command::SendData { to, channel, payload } => {
                for id in to.iter() {
                    let sent = self.peers.get_mut(id).map(|p| p.transport.send_data(now, channel, &payload));
                    match sent {
                        Some(Ok(())) => self.mark(*id),
                        Some(Err(error)) => {
                            self.counters.data_dropped += 1;
                            tracing::debug!(transport = id.0, ?channel, %error, "data message not sent");
                            // A channel that failed has something to tell.
                            self.transport_events(now, *id);
                        }
                        None => self.counters.data_dropped += 1,
                    }
                }
                Some(())
            }
        };
        if done.is_none() {
            self.counters.stale_commands += 1;
        }
    }

    fn attach(&mut self, now: Instant, id: TransportId, room: RoomId, params: TransportParams) -> Option<()> {
        if self.peers.contains_key(&id) || !self.demux.register(id, &params.local.ufrag) {
            tracing::error!(transport = id.0, "transport or ufrag is taken, not attached");
            return None;
        }
        let transport = Transport::new(now, id, params, &self.identity);
        let local_ssrc = Ssrc(self.rng.random_range(1..u32::MAX));
        self.peers.insert(id, Peer::new(now, transport, room, local_ssrc));
        self.rooms.entry(room).or_insert_with(|| Room::new(self.audible)).transports += 1;
        self.mark(id);
        Some(())
    }

    pub(super) fn close_transport(&mut self, now: Instant, id: TransportId) -> Option<()> {
        self.peers.get_mut(&id)?.transport.close(now);
        self.retire(id);
        Some(())
    }

    /// Takes a transport out of everything; what waits in it is still sent, then it is gone.
    pub(super) fn retire(&mut self, id: TransportId) {
        let Some(peer) = self.peers.get_mut(&id).filter(|peer| !peer.retired) else { return };
        peer.retired = true;
        let room = peer.room;
        let receiving = std::mem::take(&mut peer.receiving);
        for track in std::mem::take(&mut peer.publishing) {
            self.unpublish(track);
        }
        for received in receiving.into_values() {
            if let Some(publication) = self.tracks.get_mut(&received.track) {
                publication.subscriptions.retain(|s| {
                    let keep = s.transport() != id;
                    if !keep {
                        self.subscriptions.remove(&s.id());
                    }
                    keep
                });
            }
        }
        self.demux.remove(id);
        if let Some(entry) = self.rooms.get_mut(&room) {
            entry.transports -= 1;
        }
        self.forget_if_empty(room);
        self.mark(id);
    }

    fn publish(&mut self, transport: TransportId, track: TrackId, params: &PublishParams) -> Option<()> {
        let level = self.level();
        let peer = self.peers.get_mut(&transport).filter(|peer| !peer.retired)?;
        if self.tracks.contains_key(&track) {
            tracing::error!(track = track.0, "track is published already");
            return None;
        }
        peer.routes.add(track, params);
        peer.publishing.push(track);
        let (new, link) = (Track::new(track, params), Link::default());
        self.tracks.insert(track, Publication::new(new, peer.room, transport, params.screen, level, link));
        Some(())
    }

    pub(super) fn unpublish(&mut self, track: TrackId) -> Option<()> {
        self.release_all(track);
        self.timers.remove(Timer::Frame(track));
        let publication = self.tracks.remove(&track)?;
        tracing::debug!(track = track.0, counters = ?publication.track.counters(), "unpublished");
        if let Some(peer) = self.peers.get_mut(&publication.transport) {
            peer.routes.remove(track);
            peer.publishing.retain(|t| *t != track);
        }
        for subscription in &publication.subscriptions {
            self.subscriptions.remove(&subscription.id());
            if let Some(peer) = self.peers.get_mut(&subscription.transport()) {
                peer.receiving.retain(|_, received| received.track != track);
                peer.pacer.retain(|packet| packet.ssrc != subscription.ssrc());
            }
        }
        if let Some(room) = self.rooms.get_mut(&publication.room) {
            room.speakers.remove(track);
        }
        self.timers.remove(Timer::Mirror(track));
        Some(())
    }

    fn subscribe(
        &mut self,
        now: Instant,
        transport: TransportId,
        track: TrackId,
        id: SubscriptionId,
        params: SubscribeParams,
        settings: SubscriptionSettings,
    ) -> Option<()> {
        let publication = self.tracks.get_mut(&track)?;
        let peer = self.peers.get_mut(&transport).filter(|peer| !peer.retired && peer.room == publication.room)?;
        if self.subscriptions.contains_key(&id) {
            tracing::error!(subscription = id.0, "subscription exists already");
            return None;
        }
        peer.receiving.insert(params.ssrc, Received::new(track));
        let (kind, live) = (publication.track.kind(), publication.track.live());
        let seed = self.rng.random();
        let mut new = Subscription::new(now, id, transport, params, settings, kind, live, seed);
        new.cap(publication.level.cap(publication.content(now, self.rooms.get(&publication.room)), id), false);
        let numbered = peer.transport.extensions().id(Extension::TransportCc).is_some();
        let limited = peer.budget.limit(now, numbered).bits().is_some();
        if kind == Kind::Video && limited {
            new.fit(Fit::LOWEST, false);
        }
        publication.subscriptions.push(new);
        self.subscriptions.insert(id, track);
        if kind == Kind::Video {
            self.watch(now, transport, id, track);
        }
        self.mark(transport);
        self.begin_pictures(now, track);
        Some(())
    }

    fn settings(&mut self, now: Instant, id: SubscriptionId, settings: SubscriptionSettings) -> Option<()> {
        let track = *self.subscriptions.get(&id)?;
        let publication = self.tracks.get_mut(&track)?;
        let subscription = publication.subscriptions.iter_mut().find(|s| s.id() == id)?;
        subscription.set(settings);
        let transport = subscription.transport();
        if settings.paused {
            self.hurry(transport);
        }
        self.allot_soon(now, transport);
        self.begin_pictures(now, track);
        Some(())
    }

    fn mute(&mut self, track: TrackId, muted: bool) -> Option<()> {
        if muted {
            // What waits for the rest of its frame came before.
            self.release_all(track);
        }
        let publication = self.tracks.get_mut(&track)?;
        publication.track.set_muted(muted);
        if let Some(room) = self.rooms.get_mut(&publication.room) {
            room.speakers.remove(track);
        }
        let viewers: Vec<TransportId> = publication.subscriptions.iter().map(Subscription::transport).collect();
        // Only pictures wait in pacers.
        let waits = muted && publication.track.kind() == Kind::Video;
        viewers.into_iter().filter(|_| waits).for_each(|viewer| self.hurry(viewer));
        Some(())
    }

    /// What a peer's pacer holds of before a pause leaves now.
    fn hurry(&mut self, id: TransportId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.pacer.hurry();
            self.mark(id);
        }
    }

    fn unsubscribe(&mut self, id: SubscriptionId) -> Option<()> {
        let track = self.subscriptions.remove(&id)?;
        let subscriptions = &mut self.tracks.get_mut(&track)?.subscriptions;
        let at = subscriptions.iter().position(|s| s.id() == id)?;
        let subscription = subscriptions.swap_remove(at);
        let peer = self.peers.get_mut(&subscription.transport())?;
        peer.receiving.remove(&subscription.ssrc());
        peer.budget.watching.retain(|watch| watch.subscription != id);
        peer.pacer.retain(|packet| packet.ssrc != subscription.ssrc());
        Some(())
    }
}
