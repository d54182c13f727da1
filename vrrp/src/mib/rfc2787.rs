//! VRRP-MIB (RFC 2787): IPv4 instances of version 2.

use std::net::{IpAddr, Ipv4Addr};

use snmp::table::{self, Column, only};
use snmp::{Table, Trap, Value, VarBind};

use super::rows;
use crate::instance::Instance;
use crate::packet::{Counter, Stats};
use crate::runtime::{Refusal, Vrrp};

/// `vrrpMIB`.
pub const SUBTREE: &[u32] = &[1, 3, 6, 1, 2, 1, 68];

macro_rules! below {
    ($($part:literal),*) => { &[1, 3, 6, 1, 2, 1, 68, $($part),*] };
}

type V = Vrrp;

/// All tables, in the order of their numbers. The key of a password is never read, so that it is not there.
pub static TABLES: &[Table<V>] = &[
    Table {
        entry: below!(1),
        // vrrpNotificationCntl: what is sent is the configuration's to say.
        columns: &[(1, |_, i| only(i, Value::Integer(2))), (2, |_, i| only(i, Value::Integer(1)))],
        next: table::single,
    },
    Table {
        entry: below!(1, 3, 1),
        columns: OPERATIONS,
        next: |v, after| rows::next(&v.rows().v2, after),
    },
    Table {
        entry: below!(1, 4, 1),
        columns: &[(2, |v, i| rows::find(&v.rows().v2_addresses, i).map(|_| Value::Integer(1)))],
        next: |v, after| rows::next(&v.rows().v2_addresses, after),
    },
    Table {
        entry: below!(2),
        columns: &[
            (1, |v, i| only(i, counter(super::sum(v, |s| s.chk_err)))),
            (2, |v, i| only(i, counter(super::sum(v, |s| s.vers_err)))),
            (3, |v, i| only(i, counter(v.dropped().unknown_vrid))),
        ],
        next: table::single,
    },
    Table {
        entry: below!(2, 4, 1),
        columns: STATISTICS,
        next: |v, after| rows::next(&v.rows().v2, after),
    },
];

/// Counter32 wraps.
#[allow(clippy::cast_possible_truncation)]
fn counter(count: u64) -> Value {
    Value::Counter32(count as u32)
}

fn of(vrrp: &V, index: &[u32], value: fn(&V, &Instance) -> Option<Value>) -> Option<Value> {
    value(vrrp, vrrp.router().instances().get(rows::find(&vrrp.rows().v2, index)?)?)
}

fn by(vrrp: &V, index: &[u32], value: fn(&Stats) -> u64) -> Option<Value> {
    let instance = vrrp.router().instances().get(rows::find(&vrrp.rows().v2, index)?)?;
    Some(counter(value(&instance.stats)))
}

/// Index: interface, VRID.
const OPERATIONS: &[Column<V>] = &[
    (2, |v, i| of(v, i, super::mac)),
    (3, |v, i| of(v, i, |_, x| Some(Value::Integer(super::status(x.state()))))),
    (4, |v, i| of(v, i, |_, _| Some(Value::Integer(1)))),
    (5, |v, i| of(v, i, |_, x| Some(Value::Integer(x.settings.priority.into())))),
    (6, |v, i| of(v, i, |_, x| Some(super::count(x)))),
    (7, |v, i| of(v, i, |_, x| Some(address(super::master(x))))),
    (8, |v, i| of(v, i, |_, x| Some(address(x.source)))),
    (9, |v, i| {
        of(v, i, |_, x| Some(Value::Integer(i32::from(x.settings.authentication.number()) + 1)))
    }),
    (11, |v, i| {
        of(v, i, |_, x| {
            let seconds = i32::try_from(x.settings.advert_interval.as_secs());
            Some(Value::Integer(seconds.unwrap_or(i32::MAX)))
        })
    }),
    (12, |v, i| of(v, i, |_, x| Some(Value::truth(!x.settings.nopreempt)))),
    // On a clock that begins with the daemon.
    (13, |v, i| {
        of(v, i, |v, x| {
            let at = if super::is_up(x) { x.up_since } else { v.router().started_at() };
            Some(super::ticks(at.since(v.router().started_at())))
        })
    }),
    (14, |v, i| of(v, i, |_, _| Some(Value::Integer(1)))),
    (15, |v, i| of(v, i, |_, _| Some(Value::Integer(1)))),
];

/// Index: interface, VRID.
const STATISTICS: &[Column<V>] = &[
    (1, |v, i| by(v, i, |s| s.become_master)),
    (2, |v, i| by(v, i, |s| s.advert_rcvd)),
    (3, |v, i| by(v, i, |s| s.advert_interval_err)),
    (4, |v, i| by(v, i, |s| s.auth_failure)),
    (5, |v, i| by(v, i, |s| s.ip_ttl_err)),
    (6, |v, i| by(v, i, |s| s.pri_zero_rcvd)),
    (7, |v, i| by(v, i, |s| s.pri_zero_sent)),
    (8, |v, i| by(v, i, |s| s.invalid_type_rcvd)),
    (9, |v, i| by(v, i, |s| s.addr_list_err)),
    (10, |v, i| by(v, i, |s| s.invalid_authtype)),
    (11, |v, i| by(v, i, |s| s.authtype_mismatch)),
    (12, |v, i| by(v, i, |s| s.packet_len_err)),
];

fn address(address: Option<IpAddr>) -> Value {
    Value::IpAddress(match address {
        Some(IpAddr::V4(ip)) => ip,
        _ => Ipv4Addr::UNSPECIFIED,
    })
}

/// A column of an instance's row; `None` when it has none.
fn name(vrrp: &V, instance: &Instance, column: &[u32]) -> Option<Vec<u32>> {
    let settings = &instance.settings;
    if !super::is_v2(settings) {
        return None;
    }
    let link = rows::index(instance, vrrp.view())?;
    Some([SUBTREE, column, &[link, settings.vrid.into()]].concat())
}

/// `vrrpTrapNewMaster`, if the instance is one of these.
pub fn new_master(vrrp: &V, instance: usize) -> Option<Trap> {
    let instance = vrrp.router().instances().get(instance)?;
    let name = name(vrrp, instance, &[1, 3, 1, 7])?;
    let binds = vec![VarBind::new(name, address(instance.source))];
    Some(Trap { name: below!(0, 1).to_vec(), binds })
}

/// `vrrpTrapAuthFailure`, if that is what it was refused for.
pub fn auth_failure(vrrp: &V, refusal: &Refusal) -> Option<Trap> {
    // invalidAuthType(1), authTypeMismatch(2), authFailure(3).
    let kind = match refusal.counter {
        Counter::InvalidAuthtype => 1,
        Counter::AuthtypeMismatch => 2,
        Counter::AuthFailure => 3,
        _ => return None,
    };
    let instance = vrrp.router().instances().get(refusal.instance)?;
    let binds = vec![
        VarBind::new(name(vrrp, instance, &[1, 5])?, address(Some(refusal.source))),
        VarBind::new(name(vrrp, instance, &[1, 6])?, Value::Integer(kind)),
    ];
    Some(Trap { name: below!(0, 2).to_vec(), binds })
}
