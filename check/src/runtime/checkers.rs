//! The checkers of virtual servers: made, started, taken over by a reload, ended.

use std::rc::Rc;
use std::time::Duration;

use scheduler::Scheduler;

use super::{Check, HasCheck};
use crate::checker::{self, CheckerId};
use crate::service::lifecycle::Followed;
use crate::settings::CheckerSettings;

/// From the start to the first check, before the random part.
const FIRST: Duration = Duration::from_secs(1);

/// Makes the checkers of all real servers of a new virtual server.
pub(super) fn add_all(check: &mut Check, slot: u32) {
    let count = check.service(slot).map_or(0, |service| service.reals.len());
    for index in 0..count {
        check.add_checkers(slot, index, Vec::new());
    }
}

/// Gives real servers that stay the checkers that stay, and all others new ones.
pub(super) fn carry<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    slot: u32,
    followed: Followed,
) {
    let Some(check) = w.check() else { return };
    let mut ended = followed.gone;
    for (index, old) in followed.carried.into_iter().enumerate() {
        ended.extend(check.add_checkers(slot, index, old));
    }
    remove(s, w, ended.into_iter());
}

/// Ends checkers, with the attempts that are going on.
pub(super) fn remove<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    ids: impl Iterator<Item = CheckerId>,
) {
    for id in ids {
        checker::stop(s, w, id);
    }
}

/// Starts checkers of a virtual server from the real server `from` on, about `limit` of them; the
/// real server to go on with.
pub(super) fn activate<W: HasCheck>(
    s: &mut Scheduler<W>,
    w: &mut W,
    slot: u32,
    from: usize,
    limit: usize,
) -> Option<usize> {
    let mut started = 0;
    for index in from.. {
        let check = w.check()?;
        let ids = check.service(slot)?.reals.get(index)?.checkers.clone();
        for id in ids {
            start(s, w, id);
            started += 1;
        }
        if started >= limit {
            return Some(index + 1);
        }
    }
    None
}

/// Starts a checker that does not run yet.
fn start<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(check) = w.check() else { return };
    let Some(checker) = check.checkers.get(id) else { return };
    if checker.is_started() {
        return;
    }
    let what = if checker.enabled { "Activating" } else { "Deactivating" };
    log::info!("{what} healthchecker for service {} for VS {}", checker.server, checker.service);
    let warmup = checker.settings.schedule.warmup;
    let micros = u64::try_from(warmup.as_micros()).unwrap_or(u64::MAX);
    let random = Duration::from_micros(check.random.between(0, micros));
    checker::start(s, w, id, FIRST + random);
}

impl Check {
    /// Gives a real server the checkers of its settings, of which those in `old` that do the same
    /// stay; the others of `old` are returned, to be ended.
    fn add_checkers(&mut self, slot: u32, index: usize, mut old: Vec<CheckerId>) -> Vec<CheckerId> {
        let Some(Some(service)) = self.slots.get_mut(slot as usize) else { return old };
        let service_name = Rc::clone(&service.settings.name);
        let enabled = !service.settings.ha_suspend || self.addresses.has(&service.settings.identity);
        let Some(real) = service.reals.get_mut(index) else { return old };
        let owner = (slot, u32::try_from(index).unwrap_or(u32::MAX));
        // A server that is or was down has to earn its new checkers' trust.
        let doubtful = real.failed > 0 || !real.was_alive;
        let wanted: Vec<Rc<CheckerSettings>> = real.settings.checkers.clone();
        let mut ids = Vec::with_capacity(wanted.len());
        real.failed = 0;
        for settings in wanted {
            let same = |id: &CheckerId| {
                self.checkers.get(*id).is_some_and(|old| settings.pairs_with(&old.settings))
            };
            let id = match old.iter().position(same) {
                Some(position) => {
                    let id = old.swap_remove(position);
                    self.checkers.take_over(id, settings, owner);
                    id
                }
                None => {
                    let down = settings.schedule.alpha && doubtful;
                    let server = Rc::clone(&real.settings.name);
                    self.checkers.insert(settings, server, Rc::clone(&service_name), owner, down)
                }
            };
            if let Some(checker) = self.checkers.get_mut(id) {
                checker.enabled = enabled;
                real.failed += u32::from(!checker.verdict.up);
            }
            ids.push(id);
        }
        real.checkers = ids;
        real.contributions.retain(|(id, _)| !old.contains(id));
        old
    }
}
