//! Routes and routing rules: the kernel's tables and `ip monitor` are the judges.

use testbed::{Daemon, Host, Lan, wait_for};

use crate::{
    instance, ours, ready, ready_for_ours, ready_with, start, theirs, version_3, wait_holder,
};

/// Every kind of entry that both daemons understand.
const ROUTES: &str = "10.50.0.0/16 via 10.9.0.7 dev eth0
    10.51.0.0/16 via 10.9.0.7
    10.52.0.0/16 via 10.9.0.7 dev eth0 no_track
    10.53.0.0/16 via 10.9.0.7 dev eth0 protocol 4 no_track
    10.54.0.0/16 dev eth0 scope link src 10.9.0.100 table 1
    default via 10.9.0.8 dev eth0 onlink table 1
    10.55.0.0/16 via 10.9.0.7 dev eth0 metric 5 mtu lock 1400 advmss 1300 tos 8
    blackhole 10.56.0.0/16
    unreachable 10.57.0.0/16 metric 9
    prohibit 10.64.0.0/16
    10.58.0.0/16 nexthop via 10.9.0.7 dev eth0 weight 2 nexthop via 10.9.0.8 dev eth0
    append 10.50.0.0/16 via 10.9.0.8 dev eth0
    10.59.1.1 via 10.9.0.7 dev eth0 rtt 300ms rttvar 250ms rto_min 1s hoplimit 7 initcwnd 9 initrwnd 8 window 1000
    10.65.0.0/16 via 10.9.0.7 dev eth0 features ecn quickack 1 ssthresh 7 cwnd lock 9 reordering 4
    fd50::/64 via fd00:9::7 dev eth0
    default via fd00:9::8 dev eth0 metric 7 pref high
    fd51::/64 dev eth0 expires 600
    10.61.0.0/16 dev eth0 realms 2/3
    10.62.0.0/16 via 10.9.0.7 dev eth0 table 1000
    10.63.0.0/16 encap ip id 7 dst 10.9.0.7 ttl 9 via 10.9.0.7 dev eth0";

const RULES: &str = "from 10.9.0.100 table 1 priority 100
    to 10.9.0.0/24 fwmark 1/0xff table 1 priority 101
    from 10.0.0.9 iif eth0 tos 8 table 70 priority 102 no_track
    from 10.0.0.1 goto 500 priority 103
    from 10.0.0.2 blackhole priority 104
    not from 10.0.0.3 type prohibit priority 105
    from fd00::/64 table 1 priority 106
    from 10.0.0.4 table 1 priority 108 suppress_prefixlength 8 realms 1/2
    from 10.0.0.5 table 1000 priority 109 uidrange 10-20 ipproto tcp sport 1-2 dport 80-90
    from 10.0.0.7 table 1
    from 10.0.0.8 tunnel-id 7 oif eth0 table 1 priority 111
    from 10.0.0.6 unreachable priority 112";

fn blocks(routes: &str, rules: &str) -> String {
    format!("virtual_routes {{\n    {routes}\n  }}\n  virtual_rules {{\n    {rules}\n  }}")
}

fn statics(routes: &str, rules: &str) -> String {
    format!("static_routes {{\n  {routes}\n}}\nstatic_rules {{\n  {rules}\n}}\n")
}

/// The kernel's tables without what it makes itself. Only the seconds that are left of a route change.
fn tables(host: &Host) -> Vec<String> {
    let mut lines = Vec::new();
    for command in ["-o route show table all", "-o -6 route show table all", "rule", "-6 rule"] {
        let text = host.ip(command);
        let foreign = text.lines().filter(|l| !l.contains("proto kernel") && !l.contains("local"));
        lines.extend(foreign.map(|line| match line.split_once(" expires ") {
            Some((before, behind)) => {
                format!("{before} {}", behind.split_once(' ').map_or("", |(_, rest)| rest))
            }
            None => line.to_owned(),
        }));
    }
    lines
}

fn has(host: &Host, text: &str) -> bool {
    tables(host).iter().any(|line| line.contains(text))
}

fn wait_has(host: &Host, text: &str, wanted: bool) {
    wait_for(&format!("{text}: {wanted}"), || has(host, text) == wanted);
}

