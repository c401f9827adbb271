//! What a story can say to a room: who joins and leaves, what happens to whose link, and what was seen.

use super::drive::video;
use super::{Parcel, Room, Sample, Subscription, Track};
use crate::At;
use crate::media::camera::Video;
use crate::media::{pt, rtp};
use crate::net::{Burst, Link, Loss, Shape};
use crate::peer::{Peer, Source, wire};
use crate::receive::log::{AudioLog, VideoLog};
use ramai_sfu::api::Command;
use ramai_sfu::id::{Mid, Pt, RoomId, Ssrc, SubscriptionId, Token, TrackId, TransportId};
use ramai_sfu::params::{
    Codec, Format, IceCredentials, Kind, LayerParams, PayloadParams, PublishParams, SubscribeParams,
    SubscriptionSettings, TransportParams,
};
use rand::Rng;
use std::net::Ipv4Addr;
use std::time::Duration;

const ROOM: RoomId = RoomId(1);

/// How somebody takes part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Person {
    /// A camera.
    pub camera: Option<Video>,
    /// A microphone, with so many frames of redundancy.
    pub microphone: Option<usize>,
    /// Watches and hears the others.
    pub watches: bool,
}

impl Person {
    /// Camera and microphone, and watches the others.
    pub const FULL: Self = Self { camera: Some(Video::Simulcast), microphone: Some(1), watches: true };
    /// Camera and microphone only.
    pub const PRESENTER: Self = Self { camera: Some(Video::Simulcast), microphone: Some(1), watches: false };
    /// Watches only.
    pub const VIEWER: Self = Self { camera: None, microphone: None, watches: true };

    /// With another camera.
    pub fn with(self, video: Video) -> Self {
        Self { camera: Some(video), ..self }
    }
}

/// Turns the knobs of one link; each from now on.
pub struct Dial<'a> {
    link: &'a mut Link<Parcel>,
    now: At,
}

impl Dial<'_> {
    fn set(self, change: impl FnOnce(&mut Shape)) -> Self {
        self.link.reshape(self.now, change);
        self
    }

    /// Bits per second.
    pub fn capacity(self, bits: u64) -> Self {
        self.set(|shape| shape.capacity = Some(bits))
    }

    /// As much as there is.
    pub fn unlimited(self) -> Self {
        self.set(|shape| shape.capacity = None)
    }

    /// Bytes that may wait at the bottleneck.
    pub fn queue(self, bytes: usize) -> Self {
        self.set(|shape| shape.queue = bytes)
    }

    /// One way.
    pub fn delay(self, delay: Duration) -> Self {
        self.set(|shape| shape.delay = delay)
    }

    /// See [`Shape::jitter`].
    pub fn jitter(self, jitter: Duration) -> Self {
        self.set(|shape| shape.jitter = jitter)
    }

    /// Share lost at random.
    pub fn lose(self, share: f64) -> Self {
        self.set(|shape| shape.loss.random = share)
    }

    /// Share lost in bursts of this length on average.
    pub fn lose_in_bursts(self, share: f64, length: f64) -> Self {
        self.set(|shape| shape.loss = Loss { burst: Some(Burst::losing(share, length)), ..shape.loss })
    }

    /// Share overtaken.
    pub fn reorder(self, share: f64) -> Self {
        self.set(|shape| shape.reorder = share)
    }

    /// Share doubled.
    pub fn duplicate(self, share: f64) -> Self {
        self.set(|shape| shape.duplicate = share)
    }

    /// Nothing passes, or all again.
    pub fn outage(self, down: bool) -> Self {
        self.set(|shape| shape.down = down)
    }
}

impl Room {
    /// Somebody comes in: connects, publishes, and is subscribed to all others, as they are to what it publishes.
    pub fn join(&mut self, name: &str, person: Person) {
        let index = self.peers.len();
        let id = index as u64;
        let credentials = |side: &str| IceCredentials {
            ufrag: format!("{side}{index:04}"),
            pwd: format!("{side}{index:04}-password-of-22-chars"),
        };
        let (ours, theirs) = (credentials("server"), credentials("client"));
        let address = (Ipv4Addr::new(10, 0, (index >> 8) as u8, index as u8), 5_000).into();
        let seed = self.rng.random();
        let mut peer = Peer::new(self.epoch, self.now, name, address, (&theirs, &ours), seed);
        let params = TransportParams {
            local: ours,
            remote: theirs,
            fingerprints: vec![wire::fingerprint()],
            extensions: rtp::extensions(),
            open_channels: Vec::new(),
        };
        self.command(Command::AttachTransport { transport: TransportId(id), room: ROOM, params: Box::new(params) });
        let sources =
            [person.camera.map(Source::Camera), person.microphone.map(|redundancy| Source::Microphone { redundancy })];
        let first = self.tracks.len();
        for source in sources.into_iter().flatten() {
            let track = self.tracks.len();
            let ssrc = 1_000_000 + 10 * track as u32;
            peer.publisher.add(source, track as u16, ssrc, self.rng.random());
            self.tracks.push(Track { publisher: index, source, ssrc, muted: None, published: true });
            let params = Box::new(publish_params(source, track, ssrc));
            self.command(Command::Publish { transport: TransportId(id), track: TrackId(track as u64), params });
        }
        self.peers.push(peer);
        self.names.insert(name.to_owned(), index);
        self.addresses.insert(address, index);
        let way = (self.add_link(), self.add_link());
        self.ways.push(way);
        self.watches.push(person.watches);
        for track in 0..self.tracks.len() {
            let mine = track >= first;
            if mine {
                for viewer in 0..index {
                    if self.watches[viewer] && !self.peers[viewer].gone {
                        self.subscribe(viewer, track);
                    }
                }
            } else if person.watches && self.tracks[track].published {
                self.subscribe(index, track);
            }
        }
    }

