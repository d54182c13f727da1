//! The running daemon: what its callbacks act on, what it tells those who ask, and how it stops.

use std::path::PathBuf;
use std::time::Duration;

use bfd::runtime::Bfd;
use check::{Check, HasCheck};
use dbus::Bus;
use nix::sys::resource::{UsageWho, getrusage};
use nix::unistd::getpid;
use notify::{HasNotify, Notifier};
use scheduler::{Class, Ready, Scheduler, Time};
use snmp::Subagent;
use vrrp::action::{NotifyEvent, Subject};
use vrrp::dump::Clock;
use vrrp::runtime::{self, HasVrrp, Refusal, Vrrp};

use crate::cli::{Options, VERSION_LINE};
use crate::configuration::{Configuration, Parts};
use crate::dump::{self, names};
use crate::globals::Scheduling;
use crate::namespace::{self, Namespace};
use crate::pidfile::PidFiles;
use crate::process::{self, CoreDumps, Raising};
use crate::reload::{Reload, Schedule, schedule};
use crate::systemd::Systemd;
use crate::{balancing, logging, scripts, sessions};

/// Exit status when something that is needed cannot be had.
pub const STATUS_FAILED: i32 = 1;

/// Exit status when a privilege is missing.
const STATUS_PERMISSION: i32 = 4;

/// What the daemon is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The startup script runs.
    Starting,
    /// Everything that has configuration runs.
    Running,
    /// Asked to stop.
    Stopping,
}

/// The world of the scheduler's callbacks.
pub struct Daemon {
    /// The command line.
    pub options: Options,
    /// The directory the daemon was started in; names of configuration files are relative to it.
    pub directory: PathBuf,
    /// The configuration that is active.
    pub configuration: Configuration,
    /// What it is doing.
    pub phase: Phase,
    /// The service manager.
    pub systemd: Systemd,
    /// The reload that is going on or waits.
    pub reload: Reload,
    /// `reload_time_file`.
    pub schedule: Option<Schedule>,
    /// VRRP, once it was started.
    pub vrrp: Option<Vrrp>,
    /// Load balancing, once it was started.
    pub check: Option<Check>,
    /// SNMP's subagent, if one is wanted.
    pub subagent: Option<Subagent>,
    /// D-Bus, if it is wanted.
    pub bus: Option<Bus>,
    /// BFD, once it was started.
    pub bfd: Option<Bfd>,
    /// How VRRP's moments are told to people.
    pub clock: Clock,
    /// What the process will exit with.
    pub status: i32,
    /// Notify scripts, FIFOs and mails.
    pub notifier: Notifier,
    /// The startup or shutdown script, while it runs.
    pub script: Option<scripts::Running>,
    /// Whether the pid files are in a directory of their own, removed at the end if it is empty.
    pub pid_directory: bool,
    /// Removed at the end.
    pub pid_files: PidFiles,
    /// Undone at the end.
    pub core_dumps: CoreDumps,
    /// `max_auto_priority`.
    pub raising: Raising,
    /// Left at the end.
    pub namespace: Option<Namespace>,
}

impl Daemon {
    /// Starts what has configuration. Runs when the startup script has ended.
    pub fn activate(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
        if daemon.phase == Phase::Stopping {
            return finish_stop(scheduler, daemon);
        }
        daemon.phase = Phase::Running;
        apply(scheduler, daemon);
        if daemon.phase == Phase::Stopping {
            return;
        }
        if daemon.configuration.runs(&daemon.options.subsystems).any() {
            log::info!("Startup complete");
        } else {
            log::warn!("Warning - keepalived has no configuration to run");
        }
        // Also with nothing to run: a service manager that waits would end the daemon.
        daemon.systemd.ready();
        if daemon.options.dump_conf {
            daemon.log_state(scheduler.now());
        }
        crate::reload::run_queued(scheduler, daemon);
    }

    /// How the process is to be scheduled.
    fn scheduling(&self) -> Scheduling {
        self.configuration.scheduling(self.configuration.runs(&self.options.subsystems))
    }

