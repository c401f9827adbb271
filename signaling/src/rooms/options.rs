//! What a room is told to be by whoever made it, where it isn't as the server's settings say.

use super::room::Room;
use crate::Settings;
use crate::session::{Session, SessionKey};
use livekit_protocol as proto;
use std::time::{Duration, Instant};

/// See the module.
#[derive(Default)]
pub struct Options {
    /// How long it waits for its first participant.
    pub empty_timeout: Option<Duration>,
    /// How long it stays known after its last one left.
    pub departure_timeout: Option<Duration>,
    /// How many it takes; 0 is as many as any room.
    pub max_participants: usize,
    /// Free text for the application.
    pub metadata: String,
}

impl Room {
    /// How many it takes; 0 is without limit. The server's own limit holds for all.
    pub fn limit(&self, settings: &Settings) -> usize {
        match (self.options.max_participants, settings.max_participants) {
            (0, limit) | (limit, 0) => limit,
            (own, limit) => own.min(limit),
        }
    }

    /// Whether it has been empty for so long that it ends.
    pub fn expired(&self, settings: &Settings, now: Instant) -> bool {
        let own = if self.entered { self.options.departure_timeout } else { self.options.empty_timeout };
        let timeout = own.unwrap_or(settings.empty_timeout);
        self.empty_since.is_some_and(|since| now.saturating_duration_since(since) >= timeout)
    }

    /// The room as clients are told of it.
    pub fn info(&self, settings: &Settings) -> proto::Room {
        let seconds = |own: Option<Duration>| own.unwrap_or(settings.empty_timeout).as_secs() as u32;
        let visible = |key: &SessionKey| self.sessions.get(key).is_some_and(Session::listed);
        proto::Room {
            sid: self.sid.clone(),
            name: self.name.clone(),
            empty_timeout: seconds(self.options.empty_timeout),
            departure_timeout: seconds(self.options.departure_timeout),
            max_participants: self.limit(settings) as u32,
            creation_time: self.created_ms / 1000,
            creation_time_ms: self.created_ms,
            enabled_codecs: crate::adapter::livekit::encode::enabled_codecs(),
            metadata: self.options.metadata.clone(),
            num_participants: self.pages.len() as u32,
            num_publishers: self.publications.publishers().filter(|key| visible(key)).count() as u32,
            ..Default::default()
        }
    }
}
