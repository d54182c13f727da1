//! The command lines of the products that start keepalived, each with a configuration as that product writes it, and
//! with what the product then looks for: exit status, pid files, argument list, signals, files.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use testbed::{Host, Lan, wait_for};

use crate::{ours, ready_with};

const ROUTER: &str = "6f3a1c52-7b1e-4f0d-9a55-0d6f5b1f7a10";

fn bed() -> Option<(Lan, Host)> {
    // None of it is about packets.
    if !ready_with(&["unshare"]) {
        return None;
    }
    let lan = Lan::without_capture("10.9.0");
    let host = lan.host("a", 1);
    Some((lan, host))
}

fn write(host: &Host, name: &str, text: &str) -> String {
    let path = host.file(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, text).unwrap();
    path.display().to_string()
}

/// The command, with a `/run` of its own: products rely on the default pid files.
fn command(host: &Host, arguments: &[&str]) -> Command {
    let run = host.file("run");
    fs::create_dir_all(&run).unwrap();
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", "mount --bind \"$0\" /run && exec \"$@\""]);
    command.arg(run).arg(ours()).args(arguments);
    command.env("TMPDIR", host.file("")).stdin(Stdio::null());
    command
}

/// Runs the command to its end.
fn run(host: &Host, arguments: &[&str]) -> Output {
    host.inside(|| command(host, arguments).output().unwrap())
}

/// A daemon in the foreground, its standard error in the file `log`.
struct Foreground(Child, PathBuf);

impl Foreground {
    fn start(host: &Host, arguments: &[&str]) -> Foreground {
        let log = host.file("log");
        let file = fs::File::create(&log).unwrap();
        Foreground(host.inside(|| command(host, arguments).stderr(file).spawn().unwrap()), log)
    }

    fn pid(&self) -> i32 {
        self.0.id().cast_signed()
    }

    fn log(&self) -> String {
        fs::read_to_string(&self.1).unwrap_or_default()
    }

    fn signal(&self, number: i32) {
        // Realtime signals have no name.
        assert_eq!(testbed::run(&format!("kill -{number} {}", self.pid())), "");
    }

    /// SIGTERM; the exit status.
    fn stop(mut self) -> Option<i32> {
        self.signal(Signal::SIGTERM as i32);
        self.0.wait().unwrap().code()
    }
}

impl Drop for Foreground {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A daemon that went into the background, known by its pid file.
struct Background(i32);

impl Background {
    /// Starts it; the command must end with 0, and have written the file before it does.
    #[track_caller]
    fn start(host: &Host, arguments: &[&str], pid_file: &str) -> Background {
        let output = run(host, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{stderr}");
        Background(pid_in(pid_file))
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.0), signal).unwrap();
    }

    #[track_caller]
    fn stop(self) {
        self.signal(Signal::SIGTERM);
        wait_for("the daemon ends", || !runs(self.0));
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        if runs(self.0) {
            self.signal(Signal::SIGKILL);
            wait_for("the daemon is killed", || !runs(self.0));
        }
    }
}

#[track_caller]
fn pid_in(file: &str) -> i32 {
    let text = fs::read_to_string(file).unwrap_or_else(|e| panic!("{file}: {e}"));
    text.trim().parse().unwrap_or_else(|e| panic!("{file}: {e}: {text:?}"))
}

