//! A director, two web servers and one that says sorry: checks, removal, quorum and return, with the real
//! daemon and `examples/load_balancing.conf` as it stands, on a private network made of namespaces.
//!
//! `cargo run --release --example load_balancing`, as root. Where the kernel has IPVS a client asks at the
//! virtual address and tells who answers; where it has not, the checks and what follows from them are shown.
//! Everything is removed at the end, on Ctrl-C and on failure. `KEEPALIVED_UNDER_TEST=/path` shows another binary.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use testbed::web::{Service, ask};
use testbed::{Daemon, Host, Lan, Parts, wait_for};

/// What the configuration says.
const ADDRESS: &str = "192.0.2.100";
const NETWORK: &str = "192.0.2";
const SERVERS: [(&str, u8); 3] = [("web1", 11), ("web2", 12), ("sorry", 13)];

/// What the log says of real servers and the quorum.
const NEWS: [&str; 6] = ["Adding ", "Removing ", "Gained ", "Lost ", "succeed", " failed"];

fn main() -> ExitCode {
    testbed::show("load_balancing", env!("CARGO_MANIFEST_DIR"), show)
}

/// The whole story.
fn show(program: &Path) {
    let lan = Lan::without_capture(NETWORK);
    let client = lan.host("client", 9);
    let mut servers: Vec<Server> =
        SERVERS.iter().map(|(name, number)| Server::start(lan.host(name, *number))).collect();
    let director = lan.host("director", 1);
    let configuration = include_str!("load_balancing.conf");
    let mut story = Story {
        start: Instant::now(),
        daemon: Daemon::start_parts(&director, program, Parts::All, configuration, &[]),
        told: 0,
        client: None,
    };
    story.tell("network", "a director, two web servers, one that says sorry, and a client");
    story.tell("director", "keepalived -f examples/load_balancing.conf");
    director.wait_holds(ADDRESS, true);
    if director.inside(|| Path::new("/proc/thread-self/net/ip_vs").exists()) {
        story.client = Some(client);
    } else {
        story.tell("kernel", "has no IPVS: the checks are shown, but no connection is balanced");
    }
    story.until_checked("Remote Web server", 2);
    story.until_answered_by(&["web1", "web2"]);

    story.tell("you", "stop the web server of web1");
    servers[0].stop();
    story.until_checked("Removing service [192.0.2.11]", 1);
    story.until_answered_by(&["web2"]);

    story.tell("you", "stop the web server of web2, too");
    servers[1].stop();
    story.until_checked("Adding sorry server", 1);
    story.until_answered_by(&["sorry"]);

    story.tell("you", "start both again");
    servers[0].restart();
    servers[1].restart();
    story.until_checked("Adding service", 2);
    story.until_answered_by(&["web1", "web2"]);

    story.tell("you", "stop the director");
    let Story { daemon, start, .. } = story;
    daemon.stop();
    println!("{:7.3} s  network    everything is taken down", start.elapsed().as_secs_f64());
}

/// What happens, told line by line to the person watching.
struct Story {
    start: Instant,
    daemon: Daemon,
    told: usize,
    /// Where the kernel balances connections.
    client: Option<Host>,
}

impl Story {
    fn tell(&self, who: &str, what: &str) {
        println!("{:7.3} s  {who:<10} {what}", self.start.elapsed().as_secs_f64());
    }

    /// Tells what the director has logged since the last time.
    fn report(&mut self) {
        let log = self.daemon.log();
        let fresh = log.get(self.told..).unwrap_or_default();
        let fresh = &fresh[..fresh.rfind('\n').map_or(0, |end| end + 1)];
        self.told += fresh.len();
        for line in fresh.lines().filter(|line| NEWS.iter().any(|text| line.contains(text))) {
            self.tell("director", line.split_once(": ").map_or(line, |(_, text)| text));
        }
    }

    /// Waits until the log has said something so often since the start.
    fn until_checked(&mut self, what: &str, times: usize) {
        wait_for(&format!("the director says {what:?}"), || {
            self.report();
            self.daemon.logged(what) >= times
        });
        self.report();
    }

    /// Waits until ten answers in a row come from just these, each of them at least once.
    fn until_answered_by(&mut self, names: &[&str]) {
        let Some(client) = self.client.take() else { return };
        let wanted: BTreeSet<&str> = names.iter().copied().collect();
        wait_for(&format!("{names:?} answer at {ADDRESS}"), || {
            let answers: Vec<String> =
                client.inside(|| (0..10).filter_map(|_| ask(ADDRESS).ok()).collect());
            answers.len() == 10
                && answers.iter().map(String::as_str).collect::<BTreeSet<_>>() == wanted
        });
        self.tell("client", &format!("http://{ADDRESS}/ is answered by {}", names.join(" and ")));
        self.client = Some(client);
    }
}

/// A real server: it has the virtual address too, and keeps quiet about it (direct routing).
struct Server {
    host: Host,
    service: Option<Service>,
}

impl Server {
    fn start(host: Host) -> Self {
        host.inside(|| {
            for (name, value) in [("arp_ignore", "1"), ("arp_announce", "2")] {
                let path = format!("/proc/sys/net/ipv4/conf/all/{name}");
                std::fs::write(&path, value).unwrap_or_else(|e| panic!("{path}: {e}"));
            }
        });
        host.ip("link set lo up");
        host.ip(&format!("address add {ADDRESS}/32 dev lo"));
        let service = Some(Service::start(&host));
        Self { host, service }
    }

    fn stop(&mut self) {
        self.service = None;
    }

    fn restart(&mut self) {
        self.service = Some(Service::start(&self.host));
    }
}
