//! Socket addresses and control messages as the kernel lays them out in memory (`ip(7)`, `ipv6(7)`, `cmsg(3)`), written and read
//! byte by byte: no pointers, so nothing here is unsafe.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

/// The longer of `sockaddr_in` and `sockaddr_in6`.
const ADDRESS: usize = 28;
/// `sockaddr_in`.
const ADDRESS_V4: usize = 16;
/// `cmsg_len`, `cmsg_level`, `cmsg_type`.
const HEADER: usize = size_of::<usize>() + 8;
/// Room for an `in6_pktinfo` (20 bytes), a time (16 bytes), a segment length (4 bytes) and a drop count (4 bytes), each with its
/// header, padded.
const CONTROL: usize = padded(HEADER + 20) + padded(HEADER + 16) + 2 * padded(HEADER + 4);
/// The payload of `UDP_SEGMENT`, from Linux' `uapi/linux/udp.h`.
pub const UDP_SEGMENT: libc::c_int = 103;
/// `UDP_GRO`, likewise.
pub const UDP_GRO: libc::c_int = 104;

const _: () = assert!(HEADER == size_of::<libc::cmsghdr>());
const _: () = assert!(ADDRESS == size_of::<libc::sockaddr_in6>() && ADDRESS_V4 == size_of::<libc::sockaddr_in>());

/// Control messages start at multiples of the word.
const fn padded(len: usize) -> usize {
    len.next_multiple_of(size_of::<usize>())
}

/// A `sockaddr_in` or `sockaddr_in6`.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub struct Address {
    pub(super) bytes: [u8; ADDRESS],
    pub(super) len: u32,
}

impl Address {
    /// Room to receive one.
    pub const EMPTY: Self = Self { bytes: [0; ADDRESS], len: ADDRESS as u32 };

    /// The kernel's form of an address.
    pub fn new(address: SocketAddr) -> Self {
        let mut bytes = [0; ADDRESS];
        bytes[2..4].copy_from_slice(&address.port().to_be_bytes());
        let (family, len) = match address {
            SocketAddr::V4(v4) => {
                bytes[4..8].copy_from_slice(&v4.ip().octets());
                (libc::AF_INET, ADDRESS_V4)
            }
            SocketAddr::V6(v6) => {
                bytes[4..8].copy_from_slice(&v6.flowinfo().to_be_bytes());
                bytes[8..24].copy_from_slice(&v6.ip().octets());
                bytes[24..28].copy_from_slice(&v6.scope_id().to_ne_bytes());
                (libc::AF_INET6, ADDRESS)
            }
        };
        bytes[..2].copy_from_slice(&(family as libc::sa_family_t).to_ne_bytes());
        Self { bytes, len: len as u32 }
    }

    /// The address behind the kernel's form. The flow label is left out: it isn't part of who somebody is.
    pub fn get(&self) -> Option<SocketAddr> {
        let bytes = self.bytes.get(..self.len as usize)?;
        let family = libc::sa_family_t::from_ne_bytes(take(bytes, 0)?);
        let port = u16::from_be_bytes(take(bytes, 2)?);
        match i32::from(family) {
            libc::AF_INET => Some(SocketAddrV4::new(Ipv4Addr::from(take::<4>(bytes, 4)?), port).into()),
            libc::AF_INET6 => {
                let ip = Ipv6Addr::from(take::<16>(bytes, 8)?);
                Some(SocketAddrV6::new(ip, port, 0, u32::from_ne_bytes(take(bytes, 24)?)).into())
            }
            _ => None,
        }
    }
}

/// Control messages beside a datagram.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(8))]
pub struct Control {
    pub(super) bytes: [u8; CONTROL],
    pub(super) len: usize,
}

impl Control {
    /// Room to receive them.
    pub const EMPTY: Self = Self { bytes: [0; CONTROL], len: CONTROL };

