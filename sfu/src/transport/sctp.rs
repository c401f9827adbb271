//! Data channels of one transport: SCTP over DTLS (RFC 8831, RFC 8261) with DCEP (RFC 8832). The peer opens the association,
//! either side channels. Initial tags and sequence numbers are the SCTP crate's own.

use super::{Counters, SendDataError};
use crate::api::MAX_DATA_MESSAGE;
use crate::params::DataChannel;
use bytes::Bytes;
use rtc_datachannel::message::Message;
use rtc_datachannel::message::message_channel_ack::DataChannelAck;
use rtc_datachannel::message::message_channel_open::{CHANNEL_PRIORITY_NORMAL, ChannelType, DataChannelOpen};
use rtc_sctp::{
    Association, DatagramEvent, Endpoint, EndpointConfig, Event, Payload, PayloadProtocolIdentifier as Ppid,
    ReliabilityType, ServerConfig, StreamEvent, StreamId, TransportConfig,
};
use rtc_shared::TransportProtocol;
use rtc_shared::marshal::{Marshal, Unmarshal};
use smallvec::SmallVec;
use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

/// DTLS below knows where the peer is; SCTP gets a constant.
const PEER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9);

/// Streams either side may use. A client has three channels, ours are three more; each costs us some hundred bytes.
const MAX_STREAMS: u16 = 128;
/// What a peer may have us hold in parts of messages: one of the largest and room for those around it.
const RECEIVE_WINDOW: u32 = 2 * MAX_DATA_MESSAGE as u32;
/// A lossy channel with more than this waiting drops: what waits longer is stale when it arrives.
const MAX_LOSSY_BUFFER: usize = 64 * 1024;
/// A reliable channel with more than this waiting has a peer that doesn't read.
const MAX_RELIABLE_BUFFER: usize = 4 * 1024 * 1024;

const _: () = assert!(RECEIVE_WINDOW as usize > MAX_DATA_MESSAGE);

/// What SCTP tells the transport.
pub(super) enum SctpEvent {
    Open(DataChannel),
    Data(DataChannel, Bytes),
}

struct Channel {
    kind: DataChannel,
    stream: StreamId,
    /// We opened it and the peer hasn't answered yet.
    awaits_ack: bool,
}

/// The association and the INIT that began it.
struct Peer {
    association: Association,
    initiate_tag: [u8; 4],
    /// What we answered. The crate would take a repeated INIT for another peer's, so we repeat the answer ourselves.
    init_ack: Option<Bytes>,
}

/// SCTP of one transport. Inputs are [`Sctp::handle`], [`Sctp::send`] and [`Sctp::handle_timeout`].
pub(super) struct Sctp {
    /// Made with the first packet: most transports that only receive media never need it.
    endpoint: Option<Endpoint>,
    peer: Option<Peer>,
    channels: SmallVec<[Channel; 3]>,
    /// To open once the association is up.
    open_channels: Vec<DataChannel>,
    transmits: VecDeque<Bytes>,
    failed: bool,
}

impl Sctp {
    pub(super) fn new(open_channels: Vec<DataChannel>) -> Self {
        Self {
            endpoint: None,
            peer: None,
            channels: SmallVec::new(),
            open_channels,
            transmits: VecDeque::new(),
            failed: false,
        }
    }

    /// Takes in one SCTP packet.
    pub(super) fn handle(&mut self, now: Instant, packet: Bytes, counters: &mut Counters, events: &mut Vec<SctpEvent>) {
        let accepted = match inspect(&packet) {
            _ if self.failed => false,
            None => false,
            Some(Packet::Init(tag)) => self.init(now, packet, tag),
            Some(Packet::Other) => self.feed(now, packet),
        };
        if !accepted {
            counters.sctp_dropped += 1;
        }
        self.turn(now, counters, events);
    }

