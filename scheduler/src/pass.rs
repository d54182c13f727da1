//! The loop. A pass looks once for what is ready and due, runs all urgent threads, then threads of
//! the lower classes until they are through or something urgent may be waiting; the next pass looks
//! again and goes on where this one stopped.

use std::io;
use std::mem;
use std::time::Duration;

use crate::kernel::{BATCH, Edge, Kernel};
use crate::queue::Entry;
use crate::source::{READ, WRITE};
use crate::thread::Kind;
use crate::{Cause, Class, Ready, Scheduler, Time};

/// How long threads of lower classes run before urgent descriptors are looked at again. A look is a
/// system call of about a microsecond.
const LOOK_AGAIN: Duration = Duration::from_micros(200);

/// A timer later than this is not believed before the sockets were looked at after the clock was:
/// between poll and clock the process may have been frozen.
const LATE: Duration = Duration::from_millis(1);

/// So many wake-ups in a row, each after less than [`CLOSE`] of sleep, are a burst: packets come one
/// by one, as fast as they are read. Then what comes within [`GATHER`] is read together, which
/// saves most wake-ups. Timers are not delayed by it.
const BURST: u32 = 2;
const CLOSE: Duration = Duration::from_micros(250);
const GATHER: Duration = Duration::from_millis(1);

impl<W> Scheduler<W> {
    /// Runs until [`stop`](Self::stop); under the virtual clock also until nothing can happen any
    /// more.
    ///
    /// # Errors
    /// The poll, or the timer under it, failed.
    pub fn run(&mut self, world: &mut W) -> io::Result<()> {
        while !self.stopped {
            let ran = self.turn(world, None)?;
            if !ran && self.is_simulated() && self.next_deadline() == Time::NEVER {
                break;
            }
        }
        self.stopped = false;
        Ok(())
    }

    /// One pass: waits until something is ready or due, at most for `max_wait`, and runs it. Returns
    /// whether a callback ran. Under the virtual clock the wait is a jump.
    ///
    /// # Errors
    /// The poll, or the timer under it, failed.
    pub fn turn(&mut self, world: &mut W, max_wait: Option<Duration>) -> io::Result<bool> {
        self.stats.passes += 1;
        self.stopped = false;
        self.find_ready(max_wait)?;
        self.in_pass = true;
        let ran = self.run_ready(world);
        self.in_pass = false;
        Ok(ran)
    }

    /// For a long callback: whether it had better return now and go on later (by an event of its
    /// class), because something urgent waits. Cheap: looks at the sockets at most every 200 us.
    pub fn urgent_pending(&mut self) -> bool {
        let now = self.clock();
        if self.is_urgent(now) {
            return true;
        }
        if self.needs_look(now) {
            self.looked = now;
            // A poll that fails now fails at the start of the next pass again, and is reported there.
            return self.look(false).is_err() || self.queues.has_urgent();
        }
        false
    }

    /// The earliest deadline of all threads; the clock's now when something is ready already;
    /// [`Time::NEVER`] when nothing will happen by itself.
    pub fn next_deadline(&self) -> Time {
        if self.queues.is_empty() && self.soon.is_empty() { self.head() } else { self.clock() }
    }

    fn head(&self) -> Time {
        self.heaps.iter().map(|heap| heap.head()).min().unwrap_or(Time::NEVER)
    }

    fn find_ready(&mut self, max_wait: Option<Duration>) -> io::Result<()> {
        self.release_soon();
        let started = self.clock();
        self.stats.longest_away = self.stats.longest_away.max(started.since(self.awake_since));
        self.now = started;
        let limit = self.head().min(max_wait.map_or(Time::NEVER, |wait| started + wait));
        if !self.queues.is_empty() || limit <= started {
            // The clock was read first: what is due now is younger than this look at the sockets.
            self.look(false)?;
        } else if self.is_simulated() {
            if limit != Time::NEVER {
                self.virtual_now = limit;
                self.now = limit;
            }
        } else {
            self.sleep(limit)?;
        }
        self.looked = self.now;
        self.awake_since = self.now;
        self.expire();
        Ok(())
    }

