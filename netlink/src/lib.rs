//! Links, addresses, routes and rules of the kernel: want-state in, events out.
//!
//! * [`Channel`] asks and changes: dumps of links and addresses, and a [`Batch`] of address changes
//!   that goes out in a few system calls, each answer matched to its request.
//! * [`Monitor`] listens: a non-blocking socket that turns kernel notifications into [`Event`]s and
//!   says [`Event::Overrun`] when the kernel had to drop some, after which a full dump is due.
//! * [`Exchange`] is what [`Channel`] is made of, for other families: IPVS, and [`nft`], the packet filter.
//! * [`ProcessMonitor`] listens to what becomes of the machine's processes.
//! * [`diff`] compares the addresses somebody wants with those that are there.
//!
//! Sockets belong to the network namespace of the thread that opened them. The codec is our
//! own because a decoder that insists on understanding a whole message loses the message when one
//! unrelated attribute changes its size; this one picks what it needs and steps over the rest.

mod address;
mod batch;
mod channel;
pub mod codec;
mod error;
mod exchange;
pub mod generic;
mod link;
mod monitor;
pub mod namespace;
pub mod nft;
pub mod process;
pub mod replies;
mod route;
mod rule;
mod socket;
mod sublink;
mod sys;
mod want;

pub use address::{Address, AddressRequest, PROTOCOL_KEEPALIVED};
pub use batch::Batch;
pub use channel::{Applied, Channel, Outcome};
pub use error::NetlinkError;
pub use exchange::{Exchange, Protocol};
pub use link::Link;
pub use monitor::{Event, Monitor};
pub use process::{ProcessEvent, ProcessMonitor};
pub use route::{Encapsulation, Hop, Insert, Metric, Prefix, ROUTE_PROTOCOL_KEEPALIVED, Route};
pub use rule::{Rule, RuleAction};
pub use sublink::{Sublink, SublinkRequest};
pub use want::{AddressChanges, diff};
