//! Packets wait a moment for the rest of their frame: nobody can decode a part of it, and together they cost a fraction on their
//! way out, for each subscriber gets them as one run.

use crate::params::{Kind, MAX_LAYERS};
use crate::rtp::Media;
use std::time::{Duration, Instant};

/// The longest wait. Browsers send a frame in a burst, whose packets are some tens of microseconds apart.
pub const HOLD: Duration = Duration::from_micros(1_500);
/// Packets that wait at most; more of one frame go in parts.
const MAX_HELD: usize = 64;

/// The packets of one publication that wait. A publisher that spreads its frames over time isn't waited for: the last gap
/// within a frame tells, layer by layer.
#[derive(Debug, Default)]
pub struct Hold {
    layers: [Layer; MAX_LAYERS],
    since: Option<Instant>,
}

#[derive(Debug, Default)]
struct Layer {
    packets: Vec<Media>,
    /// When the newest packet came.
    last: Option<Instant>,
    /// It came right behind the one before it in its frame.
    bursts: bool,
}

impl Hold {
    /// Takes in a packet; returns whether its layer is to be [taken](Self::take) now: its frame is whole, or there is nothing
    /// to wait for. `late`: it fills a hole, and somebody waits for it.
    pub fn push(&mut self, now: Instant, kind: Kind, late: bool, media: Media) -> bool {
        let Some(layer) = self.layers.get_mut(usize::from(media.layer)) else { return false };
        let gap = layer.last.replace(now).map(|last| now.saturating_duration_since(last));
        if !media.meta.start {
            layer.bursts = gap.is_some_and(|gap| gap < HOLD);
        }
        let whole = media.meta.end || late || kind == Kind::Audio;
        let wait = layer.bursts && !whole && layer.packets.len() + 1 < MAX_HELD;
        layer.packets.push(media);
        if wait {
            self.since.get_or_insert(now);
        }
        !wait
    }

    /// Moves what waits of one layer to `into`, in the order it came, and tells how many packets that were.
    pub fn take(&mut self, layer: u8, into: &mut impl Extend<Media>) -> usize {
        let Some(layer) = self.layers.get_mut(usize::from(layer)) else { return 0 };
        let count = layer.packets.len();
        into.extend(layer.packets.drain(..));
        if self.is_empty() {
            self.since = None;
        }
        count
    }

    /// Since when something waits, if it does.
    pub fn since(&self) -> Option<Instant> {
        self.since
    }

    /// When all that waits is to be taken; `None` if nothing waits.
    pub fn due(&self) -> Option<Instant> {
        self.since.map(|since| since + HOLD)
    }

    /// Nothing waits.
    pub fn is_empty(&self) -> bool {
        self.layers.iter().all(|layer| layer.packets.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::FrameMeta;
    use crate::rtp::media::tests::media;

    const BURST: Duration = Duration::from_micros(30);

    fn packet(layer: u8, index: u64, start: bool, end: bool) -> Media {
        let mut packet = media(layer, index);
        packet.meta = FrameMeta { start, end, ..FrameMeta::default() };
        packet
    }

    /// One frame of four packets, which shows that the publisher sends in bursts.
    fn bursting(now: Instant) -> Hold {
        let mut hold = Hold::default();
        for n in 0..4 {
            if hold.push(now + BURST * n, Kind::Video, false, packet(0, n.into(), n == 0, n == 3)) {
                taken(&mut hold, 0);
            }
        }
        hold
    }

    fn taken(hold: &mut Hold, layer: u8) -> Vec<u64> {
        let mut packets = Vec::new();
        assert_eq!(hold.take(layer, &mut packets), packets.len());
        packets.iter().map(|media: &Media| media.index).collect()
    }

    #[test]
    fn a_frame_leaves_whole_and_in_order() {
        let now = crate::test_epoch();
        let mut hold = bursting(now);
        let second = now + Duration::from_millis(33);
        assert!(!hold.push(second, Kind::Video, false, packet(0, 4, true, false)));
        assert!(!hold.push(second + BURST, Kind::Video, false, packet(0, 5, false, false)));
        assert_eq!(hold.due(), Some(second + HOLD));
        assert!(hold.push(second + 2 * BURST, Kind::Video, false, packet(0, 6, false, true)));
        assert_eq!(taken(&mut hold, 0), [4, 5, 6]);
        assert!(hold.is_empty() && hold.due().is_none());
    }

    #[test]
    fn a_publisher_that_paces_its_packets_is_not_waited_for() {
        let now = crate::test_epoch();
        let mut hold = bursting(now);
        let at = |ms| now + Duration::from_millis(ms);
        assert!(!hold.push(at(33), Kind::Video, false, packet(0, 4, true, false)), "nobody knows yet");
        for ms in [35, 37, 39] {
            assert!(hold.push(at(ms), Kind::Video, false, packet(0, ms, false, false)));
        }
        taken(&mut hold, 0);
        assert!(hold.push(at(66), Kind::Video, false, packet(0, 99, true, false)), "the next frame starts at once");
    }

    #[test]
    fn audio_and_what_fills_a_hole_never_wait() {
        let now = crate::test_epoch();
        let mut hold = bursting(now);
        assert!(hold.push(now, Kind::Audio, false, packet(0, 4, true, false)));
        assert!(hold.push(now, Kind::Video, true, packet(0, 5, false, false)));
    }

    #[test]
    fn a_frame_without_end_is_cut() {
        let now = crate::test_epoch();
        let mut hold = bursting(now);
        let waiting =
            (4..1_000).take_while(|n| !hold.push(now, Kind::Video, false, packet(0, *n, false, false))).count();
        assert_eq!(waiting, MAX_HELD - 1);
        assert_eq!(taken(&mut hold, 0).len(), MAX_HELD);
    }

    #[test]
    fn layers_wait_by_themselves() {
        let now = crate::test_epoch();
        let mut hold = bursting(now);
        hold.push(now, Kind::Video, false, packet(0, 4, true, false));
        assert!(hold.push(now, Kind::Video, false, packet(2, 4, true, true)));
        assert_eq!(taken(&mut hold, 2).len(), 1);
        assert!(!hold.is_empty() && hold.due().is_some(), "the other layer still waits");
    }
}
