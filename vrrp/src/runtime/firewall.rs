//! The rules that keep a MASTER from accepting packets for addresses that it holds but does not own
//! (`no_accept`; RFC 9568 §6.1, `Accept_Mode`): a want-state counted over all MASTER instances, as the
//! addresses themselves are.
//!
//! An address is in a set of the kernel's before it is on an interface, and leaves the set after it has left
//! the interface. A family's table is made with its first address and stays to the end. What somebody else
//! changes in it is noticed, and made good, with the next change of ours.

pub(super) mod reports;
mod table;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;

use netlink::nft::{Family, Transaction};
use netlink::{Exchange, Protocol};
use nix::errno::Errno;

use super::kernel_view::KernelView;
use crate::config::{AddressSettings, FirewallSettings, InstanceSettings};
use table::{Element, Tables};

/// Elements that are changed before sockets and timers are looked at again: less than a millisecond of work.
const AT_ONCE: usize = 512;

/// What is not accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Guarded {
    ip: IpAddr,
    /// Of a link-local address: the interface.
    on: Option<Interface>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Interface {
    name: Rc<str>,
    by_index: bool,
}

struct Held {
    /// None while it waits to be deleted.
    owners: u32,
    /// What the kernel's set has.
    applied: Option<Element>,
}

/// All addresses guarded, and the changes that wait.
pub(super) struct Firewall {
    tables: Tables,
    exchange: Option<Exchange>,
    names: HashMap<String, Rc<str>>,
    held: HashMap<Guarded, Held>,
    adds: Vec<Guarded>,
    deletes: Vec<Guarded>,
    /// Of interfaces that have another index now.
    stale: Vec<Element>,
    /// The kernel refused: what it has is not known, and that has been said.
    lost: bool,
}

impl Firewall {
    /// Nothing is opened or changed yet.
    pub(super) fn new(settings: &FirewallSettings) -> Firewall {
        Firewall {
            tables: Tables::new(settings.named()),
            exchange: None,
            names: HashMap::new(),
            held: HashMap::new(),
            adds: Vec::new(),
            deletes: Vec::new(),
            stale: Vec::new(),
            lost: false,
        }
    }

    /// Deletes the tables that an earlier run left behind.
    pub(super) fn remove_leftovers(&mut self) {
        for (family, name) in [(Family::Ip, "ip"), (Family::Ip6, "ip6")] {
            let table = self.tables.table(family);
            let mut transaction = Transaction::new();
            transaction.delete_table(table);
            match send(&mut self.exchange, transaction) {
                Ok(()) => log::info!("Deleting old {name} {} table", table.name),
                Err(Errno::ENOENT) => {}
                // Whoever needs them will say so.
                Err(error) => log::debug!("nftables: {error}"),
            }
        }
    }

