//! What waits for one client to read it: bounded, and never in the way of a room.
//!
//! News of the room (who is here, who speaks) find no place once many frames wait; the client has then fallen behind. When it
//! has read what waits, it gets the room as it is instead of what it missed. What concerns that client alone and is said once
//! (answers, offers, refusals, the farewell) always finds a place, or the client is cut off.

use super::effect::Notice;
use bytes::Bytes;
use tokio::sync::mpsc;

/// Frames that may wait.
const MOST: usize = 1024;
/// From so many waiting frames on, news of the room are left out. The roster of 10,000 people is 200.
const NEWS: usize = 256;

const _: () = assert!(NEWS * 4 <= MOST, "what is said once finds room when the news don't");

/// What a socket is given to send.
pub enum Outbound {
    /// One encoded `SignalResponse`.
    Frame(Bytes),
    /// Close after all before it.
    Close,
}

/// The room's end of a client's queue.
pub(super) struct Outbox {
    frames: mpsc::Sender<Outbound>,
    behind: bool,
}

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Pushed {
    /// It will be sent.
    Queued,
    /// It is news, and the first that the client misses.
    Behind,
    /// It is news that the client misses, too.
    Missed,
    /// The client doesn't read, or is gone.
    Lost,
}

/// A client's queue and its other end.
pub(super) fn outbox() -> (Outbox, mpsc::Receiver<Outbound>) {
    let (frames, receiver) = mpsc::channel(MOST);
    (Outbox { frames, behind: false }, receiver)
}

/// Whether a message is news of the room: what it says can be read from the room's state later.
pub(super) fn is_news(notice: &Notice) -> bool {
    matches!(
        notice,
        Notice::Update(_) | Notice::SpeakersChanged(_) | Notice::RoomUpdate(_) | Notice::ConnectionQuality(_)
    )
}

impl Outbox {
    /// Queues what is said once.
    pub fn push(&mut self, outbound: Outbound) -> Pushed {
        match self.frames.try_send(outbound) {
            Ok(()) => Pushed::Queued,
            Err(_) => Pushed::Lost,
        }
    }

    /// Queues news, unless the client is behind.
    pub fn push_news(&mut self, frame: Bytes) -> Pushed {
        if self.behind {
            return Pushed::Missed;
        }
        if self.frames.max_capacity() - self.frames.capacity() >= NEWS {
            self.behind = true;
            return Pushed::Behind;
        }
        self.push(Outbound::Frame(frame))
    }

    /// Whether a client that is behind has read all that waited; from then on it isn't behind any more.
    pub fn caught_up(&mut self) -> bool {
        let caught_up = self.behind && self.frames.capacity() == self.frames.max_capacity();
        self.behind &= !caught_up;
        caught_up
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_read_misses_news_but_no_answer() {
        let (mut outbox, mut frames) = outbox();
        let news: Vec<Pushed> = (0..NEWS + 2).map(|_| outbox.push_news(Bytes::new())).collect();
        assert!(news[..NEWS].iter().all(|pushed| *pushed == Pushed::Queued));
        assert_eq!(news[NEWS..], [Pushed::Behind, Pushed::Missed]);
        assert_eq!(outbox.push(Outbound::Frame(Bytes::from_static(b"answer"))), Pushed::Queued);
        assert!(!outbox.caught_up());
        for _ in 0..=NEWS {
            frames.recv().await.unwrap();
        }
        assert!(outbox.caught_up() && !outbox.caught_up(), "once");
        assert_eq!(outbox.push_news(Bytes::new()), Pushed::Queued);
    }

    #[test]
    fn who_never_reads_is_lost() {
        let (mut outbox, frames) = outbox();
        let lost = (0..=MOST).position(|_| outbox.push(Outbound::Close) == Pushed::Lost);
        assert_eq!(lost, Some(MOST));
        drop(frames);
        assert_eq!(outbox.push_news(Bytes::new()), Pushed::Lost);
    }
}
