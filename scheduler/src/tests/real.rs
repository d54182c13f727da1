//! On the real clock and poll. Only the order of events and the number of system calls is asserted.

use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use super::*;

struct World {
    log: Log,
    stream: UnixStream,
    /// How much one callback reads.
    size: usize,
    drain: bool,
    timer: Option<ThreadId>,
}

fn world(size: usize, drain: bool) -> (Scheduler<World>, World, UnixStream) {
    let (stream, peer) = UnixStream::pair().unwrap();
    stream.set_nonblocking(true).unwrap();
    let s = Scheduler::new().unwrap();
    (s, World { log: Log::default(), stream, size, drain, timer: None }, peer)
}

/// Reads, notes how much, waits on.
fn read(s: &mut Scheduler<World>, world: &mut World, ready: Ready) {
    let mut buffer = [0; 64];
    let got = world.stream.read(&mut buffer[..world.size]).unwrap_or(0);
    world.log.ran.push((got as u64, ready.cause));
    if let Some(timer) = world.timer {
        s.move_timer(timer, ready.now + 3600 * SECOND);
    }
    if world.drain {
        s.drained(world.stream.as_raw_fd());
    }
    add(s, world);
}

fn add(s: &mut Scheduler<World>, world: &World) {
    s.add_read(Class::Urgent, world.stream.as_raw_fd(), None, 0, read).unwrap();
}

fn settle<W>(s: &mut Scheduler<W>, world: &mut W) {
    while s.turn(world, Some(Duration::ZERO)).unwrap() {}
}

#[test]
fn timers_run_in_order_on_the_real_clock() {
    let (mut s, mut log) = (Scheduler::new().unwrap(), Log::default());
    for arg in [3, 1, 2] {
        s.add_timer_after(Class::Urgent, Duration::from_micros(300) * arg, arg.into(), note);
    }
    while !s.is_empty() {
        s.turn(&mut log, None).unwrap();
    }
    assert_eq!(log.args(), [1, 2, 3]);
}

#[test]
fn what_was_left_unread_is_reported_again() {
    let (mut s, mut world, mut peer) = world(1, false);
    add(&mut s, &world);
    peer.write_all(b"abc").unwrap();
    settle(&mut s, &mut world);
    assert_eq!(world.log.args(), [1, 1, 1]);
}

#[test]
fn the_promise_of_having_drained_holds_for_one_read() {
    let (mut s, mut world, mut peer) = world(64, true);
    add(&mut s, &world);
    peer.write_all(b"abc").unwrap();
    settle(&mut s, &mut world);
    (world.size, world.drain) = (1, false);
    peer.write_all(b"de").unwrap();
    settle(&mut s, &mut world);
    assert_eq!(world.log.args(), [3, 1, 1]);
}

#[test]
fn a_drained_descriptor_is_added_without_a_system_call() {
    let (mut s, mut world, mut peer) = world(64, true);
    add(&mut s, &world);
    let before = s.stats();
    for _ in 0..10 {
        peer.write_all(b"abc").unwrap();
        assert!(s.turn(&mut world, None).unwrap());
    }
    assert_eq!(world.log.args(), [3; 10]);
    assert_eq!(s.stats().controls, before.controls);
    assert_eq!(s.stats().polls, before.polls + 10);
}

#[test]
fn an_edge_between_drained_and_the_next_thread_is_not_lost() {
    let (mut s, mut world, mut peer) = world(64, false);
    let fd = world.stream.as_raw_fd();
    s.add_read(Class::Urgent, fd, None, 0, |s, world: &mut World, ready| {
        let got = world.stream.read(&mut [0; 64]).unwrap();
        world.log.ran.push((got as u64, ready.cause));
        s.drained(world.stream.as_raw_fd());
    })
    .unwrap();
    peer.write_all(b"a").unwrap();
    settle(&mut s, &mut world);
    peer.write_all(b"bc").unwrap();
    settle(&mut s, &mut world);
    let before = s.stats().controls;
    add(&mut s, &world);
    assert_eq!(s.stats().controls, before);
    settle(&mut s, &mut world);
    assert_eq!(world.log.args(), [1, 2]);
}

