//! A keepalived, ours or the C one, running in a host.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::process::{descendants, ended, in_namespace, kill_tree, kill_tree_of};
use crate::{Host, interrupt, wait_for};

/// Which of the daemon's parts run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parts {
    /// VRRP only.
    Vrrp,
    /// Load balancing only.
    Checkers,
    /// Whatever the configuration has.
    All,
}

/// A running daemon: in the foreground, detailed log, its files in a folder of its own.
pub struct Daemon {
    child: Child,
    folder: PathBuf,
    log_file: PathBuf,
    name: String,
    pid_files: Vec<PathBuf>,
}

impl Daemon {
    /// Starts `program` in `host`, VRRP only, on a configuration text, and waits until it is up.
    #[track_caller]
    pub fn start(host: &Host, program: &Path, configuration: &str) -> Self {
        Self::start_parts(host, program, Parts::Vrrp, configuration, &[])
    }

    /// Starts these parts of `program` in `host` on a configuration text, with further arguments, and waits
    /// until it is up.
    #[track_caller]
    pub fn start_parts(
        host: &Host,
        program: &Path,
        parts: Parts,
        configuration: &str,
        arguments: &[&str],
    ) -> Self {
        let file = host.file("keepalived.conf");
        write(&file, configuration);
        let daemon = Self::spawn(host, program, parts, &file, arguments);
        daemon.wait_log("Startup complete");
        daemon
    }

    /// Starts `program` in `host`, VRRP only, on a configuration file, with further arguments, and waits until it is up.
    #[track_caller]
    pub fn start_with(host: &Host, program: &Path, file: &Path, arguments: &[&str]) -> Self {
        let daemon = Self::spawn(host, program, Parts::Vrrp, file, arguments);
        daemon.wait_log("Startup complete");
        daemon
    }

    #[track_caller]
    fn spawn(host: &Host, program: &Path, parts: Parts, file: &Path, arguments: &[&str]) -> Self {
        let folder = host.folder().clone();
        let tmp = folder.join("tmp");
        fs::create_dir_all(&tmp).unwrap_or_else(|e| panic!("{}: {e}", tmp.display()));
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let log_file = folder.join(format!("log-{}", SERIAL.fetch_add(1, Ordering::Relaxed)));
        let log = File::create(&log_file).unwrap_or_else(|e| panic!("{}: {e}", log_file.display()));
        let pid_files = pid_files(&folder);
        let mut command = command(host, program, parts, file, &pid_files);
        command.args(["-n", "-l"]);
        // A bus of the host's own, if the test starts one: never the machine's.
        let bus = format!("unix:path={}", host.file("bus").display());
        command.env("DBUS_SYSTEM_BUS_ADDRESS", bus);
        command.args(arguments).env("TMPDIR", &tmp).stderr(log);
        let child = command.spawn().unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        let name = host.name().to_owned();
        Self { child, folder, log_file, name, pid_files }
    }

