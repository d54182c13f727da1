//! Route entries: `virtual_routes` and `static_routes`, in the words of `ip route`.
//!
//! They are read and judged in full; nothing sets routes yet.

use std::net::IpAddr;

use config::{Class, Context, Line, Word};

use super::Family;
use super::builder::Builder;
use super::entry::{Dropped, Entry, Part};
use super::names::NameTable;

/// What an option takes.
#[derive(Clone, Copy)]
enum Takes {
    Nothing,
    Address,
    /// `[inet|inet6] ADDRESS`.
    Gateway,
    /// IPv6 only.
    SourcePrefix,
    Interface,
    Named(NameTable, u32),
    Number(i64),
    /// `[lock] NUMBER`.
    Lockable,
    /// `[lock] TIME`, without suffix in these parts of a millisecond.
    Time(f64),
    Realms,
    /// Words that are valid.
    OneOf(&'static [&'static str]),
    /// `[lock] WORD`.
    LockableWord,
    Preference,
    /// Seconds, IPv6 only.
    Expires,
    Vrf,
}

const U32: i64 = u32::MAX as i64;
const RTPROT_KEEPALIVED: u32 = 18;

const OPTIONS: [(&str, Takes); 45] = [
    ("src", Takes::Address),
    ("from", Takes::SourcePrefix),
    ("via", Takes::Gateway),
    ("gw", Takes::Gateway),
    ("or", Takes::Gateway),
    ("dev", Takes::Interface),
    ("oif", Takes::Interface),
    ("tos", Takes::Named(NameTable::DsField, 255)),
    ("dsfield", Takes::Named(NameTable::DsField, 255)),
    ("table", Takes::Named(NameTable::Tables, u32::MAX)),
    ("protocol", Takes::Named(NameTable::Protocols, 255)),
    ("scope", Takes::Named(NameTable::Scopes, 255)),
    ("metric", Takes::Number(U32)),
    ("priority", Takes::Number(U32)),
    ("preference", Takes::Number(U32)),
    ("onlink", Takes::Nothing),
    ("expires", Takes::Expires),
    ("mtu", Takes::Lockable),
    ("advmss", Takes::Lockable),
    ("reordering", Takes::Lockable),
    ("cwnd", Takes::Lockable),
    ("ssthresh", Takes::Lockable),
    ("hoplimit", Takes::Number(255)),
    ("rtt", Takes::Time(8.0)),
    ("rttvar", Takes::Time(4.0)),
    ("rto_min", Takes::Time(1.0)),
    ("window", Takes::Number(U32)),
    ("initcwnd", Takes::Number(U32)),
    ("initrwnd", Takes::Number(U32)),
    ("realms", Takes::Realms),
    ("quickack", Takes::Number(1)),
    ("fastopen_no_cookie", Takes::Number(1)),
    ("congctl", Takes::LockableWord),
    ("pref", Takes::Preference),
    ("ttl-propagate", Takes::OneOf(&["enabled", "disabled"])),
    ("add", Takes::Nothing),
    ("prepend", Takes::Nothing),
    ("append", Takes::Nothing),
    ("no_track", Takes::Nothing),
    ("vrf", Takes::Vrf),
    // What follows is handled where it is met.
    ("inet", Takes::Nothing),
    ("inet6", Takes::Nothing),
    ("features", Takes::OneOf(&["ecn"])),
    ("as", Takes::Nothing),
    ("default6", Takes::Nothing),
];

/// Longest and shortest time of `rtt` and its kin, in milliseconds.
const SHORTEST: f64 = 200.0;
const LONGEST: f64 = 120_000.0;

const TYPES: [&str; 12] = [
    "unicast",
    "local",
    "broadcast",
    "brd",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "nat",
    "xresolve",
];

pub(super) fn check_virtual(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    for words in line.entries() {
        // Whether it would be kept does not matter while nothing sets it.
        let _ = route(b, words, false, ctx);
    }
}

pub(super) fn check_static(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.contains_vrrp = true;
    for words in line.entries() {
        let _ = route(b, words, true, ctx);
    }
}

/// What matters for the checks at the end of an entry.
#[derive(Default)]
struct Route {
    destination: Option<String>,
    device: bool,
    no_track: bool,
    second_gateway: bool,
    foreign_protocol: bool,
}

