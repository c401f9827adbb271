//! Whether a peer loses so much that its audio shall be made safer: by its reports, and by what it asks for again.

use std::time::{Duration, Instant};

/// From this share on, in 1/256: 5%. Browsers' own redundancy still leaves 0.25% unheard there.
const HIGH: u32 = 13;
/// Once it was so, it is taken to be so for so long: browsers report on audio every five seconds.
const LASTS: Duration = Duration::from_secs(10);
/// What is asked for again is counted over this.
const WINDOW: Duration = Duration::from_millis(400);
/// Fewer packets tell nothing.
const MIN_SENT: u16 = 20;

/// What is known of one peer's loss.
#[derive(Debug, Default)]
pub(super) struct Loss {
    high_until: Option<Instant>,
    /// When the count began, after how many packets (their transport-wide number), and what was asked for since.
    window: Option<(Instant, u16, u32)>,
}

impl Loss {
    /// A report told this share lost, in 1/256.
    pub(super) fn reported(&mut self, now: Instant, fraction: u8) {
        if u32::from(fraction) >= HIGH {
            self.high_until = Some(now + LASTS);
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
        if sent >= MIN_SENT && asked * 256 >= u32::from(sent) * HIGH {
            self.high_until = Some(now + LASTS);
        }
        self.window = Some((now, next, 0));
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
