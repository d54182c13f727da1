//! Verdicts, and what a reload keeps of a check.

use super::*;

/// Runs a sequence of results; `1` success, `0` failure; returns the verdicts that were told.
fn run(rise: u32, fall: u32, init_fail: bool, results: &str) -> String {
    let mut counter = Counter::new(rise, fall, init_fail);
    results
        .chars()
        .map(|c| match counter.finished(c == '1') {
            Some(true) => 'U',
            Some(false) => 'D',
            None => '.',
        })
        .collect()
}

#[test]
fn one_success_or_one_failure_is_the_first_verdict() {
    assert_eq!(run(3, 3, false, "1"), "U");
    assert_eq!(run(3, 3, false, "0"), "D");
}

#[test]
fn rise_and_fall_count_in_a_row() {
    assert_eq!(run(2, 3, false, "1000111"), "U..D.U.");
    assert_eq!(run(2, 3, false, "1001000"), "U.....D");
}

#[test]
fn init_fail_needs_every_success() {
    assert_eq!(run(3, 1, true, "111"), "..U");
    assert_eq!(run(3, 1, true, "0111"), "...U");
}

fn script(name: &str, program: &str) -> ScriptSettings {
    ScriptSettings {
        name: name.into(),
        script: notify::Script {
            argv: vec![program.into()],
            text: program.into(),
            uid: 0,
            gid: 0,
            groups: None,
        },
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        weight: 0,
        reverse: false,
        rise: 2,
        fall: 3,
        init_fail: false,
    }
}

/// Names and identities of the checks that go on, and of those dropped.
fn reload(old: Vec<Check>, scripts: &[ScriptSettings]) -> (Vec<Check>, Vec<String>) {
    let mut next = 100;
    let (checks, dropped) = carry_over(old, scripts, |_| Some(7), &mut next);
    (checks, dropped.into_iter().map(|c| c.settings.name).collect())
}

#[test]
fn a_check_whose_command_stays_goes_on_and_another_command_is_another_check() {
    let mut running = Check::new(script("a", "/x"), Some(1), 1);
    running.progress = Progress::Running;
    running.pid = 4711;
    running.counter.finished(true);
    running.counter.finished(false);
    let result = running.counter.result();
    let old = vec![running, Check::new(script("b", "/x"), Some(2), 2)];
    let (checks, dropped) = reload(old, &[script("b", "/y"), script("a", "/x")]);
    assert_eq!(dropped, ["b"]);
    assert_eq!((checks[0].id, checks[0].progress), (101, Progress::Idle));
    let a = &checks[1];
    assert_eq!((a.id, a.progress, a.pid, a.tracker), (1, Progress::Running, 4711, Some(7)));
    assert_eq!(a.counter.result(), result);
    assert_eq!(a.init_state(), "INIT/RELOAD");
}

#[test]
fn a_verdict_outlives_another_rise_and_fall() {
    for (success, rise) in [(true, 5), (false, 1)] {
        let mut check = Check::new(script("a", "/x"), None, 1);
        check.counter.finished(success);
        let (mut checks, _) = reload(vec![check], &[ScriptSettings { rise, ..script("a", "/x") }]);
        let counter = &mut checks[0].counter;
        assert_eq!(counter.is_up(), success);
        assert_eq!(counter.finished(success), None);
    }
}

#[test]
fn only_another_interval_begins_another_rhythm() {
    let mut s: Scheduler<()> = Scheduler::simulated(Time::ZERO);
    for (seconds, kept) in [(1, true), (2, false)] {
        let mut check = Check::new(script("a", "/x"), None, 1);
        check.timer = Some(s.add_timer_after(Class::Checker, Duration::ZERO, 0, |_, _, _| {}));
        let interval = Duration::from_secs(seconds);
        let (checks, _) = reload(vec![check], &[ScriptSettings { interval, ..script("a", "/x") }]);
        assert_eq!((checks[0].timer.is_some(), checks[0].stale.is_none()), (kept, kept));
    }
}
