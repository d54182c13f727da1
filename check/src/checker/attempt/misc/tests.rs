use std::fs;
use std::path::PathBuf;

use super::*;
use crate::checker::schedule;
use crate::testing::{self, World, run_once, run_until};

struct Check {
    s: Scheduler<World>,
    w: World,
    id: CheckerId,
}

impl Check {
    fn new(command: &str, timeout: Duration) -> Check {
        let mut settings = testing::settings(testing::misc(command, true));
        if let Kind::Misc(misc) = &mut settings.kind {
            misc.timeout = timeout;
        }
        let mut w = World::default();
        let id = w.add(settings);
        Check { s: Scheduler::new().unwrap(), w, id }
    }

    /// How the script ended, and whether it is up.
    fn run(&mut self) -> (Option<Exit>, bool) {
        run_once(&mut self.s, &mut self.w, self.id);
        let checker = self.w.checker(self.id);
        assert!(checker.timer.is_some());
        (checker.verdict.last_exit, checker.verdict.up)
    }
}

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);

/// A file that a script writes a process id to.
struct Note(PathBuf);

impl Note {
    fn new(name: &str) -> Note {
        let name = format!("misc-check-{name}-{}", std::process::id());
        Note(std::env::temp_dir().join(name))
    }

    fn path(&self) -> std::path::Display<'_> {
        self.0.display()
    }

    fn pid(&self) -> Option<i32> {
        fs::read_to_string(&self.0).ok()?.trim().parse().ok()
    }

    fn runs(&self) -> bool {
        let Some(pid) = self.pid() else { return false };
        // A zombie has no command line.
        fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        fs::remove_file(&self.0).ok();
    }
}

#[test]
fn the_exit_status_decides() {
    for (command, exit, up) in [
        ("exit 0", Exit::Code(0), true),
        ("exit 1", Exit::Code(1), false),
        ("exit 7", Exit::Code(7), true),
        ("kill -9 $$", Exit::Signal(9), false),
    ] {
        let mut check = Check::new(command, LONG);
        assert_eq!(check.run(), (Some(exit), up), "{command}");
    }
    let mut check = Check::new("exit 7", LONG);
    check.run();
    assert_eq!(check.w.checker(check.id).verdict.contribution, -5);
}

/// Even where its status would be a weight.
#[test]
fn a_script_that_is_gone_fails() {
    let mut check = Check::new("exit 0", LONG);
    let settings = std::rc::Rc::make_mut(&mut check.w.checker(check.id).settings);
    if let Kind::Misc(misc) = &mut settings.kind {
        std::rc::Rc::make_mut(&mut misc.script).argv = vec!["/no/such/script".into()];
    }
    assert_eq!(check.run(), (None, false));
}

#[test]
fn a_script_that_takes_too_long_is_ended() {
    let mut check = Check::new("sleep 1000", SHORT);
    assert_eq!(check.run(), (Some(Exit::Signal(15)), false));
}

#[test]
fn a_script_may_obey_and_still_has_failed() {
    let mut check = Check::new("trap 'exit 0' TERM; while :; do sleep 0.01; done", SHORT);
    assert_eq!(check.run(), (Some(Exit::Code(0)), false));
}

#[test]
fn a_script_that_does_not_obey_is_killed() {
    let mut check = Check::new("trap '' TERM; while :; do sleep 0.1; done", SHORT);
    assert_eq!(check.run(), (Some(Exit::Signal(9)), false));
}

/// The shell obeys SIGTERM, what it started does not.
#[test]
fn nothing_of_a_script_outlives_its_time() {
    let note = Note::new("child");
    let command =
        format!("(trap '' TERM; while :; do sleep 0.1; done) & echo $! > {}; wait", note.path());
    let mut check = Check::new(&command, SHORT);
    assert_eq!(check.run(), (Some(Exit::Signal(15)), false));
    assert!(note.pid().is_some(), "the script had the time to write it");
    run_until(&mut check.s, &mut check.w, |_| !note.runs());
}

#[test]
fn the_script_of_a_stopped_checker_is_ended_and_reaped() {
    for trap in ["", "trap '' TERM;"] {
        let note = Note::new(if trap.is_empty() { "obeys" } else { "stays" });
        let command = format!("{trap} echo $$ > {}; while :; do sleep 0.1; done", note.path());
        let Check { mut s, mut w, id } = Check::new(&command, LONG);
        schedule::start(&mut s, &mut w, id, Duration::ZERO);
        while note.pid().is_none() {
            s.turn(&mut w, Some(Duration::from_millis(1))).unwrap();
        }
        schedule::stop(&mut s, &mut w, id).unwrap();
        let left = |w: &mut World| w.check().unwrap().checkers.leftovers.len();
        assert_eq!(left(&mut w), 1);
        run_until(&mut s, &mut w, |w| left(w) == 0);
        assert!(!note.runs());
        assert!(s.is_empty());
    }
}
