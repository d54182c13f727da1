//! What the process asks of the kernel for itself: name, umask, core dumps.

use std::ffi::{CString, OsStr, OsString};
use std::os::unix::ffi::OsStringExt;

use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::stat::{Mode, umask};

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
