//! A participant: a real wire, modelled media. It publishes like a browser and watches like one.

mod publish;
mod watch;
pub mod wire;

use crate::At;
use crate::media::stamp::Stamp;
use bytes::Bytes;
use publish::Publisher;
pub use publish::Source;
use ramai_sfu::params::IceCredentials;
use ramai_sfu::rtp::Packet;
use ramai_sfu::rtp::rtcp::{self, Rtcp};
use std::net::SocketAddr;
use std::time::Instant;
use watch::Viewer;
use wire::Wire;

/// A datagram to the server.
pub struct Sent {
    /// Sealed, or a handshake's.
    pub bytes: Vec<u8>,
    /// The truth about what is in it, if it is video.
    pub stamp: Option<Stamp>,
}

/// See the module. Inputs are `handle_*`; then [`Peer::poll_transmit`] until `None`, and [`Peer::poll_timeout`].
pub struct Peer {
    /// For words.
    pub name: String,
    /// Where it sends from.
    pub address: SocketAddr,
    /// ICE, DTLS and SRTP.
    pub wire: Wire,
    /// What it sends.
    pub publisher: Publisher,
    /// What it receives.
    pub viewer: Viewer,
    /// When it was connected.
    pub connected: Option<At>,
    /// It sends nothing any more.
    pub gone: bool,
}

impl Peer {
    /// Starts to connect.
    pub fn new(
        epoch: Instant,
        now: At,
        name: &str,
        address: SocketAddr,
        ice: (&IceCredentials, &IceCredentials),
        seed: u64,
    ) -> Self {
        Self {
            name: name.to_owned(),
            address,
            wire: Wire::new(epoch, now, ice.0, ice.1),
            publisher: Publisher::new(),
            viewer: Viewer::new(epoch, now, seed),
            connected: None,
            gone: false,
        }
    }

    /// Takes in a datagram of ICE or DTLS.
    pub fn handle_wire(&mut self, now: At, datagram: &[u8]) {
        self.wire.handle(now, datagram);
        if self.connected.is_none() && self.wire.is_connected() {
            self.connected = Some(now);
            self.publisher.start(now);
            self.viewer.start(now);
        }
    }

    /// Takes in RTP in the clear. Returns the media sequence number that came, if it is new.
    pub fn handle_rtp(&mut self, now: At, size: usize, packet: &Packet) -> Option<(u32, u16)> {
        self.viewer.handle_rtp(now, size, packet)
    }

    /// Takes in RTCP in the clear.
    pub fn handle_rtcp(&mut self, now: At, compound: &[u8]) {
        for packet in rtcp::parse(compound) {
            match packet {
                Rtcp::SenderReport(report, _) => self.viewer.sender_report(now, report.ssrc.0, report.ntp),
                Rtcp::Nack { media, missing } => self.publisher.handle_nack(now, media.0, missing),
                Rtcp::Pli { media } | Rtcp::Fir { media, .. } => self.publisher.handle_pli(now, media.0),
                Rtcp::Remb(bits) => self.publisher.handle_limit(bits),
                Rtcp::TransportCc(packet) => self.publisher.handle_feedback(now, packet),
                _ => {}
            }
        }
    }

    /// Does what is due.
    pub fn handle_timeout(&mut self, now: At) {
        self.wire.handle_timeout(now);
        if self.connected.is_some() {
            self.publisher.handle_timeout(now);
            self.viewer.handle_timeout(now);
        }
    }

    /// When [`Peer::handle_timeout`] is due.
    pub fn poll_timeout(&self) -> Option<At> {
        if self.gone {
            return None;
        }
        let media = if self.connected.is_some() {
            [self.publisher.poll_timeout(), self.viewer.poll_timeout()]
        } else {
            [None; 2]
        };
        media.into_iter().flatten().chain([self.wire.poll_timeout()]).min()
    }

    /// The next datagram to the server.
    pub fn poll_transmit(&mut self, now: At) -> Option<Sent> {
        if let Some(bytes) = self.wire.poll_transmit() {
            return Some(Sent { bytes, stamp: None });
        }
        self.connected?;
        if let Some(mut bytes) = self.viewer.poll_transmit().or_else(|| self.publisher.poll_rtcp()) {
            self.wire.seal_rtcp(&mut bytes);
            return Some(Sent { bytes, stamp: None });
        }
        let (mut bytes, stamp) = self.publisher.poll_rtp(now)?;
        self.wire.seal_rtp(&mut bytes);
        Some(Sent { bytes, stamp })
    }
}

/// Opens what the server sent, as far as there are keys.
pub fn open(wire: &mut Wire, mut bytes: Vec<u8>, rtcp: bool) -> Result<Bytes, Vec<u8>> {
    if !wire.is_connected() {
        return Err(bytes);
    }
    let opened = if rtcp { wire.open_rtcp(&mut bytes) } else { wire.open_rtp(&mut bytes) };
    if opened { Ok(Bytes::from(bytes)) } else { Err(bytes) }
}
