//! What most checkers have in common: where to connect to, and when to run.

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use config::{Args, Class, Context, Handler, Keyword, Line, Row, Table, address};

use super::timing::{
    CONNECT_TIMEOUT, DELAY_BEFORE_RETRY, DELAY_LOOP, LENIENT_RETRY, Timed, Timing, WARMUP, alpha,
    duration, retries, time,
};
use super::{INTERFACE_NAME_MAX, number, set, text};
use crate::settings;

/// The common options of a checker, as given.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    target: IpAddr,
    port: u16,
    bind: Option<IpAddr>,
    bind_port: u16,
    interface: Option<Rc<str>>,
    mark: u32,
    /// One of the keywords about the connection was given.
    pub(super) given: bool,
    pub(crate) timing: Timing,
    pub(crate) log_all_failures: bool,
}

impl Connection {
    /// A check of a real server, its port as written.
    pub(crate) fn to(target: IpAddr, port: u16) -> Self {
        Connection {
            target,
            port,
            bind: None,
            bind_port: 0,
            interface: None,
            mark: 0,
            given: false,
            timing: Timing::default(),
            log_all_failures: false,
        }
    }

    /// Checks the whole once the block is read; false when it cannot work.
    pub(crate) fn finish(&self, line: &Line, ctx: &mut Context<'_>) -> bool {
        let link_local = match self.target {
            IpAddr::V6(ip) => ip.is_unicast_link_local(),
            IpAddr::V4(_) => false,
        };
        let unusable = link_local && self.interface.is_none();
        if unusable {
            let message = format!("{}: a link-local address needs bind_if; ignored", line.name());
            ctx.report(Class::General, line.span, message);
        }
        !unusable
    }

    /// The settings, with this time limit.
    pub(crate) fn settings(&self, timeout: Duration) -> settings::Connection {
        settings::Connection {
            target: SocketAddr::new(self.target, self.port),
            origin: settings::Origin {
                bind: self.bind.map(|ip| SocketAddr::new(ip, self.bind_port)),
                interface: self.interface.clone(),
                mark: self.mark,
            }
            .given(),
            timeout,
        }
    }
}

impl Timed for Connection {
    fn timing(&mut self) -> &mut Timing {
        &mut self.timing
    }
}

const fn end(keyword: Keyword, set: Handler<Connection>) -> Row<Connection> {
    Row::new(keyword.required(), set)
}

/// Keywords about the connection.
pub(super) static CONNECTION: Table<Connection> = Table::new(&[
    end(
        Keyword::new("connect_ip", Args::Free("ADDRESS"), "Address to connect to")
            .or("the real server's"),
        |connection, line, ctx| {
            connection.given = true;
            set(peer_of(connection.bind, line, ctx), &mut connection.target);
        },
    ),
    end(
        Keyword::new("connect_port", Args::lenient(1, 65535), "Port to connect to")
            .or("the real server's"),
        |connection, line, ctx| {
            connection.given = true;
            set(number(line, ctx), &mut connection.port);
        },
    ),
    end(
        Keyword::new("bindto", Args::Free("ADDRESS"), "Source address"),
        |connection, line, ctx| {
            connection.given = true;
            set(peer_of(Some(connection.target), line, ctx).map(Some), &mut connection.bind);
        },
    ),
    end(
        Keyword::new("bind_port", Args::lenient(1, 65535), "Source port"),
        |connection, line, ctx| {
            connection.given = true;
            set(number(line, ctx), &mut connection.bind_port);
        },
    ),
    end(
        Keyword::new("bind_if", Args::Word { max: INTERFACE_NAME_MAX }, "Interface to use"),
        |connection, line, ctx| {
            connection.given = true;
            set(text(line, ctx).map(Some), &mut connection.interface);
        },
    ),
    end(CONNECT_TIMEOUT.or("5"), |connection, line, ctx| {
        connection.given = true;
        time(connection, line, ctx);
    }),
    end(
        Keyword::new("fwmark", Args::lenient(0, u32::MAX as i64), "Mark of the packets"),
        |connection, line, ctx| {
            connection.given = true;
            set(number(line, ctx), &mut connection.mark);
        },
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
    retries(LENIENT_RETRY),
    duration(DELAY_BEFORE_RETRY),
    duration(WARMUP.or("delay_loop")),
    duration(DELAY_LOOP.or("the real server's")),
    alpha(Keyword::new("alpha", Args::Bool, "Start as failed")),
    Row::new(
        Keyword::new("log_all_failures", Args::Bool, "Log every failed attempt").or("false"),
        |connection, line, ctx| set(line.boolean(ctx), &mut connection.log_all_failures),
    ),
]);
