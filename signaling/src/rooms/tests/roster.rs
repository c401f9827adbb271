//! Stories of large rooms: who hears of whom, when, and in how many messages.

use super::*;

/// More than a room in which everybody hears of everything at once.
const MANY: usize = 70;
/// Between two ticks of the actor.
const TICK: Duration = Duration::from_millis(250);

/// A world whose rooms never hear through speaker slots, however large: what is told of tracks is to be seen alone.
fn hearing_each() -> World {
    World::with(|settings| settings.speaker_slots_from = 0)
}

/// A room of [`MANY`] in which everything was told.
fn crowd(world: &mut World) -> Vec<ConnId> {
    let conns = (0..MANY).map(|n| world.join(&format!("p{n}"), CHROMIUM_JOIN)).collect();
    world.wait(TICK);
    world.heard.clear();
    conns
}

/// Identities and states in the order they were told.
fn told(notices: &[Notice]) -> Vec<(String, State)> {
    let updates = find!(notices, Update);
    updates.iter().flat_map(|u| &u.participants).map(|p| (p.identity.clone(), p.state())).collect()
}

#[test]
fn many_who_come_together_are_told_in_few_messages() {
    let mut world = hearing_each();
    let crowd = crowd(&mut world);
    for n in 0..MANY {
        let conn = world.join(&format!("q{n}"), CHROMIUM_JOIN);
        world.up(conn);
    }
    world.wait(TICK);
    for conn in crowd {
        let heard = world.heard(conn);
        assert!(heard.len() <= 5, "{} messages about {MANY} who came", heard.len());
        let told: BTreeMap<String, State> = told(&heard).into_iter().collect();
        assert_eq!(told.len(), MANY);
        assert!(told.values().all(|state| *state == State::Active), "the newest state of each");
    }
}

#[test]
fn the_first_change_after_a_quiet_time_is_told_at_once() {
    let mut world = hearing_each();
    let crowd = crowd(&mut world);
    world.wait(TICK);
    let ana = world.join("ana", CHROMIUM_JOIN);
    assert_eq!(told(&world.heard(crowd[0])), [("ana".into(), State::Joined)]);
    world.heard(ana);
    world.up(ana);
    assert_eq!(told(&world.heard(ana)), [("ana".into(), State::Active)], "oneself needs not wait");
    assert!(world.heard(crowd[0]).is_empty());
    world.wait(TICK);
    assert_eq!(told(&world.heard(crowd[0])), [("ana".into(), State::Active)]);
}

#[test]
fn a_track_is_told_before_anybody_is_asked_to_take_it() {
    let mut world = hearing_each();
    let crowd = crowd(&mut world);
    world.join("ben", CHROMIUM_JOIN);
    world.publish(crowd[0]);
    world.heard(crowd[1]);
    world.wait(TICK);
    let heard = world.heard(crowd[1]);
    let [Notice::Update(update), Notice::MediaSectionsRequirement(_)] = heard.as_slice() else { panic!("{heard:?}") };
    assert_eq!(update.participants[0].tracks.len(), 2);
    // Who came in between had the tracks with the join, and has them once.
    world.publish(crowd[2]);
    let late = world.join("late", CHROMIUM_JOIN);
    world.wait(TICK);
    let heard = world.heard(late);
    assert_eq!(find!(heard, Answer)[0].mid_to_track_id.len(), 4);
    assert!(find!(heard, MediaSectionsRequirement).is_empty());
}

#[test]
fn who_is_back_at_once_is_told_after_having_left() {
    let mut world = hearing_each();
    let crowd = crowd(&mut world);
    world.join("ben", CHROMIUM_JOIN);
    world.heard(crowd[0]);
    world.ask(crowd[7], Request::Leave(proto::LeaveRequest::default()));
    let late = world.join("late", CHROMIUM_JOIN);
    world.join("p7", CHROMIUM_JOIN);
    world.wait(TICK);
    for conn in [crowd[0], late] {
        let told = told(&world.heard(conn));
        let p7: Vec<State> = told.into_iter().filter(|(who, _)| who == "p7").map(|(_, state)| state).collect();
        assert_eq!(p7, [State::Disconnected, State::Joined]);
    }
}

#[test]
fn a_newcomer_hears_of_everybody_before_the_answer_and_in_short_messages() {
    let mut world = hearing_each();
    crowd(&mut world);
    let late = world.join("late", CHROMIUM_JOIN);
    let heard = world.heard(late);
    let [Notice::Join(join), Notice::Update(_), Notice::Answer(_)] = heard.as_slice() else { panic!("{heard:?}") };
    let mut known: Vec<String> = told(&heard).into_iter().map(|(who, _)| who).collect();
    known.extend(join.other_participants.iter().map(|p| p.identity.clone()));
    known.sort();
    known.dedup();
    assert_eq!(known.len(), MANY);
    assert!(heard.iter().all(|notice| notice.encoded_len() < 16 * 1024));
}

/// The frames of the roster that a newcomer is given beside its first message.
fn pages_for(world: &mut World, who: &str) -> Vec<bytes::Bytes> {
    world.conns += 1;
    let conn = ConnId(world.conns);
    let join = Join { offer: Some(sdp("offer", CHROMIUM_JOIN, 1)), ..wish(who, Dialect::Single) };
    world.rooms.join(world.now, 0, conn, &join);
    let effects = world.rooms.take_effects().into_iter();
    effects
        .filter_map(|e| if let Effect::Frames(to, frames) = e { (to == conn).then_some(frames) } else { None })
        .flatten()
        .collect()
}

#[test]
fn newcomers_of_a_large_room_are_given_the_same_bytes() {
    for size in [200, 2000] {
        let mut world = hearing_each();
        for n in 0..size {
            world.slip_in(&format!("p{n}"));
        }
        let (ana, ben) = (pages_for(&mut world, "ana"), pages_for(&mut world, "ben"));
        let anew = ben.iter().filter(|page| !ana.iter().any(|known| known.as_ptr() == page.as_ptr())).count();
        assert!(ben.len() >= size / 50 - 1, "{} pages tell of all", ben.len());
        assert_eq!(anew, 1, "in a room of {size} the page with Ana on it is encoded anew, and no other");
    }
}

#[test]
fn a_room_that_everybody_left_leaves_nothing_behind() {
    let mut world = World::with(|s| s.candidates = vec![Vec::new(); 2]);
    let conns: Vec<ConnId> = (0..8).map(|n| world.join(&format!("p{n}"), CHROMIUM_JOIN)).collect();
    conns.iter().for_each(|conn| world.publish(*conn));
    for conn in &conns {
        world.ask(*conn, Request::Offer(sdp("offer", CHROMIUM_PUBLISH, 3)));
    }
    assert!(!world.rooms.subscribers.is_empty() && !world.rooms.loads.is_empty());
    for conn in conns {
        world.rooms.handle_closed(world.now, conn, Closing::GoingAway);
        world.settle();
    }
    assert!(world.rooms.subscribers.is_empty() && world.rooms.loads.is_empty() && world.rooms.conns.is_empty());
    assert!(world.rooms.transports.is_empty() && world.rooms.resources.is_empty());
    let room = world.rooms.rooms.values().next().unwrap();
    assert!(room.identities.is_empty() && room.publications.values().next().is_none() && room.pages.len() == 0);
    world.wait(Duration::from_secs(61));
    assert!(world.rooms.rooms.is_empty() && world.rooms.names.is_empty());
}
