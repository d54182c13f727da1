//! Tests of the guarantees on the crate's page.

mod edges;
mod model;
mod order;
mod real;
mod waiting;

use std::time::Duration;

use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

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
