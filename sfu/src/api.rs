//! The border of the media plane: values that go in and come out. Nothing else crosses it.

use crate::id::{RoomId, SubscriptionId, TrackId, TransportId, WorkerId};
use crate::params::{
    DataChannel, ExtensionMap, Fingerprint, IceCredentials, PublishParams, SubscribeParams, SubscriptionSettings,
    TransportParams,
};
use bytes::Bytes;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// What signaling asks of a worker. Commands about something unknown (already closed) are ignored and counted.
#[derive(Clone, Debug)]
pub enum Command {
    /// Bring up a peer connection's wire in a room; answered by [`Event::Connected`] or [`Event::Disconnected`].
    AttachTransport {
        /// Its name from now on.
        transport: TransportId,
        /// The room whose tracks it may be subscribed to.
        room: RoomId,
        /// What was negotiated.
        params: Box<TransportParams>,
    },
    /// A later negotiation changed what concerns the whole transport. Media goes on meanwhile.
    UpdateTransport {
        /// Which.
        transport: TransportId,
        /// The extension ids, all of them.
        extensions: ExtensionMap,
        /// With an ICE restart (RFC 8445 section 2.4): our new credentials and the peer's. The old stay valid until the new are used.
        ice: Option<Box<(IceCredentials, IceCredentials)>>,
        /// Fingerprints of the peer, all of them. They may change only while DTLS isn't up.
        fingerprints: Vec<Fingerprint>,
    },
    /// Close the wire with all its publications and subscriptions. No event follows.
    CloseTransport {
        /// Which.
        transport: TransportId,
    },
    /// Take a track in from a transport.
    Publish {
        /// From where.
        transport: TransportId,
        /// Its name from now on.
        track: TrackId,
        /// What was negotiated.
        params: Box<PublishParams>,
    },
    /// Take in a track that is published on another worker, for subscribers here. [`Command::Unpublish`] ends it.
    Mirror {
        /// Which.
        track: TrackId,
        /// Its room.
        room: RoomId,
        /// Its publisher's transport on the other worker: the streams of one publisher play in sync by it.
        publisher: TransportId,
        /// The worker that has the publisher, and is told by [`Command::Relay`].
        home: WorkerId,
        /// What was negotiated with the publisher.
        params: Box<PublishParams>,
    },
    /// Hand the packets of a track that is published here to another worker, which mirrors it, or don't any more.
    Relay {
        /// Which.
        track: TrackId,
        /// To which worker.
        to: WorkerId,
        /// From now on, or no longer.
        on: bool,
    },
    /// A room hears through speaker slots from now on: its microphones are put into these tracks, the loudest of them. All workers
    /// are told; [`Command::CloseSlots`] ends it. Other workers take the slots in by [`Command::Mirror`], like any track.
    OpenSlots {
        /// Which room.
        room: RoomId,
        /// The worker that fills them.
        home: WorkerId,
        /// Nobody's transport: their publisher.
        publisher: TransportId,
        /// The slots; as many are heard at once.
        tracks: Arc<[TrackId]>,
        /// What they are like.
        params: Box<PublishParams>,
    },
    /// The room has no slots any more; their tracks end.
    CloseSlots {
        /// Which room.
        room: RoomId,
    },
    /// Stop taking a track in; its subscriptions here end too.
    Unpublish {
        /// Which.
        track: TrackId,
    },
    /// While muted, packets of the track are dropped at the door, whatever the publisher sends.
    MuteTrack {
        /// Which.
        track: TrackId,
        /// On or off.
        muted: bool,
    },
    /// A microphone isn't for everybody: it is never put into a speaker slot, and its subscribers always hear it.
    KeepFromSlots {
        /// Which.
        track: TrackId,
        /// From now on, or no longer.
        kept: bool,
    },
    /// Send a track to a transport.
    Subscribe {
        /// To where.
        transport: TransportId,
        /// What.
        track: TrackId,
        /// Its name from now on.
        subscription: SubscriptionId,
        /// What was negotiated.
        params: Box<SubscribeParams>,
        /// What to show at first.
        settings: SubscriptionSettings,
    },
    /// Change what is shown.
    UpdateSubscription {
        /// Which.
        subscription: SubscriptionId,
        /// From now on.
        settings: SubscriptionSettings,
    },
    /// Stop sending.
    Unsubscribe {
        /// Which.
        subscription: SubscriptionId,
    },
    /// Send one message over data channels. Recipients without that channel are skipped and counted.
    SendData {
        /// To whom.
        to: Arc<[TransportId]>,
        /// Over which channel.
        channel: DataChannel,
        /// The message, at most [`MAX_DATA_MESSAGE`] bytes.
        payload: Bytes,
    },
}

