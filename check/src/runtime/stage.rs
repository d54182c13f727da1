//! Load balancing as the daemon runs it, for tests: a configuration as text, a table in memory, a
//! virtual clock, and what is told kept instead of told.

use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use std::time::Duration;

use config::Mode;
use ipvs::{Batch, Failure, Kernel, Table, Timeouts};
use nix::errno::Errno;
use scheduler::{Exit, Scheduler, Time};

use super::{Check, HasCheck, reload, start};
use crate::checker::CheckerId;
use crate::checker::attempt::{Outcome, ended};
use crate::service::{Real, Service, Told};
use crate::settings::Settings;
use crate::testing::World;

pub(super) struct Stage {
    pub(super) s: Scheduler<World>,
    pub(super) w: World,
    pub(super) table: Table,
    /// Of each of the next batches, how many of its first requests are refused.
    pub(super) refusals: Rc<RefCell<VecDeque<usize>>>,
    requests: usize,
    listed: BTreeSet<String>,
}

/// What a configuration says; it must not be a bad one.
pub(super) fn read(text: &str) -> Settings {
    let (loaded, settings) = crate::tests::settings(text, Mode::Test);
    let bad: Vec<_> = loaded.diagnostics.iter().filter(|d| d.class.is_some()).collect();
    assert!(bad.is_empty() && loaded.fatal.is_none(), "{text}\n{bad:#?}");
    settings
}

/// Load balancing on `kernel` that keeps what is to be told, in [`Check::told`].
pub(super) fn check(kernel: Box<dyn Kernel>) -> Check {
    let mut check = Check::new(kernel);
    check.telling = true;
    check
}

impl Stage {
    /// Starts with a configuration.
    pub(super) fn new(text: &str) -> Stage {
        let kernel = Witness::default();
        let (table, refusals) = (kernel.table.clone(), Rc::clone(&kernel.plan));
        let mut w = World::default();
        *w.check().unwrap() = check(Box::new(kernel));
        let s = Scheduler::simulated(Time::ZERO);
        let mut stage = Stage { s, w, table, refusals, requests: 0, listed: BTreeSet::new() };
        start(&mut stage.s, &mut stage.w, read(text));
        stage.settle();
        stage
    }

    pub(super) fn reload(&mut self, text: &str) {
        reload(&mut self.s, &mut self.w, read(text));
        self.settle();
    }

    /// Runs what is to run now.
    pub(super) fn settle(&mut self) {
        while self.s.next_deadline() <= self.s.clock() {
            self.s.turn(&mut self.w, None).unwrap();
        }
    }

    /// Runs for so long.
    pub(super) fn pass(&mut self, seconds: u64) {
        let until = self.s.clock() + Duration::from_secs(seconds);
        while self.s.next_deadline() <= until {
            self.s.turn(&mut self.w, None).unwrap();
        }
        self.s.advance_to(until);
    }

    pub(super) fn check(&mut self) -> &mut Check {
        self.w.check().unwrap()
    }

    /// The virtual server at this position of the file.
    pub(super) fn service(&mut self, position: usize) -> &Service {
        self.check().services().nth(position).unwrap()
    }

    /// A real server of the first virtual server.
    pub(super) fn real(&mut self, position: usize) -> &Real {
        &self.service(0).reals[position]
    }

    /// A checker of a real server of the first virtual server.
    pub(super) fn checker(&mut self, real: usize, checker: usize) -> CheckerId {
        self.real(real).checkers[checker]
    }

    pub(super) fn ended(&mut self, id: CheckerId, outcome: Outcome) {
        ended(&mut self.s, &mut self.w, id, outcome);
        self.settle();
    }

    /// The first checker of a real server of the first virtual server finds this.
    pub(super) fn finds(&mut self, real: usize, good: bool) {
        let id = self.checker(real, 0);
        self.ended(id, if good { Outcome::Success } else { Outcome::Failure("it did not".into()) });
    }

    /// The script that is its first checker ends so.
    pub(super) fn exits(&mut self, real: usize, code: i32) {
        let id = self.checker(real, 0);
        self.ended(id, Outcome::Exited { exit: Exit::Code(code), timed_out: false });
    }

    /// All that was told since this was last asked.
    pub(super) fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.check().told).into_iter().map(text).collect()
    }

    /// What was told but for log lines.
    pub(super) fn notified(&mut self) -> Vec<String> {
        self.told().into_iter().filter(|told| told.contains(": ") && is_notice(told)).collect()
    }

    /// How many requests there were since this was last asked.
    pub(super) fn requests(&mut self) -> usize {
        let before = std::mem::replace(&mut self.requests, self.table.requests());
        self.requests - before
    }

    /// Lets the kernel refuse so many requests of each of the next batches.
    pub(super) fn refuse(&mut self, of_each: &[usize]) {
        self.refusals.borrow_mut().extend(of_each);
    }

    /// The lines of the table, as `ipvsadm -Sn` prints them.
    pub(super) fn table(&self) -> Vec<String> {
        self.table.listing().lines().map(str::to_owned).collect()
    }

    /// How the table has changed since this was last asked, and by how many requests.
    pub(super) fn changed(&mut self) -> (Vec<String>, usize) {
        let now: BTreeSet<String> = self.table().into_iter().collect();
        let gone = self.listed.difference(&now).map(|line| format!("- {line}"));
        let new = now.difference(&self.listed).map(|line| format!("+ {line}"));
        let changes = gone.chain(new).collect();
        self.listed = now;
        (changes, self.requests())
    }
}

fn is_notice(told: &str) -> bool {
    ["fifo: ", "script: ", "mail: "].iter().any(|word| told.starts_with(word))
}

/// A notice with what it is in front; a line as it is.
pub(super) fn text(told: Told) -> String {
    match told {
        Told::Line(text) => text,
        Told::Script(object, hook, script) => {
            format!("script: {hook} of {object}: {}", script.argv.join(" "))
        }
        Told::Fifo(line) => format!("fifo: {line}"),
        Told::Trap(trap) => format!("trap: {trap:?}"),
        Told::Mail(subject, body) => format!("mail: {subject}: {body}"),
    }
}

/// A table that can be told to refuse, and says how much of each batch it refused.
#[derive(Clone, Default)]
pub(super) struct Witness {
    pub(super) table: Table,
    /// Of each of the next batches, how many of its first requests are refused.
    pub(super) plan: Rc<RefCell<VecDeque<usize>>>,
    /// Of each batch so far.
    pub(super) refused: Rc<RefCell<Vec<usize>>>,
}

impl Kernel for Witness {
    fn apply(&mut self, batch: &Batch) -> Vec<Failure> {
        let refusals = self.plan.borrow_mut().pop_front().unwrap_or(0).min(batch.len());
        self.table.refuse(refusals, Errno::ENOMEM);
        let failures = self.table.apply(batch);
        let refused = failures.iter().filter(|failure| !failure.is_tolerated()).count();
        self.refused.borrow_mut().push(refused);
        failures
    }

    fn timeouts(&mut self) -> std::io::Result<Timeouts> {
        self.table.timeouts()
    }
}
