//! Route entries: `virtual_routes` and `static_routes`, in the words of `ip route`.

use std::net::IpAddr;
use std::rc::Rc;

use config::{Class, Context, Line, Word};
use netlink::{Encapsulation, Hop, Insert, Metric, ROUTE_PROTOCOL_KEEPALIVED, Route};

use super::builder::Builder;
use super::entry::{Dropped, Entry, Part};
use super::names::NameTable;
use super::{Family, Path, PathSettings};

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

/// Types of routes (`RTN_*`).
pub(crate) const TYPES: [(&str, u8); 12] = [
    ("unicast", 1),
    ("local", 2),
    ("broadcast", 3),
    ("brd", 3),
    ("anycast", 4),
    ("multicast", 5),
    ("blackhole", 6),
    ("unreachable", 7),
    ("prohibit", 8),
    ("throw", 9),
    ("nat", 10),
    ("xresolve", 11),
];

/// Metrics of routes (`RTAX_*`) by their words.
pub(crate) const METRICS: [(&str, u8); 14] = [
    ("rtt", 4),
    ("rttvar", 5),
    ("rto_min", 13),
    ("mtu", 2),
    ("window", 3),
    ("ssthresh", 6),
    ("cwnd", 7),
    ("advmss", 8),
    ("reordering", 9),
    ("hoplimit", 10),
    ("initcwnd", 11),
    ("initrwnd", 14),
    ("quickack", 15),
    ("fastopen_no_cookie", 17),
];

/// `RTAX_FEATURES`.
pub(crate) const FEATURES: u8 = 12;
/// `RTAX_FEATURE_ECN`.
const ECN: u32 = 1;

/// Router preferences (RFC 4191 section 2.1).
pub(crate) const PREFERENCES: [(&str, u8); 3] = [("low", 3), ("medium", 0), ("high", 1)];

pub(super) fn set_virtual(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    for words in line.entries() {
        if let Ok(route) = route(b, words, false, ctx) {
            b.draft.routes.push(Rc::new(route));
        }
    }
}

pub(super) fn set_static(b: &mut Builder, line: &Line, ctx: &mut Context<'_>) {
    b.contains_vrrp = true;
    for words in line.entries() {
        if let Ok(route) = route(b, words, true, ctx) {
            b.static_routes.push(Rc::new(route));
        }
    }
}

/// An entry as far as it is read.
#[derive(Default)]
struct Draft {
    route: Route,
    /// The destination as it is written.
    destination: Option<String>,
    insert: Option<Insert>,
    protocol: Option<u32>,
    no_track: bool,
    track_group: Option<String>,
    second_gateway: Option<IpAddr>,
}

fn route(
    b: &mut Builder,
    words: &[Word],
    is_static: bool,
    ctx: &mut Context<'_>,
) -> Part<PathSettings> {
    let mut entry = Entry::new("route", words);
    let mut draft = Draft::default();
    while let Some(word) = entry.next() {
        match word.text.as_str() {
            "inet" => entry.agree(Family::V4, word, ctx)?,
            "inet6" => entry.agree(Family::V6, word, ctx)?,
            "to" => {
                let word = entry.argument(word, b, ctx)?;
                destination(&mut entry, &mut draft, word, b, ctx)?;
            }
            "nexthop" => {
                next_hops(b, &mut entry, &mut draft.route.hops, ctx)?;
                break;
            }
            "encap" => {
                draft.route.hop.encapsulation = Some(encapsulation(b, &mut entry, word, ctx)?);
            }
            "as" => {
                ctx.report(Class::General, word.span, "\"as to\" for MPLS only - ignoring");
                entry.skip("to");
                entry.next();
            }
            "track_group" if is_static => {
                let group = entry.argument(word, b, ctx)?;
                if b.known_track_group(group, ctx) {
                    draft.track_group = Some(group.text.clone());
                }
            }
            text => match OPTIONS.iter().find(|(name, _)| *name == text) {
                Some((_, takes)) if text != "default6" => {
                    option(b, &mut entry, &mut draft, word, *takes, ctx)?;
                }
                _ => destination(&mut entry, &mut draft, word, b, ctx)?,
            },
        }
    }
    conclude(&entry, draft, ctx)
}

