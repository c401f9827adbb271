//! Speaker slots: from so many participants on a room hears through a few tracks of the server's own, into which the media plane puts
//! whoever is loudest. A client needs a media section for each track that it receives; so it needs five of them instead of a
//! thousand, and nobody negotiates when a microphone comes or goes. docs/HEARING.md tells what clients see of it.

use super::effect::{Effect, Notice};
use super::room::Room;
use crate::negotiate::codecs;
use crate::session::publication::{Part, Publication};
use crate::session::{Context, Dialect, Session, SessionKey};
use livekit_protocol as proto;
use proto::ParticipantInfo;
use proto::participant_info::{Kind as Participant, State};
use ramai_sfu::api::Command;
use ramai_sfu::id::{Pt, Token, TrackId, WorkerId};
use ramai_sfu::params::{Codec, Format, Kind, LayerParams, PayloadParams, PublishParams};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Who publishes the slots, for clients.
pub(super) const IDENTITY: &str = "ramai.speakers";
/// Its attributes: how many slots there are, and the identity of who is in each.
const COUNT: &str = "ramai.slots";
const SPEAKER: &str = "ramai.slot.";
/// SIDs of the microphones that slots don't carry, with commas between.
const APART: &str = "ramai.apart";

/// The slots of a room.
pub(super) struct Slots {
    /// Their publisher's key, which no session has.
    key: SessionKey,
    /// The worker that fills them.
    home: WorkerId,
    tracks: Vec<TrackId>,
    info: ParticipantInfo,
    /// Sessions that still hear microphones by themselves, until their slots are negotiated.
    moving: BTreeSet<SessionKey>,
}

impl Room {
    /// Opens slots if the room is large enough with one more. It stays so until nobody is there: going to and fro would cost
    /// everybody two negotiations each time.
    pub(super) fn open_slots_if_due(&mut self, newcomer: WorkerId, cx: &mut Context<'_>) {
        let (from, count) = (cx.settings.speaker_slots_from, cx.settings.audible);
        if self.slots.is_none() && count > 0 && from > 0 && self.sessions.len() + 1 >= from {
            self.open_slots(newcomer, count, cx);
        }
    }

    fn open_slots(&mut self, newcomer: WorkerId, count: usize, cx: &mut Context<'_>) {
        let home = self.fullest().unwrap_or(newcomer);
        tracing::info!(room = self.name, %home, slots = count, "the room is large, it hears through speaker slots");
        let key = SessionKey(cx.ids.key());
        let info = participant(cx.ids.sid("PA_"), count);
        let tracks: Vec<TrackId> = (0..count).map(|_| cx.ids.track()).collect();
        for (number, track) in tracks.iter().enumerate() {
            self.publications.insert(Publication {
                track: *track,
                publisher: key,
                publisher_sid: info.sid.clone(),
                info: track_info(cx.ids.sid("TR_"), number),
                payloads: payloads(),
                layers: 1,
                allowed: None,
                seen: true,
                wanted: None,
                settled: true,
                part: Part::Slot,
            });
        }
        let params = PublishParams {
            kind: Kind::Audio,
            screen: false,
            mid: Token::new("0").unwrap_or_default(),
            payloads: payloads(),
            layers: vec![LayerParams::default()],
        };
        let publisher = cx.ids.transport();
        let (room, params) = (cx.room, Box::new(params));
        cx.command(Command::OpenSlots { room, home, publisher, tracks: tracks.clone().into(), params });
        self.publications.through_slots(true);
        self.heard.retain(|worker, _| *worker == home);
        let moving = self.sessions.keys().copied().collect();
        self.slots = Some(Slots { key, home, tracks, info, moving });
        self.tell_slots(cx);
        self.tell_apart(cx);
        let Room { sessions, publications, .. } = self;
        // Plain HTTP has one answer for good: who came that way goes on hearing microphones.
        for session in sessions.values_mut().filter(|s| matches!(s.dialect, Dialect::Single | Dialect::Dual)) {
            for slot in publications.of(key) {
                session.subscribe(slot, cx);
            }
            session.negotiate(publications, cx);
        }
    }

    /// Nobody is there any more.
    pub(super) fn close_slots(&mut self, cx: &mut Context<'_>) {
        let Some(slots) = self.slots.take() else { return };
        for track in slots.tracks {
            self.publications.remove(track);
        }
        self.publications.through_slots(false);
        cx.command(Command::CloseSlots { room: cx.room });
    }

    /// The worker with the most of the room.
    fn fullest(&self) -> Option<WorkerId> {
        let mut counts: BTreeMap<WorkerId, usize> = BTreeMap::new();
        self.sessions.values().for_each(|session| *counts.entry(session.worker).or_default() += 1);
        counts.into_iter().max_by_key(|(worker, count)| (*count, std::cmp::Reverse(*worker))).map(|(worker, _)| worker)
    }

    /// Whether what that worker says of who speaks counts: the slots' home knows of all.
    pub(super) fn listens_to(&self, worker: WorkerId) -> bool {
        self.slots.as_ref().is_none_or(|slots| slots.home == worker)
    }