fn route(b: &mut Builder, words: &[Word], is_static: bool, ctx: &mut Context<'_>) -> Part {
    let mut entry = Entry::new("route", words);
    let mut route = Route::default();
    while let Some(word) = entry.next() {
        match word.text.as_str() {
            "inet" => entry.agree(Family::V4, word, ctx)?,
            "inet6" => entry.agree(Family::V6, word, ctx)?,
            "to" => {
                let word = entry.argument(word, b, ctx)?;
                destination(&mut entry, &mut route, word, b, ctx)?;
            }
            "nexthop" => {
                next_hops(b, &mut entry, ctx)?;
                break;
            }
            "encap" => encapsulation(b, &mut entry, word, ctx)?,
            "as" => {
                ctx.report(Class::General, word.span, "\"as to\" for MPLS only - ignoring");
                entry.skip("to");
                entry.next();
            }
            "track_group" if is_static => {
                let group = entry.argument(word, b, ctx)?;
                b.known_track_group(group, ctx);
            }
            text => match OPTIONS.iter().find(|(name, _)| *name == text) {
                Some((_, takes)) if text != "default6" => {
                    note(&mut entry, &mut route, word, ctx)?;
                    option(b, &mut entry, &mut route, word, *takes, ctx)?;
                }
                _ => destination(&mut entry, &mut route, word, b, ctx)?,
            },
        }
    }
    conclude(&entry, &route, ctx)
}

fn note(entry: &mut Entry<'_>, route: &mut Route, word: &Word, ctx: &mut Context<'_>) -> Part {
    match word.text.as_str() {
        "gw" => {
            let message = "\"gw\" for routes is deprecated. Please use \"via\"";
            ctx.report(Class::General, word.span, message);
        }
        "or" => {
            let message = "\"or\" for routes is deprecated. Please use \"nexthop\"";
            ctx.report(Class::General, word.span, message);
            if std::mem::replace(&mut route.second_gateway, true) {
                return entry.drop(word.span, ctx, "\"or\" may be used once in a route");
            }
        }
        "dev" | "oif" => route.device = true,
        "no_track" => route.no_track = true,
        _ => {}
    }
    Ok(())
}

/// `[TYPE] ADDRESS[/LENGTH]|default|any|all|default6`.
fn destination(
    entry: &mut Entry<'_>,
    route: &mut Route,
    word: &Word,
    b: &mut Builder,
    ctx: &mut Context<'_>,
) -> Part {
    let number = word.text.parse::<u8>().is_ok();
    let mut word = word;
    if TYPES.contains(&word.text.as_str()) || (number && entry.peek().is_some()) {
        let kind = word;
        entry.skip("to");
        word = entry.argument(kind, b, ctx)?;
    }
    match word.text.as_str() {
        "default" | "any" | "all" => {}
        "default6" => {
            let message = "'default6' is deprecated - please replace with 'inet6 default'";
            ctx.log(Some(word.span), message);
            entry.agree(Family::V6, word, ctx)?;
        }
        text => {
            if entry.prefix(word, ctx).is_err() {
                let names = OPTIONS.iter().map(|(name, _)| *name);
                let near = config::suggest(text, names).map(config::did_you_mean);
                let message = format!("unknown route keyword {text}");
                ctx.report_with_help(Class::General, word.span, message, near);
                return Err(Dropped);
            }
        }
    }
    route.destination = Some(word.text.clone());
    Ok(())
}

