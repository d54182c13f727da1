//! Load balancing over a simulated day.
//!
//! Each scenario is made from one seed: virtual servers of all kinds, real servers that come and go,
//! answer slowly or not at all, scripts that choose weights, a kernel that refuses, and reloads that
//! change a few things at a time. All of the runtime is the real one but for the attempts of
//! checkers: the simulation answers for the servers. After every event a model that was written from
//! the specification has to agree with it: about every checker, real server and quorum, about every
//! FIFO line, about the kernel's table, and about when each checker runs.
//!
//! - `KA_SIM_COUNT=n` runs n scenarios (default 3).
//! - `KA_SIM_FIRST=n` begins with the seed n.
//! - `KA_SIM_SEED=n` replays one scenario and prints what happens.

mod model;
mod plan;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use config::Random;
use notify::{HasNotify, Notifier};
use scheduler::{Class, Exit, Ready, Scheduler, Time};

use super::stage::{self, Witness};
use super::{Check, HasCheck, reload, start, stop};
use crate::checker::CheckerId;
use crate::checker::attempt::{Outcome, ended};
use crate::settings::{CheckerSettings, Kind, Settings};
use model::{End, Model};
use plan::{Plan, below, chance};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// After what was refused it takes at most this long until the table is as it should be.
const PATIENCE: Duration = Duration::from_secs(25);
/// Between two looks at everything.
const LOOK: Duration = Duration::from_secs(300);

/// How a real server is, and until when.
type Health = (bool, Time);

struct World {
    check: Check,
    notifier: Notifier,
    kernel: Witness,
    random: Random,
    model: Model,
    health: HashMap<String, Health>,
    /// How attempts that are going on will end.
    pending: HashMap<u64, End>,
    /// Until then the table may be other than it should.
    unsettled: Time,
    requests: usize,
    attempts: usize,
    changes: usize,
    loud: bool,
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
        w.began(s.now(), id);
        let latency = match below(&mut w.random, 100) {
            0..90 => w.random.between(1, 2_000),
            90..98 => w.random.between(2_000, 30_000),
            _ => w.random.between(30_000, 300_000),
        };
        s.add_timer_after(Class::Checker, Duration::from_millis(latency), id.arg(), over);
    }
}

/// What the simulation knows a checker by: the port it looks at, or the word for its script.
fn label(settings: &CheckerSettings) -> u32 {
    match (&settings.kind, &settings.connection) {
        (Kind::Misc(misc), _) => misc.script.argv[1].parse().unwrap(),
        (_, Some(connection)) => connection.target.port().into(),
        _ => panic!("a checker without a label"),
    }
}

/// An attempt is over, perhaps of a checker that is no more.
fn over(s: &mut Scheduler<World>, w: &mut World, ready: Ready) {
    let id = CheckerId::from_arg(ready.arg);
    let end = w.pending.remove(&ready.arg).unwrap();
    let now = s.now();
    w.meanwhile(now);
    let settled = now > w.unsettled;
    if settled && chance(&mut w.random, 2) {
        let plan = (0..3).map(|_| below(&mut w.random, 3)).collect();
        *w.kernel.plan.borrow_mut() = plan;
    }
    let known = w.check.checkers.get(id).is_some();
    let outcome = match end {
        End::Good => Outcome::Success,
        End::Bad => Outcome::Failure("it did not answer".into()),
        End::NotMade => Outcome::NotMade("no socket".into()),
        End::Status(status) => Outcome::Exited { exit: Exit::Code(status), timed_out: false },
        End::Late => Outcome::Exited { exit: Exit::Signal(15), timed_out: true },
    };
    ended(s, w, id, outcome);
    w.kernel.plan.borrow_mut().clear();
    let refused = w.refused(now);
    if !known {
        assert!(w.check.told.is_empty() && refused.is_empty(), "an attempt of nobody matters");
        return;
    }
    w.ended(now, id, end, &refused, settled);
}

