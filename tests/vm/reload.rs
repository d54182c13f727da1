//! SIGHUP: what did not change keeps its connections and counters, what did is changed in place.

use std::path::Path;

use testbed::{Lan, wait_for};

use crate::site::{Forwarding, Site};
use crate::{global, start, table, told};

/// Of four real servers one gets another weight, one goes, one comes and one stays as it is.
pub fn only_what_changed(program: &Path) -> String {
    let site = Site::new(Forwarding::Nat, 4);
    let server = |number, lines| site.server(number, lines);
    let old = server(0, "") + &server(1, "") + &server(2, "");
    let new = server(0, "weight 5") + &server(2, "") + &server(3, "");
    let daemon = site.start(program, &site.service(&old));
    site.wait_servers(&[0, 1, 2]);
    assert_eq!(site.answers(3), ["r0", "r1", "r2"]);
    site.wait_connections(&[(0, 1), (1, 1), (2, 1)]);

    daemon.reload(&(global("") + &site.service(&new)));
    site.wait_weights([Some(5), None, Some(1), Some(1)]);
    assert_eq!(site.answers(3), ["r0", "r2", "r3"]);
    // One that was made anew would have begun to count anew.
    site.wait_connections(&[(0, 2), (2, 2), (3, 1)]);
    let seen = table(&site.director);
    // Whether a checker that goes on as before is called activated differs between versions of the C daemon.
    let told = told(&daemon.stop());
    let told = told.lines().filter(|line| !line.starts_with("Activating"));
    seen + &told.map(|line| format!("{line}\n")).collect::<String>()
}

const OLD: &str = "
virtual_server 10.1.0.1 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 10.2.0.1 80 { }
}
virtual_server 10.1.0.2 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 10.2.0.1 80 { }
}
virtual_server 10.1.0.3 80 {
  lb_algo sh
  lb_kind TUN
  protocol TCP
  real_server 10.2.0.1 80 { }
  real_server 10.2.0.2 80 { lvs_method TUN type gue port 6080 }
}
virtual_server 10.1.0.4 80 {
  lb_algo wlc
  lb_kind NAT
  protocol TCP
  quorum 2
  sorry_server 10.2.0.9 80
  real_server 10.2.0.1 80 { }
  real_server 10.2.0.2 80 { }
}
virtual_server 10.1.0.5 80 {
  lb_algo wlc
  lb_kind NAT
  protocol TCP
  persistence_timeout 100
  real_server 10.2.0.1 80 { }
}
virtual_server fwmark 9 {
  lb_algo wlc
  lb_kind NAT
  real_server 10.2.0.1 80 { }
}
";

const NEW: &str = "
virtual_server 10.1.0.2 80 {
  lb_algo wrr
  lb_kind NAT
  protocol TCP
  real_server 10.2.0.1 80 { }
}
virtual_server 10.1.0.3 80 {
  lb_algo sh
  sh-port
  lb_kind TUN
  protocol TCP
  real_server 10.2.0.1 80 { lvs_method DR }
  real_server 10.2.0.2 80 { lvs_method TUN type gre csum }
}
virtual_server 10.1.0.4 80 {
  lb_algo wlc
  lb_kind NAT
  protocol TCP
  quorum 5
  sorry_server 10.2.0.8 80
  real_server 10.2.0.1 80 { weight 3 }
  real_server 10.2.0.2 80 { weight 4 }
}
virtual_server 10.1.0.5 80 {
  lb_algo wlc
  lb_kind NAT
  protocol TCP
  persistence_timeout 200
  persistence_granularity 255.255.0.0
  real_server 10.2.0.1 80 { }
}
virtual_server fwmark 9 {
  lb_algo wlc
  lb_kind NAT
  real_server 10.2.0.1 81 { }
}
virtual_server 10.1.0.6 80 {
  lb_algo wlc
  lb_kind NAT
  protocol TCP
  real_server 10.2.0.1 80 { }
}
";

