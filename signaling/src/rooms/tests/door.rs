//! Stories of the door: roles, the lock, the waiting room, raised hands, and who is host of a room that the demo page made.

use super::control::by_app;
use super::*;
use crate::adapter::whip;
use crate::negotiate::sdp::Description;
use crate::rooms::control::Fault;
use crate::rooms::control::door::Door;
use proto::request_response::Reason;

impl World {
    fn host(&mut self, who: &str) -> ConnId {
        let mut join = wish(who, Dialect::Single);
        join.claims.video.room_admin = true;
        self.connect(Join { offer: Some(sdp("offer", CHROMIUM_JOIN, 1)), ..join })
    }

    fn set_door(&mut self, locked: bool, waiting_room: bool) -> Door {
        let order = by_app(self);
        let door = self.rooms.set_door(&order, "r", Some(locked), Some(waiting_room)).unwrap();
        self.settle();
        door
    }

    fn admit(&mut self, who: &str) -> proto::ParticipantInfo {
        let order = by_app(self);
        let info = self.rooms.admit_waiting(&order, "r", who).unwrap();
        self.settle();
        info
    }

    /// The client's channel for messages opens.
    fn opens(&mut self, conn: ConnId) {
        let transport = self.wire_of(conn);
        self.event(Event::ChannelOpen { transport, channel: DataChannel::Reliable });
    }

    /// What was said of the door to a single one since the last look at the commands, and on which wire.
    fn news_of_door(&mut self) -> Vec<(TransportId, String)> {
        let news = |command: &Command| match command {
            Command::SendData { to, payload, .. } if to.len() == 1 => {
                match proto::DataPacket::decode(payload.clone()).unwrap().value {
                    Some(proto::data_packet::Value::User(user)) if user.topic() == "ramai.room" => {
                        Some((to[0], String::from_utf8(user.payload).unwrap()))
                    }
                    _ => None,
                }
            }
            _ => None,
        };
        self.commands().iter().filter_map(news).collect()
    }

    fn set_attribute(&mut self, conn: ConnId, name: &str, value: &str) {
        let attributes = HashMap::from([(name.to_owned(), value.to_owned())]);
        let update = proto::UpdateParticipantMetadata { attributes, request_id: 1, ..Default::default() };
        self.ask(conn, Request::UpdateMetadata(update));
    }

    /// Identity, state and the attribute `ramai.waiting` of all whom this client was told of since the last call.
    fn told_of(&mut self, conn: ConnId) -> Vec<(String, State, bool)> {
        let told = |p: &proto::ParticipantInfo| {
            (p.identity.clone(), p.state(), p.attributes.get("ramai.waiting").is_some_and(|w| w == "1"))
        };
        find!(self.heard(conn), Update).iter().flat_map(|u| &u.participants).map(told).collect()
    }
}

fn role(info: &proto::ParticipantInfo) -> &str {
    &info.attributes["ramai.role"]
}

fn named(identity: &str, state: State, waits: bool) -> (String, State, bool) {
    (identity.to_owned(), state, waits)
}

#[test]
fn the_token_makes_the_role_and_nobody_else() {
    let mut world = World::new();
    let host = world.host("ana");
    let me = find!(world.heard(host), Join)[0].participant.clone().unwrap();
    assert_eq!(role(&me), "host");
    let mut listener = wish("ben", Dialect::Single);
    listener.claims.video.can_publish = Some(false);
    listener.claims.video.can_update_own_metadata = Some(true);
    let attributes = [("ramai.role", "host"), ("ramai.slots", "5"), ("x", "y")];
    listener.claims.attributes = attributes.map(|(name, value)| (name.into(), value.into())).into();
    listener.attributes = HashMap::from([("ramai.waiting".into(), "1".into()), ("ramai.hand".into(), "1".into())]);
    let ben = world.connect(listener);
    let me = find!(world.heard(ben), Join)[0].participant.clone().unwrap();
    assert_eq!((role(&me), me.attributes.len(), me.attributes["x"].as_str()), ("listener", 2, "y"));
    world.set_attribute(ben, "ramai.role", "host");
    assert_eq!(find!(world.heard(ben), RequestResponse)[0].reason(), Reason::NotAllowed);

    // Allowed to speak, it is a speaker.
    let may = proto::ParticipantPermission { can_publish: true, can_subscribe: true, ..Default::default() };
    assert_eq!(role(&world.permit_by_order("ben", may)), "speaker");

    let mut server_own = wish("ramai.speakers", Dialect::Single).claims;
    assert!(matches!(world.rooms.check(world.now, &server_own), Err(Refusal::BadRequest(_))));
    server_own.sub = "ramai".into();
    assert_eq!(world.rooms.check(world.now, &server_own), Ok(()));
}

