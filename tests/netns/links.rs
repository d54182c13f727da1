//! Interfaces that go and come back, and addresses that someone else takes away: two directors of ours.

use testbed::{Daemon, Host, Lan};

use crate::{instance, ready, start, version_3, wait_holder};

const VIP: [&str; 1] = ["10.9.0.100"];

/// A pair of directors with `lines` in the better one's instance, settled.
struct Pair {
    first: Daemon,
    second: Daemon,
    a: Host,
    b: Host,
    lan: Lan,
}

fn pair(lines: &str, prepare: fn(&Host)) -> Pair {
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    prepare(&a);
    let configuration = |priority, lines: &str| {
        let lines = format!("advert_int 0.25\n  {lines}");
        version_3("dynamic_interfaces") + &instance("L", 61, priority, &lines, &["10.9.0.100/24"])
    };
    let first = start(&a, &configuration(150, lines));
    let second = start(&b, &configuration(100, ""));
    wait_holder(&a, &b, &VIP);
    Pair { first, second, a, b, lan }
}

#[test]
fn link_down_is_a_fault_and_up_ends_it() {
    if !ready() {
        return;
    }
    let pair = pair("", |_| {});
    pair.a.set_link(false);
    pair.first.wait_log("Netlink reports eth0 down");
    pair.first.wait_log("(L) Entering FAULT STATE");
    wait_holder(&pair.b, &pair.a, &VIP);

    pair.a.set_link(true);
    pair.first.wait_log("Netlink reports eth0 up");
    wait_holder(&pair.a, &pair.b, &VIP);
}

#[test]
fn an_interface_deleted_and_made_again_is_used_again() {
    if !ready() {
        return;
    }
    let pair = pair("", |_| {});
    pair.a.unplug();
    pair.first.wait_log("(L) Entering FAULT STATE");
    pair.b.wait_holds(VIP[0], true);

    let seen = pair.lan.capture().adverts().len();
    pair.a.plug_in();
    wait_holder(&pair.a, &pair.b, &VIP);
    pair.lan
        .capture()
        .wait_advert("a leads on the new interface", seen, |advert| advert.priority == 150);
}

/// The cable is out but the link is up: both lead, and the better one alone once it is back.
#[test]
fn a_partition_heals_to_the_better_director() {
    if !ready() {
        return;
    }
    let pair = pair("", |_| {});
    pair.lan.set_cable(&pair.a, false);
    pair.b.wait_holds(VIP[0], true);
    assert!(pair.a.holds(VIP[0]));

    pair.lan.set_cable(&pair.a, true);
    wait_holder(&pair.a, &pair.b, &VIP);
    pair.second
        .wait_log("(L) Master received advert from 10.9.0.1 with higher priority 150, ours 100");
    assert_eq!(pair.first.counters("L").get("Released master"), 0);
}

#[test]
fn a_tracked_interface_takes_the_instance_with_it() {
    if !ready() {
        return;
    }
    let second_link = |a: &Host| {
        a.ip("link add eth1 type veth peer name eth1-far");
        a.ip("link set eth1-far up");
        a.ip("link set eth1 up");
    };
    let pair = pair("track_interface {\n    eth1\n  }", second_link);
    pair.a.ip("link set eth1 down");
    wait_holder(&pair.b, &pair.a, &VIP);
    pair.first.wait_log("(L) Entering FAULT STATE");

    pair.a.ip("link set eth1 up");
    wait_holder(&pair.a, &pair.b, &VIP);
}

#[test]
fn an_address_removed_by_someone_else_comes_back() {
    if !ready() {
        return;
    }
    let pair = pair("", |_| {});
    let monitor = pair.a.monitor();
    pair.a.ip("address del 10.9.0.100/24 dev eth0");
    let back = |line: &String| line.contains("10.9.0.100/24") && !line.contains("Deleted");
    testbed::wait_for("the address is added again", || monitor.lines().iter().any(back));
    wait_holder(&pair.a, &pair.b, &VIP);
}

/// A director alone whose `eth0` is not as it should be when it starts; `mend` makes it right.
#[track_caller]
fn starts_in_fault(spoil: fn(&Host), why: &str, mend: fn(&Host)) {
    let lan = Lan::new();
    let a = lan.host("a", 1);
    spoil(&a);
    let lines = "advert_int 0.25";
    let configuration =
        version_3("dynamic_interfaces") + &instance("L", 61, 150, lines, &["10.9.0.100/24"]);
    let daemon = start(&a, &configuration);
    daemon.wait_log(why);
    daemon.wait_log("(L) entering FAULT state");
    mend(&a);
    daemon.wait_log("(L) Entering BACKUP STATE");
    a.wait_holds(VIP[0], true);
    daemon.stop();
    lan.capture().judge();
}

#[test]
fn a_link_that_is_down_at_the_start() {
    if ready() {
        let why = "(L): entering FAULT state (interface eth0 down)";
        starts_in_fault(|a| a.set_link(false), why, |a| a.set_link(true));
    }
}

#[test]
fn an_interface_without_an_address_at_the_start() {
    if ready() {
        let why = "(L) entering FAULT state (no IPv4 address for interface)";
        starts_in_fault(
            |a| drop(a.ip("address del 10.9.0.1/24 dev eth0")),
            why,
            |a| drop(a.ip("address add 10.9.0.1/24 dev eth0")),
        );
    }
}

#[test]
fn an_interface_that_is_not_there_at_the_start() {
    if ready() {
        let why = "interface eth0 which doesn't currently exist";
        starts_in_fault(Host::unplug, why, Host::plug_in);
    }
}

/// Without its own address an instance has nothing to send from; with another it goes on.
#[test]
fn an_own_address_that_goes_is_a_fault_unless_there_is_another() {
    if !ready() {
        return;
    }
    // Or the kernel would take the others of a network away with the first.
    let promote = |a: &Host| {
        let setting = "/proc/sys/net/ipv4/conf/eth0/promote_secondaries";
        a.inside(|| std::fs::write(setting, "1")).unwrap();
    };
    let pair = pair("", promote);
    pair.a.ip("address add 10.9.0.11/24 dev eth0");
    let seen = pair.lan.capture().adverts().len();
    pair.a.ip("address del 10.9.0.1/24 dev eth0");
    testbed::wait_for("a goes on from its other address", || {
        let packets = pair.lan.capture().packets();
        packets.iter().any(|p| p.get("ip.src") == "10.9.0.11" && p.get("vrrp.prio") == "150")
    });
    assert!(pair.lan.capture().adverts().len() > seen);
    assert!(pair.a.holds(VIP[0]));

    pair.a.ip("address del 10.9.0.11/24 dev eth0");
    wait_holder(&pair.b, &pair.a, &VIP);
    pair.first.wait_log("(L) Entering FAULT STATE");
    pair.a.ip("address add 10.9.0.1/24 dev eth0");
    wait_holder(&pair.a, &pair.b, &VIP);
}
