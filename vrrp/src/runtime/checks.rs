//! `vrrp_script`: commands whose exit status says whether an instance may serve.
//!
//! The counter that turns exit statuses into a verdict is [`Counter`], without I/O. Running is the
//! scheduler's: a check arms its next timer, then starts the command; a command still running when
//! its timer fires is not started twice. A reload leaves a check whose command stays the same alone:
//! its rhythm, its verdict and the command that runs. Commands of checks it drops are ended.

use std::collections::HashMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use scheduler::{Cause, Class, Exit, Ready, Scheduler, ThreadId, Time};

use super::{HasVrrp, Vrrp, finish};
use crate::config::ScriptSettings;
use crate::router::{Status, TrackerKind};

/// From TERM to the first KILL.
const KILL_AFTER: Duration = Duration::from_secs(2);
/// Between further KILLs.
const KILL_AGAIN: Duration = Duration::from_secs(10);

/// Rise and fall (spec vrrp-behaviour §5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    rise: u32,
    fall: u32,
    /// 0..=rise+fall-1; OK from `rise` on.
    result: u32,
    /// No verdict yet.
    fresh: bool,
}

impl Counter {
    /// `init_fail`: assumed failed until `rise` successes, instead of unknown until the first run.
    pub fn new(rise: u32, fall: u32, init_fail: bool) -> Self {
        let rise = rise.max(1);
        let result = if init_fail { 0 } else { rise - 1 };
        Counter { rise, fall: fall.max(1), result, fresh: !init_fail }
    }

    /// The counter's value, for the dump.
    pub fn result(&self) -> u32 {
        self.result
    }

    /// OK at the moment.
    pub fn is_up(&self) -> bool {
        self.result >= self.rise
    }

    fn top(&self) -> u32 {
        self.rise.saturating_add(self.fall) - 1
    }

    /// Takes the result of one run; `Some` when the verdict changed or is the first.
    pub fn finished(&mut self, success: bool) -> Option<bool> {
        let (was_up, fresh) = (self.is_up(), self.fresh);
        let top = self.top();
        if success {
            self.result = if self.result + 1 >= self.rise { top } else { self.result + 1 };
        } else if fresh {
            self.result = 0;
        } else if self.result > self.rise {
            self.result -= 1;
        } else if was_up {
            self.result = 0;
        }
        // A first run without the successes it needs stays unknown only if it may still rise.
        if fresh && success && !self.is_up() {
            return None;
        }
        self.fresh = false;
        (fresh || was_up != self.is_up()).then_some(self.is_up())
    }
}

/// What the running command was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not running.
    Idle,
    /// Running.
    Running,
    /// TERM sent.
    Terminating,
    /// KILL sent.
    Killing,
}

/// One script at run time.
pub struct Check {
    /// As configured.
    pub settings: ScriptSettings,
    /// Its counter.
    pub counter: Counter,
    /// Its command.
    pub progress: Progress,
    pid: i32,
    tracker: Option<usize>,
    last: Option<Exit>,
    /// The verdict is the previous configuration's; no run has finished since.
    inherited: bool,
    /// What its timer and its command know it by; never used for another check.
    id: u32,
    timer: Option<ThreadId>,
    /// The timer of an interval that a reload changed, to be cancelled.
    stale: Option<ThreadId>,
}

impl Check {
    pub(crate) fn new(settings: ScriptSettings, tracker: Option<usize>, id: u32) -> Self {
        Check {
            counter: Counter::new(settings.rise, settings.fall, settings.init_fail),
            settings,
            progress: Progress::Idle,
            pid: 0,
            tracker,
            last: None,
            inherited: false,
            id,
            timer: None,
            stale: None,
        }
    }

    /// Whether a run has ended, of this configuration or the one before.
    pub(crate) fn has_run(&self) -> bool {
        self.last.is_some() || self.inherited
    }

