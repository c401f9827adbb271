//! Stories of clients that take what comes: they get the first few cameras by themselves, and any other when they ask.

use super::*;
use proto::TrackType;

/// A world in which two cameras, and two screens, come without asking.
fn world() -> World {
    World::with(|settings| settings.auto_subscribe_videos = 2)
}

impl World {
    /// A newcomer with a camera or a screen; the SID of its track.
    fn shows(&mut self, who: &str, source: proto::TrackSource) -> (ConnId, String) {
        let conn = self.join(who, CHROMIUM_JOIN);
        let mut request = track(CHROMIUM_VIDEO, TrackType::Video);
        request.set_source(source);
        self.ask(conn, Request::AddTrack(request));
        self.ask(conn, Request::Offer(sdp("offer", CHROMIUM_PUBLISH, 2)));
        let sid = find!(self.heard(conn), TrackPublished)[0].track.as_ref().unwrap().sid.clone();
        (conn, sid)
    }

    fn camera(&mut self, who: &str) -> (ConnId, String) {
        self.shows(who, proto::TrackSource::Camera)
    }

    /// Whose pictures a client is subscribed to.
    fn eyes(&self, conn: ConnId) -> Vec<String> {
        let (room, key) = self.rooms.conns[&conn];
        let room = &self.rooms.rooms[&room];
        let pictures = room.sessions[&key].subscriptions.keys().filter_map(|track| room.publications.get(track));
        let pictures = pictures.filter(|p| p.info.r#type() == TrackType::Video);
        pictures.map(|p| room.sessions[&p.publisher].info.identity.clone()).collect()
    }

    fn take(&mut self, conn: ConnId, sid: &str, subscribe: bool) {
        let update = proto::UpdateSubscription { track_sids: vec![sid.into()], subscribe, ..Default::default() };
        self.ask(conn, Request::Subscription(update));
    }
}

#[test]
fn who_takes_what_comes_gets_the_first_cameras_whether_it_came_before_or_after_them() {
    let mut world = world();
    let early = world.join("early", CHROMIUM_JOIN);
    for who in ["ana", "ben", "cai", "dee"] {
        world.camera(who);
    }
    let late = world.connect(wish("late", Dialect::Dual));
    assert_eq!(
        (world.eyes(early), world.eyes(late)),
        (vec!["ana".into(), "ben".into()], vec!["ana".into(), "ben".into()])
    );
    let offer = find!(world.heard(late), Offer).remove(0);
    assert_eq!((offer.mid_to_track_id.len(), offer.sdp.matches("m=video").count()), (2, 2));
}

#[test]
fn microphones_and_screens_come_beside_the_cameras() {
    let mut world = world();
    for who in ["ana", "ben", "cai"] {
        let (conn, _) = world.camera(who);
        world.ask(conn, Request::AddTrack(track(CHROMIUM_AUDIO, TrackType::Audio)));
        world.ask(conn, Request::Offer(sdp("offer", CHROMIUM_PUBLISH, 3)));
    }
    for who in ["dee", "eli", "fay"] {
        world.shows(who, proto::TrackSource::ScreenShare);
    }
    let late = world.join("late", CHROMIUM_JOIN);
    assert_eq!(world.eyes(late), ["ana", "ben", "dee", "eli"]);
    let (room, key) = world.rooms.conns[&late];
    assert_eq!(world.rooms.rooms[&room].sessions[&key].subscriptions.len(), 4 + 3, "and three microphones");
}

#[test]
fn a_client_that_asks_gets_any_camera_and_what_it_sent_away_stays_away() {
    let mut world = world();
    let cameras: Vec<(ConnId, String)> = ["ana", "ben", "cai", "dee"].iter().map(|who| world.camera(who)).collect();
    let late = world.join("late", CHROMIUM_JOIN);
    world.take(late, &cameras[3].1, true);
    assert_eq!(world.eyes(late), ["ana", "ben", "dee"]);
    for (_, sid) in &cameras[..2] {
        world.take(late, sid, false);
    }
    assert_eq!(world.eyes(late), ["dee"], "a client may have fewer than come by themselves");
    world.camera("eli");
    assert_eq!(world.eyes(late), ["dee", "eli"]);
    world.take(late, &cameras[0].1, true);
    assert_eq!(world.eyes(late), ["ana", "dee", "eli"]);
}

#[test]
fn when_a_camera_goes_the_first_of_those_left_out_takes_its_place() {
    let mut world = world();
    let cameras: Vec<(ConnId, String)> = ["ana", "ben", "cai", "dee"].iter().map(|who| world.camera(who)).collect();
    let late = world.join("late", CHROMIUM_JOIN);
    world.take(late, &cameras[2].1, false);
    world.ask(cameras[0].0, Request::Leave(proto::LeaveRequest::default()));
    assert_eq!(world.eyes(late), ["ben", "dee"], "not the one that it sent away");
    // It has its section by the next offer, as any new track has.
    assert_eq!(find!(world.heard(late), MediaSectionsRequirement).len(), 1);
    world.ask(late, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    assert_eq!(find!(world.heard(late), Answer)[0].mid_to_track_id.len(), 2);
    world.ask(cameras[1].0, Request::Leave(proto::LeaveRequest::default()));
    assert_eq!(world.eyes(late), ["dee"]);
}

#[test]
fn who_chooses_for_itself_gets_nothing_in_place_of_what_goes() {
    let mut world = world();
    let cameras: Vec<(ConnId, String)> = ["ana", "ben"].iter().map(|who| world.camera(who)).collect();
    let bot = world.connect(Join { auto_subscribe: false, ..wish("bot", Dialect::Dual) });
    world.take(bot, &cameras[0].1, true);
    world.ask(cameras[0].0, Request::Leave(proto::LeaveRequest::default()));
    assert!(world.eyes(bot).is_empty());
}
