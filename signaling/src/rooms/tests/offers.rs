//! Stories of what is negotiated, and of who offers.

use super::*;

#[test]
fn a_new_track_brings_another_offer_about_and_sections_are_used_again() {
    let mut world = World::new();
    let (ana, ben) = (world.join("ana", CHROMIUM_JOIN), world.join("ben", CHROMIUM_JOIN));
    world.publish(ana);
    let heard = world.heard(ben);
    // The spare sections suffice, so no more are asked for; and one request serves both tracks.
    let asked = find!(heard, MediaSectionsRequirement);
    assert_eq!(asked, [proto::MediaSectionsRequirement { num_audios: 0, num_videos: 0 }]);
    assert!(find!(heard, Update).iter().any(|u| u.participants[0].tracks.len() == 2));
    world.ask(ben, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    let answer = find!(world.heard(ben), Answer).remove(0);
    assert_eq!(answer.mid_to_track_id.len(), 2);
    world.commands();

    // The camera goes: its section is answered inactive once, then it may carry another track.
    let without = CHROMIUM_PUBLISH.replace("a=mid:7\r\n", "a=mid:7\r\na=was-seven\r\n");
    let at = without.find("a=was-seven").unwrap();
    let (head, tail) = without.split_at(at);
    world.ask(ana, Request::Offer(sdp("offer", &format!("{head}{}", tail.replacen("a=sendonly", "a=inactive", 1)), 3)));
    let commands = world.commands();
    assert!(commands.iter().any(|c| matches!(c, Command::Unsubscribe { .. })));
    assert!(commands.iter().any(|c| matches!(c, Command::Unpublish { .. })));
    assert_eq!(find!(world.heard(ben), MediaSectionsRequirement).len(), 1);
    world.ask(ben, Request::Offer(sdp("offer", CHROMIUM_JOIN, 3)));
    let heard = world.heard(ben);
    assert_eq!(find!(heard, Answer)[0].mid_to_track_id.len(), 1);
    assert!(find!(heard, MediaSectionsRequirement).is_empty());
}

#[test]
fn when_sections_run_short_just_the_missing_ones_are_asked_for_once() {
    let mut world = World::new();
    let watcher = world.join("watcher", CHROMIUM_JOIN);
    for n in 0..5 {
        let conn = world.join(&format!("p{n}"), CHROMIUM_JOIN);
        world.publish(conn);
    }
    world.heard(watcher);
    // The first request was for the first publisher; the offer that follows it shows what lacks.
    world.ask(watcher, Request::Offer(sdp("offer", CHROMIUM_JOIN, 2)));
    let heard = world.heard(watcher);
    assert_eq!(find!(heard, Answer)[0].mid_to_track_id.len(), 6);
    let lacking = proto::MediaSectionsRequirement { num_audios: 2, num_videos: 2 };
    assert_eq!(find!(heard, MediaSectionsRequirement), [lacking]);
    // An offer that crossed the request doesn't double it; only much later it's said again.
    world.ask(watcher, Request::Offer(sdp("offer", CHROMIUM_JOIN, 3)));
    assert!(find!(world.heard(watcher), MediaSectionsRequirement).is_empty());
    world.wait(Duration::from_secs(6));
    assert_eq!(find!(world.heard(watcher), MediaSectionsRequirement), [lacking]);
}

#[test]
fn firefox_offers_after_the_join_and_is_not_asked_before() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let fox = world.connect(wish("fox", Dialect::Single));
    let heard = world.heard(fox);
    assert!(matches!(heard.as_slice(), [Notice::Join(_)]), "{heard:?}");
    world.ask(fox, Request::Offer(sdp("offer", FIREFOX_JOIN, 1)));
    let answer = find!(world.heard(fox), Answer).remove(0);
    assert_eq!(answer.mid_to_track_id.len(), 2);
    assert!(answer.sdp.contains("a=rtpmap:120 VP8/90000"), "Firefox's own numbers");
}

#[test]
fn over_two_connections_we_offer_one_at_a_time() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    let old = world.connect(wish("old", Dialect::Dual));
    let heard = world.heard(old);
    let [Notice::Join(join), Notice::Offer(offer)] = heard.as_slice() else { panic!("{heard:?}") };
    assert!(join.subscriber_primary);
    assert!(offer.id == 1 && offer.sdp.contains("webrtc-datachannel"));
    world.publish(ana);
    assert!(find!(world.heard(old), Offer).is_empty(), "the first isn't answered yet");
    world.commands();
    let first = DUAL_ANSWER.split("m=video").next().unwrap().replace("BUNDLE 0 1 2", "BUNDLE 0");
    world.ask(old, Request::Answer(sdp("answer", &first, 1)));
    let commands = world.commands();
    let Some(Command::AttachTransport { params, .. }) = commands.first() else { panic!("{commands:?}") };
    assert_eq!(params.open_channels, [DataChannel::Reliable, DataChannel::Lossy]);
    let offer = find!(world.heard(old), Offer).remove(0);
    assert_eq!((offer.id, offer.mid_to_track_id.len()), (2, 2));
    world.ask(old, Request::Answer(sdp("answer", DUAL_ANSWER, 1)));
    assert!(world.commands().is_empty(), "an answer to the old offer says nothing");
    world.ask(old, Request::Answer(sdp("answer", DUAL_ANSWER, 2)));
    let subscribed = world.commands().iter().filter(|c| matches!(c, Command::Subscribe { .. })).count();
    assert_eq!(subscribed, 2);
}

#[test]
fn bad_sdp_is_answered_with_the_reason() {
    let mut world = World::new();
    let bad = world.join("bad", &CHROMIUM_JOIN.replace("a=fingerprint", "a=finger"));
    let heard = world.heard(bad);
    assert!(find!(heard, RequestResponse)[0].message.contains("fingerprint"));
    assert_eq!(find!(heard, Leave)[0].reason(), DisconnectReason::JoinFailure);
    // In a running call it costs only the change.
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.heard(ana);
    world.ask(ana, Request::Offer(sdp("offer", "v=0 nonsense", 2)));
    let heard = world.heard(ana);
    assert_eq!(find!(heard, RequestResponse).len(), 1);
    assert!(find!(heard, Leave).is_empty());
}
