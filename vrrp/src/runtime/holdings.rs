//! The virtual addresses this machine holds: a want-state counted over all MASTER instances.
//!
//! An address is added when the first instance wants it and deleted when the last one lets go, so
//! moving an address from one instance to another in a reload touches nothing. What somebody else
//! deletes is put back at once, and after a second deletion within a second no faster than once a second.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use netlink::{AddressRequest, Batch, Channel};
use scheduler::Time;

use super::kernel_view::KernelView;
use crate::config::{AddressSettings, InstanceSettings};

/// Shortest time between two restorations of the same address.
const RESTORE_PAUSE: Duration = Duration::from_secs(1);

/// How long one part of a large batch may keep the loop from its sockets.
const BUDGET: Duration = Duration::from_millis(2);

/// Identity of an address on this machine: number of the interface's name, address, prefix length.
type Key = (u32, IpAddr, u8);

/// A request of the batch: whether it adds, and what.
type Asked = (bool, Key);

/// Where the settings of an address are.
#[derive(Clone)]
enum Source {
    /// At this position among an instance's addresses, the excluded ones last.
    Instance(Rc<InstanceSettings>, u32),
    Static(Box<AddressSettings>),
}

impl Source {
    fn settings(&self) -> Option<&AddressSettings> {
        match self {
            Source::Instance(s, at) => s.addresses.iter().chain(&s.excluded).nth(*at as usize),
            Source::Static(a) => Some(a),
        }
    }
}

struct Held {
    owners: u32,
    source: Source,
    tracked: bool,
    /// The kernel would not have it, or its interface is not there.
    refused: bool,
    /// Boxed, because a hash table has more room than entries and few are ever restored.
    restoration: Option<Box<Restoration>>,
}

/// What somebody else deleted.
#[derive(Default)]
struct Restoration {
    last: Option<Time>,
    /// When to put it back; set while it is missing.
    due: Option<Time>,
}

/// Names of interfaces by number: thousands of addresses share a few.
#[derive(Default)]
struct Names {
    numbers: HashMap<Rc<str>, u32>,
    names: Vec<Rc<str>>,
}

impl Names {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.numbers.get(name) {
            return number;
        }
        let (name, number): (Rc<str>, _) = (name.into(), self.names.len() as u32);
        self.names.push(Rc::clone(&name));
        self.numbers.insert(name, number);
        number
    }

    fn name(&self, number: u32) -> &str {
        self.names.get(number as usize).map_or("", |name| name)
    }

    fn key(&self, a: &AddressSettings) -> Option<Key> {
        Some((*self.numbers.get(a.interface.as_str())?, a.ip, a.prefix))
    }
}

/// All addresses held, and the requests of the current batch.
#[derive(Default)]
pub struct Holdings {
    names: Names,
    held: HashMap<Key, Held>,
    adds: Vec<Key>,
    deletes: Vec<AddressSettings>,
    /// Held with other options so far: the kernel must forget them first.
    replaced: Vec<AddressSettings>,
    batch: Batch,
    asked: Vec<Asked>,
    /// Requests of the batch that are done.
    done: usize,
    restore_at: Option<Time>,
}

impl Holdings {
    /// The instance holds its addresses from now on.
    pub fn take(&mut self, instance: &Rc<InstanceSettings>) {
        for (at, address) in instance.addresses.iter().chain(&instance.excluded).enumerate() {
            self.want_of(address, Source::Instance(Rc::clone(instance), at as u32));
        }
    }

    /// The instance lets its addresses go.
    pub fn release(&mut self, instance: &InstanceSettings) {
        for address in instance.addresses.iter().chain(&instance.excluded) {
            self.unwant(address);
        }
    }

    /// One more owner of a static `address`.
    pub fn want(&mut self, address: &AddressSettings) {
        self.want_of(address, Source::Static(Box::new(address.clone())));
    }

