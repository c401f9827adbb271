//! Two who watch behind one address mostly share a line, and who got the larger picture first leaves no room for the other, who therefore
//! doesn't know that there would be enough for both. So it is tried: the picture is made as small as it gets for a while.

use crate::subscribe::appetite::Appetite;
use std::time::{Duration, Instant};

/// How long it is tried.
const TRIAL: Duration = Duration::from_secs(20);
/// What was tried in vain isn't tried again for so long, doubled each time up to the last: they don't share a line, but only an address.
const PAUSE: Duration = Duration::from_secs(40);
const LONGEST_PAUSE: Duration = Duration::from_secs(640);

/// See the module. Its input is [`Sharing::count_in`], once a second.
#[derive(Debug, Default)]
pub(super) struct Sharing {
    until: Option<Instant>,
    not_before: Option<Instant>,
    failures: u32,
}

impl Sharing {
    /// Counts those in, as if they had room for the least of the picture, for whom it would be there if the others behind their address
    /// took no more than that.
    pub fn count_in(&mut self, now: Instant, appetites: &mut [Appetite]) {
        let left_out = |one: &Appetite, all: &[Appetite]| {
            let line = || all.iter().filter(|other| other.line == one.line && other.size == one.size);
            let together: u64 = line().map(|other| other.could).sum();
            one.line.is_some() && !one.fits() && together >= line().map(Appetite::least).sum()
        };
        let poor: Vec<usize> =
            (0..).zip(&*appetites).filter(|(_, one)| left_out(one, appetites)).map(|(at, _)| at).collect();
        if poor.is_empty() {
            if appetites.iter().all(|one| one.shown) && self.until.take().is_some() {
                self.failures = 0;
            }
            return;
        }
        if self.until.is_some_and(|until| now >= until) {
            let pause = (PAUSE * 2u32.pow(self.failures.min(8))).min(LONGEST_PAUSE);
            (self.until, self.not_before, self.failures) = (None, Some(now + pause), self.failures + 1);
        }
        if self.not_before.is_some_and(|at| now < at) {
            return;
        }
        self.until.get_or_insert(now + TRIAL);
        for at in poor {
            if let Some(one) = appetites.get_mut(at) {
                one.could = one.least();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{IpAddr, Ipv4Addr};

    fn behind(last: u8, could: u64, shown: bool) -> Appetite {
        let line = Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last)));
        Appetite { size: (2, 0), full: 1_000_000, could, shown, line, ..Appetite::default() }
    }

    /// Who is counted in at each second.
    fn counted_in(sharing: &mut Sharing, seconds: std::ops::Range<u64>, all: &[Appetite]) -> Vec<bool> {
        let at = |second| crate::test_epoch() + Duration::from_secs(second);
        let try_at = |second| {
            let mut all = all.to_vec();
            sharing.count_in(at(second), &mut all);
            all[0].could > 200_000
        };
        seconds.map(try_at).collect()
    }

    #[test]
    fn for_whom_there_is_enough_behind_one_address_it_is_tried_now_and_then() {
        let all = [behind(1, 200_000, false), behind(1, 900_000, true)];
        let mut sharing = Sharing::default();
        assert_eq!(counted_in(&mut sharing, 0..20, &all), [true; 20]);
        assert_eq!(counted_in(&mut sharing, 20..60, &all), [false; 40]);
        assert_eq!(counted_in(&mut sharing, 60..80, &all), [true; 20]);
        assert_eq!(counted_in(&mut sharing, 80..160, &all), [false; 80]);
        // It came to have a picture: next time nothing has failed yet.
        let both = [behind(1, 500_000, true), behind(1, 500_000, true)];
        counted_in(&mut sharing, 160..161, &all);
        counted_in(&mut sharing, 161..162, &both);
        assert_eq!(sharing.failures, 0);
    }

    #[test]
    fn that_there_seems_to_be_too_little_for_a_moment_is_no_success() {
        let mut sharing = Sharing::default();
        let all = [behind(1, 200_000, false), behind(1, 900_000, true)];
        let less = [behind(1, 200_000, false), behind(1, 600_000, true)];
        counted_in(&mut sharing, 0..19, &all);
        counted_in(&mut sharing, 19..20, &less);
        assert_eq!(counted_in(&mut sharing, 20..60, &all), [false; 40]);
    }

    #[test]
    fn another_address_or_too_little_for_two_is_no_reason() {
        for all in [
            [behind(1, 200_000, false), behind(2, 900_000, true)],
            [behind(1, 200_000, false), behind(1, 600_000, true)],
        ] {
            assert_eq!(counted_in(&mut Sharing::default(), 0..3, &all), [false; 3]);
        }
    }
}
