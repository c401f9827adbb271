//! Which packets the line loses: each by itself, or in bursts (the two states of Gilbert and Elliott).

use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// What is lost.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Loss {
    /// Share lost at random, each packet by itself.
    pub random: f64,
    /// Bursts on top.
    pub burst: Option<Burst>,
}

/// Bursts of loss: while one lasts, every packet is lost.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Burst {
    /// Chance of each packet to begin one.
    pub begins: f64,
    /// Packets lost in one, on average.
    pub length: f64,
}

impl Burst {
    /// Bursts of `length` packets on average that lose `share` of all.
    pub fn losing(share: f64, length: f64) -> Self {
        Self { begins: share / (1.0 - share) / length, length }
    }
}

/// The state of one line.
#[derive(Debug)]
pub(super) struct Losses {
    pub loss: Loss,
    in_burst: bool,
}

impl Losses {
    /// Outside of a burst.
    pub fn new(loss: Loss) -> Self {
        Self { loss, in_burst: false }
    }

    /// Whether the next packet is lost.
    pub fn next(&mut self, rng: &mut ChaCha8Rng) -> bool {
        if let Some(burst) = self.loss.burst {
            let change = if self.in_burst { 1.0 / burst.length.max(1.0) } else { burst.begins };
            self.in_burst ^= rng.random_bool(change.clamp(0.0, 1.0));
        } else {
            self.in_burst = false;
        }
        let at_random = self.loss.random > 0.0 && rng.random_bool(self.loss.random.min(1.0));
        self.in_burst || at_random
    }
}
