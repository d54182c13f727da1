//! The calls that no safe crate offers.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::unistd::ForkResult;

/// `seconds` since 1970 in local time, by a `strftime` format; empty when it does not fit 128 bytes.
pub fn local_time(seconds: i64, format: &CStr) -> String {
    let mut text = [0u8; 128];
    let tm = broken_down(seconds, false);
    // SAFETY: the buffer's true length is passed, the format ends in NUL, `tm` has valid fields.
    let len = unsafe {
        libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), &raw const tm)
    };
    String::from_utf8_lossy(text.get(..len).unwrap_or_default()).into_owned()
}

/// Year, month, day, hour, minute and second, in local time or UTC.
pub fn calendar(seconds: i64, utc: bool) -> [i32; 6] {
    let tm = broken_down(seconds, utc);
    [
        tm.tm_year.saturating_add(1900),
        tm.tm_mon.saturating_add(1),
        tm.tm_mday,
        tm.tm_hour,
        tm.tm_min,
        tm.tm_sec,
    ]
}

/// The reverse of [`calendar`]; a day that does not exist means another.
pub fn moment([year, month, day, hour, minute, second]: [i32; 6], utc: bool) -> Option<i64> {
    // SAFETY: `tm` is plain data for which all zeroes is a value.
    let mut tm: libc::tm = unsafe { std::mem::zeroed() };
    tm.tm_year = year.checked_sub(1900)?;
    tm.tm_mon = month.checked_sub(1)?;
    tm.tm_mday = day;
    tm.tm_hour = hour;
    tm.tm_min = minute;
    tm.tm_sec = second;
    tm.tm_isdst = -1;
    // SAFETY: the pointer is valid for the duration of the calls, which keep it not.
    let at = unsafe { if utc { libc::timegm(&raw mut tm) } else { libc::mktime(&raw mut tm) } };
    (at != -1).then_some(at)
}

fn broken_down(seconds: i64, utc: bool) -> libc::tm {
    // SAFETY: `tm` is plain data for which all zeroes is a value; both pointers are valid for the
    // duration of the calls, which keep neither.
    unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        if utc {
            libc::gmtime_r(&seconds, &mut tm);
        } else {
            libc::localtime_r(&seconds, &mut tm);
        }
        tm
    }
}

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
