//! What the process asks of the kernel for itself: name, umask, scheduling, core dumps.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall, munlockall};
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::stat::{Mode, umask};
use nix::unistd::Pid;

use crate::globals::Scheduling;
use crate::sys;

/// The umask while nothing says otherwise: files are for their owner.
pub const DEFAULT_UMASK: u32 = 0o177;

const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// Sets the umask.
pub fn set_umask(mask: u32) {
    umask(Mode::from_bits_truncate(mask));
}

/// Sets the name that `ps` and `pgrep` show; the kernel keeps 15 bytes.
pub fn set_name(name: &str) {
    let Ok(name) = CString::new(name) else { return };
    if let Err(e) = nix::sys::prctl::set_name(&name) {
        log::warn!("Unable to set the process name to {name:?}: {e}");
    }
}

/// Applies how the process is to be scheduled, as far as it differs from what it was told `before`.
/// What the kernel refuses is logged; the daemon runs without it. To be called by the process that
/// stays: neither locked memory nor a realtime policy gets through a fork.
pub fn schedule(wanted: &Scheduling, before: &Scheduling) {
    if wanted.processors != before.processors {
        complain("set the CPU affinity", set_affinity(&wanted.processors).map_err(Into::into));
    }
    // Before the policy, so that there is no moment without a limit.
    if wanted.realtime > 0 && (wanted.rttime != before.rttime || before.realtime == 0) {
        complain("limit the realtime CPU time", limit_realtime(wanted.rttime).map_err(Into::into));
    }
    if wanted.realtime != before.realtime {
        complain("set the realtime priority", sys::set_realtime(wanted.realtime.into()));
    }
    // Under a realtime policy it means nothing, and would hold for scripts all the same.
    let nice = |s: &Scheduling| if s.realtime > 0 { 0 } else { s.nice };
    if nice(wanted) != nice(before) {
        complain("set the process priority", sys::set_nice(nice(wanted).into()));
    }
    if wanted.no_swap != before.no_swap {
        let done = match wanted.no_swap {
            true => mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE),
            false => munlockall(),
        };
        complain("keep the process from being swapped out", done.map_err(Into::into));
    }
}

fn complain(what: &str, done: std::io::Result<()>) {
    if let Err(error) = done {
        log::warn!("Unable to {what}: {error}");
    }
}

/// No processor given: all of them.
fn set_affinity(processors: &[usize]) -> nix::Result<()> {
    let mut set = CpuSet::new();
    match processors {
        [] => (0..CpuSet::count()).try_for_each(|processor| set.set(processor))?,
        list => list.iter().try_for_each(|processor| set.set(*processor))?,
    }
    sched_setaffinity(Pid::from_raw(0), &set)
}

/// Half of the limit is where the kernel begins to warn. It is not asked to kill at the limit: nobody
/// would start the daemon again, and its addresses would stay.
fn limit_realtime(limit: Duration) -> nix::Result<()> {
    let micros = rlim_t::try_from(limit.as_micros()).unwrap_or(rlim_t::MAX);
    let (_, hard) = getrlimit(Resource::RLIMIT_RTTIME)?;
    let soft = if micros == 0 { hard } else { (micros / 2).max(1).min(hard) };
    setrlimit(Resource::RLIMIT_RTTIME, soft, hard)
}

/// As many files may be open as the machine allows: every check that runs holds a socket, and the usual
/// limit is for programs that wait with `select`.
pub fn raise_open_files() {
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    complain("raise the limit of open files", raised.map_err(Into::into));
}

/// Steps by which lateness may raise the realtime priority.
const STEPS: u8 = 25;

/// `max_auto_priority`: raises the realtime priority by one whenever the loop was late.
#[derive(Debug, Default)]
pub struct Raising {
    /// What `schedule` was told; a reload that changes it begins anew.
    base: u8,
    steps: u8,
}

