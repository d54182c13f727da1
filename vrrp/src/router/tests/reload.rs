//! Reloads that change trackers, timers, priorities and the members of groups.

use super::*;
use crate::config::{GarpSettings, Peer};

fn interfaces(names: &[&str], weight: i32) -> InstanceSettings {
    let track = |name: &&str| Track { name: (*name).into(), weight, reverse: false };
    InstanceSettings { track_interfaces: names.iter().map(track).collect(), ..instance(100) }
}

fn one(settings: InstanceSettings) -> Settings {
    Settings { instances: vec![settings], ..Settings::default() }
}

#[test]
fn new_trackers_cause_nothing_while_only_some_of_them_are_known() {
    let mut b = Bench::started(instance(100)).become_master();
    b.reload_learning(one(interfaces(&["eth1", "eth2"], 0)), |b| {
        b.track(TrackerKind::Interface, "eth1", Status::Up);
        assert!(b.out.is_empty());
        b.track(TrackerKind::Interface, "eth2", Status::Up);
        assert!(b.out.is_empty());
    });
    assert_eq!((b.state(), b.events()), (State::Master, vec![]));
    assert!(b.adverts().is_empty(), "{:?}", b.out);
}

#[test]
fn a_new_weight_is_told_once_and_moves_the_running_timer() {
    let mut b = Bench::started(instance(100));
    b.pass(1000);
    b.reload_learning(one(interfaces(&["eth1", "eth2"], 28)), |b| {
        b.track(TrackerKind::Interface, "eth1", Status::Up);
        b.track(TrackerKind::Interface, "eth2", Status::Up);
    });
    let told: Vec<_> = b.out.iter().filter(|a| matches!(a, Action::Log { .. })).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(b.logged("(VI) Changing effective priority from 100 to 156"));
    // The skew of priority 156 is 100/256 s, and the second that has passed counts.
    assert_eq!(b.router.next_deadline(), Time::from_nanos(3_390_625_000));
}

#[test]
fn a_fault_found_by_a_reload_wins() {
    let mut b = Bench::started(instance(100)).become_master();
    b.reload(one(interfaces(&["eth1"], 0)));
    assert_eq!((b.state(), b.adverts()), (State::Fault, vec![0, 0]));
}

#[test]
fn a_new_script_does_not_hold_back_what_a_reload_adds() {
    let mut b = Bench::started(instance(100)).become_master();
    let script = vec![Track { name: "S".into(), weight: 0, reverse: false }];
    let second = InstanceSettings { track_scripts: script, ..instance(100) };
    let settings = several(vec![InstanceSettings { vrid: 51, ..instance(100) }, second], &[]);
    let mut settings = settings;
    settings.instances[0].vrid = 51;
    b.reload(settings);
    assert_eq!(b.all_states(), [State::Master, State::Backup]);
    b.track(TrackerKind::Script, "S", Status::Down);
    assert_eq!(b.all_states(), [State::Master, State::Fault]);
}

#[test]
fn a_refresh_that_ends_or_begins_with_a_reload_does_so_for_a_master() {
    let refreshing = |seconds| InstanceSettings {
        garp: GarpSettings { refresh: Duration::from_secs(seconds), ..GarpSettings::default() },
        ..instance(100)
    };
    let announced =
        |b: &Bench| b.out.iter().filter(|a| matches!(a, Action::Announce { .. })).count();
    let mut b = Bench::started(refreshing(10)).become_master();
    b.reload(one(refreshing(0)));
    b.pass(30_000);
    assert_eq!(announced(&b), 1, "only the delayed burst");
    b.reload(one(refreshing(10)));
    b.pass(30_500);
    assert_eq!(announced(&b), 3);
}

