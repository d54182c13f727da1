//! Whole daemons in network namespaces: ours against ours, and ours against the C keepalived in both roles.
//!
//! Each scenario reads top to bottom and waits for conditions only; an order of events is asserted, a duration
//! never. tshark judges the adverts. Without root or the tools a test says that it is skipped; with `CI=true` it fails.
//! `KEEPALIVED_UNDER_TEST=/path` puts another binary in the place of ours: with the C daemon there, the
//! scenarios themselves are put to the test (those that pin where we differ from it do not run then).

#![allow(
    clippy::unwrap_used,
    reason = "all of this crate is test code, not only its #[test] functions"
)]

mod agentx;
mod alerts;
mod bfd;
mod checkers;
mod checking;
mod consumers;
mod dbus;
mod director;
mod dumps;
mod election;
mod firewall;
mod hostile;
mod hostile_backends;
mod interop;
mod keywords;
mod leftovers;
mod linkbeat;
mod links;
mod mailing;
mod notifying;
mod paths;
mod processes;
mod reload;
mod service;
mod signing;
mod telling;
mod timing;
mod tracking;
mod vmacs;
mod web_servers;

use std::io::Write;
use std::path::PathBuf;

use testbed::{C_KEEPALIVED, Daemon, Host};

/// The binary under test.
fn ours() -> PathBuf {
    let built = env!("CARGO_BIN_EXE_keepalived").into();
    std::env::var_os("KEEPALIVED_UNDER_TEST").map_or(built, PathBuf::from)
}

/// The C implementation.
fn theirs() -> PathBuf {
    C_KEEPALIVED.into()
}

/// Whether the machine has what these tests need. Says so when it has not; fails if that may not be.
fn ready() -> bool {
    ready_with(&["tcpdump", "tshark", C_KEEPALIVED])
}

/// As [`ready`], for tests that need these programs.
fn ready_with(programs: &[&str]) -> bool {
    let Some(reason) = testbed::missing(programs) else { return true };
    skipped(&reason);
    false
}

/// Says that the test does not run, and why; fails if that may not be.
fn skipped(reason: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{reason}");
    let name = std::thread::current().name().unwrap_or_default().to_owned();
    // Not eprintln!, which the test harness would hide.
    let _ = writeln!(std::io::stderr(), "SKIPPED {name}: {reason}");
}

/// As [`ready`], for what only our daemon does, or does differently from the C one.
fn ready_for_ours() -> bool {
    ready() && ours() != theirs()
}

/// An instance on `eth0`. `lines` are further keywords; the interval is theirs to give.
fn instance(name: &str, vrid: u8, priority: u8, lines: &str, vips: &[&str]) -> String {
    format!(
        "vrrp_instance {name} {{\n  state BACKUP\n  interface eth0\n  virtual_router_id {vrid}\n  \
         priority {priority}\n  {lines}\n  virtual_ipaddress {{\n    {}\n  }}\n}}\n",
        vips.join("\n    ")
    )
}

/// Global definitions: version 3, and `lines`.
fn version_3(lines: &str) -> String {
    format!("global_defs {{\n  vrrp_version 3\n  script_user root\n  {lines}\n}}\n")
}

/// Starts our daemon.
#[track_caller]
fn start(host: &Host, configuration: &str) -> Daemon {
    Daemon::start(host, &ours(), configuration)
}

/// What a daemon writes about a packet it could not accept.
const COMPLAINTS: [&str; 11] = [
    "nvalid",
    "mismatch",
    "too short",
    "too long",
    "wrong VRRP version",
    "VIPs but received",
    "unexpected ip number",
    "not present in advert",
    "auth, expecting",
    "send advert error",
    "Cant send advert",
];

/// Asserts that a daemon found no fault with any packet.
#[track_caller]
fn assert_content(daemon: &Daemon, instances: &[&str]) {
    for instance in instances {
        assert_eq!(daemon.counters(instance).errors(), [], "errors counted for {instance}");
    }
    let log = daemon.log();
    let complaint = log.lines().find(|line| COMPLAINTS.iter().any(|text| line.contains(text)));
    assert_eq!(complaint, None);
}

/// Asserts that exactly one of two hosts has all of the addresses, once they have settled so.
#[track_caller]
fn wait_holder(holder: &Host, other: &Host, addresses: &[&str]) {
    for address in addresses {
        holder.wait_holds(address, true);
        other.wait_holds(address, false);
    }
}
