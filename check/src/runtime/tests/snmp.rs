//! What SNMP sees, and what it is told.

use snmp::{Found, Oid, Value, table};

use super::{pair, real, service};
use crate::mib::{SUBTREE, TABLES};
use crate::runtime::Check;
use crate::runtime::stage::Stage;
use crate::service::Told;

fn walk(check: &Check) -> Vec<(Oid, Value)> {
    let mut all: Vec<(Oid, Value)> = Vec::new();
    while let Some(bind) =
        table::next(TABLES, check, all.last().map_or(SUBTREE, |(name, _)| name), false)
    {
        let Found::Value(value) = bind.found else { panic!("{bind:?}") };
        all.push((bind.name, value));
    }
    all
}

/// The column of an object, and its value.
fn value_at(check: &Check, below: &[u32]) -> Found {
    table::get(TABLES, check, &[SUBTREE, below].concat())
}

#[test]
fn all_objects_are_found_in_order() {
    let mut stage = Stage::new(&format!(
        "virtual_server_group G {{\n10.1.0.8 80\n10.1.0.9-12 81\n}}\n{}{}",
        service("sorry_server 10.0.0.9 80", &pair()),
        "virtual_server group G {\nprotocol TCP\nlb_algo rr\nlb_kind NAT\nreal_server 10.0.0.3 80 {\n}\n}\n"
    ));
    let check = stage.check();
    let all = walk(check);
    assert!(all.is_sorted_by(|(a, _), (b, _)| a < b));
    for (name, value) in &all {
        assert_eq!(table::get(TABLES, check, name), Found::Value(value.clone()), "{name:?}");
    }
    let types = [[1, 1], [1, 2], [1, 3], [2, 1]]
        .map(|row| value_at(check, &[&[4, 1, 2][..], &row].concat()));
    assert_eq!(types, [2, 1, 1, 1].map(|kind| Found::Value(Value::Integer(kind))));
    assert_eq!(value_at(check, &[4, 1, 2, 2, 2]), Found::NoSuchInstance);
    assert_eq!(value_at(check, &[4, 1, 2, 3, 1]), Found::NoSuchInstance);
    // The sorry server has no weight.
    assert_eq!(value_at(check, &[4, 1, 7, 1, 1]), Found::NoSuchInstance);
    assert_eq!(value_at(check, &[3, 1, 3, 2]), Found::Value(Value::text("G")));
    assert_eq!(value_at(check, &[3, 1, 1, 1]), Found::NoSuchObject);
}

/// The numbers of some columns, in each notification since this was last asked.
fn traps(stage: &mut Stage, columns: &[u32]) -> Vec<Vec<Value>> {
    let told = std::mem::take(&mut stage.check().told);
    let traps = told.into_iter().filter_map(|told| match told {
        Told::Trap(trap) => Some(trap),
        _ => None,
    });
    let last = |name: &Oid| name.last().copied().unwrap_or(0);
    traps
        .map(|trap| {
            let binds = trap.binds.into_iter().filter(|bind| columns.contains(&last(&bind.name)));
            let values = binds.filter_map(|bind| match bind.found {
                Found::Value(value @ (Value::Integer(_) | Value::Gauge32(_))) => Some(value),
                _ => None,
            });
            values.collect()
        })
        .collect()
}

#[test]
fn notifications_count_real_servers_as_they_change() {
    use Value::{Gauge32, Integer};
    let text = service("quorum 2", &[pair().concat(), real("10.0.0.3", "")]);
    let mut stage = Stage::new(&text);
    stage.finds(0, false);
    // Nobody asked for them.
    assert_eq!(traps(&mut stage, &[6]), Vec::<Vec<Value>>::new());
    stage.check().tell_traps(true);
    // Status of the real server or the quorum, and how many are alive.
    let seen = |stage: &mut Stage| traps(stage, &[21, 23]);
    stage.finds(1, false);
    assert_eq!(seen(&mut stage), [vec![Gauge32(1)], vec![Integer(2), Gauge32(1)]]);
    stage.finds(0, true);
    assert_eq!(seen(&mut stage), [vec![Gauge32(2)], vec![Integer(1), Gauge32(2)]]);
    stage.reload(&service("quorum 1", &pair()));
    assert_eq!(seen(&mut stage), [vec![Gauge32(1)]]);
    assert_eq!(value_at(stage.check(), &[3, 1, 21, 1]), Found::Value(Gauge32(1)));
}
