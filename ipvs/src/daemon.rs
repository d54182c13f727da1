//! The sync daemon and the timeouts (spec ipvs §2.3, §10).

use std::net::IpAddr;

/// Which half of the sync daemon.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DaemonState {
    /// Sends connections.
    Master,
    /// Receives them.
    Backup,
}

/// A sync daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Daemon {
    /// Whether it sends or receives.
    pub state: DaemonState,
    /// Interface its datagrams use.
    pub interface: String,
    /// Told apart by it on the LAN.
    pub id: u8,
    /// Longest datagram, in bytes; `None`: as the kernel likes.
    pub max_length: Option<u16>,
    /// UDP port; `None`: 8848.
    pub port: Option<u16>,
    /// TTL of its datagrams; `None`: 1.
    pub ttl: Option<u8>,
    /// Multicast group; `None`: 224.0.0.81.
    pub group: Option<IpAddr>,
}

/// How long the kernel remembers an idle connection, in seconds; 0 when set leaves one as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// An established TCP connection.
    pub tcp: u32,
    /// A TCP connection that is being closed.
    pub tcp_fin: u32,
    /// A UDP flow.
    pub udp: u32,
}
