//! Who is heard: from tracks to participants, and only what changed. Who has the floor is the loudest for all: clients put the loudest
//! first.

use super::effect::{Effect, Notice};
use super::room::Room;
use crate::session::{Context, SessionKey};
use livekit_protocol as proto;
use ramai_sfu::api::Speaker;
use ramai_sfu::id::{TrackId, WorkerId};
use std::collections::BTreeMap;

/// Nobody else is as loud as the one who has the floor, but nearly.
const SECOND: f32 = 0.99;

/// A worker's last word on who is heard among its publishers.
#[derive(Default)]
pub(super) struct Heard {
    speakers: Vec<Speaker>,
    /// Who of them has the floor.
    dominant: Option<TrackId>,
}

impl Room {
    /// One worker's whole list of tracks that are heard among those published on it, and which of them has the floor there.
    /// Participants are told of all workers' together.
    pub fn speakers(
        &mut self,
        worker: WorkerId,
        speakers: Vec<Speaker>,
        dominant: Option<TrackId>,
        cx: &mut Context<'_>,
    ) {
        if !self.listens_to(worker) {
            return;
        }
        let heard = self.heard.entry(worker).or_default();
        // The newest to take it has it, on whichever worker.
        if dominant.is_some() && heard.dominant != dominant {
            self.floor = dominant;
        }
        *heard = Heard { speakers, dominant };
        let mut now: BTreeMap<SessionKey, f32> = BTreeMap::new();
        // A worker says nothing more of a room when its last wire there is gone; the tracks are then too.
        for speaker in self.heard.values().flat_map(|heard| &heard.speakers) {
            let Some(publication) = self.publications.get(&speaker.track).filter(|p| !p.info.muted) else { continue };
            let level = now.entry(publication.publisher).or_default();
            *level = level.max(speaker.level);
        }
        now.retain(|key, _| self.sessions.get(key).is_some_and(|s| !s.grants.hidden));
        self.put_first(&mut now);
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
    /// Makes the one who has the floor the loudest, if it is heard at all.
    fn put_first(&self, speakers: &mut BTreeMap<SessionKey, f32>) {
        let holder =
            self.floor.and_then(|track| self.publications.get(&track)).map(|publication| publication.publisher);
        let Some(holder) = holder.filter(|holder| speakers.contains_key(holder)) else { return };
        let loudest = speakers.values().copied().fold(0.0, f32::max);
        for (key, level) in speakers {
            *level = if *key == holder { loudest } else { level.min(loudest * SECOND) };
        }
    }
}
