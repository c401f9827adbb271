//! One peer connection of a client: which tracks go out, which come in, and the packets of both. Sans-IO, like what it wraps.

use crate::Error;
use crate::feedback::{KeyframeRequests, Listener};
use crate::media::Frame;
use bytes::{Bytes, BytesMut};
use rtc::data_channel::RTCDataChannelId;
use rtc::interceptor::{Registry, Slot};
use rtc::media_stream::MediaStreamTrack;
use rtc::peer_connection::configuration::RTCConfigurationBuilder;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_VP8, MediaEngine};
use rtc::peer_connection::event::{RTCDataChannelEvent, RTCPeerConnectionEvent};
use rtc::peer_connection::message::RTCMessage;
use rtc::peer_connection::sdp::RTCSessionDescription;
use rtc::peer_connection::state::RTCPeerConnectionState;
use rtc::peer_connection::transport::{CandidateConfig, CandidateHostConfig, RTCIceCandidate, RTCIceCandidateInit};
use rtc::peer_connection::{RTCPeerConnection, RTCPeerConnectionBuilder};
use rtc::rtp;
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpHeaderExtensionCapability, RtpCodecKind,
};
use rtc::rtp_transceiver::{RTCRtpSenderId, RTCRtpTransceiverDirection, RTCRtpTransceiverId, RTCRtpTransceiverInit};
use rtc::sansio::Protocol;
use rtc::shared::{TaggedBytesMut, TransportContext, TransportProtocol};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Instant;

const OPUS_PT: u8 = 111;
const VP8_PT: u8 = 96;
const MID: &str = "urn:ietf:params:rtp-hdrext:sdes:mid";
const AUDIO_LEVEL: &str = "urn:ietf:params:rtp-hdrext:ssrc-audio-level";
/// Voice at -30 dBov (RFC 6464).
const TALKING: u8 = 0x80 | 30;

/// Microphone or camera.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Audio,
    Video,
}

impl From<Kind> for RtpCodecKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Audio => RtpCodecKind::Audio,
            Kind::Video => RtpCodecKind::Video,
        }
    }
}

/// What came of the connection.
pub enum PeerEvent {
    /// Media flows.
    Connected,
    /// It is over.
    Failed,
    /// A packet of a remote track.
    Rtp { track: String, video: bool, packet: rtp::Packet },
    /// The other side asked for a key frame, so many times.
    KeyframeWanted(u32),
    /// A data channel is open.
    ChannelOpen(String),
    /// A message came in on a data channel.
    Data(Bytes),
}

/// A track that goes out.
struct Outgoing {
    transceiver: RTCRtpTransceiverId,
    ssrc: u32,
    seq: u16,
    timestamp: u32,
}

/// See the module.
pub struct Peer {
    pc: RTCPeerConnection,
    local: SocketAddr,
    keyframe_requests: KeyframeRequests,
    outgoing: Vec<(Kind, Outgoing)>,
    /// The channel that [`Self::say`] writes to.
    reliable: Option<RTCDataChannelId>,
    /// What the connection reported while it took datagrams in.
    events: VecDeque<RTCPeerConnectionEvent>,
}

impl Peer {
    /// A connection over the socket bound to `local`, with the data channels of the client protocol.
    pub fn new(now: Instant, local: SocketAddr) -> Result<Self, Error> {
        let keyframe_requests = KeyframeRequests::default();
        let mut pc = RTCPeerConnectionBuilder::new()
            .with_configuration(RTCConfigurationBuilder::new().build())
            .with_media_engine(media_engine()?)
            .with_interceptor_registry(Registry::new().with(Slot::from(500), Listener::new(keyframe_requests.clone())))
            .build(now)?;
        let mut reliable = None;
        for (label, ordered, max_retransmits) in [("_reliable", true, None), ("_lossy", false, Some(0))] {
            let init = rtc::data_channel::RTCDataChannelInit { ordered, max_retransmits, ..Default::default() };
            let id = pc.create_data_channel(label, Some(init))?.id();
            reliable = reliable.or(Some(id));
        }
        let candidate = CandidateHostConfig {
            base_config: CandidateConfig {
                network: "udp".into(),
                address: local.ip().to_string(),
                port: local.port(),
                component: 1,
                ..Default::default()
            },
            ..Default::default()
        }
        .new_candidate_host()?;
        pc.add_local_candidate(RTCIceCandidate::from(&candidate).to_json()?)?;
        Ok(Self { pc, local, keyframe_requests, outgoing: Vec::new(), reliable, events: VecDeque::new() })
    }

