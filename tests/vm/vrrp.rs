//! VRRP on what the kernel of the machine that tests may lack: VLANs, VRFs, macvlan and dummy interfaces.
//!
//! Directors go through a story; what is written down is each one's log and all kinds of packets on the wire, in
//! tcpdump's words. A pair is ours and the C keepalived, each in both roles, and must give what two C keepalived give.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use testbed::{C_KEEPALIVED, Daemon, Host, Lan, wait_for};

/// An interface that directors speak on.
struct Port {
    name: &'static str,
    /// Makes it in a host, `{n}` being the host's number.
    make: &'static [&'static str],
    /// Where its routes are.
    table: &'static str,
}

const VLAN: Port = Port {
    name: "eth0.10",
    make: &[
        "link add link eth0 name eth0.10 type vlan id 10",
        "address add 10.8.0.{n}/24 dev eth0.10",
        "link set eth0.10 up",
    ],
    table: "main",
};

const MACVLAN: Port = Port {
    name: "mv0",
    make: &[
        "link add link eth0 name mv0 address 02:00:00:00:01:0{n} type macvlan mode bridge",
        "address add 10.8.0.{n}/24 dev mv0",
        "link set mv0 up",
    ],
    table: "main",
};

/// Enslaved to the VRF, an interface loses its IPv6 addresses but the link-local one.
const IN_VRF: Port = Port {
    name: "eth0",
    make: &[
        "link add red type vrf table 100",
        "link set red up",
        "link set eth0 master red",
        "address flush dev eth0 scope global",
        "address add 10.8.0.{n}/24 dev eth0",
    ],
    table: "100",
};

impl Port {
    #[track_caller]
    fn make(&self, host: &Host, number: u8) {
        let number = number.to_string();
        let commands: Vec<String> =
            self.make.iter().map(|command| command.replace("{n}", &number)).collect();
        host.configure(&commands.iter().map(String::as_str).collect::<Vec<_>>());
        // The kernel takes a moment to call it running.
        let show = format!("link show {}", self.name);
        wait_for("the interface runs", || host.ip(&show).contains("LOWER_UP"));
    }
}

/// An instance of version 2.
pub fn instance(vrid: u8, interface: &str, priority: u8, lines: &str, vip: &str) -> String {
    format!(
        "vrrp_instance V {{\n  state BACKUP\n  interface {interface}\n  virtual_router_id {vrid}\n  \
         priority {priority}\n  advert_int 1\n  {lines}\n  virtual_ipaddress {{\n    {vip}\n  }}\n}}\n"
    )
}

/// Version 2 over IPv4 and version 3 over IPv6.
fn both_families(interface: &str, priority: u8, lines: &str) -> String {
    let vips = "fe80::8:100/64\n    fd00:8::100/64";
    let six = instance(52, interface, priority, "version 3", vips).replacen(" V ", " W ", 1);
    instance(51, interface, priority, lines, "10.8.0.100/24") + &six
}

pub const VIPS: [&str; 3] = ["10.8.0.100", "fe80::8:100", "fd00:8::100"];

/// The first daemon has the higher priority.
pub type Story = fn(leader: &Path, other: &Path) -> String;

/// The daemon leads the C keepalived, and follows it.
pub fn in_both_roles(program: &Path, story: Story) -> String {
    let theirs = Path::new(C_KEEPALIVED);
    if program == theirs {
        let seen = story(theirs, theirs);
        return format!("leads:\n{seen}follows:\n{seen}");
    }
    let (leads, follows) = std::thread::scope(|scope| {
        let leads = scope.spawn(|| story(program, theirs));
        let follows = story(theirs, program);
        (leads.join(), follows)
    });
    let leads = leads.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    format!("leads:\n{leads}follows:\n{follows}")
}

#[track_caller]
fn wait_holder(holder: &Host, other: &Host) {
    VIPS.iter().for_each(|vip| holder.wait_holds(vip, true));
    VIPS.iter().for_each(|vip| other.wait_holds(vip, false));
}

