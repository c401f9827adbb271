//! RTP headers and header extensions (RFC 3550, RFC 8285), under both kinds of extension maps; what is read is forwarded, and
//! what is written must read the same.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use ramai_fuzz::extension_maps;
use ramai_sfu::id::{Pt, Ssrc};
use ramai_sfu::params::{Codec, Format};
use ramai_sfu::rtp::dependency::{Structure, frame_number};
use ramai_sfu::rtp::packet::{Header, Packet};
use ramai_sfu::rtp::picture::Picture;
use ramai_sfu::rtp::write::{Departure, Outgoing, Patch};
use ramai_sfu::rtp::{FrameMeta, LayerSet, Media, frame};

fuzz_target!(|input: &[u8]| {
    let raw = Bytes::copy_from_slice(input);
    let header = Header::parse(&raw);
    for map in extension_maps() {
        let Ok(packet) = Packet::parse(&raw, &map) else { continue };
        let header = header.as_ref().expect("a packet has a header");
        assert!(header.len + packet.payload.len() <= raw.len());
        assert!(raw[header.len..].starts_with(&packet.payload));

        for codec in [Codec::Opus, Codec::Vp8, Codec::Vp9, Codec::H264, Codec::Av1] {
            let (_, picture) = frame::inspect(codec, &packet, &mut Structure::default());
            forward(&packet, Patch::Picture(picture.shifted(1000, 100)), &map);
        }
        forward(&packet, Patch::Red(Pt(63)), &map);
        forward(&packet, Patch::None, &map);
    }
});

fn forward(packet: &Packet, patch: Patch, map: &ramai_sfu::params::ExtensionMap) {
    let extensions = &packet.extensions;
    let descriptor = extensions.dependency_descriptor.clone();
    let frame = descriptor.as_deref().and_then(frame_number).unwrap_or(0);
    let media = Media {
        layer: 0,
        epoch: 0,
        index: 1,
        ssrc: packet.ssrc,
        ts: packet.ts,
        marker: packet.marker,
        format: Format { codec: Codec::Vp8, profile: 0 },
        red: None,
        audio_level: extensions.audio_level,
        video_orientation: extensions.video_orientation,
        playout_delay: extensions.playout_delay,
        dependency_descriptor: descriptor,
        meta: FrameMeta::default(),
        picture: Picture::default(),
        payload: packet.payload.clone(),
        clock: None,
        live: LayerSet::default(),
    };
    let outgoing = Outgoing {
        ssrc: Ssrc(0x1234_5678),
        pt: Pt(96),
        index: 0x1_0000 + u64::from(packet.seq),
        ts: packet.ts,
        ends: false,
        mid: extensions.mid,
        frame,
        osn: None,
        patch,
        skip: 0,
    };
    // Never first in the buffer, as in a batch.
    let mut buf = vec![0xff; 3];
    let departure = Departure { transport_cc: 7, abs_send_time: 0x0001_0203, playout_delay: None };
    let header = outgoing.write(&media, map, &departure, &mut buf);
    assert_eq!(&buf[..3], [0xff; 3]);
    let again = Packet::parse(&Bytes::copy_from_slice(&buf[3..]), map).expect("what we write can be read");
    assert_eq!(outgoing.len(&media, map, &departure), buf.len() - 3);
    assert_eq!(header + packet.payload.len(), buf.len() - 3);
    assert_eq!((again.marker, again.seq, again.ts), (packet.marker, packet.seq, packet.ts));
    assert_eq!(again.payload.len(), packet.payload.len());
    assert_eq!(again.extensions.transport_cc, Some(7));
    assert_eq!(again.extensions.mid, extensions.mid);
    assert_eq!(again.extensions.audio_level, extensions.audio_level);
    assert_eq!(again.extensions.playout_delay, extensions.playout_delay);
    if patch_is_none(&outgoing) {
        assert_eq!(again.payload, packet.payload);
    }
}

fn patch_is_none(outgoing: &Outgoing) -> bool {
    matches!(outgoing.patch, Patch::None)
}
