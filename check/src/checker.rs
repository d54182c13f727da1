//! Checkers at run time: when each runs, what its attempts mean, and what it tells its real server.
//!
//! * [`verdict`] is the pure part: it turns outcomes of attempts into "up", "down" and "when next".
//! * [`attempt`] does one attempt: a connection, a datagram, a child process.
//! * [`schedule`] joins the two to the scheduler, [`files`] to the files that `FILE_CHECK`s follow, and [`sessions`] to
//!   the BFD sessions of `BFD_CHECK`s.

pub(crate) mod attempt;
pub(crate) mod files;
pub(crate) mod schedule;
pub(crate) mod sessions;
pub(crate) mod verdict;

use std::collections::HashMap;
use std::rc::Rc;

use scheduler::{ThreadId, Time};

use crate::runtime::HasCheck;
use crate::settings::{CheckerSettings, Kind};
use attempt::misc::Leftover;
use attempt::ping::Pinger;
use attempt::stream::Shared;
use attempt::{Attempt, Outcome};
use files::Followed;
use verdict::{Subject, Verdict};

/// Names a checker for as long as it exists; never used for another one. It travels as the argument
/// of scheduler threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckerId(u64);

impl CheckerId {
    fn new(slot: u32, generation: u32) -> CheckerId {
        CheckerId(u64::from(generation) << 32 | u64::from(slot))
    }

    /// As the argument of a scheduler thread.
    pub fn arg(self) -> u64 {
        self.0
    }

    /// From the argument of a scheduler thread.
    pub fn from_arg(arg: u64) -> CheckerId {
        CheckerId(arg)
    }

    #[allow(clippy::cast_possible_truncation)] // The two halves.
    fn parts(self) -> (usize, u32) {
        (self.0 as u32 as usize, (self.0 >> 32) as u32)
    }
}

/// One checker.
pub(crate) struct Checker {
    pub(crate) settings: Rc<CheckerSettings>,
    /// Name of its real server: `[10.1.1.2]:tcp:80`.
    pub(crate) server: Rc<str>,
    /// Name of the virtual server: `[10.1.1.1]:tcp:80`.
    pub(crate) service: Rc<str>,
    /// Where its real server stands in the runtime's tables; the runtime's own business.
    pub(crate) owner: (u32, u32),
    /// The configured weight of its real server, of which a dynamic `MISC_CHECK` makes another.
    pub(crate) weight: u32,
    pub(crate) verdict: Verdict,
    /// False while `ha_suspend` holds it back.
    pub(crate) enabled: bool,
    /// It is to be started, or started anew because its times have changed.
    pub(crate) due: bool,
    /// An attempt is going on.
    pub(crate) running: bool,
    /// When that attempt, or the last one, was planned to start.
    pub(crate) started: Time,
    /// Its next run.
    pub(crate) timer: Option<ThreadId>,
    /// What the attempt that is going on holds.
    pub(crate) attempt: Option<Box<Attempt>>,
    /// The socket of a `PING_CHECK`, which outlives successes.
    pub(crate) pinger: Option<Box<Pinger>>,
}

impl Checker {
    /// A checker that has never run and that nothing has started.
    pub(crate) fn new(
        settings: &Rc<CheckerSettings>,
        server: &Rc<str>,
        service: &Rc<str>,
        weight: u32,
        owner: (u32, u32),
    ) -> Checker {
        Checker {
            verdict: Verdict::new(settings),
            settings: Rc::clone(settings),
            server: Rc::clone(server),
            service: Rc::clone(service),
            owner,
            weight,
            enabled: true,
            due: true,
            running: false,
            started: Time::ZERO,
            timer: None,
            attempt: None,
            pinger: None,
        }
    }
}

impl Checker {
    /// Goes on as `new`, which looks at the same thing under a new configuration. Its rhythm and the
    /// attempt that is going on are left alone unless its times have changed.
    pub(crate) fn follow(&mut self, new: Checker) {
        let Checker { settings, server, service, owner, weight, .. } = new;
        let (before, after) = (&self.settings.schedule, &settings.schedule);
        self.due |= (before.delay_loop, before.delay_before_retry)
            != (after.delay_loop, after.delay_before_retry);
        let mut verdict = Verdict::new(&settings);
        let of = Subject { settings: &settings, server: &server, service: &service, weight };
        verdict.take_over(&self.verdict, of);
        self.verdict = verdict;
        (self.server, self.service, self.owner, self.weight) = (server, service, owner, weight);
        self.settings = settings;
    }

