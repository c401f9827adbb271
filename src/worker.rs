//! One media thread: its socket, its share of the media plane, and the loop that turns packets, commands and deadlines into
//! packets and events.

mod post;

pub use post::{Inbox, Post, Slot, inbox};

use crate::load::Meter;
use crate::metrics::{Board, Reading};
use crate::udp::{UdpSocket, Waker};
use ramai_sfu::api::{Command, Datagram, Event};
use ramai_sfu::id::WorkerId;
use ramai_sfu::{Batch, Worker};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, mpsc};

/// Commands that may wait for one worker: a join is about ten, so this is a storm of hundreds within one turn of the loop.
const COMMAND_QUEUE: usize = 8192;
/// Commands taken in one turn, so that a join storm doesn't hold up media.
const COMMANDS_PER_TURN: usize = 64;
/// Other workers' packets taken in one turn, at least, so that they don't hold up our own: as many as from the socket.
const ENVELOPES_PER_TURN: usize = 512;
/// The longest sleep: a bound on how late anything could be noticed, were a wake-up ever lost.
const LONGEST_SLEEP: Duration = Duration::from_millis(500);

/// The other threads' handle of a media thread.
pub struct WorkerHandle {
    commands: SyncSender<Command>,
    waker: Waker,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// What signaling sends commands through; cheap to clone.
#[derive(Clone)]
pub struct CommandSender {
    commands: SyncSender<Command>,
    waker: Waker,
}

impl CommandSender {
    /// Queues a command and wakes the worker. Never blocks.
    ///
    /// # Errors
    /// Gives the command back if the queue is full: the worker can't keep up. A worker that has stopped takes commands and
    /// forgets them.
    pub fn send(&self, command: Command) -> Result<(), Command> {
        let sent = self.commands.try_send(command);
        self.waker.wake();
        match sent {
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(command)) => Err(command),
        }
    }
}

impl WorkerHandle {
    /// Starts the thread on a bound socket. `ended` is notified if the thread ends, whatever the reason.
    ///
    /// # Errors
    /// If the system gives no thread.
    pub fn start(
        id: WorkerId,
        worker: Worker,
        socket: UdpSocket,
        (inbox, post): (Inbox, Post),
        events: mpsc::Sender<(WorkerId, Event)>,
        board: Arc<Board>,
        ended: Arc<Notify>,
    ) -> io::Result<Self> {
        let (commands, queue) = sync_channel(COMMAND_QUEUE);
        let waker = socket.waker();
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new().name(format!("media-{id}")).spawn({
            let stop = stop.clone();
            move || {
                let _ended = Ended(ended);
                let (batch, meter) = (Batch::default(), Meter::new(Instant::now()));
                Loop { id, worker, socket, queue, inbox, post, events, stop, batch, meter, board }.run();
            }
        })?;
        Ok(Self { commands, waker, stop, thread })
    }

    /// A sender of commands.
    pub fn sender(&self) -> CommandSender {
        CommandSender { commands: self.commands.clone(), waker: self.waker.clone() }
    }

    /// Ends the thread after it has said goodbye to its peers, and waits for it.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Release);
        self.waker.wake();
        if self.thread.join().is_err() {
            tracing::error!("a media worker panicked");
        }
    }
}

