//! Reading the configuration again while everything goes on.
//!
//! Reading goes in slices of class Background; nothing that runs is touched before all of the new
//! configuration is read and checked. What is broken is logged with its place, and the configuration
//! that runs stays.

pub mod schedule;

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use config::{Mode, render};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use scheduler::{Cause, Class, Exit, Ready, Scheduler};

use crate::balancing;
use crate::configuration::{Configuration, Read, Reading, Step, Unusable, main_file};
use crate::daemon::{self, Daemon, Phase};
use crate::host::Kernel;
use crate::process;
pub use schedule::Schedule;

/// Time after which a slice ends, whatever is left.
const SLICE: Duration = Duration::from_micros(200);

/// Requests and progress.
#[derive(Default)]
pub struct Reload {
    reading: Option<Reading>,
    /// What was read, while the kernel's module is loaded that it is the first to need.
    read: Option<Box<Read>>,
    /// One more was asked for. Several requests are one.
    queued: bool,
    /// Exists while configuration files are read.
    handshake: Option<PathBuf>,
}

impl Reload {
    fn is_going_on(&self) -> bool {
        self.reading.is_some() || self.read.is_some()
    }
}

/// SIGHUP.
pub fn request(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    match daemon.phase {
        Phase::Stopping => {}
        Phase::Running if !daemon.reload.is_going_on() => begin(scheduler, daemon),
        Phase::Running | Phase::Starting => daemon.reload.queued = true,
    }
}

/// After a start or a reload: what was asked for meanwhile.
pub fn run_queued(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    if std::mem::take(&mut daemon.reload.queued) {
        request(scheduler, daemon);
    }
}

fn begin(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon) {
    log::info!("Reloading ...");
    daemon.systemd.reloading();
    daemon.reload.handshake = daemon.configuration.globals.reload_file.clone().and_then(create);
    log::info!("Configuration file {}", main_file(&daemon.options).display());
    let known = daemon.vrrp.as_ref().map(|vrrp| {
        let made = vrrp.made_vmacs().map(str::to_owned);
        Kernel::new(vrrp.view().links().into_iter().cloned()).with_made(made)
    });
    let reading = Reading::open(&daemon.options, &daemon.directory, Mode::Reload, known);
    daemon.reload.reading = Some(reading);
    scheduler.add_event(Class::Background, 0, slice);
}

fn create(path: PathBuf) -> Option<PathBuf> {
    let created = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(&path);
    match created {
        Ok(_) => Some(path),
        Err(e) => {
            log::error!("Unable to create the reload file {}: {e}", path.display());
            None
        }
    }
}

fn slice(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, _: Ready) {
    let end = scheduler.clock() + SLICE;
    let Some(mut reading) = daemon.reload.reading.take() else { return };
    if daemon.phase == Phase::Stopping {
        return end_handshake(daemon);
    }
    loop {
        match reading.step() {
            Step::More(rest) => reading = rest,
            Step::Done(read) => break prepare(scheduler, daemon, read),
        }
        if scheduler.clock() >= end {
            daemon.reload.reading = Some(reading);
            scheduler.add_event(Class::Background, 0, slice);
            return;
        }
    }
}

fn end_handshake(daemon: &mut Daemon) {
    if let Some(path) = daemon.reload.handshake.take() {
        let _ = std::fs::remove_file(path);
    }
}

/// Has the kernel's module loaded if the new configuration is the first to need it. No advert is to
/// wait for that.
fn prepare(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, read: Box<Read>) {
    let needs = |new: &Configuration| new.runs(&daemon.options.subsystems).check;
    if daemon.check.is_some() || !read.outcome.as_ref().is_ok_and(needs) {
        return finish(scheduler, daemon, *read);
    }
    let begun = ipvs::module::begin().and_then(|child| {
        let Some(child) = child else { return Ok(false) };
        let pid = child.id().cast_signed();
        let limit = Some(ipvs::module::PATIENCE);
        scheduler.add_child(Class::Background, pid, limit, child.id().into(), prepared)?;
        Ok(true)
    });
    match begun {
        Ok(true) => return daemon.reload.read = Some(read),
        Ok(false) => {}
        Err(e) => balancing::not_loaded(&e),
    }
    finish(scheduler, daemon, *read);
}

