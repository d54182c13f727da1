//! Virtual routers with a MAC address of their own (`use_vmac`).

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use nix::sys::signal::Signal;
use testbed::{Daemon, Host, Lan, wait_for};

use crate::{
    assert_content, instance, ours, ready, ready_for_ours, start, theirs, version_3, wait_holder,
};

/// What the kernel shows of the VMACs of a host: links with their parents, addresses, and settings that are not
/// the same for each interface.
fn state(host: &Host) -> String {
    let links: serde_json::Value =
        serde_json::from_str(&host.ip("-d -j address show")).unwrap_or_default();
    let mut text = String::new();
    let mut all: Vec<&serde_json::Value> = links.as_array().into_iter().flatten().collect();
    all.sort_by_key(|link| link["ifname"].as_str());
    for link in all.into_iter().filter(|link| link["ifname"] != "lo") {
        let name = link["ifname"].as_str().unwrap_or_default();
        let info = &link["linkinfo"];
        let flags = link["flags"].as_array().into_iter().flatten();
        let up = flags.filter(|f| *f == "UP" || *f == "LOWER_UP").count();
        let group = &link["group"];
        text += &format!(
            "{name} {} {} {} {} {group} up {up}\n",
            link["link"],
            link["address"],
            info["info_data"]["mode"],
            if info["info_kind"] == "macvlan" { &link["inet6_addr_gen_mode"] } else { group },
        );
        let addresses = link["addr_info"].as_array().into_iter().flatten();
        let mut addresses: Vec<String> = addresses
            .map(|a| {
                let words = ["local", "prefixlen", "scope", "nodad", "deprecated", "label"];
                let words: Vec<String> = words.iter().map(|w| a[*w].to_string()).collect();
                format!("  {}\n", words.join(" "))
            })
            .collect();
        addresses.sort();
        text += &addresses.concat();
        text += &settings(host, name);
    }
    for name in ["all", "default"] {
        text += &format!("{name}\n{}", settings(host, name));
    }
    text
}

fn settings(host: &Host, interface: &str) -> String {
    let files = ["arp_ignore", "arp_filter", "accept_local", "rp_filter", "promote_secondaries"];
    let files = files.map(|file| format!("ipv4/conf/{interface}/{file}"));
    let files = files.into_iter().chain([format!("ipv6/conf/{interface}/disable_ipv6")]);
    let read = |file: String| {
        // It is 0 for VMACs of IPv6 in the other implementation.
        if ["vrrp6.61", "va.67"].contains(&interface) && file.ends_with("/arp_ignore") {
            return String::new();
        }
        let value = host.inside(|| std::fs::read_to_string(Path::new("/proc/sys/net").join(&file)));
        format!("  {file} {}", value.unwrap_or_default())
    };
    files.map(read).collect()
}

/// Every kind of VMAC.
fn all_kinds() -> String {
    let named = "use_vmac eth0v62 02:00:00:00:00\n  vmac_xmit_base\n  virtual_ipaddress_excluded {\n  \
                 fd00:9::62/64\n  }";
    let peers = "use_vmac\n  unicast_peer {\n  10.9.0.9\n  }";
    version_3("vmac_addr_prefix va")
        + &instance("PLAIN", 61, 150, "advert_int 0.25\n  use_vmac", &["10.9.0.61/32"])
        + &instance("NAMED", 62, 150, &format!("advert_int 0.25\n  {named}"), &["10.9.0.62/24"])
        + &instance("SIX", 61, 150, "advert_int 0.25\n  use_vmac", &["fe80::61", "fd00:9::61/64"])
        + &instance("UNI", 64, 150, &format!("advert_int 0.25\n  {peers}"), &["10.9.0.64"])
        + &instance("SINGLE", 65, 150, "advert_int 0.25", &["10.9.0.65 use_vmac", "10.9.0.66"])
        + &instance(
            "ADDR",
            67,
            150,
            "advert_int 0.25\n  use_vmac\n  use_vmac_addr\n  virtual_ipaddress_excluded {\n  \
             fd00:9::67\n  }",
            &["10.9.0.67"],
        )
}

