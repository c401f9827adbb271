//! Offers and answers from clients (RFC 8866, RFC 8829): read whole, or refused with a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sdp::Description;

// The reader alone: all of signaling would take minutes to build.
#[allow(dead_code)]
#[path = "../../signaling/src/negotiate/sdp.rs"]
mod sdp;

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    match Description::parse(text) {
        Ok(description) => {
            assert!(!description.fingerprints.is_empty(), "no peer goes unauthenticated");
            assert!(description.ice.ufrag.len() >= 4 && description.ice.pwd.len() >= 22);
            assert!(!description.sections.is_empty());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
