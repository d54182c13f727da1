//! VRRP with authentication headers (`auth_type AH`): ours and the C keepalived understand each other, and refuse
//! others and what is old.

use std::path::Path;

use testbed::{C_KEEPALIVED, Daemon, Host, Injector, Lan, wait_for};

use crate::vrrp::{VIPS, in_both_roles, instance, said, told};

/// An instance with an authentication header.
fn with_ah(priority: u8, password: &str, lines: &str) -> String {
    let lines =
        format!("authentication {{\n    auth_type AH\n    auth_pass {password}\n  }}\n  {lines}");
    instance(51, "eth0", priority, &lines, "10.8.0.100/24")
}

/// The packets that have an authentication header.
fn authenticated(lan: &Lan) -> Vec<Vec<u8>> {
    let frames = lan.capture().frames();
    let packets = frames.into_iter().filter_map(|frame| Some(frame.get(14..)?.to_vec()));
    packets.filter(|packet| packet.get(9) == Some(&51) && packet.len() >= 44).collect()
}

/// Each sender's numbers only grow, whoever was heard or started again in between.
#[track_caller]
fn assert_growing(lan: &Lan) {
    let packets = authenticated(lan);
    for sender in [1, 2] {
        let own = packets.iter().filter(|packet| packet[15] == sender);
        let number = |packet: &Vec<u8>| u32::from_be_bytes(packet[28..32].try_into().unwrap());
        let mut numbers: Vec<u32> = own.map(number).collect();
        // What goes to several peers has one number.
        numbers.dedup();
        assert!(numbers.len() > 2 && numbers.is_sorted_by(|a, b| a < b), "{sender}: {numbers:?}");
    }
}

pub fn with_headers(program: &Path) -> String {
    in_both_roles(program, |leader, other| pair(leader, other, ["", ""]))
}

/// One number for all peers, of which each has a value of its own.
pub fn with_headers_to_peers(program: &Path) -> String {
    const A: &str = "unicast_src_ip 10.9.0.1\n  unicast_peer {\n    10.9.0.2\n    10.9.0.3\n  }";
    const B: &str = "unicast_src_ip 10.9.0.2\n  unicast_peer {\n    10.9.0.3\n    10.9.0.1\n  }";
    in_both_roles(program, |leader, other| pair(leader, other, [A, B]))
}

#[track_caller]
fn pair(leader: &Path, other: &Path, lines: [&str; 2]) -> String {
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    // The other peer, so that what is sent there is seen.
    let _c = lan.host("c", 3);
    let lead = || Daemon::start(&a, leader, &with_ah(150, "secret12", lines[0]));
    let held_by = |holder: &Host, other: &Host| {
        holder.wait_holds(VIPS[0], true);
        other.wait_holds(VIPS[0], false);
    };
    let first = lead();
    a.wait_holds(VIPS[0], true);
    let second = Daemon::start(&b, other, &with_ah(100, "secret12", lines[1]));
    let heard = || second.counters("V").get("Advertisements/Received");
    wait_for("b hears a", || heard() >= 3);
    assert_eq!(second.counters("V").errors(), []);
    held_by(&a, &b);
    let mut seen = authentication(&first) + &authentication(&second);

    // Another password, and the numbers go on.
    for (times, password) in (1..).zip(["other", "secret12"]) {
        let before = heard();
        first.reload(&with_ah(150, password, lines[0]));
        second.reload(&with_ah(100, password, lines[1]));
        // The C daemon hears no signal while it reloads.
        second.wait_logged("Reload complete", times);
        wait_for("b hears a", || heard() >= before + 3);
    }
    seen += &told(&first.stop());
    held_by(&b, &a);
    let first = lead();
    held_by(&a, &b);
    assert_growing(&lan);

    // It begins anew where nobody hears it, so that its numbers are behind those of the one that has to yield.
    first.crash();
    b.wait_holds(VIPS[0], true);
    lan.set_cable(&a, false);
    let first = lead();
    a.wait_holds(VIPS[0], true);
    lan.set_cable(&a, true);
    held_by(&a, &b);
    seen += &told(&first.stop());
    held_by(&b, &a);
    seen += &told(&second.stop());
    seen + &said(&lan)
}

/// What the dump says about authentication.
#[track_caller]
fn authentication(daemon: &Daemon) -> String {
    let complete = |text: &str| text.contains("Protocol = ") && text.contains("Authentication");
    let data = daemon.dump(10, "keepalived.data", complete);
    const ABOUT: [&str; 3] = ["Authentication", "Password", "Protocol"];
    let about = |line: &&str| ABOUT.iter().any(|about| line.contains(about));
    data.lines().filter(about).map(|line| format!("{line}\n")).collect()
}

/// Old adverts are refused, though they were right once, and do not keep a backup from taking over.
pub fn old_adverts_are_refused(program: &Path) -> String {
    let lan = Lan::new();
    let (a, b, c) = (lan.host("a", 1), lan.host("b", 2), lan.host("c", 3));
    let first = Daemon::start(&a, Path::new(C_KEEPALIVED), &with_ah(150, "secret12", ""));
    a.wait_holds(VIPS[0], true);
    let second = Daemon::start(&b, program, &with_ah(100, "secret12", ""));
    wait_for("b hears a", || second.counters("V").get("Advertisements/Received") >= 3);
    let stranger = Injector::open(&c);
    stranger.send_packet(&authenticated(&lan)[0]);
    second.wait_log("already processed. Packet dropped. Local(");
    first.crash();
    let last = authenticated(&lan).pop().unwrap();
    wait_for("b takes over", || {
        stranger.send_packet(&last);
        b.holds(VIPS[0])
    });
    let counters = second.counters("V");
    assert!(counters.get("Authentication Errors/Failure") > 2, "{counters:?}");
    errors(&second) + &told(&second.stop())
}

/// Whoever has another password, or no authentication header, is not heard, and does not hear.
pub fn strangers_are_refused(program: &Path) -> String {
    let lan = Lan::new();
    let simple = "authentication {\n    auth_type PASS\n    auth_pass secret12\n  }";
    let others = [
        with_ah(150, "secret13", ""),
        with_ah(50, "secret14", ""),
        instance(51, "eth0", 150, "", "10.8.0.100/24"),
        instance(51, "eth0", 50, simple, "10.8.0.100/24"),
    ];
    let others: Vec<(Host, Daemon)> = (2..)
        .zip(others)
        .map(|(number, text)| {
            let host = lan.host(&format!("d{number}"), number);
            let daemon = Daemon::start(&host, Path::new(C_KEEPALIVED), &text);
            (host, daemon)
        })
        .collect();
    for (host, _) in &others {
        host.wait_holds(VIPS[0], true);
    }
    let a = lan.host("a", 1);
    let daemon = Daemon::start(&a, program, &with_ah(100, "secret12", ""));
    a.wait_holds(VIPS[0], true);
    const REFUSED: &str = "IPSEC-AH : invalid IPSEC HMAC-MD5 value";
    daemon.wait_log(REFUSED);
    for (_, other) in &others[..2] {
        other.wait_log(REFUSED);
    }
    for (host, _) in &others {
        assert!(host.holds(VIPS[0]), "{} heard a stranger", host.name());
    }
    errors(&daemon) + &told(&daemon.stop())
}

/// Which errors were counted.
#[track_caller]
fn errors(daemon: &Daemon) -> String {
    let counters = daemon.counters("V");
    counters.errors().into_iter().map(|(kind, _)| format!("{kind}\n")).collect()
}
