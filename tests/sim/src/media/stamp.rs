//! The truth that every simulated payload carries at its end: which packet of which frame it is, and what that frame builds on.
//! The server can't know of it; receivers and oracles judge by it.

use crate::At;

/// Length of a stamp in bytes.
pub const LEN: usize = 36;
const MAGIC: [u8; 2] = [0x5a, 0xa5];
const NONE: u32 = u32::MAX;

/// See the module.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Stamp {
    /// The track.
    pub track: u16,
    /// Simulcast layer.
    pub layer: u8,
    /// Spatial layer within the stream (SVC).
    pub spatial: u8,
    /// Temporal layer.
    pub temporal: u8,
    /// A key frame, or a part of a key picture in SVC.
    pub key: bool,
    /// Number of the frame in its layer.
    pub frame: u32,
    /// Number of the packet in its layer.
    pub packet: u32,
    /// Position in the frame.
    pub index: u16,
    /// Packets of the frame.
    pub count: u16,
    /// When the camera saw it.
    pub captured: At,
    /// Frames of the same layer that it is predicted from.
    pub refs: [Option<u32>; 2],
}

impl Stamp {
    /// The frame's name.
    pub fn frame_id(&self) -> FrameId {
        FrameId { layer: self.layer, frame: self.frame }
    }

    /// Writes it over the last bytes of `payload`.
    pub fn write(&self, payload: &mut [u8]) {
        let mut bytes = [0; LEN];
        bytes[..2].copy_from_slice(&MAGIC);
        bytes[2..4].copy_from_slice(&self.track.to_be_bytes());
        bytes[4..8].copy_from_slice(&[self.layer, self.spatial, self.temporal, u8::from(self.key)]);
        bytes[8..12].copy_from_slice(&self.frame.to_be_bytes());
        bytes[12..16].copy_from_slice(&self.packet.to_be_bytes());
        bytes[16..18].copy_from_slice(&self.index.to_be_bytes());
        bytes[18..20].copy_from_slice(&self.count.to_be_bytes());
        bytes[20..28].copy_from_slice(&(self.captured.as_nanos() as u64).to_be_bytes());
        bytes[28..32].copy_from_slice(&self.refs[0].unwrap_or(NONE).to_be_bytes());
        bytes[32..36].copy_from_slice(&self.refs[1].unwrap_or(NONE).to_be_bytes());
        let start = payload.len() - LEN;
        payload[start..].copy_from_slice(&bytes);
    }

    /// Reads the end of `payload`.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEN] = payload.last_chunk()?;
        let u16_at = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let u32_at = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let reference = |at: usize| Some(u32_at(at)).filter(|frame| *frame != NONE);
        (bytes[..2] == MAGIC).then(|| Self {
            track: u16_at(2),
            layer: bytes[4],
            spatial: bytes[5],
            temporal: bytes[6],
            key: bytes[7] != 0,
            frame: u32_at(8),
            packet: u32_at(12),
            index: u16_at(16),
            count: u16_at(18),
            captured: At::from_nanos(u64::from(u32_at(20)) << 32 | u64::from(u32_at(24))),
            refs: [reference(28), reference(32)],
        })
    }
}

/// A frame within its track.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct FrameId {
    /// Simulcast layer.
    pub layer: u8,
    /// Number in the layer.
    pub frame: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let stamp = Stamp {
            track: 700,
            layer: 2,
            spatial: 1,
            temporal: 2,
            key: true,
            frame: 70_000,
            packet: 1 << 30,
            index: 3,
            count: 9,
            captured: At::from_nanos(123_456_789_012),
            refs: [Some(69_999), None],
        };
        let mut payload = vec![1; 100];
        stamp.write(&mut payload);
        assert_eq!(Stamp::read(&payload), Some(stamp));
        assert_eq!(Stamp::read(&payload[..99]), None);
    }
}
