//! What signaling counts, for whoever watches the server.

use crate::error::Refusal;
use crate::session::Dialect;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The counts, shared by all that counts. [`Counts::snapshot`] reads them.
#[derive(Debug, Default)]
pub struct Counts {
    rooms: AtomicU64,
    participants: AtomicU64,
    websockets: AtomicU64,
    websockets_opened: AtomicU64,
    joins: [AtomicU64; Dialect::ALL.len()],
    fell_behind: AtomicU64,
    cut_off: AtomicU64,
    /// Only reasons that occurred.
    refused: Mutex<BTreeMap<&'static str, u64>>,
    /// Only methods and outcomes that occurred.
    orders: Mutex<BTreeMap<(&'static str, &'static str), u64>>,
}

/// The counts at one moment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Snapshot {
    /// Rooms, also those that just became empty.
    pub rooms: u64,
    /// Participants in all rooms.
    pub participants: u64,
    /// WebSockets open.
    pub websockets: u64,
    /// WebSockets ever opened.
    pub websockets_opened: u64,
    /// Participants ever let in, by protocol.
    pub joins: Vec<(&'static str, u64)>,
    /// How often a client read more slowly than its room changed, and was given the room as it is later.
    pub fell_behind: u64,
    /// Clients ever cut off because they didn't read what concerned them alone.
    pub cut_off: u64,
    /// Requests ever refused, by reason. Reasons that never occurred are left out.
    pub refused: Vec<(&'static str, u64)>,
    /// Orders to rooms, by method and outcome: `ok`, or why not. What never occurred is left out.
    pub orders: Vec<(&'static str, &'static str, u64)>,
}

impl Counts {
    /// All of them.
    pub fn snapshot(&self) -> Snapshot {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let joins = Dialect::ALL.iter().zip(&self.joins).map(|(dialect, count)| (dialect.name(), read(count)));
        Snapshot {
            rooms: read(&self.rooms),
            participants: read(&self.participants),
            websockets: read(&self.websockets),
            websockets_opened: read(&self.websockets_opened),
            joins: joins.collect(),
            fell_behind: read(&self.fell_behind),
            cut_off: read(&self.cut_off),
            orders: lock(&self.orders).iter().map(|((method, outcome), count)| (*method, *outcome, *count)).collect(),
            refused: self.reasons().iter().map(|(reason, count)| (*reason, *count)).collect(),
        }
    }

    pub(crate) fn population(&self, (rooms, participants): (usize, usize)) {
        self.rooms.store(rooms as u64, Ordering::Relaxed);
        self.participants.store(participants as u64, Ordering::Relaxed);
    }

    pub(crate) fn joined(&self, dialect: Dialect) {
        let index = Dialect::ALL.iter().position(|d| *d == dialect);
        if let Some(count) = index.and_then(|index| self.joins.get(index)) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(crate) fn fell_behind(&self) {
        self.fell_behind.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn cut_off(&self) {
        self.cut_off.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, refusal: &Refusal) {
        self.turned_away(refusal.reason());
    }

    /// A request of somebody inside was refused; why, in one word.
    pub(crate) fn turned_away(&self, reason: &'static str) {
        *self.reasons().entry(reason).or_default() += 1;
    }

    pub(crate) fn ordered(&self, method: &'static str, outcome: &'static str) {
        *lock(&self.orders).entry((method, outcome)).or_default() += 1;
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<&'static str, u64>> {
        lock(&self.refused)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One WebSocket, counted as open while this lives.
pub(crate) struct OpenSocket(std::sync::Arc<Counts>);

impl OpenSocket {
    pub(crate) fn new(counts: std::sync::Arc<Counts>) -> Self {
        counts.websockets.fetch_add(1, Ordering::Relaxed);
        counts.websockets_opened.fetch_add(1, Ordering::Relaxed);
        Self(counts)
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        self.0.websockets.fetch_sub(1, Ordering::Relaxed);
    }
}
