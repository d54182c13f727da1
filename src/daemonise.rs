//! Into the background. Must happen before the scheduler exists: an epoll descriptor and a signal
//! descriptor survive a fork in ways nobody wants.

use std::fs::OpenOptions;
use std::io;

use nix::unistd::{ForkResult, Pid, chdir, dup2_stderr, dup2_stdin, dup2_stdout, setsid};

use crate::sys;

/// Which side of the fork this is.
pub enum Side {
    /// The process that was started; it has to exit now. The pid is the daemon's.
    Launcher(Pid),
    /// The daemon: in a session of its own, in `/`, with `/dev/null` for standard input and output.
    Daemon,
}

/// Forks.
pub fn daemonise() -> io::Result<Side> {
    if let ForkResult::Parent { child } = sys::fork()? {
        return Ok(Side::Launcher(child));
    }
    setsid()?;
    chdir("/")?;
    let null = OpenOptions::new().read(true).write(true).open("/dev/null")?;
    dup2_stdin(&null)?;
    dup2_stdout(&null)?;
    dup2_stderr(&null)?;
    Ok(Side::Daemon)
}
