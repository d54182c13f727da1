//! Signals and children, which belong to the whole process: no test harness here, whose threads would
//! take them. Every case on children runs twice, by pidfd and by SIGCHLD.
#![allow(clippy::unwrap_used)]
// It is the scheduler that waits for them.
#![allow(clippy::zombie_processes)]

use std::fs;
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal, raise};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;
use scheduler::{Cause, Class, Exit, Ready, Scheduler};

const MS: Duration = Duration::from_millis(1);
/// Far more than anything here takes: a hang is to fail.
const LONG: Duration = Duration::from_secs(20);

type Log = Vec<(u64, Cause)>;
type Make = fn() -> io::Result<Scheduler<Log>>;
type Case = (&'static str, fn(Make));

fn note(_: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
    log.push((ready.arg, ready.cause));
}

fn run_until<W>(s: &mut Scheduler<W>, world: &mut W, done: impl Fn(&W) -> bool) {
    let end = s.now() + LONG;
    while !done(world) {
        assert!(s.now() < end, "it hangs");
        s.turn(world, Some(LONG)).unwrap();
    }
}

/// Looks around without waiting.
fn look(s: &mut Scheduler<Log>, log: &mut Log) {
    for _ in 0..3 {
        s.turn(log, Some(Duration::ZERO)).unwrap();
    }
}

fn shell(script: &str) -> Child {
    Command::new("/bin/sh").args(["-c", script]).stdin(Stdio::piped()).spawn().unwrap()
}

fn pid(child: &Child) -> i32 {
    i32::try_from(child.id()).unwrap()
}

/// Waits until it has ended, and leaves it a zombie.
fn until_ended(pid: i32) {
    waitid(Id::Pid(Pid::from_raw(pid)), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).unwrap();
}

fn is_reaped(pid: i32) -> bool {
    let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
    waitid(Id::Pid(Pid::from_raw(pid)), flags) == Err(Errno::ECHILD)
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

fn every_kind_of_end_is_told(make: Make) {
    let (mut s, mut log) = (make().unwrap(), Log::new());
    let scripts = ["exit 0", "exit 3", "kill -9 $$", "kill -40 $$"];
    let before = open_descriptors();
    for (arg, script) in (0..).zip(scripts) {
        let mut child = shell(script);
        drop(child.stdin.take());
        s.add_child(Class::Checker, pid(&child), Some(LONG), arg, note).unwrap();
    }
    run_until(&mut s, &mut log, |log| log.len() == 4);
    log.sort_by_key(|entry| entry.0);
    let ends = [Exit::Code(0), Exit::Code(3), Exit::Signal(9), Exit::Signal(40)];
    assert!(log.iter().map(|entry| entry.1).eq(ends.map(Cause::Exited)), "{log:?}");
    // The signalfd may have been made meanwhile.
    assert!(open_descriptors() <= before + 1, "descriptors leak");
}

fn a_child_that_has_ended_already_is_told(make: Make) {
    let (mut s, mut log) = (make().unwrap(), Log::new());
    let child = shell("exit 7");
    until_ended(pid(&child));
    s.add_child(Class::Checker, pid(&child), None, 1, note).unwrap();
    run_until(&mut s, &mut log, |log| !log.is_empty());
    assert_eq!(log, [(1, Cause::Exited(Exit::Code(7)))]);
    assert!(is_reaped(pid(&child)));
    assert!(s.add_child(Class::Checker, pid(&child), None, 1, note).is_err());
}

/// The callback of the time-out goes on waiting; or somebody does much later.
fn a_time_out_does_not_lose_the_status(make: Make) {
    fn timed_out(s: &mut Scheduler<Log>, log: &mut Log, ready: Ready) {
        note(s, log, ready);
        s.add_child(Class::Checker, ready.arg as i32, None, 1, note).unwrap();
    }
    for late in [false, true] {
        let (mut s, mut log) = (make().unwrap(), Log::new());
        let mut child = shell("read line; exit 5");
        let number = pid(&child);
        let callback = if late { note } else { timed_out };
        s.add_child(Class::Checker, number, Some(MS), number as u64, callback).unwrap();
        run_until(&mut s, &mut log, |log| log.len() == 1);
        drop(child.stdin.take());
        if late {
            until_ended(number);
            look(&mut s, &mut log);
            assert!(!is_reaped(number));
            s.add_child(Class::Checker, number, None, 1, note).unwrap();
        }
        run_until(&mut s, &mut log, |log| log.len() == 2);
        assert_eq!(log, [(number as u64, Cause::TimedOut), (1, Cause::Exited(Exit::Code(5)))]);
    }
}

fn a_cancelled_child_leaves_no_zombie(make: Make) {
    for end_first in [false, true] {
        let (mut s, mut log) = (make().unwrap(), Log::new());
        let mut child = shell("read line");
        let id = s.add_child(Class::Checker, pid(&child), None, 1, note).unwrap();
        if end_first {
            drop(child.stdin.take());
            until_ended(pid(&child));
        }
        assert!(s.cancel(id));
        drop(child.stdin.take());
        let end = s.now() + LONG;
        while !is_reaped(pid(&child)) {
            assert!(s.now() < end, "a zombie is left");
            s.turn(&mut log, Some(MS)).unwrap();
        }
        assert!(log.is_empty());
    }
}

fn many_children_at_once_are_told_once_each(make: Make) {
    let (mut s, mut log) = (make().unwrap(), Log::new());
    let children: Vec<Child> =
        (0..20).map(|_| Command::new("/bin/true").spawn().unwrap()).collect();
    for (arg, child) in (0..).zip(&children) {
        s.add_child(Class::Checker, pid(child), None, arg, note).unwrap();
    }
    run_until(&mut s, &mut log, |log| log.len() == 20);
    look(&mut s, &mut log);
    log.sort_by_key(|entry| entry.0);
    assert!(log.into_iter().eq((0..20).map(|arg| (arg, Cause::Exited(Exit::Code(0))))));
}

fn processes_of_others_are_left_alone(make: Make) {
    let (mut s, mut log) = (make().unwrap(), Log::new());
    assert!(s.add_child(Class::Checker, 1, None, 0, note).is_err(), "not our child");
    let mut foreign = shell("exit 9");
    until_ended(pid(&foreign));
    let child = shell("exit 0");
    s.add_child(Class::Checker, pid(&child), None, 1, note).unwrap();
    run_until(&mut s, &mut log, |log| !log.is_empty());
    assert_eq!(foreign.wait().unwrap().code(), Some(9));
}

/// A checker that runs a script at every interval, as MISC_CHECK does: the next timer is armed before
/// the script is started, and while a script runs no second one is.
struct MiscCheck {
    running: Option<Child>,
    started: u32,
    ended: u32,
    skipped: u32,
}

const INTERVAL: Duration = Duration::from_millis(2);

fn misc_check_fires(s: &mut Scheduler<MiscCheck>, check: &mut MiscCheck, ready: Ready) {
    let next = s.add_timer(Class::Checker, ready.due + INTERVAL, 0, misc_check_fires);
    if let Some(running) = &mut check.running {
        check.skipped += 1;
        if check.skipped >= 3 {
            // Lets the first script end.
            running.stdin = None;
        }
        return;
    }
    assert!(s.is_registered(next), "the timer is armed before the script starts");
    check.started += 1;
    let child = match check.started {
        1 => shell("read line; exit 0"),
        2 => Command::new("/bin/sleep").arg("0.01").spawn().unwrap(),
        _ => Command::new("/bin/true").spawn().unwrap(),
    };
    s.add_child(Class::Checker, pid(&child), Some(LONG), 0, misc_check_ended).unwrap();
    check.running = Some(child);
}

fn misc_check_ended(s: &mut Scheduler<MiscCheck>, check: &mut MiscCheck, ready: Ready) {
    assert_eq!(ready.cause, Cause::Exited(Exit::Code(0)));
    assert!(check.running.take().is_some());
    check.ended += 1;
    if check.ended == 4 {
        s.stop();
    }
}

fn misc_check_does_not_start_a_script_that_still_runs(
    make: fn() -> io::Result<Scheduler<MiscCheck>>,
) {
    let mut s = make().unwrap();
    let mut check = MiscCheck { running: None, started: 0, ended: 0, skipped: 0 };
    s.add_timer(Class::Checker, s.now(), 0, misc_check_fires);
    s.run(&mut check).unwrap();
    assert_eq!((check.started, check.ended), (4, 4));
    assert!(check.skipped >= 3);
    assert_eq!(s.len(), 1, "the next run is armed");
}

fn signals_come_one_at_a_time_and_are_kept() {
    let (mut s, mut log) = (Scheduler::new().unwrap(), Log::new());
    s.add_signal(Class::Background, libc::SIGHUP, 1, note).unwrap();
    assert!(SigSet::thread_get_mask().unwrap().contains(Signal::SIGHUP));
    raise(Signal::SIGHUP).unwrap();
    raise(Signal::SIGHUP).unwrap();
    run_until(&mut s, &mut log, |log| !log.is_empty());
    raise(Signal::SIGHUP).unwrap();
    look(&mut s, &mut log);
    assert_eq!(log.len(), 1, "one-shot");
    s.add_signal(Class::Background, libc::SIGHUP, 2, note).unwrap();
    run_until(&mut s, &mut log, |log| log.len() == 2);
    s.add_signal(Class::Background, libc::SIGHUP, 3, note).unwrap();
    look(&mut s, &mut log);
    assert_eq!(log, [(1, Cause::Signal(1)), (2, Cause::Signal(1))]);
}

/// One was kept for the thread, another comes before that thread runs: both are the same news.
fn a_kept_signal_and_the_next_one_are_told_once() {
    let (mut s, mut log) = (Scheduler::new().unwrap(), Log::new());
    let id = s.add_signal(Class::Background, libc::SIGHUP, 1, note).unwrap();
    s.cancel(id);
    raise(Signal::SIGHUP).unwrap();
    s.add_signal(Class::Background, libc::SIGHUP, 2, note).unwrap();
    raise(Signal::SIGHUP).unwrap();
    s.add_signal(Class::Background, libc::SIGUSR1, 3, note).unwrap();
    run_until(&mut s, &mut log, |log| log.len() == 1);
    s.add_signal(Class::Background, libc::SIGHUP, 4, note).unwrap();
    look(&mut s, &mut log);
    assert_eq!(log, [(2, Cause::Signal(libc::SIGHUP))]);
}

/// SIGHUP is blocked already: it may be pending before this scheduler has a signalfd.
fn a_signal_that_was_pending_before_is_told() {
    raise(Signal::SIGHUP).unwrap();
    let (mut s, mut log) = (Scheduler::new().unwrap(), Log::new());
    s.add_signal(Class::Background, libc::SIGUSR1, 1, note).unwrap();
    s.add_signal(Class::Background, libc::SIGHUP, 2, note).unwrap();
    run_until(&mut s, &mut log, |log| !log.is_empty());
    assert_eq!(log, [(2, Cause::Signal(libc::SIGHUP))]);
}

fn real_time_signals_come_too() {
    let (mut s, mut log) = (Scheduler::new().unwrap(), Log::new());
    let number = libc::SIGRTMIN() + 2;
    s.add_signal(Class::Background, number, 1, note).unwrap();
    assert!(s.add_signal(Class::Background, 32, 1, note).is_err(), "the C library's own");
    let mut killer = shell(&format!("kill -{number} $PPID"));
    run_until(&mut s, &mut log, |log| !log.is_empty());
    assert_eq!(log, [(1, Cause::Signal(number))]);
    killer.wait().unwrap();
}

/// Being stopped and continued interrupts epoll_wait, with no handler at all.
fn an_interrupted_poll_goes_on_waiting() {
    let (mut s, mut log) = (Scheduler::new().unwrap(), Log::new());
    let (ours, mut theirs) = UnixStream::pair().unwrap();
    s.add_read(Class::Urgent, ours.as_raw_fd(), None, 1, note).unwrap();
    let mut script = shell("kill -STOP $PPID; sleep 0.02; kill -CONT $PPID; read line");
    s.add_timer_after(Class::Urgent, Duration::from_millis(100), 2, note);
    run_until(&mut s, &mut log, |log| !log.is_empty());
    assert_eq!(log, [(2, Cause::Timer)]);
    theirs.write_all(b"x").unwrap();
    run_until(&mut s, &mut log, |log| log.len() == 2);
    script.stdin = None;
    script.wait().unwrap();
}

fn main() {
    let made: [(&str, Make); 2] = [("pidfd", Scheduler::new), ("SIGCHLD", Scheduler::with_sigchld)];
    for (name, make) in made {
        let cases: [Case; 6] = [
            ("every kind of end is told", every_kind_of_end_is_told),
            ("a child that has ended already is told", a_child_that_has_ended_already_is_told),
            ("a time-out does not lose the status", a_time_out_does_not_lose_the_status),
            ("a cancelled child leaves no zombie", a_cancelled_child_leaves_no_zombie),
            ("many children at once are told once each", many_children_at_once_are_told_once_each),
            ("processes of others are left alone", processes_of_others_are_left_alone),
        ];
        for (case, run) in cases {
            println!("{name}: {case}");
            run(make);
        }
    }
    println!("MISC_CHECK does not start a script that still runs");
    misc_check_does_not_start_a_script_that_still_runs(Scheduler::new);
    misc_check_does_not_start_a_script_that_still_runs(Scheduler::with_sigchld);
    println!("signals");
    signals_come_one_at_a_time_and_are_kept();
    a_signal_that_was_pending_before_is_told();
    a_kept_signal_and_the_next_one_are_told_once();
    real_time_signals_come_too();
    println!("an interrupted poll goes on waiting");
    an_interrupted_poll_goes_on_waiting();
}
