//! Spreads what is too large to leave at once: a key frame of a quarter of a second's worth would stand in the queue before a narrow
//! link, and all that follows behind it. What is small beside the estimate passes untouched, for the price of a comparison.

use crate::id::Ssrc;
use crate::rtp::{Media, Outgoing};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Faster than the estimate by this factor: the estimate is an average, and a frame is worth most when it is whole.
const FACTOR: u64 = 3;
const FACTOR_PARTS: u64 = 2;
/// So much of the estimate may leave at once: a frame of 30 a second, and half of one more.
const WINDOW: Duration = Duration::from_millis(50);
/// ... but no less than this many bytes.
const LEAST_WINDOW: i64 = 3_000;
/// ... and no more than what receivers' sockets take at once.
const MOST_WINDOW: i64 = 64_000;
/// Between two releases: packets still leave in runs.
const STEP: Duration = Duration::from_millis(5);
/// Packets that may wait; far more than an estimate of any use takes a second for.
const MAX_LATE: usize = 2_048;

/// One peer's: a bucket of bytes that fills with time, and what found it empty, oldest first.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    tokens: i64,
    filled: Option<Instant>,
    late: VecDeque<(Media, Outgoing, usize)>,
    /// Bytes of it.
    bytes: usize,
    /// What waits shall wait no longer.
    hurry: bool,
}

impl Pacer {
    /// Whether `bytes` of video may leave now at an estimate of `bits`, where the way takes `room` bytes; they count as sent if so.
    pub(super) fn passes(&mut self, now: Instant, bits: u64, bytes: usize, room: usize) -> bool {
        self.fill(now, bits);
        let passes = self.late.is_empty() && bytes as i64 <= self.tokens && bytes <= room;
        if passes {
            self.tokens -= bytes as i64;
            self.hurry = false;
        }
        passes
    }

    /// Puts a packet behind those that wait; false if there is no room.
    pub(super) fn push(&mut self, media: Media, packet: Outgoing, len: usize) -> bool {
        let fits = self.late.len() < MAX_LATE;
        if fits {
            self.late.push_back((media, packet, len));
            self.bytes += len;
        }
        fits
    }

    /// The next packet that may leave now, where the way takes `room` bytes more.
    pub(super) fn pop(&mut self, room: &mut usize) -> Option<(Media, Outgoing)> {
        if self.late.is_empty() {
            self.hurry = false;
        }
        if (self.tokens <= 0 || *room == 0) && !self.hurry {
            return None;
        }
        let (media, packet, len) = self.late.pop_front()?;
        self.bytes = self.bytes.saturating_sub(len);
        *room = room.saturating_sub(len);
        self.tokens -= len as i64;
        Some((media, packet))
    }

    /// So many bytes leave in any case.
    pub(super) fn spend(&mut self, bytes: usize) {
        self.tokens -= bytes as i64;
    }

    /// Lets all that waits, or comes until then, leave with the next flush: it has its numbers, so to drop it would leave a hole.
    pub(super) fn hurry(&mut self) {
        self.hurry = true;
    }

    /// Forgets what waits that `keep` doesn't want.
    pub(super) fn retain(&mut self, keep: impl Fn(&Outgoing) -> bool) {
        self.late.retain(|(_, packet, _)| keep(packet));
        self.bytes = self.late.iter().map(|(_, _, len)| len).sum();
    }

    /// What waits of a stream, with its sequence numbers, extended.
    pub(super) fn waiting(&self, ssrc: Ssrc) -> impl Iterator<Item = (u64, &Media)> {
        self.late
            .iter()
            .filter(move |(_, packet, _)| packet.ssrc == ssrc)
            .map(|(media, packet, _)| (packet.index, media))
    }

