//! SIGHUP: what did not change is not touched, what did is, and a broken file changes nothing.

use std::path::Path;

use testbed::{Daemon, Lan, Parts, wait_for};

use crate::checking::script;
use crate::{
    assert_content, instance, ours, ready, ready_for_ours, ready_with, start, version_3,
    wait_holder,
};

/// No packet, no netlink write: the capture and `ip monitor` see nothing between two adverts two seconds apart.
/// (The C daemon sends an advert at every reload.)
#[test]
fn an_unchanged_configuration_changes_nothing() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    // Without the delay there is no second burst of gratuitous ARPs, which could come in between.
    let lines = "advert_int 2\n  garp_master_delay 0";
    let configuration = version_3("") + &instance("R", 65, 150, lines, &["10.9.0.100/24"]);
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    let monitor = a.monitor();
    // On a machine too busy to reload within an interval an attempt proves nothing, and is made again.
    let quiet = (1..=5).any(|attempt| {
        let seen = lan.capture().adverts().len();
        let before = lan.capture().wait_advert("the next advert", seen, |_| true);
        let frames = lan.capture().count();
        daemon.reload(&configuration);
        daemon.wait_logged("Reload complete", attempt);
        let quiet = lan.capture().count() == frames;
        let after = lan.capture().wait_advert("the advert after the reload", seen + 1, |_| true);
        quiet && (after.at - before.at).as_millis().abs_diff(2000) < 500
    });
    assert!(quiet, "packets around the reload: {:?}", lan.capture().adverts());
    assert_eq!(monitor.lines(), Vec::<String>::new());
    assert_eq!(daemon.counters("R").get("Became master"), 1);
}

/// Addresses that are gone from the file go, new ones come, the others are not touched, and the role stays.
#[test]
fn a_changed_address_list_is_applied_by_difference() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let configuration =
        |vips: &[&str]| version_3("") + &instance("R", 65, 150, "advert_int 0.25", vips);
    let daemon = start(&a, &configuration(&["10.9.0.100/24", "10.9.0.101/24"]));
    a.wait_holds("10.9.0.100", true);
    a.wait_holds("10.9.0.101", true);
    let monitor = a.monitor();

    daemon.reload(&configuration(&["10.9.0.100/24", "10.9.0.102/24"]));
    a.wait_holds("10.9.0.101", false);
    a.wait_holds("10.9.0.102", true);
    daemon.wait_log("(R) ip address 10.9.0.101/24 dev eth0, no longer exist");
    let touched = |address: &str| monitor.lines().iter().filter(|l| l.contains(address)).count();
    wait_for("both changes are reported", || {
        touched("10.9.0.101/") > 0 && touched("10.9.0.102/") > 0
    });
    assert!(a.holds("10.9.0.100"));
    assert!(monitor.lines().iter().all(|l| !(l.contains("10.9.0.100/") && l.contains("Deleted"))));
    let counters = daemon.counters("R");
    assert_eq!((counters.get("Became master"), counters.get("Released master")), (1, 0));
    wait_for("the new address is announced", || {
        lan.capture().packets().iter().any(|packet| packet.announces("10.9.0.102"))
    });
    assert_content(&daemon, &["R"]);
    daemon.stop();
    lan.capture().judge();
}

/// An instance that is gone from the file resigns; one that is new takes part.
#[test]
fn instances_come_and_go() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let stays = instance("R", 65, 150, "advert_int 0.25", &["10.9.0.100/24"]);
    let goes = instance("GOES", 66, 150, "advert_int 0.25", &["10.9.0.101/24"]);
    let comes = instance("COMES", 67, 150, "advert_int 0.25", &["10.9.0.102/24"]);
    let daemon = start(&a, &(version_3("") + &stays + &goes));
    a.wait_holds("10.9.0.100", true);
    a.wait_holds("10.9.0.101", true);

    daemon.reload(&(version_3("") + &stays + &comes));
    a.wait_holds("10.9.0.101", false);
    a.wait_holds("10.9.0.102", true);
    lan.capture().wait_advert("66 resigns", 0, |advert| advert.vrid == 66 && advert.priority == 0);
    let counters = daemon.counters("R");
    assert_eq!((counters.get("Became master"), counters.get("Released master")), (1, 0));
    daemon.stop();
}

