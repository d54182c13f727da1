//! Address entries: `virtual_ipaddress`, `virtual_ipaddress_excluded`, `static_ipaddress`.

use std::net::IpAddr;

use config::{Class, Context, Line, Word, address, number};

use super::builder::{Builder, Lookup};
use super::instance::{broadcast, family_of};
use super::names::NameTable;
use super::{AddressSettings, Family};

/// Which block an entry stands in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Virtual,
    Excluded,
    Static,
}

/// Makes `list` of the right size at once where, as nearly always, one block is all that fills it.
fn make_room(list: &mut Vec<AddressSettings>, line: &Line) {
    if list.is_empty() {
        list.reserve_exact(line.entries().len());
    }
}

pub(super) fn set_virtual(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    make_room(&mut b.draft.addresses, line);
    for words in line.entries() {
        if let Some(entry) = entry(b, words, Kind::Virtual, ctx)
            && is_new(b, &entry, words, Kind::Virtual, ctx)
        {
            b.draft.addresses.push(entry);
        }
    }
}

pub(super) fn set_excluded(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    make_room(&mut b.draft.excluded, line);
    for words in line.entries() {
        if let Some(entry) = entry(b, words, Kind::Excluded, ctx)
            && is_new(b, &entry, words, Kind::Excluded, ctx)
        {
            b.draft.excluded.push(entry);
        }
    }
}

pub(super) fn set_static(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.contains_vrrp = true;
    for words in line.entries() {
        if let Some(mut entry) = entry(b, words, Kind::Static, ctx)
            && default_interface(b, &mut entry, words, ctx)
        {
            b.static_addresses.push(entry);
        }
    }
}

/// The words of an entry that are still to be read, and the address they belong to.
struct Entry<'a> {
    words: std::slice::Iter<'a, Word>,
    text: &'a str,
    settings: AddressSettings,
    /// A length other than the host's was written.
    network: bool,
    device: bool,
}

/// One entry, `None` when it is dropped.
fn entry(
    b: &mut Builder,
    words: &[Word],
    kind: Kind,
    ctx: &mut Context<'_>,
) -> Option<AddressSettings> {
    let (first, rest) = words.split_first()?;
    let mut settings = destination(first, ctx)?;
    let family = family_of(&settings.ip);
    if kind == Kind::Virtual && !b.agree_on_family(family) {
        let text = format!(
            "({}): address family must match VRRP instance [{}] - ignoring",
            b.draft.name, first.text
        );
        ctx.report(Class::General, first.span, text);
        return None;
    }
    settings.dad = false;
    let host = if family == Family::V6 { 128 } else { 32 };
    let network = settings.prefix != host;
    let text = first.text.split('/').next().unwrap_or("");
    let mut entry = Entry { words: rest.iter(), text, settings, network, device: false };
    let mut lifetime = None;
    while let Some(word) = entry.words.next() {
        match word.text.as_str() {
            "home" => entry.settings.home = true,
            "-nodad" => entry.settings.dad = true,
            "mngtmpaddr" => entry.settings.mngtmpaddr = true,
            "noprefixroute" => entry.settings.noprefixroute = true,
            "autojoin" => entry.settings.autojoin = true,
            "no_track" => entry.settings.no_track = true,
            "use_vmac" if kind != Kind::Static => entry.settings.use_vmac = true,
            "track_group" if kind == Kind::Static => {
                if !track_group(b, word, &mut entry, ctx)? {
                    break;
                }
            }
            "preferred_lft" => {
                let value = parameter(word, &mut entry, ctx)?;
                lifetime = preferred_lifetime(value, ctx).or(lifetime);
            }
            "dev" | "scope" | "brd" | "broadcast" | "label" | "peer" => {
                with_parameter(b, word, &mut entry, ctx)?;
            }
            other => {
                let message =
                    format!("Unknown configuration entry '{other}' for ip address - ignoring");
                let near = config::suggest(other, OPTIONS).map(config::did_you_mean);
                ctx.report_with_help(Class::General, word.span, message, near);
            }
        }
    }
    Some(complete(entry, lifetime, first, ctx))
}

const OPTIONS: [&str; 14] = [
    "dev",
    "scope",
    "brd",
    "broadcast",
    "label",
    "peer",
    "home",
    "-nodad",
    "mngtmpaddr",
    "noprefixroute",
    "autojoin",
    "no_track",
    "preferred_lft",
    "track_group",
];

