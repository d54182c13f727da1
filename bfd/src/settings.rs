//! What a configuration asks for.

use std::net::IpAddr;

use crate::keywords::Globals;

/// What a configuration says of BFD.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// `global_defs`.
    pub globals: Globals,
    /// `bfd_instance` blocks that can be used, in their order.
    pub instances: Vec<InstanceSettings>,
}

/// A `bfd_instance`. Intervals are in microseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSettings {
    /// Its name, at most 31 bytes.
    pub name: String,
    /// The other side.
    pub neighbor: IpAddr,
    /// The address that packets come from, and that the neighbour's come to; of the same family.
    pub source: Option<IpAddr>,
    /// How often we can receive.
    pub min_rx: u32,
    /// How often we would send while the session is up.
    pub min_tx: u32,
    /// How often while it is not.
    pub idle_tx: u32,
    /// Packets of ours that may be missed, and one more; not 0.
    pub multiplier: u8,
    /// Says nothing before the neighbour does.
    pub passive: bool,
    /// TTL or hop limit of our packets.
    pub ttl: u8,
    /// Hops a packet may have made, at most `ttl`; 255: not looked at.
    pub max_hops: u8,
    /// On the port for paths of several hops (RFC 5883).
    pub multihop: bool,
    /// VRRP is told of it.
    pub vrrp: bool,
    /// Checkers are told of it.
    pub checker: bool,
}

/// What `max_hops` -1 stands for.
pub(crate) const ANY_HOPS: u8 = 255;

impl InstanceSettings {
    /// As a block has it that names only its neighbour.
    pub fn new(name: &str, neighbor: IpAddr) -> InstanceSettings {
        InstanceSettings {
            name: name.to_owned(),
            neighbor,
            source: None,
            min_rx: 10_000,
            min_tx: 10_000,
            idle_tx: 1_000_000,
            multiplier: 5,
            passive: false,
            ttl: if neighbor.is_ipv6() { 64 } else { 255 },
            max_hops: 0,
            multihop: false,
            vrrp: true,
            checker: true,
        }
    }

    /// Whether a packet that arrives with `ttl` can come from the neighbour (RFC 5881 section 5).
    pub(crate) fn is_near(&self, ttl: u8) -> bool {
        self.max_hops == ANY_HOPS || ttl.saturating_add(self.max_hops) >= self.ttl
    }
}
