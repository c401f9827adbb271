//! Congestion control of one transport: what the receiving side reports to senders.

pub mod twcc;
