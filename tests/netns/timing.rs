//! Keywords that make something wait: only the order of events is asserted.

use std::time::Duration;

use testbed::Lan;

use crate::{instance, ready, ready_for_ours, start, version_3, wait_holder};

/// Whether the texts stand in the log in this order.
fn in_order(log: &str, texts: &[&str]) -> bool {
    let mut rest = log;
    texts.iter().all(|text| match rest.split_once(text) {
        Some((_, behind)) => {
            rest = behind;
            true
        }
        None => false,
    })
}

/// Not even the owner of an address becomes MASTER before the delay is over, though nobody else is there.
/// (The C daemon says nothing at its end.)
#[test]
fn the_startup_delay_holds_everyone_back() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let configuration = version_3("vrrp_startup_delay 0.7")
        + &instance("OWNER", 77, 255, "advert_int 0.1", &["10.9.0.100/24"])
        + &instance("OTHER", 78, 150, "advert_int 0.1", &["10.9.0.101/24"]);
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    a.wait_holds("10.9.0.101", true);
    for name in ["OWNER", "OTHER"] {
        let master = format!("({name}) Entering MASTER STATE");
        daemon.wait_log(&master);
        let order = ["Delaying startup for 0.7 seconds", "Delayed start completed", &master];
        assert!(in_order(&daemon.log(), &order), "{}", daemon.log());
    }
    // A reload is no start.
    daemon.reload(&(configuration.clone() + "# the same\n"));
    daemon.wait_log("eload");
    assert_eq!(daemon.logged("Delaying startup"), 1);
    assert_eq!(daemon.counters("OWNER").get("Released master"), 0);
    daemon.stop();
}

/// The burst for three addresses on two interfaces of one group leaves one frame at a time: there are
/// adverts between any two of them.
#[test]
fn a_garp_group_spaces_its_interfaces_together() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    // A second interface in the same network, so that the capture sees both.
    a.ip("link add link eth0 name eth1 type macvlan mode bridge");
    a.ip("link set eth1 up");
    let group = "garp_group {\n  garp_interval 0.3\n  interfaces {\n    eth0\n    eth1\n  }\n}\n";
    let lines = "advert_int 0.05\n  garp_master_delay 0\n  garp_master_repeat 1";
    let vips = ["10.9.0.100/24", "10.9.0.101/24 dev eth1", "10.9.0.102/24"];
    let configuration = version_3("") + group + &instance("G", 79, 150, lines, &vips);
    let daemon = start(&a, &configuration);
    let announced = || {
        let packets = lan.capture().packets();
        let order: Vec<Option<usize>> = packets
            .iter()
            .filter_map(|packet| {
                let addresses = ["10.9.0.100", "10.9.0.101", "10.9.0.102"];
                let which = addresses.iter().position(|address| packet.announces(address));
                (which.is_some() || packet.is_advert()).then_some(which)
            })
            .collect();
        order
    };
    testbed::wait_for("all three are announced", || announced().iter().flatten().count() >= 3);
    let order = announced();
    let first = order.iter().position(Option::is_some).unwrap();
    let pairs = order[first..].windows(2);
    assert!(pairs.filter(|pair| pair[0].is_some() && pair[1].is_some()).count() == 0, "{order:?}");
    let told: Vec<usize> = order.into_iter().flatten().collect();
    assert_eq!(told, [0, 1, 2]);
    daemon.stop();
}

/// A link that is back before the delay is over was never down; one that stays down is believed to be.
#[test]
fn a_change_of_link_must_last() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let delays = "interface_up_down_delays {\n  eth0 1.9\n}\n";
    let configuration = |priority, delays: &str| {
        version_3("") + delays + &instance("D", 80, priority, "advert_int 1", &["10.9.0.100/24"])
    };
    let first = start(&a, &configuration(150, delays));
    let second = start(&b, &configuration(100, ""));
    wait_holder(&a, &b, &["10.9.0.100"]);

    // On a busy machine the daemon may read of both at once, and then has nothing to cancel.
    testbed::wait_for("a change is cancelled", || {
        a.set_link(false);
        std::thread::sleep(Duration::from_millis(200));
        a.set_link(true);
        std::thread::sleep(Duration::from_millis(200));
        first.logged("Delay timer for eth0 cancelled") > 0
    });
    assert_eq!(first.logged("Entering FAULT STATE"), 0);

    a.set_link(false);
    first.wait_log("(D) Entering FAULT STATE");
    wait_holder(&b, &a, &["10.9.0.100"]);
    assert!(in_order(&second.log(), &["(D) Entering BACKUP STATE", "(D) Entering MASTER STATE"]));
    a.set_link(true);
    wait_holder(&a, &b, &["10.9.0.100"]);
}
