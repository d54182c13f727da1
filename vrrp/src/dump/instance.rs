//! One virtual router.

use std::time::Duration;

use scheduler::Time;

use super::address::{ENTRY, held, list, network};
use super::interface;
use super::path;
use super::scripts::transitions;
use super::snapshot::{PortView, Snapshot};
use super::text::{Text, general, signed};
use crate::config::{
    AntiReplay, Authentication, Family, GarpSettings, HmacSettings, InstanceSettings, Track,
    UnicastChecksum, Version,
};
use crate::instance::Instance;
use crate::state::{Faults, State};

/// All of them, in file order.
pub(super) fn topology(t: &mut Text, s: &Snapshot<'_>) {
    if s.router.instances().is_empty() {
        return;
    }
    t.title("VRRP Topology");
    for (i, inst) in s.router.instances().iter().enumerate() {
        instance(t, s, inst, s.ports.get(i).copied().unwrap_or_default());
    }
}

fn instance(t: &mut Text, s: &Snapshot<'_>, inst: &Instance, port: PortView) {
    let c = &*inst.settings;
    t.word(" VRRP Instance = ", &c.name);
    t.number("   VRRP Version = ", c.version.number());
    if let Some(group) = inst.group().and_then(|g| s.router.groups().get(g)) {
        t.word("   Sync group = ", &group.settings.name);
    }
    if c.family == Family::V6 {
        t.put("   Using Native IPv6\n");
    }
    state(t, inst);
    faults(t, inst, port);
    timers(t, inst);
    place(t, s, inst);
    garp(t, &c.garp);
    election(t, inst);
    authentication(t, c);
    if let Some(hmac) = &c.hmac {
        extension(t, hmac);
    }
    if c.kernel_rx_buf_size > 0 {
        t.number("   Kernel rx buffer size = ", c.kernel_rx_buf_size);
    }
    if c.debug > 0 {
        t.number("   Debug level = ", c.debug);
    }
    addresses(t, inst);
    if !c.peers.is_empty() {
        peers(t, c, port);
    }
    match port.descriptors {
        Some((receive, send)) => {
            t.put("   fd_in ").int(receive).put(", fd_out ").int(send).end();
        }
        None => t.put("   No sockets allocated").end(),
    }
    for (title, routes) in [("   Virtual Routes :\n", true), ("   Virtual Rules :\n", false)] {
        if path::of_kind(&c.paths, routes).next().is_some() {
            t.put(title);
            path::list(t, &c.paths, routes);
        }
    }
    let lists = [
        ("   Tracked interfaces :\n", " weight ", &c.track_interfaces),
        ("   Tracked scripts :\n", " weight ", &c.track_scripts),
        ("   Tracked files :\n", ", weight ", &c.track_files),
        ("   Tracked processes :\n", ", weight ", &c.track_processes),
        ("   Tracked BFDs :\n", ": weight ", &c.track_bfds),
    ];
    for (title, between, tracks) in lists {
        tracked(t, title, between, tracks);
    }
    t.yes_no("   Using smtp notification = ", c.notify.smtp_alert);
    t.word("   Notify deleted = ", if c.notify.report_deleted { "Deleted" } else { "Fault" });
    transitions(t, &c.notify);
    t.boolean("   Notify priority changes = ", c.notify.priority_changes);
}

fn state(t: &mut Text, inst: &Instance) {
    let c = &*inst.settings;
    t.word("   State = ", inst.state().word());
    if inst.state() == State::Backup {
        t.address("   Master router = ", inst.master);
        t.number("   Master priority = ", inst.master_priority);
        if c.version == Version::V3 {
            t.put("   Master advert interval = ").int(millis(inst.master_interval));
            t.put(" milli-sec\n");
        }
    }
    if inst.state() == State::Master && inst.is_owner() {
        t.number("   Rogue master counter = ", u8::from(inst.rogue.is_some()));
    }
    if c.peers.is_empty() {
        t.put("   Flags: none\n");
    } else {
        t.put("   Flags:\n     Using unicast\n");
    }
}

