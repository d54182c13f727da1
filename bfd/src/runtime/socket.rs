//! Sockets: one for what comes to a port, one for what each session sends (RFC 5881 section 4).

use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, RawFd};

use config::Random;
use nix::sys::socket::{
    ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, setsockopt, sockopt,
};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::packet::LENGTH;
use crate::settings::InstanceSettings;
use crate::table::Arrival;

/// Port of sessions over one hop (RFC 5881 section 4).
pub(super) const PORT: u16 = 3784;
/// Port of sessions over several hops (RFC 5883 section 5).
pub(super) const MULTIHOP_PORT: u16 = 4784;

/// Ports that packets come from (RFC 5881 section 4).
const SOURCES: RangeInclusive<u16> = 49_152..=65_535;
/// With fewer of them the system's choice of ports is not looked at.
const FEWEST: usize = 1024;

/// What is asked for as receive buffer, in bytes: a second of some hundred fast sessions.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Beginning of a datagram that is kept: no length field can name more.
const KEPT: usize = 256;

/// Where datagrams are read to.
pub(super) struct Buffer {
    pub bytes: [u8; KEPT],
    /// TTL, hop limit and packet information of both families, with room to spare.
    control: [u8; 256],
}

impl Default for Buffer {
    fn default() -> Self {
        Buffer { bytes: [0; KEPT], control: [0; 256] }
    }
}

/// Where packets of all neighbours arrive.
pub(super) struct Receiver {
    socket: Socket,
    multihop: bool,
}

impl Receiver {
    /// Listens to both families, or to IPv4 where there is no IPv6.
    pub fn open(multihop: bool) -> io::Result<Receiver> {
        let port = if multihop { MULTIHOP_PORT } else { PORT };
        let any = (Ipv6Addr::UNSPECIFIED, Ipv4Addr::UNSPECIFIED);
        let socket = match listen(SocketAddr::from((any.0, port))) {
            Err(error)
                if matches!(error.raw_os_error(), Some(nix::libc::EAFNOSUPPORT))
                    || error.kind() == ErrorKind::AddrNotAvailable =>
            {
                listen(SocketAddr::from((any.1, port)))?
            }
            result => result?,
        };
        Ok(Receiver { socket, multihop })
    }

    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Takes the next datagram: its size, how much of it is in the buffer, and how it came. `None`
    /// inside: it cannot have come from a neighbour.
    ///
    /// # Errors
    /// `WouldBlock` when there is none.
    pub fn receive(&self, buffer: &mut Buffer) -> io::Result<(usize, usize, Option<Arrival>)> {
        let mut bytes = [IoSliceMut::new(&mut buffer.bytes)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_TRUNC;
        let got =
            recvmsg::<SockaddrStorage>(self.fd(), &mut bytes, Some(&mut buffer.control), flags)?;
        let (mut destination, mut ttl) = (None, None);
        for message in got.cmsgs().into_iter().flatten() {
            match message {
                ControlMessageOwned::Ipv4Ttl(limit) | ControlMessageOwned::Ipv6HopLimit(limit) => {
                    ttl = u8::try_from(limit).ok();
                }
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    destination = Some(IpAddr::V6(address).to_canonical());
                }
                ControlMessageOwned::Ipv4PacketInfo(info) => {
                    let address = Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr));
                    destination = Some(IpAddr::V4(address));
                }
                _ => {}
            }
        }
        let source = got.address.and_then(|address| {
            let four = address.as_sockaddr_in().map(|a| SocketAddr::from((a.ip(), a.port())));
            let six = address
                .as_sockaddr_in6()
                .map(|a| SocketAddr::from((IpAddr::V6(a.ip()).to_canonical(), a.port())));
            four.or(six)
        });
        let arrival =
            source.map(|source| Arrival { source, destination, ttl, multihop: self.multihop });
        Ok((got.bytes, got.bytes.min(KEPT), arrival))
    }
}

