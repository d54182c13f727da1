//! Keywords that change something of the kernel's or of the process: they act, and leave nothing behind.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

use nix::sys::signal::Signal;
use testbed::{Detached, Host, Injector, Lan, v3_advert, wait_for};

use crate::{instance, ours, ready, ready_for_ours, start, version_3};

/// A setting of the host's network, as the kernel shows it.
fn sysctl(host: &Host, name: &str) -> String {
    let path = format!("/proc/sys/net/ipv4/{name}");
    let text = host.inside(|| fs::read_to_string(&path));
    text.unwrap_or_else(|e| panic!("{path}: {e}")).trim().to_owned()
}

const PROMOTE: &str = "conf/eth0/promote_secondaries";
const REPORTS: &str = "igmp_link_local_mcast_reports";

fn set_promote(host: &Host, value: &str) {
    host.inside(|| fs::write(format!("/proc/sys/net/ipv4/{PROMOTE}"), value)).unwrap();
}

/// Without it the kernel takes 10.9.1.101 along with 10.9.1.100, which came first.
#[test]
fn promote_secondaries_holds_while_an_instance_wants_it() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    set_promote(&a, "0");
    let first = |lines: &str| {
        instance("P1", 73, 150, &format!("advert_int 0.25\n  {lines}"), &["10.9.1.100/24"])
    };
    let second = instance("P2", 74, 150, "advert_int 0.25", &["10.9.1.101/24"]);
    let daemon = start(&a, &(version_3("") + &first("promote_secondaries") + &second));
    a.wait_holds("10.9.1.100", true);
    a.wait_holds("10.9.1.101", true);
    assert_eq!(sysctl(&a, PROMOTE), "1");

    let monitor = a.monitor();
    daemon.reload(&(version_3("") + &second));
    a.wait_holds("10.9.1.100", false);
    wait_for("the setting is put back", || sysctl(&a, PROMOTE) == "0");
    assert!(a.holds("10.9.1.101"));
    assert!(monitor.lines().iter().all(|l| !(l.contains("10.9.1.101/") && l.contains("Deleted"))));

    daemon.reload(&(version_3("") + &first("promote_secondaries") + &second));
    a.wait_holds("10.9.1.100", true);
    assert_eq!(sysctl(&a, PROMOTE), "1");
    daemon.stop();
    assert_eq!(sysctl(&a, PROMOTE), "0");
}

/// The interface that comes back is a new one, with the kernel's default.
#[test]
fn promote_secondaries_is_set_again_on_an_interface_made_again() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let lines = "advert_int 0.25\n  promote_secondaries";
    let configuration =
        version_3("dynamic_interfaces") + &instance("P", 73, 150, lines, &["10.9.0.100/24"]);
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    a.unplug();
    daemon.wait_log("(P) Entering FAULT STATE");
    a.plug_in();
    a.wait_holds("10.9.0.100", true);
    assert_eq!(sysctl(&a, PROMOTE), "1");
    daemon.stop();
}

#[test]
fn local_igmp_is_silent_until_the_stop() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    assert_eq!(sysctl(&a, REPORTS), "1");
    let configuration = version_3("disable_local_igmp")
        + &instance("I", 73, 150, "advert_int 0.25", &["10.9.0.100/24"]);
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    assert_eq!(sysctl(&a, REPORTS), "0");
    daemon.stop();
    assert_eq!(sysctl(&a, REPORTS), "1");
}

/// Nice value, realtime priority and policy of a process.
fn scheduled(pid: i32) -> (String, String, String) {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let field = |number: usize| fields.split_whitespace().nth(number - 3).unwrap().to_owned();
    (field(19), field(40), field(41))
}

/// What a process asks for itself does not get through a fork: the daemon must ask after it.
#[test]
fn in_the_background_it_is_scheduled_as_configured() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let lines =
        "vrrp_rt_priority 7\n  vrrp_no_swap\n  vrrp_cpu_affinity 0\n  process_name ka-sched";
    let configuration =
        version_3(lines) + &instance("S", 73, 150, "advert_int 0.25", &["10.9.0.100/24"]);
    let daemon = Detached::start(&a, &ours(), &configuration);
    a.wait_holds("10.9.0.100", true);
    // SCHED_RR is 2.
    assert_eq!(scheduled(daemon.pid()), ("0".into(), "7".into(), "2".into()));
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().nth(1).unwrap_or_default().to_owned()
    };
    assert_ne!(of("VmLck:"), "0");
    assert_eq!((of("Cpus_allowed_list:").as_str(), of("Name:").as_str()), ("0", "ka-sched"));
    daemon.stop();
}

