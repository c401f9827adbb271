//! What the kernel alone takes to send datagrams to many sockets of this machine: the floor under the price of a forwarded packet.
//!
//! `taskset -c 0 udp-floor --segments 1,2,4,8`. Nothing is read, decided or sealed: turn by turn each receiver is sent one message of equal
//! datagrams, all messages by `sendmmsg`, at the pace of a call. The receivers are sockets of a second process on another core, which reads
//! them every millisecond as `ramai-load` does.
#![forbid(unsafe_code)]

use clap::Parser;
use nix::sys::socket::{ControlMessage, MsgFlags, MultiHeaders, SockaddrIn, sendmmsg, setsockopt, sockopt};
use nix::time::{ClockId, clock_gettime};
use std::io::{BufRead, BufReader, ErrorKind, IoSlice, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

/// Sends to many sockets of this machine and tells the sender's CPU time for each datagram.
#[derive(Parser)]
struct Args {
    /// Sockets that receive.
    #[arg(long, default_value_t = 300)]
    receivers: usize,
    /// Datagrams in one message, for each row.
    #[arg(long, value_delimiter = ',', default_value = "1,2,4,8,16,32")]
    segments: Vec<usize>,
    /// Bytes of each datagram.
    #[arg(long, default_value_t = 1_100)]
    size: usize,
    /// Messages of one system call.
    #[arg(long, default_value_t = 64)]
    messages: usize,
    /// Datagrams in a second, all receivers together.
    #[arg(long, default_value_t = 60_000)]
    rate: u64,
    /// How long each row is measured, in seconds.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Receivers take a message whole (UDP GRO), as a network card would.
    #[arg(long)]
    gro: bool,
    /// Address of all.
    #[arg(long, default_value_t = Ipv4Addr::LOCALHOST)]
    address: Ipv4Addr,
    /// Core of the receivers.
    #[arg(long, default_value_t = 1)]
    receiver_core: usize,
    /// Be the receivers: print their ports, read until standard input ends.
    #[arg(long, hide = true)]
    receive: bool,
}

fn main() -> Fallible<()> {
    let args = Args::parse();
    if args.receive { receive(&args) } else { send(&args) }
}

fn send(args: &Args) -> Fallible<()> {
    let mut receivers = Command::new("taskset")
        .args(["-c", &args.receiver_core.to_string()])
        .arg(std::env::current_exe()?)
        .args(["--receive", "--receivers", &args.receivers.to_string(), "--address", &args.address.to_string()])
        .args(args.gro.then_some("--gro"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let ports = receivers.stdout.take().ok_or("no output")?;
    let mut to = Vec::new();
    for line in BufReader::new(ports).lines().take(args.receivers) {
        to.push(Some(SockaddrIn::from(SocketAddrV4::new(args.address, line?.parse()?))));
    }
    let socket = UdpSocket::bind((args.address, 0))?;
    // As much as the media socket of the server.
    _ = setsockopt(&socket, sockopt::SndBufForce, &(6 << 20));
    let mut out = std::io::stdout();
    for segments in args.segments.iter().copied() {
        let nanos = row(args, &socket, &to, segments)?;
        writeln!(
            out,
            "{segments:>3} datagrams a message: {nanos:>5.0} ns of CPU a datagram, {:>6.0} a message",
            nanos * segments as f64
        )?;
    }
    drop(receivers.stdin.take());
    receivers.wait()?;
    Ok(())
}

/// The sender's CPU time for one datagram, in nanoseconds.
fn row(args: &Args, socket: &UdpSocket, to: &[Option<SockaddrIn>], segments: usize) -> Fallible<f64> {
    let mut headers = MultiHeaders::<SockaddrIn>::preallocate(args.messages, Some(nix::cmsg_space!(u16)));
    let bytes = vec![7u8; args.size * segments * args.messages];
    let messages: Vec<[IoSlice<'_>; 1]> =
        bytes.chunks_exact(args.size * segments).map(|message| [IoSlice::new(message)]).collect();
    let size = u16::try_from(args.size)?;
    let controls = [ControlMessage::UdpGsoSegments(&size)];
    let turn = Duration::from_nanos(1_000_000_000 * (args.receivers * segments) as u64 / args.rate);
    let (begun, mut next, mut sent) = (Instant::now(), Instant::now(), 0);
    let before = cpu()?;
    while begun.elapsed() < Duration::from_secs(args.seconds) {
        for some in to.chunks(args.messages) {
            let mut left = some;
            while !left.is_empty() {
                let result = sendmmsg(
                    socket.as_raw_fd(),
                    &mut headers,
                    &messages[..left.len()],
                    left,
                    controls,
                    MsgFlags::empty(),
                )?;
                left = &left[result.count()..];
            }
            sent += some.len() * segments;
        }
        next += turn;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok((cpu()? - before).as_nanos() as f64 / sent as f64)
}

fn cpu() -> Fallible<Duration> {
    Ok(clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?.into())
}

fn receive(args: &Args) -> Fallible<()> {
    let mut out = std::io::stdout();
    let mut sockets = Vec::new();
    for _ in 0..args.receivers {
        let socket = UdpSocket::bind((args.address, 0))?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::UdpGroSegment, &args.gro)?;
        _ = setsockopt(&socket, sockopt::RcvBufForce, &(4 << 20));
        let SocketAddr::V4(local) = socket.local_addr()? else { continue };
        writeln!(out, "{}", local.port())?;
        sockets.push(socket);
    }
    out.flush()?;
    let over = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let over = over.clone();
        move || {
            _ = std::io::stdin().read(&mut [0]);
            over.store(true, Ordering::Relaxed);
        }
    });
    let mut bytes = vec![0; 65_536];
    while !over.load(Ordering::Relaxed) {
        std::thread::sleep(Duration::from_millis(1));
        for socket in &sockets {
            loop {
                match socket.recv(&mut bytes) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
    Ok(())
}
