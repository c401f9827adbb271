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
    let layer = |quality, width, height| proto::VideoLayer { quality, width, height, ..Default::default() };
    let video = kind == proto::TrackType::Video;
    let mut request = proto::AddTrackRequest { cid: cid.into(), width: 1280, height: 720, ..Default::default() };
    request.set_type(kind);
    request.set_source(if video { proto::TrackSource::Camera } else { proto::TrackSource::Microphone });
    if video {
        request.layers = vec![layer(0, 320, 180), layer(1, 640, 360), layer(2, 1280, 720)];
    }
    request
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
mod automatic;
mod control;
mod door;
mod dynacast;
mod http;
mod placement;
mod roster;
mod slots;
mod slow;
mod staying;

fn sids(info: &proto::ParticipantInfo) -> Vec<String> {
    info.tracks.iter().map(|t| t.sid.clone()).collect()
}

#[test]
fn the_first_words_are_join_and_answer() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    let heard = world.heard(ana);
    let [Notice::Join(join), Notice::Answer(answer)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(!join.subscriber_primary && join.participant.as_ref().unwrap().sid.starts_with("PA_"));
    assert!(join.server_info.as_ref().unwrap().protocol <= 17);
    assert_eq!((answer.id, answer.r#type.as_str()), (1, "answer"));
    assert_eq!(answer.sdp.matches("a=inactive").count(), 6);
    for line in
        ["a=ice-lite", "a=setup:passive", "a=sctp-port:5000", "a=candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host"]
    {
        assert!(answer.sdp.contains(line), "{line} in {}", answer.sdp);
    }
    assert!(matches!(world.commands().as_slice(), [Command::AttachTransport { .. }]));
}

#[test]
fn a_late_joiner_gets_the_tracks_with_its_first_answer() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let published = find!(world.heard(ana), TrackPublished);
    assert_eq!(published.iter().map(|p| p.cid.as_str()).collect::<Vec<_>>(), [CHROMIUM_VIDEO, CHROMIUM_AUDIO]);
    let commands = world.commands();
    let layers = commands.iter().find_map(|c| match c {
        Command::Publish { params, .. } if params.mid.as_str() == "7" => Some(params.layers.clone()),
        _ => None,
    });
    let rids: Vec<String> = layers.unwrap().iter().map(|l| l.rid.unwrap().to_string()).collect();
    assert_eq!(rids, ["q", "h", "f"]);

    let ben = world.join("ben", CHROMIUM_JOIN);
    let heard = world.heard(ben);
    let join = &find!(heard, Join)[0];
    let tracks = sids(&join.other_participants[0]);
    let answer = &find!(heard, Answer)[0];
    let mut mapped: Vec<_> = answer.mid_to_track_id.values().cloned().collect();
    mapped.sort();
    let mut expected = tracks.clone();
    expected.sort();
    assert_eq!(mapped, expected);
    assert_eq!(answer.sdp.matches("a=sendonly").count(), 2);
    let subscribed = world.commands().iter().filter(|c| matches!(c, Command::Subscribe { .. })).count();
    assert_eq!(subscribed, 2);
    assert_eq!(find!(world.heard(ana), TrackSubscribed).len(), 2);
}

#[test]
fn a_new_track_brings_another_offer_about_and_sections_are_used_again() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    let heard = world.heard(ben);
    // The spare sections suffice, so no more are asked for; and one request serves both tracks.
    let asked = find!(heard, MediaSectionsRequirement);
    assert_eq!(asked, [proto::MediaSectionsRequirement { num_audios: 0, num_videos: 0 }]);
    assert!(find!(heard, Update).iter().any(|u| u.participants[0].tracks.len() == 2));
    world.ask(ben, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    let answer = find!(world.heard(ben), Answer).remove(0);
    assert_eq!(answer.mid_to_track_id.len(), 2);
    world.commands();

    // The camera goes: its section is answered inactive once, then it may carry another track.
    let without = CHROMIUM_PUBLISH.replace("a=mid:7\r\n", "a=mid:7\r\na=was-seven\r\n");
    let at = without.find("a=was-seven").unwrap();
    let (head, tail) = without.split_at(at);
    world.ask(ana, Request::Offer(sdp("offer", &format!("{head}{}", tail.replacen("a=sendonly", "a=inactive", 1)), 3)));
    let commands = world.commands();
    assert!(commands.iter().any(|c| matches!(c, Command::Unsubscribe { .. })));
    assert!(commands.iter().any(|c| matches!(c, Command::Unpublish { .. })));
    assert_eq!(find!(world.heard(ben), MediaSectionsRequirement).len(), 1);
    world.ask(ben, Request::Offer(sdp("offer", CHROMIUM_JOIN, 3)));
    let heard = world.heard(ben);
    assert_eq!(find!(heard, Answer)[0].mid_to_track_id.len(), 1);
    assert!(find!(heard, MediaSectionsRequirement).is_empty());
}

#[test]
fn when_sections_run_short_just_the_missing_ones_are_asked_for_once() {
    let mut world = World::new();
    let watcher = world.join("watcher", CHROMIUM_JOIN);
    for n in 0..5 {
        let conn = world.join(&format!("p{n}"), CHROMIUM_JOIN);
        world.publish(conn);
    }
    world.heard(watcher);
    // The first request was for the first publisher; the offer that follows it shows what lacks.
    world.ask(watcher, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    let heard = world.heard(watcher);
    assert_eq!(find!(heard, Answer)[0].mid_to_track_id.len(), 6);
    let lacking = proto::MediaSectionsRequirement { num_audios: 2, num_videos: 2 };
    assert_eq!(find!(heard, MediaSectionsRequirement), [lacking]);
    // An offer that crossed the request doesn't double it; only much later it's said again.
    world.ask(watcher, Request::Offer(sdp("offer", CHROMIUM_JOIN, 3)));
    assert!(find!(world.heard(watcher), MediaSectionsRequirement).is_empty());
    world.wait(Duration::from_secs(6));
    assert_eq!(find!(world.heard(watcher), MediaSectionsRequirement), [lacking]);
}

#[test]
fn firefox_offers_after_the_join_and_is_not_asked_before() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let fox = world.connect(wish("fox", Dialect::Single));
    let heard = world.heard(fox);
    assert!(matches!(heard.as_slice(), [Notice::Join(_)]), "{heard:?}");
    world.ask(fox, Request::Offer(sdp("offer", FIREFOX_JOIN, 1)));
    let answer = find!(world.heard(fox), Answer).remove(0);
    assert_eq!(answer.mid_to_track_id.len(), 2);
    assert!(answer.sdp.contains("a=rtpmap:120 VP8/90000"), "Firefox's own numbers");
}

#[test]
fn over_two_connections_we_offer_one_at_a_time() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    let old = world.connect(wish("old", Dialect::Dual));
    let heard = world.heard(old);
    let [Notice::Join(join), Notice::Offer(offer)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(join.subscriber_primary);
    assert!(offer.id == 1 && offer.sdp.contains("webrtc-datachannel"));
    world.publish(ana);
    assert!(find!(world.heard(old), Offer).is_empty(), "the first isn't answered yet");
    world.commands();
    let first = DUAL_ANSWER.split("m=video").next().unwrap().replace("BUNDLE 0 1 2", "BUNDLE 0");
    world.ask(old, Request::Answer(sdp("answer", &first, 1)));
    let commands = world.commands();
    let Some(Command::AttachTransport { params, .. }) = commands.first() else { panic!("{commands:?}") };
    assert_eq!(params.open_channels, [DataChannel::Reliable, DataChannel::Lossy]);
    let offer = find!(world.heard(old), Offer).remove(0);
    assert_eq!((offer.id, offer.mid_to_track_id.len()), (2, 2));
    world.ask(old, Request::Answer(sdp("answer", DUAL_ANSWER, 1)));
    assert!(world.commands().is_empty(), "an answer to the old offer says nothing");
    world.ask(old, Request::Answer(sdp("answer", DUAL_ANSWER, 2)));
    let subscribed = world.commands().iter().filter(|c| matches!(c, Command::Subscribe { .. })).count();
    assert_eq!(subscribed, 2);
}

#[test]
fn the_same_identity_takes_over() {
    let mut world = World::new();
    let (ben, first) = (world.join("ben", CHROMIUM_JOIN), world.join("ana", CHROMIUM_JOIN));
    world.heard(ben);
    world.join("ana", CHROMIUM_JOIN);
    let leave = find!(world.heard(first), Leave).remove(0);
    assert_eq!((leave.reason(), leave.action()), (DisconnectReason::DuplicateIdentity, Action::Disconnect));
    assert_eq!(world.closed, [first]);
    let updates = find!(world.heard(ben), Update);
    let states: Vec<State> = updates.iter().map(|u| u.participants[0].state()).collect();
    assert_eq!(states, [State::Disconnected, State::Joined]);
    // The old socket's end concerns nobody any more.
    world.rooms.handle_closed(world.now, first, Closing::GoingAway);
    world.settle();
    assert!(world.heard(ben).is_empty());
}

#[test]
fn a_full_room_lets_nobody_in_but_those_who_are_in() {
    let mut world = World::with(|s| s.max_participants = 1);
    world.join("ana", CHROMIUM_JOIN);
    assert_eq!(world.rooms.check(world.now, &wish("ben", Dialect::Single).claims), Err(Refusal::RoomFull));
    assert_eq!(world.rooms.check(world.now, &wish("ana", Dialect::Single).claims), Ok(()));
    let mut elsewhere = wish("ben", Dialect::Single).claims;
    elsewhere.video.room = "other".into();
    assert_eq!(world.rooms.check(world.now, &elsewhere), Ok(()));
    let ben = world.join("ben", CHROMIUM_JOIN);
    assert_eq!(find!(world.heard(ben), Leave)[0].reason(), DisconnectReason::JoinFailure);
    assert_eq!(world.closed, [ben]);
}

#[test]
fn a_closed_tab_is_gone_at_once_and_a_cut_one_can_resume() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    let sid = find!(world.heard(ben), Join)[0].participant.clone().unwrap().sid;
    world.up(ben);
    world.heard(ana);
    world.rooms.handle_closed(world.now, ben, Closing::Cut);
    world.wait(Duration::from_secs(10));
    assert!(world.heard(ana).is_empty(), "still there for others");
    let back = world.connect(Join { resume: Some(sid.clone()), ..wish("ben", Dialect::Single) });
    assert!(matches!(world.heard(back).as_slice(), [Notice::Reconnect(_), Notice::Update(_), Notice::RoomUpdate(_)]));
    world.wait(Duration::from_secs(30));
    assert!(world.heard(ana).is_empty());

    world.commands();
    let restarted = CHROMIUM_JOIN.replace("a=ice-ufrag:", "a=ice-ufrag:new");
    world.ask(back, Request::Offer(sdp("offer", &restarted, 2)));
    let commands = world.commands();
    assert!(commands.iter().any(|c| matches!(c, Command::UpdateTransport { ice: Some(_), .. })), "{commands:?}");

    world.rooms.handle_closed(world.now, back, Closing::GoingAway);
    world.settle();
    let gone = find!(world.heard(ana), Update).remove(0);
    assert_eq!((gone.participants[0].state(), &gone.participants[0].sid), (State::Disconnected, &sid));
}

