//! The batch of datagrams that one turn of the worker leaves for the socket: one buffer, many runs.

use crate::api::Path;
use std::ops::Range;

/// Datagrams to one address, back to back in the batch's buffer. All are `segment` bytes long but for the last, which may be
/// shorter: what UDP GSO sends as one message.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Run {
    /// To whom.
    pub path: Path,
    /// Bytes of the batch's buffer.
    pub range: Range<usize>,
    /// Length of each datagram but the last.
    pub segment: usize,
}

/// Filled by [`crate::Worker::flush`], sent by the socket, then cleared and filled again: it keeps its memory.
#[derive(Default, Debug)]
pub struct Batch {
    bytes: Vec<u8>,
    runs: Vec<Run>,
}

/// Datagrams in one run at most: the kernel takes no more in one message.
pub(crate) const MAX_SEGMENTS: usize = 64;
/// Bytes in one run at most: what the kernel takes (65,507), and a margin.
const MAX_RUN: usize = 64_000;

impl Batch {
    /// Appends one datagram: `write` puts it at the end of the buffer. If it leaves the buffer as it was, nothing is added.
    pub fn push(&mut self, path: Path, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        let end = self.bytes.len();
        if end <= start {
            self.bytes.resize(start, 0);
            return;
        }
        let len = end - start;
        if let Some(run) = self.runs.last_mut()
            && run.path == path
            && run.range.end == start
            && len <= run.segment
            && run.range.len() % run.segment == 0
            && run.range.len() / run.segment < MAX_SEGMENTS
            && run.range.len() + len <= MAX_RUN
        {
            run.range.end = end;
        } else {
            self.runs.push(Run { path, range: start..end, segment: len });
        }
    }

    /// The runs in the order they were pushed.
    pub fn runs(&self) -> &[Run] {
        &self.runs
    }

    /// The bytes of a run, or of any part of the buffer.
    pub fn bytes(&self, range: Range<usize>) -> &[u8] {
        self.bytes.get(range).unwrap_or_default()
    }

    /// Every datagram by itself, for senders without GSO.
    pub fn datagrams(&self) -> impl Iterator<Item = (Path, &[u8])> {
        self.runs.iter().flat_map(|run| self.bytes(run.range.clone()).chunks(run.segment).map(|d| (run.path, d)))
    }

    /// Bytes waiting.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Forgets all, keeps the memory.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.runs.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(port: u16) -> Path {
        Path { remote: ([127, 0, 0, 1], port).into(), local: None }
    }

    #[test]
    fn equal_datagrams_to_one_peer_make_one_run_that_a_shorter_one_ends() {
        let mut batch = Batch::default();
        for len in [100, 100, 60, 60] {
            batch.push(path(1), |b| b.resize(b.len() + len, 7));
        }
        batch.push(path(2), |b| b.resize(b.len() + 60, 7));
        let shape: Vec<_> = batch.runs().iter().map(|r| (r.path.remote.port(), r.range.clone(), r.segment)).collect();
        assert_eq!(shape, [(1, 0..260, 100), (1, 260..320, 60), (2, 320..380, 60)]);
        assert_eq!(batch.datagrams().map(|(_, d)| d.len()).collect::<Vec<_>>(), [100, 100, 60, 60, 60]);
    }

    #[test]
    fn a_writer_that_writes_nothing_adds_nothing() {
        let mut batch = Batch::default();
        batch.push(path(1), |_| {});
        assert!(batch.is_empty() && batch.runs().is_empty());
    }
}
