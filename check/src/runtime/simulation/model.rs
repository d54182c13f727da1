//! What virtual servers should be like, by the simplest means (spec checkers-behaviour §2 to §7,
//! ipvs §3 to §7).

use std::collections::BTreeSet;
use std::time::Duration;

use scheduler::Time;

use super::plan::{Ck, Head, KINDS, METHODS, Plan, Rs, Vs};

/// From its start to the first check of a checker, before the random part.
const FIRST: Duration = Duration::from_secs(1);

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Good,
    Bad,
    /// No attempt could be made.
    NotMade,
    /// The script ended with this status.
    Status(i32),
    /// The script had to be ended.
    Late,
}

pub(super) struct Model {
    pub(super) plan: Plan,
    pub(super) services: Vec<Service>,
}

pub(super) struct Service {
    pub(super) vs: Vs,
    pub(super) name: String,
    pub(super) reals: Vec<Real>,
    pub(super) quorum: bool,
    /// The sorry server was told to stand in.
    pub(super) serves: bool,
}

pub(super) struct Real {
    pub(super) rs: Rs,
    pub(super) name: String,
    pub(super) port: u16,
    pub(super) alive: bool,
    was_alive: bool,
    pub(super) checkers: Vec<Checker>,
}

pub(super) struct Checker {
    pub(super) ck: Ck,
    pub(super) up: bool,
    has_run: bool,
    failures: u32,
    /// The weight a script has chosen.
    weight: Option<u32>,
    /// When the attempt that is going on began.
    pub(super) running: Option<Time>,
    /// Its next attempt begins between these.
    pub(super) due: (Time, Time),
}

/// Where a checker is: its virtual server, its real server, its place there.
pub(super) type Place = (usize, usize, usize);

impl Checker {
    fn new(ck: &Ck, now: Time) -> Checker {
        let mut checker = Checker {
            ck: ck.clone(),
            up: !ck.alpha,
            has_run: false,
            failures: 0,
            weight: None,
            running: None,
            due: (now, now),
        };
        checker.restart(now);
        checker
    }

    fn restart(&mut self, now: Time) {
        let first = now + FIRST;
        self.due = (first, first + Duration::from_secs(self.ck.warmup));
    }
}

impl Real {
    fn failed(&self) -> usize {
        self.checkers.iter().filter(|checker| !checker.up).count()
    }

    /// With what its scripts make of it.
    pub(super) fn weight(&self) -> u32 {
        let configured = i64::from(self.rs.weight);
        let chosen = self.checkers.iter().filter_map(|checker| checker.weight);
        let sum = chosen.fold(configured, |sum, chosen| sum + i64::from(chosen) - configured);
        u32::try_from(sum.max(0)).unwrap()
    }
}

impl Service {
    pub(super) fn weight(&self) -> u64 {
        self.reals.iter().filter(|real| real.alive).map(|real| u64::from(real.weight())).sum()
    }

    fn stands_in(&self) -> bool {
        self.vs.sorry.is_some() && !self.quorum
    }

    fn is_twin(&self, real: &Real) -> bool {
        let port = if real.port == 0 { 0 } else { 80 };
        let sorry = self.vs.sorry.as_ref();
        sorry.is_some_and(|sorry| sorry.address == real.rs.address && real.port == port)
    }

    /// The weight of a real server in the table, if it is to be there.
    fn entry(&self, real: &Real, alive: bool) -> Option<u32> {
        match (self.stands_in(), self.is_twin(real)) {
            (true, true) => Some(1),
            (true, false) => real.rs.inhibit.then_some(0),
            (false, _) if alive => Some(real.weight()),
            (false, _) => real.rs.inhibit.then_some(0),
        }
    }

    /// Gains or loses the quorum; what is told of it.
    fn judge(&mut self, reloading: bool) -> Option<String> {
        let (q, h, w) = (u64::from(self.vs.quorum), u64::from(self.vs.hysteresis), self.weight());
        let holds = w > 0 && if self.quorum { w >= q - h } else { w >= q + h };
        let idle = self.vs.sorry.is_some() && !self.serves;
        let told = holds != self.quorum || (reloading && !holds && idle);
        self.quorum = holds;
        if told {
            self.serves = !holds && self.vs.sorry.is_some();
        }
        told.then(|| format!("VS {} {}", self.name, word(holds)))
    }

    fn told(&self, real: &Real, up: bool) -> String {
        format!("RS {} {} {}", real.name, self.name, word(up))
    }
}

fn word(up: bool) -> &'static str {
    if up { "UP" } else { "DOWN" }
}

impl Model {
    pub(super) fn place(&self, label: u32) -> Option<Place> {
        for (s, service) in self.services.iter().enumerate() {
            for (r, real) in service.reals.iter().enumerate() {
                if let Some(c) = real.checkers.iter().position(|c| c.ck.label == label) {
                    return Some((s, r, c));
                }
            }
        }
        None
    }

