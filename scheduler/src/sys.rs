//! System calls that no safe library offers in the form needed here: pidfd_open, waitid on a pidfd
//! with every signal number, and signalfd with real-time signals.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

use crate::Exit;

/// Which child to ask about.
#[derive(Clone, Copy)]
pub(crate) enum Which<'a> {
    Pid(i32),
    Pidfd(BorrowedFd<'a>),
}

/// A non-blocking descriptor for the process `pid`.
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers and touches no memory of ours.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, libc::PIDFD_NONBLOCK) };
    let fd = RawFd::try_from(fd).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The exit status of a child that has ended, `None` while it runs. With `keep` the child stays a
/// zombie and the status can be asked for again.
pub(crate) fn wait_exit(which: Which<'_>, keep: bool) -> io::Result<Option<Exit>> {
    let (kind, id) = match which {
        Which::Pid(pid) => (libc::P_PID, libc::id_t::try_from(pid).unwrap_or(libc::id_t::MAX)),
        Which::Pidfd(fd) => (libc::P_PIDFD, fd.as_raw_fd() as libc::id_t),
    };
    let flags = libc::WEXITED | libc::WNOHANG | if keep { libc::WNOWAIT } else { 0 };
    // SAFETY: siginfo_t is plain data for which all zeros is a valid value.
    let mut info: libc::siginfo_t = unsafe { MaybeUninit::zeroed().assume_init() };
    // SAFETY: `info` is ours and lives through the call, which writes at most one siginfo_t.
    if unsafe { libc::waitid(kind, id, &mut info, flags) } < 0 {
        let error = io::Error::last_os_error();
        // A non-blocking pidfd says so when the child still runs.
        return if error.kind() == io::ErrorKind::WouldBlock { Ok(None) } else { Err(error) };
    }
    // SAFETY: waitid fills these fields; when no child was found they are the zeros from above.
    let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
    Ok((pid != 0).then_some(match info.si_code {
        libc::CLD_EXITED => Exit::Code(status),
        _ => Exit::Signal(status),
    }))
}

fn signal_set(mask: u64) -> io::Result<libc::sigset_t> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the whole set.
    let mut set: libc::sigset_t = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        set.assume_init()
    };
    for signal in (1..=64).filter(|n| mask >> (n - 1) & 1 == 1) {
        // SAFETY: `set` is an initialised signal set of ours.
        if unsafe { libc::sigaddset(&mut set, signal) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(set)
}

/// Blocks the signals of `mask` (bit n-1 is signal n) in this thread.
pub(crate) fn block_signals(mask: u64) -> io::Result<()> {
    let set = signal_set(mask)?;
    // SAFETY: `set` is initialised; the old mask is not asked for.
    match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &set, ptr::null_mut()) } {
        0 => Ok(()),
        errno => Err(io::Error::from_raw_os_error(errno)),
    }
}

/// A non-blocking signalfd for the signals of `mask`.
pub(crate) fn signalfd(mask: u64) -> io::Result<OwnedFd> {
    let set = signal_set(mask)?;
    // SAFETY: `set` is initialised; -1 asks for a new descriptor.
    let fd = unsafe { libc::signalfd(-1, &set, libc::SFD_NONBLOCK | libc::SFD_CLOEXEC) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made this descriptor for us; nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Changes which signals a signalfd reports.
pub(crate) fn signalfd_change(fd: BorrowedFd<'_>, mask: u64) -> io::Result<()> {
    let set = signal_set(mask)?;
    // SAFETY: `fd` is an open signalfd for the length of the call and `set` is initialised.
    match unsafe { libc::signalfd(fd.as_raw_fd(), &set, 0) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}
