//! Routes somebody wants (`struct rtmsg` and its attributes, linux/rtnetlink.h).

use std::net::IpAddr;

use crate::codec::{TooLong, Writer};

/// The route protocol that marks routes and rules as this daemon's (shown as `proto keepalived`).
pub const ROUTE_PROTOCOL_KEEPALIVED: u8 = 18;

/// Attributes of routes and next hops (`RTA_*`).
mod attribute {
    pub const DST: u16 = 1;
    pub const SRC: u16 = 2;
    pub const OIF: u16 = 4;
    pub const GATEWAY: u16 = 5;
    pub const PRIORITY: u16 = 6;
    pub const PREFSRC: u16 = 7;
    pub const METRICS: u16 = 8;
    pub const MULTIPATH: u16 = 9;
    pub const FLOW: u16 = 11;
    pub const TABLE: u16 = 15;
    pub const PREF: u16 = 20;
    pub const ENCAP_TYPE: u16 = 21;
    pub const ENCAP: u16 = 22;
    pub const EXPIRES: u16 = 23;
    pub const TTL_PROPAGATE: u16 = 26;
}

/// `RTAX_LOCK`: a bit for each metric that is locked.
const LOCK: u16 = 1;
/// `RTAX_CC_ALGO`.
const CONGESTION: u16 = 16;
/// `RTNH_F_ONLINK`.
const ONLINK: u8 = 4;

/// How the kernel is asked to insert a route where there is one to the same destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Insert {
    /// Before it.
    #[default]
    Prepend,
    /// Behind it.
    Append,
    /// Not at all.
    Exclusive,
}

/// A destination or source: an address and the length of its prefix.
pub type Prefix = (IpAddr, u8);

/// One of a route's metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Metric {
    /// `RTAX_*`, 2 to 31.
    pub kind: u8,
    /// In the metric's own unit.
    pub value: u32,
    /// Path MTU discovery and TCP's measurements do not change it.
    pub locked: bool,
}

/// What packets of a route are wrapped in (linux/lwtunnel.h).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Encapsulation {
    /// Labels of MPLS, the outermost first; each below 2^20.
    Mpls(Vec<u32>),
    /// The locator of identifier-locator addressing.
    Ila(u64),
    /// A tunnel over IPv4 or IPv6.
    Ip {
        /// Over IPv6.
        v6: bool,
        /// Key of the tunnel.
        id: Option<u64>,
        /// Outer destination.
        destination: Option<IpAddr>,
        /// Outer source.
        source: Option<IpAddr>,
        /// Type of service or traffic class.
        tos: Option<u8>,
        /// Time to live or hop limit.
        ttl: Option<u8>,
        /// `TUNNEL_*`.
        flags: Option<u16>,
    },
}

/// Where packets go next.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Hop {
    /// The gateway.
    pub via: Option<IpAddr>,
    /// Name of the interface.
    pub interface: Option<String>,
    /// The gateway is on the link, whatever addresses the interface has.
    pub onlink: bool,
    /// Share among several hops, 1 to 256; 0 counts as 1.
    pub weight: u16,
    /// The wrapping.
    pub encapsulation: Option<Encapsulation>,
    /// Realms: that of the source in the upper 16 bits, that of the destination in the lower.
    pub realms: Option<u32>,
}

/// A route somebody wants.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Route {
    /// Of IPv6.
    pub v6: bool,
    /// How it is inserted.
    pub insert: Insert,
    /// `RTN_*`; `None` is unicast.
    pub kind: Option<u8>,
    /// `None` is the default route.
    pub destination: Option<Prefix>,
    /// Source of the packets it is for; IPv6 only.
    pub from: Option<Prefix>,
    /// Preferred source address of our own packets.
    pub source: Option<IpAddr>,
    /// Type of service.
    pub tos: u8,
    /// The table; `None` is main, or local for local destinations.
    pub table: Option<u32>,
    /// `RTPROT_*`.
    pub protocol: u8,
    /// `RT_SCOPE_*`; `None` follows from the kind. IPv4 only.
    pub scope: Option<u8>,
    /// The lowest wins.
    pub metric: Option<u32>,
    /// The way, unless there are [`hops`](Self::hops).
    pub hop: Hop,
    /// Several ways.
    pub hops: Vec<Hop>,
    /// Metrics of connections.
    pub metrics: Vec<Metric>,
    /// Congestion control of TCP, and whether it is locked.
    pub congestion: Option<(String, bool)>,
    /// Seconds until it goes; IPv6 only.
    pub expires: Option<u32>,
    /// Preference of a router (RFC 4191), as `RTA_PREF`; IPv6 only.
    pub preference: Option<u8>,
    /// Whether the TTL inside MPLS is that outside.
    pub ttl_propagate: Option<bool>,
}

