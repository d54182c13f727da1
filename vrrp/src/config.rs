//! Keywords of VRRP and what they mean.
//!
//! The tables name every keyword with its arguments, range and default; their handlers fill a
//! [`Builder`], which yields [`Settings`] once everything is checked against everything else.

mod address;
mod auth;
mod builder;
mod draft;
mod entry;
mod finish;
mod global_table;
mod globals;
mod group;
mod hmac;
mod host;
mod instance;
mod instance_table;
mod model;
mod names;
mod notify_keywords;
mod process;
mod resolve;
mod root;
mod route;
mod rule;
mod scripts;
mod track;
mod trackers;
mod vmac;

pub use auth::{AUTHENTICATION, HMAC};
pub use builder::{Builder, Refused};
pub use global_table::GLOBALS;
pub use group::{GROUP, TRACK_GROUP};
pub use hmac::{AntiReplay, HmacKey, HmacMode, HmacSettings};
pub use host::{Host, InterfaceFacts};
pub use instance_table::INSTANCE;
pub use model::*;
pub use process::PROCESS;
pub use root::{GARP_GROUP, ROOT};
pub(crate) use route::{FEATURES, METRICS, PREFERENCES, TYPES};
pub use trackers::{FILE, SCRIPT};
pub use vmac::Vmac;

#[cfg(test)]
mod tests;
