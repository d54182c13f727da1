//! Trackers: interfaces, scripts, files, processes and BFD sessions that an instance depends on.
//!
//! A tracker of weight 0 that is not OK holds its instances in FAULT; any other weight moves their
//! priority (spec vrrp-behaviour §5.1, §5.4). The trackers of a sync group count for each member.

use std::collections::HashMap;
use std::mem;
use std::time::Duration;

use scheduler::Time;

use super::transition::{Cause, event};
use super::{Router, log, log_detail};
use crate::action::{Action, NotifyEvent};
use crate::config::Track;
use crate::state::{Faults, State};

/// What kind of thing is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TrackerKind {
    /// A network interface, by name.
    Interface,
    /// A `vrrp_script`.
    Script,
    /// A `track_file`.
    File,
    /// A `vrrp_track_process`.
    Process,
    /// A BFD session.
    Bfd,
}

/// What is known of a tracked thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A script without a first verdict: weight 0 holds its instances back silently, any other
    /// weight does nothing yet.
    Unknown,
    /// The same for a script that a reload found without verdict: it holds nobody back, so that what
    /// a reload adds cannot stop what runs.
    Unproven,
    /// OK.
    Up,
    /// Not OK.
    Down,
    /// A file's number.
    Value(i64),
}

/// Something that instances depend on.
pub struct Tracker {
    /// Its kind.
    pub kind: TrackerKind,
    /// Its name.
    pub name: String,
    pub(super) status: Status,
    pub(super) users: Vec<User>,
}

impl Tracker {
    /// What is known of it.
    pub fn status(&self) -> Status {
        self.status
    }

    /// Positions of the instances that depend on it, with weight and `reverse`.
    pub fn users(&self) -> impl Iterator<Item = (usize, i32, bool)> + '_ {
        self.users.iter().map(|u| (u.instance, u.weight, u.reverse))
    }
}

/// One instance's interest in a tracker.
#[derive(Clone, Copy)]
pub(super) struct User {
    instance: usize,
    weight: i32,
    reverse: bool,
    /// The instance's own interface, or that below: a fault of its own kind, not a tracker's.
    own: Faults,
    /// Its place among those that only depend on it because their groups do: group, member.
    by_group: Option<(usize, usize)>,
}

/// What a tracker does to an instance.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
struct Effect {
    fault: bool,
    waits: bool,
    priority: i32,
}

fn effect(status: Status, weight: i32, reverse: bool) -> Effect {
    let ok = match status {
        Status::Unknown => return Effect { waits: weight == 0, ..Effect::default() },
        Status::Unproven => return Effect::default(),
        Status::Value(value) => return file_effect(value, weight, reverse),
        Status::Up => true,
        Status::Down => false,
    };
    if weight == 0 {
        return Effect { fault: ok == reverse, ..Effect::default() };
    }
    // A positive weight counts while OK, a negative one while not OK; `reverse` negates.
    let counts = (weight > 0) == ok;
    let weight = if reverse { -weight } else { weight };
    Effect { priority: if counts { weight } else { 0 }, ..Effect::default() }
}

fn file_effect(value: i64, weight: i32, reverse: bool) -> Effect {
    if weight == 0 {
        return Effect { fault: (value != 0) != reverse, ..Effect::default() };
    }
    let signed = if reverse { -weight } else { weight };
    let product = value.saturating_mul(i64::from(signed));
    if product <= -254 {
        return Effect { fault: true, ..Effect::default() };
    }
    Effect { priority: product.min(253) as i32, ..Effect::default() }
}

impl Router {
    /// Position of a tracker.
    pub fn tracker(&self, kind: TrackerKind, name: &str) -> Option<usize> {
        self.trackers.iter().position(|t| t.kind == kind && t.name == name)
    }

