//! A stream of dependency descriptors (AV1 RTP specification, appendix A): later ones are read by an earlier one's structure.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ramai_fuzz::datagrams;
use ramai_sfu::rtp::dependency::{Structure, frame_number};

fuzz_target!(|input: &[u8]| {
    let mut structure = Structure::default();
    for descriptor in datagrams(input) {
        let meta = structure.read(descriptor);
        assert_eq!(meta.is_some(), descriptor.len() >= 3);
        assert!(meta.is_none() || frame_number(descriptor).is_some());
        assert!(
            meta.is_none_or(|meta| meta.start || !meta.keyframe),
            "a key frame's structure comes with its first packet"
        );
    }
});
