//! A table in memory, for tests and simulations: it answers as the kernel's does.

mod listing;

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::rc::Rc;

use nix::errno::Errno;

use crate::batch::{Batch, Change, Request};
use crate::daemon::{Daemon, DaemonState, Timeouts};
use crate::failure::Failure;
use crate::kernel::Kernel;
use crate::service::{Destination, Family, Forwarding, Service, ServiceKey};

/// Schedulers of Linux 6.
const SCHEDULERS: [&str; 14] =
    ["rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "mh", "sed", "nq", "fo", "ovf", "twos"];
/// Persistence engines.
const ENGINES: [&str; 1] = ["sip"];
/// The kernel's default timeouts.
const TIMEOUTS: Timeouts = Timeouts { tcp: 900, tcp_fin: 120, udp: 300 };

/// A table in memory. A clone is another handle to the same table.
#[derive(Clone, Debug, Default)]
pub struct Table {
    state: Rc<RefCell<State>>,
}

#[derive(Debug)]
struct State {
    services: BTreeMap<ServiceKey, Entry>,
    daemons: BTreeMap<DaemonState, Daemon>,
    timeouts: Timeouts,
    refusals: VecDeque<Errno>,
    requests: usize,
}

impl Default for State {
    fn default() -> Self {
        State {
            services: BTreeMap::new(),
            daemons: BTreeMap::new(),
            timeouts: TIMEOUTS,
            refusals: VecDeque::new(),
            requests: 0,
        }
    }
}

#[derive(Debug)]
struct Entry {
    service: Service,
    destinations: BTreeMap<(IpAddr, u16), Destination>,
}

impl Table {
    /// An empty table.
    pub fn new() -> Self {
        Self::default()
    }

    /// Refuses the next `count` changes with `errno`, whatever they are.
    pub fn refuse(&self, count: usize, errno: Errno) {
        let mut state = self.state.borrow_mut();
        let total = state.refusals.len() + count;
        state.refusals.resize(total, errno);
    }

    /// The services in the order of their keys.
    pub fn services(&self) -> Vec<Service> {
        self.state.borrow().services.values().map(|entry| entry.service.clone()).collect()
    }

    /// The destinations of a service in the order of their addresses; none if there is no such
    /// service.
    pub fn destinations(&self, key: ServiceKey) -> Vec<Destination> {
        let state = self.state.borrow();
        let entry = state.services.get(&key);
        entry.map(|entry| entry.destinations.values().copied().collect()).unwrap_or_default()
    }

    /// The sync daemons that run.
    pub fn daemons(&self) -> Vec<Daemon> {
        self.state.borrow().daemons.values().cloned().collect()
    }

    /// How many changes have been asked for, refused ones included.
    pub fn requests(&self) -> usize {
        self.state.borrow().requests
    }

    /// The table as `ipvsadm -Sn` would print it, in the order of keys and addresses.
    pub fn listing(&self) -> String {
        let state = self.state.borrow();
        let mut text = String::new();
        for entry in state.services.values() {
            listing::push_service(&mut text, &entry.service);
            for destination in entry.destinations.values() {
                listing::push_destination(&mut text, entry.service.key, destination);
            }
        }
        text
    }
}

impl Kernel for Table {
    fn apply(&mut self, batch: &Batch) -> Vec<Failure> {
        let mut state = self.state.borrow_mut();
        let mut failures = Vec::new();
        for request in batch.requests() {
            state.take(request, &mut failures);
        }
        failures
    }

    fn timeouts(&mut self) -> io::Result<Timeouts> {
        Ok(self.state.borrow().timeouts)
    }
}

impl State {
    fn take(&mut self, request: &Request, failures: &mut Vec<Failure>) {
        self.requests += 1;
        let refused = self.refusals.pop_front().map_or(Ok(()), Err);
        let Err(errno) = refused.and_then(|()| self.change(&request.change)) else { return };
        let failure = Failure::new(request, errno);
        match &request.change {
            Change::SetDestination(service, destination) if failure.is_missing_destination() => {
                let change = Change::AddDestination(service.clone(), *destination);
                let before = failures.len();
                self.take(&Request { change, tag: request.tag }, failures);
                if failures.len() > before {
                    failures.insert(before, failure.superseded());
                }
            }
            _ => failures.push(failure),
        }
    }

    fn change(&mut self, change: &Change) -> Result<(), Errno> {
        match change {
            Change::AddService(service) => {
                if self.services.contains_key(&service.key) {
                    return Err(Errno::EEXIST);
                }
                check_service(service)?;
                let entry = Entry { service: service.clone(), destinations: BTreeMap::new() };
                self.services.insert(service.key, entry);
            }
            Change::SetService(service) => {
                let entry = self.services.get_mut(&service.key).ok_or(Errno::ESRCH)?;
                check_service(service)?;
                entry.service = service.clone();
            }
            Change::DeleteService(service) => {
                self.services.remove(&service.key).ok_or(Errno::ESRCH)?;
            }
            Change::Flush => self.services.clear(),
            Change::AddDestination(service, destination)
            | Change::SetDestination(service, destination)
            | Change::DeleteDestination(service, destination) => {
                let entry = self.services.get_mut(&service.key).ok_or(Errno::ESRCH)?;
                entry.change(change, destination)?;
            }
            Change::StartDaemon(daemon) => {
                if self.daemons.contains_key(&daemon.state) {
                    return Err(Errno::EEXIST);
                }
                self.daemons.insert(daemon.state, daemon.clone());
            }
            Change::StopDaemon(state, _) => {
                self.daemons.remove(state).ok_or(Errno::ESRCH)?;
            }
            Change::SetTimeouts(wanted) => {
                let set = |field: &mut u32, value| *field = if value == 0 { *field } else { value };
                set(&mut self.timeouts.tcp, wanted.tcp);
                set(&mut self.timeouts.tcp_fin, wanted.tcp_fin);
                set(&mut self.timeouts.udp, wanted.udp);
            }
        }
        Ok(())
    }
}

impl Entry {
    fn change(&mut self, change: &Change, destination: &Destination) -> Result<(), Errno> {
        let place = (destination.address, destination.port);
        let known = self.destinations.contains_key(&place);
        if matches!(change, Change::DeleteDestination(..)) {
            return self.destinations.remove(&place).map(drop).ok_or(Errno::ENOENT);
        }
        let tunnel = matches!(destination.forwarding, Forwarding::Tunnel(..));
        if self.service.key.family() != Family::of(destination.address) && !tunnel {
            return Err(Errno::EINVAL);
        }
        if i32::try_from(destination.weight).is_err()
            || destination.lower_threshold > destination.upper_threshold
        {
            return Err(Errno::ERANGE);
        }
        match (matches!(change, Change::AddDestination(..)), known) {
            (true, true) => Err(Errno::EEXIST),
            (false, false) => Err(Errno::ENOENT),
            _ => {
                self.destinations.insert(place, *destination);
                Ok(())
            }
        }
    }
}

/// What the kernel looks at before it takes a service.
fn check_service(service: &Service) -> Result<(), Errno> {
    if !SCHEDULERS.contains(&service.scheduler) {
        return Err(Errno::ENOENT);
    }
    let engine = service.engine.as_deref().filter(|_| service.persistence > 0);
    if engine.is_some_and(|engine| !ENGINES.contains(&engine)) {
        return Err(Errno::ENOENT);
    }
    let length = service.granularity.unwrap_or(128);
    if service.key.family() == Family::Inet6 && !(1..=128).contains(&length) {
        return Err(Errno::EINVAL);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
