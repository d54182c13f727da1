//! `virtual_server`: a service and the real servers behind it.

use std::net::{IpAddr, Ipv4Addr};

use config::{Args, Class, Command, Context, Handler, Keyword, Line, Row, Span, Table, number};

use super::checker::Reference;
use super::forwarding::{self, Method};
use super::real_server::{REAL_SERVER, RealServer, real_server};
use super::{
    DELAY_BEFORE_RETRY, Family, POSITIVE_TIMER, RETRY, TIMEOUT, WARMUP, address_and_port, any_case,
    checked, first_command, single_word,
};
use crate::script::Script;
use crate::{Draft, validation};

const SCHEDULERS: &[&str] = &[
    "rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos",
];
const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];
/// Longest `persistence_timeout`, in seconds: 31 days.
const PERSISTENCE_MAX: i64 = 31 * 86400;

/// What a virtual server is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Identity {
    /// An address and a port; port 0 is every port.
    Address(IpAddr, u16),
    /// A firewall mark.
    Mark(u32),
    /// A `virtual_server_group`.
    Group(String),
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Identity::Address(ip, port) => write!(f, "virtual_server {ip} {port}"),
            Identity::Mark(mark) => write!(f, "virtual_server fwmark {mark}"),
            Identity::Group(name) => write!(f, "virtual_server group {name}"),
        }
    }
}

/// Transport protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

/// The server that is used while the quorum is not reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SorryServer {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) method: Option<Method>,
    pub(crate) inhibit: bool,
}

/// What the checks need to remember of a virtual server.
pub(crate) struct VirtualServer {
    pub(crate) identity: Identity,
    pub(crate) span: Span,
    pub(crate) family: Option<Family>,
    pub(crate) scheduler: Option<&'static str>,
    pub(crate) method: Option<Method>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) one_packet: bool,
    pub(crate) persistent: bool,
    pub(crate) ha_suspend: bool,
    pub(crate) inhibit: bool,
    pub(crate) weight: u32,
    pub(crate) quorum: u32,
    pub(crate) hysteresis: u32,
    pub(crate) sorry: Option<SorryServer>,
    pub(crate) real_servers: Vec<RealServer>,
    pub(crate) scripts: Vec<Script>,
    pub(crate) references: Vec<Reference>,
    quorum_up: Option<Command>,
    quorum_down: Option<Command>,
}

const fn flag(
    name: &'static str,
    doc: &'static str,
    set: Handler<VirtualServer>,
) -> Row<VirtualServer> {
    Row::new(Keyword::new(name, Args::Flag, doc), set)
}

const fn scheduler(name: &'static str) -> Row<VirtualServer> {
    let keyword = Keyword::new(name, Args::Choice(SCHEDULERS), "Scheduler").required().or("wlc");
    Row::new(keyword, |server, line, ctx| {
        let chosen = line.choice(ctx).and_then(|index| SCHEDULERS.get(index).copied());
        server.scheduler = chosen.or(server.scheduler);
    })
}

const fn method(name: &'static str) -> Row<VirtualServer> {
    let keyword = Keyword::new(name, Args::Free(forwarding::GRAMMAR), "Forwarding method");
    Row::new(keyword.required().or("NAT"), |server, line, ctx| {
        server.method = forwarding::method(line, ctx).or(server.method);
    })
}