    pub(super) fn checker(&mut self, (s, r, c): Place) -> &mut Checker {
        &mut self.services[s].reals[r].checkers[c]
    }

    /// An attempt is over; the lines for the FIFOs. `refused` tells whether the kernel refused to
    /// let a real server in or out.
    pub(super) fn ended(&mut self, at: Place, end: End, now: Time, refused: bool) -> Vec<String> {
        let checker = self.checker(at);
        let ck = checker.ck.clone();
        let began = checker.running.take().unwrap();
        let (good, status) = match end {
            End::NotMade => {
                let due = now + Duration::from_secs(ck.delay_loop);
                checker.due = (due, due);
                return Vec::new();
            }
            End::Good => (true, 0),
            End::Status(status) => (status == 0 || (ck.dynamic && status >= 2), status),
            End::Bad | End::Late => (false, 1),
        };
        let quick = KINDS[ck.kind] != "SMTP_CHECK" && !(checker.up && checker.has_run);
        let limit = if quick { 0 } else { ck.retry };
        let mut delay = ck.delay_loop;
        let told = if good {
            checker.failures = 0;
            self.chooses(at, u32::try_from(status - 2).ok(), |m| m.came(at, true, refused))
        } else if checker.failures < limit {
            checker.failures += 1;
            delay = ck.delay_before_retry;
            Vec::new()
        } else {
            if KINDS[ck.kind] == "HTTP_GET" {
                delay = delay.max(ck.delay_before_retry);
            }
            self.came(at, false, refused)
        };
        let delay = Duration::from_secs(delay);
        let due = if ck.is_script() { (began + delay).max(now) } else { now + delay };
        self.checker(at).due = (due, due);
        told
    }

    /// A script chooses a weight, which may change the quorum; then `next`.
    fn chooses(
        &mut self,
        at: Place,
        weight: Option<u32>,
        next: impl FnOnce(&mut Model) -> Vec<String>,
    ) -> Vec<String> {
        self.checker(at).weight = weight;
        let mut told: Vec<_> = self.services[at.0].judge(false).into_iter().collect();
        told.extend(next(self));
        told
    }

    /// A checker has come to a result.
    fn came(&mut self, at: Place, up: bool, refused: bool) -> Vec<String> {
        let service = &mut self.services[at.0];
        let real = &mut service.reals[at.1];
        let failed = real.failed();
        let http = KINDS[real.checkers[at.2].ck.kind] == "HTTP_GET";
        let checker = &mut real.checkers[at.2];
        let (was, first) = (checker.up, !checker.has_run);
        let changes = was != up && failed == usize::from(up);
        if changes && refused {
            return Vec::new();
        }
        checker.up = up;
        checker.has_run = true;
        checker.failures = 0;
        let mut told = Vec::new();
        if changes {
            real.alive = up;
            real.was_alive |= up;
        }
        if changes || (!was && !up && first && !http) {
            let real = &service.reals[at.1];
            told.push(service.told(real, up));
        }
        if !up {
            service.reals[at.1].checkers[at.2].weight = None;
        }
        told.extend(service.judge(false));
        told
    }

    /// Whether the kernel is asked when a real server goes up or down.
    pub(super) fn asks(&self, (s, r, _): Place) -> bool {
        let service = &self.services[s];
        let real = &service.reals[r];
        service.entry(real, true) != service.entry(real, false)
    }

    /// What the table should be like, as `ipvsadm -Sn` prints it.
    pub(super) fn table(&self) -> BTreeSet<String> {
        let mut table = BTreeSet::new();
        for service in &self.services {
            for key in self.keys(&service.vs) {
                table.insert(format!("-A {key} -s {}", service.vs.scheduler));
                let sorry = service.vs.sorry.as_ref();
                let twin = service.reals.iter().any(|real| service.is_twin(real));
                let alone = sorry.filter(|_| !twin).and_then(|sorry| {
                    let weight = if service.stands_in() { 1 } else { 0 };
                    let port = if service.vs.is_marked(&self.plan) { 0 } else { 80 };
                    (weight == 1 || sorry.inhibit).then(|| (sorry.address.clone(), port, weight))
                });
                let reals = service.reals.iter().filter_map(|real| {
                    Some((real.rs.address.clone(), real.port, service.entry(real, real.alive)?))
                });
                for (address, port, weight) in reals.chain(alone) {
                    let method = match METHODS[service.vs.method] {
                        "NAT" => "-m",
                        "DR" => "-g",
                        _ => "-i",
                    };
                    let more = if method == "-i" { " --tun-type ipip" } else { "" };
                    table
                        .insert(format!("-a {key} -r {address}:{port} {method} -w {weight}{more}"));
                }
            }
        }
        table
    }

