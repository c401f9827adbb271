//! DTLS handshakes wait for their turn: all media that came in is taken first, then a few datagrams of handshakes, and all that
//! goes out leaves together. A handshake is public-key cryptography, as dear as hundreds of packets: when hundreds join at
//! once, the last of them wait a little, and no call beside them stutters.

use super::Worker;
use crate::api::Path;
use crate::id::TransportId;
use std::collections::VecDeque;
use std::time::Instant;

/// Datagrams of handshakes worked off in one turn that has something else to send. The dearest, with the client's key and
/// certificate, takes about 0.3 ms: what is sent waits at most 0.6 ms for them.
const BESIDE_MEDIA: usize = 2;
/// In a turn that has nothing to send yet.
const ALONE: usize = 4;
/// Datagrams that may wait, all transports together: hundreds of joins at once. Beyond that it is for the peers to repeat theirs,
/// as after any loss.
const MAX_WAITING: usize = 2048;
/// Of these for one transport: a browser's longest flight and a repeat of it. Nobody fills the queue alone.
const MAX_WAITING_EACH: usize = 16;

/// Datagrams that wait for their turn, oldest first.
#[derive(Default)]
pub(super) struct Handshakes {
    waiting: VecDeque<Waiting>,
}

struct Waiting {
    transport: TransportId,
    path: Path,
    datagram: Box<[u8]>,
    since: Instant,
}

impl Worker {
    /// Takes in one DTLS datagram from a validated address: at once where the handshake is done, else it waits for its turn.
    pub(super) fn handle_dtls(&mut self, now: Instant, id: TransportId, path: Path, datagram: &[u8]) {
        let Some(peer) = self.peers.get_mut(&id) else { return };
        if !peer.transport.is_connecting() {
            peer.transport.handle_dtls(now, path, datagram);
            self.transport_events(now, id);
            return;
        }
        let waiting = &mut self.handshakes.waiting;
        if waiting.len() >= MAX_WAITING || peer.handshakes_waiting >= MAX_WAITING_EACH {
            self.counters.handshakes_dropped += 1;
            return;
        }
        peer.handshakes_waiting += 1;
        waiting.push_back(Waiting { transport: id, path, datagram: datagram.into(), since: now });
    }

    /// Works off some of the handshake datagrams that wait.
    pub(super) fn handle_handshakes(&mut self, now: Instant) {
        let budget = if self.dirty.is_empty() { ALONE } else { BESIDE_MEDIA };
        for _ in 0..budget {
            let Some(Waiting { transport, path, datagram, .. }) = self.handshakes.waiting.pop_front() else { return };
            // Who is gone meanwhile needs no handshake.
            let Some(peer) = self.peers.get_mut(&transport) else { continue };
            peer.handshakes_waiting -= 1;
            peer.transport.handle_dtls(now, path, &datagram);
            self.transport_events(now, transport);
        }
    }

    /// Since when a handshake waits for its turn, if any does.
    pub(super) fn handshakes_wait_since(&self) -> Option<Instant> {
        self.handshakes.waiting.front().map(|waiting| waiting.since)
    }
}
