//! SNMP, with net-snmp's agent as master, its tools asking, and its daemon for notifications listening.

use std::path::Path;

use testbed::agent::{KEEPALIVED, Notifications, PROGRAMS, master, socket, walk};
use testbed::{Daemon, Host, Injector, Lan, v2_advert, wait_for};

use crate::{ours, ready_for_ours, ready_with, theirs};

const RFCS: [&str; 2] = [".1.3.6.1.2.1.68", ".1.3.6.1.2.1.207"];

/// Something in every table.
const EVERYTHING: &str = r#"
static_ipaddress {
  10.8.8.8/32 dev eth1
}
static_routes {
  10.77.0.0/16 via 10.9.0.7 dev eth0
}
static_rules {
  from 10.5.0.0/16 table 100
}
track_file f {
  file FILE
  weight 1
}
vrrp_script s {
  script "/usr/bin/true"
  interval 2
  weight 5
  rise 2
  fall 3
}
bfd_instance b {
  neighbor_ip 10.9.0.77
  weight 4
}
vrrp_track_process p {
  process "/nowhere/program" first second
  param_match partial
  weight 6 reverse
  quorum 2
  quorum_max 5
  fork_delay 1.5
  terminate_delay 2
}
vrrp_sync_group G {
  group {
    A
    B
  }
  track_bfd {
    b weight 1
  }
  track_process {
    p weight 1
  }
  track_interface {
    eth1
  }
  track_script {
    s weight 2
  }
  track_file {
    f weight 3 reverse
  }
  notify_master "/usr/bin/true m"
  smtp_alert
}
vrrp_instance A {
  interface eth0
  virtual_router_id 51
  priority 150
  advert_int 0.5
  garp_master_delay 2
  virtual_ipaddress {
    10.9.0.100/24 brd + label eth0:v
    10.9.0.101/24 dev eth1 scope link
    10.9.0.102 peer 10.4.0.0/16
  }
  virtual_ipaddress_excluded {
    fd00::9/64 dev eth0
  }
  virtual_routes {
    10.66.0.0/16 via 10.9.0.8 metric 7 mtu 1400 quickack 1 src 10.9.0.100
    10.67.0.0/16 nexthop via 10.9.0.8 weight 3 nexthop via 10.9.0.9 dev eth0 weight 4 onlink
    blackhole 10.68.0.0/16
  }
  virtual_rules {
    from 10.9.0.100/32 to 10.1.1.0/24 table 200 priority 77 iif eth0
    to 10.1.2.0/24 fwmark 7/255 goto 32766 priority 78
    from 10.7.0.0/16 prohibit priority 79
  }
  notify_master "/usr/bin/true"
  notify "/usr/bin/true x"
}
vrrp_instance B {
  interface eth0
  virtual_router_id 52
  advert_int 0.5
  dont_track_primary
  promote_secondaries
  virtual_ipaddress {
    fe80::99/64
  }
}
vrrp_instance C {
  interface eth0
  version 2
  virtual_router_id 53
  priority 90
  nopreempt
  track_interface {
    eth1 weight 7 reverse
  }
  track_script {
    s
  }
  track_file {
    f weight 2
  }
  track_bfd {
    b weight 2 reverse
  }
  track_process {
    p
  }
  authentication {
    auth_type PASS
    auth_pass secret
  }
  virtual_ipaddress {
    10.19.0.100/24
  }
  smtp_alert
  notify_deleted
}
vrrp_instance D {
  interface eth1
  virtual_router_id 54
  priority 90
  advert_int 0.5
  unicast_src_ip 10.19.0.1
  unicast_peer {
    10.19.0.7
  }
  preempt_delay 3
  virtual_ipaddress {
    10.19.0.101/24
  }
}
"#;

fn configuration(host: &Host, lines: &str) -> String {
    format!(
        "global_defs {{\n  router_id ROUTER\n  script_user root\n  vrrp_version 3\n  enable_snmp_vrrp\n  snmp_socket {}\n  \
         {lines}\n}}\n",
        socket(host)
    )
}