    fn init(&mut self, now: Instant, packet: Bytes, initiate_tag: [u8; 4]) -> bool {
        if let Some(peer) = &self.peer {
            let repeated = peer.initiate_tag == initiate_tag && peer.association.is_handshaking();
            if repeated && let Some(answer) = &peer.init_ack {
                self.transmits.push_back(answer.clone());
            }
            return repeated;
        }
        let endpoint = self.endpoint.get_or_insert_with(endpoint);
        match endpoint.handle(now, PEER, None, packet) {
            Some((_, DatagramEvent::NewAssociation(association))) => {
                self.peer = Some(Peer { association, initiate_tag, init_ack: None });
                self.drain(now);
                if let Some(peer) = &mut self.peer {
                    peer.init_ack = self.transmits.back().cloned();
                }
                true
            }
            _ => false,
        }
    }

    fn feed(&mut self, now: Instant, packet: Bytes) -> bool {
        let (Some(endpoint), Some(peer)) = (&mut self.endpoint, &mut self.peer) else { return false };
        match endpoint.handle(now, PEER, None, packet) {
            Some((_, DatagramEvent::AssociationEvent(event))) => {
                peer.association.handle_event(event);
                true
            }
            _ => false,
        }
    }

    /// Works off what the last input caused.
    fn turn(&mut self, now: Instant, counters: &mut Counters, events: &mut Vec<SctpEvent>) {
        while let Some(event) = self.peer.as_mut().and_then(|peer| peer.association.poll()) {
            match event {
                Event::Connected => self.open_ours(now),
                Event::Stream(StreamEvent::Readable { id }) => self.read(now, id, counters, events),
                // The crate says so for each stream that was reset, and also when all is lost.
                Event::AssociationLost { id, .. } => self.channels.retain(|channel| channel.stream != id),
                _ => {}
            }
        }
        if let Some(peer) = &mut self.peer {
            // Opened streams were told by their first message already; this queue would only grow.
            while peer.association.accept_stream().is_some() {}
            while peer.association.poll_endpoint_event().is_some() {}
            if peer.association.is_closed() && !peer.association.is_handshaking() && !self.failed {
                tracing::debug!("SCTP association lost");
                self.failed = true;
                self.channels.clear();
            }
        }
        self.drain(now);
    }

    fn drain(&mut self, now: Instant) {
        let Some(peer) = &mut self.peer else { return };
        while let Some(transmit) = peer.association.poll_transmit(now) {
            if let Payload::RawEncode(packets) = transmit.message {
                self.transmits.extend(packets);
            }
        }
    }

    /// Opens our channels; as DTLS server we use odd stream identifiers (RFC 8832 section 6).
    fn open_ours(&mut self, now: Instant) {
        let Some(peer) = &mut self.peer else { return };
        for (kind, stream_id) in std::mem::take(&mut self.open_channels).into_iter().zip((1..MAX_STREAMS).step_by(2)) {
            let (channel_type, unordered, reliability) = match kind {
                DataChannel::Reliable => (ChannelType::Reliable, false, ReliabilityType::Reliable),
                DataChannel::Lossy | DataChannel::Track => {
                    (ChannelType::PartialReliableRexmitUnordered, true, ReliabilityType::Rexmit)
                }
            };
            let open = Message::DataChannelOpen(DataChannelOpen {
                channel_type,
                priority: CHANNEL_PRIORITY_NORMAL,
                reliability_parameter: 0,
                label: kind.label().into(),
                protocol: Vec::new(),
            });
            let opened = open.marshal().and_then(|open| {
                let mut stream = peer.association.open_stream(stream_id, Ppid::Binary)?;
                stream.set_reliability_params(unordered, reliability, 0)?;
                stream.write_sctp(now, &open.freeze(), Ppid::Dcep)
            });
            match opened {
                Ok(_) => self.channels.push(Channel { kind, stream: stream_id, awaits_ack: true }),
                Err(error) => tracing::debug!(%error, channel = kind.label(), "channel not opened"),
            }
        }
    }

