//! The scheduler: registering, moving and cancelling threads. The loop itself is in `pass`.

use std::collections::VecDeque;
use std::io;
use std::os::fd::RawFd;
use std::time::Duration;

use crate::child::Children;
use crate::heap::Heap;
use crate::kernel::{self, Kernel};
use crate::queue::Queues;
use crate::signal::Signals;
use crate::source::{READ, Source, Sources, WRITE};
use crate::thread::{Kind, Thread, Threads, Wake};
use crate::{Callback, Cause, Class, Stats, ThreadId, Time};

/// Runs threads; `W` is the world their callbacks act on. The crate's page says what it promises.
pub struct Scheduler<W> {
    pub(crate) threads: Threads<W>,
    pub(crate) heaps: [Heap; 3],
    pub(crate) queues: Queues,
    pub(crate) sources: Sources,
    pub(crate) children: Children,
    pub(crate) signals: Signals,
    /// Ready without a poll, from the next pass on.
    pub(crate) soon: VecDeque<(ThreadId, Cause)>,
    pub(crate) urgent_soon: bool,
    /// `None` under the virtual clock.
    pub(crate) kernel: Option<Kernel>,
    pub(crate) virtual_now: Time,
    /// The pass's now.
    pub(crate) now: Time,
    pub(crate) in_pass: bool,
    /// When the sockets were last looked at, and since when nobody has slept.
    pub(crate) looked: Time,
    pub(crate) awake_since: Time,
    /// Short sleeps in a row.
    pub(crate) burst: u32,
    pub(crate) stopped: bool,
    pub(crate) stats: Stats,
    pub(crate) recent_lag: Duration,
}

impl<W> Scheduler<W> {
    /// A scheduler on the kernel's clock and poll. Make it after the last fork that goes on using
    /// the parent's descriptors: a poll survives a fork and would be shared.
    ///
    /// # Errors
    /// No descriptor left for the poll and its timer.
    pub fn new() -> io::Result<Self> {
        Ok(Self::build(Some(Kernel::new()?), kernel::clock()))
    }

    /// As [`new`](Self::new), but children are waited for by SIGCHLD, as happens by itself on kernels
    /// without pidfds. The signal must not be ignored, nor unblocked in another thread of the process.
    ///
    /// # Errors
    /// As for [`new`](Self::new).
    pub fn with_sigchld() -> io::Result<Self> {
        let mut scheduler = Self::new()?;
        scheduler.children.by_sigchld = true;
        Ok(scheduler)
    }

    /// A scheduler under a virtual clock that stands at `start`. It has no descriptors: readiness,
    /// exits and signals are injected, and the clock jumps to the next deadline when nothing is ready.
    pub fn simulated(start: Time) -> Self {
        Self::build(None, start)
    }

    fn build(kernel: Option<Kernel>, now: Time) -> Self {
        Scheduler {
            threads: Threads::new(),
            heaps: [Heap::new(), Heap::new(), Heap::new()],
            queues: Queues::default(),
            sources: Sources::default(),
            children: Children::default(),
            signals: Signals::new(),
            soon: VecDeque::new(),
            urgent_soon: false,
            kernel,
            virtual_now: now,
            now,
            in_pass: false,
            looked: now,
            awake_since: now,
            burst: 0,
            stopped: false,
            stats: Stats::default(),
            recent_lag: Duration::ZERO,
        }
    }

    /// The pass's now: the same for all callbacks of a pass. Outside a pass it is the clock's.
    pub fn now(&self) -> Time {
        if self.in_pass { self.now } else { self.clock() }
    }

    /// Reads the clock.
    pub fn clock(&self) -> Time {
        if self.is_simulated() { self.virtual_now } else { kernel::clock() }
    }

    /// Whether this one runs under a virtual clock.
    pub fn is_simulated(&self) -> bool {
        self.kernel.is_none()
    }

    /// Waits until `fd` can be read (or is at its end, or has an error to be read), or until `timeout`
    /// from the pass's now has passed. Costs one system call, or none after
    /// [`drained`](Self::drained).
    ///
    /// # Errors
    /// `fd` cannot be polled, or a thread waits to read it already (`AlreadyExists`).
    pub fn add_read(
        &mut self,
        class: Class,
        fd: RawFd,
        timeout: Option<Duration>,
        arg: u64,
        callback: Callback<W>,
    ) -> io::Result<ThreadId> {
        self.add_io(class, Kind::Read(fd), timeout, arg, callback)
    }

    /// Waits until `fd` can be written, or until `timeout` from the pass's now has passed. A
    /// connecting socket becomes writable when it failed, too: ask it for its error.
    ///
    /// # Errors
    /// `fd` cannot be polled, or a thread waits to write to it already (`AlreadyExists`).
    pub fn add_write(
        &mut self,
        class: Class,
        fd: RawFd,
        timeout: Option<Duration>,
        arg: u64,
        callback: Callback<W>,
    ) -> io::Result<ThreadId> {
        self.add_io(class, Kind::Write(fd), timeout, arg, callback)
    }

