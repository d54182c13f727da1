//! `realServerTable`: the sorry server, where there is one, then the real servers.

use std::net::IpAddr;
use std::time::Duration;

use ipvs::{Forwarding, Statistics};
use snmp::table::{self, Column};
use snmp::{Oid, Value};

use super::{
    at, high, low, method, micros, script, seconds, service, tunnel, tunnel_checksum, tunnel_port,
    up_to,
};
use crate::runtime::Check;
use crate::service::{Counted, Real, Service, Sorry};

/// One row.
enum Row<'a> {
    Sorry(&'a Sorry),
    Real(&'a Real),
}

/// Virtual server, row.
pub(super) fn next(check: &Check, after: &[u32]) -> Option<Oid> {
    table::following(after, 2, &|before| match before {
        [number] => up_to(service(check, *number).map_or(0, count)),
        _ => up_to(check.order().len()),
    })
}

fn count(service: &Service) -> usize {
    service.reals.len() + usize::from(service.sorry.is_some())
}

fn row<'a>(check: &'a Check, index: &[u32]) -> Option<Row<'a>> {
    let [number, position] = *index else { return None };
    let service = service(check, number)?;
    let position = match (&service.sorry, position) {
        (Some(sorry), 1) => return Some(Row::Sorry(sorry)),
        (Some(_), position) => position.checked_sub(1)?,
        (None, position) => position,
    };
    at(&service.reals, position).map(Row::Real)
}

