//! Adverts and deadlines: RFC 9568 §6.4.2 (BACKUP) and §6.4.3 (MASTER), with spec vrrp-behaviour §4.

use std::net::IpAddr;
use std::time::Duration;

use scheduler::Time;

use super::transition::Cause;
use super::{Router, log, log_detail};
use crate::action::{Action, NotifyEvent};
use crate::config::Version;
use crate::instance::{Instance, MasterReason, OWNER, Rogue};
use crate::state::State;

/// What an accepted advert says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Sender.
    pub source: IpAddr,
    /// Priority field.
    pub priority: u8,
    /// Interval field.
    pub interval: Duration,
}

impl Router {
    /// First state of an instance after start, or of one that a reload added.
    pub(super) fn start_instance(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        let group = self.instances[i].group;
        let faulty =
            self.instances[i].is_faulty() || group.is_some_and(|g| self.group_is_faulty(g));
        let waits =
            self.instances[i].scripts_in_init > 0 || group.is_some_and(|g| self.group_waits(g));
        let begin = self.begin(now);
        let known = self.is_in_known_fault(i);
        let inst = &mut self.instances[i];
        inst.last_transition = now;
        inst.up_since = now;
        let begins_as_master = inst.is_owner() && inst.wanted == State::Master;
        inst.claim = match begins_as_master {
            true => MasterReason::Preempted,
            false => MasterReason::NoResponse,
        };
        if faulty || waits {
            inst.state = State::Fault;
            inst.silent = !faulty;
            if faulty {
                let words =
                    if known { "entering FAULT state" } else { "Entering FAULT STATE (init)" };
                log(out, format!("{} {words}", inst.tag()));
                self.notify(i, NotifyEvent::Fault, out);
            }
            return;
        }
        inst.state = State::Backup;
        if begins_as_master {
            inst.deadline = begin;
        } else {
            inst.wanted = State::Backup;
            inst.deadline = begin + inst.master_down_interval();
            log(out, format!("{} Entering BACKUP STATE (init)", inst.tag()));
            self.notify(i, NotifyEvent::Backup, out);
        }
        self.arm(i);
    }

    /// An advert that passed validation. It is ignored in INIT and FAULT.
    pub fn advert_received(&mut self, now: Time, i: usize, heard: &Heard, out: &mut Vec<Action>) {
        if self.is_delayed(now) {
            return;
        }
        match self.instances[i].state {
            State::Backup => self.backup_heard(now, i, heard, out),
            State::Master => self.master_heard(now, i, heard, out),
            State::Init | State::Fault => {}
        }
    }

    pub(super) fn due(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        if self.instances[i].rogue.is_some_and(|r| r.until <= now) {
            self.rogue_verdict(now, i, out);
        }
        if self.instances[i].deadline <= now {
            match self.instances[i].state {
                State::Master => self.advert_due(now, i, out),
                State::Backup => self.master_down(now, i, out),
                State::Init | State::Fault => self.instances[i].deadline = Time::NEVER,
            }
        }
        let inst = &mut self.instances[i];
        if inst.announce_at <= now {
            inst.announce_at = Time::NEVER;
            out.push(Action::Announce { instance: i, rounds: inst.announce_again });
        }
        if inst.refresh_at <= now {
            inst.refresh_at = now + inst.settings.garp.refresh.max(Duration::from_millis(1));
            out.push(Action::Announce { instance: i, rounds: inst.settings.garp.refresh_repeat });
        }
        if inst.extra_at <= now {
            inst.extra_at = now + inst.settings.garp.extra.max(Duration::from_millis(1));
            out.push(Action::AnnounceExtra { instance: i });
        }
    }

    fn advert_due(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        if let Some(other) = inst.settings.timer_expired_backup
            && frozen_too_long(inst, other, now)
        {
            let late = now.since(inst.deadline);
            log(out, format!("VRRP thread timer expired {:.6} seconds ago", late.as_secs_f64()));
            self.enter(now, i, State::Backup, Cause::Election, out);
            self.sync_group(now, i, out);
            return;
        }
        let interval = inst.settings.advert_interval;
        let planned = inst.deadline + interval;
        inst.stats.advert_sent += 1;
        inst.last_advert = now;
        // From the planned time, so that lateness does not add up; but never in a burst after a stall.
        inst.deadline = if planned > now { planned } else { inst.first_advert_deadline(now) };
        let priority = inst.effective;
        out.push(Action::Advert { instance: i, priority });
    }

    /// Active_Down_Timer fired.
    fn master_down(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        log_detail(out, format!("{} Receive advertisement timeout", inst.tag()));
        if let Some(g) = inst.group
            && !self.group_lets_master(g, i)
        {
            let inst = &mut self.instances[i];
            inst.wanted = State::Master;
            inst.deadline = now + inst.master_down_interval();
            return;
        }
        let follows =
            self.instances[i].group.is_some_and(|g| self.groups[g].state == State::Master);
        self.enter(now, i, State::Master, Cause::Election, out);
        // One that a reload added to a MASTER group speaks for itself only.
        if !follows {
            self.sync_group(now, i, out);
        }
    }

