//! The virtual LAN: routers, a queue of things to come, and links that misbehave.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, SystemTime};

use scheduler::Time;
use vrrp::action::{Action, NotifyEvent, Subject};
use vrrp::config::{Family, Settings};
use vrrp::packet::{
    AddressSet, AdvertSpec, ChecksumForm, ChecksumPolicy, Expect, HmacCheck, Packet, Rejected,
    Sequence, Stamp, Stamps, Template, validate,
};
use vrrp::router::{Heard, Router, Status, TrackerKind};
use vrrp::state::State;

use crate::random::Random;

/// How the network misbehaves.
#[derive(Clone, Copy)]
pub struct Weather {
    pub loss_percent: u64,
    pub duplicate_percent: u64,
    pub max_delay: Duration,
}

/// One router of the LAN.
pub struct Node {
    pub settings: Settings,
    pub router: Option<Router>,
    pub source: IpAddr,
    pub link: bool,
    pub script: Status,
    pub file: i64,
    /// The settings before any operator edited them.
    pub planned: Settings,
    /// When the startup delay ends.
    delayed_until: Time,
    /// A reload changed the sync group, so that its members may differ for a while.
    regrouped: bool,
    /// What was told last of each instance and of the group.
    told: BTreeMap<Told, NotifyEvent>,
    /// A stopped process: packets wait, nothing runs.
    pub frozen_until: Option<Time>,
    inbox: VecDeque<Rc<Frame>>,
    /// Instances whose addresses the kernel holds.
    pub holds: BTreeSet<usize>,
    templates: Vec<Template>,
    addresses: Vec<AddressSet>,
    /// Of authentication headers, by VRID.
    sequences: [Sequence; 256],
    /// Of authentication trailers, by VRID.
    stamps: BTreeMap<u8, Stamps>,
    /// When each instance last accepted an advert that was not a resignation.
    last_accepted: Vec<Time>,
    resigned: Vec<bool>,
}

/// An instance, by position, or the group.
type Told = Option<usize>;

pub struct Frame {
    from: usize,
    bytes: Vec<u8>,
}

enum Happening {
    Deliver(usize, Rc<Frame>),
    Step(usize),
}

/// What the scenario plans: called when its time comes.
pub type Step = Box<dyn Fn(&mut Lan)>;

pub struct Lan {
    pub now: Time,
    pub nodes: Vec<Node>,
    pub weather: Weather,
    pub random: Random,
    /// `reach[a][b]`: what `a` sends arrives at `b`.
    pub reach: Vec<Vec<bool>>,
    /// Adverts of this VRID from this router are lost.
    pub muted: BTreeSet<(usize, u8)>,
    pub takeovers: u64,
    pub trace: bool,
    pub broken: Option<String>,
    queue: BinaryHeap<Reverse<(Time, u64, usize)>>,
    happenings: Vec<Option<Happening>>,
    steps: Vec<Option<Step>>,
    serial: u64,
    actions: Vec<Action>,
    /// The actions are those of a start or a reload.
    at_once: bool,
}

impl Lan {
    pub fn new(nodes: Vec<Node>, weather: Weather, random: Random, trace: bool) -> Self {
        let count = nodes.len();
        Lan {
            now: Time::from_nanos(1_000_000_000),
            nodes,
            weather,
            random,
            reach: vec![vec![true; count]; count],
            muted: BTreeSet::new(),
            takeovers: 0,
            trace,
            broken: None,
            queue: BinaryHeap::new(),
            happenings: Vec::new(),
            steps: Vec::new(),
            serial: 0,
            actions: Vec::new(),
            at_once: false,
        }
    }

    pub fn at(&mut self, when: Time, step: Step) {
        self.steps.push(Some(step));
        self.push(when, Happening::Step(self.steps.len() - 1));
    }

    fn push(&mut self, when: Time, what: Happening) {
        self.happenings.push(Some(what));
        self.serial += 1;
        self.queue.push(Reverse((when, self.serial, self.happenings.len() - 1)));
    }

