//! The last bytes of every payload that we send: who sent what when. They let a receiver that decrypts measure the way from
//! publisher to subscriber, and find packets that a server lost before it numbered them anew.

use std::hash::Hasher;

/// Bytes that a stamp takes.
pub const LEN: usize = 32;
const MAGIC: u32 = 0x524c_5331;

/// What one packet says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stamp {
    /// Which publisher of this run.
    pub publisher: u32,
    /// Video, or else audio.
    pub video: bool,
    /// Simulcast layer, lowest first.
    pub layer: u8,
    /// Spatial layer within it (SVC).
    pub spatial: u8,
    /// Temporal layer.
    pub temporal: u8,
    /// It belongs to a key picture.
    pub key: bool,
    /// First packet of its frame.
    pub start: bool,
    /// Last packet of its frame.
    pub end: bool,
    /// Number of its picture in its layer.
    pub frame: u32,
    /// Number of the packet among those of its layer, spatial layer and temporal layer, from 0.
    pub packet: u32,
    /// When it was first sent, in nanoseconds of wall-clock time.
    pub sent: u64,
}

impl Stamp {
    /// Writes the stamp over the end of `payload`; does nothing if that is too short.
    pub fn write(&self, payload: &mut [u8]) {
        let Some(at) = payload.len().checked_sub(LEN) else { return };
        let flags =
            u8::from(self.video) | u8::from(self.key) << 1 | u8::from(self.start) << 2 | u8::from(self.end) << 3;
        let mut bytes = Vec::with_capacity(LEN);
        bytes.extend(MAGIC.to_be_bytes());
        bytes.extend(self.publisher.to_be_bytes());
        bytes.extend([self.layer, flags, self.spatial, self.temporal]);
        bytes.extend(self.frame.to_be_bytes());
        bytes.extend(self.packet.to_be_bytes());
        bytes.extend(self.sent.to_be_bytes());
        bytes.extend(check(&bytes).to_be_bytes());
        if let Some(place) = payload.get_mut(at..) {
            place.copy_from_slice(&bytes);
        }
    }

    /// The stamp at the end of a payload; `None` if there is none or it was damaged.
    pub fn read(payload: &[u8]) -> Option<Self> {
        let bytes: &[u8; LEN] = payload.last_chunk()?;
        let word = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        if word(0)? != MAGIC || word(28)? != check(bytes.get(..28)?) {
            return None;
        }
        let [layer, flags] = [*bytes.get(8)?, *bytes.get(9)?];
        Some(Self {
            publisher: word(4)?,
            video: flags & 1 != 0,
            layer,
            spatial: *bytes.get(10)?,
            temporal: *bytes.get(11)?,
            key: flags & 2 != 0,
            start: flags & 4 != 0,
            end: flags & 8 != 0,
            frame: word(12)?,
            packet: word(16)?,
            sent: u64::from(word(20)?) << 32 | u64::from(word(24)?),
        })
    }
}

fn check(bytes: &[u8]) -> u32 {
    let mut hasher = rustc_hash::FxHasher::default();
    hasher.write(bytes);
    let hash = hasher.finish();
    (hash ^ hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_damage_is_seen() {
        let stamp = Stamp {
            publisher: 7,
            video: true,
            layer: 2,
            spatial: 1,
            temporal: 2,
            key: true,
            start: true,
            end: false,
            frame: 9,
            packet: 80,
            sent: u64::MAX / 3,
        };
        let mut payload = vec![0xaa; 100];
        stamp.write(&mut payload);
        assert_eq!(Stamp::read(&payload), Some(stamp));
        for at in 68..100 {
            payload[at] ^= 1;
            assert_eq!(Stamp::read(&payload), None, "byte {at}");
            payload[at] ^= 1;
        }
        assert_eq!(Stamp::read(&[0; 31]), None);
    }
}
