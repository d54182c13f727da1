//! The ready queues.
//!
//! Urgent threads have one queue, emptied in every pass. The lower classes run in rounds: what
//! becomes ready while a round is under way waits for the next one, so that checkers that are always
//! ready cannot keep background work waiting for ever.

use std::collections::VecDeque;
use std::mem;

use crate::{Class, ThreadId};

#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub id: ThreadId,
    pub ticket: u64,
}

#[derive(Default)]
pub(crate) struct Queues {
    urgent: VecDeque<Entry>,
    round: [VecDeque<Entry>; 2],
    next: [VecDeque<Entry>; 2],
    tickets: u64,
}

impl Queues {
    /// Queues a thread and returns the ticket of its entry.
    pub fn push(&mut self, class: Class, id: ThreadId) -> u64 {
        self.tickets += 1;
        let entry = Entry { id, ticket: self.tickets };
        match class {
            Class::Urgent => self.urgent.push_back(entry),
            Class::Checker => self.next[0].push_back(entry),
            Class::Background => self.next[1].push_back(entry),
        }
        self.tickets
    }

    pub fn pop_urgent(&mut self) -> Option<Entry> {
        self.urgent.pop_front()
    }

    /// The next entry of the round; a new round begins when the old one is through.
    pub fn pop_lower(&mut self) -> Option<Entry> {
        if self.round.iter().all(VecDeque::is_empty) {
            mem::swap(&mut self.round, &mut self.next);
        }
        self.round.iter_mut().find_map(VecDeque::pop_front)
    }

    pub fn has_urgent(&self) -> bool {
        !self.urgent.is_empty()
    }

    pub fn is_empty(&self) -> bool {
        self.urgent.is_empty() && self.round.iter().chain(&self.next).all(VecDeque::is_empty)
    }
}