impl World {
    fn new(seed: u64, loud: bool) -> World {
        let kernel = Witness::default();
        let mut check = stage::check(Box::new(kernel.clone()));
        check.random = Random::seeded(seed);
        World {
            check,
            notifier: Notifier::new(),
            kernel,
            random: Random::seeded(seed),
            model: Model::empty(),
            health: HashMap::new(),
            pending: HashMap::new(),
            unsettled: Time::ZERO,
            requests: 0,
            attempts: 0,
            changes: 0,
            loud,
        }
    }

    fn began(&mut self, now: Time, id: CheckerId) {
        self.attempts += 1;
        let label = label(&self.check.checkers.get(id).unwrap().settings);
        let place =
            self.model.place(label).expect("an attempt of a checker that is not configured");
        let checker = self.model.checker(place);
        assert!(checker.running.is_none(), "{now:?}: checker {label} runs twice");
        let (from, to) = checker.due;
        assert!(from <= now && now <= to, "{now:?}: checker {label} was due {from:?} to {to:?}");
        checker.running = Some(now);
        let ck = checker.ck.clone();
        let server = self.model.services[place.0].reals[place.1].rs.address.clone();
        let end = self.answer(now, &server, ck.is_script(), ck.dynamic);
        let before = self.pending.insert(id.arg(), end);
        assert_eq!(before, None, "one attempt at a time");
    }

    /// How a server answers an attempt that begins now.
    fn answer(&mut self, now: Time, server: &str, script: bool, dynamic: bool) -> End {
        let random = &mut self.random;
        let health = self.health.entry(server.to_owned()).or_insert((true, Time::ZERO));
        if now >= health.1 {
            let good = chance(random, 70);
            let minutes = random.between(3, if good { 120 } else { 30 });
            *health = (good, now + Duration::from_secs(60 * minutes));
        }
        let good = health.0 != chance(random, 3);
        match (script, good) {
            (false, _) if chance(random, 1) => End::NotMade,
            (false, true) => End::Good,
            (false, false) => End::Bad,
            (true, true) if dynamic && chance(random, 30) => {
                End::Status(random.between(2, 12) as i32)
            }
            (true, true) => End::Status(0),
            (true, false) if chance(random, 20) => End::Late,
            (true, false) => End::Status(1),
        }
    }

    fn ended(&mut self, now: Time, id: CheckerId, end: End, refused: &[usize], settled: bool) {
        let label = label(&self.check.checkers.get(id).unwrap().settings);
        let place = self.model.place(label).unwrap();
        let denied = match settled {
            true => refused.first().is_some_and(|count| *count > 0) && self.model.asks(place),
            // What the kernel had to be asked for depends on what it refused before.
            false => {
                let up = self.check.checkers.get(id).unwrap().verdict.up;
                refused.iter().any(|count| *count > 0) && up == self.model.checker(place).up
            }
        };
        let expected = self.model.ended(place, end, now, denied);
        let told = self.told();
        if self.loud && !(told.is_empty() && expected.is_empty()) {
            println!("{now:?} {label} {end:?} {refused:?} {told:?}");
        }
        let fifos: Vec<_> = told.iter().filter_map(|told| told.strip_prefix("fifo: ")).collect();
        assert_eq!(fifos, expected, "{now:?}: {label} {end:?} {refused:?} {told:#?}");
        self.changes += expected.len();
        let requests = self.kernel.table.requests();
        if !told.is_empty() || requests != self.requests {
            self.requests = requests;
            self.compare(now);
        } else {
            self.compare_service(now, place.0);
        }
    }

    /// Of each batch, how much the kernel refused of it.
    fn refused(&mut self, now: Time) -> Vec<usize> {
        let refused = std::mem::take(&mut *self.kernel.refused.borrow_mut());
        if refused.iter().any(|count| *count > 0) {
            self.unsettled = now + PATIENCE;
        }
        refused
    }

