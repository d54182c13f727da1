//! Masters that do not accept packets for their addresses: `nft` says which rules there are, and a client what they do.

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use testbed::{Daemon, Host, Lan, wait_for};

use crate::{instance, ours, ready_for_ours, ready_with, start, theirs, version_3};

/// Too short for a second try, long enough for an answer.
const PATIENCE: Duration = Duration::from_millis(700);

fn rules(host: &Host) -> String {
    host.run("nft list ruleset")
}

/// The elements of all sets, in one line.
fn elements(host: &Host) -> String {
    let text = rules(host).split_whitespace().collect::<Vec<_>>().join(" ");
    let lists = text.split("elements = ").skip(1).filter_map(|rest| rest.split('}').next());
    lists.filter(|list| !list.contains("nd-")).collect()
}

fn wait_guarded(host: &Host, address: &str, guarded: bool) {
    wait_for(&format!("{address} guarded: {guarded}"), || {
        elements(host).contains(address) == guarded
    });
}

/// A TCP connection from `host` to port 80.
fn connects(host: &Host, address: &str) -> bool {
    let to = format!("{address}:80").parse().unwrap();
    host.inside(|| TcpStream::connect_timeout(&to, PATIENCE).is_ok())
}

fn two(globals: &str, four: &str, vips: &[&str]) -> String {
    let lines = format!(
        "advert_int 0.25\n  {four}\n  virtual_ipaddress_excluded {{\n    10.9.0.102\n    \
         fd00:9::102/64\n  }}"
    );
    version_3(globals)
        + &instance("V4", 91, 150, &lines, vips)
        + &instance(
            "V6",
            92,
            150,
            "advert_int 0.25\n  strict_mode",
            &["fe80::100/64", "fd00:9::100/64"],
        )
        + &instance("OPEN", 93, 150, "advert_int 0.25", &["10.9.0.110/24"])
}

fn masters(daemon: &Daemon, times: usize) {
    for name in ["V4", "V6", "OPEN"] {
        daemon.wait_logged(&format!("({name}) Entering MASTER STATE"), times);
    }
}

/// The rules are the same at every step, and do the same.
#[test]
fn rules_are_those_of_the_c_daemon() {
    if !ready_with(&["nft", &theirs().display().to_string()]) || !ready_for_ours() {
        return;
    }
    let stories = [theirs(), ours()].map(|program| {
        let lan = Lan::without_capture("10.9.0");
        let (a, b) = (lan.host("a", 1), lan.host("b", 2));
        let _listener = a.inside(|| TcpListener::bind("[::]:80")).unwrap();
        let globals = "nftables guards\n  nftables_priority -7";
        let configuration = |vips: &[&str]| two(globals, "no_accept", vips);
        let daemon =
            Daemon::start(&a, &program, &configuration(&["10.9.0.100/24", "10.9.0.101/32"]));
        daemon.wait_log("Startup complete");
        let mut seen = vec![rules(&a)];
        masters(&daemon, 1);
        for address in ["10.9.0.102", "fd00:9::100", "fe80::100", "10.9.0.110"] {
            a.wait_holds(address, true);
        }
        seen.push(rules(&a));

        // Reached is what accepts; found is what does not.
        wait_for("the other addresses answer", || {
            ["10.9.0.1", "10.9.0.110", "[fd00:9::1]"].iter().all(|address| connects(&b, address))
        });
        for address in ["10.9.0.100", "10.9.0.102", "[fd00:9::100]", "[fd00:9::102]"] {
            assert!(!connects(&b, address), "{address} answers");
        }
        let neighbours = b.ip("neigh") + &b.ip("-6 neigh");
        for address in ["10.9.0.100", "fd00:9::100", "fd00:9::102"] {
            let known = |line: &str| line.starts_with(address) && line.contains("lladdr");
            assert!(neighbours.lines().any(known), "{address}: {neighbours}");
        }
        let dumped = daemon.dump(libc::SIGUSR1, "keepalived.data", |t| t.contains("Interfaces"));
        seen.push(
            dumped.lines().filter(|l| l.starts_with("     ") && l.contains(" set")).collect(),
        );

        a.set_link(false);
        daemon.wait_log("(V6) removing firewall drop rule");
        wait_guarded(&a, "::100", false);
        seen.push(rules(&a));
        a.set_link(true);
        masters(&daemon, 2);
        wait_guarded(&a, "fd00:9::100", true);
        wait_guarded(&a, "10.9.0.102", true);
        seen.push(rules(&a));
        // Whose interface may come and go is guarded there by name.
        let lines = "advert_int 0.25\n  no_accept\n  dont_track_primary";
        daemon.reload(
            &(configuration(&["10.9.0.100/24", "10.9.0.103/32"])
                + &instance("NAMED", 94, 150, lines, &["fe80::200/64"])),
        );
        wait_guarded(&a, "10.9.0.103", true);
        wait_guarded(&a, "10.9.0.101", false);
        wait_guarded(&a, "fe80::200", true);
        seen.push(rules(&a));
        daemon.stop();
        assert_eq!(rules(&a), "");
        seen
    });
    let [c, rust] = stories;
    assert!(c[1].contains("fe80::100 . \"eth0\""), "{}", c[1]);
    for (step, (c, rust)) in c.iter().zip(&rust).enumerate() {
        assert_eq!(rust, c, "step {step}");
    }
}

