//! Routes and rules, nearly as `ip route` and `ip rule` take them (spec config-language §17.4).

use std::fmt::Write;
use std::rc::Rc;

use netlink::{Encapsulation, Hop, Insert, Prefix, Route, Rule, RuleAction};

use super::address::ENTRY;
use super::text::Text;
use crate::config::{FEATURES, METRICS, PREFERENCES, Path, PathSettings, TYPES};

/// A section of static ones.
pub(super) fn statics(t: &mut Text, title: &str, paths: &[Rc<PathSettings>], routes: bool) {
    if of_kind(paths, routes).next().is_some() {
        t.title(title);
        list(t, paths, routes);
    }
}

/// The routes among them, or the rules, a line each.
pub(super) fn list(t: &mut Text, paths: &[Rc<PathSettings>], routes: bool) {
    for path in of_kind(paths, routes) {
        t.put(ENTRY).put(&path_text(path)).end();
    }
}

/// The routes among them, or the rules.
pub(super) fn of_kind(
    paths: &[Rc<PathSettings>],
    routes: bool,
) -> impl Iterator<Item = &Rc<PathSettings>> {
    paths.iter().filter(move |path| path.is_route() == routes)
}

/// One of them.
pub(crate) fn path_text(path: &PathSettings) -> String {
    let mut out = String::new();
    match &path.what {
        Path::Route(r) => route(&mut out, r, path.no_track),
        Path::Rule(r) => rule(&mut out, r),
    }
    if path.no_track {
        out.push_str(" no_track");
    }
    if let Some(group) = &path.track_group {
        put(&mut out, " track_group ", group);
    }
    out
}

/// Writing to a string cannot fail.
fn put(out: &mut String, key: &str, value: impl std::fmt::Display) {
    let _ = write!(out, "{key}{value}");
}

fn put_some(out: &mut String, key: &str, value: Option<impl std::fmt::Display>) {
    if let Some(value) = value {
        put(out, key, value);
    }
}

/// A host's own length goes without saying.
fn prefix(out: &mut String, (ip, length): Prefix) {
    put(out, "", ip);
    if length != if ip.is_ipv6() { 128 } else { 32 } {
        put(out, "/", length);
    }
}

fn everything(v6: bool) -> &'static str {
    if v6 { "::/0" } else { "0.0.0.0/0" }
}

fn route(out: &mut String, r: &Route, no_track: bool) {
    out.push_str(match r.insert {
        Insert::Prepend => "prepend ",
        Insert::Append => "append ",
        Insert::Exclusive => "add ",
    });
    if let Some(kind) = r.kind.filter(|kind| *kind != libc::RTN_UNICAST) {
        match TYPES.iter().find(|(_, number)| *number == kind) {
            Some((name, _)) => put(out, name, " "),
            None => put(out, "", format_args!("{kind} ")),
        }
    }
    match r.destination {
        Some(destination) => prefix(out, destination),
        None => out.push_str(everything(r.v6)),
    }
    if let Some(from) = r.from {
        out.push_str(" from ");
        prefix(out, from);
    }
    put_some(out, " src ", r.source);
    if r.tos != 0 {
        put(out, " tos ", r.tos);
    }
    way(out, &r.hop, r.v6);
    put_some(out, " table ", r.table);
    // What nobody chose for one that is not tracked is not shown.
    if !no_track || r.protocol != netlink::ROUTE_PROTOCOL_KEEPALIVED || r.hop.interface.is_none() {
        put(out, " proto ", r.protocol);
    }
    put_some(out, " scope ", r.scope);
    put_some(out, " metric ", r.metric);
    if r.hop.onlink {
        out.push_str(" onlink");
    }
    realms(out, r.hop.realms);
    put_some(out, " expires ", r.expires.map(|seconds| format!("{seconds}sec")));
    if let Some((name, locked)) = &r.congestion {
        put(out, " congctl ", if *locked { "lock " } else { "" });
        out.push_str(name);
    }
    metrics(out, r);
    if let Some(preference) = r.preference {
        match PREFERENCES.iter().find(|(_, number)| *number == preference) {
            Some((name, _)) => put(out, " pref ", name),
            None => put(out, " pref ", preference),
        }
    }
    put_some(
        out,
        " ttl-propagate ",
        r.ttl_propagate.map(|on| if on { "enabled" } else { "disabled" }),
    );
    for hop in &r.hops {
        out.push_str(" nexthop");
        way(out, hop, r.v6);
        if hop.weight > 1 {
            put(out, " weight ", hop.weight);
        }
        if hop.onlink {
            out.push_str(" onlink");
        }
        realms(out, hop.realms);
    }
}

