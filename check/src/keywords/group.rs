//! `virtual_server_group`: addresses, ranges of addresses, and firewall marks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use config::{Class, Context, Line, Word, address, number};
use ipvs::Family;

use super::optional_port;
use crate::Draft;
use crate::settings::{Group, GroupEntry};

impl GroupEntry {
    /// The family, as far as the line tells.
    pub(crate) fn family(&self) -> Option<Family> {
        match self {
            GroupEntry::Addresses { first, .. } => Some(Family::of(*first)),
            GroupEntry::Mark { family, .. } => *family,
        }
    }
}

impl Group {
    fn has_addresses_of(&self, wanted: Family) -> bool {
        self.entries.iter().any(|entry| {
            matches!(entry, GroupEntry::Addresses { .. }) && entry.family() == Some(wanted)
        })
    }

    /// Whether an entry is of another family than a virtual server's, as far as they have one.
    pub(crate) fn conflicts(&self, server: Option<Family>) -> bool {
        server.is_some_and(|server| self.families().any(|own| own != server))
    }

    /// The families of the entries that have one.
    pub(crate) fn families(&self) -> impl Iterator<Item = Family> {
        self.entries.iter().filter_map(GroupEntry::family)
    }

    /// Whether a firewall mark is among the entries.
    pub(crate) fn has_marks(&self) -> bool {
        self.entries.iter().any(|e| matches!(e, GroupEntry::Mark { .. }))
    }

    /// Whether an address is among the entries.
    pub(crate) fn has_addresses(&self) -> bool {
        self.entries.iter().any(|e| matches!(e, GroupEntry::Addresses { .. }))
    }

    /// The ports of the address entries.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.entries.iter().filter_map(|e| match e {
            GroupEntry::Addresses { port, .. } => Some(*port),
            GroupEntry::Mark { .. } => None,
        })
    }
}

/// Handles the block.
pub(super) fn group(draft: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    let Some(name) = line.word(ctx) else { return };
    if let Some(extra) = line.words.get(1) {
        let message = format!("virtual_server_group: unexpected '{}'; ignored", extra.text);
        ctx.report(Class::General, extra.span, message);
    }
    let entries = line.entries().iter().filter_map(|w| entry(w, ctx)).collect();
    let group = Group { name: name.text.clone(), entries };
    let unfamiliar_mark = group.entries.iter().any(|entry| entry.family().is_none());
    let both = group.has_addresses_of(Family::Inet) && group.has_addresses_of(Family::Inet6);
    if group.entries.is_empty() {
        let message = format!("virtual_server_group {}: no entries; ignored", name.text);
        ctx.report(Class::General, line.span, message);
    } else if both && unfamiliar_mark {
        let message = format!(
            "virtual_server_group {}: IPv4, IPv6 and a fwmark without family; ignored",
            name.text
        );
        ctx.report(Class::General, line.span, message);
    } else {
        draft.groups.add(&name.text, group);
    }
}

fn entry(words: &[Word], ctx: &mut Context<'_>) -> Option<GroupEntry> {
    let first = words.first()?;
    if first.text == "fwmark" {
        return mark(first, words, ctx);
    }
    let (first, last) = match addresses(&first.text) {
        Ok(range) => range,
        Err(problem) => {
            let message = format!("virtual_server_group: '{}' {problem}; ignored", first.text);
            ctx.report(Class::General, first.span, message);
            return None;
        }
    };
    let port = optional_port(words.get(1), ctx, "virtual_server_group")?;
    Some(GroupEntry::Addresses { first, last, port })
}

fn mark(keyword: &Word, words: &[Word], ctx: &mut Context<'_>) -> Option<GroupEntry> {
    let Some(mark) = words.get(1) else {
        ctx.report(Class::MissingParameter, keyword.span, "fwmark: argument missing");
        return None;
    };
    let mark = number::int(mark, 0, i64::from(u32::MAX), true, ctx, "fwmark")?;
    let mark = u32::try_from(mark).ok()?;
    let family = match words.get(2).map(|word| word.text.as_str()) {
        None => None,
        Some("inet") => Some(Family::Inet),
        Some("inet6") => Some(Family::Inet6),
        Some(other) => {
            let message = format!("fwmark: '{other}' is neither inet nor inet6; ignored");
            ctx.report(Class::General, keyword.span, message);
            return None;
        }
    };
    Some(GroupEntry::Mark { mark, family })
}

/// First and last of an address, a range or a prefix, or what is wrong with it.
fn addresses(text: &str) -> Result<(IpAddr, IpAddr), &'static str> {
    const NOT_AN_ADDRESS: &str = "is not an address";
    if let Some((start, length)) = text.split_once('/') {
        let start = address::parse(start).ok_or(NOT_AN_ADDRESS)?;
        return prefix(start, length).map(|last| (start, last));
    }
    let Some((start, end)) = text.split_once('-') else {
        return address::parse(text).map(|ip| (ip, ip)).ok_or(NOT_AN_ADDRESS);
    };
    let start = address::parse(start).ok_or(NOT_AN_ADDRESS)?;
    if end.contains(['.', ':']) {
        let end = address::parse(end).ok_or(NOT_AN_ADDRESS)?;
        if Family::of(start) != Family::of(end) {
            return Err("mixes address families");
        }
        return if end < start { Err("ends before it starts") } else { Ok((start, end)) };
    }
    let (first, number, most) = match start {
        IpAddr::V4(ip) => (u32::from(ip.octets()[3]), end.parse().ok(), 255),
        IpAddr::V6(ip) => (u32::from(ip.segments()[7]), u32::from_str_radix(end, 16).ok(), 0xffff),
    };
    match number {
        Some(number) if number > most => Err("has an end that is too large"),
        Some(number) if number > first => Ok((start, with_low_bits(start, most, number))),
        Some(_) => Err("does not end behind its start"),
        None => Err("has an end that is not a number"),
    }
}

/// The address with the bits of `mask` replaced.
fn with_low_bits(ip: IpAddr, mask: u32, bits: u32) -> IpAddr {
    match ip {
        IpAddr::V4(ip) => Ipv4Addr::from(u32::from(ip) & !mask | bits).into(),
        IpAddr::V6(ip) => {
            Ipv6Addr::from(u128::from(ip) & !u128::from(mask) | u128::from(bits)).into()
        }
    }
}

/// The last address of a prefix.
fn prefix(start: IpAddr, length: &str) -> Result<IpAddr, &'static str> {
    let (bits, longest) = match start {
        IpAddr::V4(ip) => (u128::from(u32::from(ip)), 32),
        IpAddr::V6(ip) => (u128::from(ip), 128),
    };
    let length: u32 = length
        .parse()
        .ok()
        .filter(|length| (1..=longest).contains(length))
        .ok_or("has a prefix length out of range")?;
    let hosts = longest - length;
    let mask = 1u128.checked_shl(hosts).map_or(u128::MAX, |bit| bit - 1);
    if bits & mask != 0 {
        return Err("has bits set behind its prefix");
    }
    Ok(match start {
        IpAddr::V4(ip) => {
            let hosts = u32::MAX.checked_shr(length).unwrap_or(0);
            Ipv4Addr::from(u32::from(ip) | hosts).into()
        }
        IpAddr::V6(_) => Ipv6Addr::from(bits | mask).into(),
    })
}
