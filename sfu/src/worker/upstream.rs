//! Tells a publisher how much to send at most, from what those who watch it could take.

use super::Publication;
use crate::params::Kind;
use crate::publish::FEW;
use crate::subscribe::appetite::Appetite;
use smallvec::SmallVec;
use std::time::Instant;

impl Publication {
    /// What its publisher is to be told with the next report, if one is due, in bits per second. `alone`: it is the publisher's only video;
    /// how an encoder divides a limit among several nobody knows.
    pub(super) fn upstream_limit(&mut self, now: Instant, alone: bool) -> Option<u64> {
        if self.track.kind() != Kind::Video || !self.track.is_report_due(now) {
            return None;
        }
        let asked = alone && self.subscriptions.len() <= FEW && self.link.relays().is_empty();
        let appetites: SmallVec<[Appetite; FEW]> = match asked {
            true => self.subscriptions.iter().filter_map(|subscription| subscription.appetite(now)).collect(),
            false => SmallVec::new(),
        };
        let total = self.track.rate(now);
        let limit = self.upstream.poll(now, asked.then_some(&appetites), total);
        self.track.note_full(self.upstream.is_limited(now));
        limit
    }
}
