//! On which media worker a newcomer's wires live. Whoever is in is never moved: that would cost a reconnect.
//!
//! A room stays together while it is small: a packet then needs no way between cores. Each participant counts one, and one for
//! each track sent to it. Once a worker sends so much for one room, newcomers go to the next, which then fills up alike; when all
//! are full, to the one that has the least to do. So a large room spreads over all workers, each encrypting for its own, and what
//! crosses between two is one copy of each packet, however many see it.

use super::Rooms;
use ramai_sfu::id::{RoomId, WorkerId};
use std::collections::HashMap;

/// What each worker has to do: one for each participant, and one for each track sent to it.
pub struct Loads {
    rooms: HashMap<RoomId, Vec<usize>>,
    all: Vec<usize>,
}

impl Loads {
    /// Nothing, for so many workers.
    pub fn new(workers: usize) -> Self {
        Self { rooms: HashMap::new(), all: vec![0; workers] }
    }

    /// One more.
    pub fn add(&mut self, room: RoomId, worker: WorkerId) {
        let here = self.rooms.entry(room).or_insert_with(|| vec![0; self.all.len()]);
        for load in [here, &mut self.all] {
            if let Some(load) = load.get_mut(usize::from(worker.0)) {
                *load += 1;
            }
        }
    }

    /// So many less.
    pub fn remove(&mut self, room: RoomId, worker: WorkerId, count: usize) {
        let Some(here) = self.rooms.get_mut(&room) else { return };
        for load in [&mut *here, &mut self.all] {
            if let Some(load) = load.get_mut(usize::from(worker.0)) {
                *load = load.saturating_sub(count);
            }
        }
        if here.iter().all(|load| *load == 0) {
            self.rooms.remove(&room);
        }
    }

    /// Whether there is nothing to do.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.rooms.is_empty() && self.all.iter().all(|load| *load == 0)
    }
}

impl Rooms {
    /// The worker for whoever joins this room now.
    pub(super) fn place(&self, room: RoomId) -> WorkerId {
        let here = self.loads.rooms.get(&room).map_or(&[] as &[usize], Vec::as_slice);
        let limit = match self.settings.worker_streams {
            0 => usize::MAX,
            limit => limit,
        };
        // The fullest of those that may take more: a room that shrank comes together again.
        let open = (0..).zip(here).filter(|(_, load)| **load > 0 && **load < limit).max_by_key(|(_, load)| **load);
        let worker = match open {
            Some((worker, _)) => worker,
            None => (0..).zip(&self.loads.all).min_by_key(|(_, load)| **load).map_or(0, |(worker, _)| worker),
        };
        WorkerId(worker)
    }
}