    /// Sleeps in the poll until something is ready or `limit` has come.
    fn sleep(&mut self, limit: Time) -> io::Result<()> {
        while self.queues.is_empty() && self.now < limit {
            let began = self.now;
            if self.burst >= BURST && limit.since(began) > GATHER * 2 {
                std::thread::sleep(GATHER);
                self.look(false)?;
                self.now = self.clock();
                if self.queues.is_empty() {
                    self.burst = 0;
                }
                continue;
            }
            if let Some(kernel) = &mut self.kernel {
                kernel.arm(limit, began, &mut self.stats)?;
            }
            self.look(true)?;
            self.now = self.clock();
            let quick = self.now.since(began) < CLOSE;
            self.burst = if quick { self.burst.saturating_add(1) } else { 0 };
        }
        if self.head() <= self.now - LATE { self.look(false) } else { Ok(()) }
    }

    /// Polls, and queues the threads whose descriptors, children or signals are ready.
    fn look(&mut self, wait: bool) -> io::Result<()> {
        let Some(kernel) = &mut self.kernel else { return Ok(()) };
        let mut more = kernel.poll(wait, &mut self.stats)?;
        // A full batch may have left sockets out; each of them makes one edge.
        let mut rounds = self.sources.len() / BATCH + 1;
        while more && rounds > 0 {
            more = kernel.poll(false, &mut self.stats)?;
            rounds -= 1;
        }
        let signalled = mem::take(&mut kernel.signalled);
        let mut edges = mem::take(&mut kernel.edges);
        for edge in edges.drain(..) {
            self.on_edge(edge);
        }
        if let Some(kernel) = &mut self.kernel {
            kernel.edges = edges;
        }
        if signalled { self.drain_signals() } else { Ok(()) }
    }

    fn on_edge(&mut self, edge: Edge) {
        let current =
            self.sources.get_mut(edge.fd).is_some_and(|source| Kernel::is_current(&edge, source));
        if !current {
            self.stats.stale_events += 1;
            return;
        }
        if edge.readable {
            self.on_readiness(edge.fd, READ);
        }
        if edge.writable {
            self.on_readiness(edge.fd, WRITE);
        }
    }

    /// One direction of a descriptor became ready: wakes its thread, or keeps the event for the next.
    pub(crate) fn on_readiness(&mut self, fd: i32, direction: u8) {
        let Some(source) = self.sources.get_mut(fd) else { return };
        let child = source.child;
        let side = source.side_mut(direction);
        if let Some(id) = side.waiter
            && self.threads.get(id).is_some_and(|thread| thread.ready.is_none())
        {
            let cause = if direction == READ { Cause::Readable } else { Cause::Writable };
            self.make_ready(id, cause);
            return;
        }
        // A second event nobody waits for: watching costs more than registering anew. For writing
        // already the first, because a send buffer makes one with every packet.
        let unwanted = side.waiter.is_none() && (side.pending || direction == WRITE);
        side.pending = true;
        if unwanted {
            self.watch_less(fd);
        }
        if let Some(pid) = child.filter(|_| direction == READ) {
            self.reap_if_disowned(pid);
        }
    }

    fn watch_less(&mut self, fd: i32) {
        let (Some(kernel), Some(source)) = (&self.kernel, self.sources.get_mut(fd)) else { return };
        match source.needed() {
            0 => kernel.ignore(fd, source, &mut self.stats),
            wanted if wanted != source.interest => {
                if let Err(error) = kernel.control(fd, source, wanted, &mut self.stats) {
                    log::debug!("descriptor {fd} cannot be watched for less: {error}");
                }
            }
            _ => {}
        }
    }