/// Membership reports with the virtual MAC address must not leave, least of all from a backup: the rules against that are the C
/// daemon's, in tables of their own, and go with the daemon.
#[test]
fn reports_of_vmacs_leave_by_their_parents() {
    if !ready() {
        return;
    }
    let rules = |program: &Path| {
        let lan = Lan::new();
        let a = lan.host("a", 1);
        let configuration = version_3("")
            + &instance("A", 51, 150, "use_vmac", &["10.9.0.100/24"])
            + &instance("B", 52, 150, "use_vmac", &["fe80::99/64"]);
        let daemon = Daemon::start(&a, program, &configuration);
        let both = || {
            let listed = a.run("nft list ruleset");
            let elements = ["vrrp.51", "vrrp.52"].map(|name| format!("\"{name}\" : \"eth0\""));
            elements.iter().all(|element| listed.contains(element)).then_some(listed)
        };
        wait_for("both VMACs are in the rules", || both().is_some());
        let listed = both().unwrap_or_default();
        daemon.stop();
        assert_eq!(a.run("nft list ruleset"), "");
        listed.replace("keepalived_vmac", "keepalived")
    };
    assert_eq!(rules(&ours()), rules(&theirs()));
}

/// What a daemon makes of all kinds: the kernel's state, its dump, and whether it leaves anything behind.
fn made_by(program: &Path) -> (String, String) {
    let lan = Lan::new();
    let a = lan.host("a", 1);
    a.set("ipv4/conf/all/rp_filter", "2");
    let before = state(&a);
    let daemon = Daemon::start(&a, program, &all_kinds());
    for address in ["10.9.0.61", "10.9.0.62", "fd00:9::62", "fd00:9::61", "10.9.0.64", "10.9.0.67"]
    {
        a.wait_holds(address, true);
    }
    for address in ["10.9.0.65", "10.9.0.66", "fd00:9::67"] {
        a.wait_holds(address, true);
    }
    let made = state(&a);
    let data = daemon.dump(Signal::SIGUSR1 as i32, "keepalived.data", |text| {
        text.contains("------< Interfaces >------") && text.contains(" Name = va.65")
    });
    let json = daemon.dump(36, "keepalived.json", |text| {
        serde_json::from_str::<serde_json::Value>(text).is_ok()
    });
    daemon.stop();
    wait_for("the last VMAC is gone", || !a.ip("-d link").contains("macvlan"));
    let after = state(&a);
    if program == theirs() {
        // It leaves these two at 1.
        a.set("ipv4/conf/eth0/arp_ignore", "0");
        a.set("ipv4/conf/eth0/arp_filter", "0");
        assert_eq!(state(&a), before);
    } else {
        assert_eq!(after, before);
    }
    (made, [dumped(&data), keys(&json)].concat())
}

/// The lines of a dump that are about VMACs.
fn dumped(data: &str) -> String {
    let words = [
        "VRRP Instance = ",
        "VMAC, i/f",
        "     MAC = ",
        "   Interface = ",
        " dev ",
        "VMAC type",
        "I/f created",
        " Name = ",
    ];
    let (_, vrrp) = data.split_once("VRRP Topology").unwrap_or_default();
    let lines = vrrp.lines().filter(|line| words.iter().any(|word| line.contains(word)));
    lines.map(|line| format!("{line}\n")).collect()
}

fn keys(json: &str) -> String {
    let json: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let of = |instance: &serde_json::Value| {
        let data = &instance["data"];
        let keys = ["iname", "vmac_ifname", "ifp_ifname", "vips", "evips", "promote_secondaries"];
        keys.map(|key| format!("{key} {}\n", data[key])).concat()
    };
    json.as_array().into_iter().flatten().map(of).collect()
}

