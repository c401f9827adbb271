//! Tells publishers which layers are watched and reach somebody, so that nobody encodes a layer that no one sees.

use super::effect::Notice;
use super::room::Room;
use crate::negotiate::codecs;
use crate::session::{Context, SessionKey};
use livekit_protocol as proto;
use proto::VideoQuality;
use ramai_sfu::id::{SubscriptionId, TrackId};
use ramai_sfu::params::Kind;
use std::time::Duration;

/// From so many participants on, a camera that nobody watches sends nothing.
const LARGE: usize = 50;
/// A browser that begins with all its layers knows after so long how much its line takes. One that begins with the lowest asks no more of the
/// line than that.
const SETTLING: Duration = Duration::from_secs(10);

impl Room {
    /// Which layers of a track have room on the way to one of its subscribers changed: what fits nobody isn't encoded.
    pub(super) fn reaches(
        &mut self,
        key: SessionKey,
        track: TrackId,
        subscription: SubscriptionId,
        layer: Option<u8>,
        cx: &mut Context<'_>,
    ) {
        let session = self.sessions.get_mut(&key);
        if session.is_some_and(|session| session.reaches(track, subscription, layer, cx).is_some()) {
            self.tell_wanted(track, cx);
        }
    }

    /// The subscribers of a track changed, or what they show of it.
    pub(super) fn tell_wanted(&mut self, track: TrackId, cx: &mut Context<'_>) {
        let Some(publication) = self.publications.get_mut(&track).filter(|p| p.kind() == Kind::Video) else { return };
        let top = match cx.subscribers.top(track) {
            Some(top) => Some(top),
            // Those who just subscribed are sent something in a moment: what they will want isn't turned off before.
            None if publication.wanted.is_none() && cx.subscribers.has(track) => return,
            // In a large room that is most cameras, and all of them together would be more than what is watched.
            None if self.sessions.len() >= LARGE => None,
            None if !publication.settled => return,
            // The lowest goes on, so that the next who watches has a picture at once.
            None => Some(0),
        };
        // The layer's place among the publisher's own gives the quality by which it knows it. Lower layers stay on: they are
        // what others fall back to.
        let quality = top.map(|top| match publication.info.layers.get(usize::from(top)) {
            Some(layer) => layer.quality.clamp(0, 2) as usize,
            None => 2,
        });
        let mut wanted = [false; 3];
        for (place, on) in wanted.iter_mut().enumerate() {
            *on = quality.is_some_and(|quality| place <= quality);
        }
        if publication.wanted == Some(wanted) {
            return;
        }
        publication.wanted = Some(wanted);
        self.say_wanted(track, cx);
    }

    /// The first packet of a track came.
    pub(super) fn track_started(&mut self, track: TrackId, cx: &mut Context<'_>) {
        self.settling.push_back((cx.now + SETTLING, track));
        // A client that isn't done with publishing yet forgets what it is told of the track; it is now.
        self.say_wanted(track, cx);
    }

    /// What began long enough ago may be told that nobody watches.
    pub(super) fn settle(&mut self, cx: &mut Context<'_>) {
        while let Some((_, track)) = self.settling.pop_front_if(|(at, _)| *at <= cx.now) {
            if let Some(publication) = self.publications.get_mut(&track) {
                publication.settled = true;
                self.tell_wanted(track, cx);
            }
        }
    }

    /// Tells the publisher of a track what was decided last.
    fn say_wanted(&self, track: TrackId, cx: &mut Context<'_>) {
        let Some(publication) = self.publications.get(&track) else { return };
        let Some(wanted) = publication.wanted else { return };
        let qualities: Vec<proto::SubscribedQuality> = [VideoQuality::Low, VideoQuality::Medium, VideoQuality::High]
            .into_iter()
            .zip(wanted)
            .map(|(quality, enabled)| proto::SubscribedQuality { quality: quality as i32, enabled })
            .collect();
        let codec = publication.payloads.first().map_or("", |p| codecs::mime(p.format.codec));
        let codec = codec.rsplit('/').next().unwrap_or("").to_ascii_lowercase();
        let update = proto::SubscribedQualityUpdate {
            track_sid: publication.info.sid.clone(),
            subscribed_qualities: qualities.clone(),
            subscribed_codecs: vec![proto::SubscribedCodec { codec, qualities }],
        };
        if let Some(publisher) = self.sessions.get(&publication.publisher) {
            publisher.notify(Notice::SubscribedQualityUpdate(update), cx);
        }
    }
}