fn faults(t: &mut Text, inst: &Instance, port: PortView) {
    if port.complained != 0 {
        t.put("   Rate-limit flags = ").show(format_args!("{:#x}", port.complained)).end();
    }
    t.word("   Wantstate = ", wanted(inst).word());
    t.number("   Number of config faults = ", u8::from(inst.settings.config_fault.is_some()));
    t.number("   Number of tracker faults = ", inst.tracker_faults());
    if inst.faults().is_empty() {
        t.put("   Flags of interface faults - (none)\n");
    } else {
        t.put("   Flags of interface faults:\n");
        let names = [
            (Faults::SOCKET, "unspecified"),
            (Faults::LINK, "i/f down"),
            (Faults::BASE_LINK, "base i/f down"),
            (Faults::NO_SOURCE, "no source IP address"),
            (Faults::CONFIG, "config error"),
        ];
        for (fault, name) in names {
            // Without an interface there is no socket either.
            let follows = fault == Faults::SOCKET && inst.faults().contains(Faults::LINK);
            if inst.faults().contains(fault) && !follows {
                t.word(ENTRY, name);
            }
        }
    }
    t.number("   Number of track scripts init = ", inst.scripts_in_init());
}

/// The wanted state as those who look know it: nothing but FAULT while in FAULT.
pub(super) fn wanted(inst: &Instance) -> State {
    if inst.state() == State::Fault { State::Fault } else { inst.wanted() }
}

fn timers(t: &mut Text, inst: &Instance) {
    t.time("   Last transition = ", inst.last_transition);
    match inst.deadline() {
        Time::NEVER => t.put("   Read timeout = DISABLED").end(),
        deadline => t.time("   Read timeout = ", deadline),
    }
    t.put("   Master down timer = ").int(signed(inst.master_down_interval().as_micros()));
    t.put(" usecs\n");
}

fn place(t: &mut Text, s: &Snapshot<'_>, inst: &Instance) {
    let c = &*inst.settings;
    virtual_mac(t, s, c);
    t.put("   Interface = ").put(c.own_interface().unwrap_or("not configured"));
    if let (Some(_), Some(parent)) = (&c.vmac, &c.interface) {
        let ipvlan = c.vmac.as_ref().is_some_and(|vmac| vmac.is_ipvlan());
        t.put(if ipvlan { ", ipvlan on " } else { ", vmac on " }).put(parent);
        t.put(if c.vmac_xmit_base { ", xmit base i/f" } else { "" });
    }
    t.end();
    if let Some(vrf) = c.bound_to().and_then(|name| vrf(s, name)) {
        t.word("   VRF = ", vrf);
    }
    let flags = [
        (c.dont_track_primary, "   VRRP interface tracking disabled\n"),
        (c.skip_check_adv_addr, "   Skip checking advert IP addresses\n"),
        (c.no_addresses, "   Suppress no VIPs warning\n"),
        (c.strict, "   Enforcing strict VRRP compliance\n"),
    ];
    for (_, line) in flags.iter().filter(|(on, _)| *on) {
        t.put(line);
    }
    t.put("   Using src_ip = ");
    match inst.source {
        Some(ip) => t.show(ip),
        None => t.put("(none)"),
    };
    t.put(if c.source.is_some() { " (from configuration)\n" } else { "\n" });
    if c.peers.is_empty() {
        t.put("   Multicast address ").show(c.group_address);
        let index = c.bound_to().and_then(|name| s.kernel.index(name));
        if c.family == Family::V6 {
            t.put(", ifindex ").int(index.unwrap_or(0));
        }
        t.end();
    }
}

