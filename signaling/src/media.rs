//! The one door to the media plane: commands to the workers that they concern, events from them.

mod places;

pub(crate) use places::Places;

use crate::admission::Gauge;
use places::Routed;
use ramai_sfu::api::{Command, Event};
use ramai_sfu::id::WorkerId;
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Puts one command into a worker's queue and wakes it. Gives the command back when the queue is full; never blocks.
pub type Door = Arc<dyn Fn(Command) -> Result<(), Command> + Send + Sync>;

/// Both directions between signaling and the media plane.
pub struct MediaLink {
    /// Where commands go, by worker.
    pub workers: Vec<Door>,
    /// Where events come from, with the worker that says it.
    pub events: mpsc::Receiver<(WorkerId, Event)>,
    /// How the most loaded worker fares.
    pub strain: Gauge,
}

/// Commands that may wait here for a worker whose queue is full. Beyond that data messages are dropped.
const MAX_BACKLOG: usize = 16_384;

/// The media plane as rooms see it: as if it were one.
pub(crate) struct Media {
    places: Places,
    doors: Doors,
}

impl Media {
    pub(crate) fn new(workers: Vec<Door>) -> Self {
        Self { places: Places::new(workers.len()), doors: Doors::new(workers) }
    }

    /// Brings up a wire ([`Command::AttachTransport`]) on a worker.
    pub(crate) fn attach(&mut self, worker: WorkerId, command: Command) {
        let routed = self.places.attach(worker, command);
        self.send(routed);
    }

    /// Tells the workers that a command concerns.
    pub(crate) fn command(&mut self, command: Command) {
        let routed = self.places.route(command);
        self.send(routed);
    }

    /// Takes in what a worker said: when a wire ends by itself, others may have to be told.
    pub(crate) fn note(&mut self, event: &Event) {
        if let Event::Disconnected { transport, .. } = event {
            let routed = self.places.ended(*transport);
            self.send(routed);
        }
    }

    fn send(&mut self, routed: Routed) {
        for (worker, command) in routed {
            self.doors.send(worker, command);
        }
    }

    /// Tries again what waits. True when nothing waits any more.
    pub(crate) fn flush(&mut self) -> bool {
        self.doors.flush()
    }
}

/// The doors of all workers, each with what didn't fit yet. Order is kept.
struct Doors {
    doors: Vec<(Door, VecDeque<Command>)>,
    dropped: u64,
}

impl Doors {
    fn new(workers: Vec<Door>) -> Self {
        Self { doors: workers.into_iter().map(|door| (door, VecDeque::new())).collect(), dropped: 0 }
    }

    /// Sends, or keeps for [`Doors::flush`]. State-bearing commands are never dropped; data messages are when too much waits.
    fn send(&mut self, worker: WorkerId, command: Command) {
        let Some((door, backlog)) = self.doors.get_mut(usize::from(worker.0)) else { return };
        if !backlog.is_empty() {
            if backlog.len() >= MAX_BACKLOG && matches!(command, Command::SendData { .. }) {
                self.dropped += 1;
                if self.dropped.is_power_of_two() {
                    tracing::warn!(%worker, dropped = self.dropped, "media worker is behind, data messages dropped");
                }
                return;
            }
            backlog.push_back(command);
        } else if let Err(command) = door(command) {
            backlog.push_back(command);
        }
    }

    /// Tries again what waits. True when nothing waits any more.
    fn flush(&mut self) -> bool {
        let mut clear = true;
        for (door, backlog) in &mut self.doors {
            while let Some(command) = backlog.pop_front() {
                if let Err(command) = door(command) {
                    backlog.push_front(command);
                    clear = false;
                    break;
                }
            }
        }
        clear
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ramai_sfu::id::{TrackId, TransportId};
    use std::sync::Mutex;

    #[test]
    fn what_does_not_fit_waits_in_order() {
        let queue = Arc::new(Mutex::new((Vec::new(), 1usize)));
        let inner = queue.clone();
        let door: Door = Arc::new(move |command| {
            let mut q = inner.lock().unwrap();
            if q.0.len() >= q.1 {
                return Err(command);
            }
            q.0.push(command);
            Ok(())
        });
        let mut doors = Doors::new(vec![door]);
        doors.send(WorkerId(0), Command::CloseTransport { transport: TransportId(1) });
        doors.send(WorkerId(0), Command::Unpublish { track: TrackId(2) });
        doors.send(WorkerId(0), Command::Unpublish { track: TrackId(3) });
        assert!(!doors.flush());
        queue.lock().unwrap().1 = 10;
        assert!(doors.flush());
        let seen: Vec<String> = queue.lock().unwrap().0.iter().map(|c| format!("{c:?}")).collect();
        assert_eq!(
            seen,
            [
                "CloseTransport { transport: TransportId(1) }",
                "Unpublish { track: TrackId(2) }",
                "Unpublish { track: TrackId(3) }"
            ]
        );
        doors.send(WorkerId(9), Command::Unpublish { track: TrackId(3) });
    }
}
