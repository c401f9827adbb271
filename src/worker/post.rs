//! The post between media threads: each has an inbox, and a slot into every other's. One letter a turn and target at most, so one
//! wake-up for a whole batch of packets.

use crate::udp::Waker;
use ramai_sfu::link::{Envelope, Letter};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};

/// Letters that may wait for one worker: a turn with little load makes small ones.
const LETTERS: usize = 4096;
/// Envelopes that may wait for one worker, in all letters. A worker that is so far behind, 20 ms at 400,000 packets a second, shows
/// a frozen picture before it has caught up; better it misses packets. About 12 MiB.
const ENVELOPES: usize = 8192;

/// Where a worker's letters arrive.
pub struct Inbox {
    letters: Receiver<Vec<Envelope>>,
    waiting: Arc<AtomicUsize>,
}

/// The way into one worker's inbox; cheap to clone.
#[derive(Clone)]
pub struct Slot {
    letters: SyncSender<Vec<Envelope>>,
    waiting: Arc<AtomicUsize>,
    waker: Waker,
}

/// An inbox for the worker that this wakes, and the slot into it.
pub fn inbox(waker: Waker) -> (Inbox, Slot) {
    let (sender, letters) = sync_channel(LETTERS);
    let waiting = Arc::new(AtomicUsize::new(0));
    (Inbox { letters, waiting: waiting.clone() }, Slot { letters: sender, waiting, waker })
}

impl Inbox {
    /// The next letter's envelopes, if one waits.
    pub fn take(&self) -> Option<Vec<Envelope>> {
        match self.letters.try_recv() {
            Ok(envelopes) => {
                self.waiting.fetch_sub(envelopes.len(), Ordering::Relaxed);
                Some(envelopes)
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => None,
        }
    }
}

impl Slot {
    /// Puts a letter in, if there is room, and wakes its reader.
    fn put(&self, envelopes: Vec<Envelope>) -> Result<(), Vec<Envelope>> {
        let count = envelopes.len();
        // Senders may count at the same time and exceed the bound by a letter each; that is bounded as well.
        if self.waiting.load(Ordering::Relaxed) + count > ENVELOPES {
            return Err(envelopes);
        }
        self.waiting.fetch_add(count, Ordering::Relaxed);
        match self.letters.try_send(envelopes) {
            Ok(()) => {
                self.waker.wake();
                Ok(())
            }
            Err(TrySendError::Full(envelopes)) => {
                self.waiting.fetch_sub(count, Ordering::Relaxed);
                Err(envelopes)
            }
            // It has stopped: what was for it is of no use to anybody.
            Err(TrySendError::Disconnected(_)) => Ok(()),
        }
    }
}

/// One worker's slots into all others, with what didn't fit.
pub struct Post {
    slots: Vec<Slot>,
    /// Feedback that waits for room: a few requests for key frames, each said at most twice a second.
    kept: Vec<Letter>,
    dropped: u64,
}

impl Post {
    /// By worker; the own slot is there too and never used.
    pub fn new(slots: Vec<Slot>) -> Self {
        Self { slots, kept: Vec::new(), dropped: 0 }
    }

    /// Sends a letter. Where there is no room its media is dropped and counted, never waited for: subscribers repair it as any
    /// loss. Feedback is kept for [`Post::retry`].
    pub fn send(&mut self, letter: Letter) {
        let Letter { to, envelopes } = letter;
        let Some(slot) = self.slots.get(usize::from(to.0)) else { return };
        let Err(envelopes) = slot.put(envelopes) else { return };
        let mut letter = Letter { to, envelopes };
        let before = self.dropped;
        self.dropped += letter.drop_media() as u64;
        // The first time, and each time the number has doubled.
        if before.checked_ilog2() < self.dropped.checked_ilog2() {
            tracing::warn!(to = to.0, dropped = self.dropped, "a media worker is behind, packets for it dropped");
        }
        if !letter.envelopes.is_empty() {
            self.kept.push(letter);
        }
    }

    /// Tries again what was kept.
    pub fn retry(&mut self) {
        for letter in std::mem::take(&mut self.kept) {
            self.send(letter);
        }
    }