#[test]
fn a_cut_one_that_does_not_return_is_gone_in_time() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.up(ben);
    world.heard(ana);
    world.rooms.handle_closed(world.now, ben, Closing::Cut);
    world.wait(Duration::from_secs(16));
    assert_eq!(find!(world.heard(ana), Update)[0].participants[0].state(), State::Disconnected);
    assert!(world.commands().iter().any(|c| matches!(c, Command::CloseTransport { .. })));
    let back = world.connect(Join { resume: Some("PA_gone".into()), ..wish("ben", Dialect::Single) });
    let leave = find!(world.heard(back), Leave).remove(0);
    assert_eq!((leave.reason(), leave.action()), (DisconnectReason::StateMismatch, Action::Reconnect));
}

#[test]
fn who_loses_the_wire_is_told_to_start_anew() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.up(ben);
    world.heard(ana);
    world.heard(ben);
    let transport = world.wire_of(ben);
    world.commands();
    world.event(Event::Disconnected { transport, reason: WireReason::Timeout });
    assert_eq!(find!(world.heard(ben), Leave)[0].action(), Action::Reconnect);
    assert_eq!(find!(world.heard(ana), Update)[0].participants[0].state(), State::Disconnected);
    assert!(world.commands().is_empty(), "the wire is gone already");
}

