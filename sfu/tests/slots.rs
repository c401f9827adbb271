//! A large room hears through speaker slots: few streams into which the loudest are put, one after the other.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod house;
mod meeting;

use house::ROOM;
use meeting::{FRAME, Meeting, NOISE, TALK, assert_gapless, track, who};
use ramai_sfu::Sizes;
use ramai_sfu::api::{Command, Event};
use std::collections::BTreeSet;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// Nine people on these workers who hear each other through three slots.
fn nine(workers: &[usize; 9]) -> Meeting {
    let mut meeting = Meeting::without_subscriptions(workers);
    meeting.open_slots(0, 3);
    meeting.talk(2 * SECOND, &[]);
    (0..9).for_each(|listener| drop(meeting.heard(listener)));
    meeting
}

/// Everybody takes a turn of two seconds, and for a part of it two talk at once; checks what each hears of it.
fn everybody_is_heard(meeting: &mut Meeting) {
    for talker in 0..9 {
        let first = meeting.next(talker);
        meeting.talk(SECOND, &[talker]);
        meeting.talk(SECOND, &[talker, (talker + 1) % 9]);
        for listener in 0..9 {
            let heard = meeting.heard(listener);
            assert_gapless(&heard);
            assert!(heard.iter().all(|packet| packet.who != listener), "{listener} hears itself");
            let sent: Vec<u16> =
                heard.iter().filter(|p| p.who == talker && p.sent >= first).map(|packet| packet.sent).collect();
            if listener != talker {
                assert_eq!(sent, (first..first + 100).collect::<Vec<_>>(), "{listener} hears {talker}");
            }
            let streams: BTreeSet<usize> = heard.iter().map(|packet| packet.stream).collect();
            assert!(streams.iter().all(|stream| *stream < 3), "{streams:?}");
        }
    }
}

#[test]
fn everybody_is_heard_in_turn_on_three_streams_and_nobody_hears_itself() {
    let mut meeting = nine(&[0; 9]);
    everybody_is_heard(&mut meeting);
    let counters = meeting.house.workers[0].counters();
    assert!(counters.slot_switches >= 9, "{}", counters.slot_switches);
}

#[test]
fn the_same_over_three_workers_of_which_one_has_the_slots() {
    let mut meeting = nine(&[1, 0, 2, 1, 0, 2, 1, 0, 2]);
    everybody_is_heard(&mut meeting);
    let stale: u64 = meeting.house.workers.iter().map(|worker| worker.counters().stale_envelopes).sum();
    assert_eq!(stale, 0);
}

#[test]
fn each_stream_goes_on_without_a_gap_over_many_speakers() {
    let mut meeting = nine(&[0, 0, 0, 0, 1, 1, 1, 1, 1]);
    for turn in 0..12 {
        meeting.talk(Duration::from_millis(700), &[turn % 9, (turn + 4) % 9, (turn + 7) % 9]);
    }
    for listener in 0..9 {
        let heard = meeting.heard(listener);
        assert_gapless(&heard);
        assert!(heard.iter().map(|packet| packet.who).collect::<BTreeSet<_>>().len() >= 7, "{listener}");
    }
}

#[test]
fn the_slots_home_tells_who_speaks_and_who_is_in_which_slot() {
    let mut meeting = nine(&[0, 1, 1, 1, 1, 1, 1, 1, 1]);
    meeting.events();
    meeting.talk(2 * SECOND, &[7]);
    let events = meeting.events();
    let told = events.iter().filter_map(|event| match event {
        Event::Slots { speakers, .. } => Some(speakers.clone()),
        _ => None,
    });
    let last = told.last().unwrap();
    assert!(last.len() == 3 && last.contains(&Some(track(7))), "{last:?}");
    let heard: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Speakers { speakers, dominant, .. } => {
                Some((speakers.iter().map(|s| who(s.track)).collect::<Vec<_>>(), dominant.map(who)))
            }
            _ => None,
        })
        .collect();
    assert_eq!(heard.last(), Some(&(vec![7], Some(7))), "and the speaker's own worker says nothing: {heard:?}");
    assert!(heard.iter().all(|(speakers, _)| *speakers == [7]), "{heard:?}");
}

#[test]
fn the_sound_of_a_screen_goes_beside_the_slots_and_never_into_one() {
    let mut meeting = Meeting::without_subscriptions_of(&[0, 1, 0, 1, 0], Some(4));
    meeting.open_slots(0, 3);
    // Streams 0, 1 and 2 are the slots.
    for listener in [0, 1] {
        meeting.subscribe(listener, 4);
    }
    meeting.sounds(SECOND, |who| Some(if who == 4 { NOISE } else { TALK }));
    for listener in [0, 1] {
        let heard = meeting.heard(listener);
        assert_gapless(&heard);
        let film: Vec<_> = heard.iter().filter(|packet| packet.who == 4).map(|p| (p.stream, p.sent)).collect();
        assert_eq!(film, (1000..1050).map(|sent| (4, sent)).collect::<Vec<_>>(), "what {listener} hears of the film");
    }
    // Also where it is louder than all who talk.
    meeting.sounds(SECOND, |who| Some(if who == 4 { 5 } else { TALK }));
    assert!(meeting.heard(2).iter().all(|packet| packet.who != 4), "who isn't subscribed to it hears none of it");
}

#[test]
fn a_thousand_packets_of_silence_cross_to_nobody() {
    let mut meeting = nine(&[0, 0, 0, 0, 0, 1, 1, 1, 1]);
    meeting.talk(FRAME * 100, &[1, 2, 6]);
    let forwarded = |meeting: &Meeting| meeting.house.workers.iter().map(|w| w.counters().forwarded).sum::<u64>();
    let before = forwarded(&meeting);
    meeting.talk(FRAME * 100, &[1, 2, 6]);
    assert_eq!(forwarded(&meeting) - before, 3 * 8 * 100, "three voices, each to all but its owner");
}

#[test]
fn when_slots_are_closed_nothing_is_left_of_them() {
    let mut meeting = nine(&[0, 0, 0, 0, 0, 1, 1, 1, 1]);
    meeting.sounds(SECOND, |_| Some(TALK));
    for guest in 0..9 {
        let (transport, worker) = (meeting.house.guests[guest].transport, meeting.house.guests[guest].worker);
        meeting.house.command(worker, Command::CloseTransport { transport });
    }
    for worker in 0..2 {
        assert_eq!(meeting.house.workers[worker].sizes().rooms, 1, "the slots keep it");
        meeting.house.command(worker, Command::CloseSlots { room: ROOM });
    }
    (0..3).for_each(|slot| meeting.house.command(1, Command::Unpublish { track: meeting::slot(slot) }));
    meeting.house.pass(20 * SECOND);
    for worker in &meeting.house.workers {
        assert_eq!(
            (worker.sizes(), worker.poll_timeout(), worker.counters().stale_commands),
            (Sizes::default(), None, 0)
        );
    }
}