/// What a log says about interfaces, and then about each instance, without the time and what is a matter of time: how
/// often a lower priority is heard, and how often addresses are announced.
pub fn told(log: &str) -> String {
    const ABOUT: [&str; 7] = [
        "STATE",
        "timeout",
        "setting VIPs",
        "0 priority",
        "priority 0",
        "Netlink reports",
        "Interface ",
    ];
    let lines = log.lines().filter_map(|line| Some(line.split_once(": ")?.1));
    let mut lines: Vec<&str> =
        lines.filter(|text| ABOUT.iter().any(|about| text.contains(about))).collect();
    // Stable, so that each one's own order stays.
    lines.sort_by_key(|text| if text.starts_with('(') { text.get(..3) } else { None });
    // With every reload the C daemon says once more that it sets the addresses.
    lines.dedup();
    lines.into_iter().map(|text| format!("{text}\n")).collect()
}

/// Every kind of advert, and of announcement of the virtual address, that was on the wire.
#[track_caller]
pub fn said(lan: &Lan) -> String {
    let lines = lan.capture().listing();
    let ours = |line: &String| line.contains("VRRPv") || line.contains("tell 10.8.0.100");
    let kinds: BTreeSet<String> =
        lines.into_iter().filter(ours).map(|line| without_signature(&line)).collect();
    let wrong = kinds.iter().find(|line| line.contains("bad"));
    assert_eq!(wrong, None, "tcpdump objects");
    kinds.into_iter().map(|line| line + "\n").collect()
}

/// An authentication header without its number and value.
fn without_signature(line: &str) -> String {
    let parts =
        line.split_once(",seq=").and_then(|(head, tail)| Some((head, tail.split_once(')')?.1)));
    parts.map_or_else(|| line.to_owned(), |(head, tail)| format!("{head}){tail}"))
}

/// The link goes down and up, and then the one below it; the leader leaves, comes back, and dies.
#[track_caller]
fn pair(port: &Port, leader: &Path, other: &Path) -> String {
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    port.make(&a, 1);
    port.make(&b, 2);
    let lead = || Daemon::start(&a, leader, &both_families(port.name, 150, ""));
    let first = lead();
    VIPS.iter().for_each(|vip| a.wait_holds(vip, true));
    let second = Daemon::start(&b, other, &both_families(port.name, 100, ""));
    for instance in ["V", "W"] {
        wait_for("b hears a", || second.counters(instance).get("Advertisements/Received") >= 2);
    }
    wait_holder(&a, &b);
    for (times, link) in (1..).zip([port.name, "eth0"]) {
        a.ip(&format!("link set {link} down"));
        first.wait_logged("(V) Entering FAULT STATE", times);
        first.wait_logged("(W) Entering FAULT STATE", times);
        wait_holder(&b, &a);
        a.ip(&format!("link set {link} up"));
        wait_holder(&a, &b);
    }
    let mut seen = first.stop();
    // The C daemon looks below a macvlan interface too.
    if port.name == "mv0" {
        seen = seen
            .lines()
            .filter(|line| !line.contains("eth0 "))
            .map(|line| format!("{line}\n"))
            .collect();
    }
    seen = told(&seen);
    wait_holder(&b, &a);
    let first = lead();
    wait_holder(&a, &b);
    seen += &a.ip(&format!("route show table {}", port.table));
    first.crash();
    VIPS.iter().for_each(|vip| b.wait_holds(vip, true));
    seen + &told(&second.stop()) + &said(&lan)
}

pub fn on_a_vlan(program: &Path) -> String {
    in_both_roles(program, |leader, other| pair(&VLAN, leader, other))
}

pub fn on_a_macvlan(program: &Path) -> String {
    in_both_roles(program, |leader, other| pair(&MACVLAN, leader, other))
}

pub fn in_a_vrf(program: &Path) -> String {
    in_both_roles(program, |leader, other| pair(&IN_VRF, leader, other))
}

