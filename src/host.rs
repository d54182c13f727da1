//! What a configuration needs to know of this machine, gathered once for each reading.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use netlink::{Channel, Link, Sublink};
use nix::time::{ClockId, clock_gettime};
use vrrp::config::{Host, InterfaceFacts};

/// The interfaces as they were when the reading began.
pub struct Kernel {
    links: HashMap<String, Link>,
    /// Macvlans in private mode, by parent and MAC address.
    vmacs: HashMap<(u32, [u8; 6]), String>,
    /// Names of those that this daemon made.
    made: HashSet<String>,
}

impl Kernel {
    /// From what is known already. Asking takes a lock that whoever makes or removes interfaces may
    /// hold for long, so a daemon that watches them does not ask.
    pub fn new(links: impl IntoIterator<Item = Link>) -> Kernel {
        let links: HashMap<String, Link> =
            links.into_iter().map(|link| (link.name.clone(), link)).collect();
        let vmacs =
            links.values().filter_map(|link| Some((private_macvlan(link)?, link.name.clone())));
        Kernel { vmacs: vmacs.collect(), links, made: HashSet::new() }
    }

    /// Of a daemon that runs already, and has made interfaces of these names.
    pub fn with_made(mut self, made: impl IntoIterator<Item = String>) -> Kernel {
        self.made.extend(made);
        self
    }

    /// Asks the kernel. A daemon that may not ask sees no interface.
    pub fn ask() -> Kernel {
        let links = Channel::open().and_then(|mut channel| channel.dump_links());
        let links = links.unwrap_or_else(|e| {
            log::error!("Unable to list network interfaces: {e}");
            Vec::new()
        });
        Kernel::new(links)
    }
}

/// Parent and MAC address of a macvlan in private mode.
fn private_macvlan(link: &Link) -> Option<(u32, [u8; 6])> {
    let mac = link.mac.as_slice().try_into().ok()?;
    (link.sublink == Some(Sublink::PRIVATE_MACVLAN)).then_some((link.parent?, mac))
}

/// Parent of an ipvlan of layer 2.
fn ipvlan(link: &Link) -> Option<u32> {
    link.parent.filter(|_| matches!(link.sublink, Some(Sublink::Ipvlan { mode: 0, .. })))
}

impl Host for Kernel {
    fn interface(&self, name: &str) -> Option<InterfaceFacts> {
        let link = self.links.get(name)?;
        Some(InterfaceFacts {
            index: link.index,
            mtu: link.mtu,
            loopback: link.is_loopback(),
            multicast: link.has_multicast(),
            arp: link.has_arp(),
            ethernet: link.hw_type == libc::ARPHRD_ETHER,
            // Which table it is does not matter for what is checked.
            vrf_table: (link.kind.as_deref() == Some("vrf")).then_some(0),
            private_macvlan: private_macvlan(link),
            ipvlan: ipvlan(link),
        })
    }

    fn interface_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.links.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    fn vmac(&self, parent: u32, mac: [u8; 6]) -> Option<String> {
        self.vmacs.get(&(parent, mac)).cloned()
    }

    fn made_here(&self, name: &str) -> bool {
        self.made.contains(name)
    }

    fn uptime(&self) -> Option<Duration> {
        clock_gettime(ClockId::CLOCK_BOOTTIME).ok().map(Duration::from)
    }
}