impl Raising {
    /// The realtime priority that the process has by now; 0: none.
    pub fn priority(&self, wanted: &Scheduling) -> u8 {
        let steps = if self.base == wanted.realtime { self.steps } else { 0 };
        wanted.realtime.saturating_add(steps)
    }

    /// Takes the worst lateness since the last call; the realtime priority to have from now on, if
    /// it is another one.
    pub fn late(&mut self, lag: Duration, wanted: &Scheduling) -> Option<u8> {
        if self.base != wanted.realtime {
            *self = Raising { base: wanted.realtime, steps: 0 };
        }
        let most = u8::try_from(wanted.max_auto_priority).unwrap_or(0);
        let next = self.base + self.steps + 1;
        if lag < wanted.min_auto_priority_delay || next > most || self.steps == STEPS {
            return None;
        }
        self.steps += 1;
        Some(next)
    }
}

/// Gives the process a higher realtime priority, because it was late.
pub fn raise(priority: u8, lag: Duration, wanted: &Scheduling) {
    log::info!(
        "The loop was {:.6} s late - raising the realtime priority to {priority}",
        lag.as_secs_f64()
    );
    complain("limit the realtime CPU time", limit_realtime(wanted.rttime).map_err(Into::into));
    complain("set the realtime priority", sys::set_realtime(priority.into()));
}

/// What `-m` and `-M` changed.
#[derive(Debug, Default)]
pub struct CoreDumps {
    pattern: Option<OsString>,
}

impl CoreDumps {
    /// Allows core dumps of any size (as far as the hard limit may be raised) and, with a
    /// `pattern`, names them.
    pub fn enable(pattern: Option<&OsStr>) -> CoreDumps {
        let unlimited = rlim_t::MAX;
        if setrlimit(Resource::RLIMIT_CORE, unlimited, unlimited).is_err() {
            let hard = getrlimit(Resource::RLIMIT_CORE).map_or(0, |(_, hard)| hard);
            if let Err(e) = setrlimit(Resource::RLIMIT_CORE, hard, hard) {
                log::warn!("Unable to allow core dumps: {e}");
            }
        }
        let Some(pattern) = pattern else { return CoreDumps::default() };
        let before = std::fs::read(CORE_PATTERN).ok();
        match std::fs::write(CORE_PATTERN, pattern.as_encoded_bytes()) {
            Ok(()) => CoreDumps { pattern: before.map(OsString::from_vec) },
            Err(e) => {
                log::warn!("Unable to write {CORE_PATTERN}: {e}");
                CoreDumps::default()
            }
        }
    }

    /// Puts the kernel's pattern back.
    pub fn restore(self) {
        if let Some(pattern) = self.pattern
            && let Err(e) = std::fs::write(CORE_PATTERN, pattern.as_encoded_bytes())
        {
            log::warn!("Unable to restore {CORE_PATTERN}: {e}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lateness_raises_the_priority_up_to_its_limit() {
        let second = Duration::from_secs(1);
        let mut wanted = Scheduling { max_auto_priority: 3, ..Scheduling::default() };
        let mut raising = Raising::default();
        assert_eq!(raising.late(second / 2, &wanted), None);
        let raised: Vec<_> = (0..5).map(|_| raising.late(second, &wanted)).collect();
        assert_eq!(raised, [Some(1), Some(2), Some(3), None, None]);
        wanted.realtime = 10;
        assert_eq!(raising.late(second, &wanted), None, "above the limit already");
        wanted.max_auto_priority = 99;
        let raised = (0..99).filter_map(|_| raising.late(second, &wanted)).last();
        assert_eq!(raised, Some(35), "25 steps above what was configured");
        assert_eq!(raising.priority(&wanted), 35);
        wanted.realtime = 20;
        assert_eq!(raising.priority(&wanted), 20, "a reload begins anew");
        for off in [0, -1] {
            wanted.max_auto_priority = off;
            assert_eq!(Raising::default().late(second * 9, &wanted), None);
        }
    }
}
