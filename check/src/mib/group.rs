//! `virtualServerGroupTable`, `virtualServerGroupMemberTable`.

use snmp::table::{self, Column};
use snmp::{Oid, Value};

use super::{at, up_to};
use crate::runtime::Check;
use crate::settings::GroupEntry;

/// Index: group.
pub(super) const GROUP: &[Column<Check>] = &[(2, |check, index| {
    let [group] = *index else { return None };
    Some(Value::text(&at(&check.shown.groups, group)?.name))
})];

/// Group, line.
pub(super) fn next_member(check: &Check, after: &[u32]) -> Option<Oid> {
    let groups = &check.shown.groups;
    table::following(after, 2, &|before| match before {
        [group] => up_to(at(groups, *group).map_or(0, |group| group.entries.len())),
        _ => up_to(groups.len()),
    })
}

fn of(check: &Check, index: &[u32], value: fn(GroupEntry) -> Option<Value>) -> Option<Value> {
    let [group, line] = *index else { return None };
    value(*at(&at(&check.shown.groups, group)?.entries, line)?)
}

/// Index: group, line.
pub(super) const MEMBER: &[Column<Check>] = &[
    (2, |c, i| of(c, i, |e| Some(Value::Integer(kind(e))))),
    (3, |c, i| {
        of(c, i, |e| match e {
            GroupEntry::Mark { mark, .. } => Some(Value::gauge(mark)),
            GroupEntry::Addresses { .. } => None,
        })
    }),
    (4, |c, i| {
        of(c, i, |e| match e {
            GroupEntry::Addresses { first, .. } => Some(Value::address_type(first)),
            GroupEntry::Mark { .. } => None,
        })
    }),
    (5, |c, i| {
        of(c, i, |e| match e {
            GroupEntry::Addresses { first, last, .. } if first == last => {
                Some(Value::address(first))
            }
            _ => None,
        })
    }),
    (6, |c, i| {
        of(c, i, |e| match e {
            GroupEntry::Addresses { first, last, .. } if first != last => {
                Some(Value::address(first))
            }
            _ => None,
        })
    }),
    (7, |c, i| {
        of(c, i, |e| match e {
            GroupEntry::Addresses { first, last, .. } if first != last => {
                Some(Value::address(last))
            }
            _ => None,
        })
    }),
    (8, |c, i| {
        of(c, i, |e| match e {
            GroupEntry::Addresses { port, .. } => Some(Value::gauge(port)),
            GroupEntry::Mark { .. } => None,
        })
    }),
];

/// fwmark(1), ip(2), iprange(3).
fn kind(entry: GroupEntry) -> i32 {
    match entry {
        GroupEntry::Mark { .. } => 1,
        GroupEntry::Addresses { first, last, .. } if first == last => 2,
        GroupEntry::Addresses { .. } => 3,
    }
}