/// The entries of the dump, without what a later version of the C daemon does not print.
fn dumped(daemon: &Daemon) -> Vec<String> {
    let text = daemon.dump(libc::SIGUSR1, "keepalived.data", |text| text.contains("Interfaces"));
    text.lines()
        .filter(|line| {
            line.starts_with("     ") && (line.contains(" via ") || line.contains("lookup"))
        })
        .map(|line| line.replace(" [installed ifindex 0]", ""))
        .collect()
}

#[test]
fn tables_are_those_of_the_c_daemon() {
    if !ready_with(&[&theirs().display().to_string()]) || !ready_for_ours() {
        return;
    }
    let configuration = statics(
        "10.70.0.0/16 via 10.9.0.7 dev eth0\n  10.71.0.0/16 via 10.9.0.7 dev eth0 no_track",
        "from 10.70.0.1 table 70 priority 700",
    ) + &version_3("")
        + &instance("V", 81, 150, &blocks(ROUTES, RULES), &["10.9.0.100/24"]);
    let stories = [theirs(), ours()].map(|program| {
        let lan = Lan::without_capture("10.9.0");
        let a = lan.host("a", 1);
        let before = tables(&a);
        let daemon = Daemon::start(&a, &program, &configuration);
        wait_has(&a, "10.63.0.0/16", true);
        wait_has(&a, "from 10.0.0.6 unreachable", true);
        let (leading, entries) = (tables(&a), dumped(&daemon));
        daemon.stop();
        assert_eq!(tables(&a), before);
        (leading, entries)
    });
    let [(c, c_dump), (rust, dump)] = stories;
    assert!(c.len() > 30, "{c:#?}");
    assert_eq!(rust, c);
    assert!(c_dump.len() > 20, "{c_dump:#?}");
    assert_eq!(dump, c_dump);
}

/// Whoever deletes what is held finds it there again; what is not tracked stays away. (The C daemon resigns, and
/// becomes MASTER anew.)
#[test]
fn what_somebody_deletes_is_put_back() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let lines = "advert_int 0.25\n  ".to_owned()
        + &blocks(
            "10.50.0.0/16 via 10.9.0.7 dev eth0\n    10.51.0.0/16 via 10.9.0.7 dev eth0 no_track\n    \
             10.52.0.0/16 dev eth0 src 10.9.0.100\n    fd50::/64 via fd00:9::7 dev eth0",
            "from 10.9.0.100 table 1 priority 100\n    from fd00::/64 table 1 priority 101",
        );
    let configuration =
        statics("10.70.0.0/16 via 10.9.0.7 dev eth0", "from all table 70 priority 700")
            + &version_3("")
            + &instance("V", 82, 150, &lines, &["10.9.0.100/32"]);
    let daemon = start(&a, &configuration);
    wait_has(&a, "from fd00::/64 lookup 1", true);

    a.ip("route del 10.51.0.0/16 via 10.9.0.7");
    for (command, text) in [
        ("route del 10.50.0.0/16 via 10.9.0.7", "10.50.0.0/16"),
        ("-6 route del fd50::/64 via fd00:9::7", "fd50::/64"),
        ("rule del priority 100", "from 10.9.0.100 lookup 1"),
        ("-6 rule del priority 101", "from fd00::/64 lookup 1"),
        ("route del 10.70.0.0/16", "10.70.0.0/16"),
        ("rule del priority 700", "lookup 70"),
        // The kernel takes the route with its source, and says nothing.
        ("address del 10.9.0.100/32 dev eth0", "src 10.9.0.100"),
    ] {
        a.ip(command);
        wait_has(&a, text, true);
        if !text.starts_with("src") {
            daemon.wait_log("Restoring deleted");
        }
    }
    a.wait_holds("10.9.0.100", true);
    assert!(!has(&a, "10.51.0.0/16"), "{:#?}", tables(&a));
    assert_eq!(daemon.counters("V").get("Became master"), 1);
    let seen = lan.capture().adverts();
    assert!(seen.iter().all(|advert| advert.priority == 150), "{seen:?}");
    daemon.stop();
}