/// A peer that goes on sending to a descriptor nobody reads does not wake the loop for ever.
#[test]
fn a_descriptor_nobody_waits_on_is_no_longer_watched() {
    let (mut s, mut world, mut peer) = world(64, true);
    let fd = world.stream.as_raw_fd();
    let id = s.add_read(Class::Urgent, fd, None, 0, read).unwrap();
    assert!(s.cancel(id));
    for _ in 0..5 {
        peer.write_all(b"a").unwrap();
        settle(&mut s, &mut world);
    }
    let source = s.sources.get_mut(fd).copied().unwrap();
    assert_eq!(source.interest, 0);
    add(&mut s, &world);
    settle(&mut s, &mut world);
    assert_eq!(world.log.args(), [5], "but nothing is lost");
}

#[test]
fn writing_is_watched_only_while_a_thread_waits_to_write() {
    let (mut s, mut world, mut peer) = world(64, true);
    let fd = world.stream.as_raw_fd();
    add(&mut s, &world);
    s.add_write(Class::Urgent, fd, None, 7, |_, world: &mut World, ready| {
        world.log.ran.push((ready.arg, ready.cause));
    })
    .unwrap();
    settle(&mut s, &mut world);
    assert_eq!(world.log.ran, [(7, Cause::Writable)]);
    peer.write_all(b"ab").unwrap();
    settle(&mut s, &mut world);
    assert_eq!(world.log.args(), [7, 2]);
    assert_eq!(s.sources.get_mut(fd).unwrap().interest, source::READ);
}

#[test]
fn a_closed_peer_is_readable() {
    let (mut s, mut world, peer) = world(64, false);
    add(&mut s, &world);
    drop(peer);
    s.turn(&mut world, None).unwrap();
    assert_eq!(world.log.args(), [0]);
}

/// Closes `old` and opens one end of a new pair under the same number, in one step, so that no test
/// beside this one can take the number.
fn reuse(old: UnixStream) -> (UnixStream, UnixStream) {
    let (new, peer) = UnixStream::pair().unwrap();
    let mut number = OwnedFd::from(old);
    nix::unistd::dup2(&new, &mut number).unwrap();
    (UnixStream::from(number), peer)
}

/// The old file lives on in a duplicate, as it does in a child, and still makes events.
#[test]
fn a_reused_descriptor_number_gets_no_stale_event() {
    type Forget = fn(&mut Scheduler<Log>, RawFd);
    let ways: [(Option<Forget>, u64); 3] =
        [(None, 1), (Some(Scheduler::forget), 0), (Some(Scheduler::forget_closing), 1)];
    for (forget, stale) in ways {
        let (mut s, mut log) = (Scheduler::new().unwrap(), Log::default());
        let (old, mut old_peer) = UnixStream::pair().unwrap();
        let number: RawFd = old.as_raw_fd();
        let first = s.add_read(Class::Urgent, number, None, 1, note).unwrap();
        let duplicate = old.try_clone().unwrap();
        match forget {
            Some(forget) => forget(&mut s, number),
            None => assert!(s.cancel(first)),
        }
        let (new, mut new_peer) = reuse(old);
        s.add_read(Class::Urgent, number, None, 2, note).unwrap();
        old_peer.write_all(b"stale").unwrap();
        settle(&mut s, &mut log);
        assert!(log.ran.is_empty());
        assert_eq!(s.stats().stale_events, stale);
        new_peer.write_all(b"fresh").unwrap();
        settle(&mut s, &mut log);
        assert_eq!(log.ran, [(2, Cause::Readable)]);
        drop((duplicate, new));
    }
}

/// Two sockets are readable in one pass; the first callback closes the second one, whose number a
/// new socket gets at once.
#[test]
fn a_number_reused_within_a_pass_gets_no_stale_event() {
    type Pair = Option<(UnixStream, UnixStream)>;
    #[derive(Default)]
    struct World {
        second: Option<UnixStream>,
        new: Pair,
    }
    fn close(s: &mut Scheduler<World>, world: &mut World, _: Ready) {
        let second = world.second.take().unwrap();
        let number = second.as_raw_fd();
        s.forget(number);
        world.new = Some(reuse(second));
        s.add_read(Class::Urgent, number, None, 2, stale).unwrap();
    }
    fn stale(_: &mut Scheduler<World>, _: &mut World, ready: Ready) {
        panic!("{ready:?}");
    }
    let (mut s, mut world) = (Scheduler::new().unwrap(), World::default());
    let (first, mut first_peer) = UnixStream::pair().unwrap();
    let (second, mut second_peer) = UnixStream::pair().unwrap();
    s.add_read(Class::Urgent, first.as_raw_fd(), None, 0, close).unwrap();
    s.add_read(Class::Urgent, second.as_raw_fd(), None, 1, stale).unwrap();
    world.second = Some(second);
    first_peer.write_all(b"x").unwrap();
    second_peer.write_all(b"x").unwrap();
    settle(&mut s, &mut world);
    assert!(world.new.is_some() && s.len() == 1);
}

