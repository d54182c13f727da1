//! Connections of a client, and where they go.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::site::{Forwarding, Site};
use crate::{table, told};

/// Addresses translated by the director.
pub fn through_nat(program: &Path) -> String {
    one_dies(program, Forwarding::Nat)
}

/// Answers go past the director.
pub fn through_direct_routing(program: &Path) -> String {
    one_dies(program, Forwarding::Direct)
}

/// IP in IP to the real servers.
pub fn through_a_tunnel(program: &Path) -> String {
    one_dies(program, Forwarding::Tunnel)
}

/// Both real servers answer in turn; when one dies, the other answers alone.
fn one_dies(program: &Path, forwarding: Forwarding) -> String {
    let mut site = Site::new(forwarding, 2);
    let daemon = site.start(program, &site.service(&(site.server(0, "") + &site.server(1, ""))));
    site.wait_servers(&[0, 1]);
    assert_eq!(site.answers(4), ["r0", "r0", "r1", "r1"]);
    site.serve(&daemon, 1, false);
    site.wait_servers(&[0]);
    assert_eq!(site.answers(2), ["r0", "r0"]);
    let seen = table(&site.director);
    let told = told(&daemon.stop());
    format!("{seen}{told}{}", table(&site.director))
}

/// One by one the real servers die, and the sorry server answers; they return, and it retires.
pub fn quorum_lost_and_gained(program: &Path) -> String {
    let mut site = Site::new(Forwarding::Nat, 3);
    let lines = site.sorry(2) + &site.server(0, "") + &site.server(1, "weight 2");
    let daemon = site.start(program, &site.service(&lines));
    let mut seen = String::new();
    // Who begins or ceases to serve, who is in the table then, and who answers.
    let story: [(usize, bool, &[usize], &[&str]); 4] = [
        (0, false, &[1], &["r1", "r1"]),
        (1, false, &[2], &["r2", "r2"]),
        (0, true, &[0], &["r0", "r0"]),
        (1, true, &[0, 1], &["r0", "r1"]),
    ];
    for (number, serves, servers, answers) in story {
        site.serve(&daemon, number, serves);
        site.wait_servers(servers);
        assert_eq!(site.answers(2), answers);
        seen += &table(&site.director);
    }
    seen + &told(&daemon.stop())
}

/// With `inhibit_on_failure` and `sorry_server_inhibit` who does not serve has weight 0. The quorum has a dead
/// band: of a whole of 6, 5 are enough to gain it and less than 3 lose it.
pub fn inhibited_servers_stay_with_weight_0(program: &Path) -> String {
    let mut site = Site::new(Forwarding::Nat, 4);
    let servers = ["inhibit_on_failure", "weight 3", "weight 2"];
    let servers: String = (0..).zip(servers).map(|(n, lines)| site.server(n, lines)).collect();
    let sorry = site.sorry(3) + "  sorry_server_inhibit\n";
    let lines = format!("  quorum 4\n  hysteresis 1\n{sorry}{servers}");
    let daemon = site.start(program, &site.service(&lines));
    let mut seen = String::new();
    let story = [
        (0, false, [Some(0), Some(3), Some(2), Some(0)], vec!["r1", "r2"]),
        (1, false, [Some(0), None, None, Some(1)], vec!["r3", "r3"]),
        (0, true, [Some(0), None, None, Some(1)], vec!["r3", "r3"]),
        (1, true, [Some(1), Some(3), Some(2), Some(0)], vec!["r0", "r1", "r2"]),
        (2, false, [Some(1), Some(3), None, Some(0)], vec!["r0", "r1"]),
    ];
    for (number, serves, weights, answers) in story {
        site.serve(&daemon, number, serves);
        site.wait_weights(weights);
        assert_eq!(site.answers(answers.len()), answers);
        seen += &table(&site.director);
    }
    seen + &told(&daemon.stop())
}

/// The exit status of a script is the weight.
pub fn dynamic_weights(program: &Path) -> String {
    let site = Site::new(Forwarding::Nat, 2);
    let (script, status) = (site.director.file("check.sh"), site.director.file("status"));
    fs::write(&status, "9").unwrap();
    fs::write(&script, format!("#!/bin/sh\nexit $(cat {})\n", status.display())).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    let check = format!(
        "weight 3\n    MISC_CHECK {{\n      misc_path {}\n      misc_dynamic\n      misc_timeout 20\n    }}",
        script.display()
    );
    let lines = site.server(0, &check) + &site.server(1, "");
    let daemon = site.start(program, &site.service(&lines));
    let mut seen = String::new();
    for (text, weight) in
        [("9", Some(7)), ("2", Some(0)), ("1", None), ("255", Some(253)), ("0", Some(3))]
    {
        // In one step: a script that reads meanwhile sees the old number or the new one.
        let new = site.director.file("status.new");
        fs::write(&new, text).unwrap();
        fs::rename(&new, &status).unwrap();
        site.wait_weights([weight, Some(1)]);
        seen += &table(&site.director);
    }
    let told = told(&daemon.stop()).replace(&script.display().to_string(), "check.sh");
    // The C daemon does not say that the script's weight went with the script's success.
    let told = told.lines().filter(|line| !line.contains("for inactive"));
    seen + &told.map(|line| format!("{line}\n")).collect::<String>()
}

/// With `ha_suspend` nothing is checked while the virtual address is elsewhere.
pub fn suspended_without_the_address(program: &Path) -> String {
    let mut site = Site::new(Forwarding::Nat, 2);
    let lines = "  ha_suspend\n".to_owned() + &site.server(0, "") + &site.server(1, "");
    let daemon = site.start(program, &site.service(&lines));
    let name = |verb: &str| format!("{verb} healthchecker for service [10.9.0.22]");
    site.director.ip("address del 10.7.0.100/32 dev eth0");
    daemon.wait_log(&name("Suspending"));
    site.listen(1, false);
    // Nobody notices: the one that is known to be dead is still there when all checkers have had a turn.
    std::thread::sleep(std::time::Duration::from_secs(3));
    let suspended = table(&site.director);
    assert!(suspended.contains("10.9.0.22"), "{suspended}");
    site.director.ip("address add 10.7.0.100/32 dev eth0");
    site.wait_servers(&[0]);
    suspended + &table(&site.director) + &told(&daemon.stop())
}
