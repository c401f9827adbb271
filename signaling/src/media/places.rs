//! On which worker everything lives that the media plane was told of. Sessions name transports, tracks and subscriptions; this
//! finds their workers, and links the two where a subscriber's is not the publisher's.

use bytes::Bytes;
use ramai_sfu::api::Command;
use ramai_sfu::id::{RoomId, SubscriptionId, TrackId, TransportId, WorkerId};
use ramai_sfu::params::{DataChannel, PublishParams};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Commands with their workers, in the order in which they must go out.
pub(crate) type Routed = Vec<(WorkerId, Command)>;

/// Its inputs are every command, and every transport that ended by itself.
pub(crate) struct Places {
    /// How many workers there are.
    workers: u16,
    /// The speaker slots of rooms.
    slots: HashMap<RoomId, Arc<[TrackId]>>,
    wires: HashMap<TransportId, Wire>,
    tracks: HashMap<TrackId, Home>,
    subscriptions: HashMap<SubscriptionId, (TransportId, TrackId)>,
}

struct Wire {
    worker: WorkerId,
    room: RoomId,
    tracks: BTreeSet<TrackId>,
    subscriptions: BTreeSet<SubscriptionId>,
}

/// Where a track comes in.
struct Home {
    worker: WorkerId,
    room: RoomId,
    publisher: TransportId,
    params: Box<PublishParams>,
    /// Other workers with subscribers, and how many.
    mirrors: BTreeMap<WorkerId, usize>,
}

impl Places {
    /// Nothing is anywhere yet.
    pub fn new(workers: usize) -> Self {
        Self {
            workers: workers.try_into().unwrap_or(u16::MAX),
            slots: HashMap::new(),
            wires: HashMap::new(),
            tracks: HashMap::new(),
            subscriptions: HashMap::new(),
        }
    }

    /// [`Command::AttachTransport`]: its transport lives on this worker until it is closed or [`Places::ended`].
    pub fn attach(&mut self, worker: WorkerId, command: Command) -> Routed {
        if let Command::AttachTransport { transport, room, .. } = &command {
            let wire = Wire { worker, room: *room, tracks: BTreeSet::new(), subscriptions: BTreeSet::new() };
            self.wires.insert(*transport, wire);
        }
        vec![(worker, command)]
    }

    /// Any other command. About what is already gone there is nothing to be said to anybody.
    pub fn route(&mut self, command: Command) -> Routed {
        let mut out = Routed::new();
        match command {
            Command::UpdateTransport { transport, .. } => out.extend(self.on_wire(transport, command)),
            Command::CloseTransport { transport } => {
                out.extend(self.on_wire(transport, command));
                out.append(&mut self.ended(transport));
            }
            Command::Publish { transport, track, ref params } => {
                if let Some(wire) = self.wires.get_mut(&transport) {
                    wire.tracks.insert(track);
                    let (worker, room, params) = (wire.worker, wire.room, params.clone());
                    let home = Home { worker, room, publisher: transport, params, mirrors: BTreeMap::new() };
                    self.tracks.insert(track, home);
                    out.push((worker, command));
                }
            }
            Command::Unpublish { track } => {
                if let Some(home) = self.tracks.remove(&track) {
                    if let Some(wire) = self.wires.get_mut(&home.publisher) {
                        wire.tracks.remove(&track);
                    }
                    out.push((home.worker, command));
                    out.extend(home.mirrors.into_keys().map(|worker| (worker, Command::Unpublish { track })));
                }
            }
            Command::MuteTrack { track, .. } | Command::KeepFromSlots { track, .. } => {
                out.extend(self.tracks.get(&track).map(|home| (home.worker, command)))
            }
            Command::Subscribe { transport, track, subscription, .. } => {
                if let (Some(wire), Some(home)) = (self.wires.get_mut(&transport), self.tracks.get_mut(&track)) {
                    wire.subscriptions.insert(subscription);
                    self.subscriptions.insert(subscription, (transport, track));
                    home.gain(track, wire.worker, &mut out);
                    out.push((wire.worker, command));
                }
            }
            Command::UpdateSubscription { subscription, .. } => {
                if let Some((transport, _)) = self.subscriptions.get(&subscription) {
                    out.extend(self.on_wire(*transport, command));
                }
            }
            Command::Unsubscribe { subscription } => {
                if let Some((transport, track)) = self.subscriptions.remove(&subscription)
                    && let Some(wire) = self.wires.get_mut(&transport)
                {
                    wire.subscriptions.remove(&subscription);
                    let worker = wire.worker;
                    out.push((worker, command));
                    self.lose(track, worker, &mut out);
                }
            }
            Command::OpenSlots { room, home, publisher, ref tracks, ref params } => {
                for track in tracks.iter() {
                    let (params, mirrors) = (params.clone(), BTreeMap::new());
                    self.tracks.insert(*track, Home { worker: home, room, publisher, params, mirrors });
                }
                self.slots.insert(room, tracks.clone());
                self.to_all(&command, &mut out);
            }
            Command::CloseSlots { room } => {
                self.to_all(&command, &mut out);
                for track in self.slots.remove(&room).iter().flat_map(|tracks| tracks.iter()) {
                    let mirrors = self.tracks.remove(track).map(|home| home.mirrors).unwrap_or_default();
                    let unpublish = |worker| (worker, Command::Unpublish { track: *track });
                    out.extend(mirrors.into_keys().map(unpublish));
                }
            }
            Command::SendData { to, channel, payload } => self.send_data(&to, channel, &payload, &mut out),
            // The first needs a worker, see above; the others are made here.
            Command::AttachTransport { .. } | Command::Mirror { .. } | Command::Relay { .. } => {}
        }
        out
    }