pub(super) static VIRTUAL_SERVER: Table<VirtualServer> = Table::new(&[
    Row::new(
        Keyword::new("ip_family", Args::Choice(&["inet", "inet6"]), "Family of a firewall mark")
            .required()
            .or("that of the addresses"),
        ip_family,
    ),
    checked(
        Keyword::new("delay_loop", POSITIVE_TIMER, "Time between two checks")
            .required()
            .unit("s")
            .or("60"),
    ),
    checked(RETRY.or("the checker's")),
    checked(DELAY_BEFORE_RETRY.or("the checker's")),
    checked(WARMUP.or("delay_loop")),
    checked(
        Keyword::new("connect_timeout", TIMEOUT, "Time limit of each step of a check")
            .required()
            .unit("s")
            .or("5"),
    ),
    flag("inhibit_on_failure", "Weight 0 instead of removal", |server, _, _| server.inhibit = true),
    scheduler("lb_algo"),
    scheduler("lvs_sched"),
    flag("hashed", "For the schedulers sh and mh", |server, line, ctx| {
        for_hashing(server, line, ctx);
    }),
    flag("ops", "One-packet scheduling (UDP)", |server, _, _| server.one_packet = true),
    flag("flag-1", "First flag of the scheduler", |_, _, _| {}),
    flag("flag-2", "Second flag of the scheduler", |_, _, _| {}),
    flag("flag-3", "Third flag of the scheduler", |_, _, _| {}),
    flag("sh-port", "Hash the port too", for_hashing),
    flag("sh-fallback", "Go on to the next real server", for_hashing),
    flag("mh-port", "Hash the port too", for_hashing),
    flag("mh-fallback", "Go on to the next real server", for_hashing),
    method("lb_kind"),
    method("lvs_method"),
    checked(
        Keyword::new("persistence_engine", Args::Word { max: 16 }, "Engine that groups clients")
            .required(),
    ),
    Row::new(
        Keyword::new(
            "persistence_timeout",
            Args::int(1, PERSISTENCE_MAX),
            "A client keeps its real server for this long",
        )
        .unit("s")
        .or("360"),
        |server, line, ctx| {
            server.persistent |= line.words.is_empty() || line.int(ctx).is_some();
        },
    ),
    Row::new(
        Keyword::new(
            "persistence_granularity",
            Args::Free("IPv4 mask | IPv6 prefix length"),
            "Clients that count as one",
        )
        .required(),
        granularity,
    ),
    Row::new(
        Keyword::new("protocol", Args::Choice(PROTOCOLS), "Transport protocol, in any case")
            .required()
            .or("UDP"),
        |server, line, ctx| {
            server.protocol = match any_case(line, PROTOCOLS, ctx) {
                Some(0) => Some(Protocol::Tcp),
                Some(1) => Some(Protocol::Udp),
                Some(_) => Some(Protocol::Sctp),
                None => server.protocol,
            };
        },
    ),
    flag("ha_suspend", "Check only while the address is here", |server, _, _| {
        server.ha_suspend = true;
    }),
    checked(Keyword::new("smtp_alert", Args::Bool, "Mail when the quorum changes")),
    checked(Keyword::new("virtualhost", Args::Word { max: 0 }, "Host of HTTP requests").expected()),
    Row::new(Keyword::new("snmp_name", Args::Free("NAME"), "Name in the MIB"), single_word),
    flag("alpha", "Real servers start as failed", |_, _, _| {}),
    flag("omega", "Run the scripts for going down at stop", |_, _, _| {}),
    Row::new(
        Keyword::new("quorum_up", Args::Command, "Script for gaining the quorum").required(),
        |server, line, ctx| first_command(&mut server.quorum_up, line, ctx),
    ),
    Row::new(
        Keyword::new("quorum_down", Args::Command, "Script for losing the quorum").required(),
        |server, line, ctx| first_command(&mut server.quorum_down, line, ctx),
    ),
    Row::new(
        Keyword::new("quorum", Args::lenient(1, u32::MAX as i64), "Least weight that must live")
            .required()
            .or("1"),
        |server, line, ctx| server.quorum = unsigned(line, ctx).unwrap_or(1),
    ),
    Row::new(
        Keyword::new("hysteresis", Args::lenient(0, u32::MAX as i64), "Dead band of the quorum")
            .required()
            .or("0"),
        |server, line, ctx| server.hysteresis = unsigned(line, ctx).unwrap_or(server.hysteresis),
    ),
    Row::new(
        Keyword::new("weight", Args::lenient(1, i32::MAX as i64), "Weight of real servers")
            .required()
            .or("1"),
        |server, line, ctx| server.weight = unsigned(line, ctx).unwrap_or(server.weight),
    ),
    Row::new(
        Keyword::new("sorry_server", Args::Free("ADDRESS [PORT]"), "Used without quorum")
            .required(),
        sorry_server,
    ),
    flag("sorry_server_inhibit", "Keep it in the table with weight 0", |server, line, ctx| {
        if let Some(sorry) = sorry_of(server, line, ctx) {
            sorry.inhibit = true;
        }
    }),
    Row::new(
        Keyword::new("sorry_server_lvs_method", Args::Free(forwarding::GRAMMAR), "Its method"),
        sorry_method,
    ),
    Row::new(
        Keyword::new("real_server", Args::Free("ADDRESS [PORT]"), "A server of the service")
            .required()
            .block(&[&REAL_SERVER]),
        real_server,
    ),
]);

fn unsigned(line: &Line, ctx: &mut Context<'_>) -> Option<u32> {
    line.int(ctx).and_then(|value| u32::try_from(value).ok())
}

fn ip_family(server: &mut VirtualServer, line: &Line, ctx: &mut Context<'_>) {
    let family = match line.choice(ctx) {
        Some(0) => Family::Inet,
        Some(_) => Family::Inet6,
        None => return,
    };
    if *server.family.get_or_insert(family) != family {
        let message = "ip_family: conflicts with the family of the virtual server; ignored";
        ctx.report(Class::General, line.span, message);
    }
}

fn for_hashing(server: &mut VirtualServer, line: &Line, ctx: &mut Context<'_>) {
    if !matches!(server.scheduler, Some("sh" | "mh")) {
        let message = format!("{}: only for schedulers that hash; ignored", line.name());
        ctx.report(Class::General, line.span, message);
    }
}