#[test]
fn a_locked_room_takes_nobody_new() {
    let mut world = World::new();
    let (host, ben) = (world.host("ana"), world.join("ben", CHROMIUM_JOIN));
    world.up(host);
    world.up(ben);
    world.commands();
    assert_eq!(world.set_door(true, false), Door { locked: true, waiting_room: false });
    let commands = world.commands();
    let [Command::SendData { to, payload, .. }] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(to.len(), 2, "everybody hears of it");
    let Some(proto::data_packet::Value::User(user)) = proto::DataPacket::decode(payload.clone()).unwrap().value else {
        panic!()
    };
    assert_eq!(user.topic(), "ramai.room");
    assert_eq!(user.payload, br#"{"locked":true,"waitingRoom":false}"#);

    let cem = world.join("cem", CHROMIUM_JOIN);
    assert_eq!(find!(world.heard(cem), Leave)[0].reason(), DisconnectReason::JoinFailure);
    let encoder = whip::read(wish("cam", Dialect::Whip).claims, Description::parse(CHROMIUM_PUBLISH).unwrap()).unwrap();
    assert_eq!(world.rooms.open(world.now, 0, encoder).unwrap_err(), Refusal::RoomLocked);
    // Hosts pass, and so does who is in, on another device or after a reload.
    let dee = world.host("dee");
    assert_eq!(find!(world.heard(dee), Join).len(), 1);
    let again = world.join("ben", CHROMIUM_JOIN);
    assert_eq!(find!(world.heard(again), Join).len(), 1);
    world.ask(again, Request::Leave(proto::LeaveRequest::default()));
    world.wait(Duration::from_secs(100));
    let claims = wish("ben", Dialect::Single).claims;
    assert_eq!(world.rooms.check(world.now, &claims), Ok(()));
    world.wait(Duration::from_secs(21));
    assert_eq!(world.rooms.check(world.now, &claims), Err(Refusal::RoomLocked));
    world.set_door(false, false);
    assert_eq!(world.rooms.check(world.now, &claims), Ok(()));
}

#[test]
fn who_comes_after_the_door_changed_hears_of_it_once_messages_arrive() {
    let mut world = World::new();
    let host = world.host("ana");
    world.up(host);
    world.opens(host);
    assert!(world.news_of_door().is_empty(), "nothing changed yet");
    world.set_door(true, false);
    world.commands();
    let dee = world.host("dee");
    world.up(dee);
    world.opens(dee);
    assert_eq!(world.news_of_door(), [(world.wire_of(dee), r#"{"locked":true,"waitingRoom":false}"#.to_owned())]);

    world.set_door(false, true);
    let ben = world.join("ben", CHROMIUM_JOIN);
    world.up(ben);
    world.commands();
    world.opens(ben);
    assert!(world.news_of_door().is_empty(), "who waits hears of nothing");
    world.admit("ben");
    assert_eq!(world.news_of_door(), [(world.wire_of(ben), r#"{"locked":false,"waitingRoom":true}"#.to_owned())]);
}

#[test]
fn who_was_sent_away_does_not_belong_inside() {
    let mut world = World::new();
    world.host("ana");
    let ben = world.join("ben", CHROMIUM_JOIN);
    world.set_door(true, false);
    // It left and is back, so it was known to belong inside.
    world.ask(ben, Request::Leave(proto::LeaveRequest::default()));
    world.join("ben", CHROMIUM_JOIN);
    world.remove_by_order("ben");
    let mut claims = wish("ben", Dialect::Single).claims;
    claims.nbf = 2_000_000_000;
    assert_eq!(world.rooms.check(world.now, &claims), Err(Refusal::RoomLocked), "with whatever token");
}

#[test]
fn who_waits_sees_nobody_and_is_seen_by_hosts_alone() {
    let mut world = World::new();
    let (host, ben) = (world.host("ana"), world.join("ben", CHROMIUM_JOIN));
    world.publish(ben);
    for conn in [host, ben] {
        world.up(conn);
    }
    world.set_door(false, true);
    for conn in [host, ben] {
        world.heard(conn);
    }
    world.commands();
    let cem = world.join("cem", CHROMIUM_JOIN);
    let heard = world.heard(cem);
    let join = &find!(heard, Join)[0];
    let (me, room) = (join.participant.clone().unwrap(), join.room.clone().unwrap());
    assert!(join.other_participants.is_empty() && room.num_participants == 0);
    let permission = me.permission.unwrap();
    assert!(!permission.can_publish && !permission.can_subscribe && !permission.can_publish_data);
    assert!(find!(heard, Answer)[0].mid_to_track_id.is_empty());
    assert_eq!(world.told_of(host), [named("cem", State::Joined, true)]);
    assert!(world.heard(ben).is_empty());

    // It may nothing, whatever its client tries.
    world.up(cem);
    assert_eq!(world.told_of(host), [named("cem", State::Active, true)]);
    world.commands();
    world.publish(cem);
    let sid = world.rooms.rooms.values().next().unwrap().publications.values().next().unwrap().info.sid.clone();
    let subscribe = proto::UpdateSubscription { track_sids: vec![sid], subscribe: true, ..Default::default() };
    world.ask(cem, Request::Subscription(subscribe));
    world.set_attribute(cem, "ramai.hand", "1700000000000");
    let reasons: Vec<Reason> = find!(world.heard(cem), RequestResponse).iter().map(|r| r.reason()).collect();
    assert_eq!(reasons, [Reason::NotAllowed; 4]);
    let transport = world.wire_of(cem);
    let payload = Bytes::from(proto::DataPacket::default().encode_to_vec());
    world.event(Event::Data { transport, channel: DataChannel::Reliable, payload: payload.clone() });
    assert!(world.commands().is_empty());
    assert!(world.rooms.counts.snapshot().refused.contains(&("data_not_allowed", 1)));

    // Nor does it hear what goes on inside.
    world.event(Event::Data { transport: world.wire_of(ben), channel: DataChannel::Reliable, payload });
    let commands = world.commands();
    let [Command::SendData { to, .. }] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!(to.as_ref(), [world.wire_of(host)]);
    let dee = world.join("dee", CHROMIUM_JOIN);
    assert!(find!(world.heard(dee), Join)[0].other_participants.is_empty());
    world.ask(ben, Request::Leave(proto::LeaveRequest::default()));
    assert!(world.heard(cem).is_empty());
    // A host who comes is told who waits; a speaker isn't.
    let eve = world.host("eve");
    assert_eq!(world.told_of(eve).into_iter().filter(|(_, _, waits)| *waits).count(), 2);
    world.ask(dee, Request::Leave(proto::LeaveRequest::default()));
    assert_eq!(world.told_of(eve).last(), Some(&named("dee", State::Disconnected, true)));
}

#[test]
fn who_is_let_in_is_in_at_once() {
    let mut world = World::new();
    let (host, ben) = (world.host("ana"), world.join("ben", CHROMIUM_JOIN));
    world.publish(ben);
    world.set_door(false, true);
    let cem = world.join("cem", CHROMIUM_JOIN);
    for conn in [host, ben, cem] {
        world.heard(conn);
    }
    let info = world.admit("cem");
    assert!(info.permission.as_ref().unwrap().can_publish && !info.attributes.contains_key("ramai.waiting"));
    let heard = world.heard(cem);
    let [Notice::Update(others), Notice::RoomUpdate(room), Notice::Update(me), Notice::MediaSectionsRequirement(_)] =
        heard.as_slice()
    else {
        panic!("{heard:?}")
    };
    let names: Vec<_> = others.participants.iter().map(|p| p.identity.as_str()).collect();
    assert_eq!((names.as_slice(), room.room.as_ref().unwrap().num_participants), (["ana", "ben"].as_slice(), 3));
    assert_eq!(me.participants[0].identity, "cem");
    for conn in [host, ben] {
        assert_eq!(world.told_of(conn), [named("cem", State::Joined, false)]);
    }
    world.ask(cem, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    assert_eq!(find!(world.heard(cem), Answer)[0].mid_to_track_id.len(), 2);
    world.publish(cem);
    assert_eq!(find!(world.heard(ben), Update).last().unwrap().participants[0].tracks.len(), 2);

    // In is in: after a dead spot it needs nobody's leave.
    let transport = world.wire_of(cem);
    world.event(Event::Disconnected { transport, reason: WireReason::Timeout });
    let back = world.join("cem", CHROMIUM_JOIN);
    assert_eq!(find!(world.heard(back), Join)[0].other_participants.len(), 2);
    world.admit("cem");
    assert!(find!(world.heard(back), RoomUpdate).is_empty(), "who is in needs no letting in");
}

#[test]
fn over_two_connections_and_resumed_it_waits_alike() {
    let mut world = World::new();
    let host = world.host("ana");
    let ben = world.join("ben", CHROMIUM_JOIN);
    world.publish(ben);
    world.set_door(false, true);
    let old = world.connect(wish("old", Dialect::Dual));
    let heard = world.heard(old);
    let [Notice::Join(join), Notice::Offer(_)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(join.other_participants.is_empty());
    let first = DUAL_ANSWER.split("m=video").next().unwrap().replace("BUNDLE 0 1 2", "BUNDLE 0");
    world.ask(old, Request::Answer(sdp("answer", &first, 1)));
    assert!(find!(world.heard(old), Offer).is_empty());
    world.up(old);
    world.heard(old);

    world.rooms.handle_closed(world.now, old, Closing::Cut);
    let sid = join.participant.as_ref().unwrap().sid.clone();
    let back = world.connect(Join { resume: Some(sid), ..wish("old", Dialect::Dual) });
    let told = world.told_of(back);
    assert_eq!(told, [named("old", State::Active, true)]);
    world.heard(host);
    world.admit("old");
    // The restart of its connection comes first, and the tracks with the offer after it.
    world.ask(back, Request::Answer(sdp("answer", &first, 2)));
    assert!(find!(world.heard(back), Offer).iter().any(|offer| offer.mid_to_track_id.len() == 2));
}

#[test]
fn encoders_and_players_cannot_wait() {
    let mut world = World::new();
    world.host("ana");
    world.set_door(false, true);
    let read = |change: fn(&mut Claims)| {
        let mut claims = wish("cam", Dialect::Whip).claims;
        change(&mut claims);
        whip::read(claims, Description::parse(include_str!("../../../tests/fixtures/chromium-v0-publish.sdp")).unwrap())
            .unwrap()
    };
    assert_eq!(world.rooms.open(world.now, 0, read(|_| {})).unwrap_err(), Refusal::WaitingRoom);
    assert!(world.rooms.open(world.now, 0, read(|c| c.video.room_admin = true)).is_ok());
}

#[test]
fn without_a_waiting_room_nobody_waits() {
    let mut world = World::new();
    let host = world.host("ana");
    world.set_door(false, true);
    let ben = world.join("ben", CHROMIUM_JOIN);
    // What it will be allowed can be said while it waits.
    let may = proto::ParticipantPermission { can_subscribe: true, ..Default::default() };
    let info = world.permit_by_order("ben", may);
    assert_eq!((role(&info), info.permission.as_ref().unwrap().can_subscribe), ("listener", false));
    world.heard(host);
    world.heard(ben);
    world.set_door(false, false);
    assert_eq!(world.told_of(host), [named("ben", State::Joined, false)]);
    let me = find!(world.heard(ben), Update).pop().unwrap().participants.remove(0);
    let permission = me.permission.unwrap();
    assert!(permission.can_subscribe && !permission.can_publish);
}

#[test]
fn everybody_raises_a_hand_and_hosts_lower_it() {
    let mut world = World::new();
    let (host, ben) = (world.host("ana"), world.join("ben", CHROMIUM_JOIN));
    world.heard(host);
    world.set_attribute(ben, "ramai.hand", "1700000000000");
    assert_eq!(find!(world.heard(ben), RequestResponse)[0].reason(), Reason::Ok, "without the grant for metadata");
    let ben_now = find!(world.heard(host), Update)[0].participants[0].clone();
    assert_eq!(ben_now.attributes["ramai.hand"], "1700000000000");
    for (name, value) in [("ramai.hand", "now"), ("ramai.hand", "123456789012345"), ("x", "y")] {
        world.set_attribute(ben, name, value);
        assert_eq!(find!(world.heard(ben), RequestResponse)[0].reason(), Reason::NotAllowed, "{name}={value}");
    }
    // Clients send their name along; another one is another wish.
    let attributes = HashMap::from([("ramai.hand".to_owned(), String::new())]);
    let mut update = proto::UpdateParticipantMetadata { attributes, name: "BEN".into(), ..Default::default() };
    world.ask(ben, Request::UpdateMetadata(update.clone()));
    update.name = "Boss".into();
    world.ask(ben, Request::UpdateMetadata(update));
    let reasons: Vec<Reason> = find!(world.heard(ben), RequestResponse).iter().map(|r| r.reason()).collect();
    assert_eq!(reasons, [Reason::Ok, Reason::NotAllowed]);

    world.set_attribute(ben, "ramai.hand", "1700000000001");
    world.heard(ben);
    let order = by_app(&world);
    let set = |world: &mut World, name: &str, value: &str| {
        let wish = proto::UpdateParticipantRequest {
            room: "r".into(),
            identity: "ben".into(),
            attributes: HashMap::from([(name.to_owned(), value.to_owned())]),
            ..Default::default()
        };
        let done = world.rooms.update_participant(&order, wish);
        world.settle();
        done
    };
    assert!(!set(&mut world, "ramai.hand", "").unwrap().attributes.contains_key("ramai.hand"));
    assert!(!find!(world.heard(ben), Update)[0].participants[0].attributes.contains_key("ramai.hand"));
    for (name, value) in [("ramai.hand", "1"), ("ramai.role", "host"), ("ramai.waiting", "1")] {
        assert!(matches!(set(&mut world, name, value), Err(Fault::NotAllowed(_))), "{name}");
    }
}

#[test]
fn the_first_of_a_demo_room_is_its_host_for_as_long_as_it_is_there() {
    let mut world = World::new();
    let first = |world: &mut World, who: &str, secret: &str, invited: bool| {
        world.rooms.is_first(world.now, "r", who, secret, invited)
    };
    assert!(!first(&mut world, "guest", "g", true), "an invited one makes no room its own");
    assert!(first(&mut world, "ana", "a", false));
    assert!(!first(&mut world, "ben", "b", false));
    world.join("ana", CHROMIUM_JOIN);
    world.wait(Duration::from_secs(3600));
    assert!(first(&mut world, "ana", "a", false) && first(&mut world, "ana", "a", true), "after a reload too");
    assert!(!first(&mut world, "ana", "b", false), "everybody can read who ana is");
    // The room ends; some time later it is anybody's.
    let conn = world.join("ana", CHROMIUM_JOIN);
    world.ask(conn, Request::Leave(proto::LeaveRequest::default()));
    world.wait(Duration::from_secs(121));
    assert!(first(&mut world, "ben", "b", false));
    world.join("cem", CHROMIUM_JOIN);
    world.rooms.forget_firsts(world.now);
    assert!(first(&mut world, "ben", "b", false));
    // A room that was there before anybody asked has no such host.
    assert!(!world.rooms.is_first(world.now, "r", "eve", "e", false));
}
