//! Order, classes, rounds and passes, under the virtual clock.

use super::*;

#[test]
fn classes_run_most_urgent_first_and_equal_deadlines_as_armed() {
    let (mut s, mut log) = (simulated(), Log::default());
    for (arg, class) in [(20, Class::Background), (10, Class::Checker), (0, Class::Urgent)] {
        s.add_timer_after(class, MS, arg, note);
        s.add_timer_after(class, MS, arg + 1, note);
    }
    assert!(s.turn(&mut log, None).unwrap());
    assert_eq!(log.args(), [0, 1, 10, 11, 20, 21]);
    assert!(s.is_empty());
}

#[test]
fn inside_a_class_events_run_before_descriptors_and_those_before_timers() {
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_timer_after(Class::Checker, Duration::ZERO, 4, note);
    s.add_timer(Class::Checker, Time::ZERO, 3, note);
    s.add_event(Class::Checker, 1, note);
    s.add_read(Class::Checker, 5, None, 2, note).unwrap();
    s.inject_readable(5);
    s.turn(&mut log, None).unwrap();
    assert_eq!(log.args(), [1, 2, 3, 4]);
}

#[test]
fn a_moved_timer_runs_behind_those_of_its_new_moment() {
    let (mut s, mut log) = (simulated(), Log::default());
    let at = s.now() + MS;
    let first = s.add_timer(Class::Urgent, at - MS, 1, note);
    s.add_timer(Class::Urgent, at, 2, note);
    assert!(s.move_timer(first, at));
    assert_eq!(s.deadline(first), Some(at));
    s.run(&mut log).unwrap();
    assert_eq!(log.args(), [2, 1]);
    assert!(!s.move_timer(first, at), "it has run");
}

/// The documented race "tcpcheck respawns quickly": a check whose delay is zero re-arms itself while
/// expired timers run. It must not run again before everything else had its turn.
#[test]
fn tcpcheck_respawns_quickly() {
    fn check(s: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
        note(s, log, ready);
        if log.ran.len() < 100 {
            s.add_timer(Class::Checker, ready.now, 1, check);
            s.add_timer_after(Class::Checker, Duration::ZERO, 2, note);
        }
        if log.ran.len() == 1 {
            s.inject_readable(5);
        }
    }
    let (mut s, mut log) = (simulated(), Log::default());
    let start = s.now();
    s.add_timer(Class::Checker, start, 1, check);
    s.add_timer(Class::Checker, start, 3, note);
    s.add_read(Class::Checker, 5, None, 5, note).unwrap();
    s.turn(&mut log, None).unwrap();
    assert_eq!(log.args(), [1, 3], "what was armed in the pass does not run in it");
    s.turn(&mut log, None).unwrap();
    assert_eq!(log.args(), [1, 3, 5, 1, 2], "and the sockets come first in the next");
    assert_eq!(s.now(), start);
}

/// Its old place in the queue, left over from a pass that was cut short, is void.
#[test]
fn a_timer_taken_back_and_due_again_runs_in_its_new_place() {
    fn first(s: &mut Scheduler<(Log, ThreadId)>, world: &mut (Log, ThreadId), ready: Ready) {
        assert!(s.move_timer(world.1, ready.now));
        s.add_timer(Class::Urgent, ready.now, 9, other);
        other(s, world, ready);
    }
    fn other(_: &mut Scheduler<(Log, ThreadId)>, world: &mut (Log, ThreadId), ready: Ready) {
        world.0.ran.push((ready.arg, ready.cause));
    }
    let mut s = Scheduler::simulated(Time::ZERO);
    s.add_timer(Class::Checker, Time::ZERO, 1, first);
    let moved = s.add_timer(Class::Checker, Time::ZERO, 2, other);
    s.add_timer(Class::Checker, Time::ZERO, 3, other);
    let mut world = (Log::default(), moved);
    s.run(&mut world).unwrap();
    assert_eq!(world.0.args(), [1, 9, 3, 2]);
}

#[test]
fn an_event_added_in_a_pass_runs_in_the_next() {
    fn add(s: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
        note(s, log, ready);
        s.add_event(Class::Urgent, 2, note);
    }
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_event(Class::Urgent, 1, add);
    s.turn(&mut log, None).unwrap();
    assert_eq!(log.args(), [1]);
    s.turn(&mut log, None).unwrap();
    assert_eq!(log.args(), [1, 2]);
}