/// `ready.arg` is the child's pid.
fn prepared(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, ready: Ready) {
    match ready.cause {
        Cause::Exited(Exit::Code(0)) => {}
        Cause::Exited(Exit::Code(code)) => {
            balancing::not_loaded(&format_args!("exit status: {code}"));
        }
        Cause::Exited(Exit::Signal(signal)) => {
            balancing::not_loaded(&ExitStatus::from_raw(signal));
        }
        _ => {
            let pid = i32::try_from(ready.arg).unwrap_or_default();
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            scheduler.disown(pid);
            balancing::not_loaded(&"it takes too long");
        }
    }
    let Some(read) = daemon.reload.read.take() else { return };
    if daemon.phase == Phase::Stopping {
        return end_handshake(daemon);
    }
    finish(scheduler, daemon, *read);
}

fn finish(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, read: Read) {
    end_handshake(daemon);
    read.log();
    match judge(&daemon.configuration, read) {
        Ok(configuration) => {
            let before = std::mem::replace(&mut daemon.configuration, configuration);
            follow(scheduler, daemon, &before);
            daemon::apply(scheduler, daemon);
            log::info!("Reload complete");
            daemon.systemd.ready();
        }
        Err(why) => {
            log::error!("Reload: {why} - keeping the running configuration");
            // The service manager waits for the end all the same.
            daemon.systemd.ready_as_before();
        }
    }
    run_queued(scheduler, daemon);
}

/// Lets the process itself follow what changed in its scheduling and name.
fn follow(scheduler: &mut Scheduler<Daemon>, daemon: &Daemon, before: &Configuration) {
    let (old, new) = (&before.globals, &daemon.configuration.globals);
    let subsystems = &daemon.options.subsystems;
    let scheduling = |c: &Configuration| c.scheduling(c.runs(subsystems));
    process::schedule(&scheduling(&daemon.configuration), &scheduling(before));
    notify::keep_symlinks(daemon.configuration.notify.use_symlink_paths);
    if new.process_name != old.process_name {
        process::set_name(new.process_name.as_deref().unwrap_or("keepalived"));
    }
    if old.scheduling.max_auto_priority <= 0 && new.scheduling.max_auto_priority > 0 {
        scheduler.add_event(Class::Background, 0, daemon::watch_lateness);
    }
}

/// The new configuration, or why it cannot take the place of `running`.
fn judge(running: &Configuration, read: Read) -> Result<Configuration, String> {
    if let Some(file) = &running.globals.reload_check_config {
        record(file, &read);
        if read.test_status() != 0 {
            return Err("the new configuration has errors".into());
        }
    }
    let new = match read.outcome {
        Ok(new) => new,
        Err(Unusable::Reader(config::Fatal::MissingParameter)) => {
            return Err("a mandatory argument is missing".into());
        }
        Err(Unusable::Reader(config::Fatal::Include)) => {
            return Err("a file that must be included cannot be read".into());
        }
        Err(Unusable::Reader(config::Fatal::NoMainFile)) => {
            return Err("there is no configuration file".into());
        }
        Err(Unusable::Vrrp(refused)) => return Err(refused.to_string()),
        Err(Unusable::Namespace) => return Err("the network namespace cannot be joined".into()),
    };
    // Half a file is one that is still being written, unless it always was like that.
    if running.whole && !new.whole {
        return Err("the new configuration ends inside a block".into());
    }
    match running.unchangeable(&new) {
        Some(keyword) => Err(format!("{keyword} cannot be changed by a reload")),
        None => Ok(new),
    }
}

/// `reload_check_config`: what a configuration test would have written.
fn record(path: &Path, read: &Read) {
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK)
        .open(path)
        .and_then(|mut file| {
            for diagnostic in read.diagnostics.iter().filter(|d| d.class.is_some()) {
                writeln!(file, "{}", render::one_line(diagnostic, &read.sources))?;
            }
            Ok(())
        });
    if let Err(e) = written {
        log::error!("Unable to write {}: {e}", path.display());
    }
}
