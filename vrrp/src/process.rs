//! `vrrp_track_process`: which processes run, and whether those are as many as should. No I/O: whoever
//! reads the kernel's events and `/proc` says what was found, and when.
//!
//! A quorum that a fork gains or loses counts after `fork_delay`, one that an exit gains or loses after
//! `terminate_delay`, and not at all if it is undone before: a child that is about to execute another
//! program, a daemon that starts anew, are no news. What a process itself does, executing a program or
//! taking another name, counts at once.

use std::collections::HashMap;

use scheduler::Time;

use crate::config::{Parameters, ProcessSettings};

/// What a process is known by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its name, up to 15 bytes.
    pub name: Vec<u8>,
    /// Its arguments, each with a NUL behind it; only where [`Processes::needs_command`].
    pub command: Vec<u8>,
}

impl ProcessSettings {
    /// Whether it means this process.
    pub fn means(&self, identity: &Identity) -> bool {
        let Some((program, parameters)) = self.process.split_first() else { return false };
        if !self.full_command {
            return program.as_bytes() == identity.name;
        }
        let command = identity.command.strip_suffix(&[0]).unwrap_or(&identity.command);
        let mut arguments = command.split(|byte| *byte == 0);
        if arguments.next() != Some(program.as_bytes()) {
            return false;
        }
        let arguments: Vec<&[u8]> = arguments.collect();
        let equal = |wanted: &[String]| {
            arguments.len() >= wanted.len()
                && wanted.iter().zip(&arguments).all(|(w, a)| w.as_bytes() == *a)
        };
        match (self.parameters, parameters.split_last()) {
            (None, _) | (Some(Parameters::Partial | Parameters::Initial), None) => true,
            (Some(Parameters::Exact), _) => {
                arguments.len() == parameters.len() && equal(parameters)
            }
            (Some(Parameters::Partial), _) => equal(parameters),
            (Some(Parameters::Initial), Some((last, before))) => {
                let begins = |a: &&[u8]| a.starts_with(last.as_bytes());
                equal(before) && arguments.get(before.len()).is_some_and(begins)
            }
        }
    }
}

/// What changed a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cause {
    Fork,
    Exit,
    /// The process itself, or a first look.
    Itself,
}

/// A `vrrp_track_process` at run time.
#[derive(Clone, Debug)]
pub struct Quorum {
    /// As configured.
    pub settings: ProcessSettings,
    count: u32,
    have: bool,
    /// Counted when the quorum last was.
    judged: u32,
    /// When what changed counts, and what changed it.
    pending: Option<(Time, Cause)>,
}

impl Quorum {
    /// How many run.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Whether there are as many as should be, as far as that counts already.
    pub fn is_had(&self) -> bool {
        self.have
    }

    /// Whether a change by a fork waits to count.
    pub fn waits_for_fork(&self) -> bool {
        matches!(self.pending, Some((_, Cause::Fork)))
    }

    /// Whether a change by an exit waits to count.
    pub fn waits_for_exit(&self) -> bool {
        matches!(self.pending, Some((_, Cause::Exit)))
    }

    fn should_have(&self) -> bool {
        let s = &self.settings;
        self.count >= s.quorum && s.quorum_max.is_none_or(|max| self.count <= max)
    }

    /// The count has changed; true when that counts now.
    fn judge(&mut self, now: Time, cause: Cause) -> bool {
        self.judged = self.count;
        if self.should_have() == self.have {
            self.pending = None;
            return false;
        }
        let delay = match cause {
            Cause::Fork => self.settings.fork_delay,
            Cause::Exit => self.settings.terminate_delay,
            Cause::Itself => std::time::Duration::ZERO,
        };
        if delay.is_zero() {
            self.pending = None;
            self.have = !self.have;
            return true;
        }
        self.pending.get_or_insert((now + delay, cause));
        false
    }
}

/// A process that some of the settings mean.
#[derive(Clone, Debug)]
struct Known {
    /// Positions of those.
    by: Vec<usize>,
    /// The walk that saw it last.
    walk: u64,
}

/// All of `vrrp_track_process`, and the processes that they mean. Others are not kept.
#[derive(Clone, Debug)]
pub struct Processes {
    quorums: Vec<Quorum>,
    known: HashMap<i32, Known>,
    /// Number of the walk through `/proc` that runs or was the last.
    walk: u64,
    /// Until the end of a walk counts may be wrong.
    walking: bool,
}

impl Processes {
    /// None known yet. What is said of a name in `had` holds until the first walk has ended; other
    /// quorums are taken to be there.
    pub fn new(settings: Vec<ProcessSettings>, had: &dyn Fn(&str) -> Option<bool>) -> Processes {
        let quorum = |settings: ProcessSettings| Quorum {
            have: had(&settings.name).unwrap_or(true),
            settings,
            count: 0,
            judged: 0,
            pending: None,
        };
        let quorums = settings.into_iter().map(quorum).collect();
        Processes { quorums, known: HashMap::new(), walk: 0, walking: false }
    }

    /// All quorums, in the order of the configuration.
    pub fn quorums(&self) -> &[Quorum] {
        &self.quorums
    }

