//! Kernel events: links that go up and down, interfaces that come and go, addresses that change.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::Duration;

use netlink::Event;
use scheduler::Time;

use super::Vrrp;
use super::announcer::Announcement;
use super::kernel_view::{Change, Presence};
use crate::config::Family;
use crate::router::Status;
use crate::state::Faults;

/// After lost events, the pause between attempts to read the kernel's state.
const RESYNC_PAUSE: Duration = Duration::from_secs(1);

/// `interface_up_down_delays` of one interface.
pub(super) struct Debounce {
    pub down: Duration,
    pub up: Duration,
    /// Whether it was up before; the first transition is never delayed.
    seen_up: bool,
    /// A change waiting to be believed: when, and whether it is up.
    pending: Option<(Time, bool)>,
}

impl Debounce {
    pub fn new(down: Duration, up: Duration) -> Self {
        Debounce { down, up, seen_up: false, pending: None }
    }

    /// What is known at start, without delay.
    pub fn learn(&mut self, up: bool) {
        self.seen_up |= up;
    }

    pub fn seen_up(&self) -> bool {
        self.seen_up
    }

    pub fn due(&self) -> Option<Time> {
        self.pending.map(|(at, _)| at)
    }
}

/// Longest delay of a change of link under which a backup that waits for `adverts` adverts still hears
/// the last of them.
fn longest_debounce(interval: Duration, adverts: u8) -> Duration {
    (interval * u32::from(adverts.saturating_sub(1))).saturating_sub(interval / 256)
}

impl Vrrp {
    /// Reads kernel events. First: an interface that carries adverts appeared or was replaced, so
    /// that sockets must be opened; second: nothing is left to read.
    pub(super) fn kernel_events(&mut self, now: Time) -> (bool, bool) {
        let mut changes = Vec::new();
        let drained = self.read_events(now, &mut changes);
        (self.apply_changes(now, changes), drained)
    }

    /// Reads kernel events into the view; true when nothing is left to read.
    pub(super) fn read_events(&mut self, now: Time, changes: &mut Vec<Change>) -> bool {
        let mut events = Vec::new();
        let drained = self.monitor.receive(&mut events).unwrap_or_else(|error| {
            log::error!("Netlink: cannot read kernel events: {error}");
            true
        });
        self.rows.outdate();
        for event in events {
            if event == Event::PathGone {
                self.paths.gone(now);
            } else if event == Event::Overrun {
                log::info!("Netlink: events were lost, reading the kernel's state anew");
                self.resync(now, changes);
            } else {
                self.view.apply(event, changes);
            }
        }
        drained
    }

    /// A dump after lost events failed: the time of the next attempt has come. True when sockets
    /// must be opened.
    pub(super) fn resync_due(&mut self, now: Time) -> bool {
        if self.resync_at.is_none_or(|at| at > now) {
            return false;
        }
        self.rows.outdate();
        let mut changes = Vec::new();
        self.resync(now, &mut changes);
        self.apply_changes(now, changes)
    }

    pub(super) fn apply_changes(&mut self, now: Time, changes: Vec<Change>) -> bool {
        let mut reopen = false;
        // Interfaces of which an address changed that may be a source.
        let mut sources = HashSet::new();
        for change in changes {
            if self.options.address_monitoring {
                self.log_address(&change);
            }
            match change {
                Change::Link { name, presence } => {
                    reopen |= self.link_changed(now, &name, presence)
                }
                Change::AddressAdded(index, ip) => self.source_changed(index, ip, &mut sources),
                Change::AddressRemoved(index, ip, prefix) => {
                    // One that is there again by now was replaced by this daemon.
                    if let Some(link) = self.view.link_at(index)
                        && !self.view.has(index, ip, prefix)
                    {
                        self.holdings.removed(now, &link.name, ip, prefix);
                    }
                    self.source_changed(index, ip, &mut sources);
                }
                Change::AddressesUnknown(index) => drop(sources.insert(index)),
            }
        }
        if !sources.is_empty() {
            self.give_own_addresses();
        }
        for index in &sources {
            if let Some(link) = self.view.link_at(*index) {
                self.holdings.try_again(&link.name);
            }
            reopen |= self.choose_sources(now, *index);
        }
        if !sources.is_empty() {
            self.paths.try_again();
        }
        if !sources.is_empty() {
            for i in self.tracking_sources.clone() {
                self.check_source(now, i);
            }
        }
        reopen
    }

    /// `--address-monitoring`.
    fn log_address(&self, change: &Change) {
        let (index, ip, what) = match change {
            Change::AddressAdded(index, ip) => (*index, ip, "added to"),
            Change::AddressRemoved(index, ip, _) => (*index, ip, "removed from"),
            Change::Link { .. } | Change::AddressesUnknown(_) => return,
        };
        if let Some(link) = self.view.link_at(index) {
            log::info!("Netlink reflector reports IP {ip} {what} {}", link.name);
        }
    }

