//! The machine as traces: at this time that happens, and these are the actions.

mod delay;
mod election;
mod order;
mod owners;
mod reload;
mod words;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use scheduler::Time;

use super::{Heard, Router, Status, TrackerKind};
use crate::action::{Action, NotifyEvent, Subject};
use crate::config::{
    AddressSettings, Family, GroupSettings, InstanceSettings, NotifySettings, Peer, Settings,
    Track, Version, Vmac,
};
use crate::instance::MasterReason;
use crate::state::{Faults, State};

const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 5));
const LOWER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 4));
const HIGHER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 6));

fn instance(priority: u8) -> InstanceSettings {
    let vip = Ipv4Addr::new(10, 0, 0, 100).into();
    InstanceSettings {
        priority,
        wants_master: priority == 255,
        state_master_written: priority == 255,
        addresses: vec![AddressSettings::new(vip, 32, "eth0")],
        ..InstanceSettings::new("VI", "eth0", 51, Version::V3, Family::V4)
    }
}

/// A router under test, its clock and what it asked for last.
struct Bench {
    router: Router,
    now: Time,
    out: Vec<Action>,
}

impl Bench {
    fn with(settings: Settings) -> Self {
        let mut bench =
            Bench { router: Router::new(settings), now: Time::from_nanos(0), out: Vec::new() };
        bench.learn();
        bench
    }

    fn one(settings: InstanceSettings) -> Self {
        Self::with(Settings { instances: vec![settings], ..Settings::default() })
    }

    fn started(settings: InstanceSettings) -> Self {
        let mut bench = Self::one(settings);
        bench.start();
        bench
    }

    fn learn(&mut self) {
        for i in 0..self.router.instances().len() {
            self.router.instance_mut(i).source = Some(OURS);
        }
        self.track(TrackerKind::Interface, "eth0", Status::Up);
    }

    fn start(&mut self) {
        self.out.clear();
        self.router.start(self.now, &mut self.out);
    }

    fn track(&mut self, kind: TrackerKind, name: &str, status: Status) {
        self.out.clear();
        let tracker = self.router.tracker(kind, name).unwrap();
        self.router.set_tracker(self.now, tracker, status, &mut self.out);
    }

    /// Lets time pass, running each deadline at its moment.
    fn pass(&mut self, millis: u64) {
        self.out.clear();
        let end = self.now + Duration::from_millis(millis);
        while self.router.next_deadline() <= end {
            self.now = self.router.next_deadline();
            self.router.expire(self.now, &mut self.out);
        }
        self.now = end;
    }

    fn hear(&mut self, source: IpAddr, priority: u8) {
        self.hear_for(0, source, priority);
    }

    fn hear_for(&mut self, instance: usize, source: IpAddr, priority: u8) {
        self.out.clear();
        let heard = Heard { source, priority, interval: Duration::from_secs(1) };
        self.router.advert_received(self.now, instance, &heard, &mut self.out);
    }

    /// SIGHUP; `learn` tells what is known of sources and new trackers in between.
    fn reload_learning(&mut self, settings: Settings, learn: impl FnOnce(&mut Bench)) {
        self.out.clear();
        self.router.retire(&settings, &mut self.out);
        let mut out = std::mem::take(&mut self.out);
        let map = self.router.adopt(settings);
        self.learn();
        learn(self);
        self.router.resume(self.now, &map, &mut out);
        self.out = out;
    }

    fn reload(&mut self, settings: Settings) {
        self.reload_learning(settings, |_| {});
    }

    fn all_states(&self) -> Vec<State> {
        self.router.instances().iter().map(|i| i.state()).collect()
    }

    fn state(&self) -> State {
        self.router.instances()[0].state()
    }

    /// Priorities of the adverts asked for.
    fn adverts(&self) -> Vec<u8> {
        self.out
            .iter()
            .filter_map(|a| match a {
                Action::Advert { priority, .. } => Some(*priority),
                _ => None,
            })
            .collect()
    }

    fn events(&self) -> Vec<(Subject, NotifyEvent)> {
        self.out
            .iter()
            .filter_map(|a| match a {
                Action::Notify { subject, event, .. } => Some((*subject, *event)),
                _ => None,
            })
            .collect()
    }

    fn logged(&self, part: &str) -> bool {
        self.out.iter().any(|a| matches!(a, Action::Log { text, .. } if text.contains(part)))
    }

