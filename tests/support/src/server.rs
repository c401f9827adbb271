//! The server under test: a real process on ports of its own.

use crate::process::udp_drops;
use crate::{Error, PATIENCE, Process, http, within};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::path::Path;

/// A running `ramai --dev`.
pub struct Server {
    process: Process,
    port: u16,
    udp_port: u16,
}

/// A TCP port of the loopback address that was free a moment ago.
///
/// # Errors
/// If there is none.
pub fn free_tcp_port() -> Result<u16, Error> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// A UDP port of the loopback address that was free a moment ago.
///
/// # Errors
/// If there is none.
pub fn free_udp_port() -> Result<u16, Error> {
    Ok(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

impl Server {
    /// Starts `program --dev` with one media worker and waits until it serves. `more` are further arguments. The log's level
    /// can be had from outside: `RAMAI_TEST_LOG=debug cargo test`.
    ///
    /// # Errors
    /// If it doesn't serve in time.
    pub async fn start(program: impl AsRef<Path>, more: &[&str]) -> Result<Self, Error> {
        let (port, udp_port) = (free_tcp_port()?, free_udp_port()?);
        let mut args: Vec<String> = ["--dev", "--workers", "1", "--port"].map(String::from).to_vec();
        args.extend([port.to_string(), "--udp-base-port".into(), udp_port.to_string()]);
        args.extend(more.iter().map(|s| (*s).to_owned()));
        if let Ok(level) = std::env::var("RAMAI_TEST_LOG") {
            args.extend(["--log".into(), level]);
        }
        let process = Process::start(program.as_ref(), &args, &[])?;
        let mut server = Self { process, port, udp_port };
        within("the server's start", server.process.logged("ready:")).await?;
        match http::get(server.http(), "/health").await {
            Ok(answer) if answer.status == 200 => Ok(server),
            outcome => {
                eprintln!("the server does not serve ({outcome:?}):\n{}", server.process.log());
                Err(Error::Late("the server's start", PATIENCE))
            }
        }
    }

    /// Where HTTP and WebSocket are served.
    pub fn http(&self) -> SocketAddr {
        (IpAddr::V4(Ipv4Addr::LOCALHOST), self.port).into()
    }

    /// Where media goes: every UDP port it has.
    pub fn media(&self) -> Vec<SocketAddr> {
        vec![(Ipv4Addr::LOCALHOST, self.udp_port).into()]
    }

    /// Media datagrams that the kernel dropped before the server could read them, since its start.
    ///
    /// # Errors
    /// If the kernel doesn't tell.
    pub fn kernel_drops(&self) -> Result<u64, Error> {
        udp_drops(self.udp_port)
    }

    /// The process.
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// The process, to wait for it.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }
}
