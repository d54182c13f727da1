//! The virtual addresses this machine holds: a want-state counted over all MASTER instances.
//!
//! An address is added when the first instance wants it and deleted when the last one lets go, so
//! moving an address from one instance to another in a reload touches nothing. What somebody else
//! deletes is put back at once, and after a second deletion within a second no faster than once a second.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use netlink::{AddressRequest, Batch, Channel};
use scheduler::Time;

use super::kernel_view::KernelView;
use crate::config::{AddressSettings, InstanceSettings};

/// Shortest time between two restorations of the same address.
const RESTORE_PAUSE: Duration = Duration::from_secs(1);

/// How long one part of a large batch may keep the loop from its sockets.
const BUDGET: Duration = Duration::from_millis(2);

/// Identity of an address on this machine.
type Key = (String, IpAddr, u8);

/// A request of the batch: whether it adds, and what.
type Asked = (bool, Key);

struct Held {
    owners: u32,
    /// Boxed, because a hash table has more room than entries.
    settings: Box<AddressSettings>,
    tracked: bool,
    /// The kernel would not have it, or its interface is not there.
    refused: bool,
    restored_at: Option<Time>,
    /// When to put it back; set while it is missing.
    restore_at: Option<Time>,
}

/// All addresses held, and the requests of the current batch.
#[derive(Default)]
pub struct Holdings {
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

fn key(a: &AddressSettings) -> Key {
    (a.interface.clone(), a.ip, a.prefix)
}

impl Holdings {
    /// The instance holds its addresses from now on.
    pub fn take(&mut self, instance: &InstanceSettings) {
        for address in instance.addresses.iter().chain(&instance.excluded) {
            self.want(address);
        }
    }

    /// The instance lets its addresses go.
    pub fn release(&mut self, instance: &InstanceSettings) {
        for address in instance.addresses.iter().chain(&instance.excluded) {
            self.unwant(address);
        }
    }

    /// One more owner of `address`.
    pub fn want(&mut self, address: &AddressSettings) {
        let k = key(address);
        let held = self.held.entry(k.clone()).or_insert_with(|| Held {
            owners: 0,
            settings: Box::new(address.clone()),
            tracked: !address.no_track,
            refused: false,
            restored_at: None,
            restore_at: None,
        });
        held.owners += 1;
        let differs = *held.settings != *address;
        if differs {
            self.replaced.push(std::mem::replace(&mut *held.settings, address.clone()));
            held.tracked = !address.no_track;
        }
        if held.owners == 1 || differs {
            self.adds.push(k);
        }
    }

    /// One owner less.
    pub fn unwant(&mut self, address: &AddressSettings) {
        let k = key(address);
        let Some(held) = self.held.get_mut(&k) else { return };
        held.owners -= 1;
        if held.owners == 0
            && let Some(held) = self.held.remove(&k)
        {
            self.deletes.push(*held.settings);
        }
    }

    /// Whether `ip` is held on any interface.
    pub fn holds(&self, address: &AddressSettings) -> bool {
        self.held.contains_key(&key(address))
    }

    /// Whether it is held, but the kernel does not have it and cannot be made to.
    pub fn is_refused(&self, address: &AddressSettings) -> bool {
        self.held.get(&key(address)).is_some_and(|held| held.refused)
    }

    /// Something about this interface changed: what was refused there is asked for once more.
    pub fn try_again(&mut self, name: &str) {
        let refused = self.held.iter().filter(|(k, held)| k.0 == name && held.refused);
        self.adds.extend(refused.map(|(k, _)| k.clone()));
    }

    /// When an address is to be put back.
    pub fn restore_at(&self) -> Option<Time> {
        self.restore_at
    }

    /// An address went from the interface called `name`: if it is held and ours to watch, somebody
    /// else removed it, and it is put back.
    pub fn removed(&mut self, now: Time, name: &str, ip: IpAddr, prefix: u8) {
        let Some(held) = self.held.get_mut(&(name.to_owned(), ip, prefix)) else { return };
        if !held.tracked || held.restore_at.is_some() {
            return;
        }
        log::debug!("Netlink reflector reports IP {ip} removed from {name}");
        let at = match held.restored_at {
            Some(last) if now.since(last) < RESTORE_PAUSE => last + RESTORE_PAUSE,
            _ => now,
        };
        held.restore_at = Some(at);
        self.restore_at = Some(self.restore_at.map_or(at, |t| t.min(at)));
    }

    /// Events were lost: what the kernel does not have is to be put back.
    pub fn recheck(&mut self, now: Time, view: &KernelView) {
        let mut missing: Vec<Key> = self.held.keys().cloned().collect();
        missing.retain(|k| {
            view.index(&k.0).is_some_and(|i| !view.addresses(i).iter().any(|a| a.ip == k.1))
        });
        for (name, ip, prefix) in missing {
            self.removed(now, &name, ip, prefix);
        }
    }

    /// The interface is back, or was replaced: everything held on it is asked for again.
    pub fn interface_returned(&mut self, name: &str) {
        self.adds.extend(self.held.keys().filter(|k| k.0 == name).cloned());
    }

    /// Puts back what is due; returns the addresses, to be announced.
    pub fn restore_due(&mut self, now: Time) -> Vec<AddressSettings> {
        if self.restore_at.is_none_or(|at| at > now) {
            return Vec::new();
        }
        let mut due = Vec::new();
        let mut next: Option<Time> = None;
        for (k, held) in &mut self.held {
            match held.restore_at {
                Some(at) if at <= now => {
                    held.restore_at = None;
                    held.restored_at = Some(now);
                    log::info!("Restoring deleted address {}/{} dev {}", k.1, k.2, k.0);
                    self.adds.push(k.clone());
                    due.push(AddressSettings::clone(&held.settings));
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
                log::error!("Cannot {verb} address {} on {}: {error}", key.1, key.0);
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
        let added: HashSet<(String, IpAddr)> =
            self.adds.iter().map(|k| (k.0.clone(), k.1)).collect();
        let (first, last): (Vec<_>, Vec<_>) = std::mem::take(&mut self.deletes)
            .into_iter()
            .filter(|a| !self.held.contains_key(&key(a)))
            .partition(|a| added.contains(&(a.interface.clone(), a.ip)));
        for a in std::mem::take(&mut self.replaced).into_iter().chain(first) {
            self.ask(false, &a, view);
        }
        for k in std::mem::take(&mut self.adds) {
            if let Some(settings) = self.held.get(&k).map(|h| h.settings.clone()) {
                self.ask(true, &settings, view);
            }
        }
        for a in last {
            self.ask(false, &a, view);
        }
    }

    fn ask(&mut self, add: bool, a: &AddressSettings, view: &KernelView) {
        let Some(r) = request(a, view) else {
            if add {
                if let Some(held) = self.held.get_mut(&key(a)) {
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
        self.asked.push((add, key(a)));
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
