//! The startup and shutdown scripts: one child each, with a time limit that is kept whatever the
//! script does about its signals.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use notify::Script;
use scheduler::{Cause, Class, Exit, Ready, Scheduler};

use crate::daemon::Daemon;

/// What follows when the script has ended, in whatever way.
pub type Then = fn(&mut Scheduler<Daemon>, &mut Daemon);

/// What is sent to the script's process group when it does not end, and how long is waited after it;
/// after the last one it is given up.
const ENDINGS: [(Signal, Duration); 3] = [
    (Signal::SIGTERM, Duration::from_secs(2)),
    (Signal::SIGKILL, Duration::from_secs(2)),
    (Signal::SIGKILL, Duration::from_secs(10)),
];

/// A script that runs.
pub struct Running {
    name: &'static str,
    pid: i32,
    then: Then,
}

/// Starts `script` and goes on with `then` when it has ended or is given up; at once, if it cannot
/// be started.
pub fn run(
    scheduler: &mut Scheduler<Daemon>,
    daemon: &mut Daemon,
    name: &'static str,
    script: Option<(Script, Duration)>,
    then: Then,
) {
    let Some((script, limit)) = script else { return then(scheduler, daemon) };
    log::info!("Running {name} {}", script.argv.join(" "));
    let started = notify::spawn(&script, &[]).and_then(|pid| {
        scheduler.add_child(Class::Background, pid, Some(limit), 0, ended)?;
        Ok(pid)
    });
    match started {
        Ok(pid) => daemon.script = Some(Running { name, pid, then }),
        Err(e) => {
            log::error!("Unable to run {name}: {e}");
            then(scheduler, daemon);
        }
    }
}

/// `ready.arg` is how many endings were tried.
fn ended(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, ready: Ready) {
    let Some(running) = daemon.script.take() else { return };
    let name = running.name;
    match ready.cause {
        Cause::Exited(Exit::Code(0)) => log::info!("{name} succeeded"),
        Cause::Exited(Exit::Code(code)) => log::info!("{name} exited with status {code}"),
        Cause::Exited(Exit::Signal(signal)) => {
            let status = ExitStatus::from_raw(signal);
            log::info!("{name} was ended by a signal ({status})");
        }
        _ => {
            let step = usize::try_from(ready.arg).unwrap_or(usize::MAX);
            if let Some((signal, wait)) = ENDINGS.get(step) {
                log::warn!("{name} takes too long: sending {signal}");
                notify::signal_group(running.pid, *signal);
                let again = scheduler.add_child(
                    Class::Background,
                    running.pid,
                    Some(*wait),
                    ready.arg + 1,
                    ended,
                );
                if again.is_ok() {
                    daemon.script = Some(running);
                    return;
                }
            }
            log::error!("{name} does not end; not waiting for it any longer");
            scheduler.disown(running.pid);
        }
    }
    (running.then)(scheduler, daemon);
}
