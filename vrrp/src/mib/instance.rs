//! `vrrpSyncGroupTable`, `vrrpSyncGroupMemberTable`, `vrrpInstanceTable`.

use snmp::Value;
use snmp::table::Column;

use super::{at, script, state};
use crate::config::{Family, NotifySettings, Version};
use crate::instance::Instance;
use crate::router::Group;
use crate::runtime::Vrrp;
use crate::state::State;

type V = Vrrp;

fn group<'a>(vrrp: &'a Vrrp, index: &[u32]) -> Option<&'a Group> {
    let [group] = *index else { return None };
    at(vrrp.router().groups(), group)
}

fn of_group(vrrp: &Vrrp, index: &[u32], value: fn(&Group) -> Option<Value>) -> Option<Value> {
    value(group(vrrp, index)?)
}

/// Index: group.
pub(super) const GROUP: &[Column<V>] = &[
    (2, |v, i| of_group(v, i, |g| Some(Value::text(&g.settings.name)))),
    (3, |v, i| of_group(v, i, |g| Some(Value::Integer(state(g.state()))))),
    (4, |v, i| of_group(v, i, |g| Some(Value::truth(g.settings.notify.smtp_alert)))),
    (5, |v, i| of_group(v, i, |g| Some(Value::truth(runs_scripts(&g.settings.notify))))),
    (6, |v, i| of_group(v, i, |g| script(g.settings.notify.master.as_deref()))),
    (7, |v, i| of_group(v, i, |g| script(g.settings.notify.backup.as_deref()))),
    (8, |v, i| of_group(v, i, |g| script(g.settings.notify.fault.as_deref()))),
    (9, |v, i| of_group(v, i, |g| script(g.settings.notify.generic.as_deref()))),
    (10, |v, i| of_group(v, i, |g| Some(Value::truth(g.settings.tracking_weight)))),
    (11, |v, i| of_group(v, i, |g| script(g.settings.notify.stop.as_deref()))),
];

fn runs_scripts(n: &NotifySettings) -> bool {
    let scripts = [&n.master, &n.backup, &n.fault, &n.stop, &n.generic, &n.deleted];
    scripts.into_iter().chain([&n.master_rx_lower_pri]).any(Option::is_some)
}

/// Index: group, position.
pub(super) const MEMBER: &[Column<V>] = &[(2, |vrrp, index| {
    let [group, member] = *index else { return None };
    let group = at(vrrp.router().groups(), group)?;
    let instance = vrrp.router().instances().get(*at(&group.settings.members, member)?)?;
    Some(Value::text(&instance.settings.name))
})];

fn of(vrrp: &Vrrp, index: &[u32], value: fn(&Instance) -> Option<Value>) -> Option<Value> {
    let [instance] = *index else { return None };
    value(at(vrrp.router().instances(), instance)?)
}

/// Index: instance.
pub(super) const INSTANCE: &[Column<V>] = &[
    (2, |v, i| of(v, i, |x| Some(Value::text(&x.settings.name)))),
    (3, |v, i| of(v, i, |x| Some(Value::gauge(x.settings.vrid)))),
    (4, |v, i| of(v, i, |x| Some(Value::Integer(state(x.state()))))),
    (5, |v, i| of(v, i, |x| Some(Value::Integer(initial(x))))),
    (6, |v, i| of(v, i, |x| Some(Value::Integer(state(x.wanted()))))),
    (7, |v, i| of(v, i, |x| Some(Value::Integer(x.settings.priority.into())))),
    (8, |v, i| of(v, i, |x| Some(Value::Integer(x.effective_priority().into())))),
    (9, |v, i| of(v, i, |x| Some(Value::truth(x.state() == State::Master)))),
    (10, |v, i| of(v, i, |x| x.settings.interface.as_deref().map(Value::text))),
    (11, |v, i| of(v, i, |x| Some(Value::truth(!x.settings.dont_track_primary)))),
    (12, |v, i| of(v, i, |x| Some(interval(x)))),
    (13, |v, i| of(v, i, |x| Some(Value::truth(!x.settings.nopreempt)))),
    (14, |v, i| of(v, i, |x| Some(Value::gauge(x.settings.preempt_delay.as_secs())))),
    (15, |v, i| of(v, i, |x| Some(Value::Integer(x.settings.authentication.number().into())))),
    (18, |vrrp, index| {
        let [instance] = *index else { return None };
        let group = at(vrrp.router().instances(), instance)?.group()?;
        Some(Value::text(&vrrp.router().groups().get(group)?.settings.name))
    }),
    (19, |v, i| of(v, i, |x| Some(Value::gauge(x.settings.garp.delay.as_secs())))),
    (20, |v, i| of(v, i, |x| Some(Value::truth(x.settings.notify.smtp_alert)))),
    (21, |v, i| of(v, i, |x| Some(Value::truth(runs_scripts(&x.settings.notify))))),
    (22, |v, i| of(v, i, |x| script(x.settings.notify.master.as_deref()))),
    (23, |v, i| of(v, i, |x| script(x.settings.notify.backup.as_deref()))),
    (24, |v, i| of(v, i, |x| script(x.settings.notify.fault.as_deref()))),
    (25, |v, i| of(v, i, |x| script(x.settings.notify.stop.as_deref()))),
    (26, |v, i| of(v, i, |x| script(x.settings.notify.generic.as_deref()))),
    (27, |v, i| of(v, i, |x| Some(Value::truth(x.settings.accept)))),
    (28, |v, i| of(v, i, |x| Some(Value::truth(x.settings.promote_secondaries)))),
    (29, |v, i| of(v, i, |_| Some(Value::truth(false)))),
    (30, |v, i| of(v, i, |x| Some(Value::Integer(x.settings.version.number().into())))),
    (31, |v, i| of(v, i, |x| script(x.settings.notify.master_rx_lower_pri.as_deref()))),
    (32, |v, i| of(v, i, |x| script(x.settings.notify.deleted.as_deref()))),
    (33, |v, i| of(v, i, |x| Some(Value::truth(x.settings.notify.report_deleted)))),
    (34, |v, i| {
        of(v, i, |x| is_multicast(x).then(|| Value::address_type(x.settings.group_address)))
    }),
    (35, |v, i| of(v, i, |x| is_multicast(x).then(|| Value::address(x.settings.group_address)))),
    (36, |v, i| {
        of(v, i, |x| {
            let s = &x.settings;
            let has_choice = (s.version, s.family) == (Version::V3, Family::V4);
            has_choice.then(|| Value::truth(s.v3_checksum_as_v2))
        })
    }),
];

/// The state it begins with, as a VrrpState.
pub(super) fn initial(instance: &Instance) -> i32 {
    state(if instance.settings.wants_master { State::Master } else { State::Backup })
}

/// Seconds of version 2, hundredths of version 3.
fn interval(instance: &Instance) -> Value {
    let interval = instance.settings.advert_interval;
    match instance.settings.version {
        Version::V2 => Value::gauge(interval.as_secs()),
        Version::V3 => Value::gauge(interval.as_millis() / 10),
    }
}

fn is_multicast(instance: &Instance) -> bool {
    instance.settings.peers.is_empty()
}
