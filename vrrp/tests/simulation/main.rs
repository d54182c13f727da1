//! VRRP on a virtual LAN under a virtual clock.
//!
//! Each scenario is made from one seed: some routers, virtual routers and sync groups, then a phase
//! of loss, delay, duplication, partitions, one-way links, crashes, frozen processes, link flaps,
//! script failures, reloads and garbage packets, then a healed network. Adverts cross the LAN as
//! bytes, through the real encoder and the real checks.
//!
//! - `KA_SIM_COUNT=n` runs n scenarios (default 20,000).
//! - `KA_SIM_SEED=n` replays one scenario and prints what happens.

#![allow(clippy::expect_used)]

mod lan;
mod random;
mod scenario;

use std::panic;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|v| v.parse().ok())
}

#[test]
fn exactly_one_master_after_healing_and_no_invariant_ever_broken() {
    if let Some(seed) = number("KA_SIM_SEED") {
        if let Err(why) = scenario::run(seed, true) {
            panic!("seed {seed}: {why}");
        }
        return;
    }
    let count = number("KA_SIM_COUNT").unwrap_or(20_000);
    let first = number("KA_SIM_FIRST").unwrap_or(1);
    let mut takeovers = 0;
    for seed in first..first + count {
        match panic::catch_unwind(|| scenario::run(seed, false)) {
            Ok(Ok(report)) => takeovers += report.takeovers,
            Ok(Err(why)) => panic!("{}", replay(seed, &why)),
            Err(_) => panic!("{}", replay(seed, "it panicked")),
        }
    }
    println!("{count} scenarios, {takeovers} takeovers, no invariant broken");
    assert!(takeovers > count, "the scenarios hardly moved any address: {takeovers} takeovers");
}

fn replay(seed: u64, why: &str) -> String {
    format!(
        "seed {seed}: {why}\nreplay: KA_SIM_SEED={seed} cargo test -p vrrp --test simulation -- --nocapture"
    )
}
