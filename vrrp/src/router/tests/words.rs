//! Log lines that tools look for.

use super::*;

fn logs(b: &Bench) -> Vec<&str> {
    b.out
        .iter()
        .filter_map(|a| match a {
            Action::Log { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_group_that_starts_in_fault_says_which_member_is_to_blame() {
    let eth1 = vec![Track { name: "eth1".into(), weight: 0, reverse: false }];
    let b = pair(instance(100), InstanceSettings { track_interfaces: eth1, ..instance(100) });
    assert_eq!(
        logs(&b),
        [
            "(B): entering FAULT state (interface eth1 down)",
            "VRRP_Group(G): Syncing B to FAULT state",
            "(A) entering FAULT state",
            "(B) entering FAULT state",
        ]
    );
    let fault = |s| (s, NotifyEvent::Fault);
    let told = [Subject::Instance(0), Subject::Instance(1), Subject::Group(0)].map(fault);
    assert_eq!(b.events(), told);
}

#[test]
fn a_fault_that_was_not_named_before_is_entered_at_init() {
    let mut b = Bench::one(instance(100));
    b.router.set_fault(b.now, 0, Faults::SOCKET, true, &mut b.out);
    b.start();
    assert_eq!(logs(&b), ["(VI) Entering FAULT STATE (init)"]);
}

#[test]
fn a_master_says_that_it_counts_in_its_own_interval_again() {
    let mut b = Bench::started(instance(100));
    let heard = Heard { source: HIGHER, priority: 200, interval: Duration::from_millis(250) };
    b.router.advert_received(b.now, 0, &heard, &mut b.out);
    let updated = "(VI) advertisement interval updated from 1000ms to 250ms by master";
    assert!(b.logged(updated), "{:?}", logs(&b));
    b.pass(4000);
    assert!(b.logged("(VI) changing advert interval from 250ms to locally configured 1000ms"));
    let mut b = Bench::started(instance(100));
    b.pass(4000);
    assert!(!b.logged("changing advert interval"));
}

#[test]
fn a_file_says_what_it_does_to_an_instance() {
    let file = |weight| InstanceSettings {
        track_files: vec![Track { name: "F".into(), weight, reverse: false }],
        ..instance(100)
    };
    let mut b = Bench::started(file(1));
    b.track(TrackerKind::File, "F", Status::Value(-300));
    assert_eq!(logs(&b), ["(VI): tracked file F now FAULT state", "(VI) Entering FAULT STATE"]);
    b.track(TrackerKind::File, "F", Status::Value(20));
    assert_eq!(
        logs(&b),
        [
            "(VI): tracked file F leaving FAULT state",
            "(VI) Setting effective priority to 120",
            "(VI) Changing effective priority from 100 to 120",
            "(VI) Entering BACKUP STATE",
        ]
    );
    b.track(TrackerKind::File, "F", Status::Value(21));
    assert_eq!(logs(&b), ["(VI) Changing effective priority from 120 to 121"]);
}

#[test]
fn a_frozen_master_says_how_late_its_timer_is() {
    let settings = InstanceSettings { timer_expired_backup: Some(100), ..instance(100) };
    let mut b = Bench::started(settings).become_master();
    let due = b.router.instances()[0].deadline();
    b.out.clear();
    b.now = due + Duration::from_millis(2610);
    b.router.expire(b.now, &mut b.out);
    assert_eq!(
        logs(&b),
        ["VRRP thread timer expired 2.610000 seconds ago", "(VI) Entering BACKUP STATE"]
    );
    assert!(b.adverts().is_empty());

    // A router of priority 100 would have needed longer.
    let settings = InstanceSettings { timer_expired_backup: Some(100), ..instance(100) };
    let mut b = Bench::started(settings).become_master();
    b.now = b.router.instances()[0].deadline() + Duration::from_millis(2600);
    b.router.expire(b.now, &mut b.out);
    assert_eq!(b.state(), State::Master);
}

#[test]
fn a_bfd_session_is_down_until_it_is_said_to_be_up() {
    let follower = |weight, reverse| InstanceSettings {
        track_bfds: vec![Track { name: "B".into(), weight, reverse }],
        ..instance(100)
    };
    let mut b = Bench::started(follower(0, false));
    assert_eq!(b.state(), State::Fault);
    b.out.clear();
    b.track(TrackerKind::Bfd, "B", Status::Down);
    assert_eq!(logs(&b), [] as [&str; 0], "known already");
    b.track(TrackerKind::Bfd, "B", Status::Up);
    let came = ["VRRP_Instance(VI) Tracked BFD instance B is UP", "(VI) Entering BACKUP STATE"];
    assert_eq!(logs(&b), came);
    b.track(TrackerKind::Bfd, "B", Status::Down);
    let went = ["VRRP_Instance(VI) Tracked BFD instance B is DOWN", "(VI) Entering FAULT STATE"];
    assert_eq!(logs(&b), went);

    // Weights: before the session is up, and then.
    for (weight, reverse, down, up) in
        [(20, false, 100, 120), (-20, false, 80, 100), (20, true, 100, 80), (-20, true, 120, 100)]
    {
        let mut b = Bench::started(follower(weight, reverse));
        assert_eq!(b.router.instances()[0].effective_priority(), down);
        b.track(TrackerKind::Bfd, "B", Status::Up);
        assert_eq!(b.router.instances()[0].effective_priority(), up);
        b.track(TrackerKind::Bfd, "B", Status::Down);
        assert_eq!(b.router.instances()[0].effective_priority(), down);
    }
    let mut b = Bench::started(follower(0, true));
    assert_eq!(b.state(), State::Backup);
    b.track(TrackerKind::Bfd, "B", Status::Up);
    assert_eq!(b.state(), State::Fault);
}
