//! Bounded, zero-copy parsing of RTP packets (RFC 3550 section 5.1).

use super::extension::Extensions;
use crate::id::{Pt, Ssrc};
use crate::params::ExtensionMap;
use bytes::Bytes;
use std::ops::Range;

/// Why bytes aren't an RTP packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PacketError {
    /// The version isn't 2.
    #[error("RTP version is not 2")]
    Version,
    /// The header says more than there is.
    #[error("RTP packet is cut off")]
    Short,
    /// The padding count is zero or larger than the payload.
    #[error("RTP padding is larger than the payload")]
    Padding,
}

/// The fixed header and where the parts lie. It may be read before authentication: it costs nothing but the look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Header {
    /// Payload type.
    pub pt: Pt,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub seq: u16,
    /// RTP timestamp.
    pub ts: u32,
    /// Sender.
    pub ssrc: Ssrc,
    /// Padding bit; the count is in the last byte, which may still be encrypted.
    pub padding: bool,
    /// Profile and bytes of the extension block, without its own header.
    pub extension: Option<(u16, Range<usize>)>,
    /// Length of the whole header: payload starts here.
    pub len: usize,
}

impl Header {
    /// Reads the header of a packet, encrypted or not.
    pub fn parse(raw: &[u8]) -> Result<Self, PacketError> {
        let &[b0, b1, s0, s1, t0, t1, t2, t3, i0, i1, i2, i3, ..] = raw else { return Err(PacketError::Short) };
        if b0 >> 6 != 2 {
            return Err(PacketError::Version);
        }
        let mut len = 12 + 4 * usize::from(b0 & 0x0f);
        let mut extension = None;
        if b0 & 0x10 != 0 {
            let Some(&[p0, p1, l0, l1]) = raw.get(len..len + 4) else { return Err(PacketError::Short) };
            let start = len + 4;
            len = start + 4 * usize::from(u16::from_be_bytes([l0, l1]));
            extension = Some((u16::from_be_bytes([p0, p1]), start..len));
        }
        if raw.len() < len {
            return Err(PacketError::Short);
        }
        Ok(Self {
            pt: Pt(b1 & 0x7f),
            marker: b1 & 0x80 != 0,
            seq: u16::from_be_bytes([s0, s1]),
            ts: u32::from_be_bytes([t0, t1, t2, t3]),
            ssrc: Ssrc(u32::from_be_bytes([i0, i1, i2, i3])),
            padding: b0 & 0x20 != 0,
            extension,
            len,
        })
    }
}

/// One RTP packet in the clear. Its payload is a slice of the bytes it was parsed from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Packet {
    /// Payload type.
    pub pt: Pt,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub seq: u16,
    /// RTP timestamp.
    pub ts: u32,
    /// Sender.
    pub ssrc: Ssrc,
    /// Header extensions by meaning.
    pub extensions: Extensions,
    /// Payload without padding; empty if it was padding only.
    pub payload: Bytes,
}

impl Packet {
    /// Parses an authenticated, decrypted packet. Never panics; allocates nothing.
    pub fn parse(raw: &Bytes, map: &ExtensionMap) -> Result<Self, PacketError> {
        let header = Header::parse(raw)?;
        let mut end = raw.len();
        if header.padding {
            let count = usize::from(*raw.last().ok_or(PacketError::Short)?);
            end = end.checked_sub(count).filter(|end| count > 0 && *end >= header.len).ok_or(PacketError::Padding)?;
        }
        let extensions = match header.extension {
            Some((profile, range)) => Extensions::parse(profile, &raw.slice(range), map),
            None => Extensions::default(),
        };
        Ok(Self {
            pt: header.pt,
            marker: header.marker,
            seq: header.seq,
            ts: header.ts,
            ssrc: header.ssrc,
            extensions,
            payload: raw.slice(header.len..end),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params::Extension;
    use rand::{Rng, SeedableRng};

    #[test]
    fn csrc_extension_and_padding_are_taken_apart() {
        let raw = Bytes::from_static(&[
            0xb1, 0xe0, 0, 7, 0, 0, 0, 9, 1, 2, 3, 4, // P, X, one CSRC; marker, pt 96
            9, 9, 9, 9, 0xbe, 0xde, 0, 1, 0x31, 0, 5, 0, // extension: transport-cc 5
            b'h', b'i', 0, 0, 3,
        ]);
        let mut map = ExtensionMap::default();
        map.set(Extension::TransportCc, 3);
        let p = Packet::parse(&raw, &map).unwrap();
        assert_eq!((p.pt, p.marker, p.seq, p.ts, p.ssrc), (Pt(96), true, 7, 9, Ssrc(0x0102_0304)));
        assert_eq!(p.extensions.transport_cc, Some(5));
        assert_eq!(&p.payload[..], b"hi");
    }

    #[test]
    fn lies_about_length_are_errors() {
        let map = ExtensionMap::default();
        let parse = |raw: &'static [u8]| Packet::parse(&Bytes::from_static(raw), &map);
        assert_eq!(parse(&[0x80; 11]), Err(PacketError::Short));
        assert_eq!(parse(&[0x40, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(PacketError::Version));
        assert_eq!(parse(&[0x8f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(PacketError::Short));
        assert_eq!(parse(&[0x90, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xbe, 0xde, 0xff, 0xff]), Err(PacketError::Short));
        assert_eq!(parse(&[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7]), Err(PacketError::Padding));
        assert_eq!(parse(&[0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), Err(PacketError::Padding));
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(1);
        let mut map = ExtensionMap::default();
        for (i, e) in Extension::ALL.into_iter().enumerate() {
            map.set(e, i as u8 + 1);
        }
        for _ in 0..20_000 {
            let mut raw = vec![0; rng.random_range(0..80)];
            rng.fill(&mut raw[..]);
            if let Some(b) = raw.first_mut() {
                *b = 0x80 | (*b & 0x33);
            }
            if rng.random() && raw.len() > 20 {
                raw[0] = 0x90;
                raw[12..16].copy_from_slice(&[
                    if rng.random() { 0xbe } else { 0x10 },
                    0xde,
                    0,
                    rng.random_range(0..16),
                ]);
            }
            let _ = Packet::parse(&Bytes::from(raw), &map);
        }
    }
}
