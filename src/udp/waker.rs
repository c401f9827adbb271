//! Wakes a media worker that sleeps on its socket.

use super::syscall;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ends the sleep of one worker; cheap to clone. Calls between two sleeps count as one.
#[derive(Clone, Debug)]
pub struct Waker {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// An eventfd: a counter that can be polled.
    event: File,
    /// It was written to and not read since: waking once more would be a system call for nothing.
    woken: AtomicBool,
}

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        let shared = Shared { event: File::from(syscall::event()?), woken: AtomicBool::new(false) };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Ends the sleep, or the next one if the worker is awake. What was queued before is seen after it.
    pub fn wake(&self) {
        if !self.shared.woken.swap(true, Ordering::AcqRel) {
            // It fails only if the counter is full, and then the worker is being woken.
            let _ = (&self.shared.event).write(&1u64.to_ne_bytes());
        }
    }

    pub(super) fn reset(&self) {
        // It fails only if nobody woke us. Read first: who finds the flag up between the two has queued its word already, and the
        // worker looks into its queues after this.
        let _ = (&self.shared.event).read(&mut [0; 8]);
        self.shared.woken.swap(false, Ordering::AcqRel);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.event.as_fd()
    }
}