#[test]
fn extra_messages_that_end_or_begin_with_a_reload_do_so_for_a_master() {
    let with = |seconds| InstanceSettings {
        garp: GarpSettings { extra: Duration::from_secs(seconds), ..GarpSettings::default() },
        ..instance(100)
    };
    let extra = Action::AnnounceExtra { instance: 0 };
    let mut b = Bench::started(with(20)).become_master();
    b.reload(one(with(0)));
    b.pass(60_000);
    assert!(!b.out.contains(&extra));
    b.reload(one(with(20)));
    b.pass(21_000);
    assert!(b.out.contains(&extra));
}

#[test]
fn only_added_addresses_are_announced() {
    let mut more = instance(100);
    more.addresses.push(AddressSettings::new(Ipv4Addr::new(10, 0, 0, 101).into(), 32, "eth0"));
    let mut b = Bench::started(instance(100)).become_master();
    let announces = |b: &Bench| b.out.iter().any(|a| matches!(a, Action::Announce { .. }));
    b.reload(one(more));
    assert!(announces(&b));
    assert_eq!(b.adverts(), [100]);
    b.reload(one(instance(100)));
    assert!(!announces(&b));
    assert_eq!(b.adverts(), [100]);
}

#[test]
fn a_changed_priority_does_not_begin_the_wait_anew() {
    let mut b = Bench::started(instance(100));
    b.pass(3000);
    b.reload(one(instance(228)));
    assert!(b.logged("(VI) Changing effective priority from 100 to 228"));
    b.pass(109);
    assert_eq!(b.state(), State::Backup);
    b.pass(1);
    assert_eq!(b.state(), State::Master);
    b.reload(one(instance(50)));
    assert_eq!((b.state(), b.adverts()), (State::Master, vec![50]));
}

#[test]
fn a_changed_interval_begins_the_wait_anew_unless_the_master_said_its_own() {
    let with = |seconds| InstanceSettings {
        advert_interval: Duration::from_secs(seconds),
        ..instance(128)
    };
    let mut b = Bench::started(with(10));
    b.pass(1000);
    b.reload(one(with(2)));
    assert_eq!(b.router.next_deadline(), Time::from_nanos(8_000_000_000));
    b.hear(HIGHER, 200); // Its interval is one second.
    b.reload(one(with(20)));
    assert_eq!(b.router.next_deadline(), Time::from_nanos(4_500_000_000));
}

#[test]
fn a_member_added_to_a_master_group_follows_and_interrupts_nothing() {
    let two = |members: &[usize]| several(vec![instance(100), instance(100)], members);
    let mut b = Bench::with(several(vec![instance(100)], &[0]));
    b.start();
    b.pass(4000);
    b.reload(two(&[0, 1]));
    assert_eq!(b.states(), [State::Master, State::Backup, State::Master]);
    assert_eq!(b.events(), [(Subject::Instance(1), NotifyEvent::Backup)]);
    b.pass(4000);
    assert_eq!(b.states(), [State::Master; 3]);
}

#[test]
fn a_member_added_to_a_master_group_takes_it_along_when_it_meets_a_better_router() {
    let two = |members: &[usize]| several(vec![instance(100), instance(100)], members);
    let mut b = Bench::with(two(&[]));
    b.start();
    for _ in 0..5 {
        b.hear_for(1, HIGHER, 200);
        b.pass(1000);
    }
    assert_eq!(b.all_states(), [State::Master, State::Backup]);
    b.reload(two(&[0, 1]));
    assert_eq!(b.states(), [State::Master, State::Backup, State::Master]);
    b.hear_for(1, HIGHER, 200);
    assert_eq!(b.states(), [State::Backup; 3]);
    assert_eq!(b.adverts(), [0]);
    assert_eq!(
        b.events(),
        [(Subject::Instance(0), NotifyEvent::Backup), (Subject::Group(0), NotifyEvent::Backup)]
    );
}

