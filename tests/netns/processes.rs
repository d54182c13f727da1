//! Tracked processes: copies of `sleep` under names of their own.
//!
//! The kernel tells of processes in the initial network namespace only, so the C daemon is started there and goes to
//! the host's itself (`-s`); ours finds them everywhere.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use testbed::{Daemon, Host, Lan, wait_for};

use crate::{instance, ours, ready_for_ours, ready_with, skipped, start, theirs, version_3};

/// A program with a name that nothing else on the machine has.
struct Program(PathBuf);

impl Program {
    fn new(host: &Host, name: &str) -> Program {
        let path = host.file(&format!("{name}{}", std::process::id()));
        let sleep = Path::new("/bin/sleep").canonicalize().unwrap();
        fs::copy(sleep, &path).unwrap();
        Program(path)
    }

    fn name(&self) -> &str {
        self.0.file_name().and_then(|name| name.to_str()).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Running {
        Running(Command::new(&self.0).args(arguments).spawn().unwrap())
    }
}

/// Killed when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a daemon where the kernel tells of processes: in the network that this test runs in.
fn outside(host: &Host, program: &Path) -> PathBuf {
    let (wrapper, folder) = (host.file("outside"), host.file(""));
    // The host's network has the same name.
    let network = folder.file_name().and_then(|name| name.to_str()).unwrap();
    let text = format!(
        "#!/bin/sh\nexec nsenter --net=/proc/{}/ns/net {} -s {network} \"$@\"\n",
        std::process::id(),
        program.display()
    );
    fs::write(&wrapper, text).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    wrapper
}

/// Which quorums came and went, and what that did, in order.
fn story(daemon: &Daemon) -> Vec<String> {
    let log = daemon.log();
    let told = ["Quorum", "effective priority", "STATE", "(tracked process"];
    let lines = log.lines().filter(|line| told.iter().any(|text| line.contains(text)));
    lines.filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect()
}

#[test]
fn quorums_are_those_of_the_c_daemon() {
    if !ready_with(&["nsenter", &theirs().display().to_string()]) || !ready_for_ours() {
        return;
    }
    let mut stories = Vec::new();
    for program in [theirs(), ours()] {
        let lan = Lan::without_capture("10.9.0");
        let a = lan.host("a", 1);
        let sleeper = Program::new(&a, "slp");
        let (name, path) = (sleeper.name(), sleeper.0.display());
        let processes = format!(
            "vrrp_track_process RUNS {{\n  process {name}\n}}\n\
             vrrp_track_process MOST {{\n  process {name}\n  quorum_max 2\n  weight 20\n}}\n\
             vrrp_track_process PART {{\n  process {path} 3000 50\n  param_match initial\n  \
             weight 3\n  delay 0.1\n}}\n\
             vrrp_track_process TWO {{\n  process {path} 1234\n  quorum 2\n  weight 10\n  \
             terminate_delay 0.5\n}}\n"
        );
        let lines =
            "advert_int 0.25\n  track_process {\n    RUNS\n    MOST\n    PART\n    TWO\n  }";
        let configuration =
            version_3("") + &processes + &instance("V", 95, 100, lines, &["10.9.0.100/24"]);
        let daemon = Daemon::start(&a, &outside(&a, &program), &configuration);
        if daemon.logged("process event listen") > 0 {
            // In a container, for instance.
            skipped("this kernel does not tell of processes here");
            return;
        }
        daemon.wait_log("proc_events has confirmed");
        let gained = |name: &str, times| {
            daemon.wait_logged(&format!("Quorum gained for tracked process {name}"), times);
        };
        let lost = |name: &str, times| {
            daemon.wait_logged(&format!("Quorum lost for tracked process {name}"), times);
        };
        let first = sleeper.run(&["6000"]);
        daemon.wait_log("(V) Entering MASTER STATE");
        let second = sleeper.run(&["3000", "500", "7"]);
        gained("PART", 1);
        let two = [sleeper.run(&["1234"]), sleeper.run(&["1234"])];
        gained("TWO", 1);
        lost("MOST", 1);
        let dump = daemon.dump(libc::SIGUSR1, "keepalived.data", |t| t.contains("Interfaces"));
        let [one, other] = two;
        drop(one);
        lost("TWO", 1);
        drop(other);
        gained("MOST", 2);
        drop(second);
        lost("PART", 1);
        drop(first);
        lost("MOST", 2);
        daemon.wait_log("(V) Entering FAULT STATE");
        let section = dump.split("------< ").find(|section| section.contains("Track process"));
        let section = section.unwrap_or_default().replace(&a.file("").display().to_string(), "");
        stories.push((story(&daemon), section));
        daemon.stop();
    }
    let [(c, c_dump), (rust, dump)] = <[_; 2]>::try_from(stories).unwrap();
    assert!(c.len() >= 14, "{c:#?}");
    assert_eq!(rust, c);
    assert!(c_dump.contains("Current processes = 4"), "{c_dump}");
    assert_eq!(dump, c_dump);
}

/// The C daemon sees only what runs when it starts.
#[test]
fn processes_are_found_from_other_networks_too() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let a = lan.host("a", 1);
    let (one, other) = (Program::new(&a, "one"), Program::new(&a, "oth"));
    let block = |program: &Program| {
        let name = program.name();
        format!("vrrp_track_process {name} {{\n  process {name}\n}}\n")
    };
    let configuration = |tracked: &[&Program]| {
        let names: Vec<&str> = tracked.iter().map(|program| program.name()).collect();
        let lines =
            format!("advert_int 0.25\n  track_process {{\n    {}\n  }}", names.join("\n    "));
        let blocks: String = tracked.iter().map(|program| block(program)).collect();
        version_3("") + &blocks + &instance("V", 96, 100, &lines, &["10.9.0.100/24"])
    };
    let daemon = start(&a, &configuration(&[&one]));
    daemon.wait_log("(V) entering FAULT state (tracked process");
    let first = one.run(&["6000"]);
    a.wait_holds("10.9.0.100", true);
    // What a reload adds is looked for, and stops nothing while it runs.
    let second = other.run(&["6000"]);
    daemon.reload(&configuration(&[&one, &other]));
    daemon.wait_log("Reload complete");
    let dumped = || daemon.dump(libc::SIGUSR1, "keepalived.data", |t| t.contains("Interfaces"));
    wait_for("both are found", || dumped().matches("Current processes = 1").count() == 2);
    assert_eq!(daemon.counters("V").get("Became master"), 1);
    drop(second);
    a.wait_holds("10.9.0.100", false);
    let second = other.run(&["6000"]);
    a.wait_holds("10.9.0.100", true);
    drop((first, second));
    a.wait_holds("10.9.0.100", false);
    daemon.stop();
}
