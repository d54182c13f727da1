//! What a timer costs: 4,000 periodic ones, as 4,000 instances have, under the virtual clock.
//! Prints nanoseconds for each operation; judges nothing.

use std::hint::black_box;
use std::time::{Duration, Instant};

use scheduler::{Class, Ready, Scheduler, ThreadId, Time};

const TIMERS: u64 = 4000;
const SECOND: Duration = Duration::from_secs(1);

fn advert(s: &mut Scheduler<u64>, sent: &mut u64, ready: Ready) {
    *sent += 1;
    s.add_timer(Class::Urgent, ready.due + SECOND, ready.arg, advert);
}

fn print(what: &str, started: Instant, operations: u64) {
    println!("{what:50} {:8.1} ns", started.elapsed().as_nanos() as f64 / operations as f64);
}

/// `apart` is the time between the deadlines of two timers.
fn periodic(what: &str, apart: Duration) {
    let mut s = Scheduler::simulated(Time::ZERO);
    for n in 0..TIMERS {
        s.add_timer(Class::Urgent, Time::ZERO + apart * n as u32, n, advert);
    }
    let (started, mut sent) = (Instant::now(), 0);
    while sent < 250 * TIMERS {
        if s.turn(&mut sent, None).is_err() {
            return;
        }
    }
    print(what, started, sent);
}

/// Every advert received moves a master_down_timer.
fn moved() {
    let mut s = Scheduler::<u64>::simulated(Time::ZERO);
    let ids: Vec<ThreadId> = (0..TIMERS)
        .map(|n| s.add_timer(Class::Urgent, Time::ZERO + Duration::from_micros(n), n, advert))
        .collect();
    let started = Instant::now();
    for round in 1..=250 {
        for (n, &id) in (0u32..).zip(&ids) {
            black_box(s.move_timer(id, Time::ZERO + SECOND * round + Duration::from_micros(1) * n));
        }
    }
    print("a timer moved later, each in its turn", started, 250 * TIMERS);
}

fn added_and_cancelled() {
    let mut s = Scheduler::<u64>::simulated(Time::ZERO);
    for n in 0..TIMERS {
        s.add_timer(Class::Urgent, Time::ZERO + Duration::from_micros(n), n, advert);
    }
    let started = Instant::now();
    for n in 0..250 * TIMERS {
        let at = Time::ZERO + Duration::from_micros(n * 7919 % TIMERS);
        let id = s.add_timer(Class::Urgent, at, n, advert);
        black_box(s.cancel(id));
    }
    print("a timer added and cancelled", started, 250 * TIMERS);
}

fn main() {
    periodic("run and armed again, all at one moment", Duration::ZERO);
    periodic("run and armed again, a pass for each", Duration::from_micros(250));
    moved();
    added_and_cancelled();
}