#[test]
fn nothing_runs_after_cancel_even_if_it_was_ready() {
    let mut s = Scheduler::<Vec<ThreadId>>::simulated(Time::ZERO);
    fn cancel_all(s: &mut Scheduler<Vec<ThreadId>>, ids: &mut Vec<ThreadId>, ready: Ready) {
        assert_eq!(ready.arg, 0, "a cancelled thread ran");
        for id in ids.drain(..) {
            assert!(s.cancel(id));
            assert!(!s.cancel(id), "the second time there is nothing to cancel");
        }
    }
    let mut ids = Vec::new();
    s.add_event(Class::Urgent, 0, cancel_all);
    for class in Class::ALL {
        ids.push(s.add_timer(class, Time::ZERO, 1, cancel_all));
        ids.push(s.add_event(class, 2, cancel_all));
        ids.push(s.add_read(class, 10 + class as i32, None, 3, cancel_all).unwrap());
        s.inject_readable(10 + class as i32);
    }
    s.run(&mut ids).unwrap();
    assert!(ids.is_empty() && s.is_empty());
}

#[test]
fn an_old_id_names_nothing_though_its_slot_is_used_again() {
    let (mut s, mut log) = (simulated(), Log::default());
    let old = s.add_event(Class::Checker, 1, note);
    s.turn(&mut log, None).unwrap();
    let new = s.add_event(Class::Checker, 2, note);
    assert_eq!(old.slot, new.slot);
    assert!(!s.cancel(old) && !s.move_timer(old, Time::NEVER) && !s.is_registered(old));
    assert!(s.is_registered(new));
}

/// The process stood still for ten seconds. An advert came meanwhile, so the master_down_timer that
/// is due as well is not believed.
#[test]
fn after_a_freeze_the_socket_is_read_before_its_timer_is_believed() {
    struct World {
        master_down: ThreadId,
        took_over: bool,
    }
    fn advert(s: &mut Scheduler<World>, world: &mut World, ready: Ready) {
        assert!(s.move_timer(world.master_down, ready.now + 3 * SECOND));
    }
    fn take_over(_: &mut Scheduler<World>, world: &mut World, _: Ready) {
        world.took_over = true;
    }
    let mut s = Scheduler::<World>::simulated(Time::ZERO);
    let master_down = s.add_timer_after(Class::Urgent, 3 * SECOND, 0, take_over);
    let mut world = World { master_down, took_over: false };
    s.add_read(Class::Urgent, 7, None, 0, advert).unwrap();
    s.advance(10 * SECOND);
    s.inject_readable(7);
    s.turn(&mut world, Some(Duration::ZERO)).unwrap();
    assert!(!world.took_over);
    assert_eq!(s.deadline(master_down), Some(Time::ZERO + 13 * SECOND));
    s.run(&mut world).unwrap();
    assert!(world.took_over && s.now() == Time::ZERO + 13 * SECOND);
}

/// Adverts every 10 ms beside a thousand checkers of 3 ms each that are all ready at once.
#[test]
fn a_thousand_slow_checkers_delay_an_advert_by_one_callback() {
    #[derive(Default)]
    struct World {
        adverts: u64,
        worst: Duration,
        checks: Vec<u64>,
    }
    fn advert(s: &mut Scheduler<World>, world: &mut World, ready: Ready) {
        world.adverts += 1;
        world.worst = world.worst.max(s.clock().since(ready.due));
        if world.checks.len() < 1000 {
            s.add_timer(Class::Urgent, ready.due + 10 * MS, 0, advert);
        }
    }
    fn check(s: &mut Scheduler<World>, world: &mut World, ready: Ready) {
        world.checks.push(ready.arg);
        s.advance(3 * MS);
    }
    let (mut s, mut world) = (Scheduler::simulated(Time::ZERO), World::default());
    for n in 0..1000 {
        s.add_timer(Class::Checker, Time::ZERO, n, check);
    }
    s.add_timer(Class::Urgent, Time::ZERO + 10 * MS, 0, advert);
    s.run(&mut world).unwrap();
    assert_eq!(world.adverts, 300);
    assert!(world.worst <= 3 * MS, "an advert was {:?} late", world.worst);
    assert!(world.checks.iter().copied().eq(0..1000), "checkers kept their order");
}

#[test]
fn an_urgent_thread_made_ready_by_a_checker_runs_before_the_next_checker() {
    fn check(s: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
        note(s, log, ready);
        match ready.arg {
            1 => s.inject_readable(5),
            2 => drop(s.add_event(Class::Urgent, 20, note)),
            _ => {}
        }
    }
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_read(Class::Urgent, 5, None, 10, note).unwrap();
    for arg in 1..=3 {
        s.add_event(Class::Checker, arg, check);
    }
    s.run(&mut log).unwrap();
    assert_eq!(log.args(), [1, 10, 2, 20, 3]);
}

