//! Stories of orders: what an application's server or a host asks of a room, and what everybody in it then hears and has.

use super::*;
use crate::adapter::whip;
use crate::negotiate::sdp::Description;
use crate::rooms::control::{By, Fault, Order};
use proto::request_response::Reason;

/// An order of the application's.
pub(super) fn by_app(world: &World) -> Order {
    Order { by: By::Key("app".into()), now: world.now, wall_ms: 1_700_000_000_000 }
}

impl World {
    /// The SIDs of camera and microphone that this client just announced.
    pub(super) fn announced(&mut self, conn: ConnId) -> [String; 2] {
        let sids: Vec<String> =
            find!(self.heard(conn), TrackPublished).into_iter().map(|p| p.track.unwrap().sid).collect();
        sids.try_into().unwrap()
    }

    fn mute_by_order(&mut self, who: &str, sid: &str, muted: bool) -> Result<proto::TrackInfo, Fault> {
        let wish = proto::MuteRoomTrackRequest { room: "r".into(), identity: who.into(), track_sid: sid.into(), muted };
        let order = by_app(self);
        let done = self.rooms.mute_published_track(&order, &wish);
        self.settle();
        done.map(|response| response.track.unwrap())
    }

    pub(super) fn permit_by_order(
        &mut self,
        who: &str,
        permission: proto::ParticipantPermission,
    ) -> proto::ParticipantInfo {
        let wish = proto::UpdateParticipantRequest {
            room: "r".into(),
            identity: who.into(),
            permission: Some(permission),
            ..Default::default()
        };
        let order = by_app(self);
        let info = self.rooms.update_participant(&order, wish).unwrap();
        self.settle();
        info
    }

    pub(super) fn remove_by_order(&mut self, who: &str) {
        let wish = proto::RoomParticipantIdentity { room: "r".into(), identity: who.into(), ..Default::default() };
        let order = by_app(self);
        self.rooms.remove_participant(&order, &wish).unwrap();
        self.settle();
    }
}

fn everything() -> proto::ParticipantPermission {
    proto::ParticipantPermission {
        can_publish: true,
        can_subscribe: true,
        can_publish_data: true,
        ..Default::default()
    }
}

#[test]
fn who_is_muted_is_told_and_may_unmute_itself() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    let [_, microphone] = world.announced(ana);
    world.heard(ben);
    world.commands();

    let track = world.mute_by_order("ana", &microphone, true).unwrap();
    assert!(track.muted && track.sid == microphone);
    assert!(
        matches!(world.commands().as_slice(), [Command::MuteTrack { muted: true, .. }]),
        "the media plane drops it"
    );
    let heard = world.heard(ana);
    let [Notice::Mute(mute)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!((mute.sid.as_str(), mute.muted), (microphone.as_str(), true));
    assert!(find!(world.heard(ben), Update)[0].participants[0].tracks.iter().any(|t| t.muted));

    // Nobody opens the microphone of another; its owner does.
    assert_eq!(world.mute_by_order("ana", &microphone, false), Err(Fault::RemoteUnmute));
    world.ask(ana, Request::Mute(proto::MuteTrackRequest { sid: microphone, muted: false }));
    assert!(matches!(world.commands().as_slice(), [Command::MuteTrack { muted: false, .. }]));
}

#[test]
fn remote_unmute_can_be_switched_on() {
    let mut world = World::with(|s| s.remote_unmute = true);
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let [camera, _] = world.announced(ana);
    world.mute_by_order("ana", &camera, true).unwrap();
    assert!(!world.mute_by_order("ana", &camera, false).unwrap().muted);
}

#[test]
fn a_track_that_is_only_announced_starts_muted() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.ask(ana, Request::AddTrack(track(CHROMIUM_AUDIO, proto::TrackType::Audio)));
    let sid = find!(world.heard(ana), TrackPublished)[0].track.clone().unwrap().sid;
    world.mute_by_order("ana", &sid, true).unwrap();
    world.commands();
    world.ask(ana, Request::Offer(sdp("offer", CHROMIUM_PUBLISH, 2)));
    assert!(world.commands().iter().any(|c| matches!(c, Command::MuteTrack { muted: true, .. })));
}

