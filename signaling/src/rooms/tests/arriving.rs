//! Stories of who comes into a room.

use super::*;

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
    let layers: Vec<_> = layers.unwrap().iter().map(|l| (l.rid.unwrap().to_string(), l.most)).collect();
    let expected = [("q", Some(150_000)), ("h", None), ("f", Some(1_700_000))];
    assert_eq!(layers, expected.map(|(rid, most)| (rid.to_owned(), most)), "what each takes at most, where it is said");

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
