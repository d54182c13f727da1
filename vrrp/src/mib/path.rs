//! `vrrpRouteTable`, `vrrpRuleTable`, `vrrpRouteNextHopTable`.

use std::net::IpAddr;
use std::rc::Rc;

use netlink::{Hop, Metric, Route, Rule, RuleAction};
use snmp::table::{self, Column};
use snmp::{Oid, Value};

use super::address::scope;
use super::{at, up_to};
use crate::config::{Path, PathSettings};
use crate::runtime::Vrrp;
use crate::state::State;

type V = Vrrp;
type Prefix = (IpAddr, u8);

/// Numbers of metrics (`RTAX_*`).
mod rtax {
    pub const MTU: u8 = 2;
    pub const WINDOW: u8 = 3;
    pub const SSTHRESH: u8 = 6;
    pub const CWND: u8 = 7;
    pub const ADVMSS: u8 = 8;
    pub const REORDERING: u8 = 9;
    pub const HOPLIMIT: u8 = 10;
    pub const INITCWND: u8 = 11;
    pub const FEATURES: u8 = 12;
    pub const INITRWND: u8 = 14;
    pub const QUICKACK: u8 = 15;
    /// `RTAX_FEATURE_ECN`.
    pub const ECN: u32 = 1;
}

/// Those of an instance, or the static ones at 0.
fn paths(vrrp: &Vrrp, instance: u32) -> &[Rc<PathSettings>] {
    match instance {
        0 => vrrp.static_paths(),
        _ => at(vrrp.router().instances(), instance).map_or(&[], |i| &i.settings.paths),
    }
}

/// Routes come before rules.
fn routes(vrrp: &Vrrp, instance: u32) -> (&[Rc<PathSettings>], &[Rc<PathSettings>]) {
    let paths = paths(vrrp, instance);
    paths.split_at(paths.partition_point(|path| path.is_route()))
}

fn instances(vrrp: &Vrrp) -> std::ops::RangeInclusive<u32> {
    0..=*up_to(vrrp.router().instances().len()).end()
}

/// Instance, position.
pub(super) fn next_route(vrrp: &Vrrp, after: &[u32]) -> Option<Oid> {
    table::following(after, 2, &|before| match before {
        [instance] => up_to(routes(vrrp, *instance).0.len()),
        _ => instances(vrrp),
    })
}

/// Instance, position.
pub(super) fn next_rule(vrrp: &Vrrp, after: &[u32]) -> Option<Oid> {
    table::following(after, 2, &|before| match before {
        [instance] => up_to(routes(vrrp, *instance).1.len()),
        _ => instances(vrrp),
    })
}

/// Instance, position of the route, position of the hop; of routes with several hops.
pub(super) fn next_hop(vrrp: &Vrrp, after: &[u32]) -> Option<Oid> {
    table::following(after, 3, &|before| match before {
        [instance, position] => {
            up_to(route(vrrp, &[*instance, *position]).map_or(0, |route| route.hops.len()))
        }
        [instance] => up_to(routes(vrrp, *instance).0.len()),
        _ => instances(vrrp),
    })
}

fn route<'a>(vrrp: &'a Vrrp, index: &[u32]) -> Option<&'a Route> {
    let [instance, position] = *index else { return None };
    match &at(routes(vrrp, instance).0, position)?.what {
        Path::Route(route) => Some(route),
        Path::Rule(_) => None,
    }
}

fn rule<'a>(vrrp: &'a Vrrp, index: &[u32]) -> Option<&'a Rule> {
    let [instance, position] = *index else { return None };
    match &at(routes(vrrp, instance).1, position)?.what {
        Path::Rule(rule) => Some(rule),
        Path::Route(_) => None,
    }
}

/// Whether the kernel is to have it: static ones always, those of an instance while it is MASTER.
fn is_set(vrrp: &Vrrp, index: &[u32]) -> bool {
    let Some(&instance) = index.first() else { return false };
    let instance = at(vrrp.router().instances(), instance);
    instance.is_none_or(|instance| instance.state() == State::Master)
}