/// The running configuration stays, and the log says which line is wrong. (The C daemon ends on some of these.)
#[test]
fn a_broken_file_leaves_everything_running() {
    if !ready_for_ours() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let good = version_3("") + &instance("R", 65, 150, "advert_int 0.25", &["10.9.0.100/24"]);
    let daemon = start(&a, &good);
    a.wait_holds("10.9.0.100", true);
    let monitor = a.monitor();

    let line = good.lines().position(|line| line.contains("virtual_router_id")).unwrap() + 1;
    daemon.reload(&good.replace("virtual_router_id 65", "virtual_router_id"));
    daemon.wait_log(&format!("Line {line})"));
    daemon.reload(&good.replace("interface eth0", "interface eth7"));
    daemon.wait_log("eth7");

    let seen = lan.capture().adverts().len();
    lan.capture().wait_advert("a still leads", seen + 3, |advert| advert.priority == 150);
    assert!(a.holds("10.9.0.100"));
    assert_eq!(monitor.lines(), Vec::<String>::new());
    assert!(lan.capture().adverts().iter().all(|advert| advert.priority != 0));

    // And a good file is taken again.
    daemon.reload(&good.replace("10.9.0.100", "10.9.0.101"));
    a.wait_holds("10.9.0.101", true);
    a.wait_holds("10.9.0.100", false);
}

/// The first virtual server needs IPVS. However long its module takes to load, adverts go out meanwhile.
#[test]
fn loading_the_kernels_module_kept_adverts_waiting() {
    if !ready_for_ours() || !ready_with(&["unshare", "modprobe"]) {
        return;
    }
    if Path::new("/proc/net/ip_vs").exists() {
        eprintln!("skipped: IPVS is loaded already");
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    // In the daemon's mount namespace, whichever program loads modules is this one.
    let [began, ended] = ["began", "ended"].map(|name| a.file(name));
    let text = format!("touch {}\nsleep 1\ntouch {}\nexit 1", began.display(), ended.display());
    let loader = script(&a, "loader", &text);
    let line = format!(
        "exec unshare --mount sh -c 'mount --bind {loader} $(command -v modprobe) && exec \"$@\"' \
         sh {} \"$@\"",
        ours().display()
    );
    let program = script(&a, "keepalived", &line);
    let good = version_3("") + &instance("R", 65, 150, "advert_int 0.1", &["10.9.0.100/24"]);
    let daemon = Daemon::start_parts(&a, Path::new(&program), Parts::All, &good, &[]);
    a.wait_holds("10.9.0.100", true);

    let server = "virtual_server 10.9.0.100 80 {\n real_server 10.9.0.2 80 {\n }\n}\n";
    daemon.reload(&(good + server));
    wait_for("the module is being loaded", || began.exists());
    let seen = lan.capture().adverts().len();
    lan.capture().wait_advert("adverts meanwhile", seen + 4, |_| true);
    assert!(!ended.exists(), "adverts waited for the module");
    daemon.wait_log("Can't initialize ipvs");
    daemon.wait_log("Reload complete");
    daemon.wait_log("[10.9.0.100]:udp:80");
    daemon.stop();
}

/// A priority is not a reason to start anew: the reload changes it, and the election decides.
#[test]
fn a_changed_priority_moves_the_address() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let (a, b) = (lan.host("a", 1), lan.host("b", 2));
    let configuration = |name, priority| {
        version_3("") + &instance(name, 65, priority, "advert_int 0.25", &["10.9.0.100/24"])
    };
    let first = start(&a, &configuration("R", 150));
    let second = start(&b, &configuration("R", 100));
    wait_holder(&a, &b, &["10.9.0.100"]);
    second.reload(&configuration("R", 200));
    wait_holder(&b, &a, &["10.9.0.100"]);
    second.reload(&configuration("R", 100));
    wait_holder(&a, &b, &["10.9.0.100"]);

    // Nor is a name: the instance keeps its role and its counters.
    first.reload(&configuration("RENAMED", 150));
    first.wait_log("Reload complete");
    let seen = lan.capture().adverts().len();
    lan.capture().wait_advert("a leads on", seen + 3, |advert| advert.priority == 150);
    assert_eq!(first.counters("RENAMED").get("Became master"), 2);
    assert!(a.holds("10.9.0.100") && !b.holds("10.9.0.100"));
    assert_content(&first, &["RENAMED"]);
    assert_content(&second, &["R"]);
}