fn granularity(server: &mut VirtualServer, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let dotted = if word.text.contains('.') { Family::Inet } else { Family::Inet6 };
    let valid = match *server.family.get_or_insert(dotted) {
        Family::Inet6 => number::int(word, 1, 128, false, ctx, line.name()).is_some(),
        Family::Inet => {
            let mask = loose_ipv4(&word.text);
            if mask.is_none() {
                let message = format!("{}: '{}' is not a mask; ignored", line.name(), word.text);
                ctx.report(Class::General, word.span, message);
            }
            mask.is_some()
        }
    };
    server.persistent |= valid;
}

/// An IPv4 address as C's `inet_aton` reads it: one to four parts, the last filling what remains.
fn loose_ipv4(text: &str) -> Option<Ipv4Addr> {
    let part = |text: &str| match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None if text.len() > 1 && text.starts_with('0') => u32::from_str_radix(text, 8).ok(),
        None if text.starts_with('+') => None,
        None => text.parse().ok(),
    };
    let parts: Vec<u32> = text.split('.').map(part).collect::<Option<_>>()?;
    let (last, head) = parts.split_last()?;
    let (count, whole) = (u32::try_from(head.len()).ok()?, u32::MAX);
    let room = whole.checked_shr(8 * count).filter(|_| count < 4)?;
    if *last > room || head.iter().any(|part| *part > 255) {
        return None;
    }
    let high = head.iter().fold(0u64, |bits, part| bits << 8 | u64::from(*part));
    let bits = (high << (32 - 8 * count)) | u64::from(*last);
    u32::try_from(bits).ok().map(Ipv4Addr::from)
}

fn sorry_server(server: &mut VirtualServer, line: &Line, ctx: &mut Context<'_>) {
    if line.word(ctx).is_none() {
        return;
    }
    if let Some((address, port)) = address_and_port(&line.words, ctx, line.name()) {
        server.sorry = Some(SorryServer { address, port, method: None, inhibit: false });
    }
}

fn sorry_of<'a>(
    server: &'a mut VirtualServer,
    line: &Line,
    ctx: &mut Context<'_>,
) -> Option<&'a mut SorryServer> {
    if server.sorry.is_none() {
        let message = format!("{}: no sorry_server before; ignored", line.name());
        ctx.report(Class::General, line.span, message);
    }
    server.sorry.as_mut()
}

fn sorry_method(server: &mut VirtualServer, line: &Line, ctx: &mut Context<'_>) {
    let Some(sorry) = sorry_of(server, line, ctx) else { return };
    if line.words.is_empty() {
        // Only behind a sorry_server has this stopped the reader.
        let message = format!("{}: argument missing", line.name());
        ctx.report(Class::MissingParameter, line.span, message);
        return;
    }
    sorry.method = forwarding::method(line, ctx).or(sorry.method);
}

fn identity(line: &Line, ctx: &mut Context<'_>) -> Option<Identity> {
    let word = line.word(ctx)?;
    if !matches!(word.text.as_str(), "fwmark" | "group") {
        let (ip, port) = address_and_port(&line.words, ctx, line.name())?;
        return Some(Identity::Address(ip, port));
    }
    let Some(value) = line.words.get(1) else {
        let message = format!("virtual_server: argument of {} missing", word.text);
        ctx.report(Class::MissingParameter, word.span, message);
        return None;
    };
    if word.text == "group" {
        return Some(Identity::Group(value.text.clone()));
    }
    let mark = number::int(value, 0, i64::from(u32::MAX), true, ctx, "fwmark")?;
    u32::try_from(mark).ok().map(Identity::Mark)
}

/// Handles the block.
pub(super) fn virtual_server(draft: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    // Of a block whose head is wrong nothing else counts.
    let Some(identity) = identity(line, ctx) else { return };
    let family = match &identity {
        Identity::Address(ip, _) => Some(Family::of(*ip)),
        _ => None,
    };
    let count = line.lines().iter().filter(|inner| inner.name() == "real_server").count();
    let mut server = VirtualServer {
        identity,
        span: line.span,
        family,
        scheduler: None,
        method: None,
        protocol: None,
        one_packet: false,
        persistent: false,
        ha_suspend: false,
        inhibit: false,
        weight: 1,
        quorum: 1,
        hysteresis: 0,
        sorry: None,
        real_servers: Vec::with_capacity(count),
        scripts: Vec::new(),
        references: Vec::new(),
        quorum_up: None,
        quorum_down: None,
    };
    for line in line.lines() {
        VIRTUAL_SERVER.apply(&mut server, line, ctx);
    }
    let commands = [server.quorum_up.take(), server.quorum_down.take()];
    let scripts = commands.into_iter().flatten().map(|c| Script::notify(c, line.span));
    server.scripts.extend(scripts);
    draft.resolve(&mut server.references, ctx);
    validation::block_end(&mut server, ctx);
    draft.servers.push(server);
}
