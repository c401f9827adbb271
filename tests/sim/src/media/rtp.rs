//! Writes the RTP packets of simulated publishers (RFC 3550, RFC 8285).

use ramai_sfu::params::{Extension, ExtensionMap};

/// The extension ids of every simulated participant.
pub fn extensions() -> ExtensionMap {
    let mut map = ExtensionMap::default();
    map.allow_mixed = true;
    map.set(Extension::Mid, 1);
    map.set(Extension::TransportCc, 3);
    map.set(Extension::AbsSendTime, 4);
    map.set(Extension::AudioLevel, 5);
    map.set(Extension::DependencyDescriptor, 9);
    map
}

/// One packet before it is sealed.
#[derive(Clone, Debug)]
pub struct Rtp {
    /// Payload type.
    pub pt: u8,
    /// Marker bit.
    pub marker: bool,
    /// Sequence number.
    pub seq: u16,
    /// Timestamp.
    pub ts: u32,
    /// Sender.
    pub ssrc: u32,
    /// Loudness, with the voice bit.
    pub level: Option<u8>,
    /// Dependency descriptor.
    pub descriptor: Option<Vec<u8>>,
    /// The payload.
    pub payload: Vec<u8>,
}

impl Rtp {
    /// The packet with a transport-wide number.
    pub fn write(&self, transport_cc: u16) -> Vec<u8> {
        let map = extensions();
        let two_byte = self.descriptor.as_ref().is_some_and(|descriptor| descriptor.len() > 16);
        let mut buf = Vec::with_capacity(self.payload.len() + 64);
        buf.extend([0x90, u8::from(self.marker) << 7 | self.pt & 0x7f]);
        buf.extend(self.seq.to_be_bytes());
        buf.extend(self.ts.to_be_bytes());
        buf.extend(self.ssrc.to_be_bytes());
        buf.extend(if two_byte { [0x10, 0, 0, 0] } else { [0xbe, 0xde, 0, 0] });
        let mut put = |extension, value: &[u8]| {
            let Some(id) = map.id(extension) else { return };
            if two_byte {
                buf.extend([id, value.len() as u8]);
            } else {
                buf.push(id << 4 | (value.len() - 1) as u8);
            }
            buf.extend_from_slice(value);
        };
        put(Extension::TransportCc, &transport_cc.to_be_bytes());
        if let Some(level) = self.level {
            put(Extension::AudioLevel, &[level]);
        }
        if let Some(descriptor) = &self.descriptor {
            put(Extension::DependencyDescriptor, descriptor);
        }
        let words = (buf.len() - 16).div_ceil(4);
        buf.resize(16 + 4 * words, 0);
        buf[14..16].copy_from_slice(&(words as u16).to_be_bytes());
        buf.extend_from_slice(&self.payload);
        buf
    }

    /// The same as a retransmission (RFC 4588).
    pub fn again(&self, pt: u8, ssrc: u32, seq: u16) -> Self {
        let mut payload = self.seq.to_be_bytes().to_vec();
        payload.extend_from_slice(&self.payload);
        Self { pt, ssrc, seq, payload, ..self.clone() }
    }
}

/// Wall-clock time as NTP has it (RFC 3550 section 4); runs begin at the UNIX epoch of 2001.
pub fn ntp(now: crate::At) -> u64 {
    const BEGIN: u64 = 2_208_988_800 + 978_307_200;
    ((now.as_secs() + BEGIN) << 32) | ((u64::from(now.subsec_nanos()) << 32) / 1_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use ramai_sfu::rtp::Packet;

    #[test]
    fn a_server_reads_what_we_write() {
        for descriptor in [None, Some(vec![7; 5]), Some(vec![7; 40])] {
            let rtp = Rtp {
                pt: 96,
                marker: true,
                seq: 65_535,
                ts: 9,
                ssrc: 7,
                level: Some(0x85),
                descriptor: descriptor.clone(),
                payload: b"payload".to_vec(),
            };
            let packet = Packet::parse(&Bytes::from(rtp.write(0x102)), &extensions()).unwrap();
            assert_eq!((packet.pt.0, packet.marker, packet.seq, packet.ts, packet.ssrc.0), (96, true, 65_535, 9, 7));
            assert_eq!(packet.extensions.transport_cc, Some(0x102));
            assert_eq!(packet.extensions.audio_level.map(|l| (l.voice, l.level)), Some((true, 5)));
            assert_eq!(packet.extensions.dependency_descriptor.as_deref(), descriptor.as_deref());
            assert_eq!(&packet.payload[..], b"payload");
            assert_eq!(&rtp.again(97, 8, 1).payload[..3], &[255, 255, b'p']);
        }
    }
}
