//! What a service manager is told, over a real socket. systemd itself cannot run here, so a script of its name is
//! PID 1 of a PID namespace and starts the daemon, which cannot tell the difference.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testbed::{Host, Lan, wait_for};

use crate::{instance, ours, ready_with, theirs, version_3};

/// Half of what the manager would wait for.
const WATCHDOG: Duration = Duration::from_millis(100);

/// A daemon that is a service.
struct Service {
    manager: Child,
    daemon: i32,
    socket: UnixDatagram,
}

impl Service {
    fn start(host: &Host, configuration: &str) -> Service {
        let conf = host.file("keepalived.conf");
        fs::write(&conf, configuration).unwrap();
        let socket = UnixDatagram::bind(host.file("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        let manager = host.file("systemd");
        fs::write(&manager, "#!/bin/sh\n\"$@\" &\nwait\n").unwrap();
        fs::set_permissions(&manager, fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", "--mount-proc"]).arg(manager).arg(ours());
        command.args(["--dont-fork", "-P", "-G", "-f"]).arg(conf);
        for option in ["-p", "-r"] {
            command.arg(option).arg(host.file(&format!("pid{option}")));
        }
        command.env("NOTIFY_SOCKET", host.file("notify")).env("TMPDIR", host.file(""));
        command.env("WATCHDOG_USEC", (2 * WATCHDOG.as_micros()).to_string());
        command.stdin(Stdio::null()).stderr(fs::File::create(host.file("log")).unwrap());
        let manager = host.inside(|| command.spawn().unwrap());
        let mut daemon = None;
        wait_for("the daemon's pid", || {
            daemon = child_of(manager.id()).and_then(child_of);
            daemon.is_some_and(|pid| {
                fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|n| n == "keepalived\n")
            })
        });
        Service { manager, daemon: daemon.unwrap_or_default().cast_signed(), socket }
    }

    /// The next message that is no sign of life, as its assignments.
    #[track_caller]
    fn next(&self) -> Vec<String> {
        loop {
            let message = self.receive().unwrap_or_else(|| panic!("no message"));
            if message != ["WATCHDOG=1"] {
                return message;
            }
        }
    }

    fn receive(&self) -> Option<Vec<String>> {
        let mut buffer = [0; 1000];
        match self.socket.recv(&mut buffer) {
            Ok(len) => {
                Some(String::from_utf8_lossy(&buffer[..len]).lines().map(str::to_owned).collect())
            }
            Err(e) if e.kind() == ErrorKind::WouldBlock => None,
            Err(e) => panic!("{e}"),
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.daemon), signal).unwrap();
    }

    fn has_sockets(&self) -> bool {
        // Protocol 112, in the hexadecimal of the file's local port.
        let text = fs::read_to_string(format!("/proc/{}/net/raw", self.daemon)).unwrap();
        text.contains(":0070 ")
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.manager.kill();
        let _ = self.manager.wait();
        // The namespace's PID 1 dies with its parent, and the daemon with it.
        wait_for("the service is gone", || kill(Pid::from_raw(self.daemon), None).is_err());
    }
}

fn child_of(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    text.split_whitespace().next()?.parse().ok()
}

fn service() -> Option<(Lan, Host, Service)> {
    // The C daemon has neither a status nor a watchdog.
    if !ready_with(&["unshare"]) || ours() == theirs() {
        return None;
    }
    let lan = Lan::without_capture("10.9.0");
    let host = lan.host("a", 1);
    let service = Service::start(&host, &configuration("advert_int 1"));
    Some((lan, host, service))
}

fn configuration(lines: &str) -> String {
    version_3("") + &instance("S", 71, 100, lines, &["10.9.0.100/24"])
}

#[test]
fn it_is_ready_with_its_sockets_and_says_when_it_reloads_and_stops() {
    let Some((_lan, host, service)) = service() else { return };
    let ready = service.next();
    assert!(service.has_sockets(), "ready before the sockets are there");
    assert_eq!(ready[0], "READY=1");
    assert!(ready[1].starts_with("MAINPID="), "{ready:?}");
    assert_eq!(ready[2], "STATUS=Running");

    service.signal(Signal::SIGHUP);
    let reloading = service.next();
    assert_eq!(reloading[0], "RELOADING=1");
    assert!(reloading[1].starts_with("MONOTONIC_USEC="), "{reloading:?}");
    assert_eq!(service.next()[0], "READY=1");

    // A reload that is refused has an end, too.
    fs::write(host.file("keepalived.conf"), "global_defs {\n    smtp_server\n}\n").unwrap();
    service.signal(Signal::SIGHUP);
    assert_eq!(service.next()[0], "RELOADING=1");
    let refused = service.next();
    assert_eq!(refused[0], "READY=1");
    assert!(refused[1].starts_with("STATUS=") && refused[1].contains("refused"), "{refused:?}");

    service.signal(Signal::SIGTERM);
    assert_eq!(service.next()[0], "STOPPING=1");
}

/// A loop that is blocked feeds nobody.
#[test]
fn a_blocked_loop_does_not_feed_the_watchdog() {
    let Some((_lan, _host, service)) = service() else { return };
    assert_eq!(service.next()[0], "READY=1");
    let fed = ["WATCHDOG=1"];
    assert_eq!(service.receive().unwrap(), fed);
    service.signal(Signal::SIGSTOP);
    let stat = format!("/proc/{}/stat", service.daemon);
    wait_for("the stop", || fs::read_to_string(&stat).is_ok_and(|text| text.contains(") T ")));
    service.socket.set_nonblocking(true).unwrap();
    while service.receive().is_some() {}
    service.socket.set_nonblocking(false).unwrap();
    service.socket.set_read_timeout(Some(10 * WATCHDOG)).unwrap();
    assert_eq!(service.receive(), None, "a sign of life from a stopped process");
    service.signal(Signal::SIGCONT);
    service.socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    assert_eq!(service.receive().unwrap(), fed);
}