    fn read(&mut self, now: Instant, id: StreamId, counters: &mut Counters, events: &mut Vec<SctpEvent>) {
        while let Some(chunks) =
            self.peer.as_mut().and_then(|peer| peer.association.stream(id).ok()?.read_sctp().ok().flatten())
        {
            let kind = self.channels.iter().find(|channel| channel.stream == id).map(|channel| channel.kind);
            match (chunks.ppi, kind, chunks.to_payload(MAX_DATA_MESSAGE)) {
                (Ppid::Dcep, _, Ok(message)) => self.dcep(now, id, message.freeze(), counters, events),
                (Ppid::String | Ppid::Binary, Some(kind), Ok(message)) => {
                    events.push(SctpEvent::Data(kind, message.freeze()));
                }
                // SCTP can't carry nothing: the empty message is one byte with a type of its own (RFC 8831 section 6.6).
                (Ppid::StringEmpty | Ppid::BinaryEmpty, Some(kind), _) => {
                    events.push(SctpEvent::Data(kind, Bytes::new()));
                }
                _ => counters.data_dropped += 1,
            }
        }
    }

    fn dcep(
        &mut self,
        now: Instant,
        id: StreamId,
        mut message: Bytes,
        counters: &mut Counters,
        events: &mut Vec<SctpEvent>,
    ) {
        match Message::unmarshal(&mut message) {
            Ok(Message::DataChannelOpen(open)) => {
                // A channel with another label is opened and what comes on it dropped: refusing it would make some
                // clients close the connection.
                let kind = std::str::from_utf8(&open.label).ok().and_then(DataChannel::from_label);
                if !self.accept(now, id, &open) {
                    counters.data_dropped += 1;
                } else if let Some(kind) = kind {
                    self.channels.retain(|channel| channel.kind != kind && channel.stream != id);
                    self.channels.push(Channel { kind, stream: id, awaits_ack: false });
                    events.push(SctpEvent::Open(kind));
                }
            }
            Ok(Message::DataChannelAck(_)) => {
                if let Some(channel) = self.channels.iter_mut().find(|c| c.stream == id && c.awaits_ack) {
                    channel.awaits_ack = false;
                    events.push(SctpEvent::Open(channel.kind));
                }
            }
            _ => counters.data_dropped += 1,
        }
    }

    /// Answers an OPEN; what we send will have the reliability that the peer asked for.
    fn accept(&mut self, now: Instant, id: StreamId, open: &DataChannelOpen) -> bool {
        let (unordered, reliability) = match open.channel_type {
            ChannelType::ReliableUnordered => (true, ReliabilityType::Reliable),
            ChannelType::PartialReliableRexmit => (false, ReliabilityType::Rexmit),
            ChannelType::PartialReliableRexmitUnordered => (true, ReliabilityType::Rexmit),
            ChannelType::PartialReliableTimed => (false, ReliabilityType::Timed),
            ChannelType::PartialReliableTimedUnordered => (true, ReliabilityType::Timed),
            _ => (false, ReliabilityType::Reliable),
        };
        let Some(mut stream) = self.peer.as_mut().and_then(|peer| peer.association.stream(id).ok()) else {
            return false;
        };
        stream.set_reliability_params(unordered, reliability, open.reliability_parameter).is_ok()
            && Message::DataChannelAck(DataChannelAck)
                .marshal()
                .and_then(|ack| stream.write_sctp(now, &ack.freeze(), Ppid::Dcep))
                .is_ok()
    }

    /// Queues one message.
    pub(super) fn send(&mut self, now: Instant, kind: DataChannel, payload: &Bytes) -> Result<(), SendDataError> {
        if payload.len() > MAX_DATA_MESSAGE {
            return Err(SendDataError::Size);
        }
        let (Some(channel), Some(peer)) =
            (self.channels.iter().find(|c| c.kind == kind && !c.awaits_ack), &mut self.peer)
        else {
            return Err(SendDataError::NoChannel);
        };
        let id = channel.stream;
        let mut stream = peer.association.stream(id).map_err(|_| SendDataError::NoChannel)?;
        let waiting = stream.buffered_amount().unwrap_or(0);
        match kind {
            DataChannel::Lossy | DataChannel::Track if waiting > MAX_LOSSY_BUFFER => {
                return Err(SendDataError::Congested);
            }
            DataChannel::Reliable if waiting + payload.len() > MAX_RELIABLE_BUFFER => {
                let _ = stream.close(now);
                self.channels.retain(|channel| channel.stream != id);
                self.drain(now);
                return Err(SendDataError::Failed);
            }
            _ => {}
        }
        let written = if payload.is_empty() {
            stream.write_sctp(now, &Bytes::from_static(&[0]), Ppid::BinaryEmpty)
        } else {
            stream.write_sctp(now, payload, Ppid::Binary)
        };
        written.map_err(|_| SendDataError::NoChannel)?;
        self.drain(now);
        Ok(())
    }

