//! What is known of the kernel's links and addresses, kept true by netlink events.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use netlink::{Address, Event, Link};

use crate::config::Family;

/// Links and addresses of this network namespace.
#[derive(Default)]
pub struct KernelView {
    links: HashMap<u32, Link>,
    names: HashMap<String, u32>,
    addresses: HashMap<u32, Vec<Known>>,
}

/// What is kept of an address, because an interface can have thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// The address itself.
    pub ip: IpAddr,
    /// Prefix length; of the peer's network when there is a peer.
    pub prefix: u8,
    /// Duplicate address detection has not finished, or has failed.
    tentative: bool,
    peer: Option<IpAddr>,
}

impl Known {
    fn of(a: &Address) -> Self {
        Known { ip: a.ip, prefix: a.prefix, tentative: a.is_tentative(), peer: a.peer }
    }

    fn is_same(&self, other: &Known) -> bool {
        Known { tentative: other.tentative, ..*self } == *other
    }
}

/// Whether a link is there as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It was there before.
    Same,
    /// It was not there before, or is another one of the same name.
    Appeared,
    /// It is not there any more.
    Gone,
}

/// What an event changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The link with this name appeared, disappeared or changed its state.
    Link {
        /// Its name.
        name: String,
        /// Which of these.
        presence: Presence,
    },
    /// This interface got an address.
    AddressAdded(u32, IpAddr),
    /// This interface lost an address with this prefix length.
    AddressRemoved(u32, IpAddr, u8),
    /// Anything about the addresses of this interface may have changed.
    AddressesUnknown(u32),
}

impl KernelView {
    /// Replaces everything by a fresh dump.
    pub fn replace(&mut self, links: Vec<Link>, addresses: Vec<Address>) {
        self.links.clear();
        self.names.clear();
        self.addresses.clear();
        for link in links {
            self.insert_link(link);
        }
        for address in addresses {
            self.addresses.entry(address.index).or_default().push(Known::of(&address));
        }
    }

    fn insert_link(&mut self, link: Link) {
        if let Some(old) = self.links.get(&link.index)
            && old.name != link.name
        {
            self.names.remove(&old.name);
        }
        self.names.insert(link.name.clone(), link.index);
        self.links.insert(link.index, link);
    }

    /// Applies one event. [`Event::Overrun`] is the caller's to handle by a fresh dump, and
    /// [`Event::PathGone`] is not of links and addresses.
    pub fn apply(&mut self, event: Event, changes: &mut Vec<Change>) {
        match event {
            Event::Link(link) => self.link_changed(link, changes),
            Event::LinkGone { index, name } => {
                self.addresses.remove(&index);
                if let Some(old) = self.links.remove(&index) {
                    self.names.remove(&old.name);
                    changes.push(Change::Link { name, presence: Presence::Gone });
                }
            }
            Event::Address(address) => {
                let list = self.addresses.entry(address.index).or_default();
                let (index, ip) = (address.index, address.ip);
                let address = Known::of(&address);
                match list.iter_mut().find(|a| a.is_same(&address)) {
                    Some(known) if *known == address => return,
                    Some(known) => *known = address,
                    None => list.push(address),
                }
                changes.push(Change::AddressAdded(index, ip));
            }
            Event::AddressGone(address) => {
                if let Some(list) = self.addresses.get_mut(&address.index) {
                    let gone = Known::of(&address);
                    list.retain(|a| !a.is_same(&gone));
                }
                changes.push(Change::AddressRemoved(address.index, address.ip, address.prefix));
            }
            Event::Overrun | Event::PathGone => {}
        }
    }

    fn link_changed(&mut self, link: Link, changes: &mut Vec<Change>) {
        let (index, name) = (link.index, link.name.clone());
        if let Some(old) = self.links.get(&index)
            && old.name != name
        {
            log::info!("Interface name has changed from {} to {name}", old.name);
            changes.push(Change::Link { name: old.name.clone(), presence: Presence::Gone });
        }
        if let Some(old) = self.links.get(&index)
            && old.mac != link.mac
        {
            let (from, to) = (mac(&old.mac), mac(&link.mac));
            log::debug!("({name}) MAC Address changed from {from} to {to}");
        }
        if self.links.get(&index) != Some(&link) {
            let known = self.names.contains_key(&name);
            let presence = if known { Presence::Same } else { Presence::Appeared };
            self.insert_link(link);
            changes.push(Change::Link { name, presence });
        }
    }

    /// The link called `name`.
    pub fn link(&self, name: &str) -> Option<&Link> {
        self.links.get(self.names.get(name)?)
    }

    /// The link with `index`.
    pub fn link_at(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    /// All links, by index.
    pub fn links(&self) -> Vec<&Link> {
        let mut links: Vec<&Link> = self.links.values().collect();
        links.sort_by_key(|l| l.index);
        links
    }

    /// Index of the link called `name`.
    pub fn index(&self, name: &str) -> Option<u32> {
        self.names.get(name).copied()
    }

    /// Whether the link is there, up and has carrier.
    pub fn is_up(&self, name: &str) -> bool {
        self.link(name).is_some_and(Link::is_up)
    }

    /// Addresses of the interface with `index`, in the kernel's order.
    pub fn addresses(&self, index: u32) -> &[Known] {
        self.addresses.get(&index).map_or(&[], Vec::as_slice)
    }

    /// Whether the interface has this address with this prefix length.
    pub fn has(&self, index: u32, ip: IpAddr, prefix: u8) -> bool {
        self.addresses(index).iter().any(|a| a.ip == ip && a.prefix == prefix)
    }

    /// Whether any interface has `ip`.
    pub fn has_address(&self, ip: IpAddr) -> bool {
        self.addresses.values().flatten().any(|a| a.ip == ip)
    }

    /// The address to send adverts from: the interface's first IPv4 address or first link-local
    /// IPv6 address that is usable and no virtual one (spec vrrp-behaviour §2.2). The address in
    /// use stays while it is there.
    pub fn source(
        &self,
        index: u32,
        family: Family,
        current: Option<IpAddr>,
        virtual_addresses: &HashSet<IpAddr>,
    ) -> Option<IpAddr> {
        let usable = |a: &&Known| {
            !virtual_addresses.contains(&a.ip)
                && match (family, a.ip) {
                    (Family::V4, IpAddr::V4(_)) => true,
                    (Family::V6, IpAddr::V6(ip)) => ip.is_unicast_link_local() && !a.tentative,
                    _ => false,
                }
        };
        let list = self.addresses(index);
        list.iter()
            .find(|a| Some(a.ip) == current && usable(a))
            .or_else(|| list.iter().find(usable))
            .map(|a| a.ip)
    }
}

fn mac(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
}
