//! The server under test: a real process on ports of its own.

use crate::process::udp_drops;
use crate::{Error, PATIENCE, Process, http, within};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::ops::Range;
use std::path::Path;

/// A running `ramai --dev`.
pub struct Server {
    process: Process,
    port: u16,
    /// One for each media worker.
    udp_ports: Range<u16>,
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
    Ok(free_udp_ports(1)?.start)
}

/// So many UDP ports of the loopback address in a row that were free a moment ago.
fn free_udp_ports(count: u16) -> Result<Range<u16>, Error> {
    // The system chooses the first; the next are mostly free as well.
    for _ in 0..100 {
        let first = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let start = first.local_addr()?.port();
        let Some(end) = start.checked_add(count) else { continue };
        if (start + 1..end).all(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()) {
            return Ok(start..end);
        }
    }
    Err(Error::Io(std::io::ErrorKind::AddrInUse.into()))
}

impl Server {
    /// Starts `program --dev` with one media worker and waits until it serves. `more` are further arguments. The log's level
    /// can be had from outside: `RAMAI_TEST_LOG=debug cargo test`.
    ///
    /// # Errors
    /// If it doesn't serve in time.
    pub async fn start(program: impl AsRef<Path>, more: &[&str]) -> Result<Self, Error> {
        Self::start_with_workers(program, 1, more).await
    }

    /// The same with more media workers.
    ///
    /// # Errors
    /// If it doesn't serve in time.
    pub async fn start_with_workers(program: impl AsRef<Path>, workers: u16, more: &[&str]) -> Result<Self, Error> {
        let (port, udp_ports) = (free_tcp_port()?, free_udp_ports(workers)?);
        let mut args = vec!["--dev".to_owned()];
        for (flag, value) in [("--workers", workers), ("--port", port), ("--udp-base-port", udp_ports.start)] {
            args.extend([flag.to_owned(), value.to_string()]);
        }
        args.extend(more.iter().map(|s| (*s).to_owned()));
        if let Ok(level) = std::env::var("RAMAI_TEST_LOG") {
            args.extend(["--log".into(), level]);
        }
        let process = Process::start(program.as_ref(), &args, &[])?;
        let mut server = Self { process, port, udp_ports };
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
        self.udp_ports.clone().map(|port| (Ipv4Addr::LOCALHOST, port).into()).collect()
    }

    /// Media datagrams that the kernel dropped before the server could read them, since its start.
    ///
    /// # Errors
    /// If the kernel doesn't tell.
    pub fn kernel_drops(&self) -> Result<u64, Error> {
        self.udp_ports.clone().map(udp_drops).sum()
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
