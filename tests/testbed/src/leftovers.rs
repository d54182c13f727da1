//! What runs that were killed left behind: namespaces `ka-PID-…` and folders `ka-PID-…` whose PID is gone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{run, try_run};

/// Every name made by this process begins so; the pid tells the sweep whose it is.
pub(crate) fn prefix() -> String {
    format!("ka-{}-", std::process::id())
}

/// Where the daemons' folders are made.
pub(crate) fn temporary() -> PathBuf {
    std::env::temp_dir()
}

/// Serialises the making of namespaces: the first `ip netns add` on a machine sets up a mount that two at
/// once would stack.
pub(crate) fn lock() -> File {
    let path = temporary().join("ka-netns.lock");
    let file = File::create(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    file.lock().unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    file
}

/// Removes what dead runs left. Holds the lock, so that it never meets a namespace half made.
pub(crate) fn sweep() {
    let _held = lock();
    for name in orphans(Path::new("/run/netns")) {
        let pids = try_run(&format!("ip netns pids {name}")).unwrap_or_default();
        for pid in pids.split_whitespace().filter_map(|pid| pid.parse().ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
        }
        run(&format!("ip netns del {name}"));
    }
    sweep_folders();
}

/// Removes the folders that dead runs left.
pub(crate) fn sweep_folders() {
    for name in orphans(&temporary()) {
        let _ = fs::remove_dir_all(temporary().join(name));
    }
}

/// Entries `ka-PID-…` of a folder whose PID no longer runs.
fn orphans(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| {
            let pid = name.strip_prefix("ka-").and_then(|rest| rest.split('-').next());
            pid.and_then(|pid| pid.parse::<u32>().ok())
                .is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
        })
        .collect()
}