/// Its VMAC.
fn virtual_mac(t: &mut Text, s: &Snapshot<'_>, c: &InstanceSettings) {
    if let Some(vmac) = c.vmac.as_ref().filter(|vmac| vmac.is_ipvlan()) {
        t.put("   Use IPVLAN, i/f ").put(&vmac.name).put(", is_up = ");
        t.put(if s.made.contains(vmac.name.as_str()) { "true" } else { "false" });
        if let Some((ip, prefix)) = vmac.address {
            t.put(", i/f address = ");
            network(t.raw(), ip, prefix);
        }
        let mode = vmac.sublink.mode();
        t.put(", type ").put(mode.strip_prefix("L2 ").unwrap_or(mode)).end();
    }
    if let Some(vmac) = c.vmac.as_ref().filter(|vmac| !vmac.is_ipvlan()) {
        t.put("   Use VMAC, i/f name ").put(&vmac.name).put(", is_up = ");
        t.put(if s.made.contains(vmac.name.as_str()) { "true" } else { "false" });
        t.boolean(", xmit_base = ", c.vmac_xmit_base);
        if let Some(with_vrid) = vmac.configured {
            t.put("     MAC = ");
            interface::octets(t, &vmac.mac.unwrap_or_default());
            t.put(if with_vrid { " (using VRID)" } else { "" }).end();
        }
        if vmac.notify_parent {
            t.put("     Force netlink update for base interface\n");
        }
    }
    if c.use_vmac_addr {
        t.put("     Use VMAC for VIPs on other interfaces\n");
    }
    if let Some(vmac) = &c.vmac {
        let copied = s.kernel.link(&vmac.parent).map_or(0, |parent| parent.group);
        match vmac.group {
            Some(group) => t.number("     Interface group ", group),
            None if copied != 0 => {
                t.put("     Interface group ").int(copied).put(" (copied from parent)\n");
            }
            None => {}
        }
    }
}

/// The VRF an interface belongs to, or is.
pub(super) fn vrf<'a>(s: &Snapshot<'a>, interface: &str) -> Option<&'a str> {
    let link = s.kernel.link(interface)?;
    let master = link.master.and_then(|index| s.kernel.link_at(index));
    let links = [Some(link), master];
    let found = links.into_iter().flatten().find(|link| link.kind.as_deref() == Some("vrf"))?;
    Some(&found.name)
}

fn garp(t: &mut Text, g: &GarpSettings) {
    t.number("   Gratuitous ARP delay = ", signed(g.delay.as_secs()));
    t.number("   Gratuitous ARP repeat = ", g.repeat);
    t.number("   Gratuitous ARP refresh = ", signed(g.refresh.as_secs()));
    t.number("   Gratuitous ARP refresh repeat = ", g.refresh_repeat);
    t.number("   Gratuitous ARP lower priority delay = ", signed(g.lower_prio_delay.as_secs()));
    t.number("   Gratuitous ARP lower priority repeat = ", g.lower_prio_repeat);
}

fn election(t: &mut Text, inst: &Instance) {
    let c = &*inst.settings;
    t.number("   Down timer adverts = ", c.down_timer_adverts);
    if !c.garp.extra.is_zero() {
        let kind = if c.garp.extra_all { "i/f" } else { "VMAC" };
        t.put("   Gratuitous ARP for each secondary ").put(kind).put(" = ");
        t.int(signed(c.garp.extra.as_secs())).end();
    }
    t.boolean("   Send advert after receive lower priority advert = ", !c.lower_prio_no_advert);
    t.boolean("   Send advert after receive higher priority advert = ", c.higher_prio_send_advert);
    if inst.is_owner() {
        t.boolean("   Address owner ignores received adverts = ", c.owner_ignore_adverts);
    }
    t.number("   Virtual Router ID = ", c.vrid);
    t.number("   Priority = ", c.priority);
    t.number("   Effective priority = ", inst.effective_priority());
    t.number("   Total priority = ", inst.total_priority());
    if let Some(other) = c.timer_expired_backup {
        t.number("   Highest other priority = ", other);
    }
    t.put("   Advert interval = ");
    match c.version {
        Version::V2 => t.int(signed(c.advert_interval.as_secs())).put(" sec\n"),
        Version::V3 => t.int(millis(c.advert_interval)).put(" milli-sec\n"),
    };
    t.put("   Last advert sent = ").stamp(inst.last_advert).end();
    t.enabled("   Accept = ", c.accept);
    t.enabled("   Preempt = ", !c.nopreempt);
    if !c.preempt_delay.is_zero() {
        t.put("   Preempt delay = ");
        general(t.raw(), c.preempt_delay);
        t.put(" secs\n");
    }
    t.enabled("   Promote_secondaries = ", c.promote_secondaries);
}