    /// Runs until `end`; after each event the invariants that always hold are checked.
    pub fn run_until(&mut self, end: Time) -> Result<(), String> {
        loop {
            let event = self.queue.peek().map_or(Time::NEVER, |Reverse((t, ..))| *t);
            let (timer, node) = self.next_timer();
            let next = event.min(timer);
            if next > end {
                self.now = end;
                return Ok(());
            }
            self.now = self.now.max(next);
            // A socket is read before a deadline of the same moment is believed.
            if event <= timer {
                let Some(Reverse((_, _, index))) = self.queue.pop() else { continue };
                match self.happenings[index].take() {
                    Some(Happening::Deliver(to, frame)) => self.deliver(to, &frame),
                    Some(Happening::Step(s)) => {
                        if let Some(step) = self.steps[s].take() {
                            step(self);
                        }
                    }
                    None => {}
                }
            } else {
                self.run_router(node, |router, now, out| router.expire(now, out));
            }
            if let Some(why) = self.broken.take() {
                return Err(format!("{why} at {:?}", self.now));
            }
        }
    }

    fn next_timer(&self) -> (Time, usize) {
        self.nodes
            .iter()
            .enumerate()
            .filter_map(|(n, node)| {
                let deadline = node.router.as_ref()?.next_deadline();
                Some((node.frozen_until.map_or(deadline, |f| deadline.max(f)), n))
            })
            .min()
            .unwrap_or((Time::NEVER, 0))
    }

    pub fn note(&self, text: impl FnOnce() -> String) {
        if self.trace {
            println!("{:?} {}", self.now, text());
        }
    }

    // ----- what scenarios do to routers -----

    /// Starts the router unless it runs.
    pub fn start(&mut self, n: usize) {
        if self.nodes[n].router.is_some() {
            return;
        }
        self.note(|| format!("router {n} starts"));
        let node = &mut self.nodes[n];
        let mut router = Router::new(node.settings.clone());
        tell_router(&mut router, node, self.now);
        node.router = Some(router);
        node.sequences = [Sequence::default(); 256];
        node.stamps.clear();
        node.rebuild();
        node.told.clear();
        node.regrouped = false;
        node.delayed_until = self.now + node.settings.globals.startup_delay;
        self.run_at_once(n, |router, now, out| router.start(now, out));
    }

    /// The machine dies: nothing is sent, its addresses are gone with it.
    pub fn crash(&mut self, n: usize) {
        self.note(|| format!("router {n} crashes"));
        let node = &mut self.nodes[n];
        node.router = None;
        node.holds.clear();
        node.inbox.clear();
        node.frozen_until = None;
    }

    pub fn stop(&mut self, n: usize) {
        self.note(|| format!("router {n} stops"));
        self.run_router(n, |router, now, out| router.shutdown(now, false, out));
        self.crash(n);
    }

    /// Adverts of `vrid` from router `n` are lost until the network heals.
    pub fn mute(&mut self, n: usize, vrid: u8) {
        self.note(|| format!("router {n} is not heard for VRID {vrid}"));
        self.muted.insert((n, vrid));
    }

    pub fn freeze(&mut self, n: usize, until: Time) {
        self.note(|| format!("router {n} is frozen until {until:?}"));
        self.nodes[n].frozen_until = Some(until);
        self.at(until, Box::new(move |lan| lan.thaw(n, until)));
    }

    fn thaw(&mut self, n: usize, until: Time) {
        if self.nodes[n].frozen_until != Some(until) {
            return;
        }
        self.nodes[n].frozen_until = None;
        while let Some(frame) = self.nodes[n].inbox.pop_front() {
            self.receive(n, &frame);
        }
    }

    pub fn set_link(&mut self, n: usize, up: bool) {
        self.note(|| format!("router {n} link {}", if up { "up" } else { "down" }));
        self.nodes[n].link = up;
        self.set_tracker(
            n,
            TrackerKind::Interface,
            "eth0",
            if up { Status::Up } else { Status::Down },
        );
    }

    pub fn set_script(&mut self, n: usize, status: Status) {
        self.note(|| format!("router {n} script {status:?}"));
        self.nodes[n].script = status;
        self.set_tracker(n, TrackerKind::Script, "check", status);
    }

    pub fn set_file(&mut self, n: usize, value: i64) {
        self.note(|| format!("router {n} file {value}"));
        self.nodes[n].file = value;
        self.set_tracker(n, TrackerKind::File, "file", Status::Value(value));
    }

    fn set_tracker(&mut self, n: usize, kind: TrackerKind, name: &'static str, status: Status) {
        self.run_router(n, move |router, now, out| {
            if let Some(t) = router.tracker(kind, name) {
                router.set_tracker(now, t, status, out);
            }
        });
    }