    /// Collects what every instance tracks, itself or through its group. Those that track something
    /// themselves react to it first, in file order; then those whose group does, in the group's order.
    pub(super) fn build_trackers(&mut self) {
        let mut builder = TrackerSet::default();
        let mut places = vec![None; self.instances.len()];
        for (g, group) in self.groups.iter().enumerate() {
            for (position, &member) in group.settings.members.iter().enumerate() {
                places[member] = Some((g, position));
            }
        }
        for (i, inst) in self.instances.iter().enumerate() {
            let s = &inst.settings;
            if let (Some(name), false) = (&s.interface, s.dont_track_primary) {
                let own = if s.vmac.is_some() { Faults::BASE_LINK } else { Faults::LINK };
                builder.add(TrackerKind::Interface, name, user(i, 0, false, own));
                if let Some(vmac) = &s.vmac {
                    let own = user(i, 0, false, Faults::LINK);
                    builder.add(TrackerKind::Interface, &vmac.name, own);
                }
            }
            let is_own =
                |name| s.interface.as_deref() == Some(name) || s.own_interface() == Some(name);
            for address in s.addresses.iter().chain(&s.excluded) {
                if !is_own(&address.interface) && !address.no_track {
                    builder.add(
                        TrackerKind::Interface,
                        &address.interface,
                        user(i, 0, false, Faults::NONE),
                    );
                }
            }
            for path in s.paths.iter().filter(|path| !path.no_track) {
                let others = path.interfaces().into_iter();
                for name in others.filter(|name| !is_own(name)) {
                    builder.add(TrackerKind::Interface, name, user(i, 0, false, Faults::NONE));
                }
            }
            // What the group tracks too, counts with the group's weight.
            let group = inst.group.map(|g| &self.groups[g].settings);
            let lists = [
                (TrackerKind::Interface, &s.track_interfaces, group.map(|g| &g.track_interfaces)),
                (TrackerKind::Script, &s.track_scripts, group.map(|g| &g.track_scripts)),
                (TrackerKind::File, &s.track_files, group.map(|g| &g.track_files)),
                (TrackerKind::Process, &s.track_processes, group.map(|g| &g.track_processes)),
                (TrackerKind::Bfd, &s.track_bfds, group.map(|g| &g.track_bfds)),
            ];
            for (kind, own, of_group) in lists {
                let of_group = of_group.map_or(&[][..], Vec::as_slice);
                for track in of_group {
                    builder.add(
                        kind,
                        &track.name,
                        User { by_group: places[i], ..listed(i, track) },
                    );
                }
                for track in own.iter().filter(|t| of_group.iter().all(|g| g.name != t.name)) {
                    builder.add(kind, &track.name, listed(i, track));
                }
            }
        }
        self.trackers = builder.trackers;
        for tracker in &mut self.trackers {
            // Stable: the others stay in file order, before those that only their groups tie to it.
            tracker.users.sort_by_key(|u| u.by_group);
        }
        self.recount();
    }

    /// Recomputes faults and priorities of all instances from the trackers.
    pub(super) fn recount(&mut self) {
        for inst in &mut self.instances {
            inst.tracker_faults = 0;
            inst.scripts_in_init = 0;
            inst.total = i32::from(inst.settings.priority);
            inst.faults.set(Faults::LINK, false);
            inst.faults.set(Faults::BASE_LINK, false);
        }
        for t in 0..self.trackers.len() {
            for u in 0..self.trackers[t].users.len() {
                let user = self.trackers[t].users[u];
                let now = effect(self.trackers[t].status, user.weight, user.reverse);
                self.count(user, Effect::default(), now);
            }
        }
        for inst in &mut self.instances {
            if !inst.is_owner() {
                inst.effective = clamp(inst.total);
            }
        }
    }