    fn add_io(
        &mut self,
        class: Class,
        kind: Kind,
        timeout: Option<Duration>,
        arg: u64,
        callback: Callback<W>,
    ) -> io::Result<ThreadId> {
        let id = self.insert(class, kind, arg, callback);
        let watched = match kind {
            Kind::Read(fd) => self.watch(fd, READ, id),
            Kind::Write(fd) => self.watch(fd, WRITE, id),
            _ => Ok(()),
        };
        if let Err(error) = watched {
            self.threads.remove(id);
            return Err(error);
        }
        self.arm_timeout(id, timeout);
        Ok(id)
    }

    /// Runs once at `at`, or as soon after it as can be; in the next pass if `at` is over.
    /// [`Time::NEVER`] waits to be moved.
    pub fn add_timer(
        &mut self,
        class: Class,
        at: Time,
        arg: u64,
        callback: Callback<W>,
    ) -> ThreadId {
        let id = self.insert(class, Kind::Timer, arg, callback);
        self.arm(id, at);
        id
    }

    /// Runs once when `after` has passed from the pass's now.
    pub fn add_timer_after(
        &mut self,
        class: Class,
        after: Duration,
        arg: u64,
        callback: Callback<W>,
    ) -> ThreadId {
        self.add_timer(class, self.now() + after, arg, callback)
    }

    /// Moves a timer, or the time-out of a read, write or child thread that still waits (one without
    /// a time-out gets one). A timer that is due already but has not run yet is taken back. Counts as
    /// armed anew among equal deadlines. False when the thread has run, is about to run for another
    /// cause, was cancelled or is of another kind.
    pub fn move_timer(&mut self, id: ThreadId, at: Time) -> bool {
        let Some(thread) = self.threads.get_mut(id) else { return false };
        match thread.kind {
            Kind::Timer => thread.ready = None,
            Kind::Read(_) | Kind::Write(_) | Kind::Child(_) if thread.ready.is_none() => {}
            _ => return false,
        }
        self.arm(id, at);
        true
    }

    /// Runs once in the next pass.
    pub fn add_event(&mut self, class: Class, arg: u64, callback: Callback<W>) -> ThreadId {
        let id = self.insert(class, Kind::Event, arg, callback);
        self.ready_soon(id, Cause::Event);
        id
    }

    /// Takes a thread out. It will not run, even if it was ready already; what had made it ready is
    /// kept for the next thread that waits for the same. Cancelling a child thread disowns the child.
    /// False when there is no such thread any more.
    pub fn cancel(&mut self, id: ThreadId) -> bool {
        let Some(thread) = self.threads.get(id) else { return false };
        let (kind, cause) = (thread.kind, thread.ready.map(|wake| wake.cause));
        match kind {
            Kind::Read(fd) => self.leave(fd, READ, cause == Some(Cause::Readable)),
            Kind::Write(fd) => self.leave(fd, WRITE, cause == Some(Cause::Writable)),
            Kind::Signal(signal) => {
                if cause.is_some() {
                    self.signals.keep(signal);
                }
                self.detach_signal(signal);
            }
            Kind::Child(pid) => {
                self.disown(pid);
                return true;
            }
            Kind::Timer | Kind::Event => {}
        }
        self.remove(id);
        true
    }

    /// The reader's promise that it read `fd` until there was nothing left: until `EAGAIN`, or until
    /// a batch came back shorter than it could have been. Only then, and until something is read in
    /// part again, the next [`add_read`](Self::add_read) costs no system call.
    pub fn drained(&mut self, fd: RawFd) {
        if let Some(source) = self.sources.get_mut(fd) {
            source.drained = true;
            source.read.pending = false;
        }
    }

    /// Cancels the threads that wait on `fd` and stops watching it. To be called before it is closed.
    pub fn forget(&mut self, fd: RawFd) {
        let Some(source) = self.sources.get_mut(fd) else { return };
        let waiters = [source.read.waiter, source.write.waiter];
        for id in waiters.into_iter().flatten() {
            self.cancel(id);
        }
        self.reset_source(fd);
    }

    /// As [`forget`](Self::forget), without a system call, for a descriptor that is closed right after
    /// and of which there is no copy: closing takes it out of the poll.
    pub fn forget_closing(&mut self, fd: RawFd) {
        if let Some(source) = self.sources.get_mut(fd) {
            // What the poll may still report is of an older generation then.
            source.generation = source.generation.wrapping_add(1);
            source.interest = 0;
        }
        self.forget(fd);
    }

    /// Ends [`run`](Self::run), or the pass of a [`turn`](Self::turn), after the callback that calls
    /// this. What was ready stays ready.
    pub fn stop(&mut self) {
        self.stopped = true;
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.stats.clone()
    }