    /// When more may leave, if anything waits.
    pub(super) fn due(&self, bits: u64) -> Option<Instant> {
        let filled = self.filled.filter(|_| !self.late.is_empty())?;
        let missing = u64::try_from(-self.tokens).unwrap_or(0) * 8;
        let wait = Duration::from_secs_f64(missing as f64 / rate(bits) as f64);
        Some(filled + wait.clamp(STEP, Duration::from_secs(1)))
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Something waits.
    pub(super) fn is_waiting(&self) -> bool {
        !self.late.is_empty()
    }

    fn fill(&mut self, now: Instant, bits: u64) {
        let window = (bits as i64 * WINDOW.as_millis() as i64 / 8_000).clamp(LEAST_WINDOW, MOST_WINDOW);
        let elapsed = self.filled.replace(now).map_or(WINDOW, |at| now.saturating_duration_since(at));
        let micros = elapsed.min(2 * WINDOW).subsec_micros();
        let more = rate(bits).saturating_mul(u64::from(micros)) / 8_000_000;
        self.tokens = (self.tokens + more as i64).clamp(-window, window);
    }
}

fn rate(bits: u64) -> u64 {
    bits.saturating_mul(FACTOR) / FACTOR_PARTS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Pt;
    use crate::rtp::media::tests::media;
    use crate::rtp::write::Patch;

    const MEGABIT: u64 = 1_000_000;

    fn packet(index: u64) -> (Media, Outgoing) {
        let outgoing = Outgoing {
            ssrc: Ssrc(1),
            pt: Pt(96),
            index,
            ts: 0,
            ends: false,
            mid: None,
            frame: 0,
            osn: None,
            patch: Patch::None,
            skip: 0,
        };
        (media(0, index), outgoing)
    }

    #[test]
    fn frames_of_the_estimates_size_pass_at_once_for_ever() {
        let start = crate::test_epoch();
        let mut pacer = Pacer::default();
        for n in 0..300 {
            // 33 ms of a megabit.
            assert!(pacer.passes(start + Duration::from_millis(33) * n, MEGABIT, 4_125, usize::MAX), "{n}");
        }
    }

    #[test]
    fn what_the_way_has_no_room_for_waits_unless_it_hurries() {
        let mut pacer = Pacer::default();
        assert!(pacer.passes(crate::test_epoch(), MEGABIT, 2_000, 2_000));
        assert!(!pacer.passes(crate::test_epoch(), MEGABIT, 2_001, 2_000));
        for n in 0..4 {
            let (media, packet) = packet(n);
            assert!(pacer.push(media, packet, 1_000));
        }
        let mut room = 1_500;
        let left: Vec<u64> = std::iter::from_fn(|| pacer.pop(&mut room)).map(|(_, packet)| packet.index).collect();
        assert_eq!((left, room, pacer.bytes()), (vec![0, 1], 0, 2_000));
        assert_eq!(pacer.waiting(Ssrc(1)).map(|(index, _)| index).collect::<Vec<_>>(), [2, 3]);
        pacer.hurry();
        assert!(pacer.pop(&mut room).is_some() && pacer.pop(&mut room).is_some());
        assert!(!pacer.is_waiting() && pacer.bytes() == 0);
    }

    #[test]
    fn a_key_frame_leaves_at_one_and_a_half_times_the_estimate_in_order_and_what_comes_behind_it_waits() {
        let start = crate::test_epoch();
        let mut pacer = Pacer::default();
        assert!(!pacer.passes(start, MEGABIT, 40_000, usize::MAX));
        for n in 0..40 {
            let (media, packet) = packet(n);
            assert!(pacer.push(media, packet, 1_000));
        }
        let (mut now, mut left, mut last, mut room) = (start, Vec::new(), start, usize::MAX);
        while pacer.is_waiting() {
            assert!(!pacer.passes(now, MEGABIT, 1, usize::MAX), "nothing overtakes");
            while let Some((_, packet)) = pacer.pop(&mut room) {
                left.push(packet.index);
            }
            last = now;
            now = pacer.due(MEGABIT).unwrap_or(now);
        }
        assert_eq!(left, (0..40).collect::<Vec<_>>());
        // 40,000 bytes less the window of 6,250, at 1.5 Mbit/s.
        let took = (last - start).as_millis();
        assert!((170..=195).contains(&took), "{took} ms");
    }
}
