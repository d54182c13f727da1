//! `virtual_server_group`: addresses, ranges of addresses, and firewall marks.

use std::net::IpAddr;

use config::{Class, Context, Line, Word, address, number};

use super::{Family, optional_port};
use crate::Draft;

/// What one line of a group stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// One or more addresses with one port; 0 is every port.
    Addresses { family: Family, port: u16 },
    /// A firewall mark.
    Mark { family: Option<Family> },
}

/// A group with at least one entry.
#[derive(Debug, Default)]
pub(crate) struct Group {
    pub(crate) entries: Vec<Entry>,
}

impl Group {
    fn has_family(&self, wanted: Family) -> bool {
        self.entries
            .iter()
            .any(|e| matches!(e, Entry::Addresses { family, .. } if *family == wanted))
    }

    /// Whether an entry is of another family than a virtual server's, as far as they have one.
    pub(crate) fn conflicts(&self, server: Option<Family>) -> bool {
        self.entries.iter().any(|entry| {
            let own = match entry {
                Entry::Addresses { family, .. } => Some(*family),
                Entry::Mark { family } => *family,
            };
            own.is_some_and(|own| server.is_some_and(|server| own != server))
        })
    }

    /// Whether a firewall mark is among the entries.
    pub(crate) fn has_marks(&self) -> bool {
        self.entries.iter().any(|e| matches!(e, Entry::Mark { .. }))
    }

    /// Whether an address is among the entries.
    pub(crate) fn has_addresses(&self) -> bool {
        self.entries.iter().any(|e| matches!(e, Entry::Addresses { .. }))
    }

    /// The ports of the address entries.
    pub(crate) fn ports(&self) -> impl Iterator<Item = u16> {
        self.entries.iter().filter_map(|e| match e {
            Entry::Addresses { port, .. } => Some(*port),
            Entry::Mark { .. } => None,
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
    let group = Group { entries: line.entries().iter().filter_map(|w| entry(w, ctx)).collect() };
    let unfamiliar_mark = group.entries.contains(&Entry::Mark { family: None });
    if group.entries.is_empty() {
        let message = format!("virtual_server_group {}: no entries; ignored", name.text);
        ctx.report(Class::General, line.span, message);
    } else if group.has_family(Family::Inet) && group.has_family(Family::Inet6) && unfamiliar_mark {
        let message = format!(
            "virtual_server_group {}: IPv4, IPv6 and a fwmark without family; ignored",
            name.text
        );
        ctx.report(Class::General, line.span, message);
    } else {
        // Of two groups with one name the first is found.
        draft.groups.entry(name.text.clone()).or_insert(group);
    }
}

fn entry(words: &[Word], ctx: &mut Context<'_>) -> Option<Entry> {
    let first = words.first()?;
    if first.text == "fwmark" {
        return mark(first, words, ctx);
    }
    let family = match addresses(&first.text) {
        Ok(family) => family,
        Err(problem) => {
            let message = format!("virtual_server_group: '{}' {problem}; ignored", first.text);
            ctx.report(Class::General, first.span, message);
            return None;
        }
    };
    let port = optional_port(words.get(1), ctx, "virtual_server_group")?;
    Some(Entry::Addresses { family, port })
}

fn mark(keyword: &Word, words: &[Word], ctx: &mut Context<'_>) -> Option<Entry> {
    let Some(mark) = words.get(1) else {
        ctx.report(Class::MissingParameter, keyword.span, "fwmark: argument missing");
        return None;
    };
    number::int(mark, 0, i64::from(u32::MAX), true, ctx, "fwmark")?;
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
    Some(Entry::Mark { family })
}

/// The family of an address, a range or a prefix, or what is wrong with it.
fn addresses(text: &str) -> Result<Family, &'static str> {
    const NOT_AN_ADDRESS: &str = "is not an address";
    if let Some((start, length)) = text.split_once('/') {
        let start = address::parse(start).ok_or(NOT_AN_ADDRESS)?;
        return prefix(start, length).map(|()| Family::of(start));
    }
    let Some((start, end)) = text.split_once('-') else {
        return address::parse(text).map(Family::of).ok_or(NOT_AN_ADDRESS);
    };
    let start = address::parse(start).ok_or(NOT_AN_ADDRESS)?;
    if end.contains(['.', ':']) {
        let end = address::parse(end).ok_or(NOT_AN_ADDRESS)?;
        if Family::of(start) != Family::of(end) {
            return Err("mixes address families");
        }
        return if end < start { Err("ends before it starts") } else { Ok(Family::of(start)) };
    }
    let (first, last, most) = match start {
        IpAddr::V4(ip) => (u32::from(ip.octets()[3]), end.parse().ok(), 255),
        IpAddr::V6(ip) => (u32::from(ip.segments()[7]), u32::from_str_radix(end, 16).ok(), 0xffff),
    };
    match last {
        Some(last) if last > most => Err("has an end that is too large"),
        Some(last) if last > first => Ok(Family::of(start)),
        Some(_) => Err("does not end behind its start"),
        None => Err("has an end that is not a number"),
    }
}

fn prefix(start: IpAddr, length: &str) -> Result<(), &'static str> {
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
    if bits & mask != 0 { Err("has bits set behind its prefix") } else { Ok(()) }
}
