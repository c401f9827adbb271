//! What a publisher is told to send at most (REMB), so that its largest picture fits the lines of those who watch it: with three fixed
//! layers a line of 1.3 Mbit/s gets 500 kbit/s. Only where it is watched by few; and it is what the best of their lines takes. docs/CONGESTION.md tells why.

use super::sharing::Sharing;
use crate::subscribe::appetite::Appetite;
use smallvec::SmallVec;
use std::time::{Duration, Instant};

/// With more watching nobody's line decides.
pub const FEW: usize = 16;
/// Nobody is asked to make a picture smaller that takes less than this in bits per second: it is a thumbnail.
const SMALL: u64 = 250_000;
/// With room for so much of what it would send a publisher isn't limited; and for [`Appetite::all`] of it it isn't any more.
const ALL: f64 = 0.97;
/// So much of the difference between what is wanted and what came is made up for at once: what is measured is a second old.
const STEP: f64 = 0.7;
/// A limit counts what its publisher adds to the pictures, too: headers, repeats, a reserve. It begins with so much, and then is what it has to be.
const OVERHEAD: f64 = 1.3;
/// More than this beyond what comes, and than a voice, is no limit: a still picture takes less than it may.
const SLACK: f64 = 2.0;
const VOICE: f64 = 64_000.0;
/// That a limit is taken back is said so often, for a report may be lost.
const REPEATS: u8 = 3;
/// What it would send is remembered for so long after: its encoder takes a moment.
const RECOVERY: Duration = Duration::from_secs(3);
/// After the picture was given up for a smaller one under a limit there is none for so long.
const BARRED: Duration = Duration::from_secs(30);
/// ... at once if somebody saw it, else after it happened so often.
const FALLS: u8 = 3;
/// No limit: more than anything takes.
const UNLIMITED: u64 = 1_000_000_000;

/// See the module. Its input is [`Upstream::poll`], once a second.
#[derive(Debug, Default)]
pub struct Upstream {
    unable: bool,
    /// In bits per second of all that it sends, and for which size.
    limit: Option<(f64, (u8, u8))>,
    lifting: u8,
    lifted: Option<Instant>,
    barred: Option<Instant>,
    sharing: Sharing,
    /// Somebody saw the picture that is limited; and how often it was given up before anybody did.
    shown: bool,
    falls: u8,
}

impl Upstream {
    /// Whether it can be limited, as far as is known: few watch, and it is the only video of its publisher.
    pub fn is_able(&self) -> bool {
        !self.unable
    }

    /// It sends less than it would, or did until just now.
    pub fn is_limited(&self, now: Instant) -> bool {
        let recovers = |at: Instant| now.saturating_duration_since(at) < RECOVERY;
        self.limit.is_some() || self.lifted.is_some_and(recovers)
    }

    /// The simulcast layer that is being made to fit: who gave it up meanwhile would never learn whether it does.
    pub fn fitting(&self) -> u8 {
        self.limit.map_or(0, |(_, size)| size.0)
    }

