//! `vrrp_script`: commands whose exit status says whether an instance may serve.
//!
//! The counter that turns exit statuses into a verdict is [`Counter`], without I/O. Running is the
//! scheduler's: a check arms its next timer, then starts the command; a command still running when
//! its timer fires is not started twice.

use std::time::Duration;

use nix::sys::signal::Signal;
use scheduler::{Cause, Class, Exit, Ready, Scheduler, Time};

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

    /// Takes the result of one run; `Some` when the verdict changed or is the first.
    pub fn finished(&mut self, success: bool) -> Option<bool> {
        let (was_up, fresh) = (self.is_up(), self.fresh);
        let top = self.rise.saturating_add(self.fall) - 1;
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
    /// Which generation of checks the timers and children belong to; a reload starts a new one.
    generation: u32,
}

impl Check {
    pub(crate) fn new(settings: ScriptSettings, tracker: Option<usize>, generation: u32) -> Self {
        Check {
            counter: Counter::new(settings.rise, settings.fall, settings.init_fail),
            settings,
            progress: Progress::Idle,
            pid: 0,
            tracker,
            last: None,
            inherited: false,
            generation,
        }
    }

    /// Where the verdict comes from, in the words of the dump.
    pub(crate) fn init_state(&self) -> &'static str {
        match self.last {
            _ if self.inherited => "INIT/RELOAD",
            None => "INIT",
            Some(_) => "unknown",
        }
    }

    /// What instances see before the first verdict.
    pub(super) fn initial_status(&self) -> Status {
        if self.settings.init_fail { Status::Down } else { Status::Unknown }
    }

    pub(super) fn tracker(&self) -> Option<usize> {
        self.tracker
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Keeps the verdict of the same command across a reload.
    pub(super) fn inherit(&mut self, old: &Check) {
        let same = old.settings.script == self.settings.script && !old.counter.fresh;
        if !same {
            return;
        }
        let up = old.counter.is_up();
        let (rise, fall) = (self.counter.rise, self.counter.fall);
        self.counter.result = if up { rise + fall - 1 } else { 0 };
        self.counter.fresh = false;
        self.last = old.last;
        self.inherited = true;
        let verdict = if up { "successful" } else { "unsuccessful" };
        log::debug!("VRRP_Script({}) considered {verdict} on reload", self.settings.name);
    }

    /// Ends the running command, with its children.
    pub(super) fn terminate(&mut self) {
        if self.progress != Progress::Idle {
            notify::signal_group(self.pid, Signal::SIGTERM);
        }
    }
}

fn argument(check: usize, generation: u32) -> u64 {
    (u64::from(generation) << 32) | check as u64
}

/// The check an argument means, unless a reload replaced it.
fn find(vrrp: &mut Vrrp, arg: u64) -> Option<&mut Check> {
    let (index, generation) = ((arg & 0xffff_ffff) as usize, (arg >> 32) as u32);
    vrrp.checks.get_mut(index).filter(|c| c.generation == generation)
}

/// Begins running every check of the current generation; the first runs start at once.
pub(super) fn start<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W) {
    let Some(vrrp) = w.vrrp() else { return };
    let now = s.now();
    for (i, check) in vrrp.checks.iter().enumerate() {
        s.add_timer(Class::Urgent, now, argument(i, check.generation), on_interval::<W>);
    }
}

/// Arms the next run first, then starts this one: a slow fork can then not delay the rhythm.
fn on_interval<W: HasVrrp>(s: &mut Scheduler<W>, w: &mut W, ready: Ready) {
    let Some(vrrp) = w.vrrp() else { return };
    let Some(check) = find(vrrp, ready.arg) else { return };
    let interval = check.settings.interval.max(Duration::from_millis(1));
    let planned = ready.due + interval;
    let next = if planned > ready.now { planned } else { ready.now + interval };
    s.add_timer(Class::Checker, next, ready.arg, on_interval::<W>);
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
            let Some(check) = find(vrrp, ready.arg) else { return };
            let timed_out = check.progress != Progress::Running;
            check.progress = Progress::Idle;
            check.pid = 0;
            judge(now, vrrp, ready.arg, exit, timed_out);
            finish(s, w);
        }
        _ => {
            let Some(check) = find(vrrp, ready.arg) else { return };
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
    if check.last != Some(exit) {
        if let Exit::Code(code) = exit
            && check.last.is_some()
        {
            log::info!("Script `{name}` now returning {code}");
        }
        check.last = Some(exit);
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
    /// Makes the checks of a configuration, keeping verdicts of commands that stay.
    pub(super) fn build_checks(&mut self) {
        let generation = self.checks.first().map_or(0, Check::generation).wrapping_add(1);
        let mut old = std::mem::take(&mut self.checks);
        for check in &mut old {
            check.terminate();
        }
        for settings in &self.scripts {
            let tracker = self.router.tracker(TrackerKind::Script, &settings.name);
            let mut check = Check::new(settings.clone(), tracker, generation);
            if let Some(previous) = old.iter().find(|c| c.settings.name == settings.name) {
                check.inherit(previous);
            }
            self.checks.push(check);
        }
    }

    /// The checks, for the dump.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs a sequence of results; `1` success, `0` failure; returns the verdicts that were told.
    fn run(rise: u32, fall: u32, init_fail: bool, results: &str) -> String {
        let mut counter = Counter::new(rise, fall, init_fail);
        results
            .chars()
            .map(|c| match counter.finished(c == '1') {
                Some(true) => 'U',
                Some(false) => 'D',
                None => '.',
            })
            .collect()
    }

    #[test]
    fn one_success_or_one_failure_is_the_first_verdict() {
        assert_eq!(run(3, 3, false, "1"), "U");
        assert_eq!(run(3, 3, false, "0"), "D");
    }

    #[test]
    fn rise_and_fall_count_in_a_row() {
        assert_eq!(run(2, 3, false, "1000111"), "U..D.U.");
        assert_eq!(run(2, 3, false, "1001000"), "U.....D");
    }

    #[test]
    fn init_fail_needs_every_success() {
        assert_eq!(run(3, 1, true, "111"), "..U");
        assert_eq!(run(3, 1, true, "0111"), "...U");
    }
}
