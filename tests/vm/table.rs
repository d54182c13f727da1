//! The kernel's table after the start.

use std::path::Path;

use testbed::{Lan, wait_for};

use crate::{global, listed, start, table, told};

/// Every protocol, forwarding method, tunnel and flag that this kernel knows.
const EVERY_KIND: &str = "
virtual_server 10.1.0.1 80 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 10.2.0.1 8080 { weight 3 }
  real_server 10.2.0.2 { weight 0 }
  real_server 10.2.0.3 8081 {
    weight 70000
    uthreshold 100
    lthreshold 20
  }
}
virtual_server 10.1.0.2 53 {
  lb_algo wrr
  lb_kind DR
  protocol UDP
  ops
  real_server 10.2.0.1 53 { }
}
virtual_server 10.1.0.3 5000 {
  lb_algo lc
  lb_kind NAT
  protocol SCTP
  real_server 10.2.0.1 5001 { }
}
virtual_server fwmark 5 {
  lb_algo wlc
  lb_kind NAT
  persistence_timeout 600
  real_server 10.2.0.1 80 { }
  real_server 10.2.0.2 { }
}
virtual_server fwmark 6 {
  lb_algo sed
  lb_kind TUN
  ip_family inet6
  real_server 10.2.0.1 { }
  real_server fd00:2::1 { }
}
virtual_server fd00:1::1 443 {
  lb_algo nq
  lb_kind NAT
  protocol TCP
  persistence_timeout
  persistence_granularity 64
  real_server fd00:2::1 443 { }
  real_server fd00:2::2 4430 { weight 5 }
}
virtual_server 10.1.0.4 80 {
  lb_algo sh
  sh-port
  sh-fallback
  lb_kind TUN
  protocol TCP
  real_server 10.2.0.1 80 { }
  real_server 10.2.0.2 80 { lvs_method TUN type gue port 6080 }
  real_server 10.2.0.3 80 { lvs_method TUN type gue port 6080 csum }
  real_server 10.2.0.4 80 { lvs_method TUN type gre }
  real_server 10.2.0.5 80 { lvs_method DR }
}
virtual_server 10.1.0.5 80 {
  lb_algo mh
  mh-port
  lb_kind DR
  protocol TCP
  real_server 10.2.0.1 80 { }
}
virtual_server 10.1.0.6 80 {
  lb_algo mh
  mh-fallback
  lb_kind DR
  protocol TCP
  real_server 10.2.0.1 80 { }
}
virtual_server 10.1.0.7 5060 {
  lb_algo fo
  lb_kind NAT
  protocol UDP
  persistence_engine sip
  persistence_timeout 120
  persistence_granularity 255.255.255.0
  real_server 10.2.0.1 5060 { weight 100 }
  real_server 10.2.0.2 5060 { weight 50 }
}
virtual_server 10.1.0.8 0 {
  lb_algo dh
  lb_kind DR
  protocol TCP
  persistence_timeout 30
  real_server 10.2.0.1 0 { }
}
virtual_server_group G {
  10.1.1.1-3 80
  10.1.2.0/30 81
  fwmark 70
}
virtual_server_group G6 {
  fd00:1::10-12 80
  fd00:1::20
}
virtual_server group G {
  lb_algo ovf
  lb_kind TUN
  protocol TCP
  real_server 10.2.0.1 80 { }
  real_server 10.2.0.2 80 { weight 2 }
}
virtual_server group G6 {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  persistence_timeout 50
  real_server fd00:2::1 80 { }
}
virtual_server 10.1.0.9 80 {
  lb_algo lblc
  lb_kind NAT
  protocol TCP
  sorry_server 10.2.0.9 80
  sorry_server_inhibit
  real_server 10.2.0.1 80 { }
}
virtual_server 10.1.0.10 80 {
  lb_algo lblcr
  lb_kind NAT
  protocol TCP
  quorum 5
  sorry_server 10.2.0.9 80
  sorry_server_lvs_method TUN
  real_server 10.2.0.1 80 { weight 4 }
  real_server 10.2.0.2 80 {
    alpha
    TCP_CHECK { }
  }
}
virtual_server 10.1.0.11 80 {
  lb_algo wlc
  lb_kind NAT
  protocol TCP
  delay_loop 60
  alpha
  real_server 10.2.0.1 80 { TCP_CHECK { } }
  real_server 10.2.0.2 80 {
    inhibit_on_failure
    TCP_CHECK { }
  }
}
";

/// The configuration's table, all of it.
pub fn every_kind_of_service(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let daemon = start(&director, program, &(global("") + EVERY_KIND));
    wait_for("the last service is there", || {
        table(&director).contains("10.1.0.11:80 -r 10.2.0.2:80 -m -w 0")
    });
    let list = |what| listed(&director, &format!("ipvsadm -Ln {what}"));
    let seen =
        [table(&director), list("--thresholds"), list("--tun-info"), order(&list("--nosort"))];
    daemon.stop();
    assert_eq!(table(&director), "");
    seen.join("--\n")
}

/// The services, sorted, each with its destinations in the kernel's order.
fn order(list: &str) -> String {
    let mut services: Vec<String> = Vec::new();
    for line in list.lines().skip(3) {
        match services.last_mut() {
            Some(service) if line.starts_with("  ->") => *service += &format!("{line}\n"),
            _ => services.push(format!("{line}\n")),
        }
    }
    services.sort();
    services.concat()
}

/// With `nftables_ipvs` a group is one service for a mark, and the kernel's packet filter gives out the marks.
pub fn groups_through_nftables(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let services = "
virtual_server_group G {
  10.1.1.1-3 80
  10.1.2.0/30 81
}
virtual_server_group G6 {
  fd00:1::10 80
}
virtual_server_group H {
  10.1.3.1 80
}
virtual_server group G {
  lb_algo wlc
  lb_kind TUN
  protocol TCP
  persistence_timeout 60
  persistence_granularity 255.255.0.0
  real_server 10.2.0.1 80 { }
  real_server 10.2.0.2 80 { weight 2 }
}
virtual_server group G6 {
  lb_algo wlc
  lb_kind NAT
  protocol TCP
  real_server fd00:2::1 80 { }
}
virtual_server group H {
  lb_algo wlc
  lb_kind NAT
  protocol UDP
  real_server 10.2.0.1 80 { }
}
";
    let daemon = start(&director, program, &(global("nftables_ipvs") + services));
    wait_for("the last service is there", || table(&director).contains("-r 10.2.0.1:80 -m"));
    let seen = table(&director) + &director.run("nft list ruleset");
    let told = told(&daemon.stop());
    let left = table(&director) + &director.run("nft list ruleset");
    assert_eq!(left, "");
    seen + &told
}
