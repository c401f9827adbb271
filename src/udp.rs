//! The UDP socket of one media worker: batches in, batches out, and a sleep that packets, commands and deadlines end.
//!
//! Linux only: `recvmmsg`, `sendmmsg` and UDP's offloads (GSO out, GRO in) are where the packet rate comes from. One message of
//! equal datagrams to one peer costs the kernel little more than a single datagram.

#[cfg(not(target_os = "linux"))]
compile_error!("Ramai's sockets need Linux (recvmmsg, sendmmsg, UDP_SEGMENT)");

mod arrival;
mod message;
mod overflow;
#[allow(unsafe_code)] // The system calls; every other file is free of it.
mod syscall;
mod waker;

pub use waker::Waker;

use arrival::Clocks;
use message::{Address, Control};
use overflow::Overflow;
use ramai_sfu::Batch;
use ramai_sfu::api::Path;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::SocketAddr;
use std::ops::Range;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};
use syscall::Inbox;

/// Socket buffers asked for: 50 ms of a gigabit. The kernel gives less where `net.core.rmem_max` or `wmem_max` says so.
const SOCKET_BUFFER: usize = 6 * 1024 * 1024;
/// How long one batch may wait for room in the socket's buffer, all its messages together. Longer would hold up what comes in.
const SEND_PATIENCE: Duration = Duration::from_millis(2);
/// The longest datagram taken: above any MTU that media is sent with.
const LONGEST: usize = 2048;

/// What became of a batch, in datagrams.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct SendReport {
    /// Taken by the kernel.
    pub sent: u64,
    /// Refused by the kernel for their destination (no route, a firewall's rule, larger than the path takes).
    pub dropped: u64,
    /// Dropped since the socket's buffer stayed full.
    pub wouldblock: u64,
}

/// What went through a socket and what didn't, in datagrams. All only grow.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Counters {
    /// Came in.
    pub received: u64,
    /// Of these, dropped since they were longer than any that we take.
    pub truncated: u64,
    /// Lost before we could take them: the kernel had no room for them. It tells with the next that comes, and counts those that
    /// it had joined as one.
    pub overflowed: u64,
    /// Given to be sent.
    pub out: SendReport,
    /// Messages that these were given in: with UDP GSO one may hold many.
    pub messages: u64,
}

/// A bound socket with its buffers.
#[derive(Debug)]
pub struct UdpSocket {
    inner: Socket,
    local: SocketAddr,
    /// Bound to all addresses: each datagram tells which one it came to, and each answer says from which one it goes.
    any: bool,
    gso: bool,
    /// Datagrams that came in.
    received: u64,
    /// Of these, dropped since they were longer than any that we take.
    truncated: u64,
    overflow: Overflow,
    /// What became of all batches.
    total: SendReport,
    messages: u64,
    waker: Waker,
    inbox: Inbox,
    outbox: Vec<Outgoing>,
}

/// A message made ready for the kernel: datagrams to one peer.
#[derive(Debug)]
struct Outgoing {
    to: Address,
    control: Control,
    path: Path,
    range: Range<usize>,
    /// Length of each datagram but the last.
    segment: usize,
}

impl Outgoing {
    fn new(path: Path, range: Range<usize>, segment: usize) -> Self {
        let segment = segment.max(1);
        let gso = (range.len() > segment).then_some(segment as u16);
        Self { to: Address::new(path.remote), control: Control::for_sending(path.local, gso), path, range, segment }
    }

    fn datagrams(&self) -> usize {
        self.range.len().div_ceil(self.segment)
    }

    /// The same datagrams, a message each.
    fn singles(&self) -> impl Iterator<Item = Outgoing> + use<> {
        let (path, range, segment) = (self.path, self.range.clone(), self.segment);
        range
            .clone()
            .step_by(segment)
            .map(move |start| Outgoing::new(path, start..start.saturating_add(segment).min(range.end), segment))
    }
}