    fn become_master(mut self) -> Self {
        self.pass(4000);
        assert_eq!(self.state(), State::Master);
        self
    }
}

#[test]
fn a_backup_waits_three_intervals_and_its_skew() {
    let mut b = Bench::started(instance(100));
    // 3 s + (256 - 100) / 256 s (RFC 9568 §6.1).
    let bound = Duration::from_nanos(3_609_375_000);
    assert_eq!(b.router.next_deadline(), Time::ZERO + bound);
    b.pass(3609);
    assert_eq!(b.state(), State::Backup);
    b.pass(1);
    assert_eq!(b.state(), State::Master);
}

#[test]
fn version_2_skews_by_parts_of_a_second_whatever_the_interval() {
    let settings = InstanceSettings {
        version: Version::V2,
        advert_interval: Duration::from_secs(10),
        ..instance(128)
    };
    let b = Bench::started(settings);
    assert_eq!(b.router.next_deadline(), Time::ZERO + Duration::from_millis(30_500));
}

#[test]
fn becoming_master_is_advert_then_addresses_then_announcements_then_words() {
    let mut b = Bench::started(instance(100));
    b.pass(3700);
    let order: Vec<&str> = b
        .out
        .iter()
        .map(|a| match a {
            Action::Advert { priority: 100, .. } => "advert",
            Action::Addresses { present: true, .. } => "addresses",
            Action::Announce { rounds: 5, .. } => "announce",
            Action::Notify { event: NotifyEvent::Master, .. } => "notify",
            Action::Log { .. } => "log",
            _ => "?",
        })
        .collect();
    assert_eq!(order, ["log", "advert", "log", "addresses", "announce", "notify"]);
}

#[test]
fn deadlines_that_adverts_moved_on_wake_nobody_one_by_one() {
    let instances: Vec<InstanceSettings> = (1..=10u8)
        .map(|vrid| InstanceSettings { vrid, name: format!("V{vrid}"), ..instance(100 + vrid) })
        .collect();
    let mut b = Bench::with(Settings { instances, ..Settings::default() });
    b.start();
    b.now += Duration::from_secs(3);
    let heard = Heard { source: HIGHER, priority: 200, interval: Duration::from_secs(1) };
    for i in 0..10 {
        b.router.advert_received(b.now, i, &heard, &mut b.out);
    }
    let wake = b.router.next_deadline();
    b.out.clear();
    b.router.expire(wake, &mut b.out);
    assert_eq!(b.out, []);
    let earliest = b.router.instances().iter().map(|i| i.deadline()).min();
    assert_eq!(Some(b.router.next_deadline()), earliest);
}

#[test]
fn adverts_follow_the_planned_time_without_drift() {
    let mut b = Bench::started(instance(100)).become_master();
    let first = b.router.next_deadline();
    for k in 1..=50u32 {
        // Each wake-up is late by a different amount.
        let late = b.router.next_deadline() + Duration::from_micros(u64::from(k) * 37);
        b.now = late;
        b.out.clear();
        b.router.expire(late, &mut b.out);
        assert_eq!(b.adverts(), [100]);
        assert_eq!(b.router.instances()[0].deadline(), first + Duration::from_secs(1) * k);
    }
}

#[test]
fn a_stall_is_not_made_up_for_by_a_burst() {
    let mut b = Bench::started(instance(100)).become_master();
    b.now += Duration::from_secs(60);
    b.out.clear();
    b.router.expire(b.now, &mut b.out);
    assert_eq!(b.adverts(), [100]);
    assert!(b.router.instances()[0].deadline() > b.now);
}

#[test]
fn priority_zero_shortens_the_wait_to_the_skew() {
    let mut b = Bench::started(instance(100));
    b.hear(HIGHER, 200);
    b.pass(500);
    b.hear(HIGHER, 0);
    b.pass(609);
    assert_eq!(b.state(), State::Backup);
    b.pass(1);
    assert_eq!(b.state(), State::Master);
}

/// Heard priority, sender, whether a BACKUP of 100 restarts its timer.
#[test]
fn a_backup_accepts_what_is_not_lower() {
    for (priority, source, accepted) in
        [(101, LOWER, true), (100, LOWER, true), (99, HIGHER, false), (254, HIGHER, true)]
    {
        let mut b = Bench::started(instance(100));
        b.pass(1000);
        b.hear(source, priority);
        let moved = b.router.instances()[0].deadline() > Time::from_nanos(3_609_375_000);
        assert_eq!(moved, accepted, "priority {priority}");
        assert_eq!(b.logged("received lower priority (99)"), priority == 99);
    }
}

