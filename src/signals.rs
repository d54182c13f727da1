//! Which signal does what. The C daemon's parent and children took different sets; here one process
//! takes them all.

use nix::sys::signal::{SigSet, Signal};
use scheduler::{Cause, Class, Ready, Scheduler};

use crate::cli;
use crate::daemon::{self, Daemon};
use crate::reload;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Request {
    Reload,
    Stop,
    State,
    Stats,
    StatsClear,
    Json,
    /// The kernel warns before it ends a realtime process.
    CpuLimit,
}

/// Names as `--signum` knows them, and what they ask for.
const BY_FUNCTION: [(&str, Request); 6] = [
    ("RELOAD", Request::Reload),
    ("STOP", Request::Stop),
    ("DATA", Request::State),
    ("STATS", Request::Stats),
    ("STATS_CLEAR", Request::StatsClear),
    ("JSON", Request::Json),
];

/// Keeps every signal from doing what it does by default, but for those that tell of a fault in the
/// program. They stay pending until somebody waits for them; children of the daemon begin with an
/// empty mask.
pub fn block() {
    let mut all = SigSet::all();
    for fault in [
        Signal::SIGILL,
        Signal::SIGFPE,
        Signal::SIGSEGV,
        Signal::SIGBUS,
        Signal::SIGTRAP,
        Signal::SIGABRT,
        Signal::SIGSYS,
    ] {
        all.remove(fault);
    }
    if let Err(e) = all.thread_block() {
        log::warn!("Unable to block signals: {e}");
    }
}

/// Waits for all signals that ask for something.
pub fn watch(scheduler: &mut Scheduler<Daemon>, ignore_interrupt: bool) -> std::io::Result<()> {
    for (function, _) in BY_FUNCTION {
        if let Some(number) = cli::signal_number(function) {
            scheduler.add_signal(Class::Background, number, 0, came)?;
        }
    }
    scheduler.add_signal(Class::Background, libc::SIGXCPU, 0, came)?;
    if !ignore_interrupt {
        scheduler.add_signal(Class::Background, libc::SIGINT, 0, came)?;
    }
    Ok(())
}

fn request(number: i32) -> Option<Request> {
    match number {
        libc::SIGINT => Some(Request::Stop),
        libc::SIGXCPU => Some(Request::CpuLimit),
        _ => BY_FUNCTION
            .iter()
            .find(|(function, _)| cli::signal_number(function) == Some(number))
            .map(|(_, request)| *request),
    }
}

fn came(scheduler: &mut Scheduler<Daemon>, daemon: &mut Daemon, ready: Ready) {
    let Cause::Signal(number) = ready.cause else { return };
    if let Err(e) = scheduler.add_signal(Class::Background, number, 0, came) {
        log::error!("Unable to wait for signal {number} again: {e}");
    }
    match request(number) {
        Some(Request::Reload) => reload::request(scheduler, daemon),
        Some(Request::Stop) => daemon::stop(scheduler, daemon),
        Some(Request::State) => daemon.dump_state(scheduler.now()),
        Some(Request::Stats) => daemon.dump_stats(false),
        Some(Request::StatsClear) => daemon.dump_stats(true),
        Some(Request::Json) => daemon.dump_json(scheduler.now()),
        Some(Request::CpuLimit) => {
            log::warn!("Half of the realtime CPU time limit (vrrp_rlimit_rttime) is used up");
        }
        None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_has_a_number_of_its_own() {
        let mut numbers: Vec<i32> =
            BY_FUNCTION.iter().map(|(f, _)| cli::signal_number(f).unwrap()).collect();
        assert!(numbers.iter().all(|n| request(*n).is_some()));
        numbers.sort_unstable();
        numbers.dedup();
        assert_eq!(numbers.len(), BY_FUNCTION.len());
        assert_eq!(request(libc::SIGINT), Some(Request::Stop));
    }
}
