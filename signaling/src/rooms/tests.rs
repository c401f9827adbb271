//! Stories of rooms, without any socket: real browsers' offers in, notices and commands out.

use super::*;
use crate::auth::{Claims, Grants};
use crate::media::Places;
use crate::session::Dialect;
use bytes::Bytes;
use prost::Message;
use ramai_sfu::api::{Command, DisconnectReason as WireReason, Speaker};
use ramai_sfu::id::SubscriptionId;
use ramai_sfu::params::{DataChannel, Fingerprint};
use std::collections::BTreeMap;
use std::time::Duration;

const CHROMIUM_JOIN: &str = include_str!("../../tests/fixtures/chromium-v1-join.sdp");
const CHROMIUM_PUBLISH: &str = include_str!("../../tests/fixtures/chromium-v1-publish.sdp");
const CHROMIUM_VIDEO: &str = "a68eb99e-d47c-4266-9f70-704e3b36d9eb";
const CHROMIUM_AUDIO: &str = "c83c4076-8d25-4790-852f-c3fdf8ccb8e8";
const FIREFOX_JOIN: &str = include_str!("../../tests/fixtures/firefox-v1-join.sdp");
const DUAL_ANSWER: &str = include_str!("../../tests/fixtures/chromium-v0-answer.sdp");

/// Rooms with everything that came out of them.
struct World {
    rooms: Rooms,
    /// What the media plane is told, by worker.
    places: Places,
    routed: Vec<(WorkerId, Command)>,
    now: Instant,
    conns: u64,
    heard: BTreeMap<ConnId, Vec<Notice>>,
    closed: Vec<ConnId>,
    tokens: Vec<(ConnId, Claims)>,
    commands: Vec<Command>,
}

impl World {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut Settings)) -> Self {
        let candidates = vec![vec!["192.0.2.1:7882".parse().unwrap()]];
        let mut settings = Settings::new(Vec::new(), candidates, Fingerprint([0xab; 32]));
        change(&mut settings);
        Self {
            rooms: Rooms::new(Arc::new(settings.clone()), Ids::seeded(7), settings.candidates.len()),
            places: Places::new(settings.candidates.len()),
            routed: Vec::new(),
            now: Instant::now(),
            conns: 0,
            heard: BTreeMap::new(),
            closed: Vec::new(),
            tokens: Vec::new(),
            commands: Vec::new(),
        }
    }

    fn settle(&mut self) {
        for effect in self.rooms.take_effects() {
            match effect {
                Effect::Notice(conns, notice) => {
                    for conn in conns {
                        self.heard.entry(conn).or_default().push((*notice).clone());
                    }
                }
                Effect::Frames(conn, frames) => {
                    let notices =
                        frames.into_iter().map(|f| proto::SignalResponse::decode(f).unwrap().message.unwrap());
                    self.heard.entry(conn).or_default().extend(notices);
                }
                Effect::Token(conn, claims) => self.tokens.push((conn, *claims)),
                Effect::Close(conn) => self.closed.push(conn),
                Effect::Attach(worker, command) => {
                    self.routed.extend(self.places.attach(worker, command.clone()));
                    self.commands.push(command);
                }
                Effect::Command(command) => {
                    self.routed.extend(self.places.route(command.clone()));
                    self.commands.push(command);
                }
            }
        }
    }

    fn connect(&mut self, join: Join) -> ConnId {
        self.conns += 1;
        let conn = ConnId(self.conns);
        self.rooms.join(self.now, 1_700_000_000_000, conn, &join);
        self.settle();
        conn
    }

    /// Joins without anybody's listening to what is said about it.
    fn slip_in(&mut self, who: &str) -> ConnId {
        self.conns += 1;
        let conn = ConnId(self.conns);
        self.rooms.join(self.now, 0, conn, &wish(who, Dialect::Single));
        self.rooms.take_effects();
        conn
    }

    /// Joins over one peer connection with a first offer, as Chromium does.
    fn join(&mut self, who: &str, offer: &str) -> ConnId {
        self.connect(Join { offer: Some(sdp("offer", offer, 1)), ..wish(who, Dialect::Single) })
    }

    fn ask(&mut self, conn: ConnId, request: Request) {
        self.rooms.handle_request(self.now, conn, request);
        self.settle();
    }

    fn event(&mut self, event: Event) {
        self.event_of(WorkerId(0), event);
    }

    fn event_of(&mut self, worker: WorkerId, event: Event) {
        if let Event::Disconnected { transport, .. } = &event {
            self.routed.extend(self.places.ended(*transport));
        }
        self.rooms.handle_event(self.now, worker, event);
        self.settle();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        self.rooms.tick(self.now);
        self.settle();
    }

    /// All that a client heard since the last call.
    fn heard(&mut self, conn: ConnId) -> Vec<Notice> {
        self.heard.remove(&conn).unwrap_or_default()
    }

    /// All commands since the last call.
    fn commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// Camera and microphone of Chromium.
    fn publish(&mut self, conn: ConnId) {
        self.ask(conn, Request::AddTrack(track(CHROMIUM_VIDEO, proto::TrackType::Video)));
        self.ask(conn, Request::AddTrack(track(CHROMIUM_AUDIO, proto::TrackType::Audio)));
        self.ask(conn, Request::Offer(sdp("offer", CHROMIUM_PUBLISH, 2)));
    }

    fn wire_of(&self, conn: ConnId) -> TransportId {
        let (room, key) = self.rooms.conns[&conn];
        self.rooms.rooms[&room].sessions[&key].primary()
    }

    fn up(&mut self, conn: ConnId) {
        let transport = self.wire_of(conn);
        self.event(Event::Connected { transport });
    }
}