/// `ADDRESS[/LENGTH]`, everything else at its default.
fn destination(word: &Word, ctx: &mut Context<'_>) -> Option<AddressSettings> {
    let (text, length) = match word.text.split_once('/') {
        Some((text, length)) => (text, Some(length)),
        None => (word.text.as_str(), None),
    };
    let Some(ip) = address::parse(text) else {
        let message = format!("VRRP parsed invalid IP {}. skipping IP...", word.text);
        ctx.report(Class::General, word.span, message);
        return None;
    };
    let host: u8 = if ip.is_ipv6() { 128 } else { 32 };
    let mut prefix = host;
    if let Some(length) = length {
        let digits = !length.is_empty() && length.bytes().all(|b| b.is_ascii_digit());
        match length.parse::<u8>() {
            Ok(length) if digits && length <= host => prefix = length,
            _ => {
                let message = format!(
                    "Invalid address prefix len {length} for address {} - using {host}",
                    word.text
                );
                ctx.report(Class::General, word.span, message);
            }
        }
    }
    // The interface is settled when all options are read.
    Some(AddressSettings::new(ip, prefix, ""))
}

/// The argument of an option; its absence drops the entry.
fn parameter<'a>(word: &Word, entry: &mut Entry<'a>, ctx: &mut Context<'_>) -> Option<&'a Word> {
    let value = entry.words.next();
    if value.is_none() {
        let message = format!("No {} parameter specified for {}", word.text, entry.text);
        ctx.report(Class::General, word.span, message);
    }
    value
}

/// The options that take a parameter; `None` drops the entry.
fn with_parameter(
    b: &mut Builder,
    word: &Word,
    entry: &mut Entry<'_>,
    ctx: &mut Context<'_>,
) -> Option<()> {
    let value = parameter(word, entry, ctx)?;
    match word.text.as_str() {
        "dev" => device(b, value, entry, ctx),
        "scope" => {
            scope(b, value, entry, ctx);
            Some(())
        }
        "label" => label(value, entry, ctx),
        "peer" => {
            peer(value, entry, ctx);
            Some(())
        }
        _ => broadcast_address(value, entry, ctx),
    }
}

fn device(
    b: &mut Builder,
    value: &Word,
    entry: &mut Entry<'_>,
    ctx: &mut Context<'_>,
) -> Option<()> {
    if entry.device {
        let message = format!("Cannot specify ipaddress device more than once for {}", entry.text);
        ctx.report(Class::General, value.span, message);
        return None;
    }
    entry.device = true;
    let what = |_: &Builder| format!("ip address {}", entry.text);
    if matches!(b.interface(value, what, ctx), Lookup::Missing) {
        return None;
    }
    entry.settings.interface = value.text.clone();
    Some(())
}

fn scope(b: &mut Builder, value: &Word, entry: &mut Entry<'_>, ctx: &mut Context<'_>) {
    let message = if entry.settings.ip.is_ipv6() {
        format!("Cannot specify scope for IPv6 addresses ({}) - ignoring scope", entry.text)
    } else if let Some(scope) = b.name(NameTable::Scopes, &value.text, 255) {
        entry.settings.scope = u8::try_from(scope).unwrap_or(0);
        return;
    } else {
        format!("Invalid scope '{}' specified for {} - ignoring", value.text, entry.text)
    };
    ctx.report(Class::General, value.span, message);
}

fn label(value: &Word, entry: &mut Entry<'_>, ctx: &mut Context<'_>) -> Option<()> {
    let text = &value.text;
    if entry.settings.ip.is_ipv6() {
        let message =
            format!("Cannot specify label for IPv6 addresses ({}) - ignoring label", entry.text);
        ctx.report(Class::General, value.span, message);
    } else if text.len() > 15 {
        let message =
            format!("Address label {text} is longer than maximum length 15 - removing address");
        ctx.report(Class::General, value.span, message);
        return None;
    } else {
        entry.settings.label = Some(text.clone());
    }
    Some(())
}

fn peer(value: &Word, entry: &mut Entry<'_>, ctx: &mut Context<'_>) {
    let text = &value.text;
    let problem = match address::parse(text) {
        None => format!("Invalid peer address {text}"),
        Some(ip) if ip.is_ipv6() != entry.settings.ip.is_ipv6() => {
            format!("Peer address {text} must be of the family of {} - ignoring", entry.text)
        }
        Some(_) if entry.settings.peer.is_some() => {
            format!("Peer address already specified for {} - ignoring {text}", entry.text)
        }
        Some(ip) => {
            entry.settings.peer = Some(ip);
            return;
        }
    };
    ctx.report(Class::General, value.span, problem);
}