#[test]
fn nopreempt_accepts_any_master() {
    let mut b = Bench::started(InstanceSettings { nopreempt: true, ..instance(100) });
    for _ in 0..10 {
        b.pass(1000);
        b.hear(LOWER, 1);
    }
    assert_eq!(b.state(), State::Backup);
}

#[test]
fn a_preempt_delay_tolerates_a_lower_master_that_long() {
    let settings = InstanceSettings { preempt_delay: Duration::from_secs(10), ..instance(100) };
    let mut b = Bench::started(settings);
    let mut last_accepted = Time::ZERO;
    while b.state() == State::Backup {
        b.pass(500);
        if b.state() == State::Backup {
            let before = b.router.instances()[0].deadline();
            b.hear(LOWER, 50);
            if b.router.instances()[0].deadline() > before {
                last_accepted = b.now;
            }
        }
        assert!(b.now < Time::from_nanos(20_000_000_000));
    }
    // The delay began with the first advert at 0.5 s, so the last one accepted came before 10.5 s.
    assert_eq!(last_accepted, Time::from_nanos(10_000_000_000));
}

/// What a MASTER of priority 100 at .5 does about an advert: source, priority, state, adverts sent.
#[test]
fn a_master_compares_priority_then_address() {
    let rows: [(IpAddr, u8, State, &[u8]); 6] = [
        (HIGHER, 0, State::Master, &[100]),
        (LOWER, 101, State::Backup, &[]),
        (HIGHER, 100, State::Backup, &[]),
        (LOWER, 100, State::Master, &[100]),
        (HIGHER, 99, State::Master, &[100]),
        (OURS, 100, State::Master, &[]),
    ];
    for (source, priority, state, adverts) in rows {
        let mut b = Bench::started(instance(100)).become_master();
        b.hear(source, priority);
        assert_eq!(b.state(), state, "{source} {priority}");
        assert_eq!(b.adverts(), adverts, "{source} {priority}");
    }
}

#[test]
fn losing_an_election_releases_addresses_without_priority_zero() {
    let mut b = Bench::started(instance(100)).become_master();
    b.hear(HIGHER, 200);
    assert!(b.out.contains(&Action::Addresses { instance: 0, present: false }));
    assert!(b.adverts().is_empty());
    assert_eq!(b.events(), [(Subject::Instance(0), NotifyEvent::Backup)]);
    // ms_down_timer runs again: silence brings it back.
    b.pass(3700);
    assert_eq!(b.state(), State::Master);
}

#[test]
fn a_lower_priority_claimant_makes_a_master_announce_again() {
    let mut b = Bench::started(instance(100)).become_master();
    b.pass(10_000);
    b.hear(LOWER, 50);
    assert!(b.out.contains(&Action::Announce { instance: 0, rounds: 5 }));
    assert_eq!(b.events(), [(Subject::Instance(0), NotifyEvent::MasterRxLowerPri)]);
    b.pass(5000);
    let again = b.out.iter().filter(|a| matches!(a, Action::Announce { .. })).count();
    assert_eq!(again, 1);
}

#[test]
fn lower_prio_no_advert_keeps_quiet() {
    let mut b = Bench::started(InstanceSettings { lower_prio_no_advert: true, ..instance(100) })
        .become_master();
    b.hear(LOWER, 50);
    assert!(b.adverts().is_empty());
    assert!(!b.logged("forcing new election"));
}

#[test]
fn a_v3_backup_counts_in_its_masters_interval() {
    let mut b = Bench::started(instance(100));
    let heard = Heard { source: HIGHER, priority: 200, interval: Duration::from_millis(100) };
    b.router.advert_received(b.now, 0, &heard, &mut b.out);
    b.pass(360);
    assert_eq!(b.state(), State::Backup);
    b.pass(1);
    assert_eq!(b.state(), State::Master);
    assert_eq!(b.router.instances()[0].master_interval, Duration::from_secs(1));
}

#[test]
fn an_interval_of_zero_cannot_make_a_backup_fire() {
    let mut b = Bench::started(instance(100));
    let heard = Heard { source: HIGHER, priority: 200, interval: Duration::ZERO };
    b.router.advert_received(b.now, 0, &heard, &mut b.out);
    assert!(b.router.next_deadline() > b.now);
    b.pass(3000);
    assert_eq!(b.state(), State::Backup);
}

