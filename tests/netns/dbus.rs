//! D-Bus, with a bus of each host's own and GLib's tool asking.

use std::fs;
use std::path::{Path, PathBuf};

use testbed::{Daemon, Host, Lan, Service, wait_for};

use crate::{instance, ours, ready_for_ours, ready_with, start, theirs};

const PROGRAMS: [&str; 4] = ["dbus-daemon", "dbus-monitor", "gdbus", "/usr/sbin/keepalived"];
const SERVICE: &str = "org.keepalived.Vrrp1";
const ROOT: &str = "/org/keepalived/Vrrp1";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";

/// A bus in a host, where the daemons there look for one. Its policy is that of the packages, behind one that
/// forbids as much as that of a system.
fn bus(host: &Host) -> Service {
    let packaged = Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/dbus");
    let policy = packaged.join("org.keepalived.Vrrp1.conf");
    let socket = host.file("bus");
    let text = format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-BUS Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={}</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus"/>
  </policy>
  <include>{}</include>
</busconfig>
"#,
        socket.display(),
        policy.display()
    );
    let file = host.file("bus.conf");
    fs::write(&file, text).unwrap();
    let _ = fs::remove_file(&socket);
    let arguments = ["dbus-daemon", "--nofork", "--config-file", &file.display().to_string()];
    let service = Service::start(host, Path::new("/usr/bin/env"), &arguments);
    wait_for("the bus listens", || socket.exists());
    service
}

fn address(host: &Host) -> String {
    format!("unix:path={}", host.file("bus").display())
}

/// All signals of keepalived, as they come.
struct Listener {
    _monitor: Service,
    file: PathBuf,
}

impl Listener {
    fn start(host: &Host) -> Self {
        let file = host.file("signals");
        let command = format!(
            "exec dbus-monitor --address {} \"type='signal'\" >{}",
            address(host),
            file.display()
        );
        let monitor = Service::start(host, Path::new("/bin/sh"), &["-c", &command]);
        // What it hears first is of its own name.
        let heard = || fs::read_to_string(&file).unwrap_or_default();
        wait_for("the monitor listens", || heard().contains("member=NameLost"));
        Self { _monitor: monitor, file }
    }

    /// Object, signal and number of each.
    fn signals(&self) -> Vec<String> {
        let text = fs::read_to_string(&self.file).unwrap_or_default();
        let mut signals: Vec<String> = Vec::new();
        let mut known = false;
        for line in text.lines() {
            if let Some((_, path)) = line.split_once(&format!("path={ROOT}")) {
                let (path, rest) = path.split_once("; interface=").unwrap();
                let (_, member) = rest.split_once("; member=").unwrap();
                signals.push(format!("{path} {member}"));
                known = true;
            } else if let Some(number) = line.strip_prefix("   uint32 ").filter(|_| known) {
                let last = signals.last_mut().unwrap();
                *last = format!("{last} {number}");
            } else {
                known = false;
            }
        }
        signals
    }

    #[track_caller]
    fn wait(&self, signal: &str, times: usize) {
        wait_for(&format!("{signal} is told {times} times"), || {
            self.signals().iter().filter(|told| *told == signal).count() >= times
        });
    }
}

/// What a method answers, or the name of the error.
fn ask(host: &Host, path: &str, method: &str, arguments: &str) -> String {
    ask_as(host, "", path, method, arguments)
}

/// As [`ask`], with `how` in front of the command.
fn ask_as(host: &Host, how: &str, path: &str, method: &str, arguments: &str) -> String {
    let address = address(host);
    let command = format!(
        "{how} gdbus call --address {address} --dest {SERVICE} --object-path {ROOT}{path} --method {method} {arguments} 2>&1 || true"
    );
    let file = host.file("ask.sh");
    fs::write(&file, command).unwrap();
    let answer = host.run(&format!("sh {}", file.display()));
    match answer.split_once("GDBus.Error:") {
        Some((_, error)) => error.split(": ").next().unwrap_or_default().to_owned(),
        None => answer.trim().to_owned(),
    }
}

fn properties(host: &Host, instance: &str) -> String {
    let path = format!("/Instance/{instance}");
    ask(host, &path, &format!("{PROPERTIES}.GetAll"), "org.keepalived.Vrrp1.Instance")
}

/// What there is at each of these paths, and all properties. Where only nodes are, they are sorted: they have no order.
fn objects(host: &Host, paths: &[&str]) -> String {
    let address = address(host);
    let describe = |path: &&str| {
        let text = host.run(&format!(
            "gdbus introspect --address {address} --dest {SERVICE} --object-path {path}"
        ));
        let mut lines: Vec<&str> = text.lines().collect();
        if !text.contains("interface") {
            lines.sort_unstable();
        }
        lines.join("\n") + "\n"
    };
    paths.iter().map(describe).collect()
}

const GLOBAL: &str = "global_defs {\n  enable_dbus\n  vrrp_version 3\n  script_user root\n}\n";

