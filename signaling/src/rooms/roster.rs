//! Who has to hear of whom: what changes among the participants of a room is gathered and told in one message, which is
//! encoded once for all that hear it.
//!
//! In a small room everybody hears of everything at once. In a large one the first change after a quiet time goes out at once,
//! and those that follow it wait for the next tick: n people who come together would else make n² messages of it. What is
//! newly published is subscribed to by those who subscribe to everything right after they heard of it, never before.

use super::effect::{Effect, Notice};
use super::pages::PER_PAGE;
use super::room::Room;
use crate::adapter::livekit::encode::frame;
use crate::session::{Context, Session, SessionKey};
use bytes::Bytes;
use livekit_protocol as proto;
use proto::ParticipantInfo;
use proto::participant_info::State;
use ramai_sfu::id::TrackId;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// From so many participants on changes are gathered: below, a message to each costs less than anybody's waiting.
const GATHER_FROM: usize = 50;
/// Changes leave this long after the last that were told, or with the next tick after them.
const GATHER: Duration = Duration::from_millis(250);
const _: () = assert!(PER_PAGE <= GATHER_FROM, "rooms that are told at once are told in one message");

/// What a room has not told yet.
#[derive(Default)]
pub(super) struct Roster {
    /// In the order of their coming: whoever comes back under the same identity is told after having left.
    changed: BTreeMap<SessionKey, Change>,
    /// Published and not subscribed to yet.
    published: Vec<TrackId>,
    told: Option<Instant>,
}

impl Roster {
    /// Tracks that came in and nobody heard of yet.
    pub(super) fn unsaid(&self) -> &[TrackId] {
        &self.published
    }
}

enum Change {
    /// Is here; how, is looked up when it is told.
    Here,
    /// The last that is to be said of it.
    Gone(Box<ParticipantInfo>),
}

impl Room {
    /// A participant's state changed: it hears of that itself if `own`, and the others now or soon.
    pub(super) fn announce(&mut self, key: SessionKey, own: bool, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.info.version += 1;
        let Some(session) = self.sessions.get(&key) else { return };
        if own {
            let participants = vec![self.participant(session)];
            session.notify(Notice::Update(proto::ParticipantUpdate { participants }), cx);
        }
        if session.waiting.is_some() {
            if !session.grants.hidden {
                self.tell_hosts(self.participant(session), cx);
            }
            return;
        }
        if session.listed() {
            self.pages.touch(key);
            self.roster.changed.insert(key, Change::Here);
        }
        self.tell_if_due(cx);
    }

    /// A participant is gone; `info` is how it was, and `waited` whether it was only in the waiting room.
    pub(super) fn announce_departure(
        &mut self,
        key: SessionKey,
        mut info: ParticipantInfo,
        reason: proto::DisconnectReason,
        waited: bool,
        cx: &mut Context<'_>,
    ) {
        info.version += 1;
        info.set_state(State::Disconnected);
        info.set_disconnect_reason(reason);
        if waited {
            self.lately.left(cx.now, &info, true);
            return self.tell_hosts(info, cx);
        }
        self.pages.remove(key);
        self.lately.left(cx.now, &info, false);
        self.roster.changed.insert(key, Change::Gone(Box::new(info)));
        self.tell_if_due(cx);
    }

    /// A participant stays, but the others shall take it for gone.
    pub(super) fn announce_hiding(&mut self, key: SessionKey, cx: &mut Context<'_>) {
        // Alone in its message, which then doesn't go to itself.
        self.tell(cx);
        let Some(session) = self.sessions.get_mut(&key) else { return };
        session.info.version += 1;
        let mut info = session.info.clone();
        info.set_state(State::Disconnected);
        self.pages.remove(key);
        self.lately.left(cx.now, &info, false);
        self.roster.changed.insert(key, Change::Gone(Box::new(info)));
        self.tell(cx);
    }

    /// Tracks came in, and their publisher will be announced.
    pub(super) fn note_published(&mut self, tracks: &[TrackId]) {
        self.roster.published.extend(tracks);
    }