#[test]
fn a_faulty_member_takes_along_whom_a_reload_joins_to_it_and_lets_go_whom_it_parts() {
    let two = |members: &[usize]| several(vec![interfaces(&["eth1"], 0), instance(100)], members);
    let mut b = Bench::with(two(&[]));
    b.start();
    b.pass(4000);
    assert_eq!(b.all_states(), [State::Fault, State::Master]);
    b.reload(two(&[0, 1]));
    assert_eq!(b.states(), [State::Fault; 3]);
    assert_eq!(
        b.events(),
        [(Subject::Instance(1), NotifyEvent::Fault), (Subject::Group(0), NotifyEvent::Fault)]
    );
    b.reload(two(&[1]));
    assert_eq!(b.states(), [State::Fault, State::Backup, State::Backup]);
    b.reload(two(&[0, 1]));
    assert_eq!(b.states(), [State::Fault; 3]);
    b.reload(two(&[]));
    assert_eq!(b.all_states(), [State::Fault, State::Backup]);
}

#[test]
fn a_group_of_which_a_reload_replaces_the_faulty_member_recovers() {
    let mut b = Bench::with(several(vec![instance(100), interfaces(&["eth1"], 0)], &[0, 1]));
    b.start();
    assert_eq!(b.states(), [State::Fault; 3]);
    b.reload(several(vec![instance(100), instance(100)], &[0, 1]));
    assert_eq!(b.states(), [State::Backup; 3]);
    let of_group = (Subject::Group(0), NotifyEvent::Backup);
    assert_eq!(b.events().iter().filter(|e| **e == of_group).count(), 1);
    let instances = b.events().len() - 1;
    assert_eq!(instances, 2);
}

#[test]
fn nobody_is_told_of_a_new_member_that_starts_in_fault_before_it_does() {
    let file = |name: &str| InstanceSettings {
        track_files: vec![Track { name: name.into(), weight: 0, reverse: false }],
        ..instance(100)
    };
    let mut b = Bench::with(several(vec![instance(100)], &[0]));
    b.start();
    b.pass(4000);
    b.reload_learning(several(vec![instance(100), file("F")], &[0, 1]), |b| {
        b.track(TrackerKind::File, "F", Status::Value(1));
        assert!(b.out.is_empty(), "{:?}", b.out);
    });
    assert_eq!(b.states(), [State::Fault; 3]);
    assert!(!b.logged("INIT"));
    let mut events = b.events();
    events.sort_by_key(|(s, _)| format!("{s:?}"));
    assert_eq!(
        events,
        [
            (Subject::Group(0), NotifyEvent::Fault),
            (Subject::Instance(0), NotifyEvent::Fault),
            (Subject::Instance(1), NotifyEvent::Fault),
        ]
    );
}

#[test]
fn a_groups_weight_counts_instead_of_its_members() {
    let track = |weight| vec![Track { name: "S".into(), weight, reverse: false }];
    let member = InstanceSettings { track_scripts: track(0), ..instance(100) };
    let mut settings = several(vec![member, instance(100)], &[0, 1]);
    settings.groups[0].track_scripts = track(-30);
    let mut b = Bench::with(settings);
    b.start();
    b.track(TrackerKind::Script, "S", Status::Down);
    assert_eq!(b.states(), [State::Backup; 3]);
    let priorities: Vec<u8> = b.router.instances().iter().map(|i| i.effective_priority()).collect();
    assert_eq!(priorities, [70, 70]);
}

#[test]
fn members_added_to_a_master_group_follow_each_in_its_own_time() {
    let three = |members: &[usize]| several(vec![instance(100); 3], members);
    let mut b = Bench::with(three(&[]));
    b.start();
    for _ in 0..5 {
        b.pass(1000);
        b.hear_for(1, HIGHER, 200);
        b.hear_for(2, HIGHER, 200);
    }
    assert_eq!(b.all_states(), [State::Master, State::Backup, State::Backup]);
    b.pass(500);
    b.hear_for(1, HIGHER, 200);
    b.reload(three(&[0, 1, 2]));
    // The last advert for C is older by half a second than that for B.
    b.pass(3400);
    assert_eq!(b.all_states(), [State::Master, State::Backup, State::Master]);
    b.pass(500);
    assert_eq!(b.all_states(), [State::Master; 3]);
}