fn runs(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

/// The argument list, as agents read it.
fn arguments_of(pid: i32) -> String {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

fn neutron_configuration() -> &'static str {
    "global_defs {\n    notification_email_from neutron@openstack.local\n    router_id neutron\n}\n\
     vrrp_instance VR_1 {\n    state BACKUP\n    interface eth0\n    virtual_router_id 1\n    priority 50\n    \
     garp_master_delay 60\n    nopreempt\n    advert_int 2\n    track_interface {\n        eth0\n    }\n    \
     virtual_ipaddress {\n        169.254.0.1/24 dev eth0\n    }\n    \
     virtual_ipaddress_excluded {\n        10.9.0.60/24 dev eth0\n        fe80::f816:3eff:fe00:1/64 dev eth0 no_track\n    }\n    \
     virtual_routes {\n        0.0.0.0/0 via 10.9.0.254 dev eth0 no_track protocol static\n    }\n}\n"
}

/// OpenStack Neutron: daemonises; both pid files hold a process in whose argument list the router's UUID stands; a
/// stale pid file is no obstacle; the agent reads the version from standard error.
#[test]
fn neutron() {
    let Some((_lan, host)) = bed() else { return };
    let folder = format!("ha_confs/{ROUTER}");
    let conf = write(&host, &format!("{folder}/keepalived.conf"), neutron_configuration());
    let pid = host.file(&format!("ha_confs/{ROUTER}.pid")).display().to_string();
    let vrrp_pid = format!("{pid}-vrrp");
    fs::write(&vrrp_pid, "4194303\n").unwrap();
    let arguments = ["-P", "-f", &conf, "-p", &pid, "-r", &vrrp_pid, "-D"];
    let daemon = Background::start(&host, &arguments, &pid);
    for file in [&pid, &vrrp_pid] {
        assert!(runs(pid_in(file)), "{file}");
        assert!(arguments_of(pid_in(file)).contains(ROUTER), "{file}");
    }
    host.wait_holds("169.254.0.1", true);
    let default = || host.ip("route show default");
    wait_for("the default route", || default().contains("via 10.9.0.254 dev eth0 proto static"));
    daemon.signal(Signal::SIGHUP);
    host.wait_holds("10.9.0.60", true);
    daemon.stop();
    host.wait_holds("169.254.0.1", false);
    assert_eq!(default(), "");
    assert!(!Path::new(&pid).exists() && !Path::new(&vrrp_pid).exists());

    // Killed, and started again over what that leaves.
    let daemon = Background::start(&host, &arguments, &pid);
    daemon.signal(Signal::SIGKILL);
    wait_for("the kill", || !runs(daemon.0));
    assert!(Path::new(&vrrp_pid).exists());
    let daemon = Background::start(&host, &arguments, &pid);
    assert!(runs(pid_in(&vrrp_pid)));
    daemon.stop();

    let version = run(&host, &["--version"]);
    let text = String::from_utf8_lossy(&version.stderr).into_owned();
    let number = text.strip_prefix("Keepalived v").and_then(|rest| rest.split(' ').next());
    let parts: Vec<u32> = number.unwrap().split('.').map(|part| part.parse().unwrap()).collect();
    assert!(parts.as_slice() >= [2, 0, 3].as_slice(), "no_track is used from 2.0.3 on: {text}");
    assert!(version.stdout.is_empty());
}

/// Octavia's VRRP: a forking unit with a PIDFile.
#[test]
fn octavia() {
    let Some((_lan, host)) = bed() else { return };
    let check = write(&host, "check_script.sh", "#!/bin/sh\nexit 0\n");
    let conf = write(
        &host,
        "octavia-keepalived.conf",
        &format!(
            "vrrp_script check_script {{\n    script {check}\n    interval 5\n    fall 2\n    rise 2\n}}\n\
             vrrp_instance a1b2 {{\n    interface eth0\n    virtual_router_id 1\n    priority 100\n    nopreempt\n    accept\n    \
             garp_master_refresh 5\n    garp_master_refresh_repeat 2\n    advert_int 1\n    \
             authentication {{\n        auth_type PASS\n        auth_pass 5d1e8a2\n    }}\n    unicast_src_ip 10.9.0.1\n    \
             unicast_peer {{\n        10.9.0.2\n    }}\n    virtual_ipaddress {{\n        10.9.0.100\n    }}\n    \
             virtual_ipaddress_excluded {{\n    }}\n    virtual_routes {{\n        10.9.0.0/24 dev eth0 src 10.9.0.100 scope link table 1\n        \
             default via 10.9.0.254 dev eth0 onlink table 1\n    }}\n    virtual_rules {{\n        from 10.9.0.100/32 table 1 priority 100\n    }}\n    \
             track_script {{\n        check_script\n    }}\n}}\n"
        ),
    );
    let pid = host.file("octavia-keepalived.pid").display().to_string();
    let daemon = Background::start(&host, &["--log-facility=1", "-f", &conf, "-p", &pid], &pid);
    assert!(Path::new(&format!("/proc/{}", pid_in(&pid))).exists());
    host.wait_holds("10.9.0.100", true);
    wait_for("the rule", || host.ip("rule").contains("from 10.9.0.100 lookup 1"));
    let table = host.ip("route show table 1");
    for route in ["default via 10.9.0.254 dev eth0", "10.9.0.0/24 dev eth0", "src 10.9.0.100"] {
        assert!(table.contains(route), "{table}");
    }
    daemon.stop();
    assert!(!host.ip("rule").contains("10.9.0.100"));
    assert!(!Path::new(&pid).exists());
}

/// Octavia's UDP and SCTP listeners: one daemon each, with all three pid files, in a namespace that the file names.
#[test]
fn octavia_listeners() {
    let Some((_lan, host)) = bed() else { return };
    let conf = write(
        &host,
        "lvs.conf",
        "virtual_server_group ipv4-group {\n    10.9.0.1 80\n}\n\
         virtual_server group ipv4-group {\n    lb_algo wrr\n    lb_kind NAT\n    protocol UDP\n    persistence_timeout 33\n    \
         persistence_granularity 255.255.255.255\n    delay_loop 30\n    delay_before_retry 30\n    retry 3\n    \
         real_server 127.0.0.1 80 {\n        weight 13\n        uthreshold 98\n        \
         TCP_CHECK {\n            connect_ip 127.0.0.1\n            connect_port 81\n            connect_timeout 1\n        }\n    }\n}\n",
    );
    let files = ["lvs.pid", "lvs.vrrp.pid", "lvs.check.pid"].map(|name| host.file(name));
    let [pid, vrrp, check] = files.map(|path| path.display().to_string());
    let arguments = ["--log-facility=1", "-f", &conf, "-p", &pid, "-r", &vrrp, "-c", &check];
    // A kernel without IPVS runs no health checkers.
    let served = Path::new("/proc/net/ip_vs").exists();
    let daemon = Background::start(&host, &arguments, &pid);
    if served {
        assert!(runs(pid_in(&check)) && arguments_of(pid_in(&check)).contains("lvs.conf"));
    }
    assert!(!Path::new(&vrrp).exists(), "there is no VRRP");
    daemon.signal(Signal::SIGTERM);
    wait_for("the end", || !runs(daemon.0));
    assert!(!Path::new(&pid).exists() && !Path::new(&check).exists());
}

/// VyOS: in the foreground, the FIFO's path as the script's argument, its lines by this pattern, JSON on demand.
#[test]
fn vyos() {
    let Some((_lan, host)) = bed() else { return };
    let fifo = host.file("notify_fifo").display().to_string();
    let script = write(
        &host,
        "fifo.sh",
        &format!("#!/bin/sh\ncat \"$1\" > {}\n", host.file("lines").display()),
    );
    testbed::run(&format!("chmod 755 {script}"));
    let conf = write(
        &host,
        "keepalived.conf",
        &format!(
            "global_defs {{\n    dynamic_interfaces\n    script_user root\n    notify_fifo {fifo}\n    notify_fifo_script {script}\n}}\n\
             vrrp_instance WAN {{\n    state BACKUP\n    interface eth0\n    virtual_router_id 10\n    priority 100\n    advert_int 1\n    \
             preempt_delay 0\n    authentication {{\n        auth_pass \"secret\"\n        auth_type PASS\n    }}\n    \
             virtual_ipaddress {{\n        10.9.0.100/24\n    }}\n}}\n\
             vrrp_sync_group MAIN {{\n    group {{\n        WAN\n    }}\n}}\n"
        ),
    );
    let pid = host.file("keepalived.pid").display().to_string();
    let daemon = Foreground::start(&host, &["--use-file", &conf, "--pid", &pid, "--dont-fork"]);
    host.wait_holds("10.9.0.100", true);
    assert_eq!(pid_in(&pid), daemon.pid());
    let lines = || fs::read_to_string(host.file("lines")).unwrap_or_default();
    let wanted = ["INSTANCE \"WAN\" MASTER 100", "GROUP \"MAIN\" MASTER 0"];
    wait_for("both lines", || wanted.iter().all(|line| lines().contains(line)));
    for line in lines().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, name, state, priority] = words[..] else { panic!("{line}") };
        assert!(kind == "INSTANCE" || kind == "GROUP", "{line}");
        assert!(name.starts_with('"') && name.ends_with('"'), "{line}");
        assert!(state.chars().all(|c| c.is_ascii_uppercase() || c == '_'), "{line}");
        assert!(priority.parse::<u8>().is_ok(), "{line}");
    }
    daemon.signal(libc::SIGRTMIN() + 2);
    let json = host.file("keepalived.json");
    wait_for("the JSON", || fs::read_to_string(&json).is_ok_and(|text| text.contains("\"WAN\"")));
    assert_eq!(daemon.stop(), Some(0));
}

