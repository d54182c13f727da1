//! The kernel's IPVS over generic netlink: services, destinations, the sync daemon, timeouts.

mod service;

pub use service::{
    Checksum, Destination, Family, Forwarding, Protocol, Service, ServiceKey, Tunnel,
};
mod shim;
pub use shim::*;
