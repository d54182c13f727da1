//! The bed the whole-daemon tests and the examples stand on.
//!
//! A [`Lan`] is a bridge in a network namespace of its own, with a capture running on it; a [`Host`] is a
//! namespace plugged into it; a [`Daemon`] is a keepalived started in a host, ours or the C one, with its
//! files in a directory of its own. Nothing reaches the machine's own network.
//!
//! Promises: everything made here is removed when it is dropped, also while a test panics; what a
//! killed run could not remove is removed by the next run; only processes started here are signalled, by pid.
//! Nothing here asserts a duration: [`wait_for`] polls a condition, and its limit only turns a hang into a failure.
//!
//! Everything panics, with a sentence, when the bed itself breaks: a test that has no network is no test.

pub mod agent;
mod capture;
mod daemon;
mod dump;
pub mod guest;
mod inject;
mod interrupt;
mod lan;
mod leftovers;
mod mail;
mod need;
mod process;
mod show;
pub mod web;

pub use capture::{Advert, Capture, Packet};
pub use daemon::{Daemon, Detached, Parts};
pub use dump::Counters;
pub use inject::{Injector, checksum_v6, v2_advert, v3_advert, v3_advert_v6};
pub use interrupt::stop_on_interrupt;
pub use lan::{Host, Lan, Network};
pub use mail::{Answer, Mail, MailServer};
pub use need::{C_KEEPALIVED, missing};
pub use process::{Monitor, Service, run};
pub use show::show;

use std::time::{Duration, Instant};

/// How long [`wait_for`] waits before it calls a hang a failure.
pub const PATIENCE: Duration = Duration::from_secs(90);

/// Polls `condition` until it holds.
///
/// # Panics
/// When it does not hold within [`PATIENCE`], or when the person at the terminal interrupts.
#[track_caller]
pub fn wait_for(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    loop {
        let asked = Instant::now();
        if condition() {
            return;
        }
        interrupt::check();
        assert!(start.elapsed() < PATIENCE, "waited {} s in vain: {what}", PATIENCE.as_secs());
        // What is dear is asked less often: on a slow machine the asking must not be the load.
        std::thread::sleep(Duration::from_millis(20).max(asked.elapsed() * 2));
    }
}
