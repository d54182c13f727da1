//! The bytes of requests (spec ipvs §2). Numbers are in the machine's byte order, ports and masks
//! of IPv4 in the network's.

use std::net::IpAddr;

use netlink::codec::{TooLong, Writer};
use netlink::generic::Family as Netlink;

use crate::batch::Change;
use crate::daemon::{Daemon, DaemonState, Timeouts};
use crate::service::{
    Checksum, Destination, Family, Forwarding, Protocol, Service, ServiceKey, Tunnel,
};

/// Name and version of the generic netlink family.
pub(crate) const FAMILY: (&str, u8) = ("IPVS", 1);

/// `IPVS_CMD_*` of linux/ip_vs.h.
pub(crate) mod command {
    pub(crate) const NEW_SERVICE: u8 = 1;
    pub(crate) const SET_SERVICE: u8 = 2;
    pub(crate) const DEL_SERVICE: u8 = 3;
    pub(crate) const GET_SERVICE: u8 = 4;
    pub(crate) const NEW_DEST: u8 = 5;
    pub(crate) const SET_DEST: u8 = 6;
    pub(crate) const DEL_DEST: u8 = 7;
    pub(crate) const GET_DEST: u8 = 8;
    pub(crate) const NEW_DAEMON: u8 = 9;
    pub(crate) const DEL_DAEMON: u8 = 10;
    pub(crate) const SET_CONFIG: u8 = 12;
    pub(crate) const GET_CONFIG: u8 = 13;
    pub(crate) const GET_INFO: u8 = 15;
    pub(crate) const FLUSH: u8 = 17;
}

/// `IPVS_CMD_ATTR_*`.
pub(crate) mod top {
    pub(crate) const SERVICE: u16 = 1;
    pub(crate) const DEST: u16 = 2;
    pub(crate) const DAEMON: u16 = 3;
    pub(crate) const TIMEOUT_TCP: u16 = 4;
    pub(crate) const TIMEOUT_TCP_FIN: u16 = 5;
    pub(crate) const TIMEOUT_UDP: u16 = 6;
}

/// `IPVS_SVC_ATTR_*`.
pub(crate) mod service {
    pub(crate) const AF: u16 = 1;
    pub(crate) const PROTOCOL: u16 = 2;
    pub(crate) const ADDR: u16 = 3;
    pub(crate) const PORT: u16 = 4;
    pub(crate) const FWMARK: u16 = 5;
    pub(crate) const SCHED_NAME: u16 = 6;
    pub(crate) const FLAGS: u16 = 7;
    pub(crate) const TIMEOUT: u16 = 8;
    pub(crate) const NETMASK: u16 = 9;
    pub(crate) const STATS: u16 = 10;
    pub(crate) const PE_NAME: u16 = 11;
    pub(crate) const STATS64: u16 = 12;
}

/// `IPVS_DEST_ATTR_*`.
pub(crate) mod dest {
    pub(crate) const ADDR: u16 = 1;
    pub(crate) const PORT: u16 = 2;
    pub(crate) const FWD_METHOD: u16 = 3;
    pub(crate) const WEIGHT: u16 = 4;
    pub(crate) const U_THRESH: u16 = 5;
    pub(crate) const L_THRESH: u16 = 6;
    pub(crate) const ACTIVE_CONNS: u16 = 7;
    pub(crate) const INACT_CONNS: u16 = 8;
    pub(crate) const PERSIST_CONNS: u16 = 9;
    pub(crate) const STATS: u16 = 10;
    pub(crate) const ADDR_FAMILY: u16 = 11;
    pub(crate) const STATS64: u16 = 12;
    pub(crate) const TUN_TYPE: u16 = 13;
    pub(crate) const TUN_PORT: u16 = 14;
    pub(crate) const TUN_FLAGS: u16 = 15;
}

