//! Stories of encoders and players that come over plain HTTP, among clients of the client protocol.

use super::*;
use crate::adapter::{whep, whip};
use crate::negotiate::sdp::Description;
use crate::rooms::http::HttpSession;

const PUBLISH: &str = include_str!("../../../tests/fixtures/chromium-v0-publish.sdp");

impl World {
    fn whip(&mut self, who: &str) -> HttpSession {
        let wish = whip::read(wish(who, Dialect::Whip).claims, Description::parse(PUBLISH).unwrap()).unwrap();
        let opened = self.rooms.open(self.now, 1_700_000_000_000, wish).unwrap();
        self.settle();
        opened
    }

    fn whep(&mut self, who: &str, watch: &[&str], offer: &str) -> Result<HttpSession, Refusal> {
        let watch = watch.iter().map(|name| (*name).to_owned()).collect();
        let wish = whep::read(wish(who, Dialect::Whep).claims, Description::parse(offer).unwrap(), watch)?;
        let opened = self.rooms.open(self.now, 1_700_000_000_000, wish);
        self.settle();
        opened
    }

    fn wire(&self, session: &HttpSession) -> TransportId {
        let (room, key) = self.rooms.resources[&session.resource];
        self.rooms.rooms[&room].sessions[&key].primary()
    }
}

/// Identities of `a=msid` in the answer's sections of a kind, in order; `-` where nothing is sent.
fn senders(world: &World, answer: &str, kind: &str) -> Vec<String> {
    let room = world.rooms.rooms.values().next().unwrap();
    let sections = answer.split("m=").filter(|section| section.starts_with(kind));
    sections
        .map(|section| {
            let sid = section.split("a=msid:").nth(1).and_then(|rest| rest.split('|').next());
            let session = room.sessions.values().find(|s| Some(s.info.sid.as_str()) == sid);
            assert_eq!(session.is_some(), section.contains("a=sendonly"));
            session.map_or("-".into(), |s| s.info.identity.clone())
        })
        .collect()
}

#[test]
fn an_encoder_is_in_the_roster_with_its_tracks_until_its_wire_is_gone() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.heard(ana);
    let cam = world.whip("cam");
    let heard = world.heard(ana);
    let update = &find!(heard, Update)[0].participants[0];
    assert_eq!((update.identity.as_str(), update.is_publisher, update.state()), ("cam", true, State::Joined));
    let sources: Vec<_> = update.tracks.iter().map(|t| (t.source(), t.simulcast)).collect();
    assert_eq!(sources, [(proto::TrackSource::Camera, true), (proto::TrackSource::Microphone, false)]);
    assert_eq!(find!(heard, MediaSectionsRequirement).len(), 1);
    world.ask(ana, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    assert_eq!(find!(world.heard(ana), Answer)[0].mid_to_track_id.len(), 2);

    let transport = world.wire(&cam);
    world.event(Event::Connected { transport });
    assert_eq!(find!(world.heard(ana), Update)[0].participants[0].state(), State::Active);
    // Nothing but its wire keeps it, and nothing else ends it.
    world.wait(Duration::from_secs(3600));
    assert!(world.heard(ana).is_empty());
    world.event(Event::Disconnected { transport, reason: WireReason::Timeout });
    assert_eq!(find!(world.heard(ana), Update)[0].participants[0].state(), State::Disconnected);
    assert!(world.rooms.resources.is_empty() && world.rooms.transports.len() == 1);
}

#[test]
fn simulcast_layers_are_told_apart_by_quality() {
    let mut world = World::new();
    world.whip("cam");
    let publication = world.rooms.rooms.values().next().unwrap().publications.values().next().unwrap().clone();
    let layers: Vec<_> = publication.info.layers.iter().map(|l| (l.rid.as_str(), l.quality)).collect();
    assert_eq!(layers, [("q", 0), ("h", 1), ("f", 2)]);
    let params = world.commands().into_iter().find_map(|c| match c {
        Command::Publish { params, .. } if params.layers.len() > 1 => Some(params),
        _ => None,
    });
    let rids: Vec<String> = params.unwrap().layers.iter().map(|l| l.rid.unwrap().to_string()).collect();
    assert_eq!(rids, ["q", "h", "f"]);
}

