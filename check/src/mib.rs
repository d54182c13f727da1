//! Load balancing as SNMP sees it: the objects below `check` of KEEPALIVED-MIB, and its notifications.
//!
//! Each table stands for what was configured and what is, without a copy of either: an object is looked up when somebody
//! asks for it. Nothing can be set, not even the weight of a real server.

mod group;
mod real_server;
mod virtual_server;

use std::ops::RangeInclusive;
use std::time::Duration;

use notify::Script;
use snmp::table::{self, only};
use snmp::{Oid, Table, Trap, Value, VarBind};

use crate::keywords::SyncDaemon;
use crate::runtime::Check;
use crate::service::Service;
use crate::settings::{Arguments, Identity, Protocol};
use ipvs::{Checksum, Forwarding, Tunnel};

/// KEEPALIVED-MIB's `check`.
pub const SUBTREE: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 3];

/// The identifier of something below [`SUBTREE`].
macro_rules! below {
    ($($part:literal),*) => { &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 3, $($part),*] };
}

/// All tables, in the order of their numbers.
pub static TABLES: &[Table<Check>] = &[
    Table {
        entry: below!(1, 1),
        columns: group::GROUP,
        next: |check, after| rows(after, check.shown.groups.len()),
    },
    Table { entry: below!(2, 1), columns: group::MEMBER, next: group::next_member },
    Table {
        entry: below!(3, 1),
        columns: virtual_server::COLUMNS,
        next: |check, after| rows(after, check.order().len()),
    },
    Table { entry: below!(4, 1), columns: real_server::COLUMNS, next: real_server::next },
    Table {
        entry: below!(6),
        columns: &[
            (1, |c, i| only(i, Value::truth(c.globals().sync_daemon.is_some()))),
            (2, |c, i| sync_daemon(c, i, |d| Some(Value::text(&d.interface)))),
            (3, |c, i| sync_daemon(c, i, |d| d.instance.as_deref().map(Value::text))),
            (4, |c, i| sync_daemon(c, i, |d| d.id.map(integer))),
            (5, |c, i| sync_daemon(c, i, |d| d.max_length.map(integer))),
            (6, |c, i| sync_daemon(c, i, |d| d.port.map(integer))),
            (7, |c, i| sync_daemon(c, i, |d| d.ttl.map(integer))),
            (8, |c, i| sync_daemon(c, i, |d| d.group.map(Value::address_type))),
            (9, |c, i| sync_daemon(c, i, |d| d.group.map(Value::address))),
        ],
        next: table::single,
    },
    Table {
        entry: below!(7),
        columns: &[
            (1, |c, i| timeout(i, c.globals().timeouts.tcp)),
            (2, |c, i| timeout(i, c.globals().timeouts.tcp_fin)),
            (3, |c, i| timeout(i, c.globals().timeouts.udp)),
        ],
        next: table::single,
    },
];

/// What is found at a number from 1.
fn at<T>(list: &[T], number: u32) -> Option<&T> {
    list.get((number as usize).checked_sub(1)?)
}

fn up_to(count: usize) -> RangeInclusive<u32> {
    1..=u32::try_from(count).unwrap_or(u32::MAX)
}

/// The index after `after` of a list.
fn rows(after: &[u32], count: usize) -> Option<Oid> {
    table::following(after, 1, &|_| up_to(count))
}

/// The virtual server of a number.
fn service(check: &Check, number: u32) -> Option<&Service> {
    check.service(*at(check.order(), number)?)
}

fn integer(number: impl Into<i32>) -> Value {
    Value::Integer(number.into())
}

fn sync_daemon(
    check: &Check,
    index: &[u32],
    value: fn(&SyncDaemon) -> Option<Value>,
) -> Option<Value> {
    only(index, value(check.globals().sync_daemon.as_ref()?)?)
}

/// In seconds; one that is not set is not there.
fn timeout(index: &[u32], seconds: u32) -> Option<Value> {
    let seconds = i32::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    only(index, Value::Integer(seconds))
}

fn script(script: Option<&Script>) -> Option<Value> {
    script.map(|script| Value::text(&Arguments(&script.argv).to_string()))
}

/// In whole seconds; 0 without one.
fn seconds(time: Option<Duration>) -> Value {
    Value::gauge(time.unwrap_or_default().as_secs())
}

/// In microseconds; 0 without one.
fn micros(time: Option<Duration>) -> Value {
    Value::gauge(time.unwrap_or_default().as_micros())
}

/// The lower half of a number: what a counter of 32 bits shows.
#[allow(clippy::cast_possible_truncation)]
fn low(number: u64) -> u32 {
    number as u32
}