#[test]
fn an_owner_is_master_from_the_start_and_installs_its_addresses() {
    let mut b = Bench::started(instance(255));
    b.pass(0);
    assert_eq!(b.state(), State::Master);
    assert!(b.out.contains(&Action::Addresses { instance: 0, present: true }));
    assert_eq!(b.events(), [(Subject::Instance(0), NotifyEvent::Master)]);
}

#[test]
fn of_two_owners_the_lower_address_yields_and_the_higher_steps_down_if_that_does_not_help() {
    let mut b = Bench::started(instance(255));
    b.pass(0);
    b.hear(HIGHER, 255);
    assert_eq!(b.state(), State::Backup);

    let mut b = Bench::started(instance(255));
    b.pass(0);
    b.hear(LOWER, 255);
    assert_eq!(b.adverts(), [255, 255]);
    b.pass(500);
    b.hear(LOWER, 255);
    b.pass(800);
    assert!(b.logged("reducing our priority"));
    assert_eq!((b.state(), b.router.instances()[0].effective_priority()), (State::Backup, 254));
    b.hear(LOWER, 255);
    assert_eq!(b.router.instances()[0].effective_priority(), 254, "it still advertises");
    b.hear(LOWER, 100);
    assert!(b.logged("(VI) Restoring our priority to 255 since received advert with lower"));

    let mut b = Bench::started(instance(255));
    b.pass(0);
    b.hear(LOWER, 255);
    b.pass(1300);
    assert!(b.logged("appears to have stopped advertising"));
    assert_eq!(b.state(), State::Master);
}

#[test]
fn a_master_that_loses_its_link_says_priority_zero_twice_and_recovers_as_backup() {
    let mut b = Bench::started(instance(100)).become_master();
    b.track(TrackerKind::Interface, "eth0", Status::Down);
    assert_eq!((b.state(), b.adverts()), (State::Fault, vec![0, 0]));
    assert!(b.router.instances()[0].faults().contains(Faults::LINK));
    assert_eq!(b.router.instances()[0].stats.pri_zero_sent, 1);
    b.pass(60_000);
    assert_eq!(b.state(), State::Fault);
    b.track(TrackerKind::Interface, "eth0", Status::Up);
    assert_eq!(b.state(), State::Backup);
    b.pass(3700);
    assert_eq!(b.state(), State::Master);
}

/// A router with a VMAC, `vrrp.51` above `eth0`.
fn with_vmac() -> InstanceSettings {
    let vmac = Vmac {
        name: "vrrp.51".into(),
        parent: "eth0".into(),
        sublink: netlink::Sublink::PRIVATE_MACVLAN,
        mac: Some([0, 0, 0x5e, 0, 1, 51]),
        address: None,
        family: Family::V4,
        configured: None,
        group: None,
        notify_parent: false,
        ipv6: false,
    };
    let vip = Ipv4Addr::new(10, 0, 0, 100).into();
    InstanceSettings {
        vmac: Some(Box::new(vmac)),
        addresses: vec![AddressSettings::new(vip, 32, "vrrp.51")],
        ..instance(100)
    }
}

#[test]
fn a_router_needs_its_vmac_and_the_interface_below_it() {
    let mut b = Bench::one(with_vmac());
    b.start();
    assert!(b.logged("(VI): entering FAULT state (interface vrrp.51 down)"));
    b.track(TrackerKind::Interface, "vrrp.51", Status::Up);
    let mut b = b.become_master();
    let faults = |b: &Bench| {
        let faults = b.router.instances()[0].faults();
        (faults.contains(Faults::LINK), faults.contains(Faults::BASE_LINK))
    };
    b.track(TrackerKind::Interface, "eth0", Status::Down);
    assert_eq!((b.state(), faults(&b)), (State::Fault, (false, true)));
    b.track(TrackerKind::Interface, "vrrp.51", Status::Down);
    b.track(TrackerKind::Interface, "eth0", Status::Up);
    assert_eq!((b.state(), faults(&b)), (State::Fault, (true, false)));
    b.track(TrackerKind::Interface, "vrrp.51", Status::Up);
    assert_eq!((b.state(), faults(&b)), (State::Backup, (false, false)));

    let untracked = InstanceSettings { dont_track_primary: true, ..with_vmac() };
    let b = Bench::with(Settings {
        instances: vec![
            untracked,
            InstanceSettings { name: "B".into(), vrid: 52, ..instance(100) },
        ],
        ..Settings::default()
    });
    assert_eq!(b.router.tracker(TrackerKind::Interface, "vrrp.51"), None);
}

