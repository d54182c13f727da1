//! `BFD_CHECK`.

use super::{real, service};
use crate::checker::attempt;
use crate::checker::sessions::session_changed;
use crate::runtime::stage::Stage;

fn follower(address: &str, body: &str) -> String {
    format!("real_server {address} 80 {{\nsmtp_alert no\nBFD_CHECK {{\nname B\n{body}\n}}\n}}\n")
}

fn text(global: &str, reals: &[String]) -> String {
    format!("bfd_instance B {{\n}}\n{}", service(global, reals))
}

fn changes(stage: &mut Stage, up: bool) -> Vec<String> {
    session_changed(&mut stage.s, &mut stage.w, "B", up);
    stage.settle();
    stage.changed().0
}

const SERVICE: &str = "-A -t 10.9.9.9:80 -s rr";
const A: &str = "-a -t 10.9.9.9:80 -r 10.0.0.1:80 -m -w 1";

#[test]
fn a_server_is_in_the_table_until_its_session_is_said_to_be_down() {
    let mut stage = Stage::new(&text("", &[follower("10.0.0.1", "")]));
    assert_eq!(stage.changed().0, [format!("+ {SERVICE}"), format!("+ {A}")]);
    stage.pass(3600);
    assert_eq!(stage.changed().0, [] as [&str; 0], "no timer takes it out");
    stage.told();
    assert_eq!(changes(&mut stage, false), [format!("- {A}")]);
    assert_eq!(changes(&mut stage, false), [] as [&str; 0]);
    assert_eq!(changes(&mut stage, true), [format!("+ {A}")]);
    let told = stage.told();
    let removed = "Removing service [10.0.0.1]:tcp:80 from VS [10.9.9.9]:tcp:80";
    assert_eq!(told[0], removed);
    assert_eq!(changes(&mut stage, false), [format!("- {A}")], "without retries");
}

#[test]
fn with_alpha_it_waits_for_the_session() {
    let mut stage = Stage::new(&text("", &[follower("10.0.0.1", "alpha")]));
    assert_eq!(stage.changed().0, [format!("+ {SERVICE}")]);
    assert_eq!(changes(&mut stage, false), [] as [&str; 0]);
    assert_eq!(changes(&mut stage, true), [format!("+ {A}")]);
}

#[test]
fn what_is_known_at_a_reload_holds_for_new_checkers() {
    let plain = text("", &[real("10.0.0.1", "")]);
    let following = text("", &[follower("10.0.0.1", "")]);
    for (up, expected) in [(true, vec![]), (false, vec![format!("- {A}")])] {
        let mut stage = Stage::new(&plain);
        stage.changed();
        stage.check().know_sessions([("B".to_owned(), up)].into_iter());
        stage.reload(&following);
        assert_eq!(stage.changed().0, expected);
        stage.check().know_sessions([("B".to_owned(), up)].into_iter());
        stage.reload(&following);
        assert_eq!(stage.changed().0, [] as [&str; 0]);
    }
}

#[test]
fn many_followers_are_told_a_part_at_a_time() {
    let reals: Vec<String> = (1..=100).map(|n| follower(&format!("10.0.0.{n}"), "")).collect();
    let mut stage = Stage::new(&text("", &reals));
    stage.changed();
    assert_eq!(changes(&mut stage, false).len(), 100);
    // It changes again before all have been told.
    session_changed(&mut stage.s, &mut stage.w, "B", true);
    stage.s.turn(&mut stage.w, None).unwrap();
    session_changed(&mut stage.s, &mut stage.w, "B", false);
    stage.settle();
    assert_eq!(stage.changed().0, [] as [&str; 0]);
    assert_eq!(changes(&mut stage, true).len(), 100);
}

#[test]
fn a_refused_change_is_asked_for_again() {
    let mut stage = Stage::new(&text("", &[follower("10.0.0.1", "")]));
    changes(&mut stage, false);
    stage.refuse(&[1]);
    assert_eq!(changes(&mut stage, true), [] as [&str; 0]);
    // This once it has a timer.
    stage.pass(61);
    let id = stage.checker(0, 0);
    assert_eq!(stage.w.attempts.len(), 1);
    attempt::begin(&mut stage.s, &mut stage.w, id);
    stage.settle();
    assert_eq!(stage.changed().0, [format!("+ {A}")]);
    stage.pass(3600);
    assert_eq!(stage.w.attempts.len(), 1);
}

/// The address of the virtual server is nowhere: other checkers would be held back.
#[test]
fn nothing_holds_it_back() {
    let mut stage = Stage::new(&text("ha_suspend", &[follower("10.0.0.1", "")]));
    stage.changed();
    assert_eq!(changes(&mut stage, false), [format!("- {A}")]);
    assert_eq!(changes(&mut stage, true), [format!("+ {A}")]);
    stage.pass(600);
    assert_eq!(stage.changed().0, [] as [&str; 0]);
}