/// OpenShift: `pgrep` finds it by its name; the liveness probe writes FAULT into the dump, and asks for a new one.
#[test]
fn openshift() {
    let Some((_lan, host)) = bed() else { return };
    let conf = write(
        &host,
        "keepalived.conf",
        "global_defs {\n    enable_script_security\n    script_user root\n    max_auto_priority -1\n    vrrp_garp_master_refresh 60\n}\n\
         vrrp_script chk_ocp_lb {\n    script \"/usr/bin/timeout 1.9 /bin/true\"\n    interval 1\n    weight 20\n    rise 3\n    fall 2\n}\n\
         vrrp_instance cluster_API_0 {\n    state BACKUP\n    interface eth0\n    virtual_router_id 28\n    priority 40\n    advert_int 1\n    \
         unicast_src_ip 10.9.0.1\n    unicast_peer {\n        10.9.0.2\n    }\n    \
         authentication {\n        auth_type PASS\n        auth_pass cluster_api_vip\n    }\n    \
         virtual_ipaddress {\n        10.9.0.100/32\n    }\n    track_script {\n        chk_ocp_lb\n    }\n}\n",
    );
    let arguments = ["-f", &conf, "--dont-fork", "--vrrp", "--log-detail", "--log-console"];
    let daemon = Foreground::start(&host, &arguments);
    wait_for("the start", || daemon.log().contains("Startup complete"));
    let name = fs::read_to_string(format!("/proc/{}/comm", daemon.pid())).unwrap();
    assert_eq!(name, "keepalived\n");
    host.wait_holds("10.9.0.100", true);
    let dump = host.file("keepalived.data");
    fs::write(&dump, "State = FAULT\n").unwrap();
    daemon.signal(Signal::SIGUSR1 as i32);
    let fresh = || fs::read_to_string(&dump).is_ok_and(|text| text.contains("State = MASTER"));
    wait_for("the dump is written anew", fresh);
    assert!(!fs::read_to_string(&dump).unwrap().contains("State = FAULT"));
    daemon.signal(Signal::SIGHUP as i32);
    wait_for("the reload", || daemon.log().contains("Reload complete"));
    assert_eq!(daemon.stop(), Some(0));
}

