//! The network: links, each with a bottleneck, a queue before it and a lossy, jittery line behind it.

mod link;
mod loss;

pub use link::{Link, Shape, Traffic};
pub use loss::{Burst, Loss};

#[cfg(test)]
mod tests;

/// Bits per second.
pub const fn kbit(n: u64) -> u64 {
    n * 1_000
}

/// Bits per second.
pub const fn mbit(n: u64) -> u64 {
    n * 1_000_000
}

/// What UDP and IPv4 add to each datagram, in bytes: it takes its share of the capacity.
pub const OVERHEAD: usize = 28;