    /// Tells what waits if somebody of this identity left: it comes back, and clients know participants by identity.
    pub(super) fn tell_before(&mut self, identity: &str, cx: &mut Context<'_>) {
        let left = |change: &Change| matches!(change, Change::Gone(info) if info.identity == identity);
        if self.roster.changed.values().any(left) {
            self.tell(cx);
        }
    }

    fn tell_if_due(&mut self, cx: &mut Context<'_>) {
        let due = self.roster.told.is_none_or(|told| cx.now.saturating_duration_since(told) >= GATHER);
        if due || self.sessions.len() < GATHER_FROM {
            self.tell(cx);
        }
    }

    /// Tells everybody what waits, then subscribes those who want everything to what is new.
    pub(super) fn tell(&mut self, cx: &mut Context<'_>) {
        let changed = std::mem::take(&mut self.roster.changed);
        if !changed.is_empty() {
            self.roster.told = Some(cx.now);
            self.tell_of(changed, cx);
        }
        self.subscribe_to_new(cx);
    }

    fn tell_of(&self, changed: BTreeMap<SessionKey, Change>, cx: &mut Context<'_>) {
        let only = changed.keys().next().copied().filter(|_| changed.len() == 1);
        let infos = changed.into_iter().filter_map(|(key, change)| match change {
            Change::Gone(info) => Some(*info),
            Change::Here => self.sessions.get(&key).map(|session| self.participant(session)),
        });
        let updates = in_messages(infos.collect());
        // Who changed knows that already.
        let own = only.and_then(|key| self.sessions.get(&key)?.conn);
        let conns: Vec<_> = self.conns().filter(|conn| own != Some(*conn)).collect();
        cx.out.extend(updates.map(|update| Effect::Notice(conns.clone(), Box::new(update))));
    }

    fn subscribe_to_new(&mut self, cx: &mut Context<'_>) {
        let published = std::mem::take(&mut self.roster.published);
        if published.is_empty() {
            return;
        }
        let Room { sessions, publications, .. } = self;
        for session in sessions.values_mut().filter(|s| s.auto_subscribe) {
            let before = session.subscriptions.len();
            for publication in published.iter().filter_map(|track| publications.get(track)) {
                if publications.by_itself(publication) {
                    session.subscribe_unasked(publication, cx);
                }
            }
            if session.subscriptions.len() > before {
                session.negotiate(publications, cx);
            }
        }
    }

    /// A participant with its tracks.
    pub fn participant(&self, session: &Session) -> ParticipantInfo {
        let tracks: Vec<_> = self.publications.of(session.key).map(|p| p.info.clone()).collect();
        ParticipantInfo { is_publisher: !tracks.is_empty(), tracks, ..session.info.clone() }
    }

    /// All that others may see, encoded, but for the first `skip` pages.
    pub(super) fn pages(&mut self, skip: usize) -> Vec<Bytes> {
        let mut pages = std::mem::take(&mut self.pages);
        let frames = pages.frames(skip, |members| {
            let members = members.iter().filter_map(|key| self.sessions.get(key));
            let participants = members.map(|session| self.participant(session)).collect();
            frame(Notice::Update(proto::ParticipantUpdate { participants }))
        });
        self.pages = pages;
        frames
    }

    /// All, whether others may see them or not.
    pub(super) fn everybody(&self) -> Vec<ParticipantInfo> {
        self.sessions.values().map(|session| self.participant(session)).collect()
    }
}

/// Updates about all of them, none too long.
pub(super) fn in_messages(participants: Vec<ParticipantInfo>) -> impl Iterator<Item = Notice> {
    let mut rest = participants.into_iter();
    std::iter::from_fn(move || {
        let participants: Vec<_> = rest.by_ref().take(PER_PAGE).collect();
        (!participants.is_empty()).then_some(Notice::Update(proto::ParticipantUpdate { participants }))
    })
}
