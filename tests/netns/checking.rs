//! What the scenarios of checkers have in common: a table of real servers, each with a checker and what it must find.
//!
//! The daemon's own dump tells when each checker has come to a result, and to which. The kernel needs no IPVS.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::sys::signal::Signal;
use testbed::{Daemon, Host, Parts, wait_for};

use crate::{ours, ready_with, theirs};

/// The virtual server of the scenarios.
pub const SERVICE: &str = "[10.9.0.100]:tcp:80";

/// A real server with one checker.
pub struct Case {
    /// Its keywords; `connect_port` and others as needed.
    checker: String,
    up: bool,
    /// What the log must say; `@` stands for the real server.
    line: String,
}

/// One whose check succeeds.
pub fn up(checker: impl Into<String>, line: &str) -> Case {
    Case { checker: checker.into(), up: true, line: line.to_owned() }
}

/// One whose check fails.
pub fn down(checker: impl Into<String>, line: &str) -> Case {
    Case { checker: checker.into(), up: false, line: line.to_owned() }
}

/// Whether the machine has these programs and checks can run; without IPVS the C daemon's do not.
pub fn ready_to_check(programs: &[&str]) -> bool {
    ready_with(programs) && ours() != theirs()
}

/// The real server of a number: each has an own port, which nothing listens on.
pub fn name(number: usize) -> String {
    format!("[10.9.0.2]:tcp:{}", 1001 + number)
}

/// A virtual server with these `lines` and real servers.
pub fn service(lines: &str, reals: &str) -> String {
    format!(
        "virtual_server 10.9.0.100 80 {{\n  protocol TCP\n  lvs_sched rr\n  warmup 0\n  {lines}\n{reals}}}\n"
    )
}

/// The real server of a number with these `lines`.
pub fn real(number: usize, lines: &str) -> String {
    format!("  real_server 10.9.0.2 {} {{\n    {lines}\n  }}\n", 1001 + number)
}

/// Global definitions.
pub fn global(lines: &str) -> String {
    format!("global_defs {{\n  router_id R1\n  script_user root\n  {lines}\n}}\n")
}

/// The real servers of the cases.
pub fn reals(cases: &[Case]) -> String {
    cases.iter().enumerate().map(|(number, case)| real(number, &case.checker)).collect()
}

/// An executable file with this shell text, as a word of a configuration.
pub fn script(host: &Host, file: &str, text: &str) -> String {
    let path = host.file(file);
    fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

/// Starts the checkers of our daemon, and nothing else.
#[track_caller]
pub fn check(host: &Host, configuration: &str) -> Daemon {
    Daemon::start_parts(host, &ours(), Parts::Checkers, configuration, &[])
}

/// Runs the cases all at once and asserts what each came to and that the log says so.
#[track_caller]
pub fn judge(host: &Host, before: &str, lines: &str, cases: &[Case]) -> Daemon {
    let daemon = check(host, &(before.to_owned() + &service(lines, &reals(cases))));
    wait_verdicts(&daemon, cases);
    for (number, case) in cases.iter().enumerate() {
        daemon.wait_log(&case.line.replace('@', &name(number)));
    }
    daemon
}

/// Waits until each checker has come to a result, and asserts to which.
#[track_caller]
fn wait_verdicts(daemon: &Daemon, cases: &[Case]) {
    let mut verdicts = Vec::new();
    wait_for("each checker comes to a result", || {
        // Not so often that the log is full of it.
        std::thread::sleep(Duration::from_millis(200));
        verdicts = results(daemon);
        verdicts.len() == cases.len() && verdicts.iter().all(|result| result.ran)
    });
    let mut wrong = String::new();
    for (result, case) in verdicts.iter().zip(cases).filter(|(result, case)| result.up != case.up) {
        let found = if result.up { "up" } else { "down" };
        let _ = writeln!(wrong, "{} is found {found}: {}", result.server, case.checker);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// What a checker has come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The real server.
    pub server: String,
    /// Not held back by `ha_suspend`.
    pub enabled: bool,
    pub up: bool,
    /// It has come to a result once.
    pub ran: bool,
    /// What it adds to the weight.
    pub weight: i64,
}

/// All checkers of a daemon, in the configuration's order.
#[track_caller]
pub fn results(daemon: &Daemon) -> Vec<Found> {
    const TITLE: &str = "------< Health checkers >------\n";
    let dump =
        daemon.dump(Signal::SIGUSR1 as i32, "keepalived_check.data", |text| text.contains(TITLE));
    let (_, checkers) = dump.split_once(TITLE).unwrap_or_default();
    let mut found: Vec<Found> = Vec::new();
    for line in checkers.lines().take_while(|line| !line.starts_with("------<")) {
        if let Some((_, server)) = line.split_once(" -> ") {
            let server = server.to_owned();
            found.push(Found { server, enabled: false, up: false, ran: false, weight: 0 });
        }
        let (Some((key, value)), Some(last)) = (line.trim().split_once(" = "), found.last_mut())
        else {
            continue;
        };
        match key {
            "Enabled" => last.enabled = value == "yes",
            "Up" => last.up = value == "yes",
            "Has run" => last.ran = value == "yes",
            "Current weight" => last.weight = value.parse().unwrap(),
            _ => {}
        }
    }
    found
}