fn of(check: &Check, index: &[u32], value: fn(&Row<'_>) -> Option<Value>) -> Option<Value> {
    value(&row(check, index)?)
}

/// What only real servers have.
fn real(check: &Check, index: &[u32], value: fn(&Real) -> Option<Value>) -> Option<Value> {
    match row(check, index)? {
        Row::Real(real) => value(real),
        Row::Sorry(_) => None,
    }
}

/// A time of its checkers in some unit. A sorry server has no checkers: 0.
fn time(
    check: &Check,
    index: &[u32],
    unit: fn(Option<Duration>) -> Value,
    value: fn(&Real) -> Option<Duration>,
) -> Option<Value> {
    Some(match row(check, index)? {
        Row::Real(real) => unit(value(real)),
        Row::Sorry(_) => unit(None),
    })
}

/// What a sorry server never is.
fn choice(check: &Check, index: &[u32], value: fn(&Real) -> bool) -> Option<Value> {
    Some(match row(check, index)? {
        Row::Real(real) => Value::truth(value(real)),
        Row::Sorry(_) => Value::truth(false),
    })
}

/// What was counted of it.
fn open(check: &Check, index: &[u32], value: fn(&Counted) -> u32) -> Option<Value> {
    counts(check, index).map(|counted| Value::Gauge32(value(&counted)))
}

fn counted(check: &Check, index: &[u32], value: fn(&Statistics) -> Value) -> Option<Value> {
    counts(check, index).map(|counted| value(&counted.statistics))
}

fn counts(check: &Check, index: &[u32]) -> Option<Counted> {
    let place = row(check, index)?.place();
    check.ask_statistics();
    let counters = service(check, *index.first()?)?.counters.as_ref();
    Some(counters.map(|counters| counters.of(place)).unwrap_or_default())
}

/// Index: virtual server, row.
pub(super) const COLUMNS: &[Column<Check>] = &[
    (2, |c, i| of(c, i, |r| Some(Value::Integer(if matches!(r, Row::Real(_)) { 1 } else { 2 })))),
    (3, |c, i| of(c, i, |r| Some(Value::address_type(r.place().0)))),
    (4, |c, i| of(c, i, |r| Some(Value::address(r.place().0)))),
    (5, |c, i| of(c, i, |r| Some(Value::gauge(r.place().1)))),
    (6, |c, i| real(c, i, |r| Some(Value::truth(r.alive)))),
    (7, |c, i| real(c, i, |r| Some(Value::Integer(i32::try_from(r.weight).unwrap_or(i32::MAX))))),
    (8, |c, i| real(c, i, |r| threshold(r.settings.upper_threshold))),
    (9, |c, i| real(c, i, |r| threshold(r.settings.lower_threshold))),
    (10, |c, i| real(c, i, |r| Some(Value::Integer(if r.settings.inhibit { 2 } else { 1 })))),
    (11, |c, i| real(c, i, |r| script(r.settings.notify_up.as_deref()))),
    (12, |c, i| real(c, i, |r| script(r.settings.notify_down.as_deref()))),
    (13, |c, i| real(c, i, |r| Some(Value::gauge(r.failed)))),
    (14, |c, i| counted(c, i, |n| Value::Gauge32(low(n.connections)))),
    (15, |c, i| open(c, i, |n| n.active)),
    (16, |c, i| open(c, i, |n| n.inactive)),
    (17, |c, i| open(c, i, |n| n.persistent)),
    (18, |c, i| counted(c, i, |n| Value::Counter32(low(n.packets_in)))),
    (19, |c, i| counted(c, i, |n| Value::Counter32(low(n.packets_out)))),
    (20, |c, i| counted(c, i, |n| Value::Counter64(n.bytes_in))),
    (21, |c, i| counted(c, i, |n| Value::Counter64(n.bytes_out))),
    (22, |c, i| counted(c, i, |n| Value::gauge(n.connection_rate))),
    (23, |c, i| counted(c, i, |n| Value::gauge(n.packet_rate_in))),
    (24, |c, i| counted(c, i, |n| Value::gauge(n.packet_rate_out))),
    (25, |c, i| counted(c, i, |n| Value::gauge(n.byte_rate_in))),
    (26, |c, i| counted(c, i, |n| Value::gauge(n.byte_rate_out))),
    (27, |c, i| counted(c, i, |n| Value::Counter64(n.connections))),
    (28, |c, i| counted(c, i, |n| Value::Counter64(n.packets_in))),
    (29, |c, i| counted(c, i, |n| Value::Counter64(n.packets_out))),
    (30, |c, i| counted(c, i, |n| Value::Gauge32(low(n.connection_rate)))),
    (31, |c, i| counted(c, i, |n| Value::Gauge32(high(n.connection_rate)))),
    (32, |c, i| counted(c, i, |n| Value::Gauge32(low(n.packet_rate_in)))),
    (33, |c, i| counted(c, i, |n| Value::Gauge32(high(n.packet_rate_in)))),
    (34, |c, i| counted(c, i, |n| Value::Gauge32(low(n.packet_rate_out)))),
    (35, |c, i| counted(c, i, |n| Value::Gauge32(high(n.packet_rate_out)))),
    (36, |c, i| counted(c, i, |n| Value::Gauge32(low(n.byte_rate_in)))),
    (37, |c, i| counted(c, i, |n| Value::Gauge32(high(n.byte_rate_in)))),
    (38, |c, i| counted(c, i, |n| Value::Gauge32(low(n.byte_rate_out)))),
    (39, |c, i| counted(c, i, |n| Value::Gauge32(high(n.byte_rate_out)))),
    (40, |c, i| of(c, i, |r| Some(method(r.forwarding())))),
    (41, |c, i| real(c, i, |r| r.settings.shown.virtualhost.as_deref().map(Value::text))),
    (42, |c, i| choice(c, i, |r| r.settings.shown.alpha)),
    (43, |c, i| {
        of(c, i, |r| {
            let retry = match r {
                Row::Real(real) => real.settings.shown.retry,
                Row::Sorry(_) => None,
            };
            Some(Value::gauge(retry.unwrap_or(0)))
        })
    }),
    (44, |c, i| time(c, i, seconds, |r| r.settings.shown.delay_before_retry)),
    (45, |c, i| time(c, i, seconds, |r| r.settings.shown.warmup)),
    (46, |c, i| time(c, i, seconds, |r| Some(r.settings.shown.delay_loop))),
    (47, |c, i| choice(c, i, |r| r.settings.smtp_alert)),
    (48, |c, i| time(c, i, micros, |r| r.settings.shown.delay_before_retry)),
    (49, |c, i| time(c, i, micros, |r| r.settings.shown.warmup)),
    (50, |c, i| time(c, i, micros, |r| Some(r.settings.shown.delay_loop))),
    (51, |c, i| time(c, i, micros, |r| Some(r.settings.shown.connect_timeout))),
    (52, |c, i| of(c, i, |r| tunnel(r.forwarding()))),
    (53, |c, i| of(c, i, |r| tunnel_port(r.forwarding()))),
    (54, |c, i| of(c, i, |r| tunnel_checksum(r.forwarding()))),
    (55, |c, i| real(c, i, |r| r.settings.shown.snmp_name.as_deref().map(Value::text))),
];

impl Row<'_> {
    /// Address and port.
    fn place(&self) -> (IpAddr, u16) {
        match self {
            Row::Real(real) => (real.settings.address, real.settings.port),
            Row::Sorry(sorry) => (sorry.settings.address, sorry.settings.port),
        }
    }

    fn forwarding(&self) -> Forwarding {
        match self {
            Row::Real(real) => real.settings.forwarding,
            Row::Sorry(sorry) => sorry.settings.forwarding,
        }
    }
}

/// One that is 0 does not exist.
fn threshold(connections: u32) -> Option<Value> {
    (connections > 0).then(|| Value::gauge(connections))
}
