//! The first bytes of video payloads as RFC 7741 (VP8) and RFC 9628 (VP9) want them, over invented content.

use super::encoding::Frame;

/// No payload begins with more of ours.
pub const MAX_LEN: usize = 20;

/// VP8, with picture id, TL0PICIDX and temporal layer.
pub fn vp8(frame: &Frame, start: bool) -> Vec<u8> {
    let [high, low] = frame.picture_id.to_be_bytes();
    // X, S, partition 0; I, L, T; 15 bits of picture id; TL0PICIDX; TID and Y.
    let sync = u8::from(frame.sync) << 5;
    let mut head = vec![0x80 | u8::from(start) << 4, 0xe0, 0x80 | high, low, frame.tl0, frame.temporal << 6 | sync];
    if start {
        // Frame tag (RFC 6386 section 9.1): inverse key frame flag, version 0, shown.
        head.extend([u8::from(!frame.key) | 1 << 4, 1, 0]);
        if frame.key {
            head.extend([0x9d, 0x01, 0x2a, 0, 5, 0xd0, 2]);
        }
    }
    head
}

/// VP9 in non-flexible mode with spatial layers; `layers` of them are sent.
pub fn vp9(frame: &Frame, layers: u8, start: bool, end: bool) -> Vec<u8> {
    let [high, low] = frame.picture_id.to_be_bytes();
    let structure = start && frame.key && frame.spatial == 0;
    // Between spatial layers there is prediction only at key pictures (K-SVC).
    let alone = u8::from(!frame.key || frame.spatial + 1 == layers);
    let lower = u8::from(frame.key && frame.spatial > 0);
    // I, P, L, B, E, V, Z.
    let flags = 0x80
        | u8::from(!frame.key) << 6
        | 0x20
        | u8::from(start) << 3
        | u8::from(end) << 2
        | u8::from(structure) << 1
        | alone;
    // After a picture of a lower layer nothing builds on what was before it in higher ones.
    let switch = u8::from(frame.temporal < 2);
    let layer = frame.temporal << 5 | switch << 4 | frame.spatial << 1 | lower;
    let mut head = vec![flags, 0x80 | high, low, layer, frame.tl0];
    if structure {
        // N_S, Y; width and height of each.
        head.push((layers.saturating_sub(1)) << 5 | 1 << 4);
        for spatial in (0..layers).rev() {
            head.extend((1280u16 >> spatial).to_be_bytes());
            head.extend((720u16 >> spatial).to_be_bytes());
        }
    }
    head
}
