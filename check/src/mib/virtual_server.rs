//! `virtualServerTable`.

use std::net::{IpAddr, Ipv4Addr};

use ipvs::{Family, Statistics};
use snmp::Value;
use snmp::table::Column;

use super::{
    QuorumStatus, high, low, method, micros, script, seconds, service, tunnel, tunnel_checksum,
    tunnel_port,
};
use crate::runtime::Check;
use crate::service::Service;
use crate::settings::{Identity, Protocol, VirtualServer};

fn of(check: &Check, index: &[u32], value: fn(&Service) -> Option<Value>) -> Option<Value> {
    let [number] = *index else { return None };
    value(service(check, number)?)
}

fn by(check: &Check, index: &[u32], value: fn(&VirtualServer) -> Option<Value>) -> Option<Value> {
    let [number] = *index else { return None };
    value(&service(check, number)?.settings)
}

/// What was counted of it.
fn counted(check: &Check, index: &[u32], value: fn(&Statistics) -> Value) -> Option<Value> {
    let [number] = *index else { return None };
    let service = service(check, number)?;
    check.ask_statistics();
    let counters = service.counters.as_ref();
    Some(value(&counters.map(|counters| counters.service).unwrap_or_default()))
}

/// Index: virtual server.
pub(super) const COLUMNS: &[Column<Check>] = &[
    (2, |c, i| by(c, i, |s| Some(kind(&s.identity)))),
    (3, |c, i| {
        by(c, i, |s| match &s.identity {
            Identity::Group(group, _) => Some(Value::text(&group.name)),
            _ => None,
        })
    }),
    (4, |c, i| {
        by(c, i, |s| match s.identity {
            Identity::Mark(mark) => Some(Value::gauge(mark)),
            _ => None,
        })
    }),
    (5, |c, i| by(c, i, |s| Some(Value::Integer(if is_v6(s) { 2 } else { 1 })))),
    (6, |c, i| {
        by(c, i, |s| match s.identity {
            Identity::Address(ip, _) => Some(Value::address(ip)),
            _ => None,
        })
    }),
    (7, |c, i| {
        by(c, i, |s| match s.identity {
            Identity::Address(_, port) => Some(Value::gauge(port)),
            _ => None,
        })
    }),
    (8, |c, i| by(c, i, protocol)),
    (9, |c, i| by(c, i, |s| Some(Value::Integer(scheduler(s.scheduler))))),
    (10, |c, i| by(c, i, |s| Some(method(s.forwarding)))),
    // One is as soon as it is in the table, and that is before anybody can ask.
    (11, |c, i| by(c, i, |_| Some(Value::Integer(1)))),
    (12, |c, i| by(c, i, |s| s.virtualhost.as_deref().map(Value::text))),
    (13, |c, i| by(c, i, |s| Some(Value::truth(s.persistence > 0)))),
    (14, |c, i| by(c, i, |s| (s.persistence > 0).then(|| Value::gauge(s.persistence)))),
    (15, |c, i| {
        by(c, i, |s| {
            let mask = Ipv4Addr::from(s.granularity.unwrap_or(u32::MAX));
            (!is_v6(s)).then(|| Value::address(IpAddr::V4(mask)))
        })
    }),
    (16, |c, i| by(c, i, |s| Some(seconds(Some(s.delay_loop))))),
    (17, |c, i| by(c, i, |s| Some(Value::truth(s.ha_suspend)))),
    (18, |c, i| by(c, i, |s| Some(Value::truth(s.alpha)))),
    (19, |c, i| by(c, i, |s| Some(Value::truth(s.omega)))),
    (20, |c, i| of(c, i, |v| Some(Value::gauge(v.reals.len())))),
    (21, |c, i| of(c, i, |v| Some(Value::gauge(v.alive)))),
    (22, |c, i| by(c, i, |s| Some(Value::gauge(s.quorum)))),
    (23, |c, i| {
        of(c, i, |v| {
            let status = if v.quorum_up { QuorumStatus::Met } else { QuorumStatus::NotMet };
            Some(status.value())
        })
    }),
    (24, |c, i| by(c, i, |s| script(s.quorum_up.as_deref()))),
    (25, |c, i| by(c, i, |s| script(s.quorum_down.as_deref()))),
    (26, |c, i| by(c, i, |s| Some(Value::gauge(s.hysteresis)))),
    (27, |c, i| counted(c, i, |n| Value::Gauge32(low(n.connections)))),
    (28, |c, i| counted(c, i, |n| Value::Counter32(low(n.packets_in)))),
    (29, |c, i| counted(c, i, |n| Value::Counter32(low(n.packets_out)))),
    (30, |c, i| counted(c, i, |n| Value::Counter64(n.bytes_in))),
    (31, |c, i| counted(c, i, |n| Value::Counter64(n.bytes_out))),
    (32, |c, i| counted(c, i, |n| Value::gauge(n.connection_rate))),
    (33, |c, i| counted(c, i, |n| Value::gauge(n.packet_rate_in))),
    (34, |c, i| counted(c, i, |n| Value::gauge(n.packet_rate_out))),
    (35, |c, i| counted(c, i, |n| Value::gauge(n.byte_rate_in))),
    (36, |c, i| counted(c, i, |n| Value::gauge(n.byte_rate_out))),
    (37, |c, i| by(c, i, |s| Some(Value::truth(s.flags & 0x4 != 0)))),
    (38, |c, i| counted(c, i, |n| Value::Counter64(n.connections))),
    (39, |c, i| counted(c, i, |n| Value::Counter64(n.packets_in))),
    (40, |c, i| counted(c, i, |n| Value::Counter64(n.packets_out))),
    (41, |c, i| counted(c, i, |n| Value::Gauge32(low(n.connection_rate)))),
    (42, |c, i| counted(c, i, |n| Value::Gauge32(high(n.connection_rate)))),
    (43, |c, i| counted(c, i, |n| Value::Gauge32(low(n.packet_rate_in)))),
    (44, |c, i| counted(c, i, |n| Value::Gauge32(high(n.packet_rate_in)))),
    (45, |c, i| counted(c, i, |n| Value::Gauge32(low(n.packet_rate_out)))),
    (46, |c, i| counted(c, i, |n| Value::Gauge32(high(n.packet_rate_out)))),
    (47, |c, i| counted(c, i, |n| Value::Gauge32(low(n.byte_rate_in)))),
    (48, |c, i| counted(c, i, |n| Value::Gauge32(high(n.byte_rate_in)))),
    (49, |c, i| counted(c, i, |n| Value::Gauge32(low(n.byte_rate_out)))),
    (50, |c, i| counted(c, i, |n| Value::Gauge32(high(n.byte_rate_out)))),
    (51, |c, i| by(c, i, |s| is_v6(s).then(|| Value::gauge(s.granularity.unwrap_or(128))))),
    // The keyword `hashed` has no effect.
    (52, |c, i| by(c, i, |_| Some(Value::truth(false)))),
    (53, |c, i| by(c, i, |s| Some(Value::truth(s.flags & 0x8 != 0)))),
    (54, |c, i| by(c, i, |s| Some(Value::truth(s.flags & 0x10 != 0)))),
    (55, |c, i| by(c, i, |s| Some(Value::truth(s.flags & 0x20 != 0)))),
    (56, |c, i| by(c, i, |s| Some(Value::Integer(if s.inhibit { 2 } else { 1 })))),
    (57, |c, i| by(c, i, |s| Some(Value::gauge(s.retry.unwrap_or(0))))),
    (58, |c, i| by(c, i, |s| Some(seconds(s.delay_before_retry)))),
    (59, |c, i| by(c, i, |s| Some(seconds(s.warmup)))),
    (60, |c, i| by(c, i, |s| Some(Value::Integer(i32::try_from(s.weight).unwrap_or(i32::MAX))))),
    (61, |c, i| by(c, i, |s| Some(Value::truth(s.smtp_alert)))),
    // Of `mh`: the same flags as of `sh`.
    (62, |c, i| by(c, i, |s| Some(Value::truth(s.flags & 0x8 != 0)))),
    (63, |c, i| by(c, i, |s| Some(Value::truth(s.flags & 0x10 != 0)))),
    (64, |c, i| by(c, i, |s| Some(micros(Some(s.delay_loop))))),
    (65, |c, i| by(c, i, |s| Some(micros(s.delay_before_retry)))),
    (66, |c, i| by(c, i, |s| Some(micros(s.warmup)))),
    (67, |c, i| by(c, i, |s| Some(micros(Some(s.connect_timeout))))),
    (68, |c, i| by(c, i, |s| tunnel(s.forwarding))),
    (69, |c, i| by(c, i, |s| tunnel_port(s.forwarding))),
    (70, |c, i| by(c, i, |s| tunnel_checksum(s.forwarding))),
    (71, |c, i| by(c, i, |s| s.snmp_name.as_deref().map(Value::text))),
];

/// fwmark(1), ip(2), group(3).
pub(super) fn kind(identity: &Identity) -> Value {
    Value::Integer(match identity {
        Identity::Mark(_) => 1,
        Identity::Address(..) => 2,
        Identity::Group(..) => 3,
    })
}

fn is_v6(settings: &VirtualServer) -> bool {
    settings.family == Some(Family::Inet6)
}

/// tcp(1), udp(2), sctp(3), none(4). A mark has none to speak of.
fn protocol(settings: &VirtualServer) -> Option<Value> {
    let number = match settings.protocol {
        Some(Protocol::Tcp) => 1,
        Some(Protocol::Udp) => 2,
        Some(Protocol::Sctp) => 3,
        None => 4,
    };
    (!matches!(settings.identity, Identity::Mark(_))).then_some(Value::Integer(number))
}

/// The number of a scheduler; unknown(99).
fn scheduler(name: &str) -> i32 {
    const KNOWN: [&str; 14] = [
        "rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh",
        "twos",
    ];
    (1..).zip(KNOWN).find(|(_, known)| *known == name).map_or(99, |(number, _)| number)
}
