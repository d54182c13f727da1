//! All virtual routers of the daemon, their sync groups and trackers, as one deterministic machine.
//!
//! Every method takes the time and what happened, changes the state and appends [`Action`]s. No
//! socket is opened, no clock read, so the same code runs in the daemon and in the simulation.
//!
//! # Files
//!
//! - [`transition`]: the one place that writes an instance's state; the table of transitions.
//! - [`election`]: adverts and deadlines (RFC 9568 §6.4).
//! - [`group`]: sync groups, whose members move together.
//! - [`tracking`]: interfaces, scripts and files that decide about FAULT and priority.
//! - [`order`]: the order in which a start and a reload tell what they do.
//! - [`reload`]: a new configuration over a running one.
//!
//! # Deadlines
//!
//! Each instance has one entry in a heap, at or before the moment it is next due. An advert that
//! pushes a master-down deadline back only writes the field; the entry is corrected when it
//! surfaces. So a received advert costs no heap operation and no system call. Deadlines of the same
//! moment pass in the order they were set: which member of a sync group leads is no matter of chance.

mod election;
mod group;
mod order;
mod reload;
mod tracking;
mod transition;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::collections::binary_heap::PeekMut;
use std::rc::Rc;
use std::time::Duration;

use scheduler::Time;

use crate::action::{Action, NotifyEvent, Subject};
use crate::config::{Globals, InstanceSettings, Settings};
use crate::instance::Instance;
use crate::state::{Faults, State};

pub use election::Heard;
pub use group::Group;
pub(crate) use reload::Changed;
pub use tracking::{Status, Tracker, TrackerKind};

/// When an instance is due at the earliest, its turn among those of the same moment, its position.
type Entry = (Time, u64, usize);

/// The protocol's whole state.
pub struct Router {
    globals: Globals,
    instances: Vec<Instance>,
    groups: Vec<Group>,
    trackers: Vec<Tracker>,
    heap: BinaryHeap<Reverse<Entry>>,
    /// Counts the deadlines that were set.
    turns: u64,
    /// Settings of the last reload that nobody needs.
    superseded: Vec<InstanceSettings>,
    /// Instances react to what happens; not before the start, nor in the middle of a reload.
    started: bool,
    started_at: Time,
    /// End of the startup delay, while it runs.
    delayed_until: Option<Time>,
}

impl Router {
    /// A router that has not started; trackers have no status yet except that interfaces are down
    /// until [`Router::set_tracker`] says otherwise.
    pub fn new(settings: Settings) -> Self {
        // Not collected: that would keep the settings' room, three times as much as is needed.
        let mut instances = Vec::with_capacity(settings.instances.len());
        instances.extend(settings.instances.into_iter().map(|s| Instance::new(Rc::new(s))));
        let mut router = Router {
            globals: settings.globals,
            instances,
            groups: settings.groups.into_iter().map(Group::new).collect(),
            trackers: Vec::new(),
            heap: BinaryHeap::new(),
            turns: 0,
            superseded: Vec::new(),
            started: false,
            started_at: Time::ZERO,
            delayed_until: None,
        };
        router.link_groups();
        router.build_trackers();
        router
    }

    /// Values of `global_defs`.
    pub fn globals(&self) -> &Globals {
        &self.globals
    }

    /// The instances, in file order.
    pub fn instances(&self) -> &[Instance] {
        &self.instances
    }

    /// One instance, for its counters and what was learnt about it.
    pub fn instance_mut(&mut self, instance: usize) -> &mut Instance {
        &mut self.instances[instance]
    }

    /// When it started; [`Time::ZERO`] before.
    pub fn started_at(&self) -> Time {
        self.started_at
    }

    /// The sync groups, in file order.
    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// The trackers.
    pub fn trackers(&self) -> &[Tracker] {
        &self.trackers
    }

    /// Whether received adverts are to be discarded because of the startup delay. One whose end was
    /// slept through is over, even before [`Router::expire`] says so.
    pub fn is_delayed(&self, now: Time) -> bool {
        self.delayed_until.is_some_and(|end| now < end)
    }

    /// The earliest moment at which [`Router::expire`] has something to do.
    pub fn next_deadline(&self) -> Time {
        let heap = self.heap.peek().map_or(Time::NEVER, |Reverse((at, ..))| *at);
        heap.min(self.delayed_until.unwrap_or(Time::NEVER))
    }

