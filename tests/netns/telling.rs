//! Who is told first: the lines of both FIFOs, and the scripts that were called, as one story has them
//! with the C keepalived and with ours.
//!
//! The members of a group stand in the file in another order than in the group, so that the one cannot
//! be taken for the other. What is left out, because the daemons differ on purpose, is in
//! `docs/compatibility.md`.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;
use nix::sys::stat::Mode;
use testbed::{Daemon, Host, Lan, wait_for};

use crate::{instance, ours, ready, ready_for_ours, theirs, version_3};

/// Where a story is played: a host with a second interface, `d0`, and both FIFOs.
struct Stage {
    lan: Lan,
    host: Host,
    program: PathBuf,
    fifos: Vec<Fifo>,
}

struct Fifo {
    path: PathBuf,
    file: File,
    lines: RefCell<String>,
    /// How many lines have been waited for.
    seen: RefCell<usize>,
}

impl Fifo {
    fn new(host: &Host, name: &str) -> Self {
        let path = host.file(name);
        nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        let mut options = File::options();
        options.read(true).write(true).custom_flags(OFlag::O_NONBLOCK.bits());
        let file = options.open(&path).unwrap();
        Self { path, file, lines: RefCell::default(), seen: RefCell::default() }
    }

    fn read(&self) {
        let _ = (&self.file).read_to_string(&mut self.lines.borrow_mut());
    }
}