    /// The section that all state dumps begin with.
    fn globals(&self, vrrp: bool) -> String {
        let globals = &self.configuration.globals;
        let shown = dump::global::Shown {
            configuration: &self.configuration,
            vrrp,
            umask: self.options.umask.or(globals.umask).unwrap_or(process::DEFAULT_UMASK),
            realtime: self.raising.priority(&self.scheduling()),
            // The C daemon's VRRP process knows nothing of it.
            reload_at: self.schedule.as_ref().filter(|_| !vrrp).and_then(Schedule::at),
        };
        shown.section()
    }

    /// The text of the daemon's own state dump.
    fn state(&self) -> String {
        self.globals(false)
    }

    /// The state dumps as log lines.
    fn log_state(&self, now: Time) {
        for line in self.state().lines() {
            log::info!("{line}");
        }
        if let Some(vrrp) = &self.vrrp {
            let mut text = self.globals(true);
            text.push_str(&vrrp::dump::state(vrrp, &self.clock));
            for line in text.lines() {
                log::info!(target: "vrrp", "{line}");
            }
        }
        if let Some(check) = &self.check {
            let mut text = self.globals(false);
            text.push_str(&check::dump::state(check));
            for line in text.lines() {
                log::info!(target: "check", "{line}");
            }
        }
        if let Some(bfd) = &self.bfd {
            let mut text = self.globals(false);
            text.push_str(&bfd::dump::state(bfd, now));
            for line in text.lines() {
                log::info!(target: "bfd", "{line}");
            }
        }
    }

    /// SIGUSR1; `now` is the scheduler's clock, as for the other dumps.
    pub fn dump_state(&mut self, now: Time) {
        let process = std::process::id();
        log::info!("Printing parent data for process({process}) on signal");
        write(&self.state_file(names::Part::Main), &self.state());
        if self.vrrp.is_some() {
            log::info!(target: "vrrp", "Printing VRRP data for process({process}) on signal");
            self.write_vrrp_state(now);
        }
        if let Some(check) = &self.check {
            log::info!(
                target: "check",
                "Printing checker data for process({process}) on signal"
            );
            let mut text = self.globals(false);
            text.push_str(&check::dump::state(check));
            write(&self.state_file(names::Part::Check), &text);
        }
        if let Some(bfd) = &self.bfd {
            log::info!(target: "bfd", "Printing BFD data for process({process}) on signal");
            let mut text = self.globals(false);
            text.push_str(&bfd::dump::state(bfd, now));
            write(&self.state_file(names::Part::Bfd), &text);
        }
    }

    fn state_file(&self, part: names::Part) -> PathBuf {
        let template = self.configuration.globals.state_dump_file.as_deref();
        names::state(part, template, &self.configuration.data_instance())
    }

    /// The state dump of VRRP alone; `now` is the scheduler's clock.
    pub fn write_vrrp_state(&mut self, now: Time) {
        let Some(vrrp) = &self.vrrp else { return };
        self.clock.follow(now);
        let mut text = self.globals(true);
        text.push_str(&vrrp::dump::state(vrrp, &self.clock));
        write(&self.state_file(names::Part::Vrrp), &text);
    }

    /// SIGUSR2, and `STATS_CLEAR` with `clear`.
    pub fn dump_stats(&mut self, clear: bool) {
        if self.vrrp.is_none() {
            return;
        }
        let (what, process) = (if clear { "Clearing" } else { "Printing" }, std::process::id());
        log::info!(target: "vrrp", "{what} VRRP stats for process({process}) on signal");
        self.write_stats(clear);
    }

    /// The statistics file, after which `clear` sets the counters to zero.
    pub fn write_stats(&mut self, clear: bool) {
        let Some(vrrp) = &mut self.vrrp else { return };
        let name = names::stats(self.configuration.globals.stats_dump_file.as_deref());
        write(&name, &vrrp::dump::stats(vrrp));
        if clear {
            vrrp::dump::clear_stats(vrrp);
        }
    }

