//! VRRP as SNMP sees it: the objects below `vrrp` of KEEPALIVED-MIB, and its notifications; the MIBs of the RFCs.
//!
//! Each table stands for what was configured and what is, without a copy of either: an object is looked up when somebody
//! asks for it. Not there are the times among a route's metrics, encapsulations, and the sync daemon of IPVS, of which
//! VRRP knows nothing. Nothing can be set.

mod address;
mod instance;
mod path;
pub mod rfc2787;
pub mod rfc6527;
mod rows;
mod track;

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use notify::Script;
use snmp::{Oid, Table, Trap, Value, VarBind, table};

use crate::action::{NotifyEvent, Subject};
use crate::config::{Family, InstanceSettings, Version};
use crate::instance::Instance;
use crate::packet::Stats;
use crate::runtime::Vrrp;
use crate::state::State;
pub(crate) use rows::Rows;

/// KEEPALIVED-MIB's `vrrp`.
pub const SUBTREE: &[u32] = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2];

/// The identifier of something below [`SUBTREE`].
macro_rules! below {
    ($($part:literal),*) => { &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 2, $($part),*] };
}

/// All tables, in the order of their numbers.
pub static TABLES: &[Table<Vrrp>] = &[
    Table { entry: below!(1, 1), columns: instance::GROUP, next: groups },
    Table { entry: below!(2, 1), columns: instance::MEMBER, next: members },
    Table { entry: below!(3, 1), columns: instance::INSTANCE, next: instances },
    Table {
        entry: below!(4, 1),
        columns: track::INTERFACE,
        next: |v, after| lists(v, after, |i| i.settings.track_interfaces.len()),
    },
    Table {
        entry: below!(5, 1),
        columns: track::SCRIPT,
        next: |v, after| lists(v, after, |i| i.settings.track_scripts.len()),
    },
    Table { entry: below!(6, 1), columns: address::ADDRESS, next: address::next },
    Table { entry: below!(7, 1), columns: path::ROUTE, next: path::next_route },
    Table { entry: below!(8, 1), columns: path::RULE, next: path::next_rule },
    Table {
        entry: below!(9, 1),
        columns: track::CHECK,
        next: |v, after| rows(after, v.checks().len()),
    },
    Table { entry: below!(11, 1), columns: path::HOP, next: path::next_hop },
    Table {
        entry: below!(12, 1),
        columns: track::FILE,
        next: |v, after| lists(v, after, |i| i.settings.track_files.len()),
    },
    Table {
        entry: below!(13, 1),
        columns: track::FILES,
        next: |v, after| rows(after, v.files().len()),
    },
    Table {
        entry: below!(14, 1),
        columns: track::GROUP_INTERFACE,
        next: |v, after| group_lists(v, after, |g| g.track_interfaces.len()),
    },
    Table {
        entry: below!(15, 1),
        columns: track::GROUP_SCRIPT,
        next: |v, after| group_lists(v, after, |g| g.track_scripts.len()),
    },
    Table {
        entry: below!(16, 1),
        columns: track::GROUP_FILE,
        next: |v, after| group_lists(v, after, |g| g.track_files.len()),
    },
    Table {
        entry: below!(17, 1),
        columns: track::SESSION,
        next: |v, after| lists(v, after, |i| i.settings.track_bfds.len()),
    },
    Table {
        entry: below!(18, 1),
        columns: track::SESSIONS,
        next: |v, after| rows(after, v.session_settings().len()),
    },
    Table {
        entry: below!(19, 1),
        columns: track::GROUP_SESSION,
        next: |v, after| group_lists(v, after, |g| g.track_bfds.len()),
    },
    Table {
        entry: below!(20, 1),
        columns: track::PROCESS,
        next: |v, after| lists(v, after, |i| i.settings.track_processes.len()),
    },
    Table {
        entry: below!(21, 1),
        columns: track::PROCESSES,
        next: |v, after| rows(after, v.quorums().len()),
    },
    Table {
        entry: below!(22, 1),
        columns: track::GROUP_PROCESS,
        next: |v, after| group_lists(v, after, |g| g.track_processes.len()),
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

fn instances(vrrp: &Vrrp, after: &[u32]) -> Option<Oid> {
    rows(after, vrrp.router().instances().len())
}

fn groups(vrrp: &Vrrp, after: &[u32]) -> Option<Oid> {
    rows(after, vrrp.router().groups().len())
}

/// Group, member.
fn members(vrrp: &Vrrp, after: &[u32]) -> Option<Oid> {
    group_lists(vrrp, after, |group| group.members.len())
}

/// Instance, position in a list of its own.
fn lists(vrrp: &Vrrp, after: &[u32], count: fn(&Instance) -> usize) -> Option<Oid> {
    let all = vrrp.router().instances();
    table::following(after, 2, &|before| match before {
        [instance] => up_to(at(all, *instance).map_or(0, count)),
        _ => up_to(all.len()),
    })
}

/// Group, position in a list of its own.
fn group_lists(
    vrrp: &Vrrp,
    after: &[u32],
    count: fn(&crate::config::GroupSettings) -> usize,
) -> Option<Oid> {
    let all = vrrp.router().groups();
    table::following(after, 2, &|before| match before {
        [group] => up_to(at(all, *group).map_or(0, |group| count(&group.settings))),
        _ => up_to(all.len()),
    })
}

/// VrrpState.
fn state(state: State) -> i32 {
    match state {
        State::Init => 0,
        State::Backup => 1,
        State::Master => 2,
        State::Fault => 3,
    }
}

/// initialize(1), backup(2), master(3), in both RFCs.
fn status(state: State) -> i32 {
    match state {
        State::Init | State::Fault => 1,
        State::Backup => 2,
        State::Master => 3,
    }
}

fn is_up(instance: &Instance) -> bool {
    matches!(instance.state(), State::Backup | State::Master)
}

/// What the RFC of version 2 is about.
fn is_v2(settings: &InstanceSettings) -> bool {
    (settings.version, settings.family) == (Version::V2, Family::V4)
}

/// Who is MASTER, as far as is known.
fn master(instance: &Instance) -> Option<IpAddr> {
    match instance.state() {
        State::Master => instance.source,
        State::Backup => instance.master,
        State::Init | State::Fault => None,
    }
}

/// The hardware address that its addresses are at: that of its VMAC, or else of its interface.
fn mac(vrrp: &Vrrp, instance: &Instance) -> Option<Value> {
    let link = vrrp.view().link(instance.settings.own_interface()?)?;
    Some(Value::Octets(link.mac.clone()))
}

/// How many addresses adverts carry.
fn count(instance: &Instance) -> Value {
    Value::Integer(i32::try_from(instance.settings.addresses.len()).unwrap_or(i32::MAX))
}

/// A counter of all instances.
fn sum(vrrp: &Vrrp, counter: fn(&Stats) -> u64) -> u64 {
    vrrp.router().instances().iter().map(|instance| counter(&instance.stats)).sum()
}

/// Hundredths of a second; they wrap.
#[allow(clippy::cast_possible_truncation)]
fn ticks(time: Duration) -> Value {
    Value::TimeTicks((time.as_millis() / 10) as u32)
}

fn script(script: Option<&Script>) -> Option<Value> {
    script.map(|script| {
        let mut text = String::new();
        crate::dump::command(&mut text, script);
        Value::text(&text)
    })
}

/// The notification of a change of state, and whose it is in the words of the log; `router_id` is `routerId`. `None` for what
/// is no change of state, and for what is gone.
pub fn trap(
    vrrp: &Vrrp,
    subject: Subject,
    event: NotifyEvent,
    router_id: &str,
) -> Option<(String, Trap)> {
    let state = match event {
        NotifyEvent::Backup => 1,
        NotifyEvent::Master => 2,
        NotifyEvent::Fault => 3,
        NotifyEvent::Stop => 5,
        NotifyEvent::Deleted => 6,
        NotifyEvent::MasterRxLowerPri
        | NotifyEvent::MasterPriority
        | NotifyEvent::BackupPriority => return None,
    };
    let bind = |name: &[u32], value| VarBind::new(name.to_vec(), value);
    let state = Value::Integer(state);
    let (who, number, mut binds) = match subject {
        Subject::Group(group) => {
            let name = &vrrp.router().groups().get(group)?.settings.name;
            let binds =
                vec![bind(below!(1, 1, 2), Value::text(name)), bind(below!(1, 1, 3), state)];
            (format!("VRRP_Group({name}):"), 1, binds)
        }
        Subject::Instance(instance) => {
            let instance = vrrp.router().instances().get(instance)?;
            let initial = Value::Integer(instance::initial(instance));
            let binds = vec![
                bind(below!(3, 1, 2), Value::text(&instance.settings.name)),
                bind(below!(3, 1, 4), state),
                bind(below!(3, 1, 5), initial),
            ];
            (instance.tag(), 2, binds)
        }
    };
    let router = &[1, 3, 6, 1, 4, 1, 9586, 100, 5, 1, 2, 0];
    binds.push(bind(router, Value::text(router_id)));
    Some((who, Trap { name: [SUBTREE, &[10, 0, number]].concat(), binds }))
}