    /// Tells what became of a tracked thing; each instance that depends on it reacts.
    pub fn set_tracker(
        &mut self,
        now: Time,
        tracker: usize,
        status: Status,
        out: &mut Vec<Action>,
    ) {
        let before = mem::replace(&mut self.trackers[tracker].status, status);
        if before == status {
            return;
        }
        for u in 0..self.trackers[tracker].users.len() {
            let user = self.trackers[tracker].users[u];
            let old = effect(before, user.weight, user.reverse);
            let new = effect(status, user.weight, user.reverse);
            if old == new {
                continue;
            }
            self.count(user, old, new);
            if !self.started {
                let inst = &mut self.instances[user.instance];
                if !inst.is_owner() {
                    inst.effective = clamp(inst.total);
                }
                continue;
            }
            match self.trackers[tracker].kind {
                TrackerKind::File => self.log_file(tracker, user, old, new, out),
                TrackerKind::Bfd => {
                    let instance = &self.instances[user.instance].settings.name;
                    let name = &self.trackers[tracker].name;
                    let state = if status == Status::Up { "UP" } else { "DOWN" };
                    let said =
                        format!("VRRP_Instance({instance}) Tracked BFD instance {name} is {state}");
                    log(out, said);
                }
                _ => {}
            }
            self.reprioritise(user.instance, out);
            self.settle(now, user.instance, out);
        }
    }

    /// What a file's new number means for one instance.
    fn log_file(&self, t: usize, user: User, old: Effect, new: Effect, out: &mut Vec<Action>) {
        let file = &self.trackers[t].name;
        let inst = &self.instances[user.instance];
        let name = &inst.settings.name;
        match (old.fault, new.fault) {
            (false, true) => {
                log_detail(out, format!("({name}): tracked file {file} now FAULT state"));
            }
            (true, false) => {
                log_detail(out, format!("({name}): tracked file {file} leaving FAULT state"));
                if user.weight != 0 && !inst.is_owner() {
                    let priority = clamp(inst.total);
                    log_detail(out, format!("({name}) Setting effective priority to {priority}"));
                }
            }
            _ => {}
        }
    }

    fn count(&mut self, user: User, old: Effect, new: Effect) {
        let inst = &mut self.instances[user.instance];
        if !user.own.is_empty() {
            inst.faults.set(user.own, new.fault);
        } else {
            inst.tracker_faults = inst.tracker_faults + u32::from(new.fault) - u32::from(old.fault);
        }
        inst.scripts_in_init = inst.scripts_in_init + u32::from(new.waits) - u32::from(old.waits);
        inst.total += new.priority - old.priority;
    }

    /// Applies a changed total to the effective priority and to a running master-down timer.
    fn reprioritise(&mut self, i: usize, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        let effective = clamp(inst.total);
        if inst.is_owner() || effective == inst.effective {
            return;
        }
        let before = inst.master_down_interval();
        let old = mem::replace(&mut inst.effective, effective);
        self.priority_changed(i, old, before, out);
    }

    /// Tells about an effective priority that was `old`, and moves a running master-down timer by
    /// what the interval, `before` until now, has become longer.
    pub(super) fn priority_changed(
        &mut self,
        i: usize,
        old: u8,
        before: Duration,
        out: &mut Vec<Action>,
    ) {
        let inst = &mut self.instances[i];
        let (tag, effective) = (inst.tag(), inst.effective);
        log(out, format!("{tag} Changing effective priority from {old} to {effective}"));
        let after = inst.master_down_interval();
        if inst.state == State::Backup && inst.deadline != Time::NEVER {
            inst.deadline = inst.deadline + after - before;
            self.arm(i);
        }
        let inst = &self.instances[i];
        if inst.settings.notify.priority_changes {
            let change = if inst.state == State::Master {
                NotifyEvent::MasterPriority
            } else {
                NotifyEvent::BackupPriority
            };
            self.notify(i, change, out);
        }
    }

