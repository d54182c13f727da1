//! `virtual_server`: a service and the real servers behind it.

use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use config::{Args, Class, Context, Handler, Keyword, Line, Row, Span, Table};
use ipvs::{Family, Forwarding, Protocol};

use super::forwarding;
use super::real_server::{REAL_SERVER, RealServer, real_server};
use super::timing::{
    CONNECT_TIMEOUT, DELAY_BEFORE_RETRY, DELAY_LOOP, RETRY, Timed, Timing, WARMUP, duration,
    retries,
};
use super::{
    SNMP_NAME, VIRTUALHOST, address_and_port, any_case, first_command, number, set, single_word,
    text,
};
use crate::script::Script;
use crate::{Draft, validation};

const SCHEDULERS: &[&str] = &[
    "rr", "wrr", "lc", "wlc", "lblc", "sh", "mh", "dh", "fo", "ovf", "lblcr", "sed", "nq", "twos",
];
const PROTOCOLS: &[&str] = &["TCP", "UDP", "SCTP"];
/// Longest `persistence_timeout`, in seconds: 31 days.
const PERSISTENCE_MAX: i64 = 31 * 86400;
/// Persistence that is needed and not given, in seconds.
pub(crate) const PERSISTENCE: u32 = 360;
/// One-packet scheduling, as the kernel has it.
pub(crate) const ONE_PACKET: u32 = 0x4;
/// The three flags of schedulers.
const FLAGS: [u32; 3] = [0x8, 0x10, 0x20];

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

/// The server that is used while the quorum is not reached.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SorryServer {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    pub(crate) method: Option<Forwarding>,
    pub(crate) inhibit: bool,
}

/// A virtual server as its block says.
pub(crate) struct VirtualServer {
    pub(crate) identity: Identity,
    /// Which of the users of its group it is.
    pub(crate) number: u32,
    pub(crate) span: Span,
    pub(crate) family: Option<Family>,
    pub(crate) scheduler: Option<&'static str>,
    pub(crate) method: Option<Forwarding>,
    pub(crate) protocol: Option<Protocol>,
    pub(crate) flags: u32,
    pub(crate) persistence: Option<u32>,
    pub(crate) granularity: Option<u32>,
    pub(crate) engine: Option<Rc<str>>,
    pub(crate) ha_suspend: bool,
    pub(crate) inhibit: bool,
    pub(crate) omega: bool,
    pub(crate) timing: Timing,
    pub(crate) smtp_alert: Option<bool>,
    pub(crate) virtualhost: Option<Rc<str>>,
    pub(crate) snmp_name: Option<Rc<str>>,
    pub(crate) weight: u32,
    pub(crate) quorum: u32,
    pub(crate) hysteresis: u32,
    pub(crate) quorum_up: Option<Box<Script>>,
    pub(crate) quorum_down: Option<Box<Script>>,
    pub(crate) sorry: Option<SorryServer>,
    pub(crate) nat_mask: Option<u32>,
    pub(crate) real_servers: Vec<RealServer>,
}

impl VirtualServer {
    fn new(identity: Identity, span: Span) -> VirtualServer {
        let family = match &identity {
            Identity::Address(ip, _) => Some(Family::of(*ip)),
            _ => None,
        };
        VirtualServer {
            identity,
            number: 0,
            span,
            family,
            scheduler: None,
            method: None,
            protocol: None,
            flags: 0,
            persistence: None,
            granularity: None,
            engine: None,
            ha_suspend: false,
            inhibit: false,
            omega: false,
            timing: Timing::default(),
            smtp_alert: None,
            virtualhost: None,
            snmp_name: None,
            weight: 1,
            quorum: 1,
            hysteresis: 0,
            quorum_up: None,
            quorum_down: None,
            sorry: None,
            nat_mask: None,
            real_servers: Vec::new(),
        }
    }
}

impl Timed for VirtualServer {
    fn timing(&mut self) -> &mut Timing {
        &mut self.timing
    }
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
        server.method = forwarding::method(server.method, line, ctx);
    })
}