fn option(
    b: &mut Builder,
    entry: &mut Entry<'_>,
    route: &mut Route,
    keyword: &Word,
    takes: Takes,
    ctx: &mut Context<'_>,
) -> Part {
    if matches!(takes, Takes::Nothing) {
        return Ok(());
    }
    if matches!(takes, Takes::Lockable | Takes::Time(_) | Takes::LockableWord) {
        entry.skip("lock");
    }
    let mut word = entry.argument(keyword, b, ctx)?;
    match takes {
        Takes::Nothing | Takes::LockableWord => Ok(()),
        Takes::Address => entry.address(word, ctx).map(drop),
        Takes::Gateway => {
            if matches!(word.text.as_str(), "inet" | "inet6") {
                let family = if word.text == "inet" { Family::V4 } else { Family::V6 };
                entry.agree(family, word, ctx)?;
                word = entry.argument(word, b, ctx)?;
            }
            entry.address(word, ctx).map(drop)
        }
        Takes::SourcePrefix => {
            if !word.text.contains(':') {
                let message =
                    format!("route from address only supported with IPv6 ({})", word.text);
                return entry.drop(word.span, ctx, message);
            }
            entry.prefix(word, ctx)
        }
        Takes::Interface => entry.interface(b, word, "VROUTE nexthop", ctx),
        Takes::Named(table, max) => {
            let number = entry.named(b, table, word, max, ctx)?;
            if keyword.text == "protocol" {
                route.foreign_protocol = number != RTPROT_KEEPALIVED;
            }
            Ok(())
        }
        Takes::Number(max) => entry.number(keyword, word, max, ctx).map(drop),
        Takes::Lockable => entry.number(keyword, word, U32, ctx).map(drop),
        Takes::Time(parts) => time(entry, keyword, word, parts, ctx),
        Takes::Realms => entry.realms(b, word, ctx),
        Takes::OneOf(words) => {
            if !words.contains(&word.text.as_str()) {
                let message =
                    format!("{} value {} not recognised for route", keyword.text, word.text);
                ctx.report(Class::General, word.span, message);
                if keyword.text != "features" {
                    return Err(Dropped);
                }
            }
            Ok(())
        }
        Takes::Preference => preference(entry, keyword, word, ctx),
        Takes::Expires => {
            only_ipv6(entry, keyword, word, ctx)?;
            entry.number(keyword, word, U32, ctx).map(drop)
        }
        Takes::Vrf => vrf(b, entry, word, ctx),
    }
}

fn only_ipv6(entry: &mut Entry<'_>, keyword: &Word, word: &Word, ctx: &mut Context<'_>) -> Part {
    if entry.family == Some(Family::V4) {
        let message = format!("{} is only valid for IPv6", keyword.text);
        return entry.drop(word.span, ctx, message);
    }
    entry.family = Some(Family::V6);
    Ok(())
}

fn preference(entry: &mut Entry<'_>, keyword: &Word, word: &Word, ctx: &mut Context<'_>) -> Part {
    only_ipv6(entry, keyword, word, ctx)?;
    match word.text.as_str() {
        "low" | "medium" | "high" => Ok(()),
        _ => entry.number(keyword, word, 255, ctx).map(drop),
    }
}

fn vrf(b: &mut Builder, entry: &Entry<'_>, word: &Word, ctx: &mut Context<'_>) -> Part {
    entry.interface(b, word, "route vrf", ctx)?;
    let is_vrf = b.host.interface(&word.text).is_none_or(|facts| facts.vrf_table.is_some());
    if is_vrf {
        return Ok(());
    }
    let message = format!("Route specified VRF {} is not a VRF", word.text);
    entry.drop(word.span, ctx, message)
}

/// A time with a suffix, or in the kernel's own units.
fn time(entry: &Entry<'_>, keyword: &Word, word: &Word, parts: f64, ctx: &mut Context<'_>) -> Part {
    let text = word.text.to_ascii_lowercase();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let factor = match suffix {
        "" => 1.0 / parts,
        "s" | "sec" | "secs" => 1000.0,
        "ms" | "msec" | "msecs" => 1.0,
        _ => 0.0,
    };
    // Parts of a second are only read down to the millisecond.
    let places = number.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let fits = places == 0 || (factor == 1000.0 && places <= 3);
    let value = number.parse::<f64>().ok().filter(|_| fits && factor > 0.0).map(|n| n * factor);
    match value {
        Some(ms) if ms > LONGEST => {
            let message = format!("{} {} exceeds 120 seconds", keyword.text, word.text);
            entry.drop(word.span, ctx, message)
        }
        Some(ms) if ms < SHORTEST => {
            let message = format!("{} {} is below 200 ms; that is used", keyword.text, word.text);
            ctx.report(Class::General, word.span, message);
            Ok(())
        }
        Some(_) => Ok(()),
        None => {
            let message = format!("Invalid {} {} for route", keyword.text, word.text);
            entry.drop(word.span, ctx, message)
        }
    }
}

