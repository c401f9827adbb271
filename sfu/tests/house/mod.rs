//! Several workers in memory that share rooms, with connected clients around them: no latency, no loss, one clock.

#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot go on has failed")]

use crate::client::{Client, Options, credentials, identity};
use ramai_sfu::api::{Command, Datagram, Event};
use ramai_sfu::demux::Class;
use ramai_sfu::id::{Mid, Pt, RoomId, Ssrc, SubscriptionId, Token, TrackId, TransportId, WorkerId};
use ramai_sfu::link::Envelope;
use ramai_sfu::params::{
    Codec, Extension, ExtensionMap, Format, Kind, LayerParams, PayloadParams, PublishParams, SubscribeParams,
    SubscriptionSettings, TransportParams,
};
use ramai_sfu::{Batch, Worker};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

pub const ROOM: RoomId = RoomId(1);
/// The one video track of these stories, its SSRC at the publisher, and payload types everywhere.
pub const TRACK: TrackId = TrackId(1);
pub const PUBLISHED: u32 = 77;
pub const VP8: u8 = 96;
pub const RTX: u8 = 97;
/// The id of the header extension with the audio level.
pub const LEVEL_ID: u8 = 4;

/// A participant's wire.
pub struct Guest {
    pub client: Client,
    pub transport: TransportId,
    /// Its worker.
    pub worker: usize,
    /// What came for it, decrypted.
    pub rtp: Vec<Vec<u8>>,
    pub rtcp: Vec<Vec<u8>>,
}

impl Guest {
    /// SSRCs of the track, media and retransmissions.
    pub fn ssrc(&self) -> u32 {
        1000 + self.transport.0 as u32
    }

    pub fn rtx_ssrc(&self) -> u32 {
        2000 + self.transport.0 as u32
    }

    /// Key frame requests (PLI, RFC 4585 section 6.3.1) that came since the last call.
    pub fn plis(&mut self) -> usize {
        let compounds = std::mem::take(&mut self.rtcp);
        let plis = |compound: &Vec<u8>| {
            let (mut at, mut found) = (0, 0);
            while let Some([first, kind, high, low]) = compound.get(at..at + 4) {
                found += usize::from(*kind == 206 && first & 0x1f == 1);
                at += 4 + 4 * usize::from(u16::from_be_bytes([*high, *low]));
            }
            found
        };
        compounds.iter().map(plis).sum()
    }

    /// Payloads that came since the last call, without their VP8 descriptor byte.
    pub fn payloads(&mut self) -> Vec<Vec<u8>> {
        let media = |p: &&Vec<u8>| p[8..12] == self.ssrc().to_be_bytes();
        let payloads = self.rtp.iter().filter(media).map(|p| payload(p)[1..].to_vec()).collect();
        self.rtp.clear();
        payloads
    }
}

/// What stands behind an RTP header.
pub fn payload(packet: &[u8]) -> &[u8] {
    let extension = if packet[0] & 0x10 == 0 { 0 } else { 4 + 4 * usize::from(packet[15]) };
    &packet[12 + extension..]
}

pub struct House {
    pub workers: Vec<Worker>,
    pub now: Instant,
    pub guests: Vec<Guest>,
    pub events: Vec<Event>,
    by_address: HashMap<SocketAddr, usize>,
    /// Envelopes that each worker has still to read.
    inboxes: Vec<Vec<Envelope>>,
}

impl House {
    /// A house with a connected guest on each of these workers.
    #[allow(clippy::disallowed_methods, reason = "an Instant can't be made otherwise; only differences matter")]
    pub fn new(guests: &[usize]) -> Self {
        let now = Instant::now();
        let workers = guests.iter().max().unwrap() + 1;
        let worker = |index: usize| Worker::new(now, WorkerId(index as u16), identity().clone(), index as u64);
        let mut house = Self {
            workers: (0..workers).map(worker).collect(),
            now,
            guests: Vec::new(),
            events: Vec::new(),
            by_address: HashMap::new(),
            inboxes: vec![Vec::new(); workers],
        };
        for worker in guests {
            house.attach(*worker);
        }
        house.connect();
        house
    }

