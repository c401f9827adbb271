//! A whole media plane in memory with connected clients around it: no latency, no loss, one clock.

#![allow(dead_code, reason = "each test and bench uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use crate::client::{Client, Options, credentials, identity};
use ramai_sfu::api::{Command, Datagram, Event};
use ramai_sfu::demux::Class;
use ramai_sfu::id::{Mid, Pt, RoomId, Ssrc, SubscriptionId, Token, TrackId, TransportId, WorkerId};
use ramai_sfu::params::{
    Codec, Extension, ExtensionMap, Format, Kind, LayerParams, PayloadParams, PublishParams, SubscribeParams,
    SubscriptionSettings, TransportParams,
};
use ramai_sfu::{Batch, Worker};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// SSRC that publishers use.
pub const PUBLISHED: u32 = 77;
const ROOM: RoomId = RoomId(1);

/// One client with what came for it.
pub struct Member {
    pub client: Client,
    pub transport: TransportId,
    /// Sealed media, in the order it came.
    pub media: Vec<Vec<u8>>,
    /// Sealed feedback, likewise.
    pub feedback: Vec<Vec<u8>>,
}

/// See the module.
pub struct Plane {
    pub worker: Worker,
    pub now: Instant,
    pub members: Vec<Member>,
    pub events: Vec<Event>,
    by_address: HashMap<SocketAddr, usize>,
    batch: Batch,
}

impl Plane {
    /// A plane with `members` attached clients, not yet connected.
    #[allow(clippy::disallowed_methods, reason = "an Instant can't be made otherwise; only differences matter")]
    pub fn new(members: usize) -> Self {
        let now = Instant::now();
        let mut plane = Self {
            worker: Worker::new(now, WorkerId(0), identity().clone(), 1),
            now,
            members: Vec::new(),
            events: Vec::new(),
            by_address: HashMap::new(),
            batch: Batch::default(),
        };
        for index in 0..members {
            plane.attach(index);
        }
        plane
    }

    fn attach(&mut self, index: usize) {
        let (ours, theirs) = (credentials(&format!("server{index}")), credentials(&format!("client{index}")));
        let mut client = Client::new(self.now, &Options::default());
        client.address = (Ipv4Addr::new(198, 51, (index >> 8) as u8, index as u8), 5004).into();
        client.username = format!("{}:{}", ours.ufrag, theirs.ufrag);
        client.password.clone_from(&ours.pwd);
        let mut extensions = ExtensionMap::default();
        extensions.set(Extension::Mid, 1);
        // No transport-wide numbers: these clients tell nothing of their fate, so they are sent all.
        extensions.set(Extension::AudioLevel, 4);
        let params = TransportParams {
            local: ours,
            remote: theirs,
            fingerprints: vec![client.fingerprint()],
            extensions,
            open_channels: Vec::new(),
        };
        let transport = TransportId(index as u64);
        self.command(Command::AttachTransport { transport, room: ROOM, params: Box::new(params) });
        self.by_address.insert(client.address, index);
        self.members.push(Member { client, transport, media: Vec::new(), feedback: Vec::new() });
    }

    /// Gives the worker a command.
    pub fn command(&mut self, command: Command) {
        self.worker.handle_command(self.now, command);
    }

    /// Runs until every client is connected on both sides; false if that takes more than ten seconds of its clock.
    pub fn connect(&mut self) -> bool {
        let deadline = self.now + Duration::from_secs(10);
        loop {
            self.settle();
            let connected = self.events.iter().filter(|e| matches!(e, Event::Connected { .. })).count();
            if connected == self.members.len() && self.members.iter().all(|m| m.client.is_connected()) {
                return true;
            }
            let next = self.members.iter().map(|m| m.client.poll_timeout()).chain(self.worker.poll_timeout()).min();
            self.now = next.unwrap_or(deadline).max(self.now + Duration::from_millis(1));
            if self.now > deadline {
                return false;
            }
            self.members.iter_mut().for_each(|m| m.client.handle_timeout(self.now));
        }
    }