#[test]
fn muting_reaches_the_others_and_the_media_plane() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    let sid = find!(world.heard(ana), TrackPublished)[1].track.clone().unwrap().sid;
    world.heard(ben);
    world.commands();
    world.ask(ana, Request::Mute(proto::MuteTrackRequest { sid: sid.clone(), muted: true }));
    assert!(matches!(world.commands().as_slice(), [Command::MuteTrack { muted: true, .. }]));
    let update = find!(world.heard(ben), Update).remove(0);
    let muted: Vec<_> = update.participants[0].tracks.iter().filter(|t| t.muted).map(|t| &t.sid).collect();
    assert_eq!(muted, [&sid]);
    // Nobody mutes the track of another.
    world.ask(ben, Request::Mute(proto::MuteTrackRequest { sid, muted: false }));
    assert!(world.commands().is_empty());
    assert_eq!(find!(world.heard(ben), RequestResponse)[0].reason(), proto::request_response::Reason::NotFound);
}

#[test]
fn grants_are_checked_on_every_action() {
    let mut world = World::new();
    let mut quiet = wish("quiet", Dialect::Single);
    quiet.claims.video.can_publish = Some(false);
    quiet.claims.video.can_subscribe = Some(false);
    quiet.offer = Some(sdp("offer", CHROMIUM_JOIN, 1));
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let quiet = world.connect(quiet);
    world.commands();
    let heard = world.heard(quiet);
    assert!(find!(heard, Answer)[0].mid_to_track_id.is_empty());
    let sid = sids(&find!(heard, Join)[0].other_participants[0]).remove(0);
    world.publish(quiet);
    let subscribe = proto::UpdateSubscription { track_sids: vec![sid], subscribe: true, ..Default::default() };
    world.ask(quiet, Request::Subscription(subscribe));
    let update = proto::UpdateParticipantMetadata { name: "Q".into(), request_id: 9, ..Default::default() };
    world.ask(quiet, Request::UpdateMetadata(update));
    let refusals: Vec<_> =
        find!(world.heard(quiet), RequestResponse).iter().map(|r| (r.request_id, r.reason())).collect();
    let no = proto::request_response::Reason::NotAllowed;
    assert_eq!(refusals, [(0, no), (0, no), (0, no), (9, no)]);
    assert!(!world.commands().iter().any(|c| matches!(c, Command::Publish { .. } | Command::Subscribe { .. })));
    let transport = world.wire_of(quiet);
    world.up(ana);
    world.up(quiet);
    let payload = Bytes::from(proto::DataPacket::default().encode_to_vec());
    world.event(Event::Data { transport, channel: DataChannel::Reliable, payload });
    assert!(world.commands().is_empty());
}

