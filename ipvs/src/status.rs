//! What the kernel says about its table. A reply that lacks something gives what it has.

use std::net::IpAddr;

use netlink::codec::{Attribute, Attributes, Message};
use netlink::generic;

use crate::daemon::Timeouts;
use crate::service::{Checksum, Destination, Family, Forwarding, Protocol, ServiceKey, Tunnel};
use crate::wire::{PERSISTENT, dest, service, top};

/// `IP_VS_SVC_F_HASHED`: the kernel's own business.
const HASHED: u32 = 0x2;
/// The part of a destination's forwarding word that is the method (`IP_VS_CONN_F_FWD_MASK`).
const METHOD: u32 = 0x7;

/// Counters and rates of a service or a destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Connections scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub packets_in: u64,
    /// Packets to clients.
    pub packets_out: u64,
    /// Bytes from clients.
    pub bytes_in: u64,
    /// Bytes to clients.
    pub bytes_out: u64,
    /// Connections per second.
    pub connection_rate: u64,
    /// Packets from clients per second.
    pub packet_rate_in: u64,
    /// Packets to clients per second.
    pub packet_rate_out: u64,
    /// Bytes from clients per second.
    pub byte_rate_in: u64,
    /// Bytes to clients per second.
    pub byte_rate_out: u64,
}

impl Statistics {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Statistics) {
        let Statistics {
            connections,
            packets_in,
            packets_out,
            bytes_in,
            bytes_out,
            connection_rate,
            packet_rate_in,
            packet_rate_out,
            byte_rate_in,
            byte_rate_out,
        } = other;
        for (sum, counted) in [
            (&mut self.connections, connections),
            (&mut self.packets_in, packets_in),
            (&mut self.packets_out, packets_out),
            (&mut self.bytes_in, bytes_in),
            (&mut self.bytes_out, bytes_out),
            (&mut self.connection_rate, connection_rate),
            (&mut self.packet_rate_in, packet_rate_in),
            (&mut self.packet_rate_out, packet_rate_out),
            (&mut self.byte_rate_in, byte_rate_in),
            (&mut self.byte_rate_out, byte_rate_out),
        ] {
            *sum = sum.wrapping_add(*counted);
        }
    }
}

/// A service as the kernel has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceStatus {
    /// What it is known by.
    pub key: ServiceKey,
    /// Scheduler.
    pub scheduler: String,
    /// As in [`Service`](crate::Service), without persistence.
    pub flags: u32,
    /// Persistence in seconds; 0: none.
    pub persistence: u32,
    /// IPv4 mask in host order or IPv6 prefix length; `None`: every client by itself.
    pub granularity: Option<u32>,
    /// Persistence engine.
    pub engine: Option<String>,
    /// Its counters.
    pub statistics: Statistics,
}

/// A destination as the kernel has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DestinationStatus {
    /// What it is.
    pub destination: Destination,
    /// Open connections.
    pub active: u32,
    /// Connections that are being closed.
    pub inactive: u32,
    /// Templates of persistent connections.
    pub persistent: u32,
    /// Its counters.
    pub statistics: Statistics,
}

impl ServiceStatus {
    /// Reads a message about a service; `None` when it does not say which.
    pub(crate) fn decode(message: &Message<'_>) -> Option<ServiceStatus> {
        let nest = attributes(message).find_kind(top::SERVICE)?.nested();
        let find = |kind| nest.clone().find_kind(kind);
        let word = |kind| find(kind).and_then(|a| a.u32());
        let family = family(find(service::AF)?.u16()?)?;
        let key = match word(service::FWMARK) {
            Some(mark) if mark != 0 => ServiceKey::Mark(mark, family),
            _ => {
                let address = address(find(service::ADDR)?, family)?;
                let protocol = protocol(find(service::PROTOCOL)?.u16()?)?;
                ServiceKey::Address(protocol, address, port(find(service::PORT)?)?)
            }
        };
        let flags = word(service::FLAGS).unwrap_or(0);
        let persistence = word(service::TIMEOUT).filter(|_| flags & PERSISTENT != 0).unwrap_or(0);
        let mask = word(service::NETMASK).map(|mask| match family {
            Family::Inet => u32::from_be(mask),
            Family::Inet6 => mask,
        });
        let everything = if family == Family::Inet { u32::MAX } else { 128 };
        let text = |kind| find(kind).map(|a| a.text());
        Some(ServiceStatus {
            key,
            scheduler: text(service::SCHED_NAME).unwrap_or_default(),
            flags: flags & !PERSISTENT & !HASHED,
            persistence,
            granularity: mask.filter(|mask| *mask != everything),
            engine: text(service::PE_NAME),
            statistics: statistics(find(service::STATS64), find(service::STATS)),
        })
    }
}

