//! Signals: blocked, read from one signalfd, kept for whoever asks next.

use std::io;

use crate::thread::Kind;
use crate::{Callback, Cause, Class, Scheduler, ThreadId};

/// Highest signal number, the last real-time signal.
const LAST: i32 = 64;

pub(crate) struct Signals {
    waiters: [Option<ThreadId>; LAST as usize],
    /// Came while nobody waited; bit n-1 is signal n.
    kept: u64,
}

impl Signals {
    pub fn new() -> Self {
        Signals { waiters: [None; LAST as usize], kept: 0 }
    }

    pub fn waiter(&mut self, signal: i32) -> Option<&mut Option<ThreadId>> {
        self.waiters.get_mut(usize::try_from(signal).ok()?.checked_sub(1)?)
    }

    pub fn keep(&mut self, signal: i32) {
        self.kept |= 1 << (signal - 1);
    }

    pub fn take(&mut self, signal: i32) {
        self.kept &= !(1 << (signal - 1));
    }

    pub fn is_kept(&self, signal: i32) -> bool {
        self.kept >> (signal - 1) & 1 == 1
    }
}

impl<W> Scheduler<W> {
    /// Waits for `signal` (1 to 64, real-time signals included). From the first call on it is blocked
    /// in this thread's mask, so call it before other threads of the process are made; children
    /// started by `std::process::Command` begin with an empty mask, a bare fork and exec must empty
    /// it itself. A signal that comes while no thread waits for it is kept, once, for the next call.
    ///
    /// # Errors
    /// No such signal, or one that cannot be blocked (`InvalidInput`); another thread waits for it
    /// (`AlreadyExists`); no descriptor left.
    pub fn add_signal(
        &mut self,
        class: Class,
        signal: i32,
        arg: u64,
        callback: Callback<W>,
    ) -> io::Result<ThreadId> {
        let blockable = !matches!(signal, libc::SIGKILL | libc::SIGSTOP);
        match self.signals.waiter(signal) {
            Some(None) if blockable => {}
            Some(Some(_)) => return Err(io::ErrorKind::AlreadyExists.into()),
            _ => return Err(io::ErrorKind::InvalidInput.into()),
        }
        if let Some(kernel) = &mut self.kernel {
            kernel.watch_signal(signal)?;
        }
        // What came before the signalfd was asked about it makes no edge.
        self.drain_signals()?;
        let id = self.insert(class, Kind::Signal(signal), arg, callback);
        if let Some(waiter) = self.signals.waiter(signal) {
            *waiter = Some(id);
        }
        if self.signals.is_kept(signal) {
            self.ready_soon(id, Cause::Signal(signal));
        }
        Ok(id)
    }

    /// Reads the signalfd until it is empty.
    pub(crate) fn drain_signals(&mut self) -> io::Result<()> {
        while let Some(kernel) = &mut self.kernel
            && let Some(signal) = kernel.next_signal()?
        {
            if signal == libc::SIGCHLD && self.children.by_sigchld {
                self.look_for_exits();
            }
            self.signal_came(signal);
        }
        Ok(())
    }

    fn signal_came(&mut self, signal: i32) {
        let Some(&mut waiter) = self.signals.waiter(signal) else { return };
        match waiter.filter(|&id| self.is_waiting(id)) {
            Some(id) => {
                self.signals.take(signal);
                self.make_ready(id, Cause::Signal(signal));
            }
            None => self.signals.keep(signal),
        }
    }

    /// Under the virtual clock: this signal comes. No effect on a real scheduler.
    pub fn inject_signal(&mut self, signal: i32) {
        if !self.is_simulated() {
            return;
        }
        if let Some(waiter) = self.signals.waiter(signal) {
            let waiter = *waiter;
            self.signals.keep(signal);
            if let Some(id) = waiter.filter(|&id| self.is_waiting(id)) {
                self.ready_soon(id, Cause::Signal(signal));
            }
        }
    }
}
