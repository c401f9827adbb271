//! Which of a room's tracks a participant of the client protocol subscribes to: all, or so many as it hears and sees.

use super::View;
use livekit_protocol::{ParticipantInfo, TrackType, participant_info};
use std::collections::BTreeMap;

/// Subscriptions to change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// To subscribe, with whether it is video.
    pub add: Vec<(String, bool)>,
    /// Gone, or not wanted any more.
    pub remove: Vec<String>,
}

/// What is known of the others' tracks.
#[derive(Debug)]
pub struct Roster {
    view: View,
    own: String,
    /// By participant: its tracks with whether they are video.
    tracks: BTreeMap<String, Vec<(String, bool)>>,
    subscribed: BTreeMap<String, bool>,
}

impl Roster {
    /// `own` is the identity that is left out.
    pub fn new(view: View, own: &str) -> Self {
        Self { view, own: own.to_owned(), tracks: BTreeMap::new(), subscribed: BTreeMap::new() }
    }

    /// Takes in news of participants.
    pub fn update(&mut self, participants: &[ParticipantInfo]) -> Changes {
        for participant in participants.iter().filter(|p| p.identity != self.own) {
            if participant.state() == participant_info::State::Disconnected {
                self.tracks.remove(&participant.identity);
                continue;
            }
            let tracks =
                participant.tracks.iter().filter(|t| matches!(t.r#type(), TrackType::Audio | TrackType::Video));
            let tracks = tracks.map(|t| (t.sid.clone(), t.r#type() == TrackType::Video)).collect();
            self.tracks.insert(participant.identity.clone(), tracks);
        }
        let mut changes = Changes::default();
        let there = |sid: &String| self.tracks.values().flatten().any(|(other, _)| other == sid);
        changes.remove.extend(self.subscribed.keys().filter(|sid| !there(sid)).cloned());
        for sid in &changes.remove {
            self.subscribed.remove(sid);
        }
        let count = |video: bool| self.subscribed.values().filter(|v| **v == video).count();
        let (mut ears, mut eyes) =
            (self.view.audible.saturating_sub(count(false)), self.view.visible.saturating_sub(count(true)));
        for (sid, video) in self.tracks.values().flatten() {
            let room = if *video { &mut eyes } else { &mut ears };
            if *room > 0 && !self.subscribed.contains_key(sid) {
                *room -= 1;
                changes.add.push((sid.clone(), *video));
            }
        }
        self.subscribed.extend(changes.add.iter().cloned());
        changes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use livekit_protocol::TrackInfo;

    fn participant(name: &str) -> ParticipantInfo {
        let track = |kind: TrackType, prefix: &str| TrackInfo {
            sid: format!("{prefix}-{name}"),
            r#type: kind.into(),
            ..Default::default()
        };
        ParticipantInfo {
            identity: name.into(),
            state: participant_info::State::Active.into(),
            tracks: vec![track(TrackType::Audio, "a"), track(TrackType::Video, "v")],
            ..Default::default()
        }
    }

    #[test]
    fn so_many_are_seen_as_fit_and_others_take_the_place_of_who_goes() {
        let mut roster = Roster::new(View { audible: 10, visible: 2, quality: 2 }, "me");
        let changes = roster.update(&["ana", "ben", "cai", "me"].map(participant));
        let names: Vec<&str> = changes.add.iter().map(|(sid, _)| sid.as_str()).collect();
        assert_eq!(names, ["a-ana", "v-ana", "a-ben", "v-ben", "a-cai"]);
        let mut gone = participant("ana");
        gone.state = participant_info::State::Disconnected.into();
        let changes = roster.update(&[gone]);
        assert_eq!(changes.remove, ["a-ana", "v-ana"]);
        assert_eq!(changes.add, [("v-cai".to_owned(), true)]);
        assert_eq!(roster.update(&[]), Changes::default());
    }
}