    /// A transport is gone with all that it published and received; its own worker knows.
    pub fn ended(&mut self, transport: TransportId) -> Routed {
        let mut out = Routed::new();
        let Some(wire) = self.wires.remove(&transport) else { return out };
        for subscription in wire.subscriptions {
            if let Some((_, track)) = self.subscriptions.remove(&subscription) {
                self.lose(track, wire.worker, &mut out);
            }
        }
        for track in wire.tracks {
            if let Some(home) = self.tracks.remove(&track) {
                out.extend(home.mirrors.into_keys().map(|worker| (worker, Command::Unpublish { track })));
            }
        }
        out
    }

    fn to_all(&self, command: &Command, out: &mut Routed) {
        out.extend((0..self.workers).map(|worker| (WorkerId(worker), command.clone())));
    }

    fn on_wire(&self, transport: TransportId, command: Command) -> Option<(WorkerId, Command)> {
        Some((self.wires.get(&transport)?.worker, command))
    }

    /// A subscriber on that worker is gone.
    fn lose(&mut self, track: TrackId, worker: WorkerId, out: &mut Routed) {
        let Some(home) = self.tracks.get_mut(&track) else { return };
        let Some(left) = home.mirrors.get_mut(&worker) else { return };
        *left -= 1;
        if *left == 0 {
            home.mirrors.remove(&worker);
            out.push((home.worker, Command::Relay { track, to: worker, on: false }));
            out.push((worker, Command::Unpublish { track }));
        }
    }

    /// The same message for each worker's own.
    fn send_data(&self, to: &Arc<[TransportId]>, channel: DataChannel, payload: &Bytes, out: &mut Routed) {
        let mut by_worker: BTreeMap<WorkerId, Vec<TransportId>> = BTreeMap::new();
        for transport in to.iter() {
            if let Some(wire) = self.wires.get(transport) {
                by_worker.entry(wire.worker).or_default().push(*transport);
            }
        }
        let message = |to: Vec<TransportId>| Command::SendData { to: to.into(), channel, payload: payload.clone() };
        out.extend(by_worker.into_iter().map(|(worker, to)| (worker, message(to))));
    }

    /// Whether it knows of nothing.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty() && self.wires.is_empty() && self.tracks.is_empty() && self.subscriptions.is_empty()
    }
}