impl DestinationStatus {
    /// Reads a message about a destination of a service of `family`; `None` when it does not say
    /// which.
    pub(crate) fn decode(message: &Message<'_>, family: Family) -> Option<DestinationStatus> {
        let nest = attributes(message).find_kind(top::DEST)?.nested();
        let find = |kind| nest.clone().find_kind(kind);
        let word = |kind| find(kind).and_then(|a| a.u32()).unwrap_or(0);
        // Kernels before 3.18 do not say it: destinations were of their service's family.
        let own = find(dest::ADDR_FAMILY).and_then(|a| a.u16());
        let family = own.map_or(Some(family), self::family)?;
        let destination = Destination {
            address: address(find(dest::ADDR)?, family)?,
            port: port(find(dest::PORT)?)?,
            forwarding: forwarding(
                word(dest::FWD_METHOD),
                find(dest::TUN_TYPE).and_then(|a| a.u8()).unwrap_or(0),
                find(dest::TUN_PORT).and_then(port).unwrap_or(0),
                find(dest::TUN_FLAGS).and_then(|a| a.u16()).unwrap_or(0),
            ),
            weight: word(dest::WEIGHT),
            upper_threshold: word(dest::U_THRESH),
            lower_threshold: word(dest::L_THRESH),
        };
        Some(DestinationStatus {
            destination,
            active: word(dest::ACTIVE_CONNS),
            inactive: word(dest::INACT_CONNS),
            persistent: word(dest::PERSIST_CONNS),
            statistics: statistics(find(dest::STATS64), find(dest::STATS)),
        })
    }
}

/// Reads the answer about the timeouts.
pub(crate) fn timeouts(message: &Message<'_>) -> Option<Timeouts> {
    let find = |kind| attributes(message).find_kind(kind).and_then(|a| a.u32());
    Some(Timeouts {
        tcp: find(top::TIMEOUT_TCP)?,
        tcp_fin: find(top::TIMEOUT_TCP_FIN)?,
        udp: find(top::TIMEOUT_UDP)?,
    })
}

fn attributes<'a>(message: &Message<'a>) -> Attributes<'a> {
    Attributes::after(message.payload, generic::HEADER)
}

fn family(number: u16) -> Option<Family> {
    match i32::from(number) {
        libc::AF_INET => Some(Family::Inet),
        libc::AF_INET6 => Some(Family::Inet6),
        _ => None,
    }
}

fn protocol(number: u16) -> Option<Protocol> {
    match i32::from(number) {
        libc::IPPROTO_TCP => Some(Protocol::Tcp),
        libc::IPPROTO_UDP => Some(Protocol::Udp),
        libc::IPPROTO_SCTP => Some(Protocol::Sctp),
        _ => None,
    }
}

fn address(attribute: Attribute<'_>, family: Family) -> Option<IpAddr> {
    attribute.ip(match family {
        Family::Inet => libc::AF_INET as u8,
        Family::Inet6 => libc::AF_INET6 as u8,
    })
}

fn port(attribute: Attribute<'_>) -> Option<u16> {
    attribute.u16().map(u16::from_be)
}

fn forwarding(method: u32, tunnel: u8, port: u16, flags: u16) -> Forwarding {
    match method & METHOD {
        2 => {
            let checksum = match flags {
                1 => Checksum::Full,
                2 => Checksum::Remote,
                _ => Checksum::None,
            };
            let tunnel = match tunnel {
                1 => Tunnel::Gue(port),
                2 => Tunnel::Gre,
                _ => Tunnel::Ipip,
            };
            Forwarding::Tunnel(tunnel, checksum)
        }
        3 => Forwarding::Direct,
        _ => Forwarding::Nat,
    }
}

/// The numbers of either nest; the one with 64 bits throughout, which kernels before 4.1 lack,
/// is the better one.
fn statistics(wide: Option<Attribute<'_>>, narrow: Option<Attribute<'_>>) -> Statistics {
    let mut found = Statistics::default();
    let Some(nest) = wide.or(narrow) else { return found };
    for attribute in nest.nested() {
        let field = match attribute.kind {
            1 => &mut found.connections,
            2 => &mut found.packets_in,
            3 => &mut found.packets_out,
            4 => &mut found.bytes_in,
            5 => &mut found.bytes_out,
            6 => &mut found.connection_rate,
            7 => &mut found.packet_rate_in,
            8 => &mut found.packet_rate_out,
            9 => &mut found.byte_rate_in,
            10 => &mut found.byte_rate_out,
            _ => continue,
        };
        // Some of the narrow nest are 64 bits wide too.
        *field = match attribute.value {
            [a, b, c, d, e, f, g, h, ..] => u64::from_ne_bytes([*a, *b, *c, *d, *e, *f, *g, *h]),
            _ => attribute.u32().unwrap_or(0).into(),
        };
    }
    found
}

#[cfg(test)]
mod tests;
