//! Tells a subscriber for which of its videos there is no room on the way to it, so that the page can say so instead of showing a
//! picture that stands still.

use super::effect::Notice;
use super::room::Room;
use crate::session::{Context, SessionKey};
use livekit_protocol as proto;
use proto::StreamState;
use ramai_sfu::id::{SubscriptionId, TrackId};

impl Room {
    /// A video of somebody's is paused for want of bandwidth, or goes on.
    pub(super) fn stream_state(
        &mut self,
        key: SessionKey,
        track: TrackId,
        subscription: SubscriptionId,
        paused: bool,
        cx: &mut Context<'_>,
    ) {
        let (Some(session), Some(publication)) = (self.sessions.get(&key), self.publications.get(&track)) else {
            return;
        };
        // It may have unsubscribed and subscribed anew since.
        if session.subscriptions.get(&track).is_none_or(|known| known.id != subscription) {
            return;
        }
        let state = if paused { StreamState::Paused } else { StreamState::Active };
        let info = proto::StreamStateInfo {
            participant_sid: publication.publisher_sid.clone(),
            track_sid: publication.info.sid.clone(),
            state: state as i32,
        };
        let update = proto::StreamStateUpdate { stream_states: vec![info] };
        session.notify(Notice::StreamStateUpdate(update), cx);
    }
}
