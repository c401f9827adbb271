//! A meeting in a house: everybody has a microphone and hears all others, over as many workers as they sit on.

#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, missing_docs, reason = "a test that cannot go on has failed")]

use crate::house::{House, LEVEL_ID, ROOM, payload};
use ramai_sfu::api::{Command, Event};
use ramai_sfu::id::{Mid, Pt, Ssrc, SubscriptionId, Token, TrackId, TransportId, WorkerId};
use ramai_sfu::params::{
    Codec, Format, Kind, LayerParams, PayloadParams, PublishParams, SubscribeParams, SubscriptionSettings,
};
use std::time::Duration;

pub const FRAME: Duration = Duration::from_millis(20);
/// Levels in -dBov: how loud somebody talks, and what the room sounds like.
pub const TALK: u8 = 25;
pub const NOISE: u8 = 75;
const OPUS: u8 = 111;
/// The publisher of speaker slots, whom nobody ever connects as.
const SLOTS: TransportId = TransportId(800);

/// See the module.
pub struct Meeting {
    pub house: House,
    /// Sequence number of everybody's next packet.
    next: Vec<u16>,
    /// Whose track isn't a microphone but a screen's sound.
    screen: Option<usize>,
}

/// One packet as it came to a listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// On which of the listener's streams: the speaker's, or the slot.
    pub stream: usize,
    pub seq: u16,
    pub ts: u32,
    /// Who spoke, and the number of the packet that was sent.
    pub who: usize,
    pub sent: u16,
}

impl Meeting {
    /// Everybody publishes a microphone from the worker that is named, and is subscribed to all others'.
    pub fn new(workers: &[usize]) -> Self {
        Self::of(workers, None)
    }

    /// The same, but what one of them publishes is the sound of a screen.
    pub fn with_screen_sound(workers: &[usize], of: usize) -> Self {
        Self::of(workers, Some(of))
    }

    fn of(workers: &[usize], screen: Option<usize>) -> Self {
        let mut meeting = Self::without_subscriptions_of(workers, screen);
        for listener in 0..workers.len() {
            (0..workers.len()).filter(|who| *who != listener).for_each(|who| meeting.subscribe(listener, who));
        }
        meeting
    }

    /// Everybody publishes, and hears nobody yet.
    pub fn without_subscriptions(workers: &[usize]) -> Self {
        Self::without_subscriptions_of(workers, None)
    }

    /// Everybody publishes, one of them a screen's sound, and hears nobody yet.
    pub fn without_subscriptions_of(workers: &[usize], screen: Option<usize>) -> Self {
        let mut house = House::new(workers);
        for (who, worker) in workers.iter().enumerate() {
            let (transport, params) = (TransportId(who as u64), Box::new(published(who, screen == Some(who))));
            house.command(*worker, Command::Publish { transport, track: track(who), params });
        }
        Self { house, next: vec![1000; workers.len()], screen }
    }

    /// Somebody hears somebody from now on; links the workers as signaling does.
    pub fn subscribe(&mut self, listener: usize, who: usize) {
        let (at, home) = (self.house.guests[listener].worker, self.house.guests[who].worker);
        let linked = (0..listener).any(|other| other != who && self.house.guests[other].worker == at);
        if at != home && !linked {
            let params = Box::new(published(who, self.screen == Some(who)));
            let publisher = TransportId(who as u64);
            let mirror =
                Command::Mirror { track: track(who), room: ROOM, publisher, home: WorkerId(home as u16), params };
            self.house.command(at, mirror);
            self.house.command(home, Command::Relay { track: track(who), to: WorkerId(at as u16), on: true });
        }
        self.listen(listener, track(who), who);
    }

    /// Subscribes a listener to a track on one of its streams.
    pub fn listen(&mut self, listener: usize, track: TrackId, stream: usize) {
        let ssrc = Ssrc(ssrc(listener, stream));
        let params = SubscribeParams {
            mid: mid(stream),
            ssrc,
            rtx_ssrc: None,
            payloads: payloads(),
            own: Some(TransportId(listener as u64)),
        };
        let command = Command::Subscribe {
            transport: TransportId(listener as u64),
            track,
            subscription: SubscriptionId(u64::from(ssrc.0)),
            params: Box::new(params),
            settings: SubscriptionSettings::default(),
        };
        self.house.command(self.house.guests[listener].worker, command);
    }

    /// Opens speaker slots whose home is that worker, and lets everybody hear them instead of the microphones.
    pub fn open_slots(&mut self, home: usize, slots: usize) {
        let tracks: Vec<TrackId> = (0..slots).map(slot).collect();
        let params = Box::new(PublishParams { layers: vec![LayerParams::default()], ..published(0, false) });
        for worker in 0..self.house.workers.len() {
            let open = Command::OpenSlots {
                room: ROOM,
                home: WorkerId(home as u16),
                publisher: SLOTS,
                tracks: tracks.clone().into(),
                params: params.clone(),
            };
            self.house.command(worker, open);
            for track in tracks.iter().filter(|_| worker != home) {
                let (track, params, home_id) = (*track, params.clone(), WorkerId(home as u16));
                let mirror = Command::Mirror { track, room: ROOM, publisher: SLOTS, home: home_id, params };
                self.house.command(worker, mirror);
                self.house.command(home, Command::Relay { track, to: WorkerId(worker as u16), on: true });
            }
        }
        for listener in 0..self.next.len() {
            tracks.iter().enumerate().for_each(|(stream, track)| self.listen(listener, *track, stream));
        }
    }