/// A director alone whose VLAN interface goes and comes back, and one whose VLAN interface is not there at first.
pub fn a_vlan_is_deleted_and_made_again(program: &Path) -> String {
    let mut seen = String::new();
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    VLAN.make(&a, 1);
    let configuration = |vrid, vip| instance(vrid, VLAN.name, 150, "", vip);
    let first = Daemon::start(&a, program, &configuration(51, "10.8.0.100/24"));
    let dynamic = "global_defs {\n  dynamic_interfaces\n}\n".to_owned();
    let second = Daemon::start(&b, program, &(dynamic + &configuration(52, "10.8.0.101/24")));
    second.wait_log("entering FAULT state");
    VLAN.make(&b, 2);
    let directors = [(&a, 1, &first, "10.8.0.100"), (&b, 2, &second, "10.8.0.101")];
    for times in [1, 2] {
        for (host, _, daemon, vip) in directors {
            host.wait_holds(vip, true);
            // Five seconds after the first announcement.
            daemon.wait_logged("(V) Sending/queueing gratuitous ARPs on eth0.10", 2 * times);
        }
        let before = said_how_often(&lan);
        wait_for("both say more", || (0..2).all(|n| said_how_often(&lan)[n] > before[n] + 1));
        if times == 1 {
            for (host, number, daemon, _) in directors {
                host.ip("link del eth0.10");
                daemon.wait_log("Entering FAULT STATE");
                VLAN.make(host, number);
            }
        }
    }
    for (daemon, host) in [(first, a), (second, b)] {
        seen += &told(&daemon.stop());
        seen += &host.ip("-o -4 address show dev eth0.10");
    }
    seen + &said(&lan)
}

/// How many adverts of VRIDs 51 and 52 were on the wire.
fn said_how_often(lan: &Lan) -> [usize; 2] {
    let lines = lan.capture().listing();
    ["vrid 51, prio 150", "vrid 52, prio 150"]
        .map(|text| lines.iter().filter(|line| line.contains(text)).count())
}

/// Virtual addresses on a dummy interface, watched and not watched, and one that is tracked, with a weight and without.
pub fn on_a_dummy(program: &Path) -> String {
    const CASES: [(&str, &str); 4] = [
        ("", "10.8.0.101/32 dev dummy0"),
        ("", "10.8.0.102/32 dev dummy0 no_track"),
        ("track_interface {\n    dummy0\n  }", "10.8.0.103/32"),
        ("track_interface {\n    dummy0 weight -60\n  }", "10.8.0.104/32"),
    ];
    let lan = Lan::new();
    let directors: Vec<(Host, Daemon)> = (1..)
        .zip(CASES)
        .map(|(number, (lines, vip))| {
            let host = lan.host(&format!("d{number}"), number);
            host.configure(&["link add dummy0 type dummy", "link set dummy0 up"]);
            let text = instance(50 + number, "eth0", 150, lines, vip);
            let daemon = Daemon::start(&host, program, &text);
            (host, daemon)
        })
        .collect();
    let mut seen = String::new();
    let mut look = |what: &str| {
        seen += &format!("{what}:\n");
        for (host, _) in &directors {
            let addresses = host.addresses();
            // One that is not tracked comes back here, and with the C daemon when its instance becomes MASTER again.
            let virtual_ones = addresses.iter().filter(|address| {
                address.starts_with("10.8.")
                    && (what == "at first" || !address.starts_with("10.8.0.102/"))
            });
            seen += &virtual_ones
                .map(|address| format!("{} {address}\n", host.name()))
                .collect::<String>();
        }
    };
    for (_, daemon) in &directors {
        daemon.wait_log("Entering MASTER STATE");
    }
    for (number, (host, _)) in (101..).zip(&directors) {
        host.wait_holds(&format!("10.8.0.{number}"), true);
    }
    look("at first");
    for (times, (without, with)) in (1..).zip([
        (vec!["link set dummy0 down"], vec!["link set dummy0 up"]),
        (vec!["link del dummy0"], vec!["link add dummy0 type dummy", "link set dummy0 up"]),
    ]) {
        let heard = lan.capture().adverts().len();
        directors.iter().for_each(|(host, _)| host.configure(&without));
        for number in [0, 2] {
            directors[number].1.wait_logged("Entering FAULT STATE", times);
        }
        lan.capture().wait_advert("a lower priority", heard, |advert| advert.priority == 90);
        look(without[0]);
        let heard = lan.capture().adverts().len();
        directors.iter().for_each(|(host, _)| host.configure(&with));
        for number in [0, 2] {
            directors[number].1.wait_logged("Entering MASTER STATE", times + 1);
        }
        lan.capture().wait_advert("the old priority", heard, |advert| {
            advert.vrid == 54 && advert.priority == 150
        });
        look(with[0]);
    }
    for (host, daemon) in directors {
        seen += &format!("{}:\n{}", host.name(), told(&daemon.stop()));
    }
    seen + &said(&lan)
}

