//! Services and destinations as the kernel knows them (spec ipvs §2).

use std::net::IpAddr;
use std::rc::Rc;

/// Address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

impl Family {
    /// The family of `address`.
    pub fn of(address: IpAddr) -> Family {
        if address.is_ipv6() { Family::Inet6 } else { Family::Inet }
    }
}

/// Transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// `tcp`, `udp` or `sctp`.
    pub fn word(self) -> &'static str {
        match self {
            Protocol::Tcp => "tcp",
            Protocol::Udp => "udp",
            Protocol::Sctp => "sctp",
        }
    }
}

/// What tells one service from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ServiceKey {
    /// Protocol, address and port; port 0 is every port.
    Address(Protocol, IpAddr, u16),
    /// A firewall mark of one family.
    Mark(u32, Family),
}

impl ServiceKey {
    /// Its address family.
    pub fn family(self) -> Family {
        match self {
            ServiceKey::Address(_, address, _) => Family::of(address),
            ServiceKey::Mark(_, family) => family,
        }
    }
}

/// A virtual service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What it is known by.
    pub key: ServiceKey,
    /// Scheduler.
    pub scheduler: &'static str,
    /// 0x4 one-packet, 0x8, 0x10, 0x20 the scheduler's; persistence is added by itself.
    pub flags: u32,
    /// Persistence in seconds; 0: none.
    pub persistence: u32,
    /// IPv4 mask in host order or IPv6 prefix length; `None`: every client by itself.
    pub granularity: Option<u32>,
    /// Persistence engine; only sent for persistent services.
    pub engine: Option<Rc<str>>,
}

/// How packets reach a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Forwarding {
    /// Addresses are rewritten.
    #[default]
    Nat,
    /// Sent to the real server's link address.
    Direct,
    /// Sent inside another packet.
    Tunnel(Tunnel, Checksum),
}

/// Kind of tunnel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Tunnel {
    /// IP in IP.
    #[default]
    Ipip,
    /// Generic UDP encapsulation, to this port.
    Gue(u16),
    /// GRE.
    Gre,
}

/// Checksum of a tunnel's outer packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Checksum {
    /// `nocsum`.
    #[default]
    None,
    /// `csum`.
    Full,
    /// `remcsum`.
    Remote,
}

/// A real server of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destination {
    /// Address.
    pub address: IpAddr,
    /// Port.
    pub port: u16,
    /// How packets reach it.
    pub forwarding: Forwarding,
    /// Weight, 0 to 2147483647.
    pub weight: u32,
    /// Most connections; 0: any number.
    pub upper_threshold: u32,
    /// Connections below which new ones are accepted again.
    pub lower_threshold: u32,
}