/// `[TYPE] ADDRESS[/LENGTH]|default|any|all|default6`.
fn destination(
    entry: &mut Entry<'_>,
    draft: &mut Draft,
    word: &Word,
    b: &mut Builder,
    ctx: &mut Context<'_>,
) -> Part {
    let named = TYPES.iter().find(|(name, _)| *name == word.text).map(|(_, number)| *number);
    let number = word.text.parse::<u8>().ok().filter(|_| entry.peek().is_some());
    let mut word = word;
    if let Some(kind) = named.or(number) {
        draft.route.kind = Some(kind);
        entry.skip("to");
        word = entry.argument(word, b, ctx)?;
    }
    match word.text.as_str() {
        "default" | "any" | "all" => {}
        "default6" => {
            let message = "'default6' is deprecated - please replace with 'inet6 default'";
            ctx.log(Some(word.span), message);
            entry.agree(Family::V6, word, ctx)?;
        }
        text => match entry.prefix(word, ctx) {
            Ok(prefix) => draft.route.destination = Some(prefix),
            Err(Dropped) => {
                let names = OPTIONS.iter().map(|(name, _)| *name);
                let near = config::suggest(text, names).map(config::did_you_mean);
                let message = format!("unknown route keyword {text}");
                ctx.report_with_help(Class::General, word.span, message, near);
                return Err(Dropped);
            }
        },
    }
    draft.destination = Some(word.text.clone());
    Ok(())
}

/// The words without an argument.
fn flag(draft: &mut Draft, word: &str) {
    match word {
        "onlink" => draft.route.hop.onlink = true,
        "add" => draft.insert = Some(Insert::Exclusive),
        "prepend" => draft.insert = Some(Insert::Prepend),
        "append" => draft.insert = Some(Insert::Append),
        "no_track" => draft.no_track = true,
        _ => {}
    }
}

fn option(
    b: &mut Builder,
    entry: &mut Entry<'_>,
    draft: &mut Draft,
    keyword: &Word,
    takes: Takes,
    ctx: &mut Context<'_>,
) -> Part {
    if matches!(takes, Takes::Nothing) {
        flag(draft, &keyword.text);
        return Ok(());
    }
    let may_lock = matches!(takes, Takes::Lockable | Takes::Time(_) | Takes::LockableWord);
    let locked = may_lock && entry.skip("lock");
    let word = entry.argument(keyword, b, ctx)?;
    let route = &mut draft.route;
    match takes {
        Takes::Nothing => {}
        Takes::LockableWord => route.congestion = Some((word.text.clone(), locked)),
        Takes::Address => route.source = Some(entry.address(word, ctx)?),
        Takes::Gateway => gateway(b, entry, draft, keyword, word, ctx)?,
        Takes::SourcePrefix => {
            if !word.text.contains(':') {
                let message =
                    format!("route from address only supported with IPv6 ({})", word.text);
                return entry.drop(word.span, ctx, message);
            }
            route.from = Some(entry.prefix(word, ctx)?);
        }
        Takes::Interface => {
            route.hop.interface = Some(entry.interface(b, word, "VROUTE nexthop", ctx)?);
        }
        Takes::Named(table, max) => {
            let number = entry.named(b, table, word, max, ctx)?;
            let small = u8::try_from(number).unwrap_or(u8::MAX);
            match table {
                NameTable::Tables => route.table = Some(number),
                NameTable::Protocols => draft.protocol = Some(number),
                NameTable::Scopes => route.scope = Some(small),
                _ => route.tos = small,
            }
        }
        Takes::Number(max) => {
            let value = small(entry.number(keyword, word, max, ctx)?);
            match keyword.text.as_str() {
                "metric" | "priority" | "preference" => route.metric = Some(value),
                name => metric(route, name, value, false),
            }
        }
        Takes::Lockable => {
            let value = small(entry.number(keyword, word, U32, ctx)?);
            metric(route, &keyword.text, value, locked);
        }
        Takes::Time(parts) => {
            let value = time(entry, keyword, word, parts, ctx)?;
            metric(route, &keyword.text, value, locked);
        }
        Takes::Realms => route.hop.realms = Some(entry.realms(b, word, ctx)?),
        Takes::OneOf(words) => one_of(entry, route, keyword, word, words, ctx)?,
        Takes::Preference => route.preference = Some(preference(entry, keyword, word, ctx)?),
        Takes::Expires => {
            only_ipv6(entry, keyword, word, ctx)?;
            route.expires = Some(small(entry.number(keyword, word, U32, ctx)?));
        }
        Takes::Vrf => route.table = vrf(b, entry, word, ctx)?.or(route.table),
    }
    Ok(())
}

