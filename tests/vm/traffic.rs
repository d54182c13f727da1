//! Connections of a client, and where they go.

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
    let told = told(&daemon);
    daemon.stop();
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
    seen += &told(&daemon);
    daemon.stop();
    seen
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
    seen += &told(&daemon);
    daemon.stop();
    seen
}
