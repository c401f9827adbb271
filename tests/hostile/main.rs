//! Bad input over the wire, beside a running call: each gets its clear answer, or is dropped; the call isn't disturbed and the
//! server's memory doesn't grow.
#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and may say what it measured"
)]

mod http;
mod memory;
mod orders;
mod scene;
mod sdp;
mod tokens;
mod udp;
mod websocket;