#[test]
fn everybody_is_muted_but_some() {
    let mut world = World::new();
    let conns = ["ana", "ben", "cem"].map(|who| world.join(who, CHROMIUM_JOIN));
    for conn in conns {
        world.publish(conn);
        world.heard(conn);
    }
    world.commands();
    let order = by_app(&world);
    assert_eq!(world.rooms.mute_all(&order, "r", &["ana".into()]), Ok(2));
    world.settle();
    assert_eq!(world.commands().iter().filter(|c| matches!(c, Command::MuteTrack { muted: true, .. })).count(), 2);
    let told = conns.map(|conn| find!(world.heard(conn), Mute).len());
    assert_eq!(told, [0, 1, 1], "cameras stay on");
    assert_eq!(world.rooms.mute_all(&order, "r", &["ana".into()]), Ok(0));
}

#[test]
fn who_may_no_longer_publish_is_cut_off_whatever_the_client_does() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    let sids = world.announced(ana);
    world.ask(ben, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    world.heard(ben);
    world.commands();

    let info = world.permit_by_order("ana", proto::ParticipantPermission { can_publish: false, ..everything() });
    assert!(info.tracks.is_empty() && !info.permission.unwrap().can_publish);
    let commands = world.commands();
    let count = |f: fn(&Command) -> bool| commands.iter().filter(|c| f(c)).count();
    assert_eq!(count(|c| matches!(c, Command::Unpublish { .. })), 2);
    assert_eq!(count(|c| matches!(c, Command::Unsubscribe { .. })), 2);
    let heard = world.heard(ana);
    let mut gone: Vec<String> = find!(heard, TrackUnpublished).into_iter().map(|u| u.track_sid).collect();
    gone.sort();
    let mut published = sids.to_vec();
    published.sort();
    assert_eq!(gone, published);
    assert!(find!(world.heard(ben), Update).iter().all(|u| u.participants[0].tracks.is_empty()));

    // An offer that still sends, and another try, bring nothing back.
    world.ask(ana, Request::AddTrack(track(CHROMIUM_AUDIO, proto::TrackType::Audio)));
    world.ask(ana, Request::Offer(sdp("offer", CHROMIUM_PUBLISH, 3)));
    assert_eq!(find!(world.heard(ana), RequestResponse)[0].reason(), Reason::NotAllowed);
    assert!(!world.commands().iter().any(|c| matches!(c, Command::Publish { .. })));

    // Allowed again, it publishes anew.
    world.permit_by_order("ana", everything());
    world.publish(ana);
    assert_eq!(world.commands().iter().filter(|c| matches!(c, Command::Publish { .. })).count(), 2);
}

#[test]
fn what_a_host_allows_outlasts_a_reload() {
    let mut world = World::new();
    world.join("ana", CHROMIUM_JOIN);
    let rejoin = |world: &mut World, who: &str, may_speak: bool, nbf: u64| {
        let mut join = wish(who, Dialect::Single);
        (join.claims.nbf, join.claims.video.can_publish) = (nbf, Some(may_speak));
        let conn = world.connect(join);
        find!(world.heard(conn), Join)[0].participant.clone().unwrap().permission.unwrap().can_publish
    };
    let newer = 1_700_000_001;
    assert!(rejoin(&mut world, "troll", true, 0));
    world.permit_by_order("troll", proto::ParticipantPermission { can_publish: false, ..everything() });
    assert!(!rejoin(&mut world, "troll", true, 0) && !rejoin(&mut world, "troll", true, newer));
    assert!(!rejoin(&mut world, "guest", false, 0));
    world.permit_by_order("guest", everything());
    assert!(rejoin(&mut world, "guest", false, 0), "asked to speak, it goes on");
    assert!(!rejoin(&mut world, "guest", false, newer), "unless a newer token says otherwise");
    let offer = Description::parse(include_str!("../../../tests/fixtures/chromium-v0-publish.sdp")).unwrap();
    let encoder = whip::read(wish("troll", Dialect::Whip).claims, offer).unwrap();
    assert_eq!(world.rooms.open(world.now, 0, encoder).unwrap_err(), Refusal::NotAllowed("publish"));
}

#[test]
fn a_camera_alone_can_be_forbidden() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    world.commands();
    let sources = vec![proto::TrackSource::Microphone as i32];
    let info =
        world.permit_by_order("ana", proto::ParticipantPermission { can_publish_sources: sources, ..everything() });
    let left: Vec<_> = info.tracks.iter().map(|t| t.source()).collect();
    assert_eq!(left, [proto::TrackSource::Microphone]);
    assert_eq!(world.commands().iter().filter(|c| matches!(c, Command::Unpublish { .. })).count(), 1);
}

