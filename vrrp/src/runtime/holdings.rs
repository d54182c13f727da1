//! The virtual addresses this machine holds: a want-state counted over all MASTER instances.
//!
//! An address is added when the first instance wants it and deleted when the last one lets go, so
//! moving an address from one instance to another in a reload touches nothing. What somebody else
//! deletes is put back at once, and after a second deletion within a second no faster than once a second.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use netlink::{AddressRequest, Batch, Channel};
use scheduler::Time;

use super::kernel_view::KernelView;
use crate::config::{AddressSettings, InstanceSettings};

/// Shortest time between two restorations of the same address.
const RESTORE_PAUSE: Duration = Duration::from_secs(1);

/// Identity of an address on this machine.
type Key = (String, IpAddr, u8);

struct Held {
    owners: u32,
    settings: AddressSettings,
    tracked: bool,
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
            settings: address.clone(),
            tracked: !address.no_track,
            restored_at: None,
            restore_at: None,
        });
        held.owners += 1;
        let differs = held.settings != *address;
        if differs {
            held.settings = address.clone();
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
            self.deletes.push(held.settings);
        }
    }

    /// Whether `ip` is held on any interface.
    pub fn holds(&self, address: &AddressSettings) -> bool {
        self.held.contains_key(&key(address))
    }

    /// When an address is to be put back.
    pub fn restore_at(&self) -> Option<Time> {
        self.restore_at
    }

    /// Someone removed `ip` from the interface called `name`: put it back if it is ours to watch.
    pub fn removed(&mut self, now: Time, name: &str, ip: IpAddr) {
        for (k, held) in &mut self.held {
            if k.0 != name || k.1 != ip || !held.tracked || held.restore_at.is_some() {
                continue;
            }
            log::debug!("Netlink reflector reports IP {ip} removed from {name}");
            let at = match held.restored_at {
                Some(last) if now.since(last) < RESTORE_PAUSE => last + RESTORE_PAUSE,
                _ => now,
            };
            held.restore_at = Some(at);
            self.restore_at = Some(self.restore_at.map_or(at, |t| t.min(at)));
        }
    }

    /// Events were lost: what the kernel does not have is to be put back.
    pub fn recheck(&mut self, now: Time, view: &KernelView) {
        let missing: Vec<(String, IpAddr)> = self
            .held
            .keys()
            .filter(|k| {
                view.index(&k.0).is_some_and(|i| !view.addresses(i).iter().any(|a| a.ip == k.1))
            })
            .map(|k| (k.0.clone(), k.1))
            .collect();
        for (name, ip) in missing {
            self.removed(now, &name, ip);
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
                    due.push(held.settings.clone());
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
        !self.adds.is_empty() || !self.deletes.is_empty()
    }

    /// Sends everything asked for since the last call as one batch, deletions last, so that an
    /// address that moves is never missing.
    pub fn apply(&mut self, view: &KernelView, channel: &mut Channel) {
        let mut batch = Batch::new();
        let mut named: Vec<(bool, IpAddr, String)> = Vec::new();
        for k in self.adds.drain(..) {
            let Some(held) = self.held.get(&k) else { continue };
            match request(&held.settings, view) {
                Some(r) => {
                    batch.add_address(&r, named.len() as u64);
                    named.push((true, k.1, k.0));
                }
                None => log::info!(
                    "Not adding address {} to {} since interface doesn't exist",
                    k.1,
                    k.0
                ),
            }
        }
        for a in self.deletes.drain(..) {
            if self.held.contains_key(&key(&a)) {
                continue; // Wanted again within the same batch.
            }
            if let Some(r) = request(&a, view) {
                batch.delete_address(&r, named.len() as u64);
                named.push((false, a.ip, a.interface));
            }
        }
        if batch.is_empty() {
            return;
        }
        for outcome in channel.apply(&batch) {
            if let Err(error) = outcome.result
                && let Some((add, ip, interface)) = named.get(outcome.tag as usize)
            {
                let verb = if *add { "add" } else { "remove" };
                log::error!("Cannot {verb} address {ip} on {interface}: {error}");
            }
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
