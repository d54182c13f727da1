//! Load balancing in KEEPALIVED-MIB.

use std::path::Path;

use testbed::agent::{self, KEEPALIVED, Notifications};
use testbed::{Host, Lan, wait_for};

use crate::dump::EVERYTHING;
use crate::site::{Forwarding, Site};
use crate::{global, start, table};

/// What [`EVERYTHING`] lacks.
const MORE: &str = r#"
virtual_server 10.1.0.3 80 {
  delay_loop 2.5
  lb_algo wrr
  lb_kind TUN
  protocol SCTP
  quorum 3
  snmp_name virtual
  inhibit_on_failure
  sorry_server 10.2.0.9 80
  real_server 10.2.0.1 80 {
    lvs_method TUN type gue port 6080 csum
    weight 2
    snmp_name real
    delay_loop 3.25
    retry 4
    delay_before_retry 1.25
    warmup 2
    connect_timeout 7
    alpha
    smtp_alert
  }
  real_server 10.2.0.2 80 {
    lvs_method DR
  }
}
"#;

fn configuration(host: &Host, lines: &str) -> String {
    let socket = agent::socket(host);
    global(&format!("router_id ROUTER\n  snmp_socket {socket}\n  enable_snmp_checker\n  {lines}"))
}

fn check(name: &str) -> String {
    format!("{KEEPALIVED}.3.{name}")
}

/// All objects of what is configured.
pub fn all_objects(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let _ = std::fs::write("/tmp/number", "3\n");
    let _master = agent::master(&director);
    let lines = "lvs_timeouts tcp 910 tcpfin 130 udp 310\n  \
                 lvs_sync_daemon eth0 id 7 maxlen 1400 port 9000 ttl 3 group 224.0.0.99";
    let text = configuration(&director, lines) + EVERYTHING + MORE;
    let daemon = start(&director, program, &text);
    daemon.wait_log("AgentX subagent connected");
    wait_for("the last service is there", || table(&director).contains("10.1.0.3:80 -r 10.2.0.2"));
    let objects = agent::walk(&director, &format!("{KEEPALIVED}.3"));
    daemon.stop();
    objects.lines().filter(|line| is_comparable(line)).map(|line| format!("{line}\n")).collect()
}

/// In these the daemons differ (see docs/compatibility.md): the C daemon has an IPv6 granularity for what is no IPv6, and
/// its microseconds wrap.
fn is_comparable(line: &str) -> bool {
    let in_column = |column: &str| line.starts_with(&check(column));
    let is_wrapped = line.ends_with(": 3567587328") || line.ends_with(": 4294967295");
    !(is_wrapped && ["3.1.51.", "3.1.66.", "4.1.49."].into_iter().any(in_column))
}

const COUNTING: &str = "enable_traps
  rs_init_notifies
  snmp_vs_stats_update_interval 0.2
  snmp_rs_stats_update_interval 0.1";

/// Connections are counted; real servers and the quorum come and go.
pub fn every_change_is_told(program: &Path) -> String {
    let mut site = Site::new(Forwarding::Nat, 3);
    let notifications = Notifications::listen(&site.director);
    let _master = agent::master(&site.director);
    let lines = site.sorry(2) + &site.server(0, "") + &site.server(1, "weight 2");
    let text =
        configuration(&site.director, COUNTING) + &site.service(&format!("  omega\n{lines}"));
    let daemon = start(&site.director, program, &text);
    daemon.wait_log("AgentX subagent connected");
    daemon.wait_logged("TCP connection to ", 2);
    site.answers(4);
    site.wait_connections(&[(0, 2), (1, 2)]);
    let counted = ["4.1.14", "4.1.17", "4.1.27", "3.1.27", "3.1.38"].map(check);
    let mut seen = String::new();
    wait_for("the connections are counted", || {
        seen = counted.iter().map(|name| agent::walk(&site.director, name)).collect();
        [": 2\n", ": 4\n"].map(|count| seen.matches(count).count()) == [4, 2]
    });
    // What is not set is not there.
    seen += &["6", "7"].map(|name| agent::walk(&site.director, &check(name))).concat();
    for (number, serves) in [(0, false), (1, false), (0, true), (1, true)] {
        site.serve(&daemon, number, serves);
    }
    daemon.stop();
    let mut told = Vec::new();
    wait_for("all is told", || {
        told = notifications.told(&check("5.0."));
        told.len() >= 12
    });
    seen + &told.join("\n")
}
