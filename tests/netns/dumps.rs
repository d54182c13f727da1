//! The files written on SIGUSR1, SIGUSR2 and the JSON signal, as exporters and operators read them.

use nix::sys::signal::Signal;
use testbed::{Lan, wait_for};

use crate::{instance, ready, start, version_3};

const JSON_SIGNAL: i32 = 36;

#[test]
fn dumps_have_their_documented_sections() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let lines = "advert_int 0.25\n  track_script {\n    chk\n  }";
    let configuration = version_3("")
        + "vrrp_script chk {\n  script \"/usr/bin/true\"\n  interval 1\n  weight 10\n}\n"
        + "vrrp_sync_group G {\n  group {\n    D2\n    D3\n  }\n}\n"
        + &instance("D1", 70, 150, lines, &["10.9.0.100/24"])
        + &instance("D2", 71, 150, "advert_int 0.25", &["10.9.0.101/24"])
        + &instance("D3", 72, 150, "advert_int 0.25", &["10.9.0.102/24"]);
    let daemon = start(&a, &configuration);
    for address in ["10.9.0.100", "10.9.0.101", "10.9.0.102"] {
        a.wait_holds(address, true);
    }
    daemon.wait_log("VRRP_Script(chk) succeeded");

    let data = daemon.dump(Signal::SIGUSR1 as i32, "keepalived.data", |text| {
        text.contains("------< Interfaces >------") && text.contains(" Name = eth0")
    });
    let wanted = [
        "------< Global definitions >------",
        "------< VRRP Topology >------",
        " VRRP Instance = D1",
        "   VRRP Version = 3",
        "   State = MASTER",
        "   Wantstate = MASTER",
        "   Interface = eth0",
        "   Virtual Router ID = 70",
        "   Priority = 150",
        "   Effective priority = 160",
        "   Advert interval = 250 milli-sec",
        "   Virtual IP (1):",
        "     10.9.0.100/24 dev eth0 scope global set",
        " VRRP Instance = D2",
        "   Sync group = G",
        "------< VRRP Sockpool >------",
        "------< VRRP Sync groups >------",
        " VRRP Sync Group = G, MASTER",
        "------< VRRP Scripts >------",
        " VRRP Script = chk",
        "   Status = GOOD",
        "------< Interfaces >------",
        " Name = eth0",
    ];
    let mut lines = data.lines();
    for line in wanted {
        assert!(lines.any(|l| l == line), "{line:?} is missing, or out of its place, in\n{data}");
    }

    let counters = daemon.counters("D2");
    assert_eq!(counters.get("Became master"), 1);
    assert!(counters.get("Advertisements/Sent") > 0);

    let json = daemon.dump(JSON_SIGNAL, "keepalived.json", |text| {
        serde_json::from_str::<serde_json::Value>(text).is_ok()
    });
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let first = &json[0];
    assert_eq!(json.as_array().map(Vec::len), Some(3));
    assert_eq!(first["data"]["iname"], "D1");
    assert_eq!(first["data"]["state"], 2);
    assert_eq!(first["data"]["effective_priority"], 160);
    assert_eq!(first["data"]["adver_int"], 0.25);
    assert_eq!(first["data"]["vips"][0], "10.9.0.100/24 dev eth0 scope global set");
    assert_eq!(first["stats"]["become_master"], 1);
    daemon.stop();
}

/// SIGRTMAX−1 writes the statistics and starts them anew.
#[test]
fn statistics_can_be_cleared() {
    if !ready() {
        return;
    }
    let lan = Lan::new();
    let a = lan.host("a", 1);
    let configuration =
        version_3("") + &instance("D", 70, 150, "advert_int 0.25", &["10.9.0.100/24"]);
    let daemon = start(&a, &configuration);
    a.wait_holds("10.9.0.100", true);
    assert_eq!(daemon.counters("D").get("Became master"), 1);
    let text = daemon.dump(63, "keepalived.stats", |text| text.contains("Priority Zero:\n"));
    assert!(text.contains("Became master: 1"), "{text}");
    wait_for("the statistics are clear", || daemon.counters("D").get("Became master") == 0);
    daemon.stop();
}
