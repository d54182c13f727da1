//! The addresses of `smtp_server`.
//!
//! The C library's resolver waits for answers, which the loop may not. So: what is an address is one,
//! then `/etc/hosts`, then questions to the name servers of `/etc/resolv.conf`, of which this
//! understands `nameserver`, `search`, `domain` and the options `ndots`, `timeout` and `attempts`.
//! IPv4 addresses come first: a network in which IPv6 does not really work is still more frequent
//! than one without IPv4. Opens no socket and knows no time.

use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

/// Bytes of `/etc/hosts` and `/etc/resolv.conf` that are read.
const MAX_FILE: u64 = 1 << 20;
/// Limits of the C library's resolver.
const MAX_SERVERS: usize = 3;
const MAX_SEARCH: usize = 6;
/// Addresses that are worth trying.
const MAX_ADDRESSES: usize = 16;
const DNS_PORT: u16 = 53;

/// Where and how to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Resolver {
    pub servers: Vec<SocketAddr>,
    search: Vec<String>,
    ndots: usize,
    /// For each question.
    pub timeout: Duration,
    attempts: usize,
}

impl Resolver {
    /// As `/etc/resolv.conf` says.
    pub fn read() -> Self {
        Self::parse(&contents("/etc/resolv.conf"))
    }

    /// As this text says.
    pub fn parse(text: &str) -> Self {
        let mut resolver = Resolver {
            servers: Vec::new(),
            search: Vec::new(),
            ndots: 1,
            timeout: Duration::from_secs(5),
            attempts: 2,
        };
        for line in text.lines() {
            let mut words = line.split_whitespace();
            match words.next() {
                Some("nameserver") => resolver.servers.extend(words.next().and_then(server)),
                Some("search" | "domain") => {
                    resolver.search = words.take(MAX_SEARCH).map(str::to_owned).collect();
                }
                Some("options") => words.for_each(|word| resolver.option(word)),
                _ => {}
            }
        }
        resolver.servers.truncate(MAX_SERVERS);
        if resolver.servers.is_empty() {
            resolver.servers.push((Ipv4Addr::LOCALHOST, DNS_PORT).into());
        }
        resolver
    }

    fn option(&mut self, word: &str) {
        let Some((name, value)) = word.split_once(':') else { return };
        let Ok(value) = value.parse::<u32>() else { return };
        match name {
            "ndots" => self.ndots = value.min(15) as usize,
            "timeout" => self.timeout = Duration::from_secs(value.clamp(1, 30).into()),
            "attempts" => self.attempts = value.clamp(1, 5) as usize,
            _ => {}
        }
    }

    /// The names to ask for, in order.
    pub fn names(&self, host: &str) -> Vec<String> {
        if let Some(absolute) = host.strip_suffix('.') {
            return vec![absolute.to_owned()];
        }
        let mut names: Vec<String> = self
            .search
            .iter()
            .map(|domain| format!("{host}.{}", domain.trim_matches('.')))
            .collect();
        let early = host.matches('.').count() >= self.ndots;
        names.insert(if early { 0 } else { names.len() }, host.to_owned());
        names
    }
}

/// A name server, with the zone of a link-local address.
fn server(text: &str) -> Option<SocketAddr> {
    match text.parse() {
        Ok(ip) => Some(SocketAddr::new(ip, DNS_PORT)),
        Err(_) => {
            let (ip, zone) = text.split_once('%')?;
            let index = nix::net::if_::if_nametoindex(zone).ok()?;
            Some(std::net::SocketAddrV6::new(ip.parse().ok()?, DNS_PORT, 0, index).into())
        }
    }
}

fn contents(path: &str) -> String {
    let mut bytes = Vec::new();
    if let Ok(file) = std::fs::File::open(path) {
        let _ = file.take(MAX_FILE).read_to_end(&mut bytes);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// What needs no question: an address, or a name in `/etc/hosts`.
pub(crate) fn known(host: &str) -> Vec<IpAddr> {
    match config::address::parse(host) {
        Some(ip) => vec![ip],
        None => in_hosts(&contents("/etc/hosts"), host),
    }
}

pub(crate) fn in_hosts(text: &str, host: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(ip) = words.next().and_then(|word| word.parse().ok()) else { continue };
        if words.any(|name| name.eq_ignore_ascii_case(host.trim_end_matches('.'))) {
            found.push(ip);
        }
    }
    found.sort_by_key(IpAddr::is_ipv6);
    found.truncate(MAX_ADDRESSES);
    found
}

/// What became of an answer, or of its absence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// That was none of ours: go on waiting.
    Wait,
    /// Send [`Lookup::query`].
    Ask,
    /// The addresses; none when there are none or nobody answers.
    Done(Vec<IpAddr>),
}

