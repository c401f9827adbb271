//! One peer connection of one participant: its socket, ICE, DTLS and SRTP, what it publishes and what it receives.

use super::ice::Ice;
use super::measure::{Latency, Measured, Wire};
use super::secure::{Dtls, Identity};
use super::{Clock, Incoming, Kind, Remote};
use crate::Error;
use crate::media::source::Source;
use crate::media::stamp::Stamp;
use crate::media::{MS, SECOND};
use crate::receive::stream::{Meta, Stream};
use bytes::Bytes;
use ramai_sfu::congestion::twcc::Recorder;
use ramai_sfu::demux::Class;
use ramai_sfu::id::Ssrc;
use ramai_sfu::params::{Extension, ExtensionMap, IceCredentials};
use ramai_sfu::rtp::packet::Header;
use ramai_sfu::rtp::rtcp::{Rtcp, parse};
use ramai_sfu::rtp::rtcp_write;
use ramai_sfu::transport::OpenError;
use ramai_sfu::transport::srtp::{Inbound, Outbound};
use rustc_hash::FxHashMap;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A join must be done by then; clients give up after 15 s.
const CONNECT: u64 = 15 * SECOND;
/// Between receiver reports.
const REPORT: u64 = SECOND;
/// How often holes are looked at while there are any.
const NACK: u64 = 10 * MS;

/// Told once when media can flow, or why it never will.
pub type Opened = oneshot::Sender<Result<(), String>>;

/// Everything of a peer that exists from the start.
pub struct Peer {
    pub socket: Arc<UdpSocket>,
    remote: SocketAddr,
    identity: Identity,
    ice: Ice,
    dtls: Option<Dtls>,
    srtp: Option<(Inbound, Outbound)>,
    opened: Option<Opened>,
    /// When the join began, for the time to the first frame.
    begun: u64,
    deadline: u64,
    extensions: ExtensionMap,
    kinds: FxHashMap<u8, Kind>,
    checked: bool,
    source: Option<Source>,
    streams: FxHashMap<u32, Stream>,
    /// SSRC of retransmissions to that of what they repair.
    repairs: FxHashMap<u32, u32>,
    announced: usize,
    recorder: Option<Recorder>,
    next_report: u64,
    next_nack: u64,
    /// Our SSRC in feedback.
    own: Ssrc,
    first_frame: bool,
    wire: Wire,
    out: Vec<u8>,
    ask: Vec<u16>,
    failed: Option<String>,
    leaving: bool,
}

/// What a peer is made from.
pub struct Setup {
    pub socket: Arc<UdpSocket>,
    pub identity: Identity,
    pub local: IceCredentials,
    pub remote: Remote,
    pub begun: u64,
    pub checked: bool,
    pub id: u64,
    pub opened: Opened,
}

impl Peer {
    /// Begins with ICE.
    pub fn new(now: u64, setup: Setup) -> Self {
        let Setup { socket, identity, local, remote, begun, checked, id, opened } = setup;
        let ice = Ice::new(identity.provider.clone(), &local, &remote.ice, id);
        Self {
            socket,
            remote: remote.address,
            identity,
            ice,
            dtls: None,
            srtp: None,
            opened: Some(opened),
            begun,
            deadline: now + CONNECT,
            extensions: ExtensionMap::default(),
            kinds: FxHashMap::default(),
            checked,
            source: None,
            streams: FxHashMap::default(),
            repairs: FxHashMap::default(),
            announced: 0,
            recorder: None,
            next_report: u64::MAX,
            next_nack: u64::MAX,
            own: Ssrc(1 + id as u32),
            first_frame: false,
            wire: Wire::default(),
            out: Vec::new(),
            ask: Vec::new(),
            failed: None,
            leaving: false,
        }
    }

    /// From now on the server may close it.
    pub fn leaving(&mut self) {
        self.leaving = true;
        self.failed = None;
    }

    /// From now on it publishes.
    pub fn publish(&mut self, source: Source) {
        self.source = Some(source);
    }

    /// Which encodings it sends.
    pub fn switch_layers(&mut self, on: &[bool]) {
        if let Some(source) = &mut self.source {
            source.switch_layers(on);
        }
    }

