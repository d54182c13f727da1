//! Ours and the C keepalived as one pair of directors, each in both roles: `ours_leads` has the higher
//! priority on our side, `theirs_leads` on the other.

use std::path::Path;

use testbed::{Advert, Daemon, Host, Lan};

use crate::{assert_content, instance, ours, ready, theirs, version_3, wait_holder};

/// Writes each scenario once per role.
macro_rules! in_both_roles {
    ($($scenario:ident)*) => {
        mod ours_leads {
            $(#[test] fn $scenario() { if super::ready() { super::$scenario(&super::ours(), &super::theirs()); } })*
        }
        mod theirs_leads {
            $(#[test] fn $scenario() { if super::ready() { super::$scenario(&super::theirs(), &super::ours()); } })*
        }
    };
}

in_both_roles! {
    v2_multicast_with_password
    v3_ipv4
    v3_ipv6
    v3_unicast
    sync_group_of_two
    nopreempt
    script_weight
}

/// What [`duel`] needs to know of a configuration.
struct Case {
    /// The configuration of `me`, with `peer` on the other side.
    configuration: fn(me: &Host, peer: &Host, priority: u8) -> String,
    instances: &'static [&'static str],
    vips: &'static [&'static str],
    /// What tshark must read in every advert.
    on_the_wire: &'static [(&'static str, &'static str)],
}

fn v2_multicast_with_password(leader: &Path, other: &Path) {
    let case = Case {
        configuration: |_, _, priority| {
            let lines =
                "advert_int 1\n  authentication {\n  auth_type PASS\n  auth_pass secret12\n  }";
            instance("V2", 51, priority, lines, &["10.9.0.100/24", "10.9.0.101/24"])
        },
        instances: &["V2"],
        vips: &["10.9.0.100", "10.9.0.101"],
        on_the_wire: &[
            ("vrrp.version", "2"),
            ("vrrp.virt_rtr_id", "51"),
            ("vrrp.auth_type", "1"),
            ("vrrp.auth_string", "secret12"),
            ("vrrp.ip_addr", "10.9.0.100,10.9.0.101"),
            ("ip.dst", "224.0.0.18"),
        ],
    };
    duel(&case, leader, other);
}

fn v3_ipv4(leader: &Path, other: &Path) {
    let case = Case {
        configuration: |_, _, priority| {
            version_3("") + &instance("V3", 52, priority, "advert_int 0.25", &["10.9.0.100/24"])
        },
        instances: &["V3"],
        vips: &["10.9.0.100"],
        on_the_wire: &[
            ("vrrp.version", "3"),
            ("vrrp.ip_addr", "10.9.0.100"),
            ("ip.dst", "224.0.0.18"),
        ],
    };
    duel(&case, leader, other);
}

fn v3_ipv6(leader: &Path, other: &Path) {
    let case = Case {
        configuration: |_, _, priority| {
            let vips = ["fe80::9:100/64", "fd00:9::100/64"];
            version_3("") + &instance("V6", 53, priority, "advert_int 0.25", &vips)
        },
        instances: &["V6"],
        vips: &["fe80::9:100", "fd00:9::100"],
        on_the_wire: &[
            ("vrrp.version", "3"),
            ("vrrp.ipv6_addr", "fe80::9:100,fd00:9::100"),
            ("ipv6.dst", "ff02::12"),
        ],
    };
    duel(&case, leader, other);
}

fn v3_unicast(leader: &Path, other: &Path) {
    let case = Case {
        configuration: |me, peer, priority| {
            let (me, peer) = (me.address(), peer.address());
            let lines = format!(
                "advert_int 0.25\n  unicast_src_ip {me}\n  unicast_peer {{\n    {peer}\n  }}"
            );
            version_3("") + &instance("U", 54, priority, &lines, &["10.9.0.100/24"])
        },
        instances: &["U"],
        vips: &["10.9.0.100"],
        on_the_wire: &[("vrrp.version", "3"), ("vrrp.virt_rtr_id", "54")],
    };
    let adverts = duel(&case, leader, other);
    for advert in adverts {
        assert!(advert.get("ip.dst").starts_with("10.9.0."), "multicast from unicast: {advert:?}");
    }
}

fn sync_group_of_two(leader: &Path, other: &Path) {
    let case = Case {
        configuration: |_, _, priority| {
            version_3("")
                + "vrrp_sync_group G {\n  group {\n    INSIDE\n    OUTSIDE\n  }\n}\n"
                + &instance("INSIDE", 55, priority, "advert_int 0.25", &["10.9.0.100/24"])
                + &instance("OUTSIDE", 56, priority, "advert_int 0.25", &["10.9.0.101/24"])
        },
        instances: &["INSIDE", "OUTSIDE"],
        vips: &["10.9.0.100", "10.9.0.101"],
        on_the_wire: &[("vrrp.version", "3")],
    };
    duel(&case, leader, other);
}