    /// Where the verdict comes from, in the words of the dump.
    pub(crate) fn init_state(&self) -> &'static str {
        match self.last {
            _ if self.inherited => "INIT/RELOAD",
            None => "INIT",
            Some(_) => "unknown",
        }
    }

    pub(super) fn tracker(&self) -> Option<usize> {
        self.tracker
    }

    /// The check of the same command under new settings.
    fn go_on(&mut self, settings: &ScriptSettings, tracker: Option<usize>) {
        self.tracker = tracker;
        if settings.interval != self.settings.interval {
            self.stale = self.timer.take();
        }
        let up = self.counter.is_up();
        if (settings.rise, settings.fall) != (self.settings.rise, self.settings.fall) {
            let fresh = self.counter.fresh;
            self.counter = Counter::new(settings.rise, settings.fall, !fresh);
            if up {
                self.counter.result = self.counter.top();
            }
        }
        self.settings = settings.clone();
        if !self.counter.fresh {
            self.inherited = true;
            let verdict = if up { "successful" } else { "unsuccessful" };
            log::info!("VRRP_Script({}) considered {verdict} on reload", self.settings.name);
        }
    }

    /// Ends the running command, with its children.
    pub(super) fn terminate(&mut self) {
        if self.progress != Progress::Idle {
            notify::signal_group(self.pid, Signal::SIGTERM);
        }
    }
}

/// The check an argument means, unless a reload dropped it.
fn find(vrrp: &mut Vrrp, arg: u64) -> Option<&mut Check> {
    vrrp.checks.iter_mut().find(|c| u64::from(c.id) == arg)
}

/// Begins running every check that does not run yet; the first runs start at once.
pub(super) fn start<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(vrrp) = w.vrrp() else { return };
    let now = s.now();
    for check in &mut vrrp.checks {
        if let Some(stale) = check.stale.take() {
            s.cancel(stale);
        }
        if check.timer.is_none() {
            let arg = u64::from(check.id);
            check.timer = Some(s.add_timer(Class::Urgent, now, arg, on_interval::<W>));
        }
    }
}

/// Arms the next run first, then starts this one: a slow fork can then not delay the rhythm.
fn on_interval<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(vrrp) = w.vrrp() else { return };
    let Some(check) = find(vrrp, ready.arg) else { return };
    let interval = check.settings.interval.max(Duration::from_millis(1));
    let planned = ready.due + interval;
    let next = if planned > ready.now { planned } else { ready.now + interval };
    check.timer = Some(s.add_timer(Class::Checker, next, ready.arg, on_interval::<W>));
    let name = &check.settings.name;
    match check.progress {
        Progress::Idle => {}
        Progress::Running => {
            log::debug!("Track script {name} is already running, expect idle - skipping run");
            return;
        }
        Progress::Terminating | Progress::Killing => {
            log::debug!("Track script {name} is being timed out, expect idle - skipping run");
            return;
        }
    }
    let timeout = check.settings.timeout;
    match notify::spawn(&check.settings.script, &[]) {
        Ok(pid) => {
            check.pid = pid;
            check.progress = Progress::Running;
            if let Err(error) =
                s.add_child(Class::Checker, pid, Some(timeout), ready.arg, on_child::<W>)
            {
                log::error!("Cannot wait for script {name}: {error}");
                check.progress = Progress::Idle;
            }
        }
        // Logged already.
        Err(_) => {
            judge(s.now(), vrrp, ready.arg, Exit::Code(127), false);
            finish(s, w);
        }
    }
}

