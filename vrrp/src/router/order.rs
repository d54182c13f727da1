//! In which order a start and a reload tell what they do: the C daemon's, which readers of the FIFOs
//! have come to know.
//!
//! At any other moment things are told as they happen: the member of a group that moved first, the
//! others in the order the group names them, then the group. A start and a reload do many things in
//! the same moment, and tell of them in these ranks, each in file order, behind the priorities that
//! have changed:
//!
//! 1. instances in FAULT for a reason known before their first state, be it another member's
//! 2. groups
//! 3. all other instances
//! 4. groups that have become MASTER, which is news of their members first
//!
//! With `fifo_write_vrrp_states_on_reload` a reload repeats to the FIFOs what it has not told in ranks
//! 2 to 4: every group, then every instance.

use std::collections::HashSet;

use super::Router;
use super::transition::event;
use crate::action::{Action, NotifyEvent, Subject};
use crate::state::State;

/// The rank and, within it, the position in the file.
type Place = (u8, usize);

const FAULTY: u8 = 1;
const GROUPS: u8 = 2;
const INSTANCES: u8 = 3;
const MASTER_GROUPS: u8 = 4;

impl Router {
    /// In FAULT for a reason that was known before its first state, its own or another member's.
    pub(super) fn is_in_known_fault(&self, i: usize) -> bool {
        let inst = &self.instances[i];
        inst.is_known_faulty()
            || inst.group.is_some_and(|g| {
                self.members(g).members.iter().any(|&m| self.instances[m].is_known_faulty())
            })
    }

    /// Puts what a start or a reload tells in order. Other actions stay where they are.
    pub(super) fn order_told(&self, actions: &mut [Action]) {
        let slots: Vec<usize> =
            (0..actions.len()).filter(|&at| self.place(&actions[at]).is_some()).collect();
        let mut told: Vec<Action> = slots.iter().map(|&at| actions[at].clone()).collect();
        // Stable: what is told of one instance or group stays in the order it happened.
        told.sort_by_key(|action| self.place(action));
        for (at, action) in slots.into_iter().zip(told) {
            actions[at] = action;
        }
    }

    fn place(&self, action: &Action) -> Option<Place> {
        match *action {
            Action::Notify { subject: Subject::Instance(i), .. } => {
                let faulty = self.instances[i].state == State::Fault && self.is_in_known_fault(i);
                Some((if faulty { FAULTY } else { INSTANCES }, i))
            }
            Action::Notify { subject: Subject::Group(g), event, .. } => {
                let master = event == NotifyEvent::Master;
                Some((if master { MASTER_GROUPS } else { GROUPS }, g))
            }
            Action::Repeat { subject: Subject::Instance(i), .. } => Some((INSTANCES, i)),
            Action::Repeat { subject: Subject::Group(g), .. } => Some((GROUPS, g)),
            _ => None,
        }
    }

    /// Repeats the states that the actions from position `from` on do not tell in the rank where they
    /// would be repeated.
    pub(super) fn repeat_states(&self, from: usize, out: &mut Vec<Action>) {
        let told: HashSet<Subject> = out[from..]
            .iter()
            .filter(|action| self.place(action).is_some_and(|(rank, _)| rank != FAULTY))
            .filter_map(|action| match *action {
                Action::Notify { subject, event, .. } if event.is_state() => Some(subject),
                _ => None,
            })
            .collect();
        let mut repeat = |subject, state, priority| {
            if state != State::Init && !told.contains(&subject) {
                out.push(Action::Repeat { subject, event: event(state), priority });
            }
        };
        for (g, group) in self.groups.iter().enumerate() {
            repeat(Subject::Group(g), group.state, 0);
        }
        for (i, inst) in self.instances.iter().enumerate().filter(|(_, inst)| !inst.silent) {
            repeat(Subject::Instance(i), inst.state, inst.effective);
        }
    }
}
