//! Real servers and the quorum change (spec checkers-behaviour §2 to §6).
//!
//! The order of what is told is the C daemon's: the line, then the kernel, then scripts and FIFOs of
//! the real server, then those of the virtual server.

use super::table::{self, Work};
use super::{Service, Told};
use crate::checker::CheckerId;
use crate::mib::{self, QuorumStatus};

/// Requests that are sent at once when the quorum changes; the rest follows a part at a time.
pub(crate) const AT_ONCE: usize = 256;

/// A definitive result of a checker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Result {
    pub(crate) was_up: bool,
    pub(crate) up: bool,
    /// A first failure of a checker that began as failed is told, except by HTTP_GET.
    pub(crate) told: bool,
}

/// What a result came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Came {
    /// The kernel refused: nothing has changed.
    Nothing,
    /// The real server is what it was.
    Same,
    /// The real server went up or down.
    Change,
}

impl Service {
    /// Takes a definitive result of a checker of a real server.
    pub(crate) fn judged(&mut self, index: usize, result: Result, work: &mut Work<'_>) -> Came {
        let Some(real) = self.reals.get(index) else { return Came::Nothing };
        let failed = real.failed;
        let (changes, after) = match (result.was_up, result.up) {
            (true, false) => (failed == 0, failed.saturating_add(1)),
            (false, true) => (failed <= 1, failed.saturating_sub(1)),
            (false, false) if result.told => {
                self.tell_real(index, false, work);
                return Came::Same;
            }
            _ => return Came::Same,
        };
        if changes && !self.set_alive(index, result.up, work) {
            return Came::Nothing;
        }
        if let Some(real) = self.reals.get_mut(index) {
            real.failed = after;
        }
        if changes { Came::Change } else { Came::Same }
    }

    /// Brings a real server up or down; false when the kernel refused.
    pub(crate) fn set_alive(&mut self, index: usize, alive: bool, work: &mut Work<'_>) -> bool {
        let Some(real) = self.reals.get_mut(index) else { return false };
        if real.alive == alive {
            return true;
        }
        let (what, word) = passing(alive, real.settings.inhibit);
        let name = &self.settings.name;
        work.line(format!("{what} service {} {word} VS {name}", real.settings.name));
        real.alive = alive;
        if !self.program(index, work) {
            if let Some(real) = self.reals.get_mut(index) {
                real.alive = !alive;
            }
            return false;
        }
        if let Some(real) = self.reals.get_mut(index) {
            real.was_alive |= alive;
            let weight = u64::from(real.weight);
            (self.weight, self.alive) = match alive {
                true => (self.weight.saturating_add(weight), self.alive.saturating_add(1)),
                false => (self.weight.saturating_sub(weight), self.alive.saturating_sub(1)),
            };
        }
        self.tell_real(index, alive, work);
        self.judge_quorum(false, work);
        true
    }

    /// Takes what a checker adds to the weight of its real server.
    pub(crate) fn weighs(
        &mut self,
        index: usize,
        checker: CheckerId,
        contribution: i64,
        work: &mut Work<'_>,
    ) {
        let Some(real) = self.reals.get_mut(index) else { return };
        real.contributions.retain(|(id, _)| *id != checker);
        if contribution != 0 {
            real.contributions.push((checker, contribution));
        }
        self.follow_weight(index, work);
    }

    /// Lets the table follow the weight of a real server.
    pub(crate) fn follow_weight(&mut self, index: usize, work: &mut Work<'_>) {
        let Some(real) = self.reals.get_mut(index) else { return };
        let weight = real.effective_weight();
        if weight == real.weight {
            return;
        }
        real.previous_weight = real.weight;
        let (before, alive) = (u64::from(real.weight), real.alive);
        work.line(format!(
            "Changing weight from {before} to {weight} for {} service {} of VS {}",
            if alive { "active" } else { "inactive" },
            real.settings.name,
            self.settings.name
        ));
        real.weight = weight;
        if alive {
            self.weight = self.weight.saturating_sub(before).saturating_add(weight.into());
            if !self.program(index, work) {
                self.soil();
                self.refused = true;
            }
            self.judge_quorum(false, work);
        }
    }

    /// Gains or loses the quorum if it is time to. `starting`: after a start or a reload, when a
    /// virtual server may need its sorry server without ever having had a quorum.
    pub(crate) fn judge_quorum(&mut self, starting: bool, work: &mut Work<'_>) {
        let (quorum, weight) = (self.quorum(), self.weight);
        let held = self.quorum_up;
        let holds = quorum.judge(held, weight);
        let sorry_is_due = self.sorry.as_ref().is_some_and(|sorry| !sorry.serves);
        match (held, holds) {
            (false, true) => self.gain(work),
            (true, false) => self.lose(starting, work),
            (false, false) if starting && sorry_is_due => self.lose(starting, work),
            _ => {}
        }
    }

