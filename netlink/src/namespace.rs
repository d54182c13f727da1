//! Sockets in other network namespaces.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;

use nix::sched::{CloneFlags, setns};

/// That of process 1: the initial one, unless it is a container's.
pub const FIRST: &str = "/proc/1/ns/net";

/// Opens something in the network namespace that a descriptor stands for; the calling thread returns to its own.
///
/// # Errors
/// Of the outer result: the namespace cannot be entered, or not left. Of the inner one: those of `open`.
pub fn within<T>(
    namespace: impl AsFd,
    open: impl FnOnce() -> io::Result<T>,
) -> io::Result<io::Result<T>> {
    let home = File::open("/proc/thread-self/ns/net")?;
    setns(namespace, CloneFlags::CLONE_NEWNET)?;
    let opened = open();
    setns(&home, CloneFlags::CLONE_NEWNET)?;
    Ok(opened)
}