    pub fn attach(&mut self, worker: usize) {
        let index = self.guests.len();
        let (ours, theirs) = (credentials(&format!("server{index}")), credentials(&format!("client{index}")));
        let mut client = Client::new(self.now, &Options::default());
        client.address = (Ipv4Addr::new(198, 51, 100, index as u8), 5004).into();
        client.username = format!("{}:{}", ours.ufrag, theirs.ufrag);
        client.password.clone_from(&ours.pwd);
        let mut extensions = ExtensionMap::default();
        extensions.set(Extension::Mid, 1);
        extensions.set(Extension::AudioLevel, LEVEL_ID);
        let params = TransportParams {
            local: ours,
            remote: theirs,
            fingerprints: vec![client.fingerprint()],
            extensions,
            open_channels: Vec::new(),
        };
        let transport = TransportId(index as u64);
        self.command(worker, Command::AttachTransport { transport, room: ROOM, params: Box::new(params) });
        self.by_address.insert(client.address, index);
        self.guests.push(Guest { client, transport, worker, rtp: Vec::new(), rtcp: Vec::new() });
    }

    pub fn command(&mut self, worker: usize, command: Command) {
        self.workers[worker].handle_command(self.now, command);
    }

    pub fn connect(&mut self) {
        let deadline = self.now + Duration::from_secs(10);
        loop {
            self.settle();
            let connected = self.events.iter().filter(|e| matches!(e, Event::Connected { .. })).count();
            if connected == self.guests.len() && self.guests.iter().all(|g| g.client.is_connected()) {
                return;
            }
            assert!(self.now < deadline, "connected within ten seconds");
            self.pass(Duration::from_millis(20));
        }
    }