    fn backup_heard(&mut self, now: Time, i: usize, heard: &Heard, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        let changed = inst.master != Some(heard.source);
        if changed {
            log_master(inst, heard.source, out);
            inst.master = Some(heard.source);
        }
        if inst.is_owner() && inst.effective != OWNER && (changed || heard.priority != OWNER) {
            self.restore_owner(i, "received advert with lower priority", out);
        }
        let inst = &mut self.instances[i];
        inst.master_priority = heard.priority;
        if heard.priority == 0 {
            log_detail(out, format!("{} Backup received priority 0 advertisement", inst.tag()));
            inst.claim = MasterReason::Priority;
            inst.deadline = now + inst.skew();
            self.arm(i);
            return;
        }
        if !accepts(inst, heard.priority, now, out) {
            log(
                out,
                format!(
                    "{} received lower priority ({}) advert from {} - discarding",
                    inst.tag(),
                    heard.priority,
                    heard.source
                ),
            );
            inst.claim = MasterReason::Preempted;
            return;
        }
        inst.claim = MasterReason::NoResponse;
        adopt_interval(inst, heard.interval, out);
        inst.wanted = State::Backup;
        if inst.group.is_some_and(|g| self.groups[g].state == State::Master) {
            self.leave_with(now, i, out);
        }
        let turn = self.turn();
        let inst = &mut self.instances[i];
        let deadline = now + inst.master_down_interval();
        let earlier = deadline < inst.deadline;
        inst.deadline = deadline;
        inst.turn = turn;
        if earlier {
            self.arm(i);
        }
    }

    fn master_heard(&mut self, now: Time, i: usize, heard: &Heard, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        if heard.priority == 0 {
            log_detail(out, format!("{} Master received priority 0 message", inst.tag()));
            self.advert(now, i, out);
            self.arm(i);
            return;
        }
        if heard.priority == inst.effective && Some(heard.source) == inst.source {
            log(
                out,
                format!(
                    "{} WARNING - equal priority advert received from remote host with our IP address.",
                    inst.tag()
                ),
            );
            return;
        }
        let owners = inst.effective == OWNER && heard.priority == OWNER;
        if sender_wins(inst, heard) {
            if inst.settings.higher_prio_send_advert {
                self.advert(now, i, out);
            }
            self.yield_to(now, i, heard, owners, out);
        } else if owners {
            self.rogue_heard(now, i, heard, out);
        } else {
            self.lower_priority_heard(now, i, heard, out);
        }
        self.arm(i);
    }

    fn yield_to(
        &mut self,
        now: Time,
        i: usize,
        heard: &Heard,
        owners: bool,
        out: &mut Vec<Action>,
    ) {
        let inst = &mut self.instances[i];
        let tag = inst.tag();
        if owners {
            log(out, owner_conflict(&tag, heard.source));
        }
        log(
            out,
            if heard.priority > inst.effective {
                format!(
                    "{tag} Master received advert from {} with higher priority {}, ours {}",
                    heard.source, heard.priority, inst.effective
                )
            } else {
                format!(
                    "{tag} Master received advert from {} with same priority {} but higher IP address than ours",
                    heard.source, heard.priority
                )
            },
        );
        adopt_interval(inst, heard.interval, out);
        inst.master = Some(heard.source);
        inst.master_priority = heard.priority;
        self.enter(now, i, State::Backup, Cause::Election, out);
        self.sync_group(now, i, out);
    }

    /// A loser still claims mastership: tell it, and tell the switches (spec §4.3 row 4, §7.3).
    fn lower_priority_heard(&mut self, now: Time, i: usize, heard: &Heard, out: &mut Vec<Action>) {
        let inst = &self.instances[i];
        let answer = !inst.settings.lower_prio_no_advert;
        let ending = if answer { ", forcing new election" } else { "" };
        log(
            out,
            format!(
                "{} Received advert from {} with lower priority {}, ours {}{ending}",
                inst.tag(),
                heard.source,
                heard.priority,
                inst.effective
            ),
        );
        if answer {
            self.advert(now, i, out);
        }
        self.announce_lower_priority(now, i, out);
        if let Some(g) = self.instances[i].group {
            for &m in &self.members(g).members {
                if m != i && self.instances[m].state == State::Master {
                    self.announce_lower_priority(now, m, out);
                    self.arm(m);
                }
            }
        }
        self.notify(i, NotifyEvent::MasterRxLowerPri, out);
    }

