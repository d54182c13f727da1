//! Address owners: two of them, and groups of them.

use super::*;

fn owner() -> InstanceSettings {
    instance(255)
}

#[test]
fn another_owner_is_watched_for_a_fifth_more_than_the_longer_interval() {
    let mut b = Bench::started(owner());
    b.pass(0);
    let slow = Heard { source: LOWER, priority: 255, interval: Duration::from_secs(5) };
    b.router.advert_received(b.now, 0, &slow, &mut b.out);
    b.pass(5999);
    assert!(!b.logged("stopped advertising"));
    b.pass(1);
    assert!(b.logged("(VI): rogue address owner appears to have stopped advertising"));
}

#[test]
fn only_the_owner_that_is_watched_keeps_the_conflict_alive() {
    let mut b = Bench::started(owner());
    b.pass(0);
    b.hear(LOWER, 255);
    let third = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 3));
    b.pass(1000);
    b.hear(third, 255);
    b.pass(200);
    assert!(b.logged("stopped advertising"));
    assert_eq!(b.state(), State::Master);
}

#[test]
fn a_conflict_ends_with_mastership() {
    let mut b = Bench::started(owner());
    b.pass(0);
    b.hear(LOWER, 255);
    b.hear(LOWER, 255);
    b.track(TrackerKind::Interface, "eth0", Status::Down);
    b.pass(5000);
    assert!(!b.logged("reducing our priority"));
    assert_eq!((b.state(), b.router.instances()[0].effective_priority()), (State::Fault, 255));
}

#[test]
fn a_group_of_owners_is_master_at_once_and_is_told_of_nothing_before() {
    let mut b = pair(owner(), owner());
    assert_eq!(b.events(), []);
    b.pass(0);
    assert_eq!(b.states(), [State::Master; 3]);
    let master = |s| (s, NotifyEvent::Master);
    let told = [Subject::Instance(0), Subject::Instance(1), Subject::Group(0)].map(master);
    assert_eq!(b.events(), told);
}

#[test]
fn an_owner_in_a_group_with_others_begins_like_them() {
    let mut b = pair(owner(), instance(100));
    let backup = |s| (s, NotifyEvent::Backup);
    let told = [Subject::Group(0), Subject::Instance(0), Subject::Instance(1)].map(backup);
    assert_eq!(b.events(), told);
    b.pass(3100);
    assert_eq!(b.states(), [State::Backup; 3], "the other still listens");
    b.pass(3100);
    assert_eq!(b.states(), [State::Master; 3]);
}

/// A reload puts other owners in the place of all its members.
#[test]
fn a_group_of_new_owners_is_not_told_to_be_master_twice() {
    let mut b = pair(owner(), owner());
    b.pass(0);
    let mut settings = several(vec![owner(), owner()], &[0, 1]);
    for (inst, vrid) in settings.instances.iter_mut().zip([7, 8]) {
        inst.vrid = vrid;
    }
    b.reload(settings);
    let mut of_group = b.events();
    b.pass(0);
    of_group.extend(b.events());
    of_group.retain(|(subject, _)| *subject == Subject::Group(0));
    assert_eq!(
        of_group.iter().map(|e| e.1).collect::<Vec<_>>(),
        [NotifyEvent::Backup, NotifyEvent::Master]
    );
}