/// `IPVS_DAEMON_ATTR_*`.
pub(crate) mod daemon {
    pub(crate) const STATE: u16 = 1;
    pub(crate) const MCAST_IFN: u16 = 2;
    pub(crate) const SYNC_ID: u16 = 3;
    pub(crate) const SYNC_MAXLEN: u16 = 4;
    pub(crate) const MCAST_GROUP: u16 = 5;
    pub(crate) const MCAST_GROUP6: u16 = 6;
    pub(crate) const MCAST_PORT: u16 = 7;
    pub(crate) const MCAST_TTL: u16 = 8;
}

/// `IP_VS_SVC_F_PERSISTENT`.
pub(crate) const PERSISTENT: u32 = 0x1;

/// Appends the request that makes a change. Sequence number and acknowledgement are up to whoever
/// sends it.
pub(crate) fn write(writer: &mut Writer, family: Netlink, change: &Change) -> Result<(), TooLong> {
    let command = match change {
        Change::AddService(_) => command::NEW_SERVICE,
        Change::SetService(_) => command::SET_SERVICE,
        Change::DeleteService(_) => command::DEL_SERVICE,
        Change::Flush => command::FLUSH,
        Change::AddDestination(..) => command::NEW_DEST,
        Change::SetDestination(..) => command::SET_DEST,
        Change::DeleteDestination(..) => command::DEL_DEST,
        Change::StartDaemon(_) => command::NEW_DAEMON,
        Change::StopDaemon(..) => command::DEL_DAEMON,
        Change::SetTimeouts(_) => command::SET_CONFIG,
    };
    family.message(writer, command, libc::NLM_F_REQUEST as u16, 0, |w| match change {
        Change::AddService(s) | Change::SetService(s) | Change::DeleteService(s) => {
            write_service(w, s);
        }
        Change::Flush => {}
        Change::AddDestination(s, d)
        | Change::SetDestination(s, d)
        | Change::DeleteDestination(s, d) => {
            write_service_of_destination(w, s);
            w.nest(top::DEST, |w| write_destination(w, d));
        }
        Change::StartDaemon(d) => w.nest(top::DAEMON, |w| write_daemon(w, d)),
        Change::StopDaemon(state, id) => w.nest(top::DAEMON, |w| {
            w.u32(daemon::STATE, daemon_state(*state));
            w.u32(daemon::SYNC_ID, (*id).into());
        }),
        Change::SetTimeouts(t) => write_timeouts(w, t),
    })
}

pub(crate) fn write_service(w: &mut Writer, s: &Service) {
    let persistent = s.persistence > 0;
    w.nest(top::SERVICE, |w| {
        write_key(w, s.key);
        w.text(service::SCHED_NAME, s.scheduler);
        if let Some(engine) = s.engine.as_deref()
            && persistent
        {
            w.text(service::PE_NAME, engine);
        }
        write_flags(w, s.flags | if persistent { PERSISTENT } else { 0 });
        w.u32(service::TIMEOUT, s.persistence);
        write_mask(w, s.key.family(), s.granularity);
    });
}

/// The service a destination request is about: persistence is left out, as the kernel only looks
/// at the key.
pub(crate) fn write_service_of_destination(w: &mut Writer, s: &Service) {
    w.nest(top::SERVICE, |w| {
        write_key(w, s.key);
        w.text(service::SCHED_NAME, s.scheduler);
        write_flags(w, s.flags & !PERSISTENT);
        w.u32(service::TIMEOUT, 0);
        write_mask(w, s.key.family(), None);
    });
}

fn write_key(w: &mut Writer, key: ServiceKey) {
    w.attribute(service::AF, &family_number(key.family()).to_ne_bytes());
    match key {
        ServiceKey::Address(protocol, address, port) => {
            w.attribute(service::PROTOCOL, &protocol_number(protocol).to_ne_bytes());
            w.attribute(service::ADDR, &padded(address));
            w.attribute(service::PORT, &port.to_be_bytes());
        }
        ServiceKey::Mark(mark, _) => w.u32(service::FWMARK, mark),
    }
}

fn write_flags(w: &mut Writer, flags: u32) {
    let [a, b, c, d] = flags.to_ne_bytes();
    w.attribute(service::FLAGS, &[a, b, c, d, 0xff, 0xff, 0xff, 0xff]);
}