    /// Leaves INIT: each instance becomes BACKUP or FAULT (spec vrrp-behaviour §4.1). Source
    /// addresses and the status of interfaces and files must be known by now.
    pub fn start(&mut self, now: Time, out: &mut Vec<Action>) {
        self.started = true;
        self.started_at = now;
        let delay = self.globals.startup_delay.max(self.globals.boot_delay);
        if delay > Duration::ZERO {
            self.delayed_until = Some(now + delay);
            log(out, format!("Delaying startup for {} seconds", delay.as_secs_f64()));
        }
        for i in 0..self.instances.len() {
            self.tell_start_priority(i, out);
            self.log_start_faults(i, out);
        }
        let from = out.len();
        self.start_groups(out);
        for i in 0..self.instances.len() {
            self.start_instance(now, i, out);
        }
        self.order_told(&mut out[from..]);
    }

    /// Runs everything due at `now`.
    pub fn expire(&mut self, now: Time, out: &mut Vec<Action>) {
        if self.delayed_until.is_some_and(|end| end <= now) {
            self.delayed_until = None;
            log(out, "Delayed start completed".into());
        }
        while let Some(&Reverse((at, _, i))) = self.heap.peek() {
            if at > now {
                break;
            }
            self.heap.pop();
            if self.instances[i].armed != at {
                continue; // The instance was armed for an earlier moment meanwhile.
            }
            self.instances[i].armed = Time::NEVER;
            let deadline = self.instances[i].deadline;
            self.due(now, i, out);
            if self.instances[i].deadline == deadline {
                self.queue(i);
            } else {
                self.arm(i);
            }
        }
        self.correct_heap();
    }

    /// Corrects the entries at the head that are earlier than their instances are due. Without it
    /// each of them would wake the daemon once for nothing.
    fn correct_heap(&mut self) {
        while let Some(mut head) = self.heap.peek_mut() {
            let Reverse((at, _, i)) = *head;
            let inst = &mut self.instances[i];
            let due = inst.next_due();
            if inst.armed != at || due == Time::NEVER {
                if inst.armed == at {
                    inst.armed = Time::NEVER;
                }
                PeekMut::pop(head);
            } else if due > at {
                inst.armed = due;
                *head = Reverse((due, inst.turn, i));
            } else {
                break;
            }
        }
    }

    /// Releases mastership and tells everyone (spec vrrp-behaviour §10.2). With `keep_addresses`
    /// (`--dont-release-vrrp`) neither adverts nor removals are asked for.
    pub fn shutdown(&mut self, now: Time, keep_addresses: bool, out: &mut Vec<Action>) {
        for i in 0..self.instances.len() {
            if self.instances[i].state == State::Master && !keep_addresses {
                self.release(i, out);
            }
            let inst = &mut self.instances[i];
            inst.state = State::Init;
            inst.last_transition = now;
            inst.deadline = Time::NEVER;
            inst.announce_at = Time::NEVER;
            inst.refresh_at = Time::NEVER;
            inst.extra_at = Time::NEVER;
        }
        self.started = false;
        self.heap.clear();
        for i in 0..self.instances.len() {
            self.notify(i, NotifyEvent::Stop, out);
        }
        for g in 0..self.groups.len() {
            notify_group(g, NotifyEvent::Stop, out);
        }
    }

    /// Sets or clears a reason for FAULT that is no tracker.
    pub fn set_fault(
        &mut self,
        now: Time,
        instance: usize,
        reason: Faults,
        present: bool,
        out: &mut Vec<Action>,
    ) {
        if self.instances[instance].faults.set(reason, present) && self.started {
            self.settle(now, instance, out);
        }
    }

    /// The moment timers count from: now, or the end of the startup delay.
    fn begin(&self, now: Time) -> Time {
        self.delayed_until.map_or(now, |end| end.max(now))
    }

    /// Gives the instance's deadline, which has just been set, its turn and its entry in the heap.
    fn arm(&mut self, i: usize) {
        self.instances[i].turn = self.turn();
        self.queue(i);
    }

    /// Puts the instance's entry into the heap if it is due before the entry already there.
    fn queue(&mut self, i: usize) {
        let inst = &mut self.instances[i];
        let due = inst.next_due();
        if due < inst.armed {
            inst.armed = due;
            self.heap.push(Reverse((due, inst.turn, i)));
        }
    }

    /// The turn of a deadline that is set now.
    fn turn(&mut self) -> u64 {
        self.turns += 1;
        self.turns
    }

    fn notify(&self, i: usize, event: NotifyEvent, out: &mut Vec<Action>) {
        out.push(Action::Notify {
            subject: Subject::Instance(i),
            event,
            priority: self.instances[i].effective,
        });
    }
}

fn notify_group(group: usize, event: NotifyEvent, out: &mut Vec<Action>) {
    out.push(Action::Notify { subject: Subject::Group(group), event, priority: 0 });
}

fn log(out: &mut Vec<Action>, text: String) {
    out.push(Action::Log { detail: false, text });
}

fn log_detail(out: &mut Vec<Action>, text: String) {
    out.push(Action::Log { detail: true, text });
}

#[cfg(test)]
mod tests;