    /// What goes with a message: the address that it shall leave from, and the length of its datagrams if there are several.
    pub fn for_sending(from: Option<IpAddr>, segment: Option<u16>) -> Self {
        let mut control = Self { bytes: [0; CONTROL], len: 0 };
        match from {
            // in_pktinfo: interface (0: any), source address, destination (only for receiving).
            Some(IpAddr::V4(ip)) => {
                let mut info = [0; 12];
                info[4..8].copy_from_slice(&ip.octets());
                control.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &info);
            }
            // in6_pktinfo: source address, interface (0: any).
            Some(IpAddr::V6(ip)) => {
                let mut info = [0; 20];
                info[..16].copy_from_slice(&ip.octets());
                control.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info);
            }
            None => {}
        }
        if let Some(segment) = segment {
            control.push(libc::SOL_UDP, UDP_SEGMENT, &segment.to_ne_bytes());
        }
        control
    }

    fn push(&mut self, level: libc::c_int, kind: libc::c_int, data: &[u8]) {
        let Some(room) = self.bytes.get_mut(self.len..self.len + padded(HEADER + data.len())) else { return };
        let word = size_of::<usize>();
        room[..word].copy_from_slice(&(HEADER + data.len()).to_ne_bytes());
        room[word..word + 4].copy_from_slice(&level.to_ne_bytes());
        room[word + 4..HEADER].copy_from_slice(&kind.to_ne_bytes());
        room[HEADER..HEADER + data.len()].copy_from_slice(data);
        self.len += padded(HEADER + data.len());
    }

    /// The address of ours that a datagram came to.
    pub fn local(&self) -> Option<IpAddr> {
        self.find(|level, kind, data| match (level, kind) {
            // The second field, not the third: the third is a group's address for multicast, the second always ours.
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => Some(Ipv4Addr::from(take::<4>(data, 4)?).into()),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => Some(Ipv6Addr::from(take::<16>(data, 0)?).into()),
            _ => None,
        })
    }

    /// How many datagrams the socket had lost for want of room when this one came, modulo 2³². The kernel doesn't say zero.
    pub fn overflow(&self) -> Option<u32> {
        self.find(|level, kind, data| match (level, kind) {
            (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => Some(u32::from_ne_bytes(take(data, 0)?)),
            _ => None,
        })
    }

    /// When the kernel took it from the network, by the system's clock (`timespec`, since 1970).
    pub fn came(&self) -> Option<Duration> {
        self.find(|level, kind, data| match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => timespec(data),
            _ => None,
        })
    }

    /// The length of each datagram but the last, where the kernel joined several.
    pub fn segment(&self) -> Option<usize> {
        let segment = self.find(|level, kind, data| match (level, kind) {
            (libc::SOL_UDP, UDP_GRO) => Some(libc::c_int::from_ne_bytes(take(data, 0)?)),
            _ => None,
        })?;
        usize::try_from(segment).ok().filter(|segment| *segment > 0)
    }

    /// The first message that `read` can make something of.
    fn find<T>(&self, read: impl Fn(libc::c_int, libc::c_int, &[u8]) -> Option<T>) -> Option<T> {
        let mut rest = self.bytes.get(..self.len)?;
        while rest.len() >= HEADER {
            let word = size_of::<usize>();
            let len = usize::from_ne_bytes(take(rest, 0)?);
            let level = libc::c_int::from_ne_bytes(take(rest, word)?);
            let kind = libc::c_int::from_ne_bytes(take(rest, word + 4)?);
            let found = read(level, kind, rest.get(HEADER..len)?);
            if found.is_some() {
                return found;
            }
            rest = rest.get(padded(len)..).unwrap_or_default();
        }
        None
    }
}

