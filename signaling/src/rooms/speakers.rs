//! Who is heard: from tracks to participants, and only what changed.

use super::effect::{Effect, Notice};
use super::room::Room;
use crate::session::{Context, SessionKey};
use livekit_protocol as proto;
use ramai_sfu::api::Speaker;
use std::collections::BTreeMap;

impl Room {
    /// The media plane's whole list of tracks that are heard.
    pub fn speakers(&mut self, speakers: &[Speaker], cx: &mut Context<'_>) {
        let mut now: BTreeMap<SessionKey, f32> = BTreeMap::new();
        for speaker in speakers {
            let Some(publication) = self.publications.get(&speaker.track).filter(|p| !p.info.muted) else { continue };
            let level = now.entry(publication.publisher).or_default();
            *level = level.max(speaker.level);
        }
        now.retain(|key, _| self.sessions.get(key).is_some_and(|s| !s.grants.hidden));
        let sid = |key: &SessionKey| self.sessions.get(key).map(|s| s.info.sid.clone());
        let silent = self.speaking.keys().filter(|key| !now.contains_key(key));
        let mut changed: Vec<proto::SpeakerInfo> = now
            .iter()
            .filter(|(key, level)| self.speaking.get(key) != Some(level))
            .filter_map(|(key, level)| Some(proto::SpeakerInfo { sid: sid(key)?, level: *level, active: true }))
            .collect();
        changed.extend(silent.filter_map(|key| Some(proto::SpeakerInfo { sid: sid(key)?, level: 0.0, active: false })));
        self.speaking = now;
        if !changed.is_empty() {
            let conns: Vec<_> = self.sessions.values().filter_map(|s| s.conn).collect();
            let notice = Notice::SpeakersChanged(proto::SpeakersChanged { speakers: changed });
            cx.out.push(Effect::Notice(conns, Box::new(notice)));
        }
    }
}