/// Only what changes is touched, and what moves to another instance is not.
#[test]
fn a_reload_changes_what_changed() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let two = |routes: [&str; 2], fixed: &str| {
        let [one, other] = routes.map(|routes| {
            "advert_int 0.25\n  garp_master_delay 0\n  ".to_owned()
                + &blocks(routes, "from 10.9.0.100 table 1 priority 100")
        });
        statics(fixed, "from 10.0.0.1 table 70 priority 700")
            + &version_3("")
            + &instance("V", 83, 150, &one, &["10.9.0.100/24"])
            + &instance("W", 84, 150, &other, &["10.9.0.101/24"])
    };
    let [stays, moves, goes, comes] = ["10.50", "10.51", "10.52", "10.53"]
        .map(|net| format!("{net}.0.0/16 via 10.9.0.7 dev eth0"));
    let old = two([&format!("{stays}\n{moves}"), &goes], "10.70.0.0/16 via 10.9.0.7 dev eth0");
    let daemon = start(&a, &old);
    wait_has(&a, "10.52.0.0/16", true);
    wait_has(&a, "10.51.0.0/16", true);
    let monitor = a.monitor();
    daemon.reload(&old);
    daemon.wait_logged("Reload complete", 1);
    daemon
        .reload(&two([&stays, &format!("{moves}\n{comes}")], "10.71.0.0/16 via 10.9.0.7 dev eth0"));
    wait_has(&a, "10.53.0.0/16", true);
    wait_has(&a, "10.52.0.0/16", false);
    wait_has(&a, "10.71.0.0/16", true);
    wait_has(&a, "10.70.0.0/16", false);
    wait_for("ip monitor has it all", || monitor.lines().len() >= 4);
    let touched = monitor.lines();
    for net in ["10.50.0.0", "10.51.0.0", "10.9.0.100"] {
        assert!(!touched.iter().any(|line| line.contains(net)), "{touched:#?}");
    }
    assert!(has(&a, "10.50.0.0/16") && has(&a, "10.51.0.0/16") && has(&a, "from 10.9.0.100"));
    daemon.stop();
}

/// An interface that routes need is tracked; what is static returns with its own.
#[test]
fn interfaces_of_routes_count() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    for host in [&a, &b] {
        host.ip("link add eth1 type veth peer name far1");
        host.ip("link set far1 up");
        host.ip("link set eth1 up");
    }
    let configuration = |priority| {
        let routes = "10.50.0.0/16 dev eth1";
        let lines =
            "advert_int 0.25\n  ".to_owned() + &blocks(routes, "from 10.0.0.1 table 1 priority 9");
        statics("10.70.0.0/16 dev eth1", "from 10.0.0.2 table 70 priority 700")
            + &version_3("")
            + &instance("V", 85, priority, &lines, &["10.9.0.100/24"])
    };
    let leader = start(&a, &configuration(150));
    wait_has(&a, "10.50.0.0/16", true);
    let other = start(&b, &configuration(100));
    a.ip("link set eth1 down");
    wait_holder(&b, &a, &["10.9.0.100"]);
    wait_has(&b, "10.50.0.0/16", true);
    assert!(!has(&a, "10.70.0.0/16"), "the kernel keeps routes over an interface that is down");
    a.ip("link set eth1 up");
    wait_holder(&a, &b, &["10.9.0.100"]);
    for text in ["10.50.0.0/16", "10.70.0.0/16"] {
        wait_has(&a, text, true);
    }
    wait_has(&b, "10.50.0.0/16", false);
    leader.stop();
    other.stop();
}

/// A killed daemon leaves everything; the next start takes it away before it takes part.
#[test]
fn a_start_after_a_kill_cleans_up() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let configuration = |priority| {
        let lines = "advert_int 0.25\n  ".to_owned()
            + &blocks("10.50.0.0/16 via 10.9.0.7 dev eth0", "from 10.0.0.1 table 1 priority 9");
        version_3("") + &instance("V", 86, priority, &lines, &["10.9.0.100/24"])
    };
    let daemon = start(&a, &configuration(100));
    wait_has(&a, "from 10.0.0.1", true);
    daemon.crash();
    assert!(has(&a, "10.50.0.0/16") && has(&a, "from 10.0.0.1"));
    let b = lan.host("b", 2);
    let leader = start(&b, &configuration(200));
    b.wait_holds("10.9.0.100", true);
    let daemon = start(&a, &configuration(100));
    wait_has(&a, "10.50.0.0/16", false);
    wait_has(&a, "from 10.0.0.1", false);
    daemon.stop();
    leader.stop();
}
