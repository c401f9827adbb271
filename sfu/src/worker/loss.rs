//! Whether a peer loses so much that its audio shall be made safer, and its video played a little later: by its feedback and reports,
//! and by what it asks for again.

use std::time::{Duration, Instant};

/// From this share on, in 1/256: 5%. Browsers' own redundancy still leaves 0.25% unheard there.
const HIGH: u32 = 13;
/// From this share on, in 1/256: 2%. What is sent again comes a round trip late, and a browser plays what isn't there yet as a
/// freeze: it doesn't know the round trip if it only receives. Told by playout-delay, it waits that long with every frame.
const SOME: u32 = 5;
/// Over the round trip: until the loss is noticed, and the way through both ends, which may be busy; ...
const NOTICED: Duration = Duration::from_millis(80);
/// ... and so many times the jitter, which what is sent again meets as well.
const JITTERS: u32 = 3;
/// A conversation gets difficult beyond.
const LONGEST_DELAY: Duration = Duration::from_millis(500);
/// What a browser plays by without being told anything: at least 0, at most 10 s later.
const USUAL_DELAY: [u8; 3] = [0, 0x03, 0xe8];
/// So long it is told so after the losses: it keeps to what it was told last.
const TOLD: Duration = Duration::from_secs(3);
/// Once it was so, it is taken to be so for so long: browsers report on audio every five seconds.
const LASTS: Duration = Duration::from_secs(10);
/// A queue on the way overflows: what is lost then, and for so long after it, is lost for want of room, and what makes audio safer takes more
/// of it.
const OVERFLOW: Duration = Duration::from_secs(2);
/// A report tells of as long before it: browsers report on audio every five seconds.
const INTERVAL: Duration = Duration::from_secs(5);
/// What is asked for again is counted over this.
const WINDOW: Duration = Duration::from_millis(400);
/// Fewer packets tell nothing.
const MIN_SENT: u16 = 20;

/// What is known of one peer's loss.
#[derive(Debug, Default)]
pub(super) struct Loss {
    high_until: Option<Instant>,
    some_until: Option<Instant>,
    /// When a queue last grew.
    queued: Option<Instant>,
    /// When the count began, after how many packets (their transport-wide number), and what was asked for since.
    window: Option<(Instant, u16, u32)>,
}

impl Loss {
    /// A report told this share lost, in 1/256.
    pub(super) fn reported(&mut self, now: Instant, fraction: u8) {
        if !self.was_queued(now, OVERFLOW + INTERVAL) {
            self.known(now, u32::from(fraction));
        }
    }

    /// Feedback told a share of the last packets lost, in 1/256.
    pub(super) fn told(&mut self, now: Instant, fraction: u32) {
        self.known(now, fraction);
    }

    /// A queue stands or grows on the way. `audio`: that is much of what is sent. Then what was known of losses may have been the queue's doing,
    /// and to make audio safer makes it longer: four voices sent five times over took more than their whole line, and kept the queue that
    /// dropped them.
    pub(super) fn queued(&mut self, now: Instant, audio: bool) {
        self.queued = Some(now);
        self.high_until = self.high_until.filter(|_| !audio);
    }

    /// An outage ended: what was lost in it makes nothing safer, for it is over.
    pub(super) fn outage(&mut self, now: Instant) {
        self.queued(now, true);
    }

    fn was_queued(&self, now: Instant, lately: Duration) -> bool {
        self.queued.is_some_and(|at| now.saturating_duration_since(at) < lately)
    }

    fn known(&mut self, now: Instant, fraction: u32) {
        if self.was_queued(now, OVERFLOW) {
            return;
        }
        if fraction >= HIGH {
            self.high_until = Some(now + LASTS);
        }
        if fraction >= SOME {
            self.some_until = Some(now + LASTS);
        }
    }

    /// So many packets were asked for again. `next`: the transport-wide number of the next packet to the peer.
    pub(super) fn asked(&mut self, now: Instant, count: u32, next: u16) {
        let (since, first, before) = *self.window.get_or_insert((now, next, 0));
        let (asked, sent) = (before.saturating_add(count), next.wrapping_sub(first));
        if now.saturating_duration_since(since) < WINDOW {
            self.window = Some((since, first, asked));
            return;
        }
        if sent >= MIN_SENT {
            self.known(now, asked.saturating_mul(256) / u32::from(sent));
        }
        self.window = Some((now, next, 0));
    }

