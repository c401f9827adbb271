//! The proxy of [`ramai_load::lossy`] as a program: `lossy --server 127.0.0.1:7882 --drop 0.01`, then
//! `ramai-load --media-via 127.0.0.1:PORT`.
#![forbid(unsafe_code)]

use clap::Parser;
use ramai_load::lossy::{Faults, Proxy};
use std::io::Write;
use std::net::SocketAddr;

/// Drops, duplicates, delays or hoards media between a server on this machine and the load generator.
#[derive(Parser)]
struct Args {
    /// The server's media port.
    #[arg(long)]
    server: SocketAddr,
    /// Port to listen on; 0 takes any.
    #[arg(long, default_value_t = 0)]
    port: u16,
    #[command(flatten)]
    faults: Faults,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let proxy = Proxy::start(args.port, args.server, args.faults).await?;
        writeln!(std::io::stdout(), "{}", proxy.address)?;
        tokio::signal::ctrl_c().await?;
        Ok(())
    })
}