/// Election, takeover after a clean stop, return, takeover after a crash, return, end.
fn duel(case: &Case, leader: &Path, other: &Path) -> Vec<testbed::Packet> {
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let lead = || Daemon::start(&a, leader, &(case.configuration)(&a, &b, 150));

    let first = lead();
    let second = Daemon::start(&b, other, &(case.configuration)(&b, &a, 100));
    wait_holder(&a, &b, case.vips);

    let seen = lan.capture().adverts().len();
    first.stop();
    wait_holder(&b, &a, case.vips);
    let farewell = lan.capture().wait_advert("a resigns", seen, |advert| advert.priority == 0);
    let succession = lan.capture().wait_advert("b succeeds", seen, |advert| advert.priority == 100);
    assert!(farewell.at <= succession.at, "b took over before a resigned");

    let first = lead();
    wait_holder(&a, &b, case.vips);
    assert_content(&first, case.instances);

    let seen = lan.capture().adverts().len();
    first.crash();
    for vip in case.vips {
        b.wait_holds(vip, true);
    }
    lan.capture().wait_advert("b succeeds", seen, |advert| advert.priority == 100);
    let resigned = |advert: &&Advert| advert.priority == 0;
    let silence = lan.capture().adverts();
    assert_eq!(silence.iter().skip(seen).find(resigned), None, "a crashed director cannot resign");

    let first = lead();
    wait_holder(&a, &b, case.vips);
    assert_content(&first, case.instances);
    assert_content(&second, case.instances);
    second.stop();
    first.stop();
    for vip in case.vips {
        assert!(!a.holds(vip) && !b.holds(vip), "{vip} is left behind");
    }
    judge(case, &lan)
}

/// tshark's word on every advert, and that those who took over said so to the neighbours.
fn judge(case: &Case, lan: &Lan) -> Vec<testbed::Packet> {
    let adverts = lan.capture().judge();
    for advert in &adverts {
        for (field, wanted) in case.on_the_wire {
            assert_eq!(advert.get(field), *wanted, "{field} of {advert:?}");
        }
        let sender = advert.get("eth.src");
        let mine = if sender == "02:00:00:00:00:01" { "150" } else { "100" };
        assert!([mine, "0"].contains(&advert.get("vrrp.prio")), "priority of {advert:?}");
    }
    let packets = lan.capture().packets();
    for vip in case.vips {
        for host in ["02:00:00:00:00:01", "02:00:00:00:00:02"] {
            let announced = packets.iter().any(|p| p.announces(vip) && p.get("eth.src") == host);
            assert!(announced, "{host} never announced {vip}");
        }
    }
    adverts
}

fn nopreempt(leader: &Path, other: &Path) {
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let configuration = |priority| {
        let lines = "advert_int 0.25\n  nopreempt";
        version_3("") + &instance("N", 57, priority, lines, &["10.9.0.100/24"])
    };
    let lower = Daemon::start(&b, other, &configuration(100));
    b.wait_holds("10.9.0.100", true);

    let higher = Daemon::start(&a, leader, &configuration(150));
    testbed::wait_for("a hears ten adverts", || {
        higher.counters("N").get("Advertisements/Received") >= 10
    });
    assert_eq!(higher.counters("N").get("Became master"), 0, "a pushed in");
    assert!(b.holds("10.9.0.100") && !a.holds("10.9.0.100"));

    assert_content(&lower, &["N"]);
    lower.crash();
    a.wait_holds("10.9.0.100", true);
    assert_content(&higher, &["N"]);
    higher.stop();
    lan.capture().judge();
}

fn script_weight(leader: &Path, other: &Path) {
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let healthy = a.file("healthy");
    std::fs::write(&healthy, "").unwrap();
    let script = format!(
        "vrrp_script chk {{\n  script \"/usr/bin/test -e {}\"\n  interval 1\n  weight 60\n  rise 1\n  \
         fall 1\n}}\n",
        healthy.display()
    );
    let lines = "advert_int 0.25\n  track_script {\n    chk\n  }";
    let vip = ["10.9.0.100"];
    let tracked = version_3("") + &script + &instance("S", 58, 100, lines, &["10.9.0.100/24"]);
    let plain = version_3("") + &instance("S", 58, 120, "advert_int 0.25", &["10.9.0.100/24"]);
    let first = Daemon::start(&a, leader, &tracked);
    let second = Daemon::start(&b, other, &plain);
    lan.capture().wait_advert("a leads with 160", 0, |advert| advert.priority == 160);
    wait_holder(&a, &b, &vip);

    std::fs::remove_file(&healthy).unwrap();
    wait_holder(&b, &a, &vip);
    first.wait_log("Changing effective priority from 160 to 100");

    std::fs::write(&healthy, "").unwrap();
    wait_holder(&a, &b, &vip);
    first.wait_log("Changing effective priority from 100 to 160");

    assert_content(&first, &["S"]);
    assert_content(&second, &["S"]);
    first.stop();
    second.stop();
    lan.capture().judge();
}