/// A takeover, each daemon in each role.
#[test]
fn the_guard_moves_with_the_addresses() {
    if !ready_with(&["nft", &theirs().display().to_string()]) {
        return;
    }
    for (first, second) in [(ours(), theirs()), (theirs(), ours())] {
        let lan = Lan::without_capture("10.9.0");
        let (a, b) = (lan.host("a", 1), lan.host("b", 2));
        let configuration = |priority| {
            let lines = "advert_int 0.25\n  no_accept";
            version_3("") + &instance("V", 98, priority, lines, &["10.9.0.100/24"])
        };
        let leader = Daemon::start(&a, &first, &configuration(150));
        a.wait_holds("10.9.0.100", true);
        let other = Daemon::start(&b, &second, &configuration(100));
        wait_guarded(&a, "10.9.0.100", true);
        wait_guarded(&b, "10.9.0.100", false);
        leader.stop();
        assert_eq!(rules(&a), "");
        b.wait_holds("10.9.0.100", true);
        // It was guarded before it came.
        assert!(elements(&b).contains("10.9.0.100"), "{}", rules(&b));
        let leader = Daemon::start(&a, &first, &configuration(150));
        wait_guarded(&a, "10.9.0.100", true);
        wait_guarded(&b, "10.9.0.100", false);
        a.wait_holds("10.9.0.100", true);
        leader.stop();
        other.stop();
        assert_eq!(rules(&b), "");
    }
}

/// The C daemon guards only new addresses when a reload takes `accept` away, none of those that two interfaces
/// have, and does not see that somebody deleted its table.
#[test]
fn what_is_held_is_guarded() {
    if !ready_with(&["nft"]) || !ready_for_ours() {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let a = lan.host("a", 1);
    a.ip("link add eth1 type veth peer name far1");
    a.ip("link set far1 up");
    a.ip("link set eth1 up");
    let vips = ["10.9.0.100/24", "10.9.0.101/32", "10.9.0.100/32 dev eth1"];
    let daemon = start(&a, &two("", "accept", &vips));
    masters(&daemon, 1);
    a.wait_holds("10.9.0.102", true);
    wait_guarded(&a, "fd00:9::100", true);
    assert!(!elements(&a).contains("10.9."), "{}", elements(&a));
    daemon.reload(&two("", "no_accept", &vips));
    for address in ["10.9.0.100", "10.9.0.101", "10.9.0.102"] {
        wait_guarded(&a, address, true);
    }
    daemon.reload(&two("", "no_accept", &vips[..2]));
    daemon.wait_logged("Reload complete", 2);
    assert!(elements(&a).contains("10.9.0.100"), "eth0 has it still");

    a.run("nft delete table ip keepalived");
    a.run("nft delete element ip6 keepalived vips { fd00:9::102 }");
    daemon.reload(&two("", "no_accept", &vips[..1]));
    for address in ["10.9.0.100", "10.9.0.102", "fd00:9::100", "fd00:9::102"] {
        wait_guarded(&a, address, true);
    }
    assert!(!elements(&a).contains("10.9.0.101"), "{}", elements(&a));

    daemon.crash();
    a.run("nft delete table ip keepalived");
    let daemon = start(&a, &two("", "no_accept", &vips[..1]));
    daemon.wait_log("Deleting old ip6 keepalived table");
    assert_eq!(daemon.logged("Deleting old ip keepalived table"), 0);
    masters(&daemon, 1);
    for address in ["10.9.0.100", "fe80::100", "fd00:9::102"] {
        wait_guarded(&a, address, true);
    }
    daemon.stop();
    assert_eq!(rules(&a), "");
}
