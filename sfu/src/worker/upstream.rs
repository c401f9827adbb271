//! Tells a publisher how much to send at most, from what those who watch it could take.

use super::Publication;
use crate::id::TrackId;
use crate::params::Kind;
use crate::publish::FEW;
use crate::subscribe::appetite::Appetite;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;
use std::time::Instant;

/// What the publisher of a track is to be told with the track's next report, if one is due, in bits per second. `publishing`: all that it publishes.
/// Only of one video alone is asked: how an encoder divides a limit among several nobody knows.
pub(super) fn limit(
    now: Instant,
    tracks: &mut FxHashMap<TrackId, Publication>,
    publishing: &[TrackId],
    track: TrackId,
) -> Option<u64> {
    let is_video = |publication: &Publication| publication.track.kind() == Kind::Video;
    tracks.get(&track).filter(|publication| is_video(publication) && publication.track.is_report_due(now))?;
    let alone = publishing.iter().filter(|id| tracks.get(id).is_some_and(is_video)).count() == 1;
    let publication = tracks.get_mut(&track)?;
    let asked = alone && publication.subscriptions.len() <= FEW && publication.link.relays().is_empty();
    let appetites: Option<SmallVec<[Appetite; FEW]>> = asked.then(|| {
        let all = publication.subscriptions.iter();
        all.filter_map(|subscription| subscription.appetite(now)).collect()
    });
    let total = publication.track.rate(now);
    let limit = publication.upstream.poll(now, appetites, total);
    publication.track.note_full(publication.upstream.is_limited(now));
    limit
}
