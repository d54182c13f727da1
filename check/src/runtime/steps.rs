//! Taking up a configuration, a part at a time (spec ipvs §4, §7.2).

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use ipvs::{Family, Protocol, ServiceKey};
use scheduler::{Class, Ready, Scheduler};

use super::{Check, HasCheck, Shown, addresses, checkers, finish};
use crate::checker::attempt::ping;
use crate::checker::{files, sessions};
use crate::keywords::FlushOnStop;
use crate::service::Service;
use crate::service::lifecycle::{Ending, keys};
use crate::service::table;
use crate::settings::{Identity, Kind, Settings, VirtualServer};

/// Time after which a slice ends, whatever is left. A step is the smallest part.
const SLICE: Duration = Duration::from_micros(500);
/// Steps of a slice under a virtual clock, where no time passes.
const STEPS: usize = 64;
/// Requests that go to the kernel together.
const REQUESTS: usize = 256;
/// Checkers that are started in one step; each is told to the log.
const CHECKERS: usize = 32;

/// What remains to be done.
#[derive(Default)]
pub(super) struct Steps {
    waiting: VecDeque<Step>,
    /// The slots so far, in the order of the new configuration.
    order: Vec<u32>,
    /// `rs_init_notifies`, at the start only.
    told_of_reals: bool,
    armed: bool,
    /// The event that goes on filling the table is armed.
    filling: bool,
}

enum Step {
    /// Ends a virtual server.
    End(u32),
    /// Lets a virtual server of a group give up what its new settings do not have, before another one
    /// claims it.
    Leave(u32, Rc<VirtualServer>),
    /// Lets a virtual server follow its new settings.
    Follow(u32, Rc<VirtualServer>),
    /// Begins a virtual server.
    Begin(Rc<VirtualServer>),
    /// All of the above are done.
    Ordered,
    /// Starts checkers of a virtual server, from this real server on.
    Activate(u32, usize),
}

/// What a virtual server is recognised by in a reload.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Recognised {
    Address(Option<Protocol>, IpAddr, u16),
    Mark(u32, Option<Family>),
    Group(String, u32),
}

fn recognised(settings: &VirtualServer) -> Recognised {
    match &settings.identity {
        Identity::Address(ip, port) => Recognised::Address(settings.protocol, *ip, *port),
        Identity::Mark(mark) => Recognised::Mark(*mark, settings.family),
        Identity::Group(group, position) => Recognised::Group(group.name.clone(), *position),
    }
}

/// Where its real servers and its sorry server are.
fn places(settings: &VirtualServer) -> HashSet<(IpAddr, u16)> {
    let reals = settings.real_servers.iter().map(|real| (real.address, real.port));
    reals.chain(settings.sorry.iter().map(|sorry| (sorry.address, sorry.port))).collect()
}

/// Begins with a first configuration.
pub fn start<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, settings: Settings) {
    let Some(check) = w.check() else { return };
    log::info!("Initializing ipvs");
    check.steps.told_of_reals = settings.globals.rs_init_notifies;
    if settings.globals.flush {
        check.batch.flush(0);
        check.flush();
    }
    files::initialise(&settings.files);
    plan(s, w, settings);
}

/// Goes on with a new configuration. What is the same in both is not touched: no request to the
/// kernel, no connection lost, no check moved.
pub fn reload<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, settings: Settings) {
    // An earlier one has to be through.
    while step(s, w) {}
    finish(s, w);
    log::info!("Reinitializing ipvs");
    if let Some(check) = w.check() {
        check.steps.told_of_reals = false;
    }
    plan(s, w, settings);
}

