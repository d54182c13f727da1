//! The netlink socket and the socket options that no library wraps, and a child process.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// Opens a non-blocking socket of `NETLINK_CONNECTOR`.
pub(crate) fn connector() -> io::Result<OwnedFd> {
    let kind = libc::SOCK_DGRAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: the call takes no pointers.
    let fd = unsafe { libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_CONNECTOR) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was opened just now, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets an option of level `SOL_NETLINK`; 1 switches a boolean one on.
pub(crate) fn set(fd: BorrowedFd<'_>, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed and therefore open; the pointer and the length describe
    // `value`, which lives until the call returns, and the kernel only reads it.
    let result = unsafe {
        libc::setsockopt(
            fd.as_raw_fd(),
            libc::SOL_NETLINK,
            option,
            (&raw const value).cast(),
            size_of_val(&value) as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Does `work` in a child process, which ends with status 0 if it returned true; the child's id. To be called
/// while the process has one thread only.
pub(crate) fn in_child(work: impl FnOnce() -> bool) -> io::Result<i32> {
    // SAFETY: the daemon has one thread, so the child's copy of every lock is in a known state.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        0 => {
            // Nothing may get from here into the copy of the rest of the program.
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            // SAFETY: it ends the process and runs nothing of the program any more.
            unsafe { libc::_exit(i32::from(!done.unwrap_or(false))) }
        }
        child => Ok(child),
    }
}