    /// SIGHUP. An unchanged configuration must cause no action and move no deadline.
    pub fn reload(&mut self, n: usize, settings: Settings) {
        let unchanged = settings == self.nodes[n].settings;
        self.note(|| {
            format!("router {n} reloads, {}", if unchanged { "unchanged" } else { "changed" })
        });
        self.nodes[n].regrouped |= grouped(&settings) != grouped(&self.nodes[n].settings);
        if settings.groups.is_empty() {
            self.nodes[n].told.remove(&None);
        }
        let Some(mut router) = self.nodes[n].router.take() else {
            self.nodes[n].settings = settings;
            return;
        };
        let before: Vec<Time> = router.instances().iter().map(|i| i.deadline()).collect();
        let mut out = Vec::new();
        router.retire(&settings, &mut out);
        // What is removed is reported as FAULT, even if it was.
        let told = self.nodes[n].told.clone();
        self.nodes[n].told.clear();
        self.perform(n, &out);
        self.nodes[n].told = told;
        self.nodes[n].settings = settings.clone();
        let map = router.adopt(settings);
        self.nodes[n].renumber(&map);
        let retired = !out.is_empty();
        out.clear();
        tell_router(&mut router, &self.nodes[n], self.now);
        router.resume(self.now, &map, &mut out);
        if unchanged {
            let after: Vec<Time> = router.instances().iter().map(|i| i.deadline()).collect();
            if retired || !out.is_empty() || before != after {
                self.broken = Some(format!("router {n}: a reload without change did {out:?}"));
            }
        }
        self.nodes[n].router = Some(router);
        self.nodes[n].rebuild();
        self.run_at_once(n, move |_, _, actions| *actions = out);
    }

    // ----- packets -----

    fn send(&mut self, from: usize, instance: usize, priority: u8) {
        let vrid = self.nodes[from].settings.instances[instance].vrid;
        if !self.nodes[from].link || self.muted.contains(&(from, vrid)) {
            return;
        }
        let node = &mut self.nodes[from];
        let sequence = &mut node.sequences[usize::from(vrid)];
        sequence.advance();
        let template = &mut node.templates[instance];
        template.set_priority(priority);
        template.sign(*sequence);
        if let Some(hmac) = &node.settings.instances[instance].hmac
            && let Some(key) = hmac.signing_key()
        {
            let stamps = node.stamps.entry(vrid).or_default();
            template.sign_trailer(key, stamps.next(clock(self.now, node.source), hmac.anti_replay));
        }
        let frame = Rc::new(Frame { from, bytes: template.bytes().to_vec() });
        for to in 0..self.nodes.len() {
            if to == from || !self.reach[from][to] {
                continue;
            }
            let copies = 1 + u64::from(self.random.chance(self.weather.duplicate_percent));
            for _ in 0..copies {
                if self.random.chance(self.weather.loss_percent) {
                    continue;
                }
                let delay = self.random.below(self.weather.max_delay.as_nanos() as u64);
                let when = self.now + Duration::from_nanos(delay + 1);
                self.push(when, Happening::Deliver(to, Rc::clone(&frame)));
            }
        }
    }

    /// Bytes nobody meant as an advert.
    pub fn garbage(&mut self, to: usize) {
        let length = self.random.below(120) as usize;
        let mut bytes: Vec<u8> = (0..length).map(|_| self.random.next() as u8).collect();
        if self.random.chance(50) && bytes.len() > 24 {
            // Near enough to an IPv4 advert to reach the later checks.
            bytes[0] = 0x45;
            bytes[8] = 255;
            bytes[9] = 112;
            bytes[20] = if self.random.chance(50) { 0x31 } else { 0x21 };
        }
        let frame = Rc::new(Frame { from: (to + 1) % self.nodes.len(), bytes });
        self.push(self.now, Happening::Deliver(to, frame));
    }

    fn deliver(&mut self, to: usize, frame: &Rc<Frame>) {
        let node = &mut self.nodes[to];
        if !node.link || node.router.is_none() {
            return;
        }
        if node.frozen_until.is_some() {
            if node.inbox.len() < 1000 {
                node.inbox.push_back(Rc::clone(frame));
            }
            return;
        }
        self.receive(to, frame);
    }