    fn subscribe(&mut self, viewer: usize, track: usize) {
        let index = self.subscriptions.len();
        let ssrc = 0x4000_0000 + 2 * index as u32;
        let source = self.tracks[track].source;
        let repaired = video(source);
        self.subscriptions.push(Subscription {
            id: index as u64,
            viewer,
            track,
            ssrc,
            rtx: ssrc + 1,
            active: true,
            paused: None,
            reach: u8::MAX,
        });
        self.by_ssrc.insert((viewer, ssrc), index);
        if repaired {
            self.by_ssrc.insert((viewer, ssrc + 1), index);
            self.tell_wanted(track);
        }
        self.peers[viewer].viewer.add(self.now, repaired, ssrc, ssrc + 1);
        let params = SubscribeParams {
            mid: mid(index),
            ssrc: Ssrc(ssrc),
            rtx_ssrc: repaired.then_some(Ssrc(ssrc + 1)),
            payloads: payloads(kind(source)),
            own: None,
        };
        self.command(Command::Subscribe {
            transport: TransportId(viewer as u64),
            track: TrackId(track as u64),
            subscription: SubscriptionId(index as u64),
            params: Box::new(params),
            settings: SubscriptionSettings::default(),
        });
    }

    fn command(&mut self, command: Command) {
        self.worker.handle_command(self.epoch + self.now, command);
    }

    /// Somebody goes away without a word to the others but signaling's.
    pub fn leave(&mut self, name: &str) {
        let index = self.peer(name);
        self.command(Command::CloseTransport { transport: TransportId(index as u64) });
        self.server_turn();
        self.peers[index].gone = true;
        let tracks: Vec<usize> = (0..self.tracks.len()).filter(|t| self.tracks[*t].publisher == index).collect();
        for track in tracks {
            self.tracks[track].published = false;
        }
        for subscription in &mut self.subscriptions {
            subscription.active &= subscription.viewer != index && self.tracks[subscription.track].published;
        }
    }

    /// What `viewer` wants of `publisher`'s camera.
    pub fn wants(&mut self, viewer: &str, publisher: &str, settings: SubscriptionSettings) {
        let index = self.subscription(viewer, publisher, true);
        self.subscriptions[index].paused = settings.paused.then_some(self.now);
        let subscription = SubscriptionId(self.subscriptions[index].id);
        self.command(Command::UpdateSubscription { subscription, settings });
    }

    /// What this participant sends is numbered as if it had been in calls for hours; say it before its connection is up.
    pub fn is_old(&mut self, publisher: &str, timestamps_wrap_in: At) {
        let index = self.peer(publisher);
        self.peers[index].publisher.old = Some(timestamps_wrap_in);
    }

    /// Mutes a camera or lets it go on.
    pub fn mute_camera(&mut self, publisher: &str, muted: bool) {
        let index = self.peer(publisher);
        let is_camera = |track: &Track| track.publisher == index && video(track.source);
        let track = self.tracks.iter().position(is_camera).expect("it has a camera");
        self.tracks[track].muted = muted.then_some(self.now);
        self.command(Command::MuteTrack { track: TrackId(track as u64), muted });
    }

    /// Notes what happens, for those who look at a seed.
    pub fn tell(&mut self, what: String) {
        self.told.push((self.now, what));
    }