    /// Between two events the runtime may ask the kernel again, and nothing else.
    fn meanwhile(&mut self, now: Time) {
        self.refused(now);
        let told = self.told();
        assert!(told.iter().all(|line| line.starts_with("IPVS")), "{now:?}: {told:#?}");
    }

    fn told(&mut self) -> Vec<String> {
        std::mem::take(&mut self.check.told).into_iter().map(stage::text).collect()
    }

    fn table(&self) -> BTreeSet<String> {
        self.kernel.table.listing().lines().map(str::to_owned).collect()
    }

    /// Everything has to be as the model has it.
    fn compare(&mut self, now: Time) {
        let count = self.check.services().count();
        assert_eq!(count, self.model.services.len(), "{now:?}: virtual servers");
        for n in 0..count {
            self.compare_service(now, n);
        }
        if now > self.unsettled && self.check.dirty.is_empty() {
            let table = self.table();
            let expected = self.model.table();
            let gone: Vec<_> = expected.difference(&table).collect();
            let more: Vec<_> = table.difference(&expected).collect();
            assert!(gone.is_empty() && more.is_empty(), "{now:?}: lacks {gone:#?} has {more:#?}");
        }
    }

    fn compare_service(&mut self, now: Time, n: usize) {
        let service = self.check.services().nth(n).unwrap();
        let model = &self.model.services[n];
        let name = &model.name;
        assert_eq!(*service.settings.name, **name, "{now:?}: order");
        assert_eq!(service.quorum_up, model.quorum, "{now:?}: quorum of {name}");
        assert_eq!(service.weight, model.weight(), "{now:?}: weight of {name}");
        assert_eq!(service.reals.len(), model.reals.len(), "{now:?}: real servers of {name}");
        for (real, model) in service.reals.iter().zip(&model.reals) {
            let at = format!("{now:?}: {} of {name}", model.name);
            assert_eq!(*real.settings.name, *model.name, "{at}");
            assert_eq!((real.alive, real.weight), (model.alive, model.weight()), "{at}");
            assert_eq!(real.checkers.len(), model.checkers.len(), "{at}");
            for (id, model) in real.checkers.iter().zip(&model.checkers) {
                let checker = self.check.checkers.get(*id).expect("a checker is lost");
                assert_eq!(label(&checker.settings), model.ck.label, "{at}");
                assert_eq!(checker.verdict.up, model.up, "{at}: checker {}", model.ck.label);
            }
        }
    }

    /// No checker may be late, and none may be there that is nobody's.
    fn look(&mut self, now: Time) {
        self.compare(now);
        let mut count = 0;
        for service in &self.model.services {
            for checker in service.reals.iter().flat_map(|real| &real.checkers) {
                count += 1;
                let late = checker.running.is_none() && checker.due.1 < now;
                assert!(!late, "{now:?}: checker {} was due {:?}", checker.ck.label, checker.due);
            }
        }
        assert_eq!(self.check.checkers.iter().count(), count);
    }
}

/// The names of virtual servers and of their real servers.
fn names(settings: &Settings) -> Vec<(String, Vec<String>)> {
    let one = |vs: &crate::settings::VirtualServer| {
        let reals = vs.real_servers.iter().map(|real| real.name.to_string());
        (vs.name.to_string(), reals.collect())
    };
    settings.virtual_servers.iter().map(one).collect()
}

fn settle(s: &mut Scheduler<World>, w: &mut World) {
    while s.next_deadline() <= s.clock() {
        s.turn(w, None).unwrap();
    }
}

