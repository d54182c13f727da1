//! What most checkers have in common: where to connect to, and when to run.

use std::net::IpAddr;

use config::{Args, Class, Context, Keyword, Line, Row, Table, address};

use super::{DELAY_BEFORE_RETRY, INTERFACE_NAME_MAX, POSITIVE_TIMER, TIMEOUT, WARMUP, checked};

/// The addresses of a check.
#[derive(Clone, Debug, Default)]
pub(crate) struct Connection {
    /// Where to connect to.
    pub(crate) target: Option<IpAddr>,
    bind: Option<IpAddr>,
    interface: bool,
}

impl Connection {
    /// A check of `target`.
    pub(crate) fn to(target: IpAddr) -> Self {
        Connection { target: Some(target), bind: None, interface: false }
    }

    /// Checks the whole once the block is read.
    pub(crate) fn finish(&self, line: &Line, ctx: &mut Context<'_>) {
        let link_local = match self.target {
            Some(IpAddr::V6(ip)) => ip.is_unicast_link_local(),
            _ => false,
        };
        if link_local && !self.interface {
            let message = format!("{}: a link-local address needs bind_if; ignored", line.name());
            ctx.report(Class::General, line.span, message);
        }
    }
}

/// Keywords about the connection.
pub(super) static CONNECTION: Table<Connection> = Table::new(&[
    Row::new(
        Keyword::new("connect_ip", Args::Free("ADDRESS"), "Address to connect to")
            .required()
            .or("the real server's"),
        |connection, line, ctx| {
            let Some(ip) = peer_of(connection.bind, line, ctx) else { return };
            connection.target = Some(ip);
        },
    ),
    checked(
        Keyword::new("connect_port", Args::lenient(1, 65535), "Port to connect to")
            .required()
            .or("the real server's"),
    ),
    Row::new(
        Keyword::new("bindto", Args::Free("ADDRESS"), "Source address").required(),
        |connection, line, ctx| {
            let Some(ip) = peer_of(connection.target, line, ctx) else { return };
            connection.bind = Some(ip);
        },
    ),
    checked(Keyword::new("bind_port", Args::lenient(1, 65535), "Source port").required()),
    Row::new(
        Keyword::new("bind_if", Args::Word { max: INTERFACE_NAME_MAX }, "Interface to use")
            .required(),
        |connection, line, ctx| connection.interface |= line.word(ctx).is_some(),
    ),
    checked(
        Keyword::new("connect_timeout", TIMEOUT, "Time limit of each step")
            .required()
            .unit("s")
            .or("5"),
    ),
    checked(
        Keyword::new("fwmark", Args::lenient(0, u32::MAX as i64), "Mark of the packets").required(),
    ),
]);

/// An address of the same family as `other`, if that is set.
fn peer_of(other: Option<IpAddr>, line: &Line, ctx: &mut Context<'_>) -> Option<IpAddr> {
    let word = line.word(ctx)?;
    let ip = address::ip_cut(word, ctx, line.name())?;
    if other.is_some_and(|other| other.is_ipv6() != ip.is_ipv6()) {
        let message = format!(
            "{}: {} is not of the address family of the other end; ignored",
            line.name(),
            word.text
        );
        ctx.report(Class::General, word.span, message);
        return None;
    }
    Some(ip)
}

/// Keywords about when a check runs and what it takes to fail.
pub(super) static SCHEDULING: Table<Connection> = Table::new(&[
    checked(
        Keyword::new("retry", Args::lenient(0, u32::MAX as i64), "Further attempts before failing")
            .required(),
    ),
    checked(DELAY_BEFORE_RETRY),
    checked(WARMUP.or("delay_loop")),
    checked(
        Keyword::new("delay_loop", POSITIVE_TIMER, "Time between two checks")
            .required()
            .unit("s")
            .or("the real server's"),
    ),
    checked(Keyword::new("alpha", Args::Bool, "Start as failed")),
    checked(Keyword::new("log_all_failures", Args::Bool, "Log every failed attempt").or("false")),
]);