fn on_child<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(vrrp) = w.vrrp() else { return };
    let now = ready.now;
    match ready.cause {
        Cause::Exited(exit) => {
            vrrp.dropped_checks.retain(|c| u64::from(c.id) != ready.arg);
            let Some(check) = find(vrrp, ready.arg) else { return };
            let timed_out = check.progress != Progress::Running;
            check.progress = Progress::Idle;
            check.pid = 0;
            if vrrp.stopping {
                return; // It was ended by us.
            }
            judge(now, vrrp, ready.arg, exit, timed_out);
            finish(s, w);
        }
        _ => {
            let mut all = vrrp.checks.iter_mut().chain(&mut vrrp.dropped_checks);
            let Some(check) = all.find(|c| u64::from(c.id) == ready.arg) else { return };
            let (signal, next, wait) = match check.progress {
                Progress::Running => (Signal::SIGTERM, Progress::Terminating, KILL_AFTER),
                _ => (Signal::SIGKILL, Progress::Killing, KILL_AGAIN),
            };
            if check.progress == Progress::Killing {
                log::info!(
                    "Script {} child (PID {}) failed to terminate after kill",
                    check.settings.name,
                    check.pid
                );
            }
            notify::signal_group(check.pid, signal);
            check.progress = next;
            let pid = check.pid;
            if let Err(error) =
                s.add_child(Class::Checker, pid, Some(wait), ready.arg, on_child::<W>)
            {
                log::error!("Cannot wait for script {}: {error}", check.settings.name);
                check.progress = Progress::Idle;
            }
        }
    }
}

/// Turns the end of a run into a verdict and tells the router when it changed.
fn judge(now: Time, vrrp: &mut Vrrp, arg: u64, exit: Exit, timed_out: bool) {
    let Some(check) = find(vrrp, arg) else { return };
    let name = check.settings.name.clone();
    check.inherited = false;
    // Before its first run it counts as having returned 0.
    let last = check.last.replace(exit).unwrap_or(Exit::Code(0));
    if let Exit::Code(code) = exit
        && last != exit
    {
        log::info!("Script `{name}` now returning {code}");
    }
    let success = exit == Exit::Code(0) && !timed_out;
    let Some(up) = check.counter.finished(success) else { return };
    match (up, exit) {
        (true, _) => log::info!("VRRP_Script({name}) succeeded"),
        (false, _) if timed_out => log::info!("VRRP_Script({name}) timed_out"),
        (false, Exit::Code(code)) => {
            log::info!("VRRP_Script({name}) failed (exited with status {code})");
        }
        (false, Exit::Signal(signal)) => {
            log::info!("VRRP_Script({name}) failed (due to signal {signal})");
        }
    }
    if let Some(tracker) = check.tracker {
        let status = if up { Status::Up } else { Status::Down };
        vrrp.router.set_tracker(now, tracker, status, &mut vrrp.actions);
    }
}

impl Vrrp {
    /// Makes the checks of a configuration; those whose command stays go on.
    pub(super) fn build_checks(&mut self) {
        let old = std::mem::take(&mut self.checks);
        let tracker = |name: &str| self.router.tracker(TrackerKind::Script, name);
        let (checks, dropped) = carry_over(old, &self.scripts, tracker, &mut self.next_check);
        self.checks = checks;
        for mut check in dropped {
            check.terminate();
            if check.progress != Progress::Idle {
                self.dropped_checks.push(check);
            }
        }
    }

    /// The checks, for the dump.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

/// The checks of `scripts`, and those of `old` that are none of them.
fn carry_over(
    old: Vec<Check>,
    scripts: &[ScriptSettings],
    tracker: impl Fn(&str) -> Option<usize>,
    next: &mut u32,
) -> (Vec<Check>, Vec<Check>) {
    let mut old: HashMap<String, Check> =
        old.into_iter().map(|c| (c.settings.name.clone(), c)).collect();
    let mut checks = Vec::with_capacity(scripts.len());
    for settings in scripts {
        let tracker = tracker(&settings.name);
        let same = old.get(&settings.name).is_some_and(|c| c.settings.script == settings.script);
        let kept = if same { old.remove(&settings.name) } else { None };
        match kept {
            Some(mut check) => {
                check.go_on(settings, tracker);
                checks.push(check);
            }
            None => {
                *next = next.wrapping_add(1);
                checks.push(Check::new(settings.clone(), tracker, *next));
            }
        }
    }
    (checks, old.into_values().collect())
}

#[cfg(test)]
mod tests;
