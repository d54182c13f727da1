//! The startup delay.

use super::*;

fn delayed(settings: InstanceSettings, seconds: u64) -> Settings {
    let mut settings = Settings { instances: vec![settings], ..Settings::default() };
    settings.globals.startup_delay = Duration::from_secs(seconds);
    settings
}

#[test]
fn recovering_during_the_startup_delay_does_not_get_around_it() {
    for (owner, master_at) in [(false, 23_610), (true, 23_004)] {
        let priority = if owner { 255 } else { 100 };
        let mut b = Bench::with(delayed(instance(priority), 20));
        b.track(TrackerKind::Interface, "eth0", Status::Down);
        b.start();
        b.pass(1000);
        b.track(TrackerKind::Interface, "eth0", Status::Up);
        assert_eq!(b.events(), [(Subject::Instance(0), NotifyEvent::Backup)]);
        b.pass(master_at - 1000 - 1);
        assert_eq!(b.state(), State::Backup);
        b.pass(1);
        assert_eq!(b.state(), State::Master);
    }
}

#[test]
fn an_owner_whose_script_succeeds_during_the_startup_delay_waits_for_its_end() {
    let owner = InstanceSettings { track_scripts: tracked(0).track_scripts, ..instance(255) };
    let mut b = Bench::with(delayed(owner, 20));
    b.start();
    b.pass(1000);
    b.track(TrackerKind::Script, "S", Status::Up);
    assert_eq!((b.state(), b.events()), (State::Backup, vec![]));
    b.pass(19_000);
    assert_eq!(
        (b.state(), b.events()),
        (State::Master, vec![(Subject::Instance(0), NotifyEvent::Master)])
    );
}

#[test]
fn a_reload_can_shorten_the_startup_delay_but_not_lengthen_it() {
    let mut b = Bench::with(delayed(instance(100), 20));
    b.start();
    b.pass(5000);
    b.reload(delayed(instance(100), 30));
    assert!(b.out.is_empty());
    b.reload(delayed(instance(100), 10));
    assert!(b.logged("Delaying startup for a further 5 seconds"));
    b.pass(5000);
    assert!(b.logged("Delayed start completed"));
    assert!(!b.router.is_delayed(b.now));
    b.pass(3610);
    assert_eq!(b.state(), State::Master);

    let mut b = Bench::with(delayed(instance(100), 20));
    b.start();
    b.pass(5000);
    b.reload(delayed(instance(100), 3));
    assert!(b.logged("Reduced delayed start passed"));
    b.pass(3610);
    assert_eq!(b.state(), State::Master);
}

#[test]
fn adverts_that_waited_while_the_end_of_the_delay_was_slept_through_count() {
    let mut b = Bench::with(delayed(instance(100), 20));
    b.start();
    b.now += Duration::from_secs(60);
    b.hear(HIGHER, 200);
    b.pass(0);
    assert_eq!(b.state(), State::Backup);
}

#[test]
fn the_longer_startup_delay_counts() {
    let mut settings = delayed(instance(100), 3);
    settings.globals.boot_delay = Duration::from_secs(5);
    let mut b = Bench::with(settings);
    b.start();
    assert!(b.logged("Delaying startup for 5 seconds"));
    // What is left since boot is less by now; the delay ends no earlier for that.
    b.pass(2000);
    let mut settings = delayed(instance(100), 3);
    settings.globals.boot_delay = Duration::from_secs(3);
    b.reload(settings);
    assert!(b.out.is_empty());
    b.pass(3000);
    assert!(b.logged("Delayed start completed"));
}