#[test]
fn the_priority_that_a_client_gives_a_track_reaches_the_media_plane() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let video = find!(world.heard(ana), TrackPublished)[0].track.clone().unwrap().sid;
    let ben = world.join("ben", CHROMIUM_JOIN);
    world.commands();
    let mut told = |priority| -> Vec<u8> {
        let track_sids = vec![video.clone()];
        let settings = proto::UpdateTrackSettings { track_sids, priority, ..Default::default() };
        world.ask(ben, Request::TrackSetting(settings));
        let priority = |command: &Command| match command {
            Command::UpdateSubscription { settings, .. } => Some(settings.priority),
            _ => None,
        };
        world.commands().iter().filter_map(priority).collect()
    };
    assert_eq!(told(1), [1]);
    assert!(told(1).is_empty(), "nothing changed");
    assert_eq!(told(u32::MAX), [255], "the last of those that have one, not one without");
    assert_eq!(told(0), [0]);
}

#[test]
fn data_is_stamped_and_goes_where_it_is_addressed() {
    let mut world = World::new();
    let names = ["ana", "ben", "cem"];
    let [ana, ben, cem] = names.map(|who| world.join(who, CHROMIUM_JOIN));
    let [ana_wire, ben_wire, cem_wire] = [ana, ben, cem].map(|conn| world.wire_of(conn));
    for conn in [ana, ben] {
        world.up(conn);
    }
    world.commands();
    let say = |world: &mut World, packet: proto::DataPacket| {
        let payload = Bytes::from(packet.encode_to_vec());
        world.event(Event::Data { transport: ana_wire, channel: DataChannel::Reliable, payload });
        world
            .commands()
            .into_iter()
            .filter_map(|c| match c {
                Command::SendData { to, payload, .. } => {
                    Some((to.to_vec(), proto::DataPacket::decode(payload).unwrap()))
                }
                _ => None,
            })
            .next()
    };
    let lie = proto::DataPacket { participant_identity: "ben".into(), sequence: 4, ..Default::default() };
    let (to, packet) = say(&mut world, lie.clone()).unwrap();
    assert_eq!(to, [ben_wire], "whoever isn't connected yet is left out");
    assert_eq!((packet.participant_identity.as_str(), packet.sequence), ("ana", 4));
    assert!(packet.participant_sid.starts_with("PA_"));
    world.up(cem);
    world.commands();
    let (to, _) = say(&mut world, proto::DataPacket { destination_identities: vec!["cem".into()], ..lie }).unwrap();
    assert_eq!(to, [cem_wire]);
    world.event(Event::Data {
        transport: ana_wire,
        channel: DataChannel::Lossy,
        payload: Bytes::from_static(&[0xff; 9]),
    });
    assert!(world.commands().is_empty());
}

