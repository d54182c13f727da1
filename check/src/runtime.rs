//! Load balancing at run time, on the scheduler.

use std::borrow::Cow;

use notify::HasNotify;
use scheduler::Scheduler;

use crate::checker::{CheckerId, Checkers, attempt};

/// A world that does load balancing.
pub trait HasCheck: HasNotify + Sized + 'static {
    /// Load balancing, if it runs.
    fn check(&mut self) -> Option<&mut Check>;

    /// Makes one attempt of a checker. A simulation answers for the server instead.
    fn attempt(s: &mut Scheduler<Self>, w: &mut Self, id: CheckerId) {
        attempt::begin(s, w, id);
    }
}

/// Load balancing.
#[derive(Default)]
pub struct Check {
    /// The checkers of all real servers.
    pub(crate) checkers: Checkers,
}

/// A definitive result of a checker (spec checkers-behaviour §2).
pub(crate) struct Judged {
    /// What it found.
    pub(crate) up: bool,
    /// Body of the mail about it, without the arrows; `None`: it never mails.
    pub(crate) mail: Option<Cow<'static, str>>,
}

/// Takes a definitive result that differs from the checker's state, or is its first. False: the kernel refused the change, and
/// nothing may be changed; the checker tries again at its next run.
pub(crate) fn judged<W: HasCheck>(
    _s: &mut Scheduler<W>,
    _w: &mut W,
    _id: CheckerId,
    _judged: &Judged,
) -> bool {
    true
}

/// Takes what a checker adds to the weight of its real server, replacing what it added before.
pub(crate) fn weighs<W: HasCheck>(
    _s: &mut Scheduler<W>,
    _w: &mut W,
    _id: CheckerId,
    _contribution: i64,
) {
}
