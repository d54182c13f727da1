//! `vrrpAddressTable`.

use std::net::{IpAddr, Ipv4Addr};

use snmp::table::{self, Column};
use snmp::{Oid, Value};

use super::{at, up_to};
use crate::config::AddressSettings;
use crate::runtime::Vrrp;
use crate::state::State;

type V = Vrrp;

/// An address, and how it is.
struct Row<'a> {
    address: &'a AddressSettings,
    /// This machine holds it.
    set: bool,
    /// Adverts carry it.
    advertised: bool,
}

/// Instance, or 0 for `static_ipaddress`; position among its addresses, the excluded ones after the others.
pub(super) fn next(vrrp: &Vrrp, after: &[u32]) -> Option<Oid> {
    let instances = vrrp.router().instances();
    table::following(after, 2, &|before| match before {
        [0] => up_to(vrrp.statics().len()),
        [instance] => up_to(at(instances, *instance).map_or(0, |instance| {
            instance.settings.addresses.len() + instance.settings.excluded.len()
        })),
        _ => 0..=*up_to(instances.len()).end(),
    })
}

fn row<'a>(vrrp: &'a Vrrp, index: &[u32]) -> Option<Row<'a>> {
    let [instance, position] = *index else { return None };
    if instance == 0 {
        let address = at(vrrp.statics(), position)?;
        let link = vrrp.view().index(&address.interface);
        let set = link.is_some_and(|link| vrrp.view().has(link, address.ip, address.prefix));
        return Some(Row { address, set, advertised: false });
    }
    let instance = at(vrrp.router().instances(), instance)?;
    let (addresses, excluded) = (&instance.settings.addresses, &instance.settings.excluded);
    let set = instance.state() == State::Master;
    match at(addresses, position) {
        Some(address) => Some(Row { address, set, advertised: set }),
        None => {
            let address =
                at(excluded, position.checked_sub(u32::try_from(addresses.len()).ok()?)?)?;
            Some(Row { address, set, advertised: false })
        }
    }
}

fn of(vrrp: &Vrrp, index: &[u32], value: fn(&AddressSettings) -> Option<Value>) -> Option<Value> {
    value(row(vrrp, index)?.address)
}

pub(super) const ADDRESS: &[Column<V>] = &[
    (2, |v, i| of(v, i, |a| Some(Value::address_type(a.ip)))),
    (3, |v, i| of(v, i, |a| Some(Value::address(a.ip)))),
    (4, |v, i| of(v, i, broadcast)),
    (5, |v, i| of(v, i, |a| Some(Value::gauge(a.prefix)))),
    (6, |v, i| of(v, i, |a| Some(Value::Integer(scope(a.scope))))),
    (7, |vrrp, index| {
        let link = vrrp.view().index(&row(vrrp, index)?.address.interface)?;
        Some(Value::Integer(i32::try_from(link).ok()?))
    }),
    (8, |v, i| of(v, i, |a| Some(Value::text(&a.interface)))),
    (9, |v, i| of(v, i, |a| a.label.as_deref().map(Value::text))),
    (10, |v, i| Some(Value::truth(row(v, i)?.set))),
    (11, |v, i| Some(Value::truth(row(v, i)?.advertised))),
    (12, |v, i| of(v, i, |a| a.peer.map(Value::address))),
];

/// 0.0.0.0 without one; IPv6 has none.
fn broadcast(address: &AddressSettings) -> Option<Value> {
    let broadcast = address.broadcast.unwrap_or(Ipv4Addr::UNSPECIFIED);
    address.ip.is_ipv4().then(|| Value::address(IpAddr::V4(broadcast)))
}

/// InetScopeType of a scope of the kernel's: reserved(0), interfaceLocal(1), linkLocal(2), siteLocal(5), global(14).
pub(super) fn scope(scope: u8) -> i32 {
    match scope {
        libc::RT_SCOPE_UNIVERSE => 14,
        libc::RT_SCOPE_SITE => 5,
        libc::RT_SCOPE_LINK => 2,
        libc::RT_SCOPE_HOST => 1,
        _ => 0,
    }
}