fn extension(t: &mut Text, hmac: &HmacSettings) {
    t.put("   Authentication extension = HMAC-SHA256-128").end();
    t.put("     Keys = ").show(hmac.keys.len()).put(", active key id = ").int(hmac.active).end();
    t.put("     Mode = ").put(hmac.mode.name()).end();
    t.put("     Anti replay = ");
    match hmac.anti_replay {
        AntiReplay::Time { window } => t.put("time, window = ").int(window).put(" sec"),
        AntiReplay::Monotonic => t.put("monotonic"),
    };
    t.end();
}

fn authentication(t: &mut Text, c: &InstanceSettings) {
    match (c.version, c.authentication) {
        (Version::V2, Authentication::None) => t.put("   Authentication type = none").end(),
        (Version::V2, Authentication::Ah(_)) => t.put("   Authentication type = IPSEC_AH").end(),
        (Version::V2, Authentication::Password(_)) => {
            t.put("   Authentication type = SIMPLE_PASSWORD\n   Password = ********\n");
        }
        (Version::V3, _) if c.family == Family::V4 => {
            t.enabled("   VRRPv3 uses VRRPv2 checksum = ", c.v3_checksum_as_v2);
        }
        (Version::V3, _) => {}
    }
}

fn addresses(t: &mut Text, inst: &Instance) {
    let c = &*inst.settings;
    if !c.addresses.is_empty() {
        t.put("   Virtual IP (").int(signed(c.addresses.len())).put("):\n");
        list(t, c, &c.addresses, held(inst));
    }
    if !c.excluded.is_empty() {
        t.put("   Virtual IP Excluded :\n");
        list(t, c, &c.excluded, held(inst));
    }
}

fn peers(t: &mut Text, c: &InstanceSettings, port: PortView) {
    t.number("   Unicast TTL = ", c.unicast_ttl.unwrap_or(255));
    t.yes_no("   Check unicast src : ", c.check_unicast_source);
    t.put("   Unicast Peer :\n");
    for peer in &c.peers {
        t.put(ENTRY).show(peer.address).put(" min_ttl ").int(peer.min_ttl);
        t.put(" max_ttl ").int(peer.max_ttl).end();
    }
    let form = match c.unicast_checksum {
        UnicastChecksum::Old => "config",
        UnicastChecksum::Never => "never",
        UnicastChecksum::Auto if port.old_checksum => "auto",
        UnicastChecksum::Auto => "no",
    };
    t.word("   Unicast checksum compatibility = ", form);
}

/// A list of what is tracked, with its title; nothing without entries.
pub(super) fn tracked(t: &mut Text, title: &str, between: &str, tracks: &[Track]) {
    if tracks.is_empty() {
        return;
    }
    t.put(title);
    for track in tracks {
        t.put(ENTRY).put(&track.name).put(between);
        weight(t, track.weight, track.reverse);
        t.end();
    }
}

/// A weight as it is configured.
pub(super) fn weight(t: &mut Text, weight: i32, reverse: bool) {
    t.int(weight).put(if reverse { " reverse" } else { "" });
}

fn millis(interval: Duration) -> i64 {
    signed(interval.as_millis())
}