    /// Events were lost: everything is read again and everything may have changed.
    fn resync(&mut self, now: Time, changes: &mut Vec<Change>) {
        let (links, addresses) = match (self.channel.dump_links(), self.channel.dump_addresses()) {
            (Ok(links), Ok(addresses)) => (links, addresses),
            (Err(error), _) | (_, Err(error)) => {
                log::error!("Netlink: cannot read the kernel's state: {error}, trying again");
                self.resync_at = Some(now + RESYNC_PAUSE);
                return;
            }
        };
        self.resync_at = None;
        let before: HashMap<String, u32> =
            self.view.links().iter().map(|l| (l.name.clone(), l.index)).collect();
        self.view.replace(links, addresses);
        for link in self.view.links() {
            let same = before.get(&link.name) == Some(&link.index);
            let presence = if same { Presence::Same } else { Presence::Appeared };
            changes.push(Change::Link { name: link.name.clone(), presence });
            changes.push(Change::AddressesUnknown(link.index));
        }
        for name in before.into_keys().filter(|name| self.view.link(name).is_none()) {
            changes.push(Change::Link { name, presence: Presence::Gone });
        }
        self.holdings.recheck(now, &self.view);
        self.vmacs.recheck(now, &self.view);
        self.paths.gone(now);
    }

    /// Virtual addresses come and go by the thousand; none of them is a source.
    fn source_changed(&self, index: u32, ip: IpAddr, sources: &mut HashSet<u32>) {
        if !self.virtual_addresses.contains(&ip) {
            sources.insert(index);
        }
    }

    fn link_changed(&mut self, now: Time, name: &str, presence: Presence) -> bool {
        let configured = self.interfaces.contains(name);
        if configured && presence == Presence::Appeared {
            log::debug!("Interface {name} added");
        }
        let mut moved = self.place_ports(name);
        let up = self.view.is_up(name);
        for i in self.by_interface.get(name).cloned().unwrap_or_default() {
            if moved {
                // Another interface of the same name has other addresses.
                moved |= self.choose_source(now, i);
            }
            // A socket that could not be opened is tried again.
            moved |= up && self.ports[i].socket.is_none();
        }
        if up {
            // The kernel has taken the routes over it while it was down.
            self.paths.gone(now);
            self.paths.try_again();
        }
        // One of the same name may be there by now.
        if presence == Presence::Gone && self.view.link(name).is_none() {
            self.vmacs.gone(now, name);
        }
        if presence == Presence::Appeared {
            self.vmacs.appeared(name);
            self.firewall.interface_returned(name, &self.view);
            self.holdings.interface_returned(name);
            self.sysctls.set(&self.view);
        }
        if !self.is_polled(name) {
            self.link_is(now, name, up);
        } else if presence == Presence::Gone {
            self.polled_is_gone(now, name);
        }
        if configured && presence == Presence::Gone {
            log::info!("Interface {name} deleted");
        }
        moved
    }

    /// An interface has, or has not, a link; that may have been known.
    pub(super) fn link_is(&mut self, now: Time, name: &str, up: bool) {
        let limit = self.debounce_limit(name);
        match self.debounces.get_mut(name) {
            Some(d) => {
                let delay = if up { d.up } else { d.down }.min(limit);
                let known =
                    self.interface_trackers.get(name).map(|&t| self.router.trackers()[t].status());
                let was_up = known == Some(Status::Up);
                if up == was_up {
                    if d.pending.take().is_some() {
                        log::info!("Delay timer for {name} cancelled");
                    }
                } else if d.seen_up && !delay.is_zero() {
                    d.pending.get_or_insert((now + delay, up));
                } else {
                    d.seen_up |= up;
                    self.set_link(now, name, up);
                }
            }
            None => self.set_link(now, name, up),
        }
    }

    /// No delay may outlast the adverts a backup waits for, and a version 3 master may send them faster
    /// than is configured here.
    fn debounce_limit(&self, name: &str) -> Duration {
        let instances = [&self.by_interface, &self.by_parent].map(|map| map.get(name));
        let limit = |&i: &usize| {
            let inst = &self.router.instances()[i];
            longest_debounce(inst.master_interval, inst.settings.down_timer_adverts)
        };
        instances.into_iter().flatten().flatten().map(limit).min().unwrap_or(Duration::MAX)
    }

    fn set_link(&mut self, now: Time, name: &str, up: bool) {
        let Some(&tracker) = self.interface_trackers.get(name) else { return };
        let status = if up { Status::Up } else { Status::Down };
        if self.router.trackers()[tracker].status() != status {
            let who = if self.is_polled(name) { "Linkbeat" } else { "Netlink" };
            log::info!("{who} reports {name} {}", if up { "up" } else { "down" });
            self.router.set_tracker(now, tracker, status, &mut self.actions);
        }
    }