    fn receive(&mut self, to: usize, frame: &Frame) {
        let from = self.nodes[frame.from].source;
        let node = &mut self.nodes[to];
        let Some(router) = &node.router else { return };
        let packet = match from {
            IpAddr::V4(_) => Packet::ipv4(&frame.bytes),
            IpAddr::V6(source) => {
                let group = vrrp::config::Globals::default().mcast_group6;
                Packet::ipv6(&frame.bytes, source, group, 255)
            }
        };
        let Ok(packet) = packet else { return };
        let Some(i) = router.instances().iter().position(|x| x.settings.vrid == packet.vrid())
        else {
            return;
        };
        let settings = Rc::clone(&router.instances()[i].settings);
        let stamps = node.stamps.entry(settings.vrid).or_default();
        let now = clock(self.now, node.source);
        let hmac = settings.hmac.as_deref();
        let expect = Expect {
            hmac: hmac.map(|settings| HmacCheck { settings, stamps, now }),
            version: settings.version,
            interval: settings.advert_interval,
            authentication: settings.authentication,
            sequence: node.sequences[usize::from(settings.vrid)],
            peers: &[],
            check_source: false,
            addresses: &node.addresses[i],
            skip_addresses_of: None,
            checksum: ChecksumPolicy::Standard,
            ignore_adverts: false,
        };
        let verdict = validate(&packet, &expect);
        if let Some(stamp) = verdict.stamp() {
            stamps.heard(from, stamp, Stamps::most_senders(0));
        }
        if let Some(sequence) = verdict.sequence() {
            node.sequences[usize::from(settings.vrid)].heard(sequence);
        }
        if let Err(Rejected::AhReplay { source, .. }) = verdict.outcome
            && router.instances()[i].state() == State::Master
        {
            node.sequences[usize::from(settings.vrid)].refused(node.source, source);
        }
        let Ok(accepted) = verdict.outcome else { return };
        let heard = Heard {
            source: accepted.source,
            priority: accepted.priority,
            interval: accepted.interval,
        };
        if accepted.priority == 0 {
            node.resigned[i] = true;
        } else if heard.priority >= router.instances()[i].effective_priority() || settings.nopreempt
        {
            node.last_accepted[i] = self.now;
            node.resigned[i] = false;
        }
        self.run_router(to, move |router, now, out| router.advert_received(now, i, &heard, out));
    }

    // ----- executing actions and watching the invariants -----

    /// As [`Lan::run_router`], for a start or a reload: what is told is in the order of its ranks.
    fn run_at_once(&mut self, n: usize, act: impl FnOnce(&mut Router, Time, &mut Vec<Action>)) {
        self.at_once = true;
        self.run_router(n, act);
        self.at_once = false;
        let Some(router) = &self.nodes[n].router else { return };
        let places: Vec<_> = self.actions.iter().filter_map(|a| place(router, a)).collect();
        if !places.is_sorted() {
            self.broken = Some(format!("router {n} tells in the order {places:?}"));
        }
    }

    fn run_router(&mut self, n: usize, act: impl FnOnce(&mut Router, Time, &mut Vec<Action>)) {
        let mut actions = std::mem::take(&mut self.actions);
        actions.clear();
        let Some(router) = &mut self.nodes[n].router else { return };
        let before: Vec<State> = router.instances().iter().map(|i| i.state()).collect();
        act(router, self.now, &mut actions);
        let after: Vec<State> = router.instances().iter().map(|i| i.state()).collect();
        self.perform(n, &actions);
        self.actions = actions;
        self.watch(n, &before, &after);
    }

    fn perform(&mut self, n: usize, actions: &[Action]) {
        for action in actions {
            match action {
                Action::Advert { instance, priority } => {
                    if self.now < self.nodes[n].delayed_until {
                        self.broken = Some(format!("router {n} advertises during its delay"));
                    }
                    self.send(n, *instance, *priority);
                }
                Action::Addresses { instance, present } => {
                    if *present {
                        self.nodes[n].holds.insert(*instance);
                    } else {
                        self.nodes[n].holds.remove(instance);
                    }
                }
                Action::Notify { subject, event, .. } => self.notified(n, *subject, *event),
                Action::Log { text, .. } => self.note(|| format!("router {n}: {text}")),
                _ => {}
            }
        }
    }

    fn notified(&mut self, n: usize, subject: Subject, event: NotifyEvent) {
        if let (Subject::Group(g), false) = (subject, self.at_once)
            && let Some(router) = &self.nodes[n].router
        {
            let told = |m: &usize| self.nodes[n].told.get(&Some(*m));
            let mut members = router.groups()[g].settings.members.iter();
            if event != NotifyEvent::Stop && members.any(|m| told(m).is_some_and(|e| *e != event)) {
                self.broken = Some(format!("router {n}: its group is told of before its members"));
            }
        }
        if matches!(event, NotifyEvent::Master) && matches!(subject, Subject::Instance(_)) {
            self.takeovers += 1;
        }
        self.note(|| format!("router {n}: notify {subject:?} {event:?}"));
        if matches!(event, NotifyEvent::Master | NotifyEvent::Backup | NotifyEvent::Fault) {
            let whom = match subject {
                Subject::Instance(i) => Some(i),
                Subject::Group(_) => None,
            };
            if self.nodes[n].told.insert(whom, event) == Some(event) {
                self.broken = Some(format!("router {n}: {subject:?} told twice of {event:?}"));
            }
        }
    }

