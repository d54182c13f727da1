//! VRRPV3-MIB (RFC 6527): instances of both versions and families.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use snmp::table::{self, Column, only};
use snmp::{Table, Trap, Value, VarBind};

use super::rows;
use crate::config::{Family, Version};
use crate::instance::Instance;
use crate::packet::{Counter, Stats};
use crate::runtime::{Refusal, Vrrp};

/// `vrrpv3MIB`.
pub const SUBTREE: &[u32] = &[1, 3, 6, 1, 2, 1, 207];

macro_rules! below {
    ($($part:literal),*) => { &[1, 3, 6, 1, 2, 1, 207, $($part),*] };
}

type V = Vrrp;

/// All tables, in the order of their numbers. The octets of an address in an index have no length before them: that is how
/// the C daemon has always had it, though RFC 2578 §7.7 asks for one.
pub static TABLES: &[Table<V>] = &[
    Table {
        entry: below!(1, 1, 1, 1),
        columns: OPERATIONS,
        next: |v, after| rows::next(&v.rows().v3, after),
    },
    Table {
        entry: below!(1, 1, 2, 1),
        columns: &[(2, |v, i| rows::find(&v.rows().v3_addresses, i).map(|_| Value::Integer(1)))],
        next: |v, after| rows::next(&v.rows().v3_addresses, after),
    },
    Table {
        entry: below!(1, 2),
        columns: &[
            (1, |v, i| only(i, Value::Counter64(super::sum(v, |s| s.chk_err)))),
            (2, |v, i| only(i, Value::Counter64(super::sum(v, |s| s.vers_err)))),
            (3, |v, i| only(i, Value::Counter64(v.dropped().unknown_vrid))),
            // Counters never begin anew.
            (4, |_, i| only(i, Value::TimeTicks(0))),
        ],
        next: table::single,
    },
    Table {
        entry: below!(1, 2, 5, 1),
        columns: STATISTICS,
        next: |v, after| rows::next(&v.rows().v3, after),
    },
];

fn of(vrrp: &V, index: &[u32], value: fn(&V, &Instance) -> Option<Value>) -> Option<Value> {
    value(vrrp, vrrp.router().instances().get(rows::find(&vrrp.rows().v3, index)?)?)
}

fn by(vrrp: &V, index: &[u32], value: fn(&Stats) -> u64) -> Option<Value> {
    let instance = vrrp.router().instances().get(rows::find(&vrrp.rows().v3, index)?)?;
    Some(Value::Counter64(value(&instance.stats)))
}

/// Index: interface, VRID, type of address.
const OPERATIONS: &[Column<V>] = &[
    (3, |v, i| of(v, i, |_, x| Some(address(x, super::master(x))))),
    (4, |v, i| of(v, i, |_, x| Some(address(x, x.source)))),
    (5, |v, i| of(v, i, super::mac)),
    (6, |v, i| of(v, i, |_, x| Some(Value::Integer(super::status(x.state()))))),
    (7, |v, i| of(v, i, |_, x| Some(Value::gauge(x.settings.priority)))),
    (8, |v, i| of(v, i, |_, x| Some(super::count(x)))),
    (9, |v, i| {
        of(v, i, |_, x| {
            let centiseconds = i32::try_from(x.settings.advert_interval.as_millis() / 10);
            Some(Value::Integer(centiseconds.unwrap_or(i32::MAX)))
        })
    }),
    (10, |v, i| of(v, i, |_, x| Some(Value::truth(!x.settings.nopreempt)))),
    (11, |v, i| {
        let accepts = |x: &Instance| x.settings.version == Version::V2 || x.settings.accept;
        let instance = v.router().instances().get(rows::find(&v.rows().v3, i)?)?;
        Some(Value::truth(accepts(instance)))
    }),
    (12, |v, i| {
        of(v, i, |v, x| {
            let since = if super::is_up(x) { x.up_since } else { v.rows().now };
            Some(super::ticks(v.rows().now.since(since)))
        })
    }),
    (13, |v, i| of(v, i, |_, _| Some(Value::Integer(1)))),
];

/// Index: interface, VRID, type of address.
const STATISTICS: &[Column<V>] = &[
    // Counter32 wraps.
    #[allow(clippy::cast_possible_truncation)]
    (1, |v, i| of(v, i, |_, x| Some(Value::Counter32(x.stats.become_master as u32)))),
    (2, |v, i| of(v, i, |_, x| Some(Value::Integer(x.reason as i32)))),
    (3, |v, i| by(v, i, |s| s.advert_rcvd)),
    (4, |v, i| by(v, i, |s| s.advert_interval_err)),
    (5, |v, i| by(v, i, |s| s.ip_ttl_err)),
    (6, |v, i| of(v, i, |_, x| Some(Value::Integer(x.last_error.and_then(error).unwrap_or(0))))),
    (7, |v, i| by(v, i, |s| s.pri_zero_rcvd)),
    (8, |v, i| by(v, i, |s| s.pri_zero_sent)),
    (9, |v, i| by(v, i, |s| s.invalid_type_rcvd)),
    (10, |v, i| by(v, i, |s| s.addr_list_err)),
    (11, |v, i| by(v, i, |s| s.packet_len_err)),
    (12, |v, i| of(v, i, |_, _| Some(Value::TimeTicks(0)))),
    (13, |v, i| of(v, i, |_, x| Some(Value::gauge(x.settings.advert_interval.as_millis())))),
];

/// ipTtlError(1), versionError(2), checksumError(3). One of an unknown VRID is of no instance.
fn error(counter: Counter) -> Option<i32> {
    match counter {
        Counter::IpTtlErr => Some(1),
        Counter::VersErr => Some(2),
        Counter::ChkErr => Some(3),
        _ => None,
    }
}

fn address(instance: &Instance, address: Option<IpAddr>) -> Value {
    Value::address(address.unwrap_or(match instance.settings.family {
        Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
        Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
    }))
}

fn name(vrrp: &V, instance: &Instance, column: &[u32]) -> Option<Vec<u32>> {
    let settings = &instance.settings;
    let link = rows::index(instance, vrrp.view())?;
    let index = [link, settings.vrid.into(), rows::address_type(settings.family)];
    Some([SUBTREE, column, &index].concat())
}

/// `vrrpv3NewMaster`, and the reason in it.
pub fn new_master(vrrp: &V, instance: usize) -> Option<(Trap, i32)> {
    let instance = vrrp.router().instances().get(instance)?;
    let reason = instance.reason as i32;
    let binds = vec![
        VarBind::new(name(vrrp, instance, &[1, 1, 1, 1, 3])?, address(instance, instance.source)),
        VarBind::new(name(vrrp, instance, &[1, 2, 5, 1, 2])?, Value::Integer(reason)),
    ];
    Some((Trap { name: below!(0, 1).to_vec(), binds }, reason))
}

/// `vrrpv3ProtoError`, if that is what it was refused for.
pub fn proto_error(vrrp: &V, refusal: &Refusal) -> Option<Trap> {
    let kind = error(refusal.counter)?;
    let instance = vrrp.router().instances().get(refusal.instance)?;
    let name = name(vrrp, instance, &[1, 2, 5, 1, 6])?;
    Some(Trap {
        name: below!(0, 2).to_vec(),
        binds: vec![VarBind::new(name, Value::Integer(kind))],
    })
}