    /// Takes over what a reload says of the tables; `masters` are the instances that hold their addresses.
    pub(super) fn configure<'a>(
        &mut self,
        settings: &FirewallSettings,
        masters: impl Iterator<Item = &'a Rc<InstanceSettings>>,
    ) {
        let settings = settings.named();
        if *self.tables.settings() == settings {
            return;
        }
        self.remove();
        self.tables = Tables::new(settings);
        self.held.clear();
        for master in masters {
            self.take(master);
        }
    }

    /// The instance holds its addresses from now on.
    pub(super) fn take(&mut self, instance: &InstanceSettings) {
        for address in guarded_addresses(instance) {
            let key = self.key(instance, address);
            match self.held.entry(key) {
                Entry::Occupied(mut entry) => entry.get_mut().owners += 1,
                Entry::Vacant(entry) => {
                    self.adds.push(entry.key().clone());
                    entry.insert(Held { owners: 1, applied: None });
                }
            }
        }
    }

    /// The instance lets its addresses go.
    pub(super) fn release(&mut self, instance: &InstanceSettings) {
        for address in guarded_addresses(instance) {
            let key = self.key(instance, address);
            let Some(held) = self.held.get_mut(&key) else { continue };
            held.owners = held.owners.saturating_sub(1);
            if held.owners == 0 {
                self.deletes.push(key);
            }
        }
    }

    fn key(&mut self, instance: &InstanceSettings, address: &AddressSettings) -> Guarded {
        let link_local = matches!(address.ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let on = link_local.then(|| {
            let own = instance.own_interface() == Some(&address.interface);
            let tracked = !instance.dont_track_primary || !(own || address.no_track);
            let name = match self.names.get(&address.interface) {
                Some(name) => Rc::clone(name),
                None => {
                    let name: Rc<str> = address.interface.as_str().into();
                    self.names.insert(address.interface.clone(), Rc::clone(&name));
                    name
                }
            };
            Interface { name, by_index: tracked || self.tables.settings().by_index }
        });
        Guarded { ip: address.ip, on }
    }

    /// The interface is there again, perhaps with another index.
    pub(super) fn interface_returned(&mut self, name: &str, view: &KernelView) {
        let moved = |on: &Interface| on.by_index && *on.name == *name;
        for (guarded, held) in &mut self.held {
            if guarded.on.as_ref().is_some_and(moved) && held.applied != element(guarded, view) {
                self.stale.extend(held.applied.take());
                self.adds.push(guarded.clone());
            }
        }
    }

    /// Guards what has come, a part of it; true when all of that is done. Before the addresses come.
    pub(super) fn add(&mut self, view: &KernelView) -> bool {
        if !self.adds.is_empty() {
            let elements = self.come(view);
            let mut transaction = Transaction::new();
            self.tables.add(&mut transaction, &elements);
            self.commit(transaction);
        }
        self.adds.is_empty()
    }

    /// What the sets lack, a part of it.
    fn come(&mut self, view: &KernelView) -> Vec<Element> {
        let rest = self.adds.split_off(self.adds.len().min(AT_ONCE));
        let mut elements = Vec::new();
        for guarded in std::mem::replace(&mut self.adds, rest) {
            if let Some(held) = self.held.get_mut(&guarded) {
                held.applied = element(&guarded, view);
                elements.extend(held.applied);
            }
        }
        elements
    }

    /// Forgets what has gone, a part of it; true when all of that is done. After the addresses have gone.
    pub(super) fn delete(&mut self) -> bool {
        if !self.deletes.is_empty() || !self.stale.is_empty() {
            let elements = self.gone();
            let mut transaction = Transaction::new();
            self.tables.delete(&mut transaction, &elements);
            self.commit(transaction);
        }
        self.deletes.is_empty()
    }

    /// What the sets should not have any more, a part of it.
    fn gone(&mut self) -> Vec<Element> {
        let rest = self.deletes.split_off(self.deletes.len().min(AT_ONCE));
        let mut elements = Vec::new();
        for guarded in std::mem::replace(&mut self.deletes, rest) {
            // What is wanted again stays.
            if let Entry::Occupied(entry) = self.held.entry(guarded)
                && entry.get().owners == 0
            {
                elements.extend(entry.remove().applied);
            }
        }
        for element in std::mem::take(&mut self.stale) {
            let wanted = self.held.values().any(|held| held.applied == Some(element));
            if !wanted && !elements.contains(&element) {
                elements.push(element);
            }
        }
        elements
    }

    fn commit(&mut self, transaction: Transaction) {
        if transaction.is_empty() {
            return;
        }
        if !self.lost && send(&mut self.exchange, transaction).is_ok() {
            return;
        }
        // Somebody else has changed the tables: all of them, then.
        let mut transaction = Transaction::new();
        let fresh = Tables::new(self.tables.settings().clone());
        let before = std::mem::replace(&mut self.tables, fresh);
        for family in before.made() {
            transaction.drop_table(before.table(family));
        }
        let elements: Vec<Element> = self.held.values().filter_map(|held| held.applied).collect();
        self.tables.add(&mut transaction, &elements);
        self.stale.clear();
        match send(&mut self.exchange, transaction) {
            Ok(()) => self.lost = false,
            Err(error) => {
                self.tables = before;
                if !std::mem::replace(&mut self.lost, true) {
                    log::error!(
                        "Cannot set firewall rules: {error}; addresses are accepted in spite of no_accept"
                    );
                }
            }
        }
    }

    /// Deletes the tables: the daemon ends.
    pub(super) fn remove(&mut self) {
        self.adds.clear();
        self.deletes.clear();
        self.stale.clear();
        let mut transaction = Transaction::new();
        for family in self.tables.made() {
            transaction.drop_table(self.tables.table(family));
        }
        if let Err(error) = send(&mut self.exchange, transaction)
            && !self.lost
        {
            log::error!("Cannot remove firewall rules: {error}");
        }
    }
}

/// The addresses whose packets are dropped while the instance holds them.
fn guarded_addresses(instance: &InstanceSettings) -> impl Iterator<Item = &AddressSettings> {
    let all = instance.addresses.iter().chain(&instance.excluded);
    all.filter(|_| !instance.accept)
}

/// What the set of the kernel is to have; `None` while the interface is not there.
fn element(guarded: &Guarded, view: &KernelView) -> Option<Element> {
    match (guarded.ip, &guarded.on) {
        (IpAddr::V6(ip), Some(on)) if on.by_index => {
            Some(Element::ByIndex(ip, view.index(&on.name)?))
        }
        (IpAddr::V6(ip), Some(on)) => {
            let mut name = [0; 16];
            // The last byte stays NUL, as in the kernel.
            for (to, from) in name.iter_mut().take(15).zip(on.name.bytes()) {
                *to = from;
            }
            Some(Element::ByName(ip, name))
        }
        (ip, _) => Some(Element::Anywhere(ip)),
    }
}

/// Opens the socket when there is something to say.
fn send(exchange: &mut Option<Exchange>, transaction: Transaction) -> Result<(), Errno> {
    if transaction.is_empty() {
        return Ok(());
    }
    let errno = |e: &io::Error| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
    let exchange = match exchange {
        Some(exchange) => exchange,
        None => {
            let opened = Exchange::open(Protocol::Netfilter).map_err(|e| errno(&e))?;
            exchange.insert(opened)
        }
    };
    transaction.send(exchange).map_err(|error| error.errno)
}

#[cfg(test)]
mod tests;
