use std::collections::HashMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;

fn settings(process: &[&str]) -> ProcessSettings {
    ProcessSettings {
        name: process.join(" "),
        process: process.iter().map(|word| (*word).to_owned()).collect(),
        full_command: false,
        parameters: None,
        weight: 0,
        reverse: false,
        quorum: 1,
        quorum_max: None,
        fork_delay: Duration::ZERO,
        terminate_delay: Duration::ZERO,
    }
}

fn identity(name: &str, arguments: &[&str]) -> Identity {
    let command = arguments.iter().flat_map(|a| [a.as_bytes(), &[0]].concat()).collect();
    Identity { name: name.as_bytes().to_vec(), command }
}

fn seconds(n: u64) -> Time {
    Time::ZERO + Duration::from_secs(n)
}

#[test]
fn a_process_is_known_by_its_name_or_by_its_arguments() {
    let by_name = settings(&["sleep"]);
    assert!(by_name.means(&identity("sleep", &["/bin/sleep", "1"])));
    assert!(!by_name.means(&identity("sleepy", &["sleep"])));
    let full = ProcessSettings { full_command: true, ..settings(&["/bin/sleep"]) };
    assert!(full.means(&identity("other", &["/bin/sleep", "1"])));
    assert!(!full.means(&identity("sleep", &["sleep", "1"])));
    // Kernel threads, and what has just exited, have no arguments.
    assert!(!full.means(&identity("sleep", &[])));
}

#[test]
fn parameters_are_compared_as_configured() {
    use Parameters::{Exact, Initial, Partial};
    let rows: [(&[&str], Parameters, &[&str], bool); 14] = [
        (&[], Exact, &[], true),
        (&[], Exact, &["a"], false),
        (&[], Partial, &["a"], true),
        (&[], Initial, &["a"], true),
        (&["a", "b"], Exact, &["a", "b"], true),
        (&["a", "b"], Exact, &["a", "b", "c"], false),
        (&["a", "b"], Exact, &["a"], false),
        (&["a", "b"], Partial, &["a", "b", "c"], true),
        (&["a", "b"], Partial, &["a", "bc"], false),
        (&["a", "b"], Partial, &["a"], false),
        (&["a", "b"], Initial, &["a", "bc", "d"], true),
        (&["a", "b"], Initial, &["ac", "b"], false),
        (&["a", "b"], Initial, &["a"], false),
        (&["", "b"], Exact, &["", "b"], true),
    ];
    for (wanted, parameters, given, expected) in rows {
        let settings = ProcessSettings {
            full_command: true,
            parameters: Some(parameters),
            ..settings(&[&["p"], wanted].concat())
        };
        let identity = identity("p", &[&["p"], given].concat());
        assert_eq!(settings.means(&identity), expected, "{wanted:?} {parameters:?} {given:?}");
    }
}

/// Of one `vrrp_track_process` that means the name `p`, after a first walk that met nobody.
fn one(quorum: u32, max: Option<u32>) -> Processes {
    let settings = ProcessSettings {
        quorum,
        quorum_max: max,
        fork_delay: Duration::from_secs(2),
        terminate_delay: Duration::from_secs(3),
        ..settings(&["p"])
    };
    let mut processes = Processes::new(vec![settings], &|_| None);
    processes.begin_walk();
    processes.end_walk(Time::ZERO, true, &mut Vec::new());
    processes
}

fn has(processes: &Processes) -> bool {
    processes.quorums()[0].is_had()
}

#[test]
fn what_a_process_does_itself_counts_at_once() {
    let (mut p, mut changed) = (one(1, None), Vec::new());
    assert!(!has(&p));
    p.executed(seconds(1), 7, Some(&identity("p", &[])), &mut changed);
    assert!(has(&p) && changed == [0]);
    p.renamed(seconds(2), 7, b"q", &mut changed);
    assert!(!has(&p) && changed == [0, 0]);
    p.renamed(seconds(3), 7, b"p", &mut changed);
    p.executed(seconds(4), 7, None, &mut changed);
    assert!(!has(&p) && changed.len() == 4);
    assert_eq!(p.next_due(), Time::NEVER);
}

#[test]
fn forks_and_exits_wait_and_may_be_undone() {
    let (mut p, mut changed) = (one(2, None), Vec::new());
    p.executed(seconds(1), 7, Some(&identity("p", &[])), &mut changed);
    p.forked(seconds(10), 7, 8, &mut changed);
    assert!(p.quorums()[0].waits_for_fork() && p.next_due() == seconds(12));
    // A child of a child only adds; the delay is the first one's.
    p.forked(seconds(11), 8, 9, &mut changed);
    p.expire(seconds(11), &mut changed);
    assert!(changed.is_empty());
    p.expire(seconds(12), &mut changed);
    assert!(has(&p) && changed == [0] && p.next_due() == Time::NEVER);

    p.exited(seconds(20), 9, &mut changed);
    p.exited(seconds(20), 8, &mut changed);
    assert!(p.quorums()[0].waits_for_exit() && p.next_due() == seconds(23));
    p.forked(seconds(22), 7, 10, &mut changed);
    assert!(has(&p) && p.next_due() == Time::NEVER);
    p.exited(seconds(30), 10, &mut changed);
    p.expire(seconds(33), &mut changed);
    assert!(!has(&p) && changed == [0, 0]);

    // A child that executes something else was never one of them.
    p.forked(seconds(40), 7, 11, &mut changed);
    p.executed(seconds(41), 11, Some(&identity("q", &[])), &mut changed);
    assert!(!has(&p) && p.next_due() == Time::NEVER && changed == [0, 0]);
}