    fn announce_lower_priority(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        let garp = inst.settings.garp;
        if garp.lower_prio_repeat == 0 {
            return;
        }
        out.push(Action::Announce { instance: i, rounds: garp.lower_prio_repeat });
        if garp.lower_prio_delay > Duration::ZERO {
            inst.announce_at = now + garp.lower_prio_delay;
            inst.announce_again = garp.lower_prio_repeat;
        }
    }

    /// Two owners, and the other should yield: answer twice and watch whether it goes on (spec §4.6).
    fn rogue_heard(&mut self, now: Time, i: usize, heard: &Heard, out: &mut Vec<Action>) {
        if let Some(rogue) = &mut self.instances[i].rogue {
            rogue.heard |= rogue.address == heard.source;
            return;
        }
        let own = self.instances[i].settings.advert_interval;
        log(out, owner_conflict(&self.instances[i].tag(), heard.source));
        self.advert(now, i, out);
        self.advert(now, i, out);
        let wait = own.max(heard.interval) * 6 / 5;
        self.instances[i].rogue =
            Some(Rogue { address: heard.source, until: now + wait, heard: false });
    }

    fn rogue_verdict(&mut self, now: Time, i: usize, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        let Some(rogue) = inst.rogue.take() else { return };
        if !rogue.heard {
            let name = &inst.settings.name;
            log(out, format!("({name}): rogue address owner appears to have stopped advertising"));
            return;
        }
        log(
            out,
            format!(
                "{} {} is still advertising as address owner, please resolve - reducing our priority",
                inst.tag(),
                rogue.address
            ),
        );
        inst.effective = OWNER - 1;
        inst.master = Some(rogue.address);
        self.enter(now, i, State::Backup, Cause::Election, out);
        self.sync_group(now, i, out);
    }

    /// A demoted owner is an owner again.
    pub(super) fn restore_owner(&mut self, i: usize, why: &str, out: &mut Vec<Action>) {
        let inst = &mut self.instances[i];
        if inst.is_owner() && inst.effective != OWNER {
            inst.effective = OWNER;
            log(out, format!("{} Restoring our priority to 255 since {why}", inst.tag()));
        }
    }
}

fn owner_conflict(tag: &str, other: IpAddr) -> String {
    format!(
        "{tag} CONFIGURATION ERROR: local instance and {other} are both configured as address owner, please resolve"
    )
}

/// RFC 9568 §6.4.3: higher priority, or the same and the higher address.
fn sender_wins(inst: &Instance, heard: &Heard) -> bool {
    heard.priority > inst.effective
        || (heard.priority == inst.effective && inst.source.is_some_and(|own| heard.source > own))
}

/// Whether an advert of `priority` counts as our master's; runs the preempt delay.
fn accepts(inst: &mut Instance, priority: u8, now: Time, out: &mut Vec<Action>) -> bool {
    if priority >= inst.effective {
        if inst.preempt_at.take().is_some() {
            log_detail(out, format!("{} stop preempt delay", inst.tag()));
        }
        return true;
    }
    if inst.settings.nopreempt {
        return true;
    }
    let delay = inst.settings.preempt_delay;
    if delay.is_zero() {
        return false;
    }
    match inst.preempt_at {
        Some(end) => now < end,
        None => {
            inst.preempt_at = Some(now + delay);
            log_detail(
                out,
                format!(
                    "{} start preempt delay ({}.{:06})",
                    inst.tag(),
                    delay.as_secs(),
                    delay.subsec_micros()
                ),
            );
            true
        }
    }
}

/// v3 routers count in their master's interval (RFC 9568 §6.1, Active_Adver_Interval).
fn adopt_interval(inst: &mut Instance, interval: Duration, out: &mut Vec<Action>) {
    // An interval of 0 would make a BACKUP fire at once; no configuration can say it.
    if inst.settings.version == Version::V3
        && !interval.is_zero()
        && inst.master_interval != interval
    {
        log_detail(
            out,
            format!(
                "{} advertisement interval updated from {}ms to {}ms by master",
                inst.tag(),
                inst.master_interval.as_millis(),
                interval.as_millis()
            ),
        );
        inst.master_interval = interval;
    }
}

fn log_master(inst: &Instance, new: IpAddr, out: &mut Vec<Action>) {
    let tag = inst.tag();
    log_detail(
        out,
        match inst.master {
            None => format!("{tag} master set to {new}"),
            Some(old) => format!("{tag} master changed from {old} to {new}"),
        },
    );
}

/// `timer_expired_backup`: a router of priority `other` has taken over by now (spec §4.8).
fn frozen_too_long(inst: &Instance, other: u8, now: Time) -> bool {
    let interval = inst.settings.advert_interval;
    let base = match inst.settings.version {
        Version::V2 => Duration::from_secs(1),
        Version::V3 => interval,
    };
    let skew = base * (256 - u32::from(other)) / 256;
    now.since(inst.deadline) >= interval * 2 + skew
        && now.since(inst.last_advert) > interval * 3 + skew
}