fn plan<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, settings: Settings) {
    let Some(check) = w.check() else { return };
    let Settings { globals, virtual_servers, tls, groups, files } = settings;
    check.follow_globals(&globals);
    check.follow_filter(&globals, &virtual_servers);
    check.shown = Shown { tls, groups, files };
    let suspendable = virtual_servers.iter().any(|server| server.ha_suspend);
    addresses::watch(s, w, suspendable);
    let Some(check) = w.check() else { return };
    let reals = virtual_servers.iter().flat_map(|server| &server.real_servers);
    check.checkers.reserve(reals.map(|real| real.checkers.len()).sum());
    let mut old: HashMap<Recognised, VecDeque<u32>> = HashMap::new();
    for slot in &check.order {
        if let Some(service) = check.service(*slot) {
            old.entry(recognised(&service.settings)).or_default().push_back(*slot);
        }
    }
    let mut steps = VecDeque::with_capacity(virtual_servers.len());
    let mut leaving = Vec::new();
    for settings in virtual_servers {
        let known = old.get_mut(&recognised(&settings)).and_then(VecDeque::pop_front);
        let settings = Rc::new(settings);
        if let (Some(slot), Identity::Group(..)) = (known, &settings.identity) {
            leaving.push(Step::Leave(slot, Rc::clone(&settings)));
        }
        steps.push_back(match known {
            Some(slot) => Step::Follow(slot, settings),
            None => Step::Begin(settings),
        });
    }
    for step in leaving.into_iter().rev() {
        steps.push_front(step);
    }
    let gone: HashSet<u32> = old.into_values().flatten().collect();
    for slot in check.order.iter().rev().filter(|slot| gone.contains(slot)) {
        steps.push_front(Step::End(*slot));
    }
    steps.push_back(Step::Ordered);
    check.globals = globals;
    check.steps.order = Vec::with_capacity(steps.len());
    check.steps.waiting = steps;
    arm(s, w);
}

fn arm<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(check) = w.check() else { return };
    if !check.steps.armed && !check.steps.waiting.is_empty() {
        check.steps.armed = true;
        s.add_event(Class::Checker, 0, slice::<W>);
    }
}

fn slice<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let Some(check) = w.check() else { return };
    check.steps.armed = false;
    let begun = s.clock();
    for _ in 0..STEPS {
        if !step(s, w) || s.clock().since(begun) > SLICE {
            break;
        }
        // What virtual servers came to is told before their checkers say that they begin.
        let Some(check) = w.check() else { return };
        if matches!(check.steps.waiting.front(), Some(Step::Activate(..))) && !check.told.is_empty()
        {
            break;
        }
    }
    finish(s, w);
    arm(s, w);
}

/// Does one step; false when there was none.
fn step<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) -> bool {
    let Some(check) = w.check() else { return false };
    let Some(step) = check.steps.waiting.pop_front() else { return false };
    match step {
        Step::End(slot) => end(s, w, slot),
        Step::Leave(slot, settings) => {
            let keys = check.marks(&settings).unwrap_or_else(|| keys(&settings).0);
            let places = places(&settings);
            check.with(slot, |service, work| {
                service.leave(&keys, work);
                service.vacate(&places, work);
            });
        }
        Step::Follow(slot, settings) => {
            check.steps.order.push(slot);
            follow(s, w, slot, Rc::unwrap_or_clone(settings));
        }
        Step::Begin(settings) => begin(check, Rc::unwrap_or_clone(settings)),
        Step::Ordered => {
            check.order = std::mem::take(&mut check.steps.order);
            let steps: Vec<_> = check.order.iter().map(|slot| Step::Activate(*slot, 0)).collect();
            check.steps.waiting.extend(steps);
            let simulated = s.is_simulated();
            if check.pings.is_none() && !simulated && check.has_pings() {
                check.pings = ping::allow();
            }
            files::follow(s, w);
            sessions::follow(s, w);
        }
        Step::Activate(slot, from) => {
            if let Some(next) = checkers::activate(s, w, slot, from, CHECKERS)
                && let Some(check) = w.check()
            {
                check.steps.waiting.push_front(Step::Activate(slot, next));
            }
        }
    }
    true
}