impl UdpSocket {
    /// Binds a socket, non-blocking, with large buffers. An IPv6 address takes IPv6 only. Port 0 lets the system choose.
    ///
    /// # Errors
    /// The address isn't ours, the port is taken, or the system gives no more descriptors.
    pub fn bind(addr: SocketAddr) -> io::Result<Self> {
        let inner = Socket::new(Domain::for_address(addr), Type::DGRAM, Some(Protocol::UDP))?;
        if addr.is_ipv6() {
            inner.set_only_v6(true)?;
        }
        inner.set_nonblocking(true)?;
        syscall::grow_buffers(&inner, SOCKET_BUFFER);
        inner.bind(&addr.into())?;
        let local = inner.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let any = local.ip().is_unspecified();
        if any {
            syscall::report_local_address(inner.as_fd(), local.is_ipv6())?;
        }
        if let Err(error) = syscall::report_overflow(inner.as_fd()) {
            tracing::info!(%error, "this kernel doesn't tell which packets it drops");
        }
        if let Err(error) = syscall::report_time(inner.as_fd()) {
            tracing::info!(%error, "this kernel doesn't tell when packets came");
        }
        let gso = syscall::supports_gso(inner.as_fd());
        // Costs nothing where nothing is joined, as on loopback what is sent singly (819 ns to receive a datagram either way);
        // joined in pairs they take 559 ns. A network card joins what comes in a burst.
        let gro = syscall::join_datagrams(inner.as_fd(), true).is_ok();
        let (recv_buffer, send_buffer) = (inner.recv_buffer_size()?, inner.send_buffer_size()?);
        tracing::debug!(%local, gso, gro, recv_buffer, send_buffer, "media socket bound");
        Ok(Self {
            inner,
            local,
            any,
            gso,
            received: 0,
            truncated: 0,
            overflow: Overflow::default(),
            total: SendReport::default(),
            messages: 0,
            waker: Waker::new()?,
            inbox: Inbox::default(),
            outbox: Vec::new(),
        })
    }

    /// Where it is bound, with the port that the system chose.
    pub fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// A handle that ends [`UdpSocket::wait`] from another thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Sleeps until a datagram waits, [`Waker::wake`] was called since the last `wait`, or the time is over (`None`: never).
    /// It may also return early for no reason. Tells whether a datagram waits.
    ///
    /// # Errors
    /// The descriptors are broken; nothing that a peer does leads here.
    pub fn wait(&self, timeout: Option<Duration>) -> io::Result<bool> {
        let [readable, woken] = syscall::poll_readable([self.inner.as_fd(), self.waker.as_fd()], timeout)?;
        if woken {
            self.waker.reset();
        }
        Ok(readable)
    }

    /// Hands over the datagrams that wait, up to `limit` and what one system call more may bring, in the order of their arrival,
    /// and tells how many there were (dropped ones too). Fewer than `limit` means that no more waited. Each is given with when it
    /// came, which may have been long before we had time for it.
    ///
    /// # Errors
    /// The socket is broken; nothing that a peer does leads here.
    pub fn recv(&mut self, limit: usize, mut f: impl FnMut(Path, Instant, &mut [u8])) -> io::Result<usize> {
        let mut total = 0;
        while total < limit {
            let count = match self.inbox.receive(self.inner.as_fd()) {
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                // Answers to what we sent earlier (ICMP), and signals. They say nothing of the next datagram.
                Err(error) if is_about_a_peer(&error) || error.kind() == io::ErrorKind::Interrupted => {
                    total += 1;
                    continue;
                }
                Err(error) => return Err(error),
            };
            let clocks = Clocks::read();
            if let Some(counter) = self.inbox.overflow(count) {
                self.overflow.saw(clocks.now, counter);
            }
            for message in self.inbox.received(count) {
                let datagrams = message.count();
                total += datagrams;
                self.received += datagrams as u64;
                let (remote, local, cut) = (message.remote, message.local.filter(|_| self.any), message.truncated);
                let came = clocks.arrival(message.came);
                let Some(remote) = remote.filter(|_| !cut) else {
                    self.truncated += datagrams as u64;
                    continue;
                };
                for datagram in message.datagrams() {
                    if datagram.len() <= LONGEST {
                        f(Path { remote, local }, came, datagram);
                    } else {
                        self.truncated += 1;
                    }
                }
            }
            if count < syscall::INBOX {
                break;
            }
        }
        Ok(total)
    }

    /// Bytes that wait to be received, with the kernel's own about them.
    pub fn waiting(&self) -> u64 {
        syscall::waiting(self.inner.as_fd())
    }

    /// What went through so far.
    pub fn counters(&self) -> Counters {
        let (received, truncated, overflowed) = (self.received, self.truncated, self.overflow.total());
        Counters { received, truncated, overflowed, out: self.total, messages: self.messages }
    }

    /// Tells of a burst of losses that is over, or has lasted long. To be called now and then, also while nothing comes.
    pub fn tell_overflow(&mut self, now: Instant) {
        if let Some(burst) = self.overflow.poll(now) {
            tracing::warn!(
                lost = burst.lost,
                total = self.overflow.total(),
                within = ?burst.to.saturating_duration_since(burst.from),
                buffer = ?self.inner.recv_buffer_size().ok(),
                "packets were lost: the socket's receive buffer was full"
            );
        }
    }

