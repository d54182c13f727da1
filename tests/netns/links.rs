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
