//! RTP header extensions by meaning (RFC 8285): one-byte and two-byte elements become typed values.

use crate::id::{Mid, Rid, Token};
use crate::params::{Extension, ExtensionMap};
use bytes::Bytes;

/// Client-to-mixer audio level (RFC 6464).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AudioLevel {
    /// The sender believes that it is voice.
    pub voice: bool,
    /// Loudness in -dBov: 0 is overload, 127 is silence.
    pub level: u8,
}

/// The values of one packet's header extensions, so far as we understand them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Extensions {
    /// The media section.
    pub mid: Option<Mid>,
    /// The simulcast layer.
    pub rid: Option<Rid>,
    /// The simulcast layer that this retransmission repairs.
    pub repaired_rid: Option<Rid>,
    /// Transport-wide sequence number.
    pub transport_cc: Option<u16>,
    /// Loudness.
    pub audio_level: Option<AudioLevel>,
    /// When it was sent: 24 bits, 6.18 fixed point seconds.
    pub abs_send_time: Option<u32>,
    /// Coordination of video orientation (3GPP TS 26.114).
    pub video_orientation: Option<u8>,
    /// Least and greatest playout delay, 12 bits each in 10 ms.
    pub playout_delay: Option<[u8; 3]>,
    /// AV1 dependency descriptor, also used with other codecs.
    pub dependency_descriptor: Option<Bytes>,
}

/// The profile value of one-byte elements.
pub(super) const ONE_BYTE: u16 = 0xBEDE;
/// The profile value of two-byte elements; the low four bits are "appbits".
pub(super) const TWO_BYTE: u16 = 0x1000;

impl Extensions {
    /// Reads the extension block of a header. Elements that are unknown, cut off or of a wrong length are skipped;
    /// the number of elements is bounded by the length of `block`.
    pub fn parse(profile: u16, block: &Bytes, map: &ExtensionMap) -> Self {
        let mut parsed = Self::default();
        let two_byte = profile & 0xfff0 == TWO_BYTE;
        if profile != ONE_BYTE && !two_byte {
            return parsed;
        }
        let mut at = 0;
        while let Some(&first) = block.get(at) {
            at += 1;
            if first == 0 {
                continue; // padding between elements
            }
            let (id, len) = if two_byte {
                let Some(&len) = block.get(at) else { break };
                at += 1;
                (first, usize::from(len))
            } else {
                if first >> 4 == 15 {
                    break; // RFC 8285 section 4.2: stop at the reserved id
                }
                (first >> 4, usize::from(first & 0x0f) + 1)
            };
            let Some(value) = block.get(at..at + len) else { break };
            if let Some(extension) = map.extension(id) {
                parsed.set(extension, value, || block.slice(at..at + len));
            }
            at += len;
        }
        parsed
    }

    fn set(&mut self, extension: Extension, value: &[u8], shared: impl FnOnce() -> Bytes) {
        match (extension, value) {
            (Extension::Mid, _) => self.mid = Token::from_bytes(value),
            (Extension::Rid, _) => self.rid = Token::from_bytes(value),
            (Extension::RepairedRid, _) => self.repaired_rid = Token::from_bytes(value),
            (Extension::TransportCc, &[a, b]) => self.transport_cc = Some(u16::from_be_bytes([a, b])),
            (Extension::AudioLevel, &[a]) => {
                self.audio_level = Some(AudioLevel { voice: a & 0x80 != 0, level: a & 0x7f });
            }
            (Extension::AbsSendTime, &[a, b, c]) => self.abs_send_time = Some(u32::from_be_bytes([0, a, b, c])),
            (Extension::VideoOrientation, &[a]) => self.video_orientation = Some(a),
            (Extension::PlayoutDelay, &[a, b, c]) => self.playout_delay = Some([a, b, c]),
            (Extension::DependencyDescriptor, [_, _, _, ..]) => self.dependency_descriptor = Some(shared()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map() -> ExtensionMap {
        let mut map = ExtensionMap::default();
        map.set(Extension::Mid, 1);
        map.set(Extension::AudioLevel, 2);
        map.set(Extension::TransportCc, 3);
        map.set(Extension::DependencyDescriptor, 20);
        map
    }

    #[test]
    fn one_byte_elements_with_padding_between() {
        let block =
            Bytes::from_static(&[0x11, b'a', b'7', 0, 0, 0x20, 0x80 | 33, 0x31, 0x12, 0x34, 0xf0, 0x10, b'z', 0]);
        let e = Extensions::parse(ONE_BYTE, &block, &map());
        assert_eq!(e.mid, Token::new("a7"));
        assert_eq!(e.audio_level, Some(AudioLevel { voice: true, level: 33 }));
        assert_eq!(e.transport_cc, Some(0x1234));
    }

    #[test]
    fn two_byte_elements_with_high_ids_and_an_empty_unknown_one() {
        let block = Bytes::from_static(&[20, 4, 1, 2, 3, 4, 99, 0, 3, 2, 0, 5, 0, 0]);
        let e = Extensions::parse(0x1007, &block, &map());
        assert_eq!(e.dependency_descriptor.as_deref(), Some(&[1, 2, 3, 4][..]));
        assert_eq!(e.transport_cc, Some(5));
    }

    #[test]
    fn cut_off_and_foreign_blocks_yield_what_was_whole() {
        let cut = Bytes::from_static(&[0x31, 0, 9, 0x17, b'a']);
        let e = Extensions::parse(ONE_BYTE, &cut, &map());
        assert_eq!((e.transport_cc, e.mid), (Some(9), None));
        assert_eq!(Extensions::parse(0x1234, &cut, &map()), Extensions::default());
    }
}
