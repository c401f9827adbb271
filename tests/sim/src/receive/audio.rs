//! One audio stream at a listener.

use super::holes::{Arrival, Holes};
use super::log::AudioLog;
use crate::At;
use crate::media::microphone;

/// See the module.
#[derive(Default)]
pub struct AudioStream {
    holes: Holes,
    started: bool,
    /// What was heard.
    pub log: AudioLog,
}

impl AudioStream {
    /// Takes in a packet.
    pub fn handle(&mut self, now: At, seq: u16, red: bool, payload: &[u8]) {
        self.started = true;
        let (arrival, _) = self.holes.received(now, seq, false);
        self.holes.forget();
        if arrival != Arrival::Known {
            microphone::frames(red, payload).iter().for_each(|stamp| self.log.came(now, stamp));
        }
    }

    /// Expected and received so far, and the highest number.
    pub fn counts(&self) -> (u64, u64, u64) {
        self.holes.counts()
    }

    /// Something came.
    pub fn started(&self) -> bool {
        self.started
    }
}
