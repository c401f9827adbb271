//! Who is heard: from tracks to participants, and only what changed.

use super::effect::{Effect, Notice};
use super::room::Room;
use crate::session::{Context, SessionKey};
use livekit_protocol as proto;
use ramai_sfu::api::Speaker;
use ramai_sfu::id::WorkerId;
use std::collections::BTreeMap;

impl Room {
    /// One worker's whole list of tracks that are heard among those published on it. Participants are told of all workers' together.
    pub fn speakers(&mut self, worker: WorkerId, speakers: Vec<Speaker>, cx: &mut Context<'_>) {
        if speakers.is_empty() {
            self.heard.remove(&worker);
        } else {
            self.heard.insert(worker, speakers);
        }
        let mut now: BTreeMap<SessionKey, f32> = BTreeMap::new();
        // A worker says nothing more of a room when its last wire there is gone; the tracks are then too.
        for speaker in self.heard.values().flatten() {
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
        // Loudest first.
        changed.sort_by(|a, b| b.level.total_cmp(&a.level));
        for sid in silent.filter_map(sid) {
            self.lately.fell_silent(cx.now, sid.clone());
            changed.push(proto::SpeakerInfo { sid, level: 0.0, active: false });
        }
        self.speaking = now;
        if !changed.is_empty() {
            let conns: Vec<_> = self.conns().collect();
            let notice = Notice::SpeakersChanged(proto::SpeakersChanged { speakers: changed });
            cx.out.push(Effect::Notice(conns, Box::new(notice)));
        }
    }
}