fn write_mask(w: &mut Writer, family: Family, granularity: Option<u32>) {
    let mask = match family {
        Family::Inet => granularity.unwrap_or(u32::MAX).to_be_bytes(),
        Family::Inet6 => granularity.unwrap_or(128).to_ne_bytes(),
    };
    w.attribute(service::NETMASK, &mask);
}

fn write_destination(w: &mut Writer, d: &Destination) {
    w.attribute(dest::ADDR_FAMILY, &family_number(Family::of(d.address)).to_ne_bytes());
    w.attribute(dest::ADDR, &padded(d.address));
    w.attribute(dest::PORT, &d.port.to_be_bytes());
    w.u32(dest::FWD_METHOD, method_number(d.forwarding));
    w.u32(dest::WEIGHT, d.weight);
    if let Forwarding::Tunnel(tunnel, checksum) = d.forwarding {
        let (kind, port) = match tunnel {
            Tunnel::Ipip => (0, None),
            Tunnel::Gue(port) => (1, Some(port)),
            Tunnel::Gre => (2, None),
        };
        w.u8(dest::TUN_TYPE, kind);
        if let Some(port) = port {
            w.attribute(dest::TUN_PORT, &port.to_be_bytes());
        }
        if tunnel != Tunnel::Ipip {
            let flags: u16 = match checksum {
                Checksum::None => 0,
                Checksum::Full => 1,
                Checksum::Remote => 2,
            };
            w.attribute(dest::TUN_FLAGS, &flags.to_ne_bytes());
        }
    }
    w.u32(dest::U_THRESH, d.upper_threshold);
    w.u32(dest::L_THRESH, d.lower_threshold);
}

fn write_daemon(w: &mut Writer, d: &Daemon) {
    w.u32(daemon::STATE, daemon_state(d.state));
    w.text(daemon::MCAST_IFN, &d.interface);
    w.u32(daemon::SYNC_ID, d.id.into());
    if let Some(length) = d.max_length {
        w.attribute(daemon::SYNC_MAXLEN, &length.to_ne_bytes());
    }
    if let Some(port) = d.port {
        w.attribute(daemon::MCAST_PORT, &port.to_ne_bytes());
    }
    if let Some(ttl) = d.ttl {
        w.u8(daemon::MCAST_TTL, ttl);
    }
    match d.group {
        Some(group @ IpAddr::V6(_)) => w.ip(daemon::MCAST_GROUP6, group),
        Some(group @ IpAddr::V4(_)) => w.ip(daemon::MCAST_GROUP, group),
        None => {}
    }
}

fn write_timeouts(w: &mut Writer, t: &Timeouts) {
    w.u32(top::TIMEOUT_TCP, t.tcp);
    w.u32(top::TIMEOUT_TCP_FIN, t.tcp_fin);
    w.u32(top::TIMEOUT_UDP, t.udp);
}

/// Sixteen bytes, IPv4 in the first four.
fn padded(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        }
        IpAddr::V6(ip) => ip.octets(),
    }
}

fn family_number(family: Family) -> u16 {
    match family {
        Family::Inet => libc::AF_INET as u16,
        Family::Inet6 => libc::AF_INET6 as u16,
    }
}

pub(crate) fn protocol_number(protocol: Protocol) -> u16 {
    match protocol {
        Protocol::Tcp => libc::IPPROTO_TCP as u16,
        Protocol::Udp => libc::IPPROTO_UDP as u16,
        Protocol::Sctp => libc::IPPROTO_SCTP as u16,
    }
}

pub(crate) fn method_number(forwarding: Forwarding) -> u32 {
    match forwarding {
        Forwarding::Nat => 0,
        Forwarding::Tunnel(..) => 2,
        Forwarding::Direct => 3,
    }
}

fn daemon_state(state: DaemonState) -> u32 {
    match state {
        DaemonState::Master => 1,
        DaemonState::Backup => 2,
    }
}

#[cfg(test)]
mod tests;