    fn keys(&self, vs: &Vs) -> Vec<String> {
        match vs.head {
            Head::Address(n) => vec![format!("-t 10.9.0.{n}:80")],
            Head::Mark(n) => vec![format!("-f {n}")],
            Head::Group(n) => {
                let (marks, members) = &self.plan.groups[n];
                let key = |member: &u8| match marks {
                    true => format!("-f {member}"),
                    false => format!("-t 10.9.1.{member}:80"),
                };
                members.iter().map(key).collect()
            }
        }
    }
}

/// What virtual servers are recognised by.
fn identities(plan: &Plan) -> Vec<(Head, usize)> {
    let mut known: Vec<(Head, usize)> = Vec::new();
    for vs in &plan.services {
        let before = known.iter().filter(|(head, _)| *head == vs.head).count();
        known.push((vs.head, before));
    }
    known
}

impl Model {
    /// Whether several virtual servers have services of the kernel in common.
    pub(super) fn shares_marks(&self) -> bool {
        identities(&self.plan).iter().any(|(_, position)| *position > 0)
    }

    /// The model of no configuration.
    pub(super) fn empty() -> Model {
        let plan = Plan::nothing();
        Model { plan, services: Vec::new() }
    }

    /// Takes up a new configuration; the lines for the FIFOs, in any order. `names`: of each virtual
    /// server and its real servers.
    pub(super) fn reload(
        &mut self,
        plan: &Plan,
        names: Vec<(String, Vec<String>)>,
        now: Time,
    ) -> Vec<String> {
        let mut told = Vec::new();
        let before = identities(&self.plan);
        let old = std::mem::take(&mut self.services);
        let mut old: Vec<_> = before.into_iter().zip(old).collect();
        for ((identity, vs), (name, reals)) in
            identities(plan).into_iter().zip(&plan.services).zip(names)
        {
            let known = old.iter().position(|(known, _)| *known == identity);
            let known = known.map(|n| old.remove(n).1);
            let mut service = match known {
                Some(known) => follow(known, vs, name, reals, plan, now, &mut told),
                None => begin(vs, name, reals, plan, now),
            };
            told.extend(service.judge(true));
            self.services.push(service);
        }
        for (_, gone) in old {
            let alive = gone.reals.iter().filter(|real| real.alive);
            told.extend(alive.map(|real| gone.told(real, false)));
            told.extend(gone.quorum.then(|| format!("VS {} DOWN", gone.name)));
        }
        self.plan = plan.clone();
        told
    }
}

fn begin(vs: &Vs, name: String, reals: Vec<String>, plan: &Plan, now: Time) -> Service {
    let reals = vs.reals.iter().zip(reals).map(|(rs, name)| {
        let port = vs.port(rs, plan);
        let checkers = rs.checkers.iter().map(|ck| Checker::new(ck, now)).collect();
        let mut real =
            Real { rs: rs.clone(), name, port, alive: false, was_alive: false, checkers };
        real.alive = real.failed() == 0;
        real.was_alive = real.alive;
        real
    });
    Service { vs: vs.clone(), name, reals: reals.collect(), quorum: false, serves: false }
}

fn follow(
    old: Service,
    vs: &Vs,
    name: String,
    reals: Vec<String>,
    plan: &Plan,
    now: Time,
    told: &mut Vec<String>,
) -> Service {
    let mut new = begin(vs, name, reals, plan, now);
    new.quorum = old.quorum;
    let place = |vs: &Vs| vs.sorry.as_ref().map(|sorry| sorry.address.clone());
    new.serves = old.serves && place(&old.vs) == place(vs);
    let (was, name) = (old.vs, old.name);
    let mut old_reals = old.reals;
    for n in 0..new.reals.len() {
        let real = &mut new.reals[n];
        let same = |old: &Real| (&old.rs.address, old.port) == (&real.rs.address, real.port);
        let Some(place) = old_reals.iter().position(same) else { continue };
        let mut before = old_reals.remove(place);
        let doubtful = before.failed() > 0 || !before.was_alive;
        for checker in &mut real.checkers {
            let same = |old: &Checker| old.ck.label == checker.ck.label;
            match before.checkers.iter().position(same) {
                Some(place) => carry(checker, before.checkers.remove(place)),
                None => checker.up = !(checker.ck.alpha && doubtful),
            }
        }
        real.alive = real.failed() == 0;
        real.was_alive = before.was_alive || real.alive;
        if real.alive != before.alive {
            let real = &new.reals[n];
            told.push(new.told(real, real.alive));
        }
    }
    let gone = Service { vs: was, name, reals: old_reals, quorum: false, serves: false };
    let alive = gone.reals.iter().filter(|real| real.alive);
    told.extend(alive.map(|real| gone.told(real, false)));
    new
}

fn carry(checker: &mut Checker, old: Checker) {
    let times = |ck: &Ck| (ck.delay_loop, ck.delay_before_retry);
    if times(&old.ck) == times(&checker.ck) {
        checker.due = old.due;
    }
    checker.up = old.up;
    checker.has_run = old.has_run;
    checker.failures = old.failures.min(checker.ck.retry);
    checker.weight = old.weight;
    checker.running = old.running;
}
