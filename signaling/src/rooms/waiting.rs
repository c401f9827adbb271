//! The waiting room. Whoever waits has its connection up but sees and hears nobody and is seen by hosts alone; they are told of it
//! apart from the roster, which is of those inside.

use super::effect::{ConnId, Effect, Notice};
use super::room::Room;
use super::roster;
use crate::session::{Context, Session, SessionKey};
use livekit_protocol as proto;
use proto::ParticipantInfo;

impl Room {
    /// Clients of those inside.
    pub(super) fn conns(&self) -> impl Iterator<Item = ConnId> {
        self.sessions.values().filter(|s| s.waiting.is_none()).filter_map(|s| s.conn)
    }

    /// Tells hosts of somebody who waits, or waited and left.
    pub(super) fn tell_hosts(&self, participant: ParticipantInfo, cx: &mut Context<'_>) {
        let conns: Vec<ConnId> = self.sessions.values().filter(|s| s.host()).filter_map(|s| s.conn).collect();
        let update = proto::ParticipantUpdate { participants: vec![participant] };
        cx.out.push(Effect::Notice(conns, Box::new(Notice::Update(update))));
    }

    /// Tells one host of all who wait.
    pub(super) fn tell_of_waiting(&self, session: &Session, cx: &mut Context<'_>) {
        if session.host() {
            let waiting = self.sessions.values().filter(|s| s.waiting.is_some() && !s.grants.hidden);
            let waiting = waiting.map(|s| self.participant(s)).collect();
            roster::in_messages(waiting).for_each(|update| session.notify(update, cx));
        }
    }

    /// Lets somebody in who waits: it hears who is here, may what its token says, and gets what it may. False if it doesn't wait.
    pub(super) fn let_in(&mut self, key: SessionKey, cx: &mut Context<'_>) -> bool {
        let Some(session) = self.sessions.get_mut(&key) else { return false };
        let Some(grants) = session.waiting.take() else { return false };
        let listed = session.listed();
        let others = self.pages(0);
        if listed {
            self.pages.touch(key);
        }
        let room = self.info(cx.settings);
        if let Some(session) = self.sessions.get(&key) {
            cx.out.extend(session.conn.map(|conn| Effect::Frames(conn, others)));
            self.tell_of_slots(session, cx);
            session.notify(Notice::RoomUpdate(proto::RoomUpdate { room: Some(room) }), cx);
        }
        self.set_grants(key, grants, cx);
        self.tell_one_of_door(key, cx);
        true
    }

    /// Tells somebody who waits all that it may know: that it still does.
    pub(super) fn remind(&self, key: SessionKey, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get(&key) else { return };
        let participants = vec![self.participant(session)];
        session.notify(Notice::Update(proto::ParticipantUpdate { participants }), cx);
        let room = Some(self.info_for(session, cx.settings));
        session.notify(Notice::RoomUpdate(proto::RoomUpdate { room }), cx);
    }

    /// The room as this client is told of it: who waits learns its name.
    pub(super) fn info_for(&self, session: &Session, settings: &crate::Settings) -> proto::Room {
        let info = self.info(settings);
        match session.waiting {
            Some(_) => proto::Room { metadata: String::new(), num_participants: 0, num_publishers: 0, ..info },
            None => info,
        }
    }
}
