//! Receiving in batches with the kernel's time of arrival, so that our own queue doesn't count as the server's latency.

use nix::errno::Errno;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, MultiHeaders, recvmmsg, setsockopt, sockopt};
use nix::sys::time::TimeSpec;
use socket_options::{BUFFER, DATAGRAM, RUN};
use std::io::IoSliceMut;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// Datagrams of one call.
pub const BATCH: usize = 32;

mod socket_options {
    /// Larger than any datagram that we get without UDP GRO.
    pub const DATAGRAM: usize = 2048;
    /// Larger than any run of datagrams that the kernel hands over as one with UDP GRO.
    pub const RUN: usize = 65_536;
    /// Receive buffer that we ask for: 20 ms of sleep must not cost packets.
    pub const BUFFER: usize = 4 << 20;
}

/// A non-blocking socket for one participant, with the kernel's timestamps on.
///
/// UDP GRO stays off unless asked for: with it the kernel hands over the server's segmented sends unsegmented on loopback, which
/// spares the server work that a network card without that offload would leave it.
///
/// # Errors
/// If there are no more sockets.
pub fn open(any: std::net::SocketAddr, gro: bool) -> std::io::Result<UdpSocket> {
    let socket = UdpSocket::bind(any)?;
    socket.set_nonblocking(true)?;
    setsockopt(&socket, sockopt::ReceiveTimestampns, &true)?;
    if gro {
        setsockopt(&socket, sockopt::UdpGroSegment, &true)?;
    }
    // The forced form needs a privilege; without it, as much as the system allows.
    if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &BUFFER)?;
    }
    Ok(socket)
}

/// The buffers of one engine.
pub struct Receiver {
    headers: MultiHeaders<()>,
    bytes: Vec<u8>,
    /// Bytes for each message.
    room: usize,
}

fn headers() -> MultiHeaders<()> {
    MultiHeaders::preallocate(BATCH, Some(nix::cmsg_space!(TimeSpec, i32)))
}

impl Receiver {
    /// For sockets opened with the same `gro`.
    pub fn new(gro: bool) -> Self {
        let room = if gro { RUN } else { DATAGRAM };
        Self { headers: headers(), bytes: vec![0; BATCH * room], room }
    }

    /// Receives what is there, up to a batch of messages, and passes each datagram with its arrival in nanoseconds of wall-clock time (or
    /// `now` where the kernel has none). Returns how many messages there were.
    ///
    /// # Errors
    /// What the socket reports, for example that the server's port is closed.
    pub fn receive(
        &mut self,
        socket: &UdpSocket,
        now: u64,
        mut each: impl FnMut(u64, &mut [u8]),
    ) -> Result<usize, Errno> {
        let mut arrived = [(0usize, 0u64, 0usize); BATCH];
        let (mut count, mut singles) = (0, false);
        {
            let mut chunks = self.bytes.chunks_mut(self.room);
            let mut slices: [[IoSliceMut<'_>; 1]; BATCH] =
                std::array::from_fn(|_| [IoSliceMut::new(chunks.next().unwrap_or_default())]);
            let results =
                recvmmsg(socket.as_raw_fd(), &mut self.headers, slices.iter_mut(), MsgFlags::MSG_DONTWAIT, None);
            let results = match results {
                Err(Errno::EAGAIN) => return Ok(0),
                other => other?,
            };
            for (message, place) in results.zip(&mut arrived) {
                let (mut stamp, mut segment) = (now, None);
                for control in message.cmsgs().ok().into_iter().flatten() {
                    match control {
                        ControlMessageOwned::ScmTimestampns(at) => {
                            stamp = at.tv_sec() as u64 * 1_000_000_000 + at.tv_nsec() as u64;
                        }
                        ControlMessageOwned::UdpGroSegments(size) => segment = Some(size as usize),
                        _ => {}
                    }
                }
                singles |= segment.is_none();
                *place = (message.bytes, stamp, segment.unwrap_or(message.bytes).max(1));
                count += 1;
            }
        }
        if singles && self.room == RUN {
            // A message without a segment size leaves its header with no room for that of the next.
            self.headers = headers();
        }
        for ((len, at, segment), chunk) in arrived.iter().take(count).zip(self.bytes.chunks_mut(self.room)) {
            for datagram in chunk.get_mut(..*len).unwrap_or_default().chunks_mut(*segment) {
                each(*at, datagram);
            }
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn a_batch_comes_whole_in_order_and_with_its_times() {
        let any = ([127, 0, 0, 1], 0).into();
        let (a, b) = (open(any, false).unwrap(), UdpSocket::bind(any).unwrap());
        b.connect(a.local_addr().unwrap()).unwrap();
        let mut receiver = Receiver::new(false);
        assert_eq!(receiver.receive(&a, 7, |_, _| panic!("nothing was sent")), Ok(0));
        for n in 0..50u8 {
            b.send(&vec![n; usize::from(n) + 1]).unwrap();
        }
        let mut got = Vec::new();
        let mut times = Vec::new();
        for expected in [32, 18, 0] {
            let count = receiver.receive(&a, 7, |at, datagram| {
                got.push((datagram.len(), datagram[0]));
                times.push(at);
            });
            assert_eq!(count, Ok(expected));
        }
        assert_eq!(got, (0..50u8).map(|n| (usize::from(n) + 1, n)).collect::<Vec<_>>());
        // Wall clocks are set back now and then, so times needn't ascend.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as u64;
        assert!(times.iter().all(|at| at.abs_diff(now) < 60_000_000_000), "{now}: {times:?}");
    }

    #[test]
    fn a_run_that_comes_as_one_message_is_cut_again() {
        let any = ([127, 0, 0, 1], 0).into();
        let (a, b) = (open(any, true).unwrap(), UdpSocket::bind(any).unwrap());
        b.connect(a.local_addr().unwrap()).unwrap();
        let mut receiver = Receiver::new(true);
        b.send(&[9; 60]).unwrap();
        assert_eq!(receiver.receive(&a, 7, |_, datagram| assert_eq!(datagram.len(), 60)), Ok(1));
        setsockopt(&b, sockopt::UdpGsoSegment, &100).unwrap();
        for _ in 0..2 {
            b.send(&(0..250).collect::<Vec<u8>>()).unwrap();
            let mut got = Vec::new();
            assert_eq!(receiver.receive(&a, 7, |_, datagram| got.push((datagram.len(), datagram[0]))), Ok(1));
            assert_eq!(got, [(100, 0), (100, 100), (50, 200)]);
        }
    }
}
