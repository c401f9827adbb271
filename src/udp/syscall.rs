//! The system calls of the media socket that the standard library doesn't have: the only unsafe code of the server. Each
//! wrapper is safe to call with anything; the pointers that it hands to the kernel live no longer than the call.

use super::Outgoing;
use super::message::{Address, Control, Received, UDP_GRO, UDP_SEGMENT};
use ramai_sfu::Batch;
use socket2::Socket;
use std::array;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

/// Messages that one system call takes in, each a datagram, or several that the kernel joined. 32 are measured to be enough to
/// hide the call's own cost.
pub const INBOX: usize = 32;
/// Messages that one system call sends.
const OUTBOX: usize = 64;
/// Room for one message: the most that the kernel joins, of which only what is used takes memory; and a little more, so that the
/// beginnings of all, where single datagrams lie, don't contend for the same lines of the CPU's cache.
const MESSAGE: usize = 65_536 + 1_280;

/// Room for one system call's messages.
#[derive(Debug)]
pub struct Inbox {
    /// [`INBOX`] times [`MESSAGE`] bytes.
    bytes: Vec<u8>,
    from: Box<[Address; INBOX]>,
    controls: Box<[Control; INBOX]>,
    lens: [usize; INBOX],
    truncated: [bool; INBOX],
}

impl Default for Inbox {
    fn default() -> Self {
        Self {
            bytes: vec![0; MESSAGE * INBOX],
            from: Box::new([Address::EMPTY; INBOX]),
            controls: Box::new([Control::EMPTY; INBOX]),
            lens: [0; INBOX],
            truncated: [false; INBOX],
        }
    }
}

impl Inbox {
    /// Takes in what waits, up to [`INBOX`] messages, and tells how many they are: at least one.
    ///
    /// # Errors
    /// As `recvmmsg(2)`; `WouldBlock` if none waits.
    pub fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        let mut iovecs = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; INBOX];
        for (iovec, bytes) in iovecs.iter_mut().zip(self.bytes.chunks_exact_mut(MESSAGE)) {
            *iovec = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
        }
        let mut headers: [libc::mmsghdr; INBOX] = array::from_fn(|i| {
            // SAFETY: mmsghdr is plain data; all zeros are null pointers and zero lengths.
            let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
            // `i` is below the length of every array here, all being INBOX long.
            let (from, control) = (&mut self.from[i], &mut self.controls[i]);
            header.msg_hdr.msg_name = from.bytes.as_mut_ptr().cast();
            header.msg_hdr.msg_namelen = from.bytes.len() as libc::socklen_t;
            header.msg_hdr.msg_iov = &raw mut iovecs[i];
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.bytes.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = control.bytes.len() as _;
            header
        });
        // SAFETY: the descriptor is open as long as it is borrowed. `headers` holds INBOX initialised headers; every pointer in
        // them leads to memory of the length beside it, in `iovecs` or in boxes of `self`, which is borrowed mutably and not
        // touched otherwise until the call returns. The kernel writes within these lengths and keeps no pointer.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                INBOX as _,
                libc::MSG_DONTWAIT as _,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
        for (i, header) in headers.iter().enumerate().take(count) {
            self.from[i].len = header.msg_hdr.msg_namelen.min(self.from[i].bytes.len() as u32);
            #[allow(clippy::unnecessary_cast)] // It is 32 bits wide with musl.
            let control = header.msg_hdr.msg_controllen as usize;
            self.controls[i].len = control.min(self.controls[i].bytes.len());
            self.lens[i] = (header.msg_len as usize).min(MESSAGE);
            self.truncated[i] = header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0;
        }
        Ok(count)
    }

    /// The kernel's count of lost datagrams, as the last of the first `count` messages tells it: it only grows.
    pub fn overflow(&self, count: usize) -> Option<u32> {
        self.controls.get(count.checked_sub(1)?)?.overflow()
    }

    /// The first `count` messages of the last [`Inbox::receive`].
    pub fn received(&mut self, count: usize) -> impl Iterator<Item = Received<'_>> {
        let rest = self.from.iter().zip(self.controls.iter()).zip(self.lens.iter().zip(self.truncated.iter()));
        self.bytes.chunks_exact_mut(MESSAGE).zip(rest).take(count).map(
            |(bytes, ((from, control), (len, truncated)))| Received {
                remote: from.get(),
                local: control.local(),
                came: control.came(),
                payload: bytes.get_mut(..*len).unwrap_or_default(),
                segment: control.segment(),
                truncated: *truncated,
            },
        )
    }
}

/// Sends the first messages, up to 64, of a batch, and tells how many the kernel took: at least one.
///
/// # Errors
/// As `sendmmsg(2)`, and about the first message.
pub fn send(socket: BorrowedFd<'_>, batch: &Batch, messages: &[Outgoing]) -> io::Result<usize> {
    let messages = messages.get(..OUTBOX).unwrap_or(messages);
    let mut iovecs = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; OUTBOX];
    // SAFETY: an array of mmsghdr is plain data; all zeros are null pointers and zero lengths.
    let mut headers: [libc::mmsghdr; OUTBOX] = unsafe { mem::zeroed() };
    for ((message, iovec), header) in messages.iter().zip(&mut iovecs).zip(&mut headers) {
        let bytes = batch.bytes(message.range.clone());
        iovec.iov_base = bytes.as_ptr().cast_mut().cast();
        iovec.iov_len = bytes.len();
        let header = &mut header.msg_hdr;
        header.msg_name = message.to.bytes.as_ptr().cast_mut().cast();
        header.msg_namelen = message.to.len;
        header.msg_iov = iovec;
        header.msg_iovlen = 1;
        if message.control.len > 0 {
            header.msg_control = message.control.bytes.as_ptr().cast_mut().cast();
            header.msg_controllen = message.control.len as _;
        }
    }
    // SAFETY: the descriptor is open as long as it is borrowed. The first `messages.len()` headers are filled, at most OUTBOX of
    // them; their pointers lead to `iovecs`, `batch` and `messages`, which outlive the call, with the lengths beside them. The
    // kernel only reads what they point to (the casts to *mut are the C signature's), writes `msg_len` of the headers, which
    // are ours alone, and keeps no pointer.
    let count = unsafe {
        libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), messages.len() as _, libc::MSG_DONTWAIT as _)
    };
    usize::try_from(count).map_err(|_| io::Error::last_os_error())
}