impl Route {
    /// Names of the interfaces it leads over.
    pub fn interfaces(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.hop).chain(&self.hops).filter_map(|hop| hop.interface.as_deref())
    }

    /// `RTN_*`.
    pub fn kind(&self) -> u8 {
        self.kind.unwrap_or(libc::RTN_UNICAST)
    }

    /// The table it goes to.
    pub fn table(&self) -> u32 {
        let local = [libc::RTN_LOCAL, libc::RTN_BROADCAST, libc::RTN_ANYCAST, libc::RTN_NAT];
        let usual =
            if local.contains(&self.kind()) { libc::RT_TABLE_LOCAL } else { libc::RT_TABLE_MAIN };
        self.table.unwrap_or(u32::from(usual))
    }

    /// What the kernel accepts of such a kind, where nobody chooses.
    fn scope(&self) -> u8 {
        let usual = match self.kind() {
            _ if self.v6 => libc::RT_SCOPE_UNIVERSE,
            libc::RTN_LOCAL | libc::RTN_NAT => libc::RT_SCOPE_HOST,
            libc::RTN_BROADCAST | libc::RTN_MULTICAST | libc::RTN_ANYCAST => libc::RT_SCOPE_LINK,
            _ => libc::RT_SCOPE_UNIVERSE,
        };
        self.scope.unwrap_or(usual)
    }

    /// Appends the request that adds it. One that is there already is left alone.
    pub(crate) fn write_add(
        &self,
        writer: &mut Writer,
        index: &dyn Fn(&str) -> Option<u32>,
    ) -> Result<(), TooLong> {
        let insert = match self.insert {
            Insert::Prepend => 0,
            Insert::Append => libc::NLM_F_APPEND,
            Insert::Exclusive => libc::NLM_F_EXCL,
        };
        let flags = (libc::NLM_F_REQUEST | libc::NLM_F_CREATE | insert) as u16;
        writer.message(libc::RTM_NEWROUTE, flags, 0, |w| self.write(w, index))
    }

    /// Appends the request that deletes it.
    pub(crate) fn write_delete(
        &self,
        writer: &mut Writer,
        index: &dyn Fn(&str) -> Option<u32>,
    ) -> Result<(), TooLong> {
        let flags = libc::NLM_F_REQUEST as u16;
        writer.message(libc::RTM_DELROUTE, flags, 0, |w| self.write(w, index))
    }

    fn write(&self, w: &mut Writer, index: &dyn Fn(&str) -> Option<u32>) {
        let family = if self.v6 { libc::AF_INET6 } else { libc::AF_INET } as u8;
        let length = |prefix: Option<Prefix>| prefix.map_or(0, |(_, length)| length);
        let (to, from) = (length(self.destination), length(self.from));
        let table = self.table();
        // What does not fit there is in the attribute.
        let small = u8::try_from(table).unwrap_or(libc::RT_TABLE_UNSPEC);
        w.raw(&[family, to, from, self.tos, small, self.protocol, self.scope(), self.kind()]);
        let onlink = if self.hop.onlink { u32::from(ONLINK) } else { 0 };
        w.raw(&onlink.to_ne_bytes());
        w.u32(attribute::TABLE, table);
        for (kind, prefix) in [(attribute::DST, self.destination), (attribute::SRC, self.from)] {
            if let Some((ip, _)) = prefix {
                w.ip(kind, ip);
            }
        }
        if let Some(ip) = self.source {
            w.ip(attribute::PREFSRC, ip);
        }
        if let Some(metric) = self.metric {
            w.u32(attribute::PRIORITY, metric);
        }
        if let Some(oif) = self.hop.interface.as_deref().and_then(index) {
            w.u32(attribute::OIF, oif);
        }
        write_way(w, &self.hop);
        self.write_metrics(w);
        if let Some(seconds) = self.expires {
            w.u32(attribute::EXPIRES, seconds);
        }
        if let Some(preference) = self.preference {
            w.u8(attribute::PREF, preference);
        }
        if let Some(propagate) = self.ttl_propagate {
            w.u8(attribute::TTL_PROPAGATE, propagate.into());
        }
        if !self.hops.is_empty() {
            w.nest(attribute::MULTIPATH, |w| {
                for hop in &self.hops {
                    write_hop(w, hop, index);
                }
            });
        }
    }

    fn write_metrics(&self, w: &mut Writer) {
        if self.metrics.is_empty() && self.congestion.is_none() {
            return;
        }
        let bit = |kind: u16| 1u32.checked_shl(kind.into()).unwrap_or(0);
        let locked = self.metrics.iter().filter(|metric| metric.locked);
        let mut locks = locked.fold(0, |locks, metric| locks | bit(metric.kind.into()));
        w.nest(attribute::METRICS, |w| {
            for metric in &self.metrics {
                w.u32(metric.kind.into(), metric.value);
            }
            if let Some((name, locked)) = &self.congestion {
                w.text(CONGESTION, name);
                locks |= if *locked { bit(CONGESTION) } else { 0 };
            }
            if locks != 0 {
                w.u32(LOCK, locks);
            }
        });
    }
}

