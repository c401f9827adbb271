//! Stories of large rooms: who hears of whom, when, and in how many messages.

use super::*;

/// More than a room in which everybody hears of everything at once.
const MANY: usize = 70;
/// Between two ticks of the actor.
const TICK: Duration = Duration::from_millis(250);

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
    let mut world = World::new();
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
    let mut world = World::new();
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
    let mut world = World::new();
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
    let mut world = World::new();
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
    let mut world = World::new();
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