fn way(out: &mut String, hop: &Hop, v6: bool) {
    if let Some(encapsulation) = &hop.encapsulation {
        wrapping(out, encapsulation);
    }
    put_some(out, if v6 { " via inet6 " } else { " via inet " }, hop.via);
    put_some(out, " dev ", hop.interface.as_deref());
}

fn wrapping(out: &mut String, encapsulation: &Encapsulation) {
    match encapsulation {
        Encapsulation::Mpls(labels) => {
            let labels: Vec<String> = labels.iter().map(u32::to_string).collect();
            put(out, " encap mpls ", labels.join("/"));
        }
        Encapsulation::Ila(locator) => {
            let groups = [48, 32, 16, 0].map(|shift| format!("{:x}", locator >> shift & 0xffff));
            put(out, " encap ila ", groups.join(":"));
        }
        Encapsulation::Ip { v6, id, destination, source, tos, ttl, flags } => {
            let [kind, tos_word, ttl_word] =
                if *v6 { ["ip6", " tc ", " hoplimit "] } else { ["ip", " tos ", " ttl "] };
            put(out, " encap ", kind);
            put_some(out, " id ", *id);
            put_some(out, " dst ", *destination);
            put_some(out, " src ", *source);
            put_some(out, tos_word, *tos);
            put_some(out, ttl_word, *ttl);
            put_some(out, " flags ", flags.map(|flags| format!("{flags:#x}")));
        }
    }
}

fn realms(out: &mut String, realms: Option<u32>) {
    match realms.map(|realms| (realms >> 16, realms & 0xffff)) {
        Some((0, to)) => put(out, " realm ", to),
        Some((from, to)) => put(out, " realms ", format_args!("{from}/{to}")),
        None => {}
    }
}

fn metrics(out: &mut String, r: &Route) {
    let find = |kind: u8| r.metrics.iter().find(|metric| metric.kind == kind);
    for (name, kind) in METRICS {
        // Between the times and the sizes.
        if name == "mtu" && find(FEATURES).is_some() {
            out.push_str(" features ecn");
        }
        let Some(metric) = find(kind) else { continue };
        put(out, " ", name);
        out.push_str(if metric.locked { " lock " } else { " " });
        match name {
            "rtt" => time(out, metric.value, 8),
            "rttvar" => time(out, metric.value, 4),
            "rto_min" => time(out, metric.value, 1),
            _ => put(out, "", metric.value),
        }
    }
}

/// A time in `parts` of a millisecond.
fn time(out: &mut String, value: u32, parts: u32) {
    let second = parts * 1000;
    if value >= second && value.is_multiple_of(second) {
        put(out, "", format_args!("{}s", value / second));
    } else {
        put(out, "", format_args!("{}ms", f64::from(value) / f64::from(parts)));
    }
}

fn rule(out: &mut String, r: &Rule) {
    if r.invert {
        out.push_str("not ");
    }
    out.push_str("from ");
    match r.from {
        Some(from) => prefix(out, from),
        None => out.push_str("all"),
    }
    if let Some(to) = r.to {
        out.push_str(" to ");
        prefix(out, to);
    }
    put(out, " priority ", r.preference);
    put(out, " tos ", format_args!("{:#x}", r.tos));
    if let Some(mark) = r.mark {
        put(out, " fwmark ", format_args!("{mark:#x}"));
        put_some(out, "/", r.mask.map(|mask| format!("{mask:#x}")));
    }
    put_some(out, " iif ", r.input.as_deref());
    put_some(out, " oif ", r.output.as_deref());
    put_some(out, " suppress_prefixlen ", r.suppress_length);
    put_some(out, " suppress_ifgroup ", r.suppress_group);
    put_some(out, " tunnel-id ", r.tunnel);
    let range = |range: Option<(u32, u32)>| range.map(|(a, b)| format!("{a}-{b}"));
    let ports = |ports: Option<(u16, u16)>| range(ports.map(|(a, b)| (a.into(), b.into())));
    put_some(out, " uidrange ", range(r.users));
    if r.action == RuleAction::L3mdev {
        out.push_str(" l3mdev");
    }
    put_some(out, " protocol ", r.protocol);
    put_some(out, " ipproto ", r.transport);
    put_some(out, " sport ", ports(r.source_ports));
    put_some(out, " dport ", ports(r.destination_ports));
    realms(out, r.realms);
    match r.action {
        RuleAction::Table(table) => put(out, " lookup ", table),
        RuleAction::Goto(target) => put(out, " goto ", target),
        RuleAction::Nop => out.push_str(" nop"),
        RuleAction::Blackhole => out.push_str(" type blackhole"),
        RuleAction::Unreachable => out.push_str(" type unreachable"),
        RuleAction::Prohibit => out.push_str(" type prohibit"),
        RuleAction::L3mdev => {}
    }
}
