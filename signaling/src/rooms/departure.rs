//! Who goes: by its own wish, by somebody's order, or because its connection is gone.

use super::effect::{Closing, ConnId, Effect};
use super::room::{Gone, Room};
use crate::session::{Context, SessionKey};
use livekit_protocol as proto;
use proto::DisconnectReason;
use proto::leave_request::Action;
use ramai_sfu::id::{TrackId, TransportId};
use std::time::Duration;

/// Trust a client that closed its WebSocket in an orderly way to come back within so long, or it left.
const RETURN_TIMEOUT: Duration = Duration::from_secs(5);

impl Room {
    /// Takes a session out: its tracks, its wires, its WebSocket. `action` is what its client is told to do, if anything.
    pub fn remove(&mut self, key: SessionKey, reason: DisconnectReason, action: Option<Action>, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get(&key) else { return };
        let identity = session.info.identity.clone();
        tracing::info!(room = self.name, participant = identity, reason = reason.as_str_name(), "participant left");
        if let Some(action) = action {
            session.notify(crate::adapter::livekit::encode::leave(reason, action), cx);
        }
        let tracks: Vec<TrackId> = self.publications.of(key).map(|p| p.track).collect();
        for track in tracks {
            self.unpublish(track, cx);
        }
        let Some(mut session) = self.sessions.remove(&key) else { return };
        session.close(cx);
        if let Some(conn) = session.conn {
            cx.out.push(Effect::Close(conn));
        }
        for track in session.subscriptions.keys() {
            cx.subscribers.remove(*track, key);
            self.tell_wanted(*track, cx);
        }
        cx.loads.remove(cx.room, session.worker, 1 + session.subscriptions.len());
        if self.identities.get(&identity) == Some(&key) {
            self.identities.remove(&identity);
        }
        self.speaking.remove(&key);
        match reason {
            DisconnectReason::ParticipantRemoved => self.entrance.removed(&identity),
            _ if session.waiting.is_none() => self.entrance.left(&identity, cx.now),
            _ => {}
        }
        let resource = session.resource.take();
        self.gone.push(Gone { conn: session.conn, transports: session.transports().collect(), resource });
        if !session.grants.hidden {
            self.announce_departure(key, session.info, reason, session.waiting.is_some(), cx);
        }
        if self.sessions.is_empty() {
            self.empty_since = Some(cx.now);
            self.close_slots(cx);
        }
    }

    /// A session's WebSocket ended.
    pub fn closed(&mut self, key: SessionKey, conn: ConnId, how: Closing, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key).filter(|s| s.conn == Some(conn)) else { return };
        session.conn = None;
        // Without a wire there is nothing to resume.
        let wait = match how {
            Closing::GoingAway => Duration::ZERO,
            _ if session.connected.is_empty() => Duration::ZERO,
            Closing::Closed => RETURN_TIMEOUT.min(cx.settings.resume_timeout),
            Closing::Cut => cx.settings.resume_timeout,
        };
        tracing::debug!(room = self.name, participant = session.info.identity, ?how, ?wait, "signal connection ended");
        if wait.is_zero() {
            self.remove(key, DisconnectReason::SignalClose, None, cx);
        } else {
            session.ends_at = Some(cx.now + wait);
            session.behind = session.behind.or(Some(cx.now));
        }
    }

    /// A wire is gone; the client has to start anew.
    pub fn disconnected(&mut self, key: SessionKey, transport: TransportId, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.detached(transport);
        self.remove(key, DisconnectReason::MediaFailure, Some(Action::Reconnect), cx);
    }
}
