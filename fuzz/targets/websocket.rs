//! Where a client's WebSocket frames end (RFC 6455 section 5.2): read as it may be read, in whatever pieces, no read goes beyond the
//! end of a frame, and messages end where a plain reading of all bytes says.
#![no_main]

use boundary::Boundary;
use libfuzzer_sys::fuzz_target;

// The reader alone: all of signaling would take minutes to build.
#[allow(dead_code)]
#[path = "../../signaling/src/adapter/livekit/boundary.rs"]
mod boundary;

fuzz_target!(|input: &[u8]| {
    let Some((seed, stream)) = input.split_first() else { return };
    let (frames, messages) = ends(stream);
    let (mut boundary, mut at, mut piece, mut found) = (Boundary::default(), 0, usize::from(*seed), Vec::new());
    while at < stream.len() {
        // Pieces of all lengths, as a network makes them.
        piece = piece.wrapping_mul(31).wrapping_add(7) & 0xff;
        let allowed = boundary.allowed();
        assert!(allowed > 0, "nothing may be read at {at}, for ever");
        let end = at + allowed.min(piece + 1).min(stream.len() - at);
        assert!(
            !frames.iter().any(|frame| at < *frame && *frame < end),
            "read from {at} to {end}, beyond the end of a frame"
        );
        boundary.read(&stream[at..end]);
        at = end;
        if boundary.is_between_messages() {
            found.push(at);
        }
    }
    assert_eq!(found, messages);
    // In one piece it is the same.
    let mut whole = Boundary::default();
    whole.read(stream);
    assert_eq!((whole.allowed(), whole.is_between_messages()), (boundary.allowed(), boundary.is_between_messages()));
});

/// Where frames end, and at which of these ends no message is under way.
fn ends(stream: &[u8]) -> (Vec<usize>, Vec<usize>) {
    let (mut at, mut fragments, mut frames, mut messages) = (0usize, false, Vec::new(), Vec::new());
    while let [first, second, rest @ ..] = &stream[at..] {
        let (length, header) = match (second & 0x7f, rest) {
            (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 4),
            (127, [a, b, c, d, e, f, g, h, ..]) => (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 10),
            (126 | 127, _) => break,
            (short, _) => (u64::from(short), 2),
        };
        const MASK: usize = 4;
        let left = stream.len() - at;
        let Some(frame) = usize::try_from(length).ok().and_then(|length| length.checked_add(header + MASK)) else {
            break;
        };
        if frame > left {
            break;
        }
        at += frame;
        frames.push(at);
        let control = first & 0x0f >= 8;
        if !control {
            fragments = first & 0x80 == 0;
        }
        if !fragments {
            messages.push(at);
        }
    }
    (frames, messages)
}
