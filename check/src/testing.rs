//! A world for tests that has checkers in it.

use std::rc::Rc;
use std::time::Duration;

use notify::{HasNotify, Notifier, Script};
use scheduler::{Scheduler, Time};

use crate::checker::{Checker, CheckerId, schedule};
use crate::runtime::{Check, HasCheck};
use crate::settings::{CheckerSettings, Connection, Kind, MiscSettings, Schedule};

/// Under a virtual clock attempts are only noted; the test says how they end. Otherwise they are real.
#[derive(Default)]
pub(crate) struct World {
    check: Check,
    notifier: Notifier,
    /// The attempts that began under a virtual clock.
    pub(crate) attempts: Vec<(Time, CheckerId)>,
}

impl HasNotify for World {
    fn notify(&mut self) -> &mut Notifier {
        &mut self.notifier
    }
}

impl HasCheck for World {
    fn check(&mut self) -> Option<&mut Check> {
        Some(&mut self.check)
    }

    fn attempt(s: &mut Scheduler<Self>, w: &mut Self, id: CheckerId) {
        if s.is_simulated() {
            w.attempts.push((s.now(), id));
        } else {
            crate::checker::attempt::begin(s, w, id);
        }
    }
}

impl World {
    /// Takes in a checker for the real server `R` of the virtual server `X`, whose weight is 10.
    pub(crate) fn add(&mut self, settings: CheckerSettings) -> CheckerId {
        let checker = Checker::new(&Rc::new(settings), &"R".into(), &"X".into(), 10, (0, 0));
        self.check.checkers.insert(checker)
    }

    /// A checker that must be there.
    pub(crate) fn checker(&mut self, id: CheckerId) -> &mut Checker {
        self.check.checkers.get_mut(id).unwrap()
    }
}

/// Settings of a checker that never retries, has all the time in the world, and waits an hour
/// from one check to the next.
pub(crate) fn settings(kind: Kind) -> CheckerSettings {
    let schedule = Schedule {
        delay_loop: Duration::from_secs(3600),
        retry: 0,
        delay_before_retry: Duration::from_secs(1),
        warmup: Duration::ZERO,
        alpha: false,
        log_all_failures: false,
    };
    CheckerSettings { schedule, connection: None, kind }
}

/// A connection to `target` and nothing special.
pub(crate) fn connection(target: std::net::SocketAddr) -> Connection {
    let timeout = Duration::from_secs(60);
    Connection { target, origin: None, timeout }
}

/// A `MISC_CHECK` of a shell command that may take a minute.
pub(crate) fn misc(command: &str, dynamic: bool) -> Kind {
    let argv = ["/bin/sh", "-c", command].map(str::to_owned).to_vec();
    let (uid, gid) = (nix::unistd::getuid().as_raw(), nix::unistd::getgid().as_raw());
    let text = command.to_owned();
    let script = Rc::new(Script { argv, text, uid, gid, groups: None });
    Kind::Misc(Box::new(MiscSettings { script, timeout: Duration::from_secs(60), dynamic }))
}

/// Starts a checker at once and runs until its attempt is over.
pub(crate) fn run_once(s: &mut Scheduler<World>, w: &mut World, id: CheckerId) {
    let timer = w.checker(id).timer.take();
    timer.map(|timer| s.cancel(timer));
    schedule::start(s, w, id, Duration::ZERO);
    w.checker(id).started = Time::ZERO;
    run_until(s, w, |w| w.checker(id).started != Time::ZERO && !w.checker(id).running);
}

/// Runs until something is the case; gives up after very long.
pub(crate) fn run_until(
    s: &mut Scheduler<World>,
    w: &mut World,
    mut done: impl FnMut(&mut World) -> bool,
) {
    let begun = s.clock();
    while !done(w) {
        assert!(s.clock().since(begun) < Duration::from_secs(120), "nothing happens");
        s.turn(w, Some(Duration::from_secs(1))).unwrap();
    }
}
