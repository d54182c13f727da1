//! The calls that no safe crate offers.
#![allow(unsafe_code)]

use std::ffi::CStr;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::unistd::ForkResult;

/// `seconds` since 1970 in local time, by a `strftime` format; empty when it does not fit 128 bytes.
pub fn local_time(seconds: i64, format: &CStr) -> String {
    let mut text = [0u8; 128];
    // SAFETY: `tm` is plain data for which all zeroes is a value; both pointers are valid for the
    // duration of the call, and `localtime_r` keeps none of them.
    let tm = unsafe {
        let mut tm: libc::tm = std::mem::zeroed();
        libc::localtime_r(&seconds, &mut tm);
        tm
    };
    // SAFETY: the buffer's true length is passed, the format ends in NUL, `tm` was filled above.
    let len = unsafe {
        libc::strftime(text.as_mut_ptr().cast(), text.len(), format.as_ptr(), &raw const tm)
    };
    String::from_utf8_lossy(text.get(..len).unwrap_or_default()).into_owned()
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
