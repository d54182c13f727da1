//! Who leads, and who does not: two directors of ours.

use nix::sys::signal::Signal;
use testbed::{Lan, wait_for};

use crate::{assert_content, instance, ready, start, version_3, wait_holder};

const VIP: [&str; 1] = ["10.9.0.100"];

fn configuration(priority: u8, lines: &str) -> String {
    let lines = format!("advert_int 0.25\n  {lines}");
    version_3("") + &instance("E", 60, priority, &lines, &["10.9.0.100/24"])
}

/// Both lead while the cable is out; when it is back, equal priorities are decided by the address.
#[test]
fn of_equals_the_higher_address_leads() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    lan.set_cable(&b, false);
    let lower = start(&a, &configuration(100, ""));
    let higher = start(&b, &configuration(100, ""));
    a.wait_holds(VIP[0], true);
    b.wait_holds(VIP[0], true);

    lan.set_cable(&b, true);
    wait_holder(&b, &a, &VIP);
    lower.wait_log("(E) Master received advert from 10.9.0.2 with same priority 100 but higher IP");
    assert_eq!(higher.counters("E").get("Released master"), 0);
    assert_content(&lower, &["E"]);
    assert_content(&higher, &["E"]);
}

/// A newcomer of equal priority leaves the master in place, whatever its address.
#[test]
fn an_equal_newcomer_waits() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let settled = start(&a, &configuration(100, ""));
    a.wait_holds(VIP[0], true);
    let newcomer = start(&b, &configuration(100, ""));
    wait_for("b hears ten adverts", || newcomer.counters("E").get("Advertisements/Received") >= 10);
    assert_eq!(newcomer.counters("E").get("Became master"), 0);
    assert_eq!(settled.counters("E").get("Released master"), 0);
}

/// The delay starts with the first lower advert, holds the better director back, and ends in its favour.
#[test]
fn preempt_delay_holds_back_and_then_preempts() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let lower = start(&b, &configuration(100, ""));
    b.wait_holds(VIP[0], true);

    let better = start(&a, &configuration(150, "preempt_delay 3"));
    better.wait_log("(E) start preempt delay (3.000000)");
    wait_holder(&a, &b, &VIP);
    let heard = better.counters("E").get("Advertisements/Received");
    assert!(heard >= 12, "led after {heard} adverts, four a second");
    assert_content(&lower, &["E"]);
}

/// A director that is the better one throughout leads again whenever it can, and no one flaps.
#[test]
fn three_directors_have_one_master() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let hosts = [lan.host("a", 1), lan.host("b", 2), lan.host("c", 3)];
    let mut running: Vec<_> = hosts
        .iter()
        .zip([150, 120, 100])
        .map(|(host, priority)| start(host, &configuration(priority, "")))
        .collect();
    for (leader, next) in [(0, 1), (1, 2)] {
        wait_holder(&hosts[leader], &hosts[next], &VIP);
        running.remove(0).stop();
    }
    wait_holder(&hosts[2], &hosts[0], &VIP);
    assert_eq!(running[0].counters("E").get("Became master"), 1);
    lan.capture().judge();
}

/// The owner of the address leads from the first moment, and takes it back from whoever has it.
#[test]
fn an_owner_leads_at_once_and_takes_its_address_back() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let backup = start(&b, &configuration(100, ""));
    b.wait_holds(VIP[0], true);
    let owner = configuration(255, "").replace("state BACKUP", "state MASTER");
    let owner = start(&a, &owner);
    wait_holder(&a, &b, &VIP);
    assert_eq!(owner.logged("(E) Entering BACKUP STATE"), 0);
    owner.stop();
    wait_holder(&b, &a, &VIP);
    backup.stop();
    lan.capture().judge();
}

/// A master that does not run for a while loses the address, and has it back when it runs again.
#[test]
fn a_frozen_master_is_replaced_until_it_thaws() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let frozen = start(&a, &configuration(150, ""));
    let backup = start(&b, &configuration(100, ""));
    wait_holder(&a, &b, &VIP);
    frozen.signal_all(Signal::SIGSTOP);
    b.wait_holds(VIP[0], true);
    frozen.signal_all(Signal::SIGCONT);
    wait_holder(&a, &b, &VIP);
    assert_content(&frozen, &["E"]);
    assert_content(&backup, &["E"]);
}

/// Unicast adverts count only from the peers that are named.
#[test]
fn a_stranger_is_no_unicast_peer() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b, c) = (lan.host("a", 1), lan.host("b", 2), lan.host("c", 3));
    let unicast = |priority, me: &str, peer: &str| {
        let lines = format!(
            "unicast_src_ip {me}\n  check_unicast_src\n  unicast_peer {{\n    {peer}\n  }}"
        );
        configuration(priority, &lines)
    };
    let _backup = start(&b, &unicast(100, "10.9.0.2", "10.9.0.1"));
    let leader = start(&a, &unicast(150, "10.9.0.1", "10.9.0.2"));
    wait_holder(&a, &b, &VIP);
    let stranger = start(&c, &unicast(200, "10.9.0.3", "10.9.0.1"));
    c.wait_holds(VIP[0], true);
    wait_for("the stranger sends ten adverts", || {
        stranger.counters("E").get("Advertisements/Sent") >= 10
    });
    leader.wait_log("(E) unicast source address 10.9.0.3 not a unicast peer");
    assert!(a.holds(VIP[0]));
    assert_eq!(leader.counters("E").get("Released master"), 0);
}
