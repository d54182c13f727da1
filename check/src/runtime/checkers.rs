//! The checkers of virtual servers: made, started, taken over by a reload, ended.

use std::time::Duration;

use scheduler::Scheduler;

use super::{Check, HasCheck};
use crate::checker::{Checker, CheckerId, schedule};
use crate::service::lifecycle::Followed;

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
pub(super) fn carry<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, slot: u32, followed: Followed) {
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
        schedule::stop(s, w, id);
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

/// Starts a checker that does not run yet, or whose times a reload has changed.
fn start<W: HasCheck>(s: &mut Scheduler<W>, w: &mut W, id: CheckerId) {
    let Some(check) = w.check() else { return };
    let Some(checker) = check.checkers.get_mut(id) else { return };
    if !std::mem::take(&mut checker.due) {
        return;
    }
    let warmup = checker.settings.schedule.warmup;
    let micros = u64::try_from(warmup.as_micros()).unwrap_or(u64::MAX);
    let random = Duration::from_micros(check.random.between(0, micros));
    schedule::start(s, w, id, FIRST + random);
}

impl Check {
    /// Gives a real server the checkers of its settings, of which those in `old` that do the same
    /// stay; the others of `old` are returned, to be ended.
    fn add_checkers(&mut self, slot: u32, index: usize, mut old: Vec<CheckerId>) -> Vec<CheckerId> {
        let Some(Some(service)) = self.slots.get_mut(slot as usize) else { return old };
        let enabled =
            !service.settings.ha_suspend || self.addresses.has(&service.settings.identity);
        let Some(real) = service.reals.get_mut(index) else { return old };
        // A server that is down, or never was up, has to earn its new checkers' trust.
        let doubtful = real.failed > 0 || !real.was_alive;
        let owner = (slot, u32::try_from(index).unwrap_or(u32::MAX));
        real.failed = 0;
        real.contributions.clear();
        real.checkers.reserve_exact(real.settings.checkers.len());
        for settings in real.settings.checkers.clone() {
            let mut new = Checker::new(
                &settings,
                &real.settings.name,
                &service.settings.name,
                real.settings.weight,
                owner,
            );
            // What speaks by itself is never held back.
            let enabled = enabled || !schedule::has_timer(&new);
            new.enabled = enabled;
            new.read_file();
            let same = |id: &CheckerId| {
                self.checkers.get(*id).is_some_and(|old| settings.pairs_with(&old.settings))
            };
            let id = match old.iter().position(same) {
                Some(position) => {
                    let id = old.remove(position);
                    if let Some(checker) = self.checkers.get_mut(id) {
                        checker.enabled = enabled;
                        checker.follow(new);
                    }
                    id
                }
                None => {
                    new.verdict.up |= !doubtful && new.settings.schedule.alpha;
                    self.checkers.insert(new)
                }
            };
            if let Some(verdict) = self.checkers.get(id).map(|checker| &checker.verdict) {
                real.failed += u32::from(!verdict.up);
                if verdict.contribution != 0 {
                    real.contributions.push((id, verdict.contribution));
                }
            }
            real.checkers.push(id);
        }
        old
    }
}
