//! Which of a room's tracks a participant of the client protocol subscribes to: all, or so many as it hears and sees.

use super::View;
use livekit_protocol::{ParticipantInfo, TrackType, participant_info};
use std::collections::{BTreeSet, HashMap};

/// The participant of the server's own that publishes the speaker slots.
const SPEAKERS: &str = "ramai.speakers";

/// Subscriptions to change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// To subscribe, with whether it is video.
    pub add: Vec<(String, bool)>,
    /// Gone, or not wanted any more.
    pub remove: Vec<String>,
}

/// Tracks of each kind that are remembered to take the place of those that end. A room may have thousands.
const SPARE: usize = 256;

/// What is known of the others' tracks: those that are subscribed to, and some that could be.
#[derive(Debug)]
pub struct Roster {
    view: View,
    own: String,
    /// By participant, the tracks that are remembered here.
    known: HashMap<String, Vec<String>>,
    /// With whether they are video.
    subscribed: HashMap<String, bool>,
    /// Microphones and cameras that find no place, by participant.
    spare: [BTreeSet<(String, String)>; 2],
}

impl Roster {
    /// `own` is the identity that is left out.
    pub fn new(view: View, own: &str) -> Self {
        let (known, subscribed) = (HashMap::new(), HashMap::new());
        Self { view, own: own.to_owned(), known, subscribed, spare: Default::default() }
    }

    /// Takes in news of participants.
    pub fn update(&mut self, participants: &[ParticipantInfo]) -> Changes {
        let mut changes = Changes::default();
        for participant in participants.iter().filter(|p| p.identity != self.own) {
            let there = participant.state() != participant_info::State::Disconnected;
            let tracks = participant.tracks.iter().filter(|_| there);
            let tracks: Vec<(&String, bool)> = tracks
                .filter(|t| matches!(t.r#type(), TrackType::Audio | TrackType::Video))
                .map(|t| (&t.sid, t.r#type() == TrackType::Video))
                .filter(|(_, video)| *video || !self.view.slots || participant.identity == SPEAKERS)
                .collect();
            let who = &participant.identity;
            for sid in self.known.remove(who).unwrap_or_default() {
                if tracks.iter().any(|(other, _)| **other == sid) {
                    self.known.entry(who.clone()).or_default().push(sid);
                } else if self.subscribed.remove(&sid).is_some() {
                    changes.remove.push(sid);
                } else {
                    let gone = (who.clone(), sid);
                    for spare in &mut self.spare {
                        spare.remove(&gone);
                    }
                }
            }
            for (sid, video) in tracks {
                let known = self.known.get(who).is_some_and(|known| known.contains(sid));
                let spare = &mut self.spare[usize::from(video)];
                if !known && spare.len() < SPARE {
                    spare.insert((who.clone(), sid.clone()));
                    self.known.entry(who.clone()).or_default().push(sid.clone());
                }
            }
        }
        let ears = if self.view.slots { usize::MAX } else { self.view.audible };
        for (video, places) in [(false, ears), (true, self.view.visible)] {
            let mut taken = self.subscribed.values().filter(|v| **v == video).count();
            while taken < places {
                let Some((_, sid)) = self.spare[usize::from(video)].pop_first() else { break };
                self.subscribed.insert(sid.clone(), video);
                changes.add.push((sid, video));
                taken += 1;
            }
        }
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
        let mut roster = Roster::new(View { audible: 10, visible: 2, quality: 2, slots: false }, "me");
        let changes = roster.update(&["ana", "ben", "cai", "me"].map(participant));
        let names: Vec<&str> = changes.add.iter().map(|(sid, _)| sid.as_str()).collect();
        assert_eq!(names, ["a-ana", "a-ben", "a-cai", "v-ana", "v-ben"]);
        let mut gone = participant("ana");
        gone.state = participant_info::State::Disconnected.into();
        let changes = roster.update(&[gone]);
        assert_eq!(changes.remove, ["a-ana", "v-ana"]);
        assert_eq!(changes.add, [("v-cai".to_owned(), true)]);
        assert_eq!(roster.update(&[]), Changes::default());
    }

    #[test]
    fn through_slots_nobody_else_is_heard() {
        let mut roster = Roster::new(View { audible: 10, visible: 1, quality: 0, slots: true }, "me");
        let mut slots = participant(SPEAKERS);
        slots.tracks.retain(|track| track.r#type() == TrackType::Audio);
        let changes = roster.update(&[participant("ana"), slots, participant("ben")]);
        let names: Vec<&str> = changes.add.iter().map(|(sid, _)| sid.as_str()).collect();
        assert_eq!(names, ["a-ramai.speakers", "v-ana"]);
    }
}