    /// Sends a batch. What can't be sent is dropped and counted: media that is late is worth nothing, and its peers repair it as
    /// any loss. A destination that fails doesn't hold up the others.
    pub fn send(&mut self, batch: &Batch) -> SendReport {
        let mut report = SendReport::default();
        let mut outbox = std::mem::take(&mut self.outbox);
        for run in batch.runs() {
            let message = Outgoing::new(run.path, run.range.clone(), run.segment);
            if self.gso { outbox.push(message) } else { outbox.extend(message.singles()) }
        }
        self.messages += outbox.len() as u64;
        self.send_messages(batch, &outbox, &mut Patience::default(), &mut report);
        outbox.clear();
        self.outbox = outbox;
        if report.wouldblock > 0 && self.total.wouldblock == 0 {
            tracing::warn!(buffer = ?self.inner.send_buffer_size().ok(), "the socket's buffer is full; what doesn't fit is lost (told once)");
        }
        self.total.sent += report.sent;
        self.total.dropped += report.dropped;
        self.total.wouldblock += report.wouldblock;
        report
    }

    fn send_messages(
        &mut self,
        batch: &Batch,
        mut rest: &[Outgoing],
        patience: &mut Patience,
        report: &mut SendReport,
    ) {
        let mut refused = false;
        while let Some(first) = rest.first() {
            let error = match syscall::send(self.inner.as_fd(), batch, rest) {
                Ok(count) => {
                    // Never zero, but if it were, this must not go round for ever.
                    let (done, left) = rest.split_at(count.clamp(1, rest.len()));
                    report.sent += datagrams(done);
                    rest = left;
                    refused = false;
                    continue;
                }
                Err(error) => error,
            };
            match error.raw_os_error() {
                Some(libc::EINTR) => continue,
                Some(libc::EAGAIN) => {
                    if !patience.wait(self.inner.as_fd()) {
                        report.wouldblock += datagrams(rest);
                        return;
                    }
                    continue;
                }
                // Says that an earlier datagram to somebody bounced; this one hasn't been tried.
                Some(libc::ECONNREFUSED) if !refused => {
                    refused = true;
                    continue;
                }
                // EIO: the device can't segment. EINVAL: a segment is longer than this path takes in one piece, which the kernel
                // would cut if it came alone; that says nothing of other paths.
                Some(code @ (libc::EIO | libc::EINVAL)) if first.datagrams() > 1 => {
                    if code == libc::EIO && self.gso {
                        self.gso = false;
                        tracing::info!("this network device can't segment UDP; sending datagrams one by one");
                    }
                    let singles: Vec<Outgoing> = first.singles().collect();
                    self.send_messages(batch, &singles, patience, report);
                }
                _ => {
                    if self.total.dropped == 0 && report.dropped == 0 {
                        tracing::warn!(%error, "a datagram can't be sent (told once)");
                    }
                    report.dropped += first.datagrams() as u64;
                }
            }
            refused = false;
            rest = rest.get(1..).unwrap_or_default();
        }
    }
}

impl Drop for UdpSocket {
    /// Tells what went through: where packets are missing, this says whether they were lost here.
    fn drop(&mut self) {
        let Counters { received, truncated, overflowed, out: SendReport { sent, dropped, wouldblock }, messages } =
            self.counters();
        tracing::info!(local = %self.local, received, truncated, overflowed, sent, messages, dropped, wouldblock, "media socket closed");
    }
}

fn datagrams(messages: &[Outgoing]) -> u64 {
    messages.iter().map(|message| message.datagrams() as u64).sum()
}

/// Whether an error on the socket is the echo of a datagram to one peer.
fn is_about_a_peer(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown, NetworkUnreachable, PermissionDenied,
    };
    matches!(
        error.kind(),
        ConnectionRefused | ConnectionReset | HostUnreachable | NetworkDown | NetworkUnreachable | PermissionDenied
    )
}

/// How much longer a batch may wait for room.
#[derive(Default)]
struct Patience {
    until: Option<Instant>,
}

impl Patience {
    /// Waits until there may be room; false if that took too long.
    fn wait(&mut self, socket: std::os::fd::BorrowedFd<'_>) -> bool {
        let now = Instant::now();
        let until = *self.until.get_or_insert_with(|| now + SEND_PATIENCE);
        let left = until.saturating_duration_since(now);
        !left.is_zero() && syscall::poll_writable(socket, left).is_ok()
    }
}

#[cfg(test)]
mod tests;
