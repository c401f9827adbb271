//! Outgoing RTP: what a subscription decided, written for the subscriber's numbering right before sealing.

use super::extension::{AudioLevel, ONE_BYTE, TWO_BYTE};
use super::media::Media;
use super::picture::Picture;
use super::red;
use crate::id::{Mid, Pt, Ssrc};
use crate::params::{Codec, Extension, ExtensionMap};

/// What one subscriber gets differently of a packet that all get. It goes beside the packet's [`Media`], which
/// [`Outgoing::write`] reads the rest from: there are many of these and few of those, so it is small.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Outgoing {
    /// Sender.
    pub ssrc: Ssrc,
    /// Payload type.
    pub pt: Pt,
    /// Extended sequence number: the low 16 bits travel, the rest is SRTP's roll-over counter.
    pub index: u64,
    /// RTP timestamp.
    pub ts: u32,
    /// It is the last of its picture that the subscriber gets: it bears the marker, as the publisher's last does.
    pub ends: bool,
    /// Media section, until the receiver showed that it knows the SSRC.
    pub mid: Option<Mid>,
    /// Frame number to write into the dependency descriptor, if there is one.
    pub frame: u16,
    /// In a retransmission (RFC 4588): the original sequence number that precedes the payload.
    pub osn: Option<u16>,
    /// What to write over the copied payload.
    pub patch: Patch,
    /// Bytes at the payload's start that are left out: the wrapper of RED, for who doesn't take it.
    pub skip: u16,
}

/// What is written over a copied payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Patch {
    /// Nothing.
    #[default]
    None,
    /// Picture numbering of VP8 or VP9.
    Picture(Picture),
    /// The payload type of the blocks in RED.
    Red(Pt),
}

/// What is known only when a packet leaves.
#[derive(Clone, Copy, Default, Debug)]
pub struct Departure {
    /// Transport-wide sequence number.
    pub transport_cc: u16,
    /// 24 bits.
    pub abs_send_time: u32,
    /// Of video, instead of what the publisher asks for: this receiver's line needs another.
    pub playout_delay: Option<[u8; 3]>,
}

impl Departure {
    fn playout_delay(&self, media: &Media) -> Option<[u8; 3]> {
        self.playout_delay.filter(|_| media.format.codec != Codec::Opus).or(media.playout_delay)
    }
}

impl Outgoing {
    /// The sequence number that travels.
    pub fn seq(&self) -> u16 {
        self.index as u16
    }

    /// SRTP's roll-over counter (RFC 3711 section 3.3.1).
    pub fn roc(&self) -> u32 {
        (self.index >> 16) as u32
    }

    /// Appends the packet in the clear: header, the extensions that the subscriber negotiated, payload. Two-byte elements
    /// are used only if needed and allowed; an extension that doesn't fit is left out.
    /// Returns the length of the header: payload starts there.
    pub fn write(&self, media: &Media, map: &ExtensionMap, departure: &Departure, buf: &mut Vec<u8>) -> usize {
        let start = buf.len();
        buf.extend_from_slice(&[0x80, u8::from(media.marker | self.ends) << 7 | self.pt.0 & 0x7f]);
        buf.extend_from_slice(&self.seq().to_be_bytes());
        buf.extend_from_slice(&self.ts.to_be_bytes());
        buf.extend_from_slice(&self.ssrc.0.to_be_bytes());
        let (descriptor, two_byte) = self.form(media, map, departure);
        let block = buf.len();
        let mut elements = Elements { map, two_byte, buf };
        elements.buf.extend_from_slice(&[0; 4]);
        if let Some(mid) = &self.mid {
            elements.push(Extension::Mid, mid.as_bytes());
        }
        elements.push(Extension::TransportCc, &departure.transport_cc.to_be_bytes());
        let [_, time @ ..] = departure.abs_send_time.to_be_bytes();
        elements.push(Extension::AbsSendTime, &time);
        if let Some(AudioLevel { voice, level }) = media.audio_level {
            elements.push(Extension::AudioLevel, &[u8::from(voice) << 7 | level & 0x7f]);
        }
        if let Some(orientation) = media.video_orientation {
            elements.push(Extension::VideoOrientation, &[orientation]);
        }
        if let Some(delay) = departure.playout_delay(media) {
            elements.push(Extension::PlayoutDelay, &delay);
        }
        if let Some(descriptor) = descriptor
            && let Some(at) = elements.push(Extension::DependencyDescriptor, descriptor)
            && let Some(field) = buf.get_mut(at + 1..at + 3)
        {
            field.copy_from_slice(&self.frame.to_be_bytes());
        }
        finish_block(buf, start, block, two_byte);
        let header = buf.len() - start;
        if let Some(osn) = self.osn {
            buf.extend_from_slice(&osn.to_be_bytes());
        }
        let payload = buf.len();
        buf.extend_from_slice(self.payload(media));
        match (&self.patch, buf.get_mut(payload..)) {
            (Patch::Picture(picture), Some(copy)) => picture.patch(copy),
            (Patch::Red(pt), Some(copy)) => red::renumber(copy, *pt),
            _ => {}
        }
        header
    }

