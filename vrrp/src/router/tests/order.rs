//! Who is told first.

use super::*;
use NotifyEvent::{Backup, BackupPriority, Deleted, Fault, Master};

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

fn repeated(b: &Bench) -> Vec<(Subject, NotifyEvent)> {
    b.out
        .iter()
        .filter_map(|a| match a {
            Action::Repeat { subject, event, .. } => Some((*subject, *event)),
            _ => None,
        })
        .collect()
}

/// Faulty instances, groups, other instances; one whose fault shows only now is one of the others.
#[test]
fn a_start_tells_of_faults_then_of_groups_then_of_the_rest() {
    let mut settings = several(
        vec![
            instance(100),
            instance(100),
            tracking(&["eth1"]),
            instance(100),
            tracking(&["eth1"]),
            instance(100),
        ],
        &[1, 0],
    );
    settings.groups.push(GroupSettings { name: "H".into(), ..group(&[3, 2]) });
    let mut b = Bench::with(settings);
    b.router.set_fault(b.now, 5, Faults::SOCKET, true, &mut Vec::new());
    b.start();
    let wanted = [
        told(&["C", "D", "E"], Fault),
        told(&["G"], Backup),
        told(&["H"], Fault),
        told(&["A", "B"], Backup),
        told(&["F"], Fault),
    ];
    assert_eq!(b.events(), wanted.concat());
}

#[test]
fn a_reload_tells_as_a_start_does() {
    let mut b = Bench::with(three(instance(100)));
    b.start();
    b.pass(8000);
    assert_eq!(b.router.groups()[0].state(), State::Master);
    b.reload(three(tracking(&["eth1"])));
    assert_eq!(b.events(), told(&["A", "B", "C", "G"], Fault));
    b.reload(three(instance(100)));
    assert_eq!(b.events(), told(&["G", "A", "B", "C"], Backup));
}

/// The one that moves first, the others in the group's order, the group.
#[test]
fn a_transition_tells_of_the_group_behind_its_members() {
    let mut b = Bench::with(three(tracking(&["eth1"])));
    b.start();
    b.track(TrackerKind::Interface, "eth1", Status::Up);
    assert_eq!(b.events(), told(&["B", "C", "A", "G"], Backup));
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

#[test]
fn priorities_moved_before_the_first_state_are_told_before_it() {
    let mut settings = several(vec![instance(100), instance(100)], &[]);
    settings.instances[1].track_interfaces = tracks(&["eth1"], 10);
    settings.instances[1].notify.priority_changes = true;
    let mut b = Bench::with(settings);
    b.track(TrackerKind::Interface, "eth1", Status::Up);
    b.start();
    assert!(b.logged("(B) Changing effective priority from 100 to 110"));
    assert_eq!(b.events(), [told(&["B"], BackupPriority), told(&["A", "B"], Backup)].concat());
}

#[test]
fn what_is_in_fault_is_not_told_so_again_when_a_reload_removes_it() {
    let script = vec![Track { name: "S".into(), weight: 0, reverse: false }];
    let waiting = InstanceSettings { track_scripts: script, ..instance(100) };
    let mut deleted = tracking(&["eth1"]);
    deleted.notify.report_deleted = true;
    let all = vec![instance(100), tracking(&["eth1"]), waiting, deleted];
    let mut b = Bench::with(several(all, &[]));
    b.start();
    assert_eq!(b.events(), [told(&["B", "D"], Fault), told(&["A"], Backup)].concat());
    b.out.clear();
    assert_eq!(b.router.retire(&Settings::default(), &mut b.out), [0, 1, 2, 3]);
    assert_eq!(b.events(), [told(&["A"], Fault), told(&["D"], Deleted)].concat());
}

#[test]
fn states_are_repeated_unless_they_are_news() {
    let settings = |second| {
        let all = vec![instance(100), second, instance(100), instance(100)];
        let mut settings = several(all, &[2, 0]);
        settings.groups.push(GroupSettings { name: "H".into(), ..group(&[1]) });
        settings.globals.fifo_write_states_on_reload = true;
        settings
    };
    let mut b = Bench::with(settings(instance(100)));
    b.start();
    assert_eq!(repeated(&b), []);
    b.pass(8000);
    b.reload(settings(instance(100)));
    assert_eq!(b.events(), []);
    assert_eq!(repeated(&b), told(&["G", "H", "A", "B", "C", "D"], Master));
    // Faults are told of and repeated: their rank is before that of the groups.
    b.reload(settings(tracking(&["eth1"])));
    assert_eq!(b.events(), told(&["B", "H"], Fault));
    let others = [told(&["G", "A"], Master), told(&["B"], Fault), told(&["C", "D"], Master)];
    assert_eq!(repeated(&b), others.concat());
    b.reload(settings(instance(100)));
    assert_eq!(b.events(), told(&["H", "B"], Backup));
    assert_eq!(repeated(&b), told(&["G", "A", "C", "D"], Master));
}
