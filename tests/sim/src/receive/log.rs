//! What one viewer saw and heard of one track, to be asked afterwards.

use crate::At;
use crate::media::stamp::Stamp;
use std::time::Duration;

/// A picture that was decoded.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Shown {
    /// When it could be decoded.
    pub at: At,
    /// When the camera saw it.
    pub captured: At,
    /// Simulcast layer, or spatial layer of SVC: what the size of the picture tells.
    pub layer: u8,
    /// Temporal layer.
    pub temporal: u8,
    /// A key frame.
    pub key: bool,
}

/// One video track before one viewer.
#[derive(Clone, Debug, Default)]
pub struct VideoLog {
    /// Decoded pictures, in order.
    pub shown: Vec<Shown>,
    /// When the viewer asked for a key frame.
    pub requests: Vec<At>,
    /// Packets asked for again.
    pub nacks: u64,
    /// Sent and in time, by second of sending.
    pub packets: Vec<(u32, u32)>,
    /// Layers that the server sent, each with when it began.
    pub layers: Vec<(At, u8)>,
    /// Bytes received by tenth of a second, retransmissions too.
    pub bytes: Vec<u32>,
}

impl VideoLog {
    /// When the first picture was there.
    pub fn first(&self) -> Option<At> {
        self.shown.first().map(|shown| shown.at)
    }

    /// The first moment from `from` on with a picture of at least `layer`.
    pub fn reached(&self, layer: u8, from: At) -> Option<At> {
        self.shown.iter().find(|shown| shown.at >= from && shown.layer >= layer).map(|shown| shown.at)
    }

    /// The first picture from `from` on.
    pub fn next(&self, from: At) -> Option<At> {
        self.reached(0, from)
    }

    /// The longest time without a new picture that touches `from..to`. Before the first picture there is nothing that could freeze.
    pub fn longest_gap(&self, from: At, to: At) -> Duration {
        self.gaps(from, to).max().unwrap_or(Duration::ZERO)
    }

    /// How often the picture stood still for longer than `limit`.
    pub fn freezes(&self, from: At, to: At, limit: Duration) -> usize {
        self.gaps(from, to).filter(|gap| *gap > limit).count()
    }

    fn gaps(&self, from: At, to: At) -> impl Iterator<Item = Duration> {
        let ends = self.shown.iter().skip(1).map(|shown| shown.at).chain(self.shown.last().map(|_| to));
        let pairs = self.shown.iter().map(|shown| shown.at).zip(ends);
        pairs.filter(move |(a, b)| *b > from && *a < to).map(move |(a, b)| b.min(to).saturating_sub(a))
    }

    /// How often the layer changed.
    pub fn switches(&self, from: At, to: At) -> usize {
        self.within(from, to).collect::<Vec<_>>().windows(2).filter(|w| w[0].layer != w[1].layer).count()
    }

    /// Changes to a lower layer.
    pub fn down_switches(&self, from: At, to: At) -> usize {
        self.within(from, to).collect::<Vec<_>>().windows(2).filter(|w| w[0].layer > w[1].layer).count()
    }

    /// Pictures decoded.
    pub fn within(&self, from: At, to: At) -> impl Iterator<Item = &Shown> {
        self.shown.iter().filter(move |shown| (from..to).contains(&shown.at))
    }

    /// Share of sent packets that came in time.
    pub fn in_time(&self, from: At, to: At) -> f64 {
        let seconds = self.packets.get(from.as_secs() as usize..(to.as_secs() as usize).min(self.packets.len()));
        let (sent, came) = seconds.unwrap_or_default().iter().fold((0, 0), |sum, s| (sum.0 + s.0, sum.1 + s.1));
        if sent == 0 { 1.0 } else { f64::from(came) / f64::from(sent) }
    }

    /// Bits per second received on average.
    pub fn rate(&self, from: At, to: At) -> f64 {
        let tenth = |at: At| (at.as_millis() / 100) as usize;
        let bytes = self.bytes.get(tenth(from)..tenth(to).min(self.bytes.len())).unwrap_or_default();
        bytes.iter().map(|b| u64::from(*b)).sum::<u64>() as f64 * 8.0 / to.saturating_sub(from).as_secs_f64()
    }