    /// The length that [`Self::write`] will append.
    pub fn len(&self, media: &Media, map: &ExtensionMap, departure: &Departure) -> usize {
        let (descriptor, two_byte) = self.form(media, map, departure);
        let element = |extension, len: Option<usize>| match (map.id(extension), len) {
            (Some(_), Some(len)) if two_byte && len <= 255 => 2 + len,
            (Some(1..=14), Some(len @ 1..=16)) if !two_byte => 1 + len,
            _ => 0,
        };
        let block = element(Extension::Mid, self.mid.as_ref().map(|mid| mid.as_bytes().len()))
            + element(Extension::TransportCc, Some(2))
            + element(Extension::AbsSendTime, Some(3))
            + element(Extension::AudioLevel, media.audio_level.map(|_| 1))
            + element(Extension::VideoOrientation, media.video_orientation.map(|_| 1))
            + element(Extension::PlayoutDelay, departure.playout_delay(media).map(|_| 3))
            + element(Extension::DependencyDescriptor, descriptor.map(<[u8]>::len));
        let block = if block == 0 { 0 } else { 4 + block.next_multiple_of(4) };
        12 + block + self.osn.map_or(0, |_| 2) + self.payload(media).len()
    }

    /// What of the payload goes out.
    pub fn payload<'a>(&self, media: &'a Media) -> &'a [u8] {
        media.payload.get(usize::from(self.skip)..).unwrap_or_default()
    }

    /// The dependency descriptor, if it can be written, and whether elements are two-byte.
    fn form<'a>(&self, media: &'a Media, map: &ExtensionMap, departure: &Departure) -> (Option<&'a [u8]>, bool) {
        let descriptor = media.dependency_descriptor.as_deref();
        let two_byte = map.allow_mixed && self.needs_two_bytes(media, map, departure);
        (descriptor.filter(|d| two_byte || d.len() <= 16), two_byte)
    }

    /// Whether an element that we would write has an id or a length beyond one-byte elements.
    fn needs_two_bytes(&self, media: &Media, map: &ExtensionMap, departure: &Departure) -> bool {
        let descriptor = media.dependency_descriptor.as_deref();
        let high = |extension, present: bool| present && map.id(extension).is_some_and(|id| id > 14);
        (descriptor.is_some_and(|d| d.len() > 16) && map.id(Extension::DependencyDescriptor).is_some())
            || high(Extension::DependencyDescriptor, descriptor.is_some())
            || high(Extension::Mid, self.mid.is_some())
            || high(Extension::TransportCc, true)
            || high(Extension::AbsSendTime, true)
            || high(Extension::AudioLevel, media.audio_level.is_some())
            || high(Extension::VideoOrientation, media.video_orientation.is_some())
            || high(Extension::PlayoutDelay, departure.playout_delay(media).is_some())
    }
}

/// Lengthens the packet `buf[start..]` to `len` bytes by RTP padding (RFC 3550 section 5.1), by at most 255 bytes.
pub fn pad(buf: &mut Vec<u8>, start: usize, len: usize) {
    let missing = (start + len).saturating_sub(buf.len()).min(255);
    if missing == 0 {
        return;
    }
    buf.resize(buf.len() + missing, 0);
    if let Some(last) = buf.last_mut() {
        *last = missing as u8;
    }
    if let Some(first) = buf.get_mut(start) {
        *first |= 0x20;
    }
}