fn third(name: &str) -> String {
    instance(name, 53, 100, "advert_int 0.5", &["10.19.0.100/24"]).replace("eth0", "d.0-x")
}

/// Objects, methods and signals of a whole life.
fn story(program: &Path) -> (String, Vec<String>, Vec<String>) {
    let lan = Lan::without_capture("10.9.0");
    let (host, rival) = (lan.host("a", 1), lan.host("b", 2));
    host.configure(&[
        "link add d.0-x type veth peer name p1",
        "link set d.0-x up",
        "link set p1 up",
        "address add 10.19.0.1/24 dev d.0-x",
    ]);
    let _bus = bus(&host);
    let listener = Listener::start(&host);
    let first = |priority| instance("A", 51, priority, "advert_int 0.5", &["10.9.0.100/24"]);
    let second = instance("B", 52, 100, "advert_int 0.5\n  notify_deleted", &["fe80::99/64"]);
    let text = [GLOBAL, &first(100), &second, &third("C")].concat();
    let daemon = Daemon::start(&host, program, &text);
    let (a, c) = ("eth0/51/IPv4", "d_0_x/53/IPv4");
    for name in [a, "eth0/52/IPv6", c] {
        listener.wait(&format!("/Instance/{name} VrrpStatusChange 2"), 1);
    }
    let paths = [
        "/",
        "/org/keepalived",
        ROOT,
        "/org/keepalived/Vrrp1/Vrrp",
        "/org/keepalived/Vrrp1/Instance",
        "/org/keepalived/Vrrp1/Instance/eth0",
        "/org/keepalived/Vrrp1/Instance/eth0/51",
        "/org/keepalived/Vrrp1/Instance/eth0/51/IPv4",
        "/org/keepalived/Vrrp1/Instance/eth0/52/IPv6",
        "/org/keepalived/Vrrp1/Instance/d_0_x/53/IPv4",
        "/org/keepalived/Vrrp1/Instance/none",
    ];
    let objects = objects(&host, &paths);

    let mut answers = Vec::new();
    let (object, of) = (format!("/Instance/{a}"), "org.keepalived.Vrrp1.Instance");
    for (path, method, arguments) in [
        (&object[..], &format!("{PROPERTIES}.Get")[..], &format!("{of} Name")[..]),
        (&object, &format!("{PROPERTIES}.Get"), &format!("{of} State")),
        (&object, &format!("{PROPERTIES}.Get"), &format!("{of} Priority")),
        (&object, &format!("{PROPERTIES}.Get"), "a.b Name"),
        (&object, &format!("{PROPERTIES}.Set"), &format!("{of} Name \"<'x'>\"")),
        (&object, &format!("{PROPERTIES}.GetAll"), "a.b"),
        (&object, "org.freedesktop.DBus.Peer.Ping", ""),
        (&object, "org.freedesktop.DBus.Peer.GetMachineId", ""),
        (&object, "org.keepalived.Vrrp1.Instance.SendGarp", ""),
        (&object, "org.keepalived.Vrrp1.Instance.Nothing", ""),
        (&object, "org.keepalived.Vrrp1.Nothing.SendGarp", ""),
        ("/Instance/eth0/99/IPv4", "org.keepalived.Vrrp1.Instance.SendGarp", ""),
        ("/Vrrp", &format!("{PROPERTIES}.GetAll"), "org.keepalived.Vrrp1.Vrrp"),
        ("/Vrrp", "org.keepalived.Vrrp1.Vrrp.PrintData", ""),
        ("/Vrrp", "org.keepalived.Vrrp1.Vrrp.PrintStats", ""),
        ("/Vrrp", "org.keepalived.Vrrp1.Vrrp.CreateInstance", "a b 1 2"),
        ("/Vrrp", "org.keepalived.Vrrp1.Vrrp.DestroyInstance", "a"),
    ] {
        let answer = ask(&host, path, method, arguments);
        answers.push(format!("{path} {method} {arguments}: {answer}"));
    }
    daemon.wait_log("Sending garps on A on DBus request");
    daemon.wait_logged("(A) Sending/queueing gratuitous ARPs on eth0 for 10.9.0.100", 2);
    let written = |name: &str, part: &str| {
        let file = host.file("tmp").join(name);
        wait_for(&format!("{name} with {part}"), || {
            fs::read_to_string(&file).unwrap_or_default().contains(part)
        });
    };
    written("keepalived.data", "DBus enabled");
    written("keepalived.stats", "Became master: 1");
    let clear = "org.keepalived.Vrrp1.Vrrp.PrintStatsClear";
    answers.push(ask(&host, "/Vrrp", clear, ""));
    daemon.wait_log("Printing and clearing VRRP stats on DBus request");

    // A failover there and back, and a fault.
    let other = start(&rival, &[GLOBAL, &first(200)].concat());
    listener.wait(&format!("{object} VrrpStatusChange 1"), 2);
    answers.push(properties(&host, a));
    other.stop();
    listener.wait(&format!("{object} VrrpStatusChange 2"), 2);
    assert_eq!(daemon.counters("A").get("Became master"), 1, "since the counters were cleared");
    host.ip("link set d.0-x down");
    listener.wait(&format!("/Instance/{c} VrrpStatusChange 3"), 1);
    answers.push(properties(&host, c));

    // One is gone, one has another name.
    let text = [GLOBAL, &first(100), &third("D")].concat();
    fs::write(host.file("keepalived.conf"), text).unwrap();
    let reload = "org.keepalived.Vrrp1.Vrrp.ReloadConfig";
    answers.push(ask(&host, "/Vrrp", reload, ""));
    listener.wait("/Vrrp VrrpReloaded", 1);
    wait_for("the object has the other name", || properties(&host, c).contains("'D'"));
    answers.push(properties(&host, c));
    answers.push(properties(&host, "eth0/52/IPv6"));
    daemon.stop();
    listener.wait("/Vrrp VrrpStopped", 1);
    let mut signals = listener.signals();
    // Of different objects the order is by chance.
    signals.sort_by_key(|told| told.split(' ').next().unwrap_or_default().to_owned());
    (objects, answers, signals)
}