#[test]
fn a_player_gets_whom_it_names_in_that_order_and_nobody_sees_it() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    let cams: Vec<_> = ["a", "b", "c"].map(|who| world.whip(who)).into();
    world.heard(ana);
    world.commands();
    let tv = world.whep("tv", &["c", "a"], CHROMIUM_JOIN).unwrap();
    assert!(find!(world.heard(ana), Update).is_empty());
    for kind in ["audio", "video"] {
        assert_eq!(senders(&world, &tv.answer, kind), ["c", "a", "-"]);
    }
    let all = world.whep("all", &[], CHROMIUM_JOIN).unwrap();
    assert_eq!(senders(&world, &all.answer, "video"), ["a", "b", "c"]);
    // Picture and sound of one publisher are one stream, so that they play in sync.
    assert_eq!(tv.answer.lines().filter(|l| l.starts_with("a=msid:") && l.contains("|camera ")).count(), 4);

    // What ends rests: its sections stay as they are, the session goes on.
    world.commands();
    let transport = world.wire(&cams[0]);
    world.event(Event::Disconnected { transport, reason: WireReason::Closed });
    let ended = world.commands().iter().filter(|c| matches!(c, Command::Unsubscribe { .. })).count();
    assert_eq!(ended, 4, "two tracks for each of two players");
    world.whip("a");
    assert!(!world.commands().iter().any(|c| matches!(c, Command::Subscribe { .. })));
    let (dialect, claims) = (Dialect::Whep, wish("tv", Dialect::Whep).claims);
    assert_eq!(world.rooms.end(world.now, dialect, &tv.resource, &claims), Ok(()));
    world.settle();
    assert!(find!(world.heard(ana), Update).iter().all(|u| u.participants[0].identity == "a"));
}

#[test]
fn sections_that_run_short_leave_the_last_tracks_out() {
    let mut world = World::new();
    for who in ["a", "b", "c", "d"] {
        world.whip(who);
    }
    let tv = world.whep("tv", &[], CHROMIUM_JOIN).unwrap();
    assert_eq!(senders(&world, &tv.answer, "video"), ["a", "b", "c"]);
    let (room, key) = world.rooms.resources[&tv.resource];
    assert_eq!(world.rooms.rooms[&room].sessions[&key].subscriptions.len(), 6);
}

#[test]
fn a_player_without_anything_to_watch_is_told_and_nothing_changes() {
    let mut world = World::new();
    assert!(matches!(world.whep("tv", &[], CHROMIUM_JOIN), Err(Refusal::NothingToWatch(_))));
    assert!(world.rooms.rooms.is_empty(), "no room is made for it");
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.whip("cam");
    for (who, watch) in [("tv", vec!["ana"]), ("tv", vec!["cam", "ghost"]), ("cam", vec![]), ("cam", vec!["cam"])] {
        assert!(matches!(world.whep(who, &watch, CHROMIUM_JOIN), Err(Refusal::NothingToWatch(_))), "{who} {watch:?}");
    }
    let silent = CHROMIUM_JOIN.replace(" VP8/90000", " X/90000").replace("opus/48000", "x/48000");
    assert!(matches!(world.whep("tv", &["cam"], &silent), Err(Refusal::UnusableOffer(_))));
    world.publish(ana);
    let sids = Request::SubscriptionPermission(proto::SubscriptionPermission::default());
    world.ask(ana, sids);
    assert!(matches!(world.whep("tv", &["ana"], CHROMIUM_JOIN), Err(Refusal::NothingToWatch(_))), "she permits nobody");
    assert_eq!(world.rooms.resources.len(), 1);
}

#[test]
fn the_same_identity_takes_over_from_one_dialect_to_the_other() {
    let mut world = World::new();
    let first = world.join("ana", CHROMIUM_JOIN);
    world.heard(first);
    let second = world.whip("ana");
    assert_eq!(find!(world.heard(first), Leave)[0].reason(), DisconnectReason::DuplicateIdentity);
    world.whip("ana");
    assert!(!world.rooms.resources.contains_key(&second.resource));
    world.join("ana", CHROMIUM_JOIN);
    assert!(world.rooms.resources.is_empty());
    assert_eq!(world.rooms.count(), (1, 1));
}

#[test]
fn nothing_is_left_of_encoders_and_players() {
    let mut world = World::new();
    let cam = world.whip("cam");
    let tv = world.whep("tv", &[], CHROMIUM_JOIN).unwrap();
    for (dialect, who, session) in [(Dialect::Whep, "tv", tv), (Dialect::Whip, "cam", cam)] {
        let claims = wish(who, dialect).claims;
        assert_eq!(world.rooms.end(world.now, dialect, &session.resource, &claims), Ok(()));
        assert_eq!(world.rooms.end(world.now, dialect, &session.resource, &claims), Err(Refusal::NoSession));
    }
    world.wait(Duration::from_secs(61));
    assert!(world.rooms.rooms.is_empty() && world.rooms.names.is_empty());
    assert!(world.rooms.resources.is_empty() && world.rooms.transports.is_empty());
}
