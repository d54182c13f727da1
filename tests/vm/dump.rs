//! The state dump of load balancing, which programs read: with every keyword that shows in it, nothing but what is
//! known to differ between versions may differ.

use std::path::Path;

use nix::sys::signal::Signal;
use testbed::Lan;

use crate::{global, start, table};

pub const EVERYTHING: &str = r#"
SSL {
  password word
}
track_file F {
  file /tmp/number
}
virtual_server_group G {
  10.1.0.8 80
  10.1.0.9-12 81
}
virtual_server_group M {
  fwmark 7
  fwmark 8
}
virtual_server 10.1.0.1 80 {
  delay_loop 60
  lb_algo rr
  lb_kind NAT
  protocol TCP
  persistence_timeout 50
  persistence_granularity 255.255.255.0
  virtualhost www.example.com
  retry 2
  delay_before_retry 1.5
  warmup 100
  alpha
  omega
  quorum 2
  hysteresis 1
  quorum_up "/bin/true up 'a b'"
  quorum_down /bin/true
  ha_suspend
  sorry_server 10.2.0.9 80
  sorry_server_inhibit
  smtp_alert
  real_server 10.2.0.1 8080 {
    weight 3
    uthreshold 100
    lthreshold 20
    inhibit_on_failure
    notify_up "/bin/true x"
    notify_down /bin/true
    virtualhost real.example.com
    TCP_CHECK {
      retry 0
      connect_ip 10.2.0.7
      connect_port 81
      bindto 10.9.0.1
      bind_port 1234
      bind_if eth0
      fwmark 9
      connect_timeout 3
    }
    HTTP_GET {
      log_all_failures
      http_protocol 1.0C
      virtualhost check.example.com
      fast_recovery
      enable_sni
      url {
        path /a
        digest 00112233445566778899aabbccddeeff
        status_code 200 300-302
        virtualhost url.example.com
        regex "a+"
        regex_options caseless
        regex_min_offset 1
        regex_max_offset 100
        regex_no_match
      }
      url {
        path /b
      }
    }
  }
  real_server 10.2.0.2 80 {
    SSL_GET {
      sni_name s.example.com
      url {
        path /c
        tls_compliant
      }
    }
    SMTP_CHECK {
      helo_name h
    }
    DNS_CHECK {
      type A
      name a1.example.com
    }
  }
}
virtual_server 10.1.0.2 53 {
  lb_algo sh
  sh-port
  lb_kind TUN
  protocol UDP
  warmup 1000000
  ops
  hashed
  sorry_server 10.2.0.1 53
  real_server 10.2.0.1 53 {
    UDP_CHECK {
      payload 00 11
      require_reply 01 0x
      min_reply_length 2
      max_reply_length 9
    }
    UDP_CHECK {
    }
    PING_CHECK {
    }
    DNS_CHECK {
    }
  }
  real_server 10.2.0.3 53 {
    MISC_CHECK {
      misc_path "/bin/true 'a b' c"
      misc_timeout 7
      misc_dynamic
    }
    FILE_CHECK {
      track_file F
      weight 2 reverse
    }
  }
}
virtual_server fwmark 5 {
  lb_algo mh
  lb_kind DR
  real_server 10.2.0.1 { }
}
virtual_server fd00:1::1 80 {
  lb_algo wlc
  lb_kind NAT
  protocol TCP
  persistence_timeout 50
  persistence_granularity 64
  real_server fd00:2::1 80 { }
}
virtual_server group G {
  lb_algo rr
  lb_kind NAT
  protocol TCP
  real_server 10.2.0.1 80 { }
}
virtual_server group M {
  lb_algo rr
  lb_kind NAT
  real_server 10.2.0.1 80 { }
  real_server 10.2.0.2 80 { }
}
"#;

/// What is configured, and how it all begins: all checkers are suspended, or their warm-up is longer than the scenario.
pub fn of_every_keyword(program: &Path) -> String {
    let lan = Lan::without_capture("10.9.0");
    let director = lan.host("d", 1);
    let _ = std::fs::write("/tmp/number", "3\n");
    let daemon = start(&director, program, &(global("") + EVERYTHING));
    testbed::wait_for("the last service", || table(&director).contains("-f 8 -r 10.2.0.2"));
    let dump = daemon.dump(Signal::SIGUSR1 as i32, "keepalived_check.data", |text| {
        text.contains("Tracking instances") && text.ends_with('\n')
    });
    daemon.stop();
    let (_, own) = dump.split_once("\n------< SSL").unwrap_or_default();
    let lines = own.lines().map(str::trim_end).filter(|line| !is_of_one_version(line));
    let alike = lines.map(|line| line.replace("   VS alive =", "   alive ="));
    alike.map(|line| without_path(&line) + "\n").collect()
}

/// Lines that only some versions of the C daemon have, and what Debian's gets wrong: it lists all options of
/// regular expressions, and does not know when a checker that has not run ran.
fn is_of_one_version(line: &str) -> bool {
    const LINES: [&str; 12] = [
        "     set = ",
        "     alive = ",
        "     Last errno = ",
        "     tls_compliant ",
        "   ICMP seq no = ",
        "   SNI name = ",
        "   Enable SNI ",
        "   path = ",
        "   Last ran = ",
        "     Regex options: ",
        "     Regex ref count = ",
        "     Reloaded = ",
    ];
    LINES.iter().any(|start| line.starts_with(start))
}

/// The line about a script without the path that newer versions add, and without how far it is moved in.
fn without_path(line: &str) -> String {
    match (line.trim_start().split_once(" notify script = "), line.split_once(", params = ")) {
        (Some((who, _)), Some((_, rest))) => format!("   {who} notify script = {rest}"),
        (Some((who, rest)), None) => format!("   {who} notify script = {rest}"),
        _ => line.to_owned(),
    }
}