    /// What may come in, all of it. Streams that aren't named any more have ended.
    pub fn receive(&mut self, extensions: ExtensionMap, kinds: FxHashMap<u8, Kind>, streams: &[Incoming]) {
        (self.extensions, self.kinds) = (extensions, kinds);
        for stream in self.streams.values_mut() {
            stream.announced = false;
        }
        self.repairs.clear();
        for incoming in streams {
            let fresh = || Stream::new(incoming.ssrc, incoming.video, self.checked);
            self.streams.entry(incoming.ssrc).or_insert_with(fresh).announced = true;
            if let Some(rtx) = incoming.rtx {
                self.repairs.insert(rtx, incoming.ssrc);
            }
        }
        self.announced = streams.len();
    }

    /// When [`Peer::tick`] is due.
    pub fn due(&self, now: u64, clock: &Clock) -> u64 {
        let dtls = self.dtls.as_ref().and_then(Dtls::due).map(|at| clock.nanos(at));
        let source = self.source.as_ref().filter(|_| self.srtp.is_some()).map(|source| source.due(now));
        let feedback = self.recorder.as_ref().and_then(Recorder::poll_timeout).map(|at| clock.nanos(at));
        let opening = self.opened.is_some().then_some(self.deadline);
        let fixed = [self.ice.due(), self.next_report, self.next_nack];
        fixed.into_iter().chain(dtls).chain(source).chain(feedback).chain(opening).min().unwrap_or(u64::MAX)
    }

