//! When checkers run.
//!
//! A checker has one timer and at most one attempt at a time. The timer of a `MISC_CHECK` counts from
//! the planned start of its last run, and is armed before the script is started; all others count
//! from the end. Runs that were missed are not made up for.

use std::time::Duration;

use scheduler::{Class, Ready, Scheduler, Time};

use super::attempt::{self, Outcome};
use super::verdict::{Next, Subject};
use super::{Checker, CheckerId, find};
use crate::runtime::{self, HasCheck, Judged};
use crate::settings::Kind;

/// Arms the first run of a checker, `after` from now; that of a checker without a timer comes when
/// something happens.
pub(crate) fn start<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId, after: Duration) {
    let Some(checker) = find(w, id).filter(|checker| has_timer(checker)) else { return };
    if !checker.enabled || !checker.verdict.has_run {
        let what = if checker.enabled { "Activating" } else { "Deactivating" };
        say(what, checker);
    }
    let due = s.now() + after;
    arm(s, checker, id, due);
}

/// Ends a checker: it runs no more, what it holds is closed, a script of its is told to end. Gives
/// back what it was.
pub(crate) fn stop<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) -> Option<Checker> {
    let mut checker = w.check()?.checkers.remove(id)?;
    if let Some(timer) = checker.timer.take() {
        s.cancel(timer);
    }
    if let Some(attempt) = checker.attempt.take() {
        attempt::abandon(s, w, id, *attempt);
    }
    Some(checker)
}

/// Lets a checker run again that `ha_suspend` held back; it does at its next tick.
pub(crate) fn enable<W: HasCheck>(w: &mut W, id: CheckerId) {
    set_enabled(w, id, true);
}

/// Holds a checker back: its timer goes on and does nothing. One without a timer is never held back.
pub(crate) fn suspend<W: HasCheck>(w: &mut W, id: CheckerId) {
    set_enabled(w, id, false);
}

fn set_enabled<W: HasCheck>(w: &mut W, id: CheckerId, enabled: bool) {
    let Some(checker) = find(w, id).filter(|checker| has_timer(checker)) else { return };
    if checker.enabled != enabled {
        checker.enabled = enabled;
        say(if enabled { "Activating" } else { "Suspending" }, checker);
    }
}

fn say(what: &str, checker: &Checker) {
    log::info!("{what} healthchecker for service {} for VS {}", checker.server, checker.service);
}

/// An attempt is over: its sockets are closed and its threads gone.
pub(crate) fn ended<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId, outcome: Outcome) {
    let Some(checker) = find(w, id) else { return };
    checker.running = false;
    checker.attempt = None;
    let delay_loop = checker.settings.schedule.delay_loop;
    if !checker.enabled {
        // Nothing it found since counts.
        schedule(s, checker, id, Next::AfterEnd(delay_loop));
        return;
    }
    let Checker { settings, server, service, weight, verdict, .. } = checker;
    let judgement = verdict.ended(Subject { settings, server, service, weight: *weight }, outcome);
    let level = match settings.kind {
        Kind::File(_) => log::Level::Debug,
        _ => log::Level::Info,
    };
    // A weight is changed while the real server is out of the kernel's table, if it can be.
    let up = judgement.definitive.as_ref().is_some_and(|definitive| definitive.up);
    let weighs = |s: &mut _, w: &mut W| {
        let Some(contribution) = judgement.contribution else { return };
        runtime::weighs(s, w, id, contribution);
        if let Some(checker) = find(w, id) {
            checker.verdict.contribution = contribution;
        }
    };
    if up {
        weighs(s, w);
    }
    for line in judgement.lines.iter().flatten() {
        log::log!(level, "{line}");
    }
    let mut next = judgement.next;
    if let Some(definitive) = judgement.definitive {
        let judged = Judged { up, mail: definitive.mail };
        if !definitive.news || runtime::judged(s, w, id, &judged) {
            if let Some(checker) = find(w, id) {
                checker.verdict.settle(up);
            }
            if !up {
                weighs(s, w);
            }
        } else if next == Next::Never {
            next = Next::AfterEnd(delay_loop);
        }
    }
    if let Some(checker) = find(w, id) {
        schedule(s, checker, id, next);
    }
}

/// For a simulation: the attempt that [`HasCheck::attempt`] was asked for is over, and the server was
/// as it should be, or not.
pub fn answered<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId, good: bool) {
    let outcome = if good { Outcome::Success } else { Outcome::Failure("".into()) };
    ended(s, w, id, outcome);
}

fn schedule<W: HasCheck>(s: &mut Scheduler<W>, checker: &mut Checker, id: CheckerId, next: Next) {
    let now = s.now();
    let due = match next {
        Next::AfterEnd(delay) => now + delay,
        Next::AfterStart(delay) => (checker.started + delay).max(now),
        Next::Never => return,
    };
    arm(s, checker, id, due);
}

fn arm<W: HasCheck>(s: &mut Scheduler<W>, checker: &mut Checker, id: CheckerId, due: Time) {
    if checker.timer.is_none_or(|timer| !s.move_timer(timer, due)) {
        checker.timer = Some(s.add_timer(Class::Checker, due, id.arg(), run::<W>));
    }
}

fn run<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let id = CheckerId::from_arg(ready.arg);
    let Some(checker) = find(w, id) else { return };
    checker.timer = None;
    let delay = checker.settings.schedule.delay_loop;
    // A run so late that the next is due, too, takes its place.
    let planned = if ready.due + delay > ready.now { ready.due } else { ready.now };
    let busy = checker.running || !checker.enabled;
    if busy || matches!(checker.settings.kind, Kind::Misc(_)) {
        arm(s, checker, id, planned + delay);
    }
    if !busy {
        checker.running = true;
        checker.started = planned;
        W::attempt(s, w, id);
    }
}

/// Whether it runs by itself and not when something happens.
pub(crate) fn has_timer(checker: &Checker) -> bool {
    !matches!(checker.settings.kind, Kind::File(_) | Kind::Bfd(_))
}

#[cfg(test)]
mod tests;