    fn want_of(&mut self, address: &AddressSettings, source: Source) {
        let k = (self.names.number(&address.interface), address.ip, address.prefix);
        let held = match self.held.entry(k) {
            Entry::Occupied(entry) => {
                let held = entry.into_mut();
                let before = std::mem::replace(&mut held.source, source);
                match before.settings() {
                    Some(before) if before != address => self.replaced.push(before.clone()),
                    _ => {
                        held.owners += 1;
                        return;
                    }
                }
                held
            }
            Entry::Vacant(entry) => entry.insert(Held {
                owners: 0,
                source,
                tracked: true,
                refused: false,
                restoration: None,
            }),
        };
        held.owners += 1;
        held.tracked = !address.no_track;
        self.adds.push(k);
    }

    /// One owner less.
    pub fn unwant(&mut self, address: &AddressSettings) {
        let Some(k) = self.names.key(address) else { return };
        let Entry::Occupied(mut entry) = self.held.entry(k) else { return };
        entry.get_mut().owners -= 1;
        if entry.get().owners == 0 {
            let held = entry.remove();
            self.deletes.extend(held.source.settings().cloned());
        }
    }

    fn get(&self, address: &AddressSettings) -> Option<&Held> {
        self.held.get(&self.names.key(address)?)
    }

    /// Whether it is held, but the kernel does not have it and cannot be made to.
    pub fn is_refused(&self, address: &AddressSettings) -> bool {
        self.get(address).is_some_and(|held| held.refused)
    }

    /// Something about this interface changed: what was refused there is asked for once more.
    pub fn try_again(&mut self, name: &str) {
        let Some(&number) = self.names.numbers.get(name) else { return };
        let refused = self.held.iter().filter(|(k, held)| k.0 == number && held.refused);
        self.adds.extend(refused.map(|(k, _)| *k));
    }

    /// When an address is to be put back.
    pub fn restore_at(&self) -> Option<Time> {
        self.restore_at
    }

    /// An address went from the interface called `name`: if it is held and ours to watch, somebody
    /// else removed it, and it is put back.
    pub fn removed(&mut self, now: Time, name: &str, ip: IpAddr, prefix: u8) {
        let Some(&number) = self.names.numbers.get(name) else { return };
        let Some(held) = self.held.get_mut(&(number, ip, prefix)) else { return };
        if !held.tracked || held.restoration.as_ref().is_some_and(|r| r.due.is_some()) {
            return;
        }
        let restoration = held.restoration.get_or_insert_default();
        log::debug!("Netlink reflector reports IP {ip} removed from {name}");
        let at = match restoration.last {
            Some(last) if now.since(last) < RESTORE_PAUSE => last + RESTORE_PAUSE,
            _ => now,
        };
        restoration.due = Some(at);
        self.restore_at = Some(self.restore_at.map_or(at, |t| t.min(at)));
    }

    /// Events were lost: what the kernel does not have is to be put back.
    pub fn recheck(&mut self, now: Time, view: &KernelView) {
        let mut present: HashMap<u32, HashSet<IpAddr>> = HashMap::new();
        for (number, name) in (0..).zip(&self.names.names) {
            if let Some(index) = view.index(name) {
                let addresses = view.addresses(index).iter().map(|a| a.ip).collect();
                present.insert(number, addresses);
            }
        }
        let missing = |k: &&Key| present.get(&k.0).is_some_and(|there| !there.contains(&k.1));
        let missing: Vec<Key> = self.held.keys().filter(missing).copied().collect();
        for (number, ip, prefix) in missing {
            let name = self.names.names.get(number as usize).cloned().unwrap_or_default();
            self.removed(now, &name, ip, prefix);
        }
    }

    /// The interface is back, or was replaced: everything held on it is asked for again.
    pub fn interface_returned(&mut self, name: &str) {
        let Some(&number) = self.names.numbers.get(name) else { return };
        self.adds.extend(self.held.keys().filter(|k| k.0 == number));
    }

    /// Puts back what is due; returns the addresses, to be announced.
    pub fn restore_due(&mut self, now: Time) -> Vec<AddressSettings> {
        if self.restore_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let mut due = Vec::new();
        let mut next: Option<Time> = None;
        for (k, held) in &mut self.held {
            let Some(restoration) = &mut held.restoration else { continue };
            match restoration.due {
                Some(at) if at <= now => {
                    restoration.due = None;
                    restoration.last = Some(now);
                    let name = self.names.name(k.0);
                    log::info!("Restoring deleted address {}/{} dev {name}", k.1, k.2);
                    self.adds.push(*k);
                    due.extend(held.source.settings().cloned());
                }
                Some(at) => next = Some(next.map_or(at, |t| t.min(at))),
                None => {}
            }
        }
        self.restore_at = next;
        due
    }

