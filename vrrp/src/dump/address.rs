//! Addresses, as `ip address` takes them.

use std::fmt::Write;
use std::net::IpAddr;

use super::snapshot::Snapshot;
use super::text::{Text, number};
use crate::config::{AddressSettings, InstanceSettings};
use crate::instance::Instance;
use crate::state::State;

/// Indent of an entry in a list.
pub(super) const ENTRY: &str = "     ";

/// `static_ipaddress`.
pub(super) fn statics(t: &mut Text, s: &Snapshot<'_>) {
    if s.statics.is_empty() {
        return;
    }
    t.title("Static Addresses");
    for a in s.statics {
        t.put(ENTRY);
        address(t.raw(), a, None, if is_present(s, a) { SET } else { "" });
        t.end();
    }
}

fn is_present(s: &Snapshot<'_>, a: &AddressSettings) -> bool {
    let index = s.kernel.index(&a.interface);
    index
        .is_some_and(|i| s.kernel.addresses(i).iter().any(|k| k.ip == a.ip && k.prefix == a.prefix))
}

/// What is said of an address that is there.
const SET: &str = " set";

/// What is said of an instance's addresses: that this machine holds them, and drops what comes to them.
pub(super) fn held(inst: &Instance) -> &'static str {
    match (inst.state(), inst.settings.accept) {
        (State::Master, true) => SET,
        (State::Master, false) => " set nftable_set",
        _ => "",
    }
}

/// A list of an instance's addresses, each with the same last words.
pub(super) fn list(
    t: &mut Text,
    instance: &InstanceSettings,
    addresses: &[AddressSettings],
    held: &str,
) {
    for a in addresses {
        t.put(ENTRY);
        address(t.raw(), a, instance.parent_of(&a.interface), held);
        t.end();
    }
}

/// One address, and what is said of it last. `parent` is the interface below, if its own is a VMAC.
pub(super) fn address(out: &mut String, a: &AddressSettings, parent: Option<&str>, held: &str) {
    ip(out, a.ip);
    if a.peer.is_none() {
        length(out, a.ip, a.prefix);
    }
    if let Some(broadcast) = a.broadcast {
        out.push_str(" brd ");
        ip(out, broadcast.into());
    }
    out.push_str(" dev ");
    out.push_str(&a.interface);
    if let Some(parent) = parent {
        out.push('@');
        out.push_str(parent);
    }
    if a.use_vmac {
        out.push_str(" use_vmac");
    }
    out.push_str(" scope ");
    scope(out, a.scope);
    if let Some(label) = &a.label {
        out.push_str(" label ");
        out.push_str(label);
    }
    if let Some(peer) = a.peer {
        out.push_str(" peer ");
        ip(out, peer);
        out.push('/');
        number(out, a.prefix.into());
    }
    let flags = [
        (a.home, " home"),
        (a.dad, " -nodad"),
        (a.mngtmpaddr, " mngtmpaddr"),
        (a.noprefixroute, " noprefixroute"),
        (a.autojoin, " autojoin"),
        (a.no_track, " no_track"),
    ];
    for (_, word) in flags.iter().filter(|(on, _)| *on) {
        out.push_str(word);
    }
    if let Some(group) = &a.track_group {
        out.push_str(" track_group ");
        out.push_str(group);
    }
    if a.ip.is_ipv6() {
        lifetime(out, a.preferred_lft);
    }
    out.push_str(held);
}

/// An address with its length, unless that is a host's own.
pub(super) fn network(out: &mut String, address: IpAddr, prefix: u8) {
    ip(out, address);
    length(out, address, prefix);
}

fn ip(out: &mut String, ip: IpAddr) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{ip}");
}

/// A host's own length goes without saying.
fn length(out: &mut String, ip: IpAddr, prefix: u8) {
    let host = if ip.is_ipv6() { 128 } else { 32 };
    if prefix != host {
        out.push('/');
        number(out, prefix.into());
    }
}

fn lifetime(out: &mut String, preferred: Option<u32>) {
    match preferred {
        Some(0) => out.push_str(" deprecated"),
        Some(seconds) => {
            out.push_str(" preferred_lft ");
            number(out, seconds.into());
        }
        None => out.push_str(" preferred_lft forever"),
    }
}

/// The kernel's scopes by the names everybody knows.
fn scope(out: &mut String, scope: u8) {
    match scope {
        0 => out.push_str("global"),
        200 => out.push_str("site"),
        253 => out.push_str("link"),
        254 => out.push_str("host"),
        255 => out.push_str("nowhere"),
        other => number(out, other.into()),
    }
}
