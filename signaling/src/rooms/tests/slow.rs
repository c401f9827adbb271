//! Stories of clients that don't hear all that happens: they read too slowly, or were cut off for a while.

use super::*;
use crate::media::{Door, MediaLink};
use crate::rooms::actor::{self, Handle};
use crate::rooms::outbox::Outbound;
use std::collections::BTreeSet;
use tokio::sync::mpsc;

/// A client of a real room task, with what it knows of the others by what it has read.
struct Reader {
    who: String,
    conn: ConnId,
    frames: mpsc::Receiver<Outbound>,
    knows: BTreeSet<String>,
}

impl Reader {
    async fn join(rooms: &Handle, who: &str) -> Self {
        let join = Box::new(wish(who, Dialect::Single));
        let (conn, frames) = rooms.join(join).await.unwrap();
        Self { who: who.to_owned(), conn, frames, knows: BTreeSet::new() }
    }

    /// Each reads until it knows the slow one and the others of them.
    async fn all_read(readers: &mut [Reader]) {
        let mut here: BTreeSet<String> = readers.iter().map(|reader| reader.who.clone()).collect();
        here.insert("slow".into());
        for reader in readers {
            here.remove(&reader.who);
            reader.read_until(&here).await;
            here.insert(reader.who.clone());
        }
    }

    /// Reads until it knows just these others.
    async fn read_until(&mut self, others: &BTreeSet<String>) {
        while self.knows != *others {
            let Some(Outbound::Frame(frame)) = self.frames.recv().await else { panic!("cut off") };
            match proto::SignalResponse::decode(frame).unwrap().message.unwrap() {
                Notice::Join(join) => self.note(&join.other_participants),
                Notice::Update(update) => self.note(&update.participants),
                _ => {}
            }
        }
    }

    fn note(&mut self, participants: &[proto::ParticipantInfo]) {
        for info in participants.iter().filter(|info| info.identity != self.who) {
            match info.state() {
                State::Disconnected => self.knows.remove(&info.identity),
                _ => self.knows.insert(info.identity.clone()),
            };
        }
    }
}

/// Cuts one client's line and lets it come back after `away`; what it then hears.
fn back_after(world: &mut World, who: &str, conn: ConnId, away: Duration) -> Vec<Notice> {
    let sid = find!(world.heard(conn), Join)[0].participant.clone().unwrap().sid;
    world.rooms.handle_closed(world.now, conn, Closing::Cut);
    world.settle();
    world.wait(away);
    let back = world.connect(Join { resume: Some(sid), ..wish(who, Dialect::Single) });
    world.heard(back)
}

#[tokio::test]
async fn who_reads_slowly_holds_up_nobody_and_ends_up_knowing_who_is_there() {
    let settings = Arc::new(Settings::new(Vec::new(), vec![Vec::new()], Fingerprint([0; 32])));
    let door: Door = Arc::new(|_| Ok(()));
    let (_events, from_workers) = mpsc::channel(1);
    let rooms = actor::spawn(
        settings,
        MediaLink { workers: vec![door], events: from_workers, strain: Arc::new(crate::Strain::default) },
    );
    let mut slow = Reader::join(&rooms, "slow").await;
    let mut readers = vec![Reader::join(&rooms, "quick").await];
    for n in 0..400 {
        // The room stays small, so that everything is told at once, and each change is a frame.
        readers.push(Reader::join(&rooms, &format!("p{n}")).await);
        Reader::all_read(&mut readers).await;
        // One in fifty stays.
        if n % 50 != 0 {
            let passer = readers.pop().unwrap();
            rooms.closed(passer.conn, Closing::GoingAway).await;
            Reader::all_read(&mut readers).await;
        }
    }
    assert_eq!(rooms.counts.snapshot().fell_behind, 1, "the slow one, once");
    let here = |readers: &[Reader]| readers.iter().map(|reader| reader.who.clone()).collect();
    slow.read_until(&here(&readers)).await;
    assert_eq!(rooms.counts.snapshot().cut_off, 0);
    // It is one of them again.
    readers.push(Reader::join(&rooms, "late").await);
    slow.read_until(&here(&readers)).await;
}

#[test]
fn who_comes_back_hears_who_left_meanwhile() {
    let mut world = World::new();
    let (_ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    let (cai, dee) = (world.join("cai", CHROMIUM_JOIN), world.join("dee", CHROMIUM_JOIN));
    world.up(ben);
    world.rooms.handle_closed(world.now, cai, Closing::GoingAway);
    // Dee left and is back: clients know participants by identity, so she is no one who left.
    world.rooms.handle_closed(world.now, dee, Closing::GoingAway);
    world.join("dee", CHROMIUM_JOIN);
    let heard = back_after(&mut world, "ben", ben, Duration::from_secs(9));
    let updates = find!(heard, Update);
    let told: Vec<_> = updates.iter().flat_map(|u| &u.participants).map(|p| (p.identity.as_str(), p.state())).collect();
    assert_eq!(
        told,
        [("cai", State::Disconnected), ("ana", State::Joined), ("ben", State::Active), ("dee", State::Joined)]
    );
}

#[test]
fn who_missed_more_than_is_remembered_begins_anew() {
    let mut world = World::new();
    let (_ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.up(ben);
    for n in 0..5000 {
        let conn = world.slip_in(&format!("p{n}"));
        world.rooms.handle_closed(world.now, conn, Closing::GoingAway);
        world.rooms.take_effects();
    }
    let heard = back_after(&mut world, "ben", ben, Duration::from_secs(1));
    assert_eq!(find!(heard, Leave)[0].action(), Action::Reconnect);
}

#[test]
fn those_who_are_behind_are_asked_nothing_until_they_know_the_tracks() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.rooms.fell_behind(world.now, ben);
    world.heard(ben);
    world.publish(ana);
    // The room says it; the outbox of one who is behind would leave the update out.
    assert!(find!(world.heard(ben), MediaSectionsRequirement).is_empty());
    world.rooms.caught_up(world.now, ben);
    world.settle();
    let heard = world.heard(ben);
    let [Notice::Update(update), Notice::RoomUpdate(_), Notice::MediaSectionsRequirement(_)] = heard.as_slice() else {
        panic!("{heard:?}")
    };
    assert_eq!(update.participants.iter().map(|p| p.tracks.len()).sum::<usize>(), 2);
}

#[test]
fn who_fell_silent_unheard_is_told_to_be_silent() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    let room = *world.rooms.rooms.keys().next().unwrap();
    let track = *world
        .commands()
        .iter()
        .find_map(|c| if let Command::Publish { track, .. } = c { Some(track) } else { None })
        .unwrap();
    world.event(Event::Speakers { room, speakers: vec![Speaker { track, level: 0.5 }], dominant: None });
    world.rooms.fell_behind(world.now, ben);
    world.event(Event::Speakers { room, speakers: Vec::new(), dominant: None });
    world.heard(ben);
    world.rooms.caught_up(world.now, ben);
    world.settle();
    let told = find!(world.heard(ben), SpeakersChanged);
    assert_eq!(told.iter().flat_map(|s| &s.speakers).map(|s| s.active).collect::<Vec<_>>(), [false]);
}
