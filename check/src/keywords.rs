//! The keyword tables: `global_defs`, and one file for each kind of block.

mod checker;
mod connection;
mod forwarding;
mod global;
mod group;
mod http;
mod real_server;
mod regex;
mod ssl;
mod virtual_server;

use std::net::IpAddr;

use config::{Args, Class, Command, Context, Keyword, Line, Row, Table, Word, address, check};

use crate::Draft;

pub(crate) use checker::Reference;
pub(crate) use forwarding::Method;
pub use global::{FlushOnStop, GLOBAL, Globals, LvsTimeouts, SyncDaemon};
pub(crate) use group::Group;
pub(crate) use real_server::RealServer;
pub(crate) use virtual_server::{Identity, Protocol, SorryServer, VirtualServer};

/// Seconds with six decimals, zero allowed.
const TIMER: Args = Args::timer(0, u64::MAX - 1);
/// Seconds with six decimals, above zero.
const POSITIVE_TIMER: Args = Args::timer(1, u64::MAX - 1);
/// Seconds that fit 32 bits of microseconds, above zero.
const TIMEOUT: Args = Args::timer(1, u32::MAX as u64);
/// Longest interface name the kernel takes.
const INTERFACE_NAME_MAX: usize = 15;

/// Top-level keywords of load balancing.
pub static ROOT: Table<Draft> = Table::new(&[
    Row::new(
        Keyword::new("SSL", Args::Flag, "Certificate, key and authorities of the SSL_GET checkers")
            .block(&[&ssl::SSL])
            .not_yet(),
        ssl::ssl,
    ),
    Row::new(
        Keyword::new(
            "virtual_server_group",
            Args::Word { max: 0 },
            "Addresses, ranges and firewall marks that are one virtual server",
        )
        .required()
        .values()
        .not_yet(),
        group::group,
    ),
    Row::new(
        Keyword::new(
            "virtual_server",
            Args::Free("ADDRESS [PORT] | fwmark MARK | group NAME"),
            "A service balanced over real servers by the kernel's IPVS",
        )
        .required()
        .block(&[&virtual_server::VIRTUAL_SERVER])
        .not_yet(),
        virtual_server::virtual_server,
    ),
]);

/// IPv4 or IPv6.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// IPv4.
    Inet,
    /// IPv6.
    Inet6,
}

impl Family {
    /// The family of `address`.
    pub(crate) fn of(address: IpAddr) -> Family {
        if address.is_ipv6() { Family::Inet6 } else { Family::Inet }
    }
}

/// Address and port of a virtual, real or sorry server; port 0 is none. What is behind a `-` or `/`
/// in the address does not count.
fn address_and_port(words: &[Word], ctx: &mut Context<'_>, what: &str) -> Option<(IpAddr, u16)> {
    let ip = address::ip_cut(words.first()?, ctx, what)?;
    Some((ip, optional_port(words.get(1), ctx, what)?))
}

/// A port that may be absent or all zeros, which is 0.
fn optional_port(word: Option<&Word>, ctx: &mut Context<'_>, what: &str) -> Option<u16> {
    match word {
        None => Some(0),
        Some(word) if !word.text.is_empty() && word.text.bytes().all(|b| b == b'0') => Some(0),
        Some(word) => address::port(word, ctx, what),
    }
}

/// A name of exactly one word.
fn single_word<T>(_: &mut T, line: &Line, ctx: &mut Context<'_>) {
    if line.words.len() != 1 {
        let message = format!("{}: exactly one word expected; ignored", line.name());
        ctx.report(Class::General, line.span, message);
    }
}

/// Stores a command of which only the first counts.
fn first_command(slot: &mut Option<Command>, line: &Line, ctx: &mut Context<'_>) {
    let Some(command) = line.command(ctx) else { return };
    if slot.is_some() {
        let message = format!("{}: already given; '{}' ignored", line.name(), command.text);
        ctx.report(Class::General, line.span, message);
    } else {
        *slot = Some(command);
    }
}

/// The position of the first argument in `choices`, whatever its case.
fn any_case(line: &Line, choices: &[&str], ctx: &mut Context<'_>) -> Option<usize> {
    let word = line.word(ctx)?;
    let found = choices.iter().position(|choice| choice.eq_ignore_ascii_case(&word.text));
    if found.is_none() {
        let message =
            format!("{}: '{}' is none of {}; ignored", line.name(), word.text, choices.join(", "));
        ctx.report(Class::General, word.span, message);
    }
    found
}

/// A row whose arguments are only checked.
/// Rows that stand in virtual servers, real servers and checkers alike; each adds its own default.
const RETRY: Keyword =
    Keyword::new("retry", Args::int(1, u32::MAX as i64), "Further attempts before failing")
        .required();
const DELAY_BEFORE_RETRY: Keyword =
    Keyword::new("delay_before_retry", TIMER, "Time before a further attempt").required().unit("s");
const WARMUP: Keyword =
    Keyword::new("warmup", TIMER, "Longest random delay of the first check").required().unit("s");

const fn checked<T>(keyword: Keyword) -> Row<T> {
    Row::new(keyword, check)
}
