//! Descriptors, children and signals under the virtual clock.

use super::*;

#[test]
fn a_read_times_out_or_is_readable_but_not_both() {
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_read(Class::Checker, 5, Some(5 * MS), 1, note).unwrap();
    s.add_write(Class::Checker, 5, Some(5 * MS), 2, note).unwrap();
    s.advance(10 * MS);
    s.inject_writable(5);
    s.run(&mut log).unwrap();
    assert_eq!(log.ran, [(2, Cause::Writable), (1, Cause::TimedOut)]);
}

#[test]
fn the_time_out_of_a_waiting_thread_can_be_moved() {
    let (mut s, mut log) = (simulated(), Log::default());
    let start = s.now();
    let id = s.add_read(Class::Checker, 5, None, 1, note).unwrap();
    assert!(s.move_timer(id, start + 2 * MS));
    s.run(&mut log).unwrap();
    assert_eq!((s.now(), &log.ran[..]), (start + 2 * MS, &[(1, Cause::TimedOut)][..]));
}

#[test]
fn an_edge_without_a_thread_is_kept_for_the_next() {
    let (mut s, mut log) = (simulated(), Log::default());
    s.inject_readable(5);
    s.turn(&mut log, None).unwrap();
    s.add_read(Class::Checker, 5, None, 1, note).unwrap();
    s.run(&mut log).unwrap();
    s.add_read(Class::Checker, 5, None, 2, note).unwrap();
    s.run(&mut log).unwrap();
    assert_eq!(log.args(), [1], "and reported once");
}

#[test]
fn an_edge_whose_thread_was_cancelled_is_kept_for_the_next() {
    fn cancel(s: &mut Scheduler<Option<ThreadId>>, other: &mut Option<ThreadId>, _: Ready) {
        assert!(s.cancel(other.take().unwrap()));
    }
    fn read(_: &mut Scheduler<Option<ThreadId>>, other: &mut Option<ThreadId>, ready: Ready) {
        assert_eq!((ready.arg, *other), (2, None));
        *other = Some(ready.id);
    }
    let mut s = Scheduler::simulated(Time::ZERO);
    s.add_event(Class::Urgent, 0, cancel);
    let mut world = Some(s.add_read(Class::Urgent, 5, None, 1, read).unwrap());
    s.inject_readable(5);
    s.turn(&mut world, None).unwrap();
    let id = s.add_read(Class::Urgent, 5, None, 2, read).unwrap();
    s.run(&mut world).unwrap();
    assert_eq!(world, Some(id));
}

/// More came while the reader ran, and it has read that, too.
#[test]
fn what_was_drained_is_not_reported() {
    fn read(s: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
        note(s, log, ready);
        s.inject_readable(5);
        s.drained(5);
        s.add_read(Class::Urgent, 5, None, 2, note).unwrap();
    }
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_read(Class::Urgent, 5, None, 1, read).unwrap();
    s.inject_readable(5);
    s.run(&mut log).unwrap();
    assert_eq!(log.args(), [1]);
}

#[test]
fn a_forgotten_descriptor_has_no_threads_and_no_events() {
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_read(Class::Urgent, 5, None, 1, note).unwrap();
    s.add_write(Class::Urgent, 5, Some(MS), 2, note).unwrap();
    s.inject_readable(5);
    s.forget(5);
    assert!(s.is_empty());
    s.add_read(Class::Urgent, 5, None, 3, note).unwrap();
    s.run(&mut log).unwrap();
    assert!(log.ran.is_empty());
}

#[test]
fn a_second_thread_for_the_same_is_refused() {
    let mut s = simulated();
    let exists = Some(std::io::ErrorKind::AlreadyExists);
    for _ in 0..2 {
        s.add_read(Class::Urgent, 5, None, 1, note).ok();
        s.add_write(Class::Urgent, 5, None, 1, note).ok();
        s.add_child(Class::Urgent, 77, None, 1, note).ok();
        s.add_signal(Class::Urgent, 1, 1, note).ok();
    }
    assert_eq!(s.len(), 4);
    let again = s.add_child(Class::Urgent, 77, None, 1, note);
    assert_eq!(again.err().map(|e| e.kind()), exists);
    let invalid = Some(std::io::ErrorKind::InvalidInput);
    assert_eq!(s.add_read(Class::Urgent, -1, None, 1, note).err().map(|e| e.kind()), invalid);
    for signal in [-1, 0, 65, libc::SIGKILL, libc::SIGSTOP, i32::MIN, i32::MAX] {
        let refused = s.add_signal(Class::Urgent, signal, 1, note);
        assert_eq!(refused.err().map(|e| e.kind()), invalid, "signal {signal}");
    }
}

