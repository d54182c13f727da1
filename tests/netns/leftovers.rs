//! Nothing stays behind: not after a stop, and not after a kill and a new start.

use testbed::{Detached, Lan, wait_for};

use crate::{instance, ours, ready, start, version_3};

const VIPS: [&str; 3] = ["10.9.0.100/24", "10.9.0.101/32", "192.0.2.7/24"];

fn configuration(name: &str) -> String {
    let lines = "advert_int 0.25\n  virtual_ipaddress_excluded {\n    fd00:9::100/64\n  }";
    version_3("") + &instance(name, 72, 150, lines, &VIPS)
}

#[test]
fn a_stop_leaves_nothing() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let state = || {
        let routes = a.ip("route show table all");
        (a.addresses(), routes, a.ip("rule"), a.ip("-6 rule"), a.ip("-o link"))
    };
    let before = state();
    let daemon = start(&a, &configuration("S"));
    for address in ["10.9.0.100", "10.9.0.101", "192.0.2.7", "fd00:9::100"] {
        a.wait_holds(address, true);
    }
    daemon.stop();
    assert_eq!(state(), before);
}

/// The addresses of a killed daemon stay; the next start takes them away before it takes part.
#[test]
fn a_start_after_a_kill_cleans_up_first() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let daemon = start(&a, &configuration("S"));
    a.wait_holds("192.0.2.7", true);
    a.wait_holds("fd00:9::100", true);
    daemon.crash();
    assert!(a.holds("192.0.2.7") && a.holds("fd00:9::100"));

    let monitor = a.monitor();
    let daemon = start(&a, &configuration("S"));
    for address in ["10.9.0.100/24", "10.9.0.101/32", "192.0.2.7/24", "fd00:9::100/64"] {
        let about = || {
            let lines = monitor.lines().into_iter();
            lines
                .filter(|l| l.contains(&format!("{address} ")) && l.contains("inet"))
                .collect::<Vec<_>>()
        };
        wait_for(&format!("{address} goes and comes back"), || about().len() >= 2);
        let lines = about();
        assert!(lines[0].contains("Deleted") && !lines[1].contains("Deleted"), "{lines:?}");
    }
    daemon.stop();
    assert!(!a.holds("192.0.2.7") && !a.holds("fd00:9::100"));
}

/// Without `-n` the command returns and the daemon stays, in a session of its own, until it is told to stop.
#[test]
fn in_the_background_it_stays_until_it_is_stopped() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let daemon = Detached::start(&a, &ours(), &configuration("S"));
    a.wait_holds("192.0.2.7", true);
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    let session = stat.split(' ').nth(5).unwrap();
    assert_eq!(session, daemon.pid().to_string(), "{stat}");

    // A second one with the same pid files sees the first, and leaves it alone.
    let again = Detached::start(&a, &ours(), &configuration("S"));
    assert_eq!(again.pid(), daemon.pid());
    std::mem::forget(again);
    assert!(a.holds("192.0.2.7"));
    daemon.stop();
    assert!(!a.holds("192.0.2.7"));
}
