//! Stories of rooms that hear through speaker slots.

use super::*;
use ramai_sfu::id::TrackId;

/// A world whose rooms have two slots from the third participant on.
fn world() -> World {
    World::with(|settings| (settings.audible, settings.speaker_slots_from) = (2, 3))
}

impl World {
    /// Whose tracks a client is subscribed to in the media plane at this moment: microphones, and slots.
    fn ears(&self, conn: ConnId) -> (Vec<String>, usize) {
        let (room, key) = self.rooms.conns[&conn];
        let room = &self.rooms.rooms[&room];
        let live = room.sessions[&key].subscriptions.iter().filter(|(_, s)| s.live);
        let audio = live.filter_map(|(track, _)| room.publications.get(track));
        let audio = audio.filter(|p| p.info.r#type() == proto::TrackType::Audio);
        let publishers = audio.map(|p| room.sessions.get(&p.publisher).map(|s| s.info.identity.clone()));
        let publishers: Vec<Option<String>> = publishers.collect();
        let slots = publishers.iter().filter(|who| who.is_none()).count();
        (publishers.into_iter().flatten().collect(), slots)
    }

    /// The client makes the offer that it was asked for.
    fn offer_again(&mut self, conn: ConnId, id: u32) {
        self.ask(conn, Request::Offer(sdp("offer", CHROMIUM_PUBLISH, id)));
    }
}

fn speakers(participants: &[proto::ParticipantInfo]) -> Option<proto::ParticipantInfo> {
    participants.iter().find(|p| p.identity == "ramai.speakers").cloned()
}

#[test]
fn who_joins_a_large_room_hears_through_slots_and_nobody_negotiates_when_a_microphone_comes() {
    let mut world = world();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    world.join("ben", CHROMIUM_JOIN);
    let cai = world.join("cai", CHROMIUM_JOIN);
    let heard = world.heard(cai);
    let slots = speakers(&find!(heard, Join)[0].other_participants).unwrap();
    assert_eq!((slots.tracks.len(), slots.attributes["ramai.slots"].as_str()), (2, "2"));
    assert!(slots.tracks.iter().all(|track| track.r#type() == proto::TrackType::Audio));
    // Two slots and the camera.
    let answer = find!(heard, Answer).remove(0);
    let sids: Vec<&String> = slots.tracks.iter().map(|track| &track.sid).collect();
    assert_eq!(answer.mid_to_track_id.len(), 3);
    assert_eq!(answer.mid_to_track_id.values().filter(|sid| sids.contains(sid)).count(), 2);
    assert_eq!(world.ears(cai), (vec![], 2));

    let dee = world.join("dee", CHROMIUM_JOIN);
    world.heard(cai);
    world.ask(dee, Request::AddTrack(track(CHROMIUM_AUDIO, proto::TrackType::Audio)));
    world.offer_again(dee, 2);
    let heard = world.heard(cai);
    assert_eq!(find!(heard, Update)[0].participants[0].tracks.len(), 1);
    assert!(find!(heard, MediaSectionsRequirement).is_empty());
}

#[test]
fn who_is_in_when_the_room_grows_hears_microphones_until_the_slots_are_negotiated() {
    let mut world = world();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    world.ask(ben, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    assert_eq!(world.ears(ben), (vec!["ana".to_string()], 0));
    world.heard(ben);
    world.join("cai", CHROMIUM_JOIN);
    let heard = world.heard(ben);
    assert!(find!(heard, Update).iter().any(|update| speakers(&update.participants).is_some()));
    assert_eq!(find!(heard, MediaSectionsRequirement).len(), 1);
    assert_eq!(world.ears(ben), (vec!["ana".to_string()], 0), "not deaf meanwhile");
    world.commands();
    world.ask(ben, Request::Offer(sdp("offer", CHROMIUM_JOIN, 3)));
    assert_eq!(world.ears(ben), (vec![], 2));
    let kinds: Vec<bool> = world
        .commands()
        .iter()
        .filter_map(|command| match command {
            Command::Subscribe { .. } => Some(true),
            Command::Unsubscribe { .. } => Some(false),
            _ => None,
        })
        .collect();
    assert_eq!(kinds, [true, true, false]);
    assert_eq!(find!(world.heard(ben), MediaSectionsRequirement).len(), 1, "the microphone's section is closed");
}

#[test]
fn the_sound_of_a_screen_comes_beside_the_slots() {
    let mut world = world();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.join("cai", CHROMIUM_JOIN);
    world.offer_again(ben, 2);
    let mut sound = track(CHROMIUM_AUDIO, proto::TrackType::Audio);
    sound.set_source(proto::TrackSource::ScreenShareAudio);
    world.ask(ana, Request::AddTrack(sound));
    world.offer_again(ana, 2);
    let published = world.commands().into_iter().find_map(|command| match command {
        Command::Publish { params, .. } => Some(params),
        _ => None,
    });
    assert!(published.unwrap().screen, "the media plane doesn't take it for a microphone");
    world.offer_again(ben, 3);
    assert_eq!(world.ears(ben), (vec!["ana".to_string()], 2));
}

#[test]
fn over_two_connections_slots_are_offered() {
    let mut world = world();
    for who in ["ana", "ben"] {
        world.join(who, CHROMIUM_JOIN);
    }
    let cai = world.connect(wish("cai", Dialect::Dual));
    let offer = find!(world.heard(cai), Offer).remove(0);
    assert_eq!(offer.mid_to_track_id.len(), 2);
    assert_eq!(offer.sdp.matches("red/48000/2").count(), 2, "slots are alike");
}

#[test]
fn clients_learn_who_is_in_which_slot_and_who_speaks_from_the_slots_home() {
    let mut world = world();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    world.join("ben", CHROMIUM_JOIN);
    world.join("cai", CHROMIUM_JOIN);
    let microphone = world.commands().iter().find_map(|command| match command {
        Command::Publish { track, params, .. } if params.mid.as_str() == "8" => Some(*track),
        _ => None,
    });
    let room = world.rooms.conns[&ana].0;
    world.heard(ana);
    world.event(Event::Slots { room, speakers: vec![None, microphone] });
    let told = find!(world.heard(ana), Update);
    let attributes = &speakers(&told[0].participants).unwrap().attributes;
    assert_eq!((attributes.get("ramai.slot.0"), attributes["ramai.slot.1"].as_str()), (None, "ana"));
    world.event(Event::Slots { room, speakers: vec![None, microphone] });
    assert!(world.heard(ana).is_empty(), "nothing new");
    world.event(Event::Slots { room, speakers: vec![None, Some(TrackId(4711))] });
    let attributes = speakers(&find!(world.heard(ana), Update)[0].participants).unwrap().attributes;
    assert_eq!(attributes.len(), 1, "who is gone is in no slot: {attributes:?}");

    let heard = vec![Speaker { track: microphone.unwrap(), level: 0.5 }];
    world.event_of(WorkerId(1), Event::Speakers { room, speakers: heard.clone(), dominant: None });
    assert!(world.heard(ana).is_empty(), "its own worker knows less");
    world.event_of(WorkerId(0), Event::Speakers { room, speakers: heard, dominant: microphone });
    assert_eq!(find!(world.heard(ana), SpeakersChanged).len(), 1);
}

#[test]
fn a_microphone_that_is_not_for_everybody_is_heard_by_itself() {
    let mut world = world();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    let cai = world.join("cai", CHROMIUM_JOIN);
    world.publish(ana);
    world.offer_again(cai, 2);
    assert_eq!(world.ears(cai), (vec![], 2));
    world.commands();
    let only =
        |who: &str| proto::TrackPermission { participant_identity: who.into(), all_tracks: true, ..Default::default() };
    let permission = proto::SubscriptionPermission { all_participants: false, track_permissions: vec![only("cai")] };
    world.ask(ana, Request::SubscriptionPermission(permission));
    let kept = |world: &mut World| {
        let commands = world.commands();
        let kept = commands.iter().filter_map(|command| match command {
            Command::KeepFromSlots { kept, .. } => Some(*kept),
            _ => None,
        });
        kept.collect::<Vec<_>>()
    };
    assert_eq!(kept(&mut world), [true, true], "camera and microphone");
    world.offer_again(cai, 3);
    world.offer_again(ben, 3);
    assert_eq!((world.ears(cai), world.ears(ben).0), ((vec!["ana".to_string()], 2), vec![]));
    let apart = |world: &mut World| {
        let updates = find!(world.heard(cai), Update);
        let told = updates.iter().rev().find_map(|update| speakers(&update.participants));
        told.map(|speakers| speakers.attributes.get("ramai.apart").cloned().unwrap_or_default())
    };
    let named = apart(&mut world).unwrap();
    assert!(named.starts_with("TR_") && !named.contains(','), "clients that choose for themselves must know: {named}");
    let all = proto::SubscriptionPermission { all_participants: true, ..Default::default() };
    world.ask(ana, Request::SubscriptionPermission(all));
    assert_eq!(kept(&mut world), [false, false]);
    assert_eq!(apart(&mut world).as_deref(), Some(""));
    assert_eq!(world.ears(cai), (vec![], 2));
}

#[test]
fn who_chooses_by_itself_gets_the_slots_and_may_ask_for_a_microphone() {
    let mut world = world();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    world.join("ben", CHROMIUM_JOIN);
    let offer = Some(sdp("offer", CHROMIUM_JOIN, 1));
    let bot = world.connect(Join { auto_subscribe: false, offer, ..wish("bot", Dialect::Single) });
    assert_eq!(world.ears(bot), (vec![], 2));
    let join = find!(world.heard(bot), Join).remove(0);
    let ana = join.other_participants.iter().find(|p| p.identity == "ana").unwrap();
    let microphone = ana.tracks.iter().find(|track| track.r#type() == proto::TrackType::Audio).unwrap().sid.clone();
    let wish = proto::UpdateSubscription { track_sids: vec![microphone], subscribe: true, ..Default::default() };
    world.ask(bot, Request::Subscription(wish));
    world.ask(bot, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    assert_eq!(world.ears(bot), (vec!["ana".to_string()], 2));
}

#[test]
fn slots_stay_until_nobody_is_there_and_then_nothing_is_left() {
    let mut world = world();
    let mut conns: Vec<_> = ["ana", "ben", "cai"].map(|who| world.join(who, CHROMIUM_JOIN)).into();
    world.publish(conns[0]);
    while conns.len() > 1 {
        world.ask(conns.remove(0), Request::Leave(proto::LeaveRequest::default()));
    }
    assert_eq!(world.ears(conns[0]).1, 2);
    let room = world.rooms.conns[&conns[0]].0;
    assert_eq!(world.rooms.rooms[&room].info(&world.rooms.settings).num_participants, 1, "slots are nobody");
    world.commands();
    world.ask(conns[0], Request::Leave(proto::LeaveRequest::default()));
    assert_eq!(world.commands().iter().filter(|c| matches!(c, Command::CloseSlots { .. })).count(), 1);
    assert!(world.places.is_empty());
    // Who comes then finds a small room.
    let dee = world.join("dee", CHROMIUM_JOIN);
    assert_eq!(world.ears(dee), (vec![], 0));
}
