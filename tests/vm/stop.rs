//! Start and stop: what is found, what is left.

use std::path::Path;

use testbed::{Host, Lan, wait_for};

use crate::{global, start_with, table, told};

const SERVICES: &str = "
virtual_server 10.1.0.1 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 10.2.0.1 80 { }
  real_server 10.2.0.2 80 {
    weight 7
    inhibit_on_failure
  }
}
virtual_server 10.1.0.2 53 {
  lb_algo wlc
  lb_kind DR
  protocol UDP
  sorry_server 10.2.0.9 53
  sorry_server_inhibit
  real_server 10.2.0.1 53 { }
}
";

/// What stands in the table before: a service of somebody else's, and one of ours from an earlier life.
const FOUND: [&str; 4] = [
    "-A -t 10.3.0.1:80 -s rr",
    "-a -t 10.3.0.1:80 -r 10.4.0.1:80 -m -w 1",
    "-A -t 10.1.0.1:80 -s lc",
    "-a -t 10.1.0.1:80 -r 10.2.0.2:80 -m -w 3",
];

/// With and without each keyword that says something about start and stop: the tables in between and at the end, the
/// timeouts, the sync daemons, and what is logged.
pub fn found_and_left(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let lives: [(&str, &[&str]); 8] = [
        ("", &[]),
        ("lvs_flush", &[]),
        ("lvs_flush_on_stop", &[]),
        ("lvs_flush_on_stop VS", &[]),
        ("lvs_timeouts tcp 100 udp 30", &[]),
        ("lvs_timeouts tcpfin 20", &["-I"]),
        ("lvs_sync_daemon eth0 id 3", &["-I"]),
        ("lvs_flush_on_stop", &["-I"]),
    ];
    let seen = lives.map(|(keywords, arguments)| life(&director, program, keywords, arguments));
    seen.concat()
}

fn life(director: &Host, program: &Path, keywords: &str, arguments: &[&str]) -> String {
    director.run("ipvsadm -C");
    FOUND.iter().for_each(|line| drop(director.run(&format!("ipvsadm {line}"))));
    let whole = || director.run("ipvsadm -Ln --timeout") + &director.run("ipvsadm -Ln --daemon");
    let configuration = global(keywords) + SERVICES;
    let daemon = start_with(director, program, &configuration, arguments);
    // The sorry server may come after the real server.
    wait_for("the last service is there", || {
        let table = table(director);
        ["10.2.0.1", "10.2.0.9"]
            .iter()
            .all(|server| table.contains(&format!("-a -u 10.1.0.2:53 -r {server}:53 ")))
    });
    let during = table(director) + &whole();
    let told = told(&daemon.stop());
    format!(
        "== {keywords} {arguments:?}\n{during}-- log\n{told}-- left\n{}{}",
        table(director),
        whole()
    )
}
