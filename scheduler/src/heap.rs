//! The timer heap: a 4-ary min-heap that knows where each of its entries stands.
//!
//! Knowing the place makes cancelling and moving O(log n) and leaves no dead entries behind, so the
//! head is always a real deadline and the kernel's timer is never armed for nothing. Entries of
//! equal time leave in the order they were armed; a moved entry counts as armed anew.

use crate::Time;
use crate::thread::grow;

const ARITY: usize = 4;
const ABSENT: u32 = u32::MAX;

#[derive(Clone, Copy)]
struct Entry {
    at: Time,
    armed: u64,
    slot: u32,
}

impl Entry {
    fn before(&self, other: &Entry) -> bool {
        (self.at, self.armed) < (other.at, other.armed)
    }
}

/// Deadlines by slot number; a slot has at most one.
#[derive(Default)]
pub struct Heap {
    entries: Vec<Entry>,
    /// Where in `entries` each slot stands, or `ABSENT`.
    places: Vec<u32>,
    armed: u64,
}

impl Heap {
    /// A heap without deadlines.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many deadlines are armed.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The earliest deadline, or [`Time::NEVER`].
    pub fn head(&self) -> Time {
        self.entries.first().map_or(Time::NEVER, |e| e.at)
    }

    /// Arms the deadline of `slot`, or moves it when it is armed already.
    pub fn arm(&mut self, slot: u32, at: Time) {
        self.armed += 1;
        let entry = Entry { at, armed: self.armed, slot };
        let index = slot as usize;
        if index >= self.places.len() {
            grow(&mut self.places);
            self.places.resize(index + 1, ABSENT);
        }
        let place = self.places[index];
        if place == ABSENT {
            grow(&mut self.entries);
            self.entries.push(entry);
            self.sift_up(self.entries.len() - 1);
        } else {
            let place = place as usize;
            self.entries[place] = entry;
            self.settle(place);
        }
    }

    /// Takes the deadline of `slot` out; false when it has none.
    pub fn disarm(&mut self, slot: u32) -> bool {
        match self.places.get(slot as usize) {
            Some(&place) if place != ABSENT => {
                self.take(place as usize);
                true
            }
            _ => false,
        }
    }

    /// Takes the earliest entry out if its deadline is not after `now`.
    pub fn pop_due(&mut self, now: Time) -> Option<(u32, Time)> {
        let head = *self.entries.first().filter(|e| e.at <= now)?;
        self.take(0);
        Some((head.slot, head.at))
    }

    fn take(&mut self, place: usize) {
        let gone = self.entries.swap_remove(place);
        self.places[gone.slot as usize] = ABSENT;
        if place < self.entries.len() {
            self.settle(place);
        }
    }

    fn settle(&mut self, place: usize) {
        if self.sift_up(place) == place {
            self.sift_down(place);
        }
    }

    fn sift_up(&mut self, mut place: usize) -> usize {
        let entry = self.entries[place];
        while place > 0 {
            let parent = (place - 1) / ARITY;
            if !entry.before(&self.entries[parent]) {
                break;
            }
            self.put(place, self.entries[parent]);
            place = parent;
        }
        self.put(place, entry);
        place
    }

    fn sift_down(&mut self, mut place: usize) {
        let entry = self.entries[place];
        loop {
            let first = place * ARITY + 1;
            let last = (first + ARITY).min(self.entries.len());
            let Some(child) = (first..last)
                .reduce(|a, b| if self.entries[b].before(&self.entries[a]) { b } else { a })
            else {
                break;
            };
            if !self.entries[child].before(&entry) {
                break;
            }
            self.put(place, self.entries[child]);
            place = child;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.entries[place] = entry;
        // Fewer entries than slots, and slots are 32 bits wide.
        self.places[entry.slot as usize] = place as u32;
    }
}

#[cfg(test)]
mod tests;
