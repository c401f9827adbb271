//! Names for everything new. Random where the outside sees them, counted where only we do.

use ramai_sfu::id::{RoomId, Ssrc, SubscriptionId, TrackId, TransportId};
use ramai_sfu::params::IceCredentials;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// See the module.
pub struct Ids {
    random: StdRng,
    last: u64,
}

impl Ids {
    /// From a seed of the operating system's.
    pub fn from_os() -> Self {
        Self { random: StdRng::from_os_rng(), last: 0 }
    }

    /// From a given seed, for tests.
    #[cfg(test)]
    pub fn seeded(seed: u64) -> Self {
        Self { random: StdRng::seed_from_u64(seed), last: 0 }
    }

    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    fn text(&mut self, len: usize) -> String {
        (0..len).map(|_| char::from(self.random.sample(rand::distr::Alphanumeric))).collect()
    }

    pub fn room(&mut self) -> RoomId {
        RoomId(self.next())
    }

    pub fn transport(&mut self) -> TransportId {
        TransportId(self.next())
    }

    pub fn track(&mut self) -> TrackId {
        TrackId(self.next())
    }

    pub fn subscription(&mut self) -> SubscriptionId {
        SubscriptionId(self.next())
    }

    /// A session's key.
    pub fn key(&mut self) -> u64 {
        self.next()
    }

    /// A name that clients see: `prefix` and 12 letters and digits.
    pub fn sid(&mut self, prefix: &str) -> String {
        format!("{prefix}{}", self.text(12))
    }

    /// A name that nobody can guess, with 190 bits.
    pub fn secret(&mut self) -> String {
        self.text(32)
    }

    /// Credentials of ours. The count in the ufrag makes it unique; the password has 190 bits.
    pub fn ice(&mut self) -> IceCredentials {
        let count = self.next();
        IceCredentials { ufrag: format!("{}{count:x}", self.text(6)), pwd: self.text(32) }
    }

    /// Not 0, which some stacks take for "none".
    pub fn ssrc(&mut self) -> Ssrc {
        Ssrc(self.random.random_range(1..=u32::MAX))
    }

    /// A session id for `o=` (RFC 9429 section 5.2.1): 63 bits.
    pub fn session(&mut self) -> u64 {
        self.random.random::<u64>() >> 1
    }
}
