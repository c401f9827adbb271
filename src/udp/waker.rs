//! Wakes a media worker that sleeps on its socket.

use super::syscall;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// Ends the sleep of one worker; cheap to clone. Calls between two sleeps count as one.
#[derive(Clone, Debug)]
pub struct Waker {
    /// An eventfd: a counter that can be polled.
    event: Arc<File>,
}

impl Waker {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self { event: Arc::new(File::from(syscall::event()?)) })
    }

    /// Ends the sleep, or the next one if the worker is awake.
    pub fn wake(&self) {
        // It fails only if the counter is full, and then the worker is being woken.
        let _ = (&*self.event).write(&1u64.to_ne_bytes());
    }

    pub(super) fn reset(&self) {
        // It fails only if nobody woke us.
        let _ = (&*self.event).read(&mut [0; 8]);
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}
