//! The rate that losses allow. A few lost packets are the radio's and cost nothing; many mean a queue that overflows without
//! the delays telling. It is a cap beside the delays' rate, and goes when the losses go.

use std::time::{Duration, Instant};

/// Losses up to this share are the link's own nature.
const HARMLESS: f64 = 0.10;
/// Below this the cap goes away.
const GONE: f64 = 0.05;
/// Packets whose fate must be known before a share means something.
const LEAST_PACKETS: u32 = 20;
/// ... and the least time it is counted over.
const PERIOD: Duration = Duration::from_millis(300);
/// The cap grows by this factor each period without losses.
const RELEASE: f64 = 1.5;
/// A full link delivers the same however little more than it takes is sent: so long as it delivers this share of what it did
/// at first, sending less is right, down to a share of what arrives.
const SAME: f64 = 0.8;
const FLOOR: f64 = 0.75;
/// Elsewhere each packet is lost by chance, and sending less helps nobody: not below this share of the rate at first.
const BY_CHANCE: f64 = 0.5;

/// See the module. Its inputs are [`Loss::told`] and [`Loss::update`].
#[derive(Debug, Default)]
pub struct Loss {
    received: u32,
    lost: u32,
    since: Option<Instant>,
    share: f64,
    cap: Option<f64>,
    /// Rate and arrivals when the cap began.
    first: Option<(f64, f64)>,
}

impl Loss {
    /// The fate of a packet became known.
    pub fn told(&mut self, received: bool) {
        if received {
            self.received += 1;
        } else {
            self.lost += 1;
        }
    }

    /// Share lost in the last period.
    pub fn share(&self) -> f64 {
        self.share
    }

    /// At most this much, in bits per second.
    pub fn cap(&self) -> Option<u64> {
        self.cap.map(|cap| cap as u64)
    }

    /// Judges what was told, when there is enough. `rate`: the delays' rate; `arrives`: what the receiver gets.
    pub fn update(&mut self, now: Instant, rate: u64, arrives: Option<u64>) {
        let since = *self.since.get_or_insert(now);
        let known = self.received + self.lost;
        if known < LEAST_PACKETS || now.saturating_duration_since(since) < PERIOD {
            return;
        }
        self.share = f64::from(self.lost) / f64::from(known);
        (self.received, self.lost, self.since) = (0, 0, Some(now));
        let rate = rate as f64;
        if self.share > HARMLESS {
            let arrives = arrives.map_or(0.0, |arrives| arrives as f64);
            let (first_rate, first_arrives) = *self.first.get_or_insert((rate, arrives));
            let full = arrives > SAME * first_arrives;
            let floor = if full { FLOOR * arrives } else { BY_CHANCE * first_rate };
            let before = self.cap.unwrap_or(rate).min(rate);
            self.cap = Some((before * (1.0 - 0.5 * self.share)).max(floor.min(before)));
        } else if self.share < GONE {
            self.cap = self.cap.map(|cap| cap * RELEASE).filter(|cap| *cap < rate);
            self.first = self.first.filter(|_| self.cap.is_some());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three seconds at 50 packets per period of which `lost` are lost.
    fn run(loss: &mut Loss, from: Instant, lost: u32, rate: u64, arrives: u64) {
        for period in 0..10u32 {
            for n in 0..50 {
                loss.told(n >= lost);
            }
            loss.update(from + PERIOD * period, rate, Some(arrives));
        }
    }

    #[test]
    fn five_percent_cost_nothing_and_thirty_cost_much() {
        let now = crate::test_epoch();
        let mut loss = Loss::default();
        run(&mut loss, now, 2, 1_000_000, 950_000);
        assert_eq!(loss.cap(), None);
        run(&mut loss, now + Duration::from_secs(3), 15, 1_000_000, 350_000);
        let cap = loss.cap().unwrap();
        assert!((262_500..400_000).contains(&cap), "{cap}");
    }

    #[test]
    fn the_cap_goes_within_seconds_when_the_losses_do() {
        let now = crate::test_epoch();
        let mut loss = Loss::default();
        run(&mut loss, now, 15, 1_000_000, 350_000);
        run(&mut loss, now + Duration::from_secs(3), 0, 1_000_000, 350_000);
        assert_eq!(loss.cap(), None);
    }
}