/// The instances of a static address's group cannot serve while its interface is away, nor while the kernel
/// will not have it; when somebody else deletes it, it comes back and nothing else happens.
#[test]
fn a_track_group_follows_its_static_addresses() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let make = || {
        a.ip("link add eth1 type veth peer name eth1-far");
        a.ip("link set eth1-far up");
        a.ip("link set eth1 up");
    };
    make();
    let statics = "track_group T {\n  group {\n    IN\n  }\n}\nstatic_ipaddress {\n  \
                   10.9.2.1/24 dev eth1 track_group T\n  fd00:9:2::1/64 dev eth1 track_group T\n}\n";
    let configuration = version_3("dynamic_interfaces")
        + statics
        + &instance("IN", 75, 150, "advert_int 0.25", &["10.9.0.100/24"])
        + &instance("OUT", 76, 150, "advert_int 0.25", &["10.9.0.101/24"]);
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    assert!(a.holds("10.9.2.1") && a.holds("fd00:9:2::1"));

    let monitor = a.monitor();
    a.ip("address del 10.9.2.1/24 dev eth1");
    let back = |line: &String| line.contains("10.9.2.1/24") && !line.contains("Deleted");
    wait_for("the address is added again", || monitor.lines().iter().any(back));
    assert_eq!(daemon.logged("Entering FAULT STATE"), 0);

    a.ip("link set eth1 down");
    a.wait_holds("10.9.0.100", false);
    a.ip("link set eth1 up");
    a.wait_holds("10.9.0.100", true);

    a.ip("link del eth1");
    a.wait_holds("10.9.0.100", false);
    make();
    a.wait_holds("10.9.2.1", true);
    a.wait_holds("10.9.0.100", true);

    let disable = |value: &str| {
        let path = "/proc/sys/net/ipv6/conf/eth1/disable_ipv6";
        a.inside(|| fs::write(path, value)).unwrap();
    };
    disable("1");
    a.wait_holds("10.9.0.100", false);
    daemon.wait_log("(IN) static address fd00:9:2::1/64 dev eth1 cannot be present");
    disable("0");
    a.wait_holds("fd00:9:2::1", true);
    a.wait_holds("10.9.0.100", true);

    daemon.reload(&configuration.replace(statics, ""));
    a.wait_holds("10.9.2.1", false);
    a.ip("link del eth1");
    daemon.wait_log("Reload complete");
    assert_eq!(daemon.counters("OUT").get("Released master"), 0);
    assert_eq!(daemon.counters("IN").get("Released master"), 3);
    daemon.stop();
}

/// An instance of the group begins in FAULT when the interface is not there yet.
#[test]
fn a_track_group_holds_its_instances_back_at_the_start() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let configuration = version_3("dynamic_interfaces")
        + "track_group T {\n  group {\n    IN\n  }\n}\n"
        + "static_ipaddress {\n  10.9.2.1/24 dev eth1 track_group T\n}\n"
        + &instance("IN", 75, 150, "advert_int 0.25", &["10.9.0.100/24"])
        + &instance("OUT", 76, 150, "advert_int 0.25", &["10.9.0.101/24"]);
    let daemon = start(&a, &configuration);
    daemon.wait_log("(IN) entering FAULT state");
    a.wait_holds("10.9.0.101", true);
    assert!(!a.holds("10.9.0.100"));
    a.ip("link add eth1 type veth peer name eth1-far");
    a.ip("link set eth1-far up");
    a.ip("link set eth1 up");
    a.wait_holds("10.9.0.100", true);
    assert!(a.holds("10.9.2.1"));
    daemon.stop();
}

