//! Congestion control in both directions: what we tell publishers of their packets ([`twcc`]), and how much each receiver may be
//! sent ([`estimator`]); docs/CONGESTION.md tells why it is so.

pub mod busy;
pub mod estimator;
pub mod feedback;
pub mod history;
pub mod loss;
mod own;
pub mod probe;
pub mod rate;
pub mod throughput;
pub mod trend;
pub mod twcc;