#[test]
fn a_thousand_timers_of_one_moment_cost_one_wake_up() {
    let (mut s, mut log) = (Scheduler::new().unwrap(), Log::default());
    let at = s.now() + 2 * MS;
    for arg in 0..1000 {
        s.add_timer(Class::Urgent, at, arg, note);
    }
    let before = s.stats();
    assert!(s.turn(&mut log, None).unwrap());
    assert!(log.args().into_iter().eq(0..1000));
    let stats = s.stats();
    assert!(stats.timer_sets - before.timer_sets <= 1);
    // A second look only if this machine woke us more than a millisecond late.
    assert!(stats.polls - before.polls <= 1 + u64::from(stats.worst_lag >= MS));
}

#[test]
fn moving_the_earliest_timer_later_costs_no_system_call() {
    let (mut s, mut world, mut peer) = world(64, true);
    world.timer =
        Some(s.add_timer_after(Class::Urgent, 3600 * SECOND, 0, |_, _: &mut World, _| {}));
    add(&mut s, &world);
    let before = s.stats();
    for _ in 0..20 {
        peer.write_all(b"advert").unwrap();
        assert!(s.turn(&mut world, None).unwrap());
    }
    let stats = s.stats();
    assert_eq!(stats.timer_sets, before.timer_sets + 1, "the first sleep sets it");
    assert_eq!((stats.polls, stats.controls), (before.polls + 20, before.controls));
}

/// A callback holds the loop up until the timer is late; the advert that came meanwhile is read first.
#[test]
fn a_late_timer_waits_until_the_socket_was_read() {
    let (mut s, mut world, mut peer) = world(64, true);
    add(&mut s, &world);
    peer.write_all(b"advert").unwrap();
    let at = s.now() + MS;
    s.add_timer(Class::Urgent, at, 99, |_, world: &mut World, ready| {
        world.log.ran.push((ready.arg, ready.cause));
    });
    while s.clock() < at + MS {}
    s.turn(&mut world, None).unwrap();
    assert_eq!(world.log.ran, [(6, Cause::Readable), (99, Cause::Timer)]);
}

#[test]
fn a_checker_that_runs_long_lets_urgent_sockets_go_first() {
    fn slow(s: &mut Scheduler<World>, world: &mut World, ready: Ready) {
        if ready.arg == 100 {
            (&world.stream).write_all(b"x").unwrap();
        }
        let until = s.clock() + MS;
        while s.clock() < until {}
        world.log.ran.push((ready.arg, ready.cause));
    }
    let (mut s, mut world, peer) = world(64, true);
    s.add_read(Class::Urgent, peer.as_raw_fd(), None, 7, |_, world: &mut World, ready| {
        world.log.ran.push((ready.arg, ready.cause));
    })
    .unwrap();
    for arg in 100..103 {
        s.add_event(Class::Checker, arg, slow);
    }
    settle(&mut s, &mut world);
    assert_eq!(world.log.args(), [100, 7, 101, 102]);
}

#[test]
fn a_file_that_cannot_be_polled_is_refused() {
    let file = std::fs::File::open("/proc/self/exe").unwrap();
    let (mut s, mut log) = (Scheduler::new().unwrap(), Log::default());
    assert!(s.add_read(Class::Urgent, file.as_raw_fd(), None, 1, note).is_err());
    assert!(s.is_empty());
    assert!(!s.turn(&mut log, Some(Duration::ZERO)).unwrap());
}

/// More sockets than one poll reports: none of them is behind the timer.
#[test]
fn all_readable_sockets_run_before_a_timer_however_many() {
    let (mut s, mut log) = (Scheduler::new().unwrap(), Log::default());
    let (stream, mut peer) = UnixStream::pair().unwrap();
    let streams: Vec<_> = (0..300).map(|_| stream.try_clone().unwrap()).collect();
    for stream in &streams {
        s.add_read(Class::Urgent, stream.as_raw_fd(), None, 0, note).unwrap();
    }
    peer.write_all(b"x").unwrap();
    s.add_timer(Class::Urgent, s.now(), 1, note);
    s.turn(&mut log, None).unwrap();
    let args = log.args();
    assert_eq!((args.len(), args[300]), (301, 1));
}