#[test]
fn links_addresses_settings_and_dumps_are_those_of_the_c_daemon() {
    if !ready() {
        return;
    }
    let (their_state, their_dump) = made_by(&theirs());
    assert!(their_state.contains("vrrp6.61"), "{their_state}");
    let (our_state, our_dump) = made_by(&ours());
    similar(&our_state, &their_state);
    similar(&our_dump, &their_dump);
}

/// Asserts that two texts are the same, line by line.
#[track_caller]
fn similar(ours: &str, theirs: &str) {
    for (ours, theirs) in ours.lines().zip(theirs.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(ours, theirs);
}

/// Addresses of [`four`], each with the MAC address that clients know it by.
const FOUR: [(&str, &str); 4] = [
    ("10.9.0.71", "00:00:5e:00:01:47"),
    ("10.9.0.72", "00:00:5e:00:01:48"),
    ("10.9.0.73", "02:00:00:00:07:49"),
    ("fd00:9::74", "00:00:5e:00:02:4a"),
];

/// IPv4, IPv4 with adverts on the parent, unicast, IPv6.
fn four(priority: u8, peer: &Host) -> String {
    let unicast = format!("use_vmac 02:00:00:00:07\n  unicast_peer {{\n  {}\n  }}", peer.address());
    let one = |name, vrid, lines: &str, vips: &[&str]| {
        instance(name, vrid, priority, &format!("advert_int 0.25\n  {lines}"), vips)
    };
    version_3("")
        + &one("PLAIN", 71, "use_vmac", &["10.9.0.71/24"])
        + &one("BASE", 72, "use_vmac\n  vmac_xmit_base", &["10.9.0.72/32"])
        + &one("UNI", 73, &unicast, &["10.9.0.73/32"])
        + &one("SIX", 74, "use_vmac", &["fe80::74/64", "fd00:9::74/64"])
}

/// Whether somebody answers at the address: there is no such service.
fn reaches(client: &Host, address: &str) -> bool {
    let ip: IpAddr = address.parse().unwrap();
    let to = SocketAddr::new(ip, 9);
    let outcome =
        client.inside(|| TcpStream::connect_timeout(&to, Duration::from_millis(500)).map(drop));
    outcome.is_err_and(|e| e.kind() == ErrorKind::ConnectionRefused)
}

#[track_caller]
fn assert_reached(client: &Host) {
    for (address, mac) in FOUR {
        wait_for(&format!("{address} answers"), || reaches(client, address));
        let entry = client.ip(&format!("neigh show {address}"));
        assert!(entry.contains(mac), "the client knows {address} as {entry}");
    }
}

/// Clients keep their ARP and neighbour entries through a failover and back.
fn takeover(leader: &Path, other: &Path) {
    let lan = Lan::new();
    let (a, b, client) = (lan.host("a", 1), lan.host("b", 2), lan.host("c", 3));
    let addresses = FOUR.map(|(address, _)| address);
    // The C daemon's ARP requests on behalf of a virtual address would name its interface's own MAC address, and
    // its VMAC of IPv6 would answer those of the client.
    let theirs: Vec<&Host> = [(leader, &a), (other, &b)]
        .into_iter()
        .filter_map(|(program, host)| (program == theirs()).then_some(host))
        .collect();
    let spare_arp = || {
        for host in &theirs {
            host.set("ipv4/conf/default/arp_ignore", "1");
            host.ip("neigh replace 10.9.0.3 lladdr 02:00:00:00:00:03 dev eth0 nud permanent");
        }
    };
    spare_arp();
    let first = Daemon::start(&a, leader, &four(150, &b));
    let second = Daemon::start(&b, other, &four(100, &a));
    wait_holder(&a, &b, &addresses);
    assert_reached(&client);

    a.set_link(false);
    first.wait_log("(PLAIN) Entering FAULT STATE");
    wait_holder(&b, &a, &addresses);
    assert_reached(&client);

    a.set_link(true);
    // It went with the link.
    a.ip("address replace fd00:9::1/64 dev eth0 nodad");
    spare_arp();
    wait_holder(&a, &b, &addresses);
    assert_reached(&client);
    // The C daemon complains that it cannot send while its link is down.
    for (program, daemon) in [(leader, &first), (other, &second)] {
        if program != Path::new(testbed::C_KEEPALIVED) {
            assert_content(daemon, &["PLAIN", "BASE", "UNI", "SIX"]);
        }
    }
    first.stop();
    second.stop();

    let packets = lan.capture().packets();
    for (address, mac) in FOUR {
        let mut announced = packets.iter().filter(|p| p.announces(address));
        assert!(announced.all(|p| p.get("eth.src") == mac), "{address} is announced from {mac}");
    }
    for advert in lan.capture().judge() {
        let (vrid, sender) = (advert.get("vrrp.virt_rtr_id"), advert.get("eth.src"));
        let wanted: &[&str] = match vrid {
            "71" => &["00:00:5e:00:01:47"],
            "74" => &["00:00:5e:00:02:4a"],
            _ => &["02:00:00:00:00:01", "02:00:00:00:00:02"],
        };
        assert!(wanted.contains(&sender), "{vrid} advertises from {sender}");
    }
}

#[test]
fn ours_leads_takeover() {
    if ready() {
        takeover(&ours(), &theirs());
    }
}

#[test]
fn theirs_leads_takeover() {
    if ready() {
        takeover(&theirs(), &ours());
    }
}

/// Index and MAC address of an interface.
fn identity(host: &Host, name: &str) -> (u64, String) {
    let text = host.ip("-j link");
    let links: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    let mut links = links.as_array().into_iter().flatten();
    let link = links.find(|link| link["ifname"] == name);
    let link = link.unwrap_or_else(|| panic!("there is no {name} in {text}"));
    let mac = link["address"].as_str().unwrap_or_default().to_owned();
    (link["ifindex"].as_u64().unwrap_or_default(), mac)
}

/// The C daemon does not get over the loss of a VMAC of IPv6.
#[test]
fn a_vmac_comes_back_and_follows_its_parent() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let lines = "advert_int 0.25\n  use_vmac";
    let mut configuration =
        version_3("dynamic_interfaces") + &instance("V4", 75, 150, lines, &["10.9.0.75/24"]);
    let mut all = vec![("V4", "10.9.0.75", "vrrp.75")];
    if ours() != theirs() {
        configuration += &instance("V6", 76, 150, lines, &["fe80::76", "fd00:9::76/64"]);
        all.push(("V6", "fd00:9::76", "vrrp.76"));
    }
    let daemon = start(&a, &configuration);
    // How often each was MASTER, and in FAULT.
    let masters = |times: usize| {
        for (name, address, _) in &all {
            daemon.wait_logged(&format!("({name}) Entering MASTER STATE"), times);
            a.wait_holds(address, true);
        }
    };
    let faults = |times: usize| {
        for (name, address, _) in &all {
            daemon.wait_logged(&format!("({name}) Entering FAULT STATE"), times);
            a.wait_holds(address, false);
        }
    };
    let each = |command: fn(&str) -> String| all.iter().for_each(|v| drop(a.ip(&command(v.2))));
    masters(1);
    let before = identity(&a, "vrrp.75");

    each(|vmac| format!("link del {vmac}"));
    masters(2);
    let after = identity(&a, "vrrp.75");
    assert!(after.0 != before.0 && after.1 == before.1, "{before:?} {after:?}");

    each(|vmac| format!("link set {vmac} down"));
    faults(2);
    each(|vmac| format!("link set {vmac} up"));
    masters(3);

    a.set_link(false);
    faults(3);
    a.set_link(true);
    masters(4);

    a.unplug();
    faults(4);
    a.plug_in();
    masters(5);
    assert_eq!(identity(&a, "vrrp.75").1, "00:00:5e:00:01:4b");
    let seen = lan.capture().adverts().len();
    lan.capture().wait_advert("adverts leave again", seen, |advert| {
        advert.vrid == 75 && advert.sender == [0, 0, 0x5e, 0, 1, 75]
    });
    daemon.stop();
    wait_for("nothing is left", || !a.ip("-d link").contains("macvlan"));
}

