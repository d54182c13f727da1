//! What is tracked, by whom, and how it is: interfaces, scripts, files, BFD sessions, processes.

use snmp::Value;
use snmp::table::Column;

use super::{at, script};
use crate::config::{
    FileSettings, GroupSettings, InstanceSettings, Parameters, SessionSettings, Track,
};
use crate::process::Quorum;
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
pub(super) const SESSION: &[Column<V>] = tracked!(of_instance, track_bfds, 2, 3, 4);
pub(super) const GROUP_SESSION: &[Column<V>] = tracked!(of_group, track_bfds, 2, 3, 4);
pub(super) const PROCESS: &[Column<V>] = tracked!(of_instance, track_processes, 2, 3, 4);
pub(super) const GROUP_PROCESS: &[Column<V>] = tracked!(of_group, track_processes, 2, 3, 4);

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

fn of_session(
    vrrp: &Vrrp,
    index: &[u32],
    value: fn(&Vrrp, &SessionSettings) -> Value,
) -> Option<Value> {
    let [session] = *index else { return None };
    Some(value(vrrp, at(vrrp.session_settings(), session)?))
}

/// `vrrpBfdTable`. Index: session.
pub(super) const SESSIONS: &[Column<V>] = &[
    (2, |v, i| of_session(v, i, |_, s| Value::text(&s.name))),
    (3, |v, i| of_session(v, i, |vrrp, s| Value::Integer(vrrp.is_session_up(&s.name).into()))),
    (4, |v, i| of_session(v, i, |_, s| Value::Integer(s.weight))),
    (5, |v, i| of_session(v, i, |_, s| Value::truth(s.reverse))),
];

fn of_quorum(vrrp: &Vrrp, index: &[u32], value: fn(&Quorum) -> Option<Value>) -> Option<Value> {
    let [process] = *index else { return None };
    value(at(vrrp.quorums(), process)?)
}

/// `vrrpProcessTable`. Index: process.
pub(super) const PROCESSES: &[Column<V>] = &[
    (2, |v, i| of_quorum(v, i, |q| Some(Value::text(&q.settings.name)))),
    (3, |v, i| of_quorum(v, i, |q| q.settings.process.first().map(|path| Value::text(path)))),
    (4, |v, i| of_quorum(v, i, parameters)),
    (5, |v, i| of_quorum(v, i, |q| Some(Value::Integer(comparison(q))))),
    (6, |v, i| of_quorum(v, i, |q| Some(Value::Integer(q.settings.weight)))),
    (7, |v, i| of_quorum(v, i, |q| Some(Value::truth(q.settings.reverse)))),
    (8, |v, i| of_quorum(v, i, |q| Some(Value::gauge(q.settings.quorum)))),
    (9, |v, i| of_quorum(v, i, |q| q.settings.quorum_max.map(integer))),
    (10, |v, i| of_quorum(v, i, |q| Some(Value::gauge(q.settings.fork_delay.as_micros())))),
    (11, |v, i| of_quorum(v, i, |q| Some(Value::gauge(q.settings.terminate_delay.as_micros())))),
    (12, |v, i| of_quorum(v, i, |q| Some(Value::truth(q.settings.full_command)))),
    (13, |v, i| of_quorum(v, i, |q| Some(integer(q.count())))),
    (14, |v, i| of_quorum(v, i, |q| Some(Value::truth(q.is_had())))),
];

fn integer(number: u32) -> Value {
    Value::Integer(i32::try_from(number).unwrap_or(i32::MAX))
}

fn parameters(quorum: &Quorum) -> Option<Value> {
    let (_, parameters) = quorum.settings.process.split_first()?;
    (!parameters.is_empty()).then(|| Value::text(&parameters.join(" ")))
}

/// none(0), exact(1), partial(2), initial(3).
fn comparison(quorum: &Quorum) -> i32 {
    match quorum.settings.parameters {
        None => 0,
        Some(Parameters::Exact) => 1,
        Some(Parameters::Partial) => 2,
        Some(Parameters::Initial) => 3,
    }
}