    /// Whether something was kept: nobody wakes us when there is room.
    pub fn is_waiting(&self) -> bool {
        !self.kept.is_empty()
    }

    /// Packets dropped so far.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::udp::UdpSocket;
    use ramai_sfu::id::{Ssrc, TrackId, WorkerId};
    use ramai_sfu::params::{Codec, Format};
    use ramai_sfu::rtp::picture::Picture;
    use ramai_sfu::rtp::{FrameMeta, LayerSet, Media};
    use std::net::Ipv4Addr;
    use std::time::{Duration, Instant};

    const TRACK: TrackId = TrackId(1);
    const WISH: Envelope = Envelope::KeyframeWanted { track: TRACK, layer: 0 };

    fn media(index: u64) -> Envelope {
        let media = Media {
            layer: 0,
            epoch: 1,
            index,
            ssrc: Ssrc(1),
            ts: 0,
            marker: false,
            format: Format { codec: Codec::Opus, profile: 0 },
            red: None,
            audio_level: None,
            video_orientation: None,
            playout_delay: None,
            dependency_descriptor: None,
            meta: FrameMeta::default(),
            picture: Picture::default(),
            payload: bytes::Bytes::from_static(b"opus"),
            clock: None,
            live: LayerSet::default().with(0),
        };
        Envelope::Media { track: TRACK, media }
    }

    fn letter(envelopes: Vec<Envelope>) -> Letter {
        Letter { to: WorkerId(0), envelopes }
    }

    #[test]
    fn a_letter_wakes_its_reader_and_arrives_whole() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let (inbox, slot) = inbox(socket.waker());
        let mut post = Post::new(vec![slot]);
        let sent = vec![media(1), media(2), WISH];
        post.send(letter(sent.clone()));
        let before = Instant::now();
        socket.wait(Some(Duration::from_secs(10))).unwrap();
        assert!(before.elapsed() < Duration::from_secs(5));
        assert_eq!((inbox.take(), inbox.take()), (Some(sent), None));
        // A slot that isn't there and a reader that has gone are no harm.
        post.send(Letter { to: WorkerId(9), envelopes: vec![WISH] });
        drop(inbox);
        post.send(letter(vec![WISH]));
        assert!(!post.is_waiting());
    }

    #[test]
    fn no_letter_is_slept_over_however_wakes_and_sleeps_meet() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let (inbox, slot) = inbox(socket.waker());
        let writers: Vec<_> = (0..2)
            .map(|_| {
                let mut post = Post::new(vec![slot.clone()]);
                std::thread::spawn(move || (0..2000).for_each(|_| post.send(letter(vec![WISH]))))
            })
            .collect();
        let mut arrived = 0;
        while arrived < 4000 {
            let before = Instant::now();
            socket.wait(Some(Duration::from_secs(20))).unwrap();
            assert!(before.elapsed() < Duration::from_secs(15), "{arrived} arrived, and then nobody woke us");
            arrived += std::iter::from_fn(|| inbox.take()).count();
        }
        writers.into_iter().for_each(|writer| writer.join().unwrap());
    }

    #[test]
    fn a_reader_that_is_behind_misses_packets_but_no_wish() {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let (inbox, slot) = inbox(socket.waker());
        let mut post = Post::new(vec![slot]);
        for index in 0..ENVELOPES as u64 {
            post.send(letter(vec![media(index)]));
            if index % 1000 == 999 {
                // Few letters wait, many envelopes.
                let all: Vec<Envelope> = std::iter::from_fn(|| inbox.take()).flatten().collect();
                post.send(letter(all));
            }
        }
        assert_eq!(post.dropped(), 0);
        post.send(letter(vec![media(0), WISH, media(1)]));
        post.send(letter(vec![media(2)]));
        assert_eq!((post.dropped(), post.is_waiting()), (3, true));
        post.retry();
        assert!(post.is_waiting(), "still no room");
        while inbox.take().is_some() {}
        post.retry();
        assert_eq!((inbox.take(), post.is_waiting()), (Some(vec![WISH]), false));
    }
}