    /// Lets time pass with everybody's timers running.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now = (self.now + Duration::from_millis(20)).min(end);
            self.guests.iter_mut().for_each(|g| g.client.handle_timeout(self.now));
            self.settle();
        }
    }

    /// Carries datagrams and letters until nobody has anything to say.
    pub fn settle(&mut self) {
        loop {
            let mut moved = false;
            for guest in &mut self.guests {
                let path = guest.client.path();
                for mut payload in guest.client.transmits(self.now) {
                    self.workers[guest.worker]
                        .handle_datagram(self.now, Datagram { path, came: self.now, payload: &mut payload });
                }
            }
            for index in 0..self.workers.len() {
                moved |= self.turn(index);
            }
            if !moved {
                return;
            }
        }
    }

    fn turn(&mut self, index: usize) -> bool {
        let worker = &mut self.workers[index];
        let envelopes = std::mem::take(&mut self.inboxes[index]);
        let mut moved = !envelopes.is_empty();
        worker.handle_envelopes(self.now, envelopes);
        worker.handle_timeout(self.now);
        while let Some(letter) = worker.poll_letter(self.now) {
            assert!(!letter.envelopes.is_empty() && letter.to != worker.id());
            self.inboxes[usize::from(letter.to.0)].extend(letter.envelopes);
            moved = true;
        }
        let mut batch = Batch::default();
        worker.flush(self.now, &mut batch);
        moved |= !batch.is_empty();
        for (path, datagram) in batch.datagrams() {
            let Some(guest) = self.by_address.get(&path.remote).and_then(|i| self.guests.get_mut(*i)) else { continue };
            match Class::of(datagram) {
                Class::Rtp => guest.rtp.push(guest.client.open_rtp(datagram)),
                Class::Rtcp => guest.rtcp.push(guest.client.open_rtcp(datagram)),
                _ => guest.client.handle(self.now, datagram),
            }
        }
        self.events.extend(std::iter::from_fn(|| worker.poll_event()));
        moved
    }

    /// Publishes the track from a guest.
    pub fn publish(&mut self, guest: usize) {
        let (worker, transport) = (self.guests[guest].worker, self.guests[guest].transport);
        self.command(worker, Command::Publish { transport, track: TRACK, params: Box::new(published()) });
    }

    /// Makes both ends of a link from the worker of the publisher to another, as signaling does.
    pub fn link(&mut self, publisher: usize, to: usize) {
        let (home, publisher) = (self.guests[publisher].worker, self.guests[publisher].transport);
        self.command(home, Command::Relay { track: TRACK, to: WorkerId(to as u16), on: true });
        let (home, params) = (WorkerId(home as u16), Box::new(published()));
        self.command(to, Command::Mirror { track: TRACK, room: ROOM, publisher, home, params });
    }

    /// Subscribes a guest to the track.
    pub fn watch(&mut self, guest: usize) {
        let guest = &self.guests[guest];
        let (worker, transport, subscription) = (guest.worker, guest.transport, SubscriptionId(guest.transport.0));
        let (ssrc, rtx_ssrc) = (Ssrc(guest.ssrc()), Some(Ssrc(guest.rtx_ssrc())));
        let params = Box::new(SubscribeParams { mid: mid(), ssrc, rtx_ssrc, payloads: payloads(), own: None });
        let settings = SubscriptionSettings::default();
        self.command(worker, Command::Subscribe { transport, track: TRACK, subscription, params, settings });
        self.settle();
    }

    /// The publisher sends a packet: a whole frame of VP8 whose last bytes are `content`.
    pub fn send(&mut self, guest: usize, seq: u16, key: bool, content: &[u8]) {
        let mut packet = vec![0x80, 0x80 | VP8];
        packet.extend(seq.to_be_bytes());
        packet.extend((u32::from(seq) * 3000).to_be_bytes());
        packet.extend(PUBLISHED.to_be_bytes());
        packet.extend([0x10, u8::from(!key)]);
        packet.extend(content);
        let sealed = self.guests[guest].client.seal_rtp(&packet);
        self.carry(guest, sealed);
    }

    /// A guest sends RTCP.
    pub fn report(&mut self, guest: usize, compound: &[u8]) {
        let sealed = self.guests[guest].client.seal_rtcp(compound);
        self.carry(guest, sealed);
    }

    pub fn carry(&mut self, guest: usize, mut sealed: Vec<u8>) {
        let guest = &self.guests[guest];
        let path = guest.client.path();
        self.workers[guest.worker].handle_datagram(self.now, Datagram { path, came: self.now, payload: &mut sealed });
        self.settle();
    }
}

/// A PLI for a media SSRC.
pub fn pli(ssrc: u32) -> Vec<u8> {
    feedback(0x81, 206, ssrc, &[])
}

/// A NACK of one packet.
pub fn nack(ssrc: u32, seq: u16) -> Vec<u8> {
    feedback(0x81, 205, ssrc, &[(seq >> 8) as u8, seq as u8, 0, 0])
}

fn feedback(first: u8, kind: u8, ssrc: u32, rest: &[u8]) -> Vec<u8> {
    let mut packet = vec![first, kind, 0, (2 + rest.len() / 4) as u8, 0, 0, 0, 9];
    packet.extend(ssrc.to_be_bytes());
    packet.extend(rest);
    packet
}

fn payloads() -> Vec<PayloadParams> {
    let format = Format { codec: Codec::Vp8, profile: 0 };
    vec![PayloadParams { pt: Pt(VP8), format, rtx: Some(Pt(RTX)), red: None, nack: true }]
}

fn published() -> PublishParams {
    let layers = vec![LayerParams { ssrc: Some(Ssrc(PUBLISHED)), ..LayerParams::default() }];
    PublishParams { kind: Kind::Video, mid: mid(), payloads: payloads(), layers, screen: false }
}

fn mid() -> Mid {
    Token::new("0").unwrap()
}
