//! A new configuration over a running one: what did not change is not touched.
//!
//! Instances are matched by VRID, family, interface and kind of addressing, not by name (spec
//! vrrp-behaviour §10.1). An instance whose settings are equal keeps its deadlines to the
//! nanosecond and causes no action at all.
//!
//! A reload has two halves because actions name instances by position: [`Router::retire`] releases
//! what the new configuration lacks, by old positions; then [`Router::adopt`] takes the new
//! settings over and speaks in new positions.

use std::collections::{BinaryHeap, HashMap};
use std::net::IpAddr;
use std::rc::Rc;

use scheduler::Time;

use super::tracking::Status;
use super::transition::event;
use super::{Group, Router, log, notify_group};
use crate::action::{Action, NotifyEvent};
use crate::config::{Family, GroupSettings, InstanceSettings, Settings, Version};
use crate::instance::{Instance, OWNER};
use crate::state::{Faults, State};

/// What makes two instances the same virtual router. With multicast, others know it by the VMAC.
type Identity<'a> = (u8, Family, Option<&'a str>, bool, bool, Option<IpAddr>);

fn identity(s: &InstanceSettings) -> Identity<'_> {
    let unicast = !s.peers.is_empty();
    let address = if unicast { s.source } else { Some(s.group_address) };
    let place = s.interface.as_deref().or(s.vrf.as_deref());
    (s.vrid, s.family, place, s.vmac.is_some() && !unicast, unicast, address)
}

/// For each of `new`, which of `old` is the same virtual router. Most stand where they stood, and
/// only the others are looked up. Unicast instances may share an identity; of those, names tell.
fn matches(old: &[Rc<InstanceSettings>], new: &[InstanceSettings]) -> Vec<Option<usize>> {
    let stays = |i: usize| match (old.get(i), new.get(i)) {
        (Some(old), Some(new)) => {
            identity(old) == identity(new) && (old.peers.is_empty() || old.name == new.name)
        }
        _ => false,
    };
    let mut moved: HashMap<Identity<'_>, Vec<usize>> = HashMap::new();
    for i in (0..old.len()).filter(|i| !stays(*i)) {
        moved.entry(identity(&old[i])).or_default().push(i);
    }
    let mut map: Vec<Option<usize>> = (0..new.len()).map(|i| stays(i).then_some(i)).collect();
    for by_name in [true, false] {
        for (i, s) in new.iter().enumerate() {
            if map[i].is_none()
                && let Some(candidates) = moved.get_mut(&identity(s))
                && let Some(at) = candidates.iter().position(|&o| !by_name || old[o].name == s.name)
            {
                map[i] = Some(candidates.remove(at));
            }
        }
    }
    map
}

impl Router {
    /// Releases the instances that `new` does not have any more and tells about them, except of those
    /// that are in FAULT and would only be said to be so. Returns their positions.
    pub fn retire(&mut self, new: &Settings, out: &mut Vec<Action>) -> Vec<usize> {
        let mut kept = vec![false; self.instances.len()];
        for i in matches(&self.settings(), &new.instances).into_iter().flatten() {
            kept[i] = true;
        }
        let gone: Vec<usize> = (0..kept.len()).filter(|&i| !kept[i]).collect();
        for &i in &gone {
            if self.instances[i].state == State::Master {
                self.release(i, out);
            }
            let event = if self.instances[i].settings.notify.report_deleted {
                NotifyEvent::Deleted
            } else {
                NotifyEvent::Fault
            };
            if event != NotifyEvent::Fault || self.instances[i].state != State::Fault {
                self.notify(i, event, out);
            }
        }
        gone
    }

    fn settings(&self) -> Vec<Rc<InstanceSettings>> {
        self.instances.iter().map(|i| Rc::clone(&i.settings)).collect()
    }

