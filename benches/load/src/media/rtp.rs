//! Writes the RTP headers of what we publish (RFC 3550, RFC 8285 one-byte extensions).

use ramai_sfu::params::{Extension, ExtensionMap};

/// The fixed header's fields.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fixed {
    /// Payload type.
    pub pt: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub seq: u16,
    /// RTP timestamp.
    pub ts: u32,
    /// Sender.
    pub ssrc: u32,
}

/// Appends a header. Extensions that aren't in `map` or have nothing to say are left out. The elements have one-byte heads unless one
/// of them is too long for that.
pub fn header(fixed: &Fixed, map: &ExtensionMap, extensions: &[(Extension, &[u8])], buf: &mut Vec<u8>) {
    let start = buf.len();
    buf.extend([0x80, u8::from(fixed.marker) << 7 | fixed.pt & 0x7f]);
    buf.extend(fixed.seq.to_be_bytes());
    buf.extend(fixed.ts.to_be_bytes());
    buf.extend(fixed.ssrc.to_be_bytes());
    let block = buf.len();
    let known = || {
        let known = extensions.iter().filter_map(|(extension, value)| Some((map.id(*extension)?, *value)));
        known.filter(|(_, value)| (1..=255).contains(&value.len()))
    };
    let long = known().any(|(id, value)| id > 14 || value.len() > 16);
    buf.extend(if long { [0x10, 0x00, 0, 0] } else { [0xbe, 0xde, 0, 0] });
    for (id, value) in known() {
        if long {
            buf.extend([id, value.len() as u8]);
        } else {
            buf.push(id << 4 | (value.len() - 1) as u8);
        }
        buf.extend_from_slice(value);
    }
    if buf.len() == block + 4 {
        buf.truncate(block);
        return;
    }
    let words = (buf.len() - block - 4).div_ceil(4);
    buf.resize(block + 4 + 4 * words, 0);
    if let Some(low) = buf.get_mut(block + 3) {
        *low = words as u8;
    }
    if let Some(first) = buf.get_mut(start) {
        *first |= 0x10;
    }
}

/// Time as `abs-send-time` has it: 24 bits, 6.18 fixed point seconds.
pub fn abs_send_time(nanos: u64) -> [u8; 3] {
    let value = ((u128::from(nanos) << 18) / 1_000_000_000) as u32;
    let [_, a, b, c] = value.to_be_bytes();
    [a, b, c]
}

/// Wall-clock time as NTP has it (RFC 3550 section 4).
pub fn ntp(nanos: u64) -> u64 {
    const UNIX_EPOCH: u64 = 2_208_988_800;
    let (seconds, rest) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    (seconds + UNIX_EPOCH) << 32 | ((rest << 32) / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use ramai_sfu::rtp::Packet;

    #[test]
    fn a_server_reads_what_we_write() {
        let mut map = ExtensionMap::default();
        map.set(Extension::Mid, 1);
        map.set(Extension::Rid, 2);
        map.set(Extension::TransportCc, 4);
        let fixed = Fixed { pt: 96, marker: true, seq: 65_535, ts: 9, ssrc: 7 };
        let mut buf = Vec::new();
        let extensions: [(Extension, &[u8]); 4] = [
            (Extension::Mid, b"0"),
            (Extension::Rid, b"q"),
            (Extension::AudioLevel, &[1]),
            (Extension::TransportCc, &[1, 2]),
        ];
        header(&fixed, &map, &extensions, &mut buf);
        buf.extend(b"payload");
        let packet = Packet::parse(&Bytes::from(buf), &map).unwrap();
        assert_eq!((packet.pt.0, packet.marker, packet.seq, packet.ts, packet.ssrc.0), (96, true, 65_535, 9, 7));
        assert_eq!(packet.extensions.mid.unwrap().as_str(), "0");
        assert_eq!(packet.extensions.rid.unwrap().as_str(), "q");
        assert_eq!(packet.extensions.transport_cc, Some(0x102));
        assert_eq!(packet.extensions.audio_level, None);
        assert_eq!(&packet.payload[..], b"payload");
    }

    #[test]
    fn a_long_extension_makes_all_heads_two_bytes() {
        let mut map = ExtensionMap::default();
        map.set(Extension::TransportCc, 4);
        map.set(Extension::DependencyDescriptor, 7);
        let fixed = Fixed { pt: 98, marker: false, seq: 1, ts: 2, ssrc: 3 };
        let long = [7; 84];
        let mut buf = Vec::new();
        header(&fixed, &map, &[(Extension::TransportCc, &[1, 2]), (Extension::DependencyDescriptor, &long)], &mut buf);
        buf.extend(b"payload");
        let packet = Packet::parse(&Bytes::from(buf), &map).unwrap();
        assert_eq!(packet.extensions.transport_cc, Some(0x102));
        assert_eq!(packet.extensions.dependency_descriptor.as_deref(), Some(&long[..]));
        assert_eq!(&packet.payload[..], b"payload");
    }

    #[test]
    fn without_extensions_there_is_no_block() {
        let mut buf = Vec::new();
        header(&Fixed { pt: 111, marker: false, seq: 1, ts: 2, ssrc: 3 }, &ExtensionMap::default(), &[], &mut buf);
        assert_eq!((buf.len(), buf[0]), (12, 0x80));
    }

    #[test]
    fn clocks_agree() {
        assert_eq!(abs_send_time(1_500_000_000), [0x06, 0, 0]);
        assert_eq!(ntp(500_000_000), 2_208_988_800 << 32 | 1 << 31);
    }
}