/// A number that was read with an upper bound of 32 bits.
fn small(number: i64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The last value counts, as the kernel would have it.
fn metric(route: &mut Route, name: &str, value: u32, locked: bool) {
    let Some((_, kind)) = METRICS.iter().find(|(word, _)| *word == name) else { return };
    route.metrics.retain(|metric| metric.kind != *kind);
    route.metrics.push(Metric { kind: *kind, value, locked });
}

fn gateway(
    b: &mut Builder,
    entry: &mut Entry<'_>,
    draft: &mut Draft,
    keyword: &Word,
    word: &Word,
    ctx: &mut Context<'_>,
) -> Part {
    let ip = way(b, entry, word, ctx)?;
    if keyword.text == "gw" {
        let message = "\"gw\" for routes is deprecated. Please use \"via\"";
        ctx.report(Class::General, keyword.span, message);
    }
    if keyword.text != "or" {
        draft.route.hop.via = Some(ip);
        return Ok(());
    }
    let message = "\"or\" for routes is deprecated. Please use \"nexthop\"";
    ctx.report(Class::General, keyword.span, message);
    if draft.second_gateway.replace(ip).is_some() {
        return entry.drop(keyword.span, ctx, "\"or\" may be used once in a route");
    }
    Ok(())
}

/// `[inet|inet6] ADDRESS`, of which `word` is the first.
fn way(b: &mut Builder, entry: &mut Entry<'_>, word: &Word, ctx: &mut Context<'_>) -> Part<IpAddr> {
    let family = match word.text.as_str() {
        "inet" => Family::V4,
        "inet6" => Family::V6,
        _ => return entry.address(word, ctx),
    };
    entry.agree(family, word, ctx)?;
    let word = entry.argument(word, b, ctx)?;
    entry.address(word, ctx)
}

fn one_of(
    entry: &Entry<'_>,
    route: &mut Route,
    keyword: &Word,
    word: &Word,
    words: &[&str],
    ctx: &mut Context<'_>,
) -> Part {
    let features = keyword.text == "features";
    if !words.contains(&word.text.as_str()) {
        let message = format!("{} value {} not recognised for route", keyword.text, word.text);
        if !features {
            return entry.drop(word.span, ctx, message);
        }
        ctx.report(Class::General, word.span, message);
        return Ok(());
    }
    if features {
        route.metrics.push(Metric { kind: FEATURES, value: ECN, locked: false });
    } else {
        route.ttl_propagate = Some(word.text == "enabled");
    }
    Ok(())
}

fn only_ipv6(entry: &mut Entry<'_>, keyword: &Word, word: &Word, ctx: &mut Context<'_>) -> Part {
    if entry.family == Some(Family::V4) {
        let message = format!("{} is only valid for IPv6", keyword.text);
        return entry.drop(word.span, ctx, message);
    }
    entry.family = Some(Family::V6);
    Ok(())
}

fn preference(
    entry: &mut Entry<'_>,
    keyword: &Word,
    word: &Word,
    ctx: &mut Context<'_>,
) -> Part<u8> {
    only_ipv6(entry, keyword, word, ctx)?;
    match PREFERENCES.iter().find(|(name, _)| *name == word.text) {
        Some((_, number)) => Ok(*number),
        None => Ok(u8::try_from(entry.number(keyword, word, 255, ctx)?).unwrap_or(u8::MAX)),
    }
}

/// The table of a VRF; none as long as it does not exist.
fn vrf(
    b: &mut Builder,
    entry: &Entry<'_>,
    word: &Word,
    ctx: &mut Context<'_>,
) -> Part<Option<u32>> {
    entry.interface(b, word, "route vrf", ctx)?;
    let Some(facts) = b.host.interface(&word.text) else { return Ok(None) };
    if facts.vrf_table.is_some() {
        return Ok(facts.vrf_table);
    }
    let message = format!("Route specified VRF {} is not a VRF", word.text);
    entry.drop(word.span, ctx, message)
}

/// A time with a suffix, or in the kernel's own units, `parts` of which are a millisecond.
fn time(
    entry: &Entry<'_>,
    keyword: &Word,
    word: &Word,
    parts: f64,
    ctx: &mut Context<'_>,
) -> Part<u32> {
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
            Ok((SHORTEST * parts) as u32)
        }
        Some(ms) => Ok((ms * parts).round() as u32),
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
) -> Part<Encapsulation> {
    let kind = entry.argument(keyword, b, ctx)?;
    match kind.text.as_str() {
        "ip" | "ip6" => tunnel(b, entry, kind, ctx),
        "mpls" => {
            let word = entry.argument(kind, b, ctx)?;
            let label = |label: &str| label.parse::<u32>().ok().filter(|label| *label < 1 << 20);
            match word.text.split('/').map(label).collect() {
                Some(labels) => Ok(Encapsulation::Mpls(labels)),
                None => entry.drop(word.span, ctx, format!("Invalid MPLS labels {}", word.text)),
            }
        }
        "ila" => {
            let word = entry.argument(kind, b, ctx)?;
            let group = |group: &str| {
                u16::from_str_radix(group, 16).ok().filter(|_| group.len() <= 4).map(u64::from)
            };
            let groups: Option<Vec<u64>> = word.text.split(':').map(group).collect();
            match groups.filter(|groups| groups.len() == 4) {
                Some(groups) => {
                    Ok(Encapsulation::Ila(groups.into_iter().fold(0, |all, g| all << 16 | g)))
                }
                None => entry.drop(word.span, ctx, format!("Invalid ila locator {}", word.text)),
            }
        }
        other => entry.drop(kind.span, ctx, format!("Unknown encap type - {other}")),
    }
}

