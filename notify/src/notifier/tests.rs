use std::fs;
use std::path::{Path, PathBuf};

use scheduler::Time;

use super::*;
use crate::config::FifoSettings;
use crate::spawn::tests::{scratch, script};

/// A world with a notifier and a file into which scripts write.
struct World {
    notifier: Notifier,
    log: PathBuf,
    /// How many lines [`until`] waits for.
    expected: usize,
    drained: u32,
}

impl HasNotify for World {
    fn notify(&mut self) -> &mut Notifier {
        &mut self.notifier
    }

    fn drained(s: &mut Scheduler<World>, w: &mut World) {
        w.drained += 1;
        s.stop();
    }
}

const LONG: Duration = Duration::from_secs(600);

fn world() -> (Scheduler<World>, World) {
    let world = World { notifier: Notifier::new(), log: scratch("log"), expected: 0, drained: 0 };
    (Scheduler::new().unwrap(), world)
}

impl World {
    /// A script that appends to the log; `$L` is the log.
    fn shell(&self, text: &str) -> Script {
        let text = format!("L={}; {text}", self.log.display());
        script(&["/bin/sh", "-c", &text, "script"])
    }

    fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.log).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        fs::remove_file(&self.log).ok();
    }
}

/// Runs until everything submitted has run.
fn run(s: &mut Scheduler<World>, w: &mut World) {
    drain(s, w, LONG);
    s.run(w).unwrap();
    assert!(w.notifier.is_idle());
}

#[test]
fn notify_scripts_ran_concurrently_and_out_of_order() {
    let (mut s, mut w) = world();
    // Earlier ones take longer: side by side they would end in reverse.
    for n in 0..4 {
        let text = format!("echo begin $1 >>$L; sleep 0.0{}; echo end $1 >>$L", 8 - 2 * n);
        let script = w.shell(&text);
        submit(&mut s, &mut w, "VRRP instance VI_1", "notify", &script, &[&n.to_string()]);
    }
    run(&mut s, &mut w);
    let expected: Vec<String> =
        (0..4).flat_map(|n| [format!("begin {n}"), format!("end {n}")]).collect();
    assert_eq!(w.lines(), expected);
    assert_eq!(w.drained, 1);
}

#[test]
fn different_objects_do_not_wait_for_each_other() {
    let (mut s, mut w) = world();
    // The first can only end when the second has run.
    let first = w.shell("until grep -q second $L; do sleep 0.01; done; echo first >>$L");
    let second = w.shell("echo second >>$L");
    submit(&mut s, &mut w, "a", "notify", &first, &[]);
    submit(&mut s, &mut w, "b", "notify", &second, &[]);
    run(&mut s, &mut w);
    assert_eq!(w.lines(), ["second", "first"]);
}

#[test]
fn a_script_that_cannot_run_does_not_hold_up_the_next() {
    let (mut s, mut w) = world();
    submit(&mut s, &mut w, "a", "notify_master", &script(&["/no/such/script"]), &[]);
    let fails = w.shell("echo failing >>$L; exit 7");
    submit(&mut s, &mut w, "a", "notify_backup", &fails, &[]);
    let next = w.shell("echo next >>$L");
    submit(&mut s, &mut w, "a", "notify_fault", &next, &[]);
    run(&mut s, &mut w);
    assert_eq!(w.lines(), ["failing", "next"]);
}

#[test]
fn a_script_that_hangs_is_ended_and_the_next_one_runs() {
    let (mut s, mut w) = world();
    w.notifier.set_time_limit(Duration::from_millis(300));
    w.notifier.grace = Duration::from_millis(20);
    let hangs = w.shell("sleep 1000");
    let stubborn = w.shell("trap '' TERM; while :; do sleep 1000; done");
    let next = w.shell("echo next >>$L");
    for (hook, script) in [("first", &hangs), ("second", &stubborn), ("third", &next)] {
        submit(&mut s, &mut w, "a", hook, script, &[]);
    }
    let second =
        |w: &World| w.notifier.running.values().any(|r| matches!(r.role, Role::Hook(_, "second")));
    while !second(&w) {
        until(&mut s, &mut w, 0);
    }
    // The limit holds for scripts that start from now on.
    w.notifier.set_time_limit(LONG);
    run(&mut s, &mut w);
    assert_eq!(w.lines(), ["next"]);
}

#[test]
fn a_drain_with_nothing_to_wait_for_ends_at_once() {
    let (mut s, mut w) = world();
    run(&mut s, &mut w);
    assert_eq!(w.drained, 1);
}