/// A reload in slices: each is an event of the lowest class, and adverts go out between them.
#[test]
fn urgent_timers_run_between_the_slices_of_long_work() {
    fn slice(s: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
        assert!(!s.urgent_pending());
        s.advance(12 * MS);
        assert!(s.urgent_pending(), "the advert is due");
        note(s, log, ready);
        if ready.arg < 103 {
            s.add_event(Class::Background, ready.arg + 1, slice);
        }
    }
    fn advert(s: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
        note(s, log, ready);
        if ready.arg < 3 {
            s.add_timer_after(Class::Urgent, 10 * MS, ready.arg + 1, advert);
        }
    }
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_event(Class::Background, 100, slice);
    s.add_timer_after(Class::Urgent, 10 * MS, 0, advert);
    s.run(&mut log).unwrap();
    assert_eq!(log.args(), [100, 0, 101, 1, 102, 2, 103, 3]);
}

#[test]
fn checkers_that_are_always_ready_do_not_starve_background_work() {
    fn busy(s: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
        s.advance(MS);
        if log.ran.is_empty() {
            s.add_timer(Class::Checker, ready.now, 0, busy);
            s.add_event(Class::Checker, 0, busy);
        }
    }
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_event(Class::Checker, 0, busy);
    s.add_event(Class::Background, 1, note);
    // An urgent socket that never becomes ready makes every pass end after one callback of 1 ms.
    s.add_read(Class::Urgent, 5, None, 9, note).unwrap();
    for _ in 0..5 {
        s.turn(&mut log, None).unwrap();
    }
    assert_eq!(log.args(), [1]);
}

#[test]
fn a_periodic_thread_counts_from_the_planned_moment() {
    fn periodic(s: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
        assert_eq!(ready.due, Time::from_nanos(1_000_000_000) + MS * (10 * log.ran.len() as u32));
        note(s, log, ready);
        s.advance(4 * MS);
        if log.ran.len() < 50 {
            s.add_timer(Class::Urgent, ready.due + 10 * MS, 0, periodic);
        }
    }
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_timer_after(Class::Urgent, Duration::ZERO, 0, periodic);
    s.advance(7 * MS);
    s.run(&mut log).unwrap();
    assert_eq!(log.ran.len(), 50);
    assert_eq!(s.stats().worst_lag, 7 * MS);
    assert_eq!((s.take_lag(), s.take_lag()), (7 * MS, Duration::ZERO));
    assert_eq!(s.stats().lag.iter().sum::<u64>(), 50);
}

#[test]
fn all_callbacks_of_a_pass_see_the_same_now() {
    fn slow(s: &mut Scheduler<Vec<Time>>, seen: &mut Vec<Time>, ready: Ready) {
        s.advance(MS);
        assert_eq!(s.now(), ready.now);
        seen.push(ready.now);
    }
    let (mut s, mut seen) = (Scheduler::simulated(Time::ZERO), Vec::new());
    for class in Class::ALL {
        s.add_event(class, 0, slow);
    }
    s.turn(&mut seen, None).unwrap();
    assert_eq!(seen, [Time::ZERO; 3]);
    assert_eq!(s.now(), Time::ZERO + 3 * MS, "outside a pass, now is the clock's");
    s.turn(&mut seen, Some(Duration::ZERO)).unwrap();
    assert_eq!(s.stats().longest_away, 3 * MS);
}

#[test]
fn stop_ends_run_after_the_callback_and_loses_nothing() {
    fn stop(s: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
        note(s, log, ready);
        s.stop();
    }
    let (mut s, mut log) = (simulated(), Log::default());
    for class in [Class::Urgent, Class::Checker] {
        s.add_event(class, 1, stop);
        s.add_event(class, 2, note);
    }
    s.run(&mut log).unwrap();
    assert_eq!(log.args(), [1]);
    s.run(&mut log).unwrap();
    assert_eq!(log.args(), [1, 2, 1]);
    s.run(&mut log).unwrap();
    assert_eq!(log.args(), [1, 2, 1, 2]);
}

#[test]
fn turn_waits_no_longer_than_it_may() {
    let (mut s, mut log) = (simulated(), Log::default());
    let start = s.now();
    s.add_timer_after(Class::Urgent, 5 * MS, 1, note);
    assert!(!s.turn(&mut log, Some(2 * MS)).unwrap());
    assert_eq!(s.now(), start + 2 * MS);
    assert_eq!(s.next_deadline(), start + 5 * MS);
    assert!(s.turn(&mut log, Some(10 * MS)).unwrap());
    assert_eq!((s.now(), s.next_deadline()), (start + 5 * MS, Time::NEVER));
}

#[test]
fn a_timer_without_a_moment_waits_to_be_moved() {
    let (mut s, mut log) = (simulated(), Log::default());
    let id = s.add_timer(Class::Urgent, Time::NEVER, 1, note);
    s.run(&mut log).unwrap();
    assert!(log.ran.is_empty() && s.deadline(id).is_none());
    assert!(s.move_timer(id, Time::ZERO));
    s.run(&mut log).unwrap();
    assert_eq!(log.args(), [1]);
}