/// kolla-ansible: short options in one word; also what redhat-cop's operator and kube-keepalived-vip give, in long ones.
#[test]
fn containers() {
    let Some((_lan, host)) = bed() else { return };
    let conf = write(
        &host,
        "keepalived.conf",
        "vrrp_script check_alive {\n    script \"/bin/true\"\n    interval 2\n    fall 2\n    rise 10\n}\n\
         vrrp_instance kolla_internal_vip_51 {\n    state BACKUP\n    nopreempt\n    interface eth0\n    virtual_router_id 51\n    \
         @pod-1 priority 40\n    @^pod-1 priority 41\n    advert_int 1\n    virtual_ipaddress {\n        10.9.0.100 dev eth0\n    }\n    \
         authentication {\n        auth_type PASS\n        auth_pass password\n    }\n    track_script {\n        check_alive\n    }\n}\n",
    );
    let pid = host.file("run/keepalived.pid");
    let use_file = format!("--use-file={conf}");
    let lines: [&[&str]; 3] = [
        &["-nld", "-p", "/run/keepalived.pid", "-f", &conf],
        &[
            "--log-console",
            "--log-detail",
            "--dont-fork",
            "--config-id=pod-1",
            &use_file,
            "--pid=/run/keepalived.pid",
        ],
        &[
            "--dont-fork",
            "--log-console",
            "--release-vips",
            "--pid",
            "/run/keepalived.pid",
            &use_file,
        ],
    ];
    for arguments in lines {
        let daemon = Foreground::start(&host, arguments);
        wait_for("the start", || daemon.log().contains("Startup complete"));
        assert_eq!(pid_in(&pid.display().to_string()), daemon.pid());
        if arguments[0] == "-nld" {
            wait_for("the dump in the log", || daemon.log().contains("Priority = 41"));
        }
        assert_eq!(daemon.stop(), Some(0), "{arguments:?}");
        assert!(!pid.exists());
    }
}

