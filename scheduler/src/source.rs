//! What is known about each descriptor: who waits on it, what the kernel was asked to watch, and
//! which of its events nobody has been given yet.

use std::io;
use std::os::fd::RawFd;

use crate::ThreadId;

/// Highest descriptor number that can be watched. Numbers are given out lowest first, so this bounds
/// the table and not the daemon.
const MAX_FD: RawFd = (1 << 22) - 1;

pub(crate) const READ: u8 = 1;
pub(crate) const WRITE: u8 = 2;

/// One direction of a descriptor.
#[derive(Clone, Copy, Default)]
pub(crate) struct Side {
    pub waiter: Option<ThreadId>,
    /// An event came that no thread has been given.
    pub pending: bool,
}

#[derive(Clone, Copy, Default)]
pub(crate) struct Source {
    /// Grows whenever the number may mean another open file; part of the token.
    pub generation: u32,
    /// What the kernel watches: `READ | WRITE`, 0 when the descriptor is not registered.
    pub interest: u8,
    /// The reader promised to have read everything; the next byte makes a new edge.
    pub drained: bool,
    pub read: Side,
    pub write: Side,
    /// This is the pidfd of that child.
    pub child: Option<i32>,
}

impl Source {
    pub fn side_mut(&mut self, direction: u8) -> &mut Side {
        if direction == READ { &mut self.read } else { &mut self.write }
    }

    /// The interest that waiting threads need.
    pub fn needed(&self) -> u8 {
        let (read, write) = (self.read.waiter.is_some(), self.write.waiter.is_some());
        (u8::from(read) * READ) | (u8::from(write) * WRITE)
    }
}

/// All descriptors, by number.
#[derive(Default)]
pub(crate) struct Sources {
    table: Vec<Source>,
}

impl Sources {
    /// The source of this number, made if it is new.
    ///
    /// # Errors
    /// `InvalidInput` for a number no descriptor of ours can have.
    pub fn entry(&mut self, fd: RawFd) -> io::Result<&mut Source> {
        let index = usize::try_from(fd).ok().filter(|_| fd <= MAX_FD);
        let index = index.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        if index >= self.table.len() {
            self.table.resize(index + 1, Source::default());
        }
        Ok(&mut self.table[index])
    }

    pub fn get_mut(&mut self, fd: RawFd) -> Option<&mut Source> {
        self.table.get_mut(usize::try_from(fd).ok()?)
    }

    pub fn len(&self) -> usize {
        self.table.len()
    }
}
