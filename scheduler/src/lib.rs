//! Read, write, timer, child, signal and event threads on one mio poll.
//!
//! A *thread* here is a callback that waits for one thing (a readable or writable descriptor, a
//! moment, a child's end, a signal, or just the next pass) and runs once when it comes. Whoever
//! wants to go on waiting adds another thread. Everything happens in one real thread; a callback that
//! runs long holds up the others, so long work is cut into slices, each of them an event of class
//! [`Class::Background`].
//!
//! ```
//! use std::time::Duration;
//! use scheduler::{Class, Ready, Scheduler, Time};
//!
//! /// Sends an advert every second, counted from the planned moment and not from now.
//! fn advert(s: &mut Scheduler<u64>, sent: &mut u64, ready: Ready) {
//!     *sent += 1;
//!     s.add_timer(Class::Urgent, ready.due + Duration::from_secs(1), ready.arg, advert);
//!     if *sent == 3600 {
//!         s.stop();
//!     }
//! }
//!
//! let mut sent = 0;
//! let mut s = Scheduler::simulated(Time::ZERO); // Scheduler::new()? in the daemon
//! s.add_timer_after(Class::Urgent, Duration::ZERO, 51, advert);
//! s.run(&mut sent)?;
//! assert_eq!((sent, s.now()), (3600, Time::ZERO + Duration::from_secs(3599)));
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # A pass
//!
//! The loop goes in passes. A pass
//! 1. sleeps until something is ready or due (not at all if something is already);
//! 2. reads the clock: that is its *now*, the same for all its callbacks;
//! 3. queues what is ready: first threads made ready without a poll (events, kept signals), then
//!    descriptors, children and signals as the kernel reports them, then timers and time-outs that
//!    are due by its now;
//! 4. runs all [`Class::Urgent`] threads, then threads of the lower classes, until they are through
//!    or until something urgent may be waiting: an urgent timer is due, an urgent event was added, or
//!    urgent descriptors have not been looked at for 200 us. Then the next pass begins, and what is
//!    left of the lower classes runs on in it.
//!
//! # Guarantees
//!
//! * **Once.** A thread runs once or is cancelled; its [`ThreadId`] never names another.
//! * **Urgent first.** Between two callbacks of a lower class urgent threads that are ready run. A
//!   thousand slow checkers delay an advert by one callback (or 200 us, if callbacks are shorter).
//! * **Order inside a class** is the order of becoming ready. What is found ready at one moment is
//!   ordered as in step 3; equal deadlines run in the order they were armed, and moving a timer arms
//!   it anew.
//! * **Rounds.** The lower classes run checkers before background, in rounds: what becomes ready
//!   during a round waits for the next, so always-busy checkers do not starve background work.
//! * **Sockets before timers.** A descriptor that is readable at the moment a timer of the same class
//!   comes due runs first, and so does one that became readable while the process was frozen. The
//!   reader may move or cancel the timer, and then it does not run: a master_down_timer is not
//!   believed before the socket was read. (For this the reader has to read until nothing is left.)
//! * **Not in the same pass.** A timer or event armed during a pass never runs in that pass, however
//!   short. A thread that re-arms itself for now cannot keep the loop from its sockets.
//! * **Nothing after cancel**, not even in the pass in which it was ready already. What had made a
//!   cancelled thread ready is kept for the next that waits for it.
//! * **No edge is lost.** A descriptor that becomes ready while no thread waits on it is reported to
//!   the next that does. Data that was left unread is reported again, unless
//!   [`Scheduler::drained`] promised that there is none.
//! * **No stale event.** After [`Scheduler::forget`] and close, the number may be reused at once; what
//!   the kernel still reports for the old file is recognised and dropped.
//! * **No status is lost.** A child's exit status is collected only for the callback that is told of
//!   it; a time-out or a thread added late does not lose it. A signal that nobody waits for is kept.
//! * **Interruptions and clock jumps are harmless.** An interrupted poll is repeated; all time is
//!   `CLOCK_MONOTONIC`.
//!
//! # Costs
//!
//! Registering, moving and cancelling timers allocates nothing once the tables have grown and makes
//! no system call; heap operations are O(log n). A wake-up costs one `epoll_wait` and at most one
//! `timerfd_settime`, for however many timers due at that moment. Moving the earliest timer later
//! costs no call but one wake-up for nothing at its old moment. [`Scheduler::add_read`] costs one
//! `epoll_ctl`, none after [`Scheduler::drained`]. Bursts of packets that come one by one are gathered
//! for a millisecond at a time, if no timer is near.

mod child;
mod heap;
mod kernel;
mod pass;
mod queue;
mod scheduler;
mod signal;
mod simulated;
mod source;
mod stats;
mod sys;
mod thread;
mod time;

pub use heap::Heap;
pub use scheduler::Scheduler;
pub use stats::{LAG_BUCKETS, Stats};
pub use thread::{Callback, Cause, Class, Exit, Ready, ThreadId};
pub use time::Time;

#[cfg(test)]
mod tests;
