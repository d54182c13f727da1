//! `ha_suspend`: virtual servers are checked only while their address is on this machine (spec
//! checkers-behaviour §3.4).
//!
//! The kernel's addresses are followed only while a virtual server wants that, or all changes are to
//! be logged (`-a`).

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use netlink::{Address, Channel, Event, Monitor};
use scheduler::{Class, Ready, Scheduler};

use super::{Check, HasCheck, finish};
use crate::checker::schedule;
use crate::settings::Identity;

/// When the kernel could not be asked: how long until the next attempt.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// The addresses of this machine.
#[derive(Default)]
pub(super) struct Addresses {
    /// Every change is logged (`-a`).
    pub(super) logged: bool,
    monitor: Option<Monitor>,
    /// Interface and prefix length of each address, wherever it is.
    places: HashMap<IpAddr, HashSet<(u32, u8)>>,
}

impl Addresses {
    /// Whether the address of a virtual server is here. That of a group never is.
    pub(super) fn has(&self, identity: &Identity) -> bool {
        matches!(identity, Identity::Address(ip, _) if self.places.contains_key(ip))
    }

    fn replace(&mut self, addresses: Vec<Address>) {
        self.places.clear();
        for address in addresses {
            self.follow(&address, true);
        }
    }

    /// True when the address was nowhere before, or is nowhere any more.
    fn follow(&mut self, address: &Address, added: bool) -> bool {
        let place = (address.index, address.prefix);
        let before = self.places.contains_key(&address.ip);
        let places = self.places.entry(address.ip).or_default();
        if added {
            places.insert(place);
        } else {
            places.remove(&place);
        }
        if places.is_empty() {
            self.places.remove(&address.ip);
        }
        before != self.places.contains_key(&address.ip)
    }

    fn log(&self, ip: IpAddr, what: &str) {
        if self.logged {
            log::info!("Netlink reflector reports IP {ip} {what}");
        }
    }
}

/// Begins to follow addresses if the configuration needs it. To be called before checkers are made.
pub(super) fn watch<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, needed: bool) {
    let Some(check) = w.check() else { return };
    let addresses = &mut check.addresses;
    if !(needed || addresses.logged) || addresses.monitor.is_some() || s.is_simulated() {
        return;
    }
    match Monitor::open() {
        Ok(monitor) => {
            let fd = monitor.fd();
            addresses.monitor = Some(monitor);
            wait(s, fd);
        }
        Err(e) => log::error!("Cannot follow the kernel's addresses for ha_suspend: {e}"),
    }
    resynchronise(s, w);
}

fn wait<W: HasCheck>(s: &mut Scheduler<W>, fd: i32) {
    if let Err(e) = s.add_read(Class::Checker, fd, None, 0, on_kernel::<W>) {
        log::error!("Cannot wait for changes of the kernel's addresses: {e}");
    }
}

fn resynchronise<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    let known = Channel::open().and_then(|mut channel| channel.dump_addresses());
    let Some(check) = w.check() else { return };
    match known {
        Ok(known) => check.addresses.replace(known),
        Err(e) => {
            log::error!("Cannot read the kernel's addresses: {e}");
            s.add_timer_after(Class::Checker, ASK_AGAIN, 0, |s, w, _| resynchronise(s, w));
            return;
        }
    }
    let suspendable: Vec<u32> =
        check.order.iter().copied().filter(|slot| check.is_suspendable(*slot)).collect();
    for slot in suspendable {
        judge(w, slot);
    }
}

fn on_kernel<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let Some(check) = w.check() else { return };
    let Some(monitor) = &mut check.addresses.monitor else { return };
    let fd = monitor.fd();
    let mut events = Vec::new();
    match monitor.receive(&mut events) {
        Ok(true) => s.drained(fd),
        Ok(false) => {}
        Err(e) => log::error!("Cannot read changes of the kernel's addresses: {e}"),
    }
    wait(s, fd);
    for event in events {
        match event {
            Event::Address(address) => changed(w, &address, true),
            Event::AddressGone(address) => changed(w, &address, false),
            Event::Overrun => resynchronise(s, w),
            Event::Link(_) | Event::LinkGone { .. } => {}
        }
    }
    finish(s, w);
}

fn changed<W: HasCheck>(w: &mut W, address: &Address, added: bool) {
    let Some(check) = w.check() else { return };
    if !check.addresses.follow(address, added) {
        return;
    }
    let ip = address.ip;
    check.addresses.log(ip, if added { "added" } else { "removed" });
    let of_it = |slot: &u32| {
        check.is_suspendable(*slot)
            && check.service(*slot).is_some_and(
                |service| matches!(service.settings.identity, Identity::Address(own, _) if own == ip),
            )
    };
    let slots: Vec<u32> = check.order.iter().copied().filter(of_it).collect();
    for slot in slots {
        judge(w, slot);
    }
}

/// Suspends or activates the checkers of a virtual server.
fn judge<W: HasCheck>(w: &mut W, slot: u32) {
    let Some(check) = w.check() else { return };
    let Some(service) = check.service(slot) else { return };
    let enabled = check.addresses.has(&service.settings.identity);
    let ids: Vec<_> = service.reals.iter().flat_map(|real| real.checkers.clone()).collect();
    for id in ids {
        match enabled {
            true => schedule::enable(w, id),
            false => schedule::suspend(w, id),
        }
    }
}

impl Check {
    fn is_suspendable(&self, slot: u32) -> bool {
        self.service(slot).is_some_and(|service| service.settings.ha_suspend)
    }
}