    fn gain(&mut self, work: &mut Work<'_>) {
        self.quorum_up = true;
        let text = format!("Gained quorum {}", self.sum(true, "<="));
        let name = &self.settings.name;
        work.line(format!("{text} for VS {name}"));
        if let Some(sorry) = self.sorry.as_mut().filter(|sorry| sorry.serves) {
            sorry.serves = false;
            let what = if sorry.settings.inhibit { "Disabling" } else { "Removing" };
            work.line(format!("{what} sorry server {} from VS {name}", sorry.settings.name));
            work.line(format!("Adding alive servers to the pool for VS {name}"));
            self.change_guard(work);
        }
        self.tell_quorum(QuorumStatus::Met, &text, work);
    }

    fn lose(&mut self, starting: bool, work: &mut Work<'_>) {
        let held = std::mem::replace(&mut self.quorum_up, false);
        let name = &self.settings.name;
        let what = if starting { "Starting with quorum down" } else { "Lost quorum" };
        work.line(format!("{what} {} for VS {name}", self.sum(!held, ">")));
        // Mails always add.
        let body = format!("{what} {}", self.sum(true, "<="));
        if let Some(sorry) = &mut self.sorry {
            sorry.serves = true;
            let verb = if sorry.settings.inhibit { "Enabling" } else { "Adding" };
            work.line(format!("{verb} sorry server {} to VS {name}", sorry.settings.name));
            work.line(format!("Removing alive servers from the pool for VS {name}"));
            self.change_guard(work);
        }
        self.tell_quorum(QuorumStatus::NotMet, &body, work);
    }

    /// Exchanges the sorry server and the real servers; of many at first a part.
    fn change_guard(&mut self, work: &mut Work<'_>) {
        self.soil();
        self.fill(work, AT_ONCE);
        table::flush(work);
    }

    /// `Q+H=T <= W`: the sum and the comparison of log lines.
    fn sum(&self, plus: bool, comparison: &str) -> String {
        let q = self.quorum();
        let (sign, threshold) = if plus { ('+', q.gained_at()) } else { ('-', q.lost_below()) };
        format!("{}{sign}{}={threshold} {comparison} {}", q.quorum, q.hysteresis, self.weight)
    }

    /// Tells scripts, FIFOs and SNMP about a real server.
    pub(crate) fn tell_real(&self, index: usize, up: bool, work: &mut Work<'_>) {
        let Some(real) = self.reals.get(index) else { return };
        let (s, service) = (&real.settings, &self.settings.name);
        let (hook, script) = match up {
            true => ("notify_up", &s.notify_up),
            false => ("notify_down", &s.notify_down),
        };
        if let Some(script) = script {
            let object = format!("real server {} of {service}", s.name);
            work.told.push(Told::Script(object, hook, script.clone()));
        }
        work.told.push(Told::Fifo(format!("RS {} {service} {}", s.name, word(up))));
        if work.traps {
            work.told.extend(mib::real_server_trap(self, index, up).map(Told::Trap));
        }
    }

    /// Tells scripts, FIFOs, SNMP and mail about the quorum.
    pub(crate) fn tell_quorum(&self, status: QuorumStatus, body: &str, work: &mut Work<'_>) {
        let (s, up) = (&self.settings, status == QuorumStatus::Met);
        let (hook, script) = match up {
            true => ("quorum_up", &s.quorum_up),
            false => ("quorum_down", &s.quorum_down),
        };
        if let Some(script) = script {
            let object = format!("virtual server {}", s.name);
            work.told.push(Told::Script(object, hook, script.clone()));
        }
        work.told.push(Told::Fifo(format!("VS {} {}", s.name, word(up))));
        if work.traps {
            work.told.push(Told::Trap(mib::quorum_trap(self, status)));
        }
        if s.smtp_alert {
            let subject = format!("Virtualserver {} - {}", s.name, word(up));
            work.told.push(Told::Mail(subject, body.to_owned()));
        }
    }

    /// The mail about a real server.
    pub(crate) fn mail_real(&self, index: usize, up: bool, body: &str, work: &mut Work<'_>) {
        let Some(s) = self.reals.get(index).map(|real| &real.settings) else { return };
        if s.smtp_alert {
            let service = &self.settings.name;
            let subject =
                format!("Realserver {} of virtual server {service} - {}", s.name, word(up));
            work.told.push(Told::Mail(subject, body.to_owned()));
        }
    }
}

/// How a log line says that a real server goes up or down: a verb and its preposition.
pub(super) fn passing(alive: bool, inhibited: bool) -> (&'static str, &'static str) {
    match (alive, inhibited) {
        (true, false) => ("Adding", "to"),
        (true, true) => ("Enabling", "of"),
        (false, false) => ("Removing", "from"),
        (false, true) => ("Disabling", "of"),
    }
}

fn word(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}