#[test]
fn too_many_are_as_bad_as_too_few() {
    let (mut p, mut changed) = (one(0, Some(0)), Vec::new());
    assert!(has(&p));
    p.executed(seconds(1), 7, Some(&identity("p", &[])), &mut changed);
    assert!(!has(&p));
    p.exited(seconds(2), 7, &mut changed);
    assert!(!has(&p) && p.next_due() == seconds(5));
    p.expire(seconds(5), &mut changed);
    assert!(has(&p) && changed == [0, 0]);
}

#[test]
fn a_walk_finds_what_events_did_not_tell() {
    let (mut p, mut changed) = (one(1, Some(2)), Vec::new());
    for pid in [7, 8] {
        p.executed(seconds(1), pid, Some(&identity("p", &[])), &mut changed);
    }
    changed.clear();
    // 7 and 8 have been replaced; while the walk runs all four are counted, which means nothing.
    p.begin_walk();
    p.met(9, &identity("p", &[]));
    p.met(10, &identity("q", &[]));
    p.forked(seconds(5), 9, 11, &mut changed);
    assert_eq!(p.quorums()[0].count(), 4);
    p.end_walk(seconds(6), false, &mut changed);
    assert_eq!(p.quorums()[0].count(), 2);
    assert!(has(&p) && changed.is_empty() && p.next_due() == Time::NEVER);
    p.begin_walk();
    p.end_walk(seconds(7), false, &mut changed);
    assert_eq!(p.next_due(), seconds(10));
    // A further walk that sees the same does not begin the delay anew.
    p.begin_walk();
    p.end_walk(seconds(9), false, &mut changed);
    assert_eq!(p.next_due(), seconds(10));
}

#[derive(Clone, Debug)]
enum Step {
    Fork(i32, i32),
    Exec(i32, u8),
    Rename(i32, u8),
    Exit(i32),
    Walk,
}

fn step() -> impl Strategy<Value = Step> {
    let (pid, name) = (|| 1..6_i32, || 0..3_u8);
    prop_oneof![
        (pid(), pid()).prop_map(|(parent, child)| Step::Fork(parent, child)),
        (pid(), name()).prop_map(|(pid, name)| Step::Exec(pid, name)),
        (pid(), name()).prop_map(|(pid, name)| Step::Rename(pid, name)),
        pid().prop_map(Step::Exit),
        Just(Step::Walk),
    ]
}

proptest! {
    /// Against a plain list of processes: counts are right whatever the order of events, and each quorum is
    /// had, once nothing waits, when its count says so.
    #[test]
    fn counts_are_those_of_a_plain_list(
        steps in prop::collection::vec((step(), 0_u64..4), 0..60),
        limits in prop::collection::vec((0_u32..3, prop::option::of(2_u32..4)), 3),
    ) {
        let names = ["a", "b", "c"];
        let list: Vec<ProcessSettings> = names.iter().zip(&limits).map(|(name, (min, max))| {
            ProcessSettings {
                quorum: *min,
                quorum_max: *max,
                fork_delay: Duration::from_secs(2),
                terminate_delay: Duration::from_secs(3),
                ..settings(&[name])
            }
        }).collect();
        let mut processes = Processes::new(list, &|_| Some(false));
        let mut model: HashMap<i32, u8> = HashMap::new();
        let (mut now, mut changed) = (Time::ZERO, Vec::new());
        processes.begin_walk();
        processes.end_walk(now, true, &mut changed);
        let mut had = [false; 3];
        for (step, pause) in steps {
            now += Duration::from_secs(pause);
            processes.expire(now, &mut changed);
            match step {
                Step::Fork(parent, child) if !model.contains_key(&child) => {
                    if let Some(&name) = model.get(&parent) {
                        model.insert(child, name);
                    }
                    processes.forked(now, parent, child, &mut changed);
                }
                Step::Fork(..) => {}
                Step::Exec(pid, name) => {
                    model.insert(pid, name);
                    let identity = identity(names[usize::from(name)], &[]);
                    processes.executed(now, pid, Some(&identity), &mut changed);
                }
                Step::Rename(pid, name) => {
                    model.insert(pid, name);
                    let name = names[usize::from(name)].as_bytes();
                    processes.renamed(now, pid, name, &mut changed);
                }
                Step::Exit(pid) => {
                    model.remove(&pid);
                    processes.exited(now, pid, &mut changed);
                }
                Step::Walk => {
                    processes.begin_walk();
                    for (pid, name) in &model {
                        processes.met(*pid, &identity(names[usize::from(*name)], &[]));
                    }
                    processes.end_walk(now, false, &mut changed);
                }
            }
            // Each change turns a quorum over.
            changed.drain(..).for_each(|at| had[at] = !had[at]);
            for (at, quorum) in processes.quorums().iter().enumerate() {
                let count = model.values().filter(|name| usize::from(**name) == at).count();
                prop_assert_eq!(quorum.count() as usize, count);
                prop_assert_eq!(quorum.is_had(), had[at]);
                let (min, max) = limits[at];
                let fits = quorum.count() >= min && max.is_none_or(|max| quorum.count() <= max);
                prop_assert_eq!(quorum.is_had() == fits, quorum.pending.is_none());
            }
        }
    }
}
