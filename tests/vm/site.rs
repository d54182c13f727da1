//! A site: a client, a director with a virtual address, and real servers behind it.

use std::path::Path;
use std::time::Duration;

use testbed::web::{Service, ask_patiently};
use testbed::{Daemon, Host, Lan, wait_for};

use crate::{global, start, table};

/// The virtual service of the stories.
const ADDRESS: &str = "10.7.0.100";

/// How long the client waits for each step of an answer: the machine may be busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);

/// The real servers' port, other than the service's only where addresses are translated.
const NAT_PORT: u16 = 8080;

/// How packets reach the real servers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forwarding {
    Nat,
    Direct,
    /// IP in IP.
    Tunnel,
}

/// The network of a story. Real servers are numbered from 0; their addresses are 10.9.0.21 and on.
pub struct Site {
    pub director: Host,
    pub client: Host,
    servers: Vec<Host>,
    services: Vec<Option<Service>>,
    forwarding: Forwarding,
    // Dropped last: the others are plugged into it.
    _lan: Lan,
}

impl Site {
    /// Makes it, with `count` real servers, all of them serving.
    pub fn new(forwarding: Forwarding, count: u8) -> Self {
        let lan = Lan::without_capture("10.9.0");
        let director = lan.host("d", 1);
        director
            .configure(&["address add 10.7.0.1/24 dev eth0", "address add 10.7.0.100/32 dev eth0"]);
        director.set("ipv4/ip_forward", "1");
        director.set("ipv4/conf/all/send_redirects", "0");
        director.set("ipv4/conf/eth0/send_redirects", "0");
        let client = lan.host("c", 10);
        client
            .configure(&["address del 10.9.0.10/24 dev eth0", "address add 10.7.0.10/24 dev eth0"]);
        let servers: Vec<Host> = (0..count)
            .map(|n| {
                let server = lan.host(&format!("r{n}"), 21 + n);
                set_up(&server, forwarding);
                server
            })
            .collect();
        let services = servers.iter().map(|_| None).collect();
        let mut site = Self { director, client, servers, services, forwarding, _lan: lan };
        (0..usize::from(count)).for_each(|number| site.listen(number, true));
        site
    }

    /// A real server begins to serve or ceases to, and its checker notices.
    #[track_caller]
    pub fn serve(&mut self, daemon: &Daemon, number: usize, serves: bool) {
        let name = format!("[{}]:tcp:{}", self.servers[number].address(), self.port());
        let noticed = if serves {
            format!("TCP connection to {name} success.")
        } else {
            format!("TCP_CHECK on service {name} failed.")
        };
        let times = daemon.logged(&noticed);
        self.listen(number, serves);
        daemon.wait_logged(&noticed, times + 1);
    }

    #[track_caller]
    pub fn listen(&mut self, number: usize, serves: bool) {
        let start = || Service::start_on(&self.servers[number], self.port());
        self.services[number] = serves.then(start);
    }

    fn port(&self) -> u16 {
        if self.forwarding == Forwarding::Nat { NAT_PORT } else { 80 }
    }

    /// `real_server` with a quick TCP_CHECK, and `lines`.
    pub fn server(&self, number: usize, lines: &str) -> String {
        let (address, port) = (self.servers[number].address(), self.port());
        format!(
            "  real_server {address} {port} {{\n    {lines}\n    TCP_CHECK {{\n      \
             connect_timeout 10\n      retry 0\n    }}\n  }}\n"
        )
    }

    /// The first two words of `sorry_server`, for a real server that is none.
    pub fn sorry(&self, number: usize) -> String {
        format!("  sorry_server {} {}\n", self.servers[number].address(), self.port())
    }

    /// The story's virtual server: round robin, checks every second.
    pub fn service(&self, lines: &str) -> String {
        let kind = match self.forwarding {
            Forwarding::Nat => "NAT",
            Forwarding::Direct => "DR",
            Forwarding::Tunnel => "TUN",
        };
        format!(
            "virtual_server {ADDRESS} 80 {{\n  delay_loop 1\n  warmup 0\n  lb_algo rr\n  \
             lb_kind {kind}\n  protocol TCP\n{lines}}}\n"
        )
    }