/// Tells that the thread is over, also when it unwinds.
struct Ended(Arc<Notify>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

struct Loop {
    id: WorkerId,
    worker: Worker,
    socket: UdpSocket,
    queue: Receiver<Command>,
    inbox: Inbox,
    post: Post,
    events: mpsc::Sender<(WorkerId, Event)>,
    stop: Arc<AtomicBool>,
    batch: Batch,
    meter: Meter,
    board: Arc<Board>,
}

impl Loop {
    fn run(mut self) {
        let span = tracing::info_span!("media", worker = self.id.0);
        let _in_span = span.enter();
        let mut more = false;
        loop {
            let sleep = if more { Duration::ZERO } else { self.sleep() };
            let due = self.worker.poll_timeout();
            self.meter.sleep(Instant::now(), self.worker.busy_turn());
            let readable = match self.socket.wait(Some(sleep)) {
                Ok(readable) => readable,
                Err(error) => {
                    tracing::error!(%error, "waiting for packets failed; the worker stops");
                    return;
                }
            };
            let stopping = self.stop.load(Ordering::Acquire);
            let now = Instant::now();
            self.meter.wake(now, !sleep.is_zero(), due);
            self.measure(now);
            more = self.take_commands(now);
            more |= self.take_letters(now);
            if readable {
                more |= self.take_datagrams(now);
            }
            self.worker.handle_timeout(now);
            // Before our own packets are sealed, so that the others begin meanwhile.
            self.give_letters(now);
            if stopping {
                self.worker.close(now);
            }
            while self.worker.flush(now, &mut self.batch) {
                self.send();
            }
            self.send();
            self.give_events();
            if stopping {
                let (counters, dropped) = (self.worker.counters(), self.post.dropped());
                tracing::info!(?counters, relays_dropped = dropped, "media worker ends");
                return;
            }
            // What is left over is no less for waiting.
            if !more {
                self.rest(now);
            }
        }
    }

    /// Takes a bounded number of datagrams; true if more may wait.
    fn take_datagrams(&mut self, now: Instant) -> bool {
        let (worker, limit) = (&mut self.worker, self.meter.limit());
        match self
            .socket
            .recv(limit, |path, came, payload| worker.handle_datagram(now, Datagram { path, came, payload }))
        {
            Ok(received) => {
                self.meter.took(received >= limit);
                received >= limit
            }
            Err(error) => {
                tracing::warn!(%error, "receiving packets failed");
                false
            }
        }
    }

    fn send(&mut self) {
        if !self.batch.is_empty() {
            self.socket.send(&self.batch);
            self.batch.clear();
        }
    }

    /// Under load, leaves what comes unread until the turn that began at `now` is over.
    fn rest(&mut self, now: Instant) {
        let left = self.worker.turn(now).saturating_sub(now.elapsed());
        // A shorter sleep takes longer than it saves.
        if left >= Duration::from_micros(50) {
            std::thread::sleep(left);
            self.meter.rested(Instant::now(), left);
        }
    }

    /// Ten times a second: how it goes, for the plane to decide on overload and for whoever reads the metrics.
    fn measure(&mut self, now: Instant) {
        if !self.meter.is_due(now) {
            return;
        }
        let socket = self.socket.counters();
        let lost = socket.overflowed + socket.out.wouldblock;
        let load = self.meter.sample(now, self.socket.waiting(), lost);
        self.worker.handle_load(now, load);
        self.socket.tell_overflow(now);
        self.board.post(&Reading {
            worker: &self.worker,
            socket,
            load,
            relays_dropped: self.post.dropped(),
            busy: self.meter.busy(),
            bandwidth: self.worker.bandwidth(now),
        });
    }

    fn sleep(&self) -> Duration {
        let until = self.worker.poll_timeout().map_or(LONGEST_SLEEP, |at| at.saturating_duration_since(Instant::now()));
        // What found a queue full is tried again soon: nobody wakes us when there is room.
        let bound =
            if self.worker.has_events() || self.post.is_waiting() { Duration::from_millis(5) } else { LONGEST_SLEEP };
        until.min(bound)
    }

    /// Takes a bounded number of commands; true if more may wait.
    fn take_commands(&mut self, now: Instant) -> bool {
        for _ in 0..COMMANDS_PER_TURN {
            match self.queue.try_recv() {
                Ok(command) => self.worker.handle_command(now, command),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    /// Takes about a bounded number of other workers' envelopes; true if more may wait.
    fn take_letters(&mut self, now: Instant) -> bool {
        let mut taken = 0;
        while let Some(envelopes) = self.inbox.take() {
            taken += envelopes.len();
            self.worker.handle_envelopes(now, envelopes);
            if taken >= ENVELOPES_PER_TURN {
                return true;
            }
        }
        false
    }

    fn give_letters(&mut self, now: Instant) {
        self.post.retry();
        while let Some(letter) = self.worker.poll_letter(now) {
            self.post.send(letter);
        }
    }

    fn give_events(&mut self) {
        while self.worker.has_events() {
            let Ok(room) = self.events.try_reserve() else { return };
            let Some(event) = self.worker.poll_event() else { return };
            room.send((self.id, event));
        }
    }
}