    /// Takes over `new`. Returns for each instance its old position; `None`: it is new. Sources and
    /// the status of new trackers must then be told before [`Router::resume`].
    pub fn adopt(&mut self, mut new: Settings) -> Vec<Option<usize>> {
        let map = matches(&self.settings(), &new.instances);
        let mut before: Vec<Option<Instance>> =
            std::mem::take(&mut self.instances).into_iter().map(Some).collect();
        self.instances = Vec::with_capacity(new.instances.len());
        for (settings, from) in new.instances.iter_mut().zip(&map) {
            let take =
                |s| std::mem::replace(s, InstanceSettings::new("", "", 0, Version::V3, Family::V4));
            match from.and_then(|i| before[i].take()) {
                Some(mut inst) => {
                    inst.before_reload = Some((inst.effective, inst.master_down_interval()));
                    if *inst.settings != *settings {
                        inst.set_settings(take(settings));
                    }
                    self.instances.push(inst);
                }
                None => self.instances.push(Instance::new(Rc::new(take(settings)))),
            }
        }
        self.superseded = new.instances;
        // What is learnt until `resume` must not move anybody: half of it is not known yet.
        self.started = false;
        self.globals = new.globals;
        self.adopt_groups(new.groups);
        self.adopt_trackers();
        self.heap = BinaryHeap::with_capacity(self.instances.len());
        map
    }

    /// Frees settings that a reload read and nobody needs, at most `limit` of them: freeing thousands
    /// takes as long as all the rest of a reload. True when none is left.
    pub fn free_superseded(&mut self, limit: usize) -> bool {
        self.superseded.truncate(self.superseded.len().saturating_sub(limit));
        if self.superseded.is_empty() {
            self.superseded = Vec::new();
        }
        self.superseded.is_empty()
    }

    fn adopt_groups(&mut self, new: Vec<GroupSettings>) {
        let mut states: HashMap<String, State> =
            self.groups.drain(..).map(|g| (g.settings.name.clone(), g.state)).collect();
        self.groups = new.into_iter().map(Group::new).collect();
        for inst in &mut self.instances {
            inst.group = None;
        }
        self.link_groups();
        for group in &mut self.groups {
            group.state = states.remove(&group.settings.name).unwrap_or_default();
        }
    }

    /// Rebuilds the trackers, carrying over what is known of those that stay.
    fn adopt_trackers(&mut self) {
        let mut known = HashMap::new();
        for tracker in self.trackers.drain(..) {
            known.insert((tracker.kind, tracker.name), tracker.status);
        }
        self.build_trackers();
        for tracker in &mut self.trackers {
            if let Some(status) = known.remove(&(tracker.kind, tracker.name.clone())) {
                tracker.status = status;
            }
            if tracker.status == Status::Unknown {
                tracker.status = Status::Unproven;
            }
        }
        self.recount();
    }

    /// Second half of a reload: matched instances react to what changed for them, new ones start.
    /// `map` is what [`Router::adopt`] returned.
    pub fn resume(&mut self, now: Time, map: &[Option<usize>], out: &mut Vec<Action>) {
        self.started = true;
        self.shorten_delay(now, out);
        for i in 0..self.instances.len() {
            if map.get(i).copied().flatten().is_none() {
                self.tell_start_priority(i, out);
                self.log_start_faults(i, out);
            } else if let Some((effective, interval)) = self.instances[i].before_reload.take()
                && effective != self.instances[i].effective
            {
                self.priority_changed(i, effective, interval, out);
            }
        }
        let from = out.len();
        self.start_groups(out);
        for i in 0..self.instances.len() {
            if self.instances[i].state == State::Init {
                self.start_instance(now, i, out);
            } else {
                self.resume_instance(now, i, out);
            }
        }
        self.resume_groups(now, out);
        if self.globals.fifo_write_states_on_reload {
            self.repeat_states(from, out);
        }
        self.order_told(&mut out[from..]);
        for i in 0..self.instances.len() {
            self.instances[i].armed = Time::NEVER;
            self.arm(i);
        }
    }

    /// `vrrp_startup_delay` made shorter while it runs.
    fn shorten_delay(&mut self, now: Time, out: &mut Vec<Action>) {
        let Some(end) = self.delayed_until else { return };
        let of_start = self.started_at + self.globals.startup_delay;
        let new = of_start.max(now + self.globals.boot_delay).max(now);
        if new >= end {
            return;
        }
        if new == now {
            self.delayed_until = None;
            log(out, "Reduced delayed start passed".into());
        } else {
            self.delayed_until = Some(new);
            let left = new.since(now).as_secs_f64();
            log(out, format!("Delaying startup for a further {left} seconds"));
        }
        for inst in self.instances.iter_mut().filter(|i| i.state == State::Backup) {
            inst.deadline = inst.deadline - end.since(new);
        }
    }