    /// Counts received bytes.
    pub(super) fn count(&mut self, now: At, size: usize) {
        let tenth = (now.as_millis() / 100) as usize;
        if self.bytes.len() <= tenth {
            self.bytes.resize(tenth + 1, 0);
        }
        self.bytes[tenth] += size as u32;
    }

    /// The first moment from `from` on at which the server sent a layer below `layer`.
    pub fn sent_below(&self, layer: u8, from: At) -> Option<At> {
        let before = self.layers.iter().rev().find(|(at, _)| *at <= from).filter(|(_, sent)| *sent < layer);
        let after = self.layers.iter().find(|(at, sent)| *at > from && *sent < layer);
        before.map(|_| from).or(after.map(|(at, _)| *at))
    }

    /// Notes a packet that the server sent.
    pub fn sent(&mut self, at: At, layer: Option<u8>) {
        if let Some(layer) = layer.filter(|layer| self.layers.last().is_none_or(|(_, last)| last != layer)) {
            self.layers.push((at, layer));
        }
        let second = at.as_secs() as usize;
        if self.packets.len() <= second {
            self.packets.resize(second + 1, (0, 0));
        }
        self.packets[second].0 += 1;
    }

    /// Notes that a packet sent at `at` came in time.
    pub fn came(&mut self, at: At) {
        if let Some(second) = self.packets.get_mut(at.as_secs() as usize) {
            second.1 += 1;
        }
    }
}

/// One audio track before one listener.
#[derive(Clone, Debug, Default)]
pub struct AudioLog {
    /// By frame number: when it was captured and when it first came, by itself or as redundancy.
    frames: Vec<Option<(At, At)>>,
    shortest: Option<Duration>,
}

/// A frame that comes so long after the fastest is too late to be played.
const PLAYOUT: Duration = Duration::from_millis(120);

impl AudioLog {
    pub(super) fn came(&mut self, now: At, stamp: &Stamp) {
        let number = stamp.frame as usize;
        if self.frames.len() <= number {
            self.frames.resize(number + 1, None);
        }
        self.frames[number].get_or_insert((stamp.captured, now));
        let transit = now.saturating_sub(stamp.captured);
        self.shortest = Some(self.shortest.map_or(transit, |shortest| shortest.min(transit)));
    }

    /// Share of the frames captured in `from..to` that came in time to be heard.
    pub fn heard(&self, from: At, to: At) -> f64 {
        let latest = self.shortest.unwrap_or_default() + PLAYOUT;
        // Frame numbers are 20 ms apart, so what never came can be placed by any that did.
        let Some((number, (captured, _))) = self.frames.iter().enumerate().find_map(|(n, f)| Some((n, (*f)?))) else {
            return 0.0;
        };
        let begin = captured.saturating_sub(crate::media::microphone::FRAME * number as u32);
        let index = |at: At| at.saturating_sub(begin).as_millis().div_ceil(20) as usize;
        let (first, last) = (index(from), index(to));
        if last <= first {
            return 0.0;
        }
        let heard = (first..last).filter(|n| {
            self.frames.get(*n).copied().flatten().is_some_and(|(captured, at)| at.saturating_sub(captured) <= latest)
        });
        heard.count() as f64 / (last - first) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MS, SECOND};

    fn log(times: &[u32]) -> VideoLog {
        let shown =
            |ms: &u32| Shown { at: *ms * MS, captured: At::ZERO, layer: (*ms / 1_000) as u8, temporal: 0, key: false };
        VideoLog { shown: times.iter().map(shown).collect(), ..VideoLog::default() }
    }

    #[test]
    fn gaps_are_cut_at_the_end_but_not_at_the_begin() {
        let log = log(&[100, 200, 900, 1_000, 1_050]);
        assert_eq!(log.longest_gap(At::ZERO, 2 * SECOND), 950 * MS, "still frozen at the end");
        assert_eq!(log.longest_gap(At::ZERO, 1_100 * MS), 700 * MS);
        assert_eq!(log.longest_gap(800 * MS, 1_100 * MS), 700 * MS, "it began before");
        assert_eq!(log.freezes(At::ZERO, 2 * SECOND, 600 * MS), 2);
        assert_eq!((log.switches(At::ZERO, 2 * SECOND), log.down_switches(At::ZERO, 2 * SECOND)), (1, 0));
        assert_eq!(log.reached(1, At::ZERO), Some(SECOND));
    }
}
