//! Interfaces whose link is asked for, and not told by the kernel.

use testbed::{Daemon, Lan, wait_for};

use crate::{instance, ours, ready_for_ours, ready_with, theirs, version_3};

/// The log, the dump and what is done are the C daemon's: of the polled interfaces netlink says nothing.
#[test]
fn links_are_polled_as_by_the_c_daemon() {
    if !ready_with(&[&theirs().display().to_string()]) || !ready_for_ours() {
        return;
    }
    let stories = [theirs(), ours()].map(|program| {
        let lan = Lan::without_capture("10.9.0");
        let a = lan.host("a", 1);
        for name in ["eth1", "eth2", "eth3"] {
            a.ip(&format!("link add {name} type veth peer name far-{name}"));
            a.ip(&format!("link set far-{name} up"));
            a.ip(&format!("link set {name} up"));
        }
        let lines = "advert_int 0.25\n  track_interface {\n    eth1\n    eth2 weight 10\n    eth3 weight 20\n  }";
        let polled = "linkbeat_interfaces {\n  eth0\n  eth1 MII\n  eth2 IOCTL\n}\n";
        let configuration =
            version_3("") + polled + &instance("V", 97, 100, lines, &["10.9.0.100/24"]);
        let daemon = Daemon::start(&a, &program, &configuration);
        a.wait_holds("10.9.0.100", true);
        let dump = daemon.dump(libc::SIGUSR1, "keepalived.data", |t| t.contains("eth3"));
        let nics = dump.lines().filter(|line| line.starts_with(" Name") || line.contains("NIC"));
        let nics: Vec<String> = nics.map(str::to_owned).collect();

        for (command, reported) in [
            ("link set far-eth2 down", "Linkbeat reports eth2 down"),
            ("link set far-eth3 down", "Netlink reports eth3 down"),
            ("link set eth1 down", "Linkbeat reports eth1 down"),
            ("link set far-eth2 up", "Linkbeat reports eth2 up"),
            ("link set eth1 up", "Linkbeat reports eth1 up"),
        ] {
            a.ip(command);
            daemon.wait_log(reported);
        }
        daemon.wait_logged("(V) Entering MASTER STATE", 2);
        a.wait_holds("10.9.0.100", true);
        a.ip("link del eth1");
        wait_for("FAULT", || daemon.logged("(V) Entering FAULT STATE") == 2);
        let log = daemon.log();
        let told = ["reports", "effective priority", "Entering"];
        let told = log.lines().filter(|line| told.iter().any(|text| line.contains(text)));
        let told = told.filter(|line| !line.contains("far-") && !line.contains("reflector"));
        let story: Vec<String> =
            told.filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect();
        daemon.stop();
        (nics, story)
    });
    let [c, rust] = stories;
    assert!(c.0.iter().any(|line| line.contains("ETHTOOL")), "{:#?}", c.0);
    assert_eq!(rust, c);
}