    /// Decides what the publisher is to be told now, in bits per second, if anything: `appetites` are those of all who watch, `None` if
    /// these can't be asked; `total` is what came in the last second.
    pub fn poll(&mut self, now: Instant, mut appetites: Option<SmallVec<[Appetite; FEW]>>, total: u64) -> Option<u64> {
        self.unable = appetites.is_none();
        if let Some(appetites) = &mut appetites {
            self.sharing.count_in(now, appetites);
        }
        let appetites = appetites.as_deref();
        let wish = appetites.and_then(|appetites| best(appetites, self.limit.is_some()));
        let size = appetites.and_then(|all| all.iter().map(|appetite| appetite.size).max());
        // It was given up for a smaller one, though somebody wants it.
        let fell = self.limit.zip(size).is_some_and(|((_, limited), size)| size < limited);
        let gave_up = appetites.unwrap_or_default().iter().any(|appetite| appetite.gave_up);
        if fell && !gave_up {
            self.falls += 1;
            if std::mem::take(&mut self.shown) || self.falls >= FALLS {
                (self.barred, self.falls) = (Some(now + BARRED), 0);
            }
        }
        let barred = self.barred.is_some_and(|until| now < until);
        match wish.filter(|_| !barred) {
            Some(Wish { bits, rate, below, size, shown }) => {
                let wish = bits as f64;
                let (rate, total) = (rate.min(total) as f64, total as f64);
                let limit = match self.limit {
                    Some((limit, same)) if same == size => limit + STEP * (wish - rate),
                    _ => (total - rate + wish) * OVERHEAD,
                };
                let limit = limit.min(total * SLACK + VOICE).max(wish + below as f64);
                self.limit = Some((limit, size));
                self.shown = shown;
                if shown {
                    self.falls = 0;
                }
                self.lifting = REPEATS;
                Some(limit as u64)
            }
            None => {
                if self.limit.take().is_some() {
                    self.lifted = Some(now);
                }
                let lifting = self.lifting > 0;
                self.lifting = self.lifting.saturating_sub(1);
                lifting.then_some(UNLIMITED)
            }
        }
    }
}

/// What the largest picture should take in bits per second, what it takes, what the one below it takes, and its size.
struct Wish {
    bits: u64,
    rate: u64,
    below: u64,
    size: (u8, u8),
    /// Somebody sees it.
    shown: bool,
}