fn end<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, slot: u32) {
    let Some(check) = w.check() else { return };
    let ending = match check.globals.flush_on_stop {
        FlushOnStop::Disabled => Ending::Removed,
        _ => Ending::RemovedAtOnce,
    };
    check.with(slot, |service, work| service.end(ending, work));
    check.flush();
    // The next one in this slot has nothing to do with what this one was refused.
    check.refused.retain(|tag| table::slot_of(*tag) != slot);
    if let Some(service) = check.slots.get_mut(slot as usize).and_then(Option::take) {
        check.free.push(slot);
        checkers::remove(s, w, service.reals.into_iter().flat_map(|real| real.checkers));
    }
}

fn begin(check: &mut Check, settings: VirtualServer) {
    let keys = check.limited_keys(&settings);
    let service = Service::new(settings, keys);
    let slot = match check.free.pop() {
        Some(slot) => slot,
        None => {
            check.slots.push(None);
            u32::try_from(check.slots.len() - 1).unwrap_or(u32::MAX)
        }
    };
    if let Some(place) = check.slots.get_mut(slot as usize) {
        *place = Some(service);
    }
    check.steps.order.push(slot);
    checkers::add_all(check, slot);
    let told_of_reals = check.steps.told_of_reals;
    check.with(slot, |service, work| service.start(told_of_reals, work));
    check.fill(slot);
}

fn follow<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, slot: u32, settings: VirtualServer) {
    let Some(check) = w.check() else { return };
    let keys = check.limited_keys(&settings);
    let followed = check.with(slot, |service, work| service.follow(settings, keys, work));
    let Some(followed) = followed else { return };
    checkers::carry(s, w, slot, followed);
    let Some(check) = w.check() else { return };
    check.with(slot, Service::resume);
    check.fill(slot);
}

/// Goes on with tables that could not be filled at once.
pub(super) fn go_on_filling<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(check) = w.check() else { return };
    if check.steps.filling || check.dirty.is_empty() {
        return;
    }
    check.steps.filling = true;
    s.add_event(Class::Checker, 0, fill_some::<W>);
}

fn fill_some<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let begun = s.clock();
    let Some(check) = w.check() else { return };
    check.steps.filling = false;
    while let Some(slot) = check.dirty.first().copied() {
        check.fill(slot);
        check.flush();
        if s.clock().since(begun) > SLICE {
            break;
        }
    }
    finish(s, w);
}

impl Check {
    /// Whether a configuration is not through yet.
    #[cfg(test)]
    pub(super) fn steps_waiting(&self) -> bool {
        !self.steps.waiting.is_empty()
    }

    /// Drops what remains to be done; what was begun is of the configuration, too.
    pub(super) fn halt(&mut self) {
        self.steps.waiting.clear();
        self.dirty.clear();
        let known: HashSet<u32> = self.order.iter().copied().collect();
        let begun = std::mem::take(&mut self.steps.order);
        self.order.extend(begun.into_iter().filter(|slot| !known.contains(slot)));
    }

    /// Gathers what the table of a virtual server lacks; if it is much, the rest later.
    pub(super) fn fill(&mut self, slot: u32) {
        let through = self.with(slot, |service, work| {
            let limit = work.batch.len() + REQUESTS;
            service.fill(work, limit)
        });
        if self.batch.len() >= REQUESTS {
            self.flush();
        }
        if through != Some(false) {
            self.dirty.remove(&slot);
        }
    }

    fn has_pings(&self) -> bool {
        self.checkers.iter().any(|(_, checker)| matches!(checker.settings.kind, Kind::Ping))
    }

    /// What the kernel is to know a virtual server by.
    fn limited_keys(&self, settings: &VirtualServer) -> Vec<ServiceKey> {
        if let Some(marks) = self.marks(settings) {
            return marks;
        }
        let (keys, all) = keys(settings);
        if !all && let Identity::Group(group, _) = &settings.identity {
            log::error!(
                "virtual server group {} has too many addresses; only the first {} are served",
                group.name,
                keys.len()
            );
        }
        keys
    }
}