    /// Adds media sections to receive in.
    pub fn receive(&mut self, kind: Kind, sections: u32) -> Result<(), Error> {
        for _ in 0..sections {
            self.pc.add_transceiver_from_kind(kind.into(), None)?;
        }
        Ok(())
    }

    /// Adds a track to send. `cid` is what signaling will know it by.
    pub fn publish(&mut self, kind: Kind, cid: &str, ssrc: u32) -> Result<(), Error> {
        let encoding = RTCRtpEncodingParameters {
            rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
            active: true,
            codec: codec(kind),
            ..Default::default()
        };
        let track = MediaStreamTrack::new("stream".into(), cid.into(), cid.into(), kind.into(), vec![encoding]);
        let init = RTCRtpTransceiverInit {
            direction: RTCRtpTransceiverDirection::Sendonly,
            streams: vec!["stream".into()],
            send_encodings: Vec::new(),
        };
        let transceiver = self.pc.add_transceiver_from_track(track, Some(init))?;
        // Sequence numbers that wrap soon, and timestamps that wrap within the first minutes.
        let outgoing = Outgoing { transceiver, ssrc, seq: 65_400, timestamp: u32::MAX - 1_000_000 };
        self.outgoing.push((kind, outgoing));
        Ok(())
    }

    /// A new offer of everything there is; answered by [`Self::answer`].
    pub fn offer(&mut self, now: Instant) -> Result<String, Error> {
        let offer = self.pc.create_offer(None)?;
        self.pc.set_local_description(now, offer.clone())?;
        Ok(offer.sdp)
    }

    /// The server's answer.
    pub fn answer(&mut self, now: Instant, sdp: String) -> Result<(), Error> {
        let candidates: Vec<String> = sdp
            .lines()
            .filter_map(|line| line.strip_prefix("a=candidate:"))
            .map(|c| format!("candidate:{c}"))
            .collect();
        self.pc.set_remote_description(now, RTCSessionDescription::answer(sdp)?)?;
        // The crate skips those of inactive sections; browsers don't, and all sections are one transport.
        for candidate in candidates {
            self.pc.add_remote_candidate(RTCIceCandidateInit { candidate, ..Default::default() })?;
        }
        Ok(())
    }

    /// Sends one packet of the track of `kind`, if there is one.
    pub fn send(&mut self, now: Instant, kind: Kind, frame: &Frame) -> Result<(), Error> {
        let Some((_, out)) = self.outgoing.iter_mut().find(|(k, _)| *k == kind) else { return Ok(()) };
        let mid = self.pc.rtp_transceiver(out.transceiver).and_then(|t| t.mid().clone()).unwrap_or_default();
        let Some(mut sender) = self.pc.rtp_sender(RTCRtpSenderId::from(out.transceiver)) else { return Ok(()) };
        let extensions = &sender.get_parameters().rtp_parameters.header_extensions;
        let id = |uri| extensions.iter().find(|e| e.uri == uri).map(|e| e.id as u8);
        let mut header = rtp::Header {
            version: 2,
            marker: frame.marker,
            payload_type: if kind == Kind::Audio { OPUS_PT } else { VP8_PT },
            sequence_number: out.seq,
            timestamp: out.timestamp.wrapping_add(frame.timestamp),
            ssrc: out.ssrc,
            ..Default::default()
        };
        if let Some(id) = id(MID) {
            header.set_extension(id, mid.into())?;
        }
        if let Some(id) = id(AUDIO_LEVEL).filter(|_| kind == Kind::Audio) {
            header.set_extension(id, Bytes::from_static(&[TALKING]))?;
        }
        out.seq = out.seq.wrapping_add(1);
        Ok(sender.write_rtp(now, rtp::Packet { header, payload: frame.payload.clone() })?)
    }

    /// Sends one message over the reliable data channel, once that is open.
    pub fn say(&mut self, now: Instant, message: &[u8]) -> Result<(), Error> {
        let channel = self.reliable.and_then(|id| self.pc.data_channel(id));
        Ok(channel.ok_or(Error::Protocol("no data channel"))?.send(now, BytesMut::from(message))?)
    }