    /// Changes whose delay is over.
    pub(super) fn debounces_due(&mut self, now: Time) {
        let due: Vec<(String, bool)> = self
            .debounces
            .iter_mut()
            .filter(|(_, d)| d.pending.is_some_and(|(at, _)| at <= now))
            .filter_map(|(name, d)| {
                let (_, up) = d.pending.take()?;
                d.seen_up |= up;
                Some((name.clone(), up))
            })
            .collect();
        for (name, up) in due {
            self.set_link(now, &name, up);
        }
    }

    /// Tells the instances on the interface which index it has now; true when that changed for any.
    fn place_ports(&mut self, name: &str) -> bool {
        let index = self.view.index(name).unwrap_or(0);
        let Some(instances) = self.by_interface.get(name) else {
            return false;
        };
        let mut moved = false;
        for &i in instances {
            if self.ports[i].interface != index {
                self.ports[i].interface = index;
                moved = true;
            }
        }
        moved
    }

    fn choose_sources(&mut self, now: Time, index: u32) -> bool {
        let Some(link) = self.view.link_at(index) else { return false };
        let instances: Vec<usize> = [&self.by_interface, &self.by_parent]
            .into_iter()
            .filter_map(|map| map.get(&link.name))
            .flatten()
            .copied()
            .collect();
        instances.into_iter().fold(false, |reopen, i| self.choose_source(now, i) | reopen)
    }

    /// Finds the instance's source address anew; true when its socket depends on a changed one.
    pub(super) fn choose_source(&mut self, now: Time, i: usize) -> bool {
        let inst = &self.router.instances()[i];
        let s = std::rc::Rc::clone(&inst.settings);
        if s.source.is_some() {
            // It never changes, so nothing else would prebuild the advert.
            if !self.ports[i].is_built() {
                self.ports[i].rebuild(&self.router.instances()[i], self.router.globals());
            }
            self.check_source(now, i);
            return false;
        }
        let before = inst.source;
        let index = match (&s.vmac, &s.interface) {
            // IPv4 sends from the parent's address, whatever the interface.
            (Some(vmac), Some(parent)) if s.family == Family::V4 && !vmac.is_ipvlan() => {
                self.view.index(parent).unwrap_or(0)
            }
            _ => self.ports[i].interface,
        };
        let source = self.view.source(index, s.family, before, &self.virtual_addresses);
        if source != before {
            self.router.instance_mut(i).source = source;
            self.ports[i].rebuild(&self.router.instances()[i], self.router.globals());
            let name = if s.family == Family::V4 { s.interface.as_deref() } else { s.bound_to() };
            if let (Some(address), Some(name)) = (source.or(before), name) {
                let words = if source.is_some() {
                    format!("Assigned address {address} for interface {name}")
                } else {
                    format!("Deassigned address {address} from interface {name}")
                };
                // Once for all instances of the interface.
                if self.said_of_source != words {
                    log::debug!("{words}");
                    self.said_of_source = words;
                }
            }
        }
        self.router.set_fault(now, i, Faults::NO_SOURCE, source.is_none(), &mut self.actions);
        source != before && !s.peers.is_empty()
    }

    /// A configured source is only missed with `track_src_ip`: FAULT while it is nobody's.
    fn check_source(&mut self, now: Time, i: usize) {
        let s = &self.router.instances()[i].settings;
        if let Some(source) = s.source {
            let missing = s.track_source && !self.view.has_address(source);
            self.router.set_fault(now, i, Faults::NO_SOURCE, missing, &mut self.actions);
        }
    }

    /// Puts back addresses, routes and rules that somebody else removed, and announces the addresses.
    pub(super) fn restore(&mut self, now: Time) {
        self.vmacs.restore_due(now);
        self.paths.restore_due(now);
        let restored = self.holdings.restore_due(now);
        if restored.is_empty() {
            return;
        }
        self.holdings.apply_all(&self.view, &mut self.channel);
        // With an address the kernel takes the routes that need it.
        self.paths.gone(now);
        let list: Vec<Announcement> = restored
            .into_iter()
            .map(|a| Announcement { interface: a.interface, ip: a.ip })
            .collect();
        self.announcer.announce(now, None, &list, 1, &self.view);
        self.announcer.drain(now, &self.view);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_link_is_believed_before_a_backup_would_take_over() {
        let second = Duration::from_secs(1);
        assert_eq!(longest_debounce(second, 3), 2 * second - second / 256);
        assert_eq!(longest_debounce(second / 10, 3), second / 5 - second / 2560);
        assert_eq!(longest_debounce(second, 1), Duration::ZERO);
    }
}
