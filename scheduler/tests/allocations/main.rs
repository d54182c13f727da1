//! Steady state allocates nothing: periodic timers, moved timers, events, readers that drain and
//! readers that do not.
#![allow(clippy::unwrap_used)]

mod sys;

use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use scheduler::{Class, Ready, Scheduler, ThreadId};
use sys::allocations;

struct World {
    ours: UnixStream,
    theirs: UnixStream,
    master_down: Vec<ThreadId>,
    reads: u64,
    /// Allocations when the first half of the reads was done.
    before: u64,
}

const READS: u64 = 400;

fn advert(s: &mut Scheduler<World>, _: &mut World, ready: Ready) {
    let after = Duration::from_micros(100 + ready.arg);
    s.add_timer(Class::Urgent, ready.due + after, ready.arg, advert);
}

fn received(s: &mut Scheduler<World>, world: &mut World, ready: Ready) {
    world.ours.read_exact(&mut [0; 6]).unwrap();
    for &id in &world.master_down {
        assert!(s.move_timer(id, ready.now + Duration::from_secs(3600)));
    }
    let fd = world.ours.as_raw_fd();
    if world.reads.is_multiple_of(2) {
        s.drained(fd);
    }
    s.add_read(Class::Urgent, fd, Some(Duration::from_secs(60)), 0, received).unwrap();
    s.add_event(Class::Background, 0, send);
    world.reads += 1;
    if world.reads == READS / 2 {
        world.before = allocations();
    } else if world.reads == READS {
        s.stop();
    }
}

fn send(_: &mut Scheduler<World>, world: &mut World, _: Ready) {
    world.theirs.write_all(b"advert").unwrap();
}

fn main() {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let mut s = Scheduler::new().unwrap();
    let hour = Duration::from_secs(3600);
    let master_down = (0..100).map(|n| s.add_timer_after(Class::Urgent, hour, n, advert)).collect();
    for n in 0..100 {
        s.add_timer_after(Class::Urgent, Duration::ZERO, n, advert);
    }
    s.add_read(Class::Urgent, ours.as_raw_fd(), None, 0, received).unwrap();
    s.add_event(Class::Background, 0, send);
    let mut world = World { ours, theirs, master_down, reads: 0, before: 0 };
    s.run(&mut world).unwrap();
    let more = allocations() - world.before;
    assert_eq!(more, 0, "allocations in {} passes", s.stats().passes);
    println!("no allocation in steady state");
}
