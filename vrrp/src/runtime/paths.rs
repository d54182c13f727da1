//! The routes and rules this machine holds: a want-state counted over all MASTER instances, as that of
//! the addresses in [`holdings`](super::holdings).
//!
//! The kernel takes routes away without a word when an interface goes down or an address goes, and
//! tells when somebody deletes one. In either case all that are tracked are asked for again, no faster than
//! once a second: one that is there still is left alone.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{Hash, Hasher};
use std::rc::Rc;
use std::time::Duration;

use netlink::{Applied, Batch, Channel};
use scheduler::Time;

use super::kernel_view::KernelView;
use crate::config::{Path, PathSettings};
use crate::dump::path_text;

/// Shortest time between two restorations.
const RESTORE_PAUSE: Duration = Duration::from_secs(1);
/// Requests that go to the kernel together: about a millisecond.
const AT_ONCE: usize = 256;

/// One for the kernel, whatever is said of how it is tracked.
#[derive(Clone)]
struct Key(Rc<PathSettings>);

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.0.what == other.0.what
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.what.hash(state);
    }
}

#[derive(Default)]
struct Held {
    owners: u32,
    /// The kernel would not have it, or its interface is not there.
    refused: bool,
}

/// All routes and rules held, and what is to be asked for.
#[derive(Default)]
pub(super) struct Paths {
    held: HashMap<Key, Held>,
    /// With whether each was there before.
    adds: Vec<(Key, bool)>,
    deletes: Vec<Key>,
    restored: Option<Time>,
    restore_at: Option<Time>,
}

impl Paths {
    /// One more owner of each.
    pub fn take(&mut self, paths: &[Rc<PathSettings>]) {
        for path in paths {
            let key = Key(Rc::clone(path));
            let held = self.held.entry(key.clone()).or_default();
            held.owners += 1;
            if held.owners == 1 {
                self.adds.push((key, false));
            }
        }
    }

    /// One owner less of each. Rules go before the routes that they lead to.
    pub fn release(&mut self, paths: &[Rc<PathSettings>]) {
        for path in paths.iter().rev() {
            let key = Key(Rc::clone(path));
            if let Entry::Occupied(mut entry) = self.held.entry(key) {
                entry.get_mut().owners -= 1;
                if entry.get().owners == 0 {
                    self.deletes.push(entry.remove_entry().0);
                }
            }
        }
    }

    /// Whether it is held, but the kernel does not have it and cannot be made to.
    pub fn is_refused(&self, path: &Rc<PathSettings>) -> bool {
        self.held.get(&Key(Rc::clone(path))).is_some_and(|held| held.refused)
    }

    /// Some may be gone: those that are tracked are to be put back.
    pub fn gone(&mut self, now: Time) {
        if self.restore_at.is_some() || !self.held.keys().any(|key| !key.0.no_track) {
            return;
        }
        let soonest = self.restored.map_or(now, |last| last + RESTORE_PAUSE);
        self.restore_at = Some(soonest.max(now));
    }

    /// When to put back what is gone.
    pub fn restore_at(&self) -> Option<Time> {
        self.restore_at
    }

    /// Asks again for what is tracked, if it is time to.
    pub fn restore_due(&mut self, now: Time) {
        if self.restore_at.take_if(|at| *at <= now).is_some() {
            self.restored = Some(now);
            let tracked = self.held.iter().filter(|(key, held)| !key.0.no_track && !held.refused);
            self.adds.extend(tracked.map(|(key, _)| (key.clone(), true)));
        }
    }

    /// Something about interfaces or addresses changed: what was refused is asked for once more.
    pub fn try_again(&mut self) {
        let refused = self.held.iter().filter(|(_, held)| held.refused);
        self.adds.extend(refused.map(|(key, _)| (key.clone(), false)));
    }

    /// Deletes what nobody wants any more; true when all of that is done. Before addresses go, with which
    /// the kernel would take routes.
    pub fn delete(&mut self, view: &KernelView, channel: &mut Channel) -> bool {
        if self.deletes.is_empty() {
            return true;
        }
        let rest = self.deletes.split_off(self.deletes.len().min(AT_ONCE));
        let now = std::mem::replace(&mut self.deletes, rest);
        // What is wanted again stays.
        let going = now.into_iter().filter(|key| !self.held.contains_key(key));
        delete(going.map(|key| key.0), view, channel);
        self.deletes.is_empty()
    }

    /// Adds what is wanted; true when all of that is done. After addresses have come, by which gateways
    /// are reached.
    pub fn add(&mut self, view: &KernelView, channel: &mut Channel) -> bool {
        if self.adds.is_empty() {
            return true;
        }
        let rest = self.adds.split_off(self.adds.len().min(AT_ONCE));
        let now = std::mem::replace(&mut self.adds, rest);
        let mut batch = Batch::new();
        let mut asked = Vec::with_capacity(now.len());
        for (key, before) in now {
            let Some(held) = self.held.get_mut(&key) else { continue };
            if let Some(name) = missing_interface(&key.0, view) {
                if !std::mem::replace(&mut held.refused, true) {
                    let what = self::name(&key.0);
                    log::info!("Not adding {what} since interface {name} doesn't exist");
                }
                continue;
            }
            let tag = asked.len() as u64;
            match &key.0.what {
                Path::Route(route) => batch.add_route(route, &|name| view.index(name), tag),
                Path::Rule(rule) => batch.add_rule(rule, tag),
            }
            asked.push((key, before));
        }
        for (outcome, (key, before)) in channel.apply(&batch).into_iter().zip(asked) {
            let Some(held) = self.held.get_mut(&key) else { continue };
            let refused = std::mem::replace(&mut held.refused, outcome.result.is_err());
            match outcome.result {
                Ok(Applied::Done) if before => log::info!("Restoring deleted {}", name(&key.0)),
                Err(error) if !refused => log::error!("Cannot add {}: {error}", name(&key.0)),
                _ => {}
            }
        }
        self.adds.is_empty()
    }

    /// Does everything however long it takes: the daemon starts or ends.
    pub fn apply_all(&mut self, view: &KernelView, channel: &mut Channel) {
        while !self.delete(view, channel) {}
        while !self.add(view, channel) {}
    }
}

fn name(path: &PathSettings) -> String {
    format!("{} {}", if path.is_route() { "route" } else { "rule" }, path_text(path))
}

/// An interface that a route needs and that does not exist. A rule may name one that is not there yet:
/// the kernel waits for it.
fn missing_interface<'a>(path: &'a PathSettings, view: &KernelView) -> Option<&'a str> {
    match &path.what {
        Path::Route(route) => route.interfaces().find(|name| view.index(name).is_none()),
        Path::Rule(_) => None,
    }
}

/// Deletes these, if they are there.
pub(super) fn delete(
    paths: impl Iterator<Item = Rc<PathSettings>>,
    view: &KernelView,
    channel: &mut Channel,
) {
    let mut batch = Batch::new();
    let mut asked = Vec::new();
    for path in paths {
        // Without its interface it is gone, and without the name another could be meant.
        if missing_interface(&path, view).is_some() {
            continue;
        }
        match &path.what {
            Path::Route(route) => batch.delete_route(route, &|name| view.index(name), 0),
            Path::Rule(rule) => batch.delete_rule(rule, 0),
        }
        asked.push(path);
    }
    for (outcome, path) in channel.apply(&batch).into_iter().zip(asked) {
        if let Err(error) = outcome.result {
            log::error!("Cannot remove {}: {error}", name(&path));
        }
    }
}
