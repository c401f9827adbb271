//! The loop: who is due next, what it sends, and how that reaches the others.

use super::{Actor, Load, Parcel, Room, SAMPLE, Sample, To, Track};
use crate::media::stamp::Stamp;
use crate::net::OVERHEAD;
use crate::oracle::{Egress, IN_TIME};
use crate::peer::{Source, open};
use crate::{At, media::pt};
use bytes::Bytes;
use ramai_sfu::api::{Datagram, Event, Path};
use ramai_sfu::demux::Class;
use ramai_sfu::rtp::Packet;
use ramai_sfu::rtp::rtcp::{self, Rtcp};
use std::cmp::Reverse;
use std::net::SocketAddr;
use std::time::Duration;

/// Handshake datagrams count as so many bytes: their true length is random (signatures), and would move all that follows.
const HANDSHAKE: usize = 600;

/// Packets that came before a mute or a pause leave so long after it at most.
const HELD: Duration = Duration::from_millis(2);

impl Room {
    /// Lets time pass.
    pub fn run(&mut self, time: Duration) {
        let end = self.now + time;
        for index in 0..self.peers.len() {
            self.peer_changed(index);
        }
        for index in 0..self.links.len() {
            self.link_changed(index);
        }
        self.server_turn();
        while let Some(Reverse((at, _, actor))) = self.heap.peek().copied() {
            if at > end {
                break;
            }
            self.heap.pop();
            if self.due.get(&actor) != Some(&at) {
                continue;
            }
            self.due.remove(&actor);
            self.now = self.now.max(at);
            match actor {
                Actor::Link(index) => self.link_turn(index),
                Actor::Peer(index) => {
                    self.peers[index].handle_timeout(self.now);
                    self.peer_changed(index);
                }
                Actor::Server => self.server_turn(),
                Actor::Sampler => self.sample(),
            }
        }
        self.now = end;
    }

    /// `actor` is due at `at`, and not when it was before.
    pub(super) fn schedule(&mut self, actor: Actor, at: Option<At>) {
        let Some(at) = at.map(|at| at.max(self.now)) else {
            self.due.remove(&actor);
            return;
        };
        if self.due.insert(actor, at) != Some(at) {
            self.order += 1;
            self.heap.push(Reverse((at, self.order, actor)));
        }
    }

    fn sample(&mut self) {
        for (index, link) in self.links.iter_mut().enumerate() {
            let queue = link.queue_delay(self.now);
            let passed = link.traffic().passed;
            let capacity = link.shape().capacity;
            self.samples[index].push(Sample { at: self.now, queue, passed: passed - self.passed[index], capacity });
            self.passed[index] = passed;
        }
        self.schedule(Actor::Sampler, Some(self.now + SAMPLE));
    }

    pub(super) fn link_changed(&mut self, index: usize) {
        let at = self.links[index].poll_timeout();
        self.schedule(Actor::Link(index), at);
    }

    fn link_turn(&mut self, index: usize) {
        while let Some(parcel) = self.links[index].poll(self.now) {
            self.deliver(parcel);
        }
        self.link_changed(index);
    }

    fn deliver(&mut self, parcel: Parcel) {
        self.note(&(self.now.as_nanos() as u64).to_be_bytes());
        self.note(&(parcel.size as u32).to_be_bytes());
        match parcel.to {
            To::Server(from) => {
                let Load::Raw(mut payload) = parcel.load else { return };
                if let Some(stamp) = &parcel.stamp {
                    self.oracle.ingress(stamp);
                }
                let path = Path { remote: from, local: None };
                let datagram = Datagram { path, came: self.epoch + self.now, payload: &mut payload };
                self.worker.handle_datagram(self.epoch + self.now, datagram);
                self.server_turn();
            }
            To::Peer(index, address) => {
                // What was sent to where the participant was doesn't reach it any more.
                if self.peers[index].address != address || self.peers[index].gone {
                    return;
                }
                self.receive(index, parcel);
                self.peer_changed(index);
            }
        }
    }

