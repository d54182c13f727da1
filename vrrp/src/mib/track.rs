//! What is tracked, by whom, and how it is: interfaces, scripts, files.

use snmp::Value;
use snmp::table::Column;

use super::{at, script};
use crate::config::{FileSettings, GroupSettings, InstanceSettings, Track};
use crate::router::{Status, TrackerKind};
use crate::runtime::{Check, Vrrp};

type V = Vrrp;

fn of_instance(
    vrrp: &Vrrp,
    index: &[u32],
    list: fn(&InstanceSettings) -> &[Track],
    value: fn(&Track) -> Value,
) -> Option<Value> {
    let [instance, position] = *index else { return None };
    let instance = at(vrrp.router().instances(), instance)?;
    at(list(&instance.settings), position).map(value)
}

fn of_group(
    vrrp: &Vrrp,
    index: &[u32],
    list: fn(&GroupSettings) -> &[Track],
    value: fn(&Track) -> Value,
) -> Option<Value> {
    let [group, position] = *index else { return None };
    let group = at(vrrp.router().groups(), group)?;
    at(list(&group.settings), position).map(value)
}

fn name(track: &Track) -> Value {
    Value::text(&track.name)
}

fn weight(track: &Track) -> Value {
    Value::Integer(track.weight)
}

fn reverse(track: &Track) -> Value {
    Value::truth(track.reverse)
}

/// Name, weight and direction of what an instance or a group tracks. Index: its number, position in its list.
macro_rules! tracked {
    ($of:ident, $list:ident, $first:literal, $second:literal, $third:literal) => {
        &[
            ($first, |v, i| $of(v, i, |s| &s.$list, name)),
            ($second, |v, i| $of(v, i, |s| &s.$list, weight)),
            ($third, |v, i| $of(v, i, |s| &s.$list, reverse)),
        ]
    };
}

pub(super) const INTERFACE: &[Column<V>] = tracked!(of_instance, track_interfaces, 1, 2, 3);
pub(super) const SCRIPT: &[Column<V>] = tracked!(of_instance, track_scripts, 2, 3, 4);
pub(super) const FILE: &[Column<V>] = tracked!(of_instance, track_files, 2, 3, 4);
pub(super) const GROUP_INTERFACE: &[Column<V>] = tracked!(of_group, track_interfaces, 1, 2, 3);
pub(super) const GROUP_SCRIPT: &[Column<V>] = tracked!(of_group, track_scripts, 2, 3, 4);
pub(super) const GROUP_FILE: &[Column<V>] = tracked!(of_group, track_files, 2, 3, 4);

fn of_check(vrrp: &Vrrp, index: &[u32], value: fn(&Check) -> Option<Value>) -> Option<Value> {
    let [check] = *index else { return None };
    value(at(vrrp.checks(), check)?)
}

/// `vrrpScriptTable`. Index: script.
pub(super) const CHECK: &[Column<V>] = &[
    (2, |v, i| of_check(v, i, |c| Some(Value::text(&c.settings.name)))),
    (3, |v, i| of_check(v, i, |c| script(Some(&c.settings.script)))),
    (4, |v, i| of_check(v, i, |c| Some(seconds(c)))),
    (5, |v, i| of_check(v, i, |c| Some(Value::Integer(c.settings.weight)))),
    (6, |v, i| of_check(v, i, |c| Some(Value::Integer(result(c))))),
    (7, |v, i| of_check(v, i, |c| Some(Value::gauge(c.settings.rise)))),
    (8, |v, i| of_check(v, i, |c| Some(Value::gauge(c.settings.fall)))),
    (9, |v, i| of_check(v, i, |c| Some(Value::truth(c.settings.reverse)))),
];

fn seconds(check: &Check) -> Value {
    Value::Integer(i32::try_from(check.settings.interval.as_secs()).unwrap_or(i32::MAX))
}

/// init(1), bad(2), good(3), initfailed(5).
fn result(check: &Check) -> i32 {
    match (check.has_run(), check.counter.is_up(), check.settings.init_fail) {
        (false, _, true) => 5,
        (false, _, false) => 1,
        (true, false, _) => 2,
        (true, true, _) => 3,
    }
}

fn of_file(
    vrrp: &Vrrp,
    index: &[u32],
    value: fn(&Vrrp, &FileSettings) -> Option<Value>,
) -> Option<Value> {
    let [file] = *index else { return None };
    value(vrrp, at(vrrp.files(), file)?)
}

/// `vrrpFileTable`. Index: file.
pub(super) const FILES: &[Column<V>] = &[
    (2, |v, i| of_file(v, i, |_, f| Some(Value::text(&f.name)))),
    (3, |v, i| of_file(v, i, |_, f| Some(Value::text(&f.path)))),
    (4, |v, i| of_file(v, i, |vrrp, f| Some(Value::Integer(number(vrrp, f))))),
    (5, |v, i| of_file(v, i, |_, f| Some(Value::Integer(f.weight)))),
    (6, |v, i| of_file(v, i, |_, f| Some(Value::truth(f.reverse)))),
];

fn number(vrrp: &Vrrp, file: &FileSettings) -> i32 {
    let router = vrrp.router();
    let tracker = router.tracker(TrackerKind::File, &file.name);
    match tracker.and_then(|at| router.trackers().get(at)).map(|tracker| tracker.status()) {
        Some(Status::Value(value)) => value.clamp(i32::MIN.into(), i32::MAX.into()) as i32,
        _ => 0,
    }
}