/// An advert for a virtual router that nobody here knows is told of when that is asked for, and only then.
#[test]
fn unknown_vrids_are_logged_when_asked_for() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b, c) = (lan.host("a", 1), lan.host("b", 2), lan.host("c", 3));
    let instance = instance("V", 73, 150, "advert_int 0.25", &["10.9.0.100/24"]);
    let (told, quiet) = (
        start(&a, &(version_3("log_unknown_vrids") + &instance)),
        start(&b, &(version_3("") + &instance.replace("150", "100"))),
    );
    quiet.wait_log("(V) Entering BACKUP STATE");
    told.wait_log("(V) Entering MASTER STATE");
    let source = Ipv4Addr::new(10, 9, 0, 3);
    let advert = v3_advert(source, 99, 150, &[Ipv4Addr::new(10, 9, 0, 200)], 100);
    Injector::open(&c).send(source, 255, &advert);
    told.wait_log("Unknown VRID(99) received on interface(eth0). ignoring...");
    assert_eq!(quiet.logged("Unknown VRID"), 0);
}

/// The sum over the instances on a socket, by the policy.
#[test]
fn receive_buffers_have_the_size_the_policy_means() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    for (policy, size) in [
        ("vrrp_rx_bufs_policy MTU\n  vrrp_rx_bufs_multiplier 4", 2 * 4 * 1500),
        ("vrrp_rx_bufs_policy 40000", 2 * 40_000),
    ] {
        let configuration = version_3(policy)
            + &instance("A", 73, 150, "advert_int 0.25", &["10.9.0.100/24"])
            + &instance("B", 74, 150, "advert_int 0.25", &["10.9.0.101/24"]);
        let daemon = start(&a, &configuration);
        a.wait_holds("10.9.0.100", true);
        let data = daemon.dump(Signal::SIGUSR1 as i32, "keepalived.data", |text| {
            text.contains("------< Interfaces >------")
        });
        assert!(data.contains(&format!("Rx buf size = {size}")), "{policy}: {data}");
        daemon.stop();
    }
}

#[test]
fn a_reload_changes_name_and_scheduling() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let configuration = |lines: &str| {
        version_3(lines) + &instance("S", 73, 150, "advert_int 0.25", &["10.9.0.100/24"])
    };
    let daemon = start(&a, &configuration("vrrp_priority -3"));
    let normal = |nice: &str| (nice.to_owned(), "0".to_owned(), "0".to_owned());
    assert_eq!(scheduled(daemon.pid()), normal("-3"));
    daemon.reload(&configuration("vrrp_rt_priority 4\n  process_name ka-two"));
    daemon.wait_logged("Reload complete", 1);
    assert_eq!(scheduled(daemon.pid()), ("0".into(), "4".into(), "2".into()));
    let name = fs::read_to_string(format!("/proc/{}/comm", daemon.pid())).unwrap();
    assert_eq!(name, "ka-two\n");
    daemon.reload(&configuration(""));
    daemon.wait_logged("Reload complete", 2);
    assert_eq!(scheduled(daemon.pid()), normal("0"));
    daemon.stop();
}

/// A daemon that was kept from running asks for a higher priority; its scripts do not inherit it.
#[test]
fn lateness_raises_the_priority() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let policy = a.file("policy");
    let script = a.file("policy.sh");
    fs::write(&script, format!("#!/bin/sh\nexec cat /proc/self/stat > {}\n", policy.display()))
        .unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let lines = format!("advert_int 0.1\n  notify_stop {}", script.display());
    let configuration = version_3("max_auto_priority 1\n  min_auto_priority_delay 100000")
        + &instance("S", 73, 150, &lines, &["10.9.0.100/24"]);
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    daemon.signal(Signal::SIGSTOP);
    std::thread::sleep(Duration::from_millis(400));
    daemon.signal(Signal::SIGCONT);
    daemon.wait_log("raising the realtime priority to 1");
    wait_for("it has it", || scheduled(daemon.pid()) == ("0".into(), "1".into(), "2".into()));
    daemon.stop();
    let stat = fs::read_to_string(policy).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    assert_eq!(fields.split_whitespace().nth(41 - 3), Some("0"), "SCHED_OTHER: {stat}");
}