#[test]
fn speakers_are_told_as_changes() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    let Some(track) = world.commands().iter().find_map(|c| match c {
        Command::Publish { track, params, .. } if params.mid.as_str() == "8" => Some(*track),
        _ => None,
    }) else {
        panic!()
    };
    let room = world.rooms.conns[&ana].0;
    world.heard(ben);
    let loud = vec![Speaker { track, level: 0.5 }];
    world.event(Event::Speakers { room, speakers: loud.clone(), dominant: None });
    world.event(Event::Speakers { room, speakers: loud, dominant: None });
    world.event(Event::Speakers { room, speakers: Vec::new(), dominant: None });
    let told: Vec<_> =
        find!(world.heard(ben), SpeakersChanged).iter().map(|s| (s.speakers[0].active, s.speakers[0].level)).collect();
    assert_eq!(told, [(true, 0.5), (false, 0.0)]);
}

#[test]
fn a_subscriber_is_told_what_there_is_no_room_for() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let ben = world.join("ben", CHROMIUM_JOIN);
    world.heard(ana);
    let subscribed = world.commands().into_iter().find_map(|c| match c {
        Command::Subscribe { transport, track, subscription, .. } => Some((transport, track, subscription)),
        _ => None,
    });
    let (transport, track, subscription) = subscribed.unwrap();
    world.heard(ben);
    world.event(Event::StreamState { transport, track, subscription, paused: true });
    // Of a subscription that is no more nothing is said.
    let old = SubscriptionId(subscription.0 + 1_000);
    world.event(Event::StreamState { transport, track, subscription: old, paused: false });
    world.event(Event::StreamState { transport, track, subscription, paused: false });
    let heard = world.heard(ben);
    let states: Vec<_> = find!(heard, StreamStateUpdate).into_iter().flat_map(|u| u.stream_states).collect();
    assert_eq!(
        states.iter().map(|s| s.state()).collect::<Vec<_>>(),
        [proto::StreamState::Paused, proto::StreamState::Active]
    );
    assert!(states.iter().all(|s| s.participant_sid.starts_with("PA_") && s.track_sid.starts_with("TR_")));
    assert!(find!(world.heard(ana), StreamStateUpdate).is_empty(), "it is the subscriber's");
}

