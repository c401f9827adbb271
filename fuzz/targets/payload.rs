//! Payload descriptors (RFC 7741, RFC 9628, RFC 6184, AV1 RTP specification, RFC 2198): the first byte picks the reader.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ramai_sfu::id::Pt;
use ramai_sfu::rtp::{av1, h264, red, vp8, vp9};

fuzz_target!(|input: &[u8]| {
    let Some((kind, payload)) = input.split_first() else { return };
    match kind % 5 {
        0 => renumbered(payload, vp8::parse),
        1 => renumbered(payload, vp9::parse),
        2 => drop(h264::parse(payload)),
        3 => drop(av1::parse(payload)),
        _ => {
            let primary = red::primary(payload);
            let mut copy = payload.to_vec();
            red::renumber(&mut copy, Pt(63));
            if let Some((start, _)) = primary {
                assert!(usize::from(start) <= payload.len());
                assert_eq!(red::primary(&copy), Some((start, Pt(63))));
                assert_eq!(copy[usize::from(start)..], payload[usize::from(start)..], "audio changed");
            }
        }
    }
});

/// Writing other picture numbers changes them and nothing else of what the descriptor says.
fn renumbered<M: PartialEq + std::fmt::Debug>(
    payload: &[u8],
    parse: impl Fn(&[u8]) -> Option<(M, ramai_sfu::rtp::picture::Picture)>,
) {
    let Some((meta, picture)) = parse(payload) else { return };
    let shifted = picture.shifted(333, 77);
    let mut copy = payload.to_vec();
    shifted.patch(&mut copy);
    let (again_meta, again) = parse(&copy).expect("still a descriptor");
    assert_eq!((again_meta, again), (meta, shifted));
    again.shifted(333u16.wrapping_neg(), 77u8.wrapping_neg()).patch(&mut copy);
    assert_eq!(copy, payload, "shifted back it is the same");
}
