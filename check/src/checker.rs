//! Checkers at run time: when each runs, what its attempts mean, and what it tells its real server.
//!
//! * [`verdict`] is the pure part: it turns outcomes of attempts into "up", "down" and "when next".
//! * [`attempt`] does one attempt: a connection, a datagram, a child process.
//! * The files in between join the two to the scheduler.

pub(crate) mod attempt;
pub(crate) mod verdict;

use std::rc::Rc;

use scheduler::ThreadId;

use crate::settings::CheckerSettings;
use attempt::Attempt;
use verdict::Verdict;

/// Names a checker for as long as it exists; never used for another one. It travels as the argument
/// of scheduler threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CheckerId(u64);

/// One checker.
pub(crate) struct Checker {
    pub(crate) settings: Rc<CheckerSettings>,
    /// Name of its real server: `[10.1.1.2]:tcp:80`.
    pub(crate) server: Rc<str>,
    /// Name of the virtual server: `[10.1.1.1]:tcp:80`.
    pub(crate) service: Rc<str>,
    /// Where its real server stands in the runtime's tables; the runtime's own business.
    pub(crate) owner: (u32, u32),
    pub(crate) verdict: Verdict,
    /// False while `ha_suspend` holds it back.
    pub(crate) enabled: bool,
    /// Its next run.
    pub(crate) timer: Option<ThreadId>,
    /// The attempt that is going on.
    pub(crate) attempt: Option<Box<Attempt>>,
}