#[test]
fn a_drain_does_not_wait_for_ever() {
    let (mut s, mut w) = world();
    let hangs = w.shell("echo $$ >>$L; echo up >>$L; sleep 1000");
    submit(&mut s, &mut w, "a", "notify", &hangs, &[]);
    submit(&mut s, &mut w, "a", "notify_stop", &hangs, &[]);
    until(&mut s, &mut w, 2);
    drain(&mut s, &mut w, Duration::from_millis(1));
    s.run(&mut w).unwrap();
    assert_eq!(w.drained, 1);
    let lines = w.lines();
    assert_eq!(lines.len(), 2, "the second was never started: {lines:?}");
    let pid: i32 = lines[0].parse().unwrap();
    let status = nix::sys::wait::waitpid(nix::unistd::Pid::from_raw(pid), None).unwrap();
    assert!(matches!(status, nix::sys::wait::WaitStatus::Signaled(_, Signal::SIGTERM, _)));
}

/// Runs until the log has this many lines.
fn until(s: &mut Scheduler<World>, w: &mut World, lines: usize) {
    fn look(s: &mut Scheduler<World>, w: &mut World, _: Ready) {
        if w.lines().len() >= w.expected {
            s.stop();
        } else {
            s.add_timer_after(Class::Background, Duration::from_millis(1), 0, look);
        }
    }
    w.expected = lines;
    s.add_event(Class::Background, 0, look);
    s.run(w).unwrap();
}

#[test]
fn under_a_virtual_clock_nothing_is_run() {
    let mut s = Scheduler::simulated(Time::ZERO);
    let mut w = World { notifier: Notifier::new(), log: scratch("log"), expected: 0, drained: 0 };
    submit(&mut s, &mut w, "a", "notify", &script(&["/bin/true"]), &[]);
    assert!(w.notifier.is_idle() && s.is_empty());
}

fn fifo(w: &World, path: &Path, reader: &str) -> FifoSettings {
    let owner = crate::Identity {
        uid: nix::unistd::geteuid().as_raw(),
        gid: nix::unistd::getegid().as_raw(),
        groups: None,
    };
    FifoSettings {
        path: Some((path.to_str().unwrap().to_owned(), owner)),
        script: Some(w.shell(reader)),
    }
}

fn vrrp(fifo: FifoSettings) -> Settings {
    Settings { vrrp_fifo: fifo, ..Settings::default() }
}

#[test]
fn a_reload_kept_two_readers_of_one_fifo() {
    let (mut s, mut w) = world();
    w.notifier.reader_patience = LONG;
    let path = scratch("fifo");
    let reading = "exec 3<$1; echo start >>$L; while read line <&3; do echo \"$line\" >>$L; done";
    let same = vrrp(fifo(&w, &path, reading));
    configure_fifos(&mut s, &mut w, &same);
    w.notifier.write_lvs("not for this one\n");
    w.notifier.write_vrrp(&crate::vrrp_line("INSTANCE", "VI_1", "MASTER", 150));
    until(&mut s, &mut w, 2);
    // Unchanged: the reader lives on.
    configure_fifos(&mut s, &mut w, &same);
    w.notifier.write_vrrp("kept\n");
    until(&mut s, &mut w, 3);
    // Changed: the old one ends, then the new one starts.
    let changed = vrrp(fifo(&w, &path, &format!(": changed; {reading}")));
    configure_fifos(&mut s, &mut w, &changed);
    until(&mut s, &mut w, 4);
    assert_eq!(w.notifier.running.len(), 1);
    w.notifier.write_vrrp("last\n");
    run(&mut s, &mut w);
    let instance = "INSTANCE \"VI_1\" MASTER 150";
    assert_eq!(w.lines(), ["start", instance, "kept", "start", "last"]);
    assert!(!path.exists(), "created by us, removed by us");
}

#[test]
fn a_reader_that_fails_is_started_again_and_one_that_leaves_is_not() {
    let (mut s, mut w) = world();
    w.notifier.readers.retry = Duration::from_millis(1);
    let path = scratch("fifo");
    let settings = vrrp(fifo(&w, &path, "echo x >>$L; [ $(wc -l <$L) -ge 3 ]"));
    configure_fifos(&mut s, &mut w, &settings);
    until(&mut s, &mut w, 3);
    while !w.notifier.running.is_empty() {
        until(&mut s, &mut w, 0);
    }
    configure_fifos(&mut s, &mut w, &settings);
    assert!(w.notifier.running.is_empty());
    run(&mut s, &mut w);
    assert_eq!(w.lines().len(), 3);
}

#[test]
fn a_fifo_that_is_not_configured_any_more_is_removed_and_its_reader_ended() {
    let (mut s, mut w) = world();
    let path = scratch("fifo");
    let stays = "exec 3<>$1; echo up >>$L; while read line <&3; do :; done";
    let wanted = vrrp(fifo(&w, &path, stays));
    configure_fifos(&mut s, &mut w, &wanted);
    until(&mut s, &mut w, 1);
    configure_fifos(&mut s, &mut w, &Settings::default());
    assert!(!path.exists());
    // It would never see the end of its pipe: only a signal makes this drain end.
    w.notifier.write_vrrp("nowhere\n");
    while !w.notifier.running.is_empty() {
        until(&mut s, &mut w, 0);
    }
    assert_eq!(w.lines(), ["up"]);
}