/// NixOS: a forking unit, with SNMP asked for.
#[test]
fn nixos() {
    let Some((_lan, host)) = bed() else { return };
    let conf = write(
        &host,
        "keepalived.conf",
        "global_defs {\n    enable_script_security\n    enable_snmp_vrrp\n}\n\
         vrrp_instance a {\n    interface eth0\n    state BACKUP\n    virtual_router_id 52\n    priority 100\n    \
         virtual_ipaddress {\n        10.9.0.100/24 brd 10.9.0.255 dev eth0 scope global label eth0:vip\n    }\n}\n",
    );
    let pid = host.file("run/keepalived.pid").display().to_string();
    let daemon =
        Background::start(&host, &["-f", &conf, "-p", "/run/keepalived.pid", "--snmp"], &pid);
    assert!(runs(pid_in(&pid)));
    host.wait_holds("10.9.0.100", true);
    daemon.stop();
    assert!(!Path::new(&pid).exists());
}

/// Puppet puts a file in place only if this ends with 0.
#[test]
fn puppet() {
    let Some((_lan, host)) = bed() else { return };
    let good = write(
        &host,
        "good",
        "global_defs {\n    router_id LVS_DEVEL\n    notification_email {\n        root@localhost\n    }\n}\n\
         vrrp_instance VI_1 {\n    interface eth0\n    state BACKUP\n    virtual_router_id 50\n    priority 100\n    \
         advert_int 1\n    authentication {\n        auth_type PASS\n        auth_pass secret\n    }\n    \
         virtual_ipaddress {\n        10.9.0.100/24\n    }\n}\n",
    );
    let tested = run(&host, &["-l", "-t", "-f", &good]);
    assert_eq!(tested.status.code(), Some(0), "{}", String::from_utf8_lossy(&tested.stderr));
    let bad = write(&host, "bad", "vrrp_instance a {\n    state Master\n}\n");
    assert_eq!(run(&host, &["-l", "-t", "-f", &bad]).status.code(), Some(5));
}

/// OpenWrt: procd keeps it in the foreground, on a file made from UCI; the web interface asks for JSON.
#[test]
fn openwrt() {
    let Some((_lan, host)) = bed() else { return };
    let conf = write(
        &host,
        "keepalived.conf",
        "global_defs {\n    script_user root\n    enable_script_security\n    process_names\n    \
         vrrp_mcast_group4 224.0.0.18\n}\n\
         vrrp_instance lan {\n    state BACKUP\n    interface eth0\n    virtual_router_id 53\n    priority 100\n    advert_int 1\n    \
         track_interface {\n        eth0 weight 10 reverse\n    }\n    virtual_ipaddress {\n        10.9.0.100/24 dev eth0 label eth0:vip\n    }\n    \
         notify \"/bin/busybox env -i ACTION=notify /bin/true\"\n}\n",
    );
    let daemon = Foreground::start(&host, &["-n", "-f", &conf]);
    host.wait_holds("10.9.0.100", true);
    let json = host.file("keepalived.json");
    for _ in 0..2 {
        let _ = fs::remove_file(&json);
        daemon.signal(libc::SIGRTMIN() + 2);
        wait_for("the JSON", || {
            fs::read_to_string(&json).is_ok_and(|text| text.contains("\"lan\""))
        });
    }
    assert_eq!(daemon.stop(), Some(0));
}
