//! Ctrl-C while the bed is up: the next wait panics, and unwinding takes everything down.

use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};

static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Turns SIGINT, SIGTERM and SIGHUP into an orderly end of every [`crate::wait_for`]. Call it before any thread
/// is started: the signals are blocked in the calling thread and those it starts.
pub fn stop_on_interrupt() {
    let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
    if signals.thread_block().is_err() {
        return;
    }
    std::thread::spawn(move || {
        if signals.wait().is_ok() {
            INTERRUPTED.store(true, Ordering::SeqCst);
        }
    });
}

/// Whether the person has had enough.
pub(crate) fn raised() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Panics once the person has had enough, unless a panic is already taking the bed down.
pub(crate) fn check() {
    if raised() && !std::thread::panicking() {
        panic!("interrupted");
    }
}