    /// The next SCTP packet to send.
    pub(super) fn poll_transmit(&mut self) -> Option<Bytes> {
        self.transmits.pop_front()
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        self.peer.as_ref().filter(|_| !self.failed).and_then(|peer| peer.association.poll_timeout())
    }

    pub(super) fn handle_timeout(&mut self, now: Instant, counters: &mut Counters, events: &mut Vec<SctpEvent>) {
        if self.poll_timeout().is_some_and(|at| at <= now)
            && let Some(peer) = &mut self.peer
        {
            peer.association.handle_timeout(now);
            self.turn(now, counters, events);
        }
    }
}

fn endpoint() -> Endpoint {
    let transport = TransportConfig::default()
        .with_max_receive_buffer_size(RECEIVE_WINDOW)
        .with_max_message_size(MAX_DATA_MESSAGE as u32)
        .with_max_num_inbound_streams(MAX_STREAMS)
        .with_max_num_outbound_streams(MAX_STREAMS);
    let server = Arc::new(ServerConfig::new(transport));
    Endpoint::new(PEER, TransportProtocol::UDP, Arc::new(EndpointConfig::new()), Some(server))
}

#[derive(PartialEq, Eq, Debug)]
enum Packet {
    /// With its initiate tag.
    Init([u8; 4]),
    Other,
}

/// Looks through a packet (RFC 9260 section 3); `None` if it must be dropped. The crate would make a stream of any number the
/// peer names, so those we didn't grant don't get that far.
fn inspect(packet: &[u8]) -> Option<Packet> {
    const DATA: u8 = 0;
    const INIT: u8 = 1;
    let mut rest = packet.get(12..)?;
    if let [INIT, _, _, _, tag @ ..] = rest {
        return tag.first_chunk().map(|tag| Packet::Init(*tag));
    }
    let mut any = false;
    while !rest.is_empty() {
        let [kind, _, l0, l1] = rest.first_chunk()?;
        let len = usize::from(u16::from_be_bytes([*l0, *l1]));
        let chunk = rest.get(..len).filter(|chunk| chunk.len() >= 4)?;
        if *kind == DATA {
            let [s0, s1] = chunk.get(8..)?.first_chunk()?;
            if u16::from_be_bytes([*s0, *s1]) >= MAX_STREAMS {
                return None;
            }
        }
        // The last chunk's padding may be missing.
        rest = rest.get(len.next_multiple_of(4)..).unwrap_or_default();
        any = true;
    }
    any.then_some(Packet::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_beyond_those_granted_and_broken_chunks_are_dropped() {
        let data = |stream: u16| {
            let mut packet = vec![0; 12];
            packet.extend([0, 3, 0, 17, 0, 0, 0, 1]);
            packet.extend(stream.to_be_bytes());
            packet.extend([0, 0, 0, 0, 0, 53, 7]);
            packet
        };
        assert_eq!(inspect(&data(MAX_STREAMS - 1)), Some(Packet::Other));
        assert_eq!(inspect(&data(MAX_STREAMS)), None);
        for len in 0..data(1).len() {
            assert_eq!(inspect(&data(1)[..len]), None, "{len}");
        }
    }

    #[test]
    fn an_init_is_told_by_its_tag() {
        let mut packet = vec![0; 12];
        packet.extend([1, 0, 0, 20, 9, 8, 7, 6, 0]);
        assert_eq!(inspect(&packet), Some(Packet::Init([9, 8, 7, 6])));
    }
}