/// All objects while all instances are MASTER and after a stranger has spoken, then the notifications of a whole life.
fn story(program: &Path) -> (String, Vec<String>) {
    let lan = Lan::without_capture("10.9.0");
    let host = lan.host("a", 1);
    host.configure(&[
        "link add eth1 type veth peer name p1",
        "link set eth1 up",
        "link set p1 up",
        "address add 10.19.0.1/24 dev eth1",
    ]);
    let file = host.file("number");
    std::fs::write(&file, "5\n").unwrap();
    let notifications = Notifications::listen(&host);
    let _master = master(&host);

    let mails = "enable_traps\n  enable_snmp_rfc\n  smtp_server 127.0.0.1\n  notification_email_from k@b.c\n  notification_email {\n    a@b.c\n    \
                 d@e.f\n  }";
    let everything = EVERYTHING.replace("FILE", &file.display().to_string());
    let text = configuration(&host, mails) + &everything;
    let daemon = Daemon::start(&host, program, &text);
    daemon.wait_log("AgentX subagent connected");
    daemon.wait_logged("Entering MASTER STATE", 4);
    wait_for("the script has succeeded", || walk(&host, &below("2.9.1.6.1")).ends_with(": 3\n"));
    let mut objects = walk(&host, KEEPALIVED);
    objects += &RFCS.map(|mib| walk(&host, mib)).concat();
    let stranger = lan.host("b", 2);
    speak(&Injector::open(&stranger), &daemon, &notifications);
    objects += &RFCS.map(|mib| walk(&host, mib)).concat();
    daemon.stop();

    let told = || -> Vec<String> {
        [&below("2.10.0."), RFCS[0], RFCS[1]]
            .iter()
            .flat_map(|mib| notifications.told(mib))
            .collect()
    };
    wait_for("all has been told", || told().len() >= 28);
    // What follows from the address of a network card is another one each time.
    let mut told: Vec<String> = told().into_iter().filter(|told| !told.contains("FE 80")).collect();
    told.sort();
    let objects = objects.replace(&file.display().to_string(), "FILE");
    (objects, told)
}

/// A better router comes and goes, then adverts come that are refused.
fn speak(stranger: &Injector, daemon: &Daemon, notifications: &Notifications) {
    let vips = ["10.19.0.100".parse().unwrap()];
    let send = |ttl, priority, password| {
        stranger.send("10.9.0.2".parse().unwrap(), ttl, &v2_advert(53, priority, &vips, password));
    };
    send(255, 200, Some("secret"));
    daemon.wait_log("(C) Entering BACKUP STATE");
    send(255, 0, Some("secret"));
    daemon.wait_logged("(C) Entering MASTER STATE", 2);

    let mut count = notifications.told(".1.3.6.1.2.1").len();
    let mut told_of = |what: &str| {
        wait_for(what, || notifications.told(".1.3.6.1.2.1").len() > count);
        count = notifications.told(".1.3.6.1.2.1").len();
    };
    send(255, 80, Some("other"));
    told_of("a wrong password is told");
    send(255, 80, None);
    told_of("another authentication type is told");
    send(100, 80, Some("secret"));
    told_of("a wrong TTL is told");
    let mut advert = v2_advert(53, 80, &vips, Some("secret"));
    advert[6] ^= 1;
    stranger.send("10.9.0.2".parse().unwrap(), 255, &advert);
    told_of("a wrong checksum is told");
}

fn below(name: &str) -> String {
    format!("{KEEPALIVED}.{name}")
}

/// Objects in which the daemons differ (see docs/compatibility.md): the version, whether the primary interface is tracked, the
/// sync daemon of IPVS, `accept` of version 2, the checksum that only later versions know, what is advertised, weights with which
/// things are tracked, and how parameters are compared.
fn is_comparable(line: &str) -> bool {
    const OTHERS: [&str; 12] = [
        "1.1.0",
        "2.3.1.11.",
        "2.3.1.16.",
        "2.3.1.27.3 ",
        "2.3.1.36.",
        "2.6.1.11.",
        "2.12.1.",
        "2.16.1.",
        "2.17.1.",
        "2.19.1.3",
        "2.21.1.5.",
        "2.22.1.3",
    ];
    // The MASTER that RFC 2787 knows, addresses that differ from network to network, times.
    const OF_RFCS: [&str; 6] = [
        "68.1.3.1.2.",
        "68.1.3.1.7.",
        "68.1.3.1.13.",
        "207.1.1.1.1.5.",
        "207.1.1.1.1.12.",
        "FE 80",
    ];
    OTHERS.iter().all(|name| !line.starts_with(&below(name)))
        && OF_RFCS.iter().all(|what| !line.contains(what))
}

