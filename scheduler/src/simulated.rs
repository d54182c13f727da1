//! What only a scheduler under the virtual clock has: readiness and time from outside.

use std::os::fd::RawFd;
use std::time::Duration;

use crate::source::{READ, WRITE};
use crate::{Cause, Scheduler, Time};

impl<W> Scheduler<W> {
    /// Under the virtual clock: `fd` becomes readable. Wakes the thread that waits to read it in the
    /// next pass; without one it is kept for the next [`add_read`](Self::add_read), once. No effect on
    /// a real scheduler.
    pub fn inject_readable(&mut self, fd: RawFd) {
        self.inject(fd, READ, Cause::Readable);
    }

    /// Under the virtual clock: `fd` becomes writable. No effect on a real scheduler.
    pub fn inject_writable(&mut self, fd: RawFd) {
        self.inject(fd, WRITE, Cause::Writable);
    }

    fn inject(&mut self, fd: RawFd, direction: u8, cause: Cause) {
        if !self.is_simulated() {
            return;
        }
        let Ok(source) = self.sources.entry(fd) else { return };
        let side = source.side_mut(direction);
        side.pending = true;
        if let Some(id) = side.waiter.filter(|&id| self.is_waiting(id)) {
            self.ready_soon(id, cause);
        }
    }

    /// Under the virtual clock: time passes, as in a slow callback or a frozen process. No effect on
    /// a real scheduler.
    pub fn advance(&mut self, by: Duration) {
        self.advance_to(self.virtual_now + by);
    }

    /// Under the virtual clock: it becomes `at`, if that is later than it is. No effect on a real
    /// scheduler.
    pub fn advance_to(&mut self, at: Time) {
        self.virtual_now = self.virtual_now.max(at);
    }
}