/// The same objects, answers and signals as the C daemon's.
#[test]
fn vrrp_is_what_it_is_with_the_c_daemon() {
    if !(crate::ready() && ready_with(&PROGRAMS)) {
        return;
    }
    let (objects, answers, signals) = story(&ours());
    let (their_objects, their_answers, their_signals) = story(&theirs());
    assert_eq!(objects, their_objects);
    assert!(objects.contains("readonly (us) State = (2, 'Master')"), "{objects}");
    assert_eq!(answers, their_answers);
    assert_eq!(signals, their_signals);
    assert_eq!(signals.iter().filter(|told| told.contains(" VrrpStatusChange ")).count(), 12);
}

/// A bus that is not there, comes, goes and comes again; a reload switches the service off, on, and over to another name.
/// Others than root see, and do nothing.
#[test]
fn a_bus_may_come_and_go() {
    if !(ready_for_ours() && ready_with(&PROGRAMS)) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let host = lan.host("a", 1);
    let vrrp = instance("V", 51, 100, "advert_int 0.1", &["10.9.0.100/24"]);
    let nowhere = "unicast_src_ip 10.9.0.1\n  unicast_peer {\n    10.9.0.9\n  }";
    let nowhere = instance("N", 60, 100, nowhere, &["10.9.0.160/24 dev eth0"]);
    let text = [GLOBAL, &vrrp, &nowhere.replace("  interface eth0\n", "")].concat();
    let daemon = start(&host, &text);
    daemon.wait_log(&format!("D-Bus: no service on the bus at {}", address(&host)));
    daemon.wait_log("(V) Entering MASTER STATE");

    let service = bus(&host);
    daemon.wait_log("Acquired DBus bus org.keepalived.Vrrp1");
    let name = "eth0/51/IPv4";
    let master = "({'Name': <('V',)>, 'State': <(uint32 2, 'Master')>},)";
    assert_eq!(properties(&host, name), master);

    assert!(properties(&host, "none/60/IPv4").contains("'N'"));

    let get = format!("{PROPERTIES}.GetAll");
    let nobody = "setpriv --reuid 65534 --regid 65534 --clear-groups";
    let instance = format!("/Instance/{name}");
    let seen = ask_as(&host, nobody, &instance, &get, "org.keepalived.Vrrp1.Instance");
    assert_eq!(seen, master);
    for (path, method) in [
        ("/Vrrp", "org.keepalived.Vrrp1.Vrrp.PrintData"),
        (&instance, "org.keepalived.Vrrp1.Instance.SendGarp"),
    ] {
        let refused = ask_as(&host, nobody, path, method, "");
        assert_eq!(refused, "org.freedesktop.DBus.Error.AccessDenied");
    }

    let listener = Listener::start(&host);
    daemon.reload(&text.replace("enable_dbus", ""));
    listener.wait("/Vrrp VrrpStopped", 1);
    daemon.wait_log("Released DBus");
    daemon.reload(&text.replace("enable_dbus", "enable_dbus\n  dbus_no_interface_name no-where"));
    listener.wait("/Vrrp VrrpStarted", 1);
    listener.wait("/Vrrp VrrpReloaded", 1);
    assert!(properties(&host, "no_where/60/IPv4").contains("'N'"));
    daemon.reload(&text.replace("enable_dbus", "enable_dbus\n  dbus_service_name not-a-name"));
    daemon.wait_log("D-Bus: not-a-name is no name for a service");
    daemon.reload(&text);
    listener.wait("/Vrrp VrrpStarted", 2);
    drop((service, listener));
    daemon.wait_logged("D-Bus: no service on the bus", 2);

    let _service = bus(&host);
    daemon.wait_logged("Acquired DBus bus org.keepalived.Vrrp1", 4);
    assert_eq!(properties(&host, name), master);
    assert_eq!(daemon.counters("V").get("Became master"), 1);
    daemon.stop();
}