#[test]
fn a_change_of_version_forgets_the_interval_of_the_old_ones_master() {
    let v2 = InstanceSettings {
        version: Version::V2,
        advert_interval: Duration::from_secs(10),
        ..instance(128)
    };
    let mut b = Bench::started(v2);
    b.reload(one(instance(128)));
    assert_eq!(b.router.next_deadline(), b.now + Duration::from_millis(3500));
}

#[test]
fn new_peers_hear_of_a_master_at_once_and_another_source_is_another_instance() {
    let unicast = |source: IpAddr, peers: &[IpAddr]| InstanceSettings {
        source: Some(source),
        peers: peers.iter().map(|&address| Peer { address, min_ttl: 0, max_ttl: 255 }).collect(),
        ..instance(100)
    };
    let mut b = Bench::started(unicast(OURS, &[LOWER])).become_master();
    b.reload(one(unicast(OURS, &[LOWER, HIGHER])));
    assert_eq!((b.state(), b.adverts()), (State::Master, vec![100]));
    b.reload(one(unicast(HIGHER, &[LOWER])));
    assert_eq!((b.state(), b.adverts()), (State::Backup, vec![0]));
}

#[test]
fn a_configuration_that_becomes_impossible_is_a_fault_until_it_is_mended() {
    let mut b = Bench::started(instance(100)).become_master();
    let broken = InstanceSettings { config_fault: Some("(VI) no".into()), ..instance(100) };
    b.reload(one(broken));
    assert_eq!(b.state(), State::Fault);
    b.reload(one(instance(100)));
    assert_eq!(b.state(), State::Backup);
}

#[test]
fn unicast_instances_that_share_vrid_and_address_are_told_apart_by_name() {
    let unicast = |name: &str, peer: IpAddr| InstanceSettings {
        name: name.into(),
        peers: vec![Peer { address: peer, min_ttl: 0, max_ttl: 255 }],
        ..instance(100)
    };
    let (a, b) = (unicast("A", LOWER), unicast("B", HIGHER));
    let both = |x: &InstanceSettings, y: &InstanceSettings| Settings {
        instances: vec![x.clone(), y.clone()],
        ..Settings::default()
    };
    let mut bench = Bench::with(both(&a, &b));
    bench.start();
    for _ in 0..5 {
        bench.hear_for(1, HIGHER, 200);
        bench.pass(1000);
    }
    assert_eq!(bench.all_states(), [State::Master, State::Backup]);
    bench.reload(both(&b, &a));
    assert_eq!(bench.all_states(), [State::Backup, State::Master]);
    assert_eq!((bench.events(), bench.adverts()), (vec![], vec![]));
    // Renamed, both go on all the same.
    bench.reload(both(&unicast("C", LOWER), &unicast("D", HIGHER)));
    assert_eq!(bench.events(), []);
}

#[test]
fn a_group_all_of_whose_members_are_replaced_is_not_told_of_the_state_it_has() {
    let with_vrid = |vrid| {
        let mut settings = several(vec![instance(100)], &[0]);
        settings.instances[0].vrid = vrid;
        settings
    };
    let mut b = Bench::with(with_vrid(1));
    b.start();
    b.reload(with_vrid(2));
    let of_group: Vec<_> =
        b.events().into_iter().filter(|(s, _)| *s == Subject::Group(0)).collect();
    assert_eq!(of_group, []);
    b.pass(4000);
    b.reload(with_vrid(3));
    assert!(b.events().contains(&(Subject::Group(0), NotifyEvent::Backup)));
}

#[test]
fn an_owner_added_to_a_group_of_others_begins_like_them() {
    let mut b = Bench::with(several(vec![instance(100)], &[0]));
    b.start();
    b.hear(HIGHER, 200);
    b.reload(several(vec![instance(100), instance(255)], &[0, 1]));
    assert_eq!(b.events(), [(Subject::Instance(1), NotifyEvent::Backup)]);
    assert_eq!(b.router.instances()[1].wanted(), State::Backup);
}