/// Adverts that come from another MAC address are another router's; with unicast nobody sees it.
#[test]
fn a_vmac_added_by_a_reload_makes_another_router_unless_it_is_unicast() {
    for (peers, state) in [(vec![], State::Fault), (vec![OURS], State::Master)] {
        let peer = |&address: &IpAddr| Peer { address, min_ttl: 0, max_ttl: 255 };
        let peers: Vec<Peer> = peers.iter().map(peer).collect();
        let mut b = Bench::started(InstanceSettings { peers: peers.clone(), ..instance(100) });
        b = b.become_master();
        let new = InstanceSettings { peers, vmac_xmit_base: true, ..with_vmac() };
        let settings = Settings { instances: vec![new], ..Settings::default() };
        b.reload_learning(settings, |b| {
            if state == State::Master {
                b.track(TrackerKind::Interface, "vrrp.51", Status::Up);
            }
        });
        assert_eq!(b.state(), state);
    }
}

fn tracked(weight: i32) -> InstanceSettings {
    InstanceSettings {
        track_scripts: vec![Track { name: "S".into(), weight, reverse: false }],
        ..instance(100)
    }
}

#[test]
fn a_script_without_verdict_holds_back_in_silence_until_its_first() {
    for (verdict, state, event) in [
        (Status::Up, State::Backup, NotifyEvent::Backup),
        (Status::Down, State::Fault, NotifyEvent::Fault),
    ] {
        let mut b = Bench::started(tracked(0));
        assert_eq!((b.state(), b.events()), (State::Fault, vec![]));
        b.track(TrackerKind::Script, "S", verdict);
        assert_eq!(b.state(), state);
        assert_eq!(b.events(), [(Subject::Instance(0), event)]);
    }
}

#[test]
fn a_weight_moves_the_priority_and_the_running_timer() {
    let mut b = Bench::started(tracked(-50));
    b.track(TrackerKind::Script, "S", Status::Down);
    assert!(b.logged("(VI) Changing effective priority from 100 to 50"));
    // The skew of priority 50 is 206/256 s.
    assert_eq!(b.router.instances()[0].deadline(), Time::from_nanos(3_804_687_500));
    let b = b.become_master();
    assert_eq!(b.adverts(), [50]);
}

#[test]
fn the_priority_stays_within_1_and_254_and_the_total_does_not() {
    let mut b = Bench::started(tracked(-253));
    b.track(TrackerKind::Script, "S", Status::Down);
    let inst = &b.router.instances()[0];
    assert_eq!((inst.effective_priority(), inst.total_priority()), (1, -153));
}

fn group(members: &[usize]) -> GroupSettings {
    GroupSettings {
        name: "G".into(),
        members: members.to_vec(),
        track_interfaces: Vec::new(),
        track_scripts: Vec::new(),
        track_files: Vec::new(),
        track_processes: Vec::new(),
        track_bfds: Vec::new(),
        tracking_weight: false,
        notify: NotifySettings::default(),
    }
}

/// Instances A, B, … with VRIDs 1, 2, …; those of `members` in group G.
fn several(instances: Vec<InstanceSettings>, members: &[usize]) -> Settings {
    let named = |(i, s): (usize, InstanceSettings)| InstanceSettings {
        name: char::from(b'A' + i as u8).into(),
        vrid: 1 + i as u8,
        ..s
    };
    Settings {
        instances: instances.into_iter().enumerate().map(named).collect(),
        groups: if members.is_empty() { Vec::new() } else { vec![group(members)] },
        ..Settings::default()
    }
}

fn pair(first: InstanceSettings, second: InstanceSettings) -> Bench {
    let mut bench = Bench::with(several(vec![first, second], &[0, 1]));
    bench.start();
    bench
}

impl Bench {
    fn states(&self) -> [State; 3] {
        let i = self.router.instances();
        [i[0].state(), i[1].state(), self.router.groups()[0].state()]
    }
}

#[test]
fn a_group_takes_over_only_when_every_member_would() {
    let mut b = pair(instance(100), instance(100));
    for _ in 0..8 {
        b.pass(1000);
        b.hear(HIGHER, 200); // Only A's master is alive.
    }
    assert_eq!(b.states(), [State::Backup; 3]);
    b.pass(4000);
    assert_eq!(b.states(), [State::Master; 3]);
}