    /// Whether requests wait for [`Holdings::apply`].
    pub fn is_dirty(&self) -> bool {
        !self.adds.is_empty() || !self.deletes.is_empty() || self.done < self.batch.len()
    }

    /// Sends what was asked for since the last call, in one batch, for about [`BUDGET`]; true when
    /// all of it is done. The kernel needs ever longer for each further address of an interface, so
    /// thousands are applied in parts, between which adverts are sent and received.
    pub fn apply(&mut self, view: &KernelView, channel: &mut Channel) -> bool {
        self.stage(view);
        if self.done == self.batch.len() {
            return true;
        }
        for outcome in channel.apply_within(&self.batch, self.done, BUDGET) {
            self.done += 1;
            let Some((add, key)) = self.asked.get(outcome.tag as usize) else { continue };
            let before = match self.held.get_mut(key) {
                Some(held) if *add => std::mem::replace(&mut held.refused, outcome.result.is_err()),
                _ => false,
            };
            if let (Err(error), false) = (outcome.result, before) {
                let verb = if *add { "add" } else { "remove" };
                let name = self.names.name(key.0);
                log::error!("Cannot {verb} address {} on {name}: {error}", key.1);
            }
        }
        if self.done < self.batch.len() {
            return false;
        }
        // Not cleared: the room for thousands of requests is needed once.
        self.batch = Batch::new();
        self.asked = Vec::new();
        self.done = 0;
        true
    }

    /// Applies everything however long it takes: the daemon ends.
    pub fn apply_all(&mut self, view: &KernelView, channel: &mut Channel) {
        while !self.apply(view, channel) {}
    }

    /// Turns what was asked for into requests. Deletions come last, so that an address that moves is
    /// never missing; only what the kernel would take for the same address is deleted first.
    fn stage(&mut self, view: &KernelView) {
        let added: HashSet<(u32, IpAddr)> = self.adds.iter().map(|k| (k.0, k.1)).collect();
        let (first, last): (Vec<_>, Vec<_>) = std::mem::take(&mut self.deletes)
            .into_iter()
            .filter(|a| self.get(a).is_none())
            .partition(|a| self.names.key(a).is_some_and(|k| added.contains(&(k.0, k.1))));
        for a in std::mem::take(&mut self.replaced).into_iter().chain(first) {
            self.ask(false, &a, view);
        }
        let mut asked = HashSet::new();
        for k in std::mem::take(&mut self.adds).into_iter().filter(|k| asked.insert(*k)) {
            if let Some(source) = self.held.get(&k).map(|h| h.source.clone())
                && let Some(settings) = source.settings()
            {
                self.ask(true, settings, view);
            }
        }
        for a in last {
            self.ask(false, &a, view);
        }
    }

    fn ask(&mut self, add: bool, a: &AddressSettings, view: &KernelView) {
        let Some(key) = self.names.key(a) else { return };
        let Some(r) = request(a, view) else {
            if add {
                if let Some(held) = self.held.get_mut(&key) {
                    held.refused = true;
                }
                log::info!(
                    "Not adding address {} to {} since interface doesn't exist",
                    a.ip,
                    a.interface
                );
            }
            return;
        };
        let tag = self.asked.len() as u64;
        self.asked.push((add, key));
        if add {
            self.batch.add_address(&r, tag);
        } else {
            self.batch.delete_address(&r, tag);
        }
    }
}

/// The kernel request for an address; `None` while its interface does not exist.
pub fn request(a: &AddressSettings, view: &KernelView) -> Option<AddressRequest> {
    let mut r = AddressRequest::new(view.index(&a.interface)?, a.ip, a.prefix);
    r.peer = a.peer;
    r.broadcast = a.broadcast;
    r.label = a.label.clone();
    r.scope = a.scope;
    r.dad = a.dad;
    r.home = a.home;
    r.mngtmpaddr = a.mngtmpaddr;
    r.noprefixroute = a.noprefixroute;
    r.autojoin = a.autojoin;
    r.preferred_lft = a.preferred_lft;
    Some(r)
}
