//! Sync groups: members move together (spec vrrp-behaviour §6).
//!
//! A member that moves for a reason of its own is followed by the others:
//!
//! | member | others                                   | adverts of priority 0           |
//! |--------|------------------------------------------|---------------------------------|
//! | B > M  | B > M, once every other one wished it    | –                               |
//! | F > M  | F > M (owners whose scripts succeeded)   | –                               |
//! | M > B  | M > B                                    | none                            |
//! | F > B  | F > B, once nobody is faulty             | –                               |
//! | B > F  | B > F, M > F                             | one from each that was MASTER   |
//! | M > F  | M > F, B > F                             | two from the member, one others |

use std::rc::Rc;

use scheduler::Time;

use super::transition::{Cause, event};
use super::{Router, log, notify_group};
use crate::action::Action;
use crate::config::GroupSettings;
use crate::instance::Instance;
use crate::state::State;

/// A sync group at run time.
pub struct Group {
    /// As configured.
    pub settings: Rc<GroupSettings>,
    pub(super) state: State,
}

impl Group {
    pub(super) fn new(settings: GroupSettings) -> Self {
        Group { settings: Rc::new(settings), state: State::Init }
    }

    /// The state its members share.
    pub fn state(&self) -> State {
        self.state
    }
}

impl Router {
    pub(super) fn link_groups(&mut self) {
        for g in 0..self.groups.len() {
            for &member in &Rc::clone(&self.groups[g].settings).members {
                self.instances[member].group = Some(g);
            }
        }
    }

    pub(super) fn members(&self, group: usize) -> Rc<GroupSettings> {
        Rc::clone(&self.groups[group].settings)
    }

    /// Gives each group its first state and tells about it.
    pub(super) fn start_groups(&mut self, out: &mut Vec<Action>) {
        for g in 0..self.groups.len() {
            let group = self.members(g);
            let is_new = |inst: &Instance| inst.state == State::Init;
            if !self.group_is_all_owners(g) {
                for &m in &group.members {
                    if is_new(&self.instances[m]) {
                        self.instances[m].wanted = State::Backup;
                    }
                }
            }
            // A group some of whose members run already is judged when a reload has resumed them.
            if !group.members.iter().all(|&m| is_new(&self.instances[m])) {
                continue;
            }
            let state = if self.group_is_faulty(g) {
                State::Fault
            } else if self.group_waits(g) {
                State::Init
            } else {
                State::Backup
            };
            let before = std::mem::replace(&mut self.groups[g].state, state);
            // Owners become MASTER at once, and the group need not be told of BACKUP before; unless it was
            // MASTER already, with members that a reload has replaced.
            let told_soon = state == State::Backup && before != State::Master;
            if state != State::Init
                && state != before
                && !(told_soon && self.group_is_all_owners(g))
            {
                notify_group(g, event(state), out);
            }
        }
    }

    fn group_is_all_owners(&self, g: usize) -> bool {
        self.members(g).members.iter().all(|&m| {
            let inst = &self.instances[m];
            inst.is_owner() && inst.settings.state_master_written
        })
    }

    pub(super) fn group_is_faulty(&self, g: usize) -> bool {
        self.members(g).members.iter().any(|&m| self.instances[m].is_faulty())
    }

    pub(super) fn group_waits(&self, g: usize) -> bool {
        self.members(g).members.iter().any(|&m| self.instances[m].scripts_in_init > 0)
    }

    /// Whether a member whose time has come may go MASTER: the group is MASTER, or all others wish it.
    pub(super) fn group_lets_master(&self, g: usize, i: usize) -> bool {
        self.groups[g].state == State::Master
            || self
                .members(g)
                .members
                .iter()
                .all(|&m| m == i || self.instances[m].wanted == State::Master)
    }

    /// Member `i` of a MASTER group, added by a reload and not MASTER yet, has heard a better router:
    /// the group leaves MASTER, and says so by priority 0 because no other router is MASTER yet.
    pub(super) fn leave_with(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        let Some(g) = self.instances[i].group else { return };
        for &m in &self.members(g).members {
            if self.instances[m].state == State::Master {
                self.enter(now, m, State::Backup, Cause::Direct, out);
            }
        }
        self.sync_group(now, i, out);
    }

    /// Brings the other members to the state member `i` has just entered, then tells about the group.
    pub(super) fn sync_group(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        let Some(g) = self.instances[i].group else { return };
        let to = self.instances[i].state;
        let group = self.members(g);
        if group.members.len() > 1 {
            log(out, format!("VRRP_Group({}) Syncing instances to {to} state", group.name));
        }
        for &m in &group.members {
            if m != i {
                self.enter(now, m, to, Cause::Group, out);
                // A member that was in FAULT unannounced is now in FAULT for everyone to see.
                self.announce_silent_fault(m, out);
            }
        }
        if self.groups[g].state != to {
            self.groups[g].state = to;
            notify_group(g, event(to), out);
        }
    }
}