    fn watch(&mut self, n: usize, before: &[State], after: &[State]) {
        let node = &self.nodes[n];
        let Some(router) = &node.router else { return };
        let mut wrong = node
            .holds
            .contains(&usize::MAX)
            .then(|| format!("router {n} holds addresses of an instance that is gone"));
        for (i, inst) in router.instances().iter().enumerate() {
            if (inst.state() == State::Master) != node.holds.contains(&i) {
                wrong = Some(format!(
                    "router {n} instance {i} is {} but holds its addresses or lacks them",
                    inst.state()
                ));
            }
            if let Some(g) = inst.group() {
                let group = &router.groups()[g];
                let state = |m: &usize| router.instances()[*m].state();
                let joining = node.regrouped
                    && group.state() == State::Master
                    && group.settings.members.iter().all(|m| state(m) != State::Fault);
                if !joining && group.settings.members.iter().any(|m| state(m) != inst.state()) {
                    wrong = Some(format!("router {n}: members of a sync group differ"));
                }
                if let Some(why) = untold(group.state(), node.told.get(&None)) {
                    wrong = Some(format!("router {n}: its group {why}"));
                }
            }
            if let Some(why) = untold(inst.state(), node.told.get(&Some(i))) {
                wrong = Some(format!("router {n}: instance {i} {why}"));
            }
            let rose = before.get(i) == Some(&State::Backup) && after[i] == State::Master;
            let least = inst.settings.advert_interval * u32::from(inst.settings.down_timer_adverts);
            // A group takes over only when every member heard nothing for long enough.
            // A member that a reload added follows alone.
            let group = inst.group().filter(|_| !node.regrouped);
            let group = group.map(|g| &router.groups()[g].settings.members);
            for &m in group.unwrap_or(&vec![i]) {
                let silence = self.now.since(node.last_accepted[m]);
                if rose && !inst.is_owner() && !node.resigned[m] && silence < least {
                    wrong = Some(format!(
                        "router {n} instance {i} took over after only {silence:?} of silence for {m}"
                    ));
                }
            }
        }
        if wrong.is_some() {
            self.broken = wrong;
        }
    }

    /// Masters of the instance with `vrid`, among routers in `members`.
    pub fn masters(&self, vrid: u8, members: &[usize]) -> Vec<usize> {
        members
            .iter()
            .copied()
            .filter(|&n| {
                self.nodes[n].router.as_ref().is_some_and(|r| {
                    r.instances()
                        .iter()
                        .any(|i| i.settings.vrid == vrid && i.state() == State::Master)
                })
            })
            .collect()
    }

    /// Whether any of `members` could be MASTER of `vrid`.
    pub fn can_serve(&self, vrid: u8, members: &[usize]) -> bool {
        members.iter().any(|&n| {
            self.nodes[n].router.as_ref().is_some_and(|r| {
                r.instances().iter().any(|i| i.settings.vrid == vrid && i.state() != State::Fault)
            })
        })
    }
}

/// The VRIDs of each group's members: positions mean others when a reload takes instances away.
fn grouped(settings: &Settings) -> Vec<Vec<u8>> {
    let vrid = |m: &usize| settings.instances[*m].vrid;
    settings.groups.iter().map(|g| g.members.iter().map(vrid).collect()).collect()
}

/// Rank and position of what a start or a reload tells: instances in FAULT, groups, instances in other
/// states, groups that have become MASTER.
fn place(router: &Router, action: &Action) -> Option<(u8, usize)> {
    match *action {
        Action::Notify {
            event: NotifyEvent::MasterPriority | NotifyEvent::BackupPriority, ..
        } => None,
        Action::Notify { subject: Subject::Instance(i), .. } => {
            let faulty = router.instances()[i].state() == State::Fault;
            Some((if faulty { 0 } else { 2 }, i))
        }
        Action::Notify { subject: Subject::Group(g), event, .. } => {
            Some((if event == NotifyEvent::Master { 3 } else { 1 }, g))
        }
        _ => None,
    }
}