    /// Queues what became ready without a poll since the last pass.
    fn release_soon(&mut self) {
        self.urgent_soon = false;
        while let Some((id, cause)) = self.soon.pop_front() {
            let Some(thread) = self.threads.get(id).filter(|thread| thread.ready.is_none()) else {
                continue;
            };
            match (thread.kind, cause) {
                (Kind::Read(fd), Cause::Readable) => self.take_pending(fd, READ),
                (Kind::Write(fd), Cause::Writable) => self.take_pending(fd, WRITE),
                (Kind::Signal(signal), _) => self.signals.take(signal),
                _ => {}
            }
            self.make_ready(id, cause);
        }
    }

    fn take_pending(&mut self, fd: i32, direction: u8) {
        if let Some(source) = self.sources.get_mut(fd) {
            source.side_mut(direction).pending = false;
        }
    }

    /// Queues the timers and time-outs that are due, behind the descriptors that are ready.
    fn expire(&mut self) {
        for heap in 0..self.heaps.len() {
            while let Some((slot, _)) = self.heaps[heap].pop_due(self.now) {
                let Some(id) = self.threads.at(slot) else { continue };
                let timer = self.threads.get(id).is_some_and(|thread| thread.kind == Kind::Timer);
                self.make_ready(id, if timer { Cause::Timer } else { Cause::TimedOut });
            }
        }
    }

    fn run_ready(&mut self, world: &mut W) -> bool {
        let mut ran = false;
        while !self.stopped
            && let Some(entry) = self.queues.pop_urgent()
        {
            ran |= self.call(entry, world);
        }
        while !self.stopped
            && let Some(entry) = self.queues.pop_lower()
        {
            if self.call(entry, world) {
                ran = true;
                let now = self.clock();
                if self.is_urgent(now) || self.needs_look(now) {
                    break;
                }
            }
        }
        ran
    }

    /// Something urgent is known to wait.
    fn is_urgent(&self, now: Time) -> bool {
        self.urgent_soon
            || self.queues.has_urgent()
            || self.heaps[Class::Urgent.index()].head() <= now
    }

    /// Something urgent may wait unseen.
    fn needs_look(&self, now: Time) -> bool {
        self.threads.polled(Class::Urgent) > 0 && now.since(self.looked) >= LOOK_AGAIN
    }

    /// Runs one thread, unless its entry is void.
    fn call(&mut self, entry: Entry, world: &mut W) -> bool {
        let id = entry.id;
        let Some(thread) = self.threads.get(id) else { return false };
        let Some(wake) = thread.ready.filter(|wake| wake.ticket == entry.ticket) else {
            return false;
        };
        let mut cause = wake.cause;
        if let (Kind::Child(pid), Cause::Readable) = (thread.kind, cause) {
            match self.collect_exit(pid) {
                Some(exit) => cause = Cause::Exited(exit),
                None => {
                    self.wait_again(id, pid);
                    return false;
                }
            }
        }
        let Some(thread) = self.remove(id) else { return false };
        self.detach(thread.kind, cause);
        let mut due = self.now;
        if matches!(cause, Cause::Timer | Cause::TimedOut) {
            due = thread.deadline;
            let lag = self.now.since(due);
            self.stats.count_lag(lag);
            self.recent_lag = self.recent_lag.max(lag);
        }
        self.stats.callbacks[thread.class.index()] += 1;
        (thread.callback)(self, world, Ready { id, cause, arg: thread.arg, now: self.now, due });
        true
    }

    /// The thread is about to run: whatever it waited on has no waiter any more.
    fn detach(&mut self, kind: Kind, cause: Cause) {
        match kind {
            Kind::Read(fd) => {
                if let Some(source) = self.sources.get_mut(fd) {
                    source.read.waiter = None;
                    source.drained &= cause != Cause::Readable;
                }
            }
            Kind::Write(fd) => {
                if let Some(source) = self.sources.get_mut(fd) {
                    source.write.waiter = None;
                }
            }
            Kind::Child(pid) => self.detach_child(pid),
            Kind::Signal(signal) => self.detach_signal(signal),
            Kind::Timer | Kind::Event => {}
        }
    }
}
