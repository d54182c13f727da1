//! What a configuration needs to know of this machine, gathered once for each reading.

use std::collections::HashMap;
use std::time::Duration;

use netlink::{Channel, Link};
use nix::time::{ClockId, clock_gettime};
use vrrp::config::{Host, InterfaceFacts};

/// The interfaces as they were when the reading began.
pub struct Kernel {
    links: HashMap<String, Link>,
}

impl Kernel {
    /// From what is known already. Asking takes a lock that whoever makes or removes interfaces may
    /// hold for long, so a daemon that watches them does not ask.
    pub fn new(links: impl IntoIterator<Item = Link>) -> Kernel {
        Kernel { links: links.into_iter().map(|link| (link.name.clone(), link)).collect() }
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
        })
    }

    fn interface_names(&self) -> Vec<String> {
        let mut names: Vec<String> = self.links.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    fn uptime(&self) -> Option<Duration> {
        clock_gettime(ClockId::CLOCK_BOOTTIME).ok().map(Duration::from)
    }
}