/// Services go, come and change: scheduler, flags, persistence, methods, quorum, sorry server; and back.
pub fn every_kind_of_change(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let daemon = start(&director, program, &(global("") + OLD));
    // The last of each file tells that all of it was done.
    let last = |text: &str| table(&director).contains(text);
    wait_for("the last service is there", || last("-a -f 9 -r 10.2.0.1:80"));
    let mut seen = vec![table(&director)];

    daemon.reload(&(global("") + NEW));
    wait_for("the new last service is there", || last("-a -t 10.1.0.6:80 -r"));
    seen.push(table(&director));
    assert!(!last("10.1.0.1:80"), "{}", seen[1]);

    daemon.reload(&(global("") + OLD));
    wait_for("the old last service is back", || last("-a -f 9 -r 10.2.0.1:80"));
    seen.push(table(&director));
    // Our daemon ends one service's changes before it begins the next one's.
    let told = told(&daemon.stop());
    let mut told: Vec<&str> = told.lines().collect();
    told.sort_unstable();
    seen.push(told.join("\n"));
    seen.join("--\n")
}

/// Members come to a group and leave it, among them addresses that stay in it by another range. (The C daemon leaves
/// the services of members that are gone in the table, without real servers.)
pub fn members_of_a_group_change(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let configuration = |members: &[&str], servers: &str| {
        format!(
            "{}virtual_server_group G {{\n  {}\n}}\nvirtual_server group G {{\n  lb_algo wlc\n  \
             lb_kind NAT\n  protocol UDP\n  {servers}\n}}\n",
            global(""),
            members.join("\n  ")
        )
    };
    let (r1, r2) = ("real_server 10.2.0.1 80 { }", "real_server 10.2.0.2 80 { }");
    let old = configuration(&["10.1.1.1-3 80", "10.1.1.9 80", "fwmark 70"], r1);
    let new = configuration(
        &["10.1.1.2-4 80", "10.1.1.9 80", "10.1.1.10 80", "fwmark 71"],
        &format!("{r1}\n  {r2}"),
    );
    let daemon = start(&director, program, &old);
    let wait = |service: &str| {
        let line = format!("-a {service} ");
        wait_for(&format!("{service} is there"), || table(&director).contains(&line));
        with_servers(&table(&director))
    };
    let mut seen = wait("-f 70");
    daemon.reload(&new);
    seen += &wait("-f 71 -r 10.2.0.2:80");
    daemon.reload(&old);
    seen += &wait("-f 70");
    daemon.stop();
    seen
}

/// A member leaves one group for another one, upwards and downwards in the file.
pub fn a_member_moves_to_another_group(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let group = |name: &str, members: &[&str], server: &str| {
        format!(
            "virtual_server_group {name} {{\n  {}\n}}\nvirtual_server group {name} {{\n  lb_algo wlc\n  \
             lb_kind NAT\n  protocol TCP\n  real_server {server} 80 {{ }}\n}}\n",
            members.join("\n  ")
        )
    };
    let configuration = |g: &[&str], h: &[&str]| {
        global("") + &group("G", g, "10.2.0.1") + &group("H", h, "10.2.0.2")
    };
    let here = configuration(&["10.1.1.1 80", "10.1.1.2 80"], &["10.1.1.9 80"]);
    let there = configuration(&["10.1.1.1 80"], &["10.1.1.2 80", "10.1.1.9 80"]);
    let daemon = start(&director, program, &here);
    let mut seen = String::new();
    let mut wait = |count: usize, server: &str| {
        let line = format!("-a -t 10.1.1.2:80 -r {server}:80 ");
        wait_for(&line, || table(&director).contains(&line));
        daemon.wait_logged("Reload complete", count);
        assert!(table(&director).contains(&line), "{}", table(&director));
        seen += &table(&director);
    };
    wait(0, "10.2.0.1");
    daemon.reload(&there);
    wait(1, "10.2.0.2");
    daemon.reload(&here);
    wait(2, "10.2.0.1");
    daemon.stop();
    seen
}

/// A table without the services that have no real server.
fn with_servers(table: &str) -> String {
    let lines: Vec<&str> = table.lines().collect();
    let empty = |n: usize| {
        lines[n].starts_with("-A") && lines.get(n + 1).is_none_or(|next| next.starts_with("-A"))
    };
    (0..lines.len()).filter(|n| !empty(*n)).map(|n| format!("{}\n", lines[n])).collect()
}
