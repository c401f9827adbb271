//! On which media worker a newcomer's wires live. Whoever is in is never moved: that would cost a reconnect.
//!
//! A room stays together while it is small: a packet then needs no way between cores. Each participant counts one, and one for
//! each track sent to it. Once a worker sends so much for one room, newcomers go to the next, which then fills up alike; when all
//! are full, to the one that has the least to do. So a large room spreads over all workers, each encrypting for its own, and what
//! crosses between two is one copy of each packet, however many see it.

use super::{Room, Rooms};
use crate::session::Session;
use ramai_sfu::id::{RoomId, WorkerId};

impl Rooms {
    /// The worker for whoever joins this room now.
    pub(super) fn place(&self, room: RoomId) -> WorkerId {
        let here = self.rooms.get(&room).map_or_else(Vec::new, |room| self.loads([room].into_iter()));
        let limit = match self.settings.worker_streams {
            0 => usize::MAX,
            limit => limit,
        };
        // The fullest of those that may take more: a room that shrank comes together again.
        let open = (0..).zip(&here).filter(|(_, load)| **load > 0 && **load < limit).max_by_key(|(_, load)| **load);
        let worker = match open {
            Some((worker, _)) => worker,
            None => {
                (0..).zip(self.loads(self.rooms.values())).min_by_key(|(_, load)| *load).map_or(0, |(worker, _)| worker)
            }
        };
        WorkerId(worker)
    }

    /// What each worker has to do for these rooms.
    fn loads<'a>(&self, rooms: impl Iterator<Item = &'a Room>) -> Vec<usize> {
        let mut loads = vec![0; self.workers];
        for session in rooms.flat_map(|room| room.sessions.values()) {
            if let Some(load) = loads.get_mut(usize::from(session.worker.0)) {
                *load += load_of(session);
            }
        }
        loads
    }
}

fn load_of(session: &Session) -> usize {
    1 + session.subscriptions.len()
}
