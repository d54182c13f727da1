//! What the process asks of the kernel for itself: name, umask, core dumps.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
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

/// Applies how the process is to be scheduled. What the kernel refuses is logged; the daemon runs
/// without it.
pub fn schedule(wanted: &Scheduling) {
    let complain = |what: &str, error: std::io::Error| log::warn!("Unable to {what}: {error}");
    if !wanted.processors.is_empty() {
        let mut set = CpuSet::new();
        let valid = wanted.processors.iter().try_for_each(|processor| set.set(*processor));
        if let Err(e) = valid.and_then(|()| sched_setaffinity(Pid::from_raw(0), &set)) {
            complain("set the CPU affinity", e.into());
        }
    }
    if wanted.realtime > 0 {
        let micros = rlim_t::try_from(wanted.rttime.as_micros()).unwrap_or(rlim_t::MAX);
        // Before the policy, so that there is no moment without a limit.
        if micros > 0
            && let Err(e) = setrlimit(Resource::RLIMIT_RTTIME, micros / 2, micros)
        {
            complain("limit the realtime CPU time", e.into());
        }
        if let Err(e) = sys::set_realtime(wanted.realtime.into()) {
            complain("set the realtime priority", e);
        }
    } else if wanted.nice != 0
        && let Err(e) = sys::set_nice(wanted.nice.into())
    {
        complain("set the process priority", e);
    }
    if wanted.no_swap
        && let Err(e) = mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE)
    {
        complain("keep the process from being swapped out", e.into());
    }
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