pub(super) static VIRTUAL_SERVER: Table<VirtualServer> = Table::new(&[
    Row::new(
        Keyword::new("ip_family", Args::Choice(&["inet", "inet6"]), "Family of a firewall mark")
            .required()
            .or("that of the addresses"),
        ip_family,
    ),
    duration(DELAY_LOOP.or("60")),
    retries(RETRY.or("the checker's")),
    duration(DELAY_BEFORE_RETRY.or("the checker's")),
    duration(WARMUP.or("delay_loop")),
    duration(CONNECT_TIMEOUT.or("5")),
    flag("inhibit_on_failure", "Weight 0 instead of removal", |server, _, _| server.inhibit = true),
    scheduler("lb_algo"),
    scheduler("lvs_sched"),
    flag("hashed", "Says that the scheduler is sh or mh", |server, line, ctx| {
        for_hashing(server, line, ctx);
    }),
    flag("ops", "One-packet scheduling (UDP)", |server, _, _| server.flags |= ONE_PACKET),
    flag("flag-1", "First flag of the scheduler", |server, _, _| server.flags |= FLAGS[0]),
    flag("flag-2", "Second flag of the scheduler", |server, _, _| server.flags |= FLAGS[1]),
    flag("flag-3", "Third flag of the scheduler", |server, _, _| server.flags |= FLAGS[2]),
    flag("sh-port", "Hash the port too", hashing_flag),
    flag("sh-fallback", "Go on to the next real server", hashing_flag),
    flag("mh-port", "Hash the port too", hashing_flag),
    flag("mh-fallback", "Go on to the next real server", hashing_flag),
    method("lb_kind"),
    method("lvs_method"),
    Row::new(
        Keyword::new("persistence_engine", Args::Word { max: 16 }, "Engine that groups clients")
            .required(),
        |server, line, ctx| set(text(line, ctx).map(Some), &mut server.engine),
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
            let given = if line.words.is_empty() { Some(PERSISTENCE) } else { number(line, ctx) };
            set(given.map(Some), &mut server.persistence);
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
    Row::new(
        Keyword::new("smtp_alert", Args::Bool, "Mail when the quorum changes").or("false"),
        |server, line, ctx| set(line.boolean(ctx).map(Some), &mut server.smtp_alert),
    ),
    Row::new(VIRTUALHOST, |server, line, ctx| {
        set(text(line, ctx).map(Some), &mut server.virtualhost);
    }),
    Row::new(SNMP_NAME, |server, line, ctx| {
        set(single_word(line, ctx).map(Some), &mut server.snmp_name);
    }),
    flag("alpha", "Real servers start as failed", |server, _, _| server.timing.alpha = Some(true)),
    flag("omega", "Run the scripts for going down at stop", |server, _, _| server.omega = true),
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
        |server, line, ctx| server.quorum = number(line, ctx).unwrap_or(1),
    ),
    Row::new(
        Keyword::new("hysteresis", Args::lenient(0, u32::MAX as i64), "Dead band of the quorum")
            .required()
            .or("0"),
        |server, line, ctx| set(number(line, ctx), &mut server.hysteresis),
    ),
    Row::new(
        Keyword::new("weight", Args::lenient(1, i32::MAX as i64), "Weight of real servers")
            .required()
            .or("1"),
        |server, line, ctx| set(number(line, ctx), &mut server.weight),
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
        Keyword::new("nat_mask", Args::Free("IPv4 mask"), "Clients to masquerade (NAT)").required(),
        |server, line, ctx| {
            if let Some(mask) = mask(line, ctx) {
                server.nat_mask = Some(mask);
            }
        },
    ),
    Row::new(
        Keyword::new("real_server", Args::Free("ADDRESS [PORT]"), "A server of the service")
            .required()
            .block(&[&REAL_SERVER]),
        real_server,
    ),
]);

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

fn for_hashing(server: &VirtualServer, line: &Line, ctx: &mut Context<'_>) -> bool {
    let hashes = matches!(server.scheduler, Some("sh" | "mh"));
    if !hashes {
        let message = format!("{}: only for schedulers that hash; ignored", line.name());
        ctx.report(Class::General, line.span, message);
    }
    hashes
}

/// A flag that only counts behind the scheduler it names.
fn hashing_flag(server: &mut VirtualServer, line: &Line, ctx: &mut Context<'_>) {
    let Some((scheduler, flag)) = line.name().split_once('-') else { return };
    if for_hashing(server, line, ctx) && server.scheduler == Some(scheduler) {
        server.flags |= if flag == "fallback" { FLAGS[0] } else { FLAGS[1] };
    }
}

fn granularity(server: &mut VirtualServer, line: &Line, ctx: &mut Context<'_>) {
    let Some(word) = line.word(ctx) else { return };
    let dotted = if word.text.contains('.') { Family::Inet } else { Family::Inet6 };
    let given = match *server.family.get_or_insert(dotted) {
        Family::Inet6 => config::number::int(word, 1, 128, false, ctx, line.name())
            .and_then(|length| u32::try_from(length).ok()),
        Family::Inet => mask(line, ctx),
    };
    if given.is_some() {
        server.granularity = given;
        server.persistence.get_or_insert(PERSISTENCE);
    }
}

/// An IPv4 mask in host order.
fn mask(line: &Line, ctx: &mut Context<'_>) -> Option<u32> {
    let word = line.word(ctx)?;
    let mask = loose_ipv4(&word.text).map(u32::from);
    if mask.is_none() {
        let message = format!("{}: '{}' is not a mask; ignored", line.name(), word.text);
        ctx.report(Class::General, word.span, message);
    }
    mask
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
        server.sorry = Some(SorryServer { address, port, method: server.method, inhibit: false });
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
    sorry.method = forwarding::method(sorry.method, line, ctx);
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
    let mark = config::number::int(value, 0, i64::from(u32::MAX), true, ctx, "fwmark")?;
    u32::try_from(mark).ok().map(Identity::Mark)
}

/// Handles the block.
pub(super) fn virtual_server(draft: &mut Draft, line: &Line, ctx: &mut Context<'_>) {
    let mut from = Some(0);
    while let Some(at) = from {
        from = part(draft, line, at, usize::MAX, ctx);
    }
}

/// Handles up to `limit` lines of the block, from the line `from` on; where to go on, if there are more.
pub(crate) fn part(
    draft: &mut Draft,
    line: &Line,
    from: usize,
    limit: usize,
    ctx: &mut Context<'_>,
) -> Option<usize> {
    let lines = line.lines();
    if from == 0 {
        // Of a block whose head is wrong nothing else counts.
        let mut server = VirtualServer::new(identity(line, ctx)?, line.span);
        let count = lines.iter().filter(|inner| inner.name() == "real_server").count();
        server.real_servers.reserve(count);
        draft.open = Some(server);
    }
    let mut server = draft.open.take()?;
    let next = from.saturating_add(limit).min(lines.len());
    for line in lines.get(from..next).unwrap_or_default() {
        VIRTUAL_SERVER.apply(&mut server, line, ctx);
    }
    if next < lines.len() {
        draft.open = Some(server);
        return Some(next);
    }
    draft.resolve(&mut server, ctx);
    validation::block_end(&mut server, ctx);
    draft.servers.push(server);
    None
}