#[test]
fn bad_sdp_is_answered_with_the_reason() {
    let mut world = World::new();
    let bad = world.join("bad", &CHROMIUM_JOIN.replace("a=fingerprint", "a=finger"));
    let heard = world.heard(bad);
    assert!(find!(heard, RequestResponse)[0].message.contains("fingerprint"));
    assert_eq!(find!(heard, Leave)[0].reason(), DisconnectReason::JoinFailure);
    // In a running call it costs only the change.
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.heard(ana);
    world.ask(ana, Request::Offer(sdp("offer", "v=0 nonsense", 2)));
    let heard = world.heard(ana);
    assert_eq!(find!(heard, RequestResponse).len(), 1);
    assert!(find!(heard, Leave).is_empty());
}

#[test]
fn at_shutdown_everybody_is_told_to_come_back() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.heard(ana);
    world.rooms.shutdown(world.now);
    world.settle();
    let leave = find!(world.heard(ana), Leave).remove(0);
    assert_eq!((leave.reason(), leave.action()), (DisconnectReason::ServerShutdown, Action::Reconnect));
    assert_eq!(world.closed, [ana]);
    assert_eq!(world.rooms.check(world.now, &wish("ana", Dialect::Single).claims), Err(Refusal::ShuttingDown));
}

#[test]
fn nothing_is_left_of_those_who_left() {
    let mut world = World::new();
    let conns: Vec<_> = (0..5).map(|n| world.join(&format!("p{n}"), CHROMIUM_JOIN)).collect();
    for conn in &conns {
        world.publish(*conn);
    }
    for conn in conns {
        world.ask(conn, Request::Leave(proto::LeaveRequest::default()));
    }
    world.wait(Duration::from_secs(61));
    assert!(world.rooms.rooms.is_empty() && world.rooms.names.is_empty());
    assert!(world.rooms.conns.is_empty() && world.rooms.transports.is_empty());
    assert!(world.places.is_empty());
}

#[test]
fn a_publisher_decides_who_may_subscribe() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let (ben, cem) = (world.join("ben", CHROMIUM_JOIN), world.join("cem", CHROMIUM_JOIN));
    for conn in [ben, cem] {
        world.heard(conn);
    }
    world.commands();
    let only = proto::TrackPermission { participant_identity: "ben".into(), all_tracks: true, ..Default::default() };
    let permission = proto::SubscriptionPermission { all_participants: false, track_permissions: vec![only] };
    world.ask(ana, Request::SubscriptionPermission(permission));
    let cut = world.commands().iter().filter(|c| matches!(c, Command::Unsubscribe { .. })).count();
    assert_eq!(cut, 2);
    assert!(find!(world.heard(cem), SubscriptionPermissionUpdate).iter().all(|u| !u.allowed));
    assert!(world.heard(ben).is_empty());
    let dan = world.join("dan", CHROMIUM_JOIN);
    assert!(find!(world.heard(dan), Answer)[0].mid_to_track_id.is_empty());
    let all = proto::SubscriptionPermission { all_participants: true, ..Default::default() };
    world.ask(ana, Request::SubscriptionPermission(all));
    assert_eq!(find!(world.heard(dan), MediaSectionsRequirement).len(), 1);
}
