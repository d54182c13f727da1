//! The kernel's IPVS over generic netlink: services, destinations, the sync daemon, timeouts.
//!
//! A [`Batch`] gathers changes; a [`Kernel`] makes them in order, many in one system call, and
//! returns a [`Failure`] for each that it refuses. The kernel is a [`Channel`]; tests have a
//! [`Table`] in its place, and where there is no IPVS there is [`Absent`].
//!
//! [`nft`] has the packet filter's part: marks for groups of services, and masquerading.
//!
//! The table is never read back to find out what to change: whoever makes changes knows what was
//! there. A [`Survey`] reads it for statistics, a part at a time.

mod batch;
mod channel;
mod daemon;
mod failure;
mod kernel;
pub mod module;
pub mod nft;
mod open;
pub mod replies;
mod service;
mod status;
mod survey;
mod table;
mod wire;

pub use batch::Batch;
pub use channel::Channel;
pub use daemon::{Daemon, DaemonState, Timeouts};
pub use failure::Failure;
pub use kernel::{Absent, Kernel};
pub use open::OpenError;
pub use service::{
    Checksum, Destination, Family, Forwarding, Protocol, Service, ServiceKey, Tunnel,
};
pub use status::{DestinationStatus, ServiceStatus, Statistics};
pub use survey::Survey;
pub use table::Table;