fn tunnel(
    b: &mut Builder,
    entry: &mut Entry<'_>,
    kind: &Word,
    ctx: &mut Context<'_>,
) -> Part<Encapsulation> {
    let ip6 = kind.text == "ip6";
    let (mut id, mut destination, mut source) = (None, None, None);
    let (mut tos, mut ttl, mut flags) = (None, None, None);
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
                // The outer packet's family is the tunnel's, not the route's.
                let ip = config::address::parse(&value.text).filter(|ip| ip.is_ipv6() == ip6);
                if ip.is_none() {
                    let message = format!("Invalid {name} {} for {} encap", value.text, kind.text);
                    return entry.drop(value.span, ctx, message);
                }
                *(if name == "dst" { &mut destination } else { &mut source }) = ip;
            }
            "id" => id = Some(entry.c_number(word, &value.text, u64::MAX, ctx)?),
            "flags" => {
                flags = u16::try_from(entry.c_number(word, &value.text, 0xffff, ctx)?).ok();
            }
            "tos" | "tc" => {
                tos = u8::try_from(entry.named(b, NameTable::DsField, value, 255, ctx)?).ok();
            }
            _ => ttl = u8::try_from(entry.number(word, value, 255, ctx)?).ok(),
        }
    }
    if id.is_none() && destination.is_none() {
        let message = format!("address or id missing for {} encapsulation", kind.text);
        return entry.drop(kind.span, ctx, message);
    }
    Ok(Encapsulation::Ip { v6: ip6, id, destination, source, tos, ttl, flags })
}