/// What does not change is not touched; what gets another name keeps its state and its addresses.
#[test]
fn a_reload_touches_only_what_changed() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let one = |name, vrid, lines: &str, vip| {
        instance(name, vrid, 150, &format!("advert_int 0.25\n  {lines}"), &[vip])
    };
    let same = version_3("") + &one("SAME", 81, "use_vmac", "10.9.0.81/32");
    let daemon = start(
        &a,
        &(same.clone()
            + &one("NAMED", 82, "use_vmac before", "10.9.0.82/32")
            + &one("LESS", 83, "use_vmac", "10.9.0.83/32")
            + &one("MORE", 84, "", "10.9.0.84/32")),
    );
    for vip in ["10.9.0.81", "10.9.0.82", "10.9.0.83", "10.9.0.84"] {
        a.wait_holds(vip, true);
    }
    let vmac = identity(&a, "vrrp.81");
    let monitor = a.monitor();
    daemon.reload(
        &(same.clone()
            + &one("NAMED", 82, "use_vmac after", "10.9.0.82/32")
            + &one("LESS", 83, "", "10.9.0.83/32")
            + &one("MORE", 84, "use_vmac", "10.9.0.84/32")
            + &one("NEW", 85, "use_vmac", "10.9.0.85/32")),
    );
    a.wait_holds("10.9.0.85", true);
    // These two are others to their neighbours now, and begin as backups.
    daemon.wait_logged("(LESS) Entering MASTER STATE", 2);
    daemon.wait_logged("(MORE) Entering MASTER STATE", 2);
    let on = |vip: &str| {
        let line = a.ip(&format!("-o address show to {vip}"));
        line.split_whitespace().nth(1).unwrap_or_default().to_owned()
    };
    for (vip, interface) in [
        ("10.9.0.81", "vrrp.81"),
        ("10.9.0.82", "after"),
        ("10.9.0.83", "eth0"),
        ("10.9.0.84", "vrrp.84"),
        ("10.9.0.85", "vrrp.85"),
    ] {
        wait_for(&format!("{vip} is on {interface}"), || on(vip) == interface);
    }
    assert_eq!(daemon.logged("(NAMED) Entering MASTER STATE"), 1);
    assert_eq!(identity(&a, "vrrp.81"), vmac);
    let lines = monitor.lines();
    // Of the link the kernel may have something to say still.
    let touched =
        |l: &&String| l.contains("10.9.0.81") || (l.contains("vrrp.81") && l.contains("DOWN"));
    assert_eq!(lines.iter().find(touched), None);
    assert!(!a.ip("-o link").contains("before"));
    wait_for("vrrp.83 is gone", || !a.ip("-o link").contains("vrrp.83"));
    daemon.wait_log("(LESS) Success removing VMAC interface vrrp.83");

    daemon.reload(&(version_3("") + &one("NONE", 86, "", "10.9.0.86/32")));
    a.wait_holds("10.9.0.86", true);
    wait_for("no VMAC is left", || !a.ip("-d link").contains("macvlan"));
    assert_eq!(settings(&a, "eth0").matches('1').count(), settings(&a, "lo").matches('1').count());
    daemon.stop();
}

