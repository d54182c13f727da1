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

use super::{HasCheck, finish};
use crate::checker::{CheckerId, schedule};
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
    judge(w, |_| true);
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
            Event::Link(_) | Event::LinkGone { .. } | Event::PathGone => {}
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
    judge(w, |identity| matches!(identity, Identity::Address(own, _) if *own == ip));
}

/// Suspends or activates the checkers of those virtual servers that `which` chooses, also of those
/// that a start or a reload has only just begun.
fn judge<W: HasCheck>(w: &mut W, which: impl Fn(&Identity) -> bool) {
    let Some(check) = w.check() else { return };
    let suspendable = check
        .slots
        .iter()
        .flatten()
        .filter(|service| service.settings.ha_suspend && which(&service.settings.identity));
    let mut checkers: Vec<(CheckerId, bool)> = Vec::new();
    for service in suspendable {
        let enabled = check.addresses.has(&service.settings.identity);
        let ids = service.reals.iter().flat_map(|real| &real.checkers);
        checkers.extend(ids.map(|id| (*id, enabled)));
    }
    for (id, enabled) in checkers {
        match enabled {
            true => schedule::enable(w, id),
            false => schedule::suspend(w, id),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::super::stage::{Stage, read};
    use super::super::{reload, tests};
    use super::*;

    fn address(last: u8) -> Address {
        Address {
            index: 1,
            ip: Ipv4Addr::new(10, 9, 9, last).into(),
            prefix: 32,
            peer: None,
            broadcast: None,
            scope: 0,
            label: None,
            flags: 0,
            protocol: 0,
            preferred_lft: u32::MAX,
            valid_lft: u32::MAX,
        }
    }

    #[test]
    fn an_address_that_comes_during_a_start_counts_for_all() {
        let one = |n: u8| {
            tests::service("ha_suspend\ndelay_loop 10", &tests::pair())
                .replace("10.9.9.9", &format!("10.9.9.{n}"))
        };
        let text: String = (1..=200).map(one).collect();
        let mut stage = Stage::new("");
        reload(&mut stage.s, &mut stage.w, read(&text));
        stage.s.turn(&mut stage.w, None).unwrap();
        assert!(stage.check().steps_waiting());
        for last in [1, 200] {
            changed(&mut stage.w, &address(last), true);
        }
        stage.pass(60);
        assert_eq!(stage.w.attempts.len(), 4, "one each, which nobody answers");
    }
}
