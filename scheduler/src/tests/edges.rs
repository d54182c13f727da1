//! No edge is lost: random readers on real sockets. Whatever a reader does (reads all or a part, makes
//! the promise of having drained or not, waits again at once, later or never, is cancelled or
//! forgotten, gets another connection under the same number), a thread that waits at last is told of what is left.

use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;

use proptest::prelude::*;

use super::*;

const SOCKETS: usize = 3;

#[derive(Clone, Copy, Debug)]
struct Habit {
    /// How much is read at a time; everything with `drain`.
    size: usize,
    drain: bool,
    again: bool,
    /// Looks whether something urgent waits, before anything is read.
    look: bool,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Send(usize),
    Wait(usize),
    WaitToWrite(usize),
    Cancel(usize),
    Forget(usize),
    Reopen(usize),
    Turn,
}

struct World {
    sockets: Vec<(UnixStream, UnixStream)>,
    waiting: [Option<ThreadId>; SOCKETS],
    unread: [usize; SOCKETS],
    habits: Vec<Habit>,
}

fn read(s: &mut Scheduler<World>, world: &mut World, ready: Ready) {
    let n = ready.arg as usize;
    world.waiting[n] = None;
    let all = Habit { size: 64, drain: true, again: true, look: false };
    let habit = world.habits.pop().unwrap_or(all);
    if habit.look {
        s.urgent_pending();
    }
    let mut buffer = [0; 64];
    loop {
        match world.sockets[n].0.read(&mut buffer[..habit.size]) {
            Ok(got) => world.unread[n] -= got,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::WouldBlock);
                break;
            }
        }
        if !habit.drain {
            break;
        }
    }
    let fd = world.sockets[n].0.as_raw_fd();
    if habit.drain {
        s.drained(fd);
    }
    if habit.again {
        wait(s, world, n);
    }
}

fn wait(s: &mut Scheduler<World>, world: &mut World, n: usize) {
    if world.waiting[n].is_none() {
        let class = Class::ALL[n % 3];
        let fd = world.sockets[n].0.as_raw_fd();
        world.waiting[n] = Some(s.add_read(class, fd, None, n as u64, read).unwrap());
    }
}

fn act(s: &mut Scheduler<World>, world: &mut World, step: Step) {
    match step {
        Step::Send(n) => {
            world.sockets[n].1.write_all(b"advert").unwrap();
            world.unread[n] += 6;
        }
        Step::Wait(n) => wait(s, world, n),
        Step::WaitToWrite(n) => {
            let fd = world.sockets[n].0.as_raw_fd();
            s.add_write(Class::Checker, fd, None, 0, |_, _, _| {}).ok();
        }
        Step::Cancel(n) => {
            if let Some(id) = world.waiting[n].take() {
                assert!(s.cancel(id));
            }
        }
        Step::Forget(n) => {
            s.forget(world.sockets[n].0.as_raw_fd());
            world.waiting[n] = None;
        }
        Step::Reopen(n) => {
            s.forget_closing(world.sockets[n].0.as_raw_fd());
            world.waiting[n] = None;
            world.unread[n] = 0;
            reopen(&mut world.sockets[n]);
        }
        Step::Turn => drop(s.turn(world, Some(Duration::ZERO)).unwrap()),
    }
}

/// Puts another connection in place of this one, mostly under the same number: the lowest that is free
/// is given out first.
fn reopen(place: &mut (UnixStream, UnixStream)) {
    drop(std::mem::replace(place, pair()));
    *place = pair();
}

fn pair() -> (UnixStream, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (ours, theirs)
}

fn step() -> impl Strategy<Value = Step> {
    let n = 0..SOCKETS;
    prop_oneof![
        4 => n.clone().prop_map(Step::Send),
        4 => n.clone().prop_map(Step::Wait),
        1 => n.clone().prop_map(Step::WaitToWrite),
        1 => n.clone().prop_map(Step::Cancel),
        1 => n.clone().prop_map(Step::Forget),
        1 => n.prop_map(Step::Reopen),
        5 => Just(Step::Turn),
    ]
}

fn habit() -> impl Strategy<Value = Habit> {
    (1..9usize, any::<bool>(), any::<bool>(), any::<bool>())
        .prop_map(|(size, drain, again, look)| Habit { size, drain, again, look })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn no_edge_is_lost(
        steps in proptest::collection::vec(step(), 0..80),
        habits in proptest::collection::vec(habit(), 0..40),
    ) {
        let sockets = (0..SOCKETS).map(|_| pair()).collect();
        let (waiting, unread) = ([None; SOCKETS], [0; SOCKETS]);
        let mut world = World { sockets, waiting, unread, habits };
        let mut s = Scheduler::new().unwrap();
        for step in steps {
            act(&mut s, &mut world, step);
        }
        for n in 0..SOCKETS {
            wait(&mut s, &mut world, n);
        }
        world.habits.iter_mut().for_each(|habit| habit.again = true);
        while s.turn(&mut world, Some(Duration::ZERO)).unwrap() {}
        prop_assert_eq!(world.unread, [0; SOCKETS]);
    }
}