fn wish(who: &str, dialect: Dialect) -> Join {
    let video = Grants { room_join: true, room: "r".into(), ..Grants::default() };
    Join {
        claims: Claims { sub: who.into(), name: who.to_uppercase(), video, ..Claims::default() },
        dialect,
        auto_subscribe: true,
        client: proto::ClientInfo::default(),
        resume: None,
        offer: None,
        add_tracks: Vec::new(),
        attributes: HashMap::new(),
        metadata: String::new(),
    }
}

fn sdp(kind: &str, text: &str, id: u32) -> proto::SessionDescription {
    proto::SessionDescription { r#type: kind.into(), sdp: text.into(), id, ..Default::default() }
}

fn track(cid: &str, kind: proto::TrackType) -> proto::AddTrackRequest {
    let layer =
        |quality, width, height, bitrate| proto::VideoLayer { quality, width, height, bitrate, ..Default::default() };
    let video = kind == proto::TrackType::Video;
    let mut request = proto::AddTrackRequest { cid: cid.into(), width: 1280, height: 720, ..Default::default() };
    request.set_type(kind);
    request.set_source(if video { proto::TrackSource::Camera } else { proto::TrackSource::Microphone });
    if video {
        request.layers = vec![layer(0, 320, 180, 150_000), layer(1, 640, 360, 0), layer(2, 1280, 720, 1_700_000)];
    }
    request
}

fn sids(info: &proto::ParticipantInfo) -> Vec<String> {
    info.tracks.iter().map(|t| t.sid.clone()).collect()
}

macro_rules! find {
    ($notices:expr, $kind:ident) => {
        $notices
            .iter()
            .filter_map(|n| if let Notice::$kind(x) = n { Some(x.clone()) } else { None })
            .collect::<Vec<_>>()
    };
}

// Below the macro that their stories use too.
mod acting;
mod arriving;
mod automatic;
mod control;
mod door;
mod dynacast;
mod http;
mod leaving;
mod offers;
mod placement;
mod roster;
mod slots;
mod slow;
mod staying;
mod telling;
