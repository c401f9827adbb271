//! Recorded levels of meetings, played in virtual time: who has the floor, and how soon everybody is heard.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod trace;

use std::time::Duration;
use trace::{Played, Trace, play};

/// A new speaker has the floor within so long.
const SWITCH: Duration = Duration::from_millis(600);
/// What is let through from before the packet that is loud enough.
const PRE_ROLL: Duration = Duration::from_millis(60);

/// Checks that the floor was at these people in turn, and at nobody else, not even for a moment.
fn assert_floor(played: &Played, turns: &[&str]) {
    let floor: Vec<&str> = played.floor.iter().map(|(_, who)| who.as_str()).collect();
    assert_eq!(floor, turns, "{:?}", played.floor);
}

#[test]
fn the_floor_goes_from_speaker_to_speaker_and_no_cough_or_keyboard_takes_it() {
    let trace = Trace::read("turns");
    let played = play(&trace, 5);
    assert_floor(&played, &["ana", "ben", "dee", "ana"]);
    for (turn, (at, who)) in trace.turns().zip(&played.floor) {
        assert_eq!(turn.who, *who);
        let late = *at - turn.begin;
        assert!(late <= SWITCH, "{who} had the floor {late:?} after having begun to speak");
    }
}

#[test]
fn who_interrupts_gets_the_floor_when_the_other_gives_way_and_a_word_of_agreement_takes_nothing() {
    let trace = Trace::read("overlap");
    let played = play(&trace, 5);
    assert_floor(&played, &["ana", "ben"]);
    let (at, _) = played.floor[1];
    let (began, gave_way) = (Duration::from_secs(8), Duration::from_secs(11));
    assert!(at > began && at <= gave_way + SWITCH, "{at:?}");
}

#[test]
fn a_fan_and_a_keyboard_never_have_the_floor_while_somebody_speaks_softly() {
    let trace = Trace::read("fan");
    let played = play(&trace, 5);
    assert_floor(&played, &["ana"]);
    let late = played.floor[0].0 - trace.turns().next().unwrap().begin;
    assert!(late <= SWITCH, "{late:?}");
}

#[test]
fn with_fewer_seats_than_people_nobody_loses_a_syllable() {
    for (name, seats) in [("turns", 3), ("overlap", 2), ("fan", 2)] {
        let trace = Trace::read(name);
        let played = play(&trace, seats);
        for turn in trace.turns() {
            let (first, unheard) = (played.first_heard(turn), played.unheard(turn));
            // What is right before goes along.
            assert!(first <= PRE_ROLL, "{name}: {} is heard {first:?} late", turn.who);
            assert!(unheard <= PRE_ROLL, "{name}: {unheard:?} of {}'s turn at {:?}", turn.who, turn.begin);
        }
    }
}
