//! Instructions of the paths that decide about the daemon's cost, counted by callgrind.
//!
//! What they cost in the kernel is not in these figures; `against-c` measures whole daemons.

mod balancing;
mod configuration;
mod protocol;
mod timers;

use gungraun::main;

use balancing::checks;
use configuration::reading;
use protocol::{adverts, elections};
use timers::{kernel_requests, scheduling};

main!(library_benchmark_groups = reading, adverts, elections, checks, scheduling, kernel_requests);