/// `encap ip|ip6|mpls|ila …`, up to the first word that is not of it.
fn encapsulation(
    b: &mut Builder,
    entry: &mut Entry<'_>,
    keyword: &Word,
    ctx: &mut Context<'_>,
) -> Part {
    let kind = entry.argument(keyword, b, ctx)?;
    match kind.text.as_str() {
        "ip" | "ip6" => tunnel(b, entry, kind, ctx),
        "mpls" => {
            let labels = entry.argument(kind, b, ctx)?;
            let valid = labels
                .text
                .split('/')
                .all(|label| label.parse::<u32>().is_ok_and(|label| label < 1 << 20));
            if valid {
                return Ok(());
            }
            entry.drop(labels.span, ctx, format!("Invalid MPLS labels {}", labels.text))
        }
        "ila" => {
            let locator = entry.argument(kind, b, ctx)?;
            let groups: Vec<&str> = locator.text.split(':').collect();
            let valid = |group: &&str| group.len() <= 4 && u16::from_str_radix(group, 16).is_ok();
            if groups.len() == 4 && groups.iter().all(valid) {
                return Ok(());
            }
            entry.drop(locator.span, ctx, format!("Invalid ila locator {}", locator.text))
        }
        other => entry.drop(kind.span, ctx, format!("Unknown encap type - {other}")),
    }
}

fn tunnel(b: &mut Builder, entry: &mut Entry<'_>, kind: &Word, ctx: &mut Context<'_>) -> Part {
    let ip6 = kind.text == "ip6";
    let mut target = false;
    while let Some(word) = entry.peek() {
        let name = word.text.as_str();
        let known = matches!(name, "id" | "dst" | "src" | "flags")
            || if ip6 { matches!(name, "tc" | "hoplimit") } else { matches!(name, "tos" | "ttl") };
        if !known {
            break;
        }
        entry.next();
        let value = entry.argument(word, b, ctx)?;
        match name {
            "dst" | "src" => {
                target |= name == "dst";
                // The outer packet's family is the tunnel's, not the route's.
                match config::address::parse(&value.text) {
                    Some(IpAddr::V4(_)) if !ip6 => {}
                    Some(IpAddr::V6(_)) if ip6 => {}
                    _ => {
                        let message =
                            format!("Invalid {name} {} for {} encap", value.text, kind.text);
                        return entry.drop(value.span, ctx, message);
                    }
                }
            }
            "id" => {
                target = true;
                entry.c_number(word, &value.text, u64::MAX, ctx)?;
            }
            "flags" => drop(entry.c_number(word, &value.text, 0xffff, ctx)?),
            "tos" | "tc" => drop(entry.named(b, NameTable::DsField, value, 255, ctx)?),
            _ => drop(entry.number(word, value, 255, ctx)?),
        }
    }
    if target {
        return Ok(());
    }
    entry.drop(kind.span, ctx, format!("address or id missing for {} encapsulation", kind.text))
}

/// `nexthop [via …] [dev …] [weight N] [onlink] [encap …] [realms …]`, repeated to the end.
fn next_hops(b: &mut Builder, entry: &mut Entry<'_>, ctx: &mut Context<'_>) -> Part {
    let mut unused = Route::default();
    while let Some(word) = entry.next() {
        match word.text.as_str() {
            "nexthop" | "onlink" => {}
            "via" => option(b, entry, &mut unused, word, Takes::Gateway, ctx)?,
            "dev" | "oif" => option(b, entry, &mut unused, word, Takes::Interface, ctx)?,
            "realms" => option(b, entry, &mut unused, word, Takes::Realms, ctx)?,
            "encap" => encapsulation(b, entry, word, ctx)?,
            "weight" => {
                let value = entry.argument(word, b, ctx)?;
                if entry.number(word, value, 256, ctx)? == 0 {
                    return entry.drop(value.span, ctx, "Invalid weight 0 specified for route");
                }
            }
            other => {
                let message = format!("Route has trailing nonsense after nexthops - {other}");
                return entry.drop(word.span, ctx, message);
            }
        }
    }
    Ok(())
}

fn conclude(entry: &Entry<'_>, route: &Route, ctx: &mut Context<'_>) -> Part {
    let Some(destination) = &route.destination else {
        return entry.drop(entry.span(), ctx, "Route must have a destination");
    };
    if route.no_track {
        return Ok(());
    }
    if route.foreign_protocol {
        let message = "Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), \
                       resetting protocol";
        ctx.report(Class::General, entry.span(), message);
    }
    if !route.device {
        let message = format!(
            "Warning - cannot track route {destination} with no interface specified, not tracking"
        );
        ctx.report(Class::General, entry.span(), message);
    }
    Ok(())
}
