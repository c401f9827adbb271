//! Invented media in well-formed packets: Opus that nobody could listen to and VP8 that nobody could watch, but with payload
//! descriptors, key frames, timestamps and markers as a forwarding unit and a receiver look at them.

use bytes::{BufMut, Bytes, BytesMut};

/// Duration of one audio packet.
pub const AUDIO_INTERVAL: std::time::Duration = std::time::Duration::from_millis(20);
/// Audio packets for each video frame: 25 frames a second.
pub const AUDIO_PER_FRAME: u32 = 2;
/// Payload bytes of one VP8 packet.
const VP8_PAYLOAD: usize = 1100;
/// Packets of a key frame and of any other.
const FRAME_PACKETS: [usize; 2] = [6, 2];
/// Largest VP8 picture id with two bytes.
const PICTURE_ID_MASK: u16 = 0x7fff;

/// One packet without the fields that the connection knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Frame {
    /// RTP timestamp, from zero.
    pub timestamp: u32,
    /// Last packet of a frame, or first of a talk spurt.
    pub marker: bool,
    /// Payload.
    pub payload: Bytes,
}

/// A talking Opus source: 20 ms packets.
#[derive(Debug, Default)]
pub struct Opus {
    sent: u32,
}

impl Opus {
    /// The next packet.
    pub fn packet(&mut self) -> Frame {
        let frame = Frame {
            timestamp: self.sent.wrapping_mul(960),
            marker: self.sent == 0,
            // TOC of a 20 ms fullband mono packet with one frame (RFC 6716 section 3.1), then noise.
            payload: BytesMut::from_iter([0x78].into_iter().chain((0u32..80).map(|i| (i * 37 + self.sent) as u8)))
                .freeze(),
        };
        self.sent = self.sent.wrapping_add(1);
        frame
    }
}

/// A VP8 source of one temporal layer. It starts with a key frame.
#[derive(Debug)]
pub struct Vp8 {
    picture: u16,
    frames: u32,
    keyframe_wanted: bool,
}

impl Default for Vp8 {
    fn default() -> Self {
        Self { picture: 100, frames: 0, keyframe_wanted: true }
    }
}

impl Vp8 {
    /// The next frame will be a key frame.
    pub fn request_keyframe(&mut self) {
        self.keyframe_wanted = true;
    }

    /// The packets of the next frame, and whether it is a key frame.
    pub fn frame(&mut self) -> (Vec<Frame>, bool) {
        let key = std::mem::take(&mut self.keyframe_wanted);
        let timestamp = self.frames.wrapping_mul(90_000 / 25);
        let count = if key { FRAME_PACKETS[0] } else { FRAME_PACKETS[1] };
        let packets = (0..count)
            .map(|i| Frame { timestamp, marker: i + 1 == count, payload: self.payload(i == 0, key) })
            .collect();
        self.picture = (self.picture + 1) & PICTURE_ID_MASK;
        self.frames = self.frames.wrapping_add(1);
        (packets, key)
    }

    /// Payload descriptor (RFC 7741 section 4.2) with a 15-bit picture id, payload header (section 4.3), content.
    fn payload(&self, first: bool, key: bool) -> Bytes {
        let mut payload = BytesMut::with_capacity(VP8_PAYLOAD + 16);
        payload.put_u8(0x80 | u8::from(first) << 4);
        payload.put_u8(0x80);
        payload.put_u16(0x8000 | self.picture);
        if first {
            // P is 0 in a key frame; show_frame, and a first partition of no particular size.
            payload.put_slice(&[0x10 | u8::from(!key), 0x02, 0x00]);
            if key {
                payload.put_slice(&[0x9d, 0x01, 0x2a]);
                payload.put_u16_le(640);
                payload.put_u16_le(360);
            }
        }
        payload.resize(VP8_PAYLOAD, self.picture as u8);
        payload.freeze()
    }
}

/// What a receiver reads off a VP8 payload.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Vp8Head {
    /// Start of a frame.
    pub start: bool,
    /// Start of a key frame.
    pub key: bool,
    /// 15-bit or 7-bit picture id.
    pub picture: Option<u16>,
}

/// Reads descriptor and header (RFC 7741 sections 4.2 and 4.3). `None` if it is cut off.
pub fn vp8_head(payload: &[u8]) -> Option<Vp8Head> {
    let mut bytes = payload.iter().copied();
    let first = bytes.next()?;
    let start = first & 0x10 != 0 && first & 0x07 == 0;
    let mut picture = None;
    if first & 0x80 != 0 {
        let flags = bytes.next()?;
        if flags & 0x80 != 0 {
            let high = bytes.next()?;
            picture = Some(if high & 0x80 != 0 {
                u16::from(high & 0x7f) << 8 | u16::from(bytes.next()?)
            } else {
                u16::from(high)
            });
        }
        if flags & 0x40 != 0 {
            bytes.next()?;
        }
        if flags & 0x30 != 0 {
            bytes.next()?;
        }
    }
    let header = bytes.next()?;
    Some(Vp8Head { start, key: start && header & 1 == 0, picture })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_frame_comes_first_and_on_request() {
        let mut source = Vp8::default();
        let keys: Vec<bool> = (0..4)
            .map(|i| {
                if i == 2 {
                    source.request_keyframe();
                }
                let (packets, key) = source.frame();
                let heads: Vec<_> = packets.iter().map(|p| vp8_head(&p.payload).unwrap()).collect();
                assert!(heads[0].start && heads[0].key == key && !heads[1].start);
                assert!(heads.iter().all(|h| h.picture == Some(100 + i)));
                assert!(packets.last().unwrap().marker && !packets[0].marker);
                key
            })
            .collect();
        assert_eq!(keys, [true, false, true, false]);
    }

    #[test]
    fn a_descriptor_that_is_cut_off_is_no_head() {
        let (packets, _) = Vp8::default().frame();
        for len in 0..5 {
            assert_eq!(vp8_head(&packets[0].payload[..len]), None);
        }
    }
}
