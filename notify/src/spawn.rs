//! Running a [`Script`].
//!
//! A script runs in a process group of its own, so that a time-out reaches everything it started;
//! as the configured user and groups; with `/dev/null` as input and output and no other descriptor;
//! with default signal actions, no signal blocked, and neither real-time policy nor raised priority;
//! executed by its path free of links, unless [`keep_symlinks`] says otherwise;
//! with the daemon's environment except `IFS`, `LD_PRELOAD` and `LD_LIBRARY_PATH`. When the thread
//! that started it dies, which is the daemon, the kernel sends it SIGTERM.

use std::collections::BTreeSet;
use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit, rlim_t};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getegid, geteuid, getgroups};

use crate::script::Script;
use crate::security;
use crate::sys::{self, Program};

/// Variables that change how the shell or the loader reads a script.
const DROPPED: [&str; 3] = ["IFS", "LD_PRELOAD", "LD_LIBRARY_PATH"];
/// How many names of scripts without a `#!` line are remembered in order not to repeat the advice.
const ADVISED: usize = 256;

/// Starts `script` with `extra` arguments after its own and returns its process id, which is also
/// its process group. The caller collects its exit status.
///
/// # Errors
/// The script could not be executed, or its user not be changed to. This is logged here; it counts
/// as a failure of the script.
pub fn spawn(script: &Script, extra: &[&str]) -> io::Result<i32> {
    let result = start(script, extra);
    if let Err(error) = &result {
        let number = error.raw_os_error().unwrap_or(0);
        log::error!("Error exec-ing command '{}', error {number}: {error}", script.text);
    }
    result
}

/// The limits scripts get; empty until [`remember_limits`].
static LIMITS: OnceLock<Vec<(Resource, rlim_t, rlim_t)>> = OnceLock::new();

/// Notes the resource limits that the process has now as those scripts are to have. To be called
/// before the daemon raises its own; without it, scripts inherit what the daemon has.
pub fn remember_limits() {
    use Resource as R;
    let wanted =
        [R::RLIMIT_CORE, R::RLIMIT_NOFILE, R::RLIMIT_MEMLOCK, R::RLIMIT_STACK, R::RLIMIT_RTTIME];
    let limits = wanted.into_iter().filter_map(|resource| {
        let (soft, hard) = getrlimit(resource).ok()?;
        Some((resource, soft, hard))
    });
    LIMITS.get_or_init(|| limits.collect());
}

/// `use_symlink_paths`.
static KEEP_LINKS: AtomicBool = AtomicBool::new(false);

/// Whether a script is executed by its path as configured (`use_symlink_paths`), or by the one free of
/// links that it leads to. A script that begins with `#!` sees the difference in its `$0`.
pub fn keep_symlinks(keep: bool) {
    KEEP_LINKS.store(keep, Ordering::Relaxed);
}

/// Sends a signal to everything a script started, unless it left the script's process group.
/// A script that is gone is no error.
pub fn signal_group(pid: i32, signal: Signal) {
    if pid <= 1 {
        return;
    }
    match killpg(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(errno) => log::warn!("cannot send {signal} to process group {pid}: {errno}"),
    }
}

/// Whether a command asks only whether a file can be opened: `<` and a path.
pub(crate) fn is_open_test(text: &str) -> bool {
    text.trim_start().strip_prefix('<').is_some_and(|rest| rest.trim_start().starts_with('/'))
}

fn start(script: &Script, extra: &[&str]) -> io::Result<i32> {
    let (path, argv) = command(script, extra)?;
    let environment = environment();
    let null = null()?;
    let only_gid = [script.gid];
    let groups = script.groups.as_deref().unwrap_or(&only_gid);
    let identity = (!is_us(script)).then_some((script.uid, script.gid, groups));
    let program = Program {
        path: &path,
        argv: &argv,
        environment: &environment,
        null: null.as_fd(),
        limits: LIMITS.get().map(Vec::as_slice).unwrap_or_default(),
        identity,
    };
    let started = sys::start(&program)?;
    if started.by_shell {
        advise(&script.text);
    }
    Ok(started.pid)
}

/// The program and its arguments.
fn command(script: &Script, extra: &[&str]) -> io::Result<(CString, Vec<CString>)> {
    if is_open_test(&script.text) {
        let argv = ["/bin/sh", "-c", &script.text].map(CString::new);
        let argv = argv.into_iter().collect::<Result<Vec<_>, _>>()?;
        return Ok((CString::new("/bin/sh")?, argv));
    }
    let name = script.argv.first().ok_or(io::ErrorKind::InvalidInput)?;
    let path = if name.contains('/') {
        PathBuf::from(name)
    } else {
        security::find_in_path(name, script).ok_or(io::Error::from(Errno::ENOENT))?
    };
    let path = match KEEP_LINKS.load(Ordering::Relaxed) {
        true => path,
        false => path.canonicalize()?,
    };
    let path = CString::new(path.into_os_string().into_vec())?;
    let own = script.argv.iter().map(String::as_str);
    let argv = own.chain(extra.iter().copied()).map(CString::new).collect::<Result<_, _>>()?;
    Ok((path, argv))
}

/// Whether the script is to run as whom we run anyway. Then nothing has to be changed, which is
/// all that an unprivileged daemon can do.
fn is_us(script: &Script) -> bool {
    if script.uid != geteuid().as_raw() || script.gid != getegid().as_raw() {
        return false;
    }
    let Some(wanted) = &script.groups else { return true };
    let ours: BTreeSet<u32> =
        getgroups().unwrap_or_default().into_iter().map(nix::unistd::Gid::as_raw).collect();
    ours == wanted.iter().copied().collect()
}

fn environment() -> Vec<CString> {
    std::env::vars_os()
        .filter(|(name, _)| DROPPED.iter().all(|dropped| name != OsStr::new(dropped)))
        .filter_map(|(name, value)| {
            CString::new([name.as_bytes(), b"=", value.as_bytes()].concat()).ok()
        })
        .collect()
}

/// `/dev/null`, opened once, with a number that is not one of the standard ones.
fn null() -> io::Result<&'static OwnedFd> {
    static NULL: OnceLock<OwnedFd> = OnceLock::new();
    if let Some(fd) = NULL.get() {
        return Ok(fd);
    }
    let file = File::options().read(true).write(true).open("/dev/null")?;
    // A daemon may run with its standard descriptors closed; then this got one of their numbers.
    // A copy made by the library never does.
    let copy = OwnedFd::from(file).try_clone()?;
    Ok(NULL.get_or_init(|| copy))
}

fn advise(text: &str) {
    static DONE: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let mut done = DONE.lock().unwrap_or_else(PoisonError::into_inner);
    if done.len() < ADVISED && done.insert(text.to_owned()) {
        log::warn!("script '{text}' has no #! line: running it with /bin/sh, please add one");
    }
}

#[cfg(test)]
pub(crate) mod tests;
