//! The calls that no safe crate offers.
#![allow(unsafe_code)]

use std::os::fd::{AsRawFd, BorrowedFd};

use nix::unistd::ForkResult;

/// Sends on a connected socket without ever waiting for room.
pub fn send_now(fd: BorrowedFd<'_>, bytes: &[u8]) -> std::io::Result<usize> {
    // SAFETY: pointer and length are those of `bytes`, and the descriptor is borrowed.
    let sent = unsafe {
        libc::send(
            fd.as_raw_fd(),
            bytes.as_ptr().cast(),
            bytes.len(),
            libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL,
        )
    };
    usize::try_from(sent).map_err(|_| std::io::Error::last_os_error())
}

/// `fork`. To be called while the process has one thread only.
pub fn fork() -> nix::Result<ForkResult> {
    // SAFETY: the daemon has one thread, so the child's copy of every lock is in a known state.
    unsafe { nix::unistd::fork() }
}

/// Sets the nice value of this process.
pub fn set_nice(nice: i32) -> std::io::Result<()> {
    // SAFETY: takes numbers only.
    let done = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Puts this process under `SCHED_RR` with `priority`, or back under the normal policy if that is 0;
/// its children get the normal policy.
pub fn set_realtime(priority: i32) -> std::io::Result<()> {
    // SAFETY: `sched_param` is plain data for which all zeroes is a value.
    let mut param: libc::sched_param = unsafe { std::mem::zeroed() };
    param.sched_priority = priority;
    let policy = match priority {
        0 => libc::SCHED_OTHER,
        _ => libc::SCHED_RR | libc::SCHED_RESET_ON_FORK,
    };
    // SAFETY: the pointer is valid for the duration of the call, which keeps it not.
    let done = unsafe { libc::sched_setscheduler(0, policy, &raw const param) };
    if done == 0 { Ok(()) } else { Err(std::io::Error::last_os_error()) }
}

/// Gives memory that is free inside the heap back to the system, where the C library can.
pub fn trim_heap() {
    #[cfg(target_env = "gnu")]
    // SAFETY: touches only memory the allocator itself knows to be free.
    unsafe {
        libc::malloc_trim(0);
    }
}