impl Stage {
    fn new(program: &Path) -> Self {
        let lan = Lan::without_capture("10.9.0");
        let host = lan.host("a", 1);
        host.configure(&["link add d0 type veth peer name d1", "link set d1 up"]);
        let fifos = ["all", "vrrp"].map(|name| Fifo::new(&host, name)).into();
        let script = host.file("notify.sh");
        let calls = host.file("calls");
        fs::write(&script, format!("#!/bin/sh\necho \"$*\" >> {}\n", calls.display())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
        Self { lan, host, program: program.into(), fifos }
    }

    fn global(&self, lines: &str) -> String {
        let (all, vrrp) = (self.fifos[0].path.display(), self.fifos[1].path.display());
        version_3(&format!("notify_fifo {all}\n  vrrp_notify_fifo {vrrp}\n  {lines}"))
    }

    fn notify(&self, object: &str) -> String {
        let script = self.host.file("notify.sh");
        let call = |words: &str| format!("\"{} {object} {words}\"\n  ", script.display());
        let own = ["master", "backup", "fault", "stop"]
            .map(|state| format!("notify_{state} {}", call(state)));
        own.concat() + "notify " + &call("generic")
    }

    fn group(&self, name: &str, members: &[&str], lines: &str) -> String {
        let (members, notify) = (members.join("\n    "), self.notify(name));
        format!(
            "vrrp_sync_group {name} {{\n  group {{\n    {members}\n  }}\n  {notify}{lines}\n}}\n"
        )
    }

    /// Instance N`n`. The later `advert_int` counts, if `lines` has one.
    fn instance(&self, n: u8, priority: u8, lines: &str) -> String {
        let name = format!("N{n}");
        let lines = format!("advert_int 0.5\n  {}{lines}", self.notify(&name));
        instance(&name, 60 + n, priority, &lines, &[&format!("10.9.0.{}/24", 100 + n)])
    }

    /// A group, N3 N1 N2, and N4 beside it. All have something to do with `d0` that `group` and `lone` say.
    fn four(&self, group: &str, second: &str, lone: &str) -> String {
        self.group("G", &["N3", "N1", "N2"], group)
            + &self.instance(1, 150, "")
            + &self.instance(2, 100, second)
            + &self.instance(3, 50, "")
            + &self.instance(4, 100, lone)
    }

    #[track_caller]
    fn start(&self, configuration: &str) -> Daemon {
        Daemon::start(&self.host, &self.program, configuration)
    }

    fn set_d0(&self, up: bool) {
        self.host.ip(if up { "link set d0 up" } else { "link set d0 down" });
    }

    /// Waits until these lines stand in the FIFOs, in any order, behind those waited for before.
    #[track_caller]
    fn wait(&self, lines: &[&str]) {
        for fifo in &self.fifos {
            let from = *fifo.seen.borrow();
            wait_for(&format!("{lines:?} in {}", fifo.path.display()), || {
                fifo.read();
                let text = fifo.lines.borrow();
                let since: Vec<&str> = text.lines().skip(from).collect();
                *fifo.seen.borrow_mut() = from + since.len();
                lines.iter().all(|line| since.contains(line))
            });
        }
    }

    /// As [`Stage::wait`], for all of [`Stage::four`].
    #[track_caller]
    fn wait_four(&self, state: &str) {
        let priorities = [(1, 150), (2, 100), (3, 50), (4, 100)];
        let mut lines: Vec<String> =
            priorities.iter().map(|(n, p)| format!("INSTANCE \"N{n}\" {state} {p}")).collect();
        lines.push(format!("GROUP \"G\" {state} 0"));
        self.wait(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    }

    /// The lines, and the calls of scripts in no order: the C daemon does not wait for one to end.
    fn told(self) -> (Vec<String>, Vec<String>) {
        let [all, vrrp] = [0, 1].map(|at| {
            self.fifos[at].read();
            let text = self.fifos[at].lines.borrow();
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        });
        assert_eq!(all, vrrp, "both FIFOs say the same");
        let calls = fs::read_to_string(self.host.file("calls")).unwrap_or_default();
        let mut calls: Vec<String> = calls.lines().map(str::to_owned).collect();
        calls.sort();
        (all, calls)
    }
}

/// Plays the story with both daemons.
#[track_caller]
fn both(story: fn(&Stage)) {
    if !ready() {
        return;
    }
    let [reference, own] = [theirs(), ours()].map(|program| {
        let stage = Stage::new(&program);
        story(&stage);
        stage.told()
    });
    assert!(!reference.0.is_empty() && !reference.1.is_empty());
    assert_eq!(own, reference, "ours, and the C daemon's");
}

const D0: &str = "track_interface {\n    d0\n  }";
/// Nobody becomes MASTER while the story lasts.
const SLOW: &str = "advert_int 30\n  ";

/// FAULT before the start, and again while all are MASTER; the arguments are those of [`Stage::four`].
fn fault_and_fault_again(stage: &Stage, group: &str, second: &str, lone: &str) {
    let daemon = stage.start(&(stage.global("") + &stage.four(group, second, lone)));
    stage.wait_four("FAULT");
    stage.set_d0(true);
    stage.wait_four("BACKUP");
    stage.wait_four("MASTER");
    stage.set_d0(false);
    stage.wait_four("FAULT");
    daemon.stop();
}

/// One member's interface takes all to FAULT.
#[test]
fn faults_of_one_member() {
    both(|stage| fault_and_fault_again(stage, "", D0, D0));
}

/// What the group tracks concerns the members in the group's order, behind those that track it themselves.
#[test]
fn faults_of_a_group() {
    both(|stage| fault_and_fault_again(stage, D0, "", D0));
}

/// Members whose timers end in the same moment: the one that entered BACKUP last leads.
#[test]
fn equal_members() {
    both(|stage| {
        let members: String = (1..=3).map(|n| stage.instance(n, 100, "")).collect();
        let group = stage.group("G", &["N1", "N2", "N3"], "");
        let daemon = stage.start(&(stage.global("") + &group + &members));
        stage.wait(&["GROUP \"G\" MASTER 0"]);
        for _ in 0..2 {
            stage.host.set_link(false);
            stage.wait(&["GROUP \"G\" FAULT 0"]);
            stage.host.set_link(true);
            stage.wait(&["GROUP \"G\" MASTER 0"]);
        }
        daemon.stop();
    });
}

/// Groups that can start and groups that cannot; then a member of one meets a better router.
#[test]
fn several_groups_and_a_better_router() {
    both(|stage| {
        let other = stage.lan.host("b", 2);
        let configuration = stage.global("")
            + &stage.group("G", &["N3", "N1"], "")
            + &stage.group("H", &["N2", "N4"], "")
            + &stage.group("I", &["N5", "N6"], "")
            + &stage.instance(1, 150, "")
            + &stage.instance(2, 100, D0)
            + &stage.instance(3, 50, "")
            + &stage.instance(4, 200, "")
            + &stage.instance(5, 120, SLOW)
            + &stage.instance(6, 60, SLOW)
            + &stage.instance(7, 60, "")
            + &stage.instance(8, 60, D0);
        let daemon = stage.start(&configuration);
        stage.wait(&["INSTANCE \"N7\" MASTER 60", "GROUP \"G\" MASTER 0"]);
        let better = instance("B", 61, 200, "advert_int 0.5", &["10.9.0.101/24"]);
        let _better = Daemon::start(&other, &theirs(), &(version_3("") + &better));
        stage.wait(&["GROUP \"G\" BACKUP 0"]);
        daemon.stop();
    });
}

/// Nobody is told of anything before the script's first verdict.
#[test]
fn a_script_succeeds() {
    both(|stage| {
        let script = "vrrp_script S {\n  script /usr/bin/true\n  interval 2\n}\n";
        let tracks = "track_script {\n    S\n  }";
        let daemon = stage.start(&(stage.global("") + script + &stage.four(tracks, "", tracks)));
        stage.wait_four("BACKUP");
        stage.wait_four("MASTER");
        daemon.stop();
    });
}

/// A script's first verdict is a failure: every member is told of, then the group. (The C daemon tells of
/// the one that tracks the script and of the group; the others are in FAULT untold.)
#[test]
fn a_script_fails() {
    if !ready_for_ours() {
        return;
    }
    let stage = Stage::new(&ours());
    let script = "vrrp_script S {\n  script /usr/bin/false\n  interval 2\n}\n";
    let tracks = "track_script {\n    S\n  }";
    let daemon = stage.start(&(stage.global("") + script + &stage.four("", tracks, "")));
    stage.wait(&["GROUP \"G\" FAULT 0"]);
    daemon.stop();
    let (lines, _) = stage.told();
    let told: Vec<&String> = lines.iter().filter(|line| line.contains(" FAULT ")).collect();
    let wanted = [
        "INSTANCE \"N2\" FAULT 100",
        "INSTANCE \"N3\" FAULT 50",
        "INSTANCE \"N1\" FAULT 150",
        "GROUP \"G\" FAULT 0",
    ];
    assert_eq!(told, wanted);
}

/// Priorities that trackers have moved are told of before the first states.
#[test]
fn priorities() {
    both(|stage| {
        stage.set_d0(true);
        let weighted = "track_interface {\n    d0 weight 10\n  }";
        let configuration = stage.global("vrrp_notify_priority_changes")
            + &stage.four(&format!("sync_group_tracking_weight\n  {weighted}"), "", weighted);
        let daemon = stage.start(&configuration);
        stage.wait(&["GROUP \"G\" MASTER 0"]);
        stage.set_d0(false);
        let names = [("N1", 150), ("N2", 100), ("N3", 50), ("N4", 100)];
        let moved =
            |by: i32| names.map(|(n, p)| format!("INSTANCE \"{n}\" MASTER_PRIORITY {}", p + by));
        stage.wait(&moved(0).each_ref().map(String::as_str));
        stage.set_d0(true);
        stage.wait(&moved(10).each_ref().map(String::as_str));
        daemon.stop();
    });
}

/// Instances and groups that reloads add, remove and move. (A group made of instances that are MASTER, and
/// a member that a MASTER group gains, are where the daemons differ.)
#[test]
fn reloads() {
    both(|stage| {
        let four = stage.instance(4, 100, "");
        let five = stage.instance(5, 120, SLOW);
        let pair = |lines: &str| {
            stage.instance(1, 150, SLOW) + &stage.instance(3, 50, &format!("{SLOW}{lines}"))
        };
        let group = |name: &str| stage.group(name, &["N3", "N1"], "");
        let global = stage.global("");
        let two = stage.instance(2, 100, D0);
        let daemon =
            stage.start(&(global.clone() + &group("G") + &pair("") + &two + &four + &five));
        stage.wait(&["INSTANCE \"N4\" MASTER 100"]);

        // N2, which is in FAULT, goes without a word; a group that can start and one that cannot come.
        let six = stage.instance(6, 60, &format!("{SLOW}notify_deleted"));
        let others = stage.group("I", &["N9", "N8"], "")
            + &four
            + &stage.instance(7, 70, SLOW)
            + &stage.instance(8, 80, SLOW)
            + &stage.instance(9, 90, D0);
        let more = stage.group("H", &["N7", "N6"], "") + &five + &six + &others;
        daemon.reload(&(global.clone() + &group("G") + &pair("") + &more));
        stage.wait(&["GROUP \"H\" BACKUP 0", "GROUP \"I\" FAULT 0", "INSTANCE \"N7\" BACKUP 70"]);

        // A member of the first group becomes faulty by a reload, and whole again by another.
        daemon.reload(&(global.clone() + &group("G") + &pair(D0) + &more));
        stage.wait(&["GROUP \"G\" FAULT 0"]);
        daemon.reload(&(global.clone() + &group("G") + &pair("") + &more));
        stage.wait(&["GROUP \"G\" BACKUP 0", "INSTANCE \"N3\" BACKUP 50"]);

        // Instances go in BACKUP, one of them with the word DELETED; a group has a new name.
        let fewer = stage.group("H", &["N7"], "") + &others;
        daemon.reload(&(global + &group("K") + &pair("") + &fewer));
        stage.wait(&["INSTANCE \"N6\" DELETED 60", "GROUP \"K\" BACKUP 0"]);
        daemon.stop();
    });
}

/// With `fifo_write_vrrp_states_on_reload`: faults that are news, then all groups, then all instances.
/// (Of those that are MASTER the C daemon repeats the group only.)
#[test]
fn states_repeated_by_a_reload() {
    both(|stage| {
        let global = stage.global("fifo_write_vrrp_states_on_reload");
        let groups = stage.group("G", &["N3", "N1"], "") + &stage.group("H", &["N2", "N4"], "");
        let instances = |second: &str, others: &str| {
            let slow = |lines: &str| format!("{SLOW}{lines}");
            stage.instance(1, 150, SLOW)
                + &stage.instance(2, 100, &slow(second))
                + &stage.instance(3, 50, &slow(others))
                + &stage.instance(4, 200, SLOW)
                + &stage.instance(5, 120, &slow(others))
        };
        let daemon = stage.start(&(global.clone() + &groups + &instances(D0, "")));
        stage.wait(&["INSTANCE \"N5\" BACKUP 120"]);
        let six = stage.instance(6, 60, SLOW);
        daemon.reload(&(global + &groups + &instances("", D0) + &six));
        stage.wait(&["INSTANCE \"N6\" BACKUP 60"]);
        daemon.stop();
    });
}