    /// Starts a daemon on the director, and waits until every checker has run.
    #[track_caller]
    pub fn start(&self, program: &Path, configuration: &str) -> Daemon {
        let daemon = start(&self.director, program, &(global("") + configuration));
        daemon.wait_logged("TCP connection to ", configuration.matches("TCP_CHECK").count());
        daemon
    }

    /// Waits until the table has these real servers for the story's service, and no others.
    #[track_caller]
    pub fn wait_servers(&self, numbers: &[usize]) {
        let wanted: Vec<String> = numbers
            .iter()
            .map(|n| format!("-r {}:{}", self.servers[*n].address(), self.port()))
            .collect();
        wait_for(&format!("{numbers:?} are the real servers"), || {
            let table = table(&self.director);
            let line = format!("-a -t {ADDRESS}:80 ");
            let present = table.lines().filter(|l| l.starts_with(&line));
            present.clone().count() == wanted.len()
                && present.zip(&wanted).all(|(line, wanted)| line.contains(wanted.as_str()))
        });
    }

    /// Waits until the real servers have these weights; `None` is one that is not in the table.
    #[track_caller]
    pub fn wait_weights<const N: usize>(&self, weights: [Option<u32>; N]) {
        wait_for(&format!("the weights are {weights:?}"), || {
            let table = table(&self.director);
            weights.iter().zip(&self.servers).all(|(weight, server)| {
                let start = format!("-a -t {ADDRESS}:80 -r {}:{} ", server.address(), self.port());
                let line = table.lines().find(|line| line.starts_with(&start));
                let found = line.and_then(|line| line.split("-w ").nth(1)?.trim().parse().ok());
                found == *weight
            })
        });
    }

    /// Waits until these real servers, and no others, have been given so many connections since they came.
    /// (The kernel sums up every other second.)
    #[track_caller]
    pub fn wait_connections(&self, wanted: &[(usize, u32)]) {
        wait_for(&format!("the connections are {wanted:?}"), || self.connections() == wanted);
    }

    fn connections(&self) -> Vec<(usize, u32)> {
        let list = self.director.run("ipvsadm -Ln --stats");
        let of = |server: &Host| {
            let start = format!("  -> {}:{} ", server.address(), self.port());
            let counters = list.lines().find_map(|line| line.strip_prefix(&start))?;
            counters.split_whitespace().next()?.parse().ok()
        };
        (0..).zip(&self.servers).filter_map(|(n, server)| Some((n, of(server)?))).collect()
    }

    /// Who answers the client, asked as many times.
    #[track_caller]
    pub fn answers(&self, times: usize) -> Vec<String> {
        let ask = || ask_patiently(ADDRESS, PATIENCE);
        let answer = |_| match self.client.inside(ask) {
            Ok(name) => name,
            Err(error) => panic!("no answer: {error}\n{}", table(&self.director)),
        };
        let mut names: Vec<String> = (0..times).map(answer).collect();
        // Whose turn it is depends on how the kernel orders them.
        names.sort();
        names
    }
}

/// What a real server needs besides its service.
fn set_up(server: &Host, forwarding: Forwarding) {
    let tunnel = format!("link add t0 type ipip local {} remote any", server.address());
    // The answer goes straight to the client, except where the director translates.
    let straight = "route add 10.7.0.0/24 dev eth0";
    server.configure(&match forwarding {
        Forwarding::Nat => vec!["route add 10.7.0.0/24 via 10.9.0.1"],
        Forwarding::Direct => vec!["address add 10.7.0.100/32 dev lo", straight],
        Forwarding::Tunnel => {
            vec![&tunnel, "address add 10.7.0.100/32 dev t0", "link set t0 up", straight]
        }
    });
    // The virtual address is the director's alone on the wire.
    server.set("ipv4/conf/all/arp_ignore", "1");
    server.set("ipv4/conf/all/arp_announce", "2");
}