/// A pair of directors in a VRF that know each other by address, on an interface.
pub fn unicast_in_a_vrf(program: &Path) -> String {
    in_both_roles(program, |leader, other| unicast(leader, other, |_| "interface eth0"))
}

/// Ours without an interface, by the VRF alone. Version 2.2.7 of the C daemon knows the keyword and wants an
/// interface all the same.
pub fn unicast_by_vrf(program: &Path) -> String {
    in_both_roles(program, |leader, other| unicast(leader, other, place))
}

fn place(program: &Path) -> &'static str {
    let version = Command::new(program).arg("--version").output().unwrap();
    let old = String::from_utf8_lossy(&version.stderr).contains("v2.2.7");
    if old { "interface eth0" } else { "vrf red" }
}

#[track_caller]
fn unicast(leader: &Path, other: &Path, place: fn(&Path) -> &'static str) -> String {
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    IN_VRF.make(&a, 1);
    IN_VRF.make(&b, 2);
    let start = |host, program, priority, own, peer| {
        let lines =
            format!("unicast_src_ip 10.8.0.{own}\n  unicast_peer {{\n    10.8.0.{peer}\n  }}");
        let text = instance(51, "eth0", priority, &lines, "10.8.0.100/24 dev eth0");
        Daemon::start(host, program, &text.replace("interface eth0", place(program)))
    };
    let first = start(&a, leader, 150, 1, 2);
    a.wait_holds(VIPS[0], true);
    let second = start(&b, other, 100, 2, 1);
    wait_for("b hears a", || second.counters("V").get("Advertisements/Received") >= 2);
    assert!(!b.holds(VIPS[0]));
    let mut seen = told(&first.stop());
    b.wait_holds(VIPS[0], true);
    seen += &b.ip("route show table 100");
    seen += &told(&second.stop());
    seen + &said(&lan)
}

/// The interfaces of a running pair are moved into a VRF and out of it again. The kernel sets them down and up with it,
/// faster than ours may notice, and takes the IPv6 addresses away: only where it ends is compared.
pub fn moved_to_a_vrf(program: &Path) -> String {
    in_both_roles(program, |leader, other| {
        let lan = Lan::new();
        let (a, b) = (lan.host("a", 1), lan.host("b", 2));
        for host in [&a, &b] {
            host.configure(&["link add red type vrf table 100", "link set red up"]);
        }
        let first = Daemon::start(&a, leader, &both_families("eth0", 150, ""));
        VIPS.iter().for_each(|vip| a.wait_holds(vip, true));
        let second = Daemon::start(&b, other, &both_families("eth0", 100, ""));
        let heard = |name| second.counters(name).get("Advertisements/Received");
        let mut seen = String::new();
        for place in ["master red", "nomaster"] {
            for host in [&b, &a] {
                host.ip(&format!("link set eth0 {place}"));
            }
            for name in ["V", "W"] {
                let before = heard(name);
                wait_for("b hears a", || heard(name) >= before + 5);
            }
            wait_holder(&a, &b);
            for table in ["100", "main"] {
                seen += &format!("{table}:\n{}", a.ip(&format!("route show table {table}")));
            }
        }
        first.stop();
        wait_holder(&b, &a);
        second.stop();
        seen + &said(&lan)
    })
}