/// A VMAC goes down with its parent, and must not be believed sooner. One that sends no adverts is kept in the minds of
/// switches by `garp_extra_if`.
#[test]
fn delays_of_the_parent_hold_for_its_vmac() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let configuration = "interface_up_down_delays {\n  eth0 3 3\n}\n".to_owned()
        + &instance("D", 89, 150, "advert_int 2\n  use_vmac", &["10.9.0.89/32"])
        + &instance(
            "E",
            91,
            150,
            "advert_int 2\n  use_vmac\n  vmac_xmit_base\n  garp_master_repeat 1\n  garp_master_delay 1\n  \
             garp_extra_if 1",
            &["10.9.0.91/32"],
        );
    let daemon = start(&a, &configuration);
    daemon.wait_log("(D) Entering BACKUP STATE");
    a.set_link(false);
    wait_for("the VMAC is down", || a.ip("link show vrrp.89").contains("LOWERLAYERDOWN"));
    a.set_link(true);
    // The C daemon does not say so.
    for name in ["eth0", "vrrp.89"].into_iter().filter(|_| ours() != theirs()) {
        daemon.wait_log(&format!("Delay timer for {name} cancelled"));
    }
    a.wait_holds("10.9.0.89", true);
    assert_eq!(daemon.logged("FAULT"), 0);
    // The C daemon gives it up when its link was down.
    wait_for("10.9.0.91 is announced again and again", || {
        let packets = lan.capture().packets();
        let own = |p: &testbed::Packet| p.get("eth.src") == "00:00:5e:00:01:5b";
        let count = packets.iter().filter(|p| p.announces("10.9.0.91") && own(p)).count();
        count >= 5 || ours() == theirs()
    });
    daemon.stop();
}

