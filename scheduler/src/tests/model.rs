//! Random threads, cancelled and moved at random from inside and outside of callbacks. The world
//! keeps its own book and checks every callback against it.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Timer(Class, u64),
    Event(Class),
    Read(Class, i32, Option<u64>),
    Child(Class, i32, Option<u64>),
    Signal(Class, i32),
    Cancel(usize),
    Move(usize, u64),
    Readable(i32),
    Forget(i32),
    Exit(i32),
    Raise(i32),
    Advance(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Timer,
    Event,
    Read(i32),
    Child(i32),
    Signal(i32),
}

/// What the world knows about a thread that is to run still.
#[derive(Clone, Copy, Debug)]
struct Entry {
    id: ThreadId,
    class: Class,
    what: What,
    due: Option<Time>,
    /// The pass in which it was armed and its rank among everything armed.
    armed: (u64, u64),
}

#[derive(Default)]
struct World {
    script: Vec<Step>,
    book: BTreeMap<u64, Entry>,
    next: u64,
    /// Threads that ran in this pass: class, and rank of timers.
    pass: Vec<(Class, Option<(Time, u64)>)>,
    ran: u64,
}

const TICK: Duration = Duration::from_micros(1);

fn act(s: &mut Scheduler<World>, world: &mut World, step: Step) {
    let arg = world.next;
    let now = s.now();
    let after = |ticks: Option<u64>| ticks.map(|ticks| TICK * ticks as u32);
    let added = match step {
        Step::Timer(class, ticks) => {
            let at = now + TICK * ticks as u32;
            Some((s.add_timer(class, at, arg, check), class, What::Timer, Some(at)))
        }
        Step::Event(class) => Some((s.add_event(class, arg, check), class, What::Event, None)),
        Step::Read(class, fd, timeout) => {
            let due = after(timeout).map(|d| now + d);
            let id = s.add_read(class, fd, after(timeout), arg, check).ok();
            assert_eq!(id.is_none(), waits(world, What::Read(fd)));
            id.map(|id| (id, class, What::Read(fd), due))
        }
        Step::Child(class, pid, timeout) => {
            let due = after(timeout).map(|d| now + d);
            let id = s.add_child(class, pid, after(timeout), arg, check).ok();
            assert_eq!(id.is_none(), waits(world, What::Child(pid)));
            id.map(|id| (id, class, What::Child(pid), due))
        }
        Step::Signal(class, signal) => {
            let id = s.add_signal(class, signal, arg, check).ok();
            assert_eq!(id.is_none(), waits(world, What::Signal(signal)));
            id.map(|id| (id, class, What::Signal(signal), None))
        }
        other => return disturb(s, world, other),
    };
    if let Some((id, class, what, due)) = added {
        let armed = (s.stats().passes, arg);
        world.book.insert(arg, Entry { id, class, what, due, armed });
        world.next += 1;
    }
}

fn waits(world: &World, what: What) -> bool {
    world.book.values().any(|entry| entry.what == what)
}

fn disturb(s: &mut Scheduler<World>, world: &mut World, step: Step) {
    match step {
        // Any number ever given out, so that old ids are tried, too.
        Step::Cancel(n) => {
            let arg = n as u64 % (world.next + 1);
            if let Some(entry) = world.book.remove(&arg) {
                assert!(s.is_registered(entry.id) && s.cancel(entry.id) && !s.cancel(entry.id));
            }
        }
        Step::Move(n, ticks) => {
            let arg = n as u64 % (world.next + 1);
            let at = s.now() + TICK * ticks as u32;
            let armed = (s.stats().passes, world.next);
            if let Some(entry) = world.book.get_mut(&arg)
                && s.move_timer(entry.id, at)
            {
                entry.due = Some(at);
                entry.armed = armed;
                world.next += 1;
            }
        }
        Step::Readable(fd) => s.inject_readable(fd),
        Step::Forget(fd) => {
            s.forget(fd);
            world.book.retain(|_, entry| entry.what != What::Read(fd));
        }
        Step::Exit(pid) => s.inject_exit(pid, Exit::Code(pid)),
        Step::Raise(signal) => s.inject_signal(signal),
        Step::Advance(ticks) => s.advance(TICK * ticks as u32),
        _ => {}
    }
}