/// Nobody has to be told of INIT, of an owner that is about to begin, or of waiting for a script.
fn untold(state: State, told: Option<&NotifyEvent>) -> Option<String> {
    let fits = match (state, told) {
        (_, None) => state != State::Master,
        (State::Init, Some(_)) => true,
        (State::Backup, Some(event)) => *event == NotifyEvent::Backup,
        (State::Master, Some(event)) => *event == NotifyEvent::Master,
        (State::Fault, Some(event)) => *event == NotifyEvent::Fault,
    };
    (!fits).then(|| format!("is {state} but {told:?} was told last"))
}

/// What a router's clock says: they differ by up to three seconds.
fn clock(now: Time, source: IpAddr) -> Stamp {
    let apart = match source {
        IpAddr::V4(address) => address.octets()[3],
        IpAddr::V6(address) => address.octets()[15],
    };
    let since = Duration::from_nanos(now.as_nanos()) + Duration::from_secs(u64::from(apart % 4));
    Stamp::of(SystemTime::UNIX_EPOCH + since)
}

fn tell_router(router: &mut Router, node: &Node, now: Time) {
    for i in 0..router.instances().len() {
        router.instance_mut(i).source = Some(node.source);
    }
    let mut ignored = Vec::new();
    let link = if node.link { Status::Up } else { Status::Down };
    for (kind, name, status) in [
        (TrackerKind::Interface, "eth0", link),
        (TrackerKind::Script, "check", node.script),
        (TrackerKind::File, "file", Status::Value(node.file)),
    ] {
        if let Some(t) = router.tracker(kind, name)
            && router.trackers()[t].status() != status
        {
            router.set_tracker(now, t, status, &mut ignored);
        }
    }
}

impl Node {
    pub fn new(settings: Settings, source: IpAddr) -> Self {
        Node {
            planned: settings.clone(),
            settings,
            file: 0,
            delayed_until: Time::ZERO,
            regrouped: false,
            told: BTreeMap::new(),
            router: None,
            source,
            link: true,
            script: Status::Up,
            frozen_until: None,
            inbox: VecDeque::new(),
            holds: BTreeSet::new(),
            templates: Vec::new(),
            addresses: Vec::new(),
            sequences: [Sequence::default(); 256],
            stamps: BTreeMap::new(),
            last_accepted: Vec::new(),
            resigned: Vec::new(),
        }
    }

    /// What is known of instances by position, after a reload: their old positions, none if new.
    fn renumber(&mut self, map: &[Option<usize>]) {
        let heard = |o: &Option<usize>| o.map_or(Time::ZERO, |o| self.last_accepted[o]);
        self.last_accepted = map.iter().map(heard).collect();
        self.resigned = map.iter().map(|o| o.is_some_and(|o| self.resigned[o])).collect();
        let moved: BTreeMap<usize, usize> =
            map.iter().enumerate().filter_map(|(new, old)| Some(((*old)?, new))).collect();
        // What nobody holds any more must have been let go; a position that is gone shows it.
        self.holds = self.holds.iter().map(|o| *moved.get(o).unwrap_or(&usize::MAX)).collect();
        let told = std::mem::take(&mut self.told).into_iter();
        self.told = told
            .filter_map(|(whom, event)| match whom {
                None => Some((None, event)),
                Some(old) => moved.get(&old).map(|new| (Some(*new), event)),
            })
            .collect();
    }

    /// What is derived from the settings.
    fn rebuild(&mut self) {
        let count = self.settings.instances.len();
        self.last_accepted.resize(count, Time::ZERO);
        self.resigned.resize(count, false);
        self.templates.clear();
        self.addresses.clear();
        for s in &self.settings.instances {
            let addresses: Vec<IpAddr> = s.addresses.iter().map(|a| a.ip).collect();
            let spec = AdvertSpec {
                version: s.version,
                vrid: s.vrid,
                priority: s.priority,
                interval: s.advert_interval,
                addresses: &addresses,
                authentication: s.authentication,
                sequence: Sequence::default(),
                trailer: s.hmac.is_some(),
                source: self.source,
                destination: s.group_address,
                checksum: ChecksumForm::Destination,
                id: 1,
                ttl: 255,
            };
            self.templates.push(Template::new(&spec).expect("the scenario's adverts can be built"));
            let family = if self.source.is_ipv4() { Family::V4 } else { Family::V6 };
            self.addresses.push(AddressSet::new(family, addresses.iter().copied()));
        }
    }
}
