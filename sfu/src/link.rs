//! What workers (and later nodes) tell each other about a track: media one way, feedback the other.
//!
//! A track has one *home*, the worker of its publisher, where its packets are decrypted, numbered and repaired. Every other worker
//! with subscribers of it holds a *mirror*: it takes the ready-made packets, keeps them for its own subscribers' NACKs, and sends
//! its wishes for key frames back. Signaling makes both ends ([`Command::Relay`](crate::api::Command::Relay),
//! [`Command::Mirror`](crate::api::Command::Mirror)); an envelope about a track that isn't there is counted and dropped.

use crate::id::{RoomId, TrackId, TransportId, WorkerId};
use crate::rtp::Media;
use smallvec::SmallVec;

/// One thing said about one track.
#[derive(Clone, PartialEq, Debug)]
pub enum Envelope {
    /// Home to mirror: the track's next packet. The newest sender report and the live layers ride in it, and a mute is its absence.
    Media {
        /// Of which.
        track: TrackId,
        /// The packet, made ready for all subscribers.
        media: Media,
    },
    /// Mirror to home: a subscriber needs a key frame. Said at most once in 500 ms for each layer.
    KeyframeWanted {
        /// Of which.
        track: TrackId,
        /// Of its simulcast layers, lowest first.
        layer: u8,
    },
    /// To the home of a room's speaker slots: packets of a microphone that is among the loudest here. The last of them tells how loud
    /// it is; those before it are what was softer, when it begins to speak.
    Voice {
        /// Which room.
        room: RoomId,
        /// The microphone.
        track: TrackId,
        /// Whose.
        speaker: TransportId,
        /// The packets, made ready.
        media: SmallVec<[Media; 1]>,
    },
    /// Home to mirror: a speaker slot's next packet.
    Slot {
        /// Which slot.
        track: TrackId,
        /// Who speaks in it: whoever publishes there must not hear it.
        speaker: TransportId,
        /// The packet, as one of the slot's.
        media: Media,
    },
    /// From the home of a room's speaker slots: these speak from now on, and their cameras matter more than others'.
    Speaking {
        /// Which room.
        room: RoomId,
        /// Who.
        transports: Vec<TransportId>,
    },
}

/// All that one worker has to say to another after one turn, in order.
#[derive(Clone, PartialEq, Debug)]
pub struct Letter {
    /// To whom.
    pub to: WorkerId,
    /// What; never empty as [`Worker::poll_letter`](crate::Worker::poll_letter) gives it.
    pub envelopes: Vec<Envelope>,
}

impl Letter {
    /// Takes the media out, for which the other side has no room, and returns how many packets that were. What is left is little,
    /// and worth waiting with.
    pub fn drop_media(&mut self) -> usize {
        let before = self.envelopes.len();
        let media = |envelope: &Envelope| {
            matches!(envelope, Envelope::Media { .. } | Envelope::Voice { .. } | Envelope::Slot { .. })
        };
        self.envelopes.retain(|envelope| !media(envelope));
        before - self.envelopes.len()
    }
}

/// The letters of the turn that is under way.
#[derive(Default)]
pub(crate) struct Outbox {
    letters: Vec<Letter>,
}

impl Outbox {
    pub(crate) fn push(&mut self, to: WorkerId, envelope: Envelope) {
        // As many as a machine has cores at most.
        match self.letters.iter_mut().find(|letter| letter.to == to) {
            Some(letter) => letter.envelopes.push(envelope),
            None => self.letters.push(Letter { to, envelopes: vec![envelope] }),
        }
    }

    pub(crate) fn pop(&mut self) -> Option<Letter> {
        self.letters.pop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::media::tests::media;

    #[test]
    fn a_turn_makes_one_letter_for_each_worker_and_feedback_outlives_its_media() {
        let mut outbox = Outbox::default();
        let wanted = Envelope::KeyframeWanted { track: TrackId(2), layer: 1 };
        for index in 0..3 {
            outbox.push(WorkerId(1), Envelope::Media { track: TrackId(1), media: media(0, index) });
            outbox.push(WorkerId(2), Envelope::Media { track: TrackId(1), media: media(0, index) });
        }
        outbox.push(WorkerId(1), wanted.clone());
        let mut letters: Vec<Letter> = std::iter::from_fn(|| outbox.pop()).collect();
        letters.sort_by_key(|letter| letter.to);
        assert_eq!(letters.iter().map(|l| (l.to.0, l.envelopes.len())).collect::<Vec<_>>(), [(1, 4), (2, 3)]);
        assert_eq!(letters[0].drop_media(), 3);
        assert_eq!(letters[0].envelopes, [wanted]);
    }
}