fn broadcast_address(value: &Word, entry: &mut Entry<'_>, ctx: &mut Context<'_>) -> Option<()> {
    let IpAddr::V4(ip) = entry.settings.ip else {
        let message = format!(
            "{} is an IPv6 address, which has no broadcast address. skipping VIP...",
            entry.text
        );
        ctx.report(Class::General, value.span, message);
        return None;
    };
    let prefix = entry.settings.prefix;
    match value.text.as_str() {
        "+" | "-" if prefix > 30 => {
            let message = format!("Address prefix length {prefix} too long for broadcast");
            ctx.report(Class::General, value.span, message);
        }
        "+" => entry.settings.broadcast = Some(broadcast(ip, prefix, true)),
        "-" => entry.settings.broadcast = Some(broadcast(ip, prefix, false)),
        text => match address::parse(text) {
            Some(IpAddr::V4(ip)) => entry.settings.broadcast = Some(ip),
            _ => {
                let message =
                    format!("VRRP is trying to assign invalid broadcast {text}. skipping VIP...");
                ctx.report(Class::General, value.span, message);
                return None;
            }
        },
    }
    Some(())
}

/// `preferred_lft`: `Some(None)` is forever.
fn preferred_lifetime(value: &Word, ctx: &mut Context<'_>) -> Option<Option<u32>> {
    if value.text == "forever" {
        return Some(None);
    }
    let seconds = number::int(value, 0, i64::from(u32::MAX), true, ctx, "preferred_lft");
    if seconds.is_none() {
        let message = format!("preferred_lft {} is invalid", value.text);
        ctx.report(Class::General, value.span, message);
    }
    // The kernel's largest value means forever.
    seconds.map(|s| u32::try_from(s).ok().filter(|s| *s != u32::MAX))
}

/// `track_group` of a static address: `Some(false)` ignores the rest of the line.
fn track_group(
    b: &mut Builder,
    word: &Word,
    entry: &mut Entry<'_>,
    ctx: &mut Context<'_>,
) -> Option<bool> {
    let value = parameter(word, entry, ctx)?;
    if entry.settings.track_group.is_some() {
        let message = format!("track_group already specified for {}", entry.text);
        ctx.report(Class::General, word.span, message);
        return Some(false);
    }
    if b.known_track_group(value, ctx) {
        entry.settings.track_group = Some(value.text.clone());
    }
    Some(true)
}

/// What the options make of each other.
fn complete(
    entry: Entry<'_>,
    lifetime: Option<Option<u32>>,
    first: &Word,
    ctx: &mut Context<'_>,
) -> AddressSettings {
    let Entry { mut settings, network, .. } = entry;
    let host = if settings.ip.is_ipv6() { 128 } else { 32 };
    if settings.peer.is_some() {
        if network {
            let message = "Cannot specify address prefix when specifying peer address - ignoring";
            ctx.report(Class::General, first.span, message);
        }
        settings.prefix = host;
        if settings.broadcast.take().is_some() {
            let message =
                "Cannot specify broadcast and peer addresses - ignoring broadcast address";
            ctx.report(Class::General, first.span, message);
        }
    }
    settings.preferred_lft = match lifetime {
        _ if settings.ip.is_ipv4() => None,
        Some(lifetime) => lifetime,
        // A virtual address of full length is there to be reached, not to send from.
        None if settings.prefix == 128 => Some(0),
        None => None,
    };
    settings
}

fn is_new(
    b: &mut Builder,
    entry: &AddressSettings,
    words: &[Word],
    kind: Kind,
    ctx: &mut Context<'_>,
) -> bool {
    let interface = match &b.draft.interface {
        Some(own) if *own == entry.interface => String::new(),
        _ => entry.interface.clone(),
    };
    let is_virtual = kind == Kind::Virtual;
    let earlier = b.seen.insert((entry.ip, interface), is_virtual);
    let (Some(earlier), Some(first)) = (earlier, words.first()) else { return true };
    let text = format!(
        "({}): {} duplicates {} VIP {} - ignoring",
        b.draft.name,
        if is_virtual { "VIP" } else { "Excluded VIP" },
        if earlier { "a" } else { "an excluded" },
        first.text
    );
    ctx.report(Class::General, first.span, text);
    false
}

/// Gives a static address its interface; false drops it.
fn default_interface(
    b: &mut Builder,
    entry: &mut AddressSettings,
    words: &[Word],
    ctx: &mut Context<'_>,
) -> bool {
    if !entry.interface.is_empty() {
        return true;
    }
    let name = b.globals.settings.default_interface.clone();
    if b.host.interface(&name).is_none() && !b.globals.settings.dynamic_interfaces {
        let Some(first) = words.first() else { return false };
        let message = format!(
            "Static address {} requires either an interface or default interface must exist",
            first.text
        );
        ctx.report(Class::Fatal, first.span, message);
        b.missing_interface = true;
        return false;
    }
    entry.interface = name;
    true
}
