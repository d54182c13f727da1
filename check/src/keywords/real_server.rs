//! `real_server`: where the packets of a virtual server go.

use std::net::IpAddr;

use std::rc::Rc;

use config::{Args, Body, Class, Context, Grammar, Handler, Keyword, Line, Row, Span, Table};
use ipvs::{Family, Forwarding};

use super::checker::{BFD, CONNECTING, Checker, DNS, FILE, MISC, SMTP, UDP, checker};
use super::connection::{CONNECTION, SCHEDULING};
use super::forwarding;
use super::http::HTTP;
use super::timing::{
    CONNECT_TIMEOUT, DELAY_BEFORE_RETRY, DELAY_LOOP, RETRY, Timed, Timing, WARMUP, alpha, duration,
    retries,
};
use super::virtual_server::VirtualServer;
use super::{
    SNMP_NAME, VIRTUALHOST, address_and_port, first_command, number, set, single_word, text,
};
use crate::script::Script;

/// A real server as its block says.
pub(crate) struct RealServer {
    /// Address.
    pub(crate) address: IpAddr,
    /// Port; 0 when none is given.
    pub(crate) port: u16,
    /// `weight`, if given.
    pub(crate) weight: Option<u32>,
    /// `lvs_method`, or what the virtual server has said before.
    pub(crate) method: Option<Forwarding>,
    pub(crate) upper_threshold: u32,
    pub(crate) lower_threshold: u32,
    /// `inhibit_on_failure`, if given.
    pub(crate) inhibit: Option<bool>,
    /// Place of the block.
    pub(crate) span: Span,
    pub(crate) notify_up: Option<Box<Script>>,
    pub(crate) notify_down: Option<Box<Script>>,
    pub(crate) timing: Timing,
    pub(crate) smtp_alert: Option<bool>,
    pub(crate) virtualhost: Option<Rc<str>>,
    pub(crate) snmp_name: Option<Rc<str>>,
    pub(crate) checkers: Vec<Checker>,
}

impl Timed for RealServer {
    fn timing(&mut self) -> &mut Timing {
        &mut self.timing
    }
}

const fn threshold(keyword: Keyword, set: Handler<RealServer>) -> Row<RealServer> {
    Row::new(keyword.required(), set)
}

pub(super) static REAL_SERVER: Table<RealServer> = Table::new(&[
    Row::new(
        Keyword::new("weight", Args::lenient(0, i32::MAX as i64), "Share of the connections")
            .required()
            .or("the virtual server's"),
        |server, line, ctx| set(number(line, ctx).map(Some), &mut server.weight),
    ),
    Row::new(
        Keyword::new("lvs_method", Args::Free(forwarding::GRAMMAR), "Forwarding method")
            .required()
            .or("the virtual server's"),
        |server, line, ctx| server.method = forwarding::method(server.method, line, ctx),
    ),
    threshold(
        Keyword::new("uthreshold", Args::lenient(0, u32::MAX as i64), "Most connections; 0: any"),
        |server, line, ctx| set(number(line, ctx), &mut server.upper_threshold),
    ),
    threshold(
        Keyword::new(
            "lthreshold",
            Args::lenient(0, u32::MAX as i64),
            "Connections below which new ones are accepted again",
        ),
        |server, line, ctx| set(number(line, ctx), &mut server.lower_threshold),
    ),
    Row::new(
        Keyword::new("inhibit_on_failure", Args::Bool, "Weight 0 instead of removal")
            .or("the virtual server's"),
        |server, line, ctx| set(line.boolean(ctx).map(Some), &mut server.inhibit),
    ),
    Row::new(
        Keyword::new("notify_up", Args::Command, "Script to run when it comes up").required(),
        |server, line, ctx| first_command(&mut server.notify_up, line, ctx),
    ),
    Row::new(
        Keyword::new("notify_down", Args::Command, "Script to run when it goes down").required(),
        |server, line, ctx| first_command(&mut server.notify_down, line, ctx),
    ),
    alpha(Keyword::new("alpha", Args::Bool, "Start as failed").or("the virtual server's")),
    retries(RETRY),
    duration(DELAY_BEFORE_RETRY),
    duration(WARMUP),
    duration(CONNECT_TIMEOUT),
    duration(DELAY_LOOP),
    Row::new(
        Keyword::new("smtp_alert", Args::Bool, "Mail when its state changes").or("true"),
        |server, line, ctx| set(line.boolean(ctx).map(Some), &mut server.smtp_alert),
    ),
    Row::new(VIRTUALHOST, |server, line, ctx| {
        set(text(line, ctx).map(Some), &mut server.virtualhost);
    }),
    Row::new(SNMP_NAME, |server, line, ctx| {
        set(single_word(line, ctx).map(Some), &mut server.snmp_name);
    }),
    check_row("HTTP_GET", "Fetch pages over HTTP", &[&HTTP, &CONNECTION, &SCHEDULING]),
    check_row("SSL_GET", "Fetch pages over HTTPS", &[&HTTP, &CONNECTION, &SCHEDULING]),
    check_row("TCP_CHECK", "Open a TCP connection", CONNECTING),
    check_row("SMTP_CHECK", "Hold an SMTP dialogue", &[&SMTP, &CONNECTION, &SCHEDULING]),
    check_row("DNS_CHECK", "Ask a name server", &[&DNS, &CONNECTION, &SCHEDULING]),
    check_row("MISC_CHECK", "Run a script", &[&MISC, &SCHEDULING]),
    check_row("UDP_CHECK", "Send a datagram", &[&UDP, &CONNECTION, &SCHEDULING]),
    check_row("PING_CHECK", "Send an ICMP echo request", CONNECTING),
    check_row("FILE_CHECK", "Follow the number in a file", &[&FILE]),
    Row::new(Keyword::new("BFD_CHECK", Args::Flag, "Follow a BFD session").block(&[&BFD]), check),
]);

const fn check_row(
    name: &'static str,
    doc: &'static str,
    grammars: &'static [&'static dyn Grammar],
) -> Row<RealServer> {
    Row::new(Keyword::new(name, Args::Flag, doc).block(grammars), check)
}

fn check(server: &mut RealServer, line: &Line, ctx: &mut Context<'_>) {
    checker((server.address, server.port), line, &mut server.checkers, ctx);
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
        method: server.method,
        upper_threshold: 0,
        lower_threshold: 0,
        inhibit: None,
        span: line.span,
        notify_up: None,
        notify_down: None,
        timing: Timing::default(),
        smtp_alert: None,
        virtualhost: None,
        snmp_name: None,
        checkers: Vec::new(),
    };
    // All blocks in it are checkers.
    let checkers = line.lines().iter().filter(|l| matches!(l.keyword.body, Body::Block(_)));
    real.checkers.reserve_exact(checkers.count());
    for line in line.lines() {
        REAL_SERVER.apply(&mut real, line, ctx);
    }
    // A tunnelled real server may be of the other family. The method counts as read so far.
    if !matches!(real.method, Some(Forwarding::Tunnel(..))) {
        let family = Family::of(address);
        if *server.family.get_or_insert(family) != family {
            let message =
                format!("real_server {address}: not of the virtual server's family; ignored");
            ctx.report(Class::General, line.span, message);
            return;
        }
    }
    server.real_servers.push(real);
}
