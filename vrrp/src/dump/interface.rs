//! The interfaces of this network namespace, and those that are configured but absent.

use std::collections::HashMap;
use std::net::IpAddr;

use netlink::{Link, Sublink};

use super::address::ENTRY;
use super::snapshot::{GarpView, Snapshot};
use super::text::{Text, signed};
use super::trackers::{by_name, users};
use crate::config::Family;
use crate::io::LinkMethod;
use crate::router::TrackerKind;

/// `IFF_*` with the words for them; where the flag being clear is remarkable, `false`.
const FLAGS: [(libc::c_int, bool, &str); 5] = [
    (libc::IFF_BROADCAST, false, ", no broadcast"),
    (libc::IFF_LOOPBACK, true, ", loopback"),
    (libc::IFF_POINTOPOINT, true, ", point to point"),
    (libc::IFF_NOARP, true, ", no arp"),
    (libc::IFF_MULTICAST, false, ", no multicast"),
];

/// By index, absent ones last.
pub(super) fn interfaces(t: &mut Text, s: &Snapshot<'_>) {
    let trackers = by_name(s.router, TrackerKind::Interface);
    let links = s.kernel.links();
    let absent: Vec<&str> = s
        .router
        .trackers()
        .iter()
        .filter(|t| t.kind == TrackerKind::Interface && s.kernel.index(&t.name).is_none())
        .map(|t| t.name.as_str())
        .collect();
    if links.is_empty() && absent.is_empty() {
        return;
    }
    t.title("Interfaces");
    let nothing = Link::default();
    let present = links.iter().map(|link| (link.name.as_str(), *link));
    let spacing: HashMap<&str, &GarpView<'_>> =
        s.garp.iter().flat_map(|g| g.interfaces.iter().map(move |&name| (name, g))).collect();
    for (name, link) in present.chain(absent.into_iter().map(|name| (name, &nothing))) {
        interface(t, s, name, link, spacing.get(name).copied());
        if let Some(tracker) = trackers.get(name) {
            t.put("   Tracking VRRP instances :\n");
            users(t, s, tracker);
        }
    }
}

fn interface(t: &mut Text, s: &Snapshot<'_>, name: &str, link: &Link, garp: Option<&GarpView<'_>>) {
    t.word(" Name = ", name);
    t.put("   index = ").int(link.index);
    t.put(if link.index == 0 { " (deleted)\n" } else { "\n" });
    addresses(t, s, link.index, false);
    addresses(t, s, link.index, true);
    if link.hw_type != libc::ARPHRD_LOOPBACK && !link.mac.is_empty() {
        hardware(t, "   MAC = ", &link.mac);
        hardware(t, "   MAC broadcast = ", &link.broadcast);
    }
    state(t, s, name, link);
    t.number("   Group = ", link.group);
    upon(t, s, name, link);
    t.number("   MTU = ", link.mtu);
    match link.hw_type {
        libc::ARPHRD_LOOPBACK => t.put("   HW Type = LOOPBACK").end(),
        libc::ARPHRD_ETHER => t.put("   HW Type = ETHERNET").end(),
        libc::ARPHRD_INFINIBAND => t.put("   HW Type = INFINIBAND").end(),
        other => t.put("   HW Type = UNKNOWN (").int(other).put(")").end(),
    }
    t.put(match s.linkbeat.get(name) {
        None => "   NIC netlink status update\n",
        Some(LinkMethod::Mii) => "   NIC support MII regs\n",
        Some(LinkMethod::Ethtool) => "   NIC support ETHTOOL GLINK interface\n",
        Some(LinkMethod::Ioctl) => "   NIC ioctl refresh polling\n",
    });
    if let Some(group) = garp {
        spacing(t, group);
    }
    let held = s.held.get(&link.index).copied().unwrap_or_default();
    // What a VMAC is set up with is its own.
    let of_vmac = if is_vmac_of_ipv4(s, name) { ("1", 0) } else { ("0", 0) };
    let (ignore, count) = held.arp_ignore.unwrap_or(of_vmac);
    t.number("   Reset ARP config counter ", count);
    t.put("   Original arp_ignore ").put(ignore).end();
    t.put("   Original arp_filter ").put(held.arp_filter.map_or("0", |(was, _)| was)).end();
    let (original, holders) = held.promote.unwrap_or(of_vmac);
    t.put("   Original promote_secondaries ").put(original).end();
    t.put("   Reset promote_secondaries counter ").int(holders).end();
    if let Some(&(at, forwards)) = s.forwarding.get(name) {
        let not = if forwards { "   " } else { "   Not " };
        t.put(not).time("IPv6 forwarding. Last checked ", at);
    }
}

