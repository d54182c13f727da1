//! What a thread is: a callback that waits for one thing and runs once, and the slab they live in.
//!
//! A slot of the slab is reused, a generation never is: an id that was kept too long is recognised
//! for as long as the program runs.

use std::num::NonZeroU64;
use std::os::fd::RawFd;

use crate::{Scheduler, Time};

/// How urgent a thread is. Ready threads run by class, in the order of the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Adverts and BFD packets, and the timers that answer for them.
    Urgent,
    /// Health checkers.
    Checker,
    /// Everything else: reload, dumps, mail.
    Background,
}

impl Class {
    /// All classes, most urgent first.
    pub const ALL: [Class; 3] = [Class::Urgent, Class::Checker, Class::Background];

    pub(crate) const fn index(self) -> usize {
        match self {
            Class::Urgent => 0,
            Class::Checker => 1,
            Class::Background => 2,
        }
    }
}

/// Names one registered thread. It names nothing any more once that thread has run or was cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ThreadId {
    pub(crate) slot: u32,
    generation: NonZeroU64,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited with this status, 0 to 255. -1 when something else in the process had collected the
    /// status before the scheduler could.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

/// Why a thread runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The descriptor has something to read, is at its end, or has an error to be read.
    Readable,
    /// The descriptor takes data again, a connection attempt ended (well or not), or it has an error.
    Writable,
    /// The time-out of a read, write or child thread passed first.
    TimedOut,
    /// The moment of a timer has come.
    Timer,
    /// The child has ended and its status is collected.
    Exited(Exit),
    /// This signal came, once or more often.
    Signal(i32),
    /// An event's turn.
    Event,
}

/// What a callback is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ready {
    /// The thread that runs. It is gone already: to go on waiting, add another.
    pub id: ThreadId,
    /// Why it runs.
    pub cause: Cause,
    /// The number it was registered with.
    pub arg: u64,
    /// The pass's now.
    pub now: Time,
    /// For [`Cause::Timer`] and [`Cause::TimedOut`] the planned moment, from which a periodic thread
    /// computes its next one; otherwise the same as `now`.
    pub due: Time,
}

/// What a thread calls. A function pointer and a number: registering allocates nothing.
pub type Callback<W> = fn(&mut Scheduler<W>, &mut W, Ready);

/// What a thread waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Read(RawFd),
    Write(RawFd),
    Timer,
    Child(i32),
    Signal(i32),
    Event,
}

impl Kind {
    /// Whether only a poll can find it ready.
    pub fn needs_poll(self) -> bool {
        !matches!(self, Kind::Timer | Kind::Event)
    }
}

/// A thread's place in a ready queue. An entry of the queue with another ticket is void: the thread
/// was taken back (a timer moved) after that entry was written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wake {
    pub cause: Cause,
    pub ticket: u64,
}

pub(crate) struct Thread<W> {
    pub class: Class,
    pub kind: Kind,
    pub arg: u64,
    pub callback: Callback<W>,
    /// A timer's moment or the time-out; `NEVER` for none.
    pub deadline: Time,
    pub ready: Option<Wake>,
}

/// Makes room for one more. Doubling would leave half of it empty, and there may be many thousands.
pub(crate) fn grow<T>(list: &mut Vec<T>) {
    if list.len() == list.capacity() {
        list.reserve_exact(list.len() / 4 + 8);
    }
}

/// The slab.
pub(crate) struct Threads<W> {
    slots: Vec<Slot<W>>,
    free: Vec<u32>,
    last: NonZeroU64,
    polled: [usize; 3],
}

struct Slot<W> {
    generation: NonZeroU64,
    thread: Option<Thread<W>>,
}

impl<W> Threads<W> {
    pub fn new() -> Self {
        Threads { slots: Vec::new(), free: Vec::new(), last: NonZeroU64::MIN, polled: [0; 3] }
    }

    pub fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// How many threads of this class only a poll can find ready.
    pub fn polled(&self, class: Class) -> usize {
        self.polled[class.index()]
    }

    pub fn insert(&mut self, thread: Thread<W>) -> ThreadId {
        self.last = self.last.saturating_add(1);
        let generation = self.last;
        self.polled[thread.class.index()] += usize::from(thread.kind.needs_poll());
        if let Some(slot) = self.free.pop() {
            self.slots[slot as usize] = Slot { generation, thread: Some(thread) };
            return ThreadId { slot, generation };
        }
        // The heap's indexes are 32 bits wide too; memory ends long before they do.
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        grow(&mut self.slots);
        self.slots.push(Slot { generation, thread: Some(thread) });
        ThreadId { slot, generation }
    }

    pub fn get(&self, id: ThreadId) -> Option<&Thread<W>> {
        let slot = self.slots.get(id.slot as usize)?;
        slot.thread.as_ref().filter(|_| slot.generation == id.generation)
    }

    pub fn get_mut(&mut self, id: ThreadId) -> Option<&mut Thread<W>> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        slot.thread.as_mut().filter(|_| slot.generation == id.generation)
    }

    pub fn remove(&mut self, id: ThreadId) -> Option<Thread<W>> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        let thread = if slot.generation == id.generation { slot.thread.take() } else { None }?;
        self.free.push(id.slot);
        self.polled[thread.class.index()] -= usize::from(thread.kind.needs_poll());
        Some(thread)
    }

    /// The id of the thread that lives in this slot now.
    pub fn at(&self, slot: u32) -> Option<ThreadId> {
        let entry = self.slots.get(slot as usize)?;
        entry.thread.as_ref().map(|_| ThreadId { slot, generation: entry.generation })
    }
}