/// The upper half.
#[allow(clippy::cast_possible_truncation)]
fn high(number: u64) -> u32 {
    (number >> 32) as u32
}

/// nat(1), dr(2), tun(3).
fn method(forwarding: Forwarding) -> Value {
    Value::Integer(match forwarding {
        Forwarding::Nat => 1,
        Forwarding::Direct => 2,
        Forwarding::Tunnel(..) => 3,
    })
}

/// ipip(1), gue(2), gre(3).
fn tunnel(forwarding: Forwarding) -> Option<Value> {
    let Forwarding::Tunnel(tunnel, _) = forwarding else { return None };
    Some(Value::Integer(match tunnel {
        Tunnel::Ipip => 1,
        Tunnel::Gue(_) => 2,
        Tunnel::Gre => 3,
    }))
}

fn tunnel_port(forwarding: Forwarding) -> Option<Value> {
    match forwarding {
        Forwarding::Tunnel(Tunnel::Gue(port), _) => Some(Value::gauge(port)),
        _ => None,
    }
}

/// nocsum(1), csum(2), remcsum(3). IP in IP has none.
fn tunnel_checksum(forwarding: Forwarding) -> Option<Value> {
    match forwarding {
        Forwarding::Tunnel(Tunnel::Gue(_) | Tunnel::Gre, checksum) => {
            Some(Value::Integer(match checksum {
                Checksum::None => 1,
                Checksum::Full => 2,
                Checksum::Remote => 3,
            }))
        }
        _ => None,
    }
}

/// Names in notifications are those of columns, without an index.
fn of_column(name: &[u32], value: Value) -> VarBind {
    VarBind::new(name.to_vec(), value)
}

/// The notification that a real server is `up` or not; the caller adds `routerId`.
pub(crate) fn real_server_trap(service: &Service, index: usize, up: bool) -> Option<Trap> {
    let server = &service.reals.get(index)?.settings;
    let mut binds = vec![
        of_column(below!(4, 1, 3), Value::address_type(server.address)),
        of_column(below!(4, 1, 4), Value::address(server.address)),
        of_column(below!(4, 1, 5), Value::gauge(server.port)),
        of_column(below!(4, 1, 6), Value::truth(up)),
    ];
    whose(service, &mut binds);
    counts(service, &mut binds);
    Some(Trap { name: below!(5, 0, 1).to_vec(), binds })
}

/// The notification that a virtual server has a quorum or not; the caller adds `routerId`.
pub(crate) fn quorum_trap(service: &Service, status: QuorumStatus) -> Trap {
    let mut binds = Vec::new();
    whose(service, &mut binds);
    binds.push(of_column(below!(3, 1, 23), status.value()));
    binds.push(of_column(below!(3, 1, 22), Value::gauge(service.settings.quorum)));
    counts(service, &mut binds);
    Trap { name: below!(5, 0, 2).to_vec(), binds }
}

/// What is said about a quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum QuorumStatus {
    Met,
    NotMet,
    /// The virtual server ends.
    Shutdown,
}

impl QuorumStatus {
    fn value(self) -> Value {
        Value::Integer(match self {
            QuorumStatus::Met => 1,
            QuorumStatus::NotMet => 2,
            QuorumStatus::Shutdown => 3,
        })
    }
}

/// Which virtual server a notification is about. Here the protocol is tcp(1) or udp(2), the latter for all others.
fn whose(service: &Service, binds: &mut Vec<VarBind>) {
    let s = &service.settings;
    binds.push(of_column(below!(3, 1, 2), virtual_server::kind(&s.identity)));
    match &s.identity {
        Identity::Group(group, _) => {
            binds.push(of_column(below!(3, 1, 3), Value::text(&group.name)));
        }
        Identity::Mark(mark) => binds.push(of_column(below!(3, 1, 4), Value::gauge(*mark))),
        Identity::Address(ip, port) => {
            binds.push(of_column(below!(3, 1, 5), Value::address_type(*ip)));
            binds.push(of_column(below!(3, 1, 6), Value::address(*ip)));
            binds.push(of_column(below!(3, 1, 7), Value::gauge(*port)));
        }
    }
    binds.push(of_column(below!(3, 1, 8), Value::truth(s.protocol == Some(Protocol::Tcp))));
}

fn counts(service: &Service, binds: &mut Vec<VarBind>) {
    binds.push(of_column(below!(3, 1, 21), Value::gauge(service.alive)));
    binds.push(of_column(below!(3, 1, 20), Value::gauge(service.reals.len())));
}