fn listen(address: SocketAddr) -> io::Result<Socket> {
    let socket = open(address.ip())?;
    if address.is_ipv6() {
        socket.set_only_v6(false)?;
        setsockopt(&socket, sockopt::Ipv6RecvHopLimit, &true)?;
        setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    } else {
        setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
    }
    // Packets of IPv4 come with the options of IPv4, also to a socket of IPv6.
    setsockopt(&socket, sockopt::Ipv4RecvTtl, &true)?;
    // Without the privilege the default has to do.
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).is_err() {
        let _ = socket.set_recv_buffer_size(RECEIVE_BUFFER);
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

/// What a session sends with.
pub(super) struct Sender {
    socket: Socket,
    neighbor: SockAddr,
}

impl Sender {
    /// Opens it at a source port that no other socket has.
    pub fn open(settings: &InstanceSettings, random: &mut Random) -> io::Result<Sender> {
        let socket = open(settings.neighbor)?;
        let ttl = u32::from(settings.ttl);
        match settings.neighbor {
            IpAddr::V4(_) => socket.set_ttl_v4(ttl)?,
            IpAddr::V6(_) => socket.set_unicast_hops_v6(ttl)?,
        }
        // Nobody is to send to it.
        socket.set_recv_buffer_size(0)?;
        let any = match settings.neighbor {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        bind(&socket, settings.source.unwrap_or(any), random)?;
        Ok(Sender { socket, neighbor: neighbor(settings) })
    }

    /// The neighbour's address or port has changed.
    pub fn follow(&mut self, settings: &InstanceSettings) {
        self.neighbor = neighbor(settings);
    }

    pub fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Sends one packet, without waiting.
    pub fn send(&self, packet: &[u8; LENGTH]) -> io::Result<()> {
        self.socket.send_to(packet, &self.neighbor).map(|_| ())
    }
}

fn neighbor(settings: &InstanceSettings) -> SockAddr {
    let port = if settings.multihop { MULTIHOP_PORT } else { PORT };
    SocketAddr::from((settings.neighbor, port)).into()
}

/// Non-blocking, closed on exec.
fn open(family: IpAddr) -> io::Result<Socket> {
    let domain = if family.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// A port picked at random, or the next that is free.
fn bind(socket: &Socket, source: IpAddr, random: &mut Random) -> io::Result<()> {
    let system = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let ports = ports(system.as_deref().unwrap_or_default());
    let (first, last) = (*ports.start(), *ports.end());
    let picked = random.between(first.into(), last.into());
    let picked = u16::try_from(picked).unwrap_or(first);
    for port in (picked..=last).chain(first..picked) {
        match socket.bind(&SocketAddr::from((source, port)).into()) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => {}
            result => return result,
        }
    }
    Err(ErrorKind::AddrInUse.into())
}

/// Ports to send from, where `system` is the kernel's choice.
fn ports(system: &str) -> RangeInclusive<u16> {
    let mut numbers = system.split_whitespace().map(str::parse::<u16>);
    let (Some(Ok(low)), Some(Ok(high))) = (numbers.next(), numbers.next()) else { return SOURCES };
    let both = low.max(*SOURCES.start())..=high.min(*SOURCES.end());
    if both.len() < FEWEST { SOURCES } else { both }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn source_ports_are_those_of_the_standard_and_the_system_if_there_are_enough() {
        assert_eq!(ports("32768\t60999\n"), 49_152..=60_999);
        assert_eq!(ports("1024 65535"), SOURCES);
        assert_eq!(ports("32768 50000"), SOURCES);
        assert_eq!(ports("50000 51023"), 50_000..=51_023);
        assert_eq!(ports("1024 2048"), SOURCES);
        assert_eq!(ports(""), SOURCES);
    }

    #[test]
    fn two_senders_have_two_ports() {
        let mut settings = InstanceSettings::new("B", Ipv4Addr::LOCALHOST.into());
        settings.source = Some(Ipv4Addr::LOCALHOST.into());
        let open = || Sender::open(&settings, &mut Random::seeded(1)).unwrap();
        let (first, second) = (open(), open());
        let port =
            |sender: &Sender| sender.socket.local_addr().unwrap().as_socket().unwrap().port();
        assert_ne!(port(&first), port(&second));
        assert!([&first, &second].into_iter().all(|sender| SOURCES.contains(&port(sender))));
    }

    #[test]
    fn a_source_that_is_not_here_is_an_error() {
        let mut settings = InstanceSettings::new("B", Ipv4Addr::LOCALHOST.into());
        settings.source = Some(Ipv4Addr::new(192, 0, 2, 1).into());
        let error = Sender::open(&settings, &mut Random::seeded(1)).map(|_| ()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    }
}