fn check(s: &mut Scheduler<World>, world: &mut World, ready: Ready) {
    let entry = world.book.remove(&ready.arg).expect("it ran twice or after cancel");
    assert_eq!(entry.id, ready.id);
    assert!(!s.is_registered(ready.id));
    let pass = s.stats().passes;
    let timed = matches!(ready.cause, Cause::Timer | Cause::TimedOut);
    let rank = (timed && entry.class == Class::Urgent).then_some((ready.due, entry.armed.1));
    if timed {
        assert_eq!(Some(ready.due), entry.due);
        assert!(ready.due <= ready.now, "before its time");
    } else {
        assert_eq!(ready.due, ready.now);
    }
    if matches!(entry.what, What::Timer | What::Event) {
        assert!(entry.armed.0 < pass, "in the pass it was armed in");
    }
    match (entry.what, ready.cause) {
        (What::Timer, Cause::Timer) | (What::Event, Cause::Event) => {}
        (What::Read(_), Cause::Readable | Cause::TimedOut) => {}
        (What::Child(pid), cause) => {
            assert!(matches!(cause, Cause::TimedOut) || cause == Cause::Exited(Exit::Code(pid)));
        }
        (What::Signal(signal), cause) => assert_eq!(cause, Cause::Signal(signal)),
        other => panic!("{other:?}"),
    }
    if let Some((class, earlier)) = world.pass.last() {
        assert!(*class <= entry.class || entry.class != Class::Urgent, "urgent after lower");
        if entry.class == Class::Urgent && earlier.is_some() {
            assert!(rank >= *earlier, "timers out of order, or a descriptor behind a timer");
        }
    }
    world.pass.push((entry.class, rank));
    world.ran += 1;
    for _ in 0..2 {
        if let Some(step) = world.script.pop() {
            act(s, world, step);
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let class = prop_oneof![Just(Class::Urgent), Just(Class::Checker), Just(Class::Background)];
    let timeout = proptest::option::of(0..60u64);
    let step = prop_oneof![
        6 => (class.clone(), 0..60u64).prop_map(|(c, t)| Step::Timer(c, t)),
        2 => class.clone().prop_map(Step::Event),
        3 => (class.clone(), 0..4, timeout.clone()).prop_map(|(c, fd, t)| Step::Read(c, fd, t)),
        2 => (class.clone(), 1..4, timeout).prop_map(|(c, pid, t)| Step::Child(c, pid, t)),
        1 => (class, 1..4).prop_map(|(c, n)| Step::Signal(c, n)),
        3 => any::<usize>().prop_map(Step::Cancel),
        3 => (any::<usize>(), 0..60u64).prop_map(|(n, t)| Step::Move(n, t)),
        3 => (0..4).prop_map(Step::Readable),
        1 => (0..4).prop_map(Step::Forget),
        2 => (1..4).prop_map(Step::Exit),
        1 => (1..4).prop_map(Step::Raise),
        2 => (0..400u64).prop_map(Step::Advance),
    ];
    proptest::collection::vec(step, 1..200)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn every_thread_runs_once_in_order_or_is_cancelled(outside in steps(), script in steps()) {
        let mut s = Scheduler::<World>::simulated(Time::ZERO);
        let mut world = World { script, ..World::default() };
        for (n, step) in outside.into_iter().enumerate() {
            act(&mut s, &mut world, step);
            if n % 3 == 0 {
                world.pass.clear();
                s.turn(&mut world, Some(TICK * 5)).unwrap();
            }
            prop_assert_eq!(s.len(), world.book.len());
        }
        loop {
            world.pass.clear();
            if !s.turn(&mut world, None).unwrap() && s.next_deadline() == Time::NEVER {
                break;
            }
        }
        prop_assert_eq!(s.len(), world.book.len());
        prop_assert_eq!(s.stats().callbacks.iter().sum::<u64>(), world.ran);
        for entry in world.book.values() {
            prop_assert!(entry.due.is_none() && !matches!(entry.what, What::Timer | What::Event));
        }
    }
}