/// Takes up `plan`, as a start or as a reload.
fn take_up(s: &mut Scheduler<World>, w: &mut World, plan: &Plan, first: bool, gentle: bool) {
    let now = s.clock();
    w.meanwhile(now);
    let settings = stage::read(&plan.text());
    let names = names(&settings);
    // A new member of a group gets what the others have, and then what changes for all of them.
    // Of several virtual servers of one group, the next takes the place of one that goes.
    let regrouped = w.model.shares_marks() || (!first && w.model.plan.groups != plan.groups);
    let (before, requests) = (w.table(), w.kernel.table.requests());
    if w.loud {
        println!("{now:?} takes up {}", plan.text());
    }
    if gentle && chance(&mut w.random, 30) {
        let refusals = (0..3).map(|_| below(&mut w.random, 4)).collect();
        *w.kernel.plan.borrow_mut() = refusals;
    }
    match first {
        true => start(s, w, settings),
        false => reload(s, w, settings),
    }
    if chance(&mut w.random, 80) {
        settle(s, w);
    }
    let mut expected = w.model.reload(plan, names, now);
    if w.check.steps_waiting() {
        // Before this one is through the same comes once more.
        let settings = stage::read(&plan.text());
        reload(s, w, settings);
        settle(s, w);
    }
    w.kernel.plan.borrow_mut().clear();
    let refused = w.refused(now).iter().any(|count| *count > 0);
    if !refused && now > w.unsettled && !regrouped && !w.model.shares_marks() {
        let changes = before.symmetric_difference(&w.table()).count();
        let asked = w.kernel.table.requests() - requests;
        assert!(asked <= changes, "{now:?}: {asked} requests for {changes} lines");
    }
    let told = w.told();
    let mut fifos: Vec<_> = told.iter().filter_map(|told| told.strip_prefix("fifo: ")).collect();
    fifos.sort_unstable();
    expected.sort_unstable();
    assert_eq!(fifos, expected, "{now:?}: {told:#?}");
    w.look(now);
    w.requests = w.kernel.table.requests();
}

/// One scenario; how many attempts there were and how many changes.
fn run(seed: u64, loud: bool) -> (usize, usize) {
    let mut s = Scheduler::simulated(Time::ZERO);
    let mut w = World::new(seed, loud);
    let mut plan = Plan::new(&mut w.random);
    take_up(&mut s, &mut w, &plan, true, true);
    let mut reload_at = Time::ZERO;
    while s.clock() < Time::ZERO + DAY {
        let until = s.clock() + LOOK;
        while s.next_deadline() <= until {
            s.turn(&mut w, None).unwrap();
        }
        s.advance_to(until);
        w.look(until);
        if until > w.unsettled && until > reload_at {
            reload_at = until + Duration::from_secs(w.random.between(0, 3600));
            take_up(&mut s, &mut w, &plan, false, false);
            let gentle = plan.change(&mut w.random);
            take_up(&mut s, &mut w, &plan, false, gentle);
        }
    }
    stop(&mut s, &mut w, false);
    s.advance(DAY);
    let attempts = w.attempts;
    settle(&mut s, &mut w);
    assert_eq!(w.attempts, attempts, "an attempt after the end");
    assert!(now_empty(&w), "{}", w.kernel.table.listing());
    (w.attempts, w.changes)
}

fn now_empty(w: &World) -> bool {
    w.kernel.table.services().is_empty() && w.check.checkers.iter().count() == 0
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|v| v.parse().ok())
}

#[test]
fn the_model_agrees_all_day() {
    if let Some(seed) = number("KA_SIM_SEED") {
        run(seed, true);
        return;
    }
    let (first, count) = (number("KA_SIM_FIRST").unwrap_or(1), number("KA_SIM_COUNT").unwrap_or(3));
    let (mut attempts, mut changes) = (0, 0);
    for seed in first..first + count {
        let Ok(done) = std::panic::catch_unwind(|| run(seed, false)) else {
            panic!("replay: KA_SIM_SEED={seed} cargo test -p check simulation -- --nocapture");
        };
        attempts += done.0;
        changes += done.1;
    }
    println!("{count} days, {attempts} attempts, {changes} changes, the model agrees");
    assert!(changes as u64 > count * 100, "hardly anything happened: {changes} changes");
}