/// Its own addresses of one family: none that the daemon sets, and of IPv6 the link-local ones only.
fn addresses(t: &mut Text, s: &Snapshot<'_>, index: u32, v6: bool) {
    let own = |ip: &IpAddr| match ip {
        IpAddr::V4(_) => !v6,
        IpAddr::V6(ip) => v6 && ip.is_unicast_link_local(),
    };
    let ours = |ip: &IpAddr| {
        s.virtual_addresses.contains(ip) || s.statics.iter().any(|known| known.ip == *ip)
    };
    let all = s.kernel.addresses(index).iter().map(|a| a.ip);
    let mut list = all.filter(|ip| own(ip) && !ours(ip));
    t.address(if v6 { "   IPv6 address = " } else { "   IPv4 address = " }, list.next());
    for (i, ip) in list.enumerate() {
        if i == 0 {
            let family = if v6 { "IPv6" } else { "IPv4" };
            t.put("   Additional ").put(family).put(" addresses :\n");
        }
        t.put(ENTRY).show(ip).end();
    }
}

fn hardware(t: &mut Text, key: &str, bytes: &[u8]) {
    t.put(key);
    octets(t, bytes);
    t.end();
}

/// A hardware address.
pub(super) fn octets(t: &mut Text, bytes: &[u8]) {
    for (i, byte) in bytes.iter().enumerate() {
        let out = t.raw();
        if i > 0 {
            out.push(':');
        }
        out.extend(
            [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)])),
        );
    }
}

fn is_vmac_of_ipv4(s: &Snapshot<'_>, name: &str) -> bool {
    let vmacs = || s.router.instances().iter().flat_map(|inst| inst.settings.vmacs());
    s.made.contains(name)
        && vmacs().any(|v| v.name == name && v.family == Family::V4 && !v.is_ipvlan())
}

/// What a macvlan or ipvlan is, and stands on.
fn upon(t: &mut Text, s: &Snapshot<'_>, name: &str, link: &Link) {
    let parent = link.parent.and_then(|index| s.kernel.link_at(index));
    let (Some(sublink), Some(parent)) = (link.sublink, parent) else { return };
    t.put(match sublink {
        Sublink::Macvlan(_) => "   VMAC type ",
        Sublink::Ipvlan { .. } => "   IPVLAN type ",
    });
    t.put(sublink.mode()).put(", underlying interface = ").put(&parent.name).put(", state = ");
    let has = |flag: libc::c_int| parent.flags & flag.unsigned_abs() != 0;
    t.put(if has(libc::IFF_UP) { "UP" } else { "not UP" });
    t.put(if has(libc::IFF_RUNNING) { ", RUNNING\n" } else { ", not RUNNING\n" });
    if s.made.contains(name) {
        t.put("   I/f created by keepalived\n");
    }
}

fn state(t: &mut Text, s: &Snapshot<'_>, name: &str, link: &Link) {
    let has = |flag: libc::c_int| link.flags & flag.unsigned_abs() != 0;
    t.put(if has(libc::IFF_UP) { "   State = UP" } else { "   State = not UP" });
    t.put(if has(libc::IFF_RUNNING) { ", RUNNING" } else { ", not RUNNING" });
    for (_, _, words) in FLAGS.iter().filter(|(flag, set, _)| has(*flag) == *set) {
        t.put(words);
    }
    let parent = link.sublink.and(link.parent).and_then(|index| s.kernel.link_at(index));
    if parent.is_some_and(|parent| !parent.is_up()) {
        t.put(", master down");
    }
    t.end();
    let debounce = s.debounces.get(name).copied().unwrap_or_default();
    t.number("   Seen up = ", u8::from(debounce.seen_up || link.is_up()));
    t.boolean("   Delayed state change running = ", debounce.running);
    for (key, delay) in [("Up", debounce.up), ("Down", debounce.down)] {
        t.put("   ").put(key).put(" debounce timer = ");
        t.int(signed(delay.as_micros())).put("us\n");
    }
}

/// How far apart gratuitous ARPs and neighbour adverts leave.
fn spacing(t: &mut Text, group: &GarpView<'_>) {
    for (kind, interval) in [("ARP", group.arp), ("NA", group.na)] {
        if !interval.is_zero() {
            t.put("   Gratuitous ").put(kind).put(" interval ");
            t.int(signed(interval.as_millis())).put("ms\n");
        }
    }
}
