//! `real_server`: where the packets of a virtual server go.

use std::collections::HashSet;
use std::net::IpAddr;

use config::{Args, Class, Command, Context, Grammar, Keyword, Line, Row, Span, Table};

use super::checker::{BFD, CONNECTING, DNS, FILE, MISC, Needs, Reference, SMTP, UDP, checker};
use super::connection::{CONNECTION, SCHEDULING};
use super::forwarding::{self, Method};
use super::http::HTTP;
use super::virtual_server::VirtualServer;
use super::{
    DELAY_BEFORE_RETRY, Family, POSITIVE_TIMER, RETRY, TIMEOUT, WARMUP, address_and_port, checked,
    first_command, single_word,
};
use crate::script::Script;

/// What the checks need to remember of a real server.
pub(crate) struct RealServer {
    /// Address.
    pub(crate) address: IpAddr,
    /// Port; 0 when none is given.
    pub(crate) port: u16,
    /// `weight`, if given.
    pub(crate) weight: Option<u32>,
    /// `lvs_method`, if given.
    pub(crate) method: Option<Method>,
    /// `inhibit_on_failure`, if given.
    pub(crate) inhibit: Option<bool>,
    /// Place of the block.
    pub(crate) span: Span,
    notify_up: Option<Command>,
    notify_down: Option<Command>,
    bfds: HashSet<String>,
    /// What its checkers and notifications need.
    pub(crate) needs: Needs,
}

pub(super) static REAL_SERVER: Table<RealServer> = Table::new(&[
    Row::new(
        Keyword::new("weight", Args::lenient(0, i32::MAX as i64), "Share of the connections")
            .required()
            .or("the virtual server's"),
        |server, line, ctx| {
            let weight = line.int(ctx).and_then(|weight| u32::try_from(weight).ok());
            server.weight = weight.or(server.weight);
        },
    ),
    Row::new(
        Keyword::new("lvs_method", Args::Free(forwarding::GRAMMAR), "Forwarding method")
            .required()
            .or("the virtual server's"),
        |server, line, ctx| server.method = forwarding::method(line, ctx).or(server.method),
    ),
    checked(
        Keyword::new("uthreshold", Args::lenient(0, u32::MAX as i64), "Most connections; 0: any")
            .required(),
    ),
    checked(
        Keyword::new(
            "lthreshold",
            Args::lenient(0, u32::MAX as i64),
            "Connections below which new ones are accepted again",
        )
        .required(),
    ),
    Row::new(
        Keyword::new("inhibit_on_failure", Args::Bool, "Weight 0 instead of removal")
            .or("the virtual server's"),
        |server, line, ctx| server.inhibit = line.boolean(ctx).or(server.inhibit),
    ),
    Row::new(
        Keyword::new("notify_up", Args::Command, "Script to run when it comes up").required(),
        |server, line, ctx| first_command(&mut server.notify_up, line, ctx),
    ),
    Row::new(
        Keyword::new("notify_down", Args::Command, "Script to run when it goes down").required(),
        |server, line, ctx| first_command(&mut server.notify_down, line, ctx),
    ),
    checked(Keyword::new("alpha", Args::Bool, "Start as failed").or("the virtual server's")),
    checked(RETRY),
    checked(DELAY_BEFORE_RETRY),
    checked(WARMUP),
    checked(
        Keyword::new("connect_timeout", TIMEOUT, "Time limit of each step").required().unit("s"),
    ),
    checked(
        Keyword::new("delay_loop", POSITIVE_TIMER, "Time between two checks").required().unit("s"),
    ),
    checked(Keyword::new("smtp_alert", Args::Bool, "Mail when its state changes")),
    checked(Keyword::new("virtualhost", Args::Word { max: 0 }, "Host of HTTP requests").expected()),
    Row::new(Keyword::new("snmp_name", Args::Free("NAME"), "Name in the MIB"), single_word),
    check_row("HTTP_GET", "Fetch pages over HTTP", &[&HTTP, &CONNECTION, &SCHEDULING]),
    check_row("SSL_GET", "Fetch pages over HTTPS", &[&HTTP, &CONNECTION, &SCHEDULING]),
    check_row("TCP_CHECK", "Open a TCP connection", CONNECTING),
    check_row("SMTP_CHECK", "Hold an SMTP dialogue", &[&SMTP, &CONNECTION, &SCHEDULING]),
    check_row("DNS_CHECK", "Ask a name server", &[&DNS, &CONNECTION, &SCHEDULING]),
    check_row("MISC_CHECK", "Run a script", &[&MISC, &SCHEDULING]),
    check_row("UDP_CHECK", "Send a datagram", &[&UDP, &CONNECTION, &SCHEDULING]),
    check_row("PING_CHECK", "Send an ICMP echo request", CONNECTING),
    check_row("FILE_CHECK", "Follow the number in a file", &[&FILE]),
    check_row("BFD_CHECK", "Follow a BFD session", &[&BFD]),
]);

const fn check_row(
    name: &'static str,
    doc: &'static str,
    grammars: &'static [&'static dyn Grammar],
) -> Row<RealServer> {
    Row::new(Keyword::new(name, Args::Flag, doc).block(grammars), |server, line, ctx| {
        let needs = checker(server.address, line, ctx);
        server.needs.scripts.extend(needs.scripts);
        for reference in needs.references {
            server.refer(reference, ctx);
        }
    })
}

impl RealServer {
    /// A real server follows one BFD instance only once.
    fn refer(&mut self, reference: Reference, ctx: &mut Context<'_>) {
        if let Reference::Bfd(name) = &reference
            && !self.bfds.insert(name.text.clone())
        {
            let message = format!("BFD_CHECK: '{}' is followed already; ignored", name.text);
            ctx.report(Class::General, name.span, message);
            return;
        }
        self.needs.references.push(reference);
    }
}

/// Handles the block.
pub(super) fn real_server(server: &mut VirtualServer, line: &Line, ctx: &mut Context<'_>) {
    if line.word(ctx).is_none() {
        return;
    }
    let Some((address, port)) = address_and_port(&line.words, ctx, "real_server") else { return };
    let mut real = RealServer {
        address,
        port,
        weight: None,
        method: None,
        inhibit: None,
        span: line.span,
        notify_up: None,
        notify_down: None,
        bfds: HashSet::new(),
        needs: Needs::default(),
    };
    for line in line.lines() {
        REAL_SERVER.apply(&mut real, line, ctx);
    }
    // A tunnelled real server may be of the other family. The method counts as read so far.
    if real.method.or(server.method) != Some(Method::Tunnel) {
        let family = Family::of(address);
        if *server.family.get_or_insert(family) != family {
            let message =
                format!("real_server {address}: not of the virtual server's family; ignored");
            ctx.report(Class::General, line.span, message);
            return;
        }
    }
    let commands = [real.notify_up.take(), real.notify_down.take()];
    let scripts = commands.into_iter().flatten().map(|c| Script::notify(c, line.span));
    real.needs.scripts.extend(scripts);
    server.references.append(&mut real.needs.references);
    server.real_servers.push(real);
}
