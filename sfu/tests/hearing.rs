//! Who is heard in a meeting: the loudest few, from their first sound on, and everybody's stream without a gap.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod client;
mod house;
mod meeting;

use meeting::{FRAME, Meeting, NOISE, TALK, assert_gapless, track, who};
use ramai_sfu::api::{Command, Event};
use std::collections::BTreeSet;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn in_a_small_meeting_everybody_is_heard_silence_and_all() {
    let mut meeting = Meeting::new(&[0; 5]);
    meeting.talk(SECOND, &[1]);
    let heard = meeting.heard(0);
    assert_eq!(heard.len(), 4 * 50);
    assert_gapless(&heard);
}

#[test]
fn in_a_larger_one_five_are_heard_and_who_speaks_up_is_among_them_from_the_first_sound_on() {
    let mut meeting = Meeting::new(&[0; 8]);
    meeting.talk(3 * SECOND, &[]);
    assert_eq!(meeting.voices(7), [0, 1, 2, 3, 4], "who came first");
    let first = meeting.next(6);
    meeting.talk(SECOND, &[6]);
    let heard = meeting.heard(7);
    let sixth: Vec<u16> = heard.iter().filter(|packet| packet.who == 6).map(|packet| packet.sent).collect();
    assert_eq!(sixth, (first - 3..first + 50).collect::<Vec<_>>(), "and the 60 ms before it");
    let gated: u64 = meeting.house.workers.iter().map(|worker| worker.counters().gated).sum();
    assert_eq!(gated, 3 * 200 - 1, "three of eight in each round, but for the one in which the seat changed hands");
    assert_gapless(&heard);
}

#[test]
fn who_was_held_back_goes_on_without_a_gap() {
    let mut meeting = Meeting::new(&[0; 7]);
    for turn in 0..6 {
        // In turns of two seconds, over more people than there are seats.
        meeting.talk(2 * SECOND, &[turn % 6, (turn + 3) % 6]);
    }
    meeting.talk(2 * SECOND, &[0]);
    let heard = meeting.heard(6);
    assert_gapless(&heard);
    assert!(heard.iter().filter(|packet| packet.who == 0).count() > 200);
}

#[test]
fn who_has_no_levels_is_always_heard() {
    let mut meeting = Meeting::new(&[0; 8]);
    for _ in 0..50 {
        (0..7).for_each(|who| meeting.send(who, Some(TALK)));
        meeting.send(7, None);
        meeting.house.pass(FRAME);
    }
    assert_eq!(meeting.voices(0).len(), 5, "four beside oneself, and the one without");
    meeting.heard(1);
    meeting.send(7, None);
    assert_eq!(meeting.voices(1), [7]);
}

/// Seven talk on two workers while the eighth shows a film whose sound is as soft as a quiet room.
#[test]
fn the_sound_of_a_screen_is_heard_however_soft_it_is_and_takes_no_seat() {
    let mut meeting = Meeting::with_screen_sound(&[0, 0, 0, 0, 1, 1, 1, 1], 7);
    meeting.talk(SECOND, &[0, 1, 2, 3, 4, 5, 6]);
    for listener in [0, 4] {
        let heard = meeting.heard(listener);
        assert_gapless(&heard);
        let film: Vec<u16> = heard.iter().filter(|packet| packet.who == 7).map(|packet| packet.sent).collect();
        assert_eq!(film, (1000..1050).collect::<Vec<_>>(), "{listener} misses some of the film's sound");
    }
    meeting.talk(SECOND, &[0, 1, 2, 3, 4, 5, 6]);
    let heard = meeting.heard(7);
    let voices: BTreeSet<usize> = heard.iter().map(|packet| packet.who).collect();
    assert!(voices.len() >= 5, "the seats are the microphones': {voices:?}");
}

#[test]
fn a_muted_microphone_leaves_its_seat_to_others() {
    let mut meeting = Meeting::new(&[0; 7]);
    meeting.talk(SECOND, &[0, 1, 2, 3, 4]);
    meeting.house.command(0, Command::MuteTrack { track: track(2), muted: true });
    meeting.heard(6);
    meeting.talk(SECOND, &[0, 1, 2, 3, 4]);
    assert_eq!(meeting.voices(6), [0, 1, 3, 4, 5]);
}

#[test]
fn over_two_workers_the_loudest_of_the_room_are_heard_and_no_others_cross() {
    let mut meeting = Meeting::new(&[0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
    meeting.talk(3 * SECOND, &[]);
    let relayed = |meeting: &Meeting| meeting.house.workers.iter().map(|w| w.counters().relayed).sum::<u64>();
    let before = relayed(&meeting);
    (0..12).for_each(|listener| drop(meeting.heard(listener)));
    let talkers = [1, 2, 7, 8, 9];
    meeting.talk(2 * SECOND, &talkers);
    for listener in 0..12 {
        let heard = meeting.heard(listener);
        assert_gapless(&heard);
        for talker in talkers.iter().filter(|talker| **talker != listener) {
            let count = heard.iter().filter(|packet| packet.who == *talker).count();
            assert!(count >= 100, "{listener} hears {count} packets of {talker}");
        }
    }
    let crossed = relayed(&meeting) - before;
    assert!(crossed <= 2 * 5 * 100 + 100, "{crossed} packets crossed: more than five voices each way");
    assert_eq!(meeting.house.workers.iter().map(|w| w.counters().stale_envelopes).sum::<u64>(), 0);
}

#[test]
fn the_floor_is_told_first_by_the_worker_of_who_has_it() {
    let mut meeting = Meeting::new(&[0, 0, 1, 1]);
    meeting.talk(SECOND, &[2]);
    // Louder, but it is only a shout.
    meeting.sounds(FRAME * 8, |who| {
        Some(if who == 2 {
            35
        } else if who == 0 {
            5
        } else {
            NOISE
        })
    });
    meeting.talk(SECOND, &[2]);
    let told: Vec<(Vec<usize>, Option<usize>)> = meeting
        .events()
        .iter()
        .filter_map(|event| match event {
            Event::Speakers { speakers, dominant, .. } => {
                Some((speakers.iter().map(|speaker| who(speaker.track)).collect(), dominant.map(who)))
            }
            _ => None,
        })
        .collect();
    assert!(told.contains(&(vec![2], Some(2))), "{told:?}");
    assert!(told.iter().all(|(_, dominant)| dominant.is_none_or(|who| who == 2)), "{told:?}");
}