#[test]
fn a_child_that_times_out_may_be_waited_for_again_and_its_status_is_kept() {
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_child(Class::Checker, 77, Some(MS), 1, note).unwrap();
    s.run(&mut log).unwrap();
    assert_eq!(log.ran, [(1, Cause::TimedOut)]);
    s.inject_exit(77, Exit::Signal(9));
    s.run(&mut log).unwrap();
    s.add_child(Class::Checker, 77, Some(MS), 2, note).unwrap();
    s.run(&mut log).unwrap();
    assert_eq!(log.ran[1..], [(2, Cause::Exited(Exit::Signal(9)))]);
}

#[test]
fn a_child_that_ends_while_its_time_out_is_queued_is_not_lost() {
    fn kill(s: &mut Scheduler<Log>, _: &mut Log, _: Ready) {
        s.inject_exit(77, Exit::Code(3));
    }
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_timer_after(Class::Urgent, MS, 0, kill);
    s.add_child(Class::Checker, 77, Some(MS), 1, note).unwrap();
    s.run(&mut log).unwrap();
    s.add_child(Class::Checker, 77, Some(MS), 2, note).unwrap();
    s.run(&mut log).unwrap();
    assert_eq!(log.ran, [(1, Cause::TimedOut), (2, Cause::Exited(Exit::Code(3)))]);
}

#[test]
fn a_disowned_child_leaves_nothing_behind() {
    let (mut s, mut log) = (simulated(), Log::default());
    for exit_first in [true, false] {
        let id = s.add_child(Class::Checker, 77, None, 1, note).unwrap();
        if exit_first {
            s.inject_exit(77, Exit::Code(1));
            assert!(s.cancel(id));
        } else {
            s.disown(77);
            assert!(!s.cancel(id));
            s.inject_exit(77, Exit::Code(1));
        }
        s.add_child(Class::Checker, 77, Some(MS), 2, note).unwrap();
        s.run(&mut log).unwrap();
        s.disown(77);
        s.inject_exit(77, Exit::Code(1));
    }
    assert_eq!(log.ran, [(2, Cause::TimedOut); 2], "the number was a new child's");
}

#[test]
fn a_disowned_child_can_be_taken_back() {
    let (mut s, mut log) = (simulated(), Log::default());
    s.add_child(Class::Checker, 77, None, 1, note).unwrap();
    s.disown(77);
    s.add_child(Class::Checker, 77, Some(MS), 2, note).unwrap();
    s.run(&mut log).unwrap();
    s.inject_exit(77, Exit::Code(4));
    s.add_child(Class::Checker, 77, None, 3, note).unwrap();
    s.run(&mut log).unwrap();
    assert_eq!(log.ran, [(2, Cause::TimedOut), (3, Cause::Exited(Exit::Code(4)))]);
}

#[test]
fn a_signal_is_kept_once_for_whoever_asks_next() {
    let (mut s, mut log) = (simulated(), Log::default());
    let last = 64;
    s.inject_signal(last);
    s.inject_signal(last);
    s.add_signal(Class::Background, last, 1, note).unwrap();
    s.run(&mut log).unwrap();
    s.add_signal(Class::Background, last, 2, note).unwrap();
    s.run(&mut log).unwrap();
    assert_eq!(log.ran, [(1, Cause::Signal(64))]);
    s.inject_signal(last);
    s.inject_signal(last);
    s.run(&mut log).unwrap();
    assert_eq!(log.ran[1..], [(2, Cause::Signal(64))]);
}

#[test]
fn a_signal_whose_thread_was_cancelled_is_kept() {
    let (mut s, mut log) = (simulated(), Log::default());
    let id = s.add_signal(Class::Background, 1, 1, note).unwrap();
    s.inject_signal(1);
    assert!(s.cancel(id));
    s.add_signal(Class::Background, 1, 2, note).unwrap();
    s.run(&mut log).unwrap();
    assert_eq!(log.ran, [(2, Cause::Signal(1))]);
}