    /// Worst lateness of a timer since the last call.
    pub fn take_lag(&mut self) -> Duration {
        std::mem::take(&mut self.recent_lag)
    }

    /// How many threads are registered.
    pub fn len(&self) -> usize {
        self.threads.len()
    }

    /// Whether no thread is registered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether this thread still is to run.
    pub fn is_registered(&self, id: ThreadId) -> bool {
        self.threads.get(id).is_some()
    }

    /// When this thread's timer or time-out comes; `None` without one.
    pub fn deadline(&self, id: ThreadId) -> Option<Time> {
        self.threads.get(id).map(|thread| thread.deadline).filter(|&at| at != Time::NEVER)
    }

    pub(crate) fn insert(
        &mut self,
        class: Class,
        kind: Kind,
        arg: u64,
        callback: Callback<W>,
    ) -> ThreadId {
        let deadline = Time::NEVER;
        self.threads.insert(Thread { class, kind, arg, callback, deadline, ready: None })
    }

    /// Takes the thread out of slab and heap.
    pub(crate) fn remove(&mut self, id: ThreadId) -> Option<Thread<W>> {
        let thread = self.threads.remove(id)?;
        self.heaps[thread.class.index()].disarm(id.slot);
        Some(thread)
    }

    pub(crate) fn arm(&mut self, id: ThreadId, at: Time) {
        let Some(thread) = self.threads.get_mut(id) else { return };
        thread.deadline = at;
        let heap = &mut self.heaps[thread.class.index()];
        if at == Time::NEVER {
            heap.disarm(id.slot);
        } else {
            heap.arm(id.slot, at);
        }
    }

    pub(crate) fn arm_timeout(&mut self, id: ThreadId, timeout: Option<Duration>) {
        if let Some(timeout) = timeout {
            self.arm(id, self.now() + timeout);
        }
    }

    /// Registered and not ready yet.
    pub(crate) fn is_waiting(&self, id: ThreadId) -> bool {
        self.threads.get(id).is_some_and(|thread| thread.ready.is_none())
    }

    /// Queues a thread that waited; its time-out is off.
    pub(crate) fn make_ready(&mut self, id: ThreadId, cause: Cause) {
        let Some(thread) = self.threads.get_mut(id) else { return };
        let ticket = self.queues.push(thread.class, id);
        thread.ready = Some(Wake { cause, ticket });
        self.heaps[thread.class.index()].disarm(id.slot);
    }

    /// Queues a thread at the start of the next pass.
    pub(crate) fn ready_soon(&mut self, id: ThreadId, cause: Cause) {
        if let Some(thread) = self.threads.get(id) {
            self.urgent_soon |= thread.class == Class::Urgent;
            self.soon.push_back((id, cause));
        }
    }

    pub(crate) fn detach_signal(&mut self, signal: i32) {
        if let Some(waiter) = self.signals.waiter(signal) {
            *waiter = None;
        }
    }

    /// Lets `id` wait for one direction of `fd`.
    pub(crate) fn watch(&mut self, fd: RawFd, direction: u8, id: ThreadId) -> io::Result<()> {
        let real = self.kernel.is_some();
        let source = self.sources.entry(fd)?;
        let known = if real { source.drained && source.interest & READ != 0 } else { true };
        let side = source.side_mut(direction);
        if side.waiter.is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        side.waiter = Some(id);
        if known && (direction == READ || !real) {
            if side.pending {
                let cause = if direction == READ { Cause::Readable } else { Cause::Writable };
                self.ready_soon(id, cause);
            }
            return Ok(());
        }
        // The kernel will say again what is ready.
        side.pending = false;
        let wanted = source.needed();
        self.control(fd, wanted).inspect_err(|_| {
            if let Some(source) = self.sources.get_mut(fd) {
                source.side_mut(direction).waiter = None;
            }
        })
    }

    pub(crate) fn control(&mut self, fd: RawFd, wanted: u8) -> io::Result<()> {
        match (&self.kernel, self.sources.get_mut(fd)) {
            (Some(kernel), Some(source)) => kernel.control(fd, source, wanted, &mut self.stats),
            _ => Ok(()),
        }
    }

    /// Nobody waits for this direction any more; `ready` if its event had been taken already.
    fn leave(&mut self, fd: RawFd, direction: u8, ready: bool) {
        if let Some(source) = self.sources.get_mut(fd) {
            let side = source.side_mut(direction);
            side.waiter = None;
            side.pending |= ready;
        }
    }

    /// Forgets all that is known about a descriptor but the generation, and stops watching it.
    pub(crate) fn reset_source(&mut self, fd: RawFd) {
        let Some(source) = self.sources.get_mut(fd) else { return };
        if let Some(kernel) = &self.kernel {
            kernel.ignore(fd, source, &mut self.stats);
        }
        *source = Source { generation: source.generation, ..Default::default() };
    }
}
