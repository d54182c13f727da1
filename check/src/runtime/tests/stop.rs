//! The end in all its flavours (spec ipvs §7.1).

use super::{pair, real, service};
use crate::runtime::stage::{Stage, read};
use crate::runtime::{HasCheck, reload, stop};

fn ended(globals: &str, body: &str) -> (Vec<String>, usize) {
    let reals = [real("10.0.0.1", "inhibit_on_failure"), real("10.0.0.2", "")];
    let text =
        format!("global_defs {{\n{globals}\n}}\n{}", service(&format!("quorum 2\n{body}"), &reals));
    let mut stage = Stage::new(&text);
    stage.finds(0, false);
    stage.told();
    stage.requests();
    stage.check().end_services();
    assert_eq!(stage.table(), [] as [&str; 0]);
    (stage.told(), stage.requests())
}

#[test]
fn stopping_tells_only_with_omega() {
    let lines = [
        "Shutting down (inhibited) service [10.0.0.1]:tcp:80 from VS [10.9.9.9]:tcp:80",
        "Shutting down service [10.0.0.2]:tcp:80 from VS [10.9.9.9]:tcp:80",
    ];
    assert_eq!(ended("", "").0, lines);
    assert_eq!(
        ended("", "omega").0,
        [
            lines[0],
            lines[1],
            "fifo: RS [10.0.0.2]:tcp:80 [10.9.9.9]:tcp:80 DOWN",
            "fifo: VS [10.9.9.9]:tcp:80 DOWN",
        ]
    );
}

#[test]
fn flushing_speaks_of_virtual_servers_only() {
    for keyword in ["lvs_flush_on_stop", "lvs_flush_on_stop VS"] {
        let (told, requests) = ended(keyword, "omega");
        assert_eq!(told, ["fifo: VS [10.9.9.9]:tcp:80 DOWN"]);
        assert_eq!(requests, 1);
        assert_eq!(ended(keyword, "").0, [] as [&str; 0]);
    }
}

#[test]
fn a_kept_table_is_left_alone() {
    let mut stage = Stage::new(&service("omega", &pair()));
    stage.requests();
    stop(&mut stage.s, &mut stage.w, true);
    stage.pass(3600);
    assert_eq!((stage.requests(), stage.table().len()), (0, 3));
    assert_eq!(stage.w.attempts, []);
}

/// What a configuration began and what it had not come to.
#[test]
fn a_stop_in_the_middle_of_a_start_leaves_nothing() {
    let text: String = (1..=200)
        .map(|n| service("", &pair()).replace("10.9.9.9", &format!("10.9.9.{n}")))
        .collect();
    let mut stage = Stage::new("");
    reload(&mut stage.s, &mut stage.w, read(&text));
    stage.s.turn(&mut stage.w, None).unwrap();
    let begun = stage.table().len();
    assert!(begun > 0 && begun < 600, "{begun}");
    stop(&mut stage.s, &mut stage.w, false);
    assert_eq!(stage.table(), [] as [&str; 0]);
    stage.pass(3600);
    assert_eq!(stage.table(), [] as [&str; 0]);
    assert_eq!(stage.w.attempts, []);
    assert_eq!(stage.w.check().unwrap().checkers.iter().count(), 0);
}

/// What could not be asked for at once is not asked for after the end.
#[test]
fn a_stop_before_a_large_group_is_filled_leaves_nothing() {
    let text = format!(
        "virtual_server_group G {{\n10.9.8.1-10.9.9.250 80\n}}\nvirtual_server group G {{\nprotocol TCP\nlb_algo rr\nlb_kind NAT\n{}}}\n",
        pair().concat()
    );
    for keep in [false, true] {
        let mut stage = Stage::new("");
        reload(&mut stage.s, &mut stage.w, read(&text));
        stage.s.turn(&mut stage.w, None).unwrap();
        let services = stage.table.services().len();
        stop(&mut stage.s, &mut stage.w, keep);
        stage.requests();
        stage.pass(3600);
        assert_eq!(stage.requests(), 0);
        assert_eq!(stage.table.services().len(), if keep { services } else { 0 });
    }
}