/// A member of `RTA_MULTIPATH`: `struct rtnexthop` and the attributes of the hop.
fn write_hop(w: &mut Writer, hop: &Hop, index: &dyn Fn(&str) -> Option<u32>) {
    /// `struct rtnexthop` in bytes.
    const HEADER: usize = 8;
    let mut way = Writer::new();
    write_way(&mut way, hop);
    let length = u16::try_from(HEADER + way.as_bytes().len()).unwrap_or(u16::MAX);
    let others = u8::try_from(hop.weight.saturating_sub(1)).unwrap_or(u8::MAX);
    let index = hop.interface.as_deref().and_then(index).unwrap_or(0);
    w.raw(&length.to_ne_bytes());
    w.raw(&[if hop.onlink { ONLINK } else { 0 }, others]);
    w.raw(&index.to_ne_bytes());
    w.raw(way.as_bytes());
}

/// What the way of a route and a hop among several have in common.
fn write_way(w: &mut Writer, hop: &Hop) {
    if let Some(ip) = hop.via {
        w.ip(attribute::GATEWAY, ip);
    }
    if let Some(realms) = hop.realms {
        w.u32(attribute::FLOW, realms);
    }
    if let Some(encapsulation) = &hop.encapsulation {
        w.attribute(attribute::ENCAP_TYPE, &encapsulation.number().to_ne_bytes());
        w.nest(attribute::ENCAP, |w| encapsulation.write(w));
    }
}

impl Encapsulation {
    /// `LWTUNNEL_ENCAP_*`.
    fn number(&self) -> u16 {
        match self {
            Encapsulation::Mpls(_) => 1,
            Encapsulation::Ip { v6: false, .. } => 2,
            Encapsulation::Ila(_) => 3,
            Encapsulation::Ip { v6: true, .. } => 4,
        }
    }

    fn write(&self, w: &mut Writer) {
        match self {
            Encapsulation::Mpls(labels) => {
                let last = labels.len().saturating_sub(1);
                // Label, class, bottom of the stack, time to live (RFC 3032 section 2.1).
                let entry = |(n, label): (usize, &u32)| (label << 12) | (u32::from(n == last) << 8);
                let stack: Vec<u8> =
                    labels.iter().enumerate().map(entry).flat_map(u32::to_be_bytes).collect();
                w.attribute(1, &stack);
            }
            // In network order, as an address is.
            Encapsulation::Ila(locator) => w.attribute(1, &locator.to_be_bytes()),
            Encapsulation::Ip { id, destination, source, tos, ttl, flags, .. } => {
                if let Some(id) = id {
                    w.attribute(1, &id.to_be_bytes());
                }
                for (kind, ip) in [(2, destination), (3, source)] {
                    if let Some(ip) = ip {
                        w.ip(kind, *ip);
                    }
                }
                for (kind, value) in [(4, ttl), (5, tos)] {
                    if let Some(value) = value {
                        w.u8(kind, *value);
                    }
                }
                if let Some(flags) = flags {
                    w.attribute(6, &flags.to_be_bytes());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