    /// The link towards somebody.
    pub fn down(&mut self, name: &str) -> Dial<'_> {
        let index = self.ways[self.peer(name)].1;
        Dial { link: &mut self.links[index], now: self.now }
    }

    /// The link from somebody.
    pub fn up(&mut self, name: &str) -> Dial<'_> {
        let index = self.ways[self.peer(name)].0;
        Dial { link: &mut self.links[index], now: self.now }
    }

    /// `guest` is behind the same link as `host` from now on, towards both, and behind the same NAT.
    pub fn share_down(&mut self, host: &str, guest: &str) {
        let (host, guest) = (self.peer(host), self.peer(guest));
        self.ways[guest].1 = self.ways[host].1;
        let address = (self.peers[host].address.ip(), self.peers[guest].address.port() + 1 + guest as u16).into();
        self.addresses.insert(address, guest);
        self.peers[guest].address = address;
    }

    /// Both ways of somebody.
    pub fn both(&mut self, name: &str, turn: impl Fn(Dial<'_>) -> Dial<'_>) {
        turn(self.up(name));
        turn(self.down(name));
    }

    /// The NAT before somebody forgets: what it sends comes from another address, and what is sent to the old is lost.
    pub fn rebind(&mut self, name: &str) {
        let index = self.peer(name);
        let old = self.peers[index].address;
        let new = (old.ip(), old.port() + 1).into();
        self.addresses.insert(new, index);
        self.peers[index].address = new;
    }

    /// What `viewer` saw of `publisher`.
    ///
    /// # Panics
    /// If there is no such subscription.
    pub fn video(&self, viewer: &str, publisher: &str) -> &VideoLog {
        let subscription = self.subscriptions[self.subscription(viewer, publisher, true)];
        &self.peers[subscription.viewer].viewer.video(subscription.ssrc).expect("it is video").log
    }

    /// What `listener` heard of `publisher`.
    ///
    /// # Panics
    /// If there is no such subscription.
    pub fn audio(&self, listener: &str, publisher: &str) -> &AudioLog {
        let subscription = self.subscriptions[self.subscription(listener, publisher, false)];
        &self.peers[subscription.viewer].viewer.audio(subscription.ssrc).expect("it is audio").log
    }

    /// The link towards somebody over time.
    pub fn down_samples(&self, name: &str) -> &[Sample] {
        &self.samples[self.ways[self.peer(name)].1]
    }

    /// When somebody was connected.
    pub fn connected(&self, name: &str) -> Option<At> {
        self.peers[self.peer(name)].connected
    }

    /// What somebody's publishing side estimated over time.
    pub fn published_rates(&self, name: &str) -> &[(At, u64)] {
        &self.peers[self.peer(name)].publisher.rates
    }

    /// Whether somebody's camera makes pictures of a layer.
    pub fn is_encoding(&self, name: &str, layer: u8) -> bool {
        self.peers[self.peer(name)].publisher.is_encoding(layer)
    }

    /// Key-frame requests that reached somebody's camera: layer and when.
    pub fn requests_at(&self, name: &str) -> Vec<(u8, At)> {
        let index = self.peer(name);
        let camera = self.tracks.iter().find(|track| track.publisher == index && video(track.source));
        let Some(camera) = camera else { return Vec::new() };
        let requests = &self.peers[index].publisher.key_requests;
        requests.iter().map(|(ssrc, at)| ((ssrc - camera.ssrc) as u8, *at)).collect()
    }

    /// Lets time pass until `viewer` sees `publisher`; false if that takes longer than `within`.
    pub fn expect_video(&mut self, viewer: &str, publisher: &str, within: Duration) -> bool {
        let end = self.now + within;
        while self.now < end && self.video(viewer, publisher).first().is_none() {
            self.run((end - self.now).min(crate::MS * 10));
        }
        self.video(viewer, publisher).first().is_some()
    }

    fn peer(&self, name: &str) -> usize {
        *self.names.get(name).unwrap_or_else(|| panic!("nobody is called {name}"))
    }

    fn subscription(&self, viewer: &str, publisher: &str, camera: bool) -> usize {
        let (viewer, publisher) = (self.peer(viewer), self.peer(publisher));
        let fits = |subscription: &Subscription| {
            let track = self.tracks[subscription.track];
            subscription.viewer == viewer && track.publisher == publisher && video(track.source) == camera
        };
        self.subscriptions.iter().position(fits).expect("it is subscribed")
    }
}

fn kind(source: Source) -> Kind {
    if video(source) { Kind::Video } else { Kind::Audio }
}

fn mid(index: usize) -> Mid {
    Token::new(&index.to_string()).expect("a number is a token")
}

fn payloads(kind: Kind) -> Vec<PayloadParams> {
    let video = |codec, (pt, rtx)| PayloadParams {
        pt: Pt(pt),
        format: Format { codec, profile: 0 },
        rtx: Some(Pt(rtx)),
        red: None,
        nack: true,
    };
    match kind {
        Kind::Video => vec![video(Codec::Vp8, pt::VP8), video(Codec::Vp9, pt::VP9)],
        Kind::Audio => vec![PayloadParams {
            pt: Pt(pt::OPUS),
            format: Format { codec: Codec::Opus, profile: 0 },
            rtx: None,
            red: Some(Pt(pt::RED)),
            nack: false,
        }],
    }
}

fn publish_params(source: Source, track: usize, ssrc: u32) -> PublishParams {
    let layers = match source {
        Source::Camera(video) => video.says(),
        _ => vec![None],
    };
    let layer = |(n, most)| LayerParams {
        ssrc: Some(Ssrc(ssrc + n)),
        rtx_ssrc: video(source).then_some(Ssrc(ssrc + n + 5)),
        most,
        ..LayerParams::default()
    };
    PublishParams {
        screen: false,
        kind: kind(source),
        mid: mid(track),
        payloads: payloads(kind(source)),
        layers: (0..).zip(layers).map(layer).collect(),
    }
}
