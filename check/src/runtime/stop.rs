//! The end of load balancing (spec ipvs §7.1).

use scheduler::Scheduler;

use super::{Check, HasCheck, checkers, statistics, tell};
use crate::checker::attempt::{misc, ping};
use crate::checker::files;
use crate::keywords::FlushOnStop;
use crate::service::lifecycle::Ending;

/// Ends everything: checks, then virtual servers as `lvs_flush_on_stop` says. `keep`: the kernel goes
/// on balancing as it does (`-I`), and nobody is told anything; timeouts and the sync daemon are given back still.
pub fn stop<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, keep: bool) {
    let Some(check) = w.check() else { return };
    if std::mem::replace(&mut check.stopping, true) {
        return;
    }
    let all: Vec<_> = check.checkers.iter().map(|(id, _)| id).collect();
    checkers::remove(s, w, all.into_iter());
    files::unfollow(s, w);
    let Some(check) = w.check() else { return };
    check.halt();
    if !keep {
        check.end_services();
        check.release_filter();
    }
    check.release();
    if let Some(allowed) = check.pings.take() {
        ping::restore(&allowed);
    }
    statistics::count(s, w, false);
    let Some(check) = w.check() else { return };
    if let Some(timer) = check.asking_again.take() {
        s.cancel(timer);
    }
    tell::tell_all(s, w);
}

/// Waits for scripts of checkers that [`stop`] told to end, at most a second; then they are killed, and
/// [`HasCheck::scripts_ended`] is called.
pub fn end_scripts<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W) {
    misc::end_all(s, w);
}

impl Check {
    pub(super) fn end_services(&mut self) {
        let ending = match self.globals.flush_on_stop {
            FlushOnStop::Disabled => Ending::Stop,
            FlushOnStop::VirtualServers => Ending::Flush,
            FlushOnStop::Full => {
                self.batch.flush(0);
                self.flush();
                Ending::Flush
            }
        };
        let full = self.globals.flush_on_stop == FlushOnStop::Full;
        for slot in self.order.clone() {
            self.with(slot, |service, work| service.end(ending, work));
            if full {
                // They went with the whole table.
                self.batch.clear();
            } else {
                self.flush();
            }
        }
    }
}