/// One datagram that came in, or several of one sender that the kernel joined.
pub struct Received<'a> {
    /// From whom, if that is an internet address.
    pub remote: Option<SocketAddr>,
    /// To which of our addresses, if the kernel was asked to tell.
    pub local: Option<IpAddr>,
    /// When, by the system's clock, if the kernel tells.
    pub came: Option<Duration>,
    /// The bytes, of all that are joined.
    pub payload: &'a mut [u8],
    /// Length of each datagram but the last, if several are joined.
    pub segment: Option<usize>,
    /// There was more than the buffer holds.
    pub truncated: bool,
}

impl<'a> Received<'a> {
    /// How many datagrams these are.
    pub fn count(&self) -> usize {
        self.segment.map_or(1, |segment| self.payload.len().div_ceil(segment).max(1))
    }

    /// Each datagram, oldest first. Empty ones come alone.
    pub fn datagrams(self) -> impl Iterator<Item = &'a mut [u8]> {
        let alone = self.segment.is_none() || self.payload.is_empty();
        let (first, rest) = if alone { (Some(self.payload), Default::default()) } else { (None, self.payload) };
        first.into_iter().chain(rest.chunks_mut(self.segment.unwrap_or(1)))
    }
}

/// A time in seconds and nanoseconds, each as wide as a word.
fn timespec(data: &[u8]) -> Option<Duration> {
    let word = size_of::<usize>();
    let [seconds, nanos] = [0, word].map(|at| take(data, at).map(isize::from_ne_bytes));
    let nanos = u32::try_from(nanos?).ok().filter(|nanos| *nanos < 1_000_000_000)?;
    Some(Duration::new(seconds?.try_into().ok()?, nanos))
}

fn take<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_the_way_to_the_kernel_and_back() {
        for text in ["192.0.2.1:7882", "[2001:db8::1]:65535", "[fe80::1%3]:1"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(Address::new(address).get(), Some(address));
        }
        assert_eq!(Address::EMPTY.get(), None);
    }

    #[test]
    fn the_source_address_is_found_beside_other_control_messages() {
        for ip in ["192.0.2.1", "2001:db8::1"].map(|ip| ip.parse::<IpAddr>().unwrap()) {
            assert_eq!(Control::for_sending(Some(ip), Some(1200)).local(), Some(ip));
            let mut later = Control::for_sending(None, Some(1200));
            match ip {
                IpAddr::V4(_) => later.push(libc::IPPROTO_IP, libc::IP_PKTINFO, &[0; 12]),
                IpAddr::V6(_) => later.push(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &[0; 20]),
            }
            assert!(later.local().is_some());
            let mut later = Control::for_sending(None, None);
            later.push(libc::SOL_SOCKET, libc::SO_RXQ_OVFL, &7u32.to_ne_bytes());
            assert_eq!((later.local(), later.overflow()), (None, Some(7)));
        }
        assert_eq!(Control::for_sending(None, None).len, 0);
    }

    #[test]
    fn a_time_is_read_in_whole_nanoseconds_and_a_senseless_one_is_none() {
        let came = |seconds: isize, nanos: isize| {
            let mut control = Control::for_sending(None, None);
            control.push(
                libc::SOL_SOCKET,
                libc::SCM_TIMESTAMPNS,
                &[seconds.to_ne_bytes(), nanos.to_ne_bytes()].concat(),
            );
            control.came()
        };
        assert_eq!(came(1_800_000_000, 999_999_999), Some(Duration::new(1_800_000_000, 999_999_999)));
        assert_eq!([came(-1, 0), came(1, -1), came(1, 1_000_000_000)], [None; 3]);
    }

    #[test]
    fn a_control_message_with_a_senseless_length_is_no_address() {
        let mut control = Control::for_sending(Some([192, 0, 2, 1].into()), None);
        for len in [0usize, 1, HEADER, HEADER + 7, usize::MAX, usize::MAX - 7] {
            control.bytes[..size_of::<usize>()].copy_from_slice(&len.to_ne_bytes());
            assert_eq!((control.local(), control.overflow()), (None, None), "{len}");
        }
    }
}
