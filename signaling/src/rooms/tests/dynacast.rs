//! Stories of what publishers are told to encode.

use super::*;
use ramai_sfu::id::TrackId;

#[test]
fn what_is_shown_decides_the_layer_and_what_is_encoded() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let video = find!(world.heard(ana), TrackPublished)[0].track.clone().unwrap().sid;
    let ben = world.join("ben", CHROMIUM_JOIN);
    world.heard(ana);
    world.commands();
    let shown = |width, height, disabled| {
        let track_sids = vec![video.clone()];
        Request::TrackSetting(proto::UpdateTrackSettings { track_sids, width, height, disabled, ..Default::default() })
    };
    world.ask(ben, shown(300, 170, false));
    let commands = world.commands();
    let [Command::UpdateSubscription { settings, .. }] = commands.as_slice() else { panic!("{commands:?}") };
    assert_eq!((settings.max_spatial, settings.paused), (0, false));
    let quality = find!(world.heard(ana), SubscribedQualityUpdate).remove(0);
    let on: Vec<bool> = quality.subscribed_codecs[0].qualities.iter().map(|q| q.enabled).collect();
    assert_eq!((quality.subscribed_codecs[0].codec.as_str(), on), ("vp8", vec![true, false, false]));
    world.ask(ben, shown(300, 170, true));
    let commands = world.commands();
    assert!(matches!(commands.as_slice(), [Command::UpdateSubscription { settings, .. }] if settings.paused));
    assert!(find!(world.heard(ana), SubscribedQualityUpdate).is_empty(), "nobody watching turns nothing off");
    world.ask(ben, shown(1920, 1080, false));
    let quality = find!(world.heard(ana), SubscribedQualityUpdate).remove(0);
    assert!(quality.subscribed_qualities.iter().all(|q| q.enabled));
}

#[test]
fn a_camera_that_nobody_watches_encodes_its_lowest_layer() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let on = |updates: Vec<proto::SubscribedQualityUpdate>| -> Vec<Vec<bool>> {
        updates.iter().map(|u| u.subscribed_qualities.iter().map(|q| q.enabled).collect()).collect()
    };
    begin(&mut world);
    world.wait(Duration::from_secs(9));
    assert!(
        find!(world.heard(ana), SubscribedQualityUpdate).is_empty(),
        "it begins with all, so that it knows its line"
    );
    world.wait(Duration::from_secs(1));
    assert_eq!(on(find!(world.heard(ana), SubscribedQualityUpdate)), [[true, false, false]]);
    let ben = world.join("ben", CHROMIUM_JOIN);
    assert_eq!(on(find!(world.heard(ana), SubscribedQualityUpdate)), [[true, true, true]]);
    world.ask(ben, Request::Leave(proto::LeaveRequest::default()));
    assert_eq!(on(find!(world.heard(ana), SubscribedQualityUpdate)), [[true, false, false]]);
}

#[test]
fn a_client_that_does_not_know_its_track_yet_is_told_again_when_it_begins() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    world.join("ben", CHROMIUM_JOIN);
    assert_eq!(find!(world.heard(ana), SubscribedQualityUpdate).len(), 1);
    begin(&mut world);
    assert_eq!(find!(world.heard(ana), SubscribedQualityUpdate).len(), 1, "not for sound");
}

/// The first packet of each track that was published comes.
fn begin(world: &mut World) {
    for command in world.commands() {
        if let Command::Publish { transport, track, .. } = command {
            world.event(Event::TrackStarted { transport, track });
        }
    }
}

#[test]
fn in_a_large_room_a_camera_that_nobody_watches_is_off_until_somebody_does() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let video = find!(world.heard(ana), TrackPublished)[0].track.clone().unwrap().sid;
    let crowd: Vec<_> = (0..50).map(|n| world.join(&format!("guest-{n}"), CHROMIUM_JOIN)).collect();
    world.heard(ana);
    let shown = |disabled| {
        let track_sids = vec![video.clone()];
        Request::TrackSetting(proto::UpdateTrackSettings { track_sids, disabled, ..Default::default() })
    };
    let mut ask = |disabled, who: &[_]| {
        who.iter().for_each(|conn| world.ask(*conn, shown(disabled)));
        let updates = find!(world.heard(ana), SubscribedQualityUpdate);
        updates.iter().map(|u| u.subscribed_qualities.iter().map(|q| q.enabled).collect()).collect::<Vec<Vec<bool>>>()
    };
    assert_eq!(ask(true, &crowd), [[false, false, false]], "once the last looked away");
    assert_eq!(ask(false, &crowd[7..8]), [[true, false, false]], "as a thumbnail");
}

#[test]
fn what_has_room_on_nobodys_way_is_not_encoded_until_it_has() {
    let mut world = World::new();
    let ana = world.join("ana", CHROMIUM_JOIN);
    world.publish(ana);
    let watch = |world: &mut World, name| {
        world.commands();
        let conn = world.join(name, CHROMIUM_JOIN);
        let subscribed = world.commands().into_iter().find_map(|c| match c {
            Command::Subscribe { transport, track, subscription, params, .. } if params.rtx_ssrc.is_some() => {
                Some((transport, track, subscription))
            }
            _ => None,
        });
        (conn, subscribed.unwrap())
    };
    let (_, ben) = watch(&mut world, "ben");
    let (cem_conn, cem) = watch(&mut world, "cem");
    world.heard(ana);
    let mut reaches = |(transport, track, subscription): (TransportId, TrackId, SubscriptionId), layer| {
        world.event(Event::Reach { transport, track, subscription, layer });
        let updates = find!(world.heard(ana), SubscribedQualityUpdate);
        updates.iter().map(|u| u.subscribed_qualities.iter().map(|q| q.enabled).collect()).collect::<Vec<Vec<bool>>>()
    };
    assert!(reaches(ben, Some(0)).is_empty(), "cem has room for all");
    assert_eq!(reaches(cem, Some(1)), [[true, true, false]]);
    let old = SubscriptionId(cem.2.0 + 1_000);
    assert!(reaches((cem.0, cem.1, old), Some(0)).is_empty(), "of a subscription that is no more");
    assert_eq!(reaches(ben, None), [[true, true, true]]);
    assert_eq!(reaches(ben, Some(0)), [[true, true, false]]);
    // Who is gone counts no more.
    world.ask(cem_conn, Request::Leave(proto::LeaveRequest::default()));
    let updates = find!(world.heard(ana), SubscribedQualityUpdate);
    let on: Vec<bool> = updates[0].subscribed_qualities.iter().map(|q| q.enabled).collect();
    assert_eq!(on, [true, false, false]);
}