fn of_route(vrrp: &Vrrp, index: &[u32], value: fn(&Route) -> Option<Value>) -> Option<Value> {
    value(route(vrrp, index)?)
}

fn of_rule(vrrp: &Vrrp, index: &[u32], value: fn(&Rule) -> Option<Value>) -> Option<Value> {
    value(rule(vrrp, index)?)
}

fn family(v6: bool) -> Value {
    Value::Integer(if v6 { 2 } else { 1 })
}

fn address(prefix: Option<Prefix>) -> Option<Value> {
    prefix.map(|(address, _)| Value::address(address))
}

fn address_type(prefix: Option<Prefix>) -> Option<Value> {
    prefix.map(|(address, _)| Value::address_type(address))
}

fn length(prefix: Option<Prefix>) -> Option<Value> {
    prefix.map(|(_, length)| Value::gauge(length))
}

fn link(vrrp: &Vrrp, name: Option<&str>) -> Option<Value> {
    Some(Value::Integer(i32::try_from(vrrp.view().index(name?)?).ok()?))
}

pub(super) const ROUTE: &[Column<V>] = &[
    (2, |v, i| of_route(v, i, |r| Some(family(r.v6)))),
    (3, |v, i| of_route(v, i, |r| address(r.destination))),
    (4, |v, i| of_route(v, i, |r| length(r.destination))),
    (5, |v, i| of_route(v, i, |r| r.hop.via.map(Value::address))),
    (7, |v, i| of_route(v, i, |r| r.source.map(Value::address))),
    (8, |v, i| of_route(v, i, |r| Some(Value::gauge(r.metric.unwrap_or(0))))),
    (9, |v, i| of_route(v, i, |r| Some(Value::Integer(scope(r.scope.unwrap_or(0)))))),
    (10, |v, i| of_route(v, i, route_type)),
    (11, |v, i| link(v, route(v, i)?.hop.interface.as_deref())),
    (12, |v, i| of_route(v, i, |r| r.hop.interface.as_deref().map(Value::text))),
    (13, |v, i| of_route(v, i, |r| Some(Value::gauge(r.table())))),
    (14, |v, i| route(v, i).map(|_| Value::truth(is_set(v, i)))),
    (15, |v, i| of_route(v, i, |r| address(r.from))),
    (16, |v, i| of_route(v, i, |r| length(r.from))),
    (17, |v, i| of_route(v, i, |r| (r.tos != 0).then(|| Value::gauge(r.tos)))),
    (18, |v, i| of_route(v, i, |r| Some(Value::Integer(i32::from(r.protocol) + 1)))),
    (19, |v, i| {
        of_route(v, i, |r| {
            Some(Value::truth(metric(r, rtax::FEATURES).is_some_and(|m| m.value & rtax::ECN != 0)))
        })
    }),
    (20, |v, i| {
        of_route(v, i, |r| {
            Some(Value::truth(metric(r, rtax::QUICKACK).is_some_and(|m| m.value != 0)))
        })
    }),
    (21, |v, i| of_route(v, i, |r| Some(Value::Integer(i32::try_from(r.expires?).ok()?)))),
    (22, |v, i| of_route(v, i, |r| amount(r, rtax::MTU))),
    (23, |v, i| of_route(v, i, |r| locked(r, rtax::MTU))),
    (24, |v, i| of_route(v, i, |r| amount(r, rtax::HOPLIMIT))),
    (25, |v, i| of_route(v, i, |r| amount(r, rtax::ADVMSS))),
    (26, |v, i| of_route(v, i, |r| locked(r, rtax::ADVMSS))),
    (31, |v, i| of_route(v, i, |r| amount(r, rtax::REORDERING))),
    (32, |v, i| of_route(v, i, |r| locked(r, rtax::REORDERING))),
    (33, |v, i| of_route(v, i, |r| amount(r, rtax::WINDOW))),
    (34, |v, i| of_route(v, i, |r| amount(r, rtax::CWND))),
    (35, |v, i| of_route(v, i, |r| locked(r, rtax::CWND))),
    (36, |v, i| of_route(v, i, |r| amount(r, rtax::SSTHRESH))),
    (37, |v, i| of_route(v, i, |r| locked(r, rtax::SSTHRESH))),
    (40, |v, i| of_route(v, i, |r| amount(r, rtax::INITCWND))),
    (41, |v, i| of_route(v, i, |r| amount(r, rtax::INITRWND))),
    (42, |v, i| of_route(v, i, |r| r.congestion.as_ref().map(|(name, _)| Value::text(name)))),
    (44, |v, i| of_route(v, i, |r| r.hop.realms.map(|realms| Value::gauge(realms & 0xffff)))),
    (45, |v, i| of_route(v, i, |r| r.hop.realms.map(|realms| Value::gauge(realms >> 16)))),
];

