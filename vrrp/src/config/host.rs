//! What a configuration needs to know of the host it is read on.
//!
//! A trait, so that a configuration test without privileges, a test of this crate and the running
//! daemon can each answer from what they have.

use std::time::Duration;

/// What matters of a network interface while a configuration is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceFacts {
    /// The kernel's index.
    pub index: u32,
    /// Largest packet, in bytes.
    pub mtu: u32,
    /// A loopback interface.
    pub loopback: bool,
    /// Multicast works on it.
    pub multicast: bool,
    /// It answers ARP.
    pub arp: bool,
    /// Its hardware type is Ethernet.
    pub ethernet: bool,
    /// The routing table, when the interface is a VRF.
    pub vrf_table: Option<u32>,
    /// When it is a macvlan in private mode: index of its parent, and its MAC address.
    pub private_macvlan: Option<(u32, [u8; 6])>,
    /// When it is an ipvlan of layer 2: index of its parent.
    pub ipvlan: Option<u32>,
}

/// The host a configuration is read on.
pub trait Host {
    /// The facts of the interface called `name`; `None` when there is none.
    fn interface(&self, name: &str) -> Option<InterfaceFacts>;
    /// The names of all interfaces, for "did you mean".
    fn interface_names(&self) -> Vec<String>;
    /// The name of the macvlan in private mode with this MAC address on the interface with index `parent`.
    fn vmac(&self, _parent: u32, _mac: [u8; 6]) -> Option<String> {
        None
    }
    /// Whether the interface called `name` was made by the daemon that reads.
    fn made_here(&self, _name: &str) -> bool {
        false
    }
    /// Time since boot; `None` when it cannot be told.
    fn uptime(&self) -> Option<Duration>;
}