    /// The slots as a participant.
    pub(super) fn slots_participant(&self) -> Option<ParticipantInfo> {
        let slots = self.slots.as_ref()?;
        let tracks = self.publications.of(slots.key).map(|slot| slot.info.clone()).collect();
        Some(ParticipantInfo { tracks, ..slots.info.clone() })
    }

    /// Tells one client of the slots, if there are any.
    pub(super) fn tell_of_slots(&self, session: &Session, cx: &mut Context<'_>) {
        if let Some(participant) = self.slots_participant() {
            session.notify(Notice::Update(proto::ParticipantUpdate { participants: vec![participant] }), cx);
        }
    }

    fn tell_slots(&self, cx: &mut Context<'_>) {
        let Some(participant) = self.slots_participant() else { return };
        let update = proto::ParticipantUpdate { participants: vec![participant] };
        cx.out.push(Effect::Notice(self.conns().collect(), Box::new(Notice::Update(update))));
    }

    /// Who is in which slot.
    pub(super) fn slots_filled(&mut self, speakers: &[Option<TrackId>], cx: &mut Context<'_>) {
        let identity = |track: &TrackId| {
            let session = self.sessions.get(&self.publications.get(track)?.publisher)?;
            session.listed().then(|| session.info.identity.clone())
        };
        let filled: Vec<(String, String)> = speakers
            .iter()
            .enumerate()
            .filter_map(|(number, track)| Some((format!("{SPEAKER}{number}"), track.as_ref().and_then(identity)?)))
            .collect();
        self.change_attributes(cx, |attributes| {
            attributes.retain(|name, _| !name.starts_with(SPEAKER));
            attributes.extend(filled);
        });
    }

    /// Tells which microphones slots don't carry, if those changed: clients that choose for themselves must subscribe to these.
    pub(super) fn tell_apart(&mut self, cx: &mut Context<'_>) {
        if self.slots.is_none() {
            return;
        }
        let screen = proto::TrackSource::ScreenShareAudio;
        let apart = self.publications.values().filter(|p| {
            p.kind() == Kind::Audio
                && p.part != Part::Slot
                && p.info.source() != screen
                && self.publications.by_itself(p)
        });
        let apart: Vec<&str> = apart.map(|p| p.info.sid.as_str()).collect();
        let apart = apart.join(",");
        self.change_attributes(cx, |attributes| {
            attributes.remove(APART);
            attributes.extend((!apart.is_empty()).then(|| (APART.to_owned(), apart)));
        });
    }

    fn change_attributes(&mut self, cx: &mut Context<'_>, change: impl FnOnce(&mut HashMap<String, String>)) {
        let Some(slots) = self.slots.as_mut() else { return };
        let mut attributes = slots.info.attributes.clone();
        change(&mut attributes);
        if slots.info.attributes != attributes {
            slots.info.attributes = attributes;
            slots.info.version += 1;
            self.tell_slots(cx);
        }
    }

    /// A session is sent a slot from now on: once it is sent all of them, it no longer hears microphones by themselves. Not before, or
    /// it would hear nothing while it negotiates.
    pub(super) fn slot_is_live(&mut self, key: SessionKey, track: TrackId, cx: &mut Context<'_>) {
        let Room { sessions, publications, slots, .. } = self;
        let Some(slots) = slots.as_mut().filter(|slots| slots.tracks.contains(&track)) else { return };
        let Some(session) = sessions.get_mut(&key) else { return };
        let live = |track| session.subscriptions.get(track).is_some_and(|subscription| subscription.live);
        if !slots.tracks.iter().all(live) || !slots.moving.remove(&key) {
            return;
        }
        let carried = |track: &TrackId| publications.get(track).is_some_and(|p| !publications.by_itself(p));
        let microphones: Vec<TrackId> = session.subscriptions.keys().copied().filter(carried).collect();
        for track in microphones {
            session.unsubscribe(track, cx);
        }
        session.negotiate(publications, cx);
    }
}

fn participant(sid: String, count: usize) -> ParticipantInfo {
    let mut info = ParticipantInfo {
        sid,
        identity: IDENTITY.into(),
        name: "Speakers".into(),
        version: 1,
        is_publisher: true,
        permission: Some(proto::ParticipantPermission { can_publish: true, ..Default::default() }),
        attributes: [(COUNT.to_owned(), count.to_string())].into(),
        ..Default::default()
    };
    info.set_state(State::Active);
    // Brought in by the server, and no person.
    info.set_kind(Participant::Ingress);
    info
}

fn track_info(sid: String, number: usize) -> proto::TrackInfo {
    let mime_type = codecs::mime(Codec::Opus).to_owned();
    let name = format!("slot-{number}");
    let mut info = proto::TrackInfo {
        sid,
        // A stream of its own: slots are in sync with nobody's camera.
        stream: name.clone(),
        name,
        codecs: vec![proto::SimulcastCodecInfo { mime_type: mime_type.clone(), ..Default::default() }],
        mime_type,
        ..Default::default()
    };
    info.set_type(proto::TrackType::Audio);
    info.set_source(proto::TrackSource::Microphone);
    info
}

/// What is sent in a slot: whatever microphones send.
fn payloads() -> Vec<PayloadParams> {
    let format = Format { codec: Codec::Opus, profile: 0 };
    vec![PayloadParams { pt: Pt(111), format, rtx: None, red: Some(Pt(63)), nack: true }]
}
