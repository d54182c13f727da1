//! Tests of the guarantees on the crate's page.

mod order;
mod real;

use super::*;

/// What ran, in order: the argument and the cause.
#[derive(Default)]
struct Log {
    ran: Vec<(u64, Cause)>,
}

impl Log {
    fn args(&self) -> Vec<u64> {
        self.ran.iter().map(|&(arg, _)| arg).collect()
    }
}

fn note(_: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
    log.ran.push((ready.arg, ready.cause));
}

fn simulated() -> Scheduler<Log> {
    Scheduler::simulated(Time::from_nanos(1_000_000_000))
}