/// See [`Wish`]; `None`: as much as it likes. It is as large as the best line takes, for nobody shall get less because of another's line. Those
/// behind one address count as one line, of which the poorest of them takes least: what the others leave it can take, but doesn't see before.
fn best(appetites: &[Appetite], limited: bool) -> Option<Wish> {
    let size = appetites.iter().map(|appetite| appetite.size).max()?;
    // To whom a smaller one is enough it is all the same.
    let mine = || appetites.iter().filter(|appetite| appetite.size == size);
    let full = mine().map(|appetite| appetite.full).max()?;
    if full < SMALL {
        return None;
    }
    let least = mine().map(Appetite::least).max()?;
    let able = || mine().filter(|appetite| appetite.fits());
    let of_line = |one: &Appetite| {
        let shares = |other: &&Appetite| other.line.is_some() && other.line == one.line;
        able().filter(shares).map(|other| other.could).fold(one.could, u64::min)
    };
    let bits = able().map(of_line).max()?.max(least);
    let rate = mine().map(|appetite| appetite.rate).max()?;
    let below = mine().map(|appetite| appetite.below).max()?;
    let shown = mine().any(|appetite| appetite.shown);
    let all = if limited { mine().map(Appetite::all).max()? } else { (full as f64 * ALL) as u64 };
    (bits < all).then_some(Wish { bits, rate, below, size, shown })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    const LINE: Option<IpAddr> = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));

    /// Somebody whose line could take so much of a picture of 1.7 Mbit/s, which takes `rate` now.
    fn watches(could: u64, rate: u64, shown: bool) -> Appetite {
        Appetite { size: (2, 0), rate, full: 1_700_000, could, below: 500_000, shown, ..Appetite::default() }
    }

    fn some(all: &[Appetite]) -> Option<SmallVec<[Appetite; FEW]>> {
        Some(all.into())
    }

    fn wish(appetites: &[Appetite]) -> Option<u64> {
        best(appetites, false).map(|wish| wish.bits)
    }

    /// A publisher whose encoder does what it is told within a second, but for a tenth of it that is no picture.
    fn settle(upstream: &mut Upstream, could: u64, from: u64, seconds: u32) -> (u64, Vec<Option<u64>>) {
        let (mut rate, mut told) = (from, Vec::new());
        for n in 0..seconds {
            let now = crate::test_epoch() + Duration::from_secs(1) * n;
            let limit = upstream.poll(now, some(&[watches(could, rate, true)]), 650_000 + rate);
            rate = limit.map_or(rate, |limit| (limit * 9 / 10).saturating_sub(650_000).min(1_700_000));
            told.push(limit);
        }
        (rate, told)
    }

    #[test]
    fn the_best_line_decides_and_nobody_gets_less_because_of_another() {
        assert_eq!(wish(&[watches(900_000, 1_700_000, false)]), Some(900_000));
        assert_eq!(wish(&[watches(900_000, 1_700_000, false), watches(1_200_000, 1_700_000, false)]), Some(1_200_000));
        assert_eq!(wish(&[watches(900_000, 1_700_000, false), watches(2_000_000, 1_700_000, true)]), None);
        assert_eq!(wish(&[]), None);
        // It is too little for any picture of that size.
        assert_eq!(wish(&[watches(400_000, 1_700_000, false)]), None);
        // What is watched in a smaller size by others is left alone.
        let smaller = Appetite { size: (1, 0), could: 100_000, full: 500_000, ..Appetite::default() };
        assert_eq!(wish(&[smaller, watches(900_000, 1_700_000, false)]), Some(900_000));
    }

    #[test]
    fn those_behind_one_address_count_as_one_line() {
        let [poor, rich] = [(900_000, false), (2_000_000, true)]
            .map(|(could, shown)| Appetite { line: LINE, ..watches(could, 1_700_000, shown) });
        assert_eq!(wish(&[poor, rich]), Some(900_000));
        assert_eq!(wish(&[Appetite { line: None, ..poor }, rich]), None);
    }

    #[test]
    fn a_limit_becomes_what_makes_the_picture_as_large_as_is_wanted_and_is_lifted_when_there_is_room() {
        let mut upstream = Upstream::default();
        let (rate, told) = settle(&mut upstream, 1_000_000, 1_700_000, 12);
        assert!((970_000..1_030_000).contains(&rate), "{rate} {told:?}");
        assert!(told.iter().all(Option::is_some) && upstream.is_able());
        assert_eq!(upstream.fitting(), 2, "nobody gives it up meanwhile");
        let later = crate::test_epoch() + Duration::from_secs(12);
        let plenty = [watches(3_000_000, rate, true)];
        let lifted: Vec<_> = (0..5).map(|_| upstream.poll(later, some(&plenty), 650_000 + rate)).collect();
        assert_eq!(lifted, [Some(UNLIMITED), Some(UNLIMITED), Some(UNLIMITED), None, None]);
        assert_eq!(upstream.fitting(), 0);
        assert!(upstream.is_limited(later) && !upstream.is_limited(later + RECOVERY));
    }

    #[test]
    fn who_can_not_be_asked_is_not_limited() {
        let mut upstream = Upstream::default();
        settle(&mut upstream, 1_000_000, 1_700_000, 3);
        assert_eq!(upstream.poll(crate::test_epoch() + Duration::from_secs(3), None, 1_500_000), Some(UNLIMITED));
        assert!(!upstream.is_able());
    }

    #[test]
    fn an_encoder_that_gives_the_picture_up_instead_is_left_alone_for_a_while() {
        let mut upstream = Upstream::default();
        settle(&mut upstream, 800_000, 1_700_000, 3);
        let at = |seconds| crate::test_epoch() + Duration::from_secs(seconds);
        // The one below is all that comes now, and would be limited itself.
        let smaller = Appetite { size: (1, 0), rate: 500_000, full: 500_000, could: 300_000, ..Appetite::default() };
        assert_eq!(upstream.poll(at(3), some(&[smaller]), 650_000), Some(UNLIMITED));
        let again = [watches(800_000, 1_700_000, false)];
        assert_eq!((4..32).filter_map(|s| upstream.poll(at(s), some(&again), 2_350_000)).max(), Some(UNLIMITED));
        assert!(upstream.poll(at(34), some(&again), 2_350_000).is_some_and(|limit| limit < UNLIMITED));
    }
}
