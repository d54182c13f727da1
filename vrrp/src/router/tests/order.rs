//! Who is told first.

use super::*;
use NotifyEvent::{Backup, Fault, Master};

fn tracking(names: &[&str]) -> InstanceSettings {
    InstanceSettings { track_interfaces: tracks(names, 0), ..instance(100) }
}

fn tracks(names: &[&str], weight: i32) -> Vec<Track> {
    let track = |name: &&str| Track { name: (*name).into(), weight, reverse: false };
    names.iter().map(track).collect()
}

/// Three instances, of which C, A and B, in this order, are a group.
fn three(second: InstanceSettings) -> Settings {
    several(vec![instance(100), second, instance(100)], &[2, 0, 1])
}

fn told(names: &[&str], event: NotifyEvent) -> Vec<(Subject, NotifyEvent)> {
    let subject = |name: &&str| match *name {
        "G" => Subject::Group(0),
        "H" => Subject::Group(1),
        name => Subject::Instance(usize::from(name.as_bytes()[0] - b'A')),
    };
    names.iter().map(|name| (subject(name), event)).collect()
}

#[test]
fn what_a_group_tracks_concerns_its_members_in_its_order_behind_the_others() {
    let mut settings =
        several(vec![instance(100), instance(100), instance(100), tracking(&["eth1"])], &[2, 0, 1]);
    settings.groups[0].track_interfaces = tracks(&["eth0", "eth1"], 0);
    let mut b = Bench::with(settings);
    b.track(TrackerKind::Interface, "eth1", Status::Up);
    b.start();
    b.track(TrackerKind::Interface, "eth1", Status::Down);
    assert_eq!(b.events(), told(&["D", "C", "A", "B", "G"], Fault));
    b.track(TrackerKind::Interface, "eth1", Status::Up);
    assert_eq!(b.events(), told(&["D", "B", "C", "A", "G"], Backup));
    // Every member depends on this one by itself.
    b.track(TrackerKind::Interface, "eth0", Status::Down);
    assert_eq!(b.events(), told(&["A", "C", "B", "G", "D"], Fault));
    b.track(TrackerKind::Interface, "eth0", Status::Up);
    assert_eq!(b.events(), told(&["C", "A", "B", "G", "D"], Backup));
}

/// The member whose timer was set last has its time come last, and leads.
#[test]
fn deadlines_of_the_same_moment_pass_in_the_order_they_were_set() {
    let mut b = Bench::with(three(tracking(&["eth1"])));
    b.track(TrackerKind::Interface, "eth1", Status::Up);
    b.start();
    b.pass(8000);
    assert_eq!(b.events(), told(&["C", "A", "B", "G"], Master));
    for _ in 0..2 {
        b.track(TrackerKind::Interface, "eth1", Status::Down);
        b.track(TrackerKind::Interface, "eth1", Status::Up);
        assert_eq!(b.events(), told(&["B", "C", "A", "G"], Backup));
        b.pass(8000);
        assert_eq!(b.events(), told(&["A", "C", "B", "G"], Master));
    }
    // Adverts heard in the same moment count in the order they came.
    for member in [1, 2, 0] {
        b.hear_for(member, HIGHER, 200);
    }
    b.pass(8000);
    assert_eq!(b.events(), told(&["A", "C", "B", "G"], Master));
    for member in [0, 1, 2] {
        b.hear_for(member, HIGHER, 200);
    }
    b.pass(8000);
    assert_eq!(b.events(), told(&["C", "A", "B", "G"], Master));
}
