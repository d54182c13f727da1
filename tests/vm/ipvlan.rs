//! `use_ipvlan`: adverts that leave from an interface with an address of its own.

use std::path::Path;

use testbed::{Daemon, Lan, wait_for};

/// An instance for each way to say it. The C daemon of the version compared with takes `private` and `vepa` and
/// makes a bridge, so these two are not written.
fn configuration() -> String {
    let one = |name: &str, vrid: u8, lines: &str, vips: &str| {
        format!(
            "vrrp_instance {name} {{\n  interface eth0\n  virtual_router_id {vrid}\n  priority 150\n  \
             {lines}\n  virtual_ipaddress {{\n    {vips}\n  }}\n}}\n"
        )
    };
    one("A", 51, "use_ipvlan 10.9.0.51/24", "10.9.0.151")
        + &one("B", 52, "use_ipvlan bridge ipvb 10.9.0.52", "10.9.0.152/24")
        + &one("C", 53, "use_ipvlan ipvc", "fe80::53\n    fd00:9::153")
        + &one("D", 54, "use_ipvlan fe80::5454", "fe80::54")
        + &one("E", 55, "use_ipvlan 10.9.0.55\n  mcast_src_ip 10.9.0.1", "10.9.0.155")
}

const VIPS: [&str; 5] = ["10.9.0.151", "10.9.0.152", "fd00:9::153", "fe80::54", "10.9.0.155"];

/// Links, addresses, settings and dumps while MASTER, adverts, and what is left.
pub fn kinds(program: &Path) -> String {
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let daemon = Daemon::start(&a, program, &configuration());
    VIPS.iter().for_each(|vip| a.wait_holds(vip, true));
    let mut text = String::new();
    for name in ["vrrp.51", "ipvb", "ipvc", "vrrp.54", "vrrp.55", "eth0"] {
        let link = a.ip(&format!("-d -o link show {name}"));
        let words: Vec<&str> = link.split_whitespace().collect();
        let at = |word: &str| words.iter().position(|w| *w == word).unwrap_or(words.len());
        let ipvlan = words.get(at("ipvlan")..).unwrap_or_default();
        text += &format!("{name} {:?} {:?}\n", words.get(2), ipvlan.get(..6));
        let addresses = a.ip(&format!("-o address show {name}"));
        let mut addresses: Vec<String> = addresses
            .lines()
            .map(|line| line.split_whitespace().skip(2).collect::<Vec<_>>().join(" "))
            .filter(|line| !line.contains("fe80::ff:fe00:1/64"))
            .collect();
        addresses.sort();
        text += &format!("{}\n", addresses.join("\n"));
        for file in ["ipv4/conf/NAME/arp_ignore", "ipv6/conf/NAME/disable_ipv6"] {
            let file = file.replace("NAME", name);
            text += &format!("{file} {}", a.run(&format!("cat /proc/sys/net/{file}")));
        }
    }
    let data = daemon.dump(10, "keepalived.data", |text| {
        text.contains("------< Interfaces >------") && text.contains(" Name = ipvc")
    });
    let (_, vrrp) = data.split_once("VRRP Topology").unwrap_or_default();
    let about =
        ["IPVLAN", "Instance =", "   Interface =", " dev ", "src_ip", "I/f created", " Name ="];
    for line in vrrp.lines().filter(|line| about.iter().any(|word| line.contains(word))) {
        text += &format!("{line}\n");
    }
    let seen = lan.capture().listing();
    let sources = seen.iter().filter_map(|line| {
        let (before, _) = line.split_once(" > 224.0.0.18:").or(line.split_once(" > ff02::12:"))?;
        let (_, vrid) = line.split_once("vrid ")?;
        let source = before.split_whitespace().last()?;
        Some(format!("{} {source}", vrid.split(',').next()?))
    });
    let mut adverts: Vec<String> = sources.collect();
    adverts.sort();
    adverts.dedup();
    assert_eq!(adverts.len(), 5, "{adverts:?}");
    text += &format!("{}\n", adverts.join("\n"));
    daemon.stop();
    wait_for("nothing is left", || !a.ip("-d link").contains("ipvlan"));
    text += &format!("{:?}\n", a.addresses());
    text
}