/// With `--dont-release-vrrp` everything stays, and is the next one's.
#[test]
fn vmacs_that_are_not_released_are_taken_over() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let lines = "advert_int 0.25\n  use_vmac";
    let configuration = version_3("") + &instance("K", 90, 150, lines, &["10.9.0.90/32"]);
    let file = a.file("kept.conf");
    std::fs::write(&file, &configuration).unwrap();
    let daemon = Daemon::start_with(&a, &ours(), &file, &["--dont-release-vrrp"]);
    a.wait_holds("10.9.0.90", true);
    let made = (identity(&a, "vrrp.90"), state(&a));
    daemon.stop();
    assert_eq!((identity(&a, "vrrp.90"), state(&a)), made);
    let daemon = start(&a, &configuration);
    daemon.wait_log("(K) Entering MASTER STATE");
    a.wait_holds("10.9.0.90", true);
    assert_eq!((identity(&a, "vrrp.90"), state(&a)), made);
    daemon.stop();
    wait_for("the VMAC is gone", || !a.ip("-d link").contains("macvlan"));
}

/// Whoever was killed, the next one takes the VMACs over; addresses on them go first.
#[test]
fn vmacs_of_a_killed_daemon_are_taken_over() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let one = |name, vrid, lines: &str, vip| {
        instance(name, vrid, 150, &format!("advert_int 0.25\n  {lines}"), &[vip])
    };
    let configuration = |mac: &str| {
        version_3("")
            + &one("KEPT", 87, "use_vmac", "10.9.0.87/32")
            + &one("OTHER", 88, &format!("use_vmac other {mac}"), "10.9.0.88/32")
    };
    for program in [theirs(), ours()] {
        let daemon = Daemon::start(&a, &program, &configuration("02:00:00:00:01:88"));
        a.wait_holds("10.9.0.87", true);
        a.wait_holds("10.9.0.88", true);
        let kept = identity(&a, "vrrp.87");
        daemon.crash();
        assert_eq!(identity(&a, "vrrp.87"), kept);

        let monitor = a.monitor();
        let daemon = start(&a, &configuration("02:00:00:00:02:88"));
        daemon.wait_log("(KEPT) Found matching interface vrrp.87");
        let about = || monitor.lines().into_iter().filter(|l| l.contains("10.9.0.87/32"));
        wait_for("the address goes and comes back", || about().count() >= 2);
        let lines: Vec<String> = about().collect();
        assert!(lines[0].contains("Deleted") && !lines[1].contains("Deleted"), "{lines:?}");
        assert_eq!(identity(&a, "vrrp.87"), kept);
        assert_eq!(identity(&a, "other").1, "02:00:00:00:02:88");
        a.wait_holds("10.9.0.88", true);
        daemon.stop();
        assert!(!a.ip("-d link").contains("macvlan"));
    }
}
