//! The built binary from outside: streams, exit statuses, pid files, signals, configuration tests.
//! Nothing here needs a privilege or touches an interface.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const BINARY: &str = env!("CARGO_BIN_EXE_keepalived");

/// A directory that is gone when the test ends.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let path = std::env::temp_dir().join(format!("ka-cli-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).unwrap();
        Dir(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn keepalived(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Tests the configuration `text` as the only file.
fn config_test(name: &str, text: &str) -> Output {
    let dir = Dir::new(name);
    let file = dir.file("keepalived.conf", text);
    keepalived(&["-t", "-f", file.to_str().unwrap()])
}

/// A daemon in the foreground that is killed when the test ends before it.
struct Running(Child);

impl Running {
    fn start(dir: &Dir, arguments: &[&str]) -> Running {
        let mut command = Command::new(BINARY);
        command.args(["-n", "-l", "-G", "-D"]);
        for (option, file) in [("-p", "p"), ("-r", "r"), ("-c", "c"), ("-b", "b")] {
            command.arg(option).arg(dir.path(file));
        }
        let log = fs::File::create(dir.path("log")).unwrap();
        command.args(arguments).env("TMPDIR", &dir.0).stdin(Stdio::null()).stderr(log);
        Running(command.spawn().unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0.id().try_into().unwrap()), signal).unwrap();
    }

    fn stop(mut self) -> i32 {
        self.signal(Signal::SIGTERM);
        self.0.wait().unwrap().code().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits for what another process does; panics when it does not do it.
fn wait_for<T>(what: &str, mut seen: impl FnMut() -> Option<T>) -> T {
    for _ in 0..2000 {
        if let Some(seen) = seen() {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("{what} did not happen");
}

fn wait_for_log(dir: &Dir, line: &str) {
    wait_for_count(dir, line, 1);
}

fn wait_for_count(dir: &Dir, line: &str, count: usize) {
    wait_for(line, || {
        let log = fs::read_to_string(dir.path("log")).ok()?;
        (log.matches(line).count() >= count).then_some(())
    });
}

fn pid_in(path: &Path) -> Option<i32> {
    fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok()
}

#[test]
fn version_and_usage_go_to_standard_error() {
    for (option, start) in [("-v", "Keepalived v"), ("--help", "Usage: keepalived")] {
        let output = keepalived(&[option]);
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.is_empty());
        assert!(text(&output.stderr).starts_with(start));
    }
}

#[test]
fn signum_goes_to_standard_output() {
    let output = keepalived(&["--signum=JSON"]);
    assert_eq!((output.status.code(), text(&output.stdout)), (Some(0), "36\n".into()));
    assert!(output.stderr.is_empty());
    assert_eq!(keepalived(&["--signum=X"]).status.code(), Some(1));
}

#[test]
fn unknown_options_end_the_run_with_status_1() {
    let output = keepalived(&["-Z", "--dont"]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(text(&output.stderr), "Unknown option -Z\nUnknown option --dont\n");
    assert_eq!(keepalived(&["-T"]).status.code(), Some(1));
}

#[test]
fn a_good_configuration_is_tested_in_silence() {
    for good in ["", "global_defs {\n    router_id x\n}\n", "! nothing\n"] {
        let output = config_test("good", good);
        assert_eq!(text(&output.stderr), "");
        assert_eq!(output.status.code(), Some(0));
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn statuses_of_configuration_tests() {
    let cases = [
        ("vrrp_instanc A {\n}\n", 5),
        ("global_defs {\n    vrrp_version 4\n}\n", 5),
        ("global_defs {\n    router_id x\n", 5),
        ("global_defs {\n    smtp_server\n}\n", 2),
        ("includea /nonexistent/x.conf\n", 6),
        ("include /nonexistent/x.conf\n", 0),
    ];
    for (configuration, status) in cases {
        let output = config_test("statuses", configuration);
        let stderr = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{configuration}{stderr}");
        assert!(!stderr.contains('\x1b'), "no terminal, no colour: {stderr}");
    }
}

#[test]
fn a_problem_is_one_line_with_its_place() {
    let output = config_test("place", "\nglobal_defs {\n    router_idd x\n}\n");
    let stderr = text(&output.stderr);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    assert!(stderr.contains("Line 3") && stderr.contains("router_idd"), "{stderr}");
}

#[test]
fn an_absent_main_file_fails_the_test_and_the_start() {
    let tested = keepalived(&["-t", "-f", "/nonexistent/keepalived.conf"]);
    assert_eq!(tested.status.code(), Some(4));
    assert!(text(&tested.stderr).contains("/nonexistent/keepalived.conf"));
    let started = keepalived(&["-n", "-G", "-f", "/nonexistent/keepalived.conf"]);
    assert_eq!(started.status.code(), Some(6));
}

#[test]
fn a_test_reports_to_the_file_it_was_given() {
    let dir = Dir::new("testfile");
    let conf = dir.file("k.conf", "unknown_keyword\n");
    let log = dir.path("log");
    let option = format!("-t{}", log.display());
    let output = keepalived(&[&option, "-f", conf.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(5));
    assert!(output.stderr.is_empty());
    assert!(fs::read_to_string(&log).unwrap().contains("unknown_keyword"));
    let output = keepalived(&["-t/nonexistent/log", "-f", conf.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    std::os::unix::fs::symlink(dir.path("victim"), dir.path("link")).unwrap();
    let option = format!("-t{}", dir.path("link").display());
    assert_eq!(keepalived(&[&option, "-f", conf.to_str().unwrap()]).status.code(), Some(1));
    assert!(!dir.path("victim").exists());
}

#[test]
fn a_daemon_with_nothing_to_run_stays_until_it_is_stopped() {
    let dir = Dir::new("nothing");
    let conf = dir.file("k.conf", "");
    let daemon = Running::start(&dir, &["-f", conf.to_str().unwrap()]);
    wait_for_log(&dir, "keepalived has no configuration to run");
    assert_eq!(pid_in(&dir.path("p")), i32::try_from(daemon.0.id()).ok());
    assert!(!dir.path("r").exists() && !dir.path("c").exists() && !dir.path("b").exists());
    let conf = conf.to_str().unwrap();
    let second = keepalived(&["-n", "-G", "-f", conf, "-p", dir.path("p").to_str().unwrap()]);
    assert_eq!(second.status.code(), Some(0), "already running");
    daemon.signal(Signal::SIGUSR1);
    let data = wait_for("the dump", || fs::read_to_string(dir.path("keepalived_parent.data")).ok());
    assert!(data.starts_with("------< Global definitions >------\n Network namespace = (default)"));
    assert_eq!(daemon.stop(), 0);
    assert!(!dir.path("p").exists());
    wait_for_log(&dir, "Stopped Keepalived v");
}

#[test]
fn all_pid_files_hold_the_one_pid() {
    let dir = Dir::new("pids");
    let conf = dir.file("k.conf", "");
    let daemon = Running::start(&dir, &["--all", "-f", conf.to_str().unwrap()]);
    wait_for_log(&dir, "Startup complete");
    for file in ["p", "r", "c", "b"] {
        assert_eq!(pid_in(&dir.path(file)), i32::try_from(daemon.0.id()).ok(), "{file}");
    }
    assert_eq!(daemon.stop(), 0);
    for file in ["p", "r", "c", "b"] {
        assert!(!dir.path(file).exists(), "{file}");
    }
}

#[test]
fn a_part_that_a_reload_brings_gets_its_pid_file() {
    let dir = Dir::new("later");
    let conf = dir.file("k.conf", "");
    let daemon = Running::start(&dir, &["-C", "-f", conf.to_str().unwrap()]);
    wait_for_log(&dir, "no configuration to run");
    assert!(dir.path("p").exists() && !dir.path("b").exists());
    dir.file("k.conf", "bfd_instance B {\n    neighbor_ip 127.0.0.1\n}\n");
    daemon.signal(Signal::SIGHUP);
    wait_for_log(&dir, "Reload complete");
    assert_eq!(pid_in(&dir.path("b")), i32::try_from(daemon.0.id()).ok());
    dir.file("k.conf", "");
    fs::remove_file(dir.path("p")).unwrap();
    daemon.signal(Signal::SIGHUP);
    wait_for_count(&dir, "Reload complete", 2);
    assert!(!dir.path("b").exists());
    assert!(dir.path("p").exists(), "what somebody removed is there again");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn the_launcher_has_written_the_pid_file_when_it_exits() {
    let dir = Dir::new("fork");
    let conf = dir.file("k.conf", "");
    let pid_file = dir.path("p");
    let output =
        keepalived(&["-G", "-P", "-f", conf.to_str().unwrap(), "-p", pid_file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0));
    let pid = pid_in(&pid_file).unwrap();
    let cmdline = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
    assert!(text(&cmdline).contains(conf.to_str().unwrap()));
    kill(Pid::from_raw(pid), Signal::SIGTERM).unwrap();
    wait_for("the end", || (!pid_file.exists()).then_some(()));
}

#[test]
fn detail_in_a_terminal_stays_in_front_and_logs_there() {
    let dir = Dir::new("terminal");
    let conf = dir.file("k.conf", "");
    let terminal = nix::pty::openpty(None, None).unwrap();
    let mut command = Command::new(BINARY);
    command.args(["-D", "-G", "-P", "-f"]).arg(conf).arg("-p").arg(dir.path("p"));
    command.stdin(terminal.slave.try_clone().unwrap()).stdout(Stdio::null());
    let mut daemon = Running(command.stderr(terminal.slave).spawn().unwrap());
    drop(command);
    let mut shown = String::new();
    let mut master = fs::File::from(terminal.master);
    let mut read = |until: &str| {
        while !shown.contains(until) {
            let mut bytes = [0; 4096];
            let len = master.read(&mut bytes).unwrap();
            shown.push_str(&text(&bytes[..len]));
        }
        shown.clone()
    };
    let seen = read("no configuration to run");
    assert!(seen.contains("\x1b[36mKeepalived\x1b[0m"), "{seen}");
    assert_eq!(pid_in(&dir.path("p")), i32::try_from(daemon.0.id()).ok(), "it did not fork");
    daemon.signal(Signal::SIGINT);
    read("Stopped Keepalived v");
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
}

#[test]
fn a_reload_that_is_broken_keeps_the_configuration_and_says_where() {
    let dir = Dir::new("reload");
    let conf = dir.file("k.conf", "global_defs {\n    router_id one\n}\n");
    let daemon = Running::start(&dir, &["-f", conf.to_str().unwrap()]);
    wait_for_log(&dir, "no configuration to run");
    dir.file("k.conf", "\nglobal_defs {\n    smtp_server\n}\n");
    daemon.signal(Signal::SIGHUP);
    wait_for_log(&dir, "keeping the running configuration");
    let log = fs::read_to_string(dir.path("log")).unwrap();
    assert!(log.contains("Line 3"), "{log}");
    fs::remove_file(&conf).unwrap();
    daemon.signal(Signal::SIGHUP);
    wait_for_count(&dir, "keeping the running configuration", 2);
    dir.file("k.conf", "global_defs {\n    router_id two\n}\n");
    daemon.signal(Signal::SIGHUP);
    wait_for_log(&dir, "Reload complete");
    daemon.signal(Signal::SIGUSR1);
    let data = wait_for("the dump", || fs::read_to_string(dir.path("keepalived_parent.data")).ok());
    assert!(data.contains("Router ID = two"), "{data}");
    assert_eq!(daemon.stop(), 0);
}

/// Somebody may still be writing it. A file that never was whole is as it was.
#[test]
fn a_reload_of_half_a_file_keeps_the_configuration() {
    let dir = Dir::new("half");
    let half = "global_defs {\n    router_id one\n";
    let conf = dir.file("k.conf", half);
    let daemon = Running::start(&dir, &["-f", conf.to_str().unwrap()]);
    wait_for_log(&dir, "no configuration to run");
    daemon.signal(Signal::SIGHUP);
    wait_for_count(&dir, "Reload complete", 1);
    dir.file("k.conf", "global_defs {\n    router_id two\n}\n");
    daemon.signal(Signal::SIGHUP);
    wait_for_count(&dir, "Reload complete", 2);
    dir.file("k.conf", half);
    daemon.signal(Signal::SIGHUP);
    wait_for_log(
        &dir,
        "the new configuration ends inside a block - keeping the running configuration",
    );
    let log = fs::read_to_string(dir.path("log")).unwrap();
    assert!(log.contains("(Line 1) Missing '}'"), "{log}");
    assert_eq!(daemon.stop(), 0);
}

#[test]
fn startup_and_shutdown_scripts_run_around_everything() {
    let dir = Dir::new("scripts");
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
    let mark = |name: &str| dir.path(name).display().to_string();
    let conf = dir.file(
        "k.conf",
        &format!(
            "global_defs {{\n    startup_script \"/bin/touch {}\" {user}\n    \
             shutdown_script \"/bin/touch {}\" {user}\n}}\n",
            mark("up"),
            mark("down")
        ),
    );
    let daemon = Running::start(&dir, &["-f", conf.to_str().unwrap()]);
    wait_for_log(&dir, "startup script succeeded");
    assert!(dir.path("up").exists() && !dir.path("down").exists());
    wait_for_log(&dir, "no configuration to run");
    assert_eq!(daemon.stop(), 0);
    assert!(dir.path("down").exists());
}

/// A script that is a link sees in `$0` the path it was executed by.
#[test]
fn scripts_are_executed_by_the_path_the_configuration_asks_for() {
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
    for (keyword, executed) in [("", "real"), ("use_symlink_paths", "link")] {
        let dir = Dir::new(&format!("links-{executed}"));
        let text = format!("#!/bin/sh\necho $0 > {}\n", dir.path("zero").display());
        let script = dir.file("real", &text);
        fs::set_permissions(&script, PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::symlink(&script, dir.path("link")).unwrap();
        let link = dir.path("link").display().to_string();
        let line = format!("    startup_script {link} {user}\n    {keyword}\n");
        let conf = dir.file("k.conf", &format!("global_defs {{\n{line}}}\n"));
        let daemon = Running::start(&dir, &["-f", conf.to_str().unwrap()]);
        wait_for_log(&dir, "startup script succeeded");
        let zero = fs::read_to_string(dir.path("zero")).unwrap();
        assert_eq!(Path::new(zero.trim()).file_name().unwrap(), executed, "{keyword}");
        assert_eq!(daemon.stop(), 0);
    }
}

/// The file exists while configuration files are read, and at no other time.
#[test]
fn the_reload_file_is_there_while_a_reload_reads() {
    let dir = Dir::new("handshake");
    let handshake = dir.path("handshake");
    let text = format!("global_defs {{\n    reload_file {}\n}}\n", handshake.display());
    let conf = dir.file("k.conf", &text);
    let daemon = Running::start(&dir, &["-f", conf.to_str().unwrap()]);
    wait_for_log(&dir, "no configuration to run");
    let inotify = Inotify::init(InitFlags::IN_NONBLOCK).unwrap();
    let changes = AddWatchFlags::IN_CREATE | AddWatchFlags::IN_DELETE;
    inotify.add_watch(&dir.0, changes).unwrap();
    daemon.signal(Signal::SIGHUP);
    wait_for_log(&dir, "Reload complete");
    let events = inotify.read_events().unwrap();
    let of_file = events.iter().filter(|e| e.name.as_deref() == handshake.file_name());
    let masks: Vec<AddWatchFlags> = of_file.map(|e| e.mask).collect();
    assert_eq!(masks, [AddWatchFlags::IN_CREATE, AddWatchFlags::IN_DELETE]);
    assert_eq!(daemon.stop(), 0);
    assert!(!handshake.exists());
}

/// A time of day in the file makes a reload then; the file goes unless it is to be kept.
#[test]
fn the_reload_time_file_says_when() {
    for (keyword, kept) in [("", false), ("reload_repeat", true)] {
        let dir = Dir::new(&format!("when-{kept}"));
        let when = dir.path("when");
        let line = format!("reload_time_file {}\n    {keyword}", when.display());
        let conf = dir.file("k.conf", &format!("global_defs {{\n    {line}\n}}\n"));
        let daemon = Running::start(&dir, &["-f", conf.to_str().unwrap()]);
        wait_for_log(&dir, "no configuration to run");
        fs::write(&when, in_seconds(2)).unwrap();
        wait_for_log(&dir, "Reload complete");
        wait_for("the file", || (when.exists() == kept).then_some(()));
        assert_eq!(daemon.stop(), 0);
    }
}

/// The UTC time of day so many seconds from now, as `HH:MM:SSZ`.
fn in_seconds(seconds: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let of_day = (now + seconds) % 86_400;
    format!("{:02}:{:02}:{:02}Z\n", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// A startup script that does not end is ended, and the daemon goes on.
#[test]
fn a_startup_script_has_a_time_limit() {
    let dir = Dir::new("limit");
    let user = nix::unistd::User::from_uid(nix::unistd::getuid()).unwrap().unwrap().name;
    let script = format!("startup_script \"/bin/sleep 1000\" {user}");
    let text = format!("global_defs {{\n    {script}\n    startup_script_timeout 1\n}}\n");
    let conf = dir.file("k.conf", &text);
    let daemon = Running::start(&dir, &["-f", conf.to_str().unwrap()]);
    wait_for_log(&dir, "startup script takes too long: sending SIGTERM");
    wait_for_log(&dir, "no configuration to run");
    assert_eq!(daemon.stop(), 0);
}
