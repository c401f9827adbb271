//! Stories of who leaves, is cut off, and comes back.

use super::*;

#[test]
fn a_closed_tab_is_gone_at_once_and_a_cut_one_can_resume() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    let sid = find!(world.heard(ben), Join)[0].participant.clone().unwrap().sid;
    world.up(ben);
    world.heard(ana);
    world.rooms.handle_closed(world.now, ben, Closing::Cut);
    world.wait(Duration::from_secs(10));
    assert!(world.heard(ana).is_empty(), "still there for others");
    let back = world.connect(Join { resume: Some(sid.clone()), ..wish("ben", Dialect::Single) });
    assert!(matches!(world.heard(back).as_slice(), [Notice::Reconnect(_), Notice::Update(_), Notice::RoomUpdate(_)]));
    world.wait(Duration::from_secs(30));
    assert!(world.heard(ana).is_empty());

    world.commands();
    let restarted = CHROMIUM_JOIN.replace("a=ice-ufrag:", "a=ice-ufrag:new");
    world.ask(back, Request::Offer(sdp("offer", &restarted, 2)));
    let commands = world.commands();
    assert!(commands.iter().any(|c| matches!(c, Command::UpdateTransport { ice: Some(_), .. })), "{commands:?}");

    world.rooms.handle_closed(world.now, back, Closing::GoingAway);
    world.settle();
    let gone = find!(world.heard(ana), Update).remove(0);
    assert_eq!((gone.participants[0].state(), &gone.participants[0].sid), (State::Disconnected, &sid));
}

#[test]
fn a_cut_one_that_does_not_return_is_gone_in_time() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.up(ben);
    world.heard(ana);
    world.rooms.handle_closed(world.now, ben, Closing::Cut);
    world.wait(Duration::from_secs(16));
    assert_eq!(find!(world.heard(ana), Update)[0].participants[0].state(), State::Disconnected);
    assert!(world.commands().iter().any(|c| matches!(c, Command::CloseTransport { .. })));
    let back = world.connect(Join { resume: Some("PA_gone".into()), ..wish("ben", Dialect::Single) });
    let leave = find!(world.heard(back), Leave).remove(0);
    assert_eq!((leave.reason(), leave.action()), (DisconnectReason::StateMismatch, Action::Reconnect));
}

#[test]
fn who_loses_the_wire_is_told_to_start_anew() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.up(ben);
    world.heard(ana);
    world.heard(ben);
    let transport = world.wire_of(ben);
    world.commands();
    world.event(Event::Disconnected { transport, reason: WireReason::Timeout });
    assert_eq!(find!(world.heard(ben), Leave)[0].action(), Action::Reconnect);
    assert_eq!(find!(world.heard(ana), Update)[0].participants[0].state(), State::Disconnected);
    assert!(world.commands().is_empty(), "the wire is gone already");
}

#[test]
fn at_shutdown_everybody_is_told_to_come_back() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.heard(ana);
    world.rooms.shutdown(world.now);
    world.settle();
    let leave = find!(world.heard(ana), Leave).remove(0);
    assert_eq!((leave.reason(), leave.action()), (DisconnectReason::ServerShutdown, Action::Reconnect));
    assert_eq!(world.closed, [ana]);
    assert_eq!(world.rooms.check(world.now, &wish("ana", Dialect::Single).claims), Err(Refusal::ShuttingDown));
}

#[test]
fn nothing_is_left_of_those_who_left() {
    let mut world = World::new();
    let conns: Vec<_> = (0..5).map(|n| world.join(&format!("p{n}"), CHROMIUM_JOIN)).collect();
    for conn in &conns {
        world.publish(*conn);
    }
    for conn in conns {
        world.ask(conn, Request::Leave(proto::LeaveRequest::default()));
    }
    world.wait(Duration::from_secs(61));
    assert!(world.rooms.rooms.is_empty() && world.rooms.names.is_empty());
    assert!(world.rooms.conns.is_empty() && world.rooms.transports.is_empty());
    assert!(world.places.is_empty());
}