impl Home {
    /// Another subscriber, on that worker. The mirror is there before anything comes for it.
    fn gain(&mut self, track: TrackId, worker: WorkerId, out: &mut Routed) {
        if worker == self.worker {
            return;
        }
        let subscribers = self.mirrors.entry(worker).or_default();
        *subscribers += 1;
        if *subscribers == 1 {
            let (room, publisher, home) = (self.room, self.publisher, self.worker);
            out.push((worker, Command::Mirror { track, room, publisher, home, params: self.params.clone() }));
            out.push((home, Command::Relay { track, to: worker, on: true }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ramai_sfu::id::{Mid, Ssrc, Token};
    use ramai_sfu::params::{
        ExtensionMap, Fingerprint, IceCredentials, Kind, SubscribeParams, SubscriptionSettings, TransportParams,
    };

    const TRACK: TrackId = TrackId(7);
    const HOME: WorkerId = WorkerId(0);
    const AWAY: WorkerId = WorkerId(1);

    fn mid() -> Mid {
        Token::new("0").unwrap()
    }

    fn wire(places: &mut Places, transport: u64, worker: WorkerId) {
        let ice = || IceCredentials { ufrag: String::new(), pwd: String::new() };
        let params = TransportParams {
            local: ice(),
            remote: ice(),
            fingerprints: vec![Fingerprint([0; 32])],
            extensions: ExtensionMap::default(),
            open_channels: Vec::new(),
        };
        let transport = TransportId(transport);
        let attach = Command::AttachTransport { transport, room: RoomId(1), params: Box::new(params) };
        assert_eq!(shape(&places.attach(worker, attach)), [format!("{worker} Attach")]);
    }

    fn subscribe(transport: u64) -> Command {
        let params = SubscribeParams { mid: mid(), ssrc: Ssrc(1), rtx_ssrc: None, payloads: Vec::new(), own: None };
        Command::Subscribe {
            transport: TransportId(transport),
            track: TRACK,
            subscription: SubscriptionId(transport),
            params: Box::new(params),
            settings: SubscriptionSettings::default(),
        }
    }

    /// Ana (1) publishes on worker 0; Ben (2) is there too, Cai (3) and Dee (4) are on worker 1.
    fn room() -> Places {
        let mut places = Places::new(2);
        for (transport, worker) in [(1, HOME), (2, HOME), (3, AWAY), (4, AWAY)] {
            wire(&mut places, transport, worker);
        }
        let params =
            PublishParams { kind: Kind::Audio, mid: mid(), payloads: Vec::new(), layers: Vec::new(), screen: false };
        let publish = Command::Publish { transport: TransportId(1), track: TRACK, params: Box::new(params) };
        assert_eq!(shape(&places.route(publish)), ["0 Publish"]);
        places
    }

    fn shape(routed: &Routed) -> Vec<String> {
        let name = |command: &Command| match command {
            Command::AttachTransport { .. } => "Attach".to_owned(),
            Command::CloseTransport { .. } => "Close".to_owned(),
            Command::Publish { .. } => "Publish".to_owned(),
            Command::Unpublish { .. } => "Unpublish".to_owned(),
            Command::Subscribe { .. } => "Subscribe".to_owned(),
            Command::Unsubscribe { .. } => "Unsubscribe".to_owned(),
            Command::Mirror { home, publisher, .. } => format!("Mirror {publisher} of {home}"),
            Command::Relay { to, on, .. } => format!("Relay to {to} {on}"),
            Command::SendData { to, .. } => format!("Data to {}", to.len()),
            other => format!("{other:?}"),
        };
        routed.iter().map(|(worker, command)| format!("{worker} {}", name(command))).collect()
    }

    #[test]
    fn a_link_lasts_from_the_first_subscriber_of_a_worker_to_the_last() {
        let mut places = room();
        assert_eq!(shape(&places.route(subscribe(2))), ["0 Subscribe"]);
        assert_eq!(
            shape(&places.route(subscribe(3))),
            ["1 Mirror 1 of 0", "0 Relay to 1 true", "1 Subscribe"],
            "the mirror comes before anything for it"
        );
        assert_eq!(shape(&places.route(subscribe(4))), ["1 Subscribe"]);
        let unsubscribe = Command::Unsubscribe { subscription: SubscriptionId(3) };
        assert_eq!(shape(&places.route(unsubscribe.clone())), ["1 Unsubscribe"]);
        assert!(places.route(unsubscribe).is_empty(), "it's gone");
        // Dee's connection fails: her worker knows, the others are told.
        assert_eq!(shape(&places.ended(TransportId(4))), ["0 Relay to 1 false", "1 Unpublish"]);
        assert_eq!(shape(&places.route(subscribe(3))), ["1 Mirror 1 of 0", "0 Relay to 1 true", "1 Subscribe"]);
    }

    #[test]
    fn a_track_ends_on_all_workers_whether_unpublished_or_gone_with_its_wire() {
        let mut places = room();
        places.route(subscribe(2));
        places.route(subscribe(3));
        assert_eq!(shape(&places.route(Command::Unpublish { track: TRACK })), ["0 Unpublish", "1 Unpublish"]);
        assert!(places.route(subscribe(4)).is_empty(), "there is nothing to subscribe to");

        let mut places = room();
        places.route(subscribe(3));
        assert_eq!(
            shape(&places.route(Command::CloseTransport { transport: TransportId(1) })),
            ["0 Close", "1 Unpublish"]
        );
        for transport in 2..5 {
            let closed = places.route(Command::CloseTransport { transport: TransportId(transport) });
            assert_eq!(closed.len(), 1, "{closed:?}");
        }
        assert!(places.is_empty());
    }

    #[test]
    fn a_message_goes_to_each_worker_once() {
        let mut places = room();
        let to: Vec<TransportId> = [1, 3, 4, 99].map(TransportId).into();
        let message = Command::SendData { to: to.into(), channel: DataChannel::Lossy, payload: Bytes::new() };
        assert_eq!(shape(&places.route(message)), ["0 Data to 1", "1 Data to 2"]);
    }
}