    /// Moves an instance (and its group) to where its faults and waiting scripts put it.
    pub(super) fn settle(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        let inst = &self.instances[i];
        if inst.state == State::Init {
            return; // It finds its first state when it starts.
        }
        if inst.is_faulty() {
            if inst.state == State::Fault {
                if self.announce_silent_fault(i, out) {
                    self.sync_group(now, i, out);
                }
            } else {
                self.enter(now, i, State::Fault, Cause::Direct, out);
                self.sync_group(now, i, out);
            }
        } else if inst.state == State::Fault && inst.scripts_in_init == 0 {
            self.recover(now, i, out);
        }
    }

    /// The last reason for FAULT is gone. In a group, nothing happens while another member has one.
    fn recover(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        let group = self.instances[i].group;
        if group.is_some_and(|g| self.group_is_faulty(g) || self.group_waits(g)) {
            return;
        }
        let inst = &self.instances[i];
        // Only an owner that merely waited for its first script verdict becomes MASTER at once.
        let at_once = inst.silent && inst.is_owner() && inst.wanted == State::Master;
        if at_once && self.is_delayed(now) {
            self.begin_again(now, i, out);
            return;
        }
        let to = if at_once { State::Master } else { State::Backup };
        self.enter(now, i, to, Cause::Direct, out);
        self.sync_group(now, i, out);
    }

    /// Owners that waited for a script are where they would have begun without it: in BACKUP, with
    /// nobody told, until the startup delay ends.
    fn begin_again(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        match self.instances[i].group {
            None => self.start_instance(now, i, out),
            Some(g) => {
                self.groups[g].state = State::Backup;
                for &m in &self.members(g).members {
                    self.start_instance(now, m, out);
                }
            }
        }
    }

    /// A FAULT nobody was told about becomes known; true when it was such a one.
    pub(super) fn announce_silent_fault(&mut self, i: usize, out: &mut Vec<Action>) -> bool {
        let faulty = self.instances[i]
            .group
            .map_or(self.instances[i].is_faulty(), |g| self.group_is_faulty(g));
        let inst = &mut self.instances[i];
        if inst.state != State::Fault || !inst.silent || !faulty {
            return false;
        }
        inst.silent = false;
        log(out, format!("{} Entering FAULT STATE", inst.tag()));
        self.notify(i, event(State::Fault), out);
        true
    }

    /// Tells of a priority that trackers have moved before the instance's first state.
    pub(super) fn tell_start_priority(&mut self, i: usize, out: &mut Vec<Action>) {
        let inst = &self.instances[i];
        let (base, interval) = (inst.settings.priority, inst.master_down_interval());
        if inst.effective != base {
            self.priority_changed(i, base, interval, out);
        }
    }

    /// Says at start why an instance begins in FAULT, and which groups it takes there.
    pub(super) fn log_start_faults(&self, i: usize, out: &mut Vec<Action>) {
        let inst = &self.instances[i];
        if !inst.is_faulty() {
            return;
        }
        self.log_start_causes(i, out);
        if let Some(g) = inst.group {
            let group = &self.groups[g].settings.name;
            log(out, format!("VRRP_Group({group}): Syncing {} to FAULT state", inst.settings.name));
        }
    }

    fn log_start_causes(&self, i: usize, out: &mut Vec<Action>) {
        let inst = &self.instances[i];
        let name = &inst.settings.name;
        if inst.faults.contains(Faults::CONFIG)
            && let Some(why) = &inst.settings.config_fault
        {
            log(out, why.clone());
        }
        if inst.faults.contains(Faults::NO_SOURCE) {
            let family = match inst.settings.family {
                crate::config::Family::V4 => "IPv4",
                crate::config::Family::V6 => "IPv6",
            };
            log(out, format!("({name}) entering FAULT state (no {family} address for interface)"));
        }
        for tracker in &self.trackers {
            let blames = tracker
                .users
                .iter()
                .any(|u| u.instance == i && effect(tracker.status, u.weight, u.reverse).fault);
            if blames {
                let colon = if tracker.kind == TrackerKind::Process { "" } else { ":" };
                log(out, format!("({name}){colon} entering FAULT state {}", blame(tracker)));
            }
        }
    }
}

