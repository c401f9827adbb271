//! Bad input over the wire, beside a running call: each gets its clear answer, or is dropped; the call isn't disturbed and the
//! server's memory doesn't grow.

mod http;
mod memory;
mod scene;
mod sdp;
mod tokens;
mod udp;
mod websocket;
