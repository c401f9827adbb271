//! Anything at the media port, through the whole plane: strangers and one peer that has passed its connectivity check, with a
//! track published. Nothing they send before the handshake may reach a room, and what is dropped is counted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ramai_fuzz::{authentic, datagrams, identity, path, transport_params};
use ramai_sfu::api::{Command, Datagram, Event};
use ramai_sfu::id::{Pt, RoomId, Ssrc, Token, TrackId, TransportId, WorkerId};
use ramai_sfu::params::{Codec, Format, Kind, LayerParams, PayloadParams, PublishParams};
use ramai_sfu::{Batch, Worker};
use std::time::{Duration, Instant};

fuzz_target!(|input: &[u8]| {
    let mut now = Instant::now();
    let mut worker = Worker::new(now, WorkerId(0), identity().clone(), 1);
    let transport = TransportId(1);
    worker.handle_command(
        now,
        Command::AttachTransport { transport, room: RoomId(1), params: Box::new(transport_params()) },
    );
    worker.handle_command(now, Command::Publish { transport, track: TrackId(1), params: Box::new(publication()) });

    let mut batch = Batch::default();
    let mut came = 0;
    for datagram in datagrams(input) {
        let Some((kind, payload)) = datagram.split_first() else { continue };
        let mut payload = if kind & 1 == 0 { payload.to_vec() } else { authentic(payload) };
        worker.handle_datagram(now, Datagram { path: path(kind >> 5), came: now, payload: &mut payload });
        came += 1;
        now += Duration::from_millis(u64::from(kind & 0x1e) * 4);
        worker.handle_timeout(now);
        while worker.flush(now, &mut batch) {
            batch.clear();
        }
        while let Some(event) = worker.poll_event() {
            assert!(matches!(event, Event::Disconnected { .. }), "{event:?} without a handshake");
        }
        batch.clear();
    }
    let counters = worker.counters();
    assert_eq!((counters.received, counters.forwarded), (came, 0));
});

fn publication() -> PublishParams {
    PublishParams {
        screen: false,
        kind: Kind::Video,
        mid: Token::new("0").expect("a mid"),
        payloads: vec![PayloadParams {
            pt: Pt(96),
            format: Format { codec: Codec::Vp8, profile: 0 },
            rtx: Some(Pt(97)),
            red: None,
            nack: true,
        }],
        layers: vec![LayerParams { ssrc: Some(Ssrc(0xdeca_fbad)), ..LayerParams::default() }],
    }
}
