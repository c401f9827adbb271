//! Stories of rooms over several media workers: who lives where, and that nobody notices.

use super::*;
use ramai_sfu::id::TrackId;

/// A world of so many workers, of which each takes so many streams of one room.
fn workers(count: u16, streams: usize) -> World {
    World::with(|settings| {
        settings.candidates = (0..count).map(|n| vec![([192, 0, 2, 1], 7882 + n).into()]).collect();
        settings.worker_streams = streams;
    })
}

impl World {
    fn join_room(&mut self, who: &str, room: &str) -> ConnId {
        let mut join = Join { offer: Some(sdp("offer", CHROMIUM_JOIN, 1)), ..wish(who, Dialect::Single) };
        join.claims.video.room = room.into();
        self.connect(join)
    }

    fn worker_of(&self, conn: ConnId) -> u16 {
        let (room, key) = self.rooms.conns[&conn];
        self.rooms.rooms[&room].sessions[&key].worker.0
    }
}

#[test]
fn small_rooms_stay_together_and_share_the_workers_among_them() {
    let mut world = workers(2, 500);
    let first: Vec<u16> = (0..4)
        .map(|n| {
            let conn = world.join_room(&format!("p{n}"), "first");
            world.worker_of(conn)
        })
        .collect();
    assert_eq!(first, [0; 4]);
    let second = world.join_room("ana", "second");
    assert_eq!(world.worker_of(second), 1);
    let third = world.join_room("ben", "third");
    assert_eq!(world.worker_of(third), 1, "one has less to do than four");
}

#[test]
fn a_large_room_spreads_to_newcomers_and_moves_nobody() {
    let mut world = workers(3, 4);
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    // Ana alone counts one; each viewer one and the two tracks it gets. Who came before isn't moved.
    let at: Vec<u16> = (0..6)
        .map(|n| {
            let conn = world.join(&format!("p{n}"), CHROMIUM_JOIN);
            world.worker_of(conn)
        })
        .collect();
    assert_eq!(at, [0, 1, 1, 2, 2, 0], "fills one after the other, then goes to the least loaded");
    assert_eq!(world.worker_of(ana), 0);
    let links =
        |w: &World, to| w.routed.iter().filter(|(at, c)| at.0 == to && matches!(c, Command::Mirror { .. })).count();
    assert_eq!([links(&world, 0), links(&world, 1), links(&world, 2)], [0, 2, 2], "two tracks, once for each worker");
}

#[test]
fn a_room_that_never_spreads_can_be_had() {
    let mut world = workers(2, 0);
    for n in 0..8 {
        let conn = world.join(&format!("p{n}"), CHROMIUM_JOIN);
        world.publish(conn);
        assert_eq!(world.worker_of(conn), 0);
    }
}

#[test]
fn each_is_given_the_address_of_its_own_worker_and_the_others_media_is_linked_to_it() {
    let mut world = workers(2, 1);
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    world.routed.clear();
    let ben = world.join("ben", CHROMIUM_JOIN);
    assert_eq!((world.worker_of(ana), world.worker_of(ben)), (0, 1));
    let answer = find!(world.heard(ben), Answer).remove(0);
    assert!(answer.sdp.contains("192.0.2.1 7883 typ host") && !answer.sdp.contains("192.0.2.1 7882 typ host"));
    let kinds: Vec<(u16, &str)> = world
        .routed
        .iter()
        .map(|(worker, command)| {
            let name = match command {
                Command::AttachTransport { .. } => "attach",
                Command::Mirror { home, .. } if home.0 == 0 => "mirror",
                Command::Relay { to, on: true, .. } if to.0 == 1 => "relay",
                Command::Subscribe { .. } => "subscribe",
                _ => "other",
            };
            (worker.0, name)
        })
        .collect();
    let link = [(1, "mirror"), (0, "relay"), (1, "subscribe")];
    assert_eq!(kinds, [&[(1, "attach")][..], &link, &link].concat());
    world.routed.clear();
    // Both go; each worker is told what it had a part in.
    world.ask(ana, Request::Leave(proto::LeaveRequest::default()));
    world.ask(ben, Request::Leave(proto::LeaveRequest::default()));
    let ends =
        |at: u16| world.routed.iter().filter(|(w, c)| w.0 == at && matches!(c, Command::Unpublish { .. })).count();
    assert_eq!((ends(0), ends(1)), (2, 2));
    assert!(world.places.is_empty());
}

#[test]
fn who_speaks_on_any_worker_is_heard_of_loudest_first() {
    let mut world = workers(2, 1);
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    world.publish(ben);
    let microphones = microphones(&mut world);
    let room = world.rooms.conns[&ana].0;
    world.heard(ana);
    let mut say = |worker, speakers: &[(usize, f32)]| {
        let speakers =
            speakers.iter().map(|(who, level)| Speaker { track: microphones[*who], level: *level }).collect();
        world.event_of(WorkerId(worker), Event::Speakers { room, speakers, dominant: None });
        let told = find!(world.heard(ana), SpeakersChanged);
        told.iter().flat_map(|t| &t.speakers).map(|s| (s.level, s.active)).collect::<Vec<_>>()
    };
    assert_eq!(say(0, &[(0, 0.2)]), [(0.2, true)]);
    assert_eq!(say(1, &[(1, 0.5)]), [(0.5, true)], "Ana goes on");
    assert_eq!(say(0, &[(0, 0.3)]), [(0.3, true)]);
    assert_eq!(say(0, &[]), [(0.0, false)], "Ben goes on");
    assert_eq!(say(1, &[(1, 0.5)]), []);
    assert_eq!(say(1, &[]), [(0.0, false)]);
}

#[test]
fn who_has_the_floor_comes_first_whoever_is_louder() {
    let mut world = workers(2, 1);
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    world.publish(ben);
    let tracks = microphones(&mut world);
    let room = world.rooms.conns[&ana].0;
    world.heard(ana);
    let mut say = |worker: u16, level, dominant: bool| {
        let track = tracks[usize::from(worker)];
        let (speakers, dominant) = (vec![Speaker { track, level }], dominant.then_some(track));
        world.event_of(WorkerId(worker), Event::Speakers { room, speakers, dominant });
        let told = find!(world.heard(ana), SpeakersChanged);
        let sessions = &world.rooms.rooms[&room].sessions;
        let who = |sid: &str| sessions.values().find(|s| s.info.sid == sid).unwrap().info.identity.clone();
        told.iter().flat_map(|told| &told.speakers).map(|s| (who(&s.sid), s.level)).collect::<Vec<_>>()
    };
    let named =
        |levels: &[(&str, f32)]| levels.iter().map(|(who, level)| (who.to_string(), *level)).collect::<Vec<_>>();
    assert_eq!(say(0, 0.2, true), named(&[("ana", 0.2)]));
    assert_eq!(say(1, 0.5, false), named(&[("ana", 0.5), ("ben", 0.5 * 0.99)]), "a louder cough");
    assert_eq!(say(1, 0.1, true), named(&[("ben", 0.2), ("ana", 0.2 * 0.99)]), "a softer voice");
}

/// The microphones that were published, in the order of their publishers.
fn microphones(world: &mut World) -> Vec<TrackId> {
    let microphone = |command: &Command| match command {
        Command::Publish { track, params, .. } if params.mid.as_str() == "8" => Some(*track),
        _ => None,
    };
    world.commands().iter().filter_map(microphone).collect()
}