    fn receive(&mut self, index: usize, parcel: Parcel) {
        let (now, size) = (self.now, parcel.size);
        let peer = &mut self.peers[index];
        let load = match parcel.load {
            Load::Raw(bytes) => match Class::of(&bytes) {
                class @ (Class::Rtp | Class::Rtcp) => {
                    let rtcp = class == Class::Rtcp;
                    // Before the keys nothing can be done with it, as in a browser.
                    let Ok(plain) = open(&mut peer.wire, bytes, rtcp) else { return };
                    if rtcp { Load::Rtcp(plain) } else { Load::Rtp(plain) }
                }
                _ => {
                    peer.handle_wire(now, &bytes);
                    return;
                }
            },
            load => load,
        };
        match load {
            Load::Rtp(plain) => {
                self.note(plain.get(..12).unwrap_or_default());
                let Ok(packet) = Packet::parse(&plain, &crate::media::rtp::extensions()) else { return };
                let peer = &mut self.peers[index];
                if let Some((ssrc, seq)) = peer.handle_rtp(now, size, &packet)
                    && let Some(sent) = self.oracle.sent_at((index, ssrc), seq)
                    && now.saturating_sub(sent) <= IN_TIME
                    && let Some(video) = peer.viewer.video_mut(ssrc)
                {
                    video.log.came(sent);
                }
            }
            Load::Rtcp(plain) => peer.handle_rtcp(now, &plain),
            Load::Raw(_) => {}
        }
    }

    /// Sends what a participant has to send, and sets its clock.
    pub(super) fn peer_changed(&mut self, index: usize) {
        let now = self.now;
        let up = self.ways[index].0;
        let mut sent = false;
        while let Some(datagram) = self.peers[index].poll_transmit(now) {
            if self.peers[index].gone {
                continue;
            }
            let size =
                OVERHEAD + if Class::of(&datagram.bytes) == Class::Dtls { HANDSHAKE } else { datagram.bytes.len() };
            let to = To::Server(self.peers[index].address);
            let parcel = Parcel { to, load: Load::Raw(datagram.bytes), size, stamp: datagram.stamp };
            self.links[up].send(now, size, parcel);
            sent = true;
        }
        if sent {
            self.link_changed(up);
        }
        let at = self.peers[index].poll_timeout();
        self.schedule(Actor::Peer(index), at);
    }

    /// One turn of the server: timers, then all that it has to send.
    pub(super) fn server_turn(&mut self) {
        let now = self.epoch + self.now;
        if self.worker.poll_timeout().is_some_and(|at| at <= now) {
            self.worker.handle_timeout(now);
        }
        let mut batch = std::mem::take(&mut self.batch);
        loop {
            let more = self.worker.flush(now, &mut batch);
            for (path, datagram) in batch.datagrams() {
                self.leaves(path.remote, datagram);
            }
            batch.clear();
            if !more {
                break;
            }
        }
        self.batch = batch;
        while let Some(event) = self.worker.poll_event() {
            if let Event::Reach { subscription, layer, .. } = &event {
                self.reaches(subscription.0, layer.unwrap_or(u8::MAX));
            }
            self.events.push((self.now, event));
        }
        let at = self.worker.poll_timeout().map(|at| at.saturating_duration_since(self.epoch));
        self.schedule(Actor::Server, at);
    }

    /// Does what signaling does (dynacast): the publisher encodes no layer that reaches nobody.
    fn reaches(&mut self, id: u64, layer: u8) {
        let Some(changed) = self.subscriptions.iter().position(|s| s.id == id) else { return };
        self.subscriptions[changed].reach = layer;
        self.tell_wanted(self.subscriptions[changed].track);
    }

    /// Tells a publisher which layers reach somebody.
    pub(super) fn tell_wanted(&mut self, track: usize) {
        let active = self.subscriptions.iter().filter(|s| s.track == track && s.active);
        let most = active.map(|s| s.reach).max().unwrap_or(u8::MAX);
        let Track { publisher, ssrc, .. } = self.tracks[track];
        self.peers[publisher].publisher.want(ssrc, most);
    }

    /// One datagram leaves the server: judged, then on its way.
    fn leaves(&mut self, to: SocketAddr, datagram: &[u8]) {
        // Old addresses of somebody stay here: what is sent to them is judged, and lost at the NAT.
        let Some(&index) = self.addresses.get(&to) else { return };
        let class = Class::of(datagram);
        let size = OVERHEAD + if class == Class::Dtls { HANDSHAKE } else { datagram.len() };
        let load = match class {
            Class::Rtp | Class::Rtcp => {
                match open(&mut self.peers[index].wire, datagram.to_vec(), class == Class::Rtcp) {
                    Ok(plain) if class == Class::Rtp => {
                        self.judge(index, &plain, true);
                        Load::Rtp(plain)
                    }
                    Ok(plain) => {
                        self.count_requests(&plain);
                        Load::Rtcp(plain)
                    }
                    Err(_) if self.peers[index].wire.is_connected() => {
                        let what = format!("{} can't open what it was sent", self.peers[index].name);
                        self.oracle.accuse(self.now, what);
                        return;
                    }
                    Err(_) => {
                        if class == Class::Rtp {
                            self.judge(index, &Bytes::copy_from_slice(datagram), false);
                        }
                        Load::Raw(datagram.to_vec())
                    }
                }
            }
            _ => Load::Raw(datagram.to_vec()),
        };
        let down = self.ways[index].1;
        self.links[down].send(self.now, size, Parcel { to: To::Peer(index, to), load, size, stamp: None });
        self.link_changed(down);
    }

