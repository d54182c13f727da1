//! `MISC_CHECK`: a script whose exit status is the answer.
//!
//! A script that takes too long gets SIGTERM, then SIGKILL, together with everything it started. One
//! whose checker is gone is treated in the same way, but nobody asks for its answer.

use std::time::Duration;

use nix::sys::signal::Signal;
use scheduler::{Cause, Class, Exit, Ready, Scheduler, ThreadId};

use super::{Attempt, Outcome, ended};
use crate::checker::{CheckerId, Checkers, find};
use crate::runtime::HasCheck;
use crate::settings::Kind;

/// From SIGTERM to SIGKILL, and from that to the next one.
const KILL_AFTER: Duration = Duration::from_secs(2);
/// Between further ones.
const KILL_AGAIN: Duration = Duration::from_secs(10);
/// How long the daemon waits at its end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// A script that runs.
#[derive(Debug)]
pub(crate) struct Running {
    pid: i32,
    /// SIGTERM (1) and SIGKILLs (2, 3, …) sent so far.
    signals: u32,
    /// The thread that waits for it.
    thread: ThreadId,
}

/// The script of a checker that is gone.
pub(crate) type Leftover = Running;

/// Starts the script. The checker's next run is armed already, so that a slow start does not delay it.
pub(super) fn begin<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(checker) = find(w, id) else { return };
    let Kind::Misc(misc) = &checker.settings.kind else { return };
    // What went wrong is logged.
    let Ok(pid) = notify::spawn(&misc.script, &[]) else {
        ended(s, w, id, Outcome::Failure("".into()));
        return;
    };
    match s.add_child(Class::Checker, pid, Some(misc.timeout), id.arg(), on_child::<W>) {
        Ok(thread) => {
            let running = Running { pid, signals: 0, thread };
            checker.attempt = Some(Box::new(Attempt::Script(running)));
        }
        Err(error) => {
            log::error!("cannot wait for script '{}': {error}", misc.script.text);
            lose(s, w, id, pid);
        }
    }
}

/// Ends the script of a checker that is gone.
pub(super) fn abandon<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    id: CheckerId,
    mut running: Running,
) {
    if running.signals == 0 {
        running.signals = 1;
        notify::signal_group(running.pid, Signal::SIGTERM);
        s.move_timer(running.thread, s.now() + KILL_AFTER);
    }
    if let Some(check) = w.check() {
        check.checkers.leftovers.insert(id.arg(), running);
    }
}

/// Waits until no script of a checker that is gone runs any more, then calls [`HasCheck::scripts_ended`].
/// What has not ended after a second is killed.
pub(crate) fn end_all<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    match w.check().filter(|check| !check.checkers.leftovers.is_empty()) {
        Some(check) => {
            let timer = s.add_timer_after(Class::Checker, LAST_WAIT, 0, kill_all::<W>);
            check.checkers.ending = Some(timer);
        }
        None => W::scripts_ended(s, w),
    }
}

fn kill_all<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, _: Ready) {
    let Some(check) = w.check() else { return };
    check.checkers.ending = None;
    for running in check.checkers.leftovers.values() {
        notify::signal_group(running.pid, Signal::SIGKILL);
    }
    W::scripts_ended(s, w);
}

fn on_child<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let id = CheckerId::from_arg(ready.arg);
    match ready.cause {
        Cause::Exited(exit) => exited(s, w, id, exit),
        _ => time_is_up(s, w, id),
    }
}

fn exited<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId, exit: Exit) {
    let Some(running) = w.check().and_then(|check| take(&mut check.checkers, id)) else { return };
    let timed_out = running.signals > 0;
    if timed_out {
        // What it started may not have heeded SIGTERM.
        notify::signal_group(running.pid, Signal::SIGKILL);
    }
    ended(s, w, id, Outcome::Exited { exit, timed_out });
    let Some(check) = w.check().filter(|check| check.checkers.leftovers.is_empty()) else { return };
    if let Some(timer) = check.checkers.ending.take() {
        s.cancel(timer);
        W::scripts_ended(s, w);
    }
}

/// Sends the next stronger signal and waits again.
fn time_is_up<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(check) = w.check() else { return };
    let Some(running) = running(&mut check.checkers, id) else { return };
    let pid = running.pid;
    running.signals = running.signals.saturating_add(1);
    let (signal, wait) = match running.signals {
        1 => (Signal::SIGTERM, KILL_AFTER),
        2 => (Signal::SIGKILL, KILL_AFTER),
        _ => {
            log::info!("Child (PID {pid}) failed to terminate after kill");
            (Signal::SIGKILL, KILL_AGAIN)
        }
    };
    notify::signal_group(pid, signal);
    match s.add_child(Class::Checker, pid, Some(wait), id.arg(), on_child::<W>) {
        Ok(thread) => running.thread = thread,
        Err(_) => {
            take(&mut check.checkers, id);
            lose(s, w, id, pid);
        }
    }
}

/// Its end will not be reported; the checker tries again at its next run.
fn lose<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId, pid: i32) {
    notify::signal_group(pid, Signal::SIGKILL);
    s.disown(pid);
    let Some(checker) = find(w, id) else { return };
    let Kind::Misc(misc) = &checker.settings.kind else { return };
    let program = misc.script.argv.first().map_or("", String::as_str);
    let text = format!("Misc script {program} child (PID {pid}) lost, register checker again");
    ended(s, w, id, Outcome::NotMade(text.into()));
}

/// The script that this id stands for.
fn running(checkers: &mut Checkers, id: CheckerId) -> Option<&mut Running> {
    if checkers.leftovers.contains_key(&id.arg()) {
        return checkers.leftovers.get_mut(&id.arg());
    }
    match checkers.get_mut(id)?.attempt.as_deref_mut() {
        Some(Attempt::Script(running)) => Some(running),
        _ => None,
    }
}

/// The same, which has ended.
fn take(checkers: &mut Checkers, id: CheckerId) -> Option<Running> {
    if let Some(leftover) = checkers.leftovers.remove(&id.arg()) {
        return Some(leftover);
    }
    match checkers.get_mut(id)?.attempt.take().map(|attempt| *attempt) {
        Some(Attempt::Script(running)) => Some(running),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
