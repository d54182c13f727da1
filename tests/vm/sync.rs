//! The kernel's connection synchronisation.

use std::path::Path;

use testbed::{Daemon, Host, Lan, Parts, wait_for};

use crate::{global, start};

const SERVICE: &str = "
virtual_server 10.1.0.1 80 {
  protocol TCP
  lb_algo rr
  lb_kind NAT
  real_server 10.2.0.1 80 { }
}
";

/// The kernel's synchronisation daemons.
fn daemons(host: &Host) -> String {
    host.run("ipvsadm -Ln --daemon")
}

/// Both directions for as long as the daemon runs; a reload with other parameters starts them anew.
pub fn without_an_instance(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let configuration = |line| global(line) + SERVICE;
    let all = "lvs_sync_daemon eth0 id 7 maxlen 1400 port 9000 ttl 3 group 224.0.0.99";
    let daemon = start(&director, program, &configuration(all));
    let both = |text: &str| {
        wait_for(text, || daemons(&director).matches(text).count() == 2);
        daemons(&director)
    };
    let mut seen = both("port=9000, ttl=3");
    daemon.reload(&configuration("lvs_sync_daemon eth0 id 8"));
    seen += &both("syncid=8");
    daemon.stop();
    assert_eq!(daemons(&director), "");
    seen
}

/// Which direction follows the instance's state.
pub fn with_an_instance(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let configuration = |priority: u8| {
        let instance = format!(
            "vrrp_instance V {{\n  state BACKUP\n  interface eth0\n  virtual_router_id 51\n  \
             priority {priority}\n  advert_int 2\n  virtual_ipaddress {{\n    10.9.0.100/24\n  }}\n}}\n"
        );
        global("lvs_sync_daemon eth0 V") + &instance + SERVICE
    };
    let daemon = Daemon::start_parts(&director, program, Parts::All, &configuration(100), &[]);
    let mut seen = String::new();
    let mut wait = |state: &str| {
        let mut now = String::new();
        wait_for(&format!("the kernel's daemon is {state}"), || {
            now = daemons(&director);
            now.starts_with(state) && now.lines().count() == 1
        });
        seen += &now;
    };
    wait("backup");
    wait("master");
    director.set_link(false);
    wait("backup");
    director.set_link(true);
    wait("master");
    daemon.stop();
    assert_eq!(daemons(&director), "");
    seen
}