    /// Whether the connection ended.
    pub fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Why it can't go on, once.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failed.take()
    }

    /// Does what is due. With `hushed` it sends no new media any more.
    pub fn tick(&mut self, now: u64, clock: &Clock, hushed: bool) {
        match self.ice.poll(now) {
            Ok(Some(check)) => self.send_raw(&check),
            Ok(None) => {}
            Err(error) => self.fail(&error),
        }
        if self.opened.is_some() && now >= self.deadline {
            let stage = if self.ice.open { "DTLS" } else { "ICE" };
            self.fail(&Error::Media(format!("{stage} got no answer")));
        }
        let instant = clock.instant(now);
        if let Some(dtls) = &mut self.dtls
            && dtls.due().is_some_and(|at| at <= instant)
        {
            if let Err(error) = dtls.handle_timeout(instant) {
                self.fail(&error);
            }
            self.flush_dtls();
        }
        self.send_media(now, hushed);
        self.send_feedback(now, clock);
    }

    /// Takes in one datagram that came at `at`.
    pub fn handle(&mut self, now: u64, at: u64, clock: &Clock, datagram: &mut [u8], latency: &mut Latency) {
        match Class::of(datagram) {
            Class::Rtp => self.rtp(at, clock, datagram, latency),
            Class::Rtcp => self.rtcp(now, datagram),
            Class::Stun => {
                if let Some(answer) = self.ice.handle(now, self.remote, datagram) {
                    self.send_raw(&answer);
                }
                if self.ice.open && self.dtls.is_none() {
                    match Dtls::start(&self.identity, clock.instant(now)) {
                        Ok(dtls) => self.dtls = Some(dtls),
                        Err(error) => self.fail(&error),
                    }
                    self.flush_dtls();
                }
            }
            Class::Dtls => {
                let Some(dtls) = &mut self.dtls else { return };
                match dtls.handle(clock.instant(now), datagram) {
                    Ok((Some(contexts), _)) => self.connected(now, contexts),
                    Ok((None, true)) => self.fail(&Error::Media("the server closed the connection".into())),
                    Ok((None, false)) => {}
                    Err(error) => self.fail(&error),
                }
                self.flush_dtls();
            }
            Class::Unknown => self.wire.malformed += 1,
        }
    }

    /// Says goodbye.
    pub fn close(&mut self, clock: &Clock, now: u64) {
        if let Some(dtls) = &mut self.dtls {
            dtls.close(clock.instant(now));
        }
        self.flush_dtls();
    }

    /// Whether its publisher number is this one.
    pub fn publishes(&self) -> Option<u32> {
        self.source.as_ref().map(Source::publisher)
    }

    /// The measured time begins.
    pub fn restart(&mut self) {
        self.streams.values_mut().for_each(Stream::restart);
    }

    /// Adds what it counted. `alive` tells which publishers still send; `last` that no more packets will come.
    pub fn measure(&self, now: u64, alive: &impl Fn(u32) -> bool, last: bool, into: &mut Measured) {
        into.wire += self.wire;
        if let Some(source) = &self.source {
            into.published += source.counted();
        }
        for stream in self.streams.values() {
            let flowed = stream.counts(false).received > 0;
            if stream.announced {
                into.streams.negotiated += 1;
                let none = if stream.video { &mut into.streams.silent } else { &mut into.streams.unheard };
                *none += u64::from(!flowed);
            }
            into.checked += stream.checked();
            if stream.video {
                into.video += stream.counts(last);
                into.frames += stream.frames(now, stream.publisher.is_some_and(alive));
            } else {
                into.audio += stream.counts(last);
            }
        }
    }

    fn fail(&mut self, error: &Error) {
        match self.opened.take() {
            // Nobody listens any more if the participant has left meanwhile.
            Some(opened) => drop(opened.send(Err(error.to_string()))),
            None if self.leaving => {}
            None => self.failed = Some(error.to_string()),
        }
    }

    fn connected(&mut self, now: u64, contexts: (Inbound, Outbound)) {
        self.srtp = Some(contexts);
        self.next_report = now + REPORT;
        if let Some(opened) = self.opened.take() {
            let _ = opened.send(Ok(()));
        }
    }

    fn send_raw(&mut self, datagram: &[u8]) {
        // A full send buffer is ours to report; a refused port shows as silence.
        if self.socket.send(datagram).is_err() {
            self.wire.send_errors += 1;
        }
    }

    fn flush_dtls(&mut self) {
        while let Some(datagram) = self.dtls.as_mut().and_then(Dtls::poll_transmit) {
            self.send_raw(&datagram);
        }
    }

    fn send_media(&mut self, now: u64, hushed: bool) {
        let (Some(source), Some((_, outbound))) = (&mut self.source, &mut self.srtp) else { return };
        let (socket, out, wire) = (&self.socket, &mut self.out, &mut self.wire);
        if hushed {
            source.hush();
        }
        source.poll(now, &mut |packet| {
            out.clear();
            out.extend_from_slice(packet);
            if outbound.seal_rtp(out, 0).is_err() || socket.send(out).is_err() {
                wire.send_errors += 1;
            }
        });
        out.clear();
        source.poll_reports(now, out);
        self.seal_and_send_rtcp();
    }

    fn send_feedback(&mut self, now: u64, clock: &Clock) {
        if now >= self.next_nack {
            self.next_nack = u64::MAX;
            self.out.clear();
            for stream in self.streams.values_mut().filter(|s| s.needs_poll()) {
                self.ask.clear();
                stream.poll(now, self.own, &mut self.ask, &mut self.out);
                self.wire.nacked += self.ask.len() as u64;
                if stream.needs_poll() {
                    self.next_nack = now + NACK;
                }
            }
            self.seal_and_send_rtcp();
        }
        let instant = clock.instant(now);
        let media = self.streams.keys().next().copied().unwrap_or(0);
        loop {
            self.out.clear();
            let more = self.recorder.as_mut().is_some_and(|r| r.poll(instant, self.own, Ssrc(media), &mut self.out));
            if !more {
                break;
            }
            self.seal_and_send_rtcp();
        }
        if now >= self.next_report {
            self.next_report = now + REPORT;
            let blocks: Vec<_> = self
                .streams
                .values_mut()
                .filter(|s| s.announced && s.counts(false).received > 0)
                .map(|s| s.report_block(now))
                .collect();
            for blocks in blocks.chunks(rtcp_write::MAX_BLOCKS) {
                self.out.clear();
                rtcp_write::receiver_report(self.own, blocks, &mut self.out);
                self.seal_and_send_rtcp();
            }
        }
    }

    /// Seals the compound in `out` and sends it, if there is one.
    fn seal_and_send_rtcp(&mut self) {
        if self.out.is_empty() {
            return;
        }
        let Some((_, outbound)) = &mut self.srtp else { return };
        if outbound.seal_rtcp(&mut self.out, 0).is_err() || self.socket.send(&self.out).is_err() {
            self.wire.send_errors += 1;
        }
    }

    fn rtp(&mut self, at: u64, clock: &Clock, datagram: &mut [u8], latency: &mut Latency) {
        let Ok(header) = Header::parse(datagram) else {
            self.wire.malformed += 1;
            return;
        };
        self.wire.packets += 1;
        self.wire.bytes += datagram.len() as u64;
        if let Some(seq) = transport_seq(datagram, &header, &self.extensions) {
            let instant = clock.instant(at);
            self.recorder.get_or_insert_with(|| Recorder::new(instant)).record(instant, seq);
        }
        let Some(kind) = self.kinds.get(&header.pt.0).copied() else {
            self.wire.unknown += 1;
            return;
        };
        let ssrc = match kind {
            Kind::Repair => match self.repairs.get(&header.ssrc.0) {
                Some(repaired) => *repaired,
                None => {
                    self.wire.unknown += 1;
                    return;
                }
            },
            Kind::Audio | Kind::Video => header.ssrc.0,
        };
        // The first packets may overtake the answer that announces them.
        let checked = self.checked;
        let fresh = || Stream::new(ssrc, kind == Kind::Video, checked);
        let stream = self.streams.entry(ssrc).or_insert_with(fresh);
        let again = kind == Kind::Repair;
        let mut meta = Meta { at, seq: header.seq, ts: header.ts, marker: header.marker, again };
        let mut stamp = None;
        if again || stream.wants_open() {
            let Some((inbound, _)) = &mut self.srtp else { return };
            let len = match inbound.open_rtp(datagram) {
                Ok(len) => len,
                Err(OpenError::Replayed) if !again => {
                    // The same packet twice: the account knows it.
                    stream.packet(meta, None);
                    return;
                }
                Err(OpenError::Replayed) => return,
                Err(_) => {
                    self.wire.unopened += 1;
                    return;
                }
            };
            let Some(mut payload) = payload(datagram, &header, len) else {
                self.wire.malformed += 1;
                return;
            };
            if payload.is_empty() {
                // Padding only: a probe, no media.
                self.wire.padding += 1;
                return;
            }
            if again {
                let Some((osn, rest)) = payload.split_first_chunk::<2>() else { return };
                (meta.seq, payload) = (u16::from_be_bytes(*osn), rest);
            }
            stamp = Some(Stamp::read(payload));
        }
        if let Some(Some(stamp)) = stamp
            && self.checked
        {
            latency.record(stamp.video, at.saturating_sub(stamp.sent));
        }
        stream.packet(meta, stamp);
        if stream.needs_poll() {
            self.next_nack = self.next_nack.min(at + NACK);
        }
        if !self.first_frame && stream.has_frame() {
            self.first_frame = true;
            latency.first_frame(at.saturating_sub(self.begun));
        }
    }

    fn rtcp(&mut self, now: u64, datagram: &mut [u8]) {
        let Some((inbound, _)) = &mut self.srtp else { return };
        let Ok(len) = inbound.open_rtcp(datagram) else {
            self.wire.unopened += 1;
            return;
        };
        self.wire.rtcp += 1;
        for packet in parse(datagram.get(..len).unwrap_or_default()) {
            if let Rtcp::SenderReport(report, _) = &packet
                && let Some(stream) = self.streams.get_mut(&report.ssrc.0)
            {
                stream.sender_report(now, report);
            }
            if let Some(source) = &mut self.source {
                source.handle_rtcp(&packet);
            }
        }
    }
}

/// The payload of an opened packet without its padding.
fn payload<'a>(datagram: &'a [u8], header: &Header, len: usize) -> Option<&'a [u8]> {
    let packet = datagram.get(..len)?;
    let padding = if header.padding { usize::from(*packet.last()?) } else { 0 };
    packet.get(header.len..len.checked_sub(padding)?)
}

/// The transport-wide sequence number, which travels in the clear.
fn transport_seq(datagram: &[u8], header: &Header, map: &ExtensionMap) -> Option<u16> {
    let wanted = map.id(Extension::TransportCc)?;
    let (profile, range) = header.extension.clone()?;
    let mut block = datagram.get(range.clone())?;
    if profile != 0xbede {
        // Two-byte elements are rare: the general parser will do.
        let block = Bytes::copy_from_slice(block);
        return ramai_sfu::rtp::Extensions::parse(profile, &block, map).transport_cc;
    }
    while let [first, rest @ ..] = block {
        if *first == 0 {
            block = rest;
            continue;
        }
        let (id, len) = (first >> 4, usize::from(first & 15) + 1);
        let (value, rest) = rest.split_at_checked(len)?;
        if id == wanted {
            return Some(u16::from_be_bytes(value.try_into().ok()?));
        }
        block = rest;
    }
    None
}
