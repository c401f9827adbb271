//! Stories of what people do in a room, and may do.

use super::*;

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
