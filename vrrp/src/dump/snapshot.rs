//! What the printers need to know, borrowed from whoever has it.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use scheduler::Time;

use crate::config::{AddressSettings, FileSettings, PathSettings, SessionSettings, TrackGroup};
use crate::io::{LinkMethod, SocketKey};
use crate::process::Quorum;
use crate::router::Router;
use crate::runtime::{Check, KernelView};

/// VRRP at one moment.
pub(crate) struct Snapshot<'a> {
    pub router: &'a Router,
    pub kernel: &'a KernelView,
    /// Every configured virtual address: none of them is an interface's own.
    pub virtual_addresses: &'a HashSet<IpAddr>,
    pub statics: &'a [AddressSettings],
    pub static_paths: &'a [Rc<PathSettings>],
    pub track_groups: &'a [TrackGroup],
    pub garp: Vec<GarpView<'a>>,
    /// One for each instance.
    pub ports: Vec<PortView>,
    pub sockets: Vec<SocketView<'a>>,
    pub checks: &'a [Check],
    pub files: &'a [FileSettings],
    pub quorums: &'a [Quorum],
    /// How interfaces are asked for their link, by name.
    pub linkbeat: HashMap<&'a str, LinkMethod>,
    pub sessions: &'a [SessionSettings],
    /// Those of them of which something is known, and whether they are up.
    pub up: &'a HashMap<String, bool>,
    /// By interface name.
    pub debounces: HashMap<&'a str, DebounceView>,
    /// Settings of interfaces that are held at 1, by index.
    pub held: HashMap<u32, HeldView<'a>>,
    /// Names of VMACs that this daemon made or took over.
    pub made: HashSet<&'a str>,
    /// When an interface was last asked whether it forwards IPv6, and its answer.
    pub forwarding: HashMap<&'a str, (Time, bool)>,
}

/// Interfaces that share the spacing of gratuitous ARPs.
pub(crate) struct GarpView<'a> {
    /// Zero: none.
    pub arp: Duration,
    /// When the next may leave.
    pub arp_next: Time,
    /// The same for neighbour adverts.
    pub na: Duration,
    pub na_next: Time,
    pub interfaces: Vec<&'a str>,
}

/// An instance's sending and receiving side.
#[derive(Clone, Copy, Default)]
pub(crate) struct PortView {
    /// To receive, to send.
    pub descriptors: Option<(i32, i32)>,
    /// It changed to the old unicast checksum by itself.
    pub old_checksum: bool,
    /// Kinds of complaints that are held back.
    pub complained: u64,
}

/// A pair of sockets.
pub(crate) struct SocketView<'a> {
    pub key: SocketKey,
    pub interface: Option<&'a str>,
    /// To receive, to send.
    pub descriptors: (i32, i32),
    /// Receive buffer asked for; zero: the system's default.
    pub buffer: usize,
    /// Positions of the instances.
    pub instances: Vec<usize>,
}

/// What settings of an interface were before they were held at 1, and for how many that is.
#[derive(Clone, Copy, Default)]
pub(crate) struct HeldView<'a> {
    pub promote: Option<(&'a str, u32)>,
    pub arp_ignore: Option<(&'a str, u32)>,
    pub arp_filter: Option<(&'a str, u32)>,
}

/// `interface_up_down_delays` of an interface.
#[derive(Clone, Copy, Default)]
pub(crate) struct DebounceView {
    pub up: Duration,
    pub down: Duration,
    pub running: bool,
    pub seen_up: bool,
}