    fn resume_instance(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        self.settle(now, i, out);
        let begin = self.begin(now);
        let inst = &mut self.instances[i];
        let Some(changed) = inst.changed.take() else { return };
        if changed.timing && inst.state == State::Backup {
            inst.deadline = begin + inst.master_down_interval();
        }
        if inst.state != State::Master {
            return;
        }
        let garp = inst.settings.garp;
        if changed.added {
            out.push(Action::Announce { instance: i, rounds: garp.repeat });
            if !garp.delay.is_zero() {
                inst.announce_at = now + garp.delay;
                inst.announce_again = garp.repeat;
            }
        }
        if garp.refresh.is_zero() {
            inst.refresh_at = Time::NEVER;
        } else if changed.refresh {
            inst.refresh_at = now + garp.refresh;
        }
        if garp.extra.is_zero() {
            inst.extra_at = Time::NEVER;
        } else if changed.extra {
            inst.extra_at = now + garp.extra;
        }
        if changed.advert {
            self.advert(now, i, out);
        }
    }

    /// Members that a reload brought together follow one that is faulty. Otherwise one that is MASTER
    /// makes the group MASTER, and the others follow when their own time has come (or else see
    /// [`Router::leave_with`]): adding a member interrupts nothing.
    fn resume_groups(&mut self, now: Time, out: &mut Vec<Action>) {
        for g in 0..self.groups.len() {
            let group = self.members(g);
            let state = |m: &usize| self.instances[*m].state;
            if let Some(&m) = group.members.iter().find(|&&m| self.instances[m].is_faulty()) {
                if group.members.iter().any(|m| state(m) != State::Fault)
                    || self.groups[g].state != State::Fault
                {
                    self.sync_group(now, m, out);
                }
                continue;
            }
            let master = group.members.iter().any(|m| state(m) == State::Master);
            let to = if master { State::Master } else { State::Backup };
            if self.groups[g].state != to {
                self.groups[g].state = to;
                notify_group(g, event(to), out);
            }
        }
    }
}

/// What a reload changed for an instance that stays.
#[derive(Clone, Copy)]
pub(crate) struct Changed {
    /// It has addresses it had not, or had otherwise.
    added: bool,
    /// `garp_master_refresh`.
    refresh: bool,
    /// `garp_extra_if`.
    extra: bool,
    /// Something its adverts carry.
    advert: bool,
    /// Something the master-down interval is made of.
    timing: bool,
}

impl Instance {
    /// The same virtual router under new settings, which are others.
    fn set_settings(&mut self, new: InstanceSettings) {
        let old = Rc::clone(&self.settings);
        self.settings = Rc::new(new);
        let new = &self.settings;
        let timing = old.advert_interval != new.advert_interval
            || old.version != new.version
            || old.down_timer_adverts != new.down_timer_adverts;
        let held: Vec<_> = old.addresses.iter().chain(&old.excluded).collect();
        let added = new.addresses.iter().chain(&new.excluded).any(|a| !held.contains(&a));
        let advert = timing
            || old.priority != new.priority
            || old.source != new.source
            || old.addresses != new.addresses
            || old.authentication != new.authentication
            || old.peers != new.peers;
        let refresh = old.garp.refresh != new.garp.refresh;
        let extra = old.garp.extra != new.garp.extra;
        self.changed = Some(Changed { added, refresh, extra, advert, timing });
        // A v3 BACKUP goes on counting in the interval its master said.
        let learnt = self.state == State::Backup
            && (old.version, new.version) == (Version::V3, Version::V3)
            && self.master_interval != old.advert_interval;
        if timing && !learnt {
            self.master_interval = new.advert_interval;
        }
        if old.priority != new.priority && new.priority == OWNER {
            self.effective = OWNER;
        }
        self.faults.set(Faults::CONFIG, self.settings.config_fault.is_some());
        if self.settings.source.is_some() {
            self.source = self.settings.source;
        }
    }
}