/// Largest data-channel message that we take and send, in bytes: what browsers announce (`a=max-message-size`).
pub const MAX_DATA_MESSAGE: usize = 256 * 1024;

/// What a worker tells signaling.
#[derive(Clone, PartialEq, Debug)]
pub enum Event {
    /// ICE, DTLS and SRTP are up; media may flow.
    Connected {
        /// Which.
        transport: TransportId,
    },
    /// The wire is gone and removed with all its publications and subscriptions.
    Disconnected {
        /// Which.
        transport: TransportId,
        /// Why.
        reason: DisconnectReason,
    },
    /// A data channel can be written to.
    ChannelOpen {
        /// Which transport's.
        transport: TransportId,
        /// Which channel.
        channel: DataChannel,
    },
    /// A message came in.
    Data {
        /// From whom.
        transport: TransportId,
        /// On which channel.
        channel: DataChannel,
        /// The message.
        payload: Bytes,
    },
    /// First packet of a published track arrived.
    TrackStarted {
        /// Whose.
        transport: TransportId,
        /// Which.
        track: TrackId,
    },
    /// Who speaks in a room changed, among those who publish on this worker; among all, where the room has speaker slots and this is
    /// their home. The list is whole, the one who has the floor first and
    /// then loudest first; it is empty when all are silent.
    Speakers {
        /// Which room.
        room: RoomId,
        /// Tracks that are heard.
        speakers: Vec<Speaker>,
        /// Who has the floor, if it is one of these publishers: also while it pauses, until another takes it.
        dominant: Option<TrackId>,
    },
    /// Who is in which speaker slot changed; told by the slots' home, at most once a second.
    Slots {
        /// Which room.
        room: RoomId,
        /// The microphone that is in each slot. A track may have ended meanwhile.
        speakers: Vec<Option<TrackId>>,
    },
    /// Which layers of a video have room on the way to a subscriber changed for good: what never fits needn't be encoded for it.
    Reach {
        /// To whom.
        transport: TransportId,
        /// What.
        track: TrackId,
        /// As which subscription.
        subscription: SubscriptionId,
        /// The highest simulcast layer that has room; `None`: any.
        layer: Option<u8>,
    },
    /// There is no room for a video on the way to a subscriber, so nothing of it is sent; or there is again.
    StreamState {
        /// To whom.
        transport: TransportId,
        /// What.
        track: TrackId,
        /// As which subscription.
        subscription: SubscriptionId,
        /// Nothing is sent from now on, or it goes on.
        paused: bool,
    },
}

/// One who is heard.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Speaker {
    /// The audio track.
    pub track: TrackId,
    /// Loudness, 0.0 (silent) to 1.0 (overload), linear.
    pub level: f32,
}

/// Why a transport ended without having been closed by us.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum DisconnectReason {
    /// The peer said goodbye (DTLS close_notify).
    Closed,
    /// Nothing valid came for [`crate::ICE_TIMEOUT`], or the handshake wasn't done within [`crate::CONNECT_TIMEOUT`].
    Timeout,
    /// The certificate doesn't have the digest that the peer's SDP names.
    Fingerprint,
    /// DTLS failed for another reason; the log has it.
    Handshake,
}

/// Where a datagram came from and to which of our addresses: replies must leave from there, or ICE checks fail.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Path {
    /// The peer's address.
    pub remote: SocketAddr,
    /// Our address, where the socket is bound to all and the kernel told.
    pub local: Option<IpAddr>,
}

/// One datagram from a socket. It is decrypted where it lies.
#[derive(Debug)]
pub struct Datagram<'a> {
    /// Whence.
    pub path: Path,
    /// When it came: it may have waited until it was handed over.
    pub came: Instant,
    /// What.
    pub payload: &'a mut [u8],
}
