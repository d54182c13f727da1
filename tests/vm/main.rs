//! Load balancing, and VRRP on interfaces of every kind, on a kernel that has it all: whole daemons in a virtual machine
//! (see `testbed::guest`).
//!
//! A scenario runs one daemon through one story and writes down what can be seen from outside: tables, lines,
//! who answers. It asserts what it means to show, so that it says something with one daemon alone; then the C
//! keepalived and ours go through it, and what they wrote must be equal, line by line.
//! `KEEPALIVED_UNDER_TEST=/path` puts another binary in the place of ours: with the C daemon there, the
//! scenarios themselves are put to the test.

#![allow(
    clippy::unwrap_used,
    reason = "all of this crate is test code, not only its #[test] functions"
)]

mod authentication;
mod bfd;
mod dump;
mod ipvlan;
mod notifying;
mod reload;
mod servers;
mod site;
mod snmp;
mod stop;
mod sync;
mod table;
mod traffic;
mod vrrp;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use testbed::guest::{OURS, Suite, Test};
use testbed::{C_KEEPALIVED, Daemon, Host, Parts};

/// Makes a test of each scenario.
macro_rules! scenarios {
    ($($module:ident::$scenario:ident),* $(,)?) => {
        [$(Test {
            name: concat!(stringify!($module), "::", stringify!($scenario)),
            body: || compare($module::$scenario),
        }),*]
    };
}

fn main() -> ExitCode {
    let built = PathBuf::from(env!("CARGO_BIN_EXE_keepalived"));
    testbed::guest::main(&Suite {
        tests: &scenarios![
            authentication::with_headers,
            authentication::with_headers_to_peers,
            authentication::old_adverts_are_refused,
            authentication::strangers_are_refused,
            bfd::servers_follow_sessions,
            dump::of_every_keyword,
            ipvlan::kinds,
            notifying::every_change_is_told,
            reload::a_member_moves_to_another_group,
            reload::every_kind_of_change,
            reload::members_of_a_group_change,
            reload::only_what_changed,
            servers::odd_in_every_way,
            snmp::all_objects,
            snmp::every_change_is_told,
            stop::found_and_left,
            sync::with_an_instance,
            sync::without_an_instance,
            table::every_kind_of_service,
            table::groups_through_nftables,
            traffic::dynamic_weights,
            traffic::suspended_without_the_address,
            traffic::through_nat,
            traffic::through_direct_routing,
            traffic::through_a_tunnel,
            traffic::quorum_lost_and_gained,
            traffic::inhibited_servers_stay_with_weight_0,
            vrrp::on_a_vlan,
            vrrp::on_a_macvlan,
            vrrp::in_a_vrf,
            vrrp::unicast_in_a_vrf,
            vrrp::unicast_by_vrf,
            vrrp::moved_to_a_vrf,
            vrrp::a_vlan_is_deleted_and_made_again,
            vrrp::on_a_dummy,
        ],
        program: std::env::var_os("KEEPALIVED_UNDER_TEST").map_or(built, PathBuf::from),
        kernel: Path::new(env!("CARGO_TARGET_TMPDIR")).join("guest-kernel"),
    })
}

/// One daemon's story, as it can be seen from outside.
type Scenario = fn(program: &Path) -> String;

/// Both daemons go through it at the same time, each on a network of its own.
fn compare(scenario: Scenario) {
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| scenario(Path::new(C_KEEPALIVED)));
        let ours = scenario(Path::new(OURS));
        (theirs.join(), ours)
    });
    let theirs = theirs.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    assert!(
        theirs == ours,
        "the daemons differ (- theirs, + ours):\n{}",
        differences(&theirs, &ours)
    );
    println!("{theirs}");
}

/// What to take from theirs (`-`) and to add (`+`) to get ours, with all that is common.
fn differences(theirs: &str, ours: &str) -> String {
    let (old, new): (Vec<&str>, Vec<&str>) = (theirs.lines().collect(), ours.lines().collect());
    // How many lines the tails from here and there have in common at most.
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for (i, line) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let skip = common[i + 1][j].max(common[i][j + 1]);
            common[i][j] = if line == other { common[i + 1][j + 1] + 1 } else { skip };
        }
    }
    let (mut i, mut j, mut text) = (0, 0, String::new());
    while i < old.len() || j < new.len() {
        let (mark, line) = if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
            (' ', old[i - 1])
        } else if j == new.len() || i < old.len() && common[i + 1][j] >= common[i][j + 1] {
            i += 1;
            ('-', old[i - 1])
        } else {
            j += 1;
            ('+', new[j - 1])
        };
        text += &format!("{mark} {line}\n");
    }
    text
}

/// Starts the load balancing of a daemon.
#[track_caller]
fn start(host: &Host, program: &Path, configuration: &str) -> Daemon {
    start_with(host, program, configuration, &[])
}

/// As [`start`], with further arguments.
#[track_caller]
fn start_with(host: &Host, program: &Path, configuration: &str, arguments: &[&str]) -> Daemon {
    Daemon::start_parts(host, program, Parts::Checkers, configuration, arguments)
}

/// Global definitions that every configuration here begins with, and `lines`.
fn global(lines: &str) -> String {
    format!("global_defs {{\n  script_user root\n  {lines}\n}}\n")
}

/// What is in the kernel's table, as the command lines that would make it, sorted.
#[track_caller]
fn table(host: &Host) -> String {
    listed(host, "ipvsadm -Sn")
}

/// What `ipvsadm` lists. The kernel keeps the services of all namespaces in one table and numbers them as it finds them; if
/// another test changes its own meanwhile, one may be listed twice or not at all. What is listed twice alike is right.
#[track_caller]
fn listed(host: &Host, command: &str) -> String {
    let mut last = host.run(command);
    loop {
        let again = host.run(command);
        if again == last {
            return again;
        }
        last = again;
    }
}

/// What a log says about services, in order and without the time. Two checkers may succeed at the same moment;
/// those lines have no order and are left out. What the kernel refused comes last: our daemon asks for many things
/// at once and reads the answers afterwards.
fn told(log: &str) -> String {
    const ABOUT: [&str; 4] = [" VS ", "service ", "_CHECK", "Misc"];
    let lines = || log.lines().filter_map(|line| Some(line.split_once(": ")?.1));
    let about = lines().filter(|text| ABOUT.iter().any(|about| text.contains(about)));
    let refused = lines().filter(|text| text.starts_with("IPVS cmd"));
    about.chain(refused).map(|text| format!("{text}\n")).collect()
}
