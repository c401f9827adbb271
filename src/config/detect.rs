//! Which addresses of this machine to announce for media, when nobody says.

use if_addrs::IfAddr;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// The addresses at which a socket bound to `bound` can be reached: that address alone, or, if it stands for all, those of every
/// interface that is up, the default route's first. Loopback counts only where there is nothing else.
///
/// # Errors
/// The interfaces can't be listed, or none has an address of that family.
pub fn node_ips(bound: IpAddr) -> io::Result<Vec<IpAddr>> {
    if !bound.is_unspecified() {
        return Ok(vec![bound]);
    }
    let up: Vec<IpAddr> = if_addrs::get_if_addrs()?
        .into_iter()
        .filter(|interface| interface.is_oper_up())
        .map(|interface| match interface.addr {
            IfAddr::V4(v4) => IpAddr::V4(v4.ip),
            IfAddr::V6(v6) => IpAddr::V6(v6.ip),
        })
        .collect();
    let addresses = order(up, bound, default_route(bound));
    if addresses.is_empty() {
        let family = if bound.is_ipv4() { "IPv4" } else { "IPv6" };
        let message = format!("no interface that is up has an {family} address to announce; set `node_ip`");
        return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, message));
    }
    Ok(addresses)
}

/// Picks those of the family of `bound` that others can reach, `first` first.
fn order(up: Vec<IpAddr>, bound: IpAddr, first: Option<IpAddr>) -> Vec<IpAddr> {
    let family: Vec<IpAddr> =
        up.into_iter().filter(|ip| ip.is_ipv4() == bound.is_ipv4() && !is_link_local(*ip)).collect();
    let mut chosen: Vec<IpAddr> = family.iter().copied().filter(|ip| !ip.is_loopback()).collect();
    if chosen.is_empty() {
        chosen = family;
    }
    chosen.sort_by_key(|ip| Some(*ip) != first);
    chosen.dedup();
    chosen
}

/// Link-local addresses mean nothing without the interface they belong to.
fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    }
}

/// The source address that the kernel would take towards the internet. Connecting a UDP socket only looks up the route;
/// nothing is sent. The destinations are reserved for documentation (RFC 5737, RFC 3849).
fn default_route(bound: IpAddr) -> Option<IpAddr> {
    let anywhere: IpAddr = match bound {
        IpAddr::V4(_) => Ipv4Addr::new(203, 0, 113, 1).into(),
        IpAddr::V6(_) => Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into(),
    };
    let socket = UdpSocket::bind((bound, 0)).ok()?;
    socket.connect((anywhere, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_bound_to_is_the_one_announced() {
        assert_eq!(node_ips([127, 0, 0, 1].into()).unwrap(), ips(&["127.0.0.1"]));
    }

    #[test]
    fn the_default_route_comes_first_and_unreachable_addresses_not_at_all() {
        let up = ips(&["127.0.0.1", "172.17.0.1", "169.254.3.4", "192.0.2.7", "fd00::2", "fe80::1"]);
        let any4 = [0, 0, 0, 0].into();
        assert_eq!(order(up.clone(), any4, Some([192, 0, 2, 7].into())), ips(&["192.0.2.7", "172.17.0.1"]));
        assert_eq!(order(up, Ipv6Addr::UNSPECIFIED.into(), None), ips(&["fd00::2"]));
    }

    #[test]
    fn a_machine_without_network_announces_loopback() {
        assert_eq!(order(ips(&["127.0.0.1", "::1"]), [0, 0, 0, 0].into(), None), ips(&["127.0.0.1"]));
    }
}
