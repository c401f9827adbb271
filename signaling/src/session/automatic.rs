//! What a client is sent without having asked for it: all that is published, if it joined that way, but only so many videos.
//!
//! Each track that a client receives costs it a media section, and every change of one costs a negotiation over all of them, whether the
//! picture is on screen or not. A client that shows pages of a large room asks for what it shows.

use super::publication::Publication;
use super::{Context, Publications, Session};
use ramai_sfu::id::TrackId;
use ramai_sfu::params::Kind;

/// What is bounded apart from each other: the cameras that came first must not keep the screen away that the call is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Picture {
    Camera,
    Screen,
}

impl Session {
    /// Wants a track that its client takes without asking, unless the client sent it away before or has as many pictures as it gets by
    /// itself.
    pub fn subscribe_unasked(&mut self, publication: &Publication, cx: &mut Context<'_>) {
        let most = cx.settings.auto_subscribe_videos;
        let full = |picture| most > 0 && self.pictures(picture) >= most;
        if !self.declined.contains(&publication.track) && !publication.picture().is_some_and(full) {
            self.subscribe(publication, cx);
        }
    }

    /// A picture that it had is gone: takes the first of those that were left out, for as long as there are any. `unsaid`: tracks that
    /// the client hasn't heard of yet.
    pub fn subscribe_instead(
        &mut self,
        gone: &Publication,
        publications: &Publications,
        unsaid: &[TrackId],
        cx: &mut Context<'_>,
    ) {
        let Some(picture) = gone.picture().filter(|_| self.auto_subscribe && cx.settings.auto_subscribe_videos > 0)
        else {
            return;
        };
        let left_out = publications.values().find(|p| {
            p.picture() == Some(picture)
                && p.publisher != self.key
                && p.allows(&self.info)
                && !unsaid.contains(&p.track)
                && !self.declined.contains(&p.track)
                && !self.subscriptions.contains_key(&p.track)
        });
        if let Some(publication) = left_out {
            self.subscribe_unasked(publication, cx);
        }
    }

    /// The client itself takes a track or sends it away.
    pub fn chose(&mut self, track: TrackId, takes: bool, publications: &Publications) {
        if takes {
            self.declined.remove(&track);
        } else {
            self.declined.insert(track);
        }
        // Tracks come and go; those that are gone need not be remembered.
        if self.declined.len() > publications.len() {
            self.declined.retain(|track| publications.get(track).is_some());
        }
    }

    fn pictures(&self, picture: Picture) -> usize {
        self.subscriptions.values().filter(|subscription| subscription.picture == Some(picture)).count()
    }
}

impl Publication {
    /// What kind of picture it is; none if it is heard.
    pub fn picture(&self) -> Option<Picture> {
        let screen = self.info.source() == livekit_protocol::TrackSource::ScreenShare;
        let picture = if screen { Picture::Screen } else { Picture::Camera };
        (self.kind() == Kind::Video).then_some(picture)
    }
}
