//! Stories of what the media plane says, and who is told.

use super::*;

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