    /// `JSON`. No line of its own at the usual level: some ask every few seconds.
    pub fn dump_json(&mut self, now: Time) {
        let Some(vrrp) = &self.vrrp else { return };
        let process = std::process::id();
        log::debug!(target: "vrrp", "Printing VRRP as json for process({process}) on signal");
        self.clock.follow(now);
        let text = vrrp::dump::json(vrrp, &self.clock);
        if !text.is_empty() {
            write(&names::json(self.configuration.globals.json_dump_file.as_deref()), &text);
        }
    }
}

fn write(name: &std::path::Path, text: &str) {
    if let Err(e) = dump::write(name, text) {
        log::error!("Unable to write {}: {e}", name.display());
    }
}

impl HasNotify for Daemon {
    fn notify(&mut self) -> &mut Notifier {
        &mut self.notifier
    }

    fn drained(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
        check::end_scripts(scheduler, daemon);
    }
}

impl HasVrrp for Daemon {
    fn vrrp(&mut self) -> Option<&mut Vrrp> {
        self.vrrp.as_mut()
    }

    fn told(
        scheduler: &mut Scheduler<Daemon>,
        daemon: &mut Daemon,
        subject: Subject,
        event: NotifyEvent,
    ) {
        crate::dbus::told(scheduler, daemon, subject, event);
        crate::snmp::told(scheduler, daemon, subject, event);
    }

    fn reloaded(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
        crate::dbus::reloaded(scheduler, daemon);
    }

    fn refused(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, refusal: Refusal) {
        crate::snmp::refused(scheduler, daemon, refusal);
    }

    fn states_told(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
        balancing::follow_vrrp(scheduler, daemon);
    }
}

impl HasCheck for Daemon {
    fn check(&mut self) -> Option<&mut Check> {
        self.check.as_mut()
    }

    fn notified(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, trap: snmp::Trap) {
        crate::snmp::told_of_check(scheduler, daemon, trap);
    }

    fn scripts_ended(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
        let script = daemon.configuration.globals.shutdown_script.clone();
        scripts::run(scheduler, daemon, "shutdown script", script, |scheduler, _| {
            scheduler.stop();
        });
    }
}

/// Lets what runs follow the configuration, after a start or a reload.
pub fn apply(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    let runs = daemon.configuration.runs(&daemon.options.subsystems);
    // What runs goes on with an empty configuration; what does not may begin.
    let running = Parts {
        vrrp: runs.vrrp || daemon.vrrp.is_some(),
        check: runs.check || daemon.check.is_some(),
        ..runs
    };
    daemon.pid_files.follow(running, getpid());
    let settings = daemon.configuration.notify.clone();
    let router_id = dump::global::router_id(&daemon.configuration);
    notify::configure_mail(scheduler, daemon, &settings, &router_id);
    if running.vrrp || running.check {
        notify::configure_fifos(scheduler, daemon, &settings);
    }
    let starting = daemon.vrrp.is_none() && daemon.check.is_none();
    // Before VRRP begins: loading the kernel's module takes its time, which no advert is to wait for.
    let check =
        (running.check && daemon.check.is_none()).then(|| balancing::open(daemon, starting));
    crate::snmp::apply(scheduler, daemon, running);
    crate::dbus::apply(scheduler, daemon, running.vrrp);
    sessions::apply(scheduler, daemon, running.bfd);
    if running.vrrp {
        apply_vrrp(scheduler, daemon);
    }
    if running.check && daemon.phase != Phase::Stopping {
        balancing::apply(scheduler, daemon, check, starting);
    }
    let globals = &daemon.configuration.globals;
    let (path, repeat) = (globals.reload_time_file.clone(), globals.reload_repeat);
    schedule::watch(scheduler, daemon, path, repeat);
    // What reading left behind is several times what the configuration needs. By then it is dropped.
    scheduler.add_event(Class::Background, 0, |_, _, _| crate::sys::trim_heap());
}