/// Writes extension elements of one form.
struct Elements<'a, 'b> {
    map: &'a ExtensionMap,
    two_byte: bool,
    buf: &'b mut Vec<u8>,
}

impl Elements<'_, '_> {
    /// Appends one element if it was negotiated and fits the form; returns where its value lies.
    fn push(&mut self, extension: Extension, value: &[u8]) -> Option<usize> {
        let id = self.map.id(extension)?;
        if self.two_byte {
            self.buf.extend_from_slice(&[id, u8::try_from(value.len()).ok()?]);
        } else {
            if id > 14 || value.is_empty() || value.len() > 16 {
                return None;
            }
            self.buf.push(id << 4 | (value.len() - 1) as u8);
        }
        let at = self.buf.len();
        self.buf.extend_from_slice(value);
        Some(at)
    }
}

/// Pads the block that starts at `block` to words and fills in its header, or removes it if it is empty.
fn finish_block(buf: &mut Vec<u8>, start: usize, block: usize, two_byte: bool) {
    let len = buf.len() - block - 4;
    if len == 0 {
        buf.truncate(block);
        return;
    }
    let words = len.div_ceil(4);
    buf.resize(block + 4 + 4 * words, 0);
    let [p0, p1] = if two_byte { TWO_BYTE } else { ONE_BYTE }.to_be_bytes();
    let [l0, l1] = (words as u16).to_be_bytes();
    if let Some(head) = buf.get_mut(block..block + 4) {
        head.copy_from_slice(&[p0, p1, l0, l1]);
    }
    if let Some(first) = buf.get_mut(start) {
        *first |= 0x10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Token;
    use crate::rtp::Packet;
    use bytes::Bytes;

    const DEPARTURE: Departure = Departure { transport_cc: 0x55aa, abs_send_time: 0x00ab_cdef, playout_delay: None };

    fn outgoing() -> Outgoing {
        Outgoing {
            ssrc: Ssrc(0xdead_beef),
            pt: Pt(96),
            index: 0x2_0007,
            ts: 9000,
            ends: false,
            mid: Token::new("v0"),
            frame: 0x0a0b,
            osn: None,
            patch: Patch::None,
            skip: 0,
        }
    }

    fn media() -> Media {
        Media {
            marker: true,
            audio_level: Some(AudioLevel { voice: true, level: 21 }),
            video_orientation: Some(1),
            playout_delay: Some([1, 2, 3]),
            dependency_descriptor: Some(Bytes::from_static(&[0xc0, 0, 0, 0x80])),
            payload: Bytes::from_static(b"payload"),
            ..crate::rtp::media::tests::media(0, 1)
        }
    }

    fn map(descriptor: u8) -> ExtensionMap {
        let mut map = ExtensionMap::default();
        for (i, e) in Extension::ALL.into_iter().enumerate() {
            map.set(e, i as u8 + 1);
        }
        map.set(Extension::DependencyDescriptor, descriptor);
        map
    }

    fn written(packet: &Outgoing, media: &Media, map: &ExtensionMap) -> (Vec<u8>, Packet) {
        let mut buf = vec![1, 2, 3];
        let header = packet.write(media, map, &DEPARTURE, &mut buf);
        let raw = buf.split_off(3);
        let parsed = Packet::parse(&Bytes::from(raw.clone()), map).unwrap();
        assert_eq!(raw.len() - header, parsed.payload.len());
        assert_eq!(raw.len(), packet.len(media, map, &DEPARTURE));
        (raw, parsed)
    }

    #[test]
    fn everything_written_is_read_back() {
        let map = map(9);
        let (raw, p) = written(&outgoing(), &media(), &map);
        assert_eq!(raw[12..14], [0xbe, 0xde]);
        assert_eq!((p.pt, p.marker, p.seq, p.ts, p.ssrc), (Pt(96), true, 7, 9000, Ssrc(0xdead_beef)));
        assert_eq!(p.extensions.mid, Token::new("v0"));
        assert_eq!(p.extensions.transport_cc, Some(0x55aa));
        assert_eq!(p.extensions.abs_send_time, Some(0x00ab_cdef));
        assert_eq!(p.extensions.audio_level, Some(AudioLevel { voice: true, level: 21 }));
        assert_eq!(p.extensions.video_orientation, Some(1));
        assert_eq!(p.extensions.playout_delay, Some([1, 2, 3]));
        assert_eq!(p.extensions.dependency_descriptor.as_deref(), Some(&[0xc0, 0x0a, 0x0b, 0x80][..]));
        assert_eq!(&p.payload[..], b"payload");
        assert_eq!(outgoing().roc(), 2);
    }

    #[test]
    fn a_long_descriptor_takes_two_byte_elements_where_allowed_and_is_dropped_elsewhere() {
        let packet = Outgoing { frame: 0x0707, ..outgoing() };
        let media = Media { dependency_descriptor: Some(Bytes::from_static(&[7; 40])), ..media() };
        let mut map = map(9);
        let (_, p) = written(&packet, &media, &map);
        assert_eq!(p.extensions.dependency_descriptor, None);
        assert_eq!(p.extensions.mid, Token::new("v0"));
        map.allow_mixed = true;
        let (raw, p) = written(&packet, &media, &map);
        assert_eq!(raw[12..14], [0x10, 0x00]);
        assert_eq!(p.extensions.dependency_descriptor.as_deref(), Some(&[7; 40][..]));
        assert_eq!(p.extensions.mid, Token::new("v0"));
    }

    #[test]
    fn a_receivers_playout_delay_displaces_the_publishers_in_video_alone() {
        let departure = Departure { playout_delay: Some([7, 8, 9]), ..DEPARTURE };
        let delay = |media: &Media| {
            let mut buf = Vec::new();
            outgoing().write(media, &map(9), &departure, &mut buf);
            assert_eq!(buf.len(), outgoing().len(media, &map(9), &departure));
            Packet::parse(&Bytes::from(buf), &map(9)).unwrap().extensions.playout_delay
        };
        let of = |codec| Media { format: crate::params::Format { codec, profile: 0 }, ..media() };
        let video = of(Codec::Vp8);
        assert_eq!(delay(&video), Some([7, 8, 9]));
        assert_eq!(delay(&Media { playout_delay: None, ..video }), Some([7, 8, 9]));
        assert_eq!(delay(&of(Codec::Opus)), Some([1, 2, 3]));
    }

    #[test]
    fn padding_makes_a_packet_longer_and_nothing_else() {
        let map = map(9);
        let (raw, plain) = written(&outgoing(), &media(), &map);
        for missing in [0, 1, 32, 255] {
            let mut padded = raw.clone();
            pad(&mut padded, 0, raw.len() + missing);
            assert_eq!(padded.len(), raw.len() + missing);
            assert_eq!(Packet::parse(&Bytes::from(padded), &map).unwrap(), plain);
        }
    }

    #[test]
    fn without_extensions_there_is_no_block() {
        let (raw, _) = written(&outgoing(), &media(), &ExtensionMap::default());
        assert_eq!((raw[0], raw.len()), (0x80, 12 + 7));
    }

    #[test]
    fn what_is_skipped_of_the_payload_is_not_sent() {
        for (skip, rest) in [(3, &b"load"[..]), (7, b""), (8, b"")] {
            let (_, p) = written(&Outgoing { skip, ..outgoing() }, &media(), &map(9));
            assert_eq!(&p.payload[..], rest);
        }
    }

    #[test]
    fn a_retransmission_carries_the_original_number_and_the_patch() {
        let mut packet = outgoing();
        packet.osn = Some(0x1122);
        let media = Media { payload: Bytes::from_static(&[0x90, 0x80, 0x80, 0x01, 0xff]), ..media() };
        packet.patch = Patch::Picture(Picture { id: Some((2, 0x1234, true)), tl0: None });
        let (_, p) = written(&packet, &media, &map(9));
        assert_eq!(&p.payload[..], [0x11, 0x22, 0x90, 0x80, 0x92, 0x34, 0xff]);
    }
}