fn metric(route: &Route, kind: u8) -> Option<&Metric> {
    route.metrics.iter().find(|metric| metric.kind == kind)
}

fn amount(route: &Route, kind: u8) -> Option<Value> {
    metric(route, kind).map(|metric| Value::gauge(metric.value))
}

fn locked(route: &Route, kind: u8) -> Option<Value> {
    metric(route, kind).map(|metric| Value::truth(metric.locked))
}

/// RouteType. Local routes have no number in it.
fn route_type(route: &Route) -> Option<Value> {
    Some(Value::Integer(match route.kind() {
        libc::RTN_UNICAST if !route.hops.is_empty() => 2,
        libc::RTN_UNICAST => 1,
        libc::RTN_BLACKHOLE => 3,
        libc::RTN_ANYCAST => 4,
        libc::RTN_MULTICAST => 5,
        libc::RTN_BROADCAST => 6,
        libc::RTN_UNREACHABLE => 7,
        libc::RTN_PROHIBIT => 8,
        libc::RTN_THROW => 9,
        libc::RTN_NAT => 10,
        libc::RTN_XRESOLVE => 11,
        _ => return None,
    }))
}

fn of_hop(vrrp: &Vrrp, index: &[u32], value: fn(&Hop) -> Option<Value>) -> Option<Value> {
    let (hop, path) = index.split_last()?;
    value(at(&route(vrrp, path)?.hops, *hop)?)
}

pub(super) const HOP: &[Column<V>] = &[
    (2, |v, i| of_hop(v, i, |h| h.via.map(Value::address_type))),
    (3, |v, i| of_hop(v, i, |h| h.via.map(Value::address))),
    (4, |vrrp, index| {
        let (hop, path) = index.split_last()?;
        link(vrrp, at(&route(vrrp, path)?.hops, *hop)?.interface.as_deref())
    }),
    (5, |v, i| of_hop(v, i, |h| h.interface.as_deref().map(Value::text))),
    (6, |v, i| of_hop(v, i, |h| Some(Value::gauge(h.weight)))),
    (7, |v, i| of_hop(v, i, |h| Some(Value::truth(h.onlink)))),
    (8, |v, i| of_hop(v, i, |h| h.realms.map(|realms| Value::gauge(realms & 0xffff)))),
    (9, |v, i| of_hop(v, i, |h| h.realms.map(|realms| Value::gauge(realms >> 16)))),
];