    /// Lets time pass with everybody's timers running.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.now += Duration::from_millis(20);
            self.members.iter_mut().for_each(|m| m.client.handle_timeout(self.now));
            self.settle();
        }
    }

    /// Carries datagrams until nobody has anything to say.
    pub fn settle(&mut self) {
        loop {
            for member in &mut self.members {
                let path = member.client.path();
                for mut payload in member.client.transmits(self.now) {
                    self.worker.handle_datagram(self.now, Datagram { path, came: self.now, payload: &mut payload });
                }
            }
            if !self.turn() {
                return;
            }
        }
    }

    /// One turn of the worker; whether anything came out of it.
    fn turn(&mut self) -> bool {
        self.worker.handle_timeout(self.now);
        let mut batch = std::mem::take(&mut self.batch);
        self.worker.flush(self.now, &mut batch);
        for (path, datagram) in batch.datagrams() {
            let Some(member) = self.by_address.get(&path.remote).and_then(|i| self.members.get_mut(*i)) else {
                continue;
            };
            match Class::of(datagram) {
                Class::Rtp => member.media.push(datagram.to_vec()),
                Class::Rtcp => member.feedback.push(datagram.to_vec()),
                _ => member.client.handle(self.now, datagram),
            }
        }
        let moved = !batch.is_empty();
        batch.clear();
        self.batch = batch;
        while let Some(event) = self.worker.poll_event() {
            self.events.push(event);
        }
        moved
    }

    /// What one packet costs and nothing else: in, through, and out into the batch, which is emptied. Bytes that came out.
    pub fn forward(&mut self, from: usize, sealed: &mut [u8]) -> usize {
        let path = self.members[from].client.path();
        self.worker.handle_datagram(self.now, Datagram { path, came: self.now, payload: sealed });
        let mut out = 0;
        loop {
            let more = self.worker.flush(self.now, &mut self.batch);
            out += self.batch.len();
            self.batch.clear();
            if !more {
                return out;
            }
        }
    }

    /// Lets a member negotiate transport-wide numbers, with id 3.
    pub fn number(&mut self, member: usize) {
        let mut extensions = ExtensionMap::default();
        extensions.set(Extension::Mid, 1);
        extensions.set(Extension::TransportCc, 3);
        let transport = self.members[member].transport;
        self.command(Command::UpdateTransport { transport, extensions, ice: None, fingerprints: Vec::new() });
    }

    /// Publishes an Opus or VP8 track of the first member and subscribes all others to it.
    pub fn publish(&mut self, codec: Codec) {
        let payloads = vec![PayloadParams {
            pt: Pt(111),
            format: Format { codec, profile: 0 },
            rtx: None,
            red: None,
            nack: false,
        }];
        let layers = vec![LayerParams { ssrc: Some(Ssrc(PUBLISHED)), ..LayerParams::default() }];
        let kind: Kind = codec.kind();
        let params = Box::new(PublishParams { kind, screen: false, mid: mid(), payloads: payloads.clone(), layers });
        let (transport, track) = (self.members[0].transport, TrackId(1));
        self.command(Command::Publish { transport, track, params });
        for index in 1..self.members.len() {
            let params = SubscribeParams {
                mid: mid(),
                ssrc: Ssrc(1000 + index as u32),
                rtx_ssrc: None,
                payloads: payloads.clone(),
                own: None,
            };
            self.command(Command::Subscribe {
                transport: self.members[index].transport,
                track,
                subscription: SubscriptionId(index as u64),
                params: Box::new(params),
                settings: SubscriptionSettings::default(),
            });
        }
        self.settle();
    }
}

pub fn mid() -> Mid {
    Token::new("0").unwrap()
}

/// A packet of the published track.
pub fn packet(seq: u16, payload: &[u8]) -> Vec<u8> {
    let mut packet = vec![0x80, 111];
    packet.extend(seq.to_be_bytes());
    packet.extend((u32::from(seq) * 960).to_be_bytes());
    packet.extend(PUBLISHED.to_be_bytes());
    packet.extend(payload);
    packet
}