/// Waits until one of two descriptors can be read, and tells which. A signal ends it early with neither.
///
/// # Errors
/// As `ppoll(2)`.
pub fn poll_readable(fds: [BorrowedFd<'_>; 2], timeout: Option<Duration>) -> io::Result<[bool; 2]> {
    let mut polled = fds.map(|fd| libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLIN, revents: 0 });
    poll(&mut polled, timeout)?;
    Ok(polled.map(|fd| fd.revents != 0))
}

/// Waits until a descriptor can be written to, or the time is over.
///
/// # Errors
/// As `ppoll(2)`.
pub fn poll_writable(fd: BorrowedFd<'_>, timeout: Duration) -> io::Result<()> {
    poll(&mut [libc::pollfd { fd: fd.as_raw_fd(), events: libc::POLLOUT, revents: 0 }], Some(timeout))
}

/// `ppoll` and not `poll`: the pacer's deadlines are finer than a millisecond.
fn poll(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<()> {
    let timeout = timeout.map(|timeout| libc::timespec {
        tv_sec: libc::time_t::try_from(timeout.as_secs()).unwrap_or(libc::time_t::MAX),
        // Below 10⁹, which every c_long holds.
        tv_nsec: timeout.subsec_nanos() as _,
    });
    let timeout = timeout.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: `fds` is a slice of initialised pollfd, borrowed mutably, with its own length; `timeout` is null or leads to the
    // local above, which outlives the call; a null signal mask leaves the mask as it is.
    let result = unsafe { libc::ppoll(fds.as_mut_ptr(), fds.len() as _, timeout, ptr::null()) };
    if result >= 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        error => Err(error),
    }
}

/// A non-blocking eventfd at zero.
///
/// # Errors
/// The system gives no more descriptors.
pub fn event() -> io::Result<OwnedFd> {
    // SAFETY: takes no pointer.
    let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call just gave us this descriptor, open, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Asks the kernel to tell with each datagram to which address it came.
///
/// # Errors
/// As `setsockopt(2)`.
pub fn report_local_address(socket: BorrowedFd<'_>, v6: bool) -> io::Result<()> {
    if v6 {
        set(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        set(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

/// Asks the kernel to tell with each datagram how many it dropped before for want of room.
///
/// # Errors
/// As `setsockopt(2)`.
pub fn report_overflow(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)
}

/// Asks the kernel to tell with each datagram when it came.
///
/// # Errors
/// As `setsockopt(2)`.
pub fn report_time(socket: BorrowedFd<'_>) -> io::Result<()> {
    set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
}

/// Asks the kernel to join equally long datagrams of one sender (GRO, Linux 5.0), or not to: they pass through it as one, and we
/// take them with one message.
///
/// # Errors
/// As `setsockopt(2)`.
pub fn join_datagrams(socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    set(socket, libc::SOL_UDP, UDP_GRO, on.into())
}

/// Bytes that wait to be received, with the kernel's own about them; zero where it doesn't tell (before Linux 4.12).
pub fn waiting(socket: BorrowedFd<'_>) -> u64 {
    // SK_MEMINFO_RMEM_ALLOC is the first of the array.
    let mut info = [0u32; 16];
    let mut len = size_of_val(&info) as libc::socklen_t;
    // SAFETY: the descriptor is open as long as it is borrowed; the pointers lead to locals, the first with its length in the
    // second. The kernel writes within that length during the call, and keeps no pointer.
    let result = unsafe {
        libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO, info.as_mut_ptr().cast(), &raw mut len)
    };
    if result < 0 { 0 } else { info[0].into() }
}

/// Whether the kernel knows UDP segmentation (Linux 4.18). Zero is its default for the socket, so asking changes nothing.
pub fn supports_gso(socket: BorrowedFd<'_>) -> bool {
    set(socket, libc::SOL_UDP, UDP_SEGMENT, 0).is_ok()
}

/// Asks for buffers of this many bytes each way: past the system's limits where we are allowed to, else up to them.
pub fn grow_buffers(socket: &Socket, bytes: usize) {
    let wanted = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    // Smaller buffers lose more in bursts, and that is all: no reason not to start.
    if set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, wanted).is_err() {
        let _ = socket.set_recv_buffer_size(bytes);
    }
    if set(socket.as_fd(), libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, wanted).is_err() {
        let _ = socket.set_send_buffer_size(bytes);
    }
}

fn set(socket: BorrowedFd<'_>, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let len = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the pointer leads to a local c_int, whose length goes with it; the kernel only reads it, during the call.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const value).cast(), len) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