    /// Takes a datagram in. What can't be read is dropped: anybody may send to a UDP port.
    pub fn handle_datagram(&mut self, now: Instant, peer_addr: SocketAddr, datagram: &[u8]) {
        let transport = TransportContext {
            local_addr: self.local,
            peer_addr,
            transport_protocol: TransportProtocol::UDP,
            ecn: None,
        };
        let _ = self.pc.handle_read(TaggedBytesMut { now, transport, message: BytesMut::from(datagram) });
        // SRTP's keys get from the handshake's last datagram to their place on the way of an event: media right behind it, as a
        // newcomer's first picture is, would be dropped.
        self.events.extend(std::iter::from_fn(|| self.pc.poll_event()));
    }

    /// The next datagram to send.
    pub fn poll_transmit(&mut self) -> Option<(SocketAddr, BytesMut)> {
        self.pc.poll_write().map(|out| (out.transport.peer_addr, out.message))
    }

    /// When [`Self::handle_timeout`] is due.
    pub fn poll_timeout(&mut self) -> Option<Instant> {
        self.pc.poll_timeout()
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: Instant) -> Result<(), Error> {
        Ok(self.pc.handle_timeout(now)?)
    }

    /// Says goodbye; what [`Self::poll_transmit`] gives next is the last.
    pub fn close(&mut self) {
        let _ = self.pc.close();
    }

    /// The next thing that happened.
    pub fn poll_event(&mut self) -> Option<PeerEvent> {
        let wanted = self.keyframe_requests.take();
        if wanted > 0 {
            return Some(PeerEvent::KeyframeWanted(wanted));
        }
        while let Some(event) = self.events.pop_front().or_else(|| self.pc.poll_event()) {
            match event {
                RTCPeerConnectionEvent::OnConnectionStateChangeEvent(RTCPeerConnectionState::Connected) => {
                    return Some(PeerEvent::Connected);
                }
                RTCPeerConnectionEvent::OnConnectionStateChangeEvent(
                    RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed,
                ) => return Some(PeerEvent::Failed),
                RTCPeerConnectionEvent::OnDataChannel(RTCDataChannelEvent::OnOpen(id)) => {
                    let label = self.pc.data_channel(id).map(|channel| channel.label().to_owned());
                    return Some(PeerEvent::ChannelOpen(label.unwrap_or_default()));
                }
                _ => {}
            }
        }
        while let Some(read) = self.pc.poll_read() {
            match read.message {
                RTCMessage::RtpPacket(track, packet) => {
                    let video = packet.header.payload_type == VP8_PT;
                    return Some(PeerEvent::Rtp { track, video, packet });
                }
                RTCMessage::DataChannelMessage(_, message) => return Some(PeerEvent::Data(message.data.freeze())),
                _ => {}
            }
        }
        None
    }
}

fn codec(kind: Kind) -> RTCRtpCodec {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback { typ: typ.into(), parameter: parameter.into() };
    match kind {
        Kind::Audio => RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.into(),
            clock_rate: 48_000,
            channels: 2,
            sdp_fmtp_line: "minptime=10;useinbandfec=1".into(),
            rtcp_feedback: Vec::new(),
        },
        Kind::Video => RTCRtpCodec {
            mime_type: MIME_TYPE_VP8.into(),
            clock_rate: 90_000,
            channels: 0,
            sdp_fmtp_line: String::new(),
            rtcp_feedback: vec![feedback("nack", ""), feedback("nack", "pli"), feedback("ccm", "fir")],
        },
    }
}

fn media_engine() -> Result<MediaEngine, Error> {
    let mut engine = MediaEngine::default();
    for (kind, payload_type) in [(Kind::Audio, OPUS_PT), (Kind::Video, VP8_PT)] {
        let parameters = RTCRtpCodecParameters { rtp_codec: codec(kind), payload_type };
        engine.register_codec(parameters, kind.into())?;
        engine.register_header_extension(RTCRtpHeaderExtensionCapability { uri: MID.into() }, kind.into(), None)?;
    }
    let level = RTCRtpHeaderExtensionCapability { uri: AUDIO_LEVEL.into() };
    engine.register_header_extension(level, RtpCodecKind::Audio, None)?;
    Ok(engine)
}