/// `nexthop [via …] [dev …] [weight N] [onlink] [encap …] [realms …]`, repeated to the end.
fn next_hops(
    b: &mut Builder,
    entry: &mut Entry<'_>,
    hops: &mut Vec<Hop>,
    ctx: &mut Context<'_>,
) -> Part {
    let new = || Hop { weight: 1, ..Hop::default() };
    let mut hop = new();
    while let Some(word) = entry.next() {
        match word.text.as_str() {
            "nexthop" => hops.push(std::mem::replace(&mut hop, new())),
            "onlink" => hop.onlink = true,
            "via" => {
                let value = entry.argument(word, b, ctx)?;
                hop.via = Some(way(b, entry, value, ctx)?);
            }
            "dev" | "oif" => {
                let value = entry.argument(word, b, ctx)?;
                hop.interface = Some(entry.interface(b, value, "VROUTE nexthop", ctx)?);
            }
            "realms" => {
                let value = entry.argument(word, b, ctx)?;
                hop.realms = Some(entry.realms(b, value, ctx)?);
            }
            "encap" => hop.encapsulation = Some(encapsulation(b, entry, word, ctx)?),
            "weight" => {
                let value = entry.argument(word, b, ctx)?;
                let weight = entry.number(word, value, 256, ctx)?;
                if weight == 0 {
                    return entry.drop(value.span, ctx, "Invalid weight 0 specified for route");
                }
                hop.weight = u16::try_from(weight).unwrap_or(256);
            }
            other => {
                let message = format!("Route has trailing nonsense after nexthops - {other}");
                return entry.drop(word.span, ctx, message);
            }
        }
    }
    hops.push(hop);
    Ok(())
}

fn conclude(entry: &Entry<'_>, draft: Draft, ctx: &mut Context<'_>) -> Part<PathSettings> {
    let Draft { mut route, destination, insert, protocol, mut no_track, mut track_group, .. } =
        draft;
    let Some(destination) = destination else {
        return entry.drop(entry.span(), ctx, "Route must have a destination");
    };
    let device = route.hop.interface.is_some();
    if !no_track && protocol.is_some_and(|number| number != u32::from(ROUTE_PROTOCOL_KEEPALIVED)) {
        let message = "Route cannot be tracked if protocol is not RTPROT_KEEPALIVED(18), \
                       resetting protocol";
        ctx.report(Class::General, entry.span(), message);
    }
    let chosen = protocol.filter(|_| no_track).and_then(|number| u8::try_from(number).ok());
    route.protocol = chosen.unwrap_or(ROUTE_PROTOCOL_KEEPALIVED);
    if !no_track && !device {
        let message = format!(
            "Warning - cannot track route {destination} with no interface specified, not tracking"
        );
        ctx.report(Class::General, entry.span(), message);
        no_track = true;
    }
    if track_group.is_some() && !device {
        let message = "track_group of a route needs dev - ignoring track_group";
        ctx.report(Class::General, entry.span(), message);
        track_group = None;
    }
    if let Some(second) = draft.second_gateway {
        let first = Hop { weight: 1, ..std::mem::take(&mut route.hop) };
        let second = Hop { via: Some(second), ..first.clone() };
        route.hops = vec![first, second];
    }
    // Only of usual routes there may be several to one destination.
    let usual = match route.kind {
        None | Some(libc::RTN_UNICAST) => Insert::Prepend,
        Some(_) => Insert::Exclusive,
    };
    route.insert = insert.unwrap_or(usual);
    route.v6 = entry.family == Some(Family::V6);
    Ok(PathSettings { what: Path::Route(route), no_track, track_group })
}
