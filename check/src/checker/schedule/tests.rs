use std::time::Duration;

use scheduler::{Exit, Scheduler, Time};

use super::*;
use crate::settings::CheckerSettings;
use crate::testing::{self, World};

const TEN: Duration = Duration::from_secs(10);

fn seconds(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

fn settings(kind: Kind, retry: u32) -> CheckerSettings {
    let mut settings = testing::settings(kind);
    settings.schedule.delay_loop = TEN;
    settings.schedule.delay_before_retry = Duration::from_secs(3);
    settings.schedule.retry = retry;
    settings
}

fn world(settings: CheckerSettings) -> (Scheduler<World>, World, CheckerId) {
    let (mut s, mut w) = (Scheduler::simulated(Time::ZERO), World::default());
    let id = w.add(settings);
    start(&mut s, &mut w, id, Duration::from_secs(1));
    (s, w, id)
}

/// Runs passes until it is `at`.
fn run_to(s: &mut Scheduler<World>, w: &mut World, at: u64) {
    while s.next_deadline() <= seconds(at) {
        s.turn(w, None).unwrap();
    }
    s.advance_to(seconds(at));
}

/// When the attempts so far began.
fn begun(w: &World) -> Vec<Time> {
    w.attempts.iter().map(|(time, _)| *time).collect()
}

fn exited(code: i32) -> Outcome {
    Outcome::Exited { exit: Exit::Code(code), timed_out: false }
}

#[test]
fn the_next_check_counts_from_the_end_of_the_last() {
    let (mut s, mut w, id) = world(settings(Kind::Tcp, 1));
    run_to(&mut s, &mut w, 5);
    assert_eq!(begun(&w), [seconds(1)]);
    ended(&mut s, &mut w, id, Outcome::Success);
    run_to(&mut s, &mut w, 17);
    assert_eq!(begun(&w), [seconds(1), seconds(15)]);
    ended(&mut s, &mut w, id, Outcome::Failure("x".into()));
    assert!(w.checker(id).verdict.up, "one retry");
    run_to(&mut s, &mut w, 20);
    assert_eq!(begun(&w).last(), Some(&seconds(20)));
    ended(&mut s, &mut w, id, Outcome::Failure("x".into()));
    assert!(!w.checker(id).verdict.up);
    run_to(&mut s, &mut w, 100);
    assert_eq!(begun(&w).len(), 4, "an attempt that does not end is alone");
    assert_eq!(begun(&w).last(), Some(&seconds(30)));
}

#[test]
fn scripts_run_at_a_rhythm_of_their_own() {
    let (mut s, mut w, id) = world(settings(testing::misc("x", false), 1));
    run_to(&mut s, &mut w, 5);
    ended(&mut s, &mut w, id, exited(0));
    run_to(&mut s, &mut w, 12);
    assert_eq!(begun(&w), [seconds(1), seconds(11)]);
    ended(&mut s, &mut w, id, exited(1));
    run_to(&mut s, &mut w, 14);
    assert_eq!(begun(&w).last(), Some(&seconds(14)), "three seconds after the start");
    run_to(&mut s, &mut w, 19);
    // Longer than until the retry would have been due: at once.
    w.checker(id).verdict.failed = 0;
    ended(&mut s, &mut w, id, exited(1));
    run_to(&mut s, &mut w, 19);
    assert_eq!(begun(&w).last(), Some(&seconds(19)));
}

#[test]
fn misc_check_still_running_is_not_started_twice() {
    let (mut s, mut w, id) = world(settings(testing::misc("x", false), 0));
    run_to(&mut s, &mut w, 36);
    assert_eq!(begun(&w), [seconds(1)]);
    ended(&mut s, &mut w, id, exited(0));
    run_to(&mut s, &mut w, 36);
    assert_eq!(begun(&w), [seconds(1), seconds(36)], "immediately, once");
    ended(&mut s, &mut w, id, exited(0));
    run_to(&mut s, &mut w, 46);
    assert_eq!(begun(&w), [seconds(1), seconds(36), seconds(46)]);
}

#[test]
fn next_timer_is_armed_before_the_fork() {
    let (mut s, mut w, id) = world(settings(testing::misc("x", false), 0));
    run_to(&mut s, &mut w, 1);
    // The attempt has only begun. Starting it may take long, and it may never report its end.
    assert_eq!(begun(&w), [seconds(1)]);
    let timer = w.checker(id).timer.unwrap();
    assert_eq!(s.deadline(timer), Some(seconds(11)));
}

#[test]
fn missed_runs_are_not_made_up_for() {
    let (mut s, mut w, id) = world(settings(testing::misc("x", false), 0));
    run_to(&mut s, &mut w, 1);
    ended(&mut s, &mut w, id, exited(0));
    s.advance_to(seconds(58));
    s.turn(&mut w, None).unwrap();
    ended(&mut s, &mut w, id, exited(0));
    run_to(&mut s, &mut w, 60);
    ended(&mut s, &mut w, id, exited(0));
    run_to(&mut s, &mut w, 77);
    assert_eq!(begun(&w), [seconds(1), seconds(58), seconds(68)]);
}

#[test]
fn a_suspended_checker_keeps_its_timer_and_does_nothing() {
    let (mut s, mut w, id) = world(settings(Kind::Tcp, 0));
    run_to(&mut s, &mut w, 2);
    suspend(&mut w, id);
    ended(&mut s, &mut w, id, Outcome::Failure("x".into()));
    let verdict = w.checker(id).verdict.clone();
    assert!(verdict.up && !verdict.has_run, "what it found no longer counts");
    run_to(&mut s, &mut w, 35);
    assert_eq!(begun(&w), [seconds(1)]);
    enable(&mut w, id);
    run_to(&mut s, &mut w, 45);
    assert_eq!(begun(&w), [seconds(1), seconds(42)], "at the next tick");
}

#[test]
fn a_stopped_checker_never_runs_again() {
    let (mut s, mut w, id) = world(settings(Kind::Tcp, 0));
    let other = w.add(settings(Kind::Tcp, 0));
    start(&mut s, &mut w, other, TEN);
    let checker = stop(&mut s, &mut w, id).unwrap();
    assert!(checker.timer.is_none());
    assert!(stop(&mut s, &mut w, id).is_none());
    run_to(&mut s, &mut w, 60);
    ended(&mut s, &mut w, id, Outcome::Success);
    assert_eq!(w.attempts, [(seconds(10), other)]);
    stop(&mut s, &mut w, other);
    assert!(s.is_empty());
}

#[test]
fn checkers_that_wait_for_events_have_no_timer() {
    let (s, mut w, id) = world(settings(Kind::Bfd("B".into()), 0));
    suspend(&mut w, id);
    assert!(s.is_empty() && w.checker(id).enabled);
}