#[test]
fn who_may_no_longer_subscribe_hears_nothing_until_it_may_again() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    world.ask(ben, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    world.commands();
    world.permit_by_order("ben", proto::ParticipantPermission { can_subscribe: false, ..everything() });
    assert_eq!(world.commands().iter().filter(|c| matches!(c, Command::Unsubscribe { .. })).count(), 2);
    world.ask(ben, Request::Offer(sdp("offer", CHROMIUM_JOIN, 3)));
    world.heard(ben);

    world.permit_by_order("ben", everything());
    let heard = world.heard(ben);
    let [Notice::Update(update), Notice::MediaSectionsRequirement(_)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(update.participants[0].permission.as_ref().unwrap().can_subscribe, "what it may comes first");
    world.ask(ben, Request::Offer(sdp("offer", CHROMIUM_JOIN, 4)));
    assert_eq!(world.commands().iter().filter(|c| matches!(c, Command::Subscribe { .. })).count(), 2);
}

#[test]
fn who_becomes_hidden_is_gone_for_the_others_and_comes_back() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.heard(ana);
    world.heard(ben);
    let states = |world: &mut World, conn| -> Vec<(String, State)> {
        let updates = find!(world.heard(conn), Update);
        updates.iter().flat_map(|u| &u.participants).map(|p| (p.identity.clone(), p.state())).collect()
    };
    world.permit_by_order("ana", proto::ParticipantPermission { hidden: true, ..everything() });
    assert_eq!(states(&mut world, ben), [("ana".to_owned(), State::Disconnected)]);
    assert_eq!(states(&mut world, ana), [("ana".to_owned(), State::Joined)]);
    world.permit_by_order("ana", everything());
    assert_eq!(states(&mut world, ben), [("ana".to_owned(), State::Joined)]);
}

#[test]
fn who_is_removed_comes_back_with_a_newer_token_alone() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.heard(ana);
    world.remove_by_order("ben");
    let leave = find!(world.heard(ben), Leave).remove(0);
    assert_eq!((leave.reason(), leave.action()), (DisconnectReason::ParticipantRemoved, Action::Disconnect));
    assert_eq!(world.closed, [ben]);
    assert_eq!(find!(world.heard(ana), Update)[0].participants[0].state(), State::Disconnected);

    let mut claims = wish("ben", Dialect::Single).claims;
    assert_eq!(world.rooms.check(world.now, &claims), Err(Refusal::Removed));
    assert!(world.rooms.was_removed("r", "ben") && !world.rooms.was_removed("r", "ana"));
    claims.nbf = 1_700_000_000;
    assert_eq!(world.rooms.check(world.now, &claims), Err(Refusal::Removed), "made in the same second, maybe before");
    claims.nbf += 1;
    assert_eq!(world.rooms.check(world.now, &claims), Ok(()));

    // Nor does the old token give orders.
    let by = By::Host { identity: "ben".into(), not_before: 0 };
    let order = Order { by, ..by_app(&world) };
    assert_eq!(world.rooms.mute_all(&order, "r", &[]), Err(Fault::GiverRemoved));
}

#[test]
fn a_room_is_made_described_and_ended() {
    let mut world = World::new();
    let order = by_app(&world);
    let wish = proto::CreateRoomRequest {
        name: "r".into(),
        empty_timeout: 600,
        departure_timeout: 5,
        max_participants: 1,
        metadata: "a".into(),
        ..Default::default()
    };
    let made = world.rooms.create_room(&order, wish.clone()).unwrap();
    assert_eq!((made.empty_timeout, made.departure_timeout, made.max_participants), (600, 5, 1));
    assert_eq!(world.rooms.create_room(&order, wish).unwrap().sid, made.sid, "it is there already");
    world.wait(Duration::from_secs(599));
    assert_eq!(world.rooms.list_rooms(&[]).rooms.len(), 1, "it waits for the first");

    let ana = world.join("ana", CHROMIUM_JOIN);
    let joined = find!(world.heard(ana), Join)[0].room.clone().unwrap();
    assert_eq!((joined.sid, joined.metadata.as_str(), joined.num_participants), (made.sid, "a", 1));
    let ben = world.join("ben", CHROMIUM_JOIN);
    assert_eq!(find!(world.heard(ben), Leave)[0].reason(), DisconnectReason::JoinFailure, "it takes one");

    let order = by_app(&world);
    let describe = proto::UpdateRoomMetadataRequest { room: "r".into(), metadata: "b".into() };
    assert_eq!(world.rooms.update_room_metadata(&order, describe).unwrap().metadata, "b");
    world.settle();
    assert_eq!(find!(world.heard(ana), RoomUpdate)[0].room.as_ref().unwrap().metadata, "b");

    world.rooms.delete_room(&order, "r").unwrap();
    world.settle();
    assert_eq!(find!(world.heard(ana), Leave)[0].reason(), DisconnectReason::RoomDeleted);
    assert!(world.rooms.list_rooms(&[]).rooms.is_empty());
    assert_eq!(world.rooms.delete_room(&order, "r"), Err(Fault::NoRoom));
    assert!(world.rooms.rooms.is_empty() && world.rooms.conns.is_empty() && world.rooms.transports.is_empty());
}