/// The same objects and notifications as the C daemon's.
#[test]
fn vrrp_is_what_it_is_with_the_c_daemon() {
    if !(crate::ready() && ready_with(&PROGRAMS)) {
        return;
    }
    let (objects, told) = story(&ours());
    let (their_objects, they_told) = story(&theirs());
    let lines = |text: &str| -> Vec<String> {
        text.lines().filter(|line| is_comparable(line)).map(str::to_owned).collect()
    };
    let (ours, theirs) = (lines(&objects), lines(&their_objects));
    let differ = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).cloned().collect()
    };
    let differences = (differ(&ours, &theirs), differ(&theirs, &ours));
    assert_eq!(differences, (vec![], vec![]), "ours, theirs");
    assert!(ours == theirs && ours.len() > 250, "{objects}");
    assert_eq!(told, they_told);
    // What the C daemon gets wrong.
    for (name, value) in [
        ("12.1.2.3.1", "STRING: \"f\""),
        ("12.1.3.3.1", "INTEGER: 2"),
        ("16.1.3.1.1", "INTEGER: 3"),
        ("16.1.4.1.1", "INTEGER: 1"),
        ("17.1.3.3.1", "INTEGER: 2"),
        ("17.1.4.3.1", "INTEGER: 1"),
        ("19.1.3.1.1", "INTEGER: 1"),
        ("21.1.5.1", "INTEGER: 2"),
        ("22.1.3.1.1", "INTEGER: 1"),
    ] {
        assert!(
            objects.contains(&format!("{} = {value}\n", below(&format!("2.{name}")))),
            "{name}"
        );
    }
    let advertised: Vec<&str> = objects
        .lines()
        .filter_map(|line| line.strip_prefix(&below("2.6.1.11.")))
        .filter(|line| line.ends_with(" 1"))
        .filter_map(|line| line.split_once(' ').map(|(index, _)| index))
        .collect();
    assert_eq!(advertised, ["1.1", "1.2", "1.3", "2.1", "3.1", "4.1"]);
}

/// A master that goes away is waited for, and found again; adverts and states do not depend on it. A reload switches the
/// subagent off and on.
#[test]
fn a_master_may_come_and_go() {
    if !(ready_for_ours() && ready_with(&PROGRAMS)) {
        return;
    }
    let lan = Lan::without_capture("10.9.0");
    let host = lan.host("a", 1);
    let instance = crate::instance("V", 9, 100, "advert_int 0.1", &["10.9.0.100/24"]);
    let text = configuration(&host, "") + &instance;
    let daemon = Daemon::start(&host, &ours(), &text);
    daemon.wait_log(&format!("AgentX: no session with the master at {}", socket(&host)));
    daemon.wait_log("(V) Entering MASTER STATE");

    let service = master(&host);
    daemon.wait_log("AgentX subagent connected");
    let state = below("2.3.1.4.1");
    assert_eq!(walk(&host, &state), format!("{state} = INTEGER: 2\n"));
    // Nothing can be set.
    let set = format!("snmpset -m: -v2c -c public 127.0.0.1 {} i 7", below("2.3.1.7.1"));
    let refused = std::panic::catch_unwind(|| host.run(&set)).is_err();
    assert!(refused);
    assert!(walk(&host, &below("2.3.1.7.1")).ends_with("INTEGER: 100\n"));

    daemon.reload(&text.replace("enable_snmp_vrrp", ""));
    daemon.wait_log("Reload complete");
    wait_for("the objects are gone", || !walk(&host, &state).contains("INTEGER"));
    daemon.reload(&text);
    daemon.wait_logged("AgentX subagent connected", 2);
    wait_for("they are back", || walk(&host, &state).contains("INTEGER: 2"));

    drop(service);
    daemon.wait_logged("AgentX: no session with the master", 2);
    let _service = master(&host);
    daemon.wait_logged("AgentX subagent connected", 3);
    wait_for("they are back again", || walk(&host, &state).contains("INTEGER: 2"));
    assert_eq!(daemon.counters("V").get("Became master"), 1);
    daemon.stop();
}