fn apply_vrrp(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    let settings = daemon.configuration.vrrp.take().unwrap_or_default();
    let known = sessions::known(daemon, |session| session.vrrp);
    if let Some(vrrp) = &mut daemon.vrrp {
        vrrp.know_sessions(known);
        return runtime::reload(scheduler, daemon, settings);
    }
    let options = runtime::Options {
        keep_addresses: daemon.options.keep_vrrp,
        address_monitoring: daemon.options.address_monitoring,
        left_network: namespace::left(),
    };
    match Vrrp::open(settings, options) {
        Ok(mut vrrp) => {
            vrrp.know_sessions(known);
            daemon.vrrp = Some(vrrp);
            runtime::start(scheduler, daemon);
        }
        Err(e) => {
            log::error!(target: "vrrp", "VRRP cannot run: {e}");
            let denied = e.kind() == std::io::ErrorKind::PermissionDenied;
            daemon.status = if denied { STATUS_PERMISSION } else { STATUS_FAILED };
            stop(scheduler, daemon);
        }
    }
}

/// Stops the daemon: SIGTERM, SIGINT.
pub fn stop(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    if daemon.phase == Phase::Stopping {
        return;
    }
    let starting = daemon.phase == Phase::Starting;
    daemon.phase = Phase::Stopping;
    log::info!("Stopping");
    daemon.systemd.stopping();
    // A startup script that still runs is waited for, at most until its limit.
    if !starting {
        finish_stop(scheduler, daemon);
    }
}

/// Ends VRRP and notify scripts; the shutdown script and the end of the loop follow.
fn finish_stop(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    runtime::stop(scheduler, daemon);
    crate::dbus::stopped(scheduler, daemon);
    let keep = daemon.options.keep_ipvs;
    check::stop(scheduler, daemon, keep);
    bfd::runtime::stop(scheduler, daemon);
    let patience = daemon.configuration.globals.child_wait_time;
    notify::drain(scheduler, daemon, patience);
}

/// The last things, after the loop.
pub fn leave(mut daemon: Daemon) {
    daemon.pid_files.remove();
    match daemon.namespace {
        Some(namespace) => namespace.leave(),
        None if daemon.pid_directory => namespace::remove_pid_directory(),
        None => {}
    }
    daemon.core_dumps.restore();
    log_usage();
    log::info!("Stopped {VERSION_LINE}");
    logging::flush_console();
}

fn log_usage() {
    let usage = |who| getrusage(who).ok();
    let (Some(own), Some(children)) =
        (usage(UsageWho::RUSAGE_SELF), usage(UsageWho::RUSAGE_CHILDREN))
    else {
        return;
    };
    log::debug!(
        "CPU usage (self/children) user: {}/{} system: {}/{}",
        seconds(own.user_time()),
        seconds(children.user_time()),
        seconds(own.system_time()),
        seconds(children.system_time())
    );
}

fn seconds(time: nix::sys::time::TimeVal) -> String {
    format!("{}.{:06}", time.tv_sec(), time.tv_usec())
}

/// Tells systemd in time that the loop turns.
pub fn feed_watchdog(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, _: Ready) {
    if let Some(period) = daemon.systemd.watchdog() {
        daemon.systemd.alive();
        scheduler.add_timer_after(Class::Background, period, 0, feed_watchdog);
    }
}

/// How often lateness is looked at, for `max_auto_priority`.
const LATENESS: Duration = Duration::from_secs(1);

/// Raises the realtime priority when the loop was late and the configuration allows it.
pub fn watch_lateness(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, _: Ready) {
    let lag = scheduler.take_lag();
    let wanted = &daemon.scheduling();
    if let Some(priority) = daemon.raising.late(lag, wanted) {
        process::raise(priority, lag, wanted);
    }
    if wanted.max_auto_priority > 0 {
        scheduler.add_timer_after(Class::Background, LATENESS, 0, watch_lateness);
    }
}

/// Writes log lines that a slow console did not take, whenever it takes some.
pub fn watch_console(scheduler: &mut Scheduler<Daemon>, _: &mut Daemon, _: Ready) {
    fn writable(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, ready: Ready) {
        if logging::flush_console() {
            return watch_console(scheduler, daemon, ready);
        }
        if let Some(fd) = logging::console_fd() {
            let _ = scheduler.add_write(Class::Background, fd, None, 0, writable);
        }
    }
    fn waiting(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, ready: Ready) {
        writable(scheduler, daemon, ready);
    }
    if let Some(fd) = logging::console_backlog() {
        let _ = scheduler.add_read(Class::Background, fd, None, 0, waiting);
    }
}
