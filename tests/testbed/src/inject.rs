//! A stranger on the network: sends any VRRP packet it is told to, over IPv4 with any source address.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddrV4, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};

use crate::Host;

const VRRP: u8 = 112;
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// Raw sockets in a host; over IPv4 the header is ours to write.
pub struct Injector {
    v4: Socket,
    v6: Socket,
}

impl Injector {
    /// Opens the socket in `host`.
    #[track_caller]
    pub fn open(host: &Host) -> Self {
        let open = || {
            let v4 = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))?;
            v4.set_header_included_v4(true)?;
            let v6 = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::from(i32::from(VRRP))))?;
            for socket in [&v4, &v6] {
                socket.bind_device(Some(b"eth0"))?;
            }
            std::io::Result::Ok(Self { v4, v6 })
        };
        host.inside(open).unwrap_or_else(|e| panic!("raw sockets: {e}"))
    }

    /// Sends a whole IPv4 packet as it is to where it says. The kernel fills in the checksum.
    #[track_caller]
    pub fn send_packet(&self, packet: &[u8]) {
        let destination = packet.get(16..).and_then(|rest| rest.first_chunk::<4>());
        let destination = destination.unwrap_or_else(|| panic!("no IPv4 packet: {packet:?}"));
        let sent = self.v4.send_to(packet, &SocketAddrV4::new((*destination).into(), 0).into());
        sent.unwrap_or_else(|e| panic!("raw send of {} bytes: {e}", packet.len()));
    }

    /// Sends `payload` to the VRRP group. The kernel fills in the header's length and checksum.
    #[track_caller]
    pub fn send(&self, source: Ipv4Addr, ttl: u8, payload: &[u8]) {
        let mut packet = vec![0x45, 0xc0, 0, 0, 0, 1, 0, 0, ttl, VRRP, 0, 0];
        packet.extend(source.octets());
        packet.extend(GROUP.octets());
        packet.extend(payload);
        let sent = self.v4.send_to(&packet, &SocketAddrV4::new(GROUP, 0).into());
        sent.unwrap_or_else(|e| panic!("raw send of {} bytes: {e}", packet.len()));
    }

    /// Sends `payload` to the IPv6 VRRP group, from the host's link-local address.
    #[track_caller]
    pub fn send_v6(&self, hop_limit: u8, payload: &[u8]) {
        let sent = self
            .v6
            .set_multicast_hops_v6(hop_limit.into())
            .and_then(|()| self.v6.send_to(payload, &SocketAddrV6::new(GROUP_V6, 0, 0, 0).into()));
        sent.unwrap_or_else(|e| panic!("raw IPv6 send of {} bytes: {e}", payload.len()));
    }
}

/// A correct version 2 advert, 1 s interval. `password` makes it authentication type 1.
pub fn v2_advert(vrid: u8, priority: u8, vips: &[Ipv4Addr], password: Option<&str>) -> Vec<u8> {
    let vips = vips.iter().map(Ipv4Addr::octets).collect::<Vec<_>>();
    let mut advert = header(0x21, vrid, priority, &vips, [u8::from(password.is_some()), 1]);
    let mut word = [0; 8];
    for (to, from) in word.iter_mut().zip(password.unwrap_or_default().bytes()) {
        *to = from;
    }
    advert.extend(word);
    with_checksum(advert, 0)
}

/// A correct version 3 advert over IPv4 from `source`; the interval is in centiseconds.
pub fn v3_advert(
    source: Ipv4Addr,
    vrid: u8,
    priority: u8,
    vips: &[Ipv4Addr],
    interval: u16,
) -> Vec<u8> {
    let vips = vips.iter().map(Ipv4Addr::octets).collect::<Vec<_>>();
    let advert = header(0x31, vrid, priority, &vips, interval.to_be_bytes());
    let addresses = sum(&source.octets()) + sum(&GROUP.octets());
    with_checksum(advert, addresses)
}

/// A correct version 3 advert over IPv6 from `source`; the interval is in centiseconds.
pub fn v3_advert_v6(
    source: Ipv6Addr,
    vrid: u8,
    priority: u8,
    vips: &[Ipv6Addr],
    interval: u16,
) -> Vec<u8> {
    let vips = vips.iter().map(Ipv6Addr::octets).collect::<Vec<_>>();
    let advert = header(0x31, vrid, priority, &vips, interval.to_be_bytes());
    checksum_v6(source, advert)
}

/// `advert` with the checksum it must have over IPv6 from `source`, whatever else is wrong with it.
pub fn checksum_v6(source: Ipv6Addr, mut advert: Vec<u8>) -> Vec<u8> {
    if let Some(field) = advert.get_mut(6..8) {
        field.fill(0);
    }
    let addresses = sum(&source.octets()) + sum(&GROUP_V6.octets());
    with_checksum(advert, addresses)
}

fn header<const N: usize>(
    kind: u8,
    vrid: u8,
    priority: u8,
    vips: &[[u8; N]],
    middle: [u8; 2],
) -> Vec<u8> {
    let count = u8::try_from(vips.len()).unwrap_or(u8::MAX);
    let mut advert = vec![kind, vrid, priority, count, middle[0], middle[1], 0, 0];
    advert.extend(vips.iter().flatten());
    advert
}

/// Fills in the checksum over the advert and, unless `addresses` is 0, a pseudo header with these.
fn with_checksum(mut advert: Vec<u8>, addresses: u32) -> Vec<u8> {
    let mut total = sum(&advert);
    if addresses != 0 {
        total += addresses + u32::from(VRRP) + u32::try_from(advert.len()).unwrap_or(0);
    }
    while total > 0xffff {
        total = (total & 0xffff) + (total >> 16);
    }
    let checksum = !u16::try_from(total).unwrap_or(0);
    advert.splice(6..8, checksum.to_be_bytes());
    advert
}

/// The sum of the 16-bit words, not folded.
fn sum(bytes: &[u8]) -> u32 {
    bytes.chunks(2).map(|w| u32::from(w[0]) << 8 | u32::from(w.get(1).copied().unwrap_or(0))).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adverts_equal_those_of_the_c_daemon() {
        let vips = [Ipv4Addr::new(10, 9, 0, 100), Ipv4Addr::new(10, 9, 0, 101)];
        let v2 = v2_advert(0x33, 150, &vips, Some("secret12"));
        assert_eq!(v2[..8], [0x21, 0x33, 0x96, 2, 1, 1, 0xc5, 0x6f]);
        let v3 = v3_advert(Ipv4Addr::new(10, 9, 0, 1), 0x34, 150, &vips[..1], 25);
        assert_eq!(v3[..8], [0x31, 0x34, 0x96, 1, 0, 25, 0x43, 0xab]);
    }
}