/// A name that is being looked up.
#[derive(Debug)]
pub(crate) struct Lookup {
    resolver: Resolver,
    names: Vec<String>,
    name: usize,
    v6: bool,
    server: usize,
    attempt: usize,
    id: u16,
    found: Vec<IpAddr>,
}

impl Lookup {
    /// To begin with, [`query`](Self::query) is to be sent.
    pub fn new(host: &str, resolver: Resolver) -> Self {
        Lookup {
            names: resolver.names(host),
            resolver,
            name: 0,
            v6: false,
            server: 0,
            attempt: 0,
            id: 0,
            found: Vec::new(),
        }
    }

    /// How long to wait for each answer.
    pub fn timeout(&self) -> Duration {
        self.resolver.timeout
    }

    /// The question and whom to ask. None when this cannot be a name in the DNS.
    pub fn query(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        // From the system's randomness, as everything `RandomState` makes.
        self.id = RandomState::new().hash_one(self.name) as u16;
        let (name, kind) = self.question()?;
        let mut packet = Packet::new_query(self.id);
        packet.set_flags(PacketFlag::RECURSION_DESIRED);
        packet.questions.push(Question::new(name, kind.into(), CLASS::IN.into(), false));
        Some((*self.resolver.servers.get(self.server)?, packet.build_bytes_vec().ok()?))
    }

    /// A datagram from the server that was asked.
    pub fn answered(&mut self, datagram: &[u8]) -> Progress {
        let Ok(packet) = Packet::parse(datagram) else { return Progress::Wait };
        if packet.id() != self.id || !packet.has_flags(PacketFlag::RESPONSE) {
            return Progress::Wait;
        }
        let refuses = packet.rcode() != RCODE::NoError && packet.questions.is_empty();
        if !refuses && !self.asks(&packet.questions) {
            return Progress::Wait;
        }
        match packet.rcode() {
            RCODE::NoError => self.take(&packet),
            RCODE::NameError => return self.next_name(),
            _ => return self.unanswered(),
        }
        if !self.v6 {
            self.v6 = true;
            return self.ask();
        }
        if self.found.is_empty() { self.next_name() } else { self.done() }
    }

    /// No answer came in time, or the question could not be sent.
    pub fn unanswered(&mut self) -> Progress {
        self.server += 1;
        if self.server < self.resolver.servers.len() {
            return Progress::Ask;
        }
        self.server = 0;
        self.attempt += 1;
        if self.attempt < self.resolver.attempts {
            return Progress::Ask;
        }
        // With IPv4 addresses in hand, those of IPv6 can be missed. For the other names the same
        // silence is to be expected.
        self.done()
    }

    /// The name and the kind of record asked for.
    fn question(&self) -> Option<(Name<'_>, TYPE)> {
        let name = self.names.get(self.name)?;
        if name.split('.').any(str::is_empty) {
            return None;
        }
        Some((Name::new(name).ok()?, if self.v6 { TYPE::AAAA } else { TYPE::A }))
    }

    /// Whether an answer repeats the question: else it answers another, or somebody guesses.
    fn asks(&self, questions: &[Question<'_>]) -> bool {
        let Some((name, kind)) = self.question() else { return false };
        matches!(questions, [q] if q.qtype == kind.into() && same(&q.qname, &name))
    }

    /// The addresses of the name, or of what it is an alias for; aliases come before what they lead to.
    fn take(&mut self, packet: &Packet<'_>) {
        let Some(question) = packet.questions.first() else { return };
        let mut owner = &question.qname;
        for record in packet.answers.iter().filter(|record| record.class == CLASS::IN) {
            if !same(&record.name, owner) {
                continue;
            }
            let ip: IpAddr = match &record.rdata {
                RData::A(a) => Ipv4Addr::from(a.address).into(),
                RData::AAAA(a) => Ipv6Addr::from(a.address).into(),
                RData::CNAME(target) => {
                    owner = &target.0;
                    continue;
                }
                _ => continue,
            };
            if self.found.len() < MAX_ADDRESSES && !self.found.contains(&ip) {
                self.found.push(ip);
            }
        }
    }

    fn next_name(&mut self) -> Progress {
        if !self.found.is_empty() {
            return self.done();
        }
        self.name += 1;
        self.v6 = false;
        if self.name < self.names.len() { self.ask() } else { self.done() }
    }

    fn ask(&mut self) -> Progress {
        self.attempt = 0;
        Progress::Ask
    }

    fn done(&mut self) -> Progress {
        Progress::Done(std::mem::take(&mut self.found))
    }
}

/// Whether two names differ at most in the case of letters (RFC 4343).
fn same(one: &Name<'_>, other: &Name<'_>) -> bool {
    let folded = |name: &Name<'_>| -> Vec<Vec<u8>> {
        name.as_bytes().map(<[u8]>::to_ascii_lowercase).collect()
    };
    folded(one) == folded(other)
}

#[cfg(test)]
mod tests;
