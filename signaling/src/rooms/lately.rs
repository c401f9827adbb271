//! What of the last minute a list of who is here doesn't tell: who left, and who fell silent. Whoever missed updates needs it too.

use livekit_protocol as proto;
use proto::ParticipantInfo;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long it is kept: longer than anybody may be away and still resume.
const KEPT: Duration = Duration::from_secs(60);
/// Entries of each kind that are kept at most.
const MOST: usize = 4096;

/// See the module.
#[derive(Default)]
pub(super) struct Lately {
    left: Log<Departure>,
    /// SIDs.
    silent: Log<String>,
}

/// The last that is to be said of a participant, in short.
struct Departure {
    sid: String,
    identity: String,
    version: u32,
    reason: i32,
    /// It was only in the waiting room: that is for hosts.
    waited: bool,
}

struct Log<T> {
    entries: VecDeque<(Instant, T)>,
    /// When the newest happened that is no longer there.
    dropped: Option<Instant>,
}

impl<T> Default for Log<T> {
    fn default() -> Self {
        Self { entries: VecDeque::new(), dropped: None }
    }
}

impl<T> Log<T> {
    fn add(&mut self, now: Instant, entry: T) {
        self.entries.push_back((now, entry));
        if self.entries.len() > MOST {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        self.dropped = self.entries.pop_front().map(|(at, _)| at).or(self.dropped);
    }

    fn prune(&mut self, now: Instant) {
        while self.entries.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) > KEPT) {
            self.drop_first();
        }
    }

    fn since(&self, since: Instant) -> impl Iterator<Item = &T> {
        self.entries.iter().filter(move |(at, _)| *at >= since).map(|(_, entry)| entry)
    }
}

impl Lately {
    /// A participant left, the room or, if it `waited`, the waiting room; as others were told.
    pub fn left(&mut self, now: Instant, info: &ParticipantInfo, waited: bool) {
        let (sid, identity) = (info.sid.clone(), info.identity.clone());
        let (version, reason) = (info.version, info.disconnect_reason);
        self.left.add(now, Departure { sid, identity, version, reason, waited });
    }

    /// A participant isn't heard any more.
    pub fn fell_silent(&mut self, now: Instant, sid: String) {
        self.silent.add(now, sid);
    }

    /// Forgets what is too old; call it now and then.
    pub fn prune(&mut self, now: Instant) {
        self.left.prune(now);
        self.silent.prune(now);
    }

    /// Whether nothing that happened since then is forgotten.
    pub fn reaches(&self, since: Instant) -> bool {
        [self.left.dropped, self.silent.dropped].iter().all(|dropped| dropped.is_none_or(|at| at < since))
    }

    /// Those who left since then, as hosts or the others are told.
    pub fn departures(&self, since: Instant, host: bool) -> impl Iterator<Item = ParticipantInfo> {
        self.left.since(since).filter(move |gone| host || !gone.waited).map(|gone| ParticipantInfo {
            sid: gone.sid.clone(),
            identity: gone.identity.clone(),
            version: gone.version,
            disconnect_reason: gone.reason,
            state: proto::participant_info::State::Disconnected as i32,
            ..Default::default()
        })
    }

    /// Those who fell silent since then.
    pub fn silent(&self, since: Instant) -> impl Iterator<Item = &String> {
        self.silent.since(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_knows_how_far_it_reaches() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut lately = Lately::default();
        for s in 0..10 {
            lately.left(at(s), &ParticipantInfo { identity: s.to_string(), ..Default::default() }, s == 9);
        }
        assert_eq!(lately.departures(at(8), true).map(|p| p.identity).collect::<Vec<_>>(), ["8", "9"]);
        assert_eq!(lately.departures(at(8), false).map(|p| p.identity).collect::<Vec<_>>(), ["8"]);
        lately.prune(at(64));
        assert!(lately.reaches(at(4)) && !lately.reaches(at(3)));
        for _ in 0..2 * MOST {
            lately.fell_silent(at(64), String::new());
        }
        assert!(!lately.reaches(at(64)) && lately.silent.entries.len() == MOST, "bounded, and honest about it");
    }
}
