//! The scheduler's timers, and requests for the kernel.

use std::hint::black_box;
use std::time::Duration;

use benches::address_requests;
use gungraun::{library_benchmark, library_benchmark_group};
use netlink::{AddressRequest, Batch};
use scheduler::{Class, Ready, Scheduler, ThreadId, Time};

/// How often each thread ran.
type World = u64;

const PERIOD: Duration = Duration::from_secs(1);

fn again(s: &mut Scheduler<World>, runs: &mut World, ready: Ready) {
    *runs += 1;
    s.add_timer(Class::Urgent, ready.due + PERIOD, ready.arg, again);
}

fn scheduler(count: u64) -> (Scheduler<World>, Vec<ThreadId>) {
    let mut s = Scheduler::simulated(Time::ZERO);
    let ids = (0..count)
        .map(|n| s.add_timer(Class::Urgent, Time::ZERO + Duration::from_micros(n), n, again))
        .collect();
    (s, ids)
}

// Every timer fires once and is set again.
#[library_benchmark]
#[bench::timers_4000(scheduler(4_000))]
fn fire_and_set_again((mut s, _): (Scheduler<World>, Vec<ThreadId>)) -> World {
    let mut runs = 0;
    while runs < 4_000 && s.turn(&mut runs, None).is_ok() {}
    black_box(runs)
}

// Every timer is moved a period on, as a deadline is with every advert.
#[library_benchmark]
#[bench::timers_4000(scheduler(4_000))]
fn move_timer((mut s, ids): (Scheduler<World>, Vec<ThreadId>)) -> Scheduler<World> {
    for (n, id) in ids.into_iter().enumerate() {
        s.move_timer(id, Time::ZERO + PERIOD + Duration::from_micros(n as u64));
    }
    black_box(s)
}

library_benchmark_group!(name = scheduling, benchmarks = [fire_and_set_again, move_timer]);

#[library_benchmark]
#[bench::addresses_4000(address_requests(4_000))]
fn batch(requests: Vec<AddressRequest>) -> (Vec<AddressRequest>, Batch) {
    let mut batch = Batch::new();
    for (tag, request) in requests.iter().enumerate() {
        batch.add_address(request, tag as u64);
    }
    (requests, black_box(batch))
}

library_benchmark_group!(name = kernel_requests, benchmarks = batch);