    /// It loses something, or did so a moment ago.
    pub(super) fn is_some(&self, now: Instant) -> bool {
        self.some_until.is_some_and(|until| until > now)
    }

    /// The `playout-delay` that its video shall carry, if any: 12 bits each of the least and the most, in 10 ms. `way`: the round trip, and
    /// the jitter.
    pub(super) fn playout_delay(&self, now: Instant, way: impl Fn() -> (Duration, Duration)) -> Option<[u8; 3]> {
        let until = self.some_until?;
        if until > now {
            let (rtt, jitter) = way();
            let least = (rtt + NOTICED + JITTERS * jitter).min(LONGEST_DELAY).as_millis().div_ceil(10) as u16;
            let [high, low] = (least << 4).to_be_bytes();
            return Some([high, low | USUAL_DELAY[1], USUAL_DELAY[2]]);
        }
        (until + TOLD > now).then_some(USUAL_DELAY)
    }

    /// It loses much, or did so a moment ago: until when that is taken to be so.
    pub(super) fn high_until(&self, now: Instant) -> Option<Instant> {
        self.high_until.filter(|until| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_of_much_loss_counts_for_a_while() {
        let now = crate::test_epoch();
        let mut loss = Loss::default();
        loss.reported(now, 12);
        assert_eq!(loss.high_until(now), None);
        loss.reported(now, 13);
        assert!(loss.high_until(now + LASTS / 2).is_some() && loss.high_until(now + LASTS).is_none());
    }

    #[test]
    fn what_a_queue_overflowed_with_makes_nothing_safer() {
        let now = crate::test_epoch();
        let mut loss = Loss::default();
        loss.queued(now, false);
        loss.reported(now + OVERFLOW / 2, 100);
        assert_eq!(loss.high_until(now + OVERFLOW / 2), None);
        loss.told(now + OVERFLOW, 100);
        assert!(loss.high_until(now + OVERFLOW).is_some(), "what is lost without a queue is the line's");
    }

    #[test]
    fn a_queue_ends_what_makes_it_longer_and_a_report_of_five_seconds_may_tell_of_it() {
        let now = crate::test_epoch();
        let mut loss = Loss::default();
        loss.told(now, 100);
        assert!(loss.high_until(now).is_some());
        loss.queued(now, false);
        assert!(loss.high_until(now).is_some(), "it is but a little of what waits");
        loss.queued(now, true);
        assert_eq!(loss.high_until(now), None);
        let later = now + OVERFLOW + INTERVAL - Duration::from_millis(1);
        loss.reported(later, 100);
        assert_eq!(loss.high_until(later), None);
        let after = now + OVERFLOW + INTERVAL;
        loss.reported(after, 100);
        assert!(loss.high_until(after).is_some());
    }

    #[test]
    fn video_waits_for_what_is_sent_again_as_long_as_there_is_loss() {
        let now = crate::test_epoch();
        let rtt = || (Duration::from_millis(103), Duration::from_millis(5));
        let mut loss = Loss::default();
        loss.reported(now, 4);
        assert_eq!(loss.playout_delay(now, rtt), None);
        loss.reported(now, 5);
        // 198 ms are 20 steps of ten, at most 1,000.
        assert_eq!(loss.playout_delay(now, rtt), Some([0x01, 0x43, 0xe8]));
        assert_eq!(
            loss.playout_delay(now, || (Duration::from_secs(3), Duration::ZERO)),
            Some([0x03, 0x23, 0xe8]),
            "half a second at most"
        );
        assert_eq!(loss.playout_delay(now + LASTS, rtt), Some(USUAL_DELAY));
        assert_eq!(loss.playout_delay(now + LASTS + TOLD, rtt), None);
    }

    #[test]
    fn asking_often_tells_before_any_report_and_asking_seldom_does_not() {
        let now = crate::test_epoch();
        for (each, high) in [(1, false), (10, true)] {
            let mut loss = Loss::default();
            // 50 packets every 100 ms, of which so many are asked for again.
            for n in 0..6u16 {
                loss.asked(now + Duration::from_millis(100) * n.into(), each, n * 50);
            }
            assert_eq!(loss.high_until(now + WINDOW).is_some(), high, "{each} of 50");
        }
    }
}