    /// A `FILE_CHECK` begins with what its file says by then.
    pub(crate) fn read_file(&mut self) {
        let Kind::File(file) = &self.settings.kind else { return };
        let Some(number) = files::number(&file.file) else { return };
        let of = Subject {
            settings: &self.settings,
            server: &self.server,
            service: &self.service,
            weight: self.weight,
        };
        let judgement = self.verdict.ended(of, Outcome::Number(number));
        if let Some(definitive) = judgement.definitive {
            self.verdict.settle(definitive.up);
        }
        if let Some(contribution) = judgement.contribution {
            self.verdict.contribution = contribution;
        }
    }

    /// Sequence number of the last echo request, for the dump.
    pub(crate) fn echo_sequence(&self) -> u16 {
        self.pinger.as_ref().map_or(0, |pinger| pinger.sequence())
    }
}

/// A place in the slab.
struct Slot {
    generation: u32,
    checker: Option<Checker>,
}

/// All checkers. A place is used again, an id never is.
#[derive(Default)]
pub(crate) struct Checkers {
    slots: Vec<Slot>,
    free: Vec<u32>,
    /// The files that `FILE_CHECK`s follow.
    pub(crate) followed: Option<Followed>,
    /// The BFD sessions that `BFD_CHECK`s follow.
    pub(crate) sessions: sessions::Sessions,
    /// Scripts of checkers that were stopped while they ran, by those checkers' ids.
    pub(crate) leftovers: HashMap<u64, Leftover>,
    /// Until when the daemon's end waits for them.
    pub(crate) ending: Option<ThreadId>,
    /// What attempts over TCP share.
    pub(crate) streams: Shared,
}

impl Checkers {
    /// Makes room for so many checkers in all.
    pub(crate) fn reserve(&mut self, count: usize) {
        self.slots.reserve_exact(count.saturating_sub(self.slots.len()));
    }

    /// Takes in a checker.
    pub(crate) fn insert(&mut self, checker: Checker) -> CheckerId {
        if let Some(free) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(free as usize)
        {
            slot.checker = Some(checker);
            return CheckerId::new(free, slot.generation);
        }
        // Memory ends long before 32 bits do.
        let slot = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { generation: 0, checker: Some(checker) });
        CheckerId::new(slot, 0)
    }

    /// Takes a checker out. What it waits for is cancelled by [`schedule::stop`], which calls this.
    pub(crate) fn remove(&mut self, id: CheckerId) -> Option<Checker> {
        let (place, generation) = id.parts();
        let slot = self.slots.get_mut(place).filter(|slot| slot.generation == generation)?;
        let checker = slot.checker.take()?;
        // A place whose generations are used up stays empty.
        if let Some(next) = generation.checked_add(1) {
            slot.generation = next;
            self.free.extend(u32::try_from(place));
        }
        Some(checker)
    }

    /// The checker, if it still exists.
    pub(crate) fn get(&self, id: CheckerId) -> Option<&Checker> {
        let (place, generation) = id.parts();
        let slot = self.slots.get(place).filter(|slot| slot.generation == generation)?;
        slot.checker.as_ref()
    }

    /// The checker, if it still exists.
    pub(crate) fn get_mut(&mut self, id: CheckerId) -> Option<&mut Checker> {
        let (place, generation) = id.parts();
        let slot = self.slots.get_mut(place).filter(|slot| slot.generation == generation)?;
        slot.checker.as_mut()
    }

    /// All checkers, in no particular order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (CheckerId, &Checker)> {
        let numbered = (0u32..).zip(&self.slots);
        numbered.filter_map(|(n, slot)| {
            Some((CheckerId::new(n, slot.generation), slot.checker.as_ref()?))
        })
    }
}

/// A checker of the world, if it still exists.
fn find<W: HasCheck>(w: &mut W, id: CheckerId) -> Option<&mut Checker> {
    w.check()?.checkers.get_mut(id)
}

#[cfg(test)]
mod tests;
