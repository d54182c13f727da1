//! The only code that changes an instance's state.
//!
//! The table says which of the nine pairs exist and what sets the next deadline; [`Router::enter`]
//! does the exit work of the old state, then the entry work of the new one, in the order of spec
//! vrrp-behaviour §4.4 and §4.5, and tells the world once.

use std::time::Duration;

use scheduler::Time;

use super::{Router, log, log_detail};
use crate::action::{Action, NotifyEvent};
use crate::instance::MasterReason;
use crate::state::State;

/// Why a transition happens; it decides how mastership is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// A deadline passed, or a better router was heard.
    Election,
    /// The instance's own fault came or went.
    Direct,
    /// Another member of the sync group moved.
    Group,
}

/// Whether a transition exists. Rows: from BACKUP, MASTER, FAULT; columns: to the same.
///
/// |        | BACKUP            | MASTER                       | FAULT          |
/// |--------|-------------------|------------------------------|----------------|
/// | BACKUP | –                 | silence, or the group agreed | a fault came   |
/// | MASTER | a better router   | –                            | a fault came   |
/// | FAULT  | last fault gone   | owner, first script verdict  | –              |
const ALLOWED: [[bool; 3]; 3] = [[false, true, true], [true, false, true], [true, true, false]];

const fn row(state: State) -> Option<usize> {
    match state {
        State::Init => None,
        State::Backup => Some(0),
        State::Master => Some(1),
        State::Fault => Some(2),
    }
}

impl Router {
    /// Moves the instance to `to`; nothing happens when the table has no such transition.
    pub(super) fn enter(
        &mut self,
        now: Time,
        i: usize,
        to: State,
        cause: Cause,
        out: &mut Vec<Action>,
    ) {
        let from = self.instances[i].state;
        let allowed = match (row(from), row(to)) {
            (Some(f), Some(t)) => ALLOWED[f][t],
            _ => false,
        };
        if !allowed {
            return;
        }
        let inst = &mut self.instances[i];
        inst.state = to;
        inst.last_transition = now;
        if from == State::Fault {
            inst.up_since = now;
        }
        inst.silent = false;
        inst.preempt_at = None;
        inst.rogue = None;
        if to != State::Master {
            log(out, format!("{} Entering {to} STATE", inst.tag()));
        }
        if from == State::Master {
            self.leave_master(i, to, cause, out);
        }
        match to {
            State::Master => self.enter_master(now, i, out),
            State::Backup => self.enter_backup(now, i, from, out),
            State::Fault => self.instances[i].deadline = Time::NEVER,
            State::Init => {}
        }
        self.notify(i, event(to), out);
        self.arm(i);
    }

    fn enter_master(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        self.restore_owner(i, "other address owner has disappeared", out);
        self.advert(now, i, out);
        let inst = &mut self.instances[i];
        inst.wanted = State::Master;
        inst.reason = inst.claim;
        inst.master = None;
        if inst.master_interval != inst.settings.advert_interval {
            let (from, to) = (inst.master_interval, inst.settings.advert_interval);
            log_detail(
                out,
                format!(
                    "{} changing advert interval from {}ms to locally configured {}ms",
                    inst.tag(),
                    from.as_millis(),
                    to.as_millis()
                ),
            );
        }
        inst.master_interval = inst.settings.advert_interval;
        inst.stats.become_master += 1;
        log(out, format!("{} Entering MASTER STATE", inst.tag()));
        out.push(Action::Addresses { instance: i, present: true });
        let garp = inst.settings.garp;
        if garp.repeat > 0 {
            out.push(Action::Announce { instance: i, rounds: garp.repeat });
        }
        inst.announce_at = if garp.delay > Duration::ZERO { now + garp.delay } else { Time::NEVER };
        inst.announce_again = garp.repeat;
        inst.refresh_at = if garp.refresh > Duration::ZERO {
            now + garp.delay + garp.refresh
        } else {
            Time::NEVER
        };
        inst.extra_at =
            if garp.extra > Duration::ZERO { now + garp.delay + garp.extra } else { Time::NEVER };
    }

    fn enter_backup(&mut self, now: Time, i: usize, from: State, out: &mut Vec<Action>) {
        let begin = self.begin(now);
        let inst = &mut self.instances[i];
        inst.wanted = State::Backup;
        inst.claim = MasterReason::NoResponse;
        if from == State::Fault {
            inst.master_interval = inst.settings.advert_interval;
            if !inst.settings.peers.is_empty() {
                out.push(Action::AnnounceSource { instance: i });
            }
        }
        inst.deadline = begin + inst.master_down_interval();
    }

    fn leave_master(&mut self, i: usize, to: State, cause: Cause, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        inst.stats.release_master += 1;
        inst.announce_at = Time::NEVER;
        inst.refresh_at = Time::NEVER;
        inst.extra_at = Time::NEVER;
        if to == State::Fault {
            inst.stats.advert_sent += 1;
            out.push(Action::Advert { instance: i, priority: 0 });
        }
        if cause == Cause::Direct {
            self.advert_zero(i, out);
        }
        out.push(Action::CancelAnnounce { instance: i });
        out.push(Action::Addresses { instance: i, present: false });
    }

    /// Gives up mastership because the daemon stops or the instance is removed.
    pub(super) fn release(&mut self, i: usize, out: &mut Vec<Action>) {
        self.instances[i].stats.release_master += 1;
        self.advert_zero(i, out);
        out.push(Action::CancelAnnounce { instance: i });
        out.push(Action::Addresses { instance: i, present: false });
    }

    fn advert_zero(&mut self, i: usize, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        inst.stats.advert_sent += 1;
        inst.stats.pri_zero_sent += 1;
        out.push(Action::Advert { instance: i, priority: 0 });
        log_detail(out, format!("{} sent 0 priority", inst.tag()));
    }

    /// Sends an advert out of turn (or the first one) and counts the interval from now.
    pub(super) fn advert(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        inst.stats.advert_sent += 1;
        inst.last_advert = now;
        inst.deadline = inst.first_advert_deadline(now);
        out.push(Action::Advert { instance: i, priority: inst.effective });
    }
}

pub(super) const fn event(state: State) -> NotifyEvent {
    match state {
        State::Master => NotifyEvent::Master,
        State::Fault => NotifyEvent::Fault,
        State::Backup | State::Init => NotifyEvent::Backup,
    }
}