#[test]
fn a_room_that_was_left_ends_by_its_own_time() {
    let mut world = World::new();
    let order = by_app(&world);
    let wish = proto::CreateRoomRequest { name: "r".into(), departure_timeout: 5, ..Default::default() };
    world.rooms.create_room(&order, wish).unwrap();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.ask(ana, Request::Leave(proto::LeaveRequest::default()));
    world.wait(Duration::from_secs(4));
    assert_eq!(world.rooms.list_rooms(&["r".into()]).rooms.len(), 1);
    world.wait(Duration::from_secs(2));
    assert!(world.rooms.list_rooms(&[]).rooms.is_empty());
}

#[test]
fn the_server_says_something_to_some() {
    let mut world = World::new();
    let [ana, ben] = ["ana", "ben"].map(|who| world.join(who, CHROMIUM_JOIN));
    let ben_wire = world.wire_of(ben);
    world.up(ana);
    world.up(ben);
    world.commands();
    let wish = proto::SendDataRequest {
        room: "r".into(),
        data: b"hello".to_vec(),
        destination_identities: vec!["ben".into()],
        topic: Some("t".into()),
        ..Default::default()
    };
    let order = by_app(&world);
    world.rooms.send_data(&order, wish.clone()).unwrap();
    world.settle();
    let commands = world.commands();
    let [Command::SendData { to, channel, payload }] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!((to.as_ref(), *channel), ([ben_wire].as_slice(), DataChannel::Reliable));
    let packet = proto::DataPacket::decode(payload.clone()).unwrap();
    assert!(packet.participant_identity.is_empty(), "nobody in the room said it");
    let Some(proto::data_packet::Value::User(user)) = packet.value else { panic!() };
    assert_eq!((user.payload.as_slice(), user.topic()), (b"hello".as_slice(), "t"));
    let long = proto::SendDataRequest { data: vec![0; 256 * 1024], ..wish };
    assert!(matches!(world.rooms.send_data(&order, long), Err(Fault::Invalid(_))));
}

#[test]
fn orders_about_what_is_not_there_say_so() {
    let mut world = World::new();
    let order = by_app(&world);
    let identity = |room: &str, identity: &str| (room.to_owned(), identity.to_owned());
    world.join("ana", CHROMIUM_JOIN);
    for ((room, who), fault) in
        [(identity("nowhere", "ana"), Fault::NoRoom), (identity("r", "nobody"), Fault::NoParticipant)]
    {
        assert_eq!(world.rooms.get_participant(&order, &room, &who).unwrap_err(), fault);
        let wish = proto::RoomParticipantIdentity { room, identity: who, ..Default::default() };
        assert_eq!(world.rooms.remove_participant(&order, &wish).unwrap_err(), fault);
    }
    assert_eq!(world.mute_by_order("ana", "TR_none", true), Err(Fault::NoTrack));
    let long = proto::UpdateParticipantRequest {
        room: "r".into(),
        identity: "ana".into(),
        metadata: "x".repeat(100_000),
        name: "new".into(),
        ..Default::default()
    };
    assert!(matches!(world.rooms.update_participant(&order, long), Err(Fault::Invalid(_))));
    assert_eq!(world.rooms.get_participant(&order, "r", "ana").unwrap().name, "ANA", "all of it or nothing");
}

#[test]
fn a_participant_is_subscribed_and_unsubscribed() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let [camera, _] = world.announced(ana);
    world.join("ben", CHROMIUM_JOIN);
    world.commands();
    let wish = proto::UpdateSubscriptionsRequest {
        room: "r".into(),
        identity: "ben".into(),
        track_sids: vec![camera],
        ..Default::default()
    };
    let order = by_app(&world);
    world.rooms.update_subscriptions(&order, wish.clone()).unwrap();
    world.settle();
    assert!(matches!(world.commands().as_slice(), [Command::Unsubscribe { .. }]));
    world.permit_by_order("ben", proto::ParticipantPermission { can_subscribe: false, ..everything() });
    let again = proto::UpdateSubscriptionsRequest { subscribe: true, ..wish };
    assert!(matches!(world.rooms.update_subscriptions(&order, again), Err(Fault::NotAllowed(_))));
}
