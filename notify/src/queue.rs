//! Which notify script runs next.
//!
//! Scripts of one object (an instance, a group, a real server) run in the order of its events and
//! never two at a time, so that the script of an older state cannot have the last word. Scripts of
//! different objects run side by side, up to a limit, in the order in which they were wanted.
//! Nothing here starts a process or knows the time.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::script::Script;

/// Scripts of one object that may wait. What exceeds it displaces the oldest waiting one of the
/// same hook: of many "became MASTER" the latest counts.
pub(crate) const MAX_WAITING: usize = 32;
/// Scripts that may run at the same time.
pub(crate) const MAX_RUNNING: usize = 256;

/// A script that is to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Job {
    /// The keyword that asks for it.
    pub hook: &'static str,
    pub script: Script,
    pub extra: Vec<String>,
}

/// The queues of all objects that have something to run.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    objects: HashMap<Arc<str>, Object>,
    /// Objects with something waiting and nothing running, longest wait first.
    ready: VecDeque<Arc<str>>,
    running: usize,
}

#[derive(Debug, Default)]
struct Object {
    waiting: VecDeque<Job>,
    busy: bool,
}

impl Queues {
    /// Adds a job at the end of its object's queue; returns the job that had to go for it.
    pub fn push(&mut self, name: &str, job: Job) -> Option<Job> {
        let name = match self.objects.get_key_value(name) {
            Some((name, _)) => name.clone(),
            None => name.into(),
        };
        let object = self.objects.entry(name.clone()).or_default();
        let mut displaced = None;
        if object.waiting.len() >= MAX_WAITING {
            let oldest = object.waiting.iter().position(|w| w.hook == job.hook).unwrap_or(0);
            displaced = object.waiting.remove(oldest);
        }
        if !object.busy && object.waiting.is_empty() {
            self.ready.push_back(name);
        }
        object.waiting.push_back(job);
        displaced
    }

    /// Whether [`next`](Self::next) has something.
    pub fn has_next(&self) -> bool {
        !self.ready.is_empty() && self.running < MAX_RUNNING
    }

    /// Takes the job that is to run now. Its object is busy until [`finished`](Self::finished).
    pub fn next(&mut self) -> Option<(Arc<str>, Job)> {
        if self.running >= MAX_RUNNING {
            return None;
        }
        let name = self.ready.pop_front()?;
        let object = self.objects.get_mut(&name)?;
        let job = object.waiting.pop_front()?;
        object.busy = true;
        self.running += 1;
        Some((name, job))
    }

    /// The object's job has ended, or could not be started.
    pub fn finished(&mut self, name: &Arc<str>) {
        let Some(object) = self.objects.get_mut(name).filter(|object| object.busy) else { return };
        object.busy = false;
        self.running -= 1;
        if object.waiting.is_empty() {
            self.objects.remove(name);
        } else {
            self.ready.push_back(name.clone());
        }
    }

    /// Drops what has not been started; returns how much that was.
    pub fn clear(&mut self) -> usize {
        self.ready.clear();
        let mut dropped = 0;
        self.objects.retain(|_, object| {
            dropped += object.waiting.len();
            object.waiting.clear();
            object.busy
        });
        dropped
    }

    /// Whether nothing runs and nothing waits.
    pub fn is_idle(&self) -> bool {
        self.objects.is_empty()
    }
}

#[cfg(test)]
mod tests;
