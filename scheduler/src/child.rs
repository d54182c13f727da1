//! Child processes: by pidfd, or where the kernel has none, by SIGCHLD.
//!
//! A child stays a zombie until the callback that is told of its exit is about to run. So its number
//! cannot be reused and its status cannot get lost, whatever is cancelled, times out or is added
//! again in between.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::source::READ;
use crate::sys::{self, Which};
use crate::thread::Kind;
use crate::{Callback, Cause, Class, Exit, Scheduler, ThreadId, Time};

/// How the end of a child is noticed.
pub(crate) enum Watch {
    Pidfd(OwnedFd),
    Sigchld,
    /// Under the virtual clock; holds what was injected.
    Virtual(Option<Exit>),
}

pub(crate) struct Child {
    pub waiter: Option<ThreadId>,
    /// Nobody will ask any more: collect the status when it comes and throw it away.
    disowned: bool,
    watch: Watch,
}

impl Child {
    fn pidfd(&self) -> Option<RawFd> {
        match &self.watch {
            Watch::Pidfd(fd) => Some(fd.as_raw_fd()),
            Watch::Sigchld | Watch::Virtual(_) => None,
        }
    }
}

#[derive(Default)]
pub(crate) struct Children {
    by_pid: BTreeMap<i32, Child>,
    /// pidfds do not work here.
    pub by_sigchld: bool,
}

