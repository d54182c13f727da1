//! The packet filter's tables in a real kernel, each test in a network namespace of its own thread.
//! The judge is `nft`, which shares no code with this crate.

#![allow(clippy::unwrap_used)]

use std::net::Ipv4Addr;
use std::process::Command;

use ipvs::Protocol;
use ipvs::nft::{MapEntry, Network, Rules, WantedMaps};

fn in_namespace(test: fn()) {
    if !nix::unistd::geteuid().is_root() {
        return eprintln!("skipped: needs root");
    }
    let thread = std::thread::spawn(move || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET).unwrap();
        match Command::new("nft").args(["list", "ruleset"]).output() {
            Ok(output) if output.status.success() => test(),
            other => eprintln!("skipped: no nftables: {other:?}"),
        }
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn nft(arguments: &[&str]) -> String {
    let output = Command::new("nft").args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// All rules, with every run of blanks as one, and elements that are on lines of their own joined.
fn ruleset() -> String {
    let text = nft(&["list", "ruleset"]);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn entry(protocol: Protocol, first: &str, last: &str, port: u16, mark: u32) -> MapEntry {
    let (first, last) = (first.parse().unwrap(), last.parse().unwrap());
    MapEntry { protocol, first, last, port, mark }
}

fn wanted(entries: &[MapEntry]) -> WantedMaps {
    let table = "keepalived_ipvs".to_owned();
    WantedMaps { table, priority: -1, counters: false, entries: entries.to_vec() }
}

fn web() -> MapEntry {
    entry(Protocol::Tcp, "10.0.0.1", "10.0.0.9", 80, 1000)
}

fn web6() -> MapEntry {
    entry(Protocol::Udp, "2001:db8::1", "2001:db8::1", 53, 1001)
}

const INET: &str = "table ip keepalived_ipvs { map tcp_map { type ipv4_addr . inet_service : mark \
     flags interval elements = { 10.0.0.1-10.0.0.9 . 80 : 0x000003e8 } } \
     chain in { type filter hook input priority filter - 1; policy accept; \
     meta mark set ip daddr . tcp dport map @tcp_map return } }";
const INET6: &str = "table ip6 keepalived_ipvs { map udp_map { type ipv6_addr . inet_service : mark \
     flags interval elements = { 2001:db8::1 . 53 : 0x000003e9 } } \
     chain in { type filter hook input priority filter - 1; policy accept; \
     meta mark set ip6 daddr . udp dport map @udp_map return } }";

/// The same as nft takes it.
const SCRIPT: &str = "
table ip keepalived_ipvs {
    map tcp_map {
        type ipv4_addr . inet_service : mark; flags interval
        elements = { 10.0.0.1-10.0.0.9 . 80 : 1000 }
    }
    chain in {
        type filter hook input priority -1; policy accept
        meta l4proto tcp meta mark set ip daddr . tcp dport map @tcp_map return
    }
}
table ip6 keepalived_ipvs {
    map udp_map {
        type ipv6_addr . inet_service : mark; flags interval
        elements = { 2001:db8::1 . 53 : 1001 }
    }
    chain in {
        type filter hook input priority -1; policy accept
        meta l4proto udp meta mark set ip6 daddr . udp dport map @udp_map return
    }
}";

/// What the kernel executes, which the text hides in part.
fn instructions() -> String {
    nft(&["--debug=netlink", "list", "ruleset"])
}

#[test]
fn maps_are_as_nft_would_make_them() {
    in_namespace(|| {
        let mut rules = Rules::open().unwrap();
        rules.follow(&wanted(&[web(), web6()])).unwrap();
        let ours = instructions();
        rules.remove().unwrap();
        nft(&[SCRIPT]);
        assert_eq!(ours, instructions());
        nft(&["flush", "ruleset"]);
    });
}

#[test]
fn tables_come_and_go_with_their_entries() {
    in_namespace(|| {
        let mut rules = Rules::open().unwrap();
        rules.follow(&wanted(&[web(), web6()])).unwrap();
        assert_eq!(ruleset(), format!("{INET} {INET6}"));
        rules.follow(&wanted(&[web6()])).unwrap();
        assert_eq!(ruleset(), INET6);
        rules.follow(&wanted(&[])).unwrap();
        assert_eq!(ruleset(), "");
        rules.follow(&wanted(&[web()])).unwrap();
        rules.remove().unwrap();
        assert_eq!(ruleset(), "");
    });
}

#[test]
fn counters_count_where_they_are_wanted_and_survive_a_change_of_elements() {
    in_namespace(|| {
        let counting = |entries: &[MapEntry]| WantedMaps {
            counters: true,
            priority: 7,
            table: "other".to_owned(),
            ..wanted(entries)
        };
        nft(&["add", "table", "ip", "other"]);
        assert!(Command::new("ip").args(["link", "set", "lo", "up"]).status().unwrap().success());
        let mut rules = Rules::open().unwrap();
        let here = entry(Protocol::Udp, "127.0.0.1", "127.0.0.1", 9, 4);
        let there = entry(Protocol::Udp, "10.0.0.1", "10.0.0.1", 9, 5);
        rules.follow(&counting(&[here, there])).unwrap();
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.send_to(b"four", "127.0.0.1:9").unwrap();
        let counted = "127.0.0.1 . 9 counter packets 1 bytes 32 : 0x00000004";
        assert!(ruleset().contains(counted), "{}", ruleset());
        assert!(ruleset().contains("map @udp_map counter packets 1 bytes 32 return"));
        assert!(ruleset().contains("priority filter + 7;"), "{}", ruleset());
        let more = entry(Protocol::Udp, "10.0.0.2", "10.0.0.8", 9, 5);
        rules.follow(&counting(&[here, more])).unwrap();
        let shown = ruleset();
        assert!(shown.contains(counted) && shown.contains("10.0.0.2-10.0.0.8 . 9 "), "{shown}");
        assert!(!shown.contains("10.0.0.1 "), "{shown}");
        rules.follow(&wanted(&[web()])).unwrap();
        assert_eq!(ruleset(), INET);
    });
}

#[test]
fn what_somebody_else_changed_is_replaced() {
    in_namespace(|| {
        let mut rules = Rules::open().unwrap();
        rules.follow(&wanted(&[web(), web6()])).unwrap();
        nft(&["flush", "ruleset"]);
        let sctp = entry(Protocol::Sctp, "10.0.0.1", "10.0.0.1", 80, 1002);
        let other = MapEntry { port: 54, ..web6() };
        rules.follow(&wanted(&[other])).unwrap();
        assert_eq!(ruleset(), INET6.replace(". 53", ". 54"));
        rules.follow(&wanted(&[web6()])).unwrap();
        nft(&["flush", "map", "ip6", "keepalived_ipvs", "udp_map"]);
        let changed = MapEntry { mark: 7, ..web6() };
        rules.follow(&wanted(&[changed])).unwrap();
        assert_eq!(ruleset(), INET6.replace("0x000003e9", "0x00000007"));
        // An earlier run left this; another table is none of our business.
        nft(&["add", "table", "ip", "theirs"]);
        let mut rules = Rules::open().unwrap();
        rules.follow(&wanted(&[sctp])).unwrap();
        let shown = ruleset();
        assert!(shown.contains("sctp_map") && !shown.contains("udp_map"), "{shown}");
        assert!(shown.contains("table ip theirs"), "{shown}");
    });
}

#[test]
fn thousands_of_elements_go_in_at_once() {
    in_namespace(|| {
        let address = |n: u32| Ipv4Addr::from_bits(0x0a00_0000 + n).into();
        let entries: Vec<MapEntry> = (0..5000)
            .map(|n| MapEntry { first: address(2 * n), last: address(2 * n), ..web() })
            .collect();
        let mut rules = Rules::open().unwrap();
        rules.follow(&wanted(&entries)).unwrap();
        assert_eq!(ruleset().matches(". 80 :").count(), entries.len());
        rules.follow(&wanted(&entries[..1])).unwrap();
        assert_eq!(ruleset().matches(". 80 :").count(), 1);
    });
}

#[test]
fn networks_are_masqueraded() {
    in_namespace(|| {
        let network = |address: [u8; 4], mask: [u8; 4]| Network {
            address: address.into(),
            mask: mask.into(),
        };
        let mut rules = Rules::open().unwrap();
        let three = [
            network([10, 1, 2, 3], [255, 255, 252, 0]),
            network([10, 1, 1, 9], [255, 255, 252, 0]),
            network([192, 168, 0, 1], [255, 255, 255, 255]),
        ];
        rules.masquerade(&three).unwrap();
        let both = "table ip keepalived_nat { chain postrouting { \
             type nat hook postrouting priority srcnat; policy accept; \
             ip saddr 10.1.0.0/22 masquerade ip saddr 192.168.0.1 masquerade } }";
        assert_eq!(ruleset(), both);
        rules.masquerade(&three[2..]).unwrap();
        assert_eq!(ruleset(), both.replace("ip saddr 10.1.0.0/22 masquerade ", ""));
        rules.follow(&wanted(&[web()])).unwrap();
        rules.masquerade(&[]).unwrap();
        assert_eq!(ruleset(), INET);
        rules.masquerade(&three).unwrap();
        rules.remove().unwrap();
        assert_eq!(ruleset(), "");
        // One from an earlier run goes when nothing is to be masqueraded.
        nft(&["add", "table", "ip", "keepalived_nat"]);
        Rules::open().unwrap().masquerade(&[]).unwrap();
        assert_eq!(ruleset(), "");
    });
}

#[test]
fn a_refusal_changes_nothing_and_is_not_waited_for() {
    in_namespace(|| {
        let mut rules = Rules::open().unwrap();
        rules.follow(&wanted(&[web()])).unwrap();
        let before = ruleset();
        let long = WantedMaps { table: "x".repeat(300), ..wanted(&[web6()]) };
        let error = Rules::open().unwrap().follow(&long).unwrap_err();
        assert_ne!(error.kind(), std::io::ErrorKind::TimedOut, "{error}");
        assert_eq!(ruleset(), before);
        // A chain cannot be this early, but the maps are remembered nevertheless.
        let early = WantedMaps { priority: i32::MIN, ..wanted(&[web(), web6()]) };
        if rules.follow(&early).is_err() {
            assert_eq!(ruleset(), before);
        }
        rules.remove().unwrap();
        assert_eq!(ruleset(), "");
    });
}