fn blame(tracker: &Tracker) -> String {
    let name = &tracker.name;
    match (tracker.kind, tracker.status) {
        (TrackerKind::Interface, _) => format!("(interface {name} down)"),
        (TrackerKind::Script, _) => format!("due to script {name}"),
        (TrackerKind::File, Status::Value(v)) => format!("(tracked file {name} has status {v})"),
        (TrackerKind::Process, _) => format!("(tracked process {name} quorum not achieved)"),
        (TrackerKind::File | TrackerKind::Bfd, _) => format!("due to {name}"),
    }
}

fn clamp(total: i32) -> u8 {
    total.clamp(1, 254) as u8
}

fn user(instance: usize, weight: i32, reverse: bool, own: Faults) -> User {
    User { instance, weight, reverse, own, by_group: None }
}

fn listed(instance: usize, track: &Track) -> User {
    user(instance, track.weight, track.reverse, Faults::NONE)
}

#[derive(Default)]
struct TrackerSet {
    trackers: Vec<Tracker>,
    index: HashMap<(TrackerKind, String), usize>,
    /// The tracker named last.
    last: usize,
}

impl TrackerSet {
    /// Position of the tracker. Neighbours mostly name the same one.
    fn tracker(&mut self, kind: TrackerKind, name: &str) -> usize {
        let last = self.trackers.get(self.last);
        if last.is_some_and(|t| t.kind == kind && t.name == name) {
            return self.last;
        }
        let key = (kind, name.to_owned());
        self.last = *self.index.entry(key).or_insert_with(|| {
            let status = match kind {
                TrackerKind::Script => Status::Unknown,
                TrackerKind::File => Status::Value(0),
                // Until they are looked for they must not decide anything.
                TrackerKind::Process => Status::Up,
                TrackerKind::Interface | TrackerKind::Bfd => Status::Down,
            };
            self.trackers.push(Tracker { kind, name: name.to_owned(), status, users: Vec::new() });
            self.trackers.len() - 1
        });
        self.last
    }

    fn add(&mut self, kind: TrackerKind, name: &str, mut user: User) {
        let at = self.tracker(kind, name);
        let tracker = &mut self.trackers[at];
        // Several addresses on one interface are one interest in it.
        let mut own = tracker.users.iter().rev().take_while(|u| u.instance == user.instance);
        if own.clone().any(|u| u.own == user.own && u.weight == user.weight) {
            return;
        }
        if own.next().is_some() {
            user.by_group = None;
        }
        tracker.users.push(user);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of spec vrrp-behaviour §5.1: weight, reverse, effect when OK, effect when not OK.
    #[test]
    fn weights_follow_the_table() {
        let fault = |f| Effect { fault: f, ..Effect::default() };
        let priority = |p| Effect { priority: p, ..Effect::default() };
        let rows = [
            (0, false, fault(false), fault(true)),
            (0, true, fault(true), fault(false)),
            (10, false, priority(10), priority(0)),
            (-10, false, priority(0), priority(-10)),
            (10, true, priority(-10), priority(0)),
            (-10, true, priority(0), priority(10)),
        ];
        for (weight, reverse, up, down) in rows {
            assert!(effect(Status::Up, weight, reverse) == up, "{weight} {reverse} up");
            assert!(effect(Status::Down, weight, reverse) == down, "{weight} {reverse} down");
        }
    }

    #[test]
    fn a_file_multiplies_and_faults_at_minus_254() {
        assert_eq!(file_effect(3, 10, false).priority, 30);
        assert_eq!(file_effect(3, 10, true).priority, -30);
        assert_eq!(file_effect(1000, 1, false).priority, 253);
        assert!(file_effect(-254, 1, false).fault);
        assert!(file_effect(i64::MIN, 254, false).fault);
        assert!(file_effect(1, 0, false).fault);
        assert!(file_effect(0, 0, true).fault);
        assert!(!file_effect(0, 0, false).fault);
    }
}