impl<W> Scheduler<W> {
    /// Waits until the child `pid` ends, and collects its status; or until `timeout` has passed.
    ///
    /// After [`Cause::TimedOut`] the child is still the caller's: either add it again, now or later,
    /// or [`disown`](Self::disown) it. Cancelling the thread disowns the child.
    ///
    /// # Errors
    /// `pid` is not a child of this process whose status is still to be had, or has a thread
    /// already (`AlreadyExists`), or no descriptor is left.
    pub fn add_child(
        &mut self,
        class: Class,
        pid: i32,
        timeout: Option<Duration>,
        arg: u64,
        callback: Callback<W>,
    ) -> io::Result<ThreadId> {
        if pid <= 0 {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        if self.children.by_pid.get(&pid).is_some_and(|c| c.waiter.is_some()) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !self.children.by_pid.contains_key(&pid) {
            let watch = self.open_watch(pid)?;
            self.children.by_pid.insert(pid, Child { waiter: None, disowned: false, watch });
        }
        let id = self.insert(class, Kind::Child(pid), arg, callback);
        if let Err(error) = self.attach_child(pid, id) {
            self.threads.remove(id);
            self.drop_child(pid);
            return Err(error);
        }
        self.arm_timeout(id, timeout);
        Ok(id)
    }

    /// Gives a child up: its thread is cancelled, and its status is collected and thrown away as soon
    /// as it ends.
    pub fn disown(&mut self, pid: i32) {
        let Some(child) = self.children.by_pid.get_mut(&pid) else { return };
        child.disowned = true;
        let waiter = child.waiter.take();
        let pidfd = child.pidfd();
        if let Some(source) = pidfd.and_then(|fd| self.sources.get_mut(fd)) {
            source.read.waiter = None;
        }
        if let Some(id) = waiter {
            self.remove(id);
        }
        self.collect_exit(pid);
    }

    fn open_watch(&mut self, pid: i32) -> io::Result<Watch> {
        let Some(kernel) = &mut self.kernel else { return Ok(Watch::Virtual(None)) };
        if !self.children.by_sigchld {
            match sys::pidfd_open(pid) {
                Ok(fd) => return Ok(Watch::Pidfd(fd)),
                Err(error) => match error.raw_os_error() {
                    // Old kernels do not know the call or its flag, old sandboxes forbid it.
                    Some(libc::ENOSYS | libc::EINVAL | libc::EPERM) => {
                        log::info!("no pidfd ({error}): waiting for children by SIGCHLD");
                        self.children.by_sigchld = true;
                    }
                    _ => return Err(error),
                },
            }
        }
        kernel.watch_signal(libc::SIGCHLD)?;
        Ok(Watch::Sigchld)
    }

    fn attach_child(&mut self, pid: i32, id: ThreadId) -> io::Result<()> {
        let Some(child) = self.children.by_pid.get_mut(&pid) else { return Ok(()) };
        let mut pidfd = None;
        let ended = match &child.watch {
            Watch::Pidfd(fd) => {
                pidfd = Some(fd.as_raw_fd());
                // A pidfd can be had of any process; this refuses those that are no child of ours.
                sys::wait_exit(Which::Pidfd(fd.as_fd()), true)?.is_some()
            }
            Watch::Sigchld => sys::wait_exit(Which::Pid(pid), true)?.is_some(),
            Watch::Virtual(exit) => exit.is_some(),
        };
        child.waiter = Some(id);
        child.disowned = false;
        if ended {
            self.ready_soon(id, Cause::Readable);
        } else if let Some(fd) = pidfd {
            self.sources.entry(fd)?.child = Some(pid);
            return self.watch(fd, READ, id);
        }
        Ok(())
    }

    /// The child's status if it has ended; it is no child any more then.
    pub(crate) fn collect_exit(&mut self, pid: i32) -> Option<Exit> {
        let child = self.children.by_pid.get_mut(&pid)?;
        let status = match &child.watch {
            Watch::Pidfd(fd) => sys::wait_exit(Which::Pidfd(fd.as_fd()), false),
            Watch::Sigchld => sys::wait_exit(Which::Pid(pid), false),
            Watch::Virtual(exit) => Ok(*exit),
        };
        let exit = status.unwrap_or_else(|error| {
            log::warn!("the exit status of process {pid} is lost: {error}");
            Some(Exit::Code(-1))
        })?;
        self.drop_child(pid);
        Some(exit)
    }

    fn drop_child(&mut self, pid: i32) {
        let Some(child) = self.children.by_pid.remove(&pid) else { return };
        if let Some(fd) = child.pidfd() {
            // It is closed with the child's record.
            self.forget_closing(fd);
        }
    }

    /// The child has not ended after all: `id` waits on.
    pub(crate) fn wait_again(&mut self, id: ThreadId, pid: i32) {
        let Some(thread) = self.threads.get_mut(id) else { return };
        thread.ready = None;
        let (class, deadline) = (thread.class, thread.deadline);
        if deadline != Time::NEVER {
            self.heaps[class.index()].arm(id.slot, deadline);
        }
        let pidfd = self.children.by_pid.get(&pid).and_then(Child::pidfd);
        if let Some(fd) = pidfd
            && let Err(error) = self.control(fd, READ)
        {
            log::warn!("process {pid} cannot be watched: {error}");
        }
    }

    /// The thread that waited for this child has run or is gone.
    pub(crate) fn detach_child(&mut self, pid: i32) {
        let Some(child) = self.children.by_pid.get_mut(&pid) else { return };
        child.waiter = None;
        let pidfd = child.pidfd();
        if let Some(source) = pidfd.and_then(|fd| self.sources.get_mut(fd)) {
            source.read.waiter = None;
        }
    }

    /// Its pidfd became readable and no thread waits.
    pub(crate) fn reap_if_disowned(&mut self, pid: i32) {
        if self.children.by_pid.get(&pid).is_some_and(|c| c.disowned) {
            self.collect_exit(pid);
        }
    }

    /// SIGCHLD came: asks for each child that is waited for by it, and for no other.
    pub(crate) fn look_for_exits(&mut self) {
        let watched =
            self.children.by_pid.iter().filter(|(_, c)| matches!(c.watch, Watch::Sigchld));
        let pids: Vec<i32> = watched.map(|(&pid, _)| pid).collect();
        for pid in pids {
            let Some(child) = self.children.by_pid.get(&pid) else { continue };
            match child.waiter {
                Some(id) if self.is_waiting(id) => {
                    // An error is reported when the status is collected for good.
                    if !matches!(sys::wait_exit(Which::Pid(pid), true), Ok(None)) {
                        self.make_ready(id, Cause::Readable);
                    }
                }
                _ => self.reap_if_disowned(pid),
            }
        }
    }

    /// Under the virtual clock: the child `pid` ends. Without a thread that waits for it, the status
    /// is kept for the next [`add_child`](Self::add_child). No effect on a real scheduler.
    pub fn inject_exit(&mut self, pid: i32, exit: Exit) {
        if !self.is_simulated() {
            return;
        }
        let child = self.children.by_pid.entry(pid).or_insert(Child {
            waiter: None,
            disowned: false,
            watch: Watch::Virtual(None),
        });
        child.watch = Watch::Virtual(Some(exit));
        match child.waiter {
            Some(id) => self.ready_soon(id, Cause::Readable),
            None => self.reap_if_disowned(pid),
        }
    }
}