    /// The process that was started: the one an init system would signal.
    pub fn pid(&self) -> i32 {
        self.child.id().cast_signed()
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log_file).unwrap_or_default()
    }

    /// How often a text stands in the log.
    pub fn logged(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }

    /// Waits until a text stands in the log.
    #[track_caller]
    pub fn wait_log(&self, text: &str) {
        self.wait_logged(text, 1);
    }

    /// Waits until a text stands in the log `times` times.
    #[track_caller]
    pub fn wait_logged(&self, text: &str, times: usize) {
        let what = format!("{} logs {text:?} {times} times", self.name);
        wait_for(&what, || self.logged(text) >= times);
    }

    /// Sends a signal to the daemon.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal)
            .unwrap_or_else(|e| panic!("{signal} to {}: {e}", self.name));
    }

    /// Sends a signal to the daemon and to every process below it.
    #[track_caller]
    pub fn signal_all(&self, signal: Signal) {
        let below = descendants(self.pid());
        self.signal(signal);
        for pid in below {
            let _ = kill(Pid::from_raw(pid), signal);
        }
    }

    /// Puts a new configuration in place and asks for a reload.
    #[track_caller]
    pub fn reload(&self, configuration: &str) {
        write(&self.folder.join("keepalived.conf"), configuration);
        self.signal(Signal::SIGHUP);
    }

    /// Sends a signal that makes the daemon write a file, and returns the file once it is complete.
    #[track_caller]
    pub fn dump(&self, signal_number: i32, file: &str, complete: fn(&str) -> bool) -> String {
        let path = self.folder.join("tmp").join(file);
        let _ = fs::remove_file(&path);
        let sent = Command::new("kill")
            .args([format!("-{signal_number}"), self.pid().to_string()])
            .status();
        assert!(sent.is_ok_and(|s| s.success()), "signal {signal_number} to {}", self.name);
        let mut text = String::new();
        wait_for(&format!("{} writes {file}", self.name), || {
            text = fs::read_to_string(&path).unwrap_or_default();
            complete(&text)
        });
        text
    }

    /// SIGTERM, and the daemon's end. Returns everything it logged.
    ///
    /// # Panics
    /// When it ends with a status other than 0 or leaves a pid file or a child behind.
    #[track_caller]
    pub fn stop(mut self) -> String {
        let children = descendants(self.pid());
        self.signal(Signal::SIGTERM);
        let status = self.wait_end();
        assert_eq!(status.code(), Some(0), "{} stopped with {status}", self.name);
        let left: Vec<_> = self.pid_files.iter().filter(|path| path.exists()).collect();
        assert!(left.is_empty(), "{} left {left:?}", self.name);
        wait_for(&format!("{}'s children end", self.name), || {
            children.iter().all(|pid| ended(*pid))
        });
        self.log()
    }

    /// Waits for the daemon to end by itself.
    #[track_caller]
    pub fn wait_end(&mut self) -> ExitStatus {
        let mut status = None;
        let what = format!("{} ends", self.name);
        wait_for(&what, || {
            status = self.child.try_wait().unwrap_or_else(|e| panic!("{what}: {e}"));
            status.is_some()
        });
        status.unwrap_or_default()
    }

    /// SIGKILL to all its processes at once: no farewell, no cleaning up.
    pub fn crash(mut self) {
        kill_tree(&mut self.child);
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        kill_tree(&mut self.child);
        if std::thread::panicking() && !interrupt::raised() {
            let log = self.log();
            eprintln!("---- log of {} ----\n{log}----", self.name);
        }
    }
}

/// A daemon that went to the background by itself.
pub struct Detached {
    pid: i32,
    pid_files: Vec<PathBuf>,
}

impl Detached {
    /// Starts `program` without `-n`, and waits until it has written its pid.
    ///
    /// # Panics
    /// When the command that was started does not end with status 0.
    #[track_caller]
    pub fn start(host: &Host, program: &Path, configuration: &str) -> Self {
        let file = host.file("keepalived.conf");
        write(&file, configuration);
        let pid_files = pid_files(host.folder());
        let status = command(host, program, Parts::Vrrp, &file, &pid_files).status();
        let status = status.unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        assert_eq!(status.code(), Some(0), "the command that starts the daemon: {status}");
        let mut pid = None;
        wait_for("the pid is written", || {
            pid = fs::read_to_string(&pid_files[0]).ok().and_then(|text| text.trim().parse().ok());
            pid.is_some()
        });
        Self { pid: pid.unwrap_or_default(), pid_files }
    }

    /// The pid from the pid file.
    pub fn pid(&self) -> i32 {
        self.pid
    }

    /// SIGTERM, and the daemon's end; no pid file may be left.
    #[track_caller]
    pub fn stop(self) {
        let _ = kill(Pid::from_raw(self.pid), Signal::SIGTERM);
        wait_for("the daemon ends", || ended(self.pid));
        let left: Vec<_> = self.pid_files.iter().filter(|path| path.exists()).collect();
        assert!(left.is_empty(), "left behind: {left:?}");
    }
}

impl Drop for Detached {
    fn drop(&mut self) {
        if !ended(self.pid) {
            kill_tree_of(self.pid);
        }
    }
}

/// The four pid files, the parent's first.
fn pid_files(folder: &Path) -> Vec<PathBuf> {
    let names = ["keepalived", "vrrp", "checkers", "bfd"];
    names.map(|name| folder.join(format!("{name}.pid"))).to_vec()
}

/// Detailed log, everything in the host's folder.
fn command(
    host: &Host,
    program: &Path,
    parts: Parts,
    file: &Path,
    pid_files: &[PathBuf],
) -> Command {
    let mut command = in_namespace(host.namespace(), program);
    match parts {
        Parts::Vrrp => command.arg("-P"),
        Parts::Checkers => command.arg("-C"),
        Parts::All => &mut command,
    };
    command.args(["-D", "-G", "-f"]).arg(file);
    for (option, path) in ["-p", "-r", "-c", "-b"].iter().zip(pid_files) {
        command.arg(option).arg(path);
    }
    command
}

#[track_caller]
fn write(path: &Path, text: &str) {
    fs::write(path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}