    fn count_requests(&mut self, compound: &[u8]) {
        for packet in rtcp::parse(compound) {
            if let Rtcp::Pli { media } | Rtcp::Fir { media, .. } = packet {
                *self.key_requests.entry(media.0).or_default() += 1;
            }
        }
    }

    /// Shows a media packet to the oracle; `open`: its payload is in the clear.
    fn judge(&mut self, viewer: usize, plain: &Bytes, open: bool) {
        let (now, name) = (self.now, self.peers[viewer].name.clone());
        let mut readable = plain.to_vec();
        if let Some(first) = readable.first_mut().filter(|_| !open) {
            // How much padding there is stands in the sealed part.
            *first &= !0x20;
        }
        let Ok(packet) = Packet::parse(&Bytes::from(readable), &crate::media::rtp::extensions()) else {
            return self.oracle.accuse(now, format!("{name} is sent something that is no RTP"));
        };
        if let Some(number) = packet.extensions.transport_cc {
            self.oracle.transport_number(now, viewer, &name, number);
        }
        let found = self.by_ssrc.get(&(viewer, packet.ssrc.0)).map(|index| self.subscriptions[*index]);
        let Some(subscription) = found else {
            return self.oracle.accuse(now, format!("{name} is sent an SSRC that it isn't subscribed to"));
        };
        let track = self.tracks[subscription.track];
        let publisher = &self.peers[track.publisher].name;
        let stream = format!("{publisher}'s {} to {name}", if video(track.source) { "video" } else { "audio" });
        let paused = subscription.paused.is_some_and(|since| now >= since + HELD);
        if !subscription.active || paused || !track.published || self.peers[viewer].gone {
            return self.oracle.accuse(now, format!("{stream}: sent though it isn't allowed"));
        }
        if !video(track.source) {
            return;
        }
        let again = packet.ssrc.0 == subscription.rtx;
        if again && (packet.payload.len() < 2 || !open) {
            return;
        }
        let (seq, payload) = match again {
            false => (packet.seq, &packet.payload[..]),
            true => (u16::from_be_bytes([packet.payload[0], packet.payload[1]]), &packet.payload[2..]),
        };
        if payload.is_empty() {
            return;
        }
        let stamp = if open { Stamp::read(payload) } else { None };
        if open && stamp.is_none_or(|stamp| usize::from(stamp.track) != subscription.track) {
            return self.oracle.accuse(now, format!("{stream}: the payload is damaged or another track's"));
        }
        // What came before may be sent again, or waits for the rest of its frame.
        let before = |muted| stamp.is_some_and(|stamp| stamp.captured < muted) && (again || now < muted + HELD);
        let before = track.muted.is_some_and(before);
        if track.muted.is_some() && !before {
            self.oracle.accuse(now, format!("{stream}: sent though it is muted: {stamp:?}"));
        }
        let mut shown = packet.clone();
        if again {
            shown.pt.0 = if packet.pt.0 == pt::VP8.1 { pt::VP8.0 } else { pt::VP9.0 };
        }
        let key = (viewer, subscription.ssrc);
        let egress = Egress { stream: &stream, key, packet: &shown, seq, payload, again, stamp };
        let first = self.oracle.egress(now, &egress);
        if first && let Some(video) = self.peers[viewer].viewer.video_mut(subscription.ssrc) {
            // A late packet of the layer before is no switch; in SVC every picture has all layers that are sent.
            let layer = stamp.filter(|stamp| stamp.index == 0 && !again && stamp.key).map(|stamp| stamp.layer);
            video.log.sent(now, layer);
        }
    }
}

pub(super) fn video(source: Source) -> bool {
    matches!(source, Source::Camera(_))
}