    /// Whether it matters what arguments a process has.
    pub fn needs_command(&self) -> bool {
        self.quorums.iter().any(|quorum| quorum.settings.full_command)
    }

    /// The positions of the quorums that a process counts for.
    fn meant_by(&self, identity: &Identity) -> Vec<usize> {
        let all = self.quorums.iter().enumerate();
        all.filter(|(_, q)| q.settings.means(identity)).map(|(at, _)| at).collect()
    }

    /// A process has a new child, which is what its parent is. Appends the positions of quorums that were
    /// gained or lost to `changed`, as all of these do.
    pub fn forked(&mut self, now: Time, parent: i32, child: i32, changed: &mut Vec<usize>) {
        if let Some(known) = self.known.get(&parent) {
            let by = known.by.clone();
            self.set(now, child, by, Cause::Fork, changed);
        }
    }

    /// A process executes another program, and is this now; `None`: it is gone already.
    pub fn executed(
        &mut self,
        now: Time,
        pid: i32,
        identity: Option<&Identity>,
        changed: &mut Vec<usize>,
    ) {
        let by = identity.map(|identity| self.meant_by(identity)).unwrap_or_default();
        self.set(now, pid, by, Cause::Itself, changed);
    }

    /// A process has taken another name. Its arguments, and what they mean, are as before.
    pub fn renamed(&mut self, now: Time, pid: i32, name: &[u8], changed: &mut Vec<usize>) {
        let identity = Identity { name: name.to_vec(), command: Vec::new() };
        let mut by = self.known.get(&pid).map(|known| known.by.clone()).unwrap_or_default();
        by.retain(|&at| self.quorums[at].settings.full_command);
        by.extend(self.meant_by(&identity));
        by.sort_unstable();
        by.dedup();
        self.set(now, pid, by, Cause::Itself, changed);
    }

    /// A process is no more.
    pub fn exited(&mut self, now: Time, pid: i32, changed: &mut Vec<usize>) {
        self.set(now, pid, Vec::new(), Cause::Exit, changed);
    }

    /// A walk through all processes begins. Until its end nothing counts.
    pub fn begin_walk(&mut self) {
        self.walk += 1;
        self.walking = true;
    }

    /// The walk came by a process.
    pub fn met(&mut self, pid: i32, identity: &Identity) {
        let by = self.meant_by(identity);
        if !by.is_empty() || self.known.contains_key(&pid) {
            self.set(Time::ZERO, pid, by, Cause::Itself, &mut Vec::new());
        }
    }

    /// The walk has ended: what it did not meet is gone. With `at_once` all that changed counts now, else
    /// as if processes had come by forks and gone by exits.
    pub fn end_walk(&mut self, now: Time, at_once: bool, changed: &mut Vec<usize>) {
        let (walk, quorums) = (self.walk, &mut self.quorums);
        self.known.retain(|_, known| {
            let there = known.walk == walk;
            if !there {
                known.by.iter().for_each(|&at| quorums[at].count -= 1);
            }
            there
        });
        self.walking = false;
        for (at, quorum) in self.quorums.iter_mut().enumerate() {
            let cause = match quorum.count.cmp(&quorum.judged) {
                _ if at_once => Cause::Itself,
                std::cmp::Ordering::Equal if quorum.pending.is_some() => continue,
                std::cmp::Ordering::Less => Cause::Exit,
                _ => Cause::Fork,
            };
            if quorum.judge(now, cause) {
                changed.push(at);
            }
        }
    }

    fn set(&mut self, now: Time, pid: i32, by: Vec<usize>, cause: Cause, changed: &mut Vec<usize>) {
        let before = match self.known.get_mut(&pid) {
            Some(known) => {
                known.walk = self.walk;
                if known.by == by {
                    return;
                }
                std::mem::replace(&mut known.by, by.clone())
            }
            None if by.is_empty() => return,
            None => {
                self.known.insert(pid, Known { by: by.clone(), walk: self.walk });
                Vec::new()
            }
        };
        if by.is_empty() {
            self.known.remove(&pid);
        }
        for &at in before.iter().filter(|at| !by.contains(at)) {
            self.quorums[at].count -= 1;
            self.judge(now, at, cause, changed);
        }
        for &at in by.iter().filter(|at| !before.contains(at)) {
            self.quorums[at].count += 1;
            self.judge(now, at, cause, changed);
        }
    }

    fn judge(&mut self, now: Time, at: usize, cause: Cause, changed: &mut Vec<usize>) {
        if !self.walking && self.quorums[at].judge(now, cause) {
            changed.push(at);
        }
    }

    /// The earliest moment anything waits for.
    pub fn next_due(&self) -> Time {
        let pending = self.quorums.iter().filter_map(|quorum| quorum.pending);
        pending.map(|(at, _)| at).min().unwrap_or(Time::NEVER)
    }

    /// What waited until now counts.
    pub fn expire(&mut self, now: Time, changed: &mut Vec<usize>) {
        for (at, quorum) in self.quorums.iter_mut().enumerate() {
            if quorum.pending.take_if(|(due, _)| *due <= now).is_some() {
                quorum.have = !quorum.have;
                changed.push(at);
            }
        }
    }
}

#[cfg(test)]
mod tests;
