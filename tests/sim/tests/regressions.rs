//! Seeds that once showed something wrong, by name. `ramai-sim --row … --seed …` tells the whole story of one.

#![allow(clippy::expect_used, reason = "a test that can't go on has failed")]

use ramai_sim::rows;

/// Runs one seed of a row; nothing that must never be may have been.
fn seed(row: &str, seed: u64) -> Vec<f64> {
    let row = rows::all().into_iter().find(|r| r.id == row).expect("there is such a row");
    let outcome = (row.run)(seed);
    let words: Vec<_> = outcome.violations.iter().map(|v| format!("{:?} {}", v.at, v.what)).collect();
    assert_eq!(outcome.violation_count, 0, "{words:#?}");
    outcome.values
}

/// A publisher's uplink held packets back for over a second; a layer switch then took arrival for truth, and lips were 1.4 s off.
#[test]
fn a_full_uplink_keeps_lips_in_step_over_layer_switches() {
    seed("rough", 24);
}

/// A layer's key frame came by retransmission, 0.8 s after newer pictures of the layer below: the viewer was taken back in time.
#[test]
fn a_key_frame_from_the_past_is_not_switched_to() {
    seed("rough", 278);
}

/// The second repeat of a packet was refused for having come a little early, and the third came too late.
#[test]
fn a_packet_whose_repeat_was_lost_comes_before_the_picture_stands_still() {
    let freeze = seed("loss", 1)[0];
    assert!(freeze < 0.3, "{freeze}");
}

/// What a full queue dropped was taken for a lossy line: audio was sent five times over, and the queue stood for a second longer.
#[test]
fn a_queue_that_overflowed_drains() {
    let queue = seed("drop", 19)[1];
    assert!(queue < 0.25, "{queue}");
}

/// What was taken back from a queue was followed by a hole that nobody could fill: a packet had come late and wasn't sent, the segment was
/// another, or a whole segment was taken back.
#[test]
fn what_is_taken_back_leaves_no_hole() {
    for number in [37, 95, 258, 295] {
        seed("rough", number);
    }
}

/// The layer before a pause of 17 s had had no sender report yet, the one before that had: lips were 0.8 s off.
#[test]
fn a_clock_that_was_known_once_is_known_after_a_pause() {
    seed("rough", 116);
}

/// A burst filled the queue before its feedback could come, and the key frame of the smaller picture was dropped at its end: the picture stood
/// still for 1.7 s.
#[test]
fn a_burst_into_a_line_that_shrinks_does_not_drop_what_follows() {
    let freeze = seed("burst", 148)[2];
    assert!(freeze < 1.0, "{freeze}");
}

/// Reports of five seconds told of what a queue had dropped when it was gone already: four voices were sent five times over, which is more than the
/// line took, and nobody was heard again.
#[test]
fn voices_are_not_drowned_by_what_is_to_make_them_safer() {
    let heard = seed("voices", 310)[0];
    assert!(heard > 0.99, "{heard}");
}

/// Of two equals with one large picture between them now one had it and now the other, and four larger pictures began with four key frames at once:
/// who joined saw nothing new for 1.3 s.
#[test]
fn who_joins_four_cameras_sees_them_move() {
    for number in [67, 142, 226] {
        let gap = seed("beginning", number)[0];
        assert!(gap < 0.3, "{number}: {gap}");
    }
}

/// The head of a key frame with which a publisher gave up its upper spatial layers came late, and was sent though what came behind it had been left
/// out.
#[test]
fn a_late_key_frame_with_fewer_layers_is_not_sent_without_its_end() {
    seed("rough", 387);
}

/// Who was shown the lowest spatial layer and then all of them got repeats of the upper ones from before, amid which packets had been left out.
#[test]
fn what_was_not_shown_is_not_repeated_when_it_is_shown_later() {
    seed("rough", 744);
}

/// A second of an uplink came late, and the rest of a picture that is left out after many others: it was counted twice.
#[test]
fn a_picture_that_is_left_out_counts_once() {
    seed("rough", 1210);
}