pub(super) const RULE: &[Column<V>] = &[
    (2, |v, i| of_rule(v, i, |r| direction(r).map(Value::text))),
    (3, |v, i| of_rule(v, i, |r| address_type(r.to.or(r.from)))),
    (4, |v, i| of_rule(v, i, |r| address(r.to.or(r.from)))),
    (5, |v, i| of_rule(v, i, |r| length(r.to.or(r.from)))),
    (6, |v, i| of_rule(v, i, table)),
    (7, |v, i| rule(v, i).map(|_| Value::truth(is_set(v, i)))),
    (8, |v, i| of_rule(v, i, |r| Some(Value::truth(r.invert)))),
    (9, |v, i| of_rule(v, i, |r| address_type(r.to))),
    (10, |v, i| of_rule(v, i, |r| address(r.to))),
    (11, |v, i| of_rule(v, i, |r| length(r.to))),
    (12, |v, i| of_rule(v, i, |r| address_type(r.from))),
    (13, |v, i| of_rule(v, i, |r| address(r.from))),
    (14, |v, i| of_rule(v, i, |r| length(r.from))),
    (15, |v, i| of_rule(v, i, |r| Some(Value::gauge(r.tos)))),
    (16, |v, i| of_rule(v, i, |r| r.mark.map(Value::gauge))),
    (17, |v, i| of_rule(v, i, |r| r.mask.map(Value::gauge))),
    (18, |v, i| of_rule(v, i, |r| r.realms.map(|realms| Value::gauge(realms & 0xffff)))),
    (19, |v, i| of_rule(v, i, |r| r.realms.map(|realms| Value::gauge(realms >> 16)))),
    (20, |v, i| of_rule(v, i, |r| r.input.as_deref().map(Value::text))),
    (21, |v, i| of_rule(v, i, |r| r.output.as_deref().map(Value::text))),
    (22, |v, i| of_rule(v, i, target)),
    (23, |v, i| of_rule(v, i, |r| Some(Value::Integer(action(r))))),
    (24, |v, i| of_rule(v, i, table)),
    (25, |v, i| of_rule(v, i, |r| Some(Value::gauge(r.preference)))),
    (26, |v, i| of_rule(v, i, |r| r.suppress_length.map(Value::gauge))),
    (28, |v, i| of_rule(v, i, |r| r.tunnel.map(|tunnel| Value::gauge(tunnel >> 32)))),
    (29, |v, i| of_rule(v, i, |r| r.tunnel.map(|tunnel| Value::gauge(tunnel & 0xffff_ffff)))),
    (30, |v, i| of_rule(v, i, |r| r.users.map(|(first, _)| Value::gauge(first)))),
    (31, |v, i| of_rule(v, i, |r| r.users.map(|(_, last)| Value::gauge(last)))),
    (34, |v, i| of_rule(v, i, |r| r.transport.map(Value::gauge))),
    (35, |v, i| of_rule(v, i, |r| r.source_ports.map(|(first, _)| Value::gauge(first)))),
    (36, |v, i| of_rule(v, i, |r| r.source_ports.map(|(_, last)| Value::gauge(last)))),
    (37, |v, i| of_rule(v, i, |r| r.destination_ports.map(|(first, _)| Value::gauge(first)))),
    (38, |v, i| of_rule(v, i, |r| r.destination_ports.map(|(_, last)| Value::gauge(last)))),
];

fn direction(rule: &Rule) -> Option<&'static str> {
    match (rule.from, rule.to) {
        (Some(_), Some(_)) => Some("both"),
        (Some(_), None) => Some("from"),
        (None, Some(_)) => Some("to"),
        (None, None) => None,
    }
}

/// RuleAction.
fn action(rule: &Rule) -> i32 {
    match rule.action {
        RuleAction::Table(_) | RuleAction::L3mdev => 1,
        RuleAction::Goto(_) => 2,
        RuleAction::Nop => 3,
        RuleAction::Blackhole => 6,
        RuleAction::Unreachable => 7,
        RuleAction::Prohibit => 8,
    }
}

fn table(rule: &Rule) -> Option<Value> {
    match rule.action {
        RuleAction::Table(table) => Some(Value::gauge(table)),
        _ => None,
    }
}

fn target(rule: &Rule) -> Option<Value> {
    match rule.action {
        RuleAction::Goto(preference) => Some(Value::gauge(preference)),
        _ => None,
    }
}
