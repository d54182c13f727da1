//! Less common turns of elections and of what follows them.

use super::*;
use crate::config::{GarpSettings, Peer};

fn announces(b: &Bench) -> Vec<(usize, u32)> {
    b.out
        .iter()
        .filter_map(|a| match a {
            Action::Announce { instance, rounds } => Some((*instance, *rounds)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_lower_priority_claimant_of_one_member_makes_the_group_announce() {
    let mut b = pair(instance(100), instance(100));
    b.pass(20_000);
    b.hear(LOWER, 50);
    assert_eq!(announces(&b), [(0, 5), (1, 5)]);
    let silent = GarpSettings { lower_prio_repeat: 0, ..GarpSettings::default() };
    let mut b = pair(instance(100), InstanceSettings { garp: silent, ..instance(100) });
    b.pass(20_000);
    b.hear(LOWER, 50);
    assert_eq!(announces(&b), [(0, 5)]);
}

#[test]
fn higher_prio_send_advert_answers_once_before_it_yields() {
    let settings = InstanceSettings { higher_prio_send_advert: true, ..instance(100) };
    let mut b = Bench::started(settings).become_master();
    b.hear(HIGHER, 200);
    assert_eq!((b.state(), b.adverts()), (State::Backup, vec![100]));
}

#[test]
fn who_yields_counts_in_the_winners_interval() {
    let mut b = Bench::started(instance(128)).become_master();
    let heard = Heard { source: HIGHER, priority: 200, interval: Duration::from_secs(4) };
    b.router.advert_received(b.now, 0, &heard, &mut b.out);
    assert_eq!(b.router.instances()[0].deadline(), b.now + Duration::from_secs(14));
}

#[test]
fn leaving_fault_counts_in_our_own_interval_again() {
    let mut b = Bench::started(instance(128));
    let heard = Heard { source: HIGHER, priority: 200, interval: Duration::from_secs(4) };
    b.router.advert_received(b.now, 0, &heard, &mut b.out);
    b.track(TrackerKind::Interface, "eth0", Status::Down);
    b.track(TrackerKind::Interface, "eth0", Status::Up);
    assert_eq!(b.router.instances()[0].deadline(), b.now + Duration::from_millis(3500));
}

#[test]
fn a_preempt_delay_begins_anew_with_every_time_as_backup() {
    let settings = InstanceSettings { preempt_delay: Duration::from_secs(10), ..instance(100) };
    let mut b = Bench::started(settings);
    b.hear(LOWER, 50);
    assert!(b.logged("(VI) start preempt delay (10.000000)"));
    b.track(TrackerKind::Interface, "eth0", Status::Down);
    b.pass(60_000);
    b.track(TrackerKind::Interface, "eth0", Status::Up);
    b.hear(LOWER, 50);
    assert!(b.logged("start preempt delay"));
    b.hear(HIGHER, 200);
    assert!(b.logged("(VI) stop preempt delay"));
}

#[test]
fn extra_messages_come_each_period_while_it_is_master() {
    let garp = GarpSettings { extra: Duration::from_secs(20), ..GarpSettings::default() };
    let mut b = Bench::started(InstanceSettings { garp, ..instance(100) }).become_master();
    let extra = Action::AnnounceExtra { instance: 0 };
    let count = |b: &Bench| b.out.iter().filter(|action| **action == extra).count();
    // The first a period after the delayed burst.
    b.pass(24_000);
    assert_eq!(count(&b), 0);
    b.pass(2000);
    assert_eq!(count(&b), 1);
    b.pass(60_000);
    assert_eq!(count(&b), 3);
    b.track(TrackerKind::Interface, "eth0", Status::Down);
    b.pass(60_000);
    assert_eq!(count(&b), 0);
}

#[test]
fn the_first_refresh_comes_a_period_after_the_delayed_burst() {
    let garp = GarpSettings { refresh: Duration::from_secs(10), ..GarpSettings::default() };
    let mut b = Bench::started(InstanceSettings { garp, ..instance(100) });
    b.pass(3610);
    assert_eq!(announces(&b), [(0, 5)]);
    b.pass(14_990);
    assert_eq!(announces(&b), [(0, 5)]);
    b.pass(20);
    assert_eq!(announces(&b), [(0, 1)]);
}

#[test]
fn a_unicast_instance_that_leaves_fault_announces_its_source() {
    let peer = Peer { address: HIGHER, min_ttl: 0, max_ttl: 255 };
    for (peers, expected) in [(vec![peer], true), (Vec::new(), false)] {
        let mut b = Bench::started(InstanceSettings { peers, ..instance(100) });
        b.track(TrackerKind::Interface, "eth0", Status::Down);
        b.track(TrackerKind::Interface, "eth0", Status::Up);
        assert_eq!(b.out.contains(&Action::AnnounceSource { instance: 0 }), expected);
    }
}

#[test]
fn every_way_out_of_master_is_counted_once() {
    let ways: [fn(&mut Bench); 4] = [
        |b| b.hear(HIGHER, 200),
        |b| b.track(TrackerKind::Interface, "eth0", Status::Down),
        |b| b.router.shutdown(b.now, false, &mut b.out),
        |b| drop(b.router.retire(&Settings::default(), &mut b.out)),
    ];
    for way in ways {
        let mut b = Bench::started(instance(100)).become_master();
        way(&mut b);
        let stats = &b.router.instances()[0].stats;
        assert_eq!((stats.become_master, stats.release_master), (1, 1));
    }
}

#[test]
fn a_group_recovers_only_when_no_member_waits_for_a_script() {
    let script = |name: &str| InstanceSettings {
        track_scripts: vec![Track { name: name.into(), weight: 0, reverse: false }],
        ..instance(100)
    };
    let mut b = pair(script("S"), script("T"));
    assert_eq!((b.all_states(), b.events()), (vec![State::Fault; 2], vec![]));
    b.track(TrackerKind::Script, "S", Status::Up);
    assert!(b.out.is_empty(), "{:?}", b.out);
    b.track(TrackerKind::Script, "T", Status::Up);
    assert_eq!(b.states(), [State::Backup; 3]);
}

#[test]
fn keeping_addresses_means_not_to_resign() {
    let mut b = Bench::started(instance(100)).become_master();
    b.out.clear();
    b.router.shutdown(b.now, true, &mut b.out);
    assert!(b.adverts().is_empty());
    assert!(!b.out.iter().any(|a| matches!(a, Action::Addresses { .. })));
    assert_eq!(b.events(), [(Subject::Instance(0), NotifyEvent::Stop)]);
}

#[test]
fn why_an_instance_is_master_is_remembered() {
    let mut bench = Bench::started(instance(100));
    let reason = |bench: &Bench| bench.router.instances()[0].reason;
    assert_eq!(reason(&bench), MasterReason::NotMaster);
    bench.pass(4000);
    assert_eq!(reason(&bench), MasterReason::NoResponse);
    // The reason of the last time stays until the next.
    bench.hear(HIGHER, 200);
    assert_eq!(reason(&bench), MasterReason::NoResponse);
    bench.hear(HIGHER, 0);
    bench.pass(1000);
    assert_eq!(reason(&bench), MasterReason::Priority);
    // What the other said before it fell silent is forgotten.
    bench.hear(HIGHER, 200);
    bench.hear(HIGHER, 0);
    bench.hear(HIGHER, 200);
    bench.pass(5000);
    assert_eq!(reason(&bench), MasterReason::NoResponse);

    let mut bench = Bench::started(instance(100));
    bench.pass(1000);
    bench.hear(LOWER, 50);
    bench.pass(4000);
    assert_eq!(reason(&bench), MasterReason::Preempted);

    let mut owner = Bench::started(instance(255));
    owner.pass(0);
    assert_eq!(reason(&owner), MasterReason::Preempted);
}
