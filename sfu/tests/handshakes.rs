//! A join storm takes its turns: each turn of the worker works off a few datagrams of handshakes, however many wait, and
//! everybody gets in.

mod client;
mod plane;

use plane::Plane;
use ramai_sfu::Batch;
use ramai_sfu::api::{Command, Datagram};
use std::collections::BTreeSet;

/// Who come at once.
const STORM: usize = 40;
/// Peers whose handshake one turn may carry on.
const PER_TURN: usize = 4;

/// A datagram that begins with a handshake message or ChangeCipherSpec.
fn is_handshake(datagram: &[u8]) -> bool {
    matches!(datagram.first(), Some(20 | 22))
}

/// Lets a millisecond pass.
fn pass(plane: &mut Plane) {
    plane.now += std::time::Duration::from_millis(1);
    let now = plane.now;
    plane.members.iter_mut().for_each(|m| m.client.handle_timeout(now));
}

/// Runs until more handshakes wait than one turn works off.
fn storm(plane: &mut Plane) {
    while hear(plane) <= 2 * PER_TURN {
        turn(plane);
        pass(plane);
    }
}

/// Gives the worker all that clients have to say; returns how many datagrams of DTLS that were.
fn hear(plane: &mut Plane) -> usize {
    let mut handshakes = 0;
    for member in &mut plane.members {
        let path = member.client.path();
        for mut payload in member.client.transmits(plane.now) {
            handshakes += usize::from(is_handshake(&payload));
            plane.worker.handle_datagram(plane.now, Datagram { path, came: plane.now, payload: &mut payload });
        }
    }
    handshakes
}

/// One turn of the worker; returns how many peers it answered with DTLS.
fn turn(plane: &mut Plane) -> usize {
    let mut batch = Batch::default();
    plane.worker.handle_timeout(plane.now);
    plane.worker.flush(plane.now, &mut batch);
    let mut answered = BTreeSet::new();
    for (path, datagram) in batch.datagrams() {
        if is_handshake(datagram) {
            answered.insert(path.remote);
        }
        // Those who left get a farewell; nobody is there to hear it.
        if let Some(member) = plane.members.iter_mut().find(|m| m.client.address == path.remote) {
            member.client.handle(plane.now, datagram);
        }
    }
    answered.len()
}

#[test]
fn each_turn_works_off_a_few_handshakes_and_all_get_in() {
    let mut plane = Plane::new(STORM);
    let (mut most_asked, mut turns) = (0, 0);
    while !plane.members.iter().all(|m| m.client.is_connected()) {
        most_asked = most_asked.max(hear(&mut plane));
        let answered = turn(&mut plane);
        assert!(answered <= PER_TURN, "{answered} handshakes in one turn");
        turns += 1;
        assert!(turns < 100 * STORM, "not everybody got in");
        if answered == 0 && plane.worker.poll_timeout().is_none_or(|at| at > plane.now) {
            pass(&mut plane);
        }
    }
    assert!(most_asked > PER_TURN, "a storm of {most_asked} datagrams at once would be none");
    assert_eq!(plane.worker.counters().handshakes_dropped, 0);
}

#[test]
fn the_worker_wants_another_turn_while_handshakes_wait() {
    let mut plane = Plane::new(STORM);
    storm(&mut plane);
    turn(&mut plane);
    assert!(plane.worker.poll_timeout().is_some_and(|at| at <= plane.now));
}

#[test]
fn who_leaves_while_waiting_holds_up_nobody() {
    let mut plane = Plane::new(STORM);
    storm(&mut plane);
    for member in plane.members.drain(..STORM / 2) {
        plane.worker.handle_command(plane.now, Command::CloseTransport { transport: member.transport });
    }
    for _ in 0..100 * STORM {
        hear(&mut plane);
        turn(&mut plane);
        pass(&mut plane);
    }
    assert!(plane.members.iter().all(|m| m.client.is_connected()));
}