#[test]
fn a_group_leaves_together_without_priority_zero_when_one_member_loses() {
    let mut b = pair(instance(100), instance(100));
    b.pass(8000);
    assert_eq!(b.states(), [State::Master; 3]);
    b.hear(HIGHER, 200);
    assert_eq!(b.states(), [State::Backup; 3]);
    assert!(b.adverts().is_empty());
    assert_eq!(
        b.events(),
        [
            (Subject::Instance(0), NotifyEvent::Backup),
            (Subject::Instance(1), NotifyEvent::Backup),
            (Subject::Group(0), NotifyEvent::Backup),
        ]
    );
}

#[test]
fn a_fault_takes_the_group_along_and_the_last_recovery_brings_it_back() {
    let with = |name: &str| InstanceSettings {
        track_interfaces: vec![Track { name: name.into(), weight: 0, reverse: false }],
        ..instance(100)
    };
    let mut b = pair(with("eth1"), with("eth2"));
    assert_eq!(b.states(), [State::Fault; 3]);
    b.track(TrackerKind::Interface, "eth1", Status::Up);
    assert!(b.out.is_empty(), "a fault cleared while another remains: nothing visible");
    b.track(TrackerKind::Interface, "eth2", Status::Up);
    assert_eq!(b.states(), [State::Backup; 3]);
    b.pass(8000);
    assert_eq!(b.states(), [State::Master; 3]);
    b.track(TrackerKind::Interface, "eth1", Status::Down);
    assert_eq!(b.states(), [State::Fault; 3]);
    // Two from the member that faulted, one from the one it took along.
    assert_eq!(b.adverts(), [0, 0, 0]);
}

#[test]
fn a_reload_of_the_same_configuration_does_nothing() {
    let settings = Settings { instances: vec![instance(100)], ..Settings::default() };
    for millis in [500, 8000] {
        let mut b = Bench::with(settings.clone());
        b.start();
        b.pass(millis);
        let (deadline, state) = (b.router.instances()[0].deadline(), b.state());
        b.out.clear();
        b.router.retire(&settings, &mut b.out);
        let map = b.router.adopt(settings.clone());
        b.router.resume(b.now, &map, &mut b.out);
        assert_eq!(b.out, []);
        assert_eq!((b.router.instances()[0].deadline(), b.state()), (deadline, state));
        b.pass(8000);
        assert_eq!(b.state(), State::Master);
    }
}

#[test]
fn a_reload_releases_what_it_lacks_and_reports_it() {
    let mut b = Bench::started(instance(100)).become_master();
    b.out.clear();
    b.router.retire(&Settings::default(), &mut b.out);
    assert_eq!(b.adverts(), [0]);
    assert!(b.out.contains(&Action::Addresses { instance: 0, present: false }));
    assert_eq!(b.events(), [(Subject::Instance(0), NotifyEvent::Fault)]);
}

#[test]
fn a_renamed_instance_keeps_running() {
    let mut b = Bench::started(instance(100)).become_master();
    let renamed = Settings {
        instances: vec![InstanceSettings { name: "other".into(), ..instance(100) }],
        ..Settings::default()
    };
    b.out.clear();
    b.router.retire(&renamed, &mut b.out);
    let map = b.router.adopt(renamed);
    b.router.resume(b.now, &map, &mut b.out);
    assert_eq!((b.out.len(), b.state()), (0, State::Master));
}

#[test]
fn stopping_resigns_and_tells() {
    let mut b = Bench::started(instance(100)).become_master();
    b.out.clear();
    b.router.shutdown(b.now, false, &mut b.out);
    assert_eq!(b.adverts(), [0]);
    assert_eq!(b.events(), [(Subject::Instance(0), NotifyEvent::Stop)]);
    assert_eq!(b.router.next_deadline(), Time::NEVER);
}

#[test]
fn a_startup_delay_discards_adverts_and_holds_an_owner_back() {
    let mut settings = Settings { instances: vec![instance(255)], ..Settings::default() };
    settings.globals.startup_delay = Duration::from_secs(20);
    let mut b = Bench::with(settings);
    b.start();
    b.pass(19_999);
    assert_eq!(b.state(), State::Backup);
    assert!(b.router.is_delayed(b.now));
    b.pass(1);
    assert_eq!(b.state(), State::Master);
}