    /// Everybody sends a packet with this level each 20 ms, for so long; `None` sends none.
    pub fn sounds(&mut self, time: Duration, level: impl Fn(usize) -> Option<u8>) {
        for _ in 0..time.as_millis() / FRAME.as_millis() {
            for who in 0..self.next.len() {
                if let Some(level) = level(who) {
                    self.send(who, Some(level));
                }
            }
            self.house.pass(FRAME);
        }
    }

    /// Some talk for so long, and the others are silent.
    pub fn talk(&mut self, time: Duration, talkers: &[usize]) {
        self.sounds(time, |who| Some(if talkers.contains(&who) { TALK } else { NOISE }));
    }

    /// One packet, with its level if the sender knows it.
    pub fn send(&mut self, who: usize, level: Option<u8>) {
        let seq = self.next[who];
        self.next[who] = seq.wrapping_add(1);
        let mut packet = vec![if level.is_some() { 0x90 } else { 0x80 }, OPUS];
        packet.extend(seq.to_be_bytes());
        packet.extend((u32::from(seq) * 960 + 777_777 * who as u32).to_be_bytes());
        packet.extend((77 + who as u32).to_be_bytes());
        if let Some(level) = level {
            packet.extend([0xBE, 0xDE, 0, 1, LEVEL_ID << 4, level, 0, 0]);
        }
        packet.push(who as u8);
        packet.extend(seq.to_be_bytes());
        let sealed = self.house.guests[who].client.seal_rtp(&packet);
        self.house.carry(who, sealed);
    }

    /// What came for a listener since the last call, in order.
    pub fn heard(&mut self, listener: usize) -> Vec<Packet> {
        let packets = std::mem::take(&mut self.house.guests[listener].rtp);
        packets
            .iter()
            .map(|packet| {
                let number = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
                let [who, high, low] = payload(packet)[..] else { panic!("{packet:?}") };
                Packet {
                    stream: number(8) as usize - ssrc(listener, 0) as usize,
                    seq: (number(0) & 0xffff) as u16,
                    ts: number(4),
                    who: who.into(),
                    sent: u16::from_be_bytes([high, low]),
                }
            })
            .collect()
    }

    /// Whom a listener heard since the last call, each once, in order.
    pub fn voices(&mut self, listener: usize) -> Vec<usize> {
        let mut voices: Vec<usize> = self.heard(listener).iter().map(|packet| packet.who).collect();
        voices.sort_unstable();
        voices.dedup();
        voices
    }

    /// The number of somebody's next packet.
    pub fn next(&self, who: usize) -> u16 {
        self.next[who]
    }

    /// What the workers told since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.house.events)
    }
}

/// Checks that each stream goes on without a gap and that its time never goes back.
pub fn assert_gapless(packets: &[Packet]) {
    for stream in packets.iter().map(|packet| packet.stream).collect::<std::collections::BTreeSet<_>>() {
        let of: Vec<&Packet> = packets.iter().filter(|packet| packet.stream == stream).collect();
        for pair in of.windows(2) {
            assert_eq!(pair[1].seq, pair[0].seq.wrapping_add(1), "stream {stream}: {pair:?}");
            assert!((pair[1].ts.wrapping_sub(pair[0].ts) as i32) > 0, "stream {stream}: {pair:?}");
        }
    }
}

pub fn track(who: usize) -> TrackId {
    TrackId(100 + who as u64)
}

/// A speaker slot.
pub fn slot(number: usize) -> TrackId {
    TrackId(900 + number as u64)
}

/// Whose track a microphone is.
pub fn who(track: TrackId) -> usize {
    track.0 as usize - 100
}

fn ssrc(listener: usize, stream: usize) -> u32 {
    100_000 + 1_000 * listener as u32 + stream as u32
}

fn mid(stream: usize) -> Mid {
    Token::new(&stream.to_string()).unwrap()
}

pub fn payloads() -> Vec<PayloadParams> {
    let format = Format { codec: Codec::Opus, profile: 0 };
    vec![PayloadParams { pt: Pt(OPUS), format, rtx: None, red: None, nack: false }]
}

fn published(who: usize, screen: bool) -> PublishParams {
    let layers = vec![LayerParams { ssrc: Some(Ssrc(77 + who as u32)), ..LayerParams::default() }];
    PublishParams { kind: Kind::Audio, mid: mid(who), payloads: payloads(), layers, screen }
}
